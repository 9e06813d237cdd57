//! Source to syntax tree: Rego v0 and v1, as OPA 1.22 reads them.
//!
//! ```text
//! tokens ─ statement ─┬─ package, import
//!                     ├─ rule ─ head, body, else
//!                     └─ body ─ literal ─ operators ─ term ─ collection, text
//!                          └─ bare: a rule without a body, `p := 1`
//! ```
//!
//! A parser by recursive descent. Rego needs a second look in a few places: `{a | b}` is a
//! comprehension and `{a | b, c}` a set of a union; `p if {x}` has a body and not a set. There it
//! tries one reading and goes back. What was read at a place is kept, and so every term and every
//! condition is read once: the time is linear in the size of the source.
//!
//! A statement that cannot be read is reported, and reading goes on at the next line that begins
//! with a name.

mod annotation;
mod bare;
mod body;
mod collection;
mod cursor;
mod keywords;
mod logic;
mod memo;
mod operators;
mod rule;
mod statement;
mod strict;
mod term;
mod text;

use super::ast::{Expr, Module, Version};
use super::source::{ErrorCode, Fault, FileId, Span};
use cursor::Parser;

/// Largest source in bytes: the API server stores objects of at most 1.5 MiB.
pub const MAX_BYTES: usize = 1024 * 1024;

/// Most faults that are reported at once. A person mends a few and applies again.
pub const MAX_FAULTS: usize = 10;

/// How a source is read.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The version, `V0` or `V1`; a module can raise it by an import.
    pub version: Version,
    /// Whether `# METADATA` blocks are read and checked.
    pub annotations: bool,
}

/// Reads a module. The faults are never empty and in the order of the source.
pub fn parse_module(file: FileId, source: &str, options: Options) -> Result<Module, Vec<Fault>> {
    check_size(file, source)?;
    let mut parser = Parser::new(file, source, options.version);
    let statements = parser.statements(true);
    parser.finish()?;
    statement::module(&parser, statements, options)
}

/// Reads a query: conditions, separated by semicolons or line breaks; possibly none.
pub fn parse_query(file: FileId, source: &str, version: Version) -> Result<Vec<Expr>, Vec<Fault>> {
    check_size(file, source)?;
    let mut parser = Parser::new(file, source, version);
    let statements = parser.statements(false);
    parser.finish()?;
    statement::query(statements)
}

fn check_size(file: FileId, source: &str) -> Result<(), Vec<Fault>> {
    if source.len() <= MAX_BYTES {
        return Ok(());
    }
    let message = format!(
        "the source has {} bytes; at most {MAX_BYTES} are read",
        source.len()
    );
    let fault = Fault::new(
        ErrorCode::Parse,
        Span {
            file,
            start: 0,
            end: 0,
        },
        message,
    );
    Err(vec![fault.with_remedy("split it into several policies")])
}

#[cfg(test)]
mod tests;
