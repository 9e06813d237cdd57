//! What we make of a case.

use std::panic::{AssertUnwindSafe, catch_unwind};

use portcullis_policies::rego::ast::Version;
use portcullis_policies::rego::builtins::Surroundings;
use portcullis_policies::rego::compile::{Options, compile};
use portcullis_policies::rego::execute::{self, ErrorKind, Limits, Question};
use portcullis_policies::rego::plan::ir::{Entry, Plan};
use portcullis_policies::rego::source::{Fault, Sources};
use portcullis_policies::rego::value::Value;
use portcullis_policies::rego::{parse, resolve, value};

use crate::case::{Answer, Case, Verdict, file_name};

/// The clock of both, as that of the conformance suites: certificates in them are valid then, and
/// when OPA looks at the machine's clock.
const NOW: i128 = 1_750_000_000_000_000_000;

/// Our verdict. A panic is one too: a failure.
pub(crate) fn verdict(case: &Case) -> Verdict {
    catch_unwind(AssertUnwindSafe(|| evaluate(case))).unwrap_or_else(|reason| {
        let reason = reason
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| reason.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Verdict::Failed(format!("panicked: {}", reason.unwrap_or_default()))
    })
}

fn evaluate(case: &Case) -> Verdict {
    let mut sources = Sources::default();
    let mut modules = Vec::new();
    for (index, module) in case.modules.iter().enumerate() {
        let file = sources.add(file_name(index), module);
        let options = parse::Options {
            version: case.version,
            annotations: true,
        };
        match parse::parse_module(file, module, options) {
            Ok(module) => modules.push(module),
            Err(faults) => return refused(&sources, &faults),
        }
    }
    let mut questions = Vec::new();
    for query in &case.queries {
        let file = sources.add("query", query);
        match parse::parse_query(file, query, Version::V1) {
            Ok(body) => questions.push(resolve::Question::query(query, body)),
            Err(faults) => return refused(&sources, &faults),
        }
    }
    let (Ok(data), Ok(inputs)) = (
        value::json::read(&case.data),
        case.inputs
            .iter()
            .map(|input| value::json::read(input))
            .collect::<Result<Vec<_>, _>>(),
    ) else {
        return Verdict::Refused("a document cannot be read".to_owned());
    };
    let options = Options {
        strict: case.strict,
        data: Some(&data),
        ..Options::default()
    };
    let plan = match compile(&modules, &questions, options) {
        Ok(plan) => plan,
        Err(faults) => return refused(&sources, &faults),
    };
    let row = |entry| {
        let answers = inputs.iter();
        answers
            .map(|input| answer(case, &plan, entry, input, &data))
            .collect()
    };
    Verdict::Answers(plan.entries.iter().map(row).collect())
}

fn answer(case: &Case, plan: &Plan, entry: &Entry, input: &Value, data: &Value) -> Answer {
    let input = match input {
        Value::Null => Value::Undefined,
        other => other.clone(),
    };
    let question = Question {
        input,
        data: data.clone(),
        surroundings: Surroundings::new(NOW, None, 1),
        limits: Limits::default(),
        strict: case.strict_errors,
    };
    match execute::evaluate(plan, entry, question) {
        Ok(solutions) => Answer::of(solutions),
        Err(error) => match &error.kind {
            ErrorKind::Refused { .. } | ErrorKind::Ambiguous(_) => {
                Answer::Refused(error.to_string())
            }
            kind if kind.code() == "eval_cancel_error" => Answer::Refused(error.to_string()),
            kind => Answer::Error(kind.code().to_owned(), error.to_string()),
        },
    }
}

fn refused(sources: &Sources, faults: &[Fault]) -> Verdict {
    let beyond = faults.iter().find(|fault| is_beyond(&fault.message));
    if let Some(fault) = beyond {
        return Verdict::Refused(fault.message.clone());
    }
    let mut codes: Vec<String> = faults
        .iter()
        .map(|fault| fault.code.name().to_owned())
        .collect();
    codes.sort();
    codes.dedup();
    let text = |fault: &Fault| {
        let (line, column) = sources.line_column(fault.span);
        let file = fault.span.file.0;
        let message = fault.message.lines().next().unwrap_or_default();
        format!("{file}:{line}:{column}: {}: {message}", fault.code.name())
    };
    Verdict::Faults(
        codes,
        faults.iter().map(text).collect::<Vec<_>>().join("\n"),
    )
}

/// Whether a policy is refused because of what this compiler cannot do.
fn is_beyond(message: &str) -> bool {
    let beginnings = [
        "not supported:",
        "expressions are nested deeper",
        "a rule head has at most",
    ];
    beginnings
        .iter()
        .any(|beginning| message.starts_with(beginning))
}
