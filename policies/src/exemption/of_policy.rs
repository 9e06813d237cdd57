//! The exemptions that one policy accepts.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc, time::Duration};

use super::{Exemption, ExemptionNote, ExemptionReach, Stance};
use crate::{
    Input, Labels, Limits, Policy, Request, Subject,
    matching::Verdict,
    rego::{plan::access::Access, value::Value},
};

/// Most exemptions that a policy accepts of the cluster, and of each namespace: more than anybody
/// keeps in mind, and looking through them costs a request less than a small policy does. Those
/// that end last are accepted.
pub const MOST_ACCEPTED: usize = 256;

/// What the conditions of one exemption may use up. They look at a few fields; what has more to say
/// is a policy's matter.
const LIMITS: Limits = Limits {
    timeout: Duration::from_millis(20),
    memory: 8 << 20,
};

/// What the conditions of all exemptions of a policy may take together, of one request's time.
const TOGETHER: Duration = Duration::from_millis(50);

/// The exemptions that a policy accepts, those without conditions first.
#[derive(Clone, Debug, Default)]
pub struct Exemptions {
    cluster: Vec<Arc<Exemption>>,
    namespaces: BTreeMap<String, Vec<Arc<Exemption>>>,
    access: Access,
    longest: Duration,
}

/// What became of looking for an exemption.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) note: Option<ExemptionNote>,
    /// What is left of the request's time.
    pub(crate) left: Duration,
}

impl Found {
    /// One that is known already.
    pub(crate) fn without_looking(note: ExemptionNote, request: &Request) -> Self {
        Self {
            note: Some(note),
            left: request.budget,
        }
    }
}

impl Exemptions {
    /// Those that a policy accepts, of all. `labels` are those of its namespace, where they are
    /// known, and `longest` is how far away their end may be.
    pub(crate) fn of(
        policy: &Policy,
        all: &[Arc<Exemption>],
        labels: Option<&Labels>,
        longest: Duration,
    ) -> Self {
        let mut own = Self {
            longest,
            ..Self::default()
        };
        let accepts =
            |exemption: &&Arc<Exemption>| exemption.stance(policy, labels) == Stance::Accepted;
        for exemption in all.iter().filter(accepts) {
            match &exemption.definition().reach {
                ExemptionReach::Cluster { .. } => own.cluster.push(exemption.clone()),
                ExemptionReach::Namespace(name) => {
                    let list = own.namespaces.entry(name.clone()).or_default();
                    list.push(exemption.clone());
                }
            }
        }
        bound(&mut own.cluster);
        own.namespaces.values_mut().for_each(bound);
        let mut access = Access::default();
        own.iter()
            .for_each(|exemption| access.merge(exemption.access()));
        own.access = access;
        own
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Exemption>> {
        self.cluster
            .iter()
            .chain(self.namespaces.values().flatten())
    }

    /// What they look at of an `AdmissionRequest`, if there are any.
    pub(crate) fn access(&self) -> Option<&Access> {
        self.iter().next().map(|_| &self.access)
    }

    /// The first that holds for a request. `parameters` are those that the policy is asked with.
    pub(crate) fn find(&self, input: &Input, parameters: &Value, request: &Request) -> Found {
        let found = |note, left| Found { note, left };
        let mut left = request.budget;
        let Input::Admission(document) = input else {
            return found(None, left);
        };
        if self.iter().next().is_none() {
            return found(None, left);
        }
        let Some(subject) = Subject::of(document) else {
            return found(None, left);
        };
        let own = subject
            .own_namespace()
            .and_then(|namespace| self.namespaces.get(namespace));
        let may = |exemption: &&Arc<Exemption>| {
            exemption.holds(request.now, self.longest)
                && exemption.reaches_request(&subject, request)
                && exemption.definition().objects.include(&subject, document)
        };
        let mut together = TOGETHER;
        let candidates = self.cluster.iter().chain(own.into_iter().flatten());
        for exemption in candidates.filter(may) {
            if exemption.definition().objects.conditions.is_empty() {
                return found(Some(exemption.note()), left);
            }
            let budget = left.min(together);
            if budget.is_zero() {
                continue;
            }
            let asking = Request {
                budget,
                ..request.clone()
            };
            let asked = exemption.gate.ask(input, parameters, &asking, LIMITS);
            let used = budget.saturating_sub(asked.left);
            left = left.saturating_sub(used);
            together = together.saturating_sub(used);
            if asked.verdict == Verdict::Judged {
                return found(Some(exemption.note()), left);
            }
        }
        found(None, left)
    }
}

/// Keeps [`MOST_ACCEPTED`], and puts those that cost least first.
fn bound(list: &mut Vec<Arc<Exemption>>) {
    let end = |exemption: &Arc<Exemption>| Reverse(exemption.definition().expires_at);
    list.sort_by(|one, other| (end(one), one.key()).cmp(&(end(other), other.key())));
    list.truncate(MOST_ACCEPTED);
    list.sort_by_key(|exemption| !exemption.definition().objects.conditions.is_empty());
}
