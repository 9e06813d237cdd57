//! Manifests of our own kinds: the same YAML that `kubectl apply` takes, several documents in a file.
//! Of a `Namespace` the labels are read, by which policies, locks and exemptions select; bindings may
//! take parameters of any other object.

use std::sync::Arc;

use portcullis_crds::{self as crds, GROUP, Manifest};
use portcullis_policies::{
    Diagnostic, Diagnostics, Effect, Labels, ObjectKey, Parameter, ParameterKey, ParameterKind,
};
use serde_json::Value as Json;

use super::{
    document::{self, Node, Place, Unreadable},
    reading::{Foreign, Item, Reading},
    schema::{self, FieldFault, FieldPath},
};
use crate::convert::{
    self, BindingDraft, Draft, ExemptionDraft, LockDraft, group_and_version, kind,
};

/// A document in its file.
pub(super) struct Source<'a> {
    /// The file's path in the directory.
    pub file: &'a str,
    /// What the file holds.
    pub text: &'a str,
    /// The document.
    pub node: Node,
}

impl Source<'_> {
    /// A fault at a place of the file.
    pub(super) fn fault(&self, code: &str, message: &str, place: Place) -> Diagnostic {
        Diagnostic::new(code, message).at(place.of(self.file), self.text)
    }
}

/// Reads all documents of a file. `file` is its path in the directory, for messages.
pub fn read(file: &str, text: &str) -> Reading {
    let nodes = match document::read(text) {
        Ok(nodes) => nodes,
        Err(fault) => return Reading::lost(unreadable(file, text, fault)),
    };
    let mut reading = Reading::default();
    for node in nodes {
        read_document(&Source { file, text, node }, &mut reading);
    }
    reading
}

fn read_document(source: &Source<'_>, reading: &mut Reading) {
    let Source { file, text, node } = source;
    let mut document = node.to_json();
    let field = |name: &str| {
        document
            .get(name)
            .and_then(Json::as_str)
            .unwrap_or_default()
    };
    let (version, kind) = (field("apiVersion").to_owned(), field("kind").to_owned());
    let ours = version == GROUP
        || version
            .split_once('/')
            .is_some_and(|(group, _)| group == GROUP);
    if version == "v1" && kind == "Namespace" {
        match namespace(&document) {
            Some((name, labels)) => {
                let key = ObjectKey::new("Namespace", None, name);
                reading.items.push(Item::Namespace(key, labels));
            }
            None => reading.notes.push(format!(
                "{file}:{}: passed over: the Namespace's name or labels cannot be read",
                node.place().line
            )),
        }
        return;
    }
    if !ours {
        let what = if kind.is_empty() {
            "has no `kind`"
        } else {
            "is of another API"
        };
        let line = node.place().line;
        let note = format!("{file}:{line}: passed over: the document {what}");
        match parameter(document) {
            Some(parameter) => {
                let parameter = Arc::new(parameter);
                reading.foreign.push(Foreign { parameter, note });
            }
            None => reading.notes.push(note),
        }
        return;
    }
    schema::drop_nulls(&mut document);
    match schema::read(&document) {
        Ok(manifest) => match item(&manifest) {
            Ok(item) => reading.items.push(with_places(item, source)),
            Err(faults) => {
                let place = node.place().of(file);
                let at = |fault: &Diagnostic| fault.clone().at(place.clone(), text);
                reading.lost.extend(faults.iter().map(at));
            }
        },
        Err(faults) => {
            let faults: Vec<Diagnostic> = faults
                .into_iter()
                .map(|fault| placed(fault, source, ""))
                .collect();
            match stand_in(&document, &faults) {
                Some(item) => reading.items.push(item),
                None => reading.lost.extend(faults),
            }
        }
    }
}

fn item(manifest: &Manifest) -> Result<Item, Diagnostics> {
    Ok(match manifest {
        Manifest::Policy(object) => Item::Policy(Box::new(Draft::try_from(object.as_ref())?)),
        Manifest::ClusterPolicy(object) => {
            Item::Policy(Box::new(Draft::try_from(object.as_ref())?))
        }
        Manifest::Lock(object) => lock(LockDraft::try_from(object.as_ref())?)?,
        Manifest::ClusterLock(object) => lock(LockDraft::try_from(object.as_ref())?)?,
        Manifest::PolicyBinding(object) => {
            Item::Binding(Box::new(BindingDraft::try_from(object.as_ref())?))
        }
        Manifest::ClusterPolicyBinding(object) => {
            Item::Binding(Box::new(BindingDraft::try_from(object.as_ref())?))
        }
        Manifest::Exemption(object) => {
            Item::Exemption(Box::new(ExemptionDraft::try_from(object.as_ref())?))
        }
        Manifest::ClusterExemption(object) => {
            Item::Exemption(Box::new(ExemptionDraft::try_from(object.as_ref())?))
        }
    })
}

/// What bindings may take of an object: `None` where it is none, or its name or labels cannot be
/// read.
fn parameter(document: Json) -> Option<Parameter> {
    let text = |pointer: &str| document.pointer(pointer).and_then(Json::as_str);
    let (group, version) = group_and_version(text("/apiVersion")?);
    let key = ParameterKey {
        kind: ParameterKind {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: text("/kind")?.to_owned(),
        },
        namespace: text("/metadata/namespace").map(str::to_owned),
        name: text("/metadata/name")?.to_owned(),
    };
    let labels = match document.pointer("/metadata/labels") {
        None | Some(Json::Null) => Labels::new(),
        Some(labels) => serde_json::from_value(labels.clone()).ok()?,
    };
    match document {
        Json::Object(content) => Some(convert::parameter(key, labels, content)),
        _ => None,
    }
}

/// The name and the labels of a namespace. Of one that cannot be read the labels are not known, and so
/// it is selected by whatever selects by labels.
pub(crate) fn namespace(document: &Json) -> Option<(&str, Labels)> {
    let name = document.pointer("/metadata/name")?.as_str()?;
    let labels = match document.pointer("/metadata/labels") {
        None | Some(Json::Null) => Labels::new(),
        Some(labels) => serde_json::from_value(labels.clone()).ok()?,
    };
    Some((name, labels))
}

/// A lock that is not in force because of what is wrong with it is lost.
fn lock(draft: LockDraft) -> Result<Item, Diagnostics> {
    match (&draft.lock, &draft.faults) {
        (None, Some(faults)) => Err(faults.clone()),
        _ => Ok(Item::Lock(Box::new(draft))),
    }
}

/// The item with its faults at the fields that they name.
fn with_places(item: Item, source: &Source<'_>) -> Item {
    let locate = |faults: &Diagnostics| {
        let fault = |fault: &Diagnostic| located(fault.clone(), "spec.", source);
        Diagnostics::collect(faults.iter().map(fault).collect())
    };
    match item {
        Item::Policy(mut draft) => {
            draft.faults = draft.faults.as_ref().and_then(locate);
            Item::Policy(draft)
        }
        Item::Lock(mut draft) => {
            draft.faults = draft.faults.as_ref().and_then(locate);
            Item::Lock(draft)
        }
        Item::Binding(mut draft) => {
            let faults = draft.faults.into_iter();
            let faults = faults.map(|fault| located(fault, "spec.", source));
            draft.faults = faults.collect();
            Item::Binding(draft)
        }
        Item::Exemption(mut draft) => {
            draft.faults = draft.faults.as_ref().and_then(locate);
            Item::Exemption(draft)
        }
        namespace @ Item::Namespace(..) => namespace,
    }
}

/// A fault of a spec at the field that its message begins with, as conversions write them.
/// `above` is where the spec is in the file.
pub(super) fn located(fault: Diagnostic, above: &str, source: &Source<'_>) -> Diagnostic {
    let field = fault
        .message
        .strip_prefix('`')
        .and_then(|rest| rest.split_once('`'));
    let field = field.map_or("", |(field, _)| field);
    let place = source
        .node
        .locate_key(format!("{above}{field}").trim_end_matches('.'));
    fault.at(place.of(source.file), source.text)
}

/// What answers in the place of an object that breaks its schema: a policy that is broken at its
/// own match, the lock without the fields that are wrong, as long as it refuses, and of an exemption
/// nothing, which is told.
fn stand_in(document: &Json, faults: &[Diagnostic]) -> Option<Item> {
    let faults = Diagnostics::collect(faults.to_vec())?;
    match document.get("kind")?.as_str()? {
        "Policy" | "ClusterPolicy" => {
            Some(Item::Policy(Box::new(Draft::stand_in(document, faults)?)))
        }
        "PolicyBinding" | "ClusterPolicyBinding" => {
            let draft = BindingDraft::stand_in(document, &faults)?;
            Some(Item::Binding(Box::new(draft)))
        }
        "Lock" => {
            let object: crds::Lock = serde_json::from_value(document.clone()).ok()?;
            refusing(LockDraft::try_from(&object).ok()?, faults)
        }
        "ClusterLock" => {
            let object: crds::ClusterLock = serde_json::from_value(document.clone()).ok()?;
            refusing(LockDraft::try_from(&object).ok()?, faults)
        }
        kind @ (kind::EXEMPTION | kind::CLUSTER_EXEMPTION) => {
            let draft = ExemptionDraft::unreadable(kind, document, faults)?;
            Some(Item::Exemption(Box::new(draft)))
        }
        _ => None,
    }
}

fn refusing(draft: LockDraft, faults: Diagnostics) -> Option<Item> {
    draft
        .lock
        .as_ref()
        .filter(|lock| lock.effect == Effect::Refuse)?;
    Some(Item::Lock(Box::new(LockDraft {
        faults: Some(faults),
        ..draft
    })))
}

/// A fault of a field as one of the file. `below` is the part of the document's path that the file
/// does not write.
pub(super) fn placed(fault: FieldFault, source: &Source<'_>, below: &str) -> Diagnostic {
    let node = &source.node;
    let place = match &fault.path {
        FieldPath::Key(path) => {
            let path = path.strip_prefix(below).unwrap_or(path);
            node.locate_key(path.trim_start_matches('.'))
        }
        FieldPath::Value(pointer) => {
            let prefix = if below.is_empty() {
                String::new()
            } else {
                format!("/{below}")
            };
            node.locate_value(pointer.strip_prefix(&prefix).unwrap_or(pointer))
        }
    };
    let message = if below.is_empty() {
        fault.message
    } else {
        fault.message.replace(&format!("`{below}."), "`")
    };
    let diagnostic = source.fault(fault.code, &message, place);
    match fault.remedy {
        Some(remedy) => diagnostic.with_remedy(remedy),
        None => diagnostic,
    }
}

/// A file that is not YAML.
pub(super) fn unreadable(file: &str, text: &str, fault: Unreadable) -> Diagnostic {
    let diagnostic = match fault.place {
        Some(place) => Diagnostic::new("yaml_invalid", fault.message).at(place.of(file), text),
        None => Diagnostic::new("yaml_invalid", format!("{file}: {}", fault.message)),
    };
    diagnostic.with_remedy("correct the file, or take it out of the directory")
}
