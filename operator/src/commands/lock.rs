//! `portcullis lock` and `portcullis unlock`: take a policy out of evaluation, and put it back.
//!
//! ```text
//! --url URL ── POST, DELETE …/lock ──▶ the server makes the lock, with the caller's rights
//! cluster ──── the same object ──────▶ the API server lets the kubeconfig's user, or does not
//! ```

mod arguments;
mod cluster;
mod server;

use std::process::ExitCode;

use anyhow::anyhow;
use portcullis_policies::{Address, Timestamp, text::clean};

pub use arguments::{LockArguments, PolicyArguments, UnlockArguments};

use super::door::Door;
use crate::{
    client::{Failure, end, within},
    presentation::say,
};

/// A lock that somebody asks for.
struct Wish {
    address: Address,
    reason: String,
    expires_at: Option<Timestamp>,
}

/// Locks, and says so: 0 when it is locked now, 1 when that is refused, 2 when it cannot be told.
pub fn lock(arguments: &LockArguments) -> anyhow::Result<ExitCode> {
    end(wish(arguments).and_then(|wish| make(arguments, &wish)))
}

/// Unlocks, and says so: with the same status.
pub fn unlock(arguments: &UnlockArguments) -> anyhow::Result<ExitCode> {
    end(remove(arguments))
}

fn make(arguments: &LockArguments, wish: &Wish) -> Result<(), Failure> {
    arguments.door.run(async |door| match door {
        Door::Server(server) => server::lock(&server, wish).await,
        Door::Cluster(client) => cluster::lock(&client, wish).await,
    })?;
    let end = match wish.expires_at {
        Some(end) => format!("until {end}"),
        None => "until it is unlocked".to_owned(),
    };
    Ok(say(&format!(
        "{} is locked at evaluation {end}: {}",
        wish.address, wish.reason
    ))?)
}

fn remove(arguments: &UnlockArguments) -> Result<(), Failure> {
    let address = within(
        &arguments.policy.address,
        arguments.policy.namespace.as_deref(),
    );
    arguments.door.run(async |door| match door {
        Door::Server(server) => server::unlock(&server, &address).await,
        Door::Cluster(client) => cluster::unlock(&client, &address).await,
    })?;
    Ok(say(&format!(
        "{address} is not locked at evaluation any more"
    ))?)
}

/// What is usable of the arguments.
fn wish(arguments: &LockArguments) -> Result<Wish, Failure> {
    let reason = clean(&arguments.reason);
    if reason.is_empty() {
        return Err(
            anyhow!("`--reason` says nothing: those whom the lock stops will read it").into(),
        );
    }
    let now = Timestamp::now();
    let expires_at = arguments.end(now)?;
    if expires_at.is_some_and(|end| end <= now) {
        return Err(anyhow!("`--until` is in the past: the lock would hold nobody up").into());
    }
    Ok(Wish {
        address: within(
            &arguments.policy.address,
            arguments.policy.namespace.as_deref(),
        ),
        reason,
        expires_at,
    })
}
