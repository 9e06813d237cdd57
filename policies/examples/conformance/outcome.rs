//! How a case went.

use std::collections::BTreeMap;
use std::fmt;

use portcullis_policies::rego::{builtins, source::Fault};

/// How a case went.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// OPA's result, or an error of OPA's code.
    Equal,
    /// The same, and the error's text is not OPA's.
    OwnWords,
    /// No answer, and a reason.
    Refused(Reason),
    /// Another answer.
    Different(String),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// Functions that are not available, each with why, if there is more to say.
    Functions(BTreeMap<String, Option<String>>),
    /// Something else.
    Other(String),
}

impl Reason {
    /// What the compiler refuses although it is Rego; nothing if any of the faults is of another
    /// kind.
    pub(crate) fn of_faults(faults: &[Fault]) -> Option<Self> {
        let mut functions = BTreeMap::new();
        for fault in faults {
            let what = fault.message.strip_prefix("not supported: ")?;
            let Some((name, rest)) = what
                .strip_prefix("the function `")
                .and_then(|rest| rest.split_once('`'))
            else {
                return Some(Self::Other(what.to_owned()));
            };
            let why = rest.strip_prefix(": ").map(str::to_owned);
            functions.insert(name.to_owned(), why);
        }
        (!functions.is_empty()).then_some(Self::Functions(functions))
    }

    /// One function, and why it is not available.
    pub(crate) fn function(name: &str, why: &str) -> Self {
        Self::Functions(BTreeMap::from([(name.to_owned(), Some(why.to_owned()))]))
    }

    /// The functions that are not here, whatever they are called with. Without any, the case is
    /// refused for a reason of its own.
    pub(crate) fn missing(&self) -> Vec<&str> {
        match self {
            Self::Functions(functions) => {
                let names = functions.keys().map(String::as_str);
                let is_missing = |name: &&str| {
                    builtins::lookup(name).is_none_or(|id| builtins::refusal(id).is_some())
                };
                names.filter(is_missing).collect()
            }
            Self::Other(_) => Vec::new(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Functions(functions) => {
                for (at, (name, why)) in functions.iter().enumerate() {
                    let comma = if at > 0 { ", " } else { "" };
                    write!(f, "{comma}`{name}`")?;
                    if let Some(why) = why {
                        write!(f, ": {why}")?;
                    }
                }
                Ok(())
            }
            Self::Other(what) => f.write_str(what),
        }
    }
}
