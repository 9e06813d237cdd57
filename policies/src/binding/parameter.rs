//! Objects that bindings take parameters of.

use std::{fmt, sync::Arc};

use serde_json::{Map, Value as Json};

use crate::{Document, LabelSelector, Labels};

/// A kind of objects that bindings take parameters of: `ConfigMap` of `v1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParameterKind {
    /// The API group; empty for the core group.
    pub group: String,
    /// The version of the group.
    pub version: String,
    /// The kind.
    pub kind: String,
}

/// One object that bindings may take parameters of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParameterKey {
    /// Its kind.
    pub kind: ParameterKind,
    /// Its namespace, if its kind has one.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// What such an object says. It may be secret, and is not shown.
#[derive(Clone, PartialEq)]
pub struct Parameter {
    /// The object.
    pub key: ParameterKey,
    /// Its labels.
    pub labels: Labels,
    /// The object as the API server has it, without its metadata.
    pub content: Map<String, Json>,
}

/// Where a binding's parameters come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterSource {
    /// The objects; each of several is a judgement of its own.
    pub selection: Selection,
    /// Of a `ConfigMap`, the key whose text is an object of YAML or JSON. Without it each key of
    /// `data` is a parameter, a text.
    pub key: Option<String>,
    /// What happens where there is none.
    pub not_found: NotFound,
}

/// Objects of one kind that whoever watches keeps up to date.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selection {
    /// The kind of the objects.
    pub kind: ParameterKind,
    /// The namespace of the objects. Where it is not said and the kind has namespaces, each request
    /// is judged by the objects of its own namespace.
    pub namespace: Option<String>,
    /// Which of them.
    pub which: Which,
}

/// What is known of a selection.
#[derive(Clone, Debug, PartialEq)]
pub enum Selected {
    /// All objects that there are, in the order of their keys.
    Known(Vec<Arc<Parameter>>),
    /// They could not be read yet, and why. Nobody knows whether there are any.
    Unread(String),
}

/// Which objects, by name or by label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Which {
    /// The one of this name.
    Name(String),
    /// Those with such labels. An empty selector selects all.
    Selector(LabelSelector),
}

/// What happens where no object is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NotFound {
    /// The policy cannot answer, and the failure policy decides.
    #[default]
    Deny,
    /// The policy is not asked.
    Allow,
}

impl fmt::Debug for Parameter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} …", self.key)
    }
}

impl Parameter {
    /// The text that a `ConfigMap` or a `Secret` has under a key. The error is a sentence.
    pub fn text(&self, key: &str) -> Result<&str, String> {
        let data = self.content.get("data").and_then(Json::as_object);
        let text = data.and_then(|data| data.get(key)).and_then(Json::as_str);
        text.ok_or_else(|| format!("`data` has no key `{key}`"))
    }
}

/// `ConfigMap platform/limits`, `Limits web`
impl fmt::Display for ParameterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = &self.kind.kind;
        match &self.namespace {
            Some(namespace) => write!(formatter, "{kind} {namespace}/{}", self.name),
            None => write!(formatter, "{kind} {}", self.name),
        }
    }
}

impl ParameterKind {
    /// `Secret`s, of which data can be taken and parameters cannot.
    pub fn secret() -> Self {
        Self {
            kind: "Secret".to_owned(),
            ..Self::config_map()
        }
    }

    /// `ConfigMap`s.
    pub fn config_map() -> Self {
        Self {
            group: String::new(),
            version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
        }
    }
}

impl Selection {
    /// Whether an object is one of them.
    pub fn includes(&self, parameter: &Parameter) -> bool {
        let Parameter { key, labels, .. } = parameter;
        let is_there = self
            .namespace
            .as_ref()
            .is_none_or(|own| key.namespace.as_ref() == Some(own));
        key.kind == self.kind
            && is_there
            && match &self.which {
                Which::Name(name) => key.name == *name,
                Which::Selector(selector) => selector.matches(labels),
            }
    }
}

/// `ConfigMap platform/limits`, `ConfigMap platform/* of these labels`
impl fmt::Display for Selection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ", self.kind.kind)?;
        if let Some(namespace) = &self.namespace {
            write!(formatter, "{namespace}/")?;
        }
        match &self.which {
            Which::Name(name) => formatter.write_str(name),
            Which::Selector(_) => formatter.write_str("* of these labels"),
        }
    }
}

impl ParameterSource {
    /// What an object says: of a `ConfigMap` its data, of any other its `spec`, or all of it where
    /// it has none. The error is a sentence.
    pub(super) fn read(&self, parameter: &Parameter) -> Result<Map<String, Json>, String> {
        let content = &parameter.content;
        let object = |field: &str| content.get(field).and_then(Json::as_object);
        if self.selection.kind != ParameterKind::config_map() {
            return Ok(object("spec").unwrap_or(content).clone());
        }
        let Some(key) = &self.key else {
            return Ok(object("data").cloned().unwrap_or_default());
        };
        let text = parameter.text(key)?;
        let document = Document::read_yaml(text).map_err(|why| format!("`data.{key}`: {why}"))?;
        serde_json::to_value(&document)
            .ok()
            .and_then(|value| match value {
                Json::Object(members) => Some(members),
                _ => None,
            })
            .ok_or_else(|| format!("`data.{key}` is no object of YAML or JSON"))
    }
}
