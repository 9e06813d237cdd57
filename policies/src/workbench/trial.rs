//! Runs one test.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::{
    look::Look,
    material::fault,
    outcome::{self, Outcome, Verdict},
    query::{Limits, Setting},
    suite::{Suite, Test},
};
use crate::{
    Diagnostic,
    rego::{
        execute::{self, Coverage, Explainer, Nobody, Observer, Record},
        on_large_stack,
        value::Value,
    },
};

/// How tests are run.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Longest time that a test may take.
    pub timeout: Duration,
    /// What `time.now_ns` says.
    pub now: Timestamp,
    /// The seed of random numbers.
    pub seed: u64,
    /// Whether it is looked at what is covered.
    pub coverage: bool,
}

/// How fast a test is.
#[derive(Clone, Debug, PartialEq)]
pub struct Bench {
    /// How often it was run.
    pub count: u64,
    /// Nanoseconds of one run.
    pub nanoseconds: f64,
}

/// What one evaluation of a test gave.
struct Evaluated {
    result: Result<Value, Diagnostic>,
    record: Record,
}

impl Suite<'_> {
    /// Runs a test, on a thread with a large stack.
    pub(super) fn try_one(&self, test: &Test, trial: &Trial) -> (Outcome, Coverage) {
        let mut coverage = Coverage::default();
        let begun = Instant::now();
        let Some(entry) = test.entry else {
            return (Outcome::bare(refused(test), Duration::ZERO), coverage);
        };
        let evaluated = if trial.coverage {
            self.evaluate(entry, trial, &mut coverage)
        } else {
            self.evaluate(entry, trial, &mut Nobody)
        };
        let duration = begun.elapsed();
        let Record { printed, cases } = evaluated.record;
        let value = match evaluated.result {
            Ok(value) => value,
            Err(error) => {
                let mut outcome = Outcome::bare(Verdict::Error(error), duration);
                outcome.printed = printed;
                return (outcome, coverage);
            }
        };
        let failed = if test.has_cases {
            outcome::cases(&value, &cases, None).0
        } else {
            value != Value::Bool(true)
        };
        let explanation = failed.then(|| self.explain(entry, trial));
        let found = if test.has_cases {
            outcome::cases(&value, &cases, explanation.as_ref()).1
        } else {
            std::collections::BTreeMap::new()
        };
        let failure = match &explanation {
            Some(explanation) if !test.has_cases => outcome::failure(explanation, &value),
            _ => None,
        };
        let outcome = Outcome {
            verdict: if failed { Verdict::Fail } else { Verdict::Pass },
            duration,
            printed,
            cases: found,
            failure,
            explanation,
        };
        (outcome, coverage)
    }

    /// Runs a test again and again for about `time`. One that does not pass is not measured.
    pub fn bench(&self, test: &Test, trial: &Trial, time: Duration) -> (Outcome, Option<Bench>) {
        let work = || {
            let (outcome, _) = self.try_one(test, trial);
            let passed = test.entry.filter(|_| outcome.verdict == Verdict::Pass);
            let bench = passed.map(|entry| self.measure(entry, trial, time));
            (outcome, bench)
        };
        on_large_stack("measure", work).unwrap_or_else(|why| {
            let error = Verdict::Error(Diagnostic::new("internal_error", why));
            (Outcome::bare(error, Duration::ZERO), None)
        })
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a second has fewer nanoseconds than 2^52"
    )]
    fn measure(&self, entry: usize, trial: &Trial, time: Duration) -> Bench {
        let begun = Instant::now();
        let mut count = 0_u64;
        while count == 0 || begun.elapsed() < time {
            self.evaluate(entry, trial, &mut Nobody);
            count += 1;
        }
        Bench {
            count,
            nanoseconds: begun.elapsed().as_nanos() as f64 / count as f64,
        }
    }

    /// Why a test failed: it is evaluated once more, with the same clock and seed.
    fn explain(&self, entry: usize, trial: &Trial) -> execute::Explanation {
        let mut explainer = Explainer::default();
        self.evaluate(entry, trial, &mut explainer);
        explainer.explain(&self.material.sources)
    }

    fn evaluate<O: Observer>(&self, entry: usize, trial: &Trial, observer: &mut O) -> Evaluated {
        let setting = Setting {
            input: None,
            now: trial.now,
            seed: trial.seed,
            limits: Limits {
                time: Some(trial.timeout),
            },
            strict_errors: false,
            look: Look::default(),
        };
        let question = self.material.evaluation(&setting);
        let entry = &self.plan.entries[entry];
        let evaluate = || execute::record(&self.plan, entry, question, observer);
        let Ok((result, record)) = catch_unwind(AssertUnwindSafe(evaluate)) else {
            let message = "the evaluation failed unexpectedly";
            return Evaluated {
                result: Err(Diagnostic::new("internal_error", message)),
                record: Record::default(),
            };
        };
        let first = |values: Vec<Value>| values.into_iter().next().unwrap_or(Value::Undefined);
        Evaluated {
            result: result
                .map(first)
                .map_err(|error| fault(&self.material.sources, &error)),
            record,
        }
    }
}

/// What becomes of a test that is not run.
fn refused(test: &Test) -> Verdict {
    if test.skip {
        return Verdict::Skip;
    }
    let message = format!(
        "function {} used as reference, not called",
        test.full_name()
    );
    let fault = Diagnostic::new("rego_type_error", message);
    Verdict::Error(fault.with_remedy("let the test be a rule without arguments"))
}

impl Outcome {
    fn bare(verdict: Verdict, duration: Duration) -> Self {
        Self {
            verdict,
            duration,
            printed: Vec::new(),
            cases: std::collections::BTreeMap::new(),
            failure: None,
            explanation: None,
        }
    }
}
