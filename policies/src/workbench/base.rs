//! Base data, put together from documents at their places.

use std::collections::BTreeMap;

use crate::{Document, rego::value::Value};

/// Base data: documents at places below `data`, which may lie beside each other and never on each
/// other.
#[derive(Clone, Debug, Default)]
pub struct Base(BTreeMap<Value, Node>);

#[derive(Clone, Debug)]
enum Node {
    Object(BTreeMap<Value, Self>),
    Leaf(Value),
}

/// Two documents have a value at one place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Overlap {
    /// At this place below `data`.
    #[error("conflicting values at data.{}", .0.join("."))]
    At(Vec<String>),
    /// What is put at `data` itself has to have members.
    #[error("document must be of type object")]
    NoObject,
}

impl Base {
    /// Puts a document at a place below `data`. Nothing is put there if any of it has a value
    /// already.
    pub fn put(&mut self, path: &[String], document: &Document) -> Result<(), Overlap> {
        let mut node = Node::of(document.value());
        for part in path.iter().rev() {
            node = Node::Object(BTreeMap::from([(Value::from(part.as_str()), node)]));
        }
        let Node::Object(members) = node else {
            return Err(Overlap::NoObject);
        };
        let mut place = Vec::new();
        if overlaps(&self.0, &members, &mut place) {
            return Err(Overlap::At(place));
        }
        merge(&mut self.0, members);
        Ok(())
    }

    /// Takes away what is at a place.
    pub fn remove(&mut self, path: &[String]) {
        let Some((last, above)) = path.split_last() else {
            self.0.clear();
            return;
        };
        let mut members = &mut self.0;
        for part in above {
            match members.get_mut(&Value::from(part.as_str())) {
                Some(Node::Object(below)) => members = below,
                _ => return,
            }
        }
        members.remove(&Value::from(last.as_str()));
    }

    /// The place of the first value that is neither at nor below a place that is known.
    pub fn find_outside(&self, is_known: &dyn Fn(&[String]) -> bool) -> Option<Vec<String>> {
        let mut place = Vec::new();
        outside(&self.0, is_known, &mut place).then_some(place)
    }

    /// All of it.
    pub fn document(self) -> Document {
        Document::new(Node::Object(self.0).into_value())
    }
}

impl Node {
    fn of(value: &Value) -> Self {
        match value {
            Value::Object(object) => {
                let members = object.iter();
                Self::Object(
                    members
                        .map(|(key, member)| (key.clone(), Self::of(member)))
                        .collect(),
                )
            }
            value => Self::Leaf(value.clone()),
        }
    }

    fn into_value(self) -> Value {
        match self {
            Self::Leaf(value) => value,
            Self::Object(members) => {
                let members = members.into_iter();
                members
                    .map(|(key, member)| (key, member.into_value()))
                    .collect::<BTreeMap<_, _>>()
                    .into()
            }
        }
    }
}

fn outside(
    members: &BTreeMap<Value, Node>,
    is_known: &dyn Fn(&[String]) -> bool,
    place: &mut Vec<String>,
) -> bool {
    if is_known(place) {
        return false;
    }
    for (key, member) in members {
        place.push(crate::rego::value::json::key_text(key));
        let found = match member {
            Node::Object(below) if !below.is_empty() => outside(below, is_known, place),
            _ => !is_known(place),
        };
        if found {
            return true;
        }
        place.pop();
    }
    false
}

/// Whether both have something at one place, which is then in `place`.
fn overlaps(
    left: &BTreeMap<Value, Node>,
    right: &BTreeMap<Value, Node>,
    place: &mut Vec<String>,
) -> bool {
    for (key, member) in right {
        let Some(other) = left.get(key) else { continue };
        place.push(crate::rego::value::json::key_text(key));
        match (other, member) {
            (Node::Object(left), Node::Object(right)) => {
                if overlaps(left, right, place) {
                    return true;
                }
            }
            _ => return true,
        }
        place.pop();
    }
    false
}

fn merge(into: &mut BTreeMap<Value, Node>, from: BTreeMap<Value, Node>) {
    for (key, member) in from {
        match (into.get_mut(&key), member) {
            (Some(Node::Object(into)), Node::Object(from)) => merge(into, from),
            (_, member) => {
                into.insert(key, member);
            }
        }
    }
}
