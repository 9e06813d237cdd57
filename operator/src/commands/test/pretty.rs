//! Results for people, as `opa test` prints them, with what did not hold.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Write},
};

use portcullis_policies::workbench::{Bench, Case, Failure, Verdict};

use super::Result;
use crate::{
    directory::printable,
    presentation::{printable_lines, time},
};

/// Prints results as they come.
#[derive(Debug)]
pub(super) struct Printer {
    verbose: bool,
    /// Benchmarks in Go's format.
    go: bool,
    /// Something was printed.
    begun: bool,
    /// The file of the last test.
    file: Option<String>,
}

impl Printer {
    pub(super) fn new(verbose: bool, go: bool) -> Self {
        Self {
            verbose,
            go,
            begun: false,
            file: None,
        }
    }

    /// Prints a result, if it is worth it.
    pub(super) fn result(&mut self, result: &Result, out: &mut impl Write) -> io::Result<()> {
        let passed = result.outcome.verdict == Verdict::Pass;
        if let (true, Some(bench)) = (passed, &result.bench) {
            self.begun = true;
            return writeln!(out, "{}", self.benchmark(result, bench));
        }
        if passed && !self.verbose {
            return Ok(());
        }
        let place = &result.test.location;
        if self.file.as_ref().is_some_and(|file| *file != place.file) {
            writeln!(out)?;
        }
        writeln!(out, "{}:{}:", place.file, place.line)?;
        self.file = Some(place.file.clone());
        self.begun = true;
        writeln!(out, "{}", line(result))?;
        write!(out, "{}", cases(&result.outcome.cases, 1, self.verbose))?;
        if !result.outcome.printed.is_empty() {
            let text = result.outcome.printed.join("\n");
            let text = printable_lines(text.trim());
            writeln!(out, "\n{}", indented(&text, 1))?;
        }
        match &result.outcome.verdict {
            Verdict::Error(error) => {
                write!(out, "{}", indented(&printable(&error.to_string()), 1))
            }
            Verdict::Fail => match &result.outcome.failure {
                Some(failure) => {
                    if result.outcome.printed.is_empty() {
                        writeln!(out)?;
                    }
                    writeln!(out, "{}", why(failure, 1))
                }
                None => Ok(()),
            },
            Verdict::Pass | Verdict::Skip => Ok(()),
        }
    }

    /// Prints all that was tried by those that failed, and the sums.
    pub(super) fn end(self, results: &[Result], out: &mut impl Write) -> io::Result<()> {
        // What cases lack stands with them.
        let failed = |result: &&Result| {
            result.outcome.explanation.is_some() && result.outcome.cases.is_empty()
        };
        if self.verbose && results.iter().any(|result| failed(&result)) {
            writeln!(out, "{RULE}\nFAILURES\n{RULE}")?;
            for result in results.iter().filter(failed) {
                writeln!(out, "{}\n", line(result))?;
                if let Some(explanation) = &result.outcome.explanation {
                    let text = printable(&explanation.to_string());
                    writeln!(out, "{}", indented(&text, 1))?;
                }
            }
        }
        if self.begun {
            writeln!(out, "{RULE}")?;
        }
        let mut sums = Sums::default();
        results.iter().for_each(|result| sums.add(result));
        let total = sums.pass + sums.fail + sums.skip + sums.error;
        let rows = [
            ("PASS", sums.pass),
            ("FAIL", sums.fail),
            ("SKIPPED", sums.skip),
            ("ERROR", sums.error),
        ];
        for (name, count) in rows.into_iter().filter(|(_, count)| *count > 0) {
            writeln!(out, "{name}: {count}/{total}")?;
        }
        Ok(())
    }

    fn benchmark(&self, result: &Result, bench: &Bench) -> String {
        let mut name = result.test.full_name();
        if self.go {
            let parts = name.split(['.', '_']).map(|part| {
                let mut letters = part.chars();
                let first = letters.next().map(|first| first.to_uppercase().to_string());
                first.unwrap_or_default() + letters.as_str()
            });
            name = format!("Benchmark{}", parts.collect::<String>());
        }
        let digits = match bench.nanoseconds {
            nanoseconds if nanoseconds >= 999.95 => 0,
            nanoseconds if nanoseconds >= 99.995 => 1,
            _ => 2,
        };
        let width = if digits == 0 { 10 } else { 11 + digits };
        format!(
            "{name}\t{:8}\t{:width$.digits$} ns/op",
            bench.count, bench.nanoseconds
        )
    }
}

const RULE: &str =
    "--------------------------------------------------------------------------------";

/// `data.a.test_b: FAIL (1.2ms)`
fn line(result: &Result) -> String {
    let name = result.test.full_name();
    let took = time(result.outcome.duration);
    match &result.outcome.verdict {
        Verdict::Pass => format!("{name}: PASS ({took})"),
        Verdict::Fail => format!("{name}: FAIL ({took})"),
        Verdict::Skip => format!("{name}: SKIPPED"),
        Verdict::Error(_) => format!("{name}: ERROR ({took})"),
    }
}

/// Cases that failed, or all of them, each with why.
fn cases(cases: &BTreeMap<String, Case>, depth: usize, all: bool) -> String {
    let mut text = String::new();
    for (name, case) in cases.iter().filter(|(_, case)| all || case.fail) {
        let verdict = if case.fail { "FAIL" } else { "PASS" };
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{:indent$}{}: {verdict}",
            "",
            printable(name).trim_end(),
            indent = 2 * depth
        );
        text += &self::cases(&case.cases, depth + 1, all);
        if let Some(failure) = &case.failure {
            let _ = writeln!(text, "\n{}", why(failure, depth + 1));
        }
    }
    text
}

/// The condition that did not hold, with its values.
fn why(failure: &Failure, depth: usize) -> String {
    let text = match failure {
        Failure::Condition(failed) => failed.to_string(),
        Failure::Value(place, value) => format!("{place}: the value is {value}, and not true\n"),
    };
    indented(&printable(&text), depth)
}

/// Two spaces a level before each line.
fn indented(text: &str, depth: usize) -> String {
    let line = |line: &str| match line {
        "" => "\n".to_owned(),
        line => format!("{:indent$}{line}\n", "", indent = 2 * depth),
    };
    text.lines().map(line).collect()
}

/// How many of each there are. Cases count, and not the tests that have them.
#[derive(Debug, Default)]
struct Sums {
    pass: usize,
    fail: usize,
    skip: usize,
    error: usize,
}

impl Sums {
    fn add(&mut self, result: &Result) {
        match &result.outcome.verdict {
            Verdict::Skip => self.skip += 1,
            Verdict::Error(_) => self.error += 1,
            _ if !result.outcome.cases.is_empty() => self.add_cases(&result.outcome.cases),
            Verdict::Pass => self.pass += 1,
            Verdict::Fail => self.fail += 1,
        }
    }

    fn add_cases(&mut self, cases: &BTreeMap<String, Case>) {
        for case in cases.values() {
            if !case.cases.is_empty() {
                self.add_cases(&case.cases);
            } else if case.fail {
                self.fail += 1;
            } else {
                self.pass += 1;
            }
        }
    }
}
