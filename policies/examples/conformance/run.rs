//! One case, as OPA's own runner runs it.

use portcullis_policies::rego::ast::{Module, Version};
use portcullis_policies::rego::builtins::Surroundings;
use portcullis_policies::rego::compile::{Options, compile};
use portcullis_policies::rego::execute::{self, ErrorKind, Limits, Question};
use portcullis_policies::rego::plan::ir::Plan;
use portcullis_policies::rego::source::{Fault, Sources};
use portcullis_policies::rego::value::{Value, json::from_serde};
use portcullis_policies::rego::{parse, resolve, value};

use crate::outcome::{Outcome, Reason};
use crate::results::difference;
use crate::suite::{Case, Located};

/// A function that only OPA's test program has.
const OF_OPAS_TESTS: &str = "test.sleep";

/// When the cases are evaluated, in nanoseconds since 1970: in June 2025, when certificates of the
/// suites were valid, as they are when OPA's own runner looks at the clock.
const NOW: i128 = 1_750_000_000_000_000_000;

/// Runs a case.
pub(crate) fn run(located: &Located) -> Outcome {
    let case = &located.case;
    if case.query.is_empty() {
        return compiler(located);
    }
    let plan = match plan(&case.query, located) {
        Ok(plan) => plan,
        Err(faults) => return refused(case, &faults),
    };
    let input = match &case.input_term {
        Some(term) => match read_term(term) {
            Some(value) => value,
            None => return Outcome::Different("the input term cannot be read".to_owned()),
        },
        None => case.input.as_ref().map_or(Value::Undefined, from_serde),
    };
    let data = case
        .data
        .as_ref()
        .map_or_else(Value::new_object, from_serde);
    let result = evaluate(&plan, &input, &data, case.strict_error);
    if let Some(how) = reads_differ(&plan, &input, &data, case.strict_error, &result) {
        return Outcome::Different(how);
    }
    match (result, &case.want_result) {
        (Ok(found), Some(expected)) => match difference(case, expected, &found) {
            Some(how) => Outcome::Different(how),
            None => Outcome::Equal,
        },
        (Ok(_), None) => {
            let wanted = case.want_error_code.as_ref().or(case.want_error.as_ref());
            Outcome::Different(format!("no error, but {wanted:?} is expected"))
        }
        (Err(ErrorKind::Refused { name, reason }), _) => {
            Outcome::Refused(Reason::function(name, reason))
        }
        (Err(kind), _) => {
            // What is an error only when strict ends nothing otherwise.
            if case.strict_error
                && let Err(lenient) = evaluate(&plan, &input, &data, false)
                && lenient.code() == kind.code()
            {
                return Outcome::Different(format!("{kind}, although not strict"));
            }
            failed(case, kind.code(), &kind.to_string())
        }
    }
}

/// The policy is refused: rightly if an error of that code is expected.
fn refused(case: &Case, faults: &[Fault]) -> Outcome {
    if let Some(reason) = Reason::of_faults(faults) {
        return Outcome::Refused(reason);
    }
    let unknown = format!("undefined function {OF_OPAS_TESTS}");
    if faults.iter().all(|fault| fault.message == unknown) {
        let why = "only OPA's test program has it";
        return Outcome::Refused(Reason::function(OF_OPAS_TESTS, why));
    }
    let texts: Vec<String> = faults
        .iter()
        .map(|fault| format!("{}: {}", fault.code.name(), fault.message))
        .collect();
    let code = faults.first().map_or("", |fault| fault.code.name());
    failed(case, code, &texts.join("; "))
}

/// An error ended the case. Its code counts: messages are ours.
fn failed(case: &Case, code: &str, text: &str) -> Outcome {
    let words = case.want_error.as_deref();
    let expected = match &case.want_error_code {
        Some(wanted) => wanted == code,
        None => words.is_some(),
    };
    if !expected {
        let wanted = case.want_error_code.as_deref().unwrap_or("a result");
        Outcome::Different(format!("{code}: {text} (expected {wanted})"))
    } else if words.is_none_or(|words| format!("{code}: {text}").contains(words)) {
        Outcome::Equal
    } else {
        Outcome::OwnWords
    }
}

/// What a plan says that it looks at must be enough.
fn reads_differ(
    plan: &Plan,
    input: &Value,
    data: &Value,
    strict: bool,
    result: &Result<Vec<Value>, ErrorKind>,
) -> Option<String> {
    let input = plan.reads.input.prune(input);
    let data = plan.reads.data.prune(data);
    let read = evaluate(plan, &input, &data, strict);
    let same = match (&read, result) {
        // A message may show a value that is not looked at further.
        (Err(read), Err(result)) => read.code() == result.code(),
        (read, result) => read == result,
    };
    (!same).then(|| {
        format!(
            "with what is read, {:?}: {read:?}, not {result:?}",
            plan.reads
        )
    })
}

fn evaluate(
    plan: &Plan,
    input: &Value,
    data: &Value,
    strict: bool,
) -> Result<Vec<Value>, ErrorKind> {
    let question = Question {
        input: input.clone(),
        data: data.clone(),
        surroundings: Surroundings::new(NOW, None, 1),
        limits: Limits::default(),
        strict,
    };
    execute::evaluate(plan, &plan.entries[0], question).map_err(|error| error.kind)
}

fn plan(query: &str, located: &Located) -> Result<Plan, Vec<Fault>> {
    let mut sources = Sources::default();
    let modules = modules(located, &mut sources)?;
    let question = question(query, &mut sources)?;
    compile(&modules, &[question], Options::default())
}

fn question(query: &str, sources: &mut Sources) -> Result<resolve::Question, Vec<Fault>> {
    let file = sources.add("query", query);
    // Queries are v1 in the v0 suites too.
    let body = parse::parse_query(file, query, Version::V1)?;
    Ok(resolve::Question::query(query, body))
}

fn modules(located: &Located, sources: &mut Sources) -> Result<Vec<Module>, Vec<Fault>> {
    let texts = located.case.modules.iter().flatten().enumerate();
    let parsed = texts.map(|(index, text)| {
        let file = sources.add(format!("test-{index}.rego"), text);
        let options = parse::Options {
            version: located.version,
            annotations: true,
        };
        parse::parse_module(file, text, options)
    });
    parsed.collect()
}

fn read_term(term: &str) -> Option<Value> {
    let mut sources = Sources::default();
    let question = question(&format!("x = {term}"), &mut sources).ok()?;
    let plan = compile(&[], &[question], Options::default()).ok()?;
    let solutions = evaluate(&plan, &Value::Undefined, &Value::new_object(), false).ok()?;
    let [bindings] = &solutions[..] else {
        return None;
    };
    value::get(bindings, &Value::from("x")).cloned()
}

/// A case about the errors of the compiler: their codes and places.
fn compiler(located: &Located) -> Outcome {
    let case = &located.case;
    let mut sources = Sources::default();
    let options = Options {
        strict: case.strict,
        ..Options::default()
    };
    let compiled =
        modules(located, &mut sources).and_then(|modules| compile(&modules, &[], options));
    let faults = compiled.err().unwrap_or_default();
    let mut own_words = false;
    for wanted in &case.want_errors {
        let found: Vec<&Fault> = faults
            .iter()
            .filter(|fault| {
                let place = sources.location(fault.span);
                place.file == wanted.module.as_deref().unwrap_or("test-0.rego")
                    && place.line == wanted.row
                    && (wanted.col == 0 || place.column == wanted.col)
                    && fault.code.name() == wanted.code
            })
            .collect();
        if found.is_empty() {
            return Outcome::Different(format!("{wanted:?} is not among {faults:?}"));
        }
        own_words |= found.iter().all(|fault| fault.message != wanted.message);
    }
    if case.exhaustive && faults.len() > case.want_errors.len() {
        Outcome::Different(format!("{faults:?} are more than {:?}", case.want_errors))
    } else if own_words {
        Outcome::OwnWords
    } else {
        Outcome::Equal
    }
}
