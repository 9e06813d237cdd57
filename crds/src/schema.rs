//! Schema fragments for fields whose Rust type says too little: free-form JSON, lists with bounds,
//! label selectors, conditions.
//!
//! Bounds are chosen far above what anybody writes and low enough that the CEL rules beside them
//! stay cheap by the API server's estimate (`rules`).

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::rules;

/// Lengths of a DNS subdomain, as API groups and label prefixes have it.
const SUBDOMAIN: u32 = 253;

/// `modules`: file name to source. An object of etcd's default 1.5 MiB holds two such files at
/// their longest, so the true bound is the object's.
pub(crate) fn modules(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": {"type": "string", "maxLength": 524_288},
        "x-kubernetes-validations": rules::modules(),
    })
}

/// Hosts, each with `*.` in front and a port behind it at the most.
pub(crate) fn hosts(_: &mut SchemaGenerator) -> Schema {
    strings(32, SUBDOMAIN + 8, &rules::hosts())
}

/// An object in which anything may stand.
pub(crate) fn free_form(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// The API groups of a resource rule.
pub(crate) fn api_groups(_: &mut SchemaGenerator) -> Schema {
    strings(
        16,
        SUBDOMAIN,
        &rules::wildcard_or("apiGroups", "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$", "apps"),
    )
}

/// The API versions of a resource rule.
pub(crate) fn api_versions(_: &mut SchemaGenerator) -> Schema {
    strings(
        16,
        63,
        &rules::wildcard_or("apiVersions", "^[a-z]([-a-z0-9]*[a-z0-9])?$", "v1"),
    )
}

/// The resources of a resource rule, with their subresources.
pub(crate) fn resources(_: &mut SchemaGenerator) -> Schema {
    let pattern = "^([*]|[a-z]([-a-z0-9]*[a-z0-9])?)(/([*]|[a-z]([-a-z0-9]*[a-z0-9])?))?$";
    strings(64, 127, &rules::wildcard_or("resources", pattern, "pods"))
}

/// The selector of a lock, which must not be empty.
pub(crate) fn lock_selector(_: &mut SchemaGenerator) -> Schema {
    let mut schema = label_selector();
    schema.insert(
        "x-kubernetes-validations".to_owned(),
        rules::lock_selector(),
    );
    schema
}

/// Names of objects, or patterns of them.
pub(crate) fn resource_names(_: &mut SchemaGenerator) -> Schema {
    strings(64, SUBDOMAIN, &rules::resource_names())
}

/// Names of namespaces, or patterns of them.
pub(crate) fn exempted_namespaces(_: &mut SchemaGenerator) -> Schema {
    strings(64, 63, &rules::exempted_namespaces())
}

/// Patterns of images. A registry's name, a path and a digest have some 400 characters together.
pub(crate) fn image_patterns(_: &mut SchemaGenerator) -> Schema {
    strings(32, 512, &rules::image_patterns())
}

/// Names of users or groups, or patterns of them.
pub(crate) fn requesters(_: &mut SchemaGenerator) -> Schema {
    strings(32, SUBDOMAIN, &rules::requesters())
}

/// A selector that when empty matches everything.
pub(crate) fn selector(_: &mut SchemaGenerator) -> Schema {
    label_selector()
}

/// Conditions as `metav1.Condition` has them, merged by type in server-side apply.
pub(crate) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "description": "One aspect of the state of this object.",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "type": {
                    "type": "string",
                    "description": "The aspect, such as `Ready`.",
                    "maxLength": 316,
                },
                "status": {
                    "type": "string",
                    "description": "Whether it holds: `True`, `False` or `Unknown`.",
                    "enum": ["True", "False", "Unknown"],
                },
                "observedGeneration": {
                    "type": "integer",
                    "format": "int64",
                    "minimum": 0,
                    "description": "The `metadata.generation` that the condition speaks of.",
                },
                "lastTransitionTime": {
                    "type": "string",
                    "format": "date-time",
                    "description": "When `status` last changed.",
                },
                "reason": {
                    "type": "string",
                    "description": "Why, in one word for programs, such as `CompileFailed`.",
                    "minLength": 1,
                    "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                },
                "message": {
                    "type": "string",
                    "description": "Why, in a sentence for people, with what to do about it.",
                    "maxLength": crate::conditions::MESSAGE_LIMIT,
                },
            },
        },
    })
}

/// `metav1.LabelSelector`, with bounds.
fn label_selector() -> Schema {
    json_schema!({
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "matchLabels": {
                "type": "object",
                "description": "Labels that must all be there with these values.",
                "maxProperties": 32,
                "additionalProperties": {"type": "string", "maxLength": 63},
            },
            "matchExpressions": {
                "type": "array",
                "description": "Conditions on labels that must all hold.",
                "maxItems": 32,
                "x-kubernetes-list-type": "atomic",
                "items": {
                    "type": "object",
                    "required": ["key", "operator"],
                    "x-kubernetes-validations": rules::label_expression(),
                    "properties": {
                        "key": {
                            "type": "string",
                            "description": "The label.",
                            "minLength": 1,
                            "maxLength": SUBDOMAIN + 1 + 63,
                        },
                        "operator": {
                            "type": "string",
                            "description": "How the label compares with `values`: `In`, `NotIn`, \
                                            `Exists` or `DoesNotExist`.",
                            "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
                        },
                        "values": {
                            "type": "array",
                            "description": "What `In` and `NotIn` compare with.",
                            "maxItems": 32,
                            "x-kubernetes-list-type": "atomic",
                            "items": {"type": "string", "maxLength": 63},
                        },
                    },
                },
            },
        },
    })
}

/// A list of strings, at most `items` of them, each of at most `length` characters.
fn strings(items: u32, length: u32, rules: &Value) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": items,
        "x-kubernetes-list-type": "atomic",
        "x-kubernetes-validations": rules,
        "items": json!({"type": "string", "maxLength": length}),
    })
}
