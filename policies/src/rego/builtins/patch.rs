//! `json.patch`: JSON Patch (RFC 6902), as OPA has it.
//!
//! Beyond the RFC, a path can be an array, whose parts can be any keys; of a set, the parts are
//! members. The first `/` of a path may be missing, and there may be more than one.

mod tree;

use super::{Context, Fault, Function, Result, paths, wrong_type};
use crate::rego::value::{Kind, Value, elements, kind, number};
use tree::Tree;

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[("json.patch", 2, patch)];

fn patch(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let operations = elements(&operands[1]).ok_or_else(|| wrong_type(2, "array", &operands[1]))?;
    let mut document = Document {
        tree: Some(Tree::new(operands[0].clone())),
        kind: kind(&operands[0]),
        is_closed: false,
    };
    for operation in operations {
        context.budget.steps(1)?;
        apply(context, &mut document, operation)?;
    }
    match document.tree {
        Some(tree) => tree.render(context),
        None => Err(refused("nothing is left of the document")),
    }
}

/// One operation.
fn apply(context: &mut Context<'_, '_>, document: &mut Document, operation: &Value) -> Result<()> {
    let Value::Object(members) = operation else {
        let message =
            "must be an array of JSON-Patch objects, but at least one element is not an object";
        return Err(fault(message));
    };
    let attribute = |name: &str| {
        let found = members.get(&Value::from(name));
        found.ok_or_else(|| fault(&format!("missing required attribute '{name}'")))
    };
    let path = attribute("path")?;
    let Value::String(operation) = attribute("op")? else {
        return Err(fault("attribute 'op' must be a string"));
    };
    let path = parts(context, path)?;
    match &**operation {
        "add" => document.insert(context, &path, attribute("value")?.clone()),
        "remove" => document.remove(context, &path),
        "replace" => {
            document.remove(context, &path)?;
            document.insert(context, &path, attribute("value")?.clone())
        }
        "move" => {
            let from = parts(context, attribute("from")?)?;
            let moved = document.at(context, &from)?;
            document.remove(context, &from)?;
            document.insert(context, &path, moved)
        }
        "copy" => {
            let from = parts(context, attribute("from")?)?;
            let copy = document.at(context, &from)?;
            document.insert(context, &path, copy)
        }
        "test" => {
            if document.at(context, &path)? != *attribute("value")? {
                return Err(fault("value from EditTree != patch value"));
            }
            Ok(())
        }
        other => Err(fault(&format!("unrecognized op: '{other}'"))),
    }
}

fn parts(context: &mut Context<'_, '_>, path: &Value) -> Result<Vec<Value>> {
    paths::charge_parts(context, path)?;
    paths::parts(path)
}

/// What is patched.
#[derive(Debug)]
struct Document {
    /// Unless all of it was removed.
    tree: Option<Tree>,
    /// Of what there was first.
    kind: Kind,
    /// Whether OPA fails when it looks into what has replaced all of the document.
    is_closed: bool,
}

impl Document {
    fn root(&mut self, path: &[Value]) -> Result<&mut Tree> {
        if self.is_closed && !path.is_empty() {
            return Err(refused("it goes on within what has replaced the document"));
        }
        let deleted = || fault("nil value encountered where composite value was expected");
        self.tree.as_mut().ok_or_else(deleted)
    }

    /// What a path leads to.
    fn at(&mut self, context: &mut Context<'_, '_>, path: &[Value]) -> Result<Value> {
        let found = self.root(path)?.unfold(context, path)?;
        found.render(context)
    }

    fn insert(&mut self, context: &mut Context<'_, '_>, path: &[Value], new: Value) -> Result<()> {
        let Some((key, parent)) = path.split_last() else {
            let has_room = match self.kind {
                Kind::Object | Kind::Set => true,
                Kind::Array => kind(&new) == Kind::Array,
                _ => false,
            };
            self.is_closed |= !has_room;
            self.tree = Some(Tree::new(new));
            return Ok(());
        };
        let parent = self.root(path)?.unfold(context, parent)?;
        parent.insert(context, key, new)
    }

    fn remove(&mut self, context: &mut Context<'_, '_>, path: &[Value]) -> Result<()> {
        let Some((key, parent)) = path.split_last() else {
            self.root(path)?;
            self.is_closed = true;
            self.tree = None;
            return Ok(());
        };
        let parent = self.root(path)?.unfold(context, parent)?;
        parent.remove(context, key)
    }
}

/// Where a key leads in an array of a length.
fn place(length: usize, key: &Value) -> Result<usize> {
    let index = match key {
        Value::String(text) if **text == *"-" => return Ok(length),
        Value::String(text) if **text != *"0" && text.starts_with('0') => None,
        Value::String(text) => go_integer(text),
        key => number::as_i64(key),
    };
    let index = index.ok_or_else(|| fault("invalid index of an array"))?;
    usize::try_from(index).map_err(|_| missing())
}

/// An integer as OPA reads one quickly: with noughts behind a point, and with nothing but a point.
fn go_integer(text: &str) -> Option<i64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (digits, noughts) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    if unsigned.is_empty() || unsigned.len() > 19 || noughts.bytes().any(|byte| byte != b'0') {
        return None;
    }
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let magnitude: i64 = match digits {
        "" => 0,
        digits => digits.parse().ok().filter(|_| is_number)?,
    };
    Some(if text.starts_with('-') {
        -magnitude
    } else {
        magnitude
    })
}

fn missing() -> Fault {
    fault("path does not exist")
}

fn refused(reason: &'static str) -> Fault {
    super::refused("json.patch", reason)
}

fn fault(message: &str) -> Fault {
    Fault::Value(message.to_owned())
}
