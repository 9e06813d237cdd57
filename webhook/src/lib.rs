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
//! without a deadline. The one exception are the lock endpoints, which hand the caller's bearer
//! token to the [`LockKeeper`].

mod caller;
mod certificate;
mod doors;
mod evaluators;
mod locks;
mod readiness;
mod resources;
mod server;
mod shutdown;

pub use caller::Caller;
pub use certificate::{Certificate, CertificateFault};
pub use doors::{DoorSettings, Doors, admin_router, admission_router, evaluation_router, openapi};
pub use evaluators::{Evaluators, Unanswered};
pub use locks::{LockFault, LockKeeper, LockRequest};
pub use readiness::Readiness;
pub use resources::{ResourceAnswer, ResourceReview, ResourceReviewer};
pub use server::{ServeFault, Transport, serve};
pub use shutdown::{Phase, Shutdown, Trigger};
