//! OPA, in a process that stays up.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::{Context as _, Result};
use portcullis_policies::rego::value::Value;
use portcullis_policies::rego::value::number;
use serde::Deserialize;

use crate::case::{Answer, Case, Verdict};

/// Compiling cannot be interrupted. A case for which OPA needs longer than this is not compared.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(crate) struct Oracle {
    program: PathBuf,
    process: Child,
    requests: ChildStdin,
    answers: Receiver<String>,
}

#[derive(Deserialize)]
struct Response {
    id: u64,
    #[serde(default)]
    errors: Vec<Fault>,
    #[serde(default)]
    answers: Option<Vec<Option<Vec<Solved>>>>,
    #[serde(default)]
    panic: String,
}

#[derive(Deserialize)]
struct Fault {
    code: String,
    message: String,
    file: String,
    line: usize,
    column: usize,
}

#[derive(Deserialize)]
struct Solved {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    unindexed: String,
    #[serde(default)]
    solutions: Option<Vec<serde_json::Value>>,
}

impl Oracle {
    pub(crate) fn start(program: &Path) -> Result<Self> {
        let mut process = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Bounds its heap softly: it shares the machine.
            .env("GOMEMLIMIT", "1GiB")
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let requests = process.stdin.take().context("the oracle has no input")?;
        let output = process.stdout.take().context("the oracle has no output")?;
        let (sender, answers) = channel();
        // Answers are taken in while requests are written, so that neither side waits for ever.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                let Ok(line) = line else { return };
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            program: program.to_owned(),
            process,
            requests,
            answers,
        })
    }

    /// Asks without waiting.
    pub(crate) fn ask(&mut self, cases: &[Case]) -> Result<()> {
        let mut text = String::new();
        for (id, case) in cases.iter().enumerate() {
            text.push_str(&case.request(id as u64)?);
            text.push('\n');
        }
        // Where it has ended, there will be no answer, which is noticed then.
        let _ = self.requests.write_all(text.as_bytes());
        let _ = self.requests.flush();
        Ok(())
    }

    /// The verdicts on the cases that were asked last.
    pub(crate) fn answers(&mut self, cases: &[Case]) -> Result<Vec<Verdict>> {
        let mut verdicts = Vec::with_capacity(cases.len());
        while verdicts.len() < cases.len() {
            if let Ok(line) = self.answers.recv_timeout(PATIENCE) {
                let response: Response = serde_json::from_str(&line)
                    .with_context(|| format!("the oracle's answer cannot be read: {line}"))?;
                anyhow::ensure!(response.id == verdicts.len() as u64, "answers out of order");
                verdicts.push(verdict(response));
            } else {
                verdicts.push(Verdict::Failed("OPA did not answer".to_owned()));
                self.stop();
                *self = Self::start(&self.program.clone())?;
                let rest = cases[verdicts.len()..].to_vec();
                self.ask(&rest)?;
                verdicts.extend(self.answers(&rest)?);
            }
        }
        Ok(verdicts)
    }

    /// The verdict of a process that has not been asked anything before.
    pub(crate) fn afresh(&mut self, case: &Case) -> Result<Verdict> {
        self.stop();
        *self = Self::start(&self.program.clone())?;
        let case = [case.clone()];
        self.ask(&case)?;
        let mut verdicts = self.answers(&case)?;
        verdicts.pop().context("the oracle has no verdict")
    }

    fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        self.stop();
    }
}

fn verdict(response: Response) -> Verdict {
    if !response.panic.is_empty() {
        return Verdict::Failed(response.panic);
    }
    if !response.errors.is_empty() {
        let errors = response.errors.iter();
        let errors = errors.filter(|one| one.message != "error limit reached");
        let mut codes: Vec<String> = errors.map(|one| one.code.clone()).collect();
        codes.sort();
        codes.dedup();
        let texts = response.errors.iter().map(|one| {
            let Fault {
                code,
                message,
                file,
                line,
                column,
            } = one;
            format!("{file}:{line}:{column}: {code}: {message}")
        });
        return Verdict::Faults(codes, texts.collect::<Vec<_>>().join("\n"));
    }
    let rows = response.answers.unwrap_or_default().into_iter();
    let rows = rows.map(|row| row.unwrap_or_default().into_iter().map(answer).collect());
    Verdict::Answers(rows.collect())
}

fn answer(solved: Solved) -> Answer {
    match solved.code.as_str() {
        "" => {
            let solutions = solved.solutions.unwrap_or_default();
            match solutions.iter().map(untagged).collect::<Option<Vec<_>>>() {
                Some(solutions) => match (Answer::of(solutions), solved.unindexed) {
                    (Answer::Solutions(solutions), code) if !code.is_empty() => {
                        Answer::Spared(solutions, code)
                    }
                    (answer, _) => answer,
                },
                None => Answer::Refused("a value that cannot be held".to_owned()),
            }
        }
        "eval_cancel_error" | "input" => Answer::Refused(solved.message),
        // OPA forgot to evaluate an operand.
        "eval_internal_error" if solved.message.contains("requires evaluation") => {
            Answer::Refused(solved.message)
        }
        code => Answer::Error(code.to_owned(), solved.message),
    }
}

/// A value as the oracle writes it. Nothing for what is not a value.
fn untagged(tagged: &serde_json::Value) -> Option<Value> {
    use serde_json::Value as Json;
    let sequence = |members: &[Json]| members.iter().map(untagged).collect::<Option<Vec<_>>>();
    match tagged {
        Json::Null => Some(Value::Null),
        Json::Bool(truth) => Some(Value::Bool(*truth)),
        Json::String(text) => Some(Value::from(text.as_str())),
        Json::Array(elements) => sequence(elements).map(Value::from),
        Json::Number(_) => None,
        Json::Object(tag) => match tag.iter().next()? {
            (name, Json::String(text)) if name == "number" => number::parse(text),
            (name, Json::Array(members)) if name == "set" => {
                let members = sequence(members)?.into_iter();
                Some(members.collect::<std::collections::BTreeSet<_>>().into())
            }
            (name, Json::Array(entries)) if name == "object" => {
                let entry = |pair: &Json| {
                    let pair = pair.as_array()?;
                    Some((untagged(pair.first()?)?, untagged(pair.get(1)?)?))
                };
                let entries = entries.iter().map(entry).collect::<Option<Vec<_>>>()?;
                let entries = entries.into_iter();
                Some(entries.collect::<std::collections::BTreeMap<_, _>>().into())
            }
            _ => None,
        },
    }
}
