//! What a request brings along.

use std::collections::BTreeMap;

use super::{
    evaluate::{Fault, Result},
    term::Variable,
};
use crate::{Labels, rego::value::Value};

/// What a request brings along.
#[derive(Debug)]
pub(super) struct Variables {
    request: Value,
    object: Value,
    old_object: Value,
    params: Value,
    /// `None` where it is not known.
    namespace: Option<Value>,
}

impl Variables {
    /// Those of an `AdmissionRequest`; `labels` are those of its namespace, where they are known.
    pub(super) fn new(request: &Value, params: &Value, labels: Option<&Labels>) -> Self {
        let member = |key: &str| {
            let found = request.as_object().ok()?.get(&Value::from(key));
            found.cloned()
        };
        let text = |value: &Value, key: &str| match value.as_object().ok()?.get(&Value::from(key)) {
            Some(Value::String(text)) => Some(text.to_string()),
            _ => None,
        };
        let kind = member("kind").unwrap_or(Value::Null);
        // A Namespace has its own name as its request's namespace, and none that it is in.
        let is_namespace = text(&kind, "kind").as_deref() == Some("Namespace")
            && text(&kind, "group").unwrap_or_default().is_empty();
        let name = text(request, "namespace").filter(|name| !name.is_empty() && !is_namespace);
        let namespace = match (name, labels) {
            (None, _) => Some(Value::Null),
            (Some(_), None) => None,
            (Some(name), Some(labels)) => Some(namespace(&name, labels)),
        };
        Self {
            request: request.clone(),
            object: member("object").unwrap_or(Value::Null),
            old_object: member("oldObject").unwrap_or(Value::Null),
            params: params.clone(),
            namespace,
        }
    }

    /// What one of them is.
    pub(super) fn get(&self, variable: Variable) -> Result<Value> {
        Ok(match variable {
            Variable::Object => self.object.clone(),
            Variable::OldObject => self.old_object.clone(),
            Variable::Request => self.request.clone(),
            Variable::Params => self.params.clone(),
            Variable::NamespaceObject => self.namespace.clone().ok_or(Fault::Unknown)?,
        })
    }
}

fn namespace(name: &str, labels: &Labels) -> Value {
    let object = |members: Vec<(&str, Value)>| {
        let members = members
            .into_iter()
            .map(|(key, value)| (Value::from(key), value));
        Value::from(members.collect::<BTreeMap<_, _>>())
    };
    let mut metadata = vec![("name", Value::from(name))];
    if !labels.is_empty() {
        let labels = labels
            .iter()
            .map(|(key, value)| (key.as_str(), Value::from(value.as_str())));
        metadata.push(("labels", object(labels.collect())));
    }
    object(vec![("metadata", object(metadata))])
}
