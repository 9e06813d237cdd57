//! From source to faults, values, reads and indexes.

mod coverage;
mod depth;
mod differences;
mod explain;
mod faults;
mod grouping;
mod indexes;
mod limits;
mod parts;
mod reads;
mod types;
mod values;

use super::{Options, compile};
use crate::rego::ast::{Module, Version};
use crate::rego::builtins::Surroundings;
use crate::rego::execute::{Limits, Question as Evaluation};
use crate::rego::plan::ir::Plan;
use crate::rego::resolve::Question;
use crate::rego::source::{Fault, Sources};
use crate::rego::value::Value;
use crate::rego::{parse, value};

/// Compiles modules of one version, with a query.
fn plan(
    version: Version,
    modules: &[&str],
    query: &str,
    options: Options<'_>,
) -> Result<Plan, (Sources, Vec<Fault>)> {
    let mut sources = Sources::default();
    let mut parsed: Vec<Module> = Vec::new();
    for module in modules {
        let file = sources.add("test.rego", *module);
        let options = parse::Options {
            version,
            annotations: true,
        };
        match parse::parse_module(file, module, options) {
            Ok(module) => parsed.push(module),
            Err(faults) => return Err((sources, faults)),
        }
    }
    let file = sources.add("query", query);
    let body = parse::parse_query(file, query, Version::V1).expect("the query is Rego");
    let name = query.to_owned();
    compile(&parsed, &[Question::query(name, body)], options).map_err(|faults| (sources, faults))
}

/// An evaluation with an input, within the default limits.
fn evaluation(input: &str) -> Evaluation<'static> {
    Evaluation {
        input: json(input),
        data: json("{}"),
        surroundings: Surroundings::new(0, None, 0),
        limits: Limits::default(),
        strict: false,
    }
}

/// The faults of a module, as `line:column code: message`.
fn faults(version: Version, module: &str, options: Options<'_>) -> Vec<String> {
    faults_of(version, &[module], options)
}

/// The faults of modules.
fn faults_of(version: Version, modules: &[&str], options: Options<'_>) -> Vec<String> {
    let Err((sources, faults)) = plan(version, modules, "true", options) else {
        return Vec::new();
    };
    let text = |fault: &Fault| {
        let (line, column) = sources.line_column(fault.span);
        let message = fault.message.lines().next().unwrap_or_default();
        format!("{line}:{column} {}: {message}", fault.code.name())
    };
    faults.iter().map(text).collect()
}

/// A value of JSON.
fn json(text: &str) -> Value {
    value::json::read(text).expect("the test's JSON is JSON")
}
