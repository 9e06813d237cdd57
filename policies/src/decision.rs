//! The decision: what comes out, and how an action turns a judgement into one.
//!
//! A policy *judges*: it allows, denies, skips, or cannot answer. What follows from that is
//! *enforced* by the door's settings: at admission `Deny`, `Warn` or `Audit` and the failure
//! policy, elsewhere always as it was judged. Keeping the two apart is what makes every door give
//! the same decision.

use std::sync::Arc;

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{
    Action, Address, Admission, Code, Digest, Document, FailurePolicy, Message, Point, Tool,
    exemption::ExemptionNote, lock::LockNote, normalise::bounded,
};

/// What a policy made of a request, before it is enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The policy permits it.
    Allowed,
    /// The policy refuses it.
    Denied,
    /// The policy says that it does not apply.
    Skipped,
    /// The policy could not answer.
    Error,
    /// A lock refuses; the policy was not evaluated.
    Locked,
    /// A lock bypasses the policy, which was not evaluated.
    Bypassed,
    /// An exemption has the policy leave the request alone; it was not evaluated.
    Exempted,
    /// The request's time is outside the policy's window; it was not evaluated.
    NotInForce,
    /// The policy's match does not select the request; it was not evaluated.
    Unmatched,
}

/// What a policy made of a request, with what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// What it is.
    pub outcome: Outcome,
    /// Whether that permits the request.
    pub allowed: bool,
    /// Whether it is allowed because a rule says so, `allow` or `allowed`, and not for want of an
    /// objection.
    pub grants: bool,
    /// Why it is denied, or could not be answered.
    pub messages: Vec<Message>,
    /// What is worth a warning.
    pub warnings: Vec<Message>,
    /// Why it was skipped.
    pub skipped: Vec<Message>,
    /// The entrypoint's document, where it was evaluated and is defined.
    pub result: Option<Document>,
    /// The lock that shaped it.
    pub lock: Option<LockNote>,
    /// The exemption that shaped it.
    pub exemption: Option<ExemptionNote>,
}

/// A decision of one policy about one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Names this decision in answers and logs.
    pub id: Arc<str>,
    /// Whether the request may go on.
    pub allowed: bool,
    /// What the policy made of it.
    pub outcome: Outcome,
    /// Whether it is allowed because a rule says so, and not for want of an objection.
    pub grants: bool,
    /// Why it is denied, or would be; the most severe first.
    pub messages: Vec<Message>,
    /// What the caller is warned of.
    pub warnings: Vec<Message>,
    /// Why the policy skipped it.
    pub skipped: Vec<Message>,
    /// The entrypoint's document, where it was evaluated and is defined.
    pub result: Option<Document>,
    /// The policy that decided.
    pub policy: Address,
    /// The policy's digest.
    pub digest: Digest,
    /// The binding by which the policy was asked: `ClusterPolicyBinding prod-limits`. The policy's
    /// own `admission`, and every evaluation, have no name.
    pub binding: Option<Arc<str>>,
    /// The lock that shaped the decision.
    pub lock: Option<LockNote>,
    /// The exemption that shaped the decision.
    pub exemption: Option<ExemptionNote>,
    /// Time that it took, in nanoseconds; measured by the door.
    pub duration_ns: u64,
}

impl Outcome {
    /// The name in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Skipped => "skipped",
            Self::Error => "error",
            Self::Locked => "locked",
            Self::Bypassed => "bypassed",
            Self::Exempted => "exempted",
            Self::NotInForce => "notInForce",
            Self::Unmatched => "unmatched",
        }
    }

    /// How bad it is: of several, the worst is told.
    fn rank(self) -> u8 {
        match self {
            Self::Unmatched => 0,
            Self::NotInForce => 1,
            Self::Skipped => 2,
            Self::Allowed => 3,
            Self::Exempted => 4,
            Self::Bypassed => 5,
            Self::Error => 6,
            Self::Denied => 7,
            Self::Locked => 8,
        }
    }
}

impl Judgement {
    /// A judgement with nothing to say.
    pub(crate) fn new(outcome: Outcome, allowed: bool) -> Self {
        Self {
            outcome,
            allowed,
            grants: false,
            messages: Vec::new(),
            warnings: Vec::new(),
            skipped: Vec::new(),
            result: None,
            lock: None,
            exemption: None,
        }
    }

    /// The policy could not answer.
    pub(crate) fn error(message: Message) -> Self {
        Self {
            messages: vec![message],
            ..Self::new(Outcome::Error, false)
        }
    }

    /// What follows at `point`; `admission` are the policy's settings for the API server's door, at
    /// which a tool may ask in its place.
    pub(crate) fn enforce(
        mut self,
        point: Point,
        tool: Option<Tool>,
        admission: Option<&Admission>,
    ) -> Self {
        let (Point::Admission, Some(admission)) = (point, admission) else {
            return self;
        };
        match admission.action_of(tool) {
            Action::Deny => {
                let ignored = admission.failure_policy == FailurePolicy::Ignore;
                if self.outcome == Outcome::Error && ignored {
                    self.warn_instead();
                }
            }
            Action::Warn => self.warn_instead(),
            Action::Audit => {
                self.allowed = true;
                self.messages.append(&mut self.warnings);
            }
        }
        self
    }

    /// The same of a part of the object that was asked about, which is at `prefix`.
    pub(crate) fn below(mut self, prefix: &str) -> Self {
        let all = [&mut self.messages, &mut self.warnings, &mut self.skipped];
        all.into_iter()
            .flatten()
            .for_each(|message| message.move_below(prefix));
        self
    }

    fn warn_instead(&mut self) {
        self.allowed = true;
        let mut warnings = std::mem::take(&mut self.messages);
        warnings.append(&mut self.warnings);
        self.warnings = warnings;
    }
}

impl Decision {
    /// Whether the policy's match selects the request; of any other nothing is told.
    pub fn is_concerned(&self) -> bool {
        self.outcome != Outcome::Unmatched
    }

    /// Whether the policy was evaluated to its end, so that its document, or that there is none, is its
    /// answer. A document that is no decision is one all the same for who asks for the document.
    pub fn was_evaluated(&self) -> bool {
        match self.outcome {
            Outcome::Allowed | Outcome::Denied | Outcome::Skipped => true,
            Outcome::Error => self.result.is_some(),
            Outcome::Locked
            | Outcome::Bypassed
            | Outcome::Exempted
            | Outcome::NotInForce
            | Outcome::Unmatched => false,
        }
    }

    /// What follows of this and another of the same policy about the same request: the worse, and
    /// all that both say.
    #[must_use]
    pub fn join(mut self, mut other: Self) -> Self {
        if other.outcome.rank() > self.outcome.rank() {
            std::mem::swap(&mut self, &mut other);
        }
        let both = |own: &mut Vec<Message>, others: Vec<Message>| {
            let all = std::mem::take(own).into_iter().chain(others);
            *own = bounded(all.collect());
        };
        both(&mut self.messages, other.messages);
        both(&mut self.warnings, other.warnings);
        both(&mut self.skipped, other.skipped);
        Self {
            allowed: self.allowed && other.allowed,
            grants: self.grants && other.grants,
            lock: self.lock.or(other.lock),
            exemption: self.exemption.or(other.exemption),
            duration_ns: self.duration_ns.saturating_add(other.duration_ns),
            ..self
        }
    }

    /// Who decided, for people: the policy, and the binding that had it asked, if one did.
    pub fn speaker(&self) -> String {
        match &self.binding {
            Some(binding) => format!("{} by {binding}", self.policy),
            None => self.policy.to_string(),
        }
    }

    /// The code that explains a request that was not allowed: the first message's.
    pub fn code(&self) -> Option<&Code> {
        self.messages.first().map(|message| &message.code)
    }
}

/// As design and API documents write it: camel case, and without what does not apply.
impl Serialize for Decision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", self.id.as_ref())?;
        map.serialize_entry("allowed", &self.allowed)?;
        map.serialize_entry("outcome", &self.outcome)?;
        map.serialize_entry("messages", &self.messages)?;
        map.serialize_entry("warnings", &self.warnings)?;
        map.serialize_entry("skipped", &self.skipped)?;
        if let Some(result) = &self.result {
            map.serialize_entry("result", result)?;
        }
        map.serialize_entry("policy", &self.policy)?;
        if let Some(namespace) = self.policy.namespace() {
            map.serialize_entry("namespace", namespace)?;
        }
        map.serialize_entry("digest", &self.digest)?;
        if let Some(binding) = &self.binding {
            map.serialize_entry("binding", binding.as_ref())?;
        }
        if let Some(lock) = &self.lock {
            map.serialize_entry("lock", lock)?;
        }
        if let Some(exemption) = &self.exemption {
            map.serialize_entry("exemption", exemption)?;
        }
        map.serialize_entry("durationNs", &self.duration_ns)?;
        map.end()
    }
}
