//! What decisions say, one by one, and how bad each is.

use portcullis_policies::{Code, Decision, Location, Message};

use super::judge::Judged;

/// What follows from a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Nothing: the policy's action is `Audit`.
    Audit,
    /// A warning.
    Warn,
    /// The object is refused.
    Deny,
}

/// A message of a decision about an object.
#[derive(Debug)]
pub(super) struct Finding<'j> {
    pub(super) judged: &'j Judged<'j>,
    pub(super) decision: &'j Decision,
    pub(super) message: &'j Message,
    pub(super) level: Level,
}

impl Level {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Warn => "warn",
            Self::Deny => "deny",
        }
    }
}

impl Finding<'_> {
    /// Where the offending part stands, if the object is of a file.
    pub(super) fn location(&self) -> Option<Location> {
        self.judged.locate(self.message.path.as_deref())
    }

    /// The same for people; of an object of a cluster, the path in it.
    pub(super) fn place(&self) -> String {
        let location = self.location().map(|location| location.to_string());
        location
            .or_else(|| self.message.path.clone())
            .unwrap_or_default()
    }
}

/// All that is said of an object, the worst first.
pub(super) fn of<'j>(judged: &'j Judged<'j>) -> impl Iterator<Item = Finding<'j>> {
    let mut findings = Vec::new();
    for decision in &judged.decisions {
        let level = if decision.allowed {
            Level::Audit
        } else {
            Level::Deny
        };
        let messages = decision.messages.iter().map(|message| (message, level));
        let warnings = decision
            .warnings
            .iter()
            .map(|message| (message, Level::Warn));
        findings.extend(messages.chain(warnings).map(|(message, level)| Finding {
            judged,
            decision,
            message,
            level,
        }));
    }
    // Policies, and what each says, keep their order.
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    findings.into_iter()
}

/// Whether an object is let in with warnings.
pub(super) fn only_warns(judged: &Judged<'_>) -> bool {
    judged.allowed() && of(judged).any(|finding| finding.level == Level::Warn)
}

/// Whether an exemption has a policy leave an object alone.
pub(super) fn is_exempted(judged: &Judged<'_>) -> bool {
    let mut decisions = judged.decisions.iter();
    decisions.any(|decision| decision.exemption.is_some())
}

/// The name of the rule that is broken: the code that the policy gives, or else the policy.
pub(super) fn rule(finding: &Finding<'_>) -> String {
    match &finding.message.code {
        Code::Custom(code) => code.clone(),
        _ => finding.decision.policy.to_string(),
    }
}
