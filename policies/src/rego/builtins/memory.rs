//! `cache.get` and `cache.set`: what a policy remembers between evaluations.
//!
//! They have the operands that they have in the TSA policy service, a key in a namespace and a scope,
//! and what is not there is undefined.

use super::{Context, Fault, Function, Power, Result, refused, string};
use crate::{
    memory::{Key, Recall},
    rego::{
        plan::access::Access,
        value::{Value, json},
    },
};

pub(super) const FUNCTIONS: &[(&str, u8, Power, Function)] = &[
    ("cache.get", 3, Power::Memory, get),
    ("cache.set", 4, Power::Memory, set),
];

fn get(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let key = key(operands)?;
    context.charge_bytes(operands_len(operands))?;
    let Some(json) = recall(context, "cache.get")?.get(&key) else {
        return Ok(Value::Undefined);
    };
    context.charge_bytes(json.len())?;
    context.charge_members(json.len() / 2)?;
    // It was written by `set`.
    json::read_parts(json.as_bytes(), &Access::All).map_err(|fault| Fault::Value(fault.to_string()))
}

fn set(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let key = key(operands)?;
    context.charge_bytes(operands_len(operands))?;
    let value = &operands[3];
    context.charge_text(value)?;
    let json = json::write(value);
    let recall = recall(context, "cache.set")?;
    recall
        .set(key, &json)
        .map_err(|full| Fault::Value(full.to_string()))?;
    Ok(Value::from("success"))
}

fn key(operands: &[Value]) -> Result<Key> {
    Ok(Key {
        name: string(operands, 0)?.to_owned(),
        namespace: string(operands, 1)?.to_owned(),
        scope: string(operands, 2)?.to_owned(),
    })
}

/// The length of the three texts.
fn operands_len(operands: &[Value]) -> usize {
    let texts = operands.iter().take(3);
    texts
        .map(|text| text.as_string().map_or(0, |text| text.len()))
        .sum()
}

fn recall<'q>(context: &Context<'_, 'q>, name: &'static str) -> Result<&'q Recall<'q>> {
    let reason = "a policy has a memory only where it answers evaluations";
    context
        .surroundings
        .recall
        .ok_or_else(|| refused(name, reason))
}
