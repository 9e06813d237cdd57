//! The compiler and the executor of `portcullis-policies`.

use std::time::Duration;

use anyhow::{Result, anyhow};
use portcullis_policies::rego::{
    ast::Version,
    builtins::Surroundings,
    compile::{self, compile},
    execute::{Limits, Question, evaluate},
    parse,
    plan::{access::Access, ir::Plan},
    resolve,
    source::{Fault, Sources},
    value::{Value, json},
};

use crate::{
    contestant::{Contestant, Mode, measure},
    rows::Row,
};

/// Our engine.
#[derive(Debug, Default)]
pub(crate) struct Ours {
    rows: Vec<Prepared>,
}

#[derive(Debug)]
struct Prepared {
    row: Row,
    plan: Plan,
    data: Value,
    input: Value,
}

impl Contestant for Ours {
    fn load(&mut self, row: &Row) -> Result<serde_json::Value> {
        let read = |text: &str| json::read(text).map_err(|fault| anyhow!(fault));
        let prepared = Prepared {
            plan: prepare(row)?,
            data: read(&row.data.to_string())?,
            input: read(&row.input)?,
            row: row.clone(),
        };
        let input = prepared.read()?;
        let answer = prepared.decide(input)?;
        self.rows.push(prepared);
        Ok(match &answer {
            Some(answer) => serde_json::from_str(&json::write(answer))?,
            None => serde_json::Value::Null,
        })
    }

    fn measure(&mut self, row: usize, mode: Mode, slice: Duration, threads: usize) -> Result<f64> {
        let prepared = &self.rows[row];
        match mode {
            Mode::Raw => measure(slice, threads, &|| {
                prepared.decide(prepared.read()?).map(drop)
            }),
            Mode::Parsed => measure(slice, threads, &|| {
                prepared.decide(prepared.input.clone()).map(drop)
            }),
            Mode::Compile => measure(slice, threads, &|| prepare(&prepared.row).map(drop)),
        }
    }
}

impl Prepared {
    /// Of the input, what the policy looks at.
    fn read(&self) -> Result<Value> {
        let access: &Access = &self.plan.reads.input;
        Ok(json::read_parts(self.row.input.as_bytes(), access)?)
    }

    fn decide(&self, input: Value) -> Result<Option<Value>> {
        let question = Question {
            input,
            data: self.data.clone(),
            surroundings: Surroundings::new(1_700_000_000_000_000_000, None, 1),
            limits: Limits {
                time: Some(Duration::from_secs(10)),
                ..Limits::default()
            },
            strict: false,
        };
        Ok(evaluate(&self.plan, &self.plan.entries[0], question)?.pop())
    }
}

fn prepare(row: &Row) -> Result<Plan> {
    let version = if row.version == 0 {
        Version::V0
    } else {
        Version::V1
    };
    let failure = |faults: Vec<Fault>| {
        let messages: Vec<String> = faults.into_iter().map(|fault| fault.message).collect();
        anyhow!(messages.join("; "))
    };
    let mut sources = Sources::default();
    let mut modules = Vec::new();
    for (name, text) in &row.modules {
        let file = sources.add(name.clone(), text);
        let options = parse::Options {
            version,
            annotations: false,
        };
        modules.push(parse::parse_module(file, text, options).map_err(failure)?);
    }
    let path: Vec<&str> = row.query.split('.').skip(1).collect();
    let question = resolve::Question::path(&path);
    compile(&modules, &[question], compile::Options::default()).map_err(failure)
}
