//! What commands print for people and for programs.

mod table;
mod time;
mod xml;

use std::fmt::Write as _;

use portcullis_policies::{Diagnostic, text::is_hostile, workbench::QUERY};
use serde::Serialize;

pub(crate) use portcullis_policies::go_json::{compact, pretty};
pub(crate) use table::Table;
pub(crate) use time::time;
pub(crate) use xml::{element as xml_element, text as xml_text};

use crate::directory::printable;

/// Text for a terminal, line by line, without what a file could forge beside it.
pub(crate) fn printable_lines(text: &str) -> String {
    let lines = text.split('\n').map(|line| {
        let visible = |c: char| if c != '\t' && is_hostile(c) { ' ' } else { c };
        line.chars().map(visible).collect::<String>()
    });
    let mut shown = lines.collect::<Vec<_>>().join("\n");
    shown.push('\n');
    shown
}

/// Faults for people, in OPA's frame.
pub(crate) fn faults(faults: &[Diagnostic]) -> String {
    let mut text = match faults {
        [_] => "1 error occurred: ".to_owned(),
        _ => format!("{} errors occurred:\n", faults.len()),
    };
    for fault in faults {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{fault}");
    }
    printable(&text)
}

/// A fault for programs, in OPA's form.
#[derive(Debug, Serialize)]
pub(crate) struct Fault<'f> {
    message: &'f str,
    #[serde(skip_serializing_if = "str::is_empty")]
    code: &'f str,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'f str>,
}

/// A place, in OPA's form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Place {
    file: String,
    row: u32,
    col: u32,
}

impl<'f> From<&'f Diagnostic> for Fault<'f> {
    fn from(fault: &'f Diagnostic) -> Self {
        Self {
            message: &fault.message,
            code: &fault.code,
            location: fault.location.as_ref().map(Place::from),
            remedy: fault.remedy.as_deref(),
        }
    }
}

impl From<&portcullis_policies::Location> for Place {
    fn from(location: &portcullis_policies::Location) -> Self {
        // OPA has no name for the query.
        let is_query = location.file == QUERY;
        Self {
            file: if is_query {
                String::new()
            } else {
                location.file.clone()
            },
            row: location.line,
            col: location.column,
        }
    }
}
