//! What commands print for people and for programs.

mod columns;
mod message;
mod table;
mod time;
mod xml;

use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

use portcullis_policies::{Diagnostic, text::is_hostile, workbench::QUERY};
use serde::Serialize;

pub(crate) use columns::columns;
pub(crate) use message::message;
pub(crate) use portcullis_policies::go_json::{compact, pretty};
pub(crate) use table::Table;
pub(crate) use time::time;
pub(crate) use xml::{element as xml_element, text as xml_text};

use crate::directory::printable;

/// Prints lines for people, without what could forge another beside them.
pub(crate) fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "{}", printable(text))?;
    out.flush()
}

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

/// The same JSON, with what a terminal would take for a command as JSON escapes it. It is within its
/// strings, for outside of them there is nothing like that but the end of a line.
pub(crate) fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if character != '\n' && is_hostile(character) {
            // Writing to a string does not fail.
            let _ = write!(text, "\\u{:04x}", u32::from(character));
        } else {
            text.push(character);
        }
    }
    text
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

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    #[test]
    fn json_that_is_escaped_is_the_same() {
        let document = json!({"a": "x\u{9b}31m\u{202e}\n\u{1b}\tü", "b\u{feff}": [1]});
        let shown = escaped(&pretty(&document).unwrap());
        assert!(
            !shown.chars().any(|c| c != '\n' && is_hostile(c)),
            "{shown}"
        );
        assert_eq!(serde_json::from_str::<Json>(&shown).unwrap(), document);
    }
}
