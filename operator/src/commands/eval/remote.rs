//! `portcullis eval --url` and `--cluster`: the policy of a server, or of an installation, is asked, and
//! its answer printed as one of `eval`.
//!
//! ```text
//! address, input, headers ── POST …/decision ──▶ Answer ── read ──▶ Output, what is said, exit status
//! ```

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use hyper::{
    HeaderMap, Method,
    body::Bytes,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};
use portcullis_policies::{
    Diagnostic, Document, Step,
    workbench::{Expression, Solution},
};
use serde_json::Value as Json;

use super::{Arguments, FAILED, Format, Input, output::Output};
use crate::{
    client::{Ask, Failure, parse_address, path, wait, within},
    presentation::{self, compact, escaped, printable_lines, time},
};

/// The policy denies it.
const DENIED: u8 = 1;

/// Time for a question where nothing else is said.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longest time that a server can be told.
const LONGEST: Duration = Duration::from_secs(30);

/// How a server is told how long is waited for it.
const TIMEOUT: HeaderName = HeaderName::from_static("x-request-timeout");

/// Longest answer: a result may be as long as the memory of an evaluation lets it.
const MAX_ANSWER: usize = 64 << 20;

/// What came of asking.
struct Told {
    output: Output,
    /// What the policy says, a line each.
    said: Vec<String>,
    status: u8,
}

/// Asks, and prints: 0 when it is allowed, 1 when it is denied, 2 when that cannot be told.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let told = ask(arguments).unwrap_or_else(|failure| Told {
        output: Output::wrong(vec![failure.fault()]),
        said: Vec::new(),
        status: FAILED,
    });
    let (mut printed, mut errors) = (Vec::new(), Vec::new());
    let (format, limit) = (arguments.format, arguments.pretty_limit);
    told.output
        .write(format, limit, &mut printed, &mut errors)?;
    // Those who read JSON have it there.
    if !matches!(format, Format::Json | Format::Discard) {
        for line in &told.said {
            errors.extend(printable_lines(line).into_bytes());
        }
    }
    io::stderr().write_all(&errors)?;
    let mut out = io::stdout().lock();
    out.write_all(shown(format, String::from_utf8(printed)?).as_bytes())?;
    out.flush()?;
    Ok(ExitCode::from(told.status))
}

/// What a server says, as a terminal may be shown it.
fn shown(format: Format, text: String) -> String {
    match format {
        // A script gets what it asked for, letter by letter.
        Format::Raw if !io::stdout().is_terminal() => text,
        Format::Raw => {
            let text = text.strip_suffix('\n').unwrap_or(&text);
            printable_lines(text)
        }
        _ => escaped(&text),
    }
}

fn ask(arguments: &Arguments) -> Result<Told, Failure> {
    let typed = arguments.query.as_deref();
    let typed = typed.context("name a policy: services/authorization@1.0")?;
    let address = parse_address(typed).map_err(|why| anyhow!("{why}"))?;
    let address = within(&address, arguments.namespace.as_deref());
    let input = Input::of(arguments.input.clone(), arguments.stdin_input);
    let input = input.read().map_err(Failure::Unavailable)?;
    let patience = match arguments.timeout {
        Duration::ZERO => PATIENCE,
        patience => patience,
    };
    let path = format!("{}/decision", path(&address));
    let mut ask = Ask::of(Method::POST, &path, MAX_ANSWER);
    ask.headers = headers(arguments)?;
    if let Some(input) = input {
        ask.body = Bytes::from(compact(&input).map_err(anyhow::Error::from)?);
    }
    let body = wait(put(arguments, ask, patience))??;
    let text = str::from_utf8(&body).context("the answer is not UTF-8")?;
    Ok(read(typed, text).map_err(|why| anyhow!("the decision cannot be read: {why}"))?)
}

/// Puts the question where it was said.
async fn put(arguments: &Arguments, ask: Ask<'_>, patience: Duration) -> Result<Bytes, Failure> {
    let Some(installation) = arguments.cluster.clone() else {
        let server = arguments.server.open(patience)?;
        return server.context("add `--url` or `--cluster`")?.ask(ask).await;
    };
    let own = arguments.server.own()?;
    let asked = Box::pin(async { installation.open(own, patience).await?.ask_one(ask).await });
    let answer = tokio::time::timeout(patience, asked).await;
    answer.unwrap_or_else(|_| {
        let told = format!("the cluster did not answer within {}", time(patience));
        Err(Failure::unreachable(
            told,
            Some("`--timeout TIME` waits longer"),
        ))
    })
}

fn headers(arguments: &Arguments) -> anyhow::Result<HeaderMap> {
    let mut headers: HeaderMap = arguments.headers.iter().cloned().collect();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if !arguments.timeout.is_zero() {
        let patience = time(arguments.timeout.min(LONGEST));
        headers.insert(TIMEOUT, patience.parse()?);
    }
    Ok(headers)
}

/// What a decision means for who asked. Only a policy that was evaluated denies; where it was not, it
/// cannot be told whether it would.
fn read(asked: &str, answer: &str) -> Result<Told, String> {
    // Once with exact numbers, and once to take it apart.
    let document = Document::read(answer)?;
    let mut decision: Json = serde_json::from_str(answer).map_err(|error| error.to_string())?;
    let (Some(allowed), Some(outcome)) =
        (decision["allowed"].as_bool(), decision["outcome"].as_str())
    else {
        return Err("it does not say whether it is allowed".to_owned());
    };
    let status = match (allowed, outcome) {
        (true, _) => 0,
        (false, "denied") => DENIED,
        (false, _) => FAILED,
    };
    let result = document.at(&[Step::Name("result".to_owned())]);
    let policy = decision["policy"].as_str().unwrap_or(asked).to_owned();
    let said = [
        ("messages", outcome),
        ("warnings", "warning"),
        ("skipped", "skipped"),
    ];
    let mut lines = Vec::new();
    for (kind, mark) in said {
        // What went wrong is told as an error.
        if kind == "messages" && status == FAILED {
            continue;
        }
        let messages = decision[kind].as_array().into_iter().flatten();
        lines.extend(messages.map(|it| format!("{mark}: {}", presentation::message(it, &policy))));
    }
    let errors = if status == FAILED {
        faults(&decision, outcome)
    } else {
        Vec::new()
    };
    if let Some(fields) = decision.as_object_mut() {
        fields.remove("result");
    }
    Ok(Told {
        output: Output {
            is_answered: status != FAILED,
            errors,
            result: result
                .map(|value| solution(asked, value))
                .into_iter()
                .collect(),
            decision: Some(decision),
            ..Output::default()
        },
        said: lines,
        status,
    })
}

/// Why a policy was not evaluated.
fn faults(decision: &Json, outcome: &str) -> Vec<Diagnostic> {
    let messages = decision["messages"].as_array().into_iter().flatten();
    let fault = |message: &Json| {
        let said = |name: &str| message[name].as_str();
        let text = said("message").unwrap_or_default();
        let fault = Diagnostic::new(said("code").unwrap_or(outcome), text);
        match said("remedy") {
            Some(remedy) => fault.with_remedy(remedy),
            None => fault,
        }
    };
    let mut faults: Vec<Diagnostic> = messages.map(fault).collect();
    if faults.is_empty() {
        faults.push(Diagnostic::new(outcome, "the policy was not evaluated"));
    }
    faults
}

/// The result, as a query has it that is nothing but the policy's name.
fn solution(asked: &str, value: Document) -> Solution {
    Solution {
        bindings: std::collections::BTreeMap::new(),
        expressions: vec![Expression {
            value,
            text: asked.to_owned(),
            row: 1,
            column: 1,
        }],
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const MESSAGE: &str =
        r#"{"code": "A.B", "message": "no", "remedy": "ask", "severity": "high"}"#;

    fn told(allowed: bool, outcome: &str) -> Told {
        let answer = format!(
            r#"{{"id": "1", "allowed": {allowed}, "outcome": "{outcome}", "policy": "a/b@1.0",
                "messages": [{MESSAGE}], "warnings": [{MESSAGE}], "skipped": [],
                "result": {{"allow": {allowed}, "big": 12345678901234567890123}}}}"#
        );
        read("a/b@1.0", &answer).unwrap()
    }

    #[rstest]
    #[case(true, "allowed", 0)]
    #[case(true, "skipped", 0)]
    #[case(true, "bypassed", 0)]
    #[case(false, "denied", 1)]
    #[case(false, "locked", 2)]
    #[case(false, "error", 2)]
    #[case(false, "notInForce", 2)]
    #[case(false, "tomorrow", 2)]
    fn the_status_is_what_was_decided(
        #[case] allowed: bool,
        #[case] outcome: &str,
        #[case] status: u8,
    ) {
        let told = told(allowed, outcome);
        assert_eq!(told.status, status);
        assert_eq!(told.output.has_errors(), status == FAILED);
    }

    #[test]
    fn a_denial_is_said_and_printed_as_a_query_is() {
        let told = told(false, "denied");
        assert_eq!(
            told.said,
            [
                "denied: A.B: no [a/b@1.0, high] → ask",
                "warning: A.B: no [a/b@1.0, high] → ask"
            ]
        );
        let (mut out, mut errors) = (Vec::new(), Vec::new());
        told.output
            .write(Format::Json, 0, &mut out, &mut errors)
            .unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }

    #[test]
    fn what_was_not_evaluated_is_an_error() {
        let told = told(false, "locked");
        let (mut out, mut errors) = (Vec::new(), Vec::new());
        told.output
            .write(Format::Pretty, 0, &mut out, &mut errors)
            .unwrap();
        let errors = String::from_utf8(errors).unwrap();
        assert_eq!(errors, "1 error occurred: A.B: no\n  → ask\n");
    }

    #[rstest]
    #[case("")]
    #[case("[]")]
    #[case("{}")]
    #[case(r#"{"allowed": "yes", "outcome": "allowed"}"#)]
    fn what_is_no_decision_is_told(#[case] answer: &str) {
        assert!(read("a/b@1.0", answer).is_err());
    }

    #[test]
    fn a_terminal_is_told_nothing() {
        let hostile = "{\"a\": \"\u{9b}31m\u{202e}\"}\n".to_owned();
        assert_eq!(
            shown(Format::Json, hostile),
            "{\"a\": \"\\u009b31m\\u202e\"}\n"
        );
    }
}
