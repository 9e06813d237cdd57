//! Who may lock and read decisions over HTTP, and the way from the lock endpoints to the disk.

use std::{fmt, sync::Arc, time::Duration};

use futures::{FutureExt as _, future::BoxFuture};
use portcullis_policies::{Address, Cache, OUTPUT_SCHEMA_VIOLATION, Timestamp};
use portcullis_webhook::{
    Caller, DecisionReaders, LockFault, LockKeeper, LockRequest, OutboundFault, ReaderFault,
};

use super::locks::LockStore;

/// Longest wait for the disk, after which the caller is told that the lock is not known to hold.
const PATIENCE: Duration = Duration::from_secs(10);

/// The lock endpoints' way to a [`LockStore`].
#[derive(Debug)]
pub struct LockGate {
    store: Arc<LockStore>,
    cache: Arc<Cache>,
    access: Access,
}

/// Who may lock, unlock and read decisions.
#[derive(Clone, PartialEq, Eq)]
pub enum Access {
    /// Whoever can reach the listener: it is on loopback.
    Open,
    /// Who has this bearer token.
    Token(String),
    /// Nobody: the listener can be reached from elsewhere, and there is no token.
    Closed,
}

impl Access {
    /// Whether a caller may change something.
    pub(super) fn admit(&self, caller: &Caller) -> Result<(), LockFault> {
        match (self, caller.bearer()) {
            (Self::Open, _) => Ok(()),
            (Self::Token(_), None) => Err(LockFault::Unauthenticated),
            (Self::Token(expected), Some(given)) if same(expected, given) => Ok(()),
            (Self::Token(_), Some(_)) => Err(LockFault::Forbidden(
                "the bearer token is not the one of this server".to_owned(),
            )),
            (Self::Closed, _) => Err(LockFault::Forbidden(
                "this server can be reached from other machines, so whatever changes something is \
                 closed; start it with `--lock-token-file`"
                    .to_owned(),
            )),
        }
    }
}

impl Access {
    /// The same, for what asks others on a caller's behalf.
    pub(super) fn admit_outbound(&self, caller: &Caller) -> Result<(), OutboundFault> {
        self.admit(caller).map_err(|fault| match fault {
            LockFault::Unauthenticated => OutboundFault::Unauthenticated,
            fault => OutboundFault::Forbidden(fault.to_string()),
        })
    }
}

impl LockGate {
    /// A way to the store for who has `access`.
    pub fn new(store: Arc<LockStore>, cache: Arc<Cache>, access: Access) -> Self {
        Self {
            store,
            cache,
            access,
        }
    }

    /// Runs work of the disk away from the reactor, and waits for it with patience.
    fn run(
        &self,
        admitted: Result<(), LockFault>,
        work: impl FnOnce(&LockStore, &Cache) -> Result<(), LockFault> + Send + 'static,
    ) -> BoxFuture<'_, Result<(), LockFault>> {
        let (store, cache) = (self.store.clone(), self.cache.clone());
        async move {
            admitted?;
            let work = tokio::task::spawn_blocking(move || work(&store, &cache));
            let failed = |what: &str| LockFault::Unavailable(what.to_owned());
            match tokio::time::timeout(PATIENCE, work).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err(failed("the lock cannot be written: the work was given up")),
                Err(_) => Err(failed(
                    "the disk does not answer; whether the lock holds is not known",
                )),
            }
        }
        .boxed()
    }
}

impl LockKeeper for LockGate {
    fn is_open(&self) -> bool {
        self.access == Access::Open
    }

    fn lock(&self, caller: Caller, request: LockRequest) -> BoxFuture<'_, Result<(), LockFault>> {
        let admitted = self.access.admit(&caller);
        self.run(admitted, move |store, cache| {
            store.lock(cache, &request, Timestamp::now())
        })
    }

    /// There is nobody else who would.
    fn lock_sealed(&self, address: Address) -> BoxFuture<'_, Result<(), LockFault>> {
        let request = LockRequest {
            address,
            reason: Some(OUTPUT_SCHEMA_VIOLATION.to_owned()),
            expires_at: None,
        };
        self.run(Ok(()), move |store, cache| {
            match store.lock(cache, &request, Timestamp::now()) {
                Err(LockFault::AlreadyLocked) => Ok(()),
                answer => answer,
            }
        })
    }

    fn unlock(&self, caller: Caller, address: Address) -> BoxFuture<'_, Result<(), LockFault>> {
        let admitted = self.access.admit(&caller);
        self.run(admitted, move |store, cache| {
            store.unlock(cache, &address, Timestamp::now())
        })
    }
}

/// Who may lock may read: both are for who looks after this server.
impl DecisionReaders for LockGate {
    fn is_open(&self) -> bool {
        self.access == Access::Open
    }

    fn may_read(
        &self,
        caller: Caller,
        _namespace: Option<String>,
    ) -> BoxFuture<'_, Result<bool, ReaderFault>> {
        let answer = match self.access.admit(&caller) {
            Ok(()) => Ok(true),
            Err(LockFault::Unauthenticated) => Err(ReaderFault::Unauthenticated),
            Err(_) => Ok(false),
        };
        async { answer }.boxed()
    }
}

/// Shows no secret.
impl fmt::Debug for Access {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Open => "Open",
            Self::Token(_) => "Token(…)",
            Self::Closed => "Closed",
        })
    }
}

/// Compares without telling by its time how much is equal.
fn same(expected: &str, given: &str) -> bool {
    let different = expected
        .bytes()
        .zip(given.bytes())
        .fold(0, |bits, (a, b)| bits | (a ^ b));
    expected.len() == given.len() && different == 0
}
