//! What the door for our own resources needs of whoever can judge them.

use portcullis_policies::Operation;
use serde_json::Value as Json;

/// Judges our own resources when they are applied. Synchronous work of the processor, called on an
/// evaluator's thread.
pub trait ResourceReviewer: Send + Sync {
    /// Judges one resource.
    fn review(&self, review: ResourceReview) -> ResourceAnswer;
}

/// One of our own resources that somebody applies.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceReview {
    /// The kind: `ClusterPolicy`.
    pub kind: String,
    /// What is done to it; never a deletion, which needs nobody's leave.
    pub operation: Operation,
    /// The object's name; empty where the API server is to make one up.
    pub name: String,
    /// The object's namespace, if it has one.
    pub namespace: Option<String>,
    /// The object as it would be.
    pub object: Option<Json>,
    /// The object as it is, at an update.
    pub old: Option<Json>,
}

/// What is said about a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceAnswer {
    /// Why it is refused, if it is.
    pub refusal: Option<String>,
    /// What its author is warned of.
    pub warnings: Vec<String>,
}
