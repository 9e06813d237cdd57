//! One request for decisions, whichever door it came through.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use portcullis_policies::{
    Decision, Entry, Headers, Input, Labels, Point, Request, Timestamp, Tool,
};

use crate::{
    Unanswered, deadline::deadline, evaluators::Lane, identity::decision_id, whence::Whence,
};

/// Time of all policies of a namespace together, for one request, with what they wait: eight of them
/// that use up the default limit, and well below the ten seconds that the API server waits for a
/// webhook.
const TENANT_TIME: Duration = Duration::from_secs(2);

/// A request for decisions: its name, its clock and its deadline.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) point: Point,
    /// Where it waits for a thread.
    pub(crate) lane: Lane,
    pub(crate) id: Arc<str>,
    pub(crate) begin: Instant,
    pub(crate) deadline: Instant,
    now: Timestamp,
    headers: Arc<Headers>,
    namespace: Option<Arc<Labels>>,
    tool: Option<Tool>,
    /// Where it comes from.
    pub(crate) whence: Whence,
    strict: bool,
}

impl Question {
    /// A question of a caller who waits for `timeout`. The API server's headers say nothing of the
    /// request that it asks about, so at admission there are none to read, whoever asks.
    pub(crate) fn new(point: Point, headers: Headers, timeout: Duration) -> Self {
        let begin = Instant::now();
        let headers = match point {
            Point::Admission => Headers::default(),
            Point::Evaluation => headers,
        };
        Self {
            point,
            lane: point.into(),
            id: decision_id(),
            begin,
            deadline: deadline(begin, timeout),
            now: Timestamp::now(),
            headers: Arc::new(headers),
            namespace: None,
            tool: None,
            whence: Whence::default(),
            strict: false,
        }
    }

    /// The same with a name that its caller gave it.
    pub(crate) fn named(self, id: Arc<str>) -> Self {
        Self { id, ..self }
    }

    /// The same, that came from there.
    pub(crate) fn from(self, whence: Whence) -> Self {
        Self { whence, ..self }
    }

    /// The same of somebody who asks by a policy's address, at whatever point.
    pub(crate) fn by_address(self) -> Self {
        let lane = Lane::Evaluation;
        Self { lane, ..self }
    }

    /// The same, of the policies of a namespace: they have a line of their own, and together no more
    /// than [`TENANT_TIME`] of the request's time.
    pub(crate) fn of_tenant(self, namespace: &str) -> Self {
        Self {
            lane: Lane::Tenant(namespace.into()),
            deadline: self.deadline.min(self.begin + TENANT_TIME),
            ..self
        }
    }

    /// The same about a request in a namespace with these labels, if they are known.
    pub(crate) fn in_namespace(self, namespace: Option<Arc<Labels>>) -> Self {
        Self { namespace, ..self }
    }

    /// The same, asked by a tool in the API server's place.
    pub(crate) fn asked_by(self, tool: Tool) -> Self {
        let tool = Some(tool);
        Self { tool, ..self }
    }

    /// The same, where a builtin function's error is one of the evaluation.
    pub(crate) fn strictly(self, strict: bool) -> Self {
        Self { strict, ..self }
    }

    /// The time of the request.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// Decides; work of the processor.
    pub(crate) fn decide(&self, entry: &Entry, input: &Input) -> Decision {
        let begin = Instant::now();
        let budget = self.deadline.saturating_duration_since(begin);
        if budget.is_zero() {
            return self.unanswered(entry, Unanswered::Late);
        }
        let decision = entry.decide(input, &self.request(budget));
        let duration_ns = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Decision {
            duration_ns,
            ..decision
        }
    }

    /// The decision of a policy that was not asked in time. A lock or a window decides without an
    /// evaluation, and so decides here as well; otherwise the failure policy does.
    pub(crate) fn unanswered(&self, entry: &Entry, why: Unanswered) -> Decision {
        self.without_evaluation(entry).unwrap_or_else(|| match why {
            Unanswered::Overloaded | Unanswered::Late => {
                entry.overloaded(self.point, &self.as_it_was())
            }
            Unanswered::Failed => entry.failed(self.point, &self.as_it_was()),
        })
    }

    /// The decision of a policy that was not asked because what it was to judge cannot be read.
    pub(crate) fn unreadable(&self, entry: &Entry, detail: &str) -> Decision {
        self.without_evaluation(entry)
            .unwrap_or_else(|| entry.unreadable(self.point, &self.as_it_was(), detail))
    }

    fn without_evaluation(&self, entry: &Entry) -> Option<Decision> {
        entry.without_evaluation(self.point, &self.as_it_was())
    }

    /// The request as policies are told of it, with the time that is left.
    pub(crate) fn request_until_deadline(&self) -> Request {
        self.request(self.deadline.saturating_duration_since(Instant::now()))
    }

    /// The request as policies were told of it, with no time left.
    pub(crate) fn as_it_was(&self) -> Request {
        self.request(Duration::ZERO)
    }

    fn request(&self, budget: Duration) -> Request {
        Request {
            id: self.id.clone(),
            now: self.now,
            headers: self.headers.clone(),
            budget,
            namespace: self.namespace.clone(),
            tool: self.tool,
            strict: self.strict,
        }
    }
}
