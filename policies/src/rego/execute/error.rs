//! Why an evaluation ended without an answer.

use std::time::Duration;

use crate::rego::{source::Span, value::number::MAX_DIGITS};

/// An error, and where it happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct Error {
    /// What happened.
    pub kind: ErrorKind,
    /// Where, if it is known.
    pub span: Option<Span>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// A rule has two values.
    #[error("rule {0} produced conflicting values")]
    RuleConflict(String),
    /// A function has two values for the same arguments.
    #[error("function {0} produced conflicting values for the same inputs")]
    FunctionConflict(String),
    /// An object has two values for one key.
    #[error("object keys must be unique")]
    KeyConflict,
    /// An object literal has two values for one key. OPA takes one of them, which one depends on
    /// where the literal stands.
    #[error("an object literal has two values for the key {0}")]
    Ambiguous(String),
    /// An expression in a template string has two values.
    #[error("template-strings must not produce multiple outputs")]
    TemplateConflict,
    /// A builtin function got what it cannot work with, and the evaluation is strict.
    #[error("{name}: {message}")]
    Builtin {
        /// The function.
        name: &'static str,
        /// What it says.
        message: String,
        /// Whether an operand had the wrong type.
        is_type: bool,
    },
    /// A builtin function that this evaluator does not have.
    #[error("the builtin function {name} is not available: {reason}")]
    Refused {
        /// The function.
        name: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// What a builtin function would do outside of the evaluation, and may not or cannot.
    #[error("{name}: {message}")]
    Outside {
        /// The function.
        name: &'static str,
        /// Why.
        message: String,
    },
    /// A number with more digits than there is room for.
    #[error("a number would have more than {} digits", MAX_DIGITS)]
    Digits,
    /// Out of steps.
    #[error("the evaluation took more than {0} steps")]
    Steps(u64),
    /// Too many calls, or too deep values, inside of each other.
    #[error("the evaluation nests deeper than {0}")]
    Depth(u32),
    /// Out of memory.
    #[error("the evaluation built more than {0} bytes")]
    Memory(u64),
    /// Out of time.
    #[error("the evaluation took longer than {0:?}")]
    Timeout(Duration),
}

impl ErrorKind {
    /// OPA's code, or `eval_cancel_error` for what OPA has no limit for.
    pub fn code(&self) -> &'static str {
        match self {
            Self::RuleConflict(_)
            | Self::Ambiguous(_)
            | Self::FunctionConflict(_)
            | Self::KeyConflict
            | Self::TemplateConflict => "eval_conflict_error",
            Self::Builtin { is_type: true, .. } => "eval_type_error",
            Self::Builtin { is_type: false, .. } => "eval_builtin_error",
            Self::Refused { .. } | Self::Outside { .. } => "eval_internal_error",
            Self::Digits | Self::Steps(_) | Self::Depth(_) | Self::Memory(_) | Self::Timeout(_) => {
                "eval_cancel_error"
            }
        }
    }

    /// At a place.
    pub fn at(self, span: Span) -> Box<Error> {
        Box::new(Error {
            kind: self,
            span: Some(span),
        })
    }
}

impl From<ErrorKind> for Box<Error> {
    fn from(kind: ErrorKind) -> Self {
        Self::new(Error { kind, span: None })
    }
}
