//! What a definition leads to.

use std::collections::BTreeMap;

use regorus::Value;

use crate::rego::core::{
    self, Callee, Definition, Expr, ExprKind, NodeId, Program, Ref, Replacement, Root, Target,
    Term, TermKind,
};
use crate::rego::value;

/// A path; `None` for what is not constant.
type Keys<'p> = Vec<Option<&'p Value>>;

/// Collects what definitions lead to. Vertices are the definitions, then the nodes of the tree, then
/// paths that go on after something that is not constant: what such a path can lead to is looked for
/// once, however many references there are of it.
pub(super) struct Leads<'p> {
    program: &'p Program,
    /// The vertex of the first path.
    first_path: usize,
    found: Vec<usize>,
    places: BTreeMap<Keys<'p>, usize>,
    /// What the paths lead to.
    pub(super) paths: Vec<Vec<usize>>,
}

impl<'p> Leads<'p> {
    pub(super) fn new(program: &'p Program) -> Self {
        Self {
            program,
            first_path: program.definitions.len() + program.tree.nodes().count(),
            found: Vec::new(),
            places: BTreeMap::new(),
            paths: Vec::new(),
        }
    }

    /// The vertices that a definition leads to, each once.
    pub(super) fn of(&mut self, definition: &'p Definition) -> Vec<usize> {
        for branch in std::iter::once(definition).chain(&definition.otherwise) {
            self.branch(branch);
        }
        let mut found = std::mem::take(&mut self.found);
        found.sort_unstable();
        found.dedup();
        found
    }

    fn branch(&mut self, definition: &'p Definition) {
        self.body(&definition.body);
        let head = definition.reference.iter().chain(&definition.arguments);
        for term in head.chain(&definition.key).chain(&definition.value) {
            self.term(term);
        }
    }

    fn body(&mut self, body: &'p core::Body) {
        for expr in body {
            self.expr(expr);
        }
    }

    fn expr(&mut self, expr: &'p Expr) {
        for term in crate::rego::order::vars::terms_of(expr) {
            self.term(term);
        }
        match &expr.kind {
            ExprKind::Call(call) => self.callee(&call.callee),
            ExprKind::Every(every) => self.body(&every.body),
            ExprKind::Not(operand) => self.body(&operand.body),
            ExprKind::And(left, right) | ExprKind::Or(left, right) => {
                self.body(&left.body);
                self.body(&right.body);
            }
            ExprKind::Term(_) | ExprKind::Unify { .. } => {}
        }
        for with in expr.with.iter().flat_map(|with| with.iter()) {
            match &with.target {
                Target::Callee(target) => self.callee(target),
                Target::Data(path) => {
                    let keys: Keys<'p> = path.iter().map(Some).collect();
                    self.reach(NodeId::ROOT, &keys, 0);
                }
                Target::Input(_) => {}
            }
            if let Replacement::Callee(value) = &with.value {
                self.callee(value);
            }
        }
    }

    fn callee(&mut self, callee: &Callee) {
        if let Callee::Function(node) = callee {
            self.place(*node);
        }
    }

    /// All that is at a node and below.
    fn place(&mut self, node: NodeId) {
        self.found
            .push(self.program.definitions.len() + node.index());
    }

    fn term(&mut self, term: &'p Term) {
        match &term.kind {
            TermKind::Constant(_) | TermKind::Var(_) => {}
            TermKind::Ref(reference) => {
                reference.path.iter().for_each(|part| self.term(part));
                if reference.root == Root::Data {
                    self.reach(NodeId::ROOT, &keys(reference), 0);
                }
            }
            TermKind::Array(terms) | TermKind::Set(terms) => {
                terms.iter().for_each(|term| self.term(term));
            }
            TermKind::Object(pairs) => pairs.iter().for_each(|(key, value)| {
                self.term(key);
                self.term(value);
            }),
            TermKind::Comprehension(comprehension) => {
                comprehension.head.terms().for_each(|term| self.term(term));
                self.body(&comprehension.body);
            }
        }
    }

    /// What a path below a node can lead to: of a path that ends there, or goes on with anything,
    /// all that is there and below.
    fn reach(&mut self, at: NodeId, keys: &[Option<&'p Value>], depth: usize) {
        let program = self.program;
        let node = program.tree.node(at);
        let rest = &keys[depth..];
        let is_end = |&index: &usize| program.definitions[index].reference.len() <= depth;
        // Rules at one place are of one kind.
        let is_leaf = node.children.is_empty() && node.definitions.first().is_none_or(is_end);
        if is_leaf || rest.iter().all(Option::is_none) {
            return self.place(at);
        }
        for &index in &node.definitions {
            if meets(&program.definitions[index], keys) {
                self.found.push(index);
            }
        }
        match rest[0] {
            Some(key) => {
                if let Some(&child) = node.children.get(key) {
                    self.reach(child, keys, depth + 1);
                }
            }
            None => self.reach_each(at, keys, depth),
        }
    }

    fn reach_each(&mut self, at: NodeId, keys: &[Option<&'p Value>], depth: usize) {
        let first = self.first_path;
        if let Some(&place) = self.places.get(keys) {
            self.found.push(first + place);
            return;
        }
        let outside = std::mem::take(&mut self.found);
        for &child in self.program.tree.node(at).children.values() {
            // Where a path has several such parts, it is one vertex all the same.
            self.reach(child, keys, depth + 1);
        }
        let found = std::mem::replace(&mut self.found, outside);
        let place = self.paths.len();
        self.paths.push(found);
        self.found.push(first + place);
        if keys[..depth].iter().all(Option::is_some) {
            self.places.insert(keys.to_vec(), place);
        }
    }
}

/// The parts of a path.
fn keys(reference: &Ref) -> Keys<'_> {
    reference.path.iter().map(constant).collect()
}

fn constant(part: &Term) -> Option<&Value> {
    match &part.kind {
        TermKind::Constant(value) => Some(value),
        _ => None,
    }
}

/// Whether a path can lead to a definition.
fn meets(definition: &Definition, keys: &[Option<&Value>]) -> bool {
    definition
        .reference
        .iter()
        .zip(keys)
        .all(|(part, key)| match (&part.kind, key) {
            (TermKind::Constant(part), Some(key)) => value::compare(part, key).is_eq(),
            _ => true,
        })
}
