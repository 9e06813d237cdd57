//! Checks a document against the schema of its kind, as the API server does.

use std::sync::LazyLock;

use jsonschema::Validator;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use portcullis_crds::{Manifest, ManifestError, definitions};
use serde_json::Value as Json;

/// One thing that is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldFault {
    pub path: FieldPath,
    pub code: &'static str,
    pub message: String,
    pub remedy: Option<String>,
}

/// Where in a document it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FieldPath {
    /// A key: `spec.rules[0].resource`.
    Key(String),
    /// A value: `/spec/rules/0`.
    Value(String),
}

struct Schema {
    kind: &'static str,
    properties: JSONSchemaProps,
    validator: Validator,
}

/// Made once: a directory may hold thousands of manifests.
static SCHEMAS: LazyLock<Vec<Schema>> = LazyLock::new(|| {
    let schema = |kind| {
        let properties = definitions::schema_of(kind)?;
        let document = serde_json::to_value(&properties).ok()?;
        let validator = jsonschema::validator_for(&document).ok()?;
        Some(Schema {
            kind,
            properties,
            validator,
        })
    };
    ["Policy", "ClusterPolicy", "Lock", "ClusterLock"]
        .into_iter()
        .filter_map(schema)
        .collect()
});

/// Removes fields that are `null`, which are as absent, except where any JSON may stand.
pub(super) fn drop_nulls(document: &mut Json) {
    let kind = document
        .get("kind")
        .and_then(Json::as_str)
        .unwrap_or_default()
        .to_owned();
    if let Some(schema) = SCHEMAS.iter().find(|schema| schema.kind == kind) {
        drop_nulls_in(&schema.properties, document);
    }
}

fn drop_nulls_in(schema: &JSONSchemaProps, value: &mut Json) {
    if schema.x_kubernetes_preserve_unknown_fields == Some(true) {
        return;
    }
    match value {
        Json::Object(fields) => {
            let known = |key: &String| match (&schema.properties, &schema.additional_properties) {
                (Some(properties), _) if properties.contains_key(key) => properties.get(key),
                (_, Some(JSONSchemaPropsOrBool::Schema(schema))) => Some(schema.as_ref()),
                _ => None,
            };
            fields.retain(|key, value| !(value.is_null() && known(key).is_some()));
            for (key, value) in fields {
                if let Some(schema) = known(key) {
                    drop_nulls_in(schema, value);
                }
            }
        }
        Json::Array(items) => {
            if let Some(JSONSchemaPropsOrArray::Schema(schema)) = &schema.items {
                items
                    .iter_mut()
                    .for_each(|item| drop_nulls_in(schema, item));
            }
        }
        _ => {}
    }
}

/// Reads an object of one of our kinds, or tells all that is wrong with it.
pub(super) fn read(document: &Json) -> Result<Manifest, Vec<FieldFault>> {
    let mut faults = Vec::new();
    let manifest = match Manifest::read(document.clone()) {
        Ok(manifest) => Some(manifest),
        Err(ManifestError::UnknownFields { paths }) => {
            faults.extend(paths.into_iter().map(unknown_field));
            None
        }
        Err(error @ ManifestError::Field { .. }) => {
            // The schema tells the same with a place; this is what is left where it does not.
            faults.push(unreadable(document, &error));
            None
        }
        Err(error @ (ManifestError::ApiVersion { .. } | ManifestError::Kind { .. })) => {
            return Err(vec![FieldFault {
                path: FieldPath::Value(String::new()),
                code: "kind_unknown",
                message: error.to_string(),
                remedy: None,
            }]);
        }
    };
    let kind = document
        .get("kind")
        .and_then(Json::as_str)
        .unwrap_or_default();
    if let Some(schema) = SCHEMAS.iter().find(|schema| schema.kind == kind) {
        let found: Vec<FieldFault> = schema
            .validator
            .iter_errors(document)
            .map(|error| invalid(&error))
            .collect();
        if !found.is_empty() {
            faults.retain(|fault| fault.code == UNKNOWN);
            faults.extend(found);
        }
    }
    match manifest {
        Some(manifest) if faults.is_empty() => Ok(manifest),
        _ => Err(faults),
    }
}

const UNKNOWN: &str = "field_unknown";

fn unknown_field(path: String) -> FieldFault {
    FieldFault {
        code: UNKNOWN,
        message: format!("unknown field `{path}`"),
        remedy: Some("correct the name or remove the field".to_owned()),
        path: FieldPath::Key(path),
    }
}

fn invalid(error: &jsonschema::ValidationError<'_>) -> FieldFault {
    let pointer = error.instance_path().to_string();
    let field = pointer.trim_start_matches('/').replace('/', ".");
    let message = if field.is_empty() {
        error.to_string()
    } else {
        format!("`{field}`: {error}")
    };
    // YAML reads `1.0` as a number and `y` as a boolean.
    let scalar = error.instance().is_number() || error.instance().is_boolean();
    let unquoted = scalar && message.ends_with("is not of type \"string\"");
    FieldFault {
        path: FieldPath::Value(pointer),
        code: "field_invalid",
        message,
        remedy: unquoted.then(|| "put the value into double quotes".to_owned()),
    }
}

fn unreadable(document: &Json, error: &ManifestError) -> FieldFault {
    let cause = std::error::Error::source(error)
        .map(ToString::to_string)
        .unwrap_or_default();
    let at_spec = document.get("spec").is_some();
    FieldFault {
        path: FieldPath::Value(if at_spec { "/spec" } else { "" }.to_owned()),
        code: "field_invalid",
        message: format!("{error}: {cause}"),
        remedy: None,
    }
}
