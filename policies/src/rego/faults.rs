//! regorus's errors as diagnostics.

use regorus::unstable::Span;

use crate::{Diagnostic, Location};

/// A fault at a span.
pub(super) fn at_span(code: &str, message: impl Into<String>, span: &Span) -> Diagnostic {
    let location = Location {
        file: span.source.get_path().clone(),
        line: span.line,
        column: span.col,
    };
    Diagnostic::new(code, message).at(location, span.source.get_contents())
}

/// Reads an error as regorus prints it: a place behind `-->`, the line, and what is wrong behind
/// `error:`. Text of another shape becomes a fault without a place.
pub(super) fn from_error(code: &str, error: &anyhow::Error) -> Diagnostic {
    let text = format!("{error:#}");
    let message = text
        .rsplit_once("error: ")
        .map_or(text.as_str(), |(_, message)| message)
        .lines()
        .next()
        .unwrap_or_default()
        .trim();
    let fault = Diagnostic::new(code, crate::text::clean(message));
    let Some(location) = location(&text) else {
        return fault;
    };
    let snippet = text
        .lines()
        .find_map(|line| {
            line.strip_prefix(&location.line.to_string())?
                .trim_start()
                .strip_prefix('|')
        })
        .map(crate::text::clean);
    Diagnostic {
        location: Some(location),
        snippet,
        ..fault
    }
}

fn location(text: &str) -> Option<Location> {
    let (_, rest) = text.split_once("--> ")?;
    let mut parts = rest.lines().next()?.rsplitn(3, ':');
    let column = parts.next()?.trim().parse().ok()?;
    let line = parts.next()?.parse().ok()?;
    Some(Location {
        file: parts.next()?.to_owned(),
        line,
        column,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_place_and_the_line() {
        let text = "\n--> policy.rego:3:7\n  |\n3 | allow if {\n  |       ^\nerror: expecting `}`";
        let fault = from_error("rego_parse_error", &anyhow::anyhow!(text));
        assert_eq!(
            fault.to_string(),
            "policy.rego:3:7: rego_parse_error: expecting `}`\n  | allow if {"
        );
    }

    #[test]
    fn keeps_what_it_cannot_read() {
        let fault = from_error("rego_compile_error", &anyhow::anyhow!("something else"));
        assert_eq!(fault.to_string(), "rego_compile_error: something else");
    }
}
