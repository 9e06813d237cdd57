//! Conditions: CEL expressions that a request has to fulfil to be judged, as the `matchConditions`
//! of a `ValidatingAdmissionPolicy`.
//!
//! ```text
//! text ─ parse (cel) ─▶ AST ─ lower ─▶ Term ─ evaluate, within a budget ─▶ holds, does not, fails
//!                                      └─ reads ─▶ what is looked at of the request
//! ```
//!
//! Grammar and macros are those of the `cel` crate; what an expression means is decided here. That
//! crate evaluates without a limit, takes a field of `null` for `false`, and knows no types before
//! it evaluates. So an expression is lowered to a tree of its own, on Rego's values and within
//! Rego's budget, and whatever has no exact meaning here is refused when the policy is applied.

mod evaluate;
mod function;
mod lower;
mod operator;
mod reads;
mod sense;
mod term;
mod variables;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use crate::{
    Code, Diagnostic, Diagnostics, Limits, Message, Request,
    rego::{
        execute::{self, Budget},
        on_large_stack,
        plan::access::Access,
        value::Value,
    },
};

use evaluate::Fault;
use term::Term;
use variables::Variables;

/// Most conditions of a policy, as Kubernetes has it.
const MOST: usize = 64;

/// Longest expression, in bytes. What has more to say says it in Rego.
const LONGEST: usize = 4_096;

/// Longest name.
const LONGEST_NAME: usize = 317;

/// A condition as its author wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What messages call it.
    pub name: String,
    /// An expression of CEL that is true or false.
    pub expression: String,
}

/// The conditions of a policy, ready to be asked.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    own: Vec<(String, Term)>,
    access: Access,
}

/// What conditions made of a request.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    /// All hold: the policy judges it.
    Judged,
    /// None is false, and one asks for the labels of a namespace that is not known. What is not
    /// known is selected.
    Unknown,
    /// One does not: the policy has nothing to do with it.
    Unmatched,
    /// One could not be evaluated, and none of the others is false.
    Failed(Box<Message>),
}

impl Conditions {
    /// Compiles conditions. Takes time in proportion to their length; call it away from threads
    /// that answer requests.
    pub(crate) fn compile(conditions: &[Condition]) -> Result<Self, Diagnostics> {
        if conditions.is_empty() {
            return Ok(Self::default());
        }
        let mut faults = Vec::new();
        if conditions.len() > MOST {
            let text = format!("`admission.match.matchConditions` has more than {MOST} conditions");
            let remedy = "join some of them with `&&`, or decide in Rego";
            faults.push(Diagnostic::new(CODE, text).with_remedy(remedy));
        }
        let mut own: Vec<(String, Term)> = Vec::new();
        for condition in conditions.iter().take(MOST) {
            let name = condition.name.as_str();
            if name.is_empty() || name.len() > LONGEST_NAME || own.iter().any(|(it, _)| it == name)
            {
                let text = format!(
                    "`admission.match.matchConditions` has a condition whose name is empty, too \
                     long or another's: `{name}`"
                );
                faults.push(Diagnostic::new(CODE, text).with_remedy("give each its own name"));
            }
            match compile(&condition.expression) {
                Ok(term) => own.push((name.to_owned(), term)),
                Err(refusal) => faults.push(refusal.about(name)),
            }
        }
        if let Some(faults) = Diagnostics::collect(faults) {
            return Err(faults);
        }
        let mut access = Access::default();
        own.iter()
            .for_each(|(_, term)| reads::note(term, &mut access));
        Ok(Self { own, access })
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.own.is_empty()
    }

    /// What they look at of an `AdmissionRequest`.
    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// Asks all conditions, and tells how long that took. One that does not hold decides, whatever
    /// becomes of the others.
    pub(crate) fn judge(
        &self,
        document: &Value,
        parameters: &Value,
        request: &Request,
        limits: Limits,
    ) -> (Verdict, Duration) {
        let variables = Variables::new(document, parameters, request.namespace.as_deref());
        let mut budget = Budget::new(execute::Limits {
            time: Some(limits.timeout),
            // The clock ends it before.
            steps: u64::MAX,
            memory: limits.memory,
            ..execute::Limits::default()
        });
        let verdict = self.ask(&variables, &mut budget, request);
        let left = budget.time_left().unwrap_or_default();
        (verdict, limits.timeout.saturating_sub(left))
    }

    fn ask(&self, variables: &Variables, budget: &mut Budget, request: &Request) -> Verdict {
        let mut failure = None;
        let mut verdict = Verdict::Judged;
        for (name, term) in &self.own {
            let ask = || evaluate::holds(term, variables, budget, request);
            let answer = catch_unwind(AssertUnwindSafe(ask)).unwrap_or_else(|_| {
                let text = "the evaluation failed unexpectedly";
                Err(Fault::Failed(text.to_owned()))
            });
            match answer {
                Ok(true) => {}
                Err(Fault::Unknown) => verdict = Verdict::Unknown,
                Ok(false) => return Verdict::Unmatched,
                Err(Fault::Failed(text)) => {
                    failure.get_or_insert_with(|| {
                        message(name, Code::EvaluationFailed, &text).with_remedy(
                            "let the condition look for what may be missing, with `has(…)` or `.?`",
                        )
                    });
                }
                Err(Fault::Ended(ended)) => {
                    return Verdict::Failed(Box::new(failure.unwrap_or_else(|| {
                        message(name, ended.code, &ended.text)
                            .with_remedy("make the condition cheaper, or decide in Rego")
                    })));
                }
            }
        }
        failure.map_or(verdict, |message| Verdict::Failed(Box::new(message)))
    }
}

impl Verdict {
    /// Why it is none.
    pub(crate) fn code(&self) -> Option<&Code> {
        match self {
            Self::Failed(message) => Some(&message.code),
            Self::Judged | Self::Unknown | Self::Unmatched => None,
        }
    }
}

fn message(name: &str, code: Code, text: &str) -> Message {
    Message::new(
        code,
        &format!("the condition `{name}` cannot be evaluated: {text}"),
    )
}

/// The code of a condition that cannot be compiled.
const CODE: &str = "condition_invalid";

/// Why an expression is refused, and what to do instead.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Refusal {
    reason: String,
    remedy: &'static str,
}

/// The remedy where there is no other.
const IN_REGO: &str = "leave it out of the condition, and decide it in Rego";

impl Refusal {
    fn new(reason: impl Into<String>, remedy: &'static str) -> Self {
        Self {
            reason: reason.into(),
            remedy,
        }
    }

    fn about(self, name: &str) -> Diagnostic {
        let name = crate::text::clean(name);
        let text = format!(
            "`admission.match.matchConditions`: `{name}`: {}",
            crate::text::clean(&self.reason)
        );
        Diagnostic::new(CODE, text).with_remedy(self.remedy)
    }
}

/// Compiles one expression. The parser recurses, and is not ours: a thread of its own has room for
/// it, and a panic is a refusal.
fn compile(text: &str) -> Result<Term, Refusal> {
    if text.len() > LONGEST {
        let reason = format!("the expression is longer than {LONGEST} bytes");
        return Err(Refusal::new(reason, "shorten it, or decide in Rego"));
    }
    on_large_stack("compile a condition", || lower::compile(text))
        .unwrap_or_else(|why| Err(Refusal::new(why, "simplify the expression")))
}

#[cfg(test)]
mod tests;
