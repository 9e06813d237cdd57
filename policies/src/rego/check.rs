//! What OPA's compiler refuses, apart from unsafe variables, which [`order`](super::order) finds.
//!
//! - [`imports`]: names that are given twice, `input` and `data` as names,
//! - [`templates`]: variables in template strings that are not known there,
//! - [`conflicts`]: rules that exclude each other, each other's packages, or base data,
//! - [`recursion`]: rules that need themselves,
//! - [`deprecated`]: functions that OPA 1 refuses,
//! - [`infer`]: values of types that cannot be used where they are,
//! - [`types`] and [`signatures`]: types, and what builtin functions take and give.

pub mod conflicts;
pub mod deprecated;
pub mod imports;
pub mod infer;
pub mod recursion;
pub mod signatures;
pub mod templates;
pub mod types;

use std::fmt::Write as _;

use regorus::Value;

use super::core::{Definition, TermKind};
use super::value::json;

/// Where a definition is, as OPA writes it: `data.test.p[x]`.
fn place(definition: &Definition) -> String {
    let mut text = "data".to_owned();
    for part in &definition.reference {
        match &part.kind {
            TermKind::Constant(key) => text.push_str(&member(key)),
            TermKind::Var(var) => {
                let _ = write!(text, "[{}]", definition.variables[var.index()].shown());
            }
            _ => text.push_str("[_]"),
        }
    }
    text
}

/// A path below `data`, as OPA writes it.
fn path(keys: &[Value]) -> String {
    let keys: String = keys.iter().map(member).collect();
    format!("data{keys}")
}

fn member(key: &Value) -> String {
    match key {
        Value::String(name) if is_name(name) => format!(".{name}"),
        key => format!("[{}]", json::write(key)),
    }
}

fn is_name(text: &str) -> bool {
    let letter = |character: char| character == '_' || character.is_ascii_alphabetic();
    text.starts_with(letter) && text.chars().all(|c| letter(c) || c.is_ascii_digit())
}
