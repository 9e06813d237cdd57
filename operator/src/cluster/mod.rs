//! The cluster as a source: watches that feed the cache.
//!
//! ```text
//! API server ── watch (one loop for every kind) ── News ──▶ feed ── read ── compile ──▶ Mirror
//!                 list, then watch; bookmarks                 (evaluator threads)      │ Cache
//!                                                                                      │ Records
//! ```
//!
//! A list is compiled as a whole and published once, so that nobody sees half of it. An object that
//! comes again with the same generation and labels is not compiled again; of its status, whether it
//! has taken the place of an older version is followed. While the API server is
//! away, what is in force stays in force: the watch tries again with a bounded, jittered backoff,
//! says so in the log and in the metrics, and [`portcullis_webhook::Readiness`] knows how old the
//! view is.

#[cfg(test)]
pub(crate) mod api_server;
mod archives;
mod callers;
mod certificate;
mod connect;
mod feed;
mod imports;
mod kind;
pub(crate) mod lock_objects;
mod locks;
mod mirror;
mod parameters;
mod readers;
mod replicas;
pub(crate) mod schedules;
mod selections;
pub(crate) mod subscriptions;
mod watch;

use std::sync::Arc;

use futures::future::join_all;
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client,
    core::{ApiResource, DynamicObject, PartialObjectMeta},
};
use portcullis_crds as crds;
use portcullis_webhook::Evaluators;
use tokio::sync::mpsc;

pub use archives::ClusterArchives;
pub(crate) use archives::put as put_policy;
pub use certificate::{CertificateFiles, SOURCE as CERTIFICATE, follow_certificate};
pub(crate) use connect::connect_to;
pub use connect::{ConnectFault, connect};
pub use locks::ClusterLocks;
pub(crate) use mirror::chain;
pub use mirror::{Health, Mirror, Record, Records, View};
pub use readers::ClusterReaders;
pub use replicas::ClusterReplicas;
pub(crate) use replicas::{EVALUATION_PORT, webhook_service};
pub use schedules::ClusterSchedules;
pub use subscriptions::ClusterSubscriptions;
pub(crate) use watch::{News, Selectors, Watch};

use feed::Feed;
pub(crate) use kind::{Content, Kind};

/// What is watched, by the names in the log, the metrics and the readiness probe. A process is not
/// ready until each of them has been listed once and is in force.
pub const SOURCES: [&str; 9] = [
    Kind::Policy.source(),
    Kind::ClusterPolicy.source(),
    Kind::Lock.source(),
    Kind::ClusterLock.source(),
    Kind::PolicyBinding.source(),
    Kind::ClusterPolicyBinding.source(),
    Kind::Exemption.source(),
    Kind::ClusterExemption.source(),
    Kind::Namespace.source(),
];

/// News that may wait while the feed compiles: some pages' worth of changes. Beyond them the watch
/// waits, and the API server keeps the rest.
const WAITING_NEWS: usize = 64;

/// How much of the cluster is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All namespaces: the webhook and the operator.
    Cluster,
    /// The cluster's policies and locks, and those of one namespace: a sidecar, whose service
    /// account may read no other.
    Namespace(String),
}

/// Follows the cluster into `mirror` until it is dropped; it never ends by itself.
///
/// ```no_run
/// # async fn sidecar(client: kube::Client) {
/// use std::sync::Arc;
/// use portcullis_operator::cluster::{self, Extent, Mirror};
/// use portcullis_policies::Cache;
/// use portcullis_webhook::Readiness;
///
/// let readiness = Readiness::new(cluster::SOURCES);
/// let mirror = Mirror::new(Arc::new(Cache::new()), readiness);
/// cluster::follow(client, mirror, Extent::Namespace("shop".to_owned())).await;
/// # }
/// ```
pub async fn follow(client: Client, mirror: Arc<Mirror>, extent: Extent) {
    // Compiling has threads of its own, so that it neither waits for evaluations nor delays them.
    let compilers = Evaluators::new(COMPILERS);
    let objects = [
        (Kind::Policy, ApiResource::erase::<crds::Policy>(&())),
        (
            Kind::ClusterPolicy,
            ApiResource::erase::<crds::ClusterPolicy>(&()),
        ),
        (Kind::Lock, ApiResource::erase::<crds::Lock>(&())),
        (
            Kind::ClusterLock,
            ApiResource::erase::<crds::ClusterLock>(&()),
        ),
        (
            Kind::PolicyBinding,
            ApiResource::erase::<crds::PolicyBinding>(&()),
        ),
        (
            Kind::ClusterPolicyBinding,
            ApiResource::erase::<crds::ClusterPolicyBinding>(&()),
        ),
        (Kind::Exemption, ApiResource::erase::<crds::Exemption>(&())),
        (
            Kind::ClusterExemption,
            ApiResource::erase::<crds::ClusterExemption>(&()),
        ),
    ];
    let is_followed = |kind: Kind| extent == Extent::Cluster || !kind.is_for_admission();
    for (kind, _) in objects.iter().filter(|(kind, _)| !is_followed(*kind)) {
        mirror.note_synced(kind.source());
    }
    let objects = objects.into_iter().filter(|(kind, _)| is_followed(*kind));
    let objects = objects.map(|(kind, resource)| {
        let api: Api<DynamicObject> = match &extent {
            Extent::Namespace(namespace) if kind.is_namespaced() => {
                Api::namespaced_with(client.clone(), namespace, &resource)
            }
            _ => Api::all_with(client.clone(), &resource),
        };
        let (news, received) = mpsc::channel(WAITING_NEWS);
        let watch = Watch::new(
            kind.source(),
            api,
            Selectors::default(),
            mirror.clone(),
            news,
        );
        let feed = Feed::new(kind, mirror.clone(), compilers.clone());
        async move {
            tokio::join!(watch.run(), feed.run(received, std::convert::identity));
        }
    });
    let namespaces = {
        let api: Api<PartialObjectMeta<Namespace>> = Api::all(client.clone());
        let selectors = match &extent {
            Extent::Cluster => Selectors::default(),
            Extent::Namespace(namespace) => Selectors {
                fields: Some(format!("metadata.name={namespace}")),
                labels: None,
            },
        };
        let (news, received) = mpsc::channel(WAITING_NEWS);
        let watch = Watch::new(
            Kind::Namespace.source(),
            api,
            selectors,
            mirror.clone(),
            news,
        );
        let feed = Feed::new(Kind::Namespace, mirror.clone(), compilers.clone());
        async move {
            tokio::join!(watch.run(), feed.run(received, kind::without_content));
        }
    };
    let imports = imports::follow(mirror.clone(), compilers.clone());
    let parameters = parameters::follow(client.clone(), mirror.clone());
    tokio::join!(join_all(objects), namespaces, imports, parameters);
}

/// Threads that compile. Two keep a machine of two cores busy at the first list, and leave room on
/// a larger one.
const COMPILERS: usize = 2;

#[cfg(test)]
mod tests;
