//! One policy in a snapshot, as it is asked, with the locks that cover it: what answers a request.

use std::{borrow::Cow, sync::Arc};

use jiff::Timestamp;

use crate::{
    Address, Admission, Bound, Code, Decision, Document, Exemptions, FailurePolicy, Input, Lock,
    Message, ObjectKey, Outcome, Point, Policy, Request, Scope,
    decision::Judgement,
    exemption::{ExemptionNote, Found},
    gate::Asked,
    lock::{Effect, LockNote},
    matching::{
        Verdict,
        workload::{self, Pod},
    },
    rego::{plan::access::Access, value::Value},
};

/// A policy in force, or broken, with its locks: as it is asked by its own settings, or, at
/// admission, by a binding.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The object that holds the address.
    pub object: ObjectKey,
    /// The policy.
    pub policy: Arc<Policy>,
    /// Locks that cover it, active or expired.
    pub locks: Vec<Arc<Lock>>,
    /// Locks that cover what it imports and refuse, active or expired.
    pub imported_locks: Vec<(Address, Arc<Lock>)>,
    /// Exemptions that it accepts, in force or expired.
    pub exemptions: Arc<Exemptions>,
    /// What binds it, where it is not asked by its own `admission`.
    pub binding: Option<Arc<Bound>>,
    /// What it judges at admission.
    pub part: Part,
    /// The newer version that has taken its place: its own `admission` is not asked.
    pub superseded_by: Option<Address>,
}

/// What a policy judges of the requests that it is asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// The object.
    #[default]
    Object,
    /// The Pods of the object's templates, each as if there was a request about it.
    Templates,
}

impl Entry {
    /// Which of the versions of a name is meant where none is named: the greatest.
    pub(crate) fn precedence(&self, now: Timestamp) -> impl Ord + '_ {
        let is_in_force = self.policy.definition().window.contains(now);
        let is_shadow = self.is_shadow();
        (
            is_in_force && !is_shadow,
            !is_shadow,
            self.address().version(),
        )
    }

    /// Where the policy is found.
    pub fn address(&self) -> &Address {
        self.policy.address()
    }

    /// Which requests it judges at admission, and what its denial does there.
    pub fn admission(&self) -> Option<&Admission> {
        match &self.binding {
            Some(bound) => Some(&bound.binding.admission),
            None => self.policy.definition().admission.as_ref(),
        }
    }

    /// Where it judges at admission: what a namespace binds, or owns, judges that namespace only.
    pub fn reach(&self) -> &Scope {
        match &self.binding {
            Some(bound) => &bound.binding.reach,
            None => self.address().scope(),
        }
    }

    /// Whether it is asked beside the version in force, to be compared with it, and acts on nothing.
    pub fn is_shadow(&self) -> bool {
        self.binding.is_none() && self.policy.definition().shadow
    }

    /// What the API server does where it asks about its match, and nobody answers.
    pub fn failure_policy(&self) -> Option<FailurePolicy> {
        match &self.binding {
            Some(bound) => Some(bound.binding.admission.effective_failure_policy()),
            None => self.policy.definition().failure_policy(),
        }
    }

    /// The object by which it came to be asked at admission.
    pub fn asked_by(&self) -> &ObjectKey {
        match &self.binding {
            Some(bound) => &bound.binding.key,
            None => &self.object,
        }
    }

    /// The same, as far as it judges templates.
    pub(crate) fn of_templates(&self) -> Option<Self> {
        let has_workloads = !self.admission()?.matches.workloads.is_empty();
        has_workloads.then(|| Self {
            part: Part::Templates,
            ..self.clone()
        })
    }

    /// All that it may judge of an object: the object itself, and its templates.
    pub(crate) fn parts(self: &Arc<Self>) -> impl Iterator<Item = Arc<Self>> + use<> {
        let templates = self.of_templates().map(Arc::new);
        [self.clone()].into_iter().chain(templates)
    }

    /// What it looks at of a document that is asked about at a door.
    pub(crate) fn access(&self, point: Point) -> Option<Cow<'_, Access>> {
        let own = match (&self.binding, point) {
            (Some(bound), Point::Admission) => Some(bound.access()),
            _ => self.policy.access(point),
        };
        match (self.part, self.admission()) {
            (Part::Templates, Some(admission)) => {
                let mut access = own.cloned().unwrap_or_default();
                workload::note(&admission.matches.workloads, &mut access);
                Some(Cow::Owned(access))
            }
            _ => own.map(Cow::Borrowed),
        }
    }

    /// What its exemptions look at of one.
    pub(crate) fn exemption_access(&self, point: Point) -> Option<&Access> {
        match point {
            Point::Admission => self.exemptions.access(),
            Point::Evaluation => None,
        }
    }

    fn parameters(&self) -> &Value {
        match &self.binding {
            Some(bound) => bound.parameters(),
            None => self.policy.parameters(),
        }
    }

    /// The lock that holds at `point`. Of several, one that refuses wins.
    pub fn active_lock(&self, point: Point, now: Timestamp) -> Option<&Arc<Lock>> {
        let active = |lock: &&Arc<Lock>| lock.holds(point, now);
        let refuses = |lock: &&Arc<Lock>| lock.effect == Effect::Refuse;
        let mut locks = self.locks.iter().filter(active);
        locks.clone().find(refuses).or_else(|| locks.next())
    }

    /// Decides. Never panics and never fails: what goes wrong is an outcome. The time it takes is
    /// left at zero, for the door to measure.
    pub fn decide(&self, input: &Input, request: &Request) -> Decision {
        match self.part {
            Part::Object => {
                let judgement = self.judge(input, request, None);
                self.enforced(judgement, input.point(), request)
            }
            Part::Templates => self.decide_templates(input, request),
        }
    }

    fn decide_templates(&self, input: &Input, request: &Request) -> Decision {
        let (Input::Admission(document), Some(admission)) = (input, self.admission()) else {
            return self.unmatched(request.id.clone());
        };
        let expanded = workload::expand(&admission.matches, document.value());
        if expanded.as_ref().is_ok_and(Vec::is_empty) {
            return self.unmatched(request.id.clone());
        }
        // Who is exempt as what it is, is so as the Pods that it will be.
        let exempt = self.exemptions.find(input, self.parameters(), request);
        let pods = match expanded {
            Ok(pods) => pods,
            Err(why) => {
                let judgement = self.closed(Point::Admission, request.now);
                let judgement = judgement.or_else(|| exempt.note.map(exempted));
                let judgement = judgement.unwrap_or_else(|| without_template(&why));
                return self.enforced(judgement, Point::Admission, request);
            }
        };
        let count = u32::try_from(pods.len()).unwrap_or(u32::MAX);
        let share = Request {
            budget: exempt.left / count.max(1),
            ..request.clone()
        };
        let decide = |Pod { path, request }: Pod| {
            let input = Input::Admission(Document::new(request));
            let exempt = exempt.note.as_ref();
            let judgement = self.judge(&input, &share, exempt).below(&path);
            self.enforced(judgement, Point::Admission, &share)
        };
        let decisions = pods.into_iter().map(decide);
        decisions
            .reduce(Decision::join)
            .unwrap_or_else(|| self.unmatched(request.id.clone()))
    }

    /// The decision of a door that had no time or no room to ask this policy.
    pub fn overloaded(&self, point: Point, request: &Request) -> Decision {
        let message = Message::new(Code::Overloaded, "there was no room to evaluate in time")
            .with_remedy("try again; if it stays so, run more replicas of the webhook");
        self.unanswered(message, point, request)
    }

    /// The decision of a door whose evaluation of this policy ended unexpectedly.
    pub fn failed(&self, point: Point, request: &Request) -> Decision {
        let message = Message::new(Code::EvaluationFailed, "the evaluation ended unexpectedly")
            .with_remedy("see the log of the webhook, and report what it says");
        self.unanswered(message, point, request)
    }

    /// The decision of a door that could not read what this policy was to judge; `detail` says why.
    pub fn unreadable(&self, point: Point, request: &Request, detail: &str) -> Decision {
        let message = Message::new(Code::InputInvalid, detail)
            .with_remedy("change what cannot be read in the object");
        self.unanswered(message, point, request)
    }

    /// Without an answer the failure policy decides.
    fn unanswered(&self, message: Message, point: Point, request: &Request) -> Decision {
        self.enforced(Judgement::error(message), point, request)
    }

    fn enforced(&self, judgement: Judgement, point: Point, request: &Request) -> Decision {
        let judgement = judgement.enforce(point, request.tool, self.admission());
        self.decision(request.id.clone(), judgement)
    }

    fn decision(&self, id: Arc<str>, judgement: Judgement) -> Decision {
        Decision {
            id,
            allowed: judgement.allowed,
            outcome: judgement.outcome,
            grants: judgement.grants,
            messages: judgement.messages,
            warnings: judgement.warnings,
            skipped: judgement.skipped,
            result: judgement.result,
            policy: self.address().clone(),
            digest: self.policy.digest(),
            binding: self.binding.as_ref().map(|bound| bound.name().clone()),
            lock: judgement.lock,
            exemption: judgement.exemption,
            duration_ns: 0,
        }
    }

    /// The decision of a perimeter about a request that nobody permits.
    pub(crate) fn not_granted(&self, request: &Request) -> Decision {
        let text = "no policy permits it: what this one selects needs a ClusterPolicy whose `allow` \
                    holds for it";
        let message = Message::new(Code::DeniedAdmission, text)
            .with_remedy("have a policy applied that permits it, or ask who looks after this one");
        let judgement = Judgement {
            messages: vec![message],
            ..Judgement::new(Outcome::Denied, false)
        };
        self.enforced(judgement, Point::Admission, request)
    }

    /// The decision about a request that the policy's match does not select.
    pub fn unmatched(&self, id: Arc<str>) -> Decision {
        self.decision(id, Judgement::new(Outcome::Unmatched, true))
    }

    /// What a lock or the window decides, whatever the request is.
    pub fn without_evaluation(&self, point: Point, request: &Request) -> Option<Decision> {
        let judgement = self.closed(point, request.now)?;
        Some(self.enforced(judgement, point, request))
    }

    fn closed(&self, point: Point, now: Timestamp) -> Option<Judgement> {
        if let Some(lock) = self.active_lock(point, now) {
            return Some(locked(lock));
        }
        let is_in_force = self.policy.definition().window.contains(now);
        (!is_in_force).then(|| not_in_force(point))
    }

    /// `exempt` is the exemption of what the document is a part of, if it has one.
    fn judge(&self, input: &Input, request: &Request, exempt: Option<&ExemptionNote>) -> Judgement {
        let point = input.point();
        // Whom a request does not concern is not asked, locked or not.
        let asked = self.ask_conditions(input, request);
        if asked.verdict == Verdict::Unmatched {
            return Judgement::new(Outcome::Unmatched, true);
        }
        if let Some(judgement) = self.closed(point, request.now) {
            return judgement;
        }
        let request = &Request {
            budget: asked.left,
            ..request.clone()
        };
        // Who is exempt does not mind what the policy would have failed at.
        let exempt = match exempt {
            Some(note) => Found::without_looking(note.clone(), request),
            None => self.exemptions.find(input, self.parameters(), request),
        };
        if let Some(note) = exempt.note {
            return exempted(note);
        }
        if let Verdict::Failed(message) = asked.verdict {
            return Judgement::error(*message);
        }
        let request = &Request {
            budget: exempt.left,
            ..request.clone()
        };
        if let Some((address, lock)) = self.locked_import(point, request.now) {
            return Judgement::error(import_locked(address, lock));
        }
        let fault = match &self.binding {
            Some(bound) => bound.fault(),
            None => self.policy.unfit(),
        };
        if let Some(fault) = fault {
            return Judgement::error(fault.clone());
        }
        self.policy.judge(input, self.parameters(), request)
    }

    fn ask_conditions(&self, input: &Input, request: &Request) -> Asked {
        let gate = match &self.binding {
            Some(bound) => bound.binding.gate(),
            None => self.policy.gate(),
        };
        gate.ask(input, self.parameters(), request, self.policy.limits())
    }

    /// What it imports and may not be used now. A lock that bypasses a policy takes away what that
    /// one enforces, and not what it computes for others.
    fn locked_import(&self, point: Point, now: Timestamp) -> Option<&(Address, Arc<Lock>)> {
        let mut locks = self.imported_locks.iter();
        locks.find(|(_, lock)| lock.holds(point, now))
    }
}

fn exempted(note: ExemptionNote) -> Judgement {
    Judgement {
        exemption: Some(note),
        ..Judgement::new(Outcome::Exempted, true)
    }
}

fn without_template(why: &str) -> Judgement {
    let message = Message::new(Code::InputInvalid, why);
    let remedy = "give the object such a template, or mend `workloads` of the policy";
    Judgement::error(message.with_remedy(remedy))
}

fn import_locked(address: &Address, lock: &Lock) -> Message {
    let LockNote { name, reason, .. } = lock.note();
    let text = format!("the policy imports {address}, which is locked by {name}: {reason}");
    Message::new(Code::CompileFailed, &text)
        .with_remedy("wait until the lock ends, or have it removed")
}

fn locked(lock: &Lock) -> Judgement {
    let note = lock.note();
    let judgement = match lock.effect {
        Effect::Bypass => Judgement::new(Outcome::Bypassed, true),
        Effect::Refuse => {
            let message = match &note.expires_at {
                Some(end) => format!("locked by {} until {end}: {}", note.name, note.reason),
                None => format!("locked by {}: {}", note.name, note.reason),
            };
            Judgement {
                messages: vec![
                    Message::new(Code::Locked, &message)
                        .with_remedy("wait until the lock ends, or have it removed"),
                ],
                ..Judgement::new(Outcome::Locked, false)
            }
        }
    };
    Judgement {
        lock: Some(note),
        ..judgement
    }
}

/// At admission a policy that is not in force is not asked; elsewhere somebody asked for it by
/// name and is told.
fn not_in_force(point: Point) -> Judgement {
    match point {
        Point::Admission => Judgement::new(Outcome::NotInForce, true),
        Point::Evaluation => Judgement {
            messages: vec![
                Message::new(Code::NotInForce, "the policy is not in force at this time")
                    .with_remedy("see `notBefore` and `notAfter` of the policy"),
            ],
            ..Judgement::new(Outcome::NotInForce, false)
        },
    }
}
