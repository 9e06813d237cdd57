//! Rules and functions that need themselves.
//!
//! ```text
//! definition ──▶ definitions that its references can lead to, functions that it calls
//!            ──▶ subtree of the node where a reference ends ──▶ subtrees and definitions below
//! ```

mod leads;

use regorus::Value;

use super::place;
use crate::rego::core::{Definition, NodeId, Program, Term, TermKind};
use crate::rego::findings::{Findings, MAX_FAULTS, Stage};
use crate::rego::source::ErrorCode;
use leads::Leads;

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
    let nodes = program.definitions.len()..program.definitions.len() + program.tree.nodes().count();
    for (vertex, edges) in graph.edges.iter_mut().enumerate() {
        if nodes.contains(&vertex) {
            continue;
        }
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

/// Vertices are the definitions, then the nodes of the tree, which lead to all that is there and below,
/// then the paths of [`Leads`].
struct Graph {
    edges: Vec<Vec<usize>>,
    /// The vertices, each after those that it leads to, once cycles have been looked for.
    finished: Vec<usize>,
}

impl Graph {
    fn new(program: &Program) -> Self {
        let first_node = program.definitions.len();
        let mut leads = Leads::new(program);
        let mut edges: Vec<Vec<usize>> = Vec::with_capacity(first_node);
        edges.extend(program.definitions.iter().map(|one| leads.of(one)));
        for (_, node) in program.tree.nodes() {
            let mut below: Vec<usize> = node.definitions.clone();
            below.extend(
                node.children
                    .values()
                    .map(|child| first_node + child.index()),
            );
            edges.push(below);
        }
        edges.append(&mut leads.paths);
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
