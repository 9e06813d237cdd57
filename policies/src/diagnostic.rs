//! What is wrong with a policy, where, and what to do about it.

use std::fmt;

use serde::Serialize;

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
    /// The line of the module that is wrong.
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
    pub fn at(mut self, location: Location, source: &str) -> Self {
        let index = usize::try_from(location.line.saturating_sub(1)).unwrap_or(usize::MAX);
        self.snippet = source.lines().nth(index).map(crate::text::clean);
        self.location = Some(location);
        self
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

/// `policy.rego:3:7: rego_parse_error: unexpected token`, the line, and the remedy.
impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.location {
            write!(formatter, "{location}: ")?;
        }
        write!(formatter, "{}: {}", self.code, self.message)?;
        if let Some(snippet) = &self.snippet {
            write!(formatter, "\n  | {snippet}")?;
        }
        if let Some(remedy) = &self.remedy {
            write!(formatter, "\n  → {remedy}")?;
        }
        Ok(())
    }
}

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
