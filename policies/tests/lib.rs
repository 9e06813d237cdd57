//! Runs the Rego tests of the shared modules (`policies/lib`) and the examples of their
//! documentation on the engine that evaluates policies.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic fails the test and says where"
)]

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use portcullis_policies::rego::{
    ast::{AnnotationScope, Module, Rule, TermKind, Version},
    builtins::Surroundings,
    compile::{Options, compile},
    execute::{self, Limits, Question},
    parse, resolve,
    source::{Fault, Sources},
    value::Value,
};

/// When the examples of the documentation hold: 15 June 2026 at noon UTC.
const NOW: i128 = 1_781_524_800_000_000_000;

/// Modules, in the order of their names.
#[derive(Default)]
struct Library {
    sources: Sources,
    modules: Vec<Module>,
}

impl Library {
    /// The shared modules, and their tests.
    fn load() -> Self {
        let mut library = Self::default();
        for file in rego_files() {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            library.add(&name, &fs::read_to_string(&file).unwrap());
        }
        library
    }

    fn add(&mut self, name: &str, text: &str) {
        let file = self.sources.add(name, text);
        let options = parse::Options {
            version: Version::V1,
            annotations: true,
        };
        let module = parse::parse_module(file, text, options);
        let module = module.unwrap_or_else(|faults| panic!("{}", self.report(&faults)));
        self.modules.push(module);
    }

    /// Evaluates the document of each package, with all modules compiled together.
    fn documents(&self, packages: &[Vec<String>]) -> Vec<Value> {
        let questions: Vec<_> = packages
            .iter()
            .map(|package| resolve::Question::path(package))
            .collect();
        let options = Options {
            strict: true,
            ..Options::default()
        };
        let plan = compile(&self.modules, &questions, options)
            .unwrap_or_else(|faults| panic!("{}", self.report(&faults)));
        let document = |entry| {
            let question = Question {
                input: Value::Undefined,
                data: Value::new_object(),
                surroundings: Surroundings::new(NOW, None, 1),
                limits: Limits::default(),
                strict: false,
            };
            let values = execute::evaluate(&plan, entry, question).unwrap();
            values.into_iter().next().unwrap_or(Value::Undefined)
        };
        plan.entries.iter().map(document).collect()
    }

    fn report(&self, faults: &[Fault]) -> String {
        faults.iter().fold(String::new(), |mut text, fault| {
            let place = self.sources.location(fault.span);
            writeln!(text, "{place}: {}", fault.message).unwrap();
            text
        })
    }
}

/// The name of a rule, without what may follow it.
fn name_of(rule: &Rule) -> &str {
    match rule.head.reference.first().map(|term| &term.kind) {
        Some(TermKind::Var(name)) => name,
        _ => "",
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn rego_files() -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(root().join("policies/lib"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "rego")
        })
        .collect();
    files.sort();
    files
}

/// The blocks of Rego in the documentation, by the heading that they are under.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut heading = "";
    let mut block: Option<String> = None;
    for line in text.lines() {
        match (&mut block, line) {
            (None, "```rego") => block = Some(String::new()),
            (Some(_), "```") => blocks.extend(block.take().map(|text| (heading.to_owned(), text))),
            (Some(text), line) => writeln!(text, "{line}").unwrap(),
            (None, line) => heading = line.strip_prefix("## ").unwrap_or(heading),
        }
    }
    blocks
}

fn documentation() -> String {
    fs::read_to_string(root().join("docs/lib.md")).unwrap()
}

#[test]
fn every_rego_test_of_the_shared_modules_holds() {
    let library = Library::load();
    let is_test = |module: &&Module| module.package.path.last().unwrap().ends_with("_test");
    let tested: Vec<&Module> = library.modules.iter().filter(is_test).collect();
    let packages: Vec<Vec<String>> = tested
        .iter()
        .map(|module| {
            module
                .package
                .path
                .iter()
                .map(ToString::to_string)
                .collect()
        })
        .collect();
    let mut failures = Vec::new();
    let mut count = 0;
    for (module, document) in tested.iter().zip(library.documents(&packages)) {
        let tests = module.rules.iter().map(name_of);
        for test in tests.filter(|name| name.starts_with("test_")) {
            count += 1;
            if document[test] != Value::Bool(true) {
                failures.push(format!("{}.{test}", module.package.path.join(".")));
            }
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    assert!(count > 0, "there are no tests");
}

#[test]
fn every_example_of_the_documentation_holds() {
    let mut library = Library::load();
    let mut packages = Vec::new();
    let mut examples = Vec::new();
    for (heading, block) in blocks(&documentation()) {
        if block.starts_with("package ") {
            library.add("documented.rego", &block);
            continue;
        }
        for example in block.lines() {
            let package = format!("example_{}", examples.len());
            let text = format!(
                "package {package}\n\nimport data.lib.{heading}\n\nholds if {{\n\t{example}\n}}\n"
            );
            library.add(&package, &text);
            packages.push(vec![package]);
            examples.push(example.to_owned());
        }
    }
    let documents = library.documents(&packages);
    let wrong: Vec<&str> = examples
        .iter()
        .zip(&documents)
        .filter(|(_, document)| document["holds"] != Value::Bool(true))
        .map(|(example, _)| example.as_str())
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(!examples.is_empty(), "the documentation has no examples");
}

#[test]
fn every_function_has_an_example() {
    let examples = blocks(&documentation());
    let mut missing = BTreeSet::new();
    for module in &Library::load().modules {
        let package = module.package.path.last().unwrap();
        let documented = |rule: &&Rule| {
            let mut scopes = rule.annotations.iter();
            scopes.any(|&index| module.annotations[index].scope == AnnotationScope::Document)
        };
        for rule in module.rules.iter().filter(documented) {
            let call = format!("{package}.{}(", name_of(rule));
            let has_example = |(heading, block): &(String, String)| {
                heading.as_str() == &**package && block.contains(&call)
            };
            if !examples.iter().any(has_example) {
                missing.insert(call);
            }
        }
    }
    assert!(missing.is_empty(), "no example of {missing:?}");
}
