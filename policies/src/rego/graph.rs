//! Checks of what rules refer to: unknown functions, recursion, and chains that are too long.
//!
//! regorus finds an unknown function only when it is reached, and follows recursion until the
//! stack ends, and with it the process. A name that is both a rule and a local variable counts as
//! the rule: a refusal with a remedy is better than a process that ends.

use std::collections::{BTreeMap, HashSet};

use regorus::unstable::{BUILTINS, Module, Ref, Span};

use super::{
    ambient,
    faults::at_span,
    references::{self, Path, Use},
};
use crate::Diagnostic;

/// Longest chain of rules that refer to one another. regorus uses some 4 KB of stack a rule in a
/// release build and ten times that in a debug build; evaluator threads have 64 MiB.
const MAX_CHAIN: usize = 400;

/// Time to put the statements of all bodies in order, which takes the square of their number: some
/// microseconds each in a debug build. Thirty thousand bodies of ten statements take all of it.
const MAX_COST: u64 = 3_000_000;

/// Most references between rules, where a reference to a package counts for each of its rules. A
/// rule of a hand-written policy has some ten.
const MAX_EDGES: usize = 500_000;

/// Builtins that would leave the process. Nothing allows them yet.
const REFUSED: [&str; 3] = ["http.send", "net.lookup_ip_addr", "opa.runtime"];

/// All rules of a policy, and what they refer to.
pub(super) struct Graph {
    nodes: Vec<Node>,
    cost: u64,
}

/// A rule: all definitions of one path.
struct Node {
    path: Path,
    is_function: bool,
    span: Span,
    uses: Vec<Resolved>,
}

/// A use, from the root that it means.
struct Resolved {
    path: Path,
    arguments: Option<usize>,
    span: Span,
}

impl Graph {
    pub(super) fn new(modules: &[Ref<Module>]) -> Self {
        let mut nodes: BTreeMap<Path, Node> = BTreeMap::new();
        let all: Vec<_> = modules
            .iter()
            .map(|module| {
                let package = rooted(&references::package(module));
                (
                    package,
                    references::imports(module),
                    references::definitions(module),
                )
            })
            .collect();
        // A package's names: what the first part of a reference in it may mean.
        let names: HashSet<Path> = all
            .iter()
            .flat_map(|(package, _, rules)| {
                let firsts = rules.iter().filter_map(|rule| rule.name.first());
                firsts.map(move |first| join(package, std::slice::from_ref(first)))
            })
            .collect();
        let mut cost = 0_u64;
        for (package, imports, rules) in all {
            for rule in rules {
                cost = cost.saturating_add(rule.cost);
                let path = join(&package, &rule.name);
                let resolve = |used: Use| Resolved {
                    path: resolve(&used.path, &package, &imports, &names),
                    arguments: used.arguments,
                    span: used.span,
                };
                let uses = rule.uses.into_iter().map(resolve);
                nodes
                    .entry(path.clone())
                    .or_insert_with(|| Node {
                        path,
                        is_function: rule.is_function,
                        span: rule.span,
                        uses: Vec::new(),
                    })
                    .uses
                    .extend(uses);
            }
        }
        Self {
            nodes: nodes.into_values().collect(),
            cost,
        }
    }

    /// Paths of the rules that are not functions.
    pub(super) fn rules(&self) -> impl Iterator<Item = &Path> {
        self.nodes
            .iter()
            .filter(|node| !node.is_function)
            .map(|node| &node.path)
    }

    /// Calls of functions that nobody defines, that are refused, or that take other arguments.
    pub(super) fn check_calls(&self) -> Vec<Diagnostic> {
        let mut faults = Vec::new();
        for used in self.nodes.iter().flat_map(|node| &node.uses) {
            if let Some(arguments) = used.arguments {
                faults.extend(self.check_call(used, arguments));
            }
        }
        faults
    }

    fn check_call(&self, used: &Resolved, arguments: usize) -> Option<Diagnostic> {
        let name = used.path.join(".");
        if REFUSED.contains(&name.as_str()) {
            let text = format!("`{name}` is refused: a policy has no access outside its request");
            return Some(
                at_span("rego_type_error", text, &used.span)
                    .with_remedy("pass what it needs in the input or in `data`"),
            );
        }
        let defined = self.find(&used.path).map(|place| &self.nodes[place]);
        if defined.is_some_and(|node| node.is_function) {
            return None;
        }
        let ours = ambient::BUILTINS
            .iter()
            .find(|(builtin, _)| *builtin == name);
        let wanted = match ours {
            Some((_, wanted)) => Some(*wanted),
            None if name == "print" => Some(arguments),
            None => BUILTINS
                .get(name.as_str())
                .map(|(_, wanted)| usize::from(*wanted)),
        };
        match wanted {
            // One more than wanted is the older way to name the result: `count(x, n)`.
            Some(wanted) if arguments == wanted || arguments == wanted + 1 => None,
            Some(wanted) => Some(at_span(
                "rego_type_error",
                format!("`{name}` takes {wanted} arguments, not {arguments}"),
                &used.span,
            )),
            None => Some(
                at_span(
                    "rego_type_error",
                    format!("undefined function `{name}`"),
                    &used.span,
                )
                .with_remedy("define it in a module, or see the list of builtins"),
            ),
        }
    }

    /// Bodies that would take too long to put in order.
    pub(super) fn check_bodies(&self) -> Option<Diagnostic> {
        let first = self.nodes.first().filter(|_| self.cost > MAX_COST)?;
        let text = "the bodies of rules have too many statements".to_owned();
        let fault = at_span("rego_compile_error", text, &first.span);
        Some(fault.with_remedy("write long bodies as several rules, and tables in `data`"))
    }

    /// Recursion, and chains that are too long.
    pub(super) fn check_chains(&self) -> Vec<Diagnostic> {
        let mut edges: Vec<Vec<usize>> = Vec::with_capacity(self.nodes.len());
        let mut room = MAX_EDGES;
        for node in &self.nodes {
            let Some(own) = self.edges(node, &mut room) else {
                let text = format!("rules refer to one another more than {MAX_EDGES} times");
                let fault = at_span("rego_compile_error", text, &node.span);
                return vec![fault.with_remedy("refer to single rules instead of whole packages")];
            };
            edges.push(own);
        }
        let mut search = Search {
            edges: &edges,
            state: vec![State::New; edges.len()],
        };
        let mut faults = Vec::new();
        for start in 0..self.nodes.len() {
            if let Some(place) = search.visit(start) {
                let node = &self.nodes[place];
                let name = node.path.join(".");
                faults.push(
                    at_span(
                        "rego_recursion_error",
                        format!("rule `{name}` is recursive"),
                        &node.span,
                    )
                    .with_remedy("break the cycle; a local variable must not share a rule's name"),
                );
                return faults;
            }
        }
        for (node, state) in self.nodes.iter().zip(&search.state) {
            if matches!(state, State::Done(height) if *height == MAX_CHAIN + 1) {
                let text = format!("rules refer to one another in a chain longer than {MAX_CHAIN}");
                faults.push(at_span("rego_compile_error", text, &node.span));
            }
        }
        faults
    }

    /// The rules that a rule refers to: those at a path that it uses, above it, or below it. `None`
    /// where there is no room for so many.
    fn edges(&self, node: &Node, room: &mut usize) -> Option<Vec<usize>> {
        let mut edges: Vec<usize> = Vec::new();
        for used in &node.uses {
            edges.extend(self.at_or_above(&used.path));
            let below = self.below(&used.path);
            *room = room.checked_sub(1 + below.len())?;
            edges.extend(below);
        }
        edges.sort_unstable();
        edges.dedup();
        Some(edges)
    }

    fn at_or_above<'a>(&'a self, path: &'a [String]) -> impl Iterator<Item = usize> + 'a {
        (1..=path.len()).filter_map(|length| self.find(&path[..length]))
    }

    fn find(&self, path: &[String]) -> Option<usize> {
        self.nodes
            .binary_search_by(|node| node.path.as_slice().cmp(path))
            .ok()
    }

    /// Nodes are in the order of their paths, so those below a path stand together behind it.
    fn below(&self, path: &[String]) -> std::ops::Range<usize> {
        let start = self
            .nodes
            .partition_point(|node| node.path.as_slice() <= path);
        let count = self.nodes[start..]
            .iter()
            .take_while(|node| node.path.starts_with(path))
            .count();
        start..start + count
    }
}

/// A depth-first search without recursion.
struct Search<'a> {
    edges: &'a [Vec<usize>],
    state: Vec<State>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    /// Visited; the length of the longest chain that begins here.
    Done(usize),
}

impl Search<'_> {
    /// Visits what can be reached from a node; answers a node of a cycle, if there is one.
    fn visit(&mut self, start: usize) -> Option<usize> {
        if self.state[start] != State::New {
            return None;
        }
        self.state[start] = State::Open;
        let mut path = vec![(start, 0)];
        while let Some((node, next)) = path.pop() {
            if let Some(&target) = self.edges[node].get(next) {
                path.push((node, next + 1));
                match self.state[target] {
                    State::New => {
                        self.state[target] = State::Open;
                        path.push((target, 0));
                    }
                    State::Open => return Some(target),
                    State::Done(_) => {}
                }
            } else {
                let height = |target: &usize| match self.state[*target] {
                    State::Done(height) => height,
                    State::New | State::Open => 0,
                };
                let longest = self.edges[node].iter().map(height).max().unwrap_or(0);
                self.state[node] = State::Done(longest + 1);
            }
        }
        None
    }
}

/// A path from the root that it means: an import's, a rule's of the same package, or as written.
fn resolve(
    path: &[String],
    package: &Path,
    imports: &[(String, Path)],
    names: &HashSet<Path>,
) -> Path {
    let Some((first, rest)) = path.split_first() else {
        return Path::new();
    };
    if references::is_root(first) {
        return path.to_vec();
    }
    let own = join(package, std::slice::from_ref(first));
    if names.contains(&own) {
        return join(package, path);
    }
    match imports.iter().find(|(name, _)| name == first) {
        Some((_, target)) => join(target, rest),
        None => path.to_vec(),
    }
}

/// A package's path below `data`.
fn rooted(package: &[String]) -> Path {
    join(&["data".to_owned()], package)
}

fn join(left: &[String], right: &[String]) -> Path {
    left.iter().chain(right).cloned().collect()
}
