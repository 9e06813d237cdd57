//! What a process in a cluster begins and ends with.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use portcullis_webhook::{Readiness, ServeFault, Trigger};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    task::JoinSet,
};

/// Servers, each until it is told to end.
pub(super) type Servers = JoinSet<Result<(), ServeFault>>;

/// Takes an address to listen on.
pub(super) async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("failed to listen on {address}: choose another address"))
}

/// The signals by which somebody asks the process to stop. They are taken before anything answers:
/// until then they end the process on the spot, or are lost where it is the first one of a container.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes them from now on.
    pub(super) fn take() -> anyhow::Result<Self> {
        let take = |kind| signal(kind).context("failed to take signals");
        Ok(Self {
            terminate: take(SignalKind::terminate())?,
            interrupt: take(SignalKind::interrupt())?,
        })
    }

    /// Resolves when somebody has asked the process to stop since they were taken.
    pub(super) async fn told_to_stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Runs until somebody asks the process to stop, then ends its servers gracefully: for `grace`
/// they go on to accept. A server or a source that ends by itself ends the process, too.
pub(super) async fn run_until_told(
    mut signals: Signals,
    mut servers: Servers,
    mut sources: JoinSet<()>,
    trigger: Trigger,
    readiness: &Readiness,
    grace: Duration,
) -> anyhow::Result<()> {
    let early = tokio::select! {
        () = signals.told_to_stop() => None,
        ended = servers.join_next() => ended,
        ended = sources.join_next() => {
            ended.context("nothing is followed")?.context("a watch ended unexpectedly")?;
            None
        }
    };
    tracing::info!(grace = grace.as_secs(), "told to stop");
    trigger.shut_down(readiness, grace).await;
    for ended in early
        .into_iter()
        .chain(servers.join_all().await.into_iter().map(Ok))
    {
        ended.context("a server ended unexpectedly")??;
    }
    tracing::info!("stopped");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process;

    #[tokio::test]
    async fn who_is_told_to_stop_before_waiting_for_it_has_been_told() {
        let mut signals = Signals::take().unwrap();
        for signal in ["-TERM", "-INT"] {
            let killed = process::Command::new("kill")
                .args([signal, &process::id().to_string()])
                .status();
            assert!(killed.unwrap().success());
            signals.told_to_stop().await;
        }
    }
}
