//! YAML, as OPA reads and writes it with go-yaml.
//!
//! ```text
//! text ─ scan ─▶ tokens ─ compose ─▶ nodes ─ normalise, decode ─▶ Document ─▶ value
//! value ─▶ JSON, which is YAML ─ scan, compose, decode ─▶ Document ─ emit ─▶ text
//! ```
//!
//! Scanner and composer are libyaml's, rule by rule, with what go-yaml changed: whether a text is a
//! document is the question, and no two libraries agree about all texts. Of the limits, those for
//! aliases are go-yaml's; tokens, nodes and what aliases multiply are charged to the budget.

mod compose;
mod decode;
mod emit;
mod normalise;
mod order;
mod resolve;
mod scan;

use std::collections::BTreeMap;

use super::{Context, Fault, Function, Result, Surroundings, string};
use crate::rego::{
    execute::{Budget, Limits},
    value::{Value, json, number},
};
use decode::Document;

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("yaml.is_valid", 1, |context, operands| {
        let Ok(text) = string(operands, 0) else {
            return Ok(Value::Bool(false));
        };
        match read(context, text) {
            Ok(_) => Ok(Value::Bool(true)),
            Err(Fault::Type(_) | Fault::Value(_)) => Ok(Value::Bool(false)),
            Err(ends) => Err(ends),
        }
    }),
    ("yaml.marshal", 1, |context, operands| {
        context.charge_text(&operands[0])?;
        let text = json::write(&operands[0]);
        let (nodes, root) = compose::first_document(context, &text)?;
        if nodes.has_bare_text() {
            // Of a number that no float can hold, OPA writes the text that it was read from.
            return Err(refused("how so large a number was written is not known"));
        }
        let document = match root {
            Some(root) => decode::document(context, &nodes, root)?,
            None => Document::Null,
        };
        emit::text(context, &document).map(Value::from)
    }),
    ("yaml.unmarshal", 1, |context, operands| {
        read(context, string(operands, 0)?)
    }),
];

/// Reads the first document of a file. The error is a sentence.
pub(crate) fn read_yaml(text: &str) -> std::result::Result<Value, String> {
    let mut surroundings = Surroundings::new(0, None, 0);
    let mut budget = Budget::new(Limits {
        // A file is bounded by its size; memory bounds what its aliases multiply.
        steps: u64::MAX,
        ..Limits::default()
    });
    let mut context = Context {
        surroundings: &mut surroundings,
        budget: &mut budget,
    };
    read(&mut context, text).map_err(|fault| match fault {
        Fault::Type(message) | Fault::Value(message) => message,
        Fault::Ends(error) => error.to_string(),
    })
}

/// The first document of a text.
fn read(context: &mut Context<'_, '_>, text: &str) -> Result<Value> {
    context.charge_bytes(text.len())?;
    if text
        .chars()
        .skip(1)
        .any(|character| character == '\u{feff}')
    {
        return Err(refused("a byte order mark is within the text"));
    }
    let (mut nodes, root) = compose::first_document(context, text)?;
    let Some(root) = root else {
        return Ok(Value::Null);
    };
    normalise::normalise(context, &mut nodes, root)?;
    value(decode::document(context, &nodes, root)?)
}

fn value(document: Document) -> Result<Value> {
    Ok(match document {
        Document::Null => Value::Null,
        Document::Boolean(truth) => Value::Bool(truth),
        Document::Integer(integer) => number::integer(integer.into()).unwrap_or(Value::Null),
        Document::Float(float) => {
            // As Go writes it in JSON, where it has a point only if it needs one.
            let text = if float == 0.0 || (1e-6..1e21).contains(&float.abs()) {
                format!("{float}")
            } else {
                format!("{float:e}")
            };
            number::parse(&text).ok_or_else(|| invalid("json: unsupported value"))?
        }
        Document::Text(text) => Value::from(text),
        Document::Sequence(elements) => {
            let elements = elements.into_iter().map(value);
            elements.collect::<Result<Vec<_>>>()?.into()
        }
        Document::Mapping(members) => {
            let members = members
                .into_iter()
                .map(|(key, member)| Ok((Value::from(key), value(member)?)));
            members.collect::<Result<BTreeMap<_, _>>>()?.into()
        }
    })
}

fn invalid(problem: &str) -> Fault {
    Fault::Value(format!("yaml: {problem}"))
}

fn refused(reason: &'static str) -> Fault {
    super::refused("yaml", reason)
}
