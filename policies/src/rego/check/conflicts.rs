//! Rules that exclude each other, each other's packages, or base data.

use std::collections::BTreeSet;

use regorus::Value;

use super::{path, place};
use crate::rego::core::{Definition, NodeId, Program};
use crate::rego::findings::{Findings, Stage};
use crate::rego::value;

/// Reports conflicts among the definitions, and of their places with base data.
pub fn check(program: &Program, data: Option<&Value>, findings: &mut Findings) {
    below(program, NodeId::ROOT, findings);
    if let Some(data) = data {
        with_data(program, data, findings);
    }
    with_packages(program, findings);
}

fn below(program: &Program, at: NodeId, findings: &mut Findings) {
    let node = program.tree.node(at);
    if !node.definitions.is_empty() && at_node(program, at, findings) {
        return;
    }
    for &child in node.children.values() {
        below(program, child, findings);
    }
}

/// Reports a conflict of the definitions at a node, and says whether there is one.
fn at_node(program: &Program, at: NodeId, findings: &mut Findings) -> bool {
    let node = program.tree.node(at);
    let definitions: Vec<&Definition> = node
        .definitions
        .iter()
        .map(|&index| &program.definitions[index])
        .collect();
    let (Some(first), Some(last)) = (definitions.first(), definitions.last()) else {
        return false;
    };
    let some_ground = definitions.iter().any(|one| one.is_ground());
    let some_open = definitions.iter().any(|one| !one.is_ground());
    let mut inside = Vec::new();
    if some_ground {
        descendants(program, at, &mut inside);
    }
    if inside.is_empty() && some_open {
        // A function cannot be within an object.
        descendants(program, at, &mut inside);
        inside.retain(|one| !one.arguments.is_empty());
    }
    let name = place(last);
    if !inside.is_empty() {
        let mut message = format!("rule {name} conflicts with:");
        let names: BTreeSet<String> = inside.iter().map(|one| place(one)).collect();
        for name in names {
            message.push_str("\n  rule ");
            message.push_str(&name);
        }
        findings.kind(Stage::Conflicts, first.span, message);
        return true;
    }
    let kinds: BTreeSet<bool> = definitions.iter().map(|one| one.is_set()).collect();
    let arities: BTreeSet<usize> = definitions.iter().map(|one| one.arguments.len()).collect();
    let complete = definitions
        .iter()
        .any(|one| !one.is_set() && one.is_ground());
    let partial = definitions
        .iter()
        .any(|one| one.is_set() || !one.is_ground());
    let set = definitions
        .iter()
        .any(|one| one.is_set() && one.is_ground());
    let object_of_sets = definitions
        .iter()
        .any(|one| one.is_set() && !one.is_ground());
    if kinds.len() > 1 || arities.len() > 1 || (complete && partial) || (set && object_of_sets) {
        let message = format!("conflicting rules {name} found");
        findings.kind(Stage::Conflicts, first.span, message);
        return true;
    }
    let mut defaults = definitions.iter().filter(|one| one.default);
    if let (Some(_), Some(second)) = (defaults.next(), defaults.next()) {
        let message = format!("multiple default rules {name} found");
        findings.kind(Stage::Conflicts, second.span, message);
        return true;
    }
    false
}

fn descendants<'p>(program: &'p Program, at: NodeId, found: &mut Vec<&'p Definition>) {
    for &child in program.tree.node(at).children.values() {
        let definitions = &program.tree.node(child).definitions;
        found.extend(definitions.iter().map(|&index| &program.definitions[index]));
        descendants(program, child, found);
    }
}

/// Rules where there is base data: the rule, or the data, would be hidden.
fn with_data(program: &Program, data: &Value, findings: &mut Findings) {
    for (_, node) in program.tree.nodes() {
        let Some(&first) = node.definitions.first() else {
            continue;
        };
        let mut found = Some(data);
        let mut keys = Vec::new();
        for key in &node.path {
            let Value::String(name) = key else {
                found = None;
                break;
            };
            keys.push(&**name);
            // What is no object leaves no room for a rule below it.
            found = match found {
                Some(object @ Value::Object(_)) => value::get(object, key),
                other => other,
            };
        }
        if found.is_some() {
            let keys = keys.join("/");
            let message = format!("conflicting rule for data path {keys} found");
            let span = program.definitions[first].span;
            findings.compile(Stage::Conflicts, span, message);
        }
    }
}

/// Packages with the name of a rule.
fn with_packages(program: &Program, findings: &mut Findings) {
    for definition in program.definitions.iter().filter(|one| one.is_ground()) {
        let keys = super::recursion::ground(definition);
        let Some(node) = program.tree.find(&keys) else {
            continue;
        };
        if program.tree.node(node).package {
            let module = &program.modules[definition.module];
            let message = format!(
                "package {} conflicts with rule {}",
                &path(&keys)[5..],
                place(definition)
            );
            findings.kind(Stage::Conflicts, module.span, message);
        }
    }
}
