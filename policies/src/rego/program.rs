//! A compiled policy, and its evaluation.

use std::{
    collections::BTreeSet,
    num::NonZeroU32,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
    time::Duration,
};

use jiff::SignedDuration;
use regorus::{
    Engine, Value,
    utils::limits::{ExecutionTimerConfig, LimitError},
};
use serde_json::Value as Json;

use super::{ambient, bounds, brackets, faults, graph::Graph, references};
use crate::{
    Code, Definition, Diagnostic, Diagnostics, Message, RegoVersion, Request,
    normalise::{DIALECT, Rules},
};

/// Statements between two looks at the clock. regorus executes about a million a second, so a
/// limit is noticed within some microseconds.
const CHECK_INTERVAL: NonZeroU32 = NonZeroU32::new(16).expect("sixteen is not zero");

/// Words that version 1 reserves. Without an import, regorus reads them as names in version 0: of
/// `allow if { … }` it makes an `allow` that always holds, and a rule `if`. OPA refuses that.
const KEYWORDS: [&str; 4] = ["contains", "every", "if", "in"];

/// Stack of the thread that compiles, for what regorus reads recursively.
const COMPILE_STACK: usize = 64 * 1024 * 1024;

/// A compiled policy.
#[derive(Debug)]
pub(crate) struct Program {
    /// Prepared; cloned for each evaluation, which costs less than a microsecond.
    engine: Engine,
    query: String,
    rules: Rules,
    version: RegoVersion,
}

/// Why an evaluation gave no document.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The time limit was reached.
    #[error("the evaluation took longer than {0:#}")]
    Timeout(SignedDuration),
    /// The memory limit was reached.
    #[error("the evaluation took more memory than it may")]
    Memory,
    /// What it gives back is too large or too deep to be handed on.
    #[error("the result is too large")]
    Large,
    /// The policy contradicted itself, or a builtin failed.
    #[error("{0}")]
    Failed(String),
    /// A builtin panicked.
    #[error("a builtin function failed unexpectedly")]
    Panicked,
}

impl Program {
    /// Compiles the modules of a definition.
    pub(crate) fn compile(definition: &Definition) -> Result<Self, Diagnostics> {
        let compile = || {
            thread::Builder::new()
                .stack_size(COMPILE_STACK)
                .name("compile".to_owned())
        };
        thread::scope(|scope| {
            let thread = compile()
                .spawn_scoped(scope, || compile_here(definition))
                .map_err(|error| internal(&format!("no thread to compile on: {error}")))?;
            thread
                .join()
                .unwrap_or_else(|_| Err(internal("the compiler failed unexpectedly")))
        })
    }

    /// The version of the language that the modules were read in.
    pub(crate) fn version(&self) -> RegoVersion {
        self.version
    }

    /// What the entrypoint defines.
    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Evaluates the entrypoint. `Value::Undefined` as the input is an undefined `input`.
    pub(crate) fn evaluate(
        &self,
        input: Value,
        request: &Request,
        limit: Duration,
    ) -> Result<Value, Failure> {
        let mut engine = self.engine.clone();
        engine.set_execution_timer_config(ExecutionTimerConfig {
            limit,
            check_interval: CHECK_INTERVAL,
        });
        engine.set_input(input);
        let guard = ambient::Guard::enter(request);
        let query = self.query.clone();
        let results = catch_unwind(AssertUnwindSafe(|| engine.eval_query(query, false)));
        drop(guard);
        let results = results
            .map_err(|_| Failure::Panicked)?
            .map_err(|error| failure(&error))?;
        let value = results
            .result
            .into_iter()
            .next()
            .and_then(|r| r.expressions.into_iter().next());
        let document = value.map_or(Value::Undefined, |expression| expression.value);
        // Values are shared, so a small one in memory may be without end when it is written.
        if bounds::is_bounded(&document) {
            Ok(document)
        } else {
            Err(Failure::Large)
        }
    }
}

impl Failure {
    /// What a decision says of it.
    pub(crate) fn message(&self) -> Message {
        let (code, remedy) = match self {
            Self::Timeout(_) => (
                Code::Timeout,
                "make the policy cheaper, or raise `limits.timeout`",
            ),
            Self::Memory | Self::Large => (Code::MemoryExceeded, "make the policy build less"),
            Self::Failed(_) | Self::Panicked => (
                Code::EvaluationFailed,
                "evaluate the policy with this input, and mend the rule that fails",
            ),
        };
        Message::new(code, &self.to_string()).with_remedy(remedy)
    }
}

fn compile_here(definition: &Definition) -> Result<Program, Diagnostics> {
    let modules = definition.modules.iter();
    let deep = modules.map(|(file, source)| (file.as_str(), source.as_str()));
    if let Some(faults) = Diagnostics::collect(brackets::check(deep)) {
        return Err(faults);
    }
    let (mut engine, version) = parse(definition)?;
    engine.set_strict_builtin_errors(false);
    // What `print` says is dropped with the evaluation: it may be a request's Secret or token, and
    // would stand raw between the lines of the log.
    engine.set_gather_prints(true);
    ambient::install(&mut engine)
        .and_then(|()| bounds::install(&mut engine))
        .map_err(|error| internal(&format!("{error:#}")))?;

    let graph = Graph::new(engine.get_modules());
    let mut faults = check_packages(definition, &mut engine);
    faults.extend(graph.check_bodies());
    faults.extend(graph.check_calls());
    faults.extend(graph.check_chains());
    let entry: Vec<String> = entrypoint(definition)
        .split('.')
        .map(str::to_owned)
        .collect();
    let rules = find_entrypoint(&entry, &graph, &mut engine).map_err(|fault| faults.push(*fault));
    if let Some(faults) = Diagnostics::collect(faults) {
        return Err(faults);
    }
    let rules = rules.expect("an entrypoint that was not found is a fault");

    engine
        .add_data(Value::from(Json::Object(definition.data.clone())))
        .map_err(|error| faults::from_error("rego_compile_error", &error))?;
    // Nothing but the analysis of the modules can fail here.
    engine
        .eval_query("true".to_owned(), false)
        .map_err(|error| faults::from_error("rego_compile_error", &error))?;
    let query = entry[1..].iter().fold("data".to_owned(), |query, part| {
        format!("{query}[\"{part}\"]")
    });
    Ok(Program {
        engine,
        query,
        rules,
        version,
    })
}

/// The entrypoint of a definition; without one, the package of the address.
fn entrypoint(definition: &Definition) -> String {
    let package = || format!("data.{}", definition.address.package());
    definition.entrypoint.clone().unwrap_or_else(package)
}

/// Reads the modules in the version that was asked for.
fn parse(definition: &Definition) -> Result<(Engine, RegoVersion), Diagnostics> {
    match definition.rego_version {
        RegoVersion::V1 => parse_as(definition, RegoVersion::V1),
        RegoVersion::V0 => parse_as(definition, RegoVersion::V0),
        // What is neither is most likely meant as the newer.
        RegoVersion::Auto => parse_as(definition, RegoVersion::V1)
            .or_else(|faults| parse_as(definition, RegoVersion::V0).map_err(|_| faults)),
    }
}

fn parse_as(
    definition: &Definition,
    version: RegoVersion,
) -> Result<(Engine, RegoVersion), Diagnostics> {
    let mut engine = Engine::new();
    engine.set_rego_v0(version == RegoVersion::V0);
    let mut faults = Vec::new();
    for (file, source) in &definition.modules {
        if let Err(error) = engine.add_policy(file.clone(), source.clone()) {
            faults.push(faults::from_error("rego_parse_error", &error));
        }
    }
    faults.extend(check_names(&mut engine));
    Diagnostics::collect(faults).map_or(Ok((engine, version)), Err)
}

/// Rules with the name of a keyword, of which the author meant the keyword.
fn check_names(engine: &mut Engine) -> Vec<Diagnostic> {
    let modules = engine.get_modules().iter();
    let rules = modules.flat_map(|module| references::definitions(module));
    let is_keyword = |name: &String| KEYWORDS.contains(&name.as_str());
    rules
        .filter_map(|rule| {
            let word = rule.name.first().filter(|name| is_keyword(name))?;
            let text = format!("`{word}` is read as the name of a rule");
            let remedy = "write `import rego.v1`, or all rules of all modules in version 1";
            Some(faults::at_span("rego_parse_error", text, &rule.span).with_remedy(remedy))
        })
        .collect()
}

/// Modules live in the package of their address, or below it; with an entrypoint of their own,
/// anywhere. `data` has nothing where a package is.
fn check_packages(definition: &Definition, engine: &mut Engine) -> Vec<Diagnostic> {
    let wanted = definition.address.package();
    let entrypoint = entrypoint(definition);
    let mut faults = Vec::new();
    for module in engine.get_modules() {
        let package = references::package(module);
        let name = package.join(".");
        let span = &module.package.span;
        let below = name
            .strip_prefix(&wanted)
            .and_then(|rest| rest.strip_prefix('.'));
        let read_below = entrypoint
            .strip_prefix("data.")
            .and_then(|entrypoint| name.strip_prefix(entrypoint)?.strip_prefix('.'));
        if definition.entrypoint.is_none() && name != wanted && below.is_none() {
            faults.push(
                faults::at_span(
                    "package_mismatch",
                    format!("package `{name}` is not the policy's address, `{wanted}`"),
                    span,
                )
                .with_remedy(format!("write `package {wanted}`, or set `entrypoint`")),
            );
        }
        if read_below
            .is_some_and(|rest| DIALECT.contains(&rest.split('.').next().unwrap_or_default()))
        {
            faults.push(
                faults::at_span(
                    "package_mismatch",
                    format!("package `{name}` would be read as a rule of `{entrypoint}`"),
                    span,
                )
                .with_remedy("give the package another name"),
            );
        }
        if overlaps(&definition.data, &package) {
            faults.push(
                faults::at_span(
                    "rego_compile_error",
                    format!("`data` has a value at `{name}`, where the package is"),
                    span,
                )
                .with_remedy("give the data another place"),
            );
        }
    }
    faults
}

/// Whether `data` has a value at the package, or something that is no object above it.
fn overlaps(data: &serde_json::Map<String, Json>, package: &[String]) -> bool {
    let Some((first, rest)) = package.split_first() else {
        return !data.is_empty();
    };
    match data.get(first) {
        None => false,
        Some(Json::Object(inner)) => rest.is_empty() || overlaps(inner, rest),
        Some(_) => true,
    }
}

/// What the entrypoint defines. It is a package, or a rule that is not a function.
fn find_entrypoint(
    entry: &[String],
    graph: &Graph,
    engine: &mut Engine,
) -> Result<Rules, Box<Diagnostic>> {
    let name = entry.join(".");
    let plain = |part: &String| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    if entry.len() < 2 || entry[0] != "data" || !entry.iter().all(plain) {
        return Err(Box::new(Diagnostic::new(
            "entrypoint_invalid",
            format!("`{name}` is not an entrypoint: expected data.package or data.package.rule"),
        )));
    }
    let mut packages = engine
        .get_modules()
        .iter()
        .map(|module| references::package(module));
    if packages.any(|package| package == entry[1..]) {
        let below = graph.rules().filter_map(|path| path.strip_prefix(entry));
        let defined: BTreeSet<String> = below.filter_map(|rest| rest.first().cloned()).collect();
        return Ok(Rules {
            only: None,
            defined: Some(defined),
        });
    }
    if graph.rules().any(|path| path == entry) {
        let rule = entry.last().filter(|rule| DIALECT.contains(&rule.as_str()));
        return Ok(Rules {
            only: rule.cloned(),
            defined: None,
        });
    }
    Err(Box::new(
        Diagnostic::new(
            "entrypoint_missing",
            format!("no module defines the entrypoint `{name}`"),
        )
        .with_remedy("name a package or a rule of the modules"),
    ))
}

fn failure(error: &anyhow::Error) -> Failure {
    match error.downcast_ref::<LimitError>() {
        Some(LimitError::TimeLimitExceeded { limit, .. }) => {
            Failure::Timeout(SignedDuration::try_from(*limit).unwrap_or(SignedDuration::MAX))
        }
        Some(LimitError::MemoryLimitExceeded { .. }) => Failure::Memory,
        _ => {
            let fault = faults::from_error("", error);
            Failure::Failed(match fault.location {
                Some(location) => format!("{location}: {}", fault.message),
                None => fault.message,
            })
        }
    }
}

fn internal(text: &str) -> Diagnostics {
    Diagnostic::new("internal_error", text).into()
}
