//! What tests apply: files of this checkout and objects that they build, with a label by which all
//! of it is found and put away again.

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Value, json};

use crate::programs;

/// The label of everything that the tests make.
pub const LABEL: &str = "e2e.portcullis.dev/made-by";
/// The label's value.
pub const MAKER: &str = "tests";

/// The objects of a YAML file, by its path from the top of the checkout.
pub fn read(path: &str) -> Result<Vec<Value>> {
    let file = programs::checkout().join(path);
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {path}"))?;
    parse(&text).with_context(|| format!("{path} is not YAML"))
}

/// The objects of a YAML text.
pub fn parse(text: &str) -> Result<Vec<Value>> {
    Ok(serde_saphyr::from_multiple(text)?)
}

/// An object as JSON.
pub fn object(object: &impl Serialize) -> Result<Value> {
    Ok(serde_json::to_value(object)?)
}

/// An object in a namespace.
#[must_use]
pub fn in_namespace(mut object: Value, namespace: &str) -> Value {
    object["metadata"]["namespace"] = json!(namespace);
    object
}

/// The objects as one text for `kubectl -f -`, each with the label.
pub fn labelled(objects: &[Value]) -> String {
    let items: Vec<Value> = objects
        .iter()
        .map(|object| {
            let mut object = object.clone();
            object["metadata"]["labels"][LABEL] = json!(MAKER);
            object
        })
        .collect();
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}
