//! Where definitions are below `data`.

use std::collections::BTreeMap;

use regorus::Value;

/// A place below `data` at which, or below which, there are definitions. The first is `data`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

impl NodeId {
    /// `data`
    pub const ROOT: Self = Self(0);

    /// As an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A place below `data`.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// The parts of its path.
    pub path: Vec<Value>,
    /// What is below.
    pub children: BTreeMap<Value, NodeId>,
    /// The definitions whose constant part ends here, as indices into [`Program::definitions`](super::Program::definitions).
    pub definitions: Vec<usize>,
    /// There are definitions, those that are not resolved yet among them.
    pub defined: bool,
    /// How many arguments the definitions take; of a rule, none.
    pub arity: usize,
    /// A package ends here.
    pub package: bool,
}

/// Where definitions are.
#[derive(Clone, Debug)]
pub struct Tree {
    nodes: Vec<Node>,
}

impl Default for Tree {
    fn default() -> Self {
        Self {
            nodes: vec![Node::default()],
        }
    }
}

impl Tree {
    /// A node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// A node, to be changed.
    pub fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.index()]
    }

    /// A rule or a function ends here.
    pub fn is_definition(&self, id: NodeId) -> bool {
        self.node(id).defined
    }

    /// The node at a path, made where there is none.
    pub fn make<'a>(&mut self, path: impl IntoIterator<Item = &'a Value>) -> NodeId {
        let mut at = NodeId::ROOT;
        for key in path {
            at = if let Some(&child) = self.node(at).children.get(key) {
                child
            } else {
                let id = NodeId(u32::try_from(self.nodes.len()).expect("fewer nodes than bytes"));
                let mut path = self.node(at).path.clone();
                path.push(key.clone());
                self.nodes.push(Node {
                    path,
                    ..Node::default()
                });
                self.node_mut(at).children.insert(key.clone(), id);
                id
            };
        }
        at
    }

    /// The node at a path.
    pub fn find<'a>(&self, path: impl IntoIterator<Item = &'a Value>) -> Option<NodeId> {
        let mut at = NodeId::ROOT;
        for key in path {
            at = *self.node(at).children.get(key)?;
        }
        Some(at)
    }

    /// Every node, parents before children.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        (0..).map(NodeId).zip(&self.nodes)
    }
}
