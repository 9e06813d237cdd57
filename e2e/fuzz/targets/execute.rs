//! An evaluation stays within its budget, and the same one twice has the same answer.
//!
//! ```text
//! flags data NUL input NUL query NUL module NUL module…
//! ```
//!
//! The upper bits of the flags choose how small the budget is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peak_alloc::PeakAlloc;
use portcullis_fuzz::rego::{Case, SMALL, let_builtins_panic, question};
use portcullis_policies::rego::execute::{Error, ErrorKind, Limits, Observer, Record, record};
use portcullis_policies::rego::plan::ir::{Definition, Rule, Step};
use portcullis_policies::rego::value::Value;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// Steps between two looks at the budget.
const GRANULARITY: u64 = 512;

/// What an evaluation holds at most of what the budget does not count: the frames of its rules, what
/// a function works with until it has built its answer, such as a compiled pattern.
const UNCOUNTED: u64 = 24 << 20;

/// How much larger a value is than the estimate of it: a map of pairs, half of it empty.
const ESTIMATE: u64 = 6;

/// Counts what the executor does.
#[derive(Debug, Default)]
struct Counter {
    conditions: u64,
    definitions: u64,
    depth: u64,
    deepest: u64,
}

impl Observer for Counter {
    fn tries(&mut self, _rule: &Rule, _definition: &Definition) {
        self.definitions += 1;
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
    }

    fn leaves(&mut self, _rule: &Rule, _definition: &Definition) {
        self.depth -= 1;
    }

    fn looks_at(&mut self, _step: &Step) {
        self.conditions += 1;
    }
}

type Answer = (Result<Vec<Value>, Box<Error>>, Record);

fn run(case: &Case, limits: Limits) -> (Answer, Counter) {
    let mut counter = Counter::default();
    let mut question = question(case.input.clone(), case.data.clone());
    question.limits = limits;
    let answer = record(&case.plan, &case.plan.entries[0], question, &mut counter);
    (answer, counter)
}

fuzz_target!(|bytes: &[u8]| {
    let_builtins_panic();
    let Some((flags, case)) = Case::read(bytes) else {
        return;
    };
    let limits = Limits {
        steps: SMALL.steps >> (flags >> 6 << 1),
        memory: SMALL.memory >> (flags >> 4 & 3) * 4,
        depth: SMALL.depth >> (flags >> 2 & 3),
        time: None,
    };

    let before = ALLOCATED.current_usage() as u64;
    ALLOCATED.reset_peak_usage();
    let (answer, counter) = run(&case, limits);
    let held = (ALLOCATED.peak_usage() as u64).saturating_sub(before);
    let most = limits.memory * ESTIMATE + UNCOUNTED;
    assert!(held <= most, "{held} bytes are held, of at most {most}");
    let most = limits.steps + GRANULARITY;
    assert!(
        counter.conditions <= most,
        "{} conditions are looked at within {most} steps",
        counter.conditions
    );
    assert!(
        counter.deepest <= u64::from(limits.depth),
        "{} definitions within each other, of {}",
        counter.deepest,
        limits.depth
    );

    let (again, _) = run(&case, limits);
    assert_eq!(answer, again, "the same again is something else");

    // With more room it goes on where it ended; what has ended well ends likewise.
    let (roomy, _) = run(
        &case,
        Limits {
            steps: limits.steps * 2,
            depth: limits.depth * 2,
            memory: limits.memory * 2,
            time: None,
        },
    );
    match &answer.0 {
        Err(error)
            if matches!(
                error.kind,
                ErrorKind::Steps(_) | ErrorKind::Depth(_) | ErrorKind::Memory(_)
            ) => {}
        _ => assert_eq!(answer, roomy, "more room makes a difference"),
    }
});
