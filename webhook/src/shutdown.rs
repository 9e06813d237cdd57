//! The end of a process, in phases, so that a rolling update fails no request.
//!
//! ```text
//! Running ── drain ──▶ Draining ── after the grace ──▶ Closing
//!                      not ready; accepts and          accepts no more, finishes
//!                      answers, and ends each          what is under way, bounded
//!                      connection after its answer
//! ```
//!
//! The grace is there because an endpoint that is gone is still called for some seconds, until
//! every node has heard of it.

use std::time::Duration;

use tokio::sync::watch;

use crate::Readiness;

/// Where a process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It answers.
    Running,
    /// It answers and asks its callers to go elsewhere.
    Draining,
    /// It finishes what is under way.
    Closing,
}

/// Ends servers. Dropped without being used, it closes them at once.
#[derive(Debug)]
pub struct Trigger(watch::Sender<Phase>);

/// What servers watch.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<Phase>);

impl Shutdown {
    /// A pair for one process; clone the second for each server.
    pub fn new() -> (Trigger, Self) {
        let (sender, receiver) = watch::channel(Phase::Running);
        (Trigger(sender), Self(receiver))
    }

    /// The phase now.
    pub fn phase(&self) -> Phase {
        if self.0.has_changed().is_err() {
            Phase::Closing
        } else {
            *self.0.borrow()
        }
    }

    /// Resolves when the process is in `phase` or beyond.
    pub async fn reached(&mut self, phase: Phase) {
        // An error means that the trigger is gone, which closes.
        let _ = self.0.wait_for(|now| *now >= phase).await;
    }
}

impl Trigger {
    /// Goes to the next phases: not ready and draining now, closing after `grace`. Ten seconds are
    /// enough for a cluster to hear that an endpoint is gone; on loopback there is nobody to tell.
    pub async fn shut_down(self, readiness: &Readiness, grace: Duration) {
        readiness.drain();
        self.drain();
        tokio::time::sleep(grace).await;
        self.close();
    }

    /// Servers go on to answer, and end each connection after its answer.
    pub fn drain(&self) {
        self.advance(Phase::Draining);
    }

    /// Servers accept no more, and finish what is under way.
    pub fn close(&self) {
        self.advance(Phase::Closing);
    }

    fn advance(&self, phase: Phase) {
        self.0.send_modify(|now| *now = phase.max(*now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn phases_only_advance() {
        let (trigger, mut shutdown) = Shutdown::new();
        assert_eq!(shutdown.phase(), Phase::Running);
        trigger.close();
        trigger.drain();
        assert_eq!(shutdown.phase(), Phase::Closing);
        shutdown.reached(Phase::Draining).await;
    }

    #[tokio::test(start_paused = true)]
    async fn shutting_down_is_told_to_the_probe_and_takes_the_grace() {
        let readiness = Readiness::new([]);
        let (trigger, mut shutdown) = Shutdown::new();
        let begin = tokio::time::Instant::now();
        let (at_drain, ()) = tokio::join!(
            async {
                shutdown.reached(Phase::Draining).await;
                readiness.is_ready(std::time::Instant::now())
            },
            trigger.shut_down(&readiness, Duration::from_secs(10)),
        );
        assert!(at_drain.is_err());
        assert_eq!(begin.elapsed(), Duration::from_secs(10));
        assert_eq!(shutdown.phase(), Phase::Closing);
    }

    #[tokio::test]
    async fn a_lost_trigger_closes() {
        let (_, mut shutdown) = Shutdown::new();
        assert_eq!(shutdown.phase(), Phase::Closing);
        shutdown.reached(Phase::Closing).await;
    }
}
