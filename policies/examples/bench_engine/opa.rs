//! OPA, in a process of its own that stays up: `policies/opa/bench`.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

use crate::{
    contestant::{Contestant, Mode, per_operation},
    rows::Row,
};

/// The process.
#[derive(Debug)]
pub(crate) struct Opa {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

#[derive(Debug, Deserialize)]
struct Measured {
    operations: usize,
    nanoseconds: u64,
}

impl Opa {
    /// Starts it.
    pub(crate) fn start(program: &str) -> Result<Self> {
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("failed to start {program}"))?;
        let requests = child.stdin.take().context("no standard input")?;
        let answers = child.stdout.take().context("no standard output")?;
        Ok(Self {
            child,
            requests,
            answers: BufReader::new(answers),
        })
    }

    fn ask<T: DeserializeOwned>(&mut self, request: &serde_json::Value) -> Result<T> {
        writeln!(self.requests, "{request}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        ensure!(!line.is_empty(), "OPA ended; its message is above");
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Opa {
    fn drop(&mut self) {
        // It ends with its input; nothing can be done where it does not.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Contestant for Opa {
    fn load(&mut self, row: &Row) -> Result<serde_json::Value> {
        let modules: serde_json::Map<_, _> = row
            .modules
            .iter()
            .map(|(name, text)| (name.clone(), json!(text)))
            .collect();
        self.ask(&json!({"load": {
            "modules": modules,
            "version": row.version,
            "data": row.data,
            "query": row.query,
            "input": row.input,
        }}))
    }

    fn measure(&mut self, row: usize, mode: Mode, slice: Duration, threads: usize) -> Result<f64> {
        let measured: Measured = self.ask(&json!({"run": {
            "row": row,
            "mode": mode.name(),
            "milliseconds": u64::try_from(slice.as_millis())?,
            "threads": threads,
        }}))?;
        let used = Duration::from_nanos(measured.nanoseconds);
        Ok(per_operation(used, measured.operations))
    }
}
