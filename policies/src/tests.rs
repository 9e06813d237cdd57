//! The cache and what it answers.

mod actions;
mod bindings;
mod cache;
mod conditions;
mod exemptions;
mod imports;
mod locks;
mod model;
mod outside;
mod perimeter;
mod points;
mod seals;
mod selection;
mod shadows;
mod sources;
mod versions;
mod workloads;

use std::{sync::Arc, time::Duration};

use serde_json::json;

use crate::{lock::Reach, *};

const ALLOWING: &str = "package a.b\nallow := true";
const DENYING: &str = "package a.b\ndeny contains \"no\" if true";
const WARNING: &str = "package a.b\nwarn contains \"careful\" if true";
const BROKEN: &str = "package a.b\nallow if {";
const FAILING: &str = "package a.b\nallow := 1 if true\nallow := 2 if true";
const MALFORMED: &str = "package a.b\nallow := \"yes\"";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn request() -> Request {
    Request {
        id: Arc::from("id"),
        now: at(1_000),
        headers: Arc::default(),
        budget: Duration::from_secs(5),
        namespace: None,
        tool: None,
        strict: false,
    }
}

fn review() -> Input {
    Input::Admission(Document::from(&json!({"operation": "CREATE"})))
}

fn pods(action: Action, failure_policy: FailurePolicy) -> Admission {
    Admission {
        matches: Match::of([rule(&[""], &["pods"], &[Operation::Create])]),
        action,
        failure_policy,
        action_at: ActionAt::default(),
        require_allow: false,
    }
}

fn rule(groups: &[&str], resources: &[&str], operations: &[Operation]) -> ResourceRule {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    ResourceRule {
        groups: owned(groups),
        versions: owned(&["v1"]),
        resources: owned(resources),
        operations: operations.to_vec(),
        ..ResourceRule::default()
    }
}

/// A policy of `source`, whose package is `a.b`.
fn policy(source: &str) -> Definition {
    Definition::new("a/b@1".parse().unwrap(), source)
}

fn named(scope: Scope, name: &str) -> Definition {
    let address = Address::new(scope, "a", name, "1").unwrap();
    let admission = Some(pods(Action::Deny, FailurePolicy::Fail));
    Definition {
        admission,
        ..Definition::new(address, &format!("package a.{name}\nallow := true"))
    }
}

fn object(name: &str, created: i64, definition: Definition) -> Object {
    let kind = if definition.address.namespace().is_some() {
        "Policy"
    } else {
        "ClusterPolicy"
    };
    Object {
        key: ObjectKey::new(kind, definition.address.namespace(), name),
        created: at(created),
        updated: at(created),
        policy: Arc::new(Policy::compile(definition)),
    }
}

fn lock(name: &str) -> Lock {
    Lock {
        key: ObjectKey::new("ClusterLock", None, name),
        reach: Reach::Cluster { namespaces: None },
        target: Target::All,
        points: Points::ALL,
        effect: Effect::Refuse,
        reason: "incident 4711".to_owned(),
        expires_at: None,
    }
}

fn cache(
    objects: impl IntoIterator<Item = Object>,
    locks: impl IntoIterator<Item = Lock>,
) -> Cache {
    let cache = Cache::new();
    cache.update(|state| {
        objects
            .into_iter()
            .for_each(|object| state.apply_policy(object));
        locks.into_iter().for_each(|lock| state.apply_lock(lock));
    });
    cache
}

fn decide(
    definition: Definition,
    locks: impl IntoIterator<Item = Lock>,
    input: &Input,
) -> Decision {
    let address = definition.address.clone();
    let cache = cache([object("it", 0, definition)], locks);
    cache
        .snapshot()
        .find(&address)
        .unwrap()
        .decide(input, &request())
}

/// What the caller sees: allowed, and how many messages and warnings.
fn seen(decision: &Decision) -> (bool, usize, usize) {
    (
        decision.allowed,
        decision.messages.len(),
        decision.warnings.len(),
    )
}
