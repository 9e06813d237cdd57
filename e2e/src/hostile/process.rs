//! What a process takes, as Linux counts it.

use std::fs;

use anyhow::{Context, Result};

/// What is written to have the peak counted anew.
const RESET: &str = "5";

/// Fields between a program's name and its times, of itself and of the system for it.
const BEFORE_TIMES: usize = 11;

/// Counts the peak from now on.
pub fn reset_peak(process: u32) -> Result<()> {
    fs::write(format!("/proc/{process}/clear_refs"), RESET).context("the peak cannot be reset")
}

/// The most resident memory since the reset, in bytes; `None` of a process that has ended.
pub fn peak(process: u32) -> Option<u64> {
    of(process, "VmHWM:")
}

/// The resident memory, in bytes.
pub fn resident(process: u32) -> Option<u64> {
    of(process, "VmRSS:")
}

/// Processor time that it has used, in hundredths of a second.
pub fn used(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of a program may have anything in it, so the fields are counted from its end.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(BEFORE_TIMES);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

fn of(process: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_counted_from_the_reset() {
        let this = std::process::id();
        let before = peak(this).unwrap();
        let large = vec![1_u8; 64 << 20];
        assert!(peak(this).unwrap() >= before + (large.len() as u64) / 2);
        drop(large);
        reset_peak(this).unwrap();
        assert!(peak(this).unwrap() >= resident(this).unwrap() / 2);
    }

    #[test]
    fn processor_time_passes() {
        let this = std::process::id();
        let before = used(this).unwrap();
        let mut sum = 0_u64;
        while used(this).unwrap() == before {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(used(this).unwrap() > before);
    }
}
