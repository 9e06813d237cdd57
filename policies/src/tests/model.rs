//! The cache against a plain model of it, under random changes and with readers between them.
//!
//! ```text
//! Change… ──▶ Cache ── publish ──▶ Snapshot ── select, decide ──▶ what a reader sees
//!    └──────▶ Plain ── nothing is kept, all is searched ────────▶ what it has to see
//! ```
//!
//! A reader that has loaded a snapshot sees one state of the model, whole, however often it asks and
//! whatever is changed meanwhile.

mod changes;
mod interleaving;
mod plain;
mod threads;

use super::*;
use plain::Plain;

/// What readers ask about.
const RESOURCES: [&str; 4] = ["pods", "pods/exec", "services", "namespaces"];

/// Before and after the locks expire that do.
const TIMES: [i64; 2] = [0, 1_000];

/// When locks expire that do.
const EXPIRY: i64 = 500;

/// What one policy decides at a door and a time.
type Answer = (Point, i64, Address, Outcome, bool);

/// All that a reader can find out about one state.
#[derive(Debug, PartialEq)]
struct Sight {
    revision: u64,
    conflicts: Vec<Conflict>,
    locks: Vec<ObjectKey>,
    answers: Vec<Answer>,
    /// The policies that judge a subject that comes by a route.
    selected: Vec<(Subject, Route, Vec<Address>)>,
}

/// All questions about who judges what.
fn subjects() -> Vec<(Subject, Route)> {
    let mut subjects = Vec::new();
    for resource in RESOURCES {
        for namespace in [None, Some("team-a"), Some("team-b")] {
            for owner in [Owner::Cluster, Owner::Namespace] {
                for failure_policy in [FailurePolicy::Fail, FailurePolicy::Ignore] {
                    let subject = Subject {
                        namespace: namespace.map(str::to_owned),
                        ..Subject::new("", resource, Operation::Create)
                    };
                    let route = Route {
                        owner: Some(owner),
                        failure_policy: Some(failure_policy),
                    };
                    subjects.push((subject, route));
                }
            }
        }
    }
    subjects
}

/// What a reader of a snapshot sees.
fn see(snapshot: &Snapshot) -> Sight {
    let mut answers = Vec::new();
    for entry in snapshot.entries() {
        for now in TIMES {
            for input in [review(), Input::Evaluation(None)] {
                let asked = Request {
                    now: at(now),
                    ..request()
                };
                let decision = entry.decide(&input, &asked);
                let address = entry.address().clone();
                answers.push((
                    input.point(),
                    now,
                    address,
                    decision.outcome,
                    decision.allowed,
                ));
            }
        }
    }
    let select = |(subject, route): (Subject, Route)| {
        let entries = snapshot
            .select(&subject, Objects::default, route)
            .into_iter();
        let found = entries.map(|entry| entry.address().clone()).collect();
        (subject, route, found)
    };
    Sight {
        revision: snapshot.revision(),
        conflicts: snapshot.conflicts().to_vec(),
        locks: snapshot
            .locks()
            .iter()
            .map(|lock| lock.key.clone())
            .collect(),
        answers,
        selected: subjects().into_iter().map(select).collect(),
    }
}

/// What it has to see.
fn foresee(plain: &Plain) -> Sight {
    let mut answers = Vec::new();
    for address in plain.addresses() {
        for now in TIMES {
            for point in [Point::Admission, Point::Evaluation] {
                let (outcome, allowed) = plain.decide(&address, point, at(now));
                answers.push((point, now, address.clone(), outcome, allowed));
            }
        }
    }
    let select = |(subject, route): (Subject, Route)| {
        let found = plain.select(&subject, route);
        (subject, route, found)
    };
    Sight {
        revision: plain.revision,
        conflicts: plain.conflicts(),
        locks: plain.locks.iter().map(|lock| lock.key.clone()).collect(),
        answers,
        selected: subjects().into_iter().map(select).collect(),
    }
}
