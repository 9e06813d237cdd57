//! Everything that answers: admission, the evaluation API and the administrator's port.
//!
//! ```text
//!            ┌ admission_router   /admission/…  /resources        TLS, the API server asks
//! serve ─────┼ evaluation_router  /policy/… /v1/… /openapi.json   services ask
//!            └ admin_router       /livez /readyz /metrics         kubelet and Prometheus ask
//!                   │
//!                 Doors ── Arc<Snapshot> ── Evaluators (own threads, bounded queue) ── Decision
//! ```
//!
//! A request takes no lock of the cache, makes no network call and looks nothing up: it loads the
//! published snapshot and evaluates on a thread of [`Evaluators`], never on the reactor and never
//! without a deadline. The exceptions are the lock endpoints, `/decisions/…`, `/v1/policy/import`
//! and `…/notifychange`, which hand the caller's bearer token to the [`LockKeeper`], to the
//! [`DecisionReaders`], to the [`ArchiveKeeper`] and to the [`SubscriptionKeeper`].

mod access;
mod admin;
mod admission;
mod archive;
mod body;
mod caller;
mod certificate;
mod connections;
mod deadline;
mod decision_log;
mod doors;
mod evaluation;
mod evaluators;
mod exchange;
mod identity;
mod journal;
mod locks;
mod metrics;
mod opa;
mod openapi;
mod outbound;
mod parameters;
mod pass;
mod problem;
mod question;
mod readers;
mod readiness;
mod replicas;
mod resources;
mod results;
mod routes;
mod server;
mod shadows;
mod shutdown;
mod status;
mod subscriptions;
mod validity;
mod whence;

pub use access::{
    Access, AccessFault, Action, Authenticator, AuthorityFault, CertificateReader,
    ClientAuthorities, Identified, Identity, Method, NameFault, Rate, Verdict,
};
pub use admin::admin_router;
pub use admission::{admission_router, judge};
pub use archive::{
    ArchiveFault, ArchiveKeeper, Exported, ImportAction, ImportRequest, ImportScheduler, Imported,
    NoArchives, NoSchedules, ScheduledImport, VerifyingKey,
};
pub use caller::Caller;
pub use certificate::{Certificate, CertificateFault};
pub use deadline::parse_duration;
pub use decision_log::{
    DecisionLog, DecisionLogSettings, DecisionSink, Feed, LogEntry, Loss, SinkCounts, Waited,
};
pub use doors::{DoorSettings, Doors};
pub use evaluation::evaluation_router;
pub use evaluators::{Evaluators, STACK_BYTES, Unanswered};
pub use journal::JournalSettings;
pub use locks::{LockFault, LockKeeper, LockRequest};
pub use opa::DecisionPath;
pub use openapi::openapi;
pub use outbound::OutboundFault;
pub use pass::pass_of;
pub use readers::{DecisionReaders, ReaderFault};
pub use readiness::Readiness;
pub use replicas::{Elsewhere, KEPT_AT, OtherReplicas, ReplicasFault};
pub use resources::{ResourceAnswer, ResourceReview, ResourceReviewer};
pub use results::MAX_RESULT;
pub use server::{ServeFault, Transport, serve};
pub use shutdown::{Phase, Shutdown, Trigger};
pub use status::{MetricsWriter, status_router};
pub use subscriptions::{NewSubscription, NoSubscriptions, Subscribed, SubscriptionKeeper};
