//! Runs the Rego tests of the shared modules (`policies/lib`) and the examples of their
//! documentation as `portcullis test` does.

mod suite;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use portcullis_policies::{
    Document,
    rego::{
        ast::{AnnotationScope, Module, Rule, TermKind, Version},
        parse,
        source::FileId,
    },
};
use suite::{Result, all_pass, modules, source};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("lib")
}

fn no_data() -> Result<Document> {
    Ok(Document::read("{}")?)
}

/// The blocks of Rego in the documentation, by the heading that they are under.
fn blocks() -> Result<Vec<(String, Vec<String>)>> {
    let text = fs::read_to_string(folder().join("../../docs/lib.md"))?;
    let mut blocks = Vec::new();
    let mut heading = "";
    let mut block: Option<Vec<String>> = None;
    for line in text.lines() {
        match (&mut block, line) {
            (None, "```rego") => block = Some(Vec::new()),
            (Some(_), "```") => {
                blocks.extend(block.take().map(|lines| (heading.to_owned(), lines)));
            }
            (Some(lines), line) => lines.push(line.to_owned()),
            (None, line) => heading = line.strip_prefix("## ").unwrap_or(heading),
        }
    }
    Ok(blocks)
}

#[test]
fn every_rego_test_of_the_shared_modules_holds() -> Result<()> {
    all_pass(modules(&folder())?, &no_data()?)
}

#[test]
fn every_example_of_the_documentation_holds() -> Result<()> {
    let mut sources = Vec::new();
    for (heading, lines) in blocks()? {
        if lines.iter().any(|line| line.starts_with("package ")) {
            sources.push(source("documented.rego", &lines.join("\n")));
            continue;
        }
        for example in lines {
            let package = format!("example_{}", sources.len());
            let text = format!(
                "package {package}\n\nimport data.lib.{heading}\n\ntest_holds if {{\n\t{example}\n}}\n"
            );
            sources.push(source(&package, &text));
        }
    }
    all_pass(sources, &no_data()?)
}

#[test]
fn every_rule_that_is_documented_has_an_example() -> Result<()> {
    let blocks = blocks()?;
    let mut missing = BTreeSet::new();
    for written in modules(&folder())? {
        let options = parse::Options {
            version: Version::V1,
            annotations: true,
        };
        let module = parse::parse_module(FileId::default(), &written.text, options);
        let module = module.map_err(|faults| format!("{}: {faults:?}", written.name))?;
        let Some(package) = module.package.path.last() else {
            continue;
        };
        for rule in module
            .rules
            .iter()
            .filter(|rule| is_documented(&module, rule))
        {
            let name = format!("{package}.{}", name_of(rule));
            let has_example = |(heading, lines): &(String, Vec<String>)| {
                heading.as_str() == &**package && lines.iter().any(|line| names(line, &name))
            };
            if !blocks.iter().any(has_example) {
                missing.insert(name);
            }
        }
    }
    assert!(missing.is_empty(), "no example of {missing:?}");
    Ok(())
}

fn is_documented(module: &Module, rule: &Rule) -> bool {
    let mut annotations = rule.annotations.iter();
    annotations.any(|&index| module.annotations[index].scope == AnnotationScope::Document)
}

/// The name of a rule, without what may follow it.
fn name_of(rule: &Rule) -> &str {
    match rule.head.reference.first().map(|term| &term.kind) {
        Some(TermKind::Var(name)) => name,
        _ => "",
    }
}

/// Whether a line mentions a rule, and not one whose name is longer.
fn names(line: &str, rule: &str) -> bool {
    let ends = |rest: &str| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_');
    line.match_indices(rule)
        .any(|(at, _)| ends(&line[at + rule.len()..]))
}
