//! The neighbour: somebody who asks an ordinary policy at a steady pace, whatever else goes on.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use tokio::task::JoinHandle;

use super::connection::Connection;

/// Time from one question to the next. Two hundred a second are a small part of what one thread
/// answers, so the neighbour waits for others and not for itself.
const PACE: Duration = Duration::from_millis(5);

/// Shortest time over which it is listened to: fifty answers, so that one of them is the slowest of
/// a hundred at best.
pub const WINDOW: Duration = Duration::from_millis(250);

/// What it asks: whether a Pod's containers have names.
const POLICY: &str = "package neighbour.named

deny contains msg if {
	some container in input.spec.containers
	not container.name
	msg := sprintf(\"%v has no name\", [container.image])
}
";

const PATH: &str = "/policy/neighbour/named/1.0/decision";
const INPUT: &[u8] = br#"{"spec": {"containers": [{"name": "web", "image": "nginx:1.27"}]}}"#;

/// Writes its policy into a directory in the repository layout.
pub fn write_policy(directory: &Path) -> Result<()> {
    let folder = directory.join("neighbour/named/1.0");
    std::fs::create_dir_all(&folder)?;
    Ok(std::fs::write(folder.join("policy.rego"), POLICY)?)
}

/// A neighbour who asks until this is dropped.
#[derive(Debug)]
pub struct Neighbour {
    heard: Arc<Mutex<Heard>>,
    asking: JoinHandle<()>,
}

/// What it heard since somebody looked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// How long it waited for its answers.
    pub latencies: Latencies,
    /// Questions that were not answered as they should be.
    pub failures: usize,
    /// Why the last of these was not.
    pub reason: Option<String>,
}

/// How long it waited for its answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies(Vec<Duration>);

impl Neighbour {
    /// Asks from now on.
    pub fn start(address: &str) -> Self {
        let heard = Arc::new(Mutex::new(Heard::default()));
        let asking = tokio::spawn(ask(address.to_owned(), heard.clone()));
        Self { heard, asking }
    }

    /// What it heard since the last look.
    pub fn listen(&self) -> Heard {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let mut heard = std::mem::take(&mut *heard);
        heard.latencies.0.sort_unstable();
        heard
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.asking.abort();
    }
}

/// Asks again and again. An answer's latency counts from when its question was due: while one
/// question waits, those behind it wait as well.
async fn ask(address: String, heard: Arc<Mutex<Heard>>) {
    let mut ticks = tokio::time::interval(PACE);
    let mut connection = None;
    loop {
        let due = Instant::from(ticks.tick().await);
        let asked = ask_once(&address, &mut connection).await;
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.latencies.0.push(due.elapsed());
        if let Err(error) = asked {
            heard.failures += 1;
            heard.reason = Some(format!("{error:#}"));
        }
    }
}

/// Asks on a connection that is kept as long as it is good.
async fn ask_once(address: &str, kept: &mut Option<Connection>) -> Result<()> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => Connection::open(address).await?,
    };
    let answer = connection.ask("POST", PATH, INPUT).await?;
    *kept = Some(connection);
    ensure!(answer.status == 200, "it was answered {}", answer.status);
    Ok(())
}

impl Heard {
    /// This and that.
    #[must_use]
    pub fn with(self, other: &Self) -> Self {
        Self {
            latencies: self.latencies.with(&other.latencies),
            failures: self.failures + other.failures,
            reason: other.reason.clone().or(self.reason),
        }
    }
}

impl Latencies {
    /// These.
    pub fn of(mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        Self(latencies)
    }

    /// These and those.
    #[must_use]
    pub fn with(self, others: &Self) -> Self {
        Self::of([self.0, others.0.clone()].concat())
    }

    /// The smallest latency that so many in a hundred do not exceed.
    pub fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_latency_that_was_measured() {
        let of = |milliseconds: std::ops::RangeInclusive<u64>| {
            Latencies::of(milliseconds.rev().map(Duration::from_millis).collect())
        };
        let latencies = of(101..=200).with(&of(1..=100));
        for (percent, expected) in [(1, 2), (50, 100), (99, 198), (100, 200)] {
            assert_eq!(
                latencies.percentile(percent),
                Duration::from_millis(expected)
            );
        }
        assert_eq!(Latencies::default().percentile(99), Duration::ZERO);
    }
}
