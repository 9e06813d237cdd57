//! Nodes to documents: aliases, merged mappings, and the types of scalars.
//!
//! A document is what the JSON would be that OPA makes of it. Mappings whose keys are all texts
//! hold texts; others hold any scalars, which become texts at the end.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{
    Context, Result,
    compose::{Kind, NodeId, Nodes},
    invalid, refused,
    resolve::{self, BINARY, MERGE, Scalar, TEXT, TIMESTAMP},
};
use crate::rego::builtins::bytes;

/// What a text says.
#[derive(Debug, Clone)]
pub(super) enum Document {
    Null,
    Boolean(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    Sequence(Vec<Document>),
    Mapping(BTreeMap<String, Document>),
}

/// A key of a mapping.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Null,
    Boolean(bool),
    Integer(i128),
    /// The bits of a float.
    Float(u64),
    Text(String),
}

impl Key {
    fn of(document: Document) -> Result<Self> {
        Ok(match document {
            Document::Null => Self::Null,
            Document::Boolean(truth) => Self::Boolean(truth),
            Document::Integer(integer) => Self::Integer(integer),
            Document::Float(float) => Self::Float(float.to_bits()),
            Document::Text(text) => Self::Text(text),
            Document::Sequence(_) | Document::Mapping(_) => {
                return Err(invalid("invalid map key"));
            }
        })
    }

    /// As a key of JSON. A float is written as if it had half its bits.
    pub(super) fn text(&self) -> Option<String> {
        Some(match self {
            Self::Null => return None,
            Self::Boolean(truth) => truth.to_string(),
            Self::Integer(integer) => integer.to_string(),
            Self::Float(bits) => super::emit::float_of_half(f64::from_bits(*bits)),
            Self::Text(text) => text.clone(),
        })
    }
}

/// A mapping that is being read.
#[derive(Debug)]
struct Members {
    /// Whether all keys are texts.
    is_of_texts: bool,
    members: BTreeMap<Key, Document>,
}

pub(super) fn document(
    context: &mut Context<'_, '_>,
    nodes: &Nodes,
    root: NodeId,
) -> Result<Document> {
    let mut decoder = Decoder::new(context, nodes);
    decoder.node(root)
}

/// The key that a node is, if it is a scalar that can be read.
pub(super) fn key(
    context: &mut Context<'_, '_>,
    nodes: &Nodes,
    node: NodeId,
) -> Result<Option<Key>> {
    if nodes.get(node).tag == TIMESTAMP {
        return Ok(None);
    }
    match Decoder::new(context, nodes).node(node) {
        Ok(document) => Ok(Key::of(document).ok()),
        Err(super::Fault::Ends(error)) => Err(super::Fault::Ends(error)),
        Err(_) => Ok(None),
    }
}

#[derive(Debug)]
struct Decoder<'c, 'x, 'q> {
    context: &'c mut Context<'x, 'q>,
    nodes: &'c Nodes,
    /// How many nodes have been read, and how many of them through aliases.
    count: u32,
    through_aliases: u32,
    /// The aliases that are being followed.
    open: Vec<NodeId>,
}

impl<'c, 'x, 'q> Decoder<'c, 'x, 'q> {
    fn new(context: &'c mut Context<'x, 'q>, nodes: &'c Nodes) -> Self {
        Self {
            context,
            nodes,
            count: 0,
            through_aliases: 0,
            open: Vec::new(),
        }
    }

    /// Accounts for a node. A text can name much more than it has.
    fn enter(&mut self) -> Result<()> {
        self.context.charge_members(3)?;
        self.count += 1;
        if !self.open.is_empty() {
            self.through_aliases += 1;
        }
        let ratio = f64::from(self.through_aliases) / f64::from(self.count);
        let is_excessive =
            self.through_aliases > 100 && self.count > 1000 && ratio > allowed_ratio(self.count);
        if is_excessive {
            return Err(invalid("document contains excessive aliasing"));
        }
        Ok(())
    }

    fn node(&mut self, node: NodeId) -> Result<Document> {
        self.enter()?;
        let nodes = self.nodes;
        match &nodes.get(node).kind {
            Kind::Scalar(text) => self.scalar(node, text),
            Kind::Alias(name, target) => {
                self.follow(node, name)?;
                let document = self.node(*target)?;
                self.open.pop();
                Ok(document)
            }
            Kind::Sequence(content) => {
                self.context.budget.descend()?;
                let elements = content.iter().map(|element| self.node(*element));
                let elements = elements.collect::<Result<Vec<_>>>()?;
                self.context.budget.ascend();
                Ok(Document::Sequence(elements))
            }
            Kind::Mapping(content) => {
                self.context.budget.descend()?;
                let mut members = Members {
                    is_of_texts: content
                        .iter()
                        .step_by(2)
                        .all(|key| [TEXT, MERGE].contains(&nodes.tag(*key))),
                    members: BTreeMap::new(),
                };
                self.mapping(content, &mut members, None)?;
                self.context.budget.ascend();
                Ok(Document::Mapping(finish(members)?))
            }
        }
    }

    fn follow(&mut self, alias: NodeId, name: &str) -> Result<()> {
        if self.open.contains(&alias) {
            return Err(invalid(&format!("anchor '{name}' value contains itself")));
        }
        self.context.budget.steps(self.open.len() as u64)?;
        self.open.push(alias);
        Ok(())
    }

    fn scalar(&mut self, node: NodeId, text: &str) -> Result<Document> {
        Ok(match resolve::tagged(&self.nodes.get(node).tag, text)? {
            Scalar::Null => Document::Null,
            Scalar::Boolean(truth) => Document::Boolean(truth),
            Scalar::Integer(integer) => Document::Integer(integer),
            Scalar::Float(float) => Document::Float(float),
            Scalar::Time => return Err(refused("a scalar is tagged as a time")),
            Scalar::Text => Document::Text(self.text(node, text)?),
        })
    }

    fn text(&mut self, node: NodeId, text: &str) -> Result<String> {
        self.context.charge_bytes(text.len())?;
        if self.nodes.get(node).tag != BINARY {
            return Ok(text.to_owned());
        }
        let decoded = bytes::decode(text.as_bytes(), bytes::STANDARD)
            .map_err(|_| invalid("!!binary value contains invalid base64 data"))?;
        String::from_utf8(decoded).map_err(|_| refused("a binary value is not UTF-8"))
    }

    /// The key that a node is where all keys are texts. Null is none there.
    fn text_key(&mut self, node: NodeId) -> Result<Option<Key>> {
        self.enter()?;
        let nodes = self.nodes;
        match &nodes.get(node).kind {
            Kind::Alias(name, target) => {
                self.follow(node, name)?;
                let key = self.text_key(*target)?;
                self.open.pop();
                Ok(key)
            }
            Kind::Scalar(text) => match resolve::tagged(&nodes.get(node).tag, text)? {
                Scalar::Null => Ok(None),
                Scalar::Time => Err(refused("a scalar is tagged as a time")),
                _ => Ok(Some(Key::Text(self.text(node, text)?))),
            },
            _ => Err(invalid("cannot unmarshal a collection into string")),
        }
    }

    /// Adds members that are not there yet: of merged mappings, those whose keys nobody else has.
    fn mapping(
        &mut self,
        content: &[NodeId],
        into: &mut Members,
        mut taken: Option<&mut BTreeSet<Key>>,
    ) -> Result<()> {
        self.check_duplicates(content)?;
        let mut merged = None;
        for pair in content.chunks_exact(2) {
            if self.is_merge(pair[0]) {
                merged = Some(pair[1]);
                continue;
            }
            let key = if into.is_of_texts {
                self.text_key(pair[0])?
            } else {
                Some(Key::of(self.node(pair[0])?)?)
            };
            let Some(key) = key else {
                continue;
            };
            if let Some(taken) = &mut taken
                && !taken.insert(key.clone())
            {
                continue;
            }
            let value = self.node(pair[1])?;
            into.members.insert(key, value);
        }
        match merged {
            Some(merged) => self.merge(content, merged, into, taken),
            None => Ok(()),
        }
    }

    /// Keys that are written alike, of which there are none after `normalise`, but for those that are
    /// no scalars.
    fn check_duplicates(&mut self, content: &[NodeId]) -> Result<()> {
        let mut found = HashSet::new();
        for key in content.iter().step_by(2) {
            let is_new = match &self.nodes.get(*key).kind {
                Kind::Scalar(text) => found.insert((0, &**text)),
                Kind::Alias(name, _) => found.insert((1, &**name)),
                Kind::Sequence(_) => found.insert((2, "")),
                Kind::Mapping(_) => found.insert((3, "")),
            };
            if !is_new {
                return Err(invalid("mapping key already defined"));
            }
        }
        Ok(())
    }

    fn is_merge(&self, key: NodeId) -> bool {
        let node = self.nodes.get(key);
        node.tag == MERGE && matches!(&node.kind, Kind::Scalar(text) if text == "<<")
    }

    fn merge(
        &mut self,
        parent: &[NodeId],
        merged: NodeId,
        into: &mut Members,
        taken: Option<&mut BTreeSet<Key>>,
    ) -> Result<()> {
        let mut own = BTreeSet::new();
        let taken = if let Some(taken) = taken {
            taken
        } else {
            for key in parent.iter().step_by(2) {
                let key = self.node(*key)?;
                own.insert(Key::of(key)?);
            }
            &mut own
        };
        let nodes = self.nodes;
        match &nodes.get(merged).kind {
            Kind::Sequence(content) => content
                .iter()
                .try_for_each(|mapping| self.merge_one(*mapping, into, taken)),
            _ => self.merge_one(merged, into, taken),
        }
    }

    fn merge_one(
        &mut self,
        merged: NodeId,
        into: &mut Members,
        taken: &mut BTreeSet<Key>,
    ) -> Result<()> {
        let nodes = self.nodes;
        let no_mapping = || invalid("map merge requires map or sequence of maps as the value");
        self.enter()?;
        self.context.budget.descend()?;
        match &nodes.get(merged).kind {
            Kind::Mapping(content) => self.mapping(content, into, Some(taken))?,
            Kind::Alias(name, target) => {
                let Kind::Mapping(content) = &nodes.get(*target).kind else {
                    return Err(no_mapping());
                };
                self.follow(merged, name)?;
                self.enter()?;
                self.mapping(content, into, Some(taken))?;
                self.open.pop();
            }
            _ => return Err(no_mapping()),
        }
        self.context.budget.ascend();
        Ok(())
    }
}

/// How many of the nodes may be read through aliases: nearly all of a few, and few of many.
fn allowed_ratio(count: u32) -> f64 {
    const LOW: u32 = 400_000;
    const HIGH: u32 = 4_000_000;
    match count {
        0..=LOW => 0.99,
        HIGH.. => 0.10,
        _ => 0.99 - 0.89 * (f64::from(count - LOW) / f64::from(HIGH - LOW)),
    }
}

/// A mapping with its keys as texts.
fn finish(members: Members) -> Result<BTreeMap<String, Document>> {
    let mut finished = BTreeMap::new();
    let noughts = [0.0_f64, -0.0].map(|nought| Key::Float(nought.to_bits()));
    if noughts
        .iter()
        .all(|nought| members.members.contains_key(nought))
    {
        return Err(refused("both noughts of floats are keys"));
    }
    for (key, value) in members.members {
        let text = key.text().ok_or_else(|| invalid("unsupported map key"))?;
        if finished.insert(text, value).is_some() {
            // Go has no order of a map's members, so that any of them may be the one.
            return Err(refused("keys of different types are the same in JSON"));
        }
    }
    Ok(finished)
}
