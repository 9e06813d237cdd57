//! `json.filter` and `json.remove`: parts of documents that are named by paths.
//!
//! Paths are put into one tree first. A path that ends makes those that go on below it needless.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use super::{Context, Fault, Function, Result, member_count, members, wrong_type};
use crate::rego::{
    execute::{ErrorKind, MAX_VALUE_DEPTH, SET_SIZE},
    value::{self, Value, order},
};

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("json.filter", 2, |context, operands| {
        let paths = paths(context, operands)?;
        context.charge_document(&operands[0])?;
        Ok(filter(&operands[0], &paths))
    }),
    ("json.remove", 2, |context, operands| {
        let paths = paths(context, operands)?;
        context.charge_document(&operands[0])?;
        Ok(remove(&operands[0], &paths))
    }),
];

/// The paths below a place, by their first part.
#[derive(Debug)]
enum Paths {
    /// A path ends here.
    End,
    Below(BTreeMap<Value, Paths>),
}

impl Paths {
    fn at(&self, key: &Value) -> Option<&Self> {
        match self {
            Self::End => None,
            Self::Below(below) => below.get(key),
        }
    }
}

fn paths(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Paths> {
    if !matches!(operands[0], Value::Object(_)) {
        return Err(wrong_type(1, "object", &operands[0]));
    }
    let list = members(operands, 1)?;
    context.charge_members(list.len())?;
    let mut root = BTreeMap::new();
    for path in list {
        charge_parts(context, path)?;
        let parts = parts(path)?;
        if parts.len() > MAX_VALUE_DEPTH as usize {
            // The tree of paths is as deep as they are long.
            return Err(Fault::Ends(ErrorKind::Depth(MAX_VALUE_DEPTH).into()));
        }
        insert(context, &mut root, &parts)?;
    }
    Ok(Paths::Below(root))
}

fn insert(
    context: &mut Context<'_, '_>,
    place: &mut BTreeMap<Value, Paths>,
    parts: &[Value],
) -> Result<()> {
    let Some((key, rest)) = parts.split_first() else {
        return Ok(());
    };
    context.charge_members(2)?;
    if rest.is_empty() {
        place.insert(key.clone(), Paths::End);
        return Ok(());
    }
    let below = match place.entry(key.clone()) {
        Entry::Occupied(below) => below.into_mut(),
        Entry::Vacant(place) => {
            context.budget.charge(2 * SET_SIZE)?;
            place.insert(Paths::Below(BTreeMap::new()))
        }
    };
    match below {
        Paths::Below(below) => insert(context, below, rest),
        Paths::End => Ok(()),
    }
}

/// Accounts for the parts of a path, each of which is a text of its own.
pub(super) fn charge_parts(context: &mut Context<'_, '_>, path: &Value) -> Result<()> {
    if let Value::String(text) = path {
        let separators = text.bytes().filter(|byte| *byte == b'/').count();
        context.charge_bytes(text.len())?;
        return context.charge_members(2 * (separators + 1));
    }
    context.charge_members(member_count(path))
}

/// The parts of a path: of a JSON pointer, whose first `/` may be missing, or of an array.
pub(super) fn parts(path: &Value) -> Result<Vec<Value>> {
    match path {
        Value::String(text) if text.is_empty() => Ok(Vec::new()),
        Value::String(text) => Ok(text
            .trim_start_matches('/')
            .split('/')
            .map(|part| Value::from(part.replace("~1", "/").replace("~0", "~")))
            .collect()),
        other => match value::elements(other) {
            Some(elements) => Ok(elements.to_vec()),
            None => Err(Fault::Type(
                "operand 2 must be one of {set, array} containing string paths or array of path \
                 segments"
                    .to_owned(),
            )),
        },
    }
}

/// An element's place as paths name it.
fn index(at: usize) -> Value {
    Value::from(at.to_string())
}

fn filter(document: &Value, paths: &Paths) -> Value {
    let Paths::Below(wanted) = paths else {
        return document.clone();
    };
    match document {
        Value::Object(object) => wanted
            .iter()
            .filter_map(|(key, paths)| Some((key.clone(), filter(object.get(key)?, paths))))
            .collect::<BTreeMap<_, _>>()
            .into(),
        Value::Set(set) => order::members(set)
            .filter_map(|member| Some(filter(member, wanted.get(member)?)))
            .collect::<BTreeSet<_>>()
            .into(),
        other => match value::elements(other) {
            Some(elements) => elements
                .iter()
                .enumerate()
                .filter_map(|(at, element)| Some(filter(element, wanted.get(&index(at))?)))
                .collect::<Vec<_>>()
                .into(),
            None => other.clone(),
        },
    }
}

fn remove(document: &Value, paths: &Paths) -> Value {
    let kept = |key: &Value, value: &Value| match paths.at(key) {
        Some(Paths::End) => None,
        Some(paths) => Some(remove(value, paths)),
        None => Some(value.clone()),
    };
    match document {
        Value::Object(object) => object
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), kept(key, value)?)))
            .collect::<BTreeMap<_, _>>()
            .into(),
        Value::Set(set) => order::members(set)
            .filter_map(|member| kept(member, member))
            .collect::<BTreeSet<_>>()
            .into(),
        other => match value::elements(other) {
            Some(elements) => elements
                .iter()
                .enumerate()
                .filter_map(|(at, element)| kept(&index(at), element))
                .collect::<Vec<_>>()
                .into(),
            None => other.clone(),
        },
    }
}
