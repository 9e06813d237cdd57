//! Rules and functions that need themselves.
//!
//! ```text
//! definition ──▶ definitions that its references can lead to, functions that it calls
//!            ──▶ subtree of the node where a reference ends ──▶ subtrees and definitions below
//! ```

use regorus::Value;

use super::place;
use crate::rego::core::{
    self, Callee, Definition, Expr, NodeId, Program, Ref, Replacement, Root, Target, Term, TermKind,
};
use crate::rego::findings::{Findings, MAX_FAULTS, Stage};
use crate::rego::source::ErrorCode;
use crate::rego::value;

/// Reports definitions that are part of a cycle. Without one, gives the definitions in an order in
/// which each comes after those that it depends on.
pub fn check(program: &Program, findings: &mut Findings) -> Vec<usize> {
    let mut graph = Graph::new(program);
    let cyclic = graph.cyclic();
    let mut found = false;
    let members = program.definitions.iter().enumerate();
    let members = members.filter(|&(index, _)| cyclic[index]);
    // Each way back is looked for in all of the cycle.
    for (index, definition) in members.take(MAX_FAULTS) {
        found = true;
        let path = graph.cycle(index, &cyclic);
        let name = place(definition);
        let names: Vec<String> = path
            .iter()
            .filter_map(|&vertex| program.definitions.get(vertex))
            .map(place)
            .collect();
        let message = format!("rule {name} is recursive: {}", names.join(" -> "));
        findings.add(
            Stage::Recursion,
            ErrorCode::Recursion,
            definition.span,
            message,
        );
    }
    let mut order = std::mem::take(&mut graph.finished);
    order.retain(|&vertex| vertex < program.definitions.len());
    if !found {
        within_objects(program, graph, findings);
    }
    order
}

/// The plan evaluates an object of several rules as one; OPA only the parts that are asked for.
fn within_objects(program: &Program, mut graph: Graph, findings: &mut Findings) {
    let mut parts = Vec::new();
    objects(program, NodeId::ROOT, &mut parts);
    let mut object_of = vec![None; graph.edges.len()];
    for (object, members) in &parts {
        for &member in members {
            object_of[member] = Some(program.definitions.len() + object.index());
        }
    }
    for edges in &mut graph.edges[..program.definitions.len()] {
        let whole = edges
            .iter()
            .filter_map(|&target| object_of.get(target).copied().flatten());
        let whole: Vec<usize> = whole.collect();
        edges.extend(whole);
    }
    let cyclic = graph.cyclic();
    for (_, members) in parts {
        let mut definitions = members
            .iter()
            .filter(|&&member| member < program.definitions.len());
        if let Some(&first) = definitions.find(|&&index| cyclic[index]) {
            let span = program.definitions[first].span;
            findings.unsupported(span, "rules of one object that need each other");
        }
    }
}

/// The places of partial objects, with all vertices there and below.
fn objects(program: &Program, at: NodeId, found: &mut Vec<(NodeId, Vec<usize>)>) {
    let node = program.tree.node(at);
    let is_open = |index: &usize| !program.definitions[*index].is_ground();
    if node.definitions.iter().any(is_open) {
        let mut members = Vec::new();
        collect(program, at, &mut members);
        found.push((at, members));
        return;
    }
    for &child in node.children.values() {
        objects(program, child, found);
    }
}

fn collect(program: &Program, at: NodeId, found: &mut Vec<usize>) {
    let node = program.tree.node(at);
    found.extend(&node.definitions);
    found.push(program.definitions.len() + at.index());
    for &child in node.children.values() {
        collect(program, child, found);
    }
}

/// The constant part of a definition's place.
pub(super) fn ground(definition: &Definition) -> Vec<Value> {
    let constant = |part: &Term| match &part.kind {
        TermKind::Constant(value) => Some(value.clone()),
        _ => None,
    };
    definition.reference.iter().map_while(constant).collect()
}

/// Vertices are the definitions, then the nodes of the tree: all that is there and below.
struct Graph {
    edges: Vec<Vec<usize>>,
    /// The vertices, each after those that it leads to, once cycles have been looked for.
    finished: Vec<usize>,
}

impl Graph {
    fn new(program: &Program) -> Self {
        let first_node = program.definitions.len();
        let mut edges = Vec::with_capacity(first_node);
        for definition in &program.definitions {
            let mut found = Vec::new();
            for branch in std::iter::once(definition).chain(&definition.otherwise) {
                dependencies(program, branch, &mut found);
            }
            found.sort_unstable();
            found.dedup();
            edges.push(found);
        }
        for (_, node) in program.tree.nodes() {
            let mut below: Vec<usize> = node.definitions.clone();
            below.extend(
                node.children
                    .values()
                    .map(|child| first_node + child.index()),
            );
            edges.push(below);
        }
        Self {
            edges,
            finished: Vec::new(),
        }
    }

    /// Which vertices are part of a cycle: Tarjan's algorithm, without recursion.
    fn cyclic(&mut self) -> Vec<bool> {
        let count = self.edges.len();
        let mut order = vec![usize::MAX; count];
        let mut low = vec![0; count];
        let mut on_stack = vec![false; count];
        let mut cyclic = vec![false; count];
        let mut stack = Vec::new();
        let mut next = 0;
        self.finished.clear();
        for root in 0..count {
            if order[root] != usize::MAX {
                continue;
            }
            let mut calls = vec![(root, 0)];
            while let Some((vertex, at)) = calls.pop() {
                if at == 0 {
                    order[vertex] = next;
                    low[vertex] = next;
                    next += 1;
                    stack.push(vertex);
                    on_stack[vertex] = true;
                }
                if let Some(&target) = self.edges[vertex].get(at) {
                    calls.push((vertex, at + 1));
                    if order[target] == usize::MAX {
                        calls.push((target, 0));
                    } else if on_stack[target] {
                        low[vertex] = low[vertex].min(order[target]);
                    }
                    continue;
                }
                self.finished.push(vertex);
                if low[vertex] == order[vertex] {
                    let from = stack
                        .iter()
                        .rposition(|&other| other == vertex)
                        .unwrap_or(0);
                    let component = stack.split_off(from);
                    let is_cycle = component.len() > 1 || self.edges[vertex].contains(&vertex);
                    for member in component {
                        on_stack[member] = false;
                        cyclic[member] = is_cycle;
                    }
                }
                if let Some((parent, _)) = calls.last() {
                    low[*parent] = low[*parent].min(low[vertex]);
                }
            }
        }
        cyclic
    }

    /// A way from a vertex back to itself.
    fn cycle(&self, start: usize, cyclic: &[bool]) -> Vec<usize> {
        let mut before = vec![usize::MAX; self.edges.len()];
        let mut queue = std::collections::VecDeque::from([start]);
        while let Some(vertex) = queue.pop_front() {
            for &target in &self.edges[vertex] {
                if target == start {
                    let mut path = vec![start];
                    let mut at = vertex;
                    while at != start {
                        path.push(at);
                        at = before[at];
                    }
                    path.push(start);
                    path.reverse();
                    return path;
                }
                if cyclic[target] && before[target] == usize::MAX {
                    before[target] = vertex;
                    queue.push_back(target);
                }
            }
        }
        vec![start]
    }
}

fn dependencies(program: &Program, definition: &Definition, found: &mut Vec<usize>) {
    let mut each = |expr: &Expr| of_expr(program, expr, found);
    core::walk_body(&definition.body, &mut each);
    let head = definition.reference.iter().chain(&definition.arguments);
    for term in head.chain(&definition.key).chain(&definition.value) {
        core::walk_term(term, &mut |expr| of_expr(program, expr, found));
        references(program, term, found);
    }
}

/// What a condition depends on, bodies within it apart.
fn of_expr(program: &Program, expr: &Expr, found: &mut Vec<usize>) {
    crate::rego::order::vars::terms(expr, &mut |term| references(program, term, found));
    if let core::ExprKind::Call(call) = &expr.kind {
        callee(program, &call.callee, found);
    }
    for with in expr.with.iter().flat_map(|with| with.iter()) {
        match &with.target {
            Target::Callee(target) => callee(program, target, found),
            Target::Data(path) => {
                let keys: Vec<Option<&Value>> = path.iter().map(Some).collect();
                reach(program, NodeId::ROOT, &keys, 0, found);
            }
            Target::Input(_) => {}
        }
        if let Replacement::Callee(value) = &with.value {
            callee(program, value, found);
        }
    }
}

fn callee(program: &Program, callee: &Callee, found: &mut Vec<usize>) {
    if let Callee::Function(node) = callee {
        found.push(program.definitions.len() + node.index());
    }
}

/// What the references in a term can lead to; comprehensions' heads too, their bodies not.
fn references(program: &Program, term: &Term, found: &mut Vec<usize>) {
    match &term.kind {
        TermKind::Constant(_) | TermKind::Var(_) => {}
        TermKind::Ref(reference) => {
            reference
                .path
                .iter()
                .for_each(|part| references(program, part, found));
            if reference.root == Root::Data {
                reach(program, NodeId::ROOT, &keys(reference), 0, found);
            }
        }
        TermKind::Array(terms) | TermKind::Set(terms) => {
            terms
                .iter()
                .for_each(|term| references(program, term, found));
        }
        TermKind::Object(pairs) => pairs.iter().for_each(|(key, value)| {
            references(program, key, found);
            references(program, value, found);
        }),
        TermKind::Comprehension(comprehension) => {
            comprehension
                .head
                .terms()
                .for_each(|term| references(program, term, found));
        }
    }
}

/// The parts of a path; `None` for what is not constant.
fn keys(reference: &Ref) -> Vec<Option<&Value>> {
    reference
        .path
        .iter()
        .map(|part| match &part.kind {
            TermKind::Constant(value) => Some(value),
            _ => None,
        })
        .collect()
}

/// What a path below a node can lead to: of a path that ends there, or goes on with anything, all that
/// is there and below.
fn reach(
    program: &Program,
    at: NodeId,
    keys: &[Option<&Value>],
    depth: usize,
    found: &mut Vec<usize>,
) {
    let node = program.tree.node(at);
    let rest = &keys[depth..];
    let is_end = |&index: &usize| program.definitions[index].reference.len() <= depth;
    // Rules at one place are of one kind.
    let is_leaf = node.children.is_empty() && node.definitions.first().is_none_or(is_end);
    if is_leaf || rest.iter().all(Option::is_none) {
        found.push(program.definitions.len() + at.index());
        return;
    }
    for &index in &node.definitions {
        if meets(&program.definitions[index], keys) {
            found.push(index);
        }
    }
    match rest[0] {
        Some(key) => {
            if let Some(&child) = node.children.get(key) {
                reach(program, child, keys, depth + 1, found);
            }
        }
        None => {
            for &child in node.children.values() {
                reach(program, child, keys, depth + 1, found);
            }
        }
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
