//! Source files, places in them, and faults that show the place.
//!
//! ```text
//! policy.rego:4:13: rego_parse_error: unexpected } token
//!   |
//! 4 | allow if { x > }
//!   |                ^
//! ```
//!
//! A place is a range of bytes. Lines and columns are worked out only when a person reads them.

use std::fmt;

use crate::{Diagnostic, Location, text};

/// Which file of a [`Sources`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A range of bytes in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// The first byte.
    pub start: u32,
    /// The byte after the last one.
    pub end: u32,
}

impl Span {
    /// From the beginning of `self` to the end of `last`.
    #[must_use]
    pub fn to(self, last: Self) -> Self {
        Self {
            end: last.end.max(self.start),
            ..self
        }
    }
}

/// The kind of a fault, by OPA's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorCode {
    /// The source is not Rego.
    Parse,
    /// A rule, an import or a call that cannot be.
    Compile,
    /// A variable that nothing binds.
    UnsafeVariable,
    /// A rule that needs itself.
    Recursion,
    /// A value of a type that cannot be used there.
    Type,
}

impl ErrorCode {
    /// OPA's name: `rego_parse_error`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parse => "rego_parse_error",
            Self::Compile => "rego_compile_error",
            Self::UnsafeVariable => "rego_unsafe_var_error",
            Self::Recursion => "rego_recursion_error",
            Self::Type => "rego_type_error",
        }
    }
}

/// One fault at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The kind.
    pub code: ErrorCode,
    /// What is wrong, in one sentence, where users know OPA's in its words.
    pub message: String,
    /// What to do about it.
    pub remedy: Option<String>,
    /// Where.
    pub span: Span,
}

impl Fault {
    /// A fault at a place.
    pub fn new(code: ErrorCode, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            remedy: None,
            span,
        }
    }

    /// The same fault with what to do about it.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

/// The files of one compilation.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<File>,
}

#[derive(Clone, Debug)]
struct File {
    name: String,
    text: String,
    /// Where each line begins.
    lines: Vec<u32>,
}

impl Sources {
    /// Takes a file in. Its text must be shorter than 4 GiB.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        let text = text.into();
        let breaks = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n');
        let lines = std::iter::once(0)
            .chain(breaks.map(|(at, _)| offset(at + 1)))
            .collect();
        self.files.push(File {
            name: name.into(),
            text,
            lines,
        });
        FileId(offset(self.files.len() - 1))
    }

    /// All files, in the order in which they were taken in.
    pub fn files(&self) -> impl Iterator<Item = FileId> {
        (0..offset(self.files.len())).map(FileId)
    }

    /// A file's name.
    pub fn name(&self, file: FileId) -> &str {
        self.file(file).map_or("", |file| &file.name)
    }

    /// A file's text.
    pub fn text(&self, file: FileId) -> &str {
        self.file(file).map_or("", |file| &file.text)
    }

    /// The text between two bytes; empty where there is none.
    pub fn slice(&self, span: Span) -> &str {
        self.text(span.file)
            .get(span.start as usize..span.end as usize)
            .unwrap_or("")
    }

    /// Line and column of a place's beginning, counted from one, the column in characters.
    pub fn line_column(&self, span: Span) -> (u32, u32) {
        let Some(file) = self.file(span.file) else {
            return (1, 1);
        };
        let line = file.line_of(span.start);
        let before = file
            .text
            .get(file.lines[line] as usize..span.start as usize)
            .unwrap_or("");
        (offset(line + 1), offset(before.chars().count() + 1))
    }

    /// The place as it is shown to users.
    pub fn location(&self, span: Span) -> Location {
        let (line, column) = self.line_column(span);
        Location {
            file: self.name(span.file).to_owned(),
            line,
            column,
        }
    }

    /// The fault as it is reported to users.
    pub fn diagnostic(&self, fault: &Fault) -> Diagnostic {
        let diagnostic = Diagnostic::new(fault.code.name(), text::clean(&fault.message))
            .at(self.location(fault.span), self.text(fault.span.file));
        match &fault.remedy {
            Some(remedy) => diagnostic.with_remedy(text::clean(remedy)),
            None => diagnostic,
        }
    }

    /// The fault with its line and a caret under the place.
    pub fn render<'a>(&'a self, fault: &'a Fault) -> impl fmt::Display + 'a {
        Rendered {
            sources: self,
            fault,
        }
    }

    /// The line of a place's beginning, with carets under the place.
    pub fn excerpt(&self, span: Span) -> Option<Excerpt> {
        let (number, column) = self.line_column(span);
        let line = self.file(span.file)?.line(number as usize - 1);
        let place = column as usize - 1;
        let skipped = place.saturating_sub(SHOWN_BEFORE);
        // A tab is as wide in the line of the caret, so that the caret stays below its place.
        let mut shown = String::new();
        let mut below = String::new();
        for (at, character) in line
            .chars()
            .enumerate()
            .skip(skipped)
            .take(SHOWN_BEFORE + SHOWN_AFTER)
        {
            let visible = if character == '\t' || !text::is_hostile(character) {
                character
            } else {
                ' '
            };
            shown.push(visible);
            if at < place {
                below.push(if character == '\t' { '\t' } else { ' ' });
            }
        }
        let covered = self.slice(span).lines().next().unwrap_or("");
        let room = shown.chars().count().saturating_sub(place - skipped);
        let carets = covered.chars().count().clamp(1, room.max(1));
        below.extend(std::iter::repeat_n('^', carets));
        Some(Excerpt {
            number,
            line: shown,
            caret: below,
        })
    }

    fn file(&self, file: FileId) -> Option<&File> {
        self.files.get(file.0 as usize)
    }
}

impl File {
    /// Which line, counted from zero, a byte is in.
    fn line_of(&self, start: u32) -> usize {
        self.lines
            .partition_point(|&line| line <= start)
            .saturating_sub(1)
    }

    fn line(&self, line: usize) -> &str {
        let begin = self
            .lines
            .get(line)
            .map_or(self.text.len(), |&begin| begin as usize);
        let rest = self.text.get(begin..).unwrap_or("");
        rest.split('\n').next().unwrap_or("").trim_end_matches('\r')
    }
}

/// A line of a source, with carets under a place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The line's number, from one.
    pub number: u32,
    /// The line, or what of it is around the place.
    pub line: String,
    /// The carets, behind as much space as is before the place.
    pub caret: String,
}

struct Rendered<'a> {
    sources: &'a Sources,
    fault: &'a Fault,
}

/// Longest part of a line that is shown before the place, in characters: what fits a terminal.
const SHOWN_BEFORE: usize = 60;

/// Longest part of a line that is shown from the place on.
const SHOWN_AFTER: usize = 60;

impl fmt::Display for Rendered<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sources, fault } = self;
        let location = sources.location(fault.span);
        write!(
            formatter,
            "{location}: {}: {}",
            fault.code.name(),
            text::clean(&fault.message)
        )?;
        if let Some(excerpt) = sources.excerpt(fault.span) {
            let Excerpt {
                number,
                line,
                caret,
            } = excerpt;
            let margin = " ".repeat(number.to_string().len());
            write!(
                formatter,
                "\n{margin} |\n{number} | {line}\n{margin} | {caret}"
            )?;
        }
        if let Some(remedy) = &fault.remedy {
            write!(formatter, "\n  → {}", text::clean(remedy))?;
        }
        Ok(())
    }
}

/// A byte's place as it is stored.
fn offset(at: usize) -> u32 {
    u32::try_from(at).expect("a source is shorter than 4 GiB")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{ErrorCode, Fault, Sources, Span};

    #[rstest]
    #[case(0, (1, 1))]
    #[case(2, (1, 3))]
    #[case(3, (2, 1))]
    // Columns count characters, not bytes.
    #[case(5, (2, 2))]
    #[case(6, (2, 3))]
    #[case(7, (3, 1))]
    #[case(99, (3, 1))]
    fn places_have_lines_and_columns(#[case] start: u32, #[case] expected: (u32, u32)) {
        let mut sources = Sources::default();
        let file = sources.add("a.rego", "ab\nöc\n");
        assert_eq!(
            sources.line_column(Span {
                file,
                start,
                end: start
            }),
            expected
        );
    }

    #[test]
    fn a_long_line_is_shown_around_the_place() {
        let mut sources = Sources::default();
        let file = sources.add(
            "a.rego",
            format!("{}here{}", "<".repeat(500), ">".repeat(500)),
        );
        let fault = Fault::new(
            ErrorCode::Type,
            Span {
                file,
                start: 500,
                end: 504,
            },
            "wrong",
        );
        let shown = sources.render(&fault.with_remedy("mend it")).to_string();
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[0], "a.rego:1:501: rego_type_error: wrong");
        assert_eq!(
            lines[2],
            format!("1 | {}here{}", "<".repeat(60), ">".repeat(56))
        );
        assert_eq!(lines[3], format!("  | {}^^^^", " ".repeat(60)));
        assert_eq!(lines[4], "  → mend it");
    }
}
