//! Tokens to nodes, as go-yaml's parser does it.

use std::collections::HashMap;

use super::{
    Context, Result, invalid,
    resolve::{self, MERGE, NULL, SEQUENCE, TEXT},
    scan::{Scanner, Token},
};

/// A node by its place in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct NodeId(usize);

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// In its short form: `!!str`.
    pub(super) tag: String,
    /// Whether nothing but the text says what it is: no quotes, no block, no tag.
    pub(super) is_bare: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Scalar(String),
    Sequence(Vec<NodeId>),
    /// Keys and values in turn.
    Mapping(Vec<NodeId>),
    Alias(String, NodeId),
}

/// All nodes of a text.
#[derive(Debug, Default)]
pub(super) struct Nodes(Vec<Node>);

impl Nodes {
    pub(super) fn get(&self, node: NodeId) -> &Node {
        &self.0[node.0]
    }

    pub(super) fn get_mut(&mut self, node: NodeId) -> &mut Node {
        &mut self.0[node.0]
    }

    pub(super) fn add(&mut self, kind: Kind, tag: &str, is_bare: bool) -> NodeId {
        self.0.push(Node {
            kind,
            tag: tag.to_owned(),
            is_bare,
        });
        NodeId(self.0.len() - 1)
    }

    /// Whether nothing but its text says that a scalar is a text.
    pub(super) fn has_bare_text(&self) -> bool {
        self.0.iter().any(|node| node.is_bare && node.tag == TEXT)
    }

    /// The tag of a node, or of what it stands for.
    pub(super) fn tag(&self, node: NodeId) -> &str {
        match self.get(node) {
            Node {
                kind: Kind::Alias(_, target),
                ..
            } => &self.get(*target).tag,
            node => &node.tag,
        }
    }
}

/// The first document of a text, if there is any. The others have to be documents too.
pub(super) fn first_document(
    context: &mut Context<'_, '_>,
    text: &str,
) -> Result<(Nodes, Option<NodeId>)> {
    // A token or a node for each character, at most, which is larger than a value.
    context.charge_members(2 * text.len())?;
    let mut composer = Composer {
        context,
        scanner: Scanner::new(text)?,
        nodes: Nodes::default(),
        anchors: HashMap::new(),
        handles: Vec::new(),
    };
    let mut first = None;
    let mut is_first = true;
    while let Some(document) = composer.document(is_first)? {
        first = first.or(Some(document));
        is_first = false;
    }
    Ok((composer.nodes, first))
}

#[derive(Debug)]
struct Composer<'c, 'x, 'q, 't> {
    context: &'c mut Context<'x, 'q>,
    scanner: Scanner<'t>,
    nodes: Nodes,
    anchors: HashMap<String, NodeId>,
    /// What the handles of tags stand for.
    handles: Vec<(String, String)>,
}

/// What stands before a node.
#[derive(Debug, Default)]
struct Properties {
    anchor: Option<String>,
    tag: Option<String>,
}

impl Composer<'_, '_, '_, '_> {
    fn document(&mut self, is_first: bool) -> Result<Option<NodeId>> {
        while !is_first && *self.scanner.peek()? == Token::DocumentEnd {
            self.scanner.take()?;
        }
        let node = match self.scanner.peek()? {
            Token::StreamEnd => return Ok(None),
            Token::Version { .. } | Token::TagDirective { .. } | Token::DocumentStart => {
                self.explicit_document()?
            }
            _ if is_first => {
                self.directives()?;
                self.node(true, false)?
            }
            _ => self.explicit_document()?,
        };
        if *self.scanner.peek()? == Token::DocumentEnd {
            self.scanner.take()?;
        }
        self.handles.clear();
        Ok(Some(node))
    }

    fn explicit_document(&mut self) -> Result<NodeId> {
        self.directives()?;
        if *self.scanner.peek()? != Token::DocumentStart {
            return Err(invalid("did not find expected <document start>"));
        }
        self.scanner.take()?;
        match self.scanner.peek()? {
            Token::Version { .. }
            | Token::TagDirective { .. }
            | Token::DocumentStart
            | Token::DocumentEnd
            | Token::StreamEnd => Ok(self.empty()),
            _ => self.node(true, false),
        }
    }

    fn directives(&mut self) -> Result<()> {
        let mut has_version = false;
        loop {
            match self.scanner.peek()? {
                Token::Version { .. } if has_version => {
                    return Err(invalid("found duplicate %YAML directive"));
                }
                Token::Version { is_known: false } => {
                    return Err(invalid("found incompatible YAML document"));
                }
                Token::Version { .. } => has_version = true,
                Token::TagDirective { handle, prefix } => {
                    if self.handles.iter().any(|(known, _)| known == handle) {
                        return Err(invalid("found duplicate %TAG directive"));
                    }
                    self.handles.push((handle.clone(), prefix.clone()));
                }
                _ => break,
            }
            self.scanner.take()?;
        }
        for (handle, prefix) in [("!", "!"), ("!!", resolve::PREFIX)] {
            if self.handles.iter().all(|(known, _)| known != handle) {
                self.handles.push((handle.to_owned(), prefix.to_owned()));
            }
        }
        Ok(())
    }

    /// A node; in blocks, those of a key can be sequences without an indentation of their own.
    fn node(&mut self, is_block: bool, is_in_mapping: bool) -> Result<NodeId> {
        self.context.budget.descend()?;
        let node = self.node_here(is_block, is_in_mapping);
        self.context.budget.ascend();
        node
    }

    fn node_here(&mut self, is_block: bool, is_in_mapping: bool) -> Result<NodeId> {
        if let Token::Alias(name) = self.scanner.peek()? {
            let Some(&target) = self.anchors.get(name) else {
                return Err(invalid(&format!("unknown anchor '{name}' referenced")));
            };
            let kind = Kind::Alias(name.clone(), target);
            self.scanner.take()?;
            return Ok(self.nodes.add(kind, "", false));
        }
        let properties = self.properties()?;
        match self.scanner.peek()? {
            Token::BlockEntry if is_in_mapping => {
                let node = self.collection(Kind::Sequence(Vec::new()), properties);
                self.block_sequence(node, true)?;
                Ok(node)
            }
            Token::Scalar { text, is_plain } => {
                let (text, is_plain) = (text.clone(), *is_plain);
                self.scanner.take()?;
                Ok(self.scalar(text, is_plain, properties))
            }
            Token::FlowSequenceStart => {
                let node = self.collection(Kind::Sequence(Vec::new()), properties);
                self.flow_sequence(node)?;
                Ok(node)
            }
            Token::FlowMappingStart => {
                let node = self.collection(Kind::Mapping(Vec::new()), properties);
                self.flow_mapping(node)?;
                Ok(node)
            }
            Token::BlockSequenceStart if is_block => {
                let node = self.collection(Kind::Sequence(Vec::new()), properties);
                self.scanner.take()?;
                self.block_sequence(node, false)?;
                Ok(node)
            }
            Token::BlockMappingStart if is_block => {
                let node = self.collection(Kind::Mapping(Vec::new()), properties);
                self.block_mapping(node)?;
                Ok(node)
            }
            _ if properties.anchor.is_some() || properties.tag.is_some() => {
                Ok(self.scalar(String::new(), true, properties))
            }
            _ => Err(invalid("did not find expected node content")),
        }
    }

    /// An anchor and a tag, in any order.
    fn properties(&mut self) -> Result<Properties> {
        let mut properties = Properties::default();
        for _ in 0..2 {
            match self.scanner.peek()? {
                Token::Anchor(name) if properties.anchor.is_none() => {
                    properties.anchor = Some(name.clone());
                }
                Token::Tag { handle, suffix } if properties.tag.is_none() => {
                    let known = self.handles.iter().find(|(known, _)| known == handle);
                    let tag = match known {
                        _ if handle.is_empty() => suffix.clone(),
                        Some((_, prefix)) => [&**prefix, suffix].concat(),
                        None => String::new(),
                    };
                    if tag.is_empty() {
                        return Err(invalid("found undefined tag handle"));
                    }
                    properties.tag = Some(tag);
                }
                _ => break,
            }
            self.scanner.take()?;
        }
        Ok(properties)
    }

    fn empty(&mut self) -> NodeId {
        self.nodes.add(Kind::Scalar(String::new()), NULL, true)
    }

    fn scalar(&mut self, text: String, is_plain: bool, properties: Properties) -> NodeId {
        let tag = properties.tag.filter(|tag| tag != "!");
        let is_bare = is_plain && tag.is_none();
        let tag = match tag {
            Some(tag) => resolve::short(tag),
            None if !is_plain => TEXT.to_owned(),
            None if text == "<<" => MERGE.to_owned(),
            None => resolve::bare(&text).0.to_owned(),
        };
        let node = self.nodes.add(Kind::Scalar(text), &tag, is_bare);
        if let Some(anchor) = properties.anchor {
            self.anchors.insert(anchor, node);
        }
        node
    }

    /// A collection that has nothing yet, so that what is in it can refer to it.
    fn collection(&mut self, kind: Kind, properties: Properties) -> NodeId {
        let usual = match kind {
            Kind::Mapping(_) => resolve::MAPPING,
            _ => SEQUENCE,
        };
        let tag = properties.tag.filter(|tag| tag != "!");
        let tag = tag.map_or_else(|| usual.to_owned(), resolve::short);
        let node = self.nodes.add(kind, &tag, false);
        if let Some(anchor) = properties.anchor {
            self.anchors.insert(anchor, node);
        }
        node
    }

    fn push(&mut self, parent: NodeId, child: NodeId) {
        if let Kind::Sequence(content) | Kind::Mapping(content) =
            &mut self.nodes.get_mut(parent).kind
        {
            content.push(child);
        }
    }

    fn block_sequence(&mut self, parent: NodeId, is_without_indent: bool) -> Result<()> {
        while *self.scanner.peek()? == Token::BlockEntry {
            self.scanner.take()?;
            let is_empty = match self.scanner.peek()? {
                Token::BlockEntry | Token::BlockEnd => true,
                Token::Key | Token::Value => is_without_indent,
                _ => false,
            };
            let element = if is_empty {
                self.empty()
            } else {
                self.node(true, false)?
            };
            self.push(parent, element);
        }
        if is_without_indent {
            return Ok(());
        }
        match self.scanner.take()? {
            Token::BlockEnd => Ok(()),
            _ => Err(invalid("did not find expected '-' indicator")),
        }
    }

    fn block_mapping(&mut self, parent: NodeId) -> Result<()> {
        self.scanner.take()?;
        loop {
            match self.scanner.take()? {
                Token::Key => {}
                Token::BlockEnd => return Ok(()),
                _ => return Err(invalid("did not find expected key")),
            }
            let key = self.part_of_block_mapping()?;
            self.push(parent, key);
            let value = if *self.scanner.peek()? == Token::Value {
                self.scanner.take()?;
                self.part_of_block_mapping()?
            } else {
                self.empty()
            };
            self.push(parent, value);
        }
    }

    fn part_of_block_mapping(&mut self) -> Result<NodeId> {
        match self.scanner.peek()? {
            Token::Key | Token::Value | Token::BlockEnd => Ok(self.empty()),
            _ => self.node(true, true),
        }
    }

    fn flow_sequence(&mut self, parent: NodeId) -> Result<()> {
        self.scanner.take()?;
        let mut is_first = true;
        loop {
            if !is_first && *self.scanner.peek()? != Token::FlowSequenceEnd {
                match self.scanner.take()? {
                    Token::FlowEntry => {}
                    _ => return Err(invalid("did not find expected ',' or ']'")),
                }
            }
            is_first = false;
            let element = match self.scanner.peek()? {
                Token::FlowSequenceEnd => {
                    self.scanner.take()?;
                    return Ok(());
                }
                Token::Key => self.pair()?,
                _ => self.node(false, false)?,
            };
            self.push(parent, element);
        }
    }

    /// A mapping of one pair within a sequence.
    fn pair(&mut self) -> Result<NodeId> {
        self.scanner.take()?;
        let pair = self.collection(Kind::Mapping(Vec::new()), Properties::default());
        let key = match self.scanner.peek()? {
            Token::Value | Token::FlowEntry | Token::FlowSequenceEnd => {
                // What ends an empty key is lost, in libyaml too.
                self.scanner.take()?;
                self.empty()
            }
            _ => self.node(false, false)?,
        };
        self.push(pair, key);
        let has_value = *self.scanner.peek()? == Token::Value;
        if has_value {
            self.scanner.take()?;
        }
        let value = match self.scanner.peek()? {
            Token::FlowEntry | Token::FlowSequenceEnd => self.empty(),
            _ if has_value => self.node(false, false)?,
            _ => self.empty(),
        };
        self.push(pair, value);
        Ok(pair)
    }

    fn flow_mapping(&mut self, parent: NodeId) -> Result<()> {
        self.scanner.take()?;
        let mut is_first = true;
        loop {
            if !is_first && *self.scanner.peek()? != Token::FlowMappingEnd {
                match self.scanner.take()? {
                    Token::FlowEntry => {}
                    _ => return Err(invalid("did not find expected ',' or '}'")),
                }
            }
            is_first = false;
            match self.scanner.peek()? {
                Token::FlowMappingEnd => {
                    self.scanner.take()?;
                    return Ok(());
                }
                Token::Key => {
                    self.scanner.take()?;
                    let key = match self.scanner.peek()? {
                        Token::Value | Token::FlowEntry | Token::FlowMappingEnd => self.empty(),
                        _ => self.node(false, false)?,
                    };
                    self.push(parent, key);
                    let value = self.value_of_flow_mapping()?;
                    self.push(parent, value);
                }
                _ => {
                    let key = self.node(false, false)?;
                    self.push(parent, key);
                    let value = self.empty();
                    self.push(parent, value);
                }
            }
        }
    }

    fn value_of_flow_mapping(&mut self) -> Result<NodeId> {
        if *self.scanner.peek()? != Token::Value {
            return Ok(self.empty());
        }
        self.scanner.take()?;
        match self.scanner.peek()? {
            Token::FlowEntry | Token::FlowMappingEnd => Ok(self.empty()),
            _ => self.node(false, false),
        }
    }
}
