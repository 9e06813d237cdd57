//! Locks over HTTP, as objects of the cluster, with the caller's own rights.
//!
//! The webhook may not write. Each call builds a client that has the caller's bearer token and
//! nothing else, so that the API server decides whether the caller may, and its audit log says who
//! did.

use std::{fmt, sync::Arc, time::Duration};

use futures::future::{BoxFuture, FutureExt as _};
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{Api, Client, Config, api::PostParams};
use portcullis_policies::{Address, Lock, ObjectKey, Point};
use portcullis_webhook::{Caller, LockFault, LockKeeper, LockRequest};
use tokio::{sync::Semaphore, time::timeout};

use super::{
    Mirror,
    connect::{ConnectFault, connect_as},
    lock_objects::{self, key},
};

/// Time until a lock that was made or removed is seen here. It is there within milliseconds; who
/// waits longer is answered nevertheless, because the cluster has it.
const SEEN: Duration = Duration::from_secs(5);

/// Calls at once. Each has a connection of its own to the API server.
const AT_ONCE: usize = 16;

/// Makes a client with the rights of a bearer token.
type Connect = dyn Fn(&str) -> Result<Client, ConnectFault> + Send + Sync;

/// Keeps locks in the cluster.
pub struct ClusterLocks {
    connect: Box<Connect>,
    mirror: Arc<Mirror>,
    room: Semaphore,
}

impl ClusterLocks {
    /// Reaches the API server as `config` says, but for who asks.
    pub fn new(config: Config, mirror: Arc<Mirror>) -> Self {
        Self::connecting(move |bearer| connect_as(&config, bearer), mirror)
    }

    pub(super) fn connecting(
        connect: impl Fn(&str) -> Result<Client, ConnectFault> + Send + Sync + 'static,
        mirror: Arc<Mirror>,
    ) -> Self {
        Self {
            connect: Box::new(connect),
            mirror,
            room: Semaphore::new(AT_ONCE),
        }
    }

    async fn make(&self, caller: Caller, request: LockRequest) -> Result<(), LockFault> {
        let _room = self.enter()?;
        self.make_with(&self.client(&caller)?, request).await
    }

    async fn make_with(&self, client: &Client, request: LockRequest) -> Result<(), LockFault> {
        let reason = match request.reason {
            Some(reason) => reason,
            None => default_reason(client).await,
        };
        let key = key(&request.address);
        let is_in_the_way = |lock: Arc<Lock>| !lock.is_active(Timestamp::now());
        let expired = self.find(&key).is_some_and(is_in_the_way);
        lock_objects::make(
            client,
            &request.address,
            &reason,
            request.expires_at,
            expired,
        )
        .await?;
        self.wait_until(|locks| locks.find(&key).is_some()).await;
        Ok(())
    }

    async fn remove(&self, caller: Caller, address: Address) -> Result<(), LockFault> {
        let _room = self.enter()?;
        let client = self.client(&caller)?;
        let key = key(&address);
        let was_there = lock_objects::delete(&client, &address).await?;
        if was_there {
            self.wait_until(|locks| locks.find(&key).is_none()).await;
        }
        match self.others(&address, &key) {
            others if !others.is_empty() => Err(LockFault::HeldByOthers(others)),
            _ if was_there => Ok(()),
            _ => Err(LockFault::NotLocked),
        }
    }

    fn enter(&self) -> Result<tokio::sync::SemaphorePermit<'_>, LockFault> {
        let full = "too many locks are being made at once: try again";
        self.room
            .try_acquire()
            .map_err(|_| LockFault::Unavailable(full.to_owned()))
    }

    fn client(&self, caller: &Caller) -> Result<Client, LockFault> {
        let bearer = caller.bearer().ok_or(LockFault::Unauthenticated)?;
        (self.connect)(bearer).map_err(|fault| match fault {
            ConnectFault::Token => LockFault::Unauthenticated,
            fault => LockFault::Unavailable(super::chain(&fault)),
        })
    }

    fn find(&self, key: &ObjectKey) -> Option<Arc<Lock>> {
        let snapshot = self.mirror.cache().snapshot();
        snapshot
            .locks()
            .iter()
            .find(|lock| lock.key == *key)
            .cloned()
    }

    /// Locks that hold a policy at evaluation, but for the one that is made over HTTP.
    fn others(&self, address: &Address, own: &ObjectKey) -> Vec<String> {
        let snapshot = self.mirror.cache().snapshot();
        let now = Timestamp::now();
        let locks = snapshot
            .find(address)
            .into_iter()
            .flat_map(|entry| &entry.locks);
        locks
            .filter(|lock| lock.holds(Point::Evaluation, now))
            .filter(|lock| lock.key != *own)
            .map(|lock| lock.key.to_string())
            .collect()
    }

    /// Waits until this replica sees what the cluster has, so that its next answer shows it.
    async fn wait_until(&self, seen: impl Fn(&Self) -> bool) {
        let mut changes = self.mirror.changes();
        if timeout(SEEN, changes.wait_for(|_| seen(self)))
            .await
            .is_err()
        {
            tracing::warn!("a lock was changed and is not seen yet");
        }
    }
}

impl LockKeeper for ClusterLocks {
    fn lock(&self, caller: Caller, request: LockRequest) -> BoxFuture<'_, Result<(), LockFault>> {
        self.make(caller, request).boxed()
    }

    fn unlock(&self, caller: Caller, address: Address) -> BoxFuture<'_, Result<(), LockFault>> {
        self.remove(caller, address).boxed()
    }
}

impl fmt::Debug for ClusterLocks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClusterLocks")
            .finish_non_exhaustive()
    }
}

/// Names the caller where the API server tells who it is.
async fn default_reason(client: &Client) -> String {
    let api: Api<SelfSubjectReview> = Api::all(client.clone());
    let review =
        lock_objects::ask(api.create(&PostParams::default(), &SelfSubjectReview::default())).await;
    let user = review
        .ok()
        .and_then(|review| review.status?.user_info?.username);
    match user {
        Some(user) => format!("locked over HTTP by {user}"),
        None => "locked over HTTP".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::api_server::ApiServer;
    use super::*;
    use crate::convert::lock_name;
    use portcullis_policies::Cache;
    use portcullis_webhook::Readiness;
    use rstest::rstest;
    use serde_json::json;

    const LOCKS: &str = "/apis/portcullis.dev/v1alpha1/clusterlocks";
    const REVIEW: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

    fn address() -> Address {
        "a/b@1.0".parse().unwrap()
    }

    fn own() -> String {
        format!("{LOCKS}/{}", lock_name(&address()))
    }

    /// A keeper whose callers reach `server`, and which sees at once what they make there.
    fn keeper(server: &ApiServer) -> ClusterLocks {
        let mirror = Mirror::new(Arc::new(Cache::new()), Readiness::new([]));
        let (server, seen) = (server.clone(), mirror.clone());
        let connect = move |_: &str| {
            let lock = Lock {
                key: key(&address()),
                reach: portcullis_policies::Reach::Cluster { namespaces: None },
                target: portcullis_policies::Target::All,
                points: portcullis_policies::Points::ALL,
                effect: portcullis_policies::Effect::Refuse,
                reason: String::new(),
                expires_at: None,
            };
            seen.cache().update(|state| state.apply_lock(lock));
            Ok(server.client())
        };
        ClusterLocks::connecting(connect, mirror)
    }

    fn request(reason: Option<&str>) -> LockRequest {
        LockRequest {
            address: address(),
            reason: reason.map(str::to_owned),
            expires_at: None,
        }
    }

    fn somebody() -> Caller {
        Caller::with_bearer("token")
    }

    #[tokio::test]
    async fn makes_a_lock_that_holds_at_evaluation() {
        let server = ApiServer::default();
        keeper(&server)
            .lock(somebody(), request(Some("incident")))
            .await
            .unwrap();
        let spec = &server.get(&own())["spec"];
        assert_eq!(spec["points"], json!(["evaluation"]));
        assert_eq!(spec["reason"], "incident");
        assert_eq!(
            spec["policy"],
            json!({"group": "a", "name": "b", "version": "1.0"})
        );
    }

    #[tokio::test]
    async fn names_the_caller_where_it_is_known() {
        let server = ApiServer::default();
        server.refuse(&format!("POST {REVIEW}"), 403);
        keeper(&server)
            .lock(somebody(), request(None))
            .await
            .unwrap();
        assert_eq!(server.get(&own())["spec"]["reason"], "locked over HTTP");
    }

    #[tokio::test]
    async fn asks_nothing_for_who_has_no_token() {
        let server = ApiServer::default();
        let fault = keeper(&server).lock(Caller::default(), request(None)).await;
        assert_eq!(fault, Err(LockFault::Unauthenticated));
        let fault = keeper(&server).unlock(Caller::default(), address()).await;
        assert_eq!(fault, Err(LockFault::Unauthenticated));
        assert_eq!(server.written(), [""; 0]);
    }

    #[rstest]
    #[case(401, LockFault::Unauthenticated)]
    #[case(403, LockFault::Forbidden("the API server says 403 Forbidden".to_owned()))]
    #[case(409, LockFault::AlreadyLocked)]
    #[case(500, LockFault::Unavailable("the API server says 500 Internal Server Error".to_owned()))]
    #[tokio::test]
    async fn says_what_the_api_server_said(#[case] code: u16, #[case] expected: LockFault) {
        let server = ApiServer::default();
        server.refuse(&format!("POST {LOCKS}"), code);
        let fault = keeper(&server).lock(somebody(), request(Some("why"))).await;
        assert_eq!(fault, Err(expected));
    }

    #[tokio::test]
    async fn what_is_not_locked_cannot_be_unlocked() {
        let server = ApiServer::default();
        assert_eq!(
            keeper(&server).unlock(somebody(), address()).await,
            Err(LockFault::NotLocked)
        );
        server.refuse(&format!("DELETE {}", own()), 403);
        let fault = keeper(&server).unlock(somebody(), address()).await;
        assert!(matches!(fault, Err(LockFault::Forbidden(_))), "{fault:?}");
    }

    #[tokio::test]
    async fn an_expired_lock_makes_room_for_a_new_one() {
        let server = ApiServer::default();
        server.put(&own(), json!({"metadata": {"name": lock_name(&address())}}));
        let keeper = keeper(&server);
        let lock = |expires_at| Lock {
            key: key(&address()),
            reach: portcullis_policies::Reach::Cluster { namespaces: None },
            target: portcullis_policies::Target::All,
            points: portcullis_policies::Points::ALL,
            effect: portcullis_policies::Effect::Refuse,
            reason: String::new(),
            expires_at,
        };
        keeper
            .mirror
            .cache()
            .update(|state| state.apply_lock(lock(None)));
        let taken = keeper
            .make_with(&server.client(), request(Some("new")))
            .await;
        assert_eq!(taken, Err(LockFault::AlreadyLocked));
        let past = Some(Timestamp::UNIX_EPOCH);
        keeper
            .mirror
            .cache()
            .update(|state| state.apply_lock(lock(past)));
        keeper
            .make_with(&server.client(), request(Some("new")))
            .await
            .unwrap();
        assert_eq!(server.get(&own())["spec"]["reason"], "new");
    }

    #[tokio::test(start_paused = true)]
    async fn unlocking_deletes_the_lock_and_answers_even_if_it_is_not_seen() {
        let server = ApiServer::default();
        let keeper = keeper(&server);
        keeper.lock(somebody(), request(Some("why"))).await.unwrap();
        keeper.unlock(somebody(), address()).await.unwrap();
        assert!(server.get(&own()).is_null());
    }
}
