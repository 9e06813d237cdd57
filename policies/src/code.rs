//! Codes of decisions: stable names that programs can compare.

use std::fmt;

use serde::{Serialize, Serializer};

/// Why a decision is what it is. The built-in codes begin with `POLICY.`; a policy may define
/// others in its messages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// No policy has this address.
    NotFound,
    /// A lock takes the policy out of evaluation.
    Locked,
    /// The request's time is before `notBefore` or not before `notAfter`.
    NotInForce,
    /// The policy's Rego, data or settings are broken.
    CompileFailed,
    /// The evaluation ended with an error.
    EvaluationFailed,
    /// The evaluation took longer than its budget.
    Timeout,
    /// The evaluation took more memory than its budget.
    MemoryExceeded,
    /// The input cannot be read.
    InputInvalid,
    /// The policy's result has a shape that cannot be read as a decision.
    OutputInvalid,
    /// There was no room to evaluate in time.
    Overloaded,
    /// The policy denied an admission request.
    DeniedAdmission,
    /// The policy denied an evaluation.
    DeniedEvaluation,
    /// The policy warns.
    Warning,
    /// The policy says that it does not apply.
    Skipped,
    /// A code of the policy's own.
    Custom(String),
}

impl Code {
    /// The code as it is written: `POLICY.LOCKED`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::NotFound => "POLICY.NOT_FOUND",
            Self::Locked => "POLICY.LOCKED",
            Self::NotInForce => "POLICY.NOT_IN_FORCE",
            Self::CompileFailed => "POLICY.COMPILE_FAILED",
            Self::EvaluationFailed => "POLICY.EVALUATION_FAILED",
            Self::Timeout => "POLICY.TIMEOUT",
            Self::MemoryExceeded => "POLICY.MEMORY_EXCEEDED",
            Self::InputInvalid => "POLICY.INPUT_INVALID",
            Self::OutputInvalid => "POLICY.OUTPUT_INVALID",
            Self::Overloaded => "POLICY.OVERLOADED",
            Self::DeniedAdmission => "POLICY.DENIED_ADMISSION",
            Self::DeniedEvaluation => "POLICY.DENIED_EVALUATION",
            Self::Warning => "POLICY.WARNING",
            Self::Skipped => "POLICY.SKIPPED",
            Self::Custom(code) => code,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
