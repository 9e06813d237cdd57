//! Measures the evaluator beside OPA and regorus's interpreter, in one run: `make bench-engine`.
//!
//! ```text
//! bench_engine --opa PROGRAM [--rounds N] [--milliseconds N] [--threads N] [--only NAME] [--mode MODE]
//! ```
//!
//! `PROGRAM` is `policies/opa/bench`, which uses OPA through its Go API. Every row is a policy with
//! an input. Of each, three things are measured: from the bytes of the input to the decision, from
//! the parsed input to the decision, and from the text of the policy to what can be evaluated. The
//! contestants take turns in rounds, so that whatever else the machine does falls upon all of them.
//! The figures are medians over the rounds, of the processor time that one operation takes; that of
//! Go's garbage collector is part of it.
//!
//! Modes are `raw`, `parsed` and `compile`; without one, all are measured.
//!
//! Before anything is measured the answers are compared: it fails if ours is not OPA's.

mod contestant;
mod inputs;
mod opa;
mod ours;
mod regorus;
mod rows;
mod table;

use std::{
    io::Write as _,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use contestant::{Contestant, MODES, Mode};
use table::Table;

struct Options {
    opa: String,
    rounds: usize,
    slice: Duration,
    threads: usize,
    only: Option<String>,
    mode: Option<String>,
}

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let options = Options::parse(std::env::args().skip(1))?;
    let mut rows = rows::all()?;
    if let Some(only) = &options.only {
        rows.retain(|row| row.name.contains(only.as_str()));
    }
    let mut contestants: [Box<dyn Contestant>; 3] = [
        Box::new(ours::Ours::default()),
        Box::new(opa::Opa::start(&options.opa)?),
        Box::new(regorus::Regorus::default()),
    ];
    let mut table = Table::new(&rows, options.threads);
    for (at, row) in rows.iter().enumerate() {
        let [ours, opa, regorus] = &mut contestants;
        let answer = ours.load(row).with_context(|| row.name.clone())?;
        let expected = opa.load(row).with_context(|| row.name.clone())?;
        ensure!(
            answer == expected,
            "{}: ours is {answer}, OPA's is {expected}",
            row.name
        );
        let same = match regorus.load(row) {
            Ok(answer) => answer == expected,
            Err(error) => {
                progress(&format!("regorus has no answer to {}: {error}\n", row.name))?;
                false
            }
        };
        table.compared(at, same);
    }
    progress(&format!("{} rows, the answers are OPA's\n", rows.len()))?;
    let modes = || {
        let asked = |mode: &Mode| {
            options
                .mode
                .as_ref()
                .is_none_or(|asked| mode.name() == asked)
        };
        MODES.into_iter().filter(asked)
    };
    let start = Instant::now();
    for round in 0..options.rounds {
        for row in 0..rows.len() {
            for mode in modes() {
                for (which, contestant) in contestants.iter_mut().enumerate() {
                    if table.takes_part(row, which) {
                        let time = contestant.measure(row, mode, options.slice, options.threads)?;
                        table.add(row, mode, which, time);
                    }
                }
            }
        }
        let seconds = start.elapsed().as_secs();
        let (round, rounds) = (round + 1, options.rounds);
        progress(&format!("round {round} of {rounds}, {seconds} s\n"))?;
    }
    std::io::stdout().write_all(table.to_string().as_bytes())?;
    Ok(())
}

fn progress(line: &str) -> Result<()> {
    Ok(std::io::stderr().write_all(line.as_bytes())?)
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            opa: String::new(),
            rounds: 5,
            slice: Duration::from_millis(150),
            threads: thread::available_parallelism()?.get(),
            only: None,
            mode: None,
        };
        while let Some(name) = arguments.next() {
            let value = arguments.next();
            let value = value.with_context(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--opa" => options.opa = value,
                "--rounds" => options.rounds = value.parse()?,
                "--milliseconds" => options.slice = Duration::from_millis(value.parse()?),
                "--threads" => options.threads = value.parse()?,
                "--only" => options.only = Some(value),
                "--mode" => options.mode = Some(value),
                _ => bail!("unknown option {name}"),
            }
        }
        ensure!(!options.opa.is_empty(), "--opa is needed");
        Ok(options)
    }
}
