//! `net.cidr_contains_matches`: which of many networks contain which of many others.

use std::collections::BTreeSet;

use super::{super::member_count, Context, Fault, Result, is_within};
use crate::rego::value::{self, Value, order};

/// A network of a collection, and what names its place there.
type Entry<'v> = (&'v Value, Value);

pub(super) fn contains_matches(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    for operand in operands {
        context.charge_members(2 * member_count(operand))?;
    }
    let networks = entries(&operands[0], 1);
    let others = entries(&operands[1], 2);
    let mut matches = BTreeSet::new();
    for network in networks {
        let (network, place) = network?;
        for other in &others {
            let (other, other_place) = other.as_ref().map_err(|fault| *fault)?;
            context.charge_members(4)?;
            if is_within(&[network.clone(), (*other).clone()])? {
                matches.insert(Value::from(vec![place.clone(), other_place.clone()]));
            }
        }
    }
    Ok(matches.into())
}

/// The networks of an operand. What is no collection and no text has none.
fn entries(operand: &Value, at: usize) -> Vec<std::result::Result<Entry<'_>, ElementFault>> {
    let entry = |element, place| Ok((network(element).ok_or(ElementFault(at))?, place));
    match operand {
        Value::String(_) => vec![Ok((operand, operand.clone()))],
        Value::Set(set) => order::members(set)
            .map(|member| entry(member, member.clone()))
            .collect(),
        Value::Object(object) => order::entries(object)
            .map(|(key, value)| entry(value, key.clone()))
            .collect(),
        other => value::elements(other)
            .unwrap_or_default()
            .iter()
            .enumerate()
            .map(|(place, element)| entry(element, Value::from(place)))
            .collect(),
    }
}

/// An element is a network, or an array that begins with one.
fn network(element: &Value) -> Option<&Value> {
    match element {
        Value::String(_) => Some(element),
        other => value::elements(other)?.first(),
    }
}

/// An element of this operand is no network.
#[derive(Debug, Clone, Copy)]
struct ElementFault(usize);

impl From<ElementFault> for Fault {
    fn from(ElementFault(at): ElementFault) -> Self {
        Self::Value(format!(
            "operand {at}: element must be string or non-empty array"
        ))
    }
}
