//! `strings.render_template`: Go's `text/template` on a document.
//!
//! ```text
//! text ─ lex ─▶ tokens ─ parse ─▶ Templates ─ execute(data) ─▶ text
//! ```
//!
//! What only Go's types could tell (complex numbers, hexadecimal fractions, room behind a list's
//! elements, parts of characters) is refused when it is met.

mod constant;
mod datum;
mod execute;
mod functions;
mod lex;
mod parse;
mod tree;

use super::{Context, Fault, Function, Result, string, wrong_type};
use crate::rego::value::{Value, json, text};

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[("strings.render_template", 2, render)];

/// The name of a template that is no other's.
const NAME: &str = "template";

fn render(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let template = string(operands, 0)?;
    if !matches!(operands[1], Value::Object(_)) {
        return Err(wrong_type(2, "object", &operands[1]));
    }
    // OPA reads the variables as JSON from how it would print them as Rego.
    context.charge_text(&operands[1])?;
    let literal = text::literal(&operands[1]);
    context.charge_members(literal.len() / 2)?;
    let data = json::read(&literal).map_err(Fault::Value)?;
    // Tokens and nodes are larger than what they are made of.
    context.charge_members(2 * template.len())?;
    let tokens = lex::tokens(template)?;
    let templates = parse::parse(context, &tokens, NAME)?;
    let rendered = execute::execute(context, &templates, NAME, &data)?;
    context.charge_bytes(rendered.len())?;
    Ok(Value::from(rendered.replace("<no value>", "<undefined>")))
}

fn invalid(problem: &str) -> Fault {
    Fault::Value(format!("template: {problem}"))
}

fn refused(reason: &'static str) -> Fault {
    super::refused("strings.render_template", reason)
}
