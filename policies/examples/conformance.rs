//! Runs OPA's conformance suites and says for each folder how many results are equal, how many
//! policies were refused, and how many results differ.
//!
//! ```text
//! conformance [--verbose] [--folder NAME] PATH…
//! ```
//!
//! A path is a directory of YAML suites (`v1/test/cases/testdata` of OPA's Go module) or a file of
//! one case a line in JSON. Each case is evaluated a second time with only what its plan says that
//! it looks at, which must make no difference.
//!
//! Cases below a folder `v0` are read as Rego v0. It fails if a result
//! differs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use portcullis_policies::rego::ast::Version;
use portcullis_policies::rego::builtins::Surroundings;
use portcullis_policies::rego::compile::{Options, compile};
use portcullis_policies::rego::execute::{self, ErrorKind, Limits, Question};
use portcullis_policies::rego::plan::ir::Access;
use portcullis_policies::rego::resolve;
use portcullis_policies::rego::source::{Fault, Sources};
use portcullis_policies::rego::value::Value;
use portcullis_policies::rego::{parse, value};
use serde::Deserialize;

/// A case of a suite.
#[derive(Debug, Deserialize)]
struct Case {
    note: String,
    query: String,
    #[serde(default)]
    modules: Option<Vec<String>>,
    #[serde(default)]
    data: Option<serde_json::Value>,
    #[serde(default)]
    input: Option<serde_json::Value>,
    #[serde(default)]
    input_term: Option<String>,
    #[serde(default)]
    want_result: Option<Vec<serde_json::Value>>,
    #[serde(default)]
    want_error_code: Option<String>,
    #[serde(default)]
    want_error: Option<String>,
    /// The codes of the errors with which OPA refuses the modules.
    #[serde(default)]
    want_compile: Option<Vec<String>>,
    #[serde(default)]
    sort_bindings: bool,
    #[serde(default)]
    strict_error: bool,
    #[serde(default)]
    folder: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Suite {
    cases: Vec<Case>,
}

/// How a case went.
enum Outcome {
    Equal,
    Refused(String),
    Different(String),
}

/// A case with where it is from.
struct Located {
    folder: String,
    version: Version,
    case: Case,
}

/// Evaluator threads have stacks of this size.
const STACK: usize = 64 << 20;

fn main() -> Result<ExitCode> {
    let mut verbose = false;
    let mut only = None;
    let mut paths = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--verbose" => verbose = true,
            "--folder" => only = arguments.next(),
            path => paths.push(PathBuf::from(path)),
        }
    }
    let mut cases = Vec::new();
    for path in &paths {
        load(path, &mut cases)?;
    }
    cases.retain(|located| {
        only.as_ref()
            .is_none_or(|only| located.folder.contains(only))
    });
    let worker = std::thread::Builder::new().stack_size(STACK);
    let report = worker.spawn(move || report(&cases, verbose))?;
    let (text, different) = report
        .join()
        .map_err(|_| anyhow::anyhow!("the runner panicked"))?;
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(if different == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn load(path: &Path, cases: &mut Vec<Located>) -> Result<()> {
    if path.is_dir() {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(path)?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_>>()?;
        entries.sort();
        for entry in entries {
            load(&entry, cases)?;
        }
        return Ok(());
    }
    let text = || std::fs::read_to_string(path).with_context(|| path.display().to_string());
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("yaml") => {
            let suite: Suite =
                serde_saphyr::from_str(&text()?).with_context(|| path.display().to_string())?;
            let parents: Vec<_> = path
                .ancestors()
                .skip(1)
                .filter_map(Path::file_name)
                .collect();
            let is_v0 = parents.iter().any(|parent| *parent == "v0");
            let folder = parents
                .first()
                .map(|name| name.to_string_lossy())
                .unwrap_or_default();
            let folder = format!("{}/{folder}", if is_v0 { "v0" } else { "v1" });
            cases.extend(suite.cases.into_iter().map(|case| Located {
                folder: folder.clone(),
                version: if is_v0 { Version::V0 } else { Version::V1 },
                case,
            }));
        }
        Some("jsonl") => {
            for line in text()?.lines() {
                let case: Case = serde_json::from_str(line)?;
                let folder = format!("jsonl {}", case.folder.as_deref().unwrap_or_default());
                let is_v0 = case
                    .folder
                    .as_deref()
                    .is_some_and(|folder| folder.starts_with("v0"));
                let version = if is_v0 { Version::V0 } else { Version::V1 };
                cases.push(Located {
                    folder,
                    version,
                    case,
                });
            }
        }
        _ => {}
    }
    Ok(())
}

fn report(cases: &[Located], verbose: bool) -> (String, usize) {
    let mut folders: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut text = String::new();
    for located in cases {
        let counts = folders.entry(&located.folder).or_default();
        let run = std::panic::AssertUnwindSafe(|| run(&located.case, located.version));
        let outcome = std::panic::catch_unwind(run)
            .unwrap_or_else(|_| Outcome::Different("panicked".to_owned()));
        match outcome {
            Outcome::Equal => counts[0] += 1,
            Outcome::Refused(reason) => {
                counts[1] += 1;
                if verbose {
                    let note = &located.case.note;
                    let _ = writeln!(text, "refused {} {note}: {reason}", located.folder);
                }
                *reasons.entry(reason).or_default() += 1;
            }
            Outcome::Different(how) => {
                counts[2] += 1;
                let note = &located.case.note;
                let _ = writeln!(text, "different {} {note}: {how}", located.folder);
            }
        }
    }
    let mut sums = [0; 3];
    let _ = writeln!(
        text,
        "{:<50} {:>8} {:>8} {:>9}",
        "folder", "equal", "refused", "different"
    );
    for (folder, counts) in &folders {
        let [equal, refused, different] = counts;
        let _ = writeln!(text, "{folder:<50} {equal:>8} {refused:>8} {different:>9}");
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum += count;
        }
    }
    let [equal, refused, different] = sums;
    let _ = writeln!(text, "{:<50} {equal:>8} {refused:>8} {different:>9}", "all");
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for (reason, count) in reasons {
        let _ = writeln!(text, "{count:>6} refused: {reason}");
    }
    (text, different)
}

fn run(case: &Case, version: Version) -> Outcome {
    let input = match &case.input_term {
        Some(term) => match term_value(term) {
            Ok(value) => value,
            Err(reason) => return Outcome::Refused(reason),
        },
        None => case.input.as_ref().map_or(Value::Undefined, convert),
    };
    let data = case.data.as_ref().map_or_else(Value::new_object, convert);
    let modules = case.modules.as_deref().unwrap_or_default();
    let solutions = match evaluate(
        &case.query,
        modules,
        version,
        input,
        data,
        case.strict_error,
    ) {
        Ok(solutions) => solutions,
        Err(Failure::Compile(reason)) => return refused(case, reason),
        Err(Failure::Evaluation(kind)) => return failed(case, &kind),
        Err(Failure::Reads(how)) => return Outcome::Different(format!("what is read: {how}")),
    };
    if let Some(codes) = &case.want_compile {
        return Outcome::Different(format!("accepted, but refused with {codes:?}"));
    }
    let Some(expected) = &case.want_result else {
        let wanted = case.want_error_code.as_ref().or(case.want_error.as_ref());
        return Outcome::Different(format!("no error, but {wanted:?} is expected"));
    };
    let mut expected: Vec<Value> = expected.iter().map(convert).collect();
    let mut found: Vec<Value> = solutions
        .iter()
        .map(|one| plain(one, case.sort_bindings))
        .collect();
    for list in [&mut expected, &mut found] {
        list.sort_by(value::compare);
        list.dedup_by(|a, b| value::compare(a, b).is_eq());
    }
    let same = expected.len() == found.len()
        && expected
            .iter()
            .zip(&found)
            .all(|(a, b)| value::compare(a, b).is_eq());
    if same {
        Outcome::Equal
    } else {
        let show = |values: &[Value]| {
            values
                .iter()
                .map(value::json::write)
                .collect::<Vec<_>>()
                .join(" ; ")
        };
        Outcome::Different(format!(
            "expected {} found {}",
            show(&expected),
            show(&found)
        ))
    }
}

fn refused(case: &Case, reason: String) -> Outcome {
    let code = reason.split(':').next().unwrap_or_default();
    match &case.want_compile {
        Some(codes) if codes.iter().any(|wanted| wanted == code) => Outcome::Equal,
        // What the compiler does not know of is refused before OPA's error is found.
        Some(codes) if !reason.contains("not supported") => {
            Outcome::Different(format!("refused with {reason}, but expected {codes:?}"))
        }
        _ => Outcome::Refused(reason),
    }
}

fn failed(case: &Case, kind: &ErrorKind) -> Outcome {
    if let ErrorKind::Refused { .. } = kind {
        return Outcome::Refused(kind.to_string());
    }
    if let Some(codes) = &case.want_compile {
        return Outcome::Different(format!("accepted, but refused with {codes:?}"));
    }
    // Messages are ours; codes have to be OPA's.
    let expected = match (&case.want_error_code, &case.want_error) {
        (Some(code), _) => code == kind.code(),
        (None, expected) => expected.is_some(),
    };
    if expected {
        Outcome::Equal
    } else {
        let wanted = &case.want_error_code;
        Outcome::Different(format!("{}: {kind} (expected {wanted:?})", kind.code()))
    }
}

enum Failure {
    Compile(String),
    Evaluation(ErrorKind),
    Reads(String),
}

fn evaluate(
    query: &str,
    modules: &[String],
    version: Version,
    input: Value,
    data: Value,
    strict: bool,
) -> Result<Vec<Value>, Failure> {
    let mut sources = Sources::default();
    let failure = |faults: &[Fault]| {
        let fault = faults.first();
        let text = fault.map(|fault| format!("{}: {}", fault.code.name(), fault.message));
        let text = text.unwrap_or_default();
        Failure::Compile(text.lines().next().unwrap_or_default().to_owned())
    };
    let mut parsed = Vec::new();
    for (index, module) in modules.iter().enumerate() {
        let file = sources.add(format!("test-{index}.rego"), module);
        let options = parse::Options {
            version,
            annotations: true,
        };
        match parse::parse_module(file, module, options) {
            Ok(module) => parsed.push(module),
            Err(faults) => return Err(failure(&faults)),
        }
    }
    let file = sources.add("query", query);
    let body = parse::parse_query(file, query, Version::V1).map_err(|faults| failure(&faults))?;
    let question = resolve::Question::query(query, body);
    let plan =
        compile(&parsed, &[question], Options::default()).map_err(|faults| failure(&faults))?;
    let question = |input, data| Question {
        input,
        data,
        surroundings: Surroundings::new(1_700_000_000_000_000_000, None, 1),
        limits: Limits::default(),
        strict,
    };
    let read = question(
        prune(&input, &plan.reads.input),
        prune(&data, &plan.reads.data),
    );
    let read = execute::evaluate(&plan, &plan.entries[0], read).map_err(|error| error.kind);
    let result = execute::evaluate(&plan, &plan.entries[0], question(input, data))
        .map_err(|error| error.kind);
    // A message may show a value that is not looked at further.
    let same = match (&read, &result) {
        (Err(read), Err(result)) => read.code() == result.code(),
        (read, result) => read == result,
    };
    if same {
        result.map_err(Failure::Evaluation)
    } else {
        Err(Failure::Reads(format!(
            "{:?} {result:?} {read:?}",
            plan.reads
        )))
    }
}

/// Of a document, only what a plan looks at; of the rest, nothing but the types.
fn prune(value: &Value, access: &Access) -> Value {
    let Access::Parts { each, .. } = access else {
        return value.clone();
    };
    match value {
        Value::Object(object) => {
            let member = |(key, value): (&Value, &Value)| {
                let Value::String(name) = key else {
                    return None;
                };
                Some((key.clone(), prune(value, access.at(name)?)))
            };
            object
                .iter()
                .filter_map(member)
                .collect::<BTreeMap<_, _>>()
                .into()
        }
        Value::Array(_) if value::elements(value).is_some() => {
            let elements = value::elements(value).unwrap_or_default();
            let kept = each
                .iter()
                .flat_map(|below| elements.iter().map(|one| prune(one, below)));
            Value::from(kept.collect::<Vec<_>>())
        }
        Value::Bool(_) => Value::Bool(true),
        Value::Number(_) => Value::from(0_u64),
        Value::String(_) => Value::from(""),
        other => other.clone(),
    }
}

fn term_value(term: &str) -> Result<Value, String> {
    let query = format!("x = {term}");
    let solutions = evaluate(
        &query,
        &[],
        Version::V1,
        Value::Undefined,
        Value::new_object(),
        false,
    );
    match solutions.as_deref() {
        Ok([bindings]) => Ok(value::get(bindings, &Value::from("x"))
            .cloned()
            .unwrap_or(Value::Null)),
        _ => Err("the input term cannot be read".to_owned()),
    }
}

fn convert(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Number(number) => {
            value::number::parse(&number.to_string()).unwrap_or(Value::Null)
        }
        serde_json::Value::Array(elements) => {
            Value::from(elements.iter().map(convert).collect::<Vec<_>>())
        }
        serde_json::Value::Object(members) => {
            let members = members
                .iter()
                .map(|(key, value)| (Value::from(key.as_str()), convert(value)));
            members.collect::<BTreeMap<_, _>>().into()
        }
        other => Value::from(other.clone()),
    }
}

/// A result as JSON has it: sets are arrays, keys are strings.
fn plain(bindings: &Value, sort: bool) -> Value {
    let json = value::json::write(bindings);
    let parsed = serde_json::from_str(&json).unwrap_or(serde_json::Value::Null);
    let Value::Object(object) = convert(&parsed) else {
        return Value::Null;
    };
    let members = object.iter().map(|(name, value)| {
        let mut value = value.clone();
        if sort && let Some(elements) = value::elements(&value) {
            let mut sorted = elements.to_vec();
            sorted.sort_by(value::compare);
            value = Value::from(sorted);
        }
        (name.clone(), value)
    });
    members.collect::<BTreeMap<_, _>>().into()
}
