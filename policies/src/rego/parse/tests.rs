//! What is read, how, what is refused, and in how many steps.
//!
//! The trees and the refusals are OPA 1.22's, seen with its own parser.

mod annotations;
mod dump;
mod linear;
mod logic;
mod recovery;
mod refused;
mod rules;
mod terms;

use super::super::ast::{Module, Version};
use super::super::source::{Fault, Sources};
use super::{Options, parse_module, parse_query};

/// Reads a module, or says what is wrong as `line:column message`.
fn module(source: &str, version: Version) -> Result<Module, Vec<String>> {
    let mut sources = Sources::default();
    let file = sources.add("policy.rego", source);
    let options = Options {
        version,
        annotations: true,
    };
    parse_module(file, source, options).map_err(|faults| told(&sources, &faults))
}

/// Reads a module, and writes its rules or what is wrong.
fn rules(source: &str, version: Version) -> Result<String, Vec<String>> {
    module(source, version).map(|module| dump::rules(&module.rules))
}

/// Reads a query, and writes its tree or what is wrong.
fn query(source: &str, version: Version) -> Result<String, Vec<String>> {
    let mut sources = Sources::default();
    let file = sources.add("query", source);
    match parse_query(file, source, version) {
        Ok(exprs) => Ok(dump::exprs(&exprs)),
        Err(faults) => Err(told(&sources, &faults)),
    }
}

fn told(sources: &Sources, faults: &[Fault]) -> Vec<String> {
    let tell = |fault: &Fault| {
        let (line, column) = sources.line_column(fault.span);
        format!("{line}:{column} {}", fault.message)
    };
    faults.iter().map(tell).collect()
}
