//! The tests of some modules.

use std::{
    collections::BTreeMap,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use regex::Regex;

use super::{cases, material::Material, outcome::Outcome, trial::Trial};
use crate::{
    Diagnostics, Location,
    rego::{
        STACK_SIZE, apart,
        ast::{Module, Rule, TermKind},
        compile::compile,
        execute::{Coverage, Report},
        plan::ir::Plan,
        report,
        resolve::Question,
        value::{self, Value},
    },
};

/// Which tests are run.
#[derive(Clone, Debug)]
pub struct Filter(Regex);

impl Filter {
    /// Those whose full name, `data.a.test_b`, matches a regular expression.
    pub fn new(pattern: &str) -> Result<Self, String> {
        Regex::new(pattern)
            .map(Self)
            .map_err(|error| error.to_string())
    }
}

/// The tests of some modules, compiled.
#[derive(Debug)]
pub struct Suite<'m> {
    pub(super) material: &'m Material,
    pub(super) plan: Plan,
    tests: Vec<Test>,
}

/// One test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// Its package: `data.a`.
    pub package: String,
    /// Its name: `test_b`.
    pub name: String,
    /// Where it begins.
    pub location: Location,
    /// It is not to be run yet.
    pub skip: bool,
    /// It has keys, each of which is a case.
    pub(super) has_cases: bool,
    /// Its question in the plan, if it can be run: it is no function, and not for later.
    pub(super) entry: Option<usize>,
}

impl Material {
    /// Finds and compiles the tests. Without `print`, nothing is printed.
    pub fn suite(&self, filter: Option<&Filter>, print: bool) -> Result<Suite<'_>, Diagnostics> {
        apart("compile the tests", || {
            let mut modules = self.modules.clone();
            cases::rename_repeated(&mut modules);
            let mut tests = Vec::new();
            let mut questions = Vec::new();
            for module in &modules {
                for rule in &module.rules {
                    let Some((mut test, path)) = self.test(module, rule) else {
                        continue;
                    };
                    if filter.is_some_and(|filter| !filter.0.is_match(&test.full_name())) {
                        continue;
                    }
                    if !test.skip && rule.head.arguments.is_empty() {
                        test.entry = Some(questions.len());
                        questions.push(Question::path(&path));
                    }
                    tests.push(test);
                }
            }
            cases::mark(&mut modules);
            let plan = compile(&modules, &questions, self.options(print))
                .map_err(|faults| report(&self.sources, &faults))?;
            Ok(Suite {
                material: self,
                plan,
                tests,
            })
        })
    }

    /// The test that a rule is, and its path below `data`.
    fn test(&self, module: &Module, rule: &Rule) -> Option<(Test, Vec<String>)> {
        let named = cases::named(rule)?;
        let mut path: Vec<String> = module
            .package
            .path
            .iter()
            .map(ToString::to_string)
            .collect();
        let package = name(&path);
        let mut called = String::new();
        for (at, part) in rule.head.reference[..=named.part].iter().enumerate() {
            let text = match &part.kind {
                TermKind::Var(name) | TermKind::String(name) => name.to_string(),
                TermKind::Number(number) => number.to_string(),
                _ => return None,
            };
            if at == 0 {
                called.push_str(&text);
            } else {
                called.push_str(&step(&text));
            }
            path.push(text);
        }
        let test = Test {
            package: format!("data{package}"),
            name: called,
            location: self.sources.location(rule.span),
            skip: named.later,
            has_cases: cases::has_cases(rule),
            entry: None,
        };
        Some((test, path))
    }
}

impl Test {
    /// `data.a.test_b`
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.package, self.name)
    }
}

/// The parts of a path as they are written behind `data`.
fn name(path: &[String]) -> String {
    path.iter().map(|part| step(part)).collect()
}

fn step(part: &str) -> String {
    let mut characters = part.chars();
    let begins = characters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if begins && characters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        format!(".{part}")
    } else {
        format!("[{}]", value::json::write(&Value::from(part)))
    }
}

impl Suite<'_> {
    /// The tests, in the order of the modules and of the source.
    pub fn tests(&self) -> &[Test] {
        &self.tests
    }

    /// Runs all tests on some threads, and tells what became of each, in their order. Gives what is
    /// covered, if that is looked at.
    pub fn run(
        &self,
        threads: usize,
        trial: &Trial,
        mut tell: impl FnMut(&Test, Outcome),
    ) -> Option<Report> {
        let next = AtomicUsize::new(0);
        let (sender, results) = mpsc::channel();
        let mut coverage = Coverage::default();
        let mut told = 0;
        thread::scope(|scope| {
            for _ in 0..threads.clamp(1, self.tests.len().max(1)) {
                let sender = sender.clone();
                let next = &next;
                let work = move || {
                    while let Some((at, test)) = {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        self.tests.get(at).map(|test| (at, test))
                    } {
                        let result = self.try_one(test, trial);
                        // Who reads has gone when the process is about to end.
                        if sender.send((at, result)).is_err() {
                            return;
                        }
                    }
                };
                let thread = thread::Builder::new()
                    .stack_size(STACK_SIZE)
                    .name("test".to_owned());
                if thread.spawn_scoped(scope, work).is_err() {
                    // Those that could be started do the work.
                    break;
                }
            }
            drop(sender);
            let mut waiting = BTreeMap::new();
            for (at, (outcome, covered)) in results {
                coverage.add(covered);
                waiting.insert(at, outcome);
                while let Some(outcome) = waiting.remove(&told) {
                    tell(&self.tests[told], outcome);
                    told += 1;
                }
            }
        });
        for test in &self.tests[told..] {
            tell(test, Outcome::not_run());
        }
        trial
            .coverage
            .then(|| coverage.report(&self.plan, &self.material.sources))
    }
}
