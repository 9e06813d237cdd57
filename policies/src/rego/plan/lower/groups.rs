//! Which definitions make one rule of the plan.
//!
//! Definitions with the same constant place are one rule. Where one of them goes on with a
//! variable (`p.q[x] := …`), everything below its constant part (`p.q.r := …`) is part of the same
//! object.

use std::cmp::Ordering;

use regorus::Value;

use crate::rego::core::{Definition, NodeId, Program};
use crate::rego::findings::Findings;
use crate::rego::plan::ir::{self, RuleId, RuleKind};
use crate::rego::value;

/// One rule of the plan.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) path: Vec<Value>,
    pub(super) kind: RuleKind,
    /// Indices into the program's definitions, in the order of the source.
    pub(super) definitions: Vec<usize>,
    /// How many keys behind the path its definitions give at most; a member of a set is one.
    pub(super) keys: usize,
}

/// The rules, and where they are.
#[derive(Debug)]
pub(super) struct Groups {
    pub(super) rules: Vec<Group>,
    pub(super) tree: Vec<PlanNode>,
    /// For each node of the program: the node of the plan, and the rule that it is part of.
    places: Vec<Place>,
}

/// What a node of the program is in the plan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) node: ir::NodeId,
    pub(super) rule: Option<RuleId>,
}

/// A node of the plan's tree.
#[derive(Debug)]
pub(super) struct PlanNode {
    path: Vec<Value>,
    rule: Option<RuleId>,
    /// In the order of their keys.
    children: Vec<ir::NodeId>,
    /// A rule here or below can be asked for a part of it.
    has_parts: bool,
}

impl Group {
    /// A part of it can be asked for.
    pub(super) fn can_be_asked_for_parts(&self) -> bool {
        matches!(self.kind, RuleKind::Set | RuleKind::Object)
    }
}

impl Groups {
    pub(super) fn new(program: &Program, findings: &mut Findings) -> Self {
        let nowhere = Place {
            node: ir::NodeId::ROOT,
            rule: None,
        };
        let mut groups = Self {
            rules: Vec::new(),
            tree: Vec::new(),
            places: vec![nowhere; program.tree.nodes().count()],
        };
        groups.visit(program, NodeId::ROOT, findings);
        groups.note_parts();
        groups
    }

    pub(super) fn place(&self, node: NodeId) -> Place {
        self.places[node.index()]
    }

    /// What can be asked for parts below a node, under a key or under all: its own node, and the
    /// rule there.
    pub(super) fn with_parts_below(
        &self,
        node: ir::NodeId,
        key: Option<&Value>,
    ) -> impl Iterator<Item = (ir::NodeId, Option<RuleId>)> {
        let mut children = &self.tree[node.index()].children[..];
        if let Some(key) = key {
            let order = |child: &ir::NodeId| {
                let name = self.tree[child.index()].path.last();
                name.map_or(Ordering::Less, |name| value::compare(name, key))
            };
            let found = children.binary_search_by(order);
            children = found.map_or(&[], |at| &children[at..=at]);
        }
        let with_rule = |child: &ir::NodeId| {
            let node = &self.tree[child.index()];
            node.has_parts.then_some((*child, node.rule))
        };
        children.iter().filter_map(with_rule)
    }

    /// Notes where parts can be asked for. What is below a node comes after it.
    fn note_parts(&mut self) {
        for at in (0..self.tree.len()).rev() {
            let node = &self.tree[at];
            let of_rule = |rule: RuleId| self.rules[rule.index()].can_be_asked_for_parts();
            let below = |child: &ir::NodeId| self.tree[child.index()].has_parts;
            let has_parts = node.rule.is_some_and(of_rule) || node.children.iter().any(below);
            self.tree[at].has_parts = has_parts;
        }
    }

    pub(super) fn nodes(&self) -> Vec<ir::Node> {
        let node = |node: &PlanNode| ir::Node {
            path: node.path.clone().into(),
            rule: node.rule,
            children: node.children.clone().into(),
        };
        self.tree.iter().map(node).collect()
    }

    fn visit(&mut self, program: &Program, at: NodeId, findings: &mut Findings) -> ir::NodeId {
        let node = program.tree.node(at);
        let id = ir::NodeId(u32::try_from(self.tree.len()).expect("fewer nodes than bytes"));
        self.tree.push(PlanNode {
            path: node.path.clone(),
            rule: None,
            children: Vec::new(),
            has_parts: false,
        });
        self.places[at.index()].node = id;
        if node.definitions.is_empty() {
            let mut below: Vec<NodeId> = node.children.values().copied().collect();
            let key = |node: &NodeId| program.tree.node(*node).path.last();
            below.sort_by(|a, b| match (key(a), key(b)) {
                (Some(a), Some(b)) => value::compare(a, b),
                (a, b) => a.is_some().cmp(&b.is_some()),
            });
            for child in below {
                let child = self.visit(program, child, findings);
                self.tree[id.index()].children.push(child);
            }
            return id;
        }
        let rule = RuleId(u32::try_from(self.rules.len()).expect("fewer rules than bytes"));
        self.tree[id.index()].rule = Some(rule);
        let mut group = Group {
            path: node.path.clone(),
            kind: RuleKind::Complete,
            definitions: node.definitions.clone(),
            keys: 0,
        };
        self.places[at.index()].rule = Some(rule);
        let own = |index: &usize| &program.definitions[*index];
        if node.definitions.iter().map(own).any(|one| !one.is_ground()) {
            self.absorb(program, at, id, rule, &mut group);
            group.definitions.sort_unstable();
            group.kind = RuleKind::Object;
            refuse(program, &group, findings);
        } else if let Some(first) = node.definitions.first().map(own) {
            group.kind = kind(first);
        }
        let keys =
            |one: &Definition| one.reference.len() - group.path.len() + usize::from(one.is_set());
        group.keys = group
            .definitions
            .iter()
            .map(own)
            .map(keys)
            .max()
            .unwrap_or(0);
        self.rules.push(group);
        id
    }

    /// Takes the definitions below a node into the rule there.
    fn absorb(
        &mut self,
        program: &Program,
        at: NodeId,
        id: ir::NodeId,
        rule: RuleId,
        group: &mut Group,
    ) {
        for &child in program.tree.node(at).children.values() {
            group
                .definitions
                .extend(&program.tree.node(child).definitions);
            self.places[child.index()] = Place {
                node: id,
                rule: Some(rule),
            };
            self.absorb(program, child, id, rule, group);
        }
    }
}

fn kind(definition: &Definition) -> RuleKind {
    let arity = definition.arguments.len();
    if arity > 0 {
        let arity = u32::try_from(arity).expect("fewer arguments than bytes");
        RuleKind::Function { arity }
    } else if definition.is_set() {
        RuleKind::Set
    } else {
        RuleKind::Complete
    }
}

/// What an object cannot have in the plan.
fn refuse(program: &Program, group: &Group, findings: &mut Findings) {
    for &index in &group.definitions {
        let definition = &program.definitions[index];
        if definition.default {
            let what = "`default` below a rule whose name has a variable";
            findings.unsupported(definition.span, what);
        }
        if !definition.otherwise.is_empty() {
            findings.unsupported(definition.span, "`else` of a partial rule");
        }
    }
}
