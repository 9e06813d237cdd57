//! Queries and tests, with the answers of `opa eval` and `opa test`, version 1.22.2.

mod base;
mod observed;
mod queries;
mod suites;

use jiff::Timestamp;

use super::{Answer, Look, Material, Query, Setting, Source};
use crate::{Diagnostics, Document, RegoVersion};

/// Modules by name, and base data.
fn material(modules: &[(&str, &str)], data: &str) -> Result<Material, Diagnostics> {
    let source = |(name, text): &(&str, &str)| Source {
        name: (*name).to_owned(),
        text: (*text).to_owned(),
        version: RegoVersion::V1,
    };
    let data = Document::read(data).expect("the test's data is JSON");
    Material::read(modules.iter().map(source).collect(), &data, false)
}

fn query(text: &str) -> Query {
    Query {
        text: text.to_owned(),
        ..Query::default()
    }
}

fn setting(input: &str) -> Setting {
    let input = Document::read(input).expect("the test's input is JSON");
    Setting {
        input: Some(input),
        now: Timestamp::UNIX_EPOCH,
        seed: 1,
        timeout: None,
        strict_errors: false,
        look: Look::default(),
    }
}

/// The solutions, one a line: the conditions with their values in their order, then the variables;
/// or the error.
fn shown(answer: &Answer) -> String {
    let solutions = match &answer.solutions {
        Ok(solutions) => solutions,
        Err(error) => return format!("{}: {}", error.code, error.message),
    };
    if solutions.is_empty() {
        return "undefined".to_owned();
    }
    let line = |solution: &super::Solution| {
        let values = solution.expressions.iter();
        let values = values.map(|one| format!("{} → {}", one.text, one.value));
        let bindings = solution.bindings.iter();
        let bindings = bindings.map(|(name, value)| format!("{name}={value}"));
        let values = values.collect::<Vec<_>>().join("; ");
        let bindings = bindings.collect::<Vec<_>>().join(" ");
        format!("{values} | {bindings}").trim_end().to_owned()
    };
    solutions.iter().map(line).collect::<Vec<_>>().join("\n")
}
