//! Leader election: of all replicas of the operator, one writes.
//!
//! The chart ships the Lease, empty, and the operator may `get` and `update` that one by name; it
//! can neither create nor delete one. Each claim is an update at the resource version that was
//! read, so that two candidates cannot both succeed. (The crate kube-lease-manager patches without
//! a version, and its holder goes on believing in its lease while the API server is away.)
//!
//! ```text
//!           another holds it, and renews            nobody renews for 15 s, or it is empty
//! stand by ◀──────────────────────── look ────────────────────────▶ claim ──▶ lead
//!     ▲                                                                        │ renew every 2 s
//!     └──────────── stop all writing ◀── no renewal for 10 s, or another's ◀───┘
//! ```
//!
//! Fencing: [`Leadership::write`] begins no request later than 10 s after the last renewal began,
//! and ends each within 4 s. So the last write of a leader that lost the API server ends a second
//! before another can take the lease. Only the local, monotonic clock is compared, never two
//! machines' clocks.

use std::{
    fmt,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{Api, Client, api::PostParams};
use tokio::time::{Instant, sleep, timeout};

/// How long a lease holds that is not renewed. With this and the two below, a leader that dies is
/// replaced within 17 seconds, and one that ends properly at once: it releases the lease.
const DURATION: Duration = Duration::from_secs(15);

/// How long after the last renewal began a leader still begins to write.
const DEADLINE: Duration = Duration::from_secs(10);

/// How long a write, or a look at the lease, may take: what is left of [`DURATION`] after
/// [`DEADLINE`], less a second.
const REQUEST: Duration = Duration::from_secs(4);

/// Time between two looks at the lease. Five renewals may fail before the leader steps down.
const RETRY: Duration = Duration::from_secs(2);

/// A candidate.
pub struct Election {
    leases: Api<Lease>,
    name: String,
    identity: String,
    /// The lease as it was last seen to change, and when that was seen.
    sight: Option<Sight>,
}

#[derive(Clone, Debug, PartialEq)]
struct Sight {
    spec: LeaseSpec,
    since: Instant,
}

/// The right to write, as long as it holds. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Leadership(Arc<Mutex<Option<Instant>>>);

/// Why something was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteFault {
    /// Another replica leads, or may lead soon.
    #[error("failed to {0}: this replica does not lead any more")]
    NotLeading(&'static str),
    /// The API server did not answer. What was asked for may be done nevertheless.
    #[error("failed to {0}: the API server did not answer within {seconds} s", seconds = REQUEST.as_secs())]
    Late(&'static str),
    /// The API server refused.
    #[error("failed to {0}")]
    Api(&'static str, #[source] kube::Error),
}

/// Why the lease could not be looked at or claimed.
#[derive(Debug, thiserror::Error)]
enum ElectionFault {
    #[error("failed to {0}: the API server did not answer within {seconds} s", seconds = REQUEST.as_secs())]
    Late(&'static str),
    #[error("failed to {0}")]
    Api(&'static str, #[source] kube::Error),
}

impl Leadership {
    /// A right that nobody has yet.
    fn none() -> Self {
        Self(Arc::default())
    }

    /// A right that holds for as long as one renewal does; for tests of those who write.
    #[cfg(test)]
    pub(crate) fn for_a_test() -> Self {
        let leadership = Self::none();
        leadership.extend(Instant::now());
        leadership
    }

    /// A right that is lost; for tests of those who write.
    #[cfg(test)]
    pub(crate) fn lost() -> Self {
        Self::none()
    }

    /// Whether this replica may write now.
    pub fn holds(&self) -> bool {
        self.get().is_some_and(|until| Instant::now() < until)
    }

    /// Makes a request that changes the cluster, if this replica may, and waits for it no longer
    /// than the lease allows. `operation` completes "failed to …".
    pub async fn write<T>(
        &self,
        operation: &'static str,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, WriteFault> {
        if !self.holds() {
            return Err(WriteFault::NotLeading(operation));
        }
        timeout(REQUEST, request)
            .await
            .map_err(|_| WriteFault::Late(operation))?
            .map_err(|error| WriteFault::Api(operation, error))
    }

    fn extend(&self, renewed: Instant) {
        self.set(Some(renewed + DEADLINE));
    }

    fn end(&self) {
        self.set(None);
    }

    fn get(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, until: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

impl WriteFault {
    /// Whether the object had changed since it was read, or is gone.
    pub fn is_stale(&self) -> bool {
        matches!(self, Self::Api(_, kube::Error::Api(status)) if matches!(status.code, 404 | 409))
    }
}

impl Election {
    /// A candidate for the lease `name`, called `identity`, which no other replica is.
    pub fn new(client: Client, namespace: &str, name: &str, identity: &str) -> Self {
        Self {
            leases: Api::namespaced(client, namespace),
            name: name.to_owned(),
            identity: identity.to_owned(),
            sight: None,
        }
    }

    /// Stands by, leads whenever it can, and releases the lease when `end` resolves. What `lead`
    /// makes is dropped when the lead is lost, and so stops at once wherever it is.
    pub async fn run<F: Future<Output = ()>>(
        mut self,
        lead: impl Fn(Leadership) -> F,
        end: impl Future<Output = ()>,
    ) {
        tokio::pin!(end);
        loop {
            let leadership = Leadership::none();
            tokio::select! {
                () = self.win(&leadership) => {}
                () = &mut end => return,
            }
            tracing::info!(
                lease = self.name,
                identity = self.identity,
                "this replica leads"
            );
            let ended = tokio::select! {
                () = lead(leadership.clone()) => false,
                () = self.keep(&leadership) => false,
                () = &mut end => true,
            };
            leadership.end();
            if ended {
                self.release().await;
                return;
            }
            tracing::warn!(lease = self.name, "this replica does not lead any more");
        }
    }

    /// Resolves when the lease is won.
    async fn win(&mut self, leadership: &Leadership) {
        let mut said = String::new();
        loop {
            match self.attempt(leadership).await {
                Ok(true) => return,
                Ok(false) => said.clear(),
                Err(fault) => {
                    let fault = format!("{:#}", anyhow::Error::from(fault));
                    if said != fault {
                        tracing::warn!(lease = self.name, fault, "failed to stand for election");
                        said = fault;
                    }
                }
            }
            sleep(RETRY).await;
        }
    }

    /// Renews, and resolves when the lease is lost.
    async fn keep(&mut self, leadership: &Leadership) {
        loop {
            sleep(RETRY).await;
            match self.attempt(leadership).await {
                Ok(false) if self.is_held_by_another() => return,
                Ok(_) => {}
                Err(fault) => {
                    let fault = format!("{:#}", anyhow::Error::from(fault));
                    tracing::warn!(lease = self.name, fault, "failed to renew the lease");
                }
            }
            if !leadership.holds() {
                return;
            }
        }
    }

    /// Looks at the lease, and claims or renews it where it may. Whether it holds the lease then.
    async fn attempt(&mut self, leadership: &Leadership) -> Result<bool, ElectionFault> {
        let started = Instant::now();
        let lease = bounded("read the lease", self.leases.get(&self.name)).await?;
        self.look(lease.spec.clone().unwrap_or_default(), started);
        if !self.may_claim(started) {
            return Ok(false);
        }
        let claim = self.claim(lease);
        let params = PostParams::default();
        match bounded(
            "claim the lease",
            self.leases.replace(&self.name, &params, &claim),
        )
        .await
        {
            Ok(lease) => {
                self.look(lease.spec.unwrap_or_default(), started);
                leadership.extend(started);
                Ok(true)
            }
            // Another candidate was faster.
            Err(ElectionFault::Api(_, kube::Error::Api(status))) if status.code == 409 => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Notes the lease as it is, and the time only where it changed.
    fn look(&mut self, spec: LeaseSpec, now: Instant) {
        if self.sight.as_ref().is_none_or(|sight| sight.spec != spec) {
            self.sight = Some(Sight { spec, since: now });
        }
    }

    fn may_claim(&self, now: Instant) -> bool {
        let Some(sight) = &self.sight else {
            return false;
        };
        !self.is_held_by_another() || now >= sight.since + duration(&sight.spec)
    }

    fn is_held_by_another(&self) -> bool {
        let holder = self
            .sight
            .as_ref()
            .and_then(|sight| sight.spec.holder_identity.as_deref());
        holder.is_some_and(|holder| !holder.is_empty() && holder != self.identity)
    }

    /// The lease as it is with this candidate as its holder.
    fn claim(&self, mut lease: Lease) -> Lease {
        let mut spec = lease.spec.unwrap_or_default();
        let now = MicroTime(Timestamp::now());
        if spec.holder_identity.as_deref() != Some(&self.identity) {
            spec.lease_transitions = Some(spec.lease_transitions.unwrap_or(0).saturating_add(1));
            spec.acquire_time = Some(now.clone());
            spec.holder_identity = Some(self.identity.clone());
        }
        spec.lease_duration_seconds = i32::try_from(DURATION.as_secs()).ok();
        spec.renew_time = Some(now);
        lease.spec = Some(spec);
        lease
    }

    /// Gives the lease back, so that another replica leads at its next look.
    async fn release(&self) {
        let released = async {
            let mut lease = bounded("read the lease", self.leases.get(&self.name)).await?;
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_deref() == Some(&self.identity) {
                spec.holder_identity = None;
                spec.lease_duration_seconds = Some(1);
                let params = PostParams::default();
                let replace = self.leases.replace(&self.name, &params, &lease);
                bounded("release the lease", replace).await?;
            }
            Ok::<(), ElectionFault>(())
        };
        match released.await {
            Ok(()) => tracing::info!(lease = self.name, "the lease is released"),
            Err(fault) => {
                let fault = format!("{:#}", anyhow::Error::from(fault));
                tracing::warn!(lease = self.name, fault, "the lease ends by itself");
            }
        }
    }
}

impl fmt::Debug for Election {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Election")
            .field("name", &self.name)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// How long the holder of a lease may be silent.
fn duration(spec: &LeaseSpec) -> Duration {
    let seconds = spec
        .lease_duration_seconds
        .and_then(|seconds| u64::try_from(seconds).ok());
    seconds.map_or(DURATION, Duration::from_secs)
}

async fn bounded<T>(
    operation: &'static str,
    request: impl Future<Output = kube::Result<T>>,
) -> Result<T, ElectionFault> {
    timeout(REQUEST, request)
        .await
        .map_err(|_| ElectionFault::Late(operation))?
        .map_err(|error| ElectionFault::Api(operation, error))
}

#[cfg(test)]
mod tests;
