//! Functions of objects.

use std::collections::{BTreeMap, BTreeSet};

use super::{Context, Function, Result, member_count, wrong_type};
use crate::rego::value::{self, Value, elements};
use regorus::value::Object;

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("object.filter", 2, |context, operands| {
        context.charge_members(2 * member_count(&operands[1]))?;
        let (object, keys) = (object(operands, 0)?, keys(operands)?);
        context.charge_members(2 * object.len())?;
        let member = |(key, value): (&Value, &Value)| (key.clone(), value.clone());
        let members: BTreeMap<Value, Value> = if object.len() < keys.len() {
            let members = keys
                .into_iter()
                .filter_map(|key| Some((key, object.get(key)?)));
            members.map(member).collect()
        } else {
            let members = object.iter().filter(|(key, _)| keys.contains(key));
            members.map(member).collect()
        };
        Ok(members.into())
    }),
    ("object.get", 3, object_get),
    ("object.keys", 1, |context, operands| {
        let object = object(operands, 0)?;
        context.charge_members(object.len())?;
        for key in object.keys() {
            context.budget.weigh(key)?;
        }
        let keys = object.keys().cloned();
        Ok(keys.collect::<BTreeSet<_>>().into())
    }),
    ("object.remove", 2, |context, operands| {
        context.charge_members(2 * member_count(&operands[1]))?;
        let (object, keys) = (object(operands, 0)?, keys(operands)?);
        context.charge_members(2 * object.len())?;
        let members = object.iter().filter(|(key, _)| !keys.contains(key));
        let members = members.map(|(key, value)| (key.clone(), value.clone()));
        Ok(members.collect::<BTreeMap<_, _>>().into())
    }),
    ("object.union", 2, |context, operands| {
        let (first, second) = (object(operands, 0)?, object(operands, 1)?);
        if first.is_empty() {
            return Ok(operands[1].clone());
        }
        if second.is_empty() {
            return Ok(operands[0].clone());
        }
        union(context, first, second)
    }),
    ("object.union_n", 1, union_of_many),
];

fn object(operands: &[Value], at: usize) -> Result<&Object> {
    match &operands[at] {
        Value::Object(object) => Ok(object),
        other => Err(wrong_type(at + 1, "object", other)),
    }
}

/// Keys that are the members of an array or a set, or the keys of an object.
fn keys(operands: &[Value]) -> Result<BTreeSet<&Value>> {
    match &operands[1] {
        Value::Set(set) => Ok(set.iter().collect()),
        Value::Object(object) => Ok(object.keys().collect()),
        other => match elements(other) {
            Some(elements) => Ok(elements.iter().collect()),
            None => Err(wrong_type(2, "one of {object, set, array}", other)),
        },
    }
}

/// A member, or what an array of keys leads to.
fn object_get(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let object = object(operands, 0)?;
    context.budget.weigh(&operands[1])?;
    let found = match elements(&operands[1]) {
        Some(path) => path.iter().try_fold(&operands[0], value::get),
        None => object.get(&operands[1]),
    };
    Ok(found.unwrap_or(&operands[2]).clone())
}

/// The members of both; of two under one key, the second, unless both are objects.
fn union(context: &mut Context<'_, '_>, first: &Object, second: &Object) -> Result<Value> {
    context.charge_members(2 * (first.len() + second.len()))?;
    context.budget.descend()?;
    let mut members: BTreeMap<Value, Value> = first
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    for (key, value) in second.iter() {
        let merged = match (first.get(key), value) {
            (Some(Value::Object(inner)), Value::Object(other)) => union(context, inner, other)?,
            _ => value.clone(),
        };
        members.insert(key.clone(), merged);
    }
    context.budget.ascend();
    Ok(members.into())
}

/// A value that is no object, under a key that another object has too, hides what is under that key
/// in all objects before.
fn union_of_many(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let objects = elements(&operands[0]).ok_or_else(|| wrong_type(1, "array", &operands[0]))?;
    if let Some(other) = objects.iter().find(|one| !matches!(one, Value::Object(_))) {
        return Err(super::Fault::Type(format!(
            "operand 1 must be array of objects but got array containing {}",
            value::kind(other).name()
        )));
    }
    let mut objects = objects.iter();
    let Some(first) = objects.next() else {
        return Ok(Value::new_object());
    };
    objects.try_fold(first.clone(), |union_of_all, next| {
        match (&union_of_all, next) {
            (Value::Object(first), Value::Object(second)) => union(context, first, second),
            _ => Ok(union_of_all),
        }
    })
}
