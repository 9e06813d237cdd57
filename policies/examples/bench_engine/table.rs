//! The table that is printed.

use std::{collections::BTreeMap, fmt, fs};

use crate::{
    contestant::{MODES, Mode},
    rows::Row,
};

/// The contestants, in their order.
const NAMES: [&str; 3] = ["ours", "OPA", "regorus"];

/// What was measured.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<String>,
    threads: usize,
    /// Of each row, whether regorus gives OPA's answer.
    same: Vec<bool>,
    times: BTreeMap<(Mode, usize, usize), Vec<f64>>,
}

impl Table {
    /// A table without any figures.
    pub(crate) fn new(rows: &[Row], threads: usize) -> Self {
        Self {
            rows: rows.iter().map(|row| row.name.clone()).collect(),
            threads,
            same: vec![false; rows.len()],
            times: BTreeMap::new(),
        }
    }

    /// Whether regorus gives OPA's answer to a row.
    pub(crate) fn compared(&mut self, row: usize, same: bool) {
        self.same[row] = same;
    }

    /// Whether a contestant is measured: one that answers something else is not.
    pub(crate) fn takes_part(&self, row: usize, contestant: usize) -> bool {
        contestant < 2 || self.same[row]
    }

    /// Adds a figure, in nanoseconds.
    pub(crate) fn add(&mut self, row: usize, mode: Mode, contestant: usize, time: f64) {
        self.times
            .entry((mode, row, contestant))
            .or_default()
            .push(time);
    }

    fn time(&self, mode: Mode, row: usize, contestant: usize) -> Option<f64> {
        median(self.times.get(&(mode, row, contestant))?)
    }

    /// How many times longer another contestant takes than ours.
    fn ratio(&self, mode: Mode, row: usize, contestant: usize) -> Option<f64> {
        Some(self.time(mode, row, contestant)? / self.time(mode, row, 0)?)
    }

    fn ratios(&self, mode: Mode, contestant: usize) -> Vec<f64> {
        let rows = 0..self.rows.len();
        rows.filter_map(|row| self.ratio(mode, row, contestant))
            .collect()
    }

    /// A goal: at least this many times faster in the median, and on each row.
    fn goal(
        &self,
        formatter: &mut fmt::Formatter<'_>,
        mode: Mode,
        contestant: usize,
        goals: [f64; 2],
    ) -> fmt::Result {
        let ratios = self.ratios(mode, contestant);
        let (Some(middle), Some(least)) =
            (median(&ratios), ratios.iter().copied().reduce(f64::min))
        else {
            return Ok(());
        };
        let verdict = |is: f64, goal: f64| if is >= goal { "met" } else { "MISSED" };
        writeln!(
            formatter,
            "{:<26} {:<8} median {middle:>6.2} (goal {}: {})   least {least:>6.2} (goal {}: {})",
            title(mode),
            NAMES[contestant],
            goals[0],
            verdict(middle, goals[0]),
            goals[1],
            verdict(least, goals[1]),
        )
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let measured = |mode: &Mode| self.time(*mode, 0, 0).is_some();
        for mode in MODES.into_iter().filter(measured) {
            writeln!(
                formatter,
                "\n{:<44} {:>11} {:>11} {:>11} {:>8} {:>8}",
                title(mode),
                "ours µs",
                "OPA µs",
                "regorus µs",
                "×OPA",
                "×regorus"
            )?;
            for (row, name) in self.rows.iter().enumerate() {
                write!(formatter, "{name:<44}")?;
                for contestant in 0..NAMES.len() {
                    match self.time(mode, row, contestant) {
                        Some(time) => write!(formatter, " {:>11.1}", time / 1000.0)?,
                        None => write!(formatter, " {:>11}", "differs")?,
                    }
                }
                for contestant in 1..NAMES.len() {
                    match self.ratio(mode, row, contestant) {
                        Some(ratio) => write!(formatter, " {ratio:>8.2}")?,
                        None => write!(formatter, " {:>8}", "")?,
                    }
                }
                writeln!(formatter)?;
            }
        }
        writeln!(formatter, "\nhow many times longer than ours:")?;
        self.goal(formatter, Mode::Raw, 1, [8.0, 4.0])?;
        self.goal(formatter, Mode::Parsed, 1, [3.0, 1.0])?;
        self.goal(formatter, Mode::Parsed, 2, [1.0, 1.0])?;
        self.goal(formatter, Mode::Compile, 1, [1.0, 1.0])?;
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load: Vec<&str> = load.split(' ').take(3).collect();
        writeln!(
            formatter,
            "{} threads; load of the machine {}",
            self.threads,
            load.join(" ")
        )
    }
}

fn title(mode: Mode) -> &'static str {
    match mode {
        Mode::Raw => "from raw bytes",
        Mode::Parsed => "from parsed input",
        Mode::Compile => "compiling",
    }
}

fn median(times: &[f64]) -> Option<f64> {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let high = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(high);
    }
    Some(f64::midpoint(sorted[middle - 1], high))
}
