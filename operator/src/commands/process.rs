//! What a process in a cluster begins and ends with.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use portcullis_webhook::{Readiness, ServeFault, Trigger};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};

/// Takes an address to listen on.
pub(super) async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("failed to listen on {address}: choose another address"))
}

/// Resolves when somebody asks the process to stop.
pub(super) async fn told_to_stop() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Runs until somebody asks the process to stop, then ends its servers gracefully: for `grace`
/// they go on to accept. A server or a source that ends by itself ends the process, too.
pub(super) async fn run_until_told(
    mut servers: JoinSet<Result<(), ServeFault>>,
    mut sources: JoinSet<()>,
    trigger: Trigger,
    readiness: &Readiness,
    grace: Duration,
) -> anyhow::Result<()> {
    let early = tokio::select! {
        told = told_to_stop() => {
            told?;
            None
        }
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
