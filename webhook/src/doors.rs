//! What all doors share.

use std::sync::Arc;

use axum::Router;
use portcullis_policies::Cache;

use crate::{Certificate, Evaluators, LockKeeper, Readiness, ResourceReviewer};

/// What the doors are made of.
pub struct DoorSettings {
    /// The policies.
    pub cache: Arc<Cache>,
    /// The threads that evaluate.
    pub evaluators: Evaluators,
    /// Whether this replica may be asked.
    pub readiness: Readiness,
    /// Makes and removes locks.
    pub locks: Arc<dyn LockKeeper>,
    /// Judges our own resources, where the API server asks.
    pub resources: Option<Arc<dyn ResourceReviewer>>,
    /// The certificate, whose end is measured; `None` where connections are plain.
    pub certificate: Option<Arc<Certificate>>,
    /// The repository's name in paths and lists.
    pub repository: String,
}

/// What all doors share. Cheap to clone.
#[derive(Clone)]
pub struct Doors(Arc<DoorSettings>);

impl Doors {
    /// Doors that are made of `settings`.
    pub fn new(settings: DoorSettings) -> Self {
        Self(Arc::new(settings))
    }
}

/// The API server's door: `/admission/{cluster|namespace}/{fail|ignore}` and `/resources`.
pub fn admission_router(_doors: Doors) -> Router {
    Router::new()
}

/// The evaluation API with its documents.
pub fn evaluation_router(_doors: Doors) -> Router {
    Router::new()
}

/// The administrator's port: `/livez`, `/readyz`, `/metrics`.
pub fn admin_router(_doors: Doors) -> Router {
    Router::new()
}

/// The evaluation API as an OpenAPI document, in readable JSON.
pub fn openapi() -> String {
    String::new()
}
