//! Reading one object of any of our kinds, strictly.
//!
//! The API server prunes unknown fields and `kubectl` warns of them; whoever reads manifests from a
//! directory must notice them alone. A misspelt `failurePolcy` would otherwise be a default in
//! silence.

use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::Value;

use crate::{
    API_VERSION, ClusterExemption, ClusterLock, ClusterPolicy, ClusterPolicyBinding, Exemption,
    Lock, Policy, PolicyBinding, definitions,
};

/// An object of one of our kinds.
#[derive(Clone, Debug, PartialEq)]
pub enum Manifest {
    /// A policy for one namespace.
    Policy(Box<Policy>),
    /// A policy for the whole cluster.
    ClusterPolicy(Box<ClusterPolicy>),
    /// A lock for the policies of one namespace.
    Lock(Box<Lock>),
    /// A lock for cluster policies.
    ClusterLock(Box<ClusterLock>),
    /// A binding of one namespace.
    PolicyBinding(Box<PolicyBinding>),
    /// A binding of the cluster.
    ClusterPolicyBinding(Box<ClusterPolicyBinding>),
    /// An exemption in one namespace.
    Exemption(Box<Exemption>),
    /// An exemption of cluster policies.
    ClusterExemption(Box<ClusterExemption>),
}

/// Why a document is not one of our objects.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Another API, or none.
    #[error("apiVersion is `{found}`: write apiVersion: {API_VERSION}")]
    ApiVersion {
        /// What stands there; empty when nothing does.
        found: String,
    },
    /// Our API, but no such kind.
    #[error("kind is `{found}`: {}", other_than(found))]
    Kind {
        /// What stands there; empty when nothing does.
        found: String,
    },
    /// Fields that the kind does not have.
    #[error("unknown field `{}`: correct or remove it", paths.join("`, `"))]
    UnknownFields {
        /// Paths such as `spec.admission.failurePolcy`.
        paths: Vec<String>,
    },
    /// A field is missing, or of the wrong type or value.
    #[error("not a {kind}")]
    Field {
        /// The kind that it says it is.
        kind: &'static str,
        /// Which field, and what is wrong.
        #[source]
        source: serde_json::Error,
    },
}

impl Manifest {
    /// Reads an object. The rules that only CEL knows are not checked: whoever turns the object
    /// into something that runs checks what it needs.
    pub fn read(document: Value) -> Result<Self, ManifestError> {
        let text = |key: &str| {
            document
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        if text("apiVersion") != API_VERSION {
            return Err(ManifestError::ApiVersion {
                found: text("apiVersion").to_owned(),
            });
        }
        match text("kind") {
            "Policy" => read("Policy", document).map(Self::Policy),
            "ClusterPolicy" => read("ClusterPolicy", document).map(Self::ClusterPolicy),
            "Lock" => read("Lock", document).map(Self::Lock),
            "ClusterLock" => read("ClusterLock", document).map(Self::ClusterLock),
            "PolicyBinding" => read("PolicyBinding", document).map(Self::PolicyBinding),
            "ClusterPolicyBinding" => {
                read("ClusterPolicyBinding", document).map(Self::ClusterPolicyBinding)
            }
            "Exemption" => read("Exemption", document).map(Self::Exemption),
            "ClusterExemption" => read("ClusterExemption", document).map(Self::ClusterExemption),
            other => Err(ManifestError::Kind {
                found: other.to_owned(),
            }),
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(
    kind: &'static str,
    document: Value,
) -> Result<T, ManifestError> {
    let schema = SCHEMAS
        .iter()
        .find(|(name, _)| *name == kind)
        .map(|(_, schema)| schema);
    let mut paths = Vec::new();
    if let Some(schema) = schema {
        unknown_fields(schema, &document, "", &mut paths);
    }
    if !paths.is_empty() {
        return Err(ManifestError::UnknownFields { paths });
    }
    serde_json::from_value(document).map_err(|source| ManifestError::Field { kind, source })
}

/// Kinds that the operator acts on, and that say nothing where there is no cluster.
const OF_A_CLUSTER: [&str; 4] = [
    "PolicySubscription",
    "ClusterPolicySubscription",
    "ClusterPolicyImport",
    "FetchedDocument",
];

/// What to do about a kind that is read nowhere but in a cluster, or nowhere at all.
fn other_than(found: &str) -> String {
    if OF_A_CLUSTER.contains(&found) {
        return "it is for a cluster alone, so keep it out of directories that are served"
            .to_owned();
    }
    format!("write one of {}", KINDS.join(", "))
}

/// The names of the kinds that are read.
const KINDS: [&str; 8] = [
    "Policy",
    "ClusterPolicy",
    "Lock",
    "ClusterLock",
    "PolicyBinding",
    "ClusterPolicyBinding",
    "Exemption",
    "ClusterExemption",
];

/// The schemas by kind, made once: a directory may hold thousands of manifests.
static SCHEMAS: LazyLock<Vec<(&str, JSONSchemaProps)>> = LazyLock::new(|| {
    KINDS
        .into_iter()
        .filter_map(|kind| Some((kind, definitions::schema_of(kind)?)))
        .collect()
});

/// Adds the paths of the fields that the schema does not name. `apiVersion`, `kind` and `metadata`
/// are every object's own.
fn unknown_fields(schema: &JSONSchemaProps, value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if schema.x_kubernetes_preserve_unknown_fields == Some(true) {
                return;
            }
            for (key, value) in fields {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                let named = schema.properties.as_ref().and_then(|known| known.get(key));
                let any = match &schema.additional_properties {
                    Some(JSONSchemaPropsOrBool::Schema(schema)) => Some(&**schema),
                    _ => None,
                };
                match named.or(any) {
                    Some(schema) => unknown_fields(schema, value, &path, found),
                    None if matches!(path.as_str(), "apiVersion" | "kind" | "metadata") => {}
                    None => found.push(path),
                }
            }
        }
        Value::Array(items) => {
            let Some(JSONSchemaPropsOrArray::Schema(schema)) = &schema.items else {
                return;
            };
            for (index, item) in items.iter().enumerate() {
                unknown_fields(schema, item, &format!("{path}[{index}]"), found);
            }
        }
        _ => {}
    }
}
