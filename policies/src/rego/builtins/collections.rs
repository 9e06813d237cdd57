//! Functions of arrays, sets and graphs.

use std::collections::BTreeSet;

use super::{Context, Function, Result, members, wrong_type};
use crate::rego::value::{self, Value, is_defined, order};

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("array.flatten", 1, flatten),
    ("array.reverse", 1, |context, operands| {
        let elements =
            value::elements(&operands[0]).ok_or_else(|| wrong_type(1, "array", &operands[0]))?;
        context.charge_members(elements.len())?;
        Ok(elements.iter().rev().cloned().collect::<Vec<_>>().into())
    }),
    ("graph.reachable", 2, reachable),
    ("graph.reachable_paths", 2, reachable_paths),
    ("intersection", 1, intersection),
    ("set_diff", 2, |context, operands| match operands {
        [Value::Set(left), Value::Set(right)] => {
            context.charge_members(left.len())?;
            Ok(left.difference(right).into_value())
        }
        [Value::Set(_), right] => Err(wrong_type(2, "set", right)),
        operands => Err(wrong_type(1, "set", &operands[0])),
    }),
];

/// The elements, with those of elements that are arrays in their places.
fn flatten(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let elements =
        value::elements(&operands[0]).ok_or_else(|| wrong_type(1, "array", &operands[0]))?;
    context.charge_members(elements.len())?;
    let mut flat = Vec::with_capacity(elements.len());
    for element in elements {
        let inner = value::elements(element).unwrap_or(std::slice::from_ref(element));
        context.charge_members(inner.len())?;
        flat.extend_from_slice(inner);
    }
    Ok(Value::from(flat))
}

/// The members that all sets have.
fn intersection(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let Value::Set(sets) = &operands[0] else {
        return Err(wrong_type(1, "set", &operands[0]));
    };
    let mut common: Option<Value> = None;
    for set in order::members(sets) {
        let Value::Set(members) = set else {
            return Err(wrong_type(1, "set", set));
        };
        common = Some(match common {
            Some(Value::Set(common)) => {
                context.charge_members(common.len().min(members.len()))?;
                common.intersection(members).into_value()
            }
            _ => set.clone(),
        });
    }
    Ok(common.unwrap_or_else(Value::new_set))
}

/// The vertices of the graph that edges lead to from the initial ones.
fn reachable(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let graph = &operands[0];
    if !matches!(graph, Value::Object(_)) {
        return Err(wrong_type(1, "object", graph));
    }
    let mut open = members(operands, 1)?;
    let mut reached = BTreeSet::new();
    while let Some(vertex) = open.pop() {
        context.budget.steps(1)?;
        let Some(edges) = value::get(graph, vertex) else {
            continue;
        };
        if reached.insert(vertex.clone()) {
            let next = neighbours(edges);
            context.charge_members(1 + next.len())?;
            open.extend(next);
        }
    }
    Ok(reached.into())
}

/// Every path from the initial vertices to where it ends or would come back to itself.
fn reachable_paths(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let graph = &operands[0];
    if !matches!(graph, Value::Object(_)) {
        return Err(wrong_type(1, "object", graph));
    }
    let mut paths = BTreeSet::new();
    for root in members(operands, 1)? {
        let Some(edges) = value::get(graph, root) else {
            continue;
        };
        let mut path = vec![root.clone()];
        let edges = neighbours(edges);
        if edges.is_empty() {
            paths.insert(Value::from(path));
            continue;
        }
        for neighbour in edges {
            extend(context, graph, neighbour, &mut path, &mut paths)?;
        }
    }
    Ok(Value::from(paths))
}

/// Follows a path to a vertex and on.
fn extend(
    context: &mut Context<'_, '_>,
    graph: &Value,
    vertex: &Value,
    path: &mut Vec<Value>,
    paths: &mut BTreeSet<Value>,
) -> Result<()> {
    context.charge_members(path.len() + 1)?;
    let Some(edges) = value::get(graph, vertex).filter(|edges| is_defined(edges)) else {
        paths.insert(Value::from(path.clone()));
        return Ok(());
    };
    context.budget.descend()?;
    path.push(vertex.clone());
    let edges = neighbours(edges);
    if edges.is_empty() {
        paths.insert(Value::from(path.clone()));
    }
    for neighbour in edges {
        if path.contains(neighbour) {
            paths.insert(Value::from(path.clone()));
        } else {
            extend(context, graph, neighbour, path, paths)?;
        }
    }
    path.pop();
    context.budget.ascend();
    Ok(())
}

fn neighbours(edges: &Value) -> Vec<&Value> {
    match edges {
        Value::Set(set) => order::members(set).collect(),
        edges => value::elements(edges).unwrap_or_default().iter().collect(),
    }
}
