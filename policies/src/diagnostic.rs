//! What is wrong with a policy, where, and what to do about it.

use std::fmt;

use serde::Serialize;

use crate::text::is_hostile;

/// A place in a module, counted from one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Location {
    /// The module's file name: `policy.rego`.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

/// One fault of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Where it is, if it is at a place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// OPA's name for the kind of fault (`rego_parse_error`), or ours (`parameters_invalid`).
    pub code: String,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The line of the source that is wrong, and below it a line of carets under the place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snippet: Option<String>,
}

/// All faults of a policy; never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostic {
    /// A fault without a place.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            location: None,
            code: code.to_owned(),
            message: message.into(),
            remedy: None,
            snippet: None,
        }
    }

    /// The same fault with what to do about it.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The same fault at a place of `source`, whose line is shown.
    #[must_use]
    pub fn at(self, location: Location, source: &str) -> Self {
        self.over(location, source, "")
    }

    /// The same fault at a place of `source` that covers the text `covered`.
    #[must_use]
    pub fn over(mut self, location: Location, source: &str, covered: &str) -> Self {
        let excerpt = Excerpt::new(&location, source, covered);
        self.snippet = excerpt.map(|excerpt| format!("{}\n{}", excerpt.line, excerpt.carets));
        self.location = Some(location);
        self
    }
}

impl Diagnostic {
    /// Where it is, and what.
    pub(crate) fn in_one_line(&self) -> String {
        match &self.location {
            Some(location) => format!("{location}: {}", self.message),
            None => self.message.clone(),
        }
    }
}

/// Longest part of a line that is shown before a place and from it on, in characters: what fits a
/// terminal.
const SHOWN: usize = 60;

/// A line of a source, with carets under a place in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Excerpt {
    /// The line without its indentation, or what of it is around the place.
    pub(crate) line: String,
    /// The carets, behind as much space as is before the place.
    pub(crate) carets: String,
}

impl Excerpt {
    /// The line of a place, and carets under what is covered, at least one. `None` where there is
    /// no such line.
    pub(crate) fn new(location: &Location, source: &str, covered: &str) -> Option<Self> {
        let index = |number: u32| usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        let text = source.lines().nth(index(location.line))?.trim_end();
        let indent = text.chars().take_while(|c| c.is_whitespace()).count();
        let place = index(location.column);
        let first = place.saturating_sub(SHOWN).max(indent.min(place));
        let (mut line, mut carets) = (String::new(), String::new());
        for (at, c) in text.chars().enumerate().skip(first).take(2 * SHOWN) {
            let c = if c != '\t' && is_hostile(c) { ' ' } else { c };
            line.push(c);
            if at < place {
                // A tab is as wide in the line of the carets, so that they stay below their place.
                carets.push(if c == '\t' { '\t' } else { ' ' });
            }
        }
        let room = line.chars().count().saturating_sub(place - first);
        let covered = covered.lines().next().unwrap_or_default().chars().count();
        carets.extend(std::iter::repeat_n('^', covered.clamp(1, room.max(1))));
        Some(Self { line, carets })
    }
}

impl Diagnostics {
    /// The faults, the first in the source first. `None` where there are none.
    pub fn collect(mut faults: Vec<Diagnostic>) -> Option<Self> {
        if faults.is_empty() {
            return None;
        }
        faults.sort_by(|left, right| left.location.cmp(&right.location));
        faults.dedup();
        Some(Self(faults))
    }

    /// The faults.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.iter()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(fault: Diagnostic) -> Self {
        Self(vec![fault])
    }
}

/// `policy.rego:3:7`
impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// `policy.rego:3:7: rego_parse_error: unexpected token`, the line with carets, and the remedy.
impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.location {
            write!(formatter, "{location}: ")?;
        }
        write!(formatter, "{}: {}", self.code, self.message)?;
        for line in self.snippet.iter().flat_map(|snippet| snippet.lines()) {
            write!(formatter, "\n  | {line}")?;
        }
        if let Some(remedy) = &self.remedy {
            write!(formatter, "\n  → {remedy}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// One fault after the other, each on a line of its own.
impl fmt::Display for Diagnostics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, fault) in self.0.iter().enumerate() {
            if position > 0 {
                writeln!(formatter)?;
            }
            write!(formatter, "{fault}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn shown(source: &str, line: u32, column: u32, covered: &str) -> String {
        let file = "a.rego".to_owned();
        let location = Location { file, line, column };
        let fault = Diagnostic::new("wrong", "it is").over(location, source, covered);
        fault.with_remedy("mend it").to_string()
    }

    #[rstest]
    #[case("x > }", 1, 5, "}", "x > }\n  |     ^")]
    #[case("\n  ab := 1\n", 2, 3, "ab", "ab := 1\n  | ^^")]
    #[case("\ta\tbc", 1, 4, "bc", "a\tbc\n  |  \t^^")]
    // What is covered goes on, or there is nothing of it.
    #[case("a {\n b }", 1, 3, "{\n b }", "a {\n  |   ^")]
    #[case("a", 1, 2, "", "a\n  |  ^")]
    #[case("a\u{202e}b", 1, 3, "b", "a b\n  |   ^")]
    fn the_place_is_marked(
        #[case] source: &str,
        #[case] line: u32,
        #[case] column: u32,
        #[case] covered: &str,
        #[case] expected: &str,
    ) {
        let expected = format!("a.rego:{line}:{column}: wrong: it is\n  | {expected}\n  → mend it");
        assert_eq!(shown(source, line, column, covered), expected);
    }

    #[test]
    fn a_long_line_is_shown_around_the_place() {
        let source = format!("{}here{}", "<".repeat(500), ">".repeat(500));
        let text = shown(&source, 1, 501, "here");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[1],
            format!("  | {}here{}", "<".repeat(60), ">".repeat(56))
        );
        assert_eq!(lines[2], format!("  | {}^^^^", " ".repeat(60)));
    }

    #[test]
    fn a_place_that_is_not_in_the_source_has_no_line() {
        assert_eq!(
            shown("a", 7, 1, ""),
            "a.rego:7:1: wrong: it is\n  → mend it"
        );
    }
}
