//! The `CustomResourceDefinition`s, as the chart ships them and as the API server wants them.
//!
//! What the derive macro makes of the types is finished here:
//!
//! - `kubectl get` has its columns (a table of data, which pairs of kinds share);
//! - no field is `nullable`, so that `notAfter: null` is the same as leaving it out (the API server
//!   drops such a field, and a CEL rule's `has()` then means what it says);
//! - a doc comment's line breaks are undone, because `kubectl explain` wraps lines by itself.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, JSONSchemaProps,
    JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube_core::CustomResourceExt;

use crate::{
    ClusterExemption, ClusterLock, ClusterPolicy, ClusterPolicyBinding, ClusterPolicyImport,
    ClusterPolicySubscription, Exemption, FetchedDocument, Lock, Policy, PolicyBinding,
    PolicySubscription,
};

/// A column of `kubectl get`.
struct Column {
    name: &'static str,
    path: &'static str,
    description: &'static str,
    /// Shown with `-o wide` only.
    wide: bool,
    /// How it is shown: a `date` as the time since then.
    shown: &'static str,
}

const POLICY_COLUMNS: [Column; 6] = [
    column(
        "Address",
        ".status.address",
        "group/name@version, under which the policy is asked",
    ),
    column(
        "Action",
        ".spec.admission.action",
        "What a denial does at admission; empty: not asked",
    ),
    column(
        "Ready",
        ".status.conditions[?(@.type==\"Ready\")].status",
        "Whether the policy does what its spec says, on every replica",
    ),
    column(
        "Enforced",
        ".status.enforcedOn",
        "Replicas that hold this digest, of all ready replicas; or what has taken its place",
    ),
    column(
        "Locked",
        ".status.conditions[?(@.type==\"Locked\")].status",
        "Whether a lock holds the policy",
    ),
    wide(
        "Reason",
        ".status.conditions[?(@.type==\"Ready\")].reason",
        "Why the policy is ready or not",
    ),
];

const LOCK_COLUMNS: [Column; 5] = [
    column(
        "Effect",
        ".spec.effect",
        "Refuse: locked policies deny. Bypass: they are not enforced",
    ),
    column("Reason", ".spec.reason", "Why the lock was made"),
    column("Expires", ".spec.expiresAt", "When the lock ends by itself"),
    column(
        "Active",
        ".status.conditions[?(@.type==\"Active\")].status",
        "Whether the lock holds at least one policy now",
    ),
    wide(
        "Locked",
        ".status.locked",
        "Addresses of the policies that the lock holds",
    ),
];

const BINDING_COLUMNS: [Column; 6] = [
    column(
        "Policy",
        ".status.policy",
        "group/name@version of the policy that is bound",
    ),
    column("Action", ".spec.action", "What a denial does"),
    column(
        "Ready",
        ".status.conditions[?(@.type==\"Ready\")].status",
        "Whether the binding does what its spec says, on every replica",
    ),
    column(
        "Reason",
        ".status.conditions[?(@.type==\"Ready\")].reason",
        "Why the binding is ready or not",
    ),
    wide(
        "Parameters",
        ".status.parameters",
        "Objects that parameters are taken of",
    ),
    wide(
        "Failure",
        ".spec.failurePolicy",
        "What happens when the policy cannot answer",
    ),
];

const EXEMPTION_COLUMNS: [Column; 5] = [
    column(
        "Policies",
        ".status.exempts",
        "Addresses of the policies that honour the exemption",
    ),
    column("Reason", ".spec.reason", "Why the exemption was made"),
    column("Approver", ".spec.approver", "Who approved it"),
    column(
        "Expires",
        ".spec.expiresAt",
        "When the exemption ends by itself",
    ),
    column(
        "Active",
        ".status.conditions[?(@.type==\"Active\")].status",
        "Whether at least one policy honours the exemption now",
    ),
];

const SUBSCRIPTION_COLUMNS: [Column; 6] = [
    column("Group", ".spec.group", "First part of the policy's address"),
    column("Name", ".spec.name", "Second part of the policy's address"),
    column(
        "Version",
        ".spec.version",
        "Third part of the policy's address",
    ),
    column("Subscriber", ".spec.subscriber", "Who is told"),
    column(
        "Delivered",
        ".status.delivered",
        "When an event was delivered last",
    ),
    wide(
        "Failure",
        ".status.failure",
        "Why the last event was not delivered",
    ),
];

const IMPORT_COLUMNS: [Column; 5] = [
    column("Policy", ".status.policy", "What came of it last"),
    column("Interval", ".spec.interval", "How often it is fetched"),
    column(
        "Succeeded",
        ".status.succeeded",
        "When it was imported last, or found to be the same",
    ),
    column("Failure", ".status.failure", "Why the last attempt failed"),
    wide("URL", ".spec.url", "Where it is fetched"),
];

const DOCUMENT_COLUMNS: [Column; 5] = [
    column("URL", ".spec.url", "What was asked, without the query"),
    Column {
        shown: "date",
        ..column(
            "Fetched",
            ".status.fetched",
            "Since when the document is known to be what it is",
        )
    },
    Column {
        shown: "integer",
        ..column("Size", ".status.size", "Bytes of the document")
    },
    column("Failure", ".status.failure", "Why the last attempt failed"),
    wide(
        "Namespace",
        ".spec.namespace",
        "The namespace of the policies that ask",
    ),
];

/// The definitions of all our kinds, those of a namespace and those of the cluster in turn.
pub fn all() -> [CustomResourceDefinition; 12] {
    [
        finished(Policy::crd(), &POLICY_COLUMNS),
        finished(ClusterPolicy::crd(), &POLICY_COLUMNS),
        finished(Lock::crd(), &LOCK_COLUMNS),
        finished(ClusterLock::crd(), &LOCK_COLUMNS),
        finished(PolicyBinding::crd(), &BINDING_COLUMNS),
        finished(ClusterPolicyBinding::crd(), &BINDING_COLUMNS),
        finished(Exemption::crd(), &EXEMPTION_COLUMNS),
        finished(ClusterExemption::crd(), &EXEMPTION_COLUMNS),
        finished(PolicySubscription::crd(), &SUBSCRIPTION_COLUMNS),
        finished(ClusterPolicySubscription::crd(), &SUBSCRIPTION_COLUMNS),
        finished(ClusterPolicyImport::crd(), &IMPORT_COLUMNS),
        finished(FetchedDocument::crd(), &DOCUMENT_COLUMNS),
    ]
}

/// The schema of a whole object of this kind; none for a kind that is not ours.
pub fn schema_of(kind: &str) -> Option<JSONSchemaProps> {
    let definition = all()
        .into_iter()
        .find(|definition| definition.spec.names.kind == kind)?;
    definition
        .spec
        .versions
        .into_iter()
        .next()?
        .schema?
        .open_api_v3_schema
}

fn finished(
    mut definition: CustomResourceDefinition,
    columns: &[Column],
) -> CustomResourceDefinition {
    for version in &mut definition.spec.versions {
        version.additional_printer_columns = Some(printer_columns(columns));
        let schema = version
            .schema
            .as_mut()
            .and_then(|schema| schema.open_api_v3_schema.as_mut());
        if let Some(schema) = schema {
            schema.title = None;
            visit(schema, &mut finish);
        }
    }
    definition
}

/// The columns as the API server has them, and the age behind them.
fn printer_columns(columns: &[Column]) -> Vec<CustomResourceColumnDefinition> {
    let printed = |column: &Column| CustomResourceColumnDefinition {
        name: column.name.to_owned(),
        json_path: column.path.to_owned(),
        description: Some(column.description.to_owned()),
        priority: column.wide.then_some(1),
        type_: column.shown.to_owned(),
        format: None,
    };
    let age = CustomResourceColumnDefinition {
        name: "Age".to_owned(),
        json_path: ".metadata.creationTimestamp".to_owned(),
        type_: "date".to_owned(),
        ..CustomResourceColumnDefinition::default()
    };
    columns.iter().map(printed).chain([age]).collect()
}

const fn column(name: &'static str, path: &'static str, description: &'static str) -> Column {
    Column {
        name,
        path,
        description,
        wide: false,
        shown: "string",
    }
}

const fn wide(name: &'static str, path: &'static str, description: &'static str) -> Column {
    Column {
        wide: true,
        ..column(name, path, description)
    }
}

fn finish(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    if let Some(description) = &mut schema.description {
        *description = reflowed(description);
    }
}

/// Undoes the line breaks within paragraphs.
fn reflowed(text: &str) -> String {
    let paragraphs = text
        .split("\n\n")
        .map(|paragraph| paragraph.trim().replace('\n', " "));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

/// Calls `each` for a schema and for every schema below it.
pub(crate) fn visit(schema: &mut JSONSchemaProps, each: &mut impl FnMut(&mut JSONSchemaProps)) {
    each(schema);
    for property in schema
        .properties
        .iter_mut()
        .flat_map(|properties| properties.values_mut())
    {
        visit(property, each);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        visit(items, each);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        visit(values, each);
    }
}
