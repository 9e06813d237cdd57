//! `portcullis test`: the tests of policies, as `opa test` runs them.

mod arguments;
mod coverage;
mod json;
mod junit;
mod pretty;
mod watch;

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use portcullis_policies::{
    Diagnostic, Diagnostics, Timestamp,
    workbench::{Bench, CoverageReport, Filter, Material, Outcome, Suite, Test, Trial, Verdict},
};

pub use arguments::{Arguments, Format, Sort};

use super::eval::seed;
use crate::{
    load::{Ignore, Load},
    presentation,
};

/// Longest time of a test, as in OPA.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The same where tests are measured.
const BENCH_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a test is measured, as Go does.
const BENCH_TIME: Duration = Duration::from_secs(1);

/// What became of a test, and how fast it is.
#[derive(Clone, Debug)]
struct Result {
    test: Test,
    outcome: Outcome,
    bench: Option<Bench>,
}

/// How a run ended. The numbers are OPA's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// All is well.
    Passed = 0,
    /// The tests could not be run, or nothing can be said of them.
    Broken = 1,
    /// A test failed or was skipped, or too little is covered.
    Failed = 2,
}

/// Runs tests once, or after every change.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let plan = Plan::of(arguments)?;
    let mut status = Status::Passed;
    for _ in 0..plan.count {
        status = plan.run()?;
        if status != Status::Passed {
            break;
        }
    }
    if plan.watch {
        watch::forever(&plan)?;
    }
    Ok(ExitCode::from(status as u8))
}

/// What is usable of the arguments.
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of a command line: each can be with each"
)]
struct Plan {
    load: Load,
    paths: Vec<String>,
    filter: Option<Filter>,
    verbose: bool,
    format: Option<Format>,
    sort: Sort,
    coverage: bool,
    threshold: f64,
    bench: bool,
    timeout: Duration,
    threads: usize,
    count: u32,
    watch: bool,
    skipped_is_well: bool,
    fail_on_empty: bool,
}

impl Plan {
    fn of(arguments: Arguments) -> anyhow::Result<Self> {
        let threshold = arguments.threshold.unwrap_or_default();
        anyhow::ensure!(
            (0.0..=100.0).contains(&threshold),
            "Code coverage threshold must be between 0 and 100"
        );
        let coverage = arguments.coverage || threshold > 0.0;
        anyhow::ensure!(
            !(coverage && arguments.bench),
            "coverage reporting is not supported when benchmarking tests"
        );
        anyhow::ensure!(
            arguments.bench || arguments.format != Some(Format::Gobench),
            "cannot use output format gobench without running benchmarks (--bench)"
        );
        let filter = arguments.run.as_deref().map(Filter::new).transpose();
        let filter =
            filter.map_err(|why| anyhow::anyhow!("`--run` is not a regular expression: {why}"))?;
        let default = if arguments.bench {
            BENCH_TIMEOUT
        } else {
            TIMEOUT
        };
        let (data, bundles) = if arguments.bundle {
            (Vec::new(), arguments.paths.clone())
        } else {
            (arguments.paths.clone(), Vec::new())
        };
        let threads = match arguments.parallel {
            Some(threads) if threads > 0 => threads,
            _ => std::thread::available_parallelism().map_or(1, usize::from),
        };
        Ok(Self {
            load: Load {
                data,
                bundles,
                ignore: Ignore::new(&arguments.ignore),
                version: arguments.language.version(),
            },
            paths: arguments.paths,
            filter,
            verbose: arguments.verbose || arguments.var_values,
            format: arguments.format,
            sort: arguments.sort,
            coverage,
            threshold,
            bench: arguments.bench,
            timeout: arguments
                .timeout
                .filter(|timeout| !timeout.is_zero())
                .unwrap_or(default),
            threads,
            count: arguments.count,
            watch: arguments.watch,
            skipped_is_well: arguments.exit_zero_on_skipped,
            fail_on_empty: arguments.fail_on_empty,
        })
    }

    /// Loads, compiles and runs all, and prints what became of it.
    fn run(&self) -> io::Result<Status> {
        match self.material() {
            Ok(material) => match material.suite(self.filter.as_ref(), !self.bench) {
                Ok(suite) => self.report(&suite),
                Err(faults) => broken(&all(&faults)),
            },
            Err(faults) => broken(&faults),
        }
    }

    fn material(&self) -> std::result::Result<Material, Vec<Diagnostic>> {
        let loaded = self.load.run()?;
        Material::read(loaded.sources, &loaded.data, false).map_err(|faults| all(&faults))
    }

    fn report(&self, suite: &Suite<'_>) -> io::Result<Status> {
        let mut out = io::stdout().lock();
        let status = if self.coverage {
            self.covered(suite, &mut out)?
        } else {
            self.tested(suite, &mut out)?
        };
        out.flush()?;
        if suite.tests().is_empty() && self.fail_on_empty {
            writeln!(io::stderr(), "no tests were run")?;
            return Ok(Status::Broken);
        }
        Ok(status)
    }

    /// Runs the tests, and prints each where results are for people.
    fn tested(&self, suite: &Suite<'_>, out: &mut impl Write) -> io::Result<Status> {
        let mut printer = match self.format.unwrap_or_default() {
            Format::Pretty | Format::Gobench => Some(pretty::Printer::new(
                self.verbose,
                self.format == Some(Format::Gobench),
            )),
            Format::Json | Format::Junit => None,
        };
        let mut results = Vec::new();
        let mut printed = Ok(());
        let mut take = |result: Result| {
            if let (Some(printer), Ok(())) = (&mut printer, &printed) {
                printed = printer.result(&result, out);
            }
            results.push(result);
        };
        self.each(suite, &mut take);
        printed?;
        match (printer, self.format.unwrap_or_default()) {
            (Some(printer), _) => printer.end(&results, out)?,
            (None, Format::Junit) => write!(out, "{}", junit::report(&results))?,
            (None, _) => {
                if self.sort == Sort::Duration {
                    results.sort_by_key(|result| std::cmp::Reverse(result.outcome.duration));
                }
                write!(out, "{}", json::report(&results)?)?;
            }
        }
        Ok(self.status(&results))
    }

    fn each(&self, suite: &Suite<'_>, take: &mut impl FnMut(Result)) {
        let trial = self.trial();
        if self.bench {
            // One after the other, so that none slows another down.
            for test in suite.tests() {
                let (outcome, bench) = suite.bench(test, &trial, BENCH_TIME);
                let test = test.clone();
                take(Result {
                    test,
                    outcome,
                    bench,
                });
            }
            return;
        }
        suite.run(self.threads, &trial, |test, outcome| {
            take(Result {
                test: test.clone(),
                outcome,
                bench: None,
            });
        });
    }

    /// Runs the tests, and prints what is covered.
    fn covered(&self, suite: &Suite<'_>, out: &mut impl Write) -> io::Result<Status> {
        let mut results = Vec::new();
        let report = suite.run(self.threads, &self.trial(), |test, outcome| {
            results.push(Result {
                test: test.clone(),
                outcome,
                bench: None,
            });
        });
        let is_bad =
            |result: &&Result| matches!(result.outcome.verdict, Verdict::Fail | Verdict::Error(_));
        let bad: Vec<Result> = results.iter().filter(is_bad).cloned().collect();
        if !bad.is_empty() {
            // As in OPA, nothing is covered by tests that fail.
            let mut printer = pretty::Printer::new(self.verbose, false);
            for result in &bad {
                printer.result(result, out)?;
            }
            printer.end(&bad, out)?;
            return Ok(Status::Broken);
        }
        let Some(report) = report else {
            return Ok(Status::Broken);
        };
        if report.coverage < self.threshold {
            let fault = coverage::below(&report, self.threshold, self.verbose);
            write!(io::stderr(), "{fault}")?;
            return Ok(Status::Failed);
        }
        self.print_coverage(&report, out)?;
        Ok(self.status(&results))
    }

    fn print_coverage(&self, report: &CoverageReport, out: &mut impl Write) -> io::Result<()> {
        match self.format {
            // For people, if they say so: programs that read OPA's report do not.
            Some(Format::Pretty) => write!(out, "{}", coverage::table(report)),
            _ => write!(out, "{}", presentation::pretty(report)?),
        }
    }

    fn trial(&self) -> Trial {
        Trial {
            timeout: self.timeout,
            now: Timestamp::now(),
            seed: seed(),
            coverage: self.coverage,
        }
    }

    fn status(&self, results: &[Result]) -> Status {
        let is_well = |result: &Result| match result.outcome.verdict {
            Verdict::Pass => true,
            Verdict::Skip => self.skipped_is_well,
            Verdict::Fail | Verdict::Error(_) => false,
        };
        if results.iter().all(is_well) {
            Status::Passed
        } else {
            Status::Failed
        }
    }
}

fn all(faults: &Diagnostics) -> Vec<Diagnostic> {
    faults.iter().cloned().collect()
}

/// The tests cannot be run.
fn broken(faults: &[Diagnostic]) -> io::Result<Status> {
    write!(io::stderr(), "{}", presentation::faults(faults))?;
    Ok(Status::Broken)
}
