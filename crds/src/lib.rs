//! The API of Portcullis: what a user writes with `kubectl apply`, and what the operator answers
//! in `status`. Types and their schemas, and nothing that acts on them.
//!
//! | room | what is in it |
//! |---|---|
//! | [`policy`] | `Policy` and `ClusterPolicy`, which share [`PolicySpec`] |
//! | [`admission`] | the part of a policy that puts it in front of the API server |
//! | [`binding`] | `PolicyBinding` and `ClusterPolicyBinding`: one policy at several places |
//! | [`workloads`] | kinds whose Pod templates a policy judges as well |
//! | [`lock`] | `Lock` and `ClusterLock`, which take policies out of evaluation |
//! | [`exemption`] | `Exemption` and `ClusterExemption`, which have policies leave objects alone |
//! | [`subscription`] | `PolicySubscription` and `ClusterPolicySubscription`: who is told of changes |
//! | [`import`] | `ClusterPolicyImport`: an archive that is fetched periodically |
//! | [`fetched`] | `FetchedDocument`: what was fetched for `dataFrom.http` |
//! | [`conditions`] | building and merging the conditions of a status |
//! | [`time`] | the times and durations that a spec holds as text |
//! | [`manifest`] | reading one object of any of our kinds, strictly |
//! | [`definitions`] | the `CustomResourceDefinition`s, as the chart ships them |
//! | `rules`, `schema` | the CEL rules and the schema fragments that the types above refer to |
//!
//! A spec is kept as it was written: times, durations and versions are text here, which the API
//! server has checked against the schema. A reader that gets objects from elsewhere (a directory,
//! an older schema) must still treat a value that does not parse as a broken policy.

pub mod admission;
pub mod binding;
pub mod conditions;
pub mod data;
pub mod definitions;
pub mod exemption;
pub mod fetched;
pub mod import;
pub mod limits;
pub mod lock;
pub mod manifest;
pub mod policy;
mod rules;
mod schema;
pub mod subscription;
pub mod time;
pub mod workloads;

pub use admission::{
    Action, ActionAt, Admission, FailurePolicy, Match, MatchCondition, Operation, ResourceRule,
    ResourceScope,
};
pub use binding::{
    Binding, BindingStatus, BoundClusterPolicy, BoundPolicy, ClusterPolicyBinding,
    ClusterPolicyBindingSpec, NotFound, ParametersFrom, PolicyBinding, PolicyBindingSpec,
    PolicyKind,
};
pub use conditions::{ConditionType, Finding};
pub use data::{DataFrom, HttpHeader, HttpMethod, HttpSource, KeyReference};
pub use exemption::{
    ClusterExemption, ClusterExemptionSpec, ExemptedObjects, ExemptedPolicy, Exemption,
    ExemptionSpec, ExemptionStatus,
};
pub use fetched::{FetchedDocument, FetchedDocumentSpec, FetchedDocumentStatus};
pub use import::{ClusterPolicyImport, ClusterPolicyImportSpec, ImportStatus};
pub use lock::{
    ClusterLock, ClusterLockSpec, Effect, Lock, LockSpec, LockStatus, Point, PolicyReference,
};
pub use manifest::{Manifest, ManifestError};
pub use policy::{
    ClusterPolicy, ClusterPolicySpec, Decision, EffectiveRegoVersion, ExemptibleBy, Import,
    ImportScope, InPlaceOf, Limits, Network, Policy, PolicySpec, PolicyStatus, RegoVersion,
    Replicas, Severity, ShadowExample, ShadowStatus, Verdict,
};
pub use subscription::{
    ClusterPolicySubscription, ClusterPolicySubscriptionSpec, PolicySubscription,
    PolicySubscriptionSpec, SubscriptionStatus, ToldState,
};
pub use workloads::{CustomWorkload, WorkloadKind, Workloads};

pub use rules::HEADERS_OF_THE_CLIENT;

/// The API group of all our kinds.
pub const GROUP: &str = "portcullis.dev";

/// The one served and stored version.
pub const VERSION: &str = "v1alpha1";

/// `apiVersion` of all our kinds.
pub const API_VERSION: &str = "portcullis.dev/v1alpha1";
