//! Measures how the time of each pass of the compiler grows with the size of the source.
//!
//! ```text
//! growth [--sizes N] [SHAPE]…
//! ```
//!
//! Every shape is a source that grows in one respect only: many rules, long bodies, wide objects.
//! It is compiled at doubling sizes. The table shows milliseconds for the largest size and, for each
//! pass that takes long enough to be measured, the exponent of its growth: 1.0 is linear, 2.0 is
//! quadratic. A shape stops growing when a size takes longer than [`ENOUGH`]. Behind the exponents
//! stands the most memory that a size took while it was compiled, for each byte of its source.

mod shapes;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use portcullis_policies::rego::ast::{Module, Version};
use portcullis_policies::rego::builtins::Withheld;
use portcullis_policies::rego::check::{conflicts, deprecated, imports, infer, recursion};
use portcullis_policies::rego::findings::Findings;
use portcullis_policies::rego::lex::lex;
use portcullis_policies::rego::order::{self, vars::VarSet};
use portcullis_policies::rego::parse::{Options, parse_module, parse_query};
use portcullis_policies::rego::plan::lower;
use portcullis_policies::rego::resolve::{self, Question};
use portcullis_policies::rego::source::{FileId, Sources};
use shapes::{SHAPES, Source};

/// A size that takes longer is the last one.
const ENOUGH: Duration = Duration::from_secs(3);

/// What takes less cannot be told from noise.
const MEASURABLE: Duration = Duration::from_micros(500);

/// The smallest size, in whatever a shape counts.
const FIRST: usize = 250;

/// Doublings of the size, unless the command line says otherwise.
const SIZES: u32 = 6;

/// The least stack that a pass is run with: that of a thread.
const STACK: usize = 2 << 20;

const PASSES: [&str; 9] = [
    "lex",
    "parse",
    "resolve",
    "conflicts",
    "order",
    "recursion",
    "types",
    "plan",
    "drop",
];

type Times = [Duration; PASSES.len()];

fn main() -> std::io::Result<ExitCode> {
    let mut sizes = SIZES;
    let mut wanted = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--sizes" => {
                sizes = arguments
                    .next()
                    .and_then(|n| n.parse().ok())
                    .unwrap_or(SIZES);
            }
            _ => wanted.push(argument),
        }
    }
    let mut out = std::io::stdout().lock();
    let mut header = format!("{:<34} {:>8} {:>8}  ", "shape", "size", "ms");
    for pass in PASSES {
        let _ = write!(header, "{pass:>10}");
    }
    writeln!(out, "{header}{:>12}  outcome", "bytes/byte")?;
    for &(name, shape) in SHAPES {
        if !wanted.is_empty() && !wanted.iter().any(|one| one == name) {
            continue;
        }
        let run = move || grow(name, shape, sizes);
        let worker = std::thread::Builder::new().stack_size(STACK).spawn(run)?;
        match worker.join() {
            Ok(row) => writeln!(out, "{row}")?,
            Err(_) => writeln!(out, "{name:<34} panicked")?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn grow(name: &str, shape: fn(usize) -> Source, sizes: u32) -> String {
    let mut measured: Vec<(usize, Times)> = Vec::new();
    let mut outcome = String::new();
    let mut memory = 0;
    for doubling in 0..sizes {
        let size = FIRST << doubling;
        let source = shape(size);
        let length: usize = source.modules.iter().map(String::len).sum();
        let mut best: Option<Times> = None;
        for _ in 0..3 {
            let mut times = Times::default();
            let counted = allocation_counter::measure(|| (times, outcome) = compile(&source));
            memory = counted.bytes_max / (length + source.query.len()).max(1) as u64;
            let total: Duration = times.iter().sum();
            let best = best.get_or_insert(times);
            for (best, time) in best.iter_mut().zip(times) {
                *best = (*best).min(time);
            }
            if total > ENOUGH / 4 {
                break;
            }
        }
        let times = best.unwrap_or_default();
        measured.push((size, times));
        if times.iter().sum::<Duration>() > ENOUGH {
            break;
        }
    }
    let (size, last) = measured.last().copied().unwrap_or_default();
    let total: Duration = last.iter().sum();
    let milliseconds = total.as_secs_f64() * 1000.0;
    let mut row = format!("{name:<34} {size:>8} {milliseconds:>8.1}  ");
    for pass in 0..PASSES.len() {
        match exponent(&measured, pass) {
            Some(exponent) => {
                let mark = if exponent > 1.25 { '!' } else { ' ' };
                let _ = write!(row, "{exponent:>9.2}{mark}");
            }
            None => row.push_str("        · "),
        }
    }
    let outcome: String = outcome.chars().take(60).collect();
    let _ = write!(row, "{memory:>12}  {outcome}");
    row
}

/// The slope of time over size on logarithmic scales, between the sizes that can be measured: over
/// the last two doublings, so that what is added once does not count.
fn exponent(measured: &[(usize, Times)], pass: usize) -> Option<f64> {
    let usable: Vec<(f64, f64)> = measured
        .iter()
        .filter(|(_, times)| times[pass] >= MEASURABLE)
        .map(|(size, times)| {
            #[expect(clippy::cast_precision_loss, reason = "sizes are small")]
            let size = *size as f64;
            (size.log2(), times[pass].as_secs_f64().log2())
        })
        .collect();
    let last = usable.last()?;
    let first = usable.get(usable.len().saturating_sub(3))?;
    (last.0 > first.0).then(|| (last.1 - first.1) / (last.0 - first.0))
}

/// Compiles a source, and takes the time of each pass.
fn compile(source: &Source) -> (Times, String) {
    let mut times = Times::default();
    let mut sources = Sources::default();
    let mut modules: Vec<Module> = Vec::new();
    for text in &source.modules {
        let file = sources.add("growth.rego", text.as_str());
        let lexed = time(&mut times[0], || lex(file, text));
        drop(lexed);
        let options = Options {
            version: source.version,
            annotations: true,
        };
        match time(&mut times[1], || parse_module(file, text, options)) {
            Ok(module) => modules.push(module),
            Err(faults) => return (times, refusal(&faults[0].message, faults.len())),
        }
    }
    let query = source.query.as_str();
    let body = match parse_query(FileId::default(), query, Version::V1) {
        Ok(body) => body,
        Err(faults) => return (times, refusal(&faults[0].message, faults.len())),
    };
    let question = Question::query(query, body);
    let mut findings = Findings::default();
    let result = passes(&mut times, &modules, question, source, &mut findings);
    let outcome = time(&mut times[8], || {
        drop(result);
        drop(modules);
        findings.into_faults()
    });
    match outcome.first() {
        Some(fault) => (times, refusal(&fault.message, outcome.len())),
        None => (times, String::new()),
    }
}

fn refusal(message: &str, count: usize) -> String {
    let line = message.lines().next().unwrap_or_default();
    format!("refused ({count}): {line}")
}

fn passes(
    times: &mut Times,
    modules: &[Module],
    question: Question,
    source: &Source,
    findings: &mut Findings,
) -> Option<portcullis_policies::rego::plan::ir::Plan> {
    let strict = source.strict;
    let mode = resolve::Mode {
        strict,
        print: false,
    };
    let mut program = time(&mut times[2], || {
        for module in modules {
            imports::check(module, strict, findings);
        }
        resolve::resolve(modules, &[question], mode, findings)
    });
    time(&mut times[3], || {
        conflicts::check(&program, source.data.as_ref(), findings);
    });
    if findings.stop() {
        return None;
    }
    time(&mut times[4], || {
        for definition in &mut program.definitions {
            order::definition(definition, findings);
        }
        for query in &mut program.queries {
            let bound = VarSet::default();
            order::body(&mut query.body, bound, &query.variables, findings);
        }
    });
    if findings.stop() {
        return None;
    }
    let order = time(&mut times[5], || recursion::check(&program, findings));
    if findings.stop() {
        return None;
    }
    time(&mut times[6], || {
        infer::check(&program, &order, findings);
        deprecated::check(&program, strict, findings);
    });
    if !findings.is_empty() {
        return None;
    }
    Some(time(&mut times[7], || {
        lower::lower(&program, Withheld::default(), findings)
    }))
}

fn time<T>(into: &mut Duration, work: impl FnOnce() -> T) -> T {
    let start = clock();
    let result = work();
    *into += clock().saturating_sub(start);
    result
}

/// What this thread has had of a processor; where the system does not tell, the time that passes.
fn clock() -> Duration {
    // The kernel brings the number up to date when the thread gives up its turn.
    std::thread::yield_now();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat");
    let nanoseconds = told
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse().ok());
    nanoseconds.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

static START: LazyLock<Instant> = LazyLock::new(Instant::now);
