//! Source files, places in them, and faults that show the place.
//!
//! ```text
//! policy.rego:4:16: rego_parse_error: unexpected } token
//!   | allow if { x > }
//!   |                ^
//! ```
//!
//! A place is a range of bytes. Lines and columns are worked out only when a person reads them.

use super::shared::Shared;
use crate::{Diagnostic, Location, diagnostic::Excerpt, text};

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
    /// It is part of the shared library.
    shared: bool,
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
            shared: false,
        });
        FileId(offset(self.files.len() - 1))
    }

    /// Takes a file of the shared library in.
    pub(crate) fn add_shared(&mut self, shared: &Shared) -> FileId {
        let id = self.add(shared.file, shared.source);
        if let Some(file) = self.files.last_mut() {
            file.shared = true;
        }
        id
    }

    /// Whether a file is of the shared library, which its users do not answer for.
    pub fn is_shared(&self, file: FileId) -> bool {
        self.file(file).is_some_and(|file| file.shared)
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
        let diagnostic = Diagnostic::new(fault.code.name(), text::clean(&fault.message)).over(
            self.location(fault.span),
            self.text(fault.span.file),
            self.slice(fault.span),
        );
        match &fault.remedy {
            Some(remedy) => diagnostic.with_remedy(text::clean(remedy)),
            None => diagnostic,
        }
    }

    /// The line of a place's beginning, with carets under the place.
    pub(crate) fn excerpt(&self, span: Span) -> Option<Excerpt> {
        Excerpt::new(&self.location(span), self.text(span.file), self.slice(span))
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
}

/// A byte's place as it is stored.
fn offset(at: usize) -> u32 {
    u32::try_from(at).expect("a source is shorter than 4 GiB")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{Sources, Span};

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
}
