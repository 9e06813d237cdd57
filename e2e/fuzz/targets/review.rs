//! The API server's door decides about any body as who reads all of it and looks at every policy.
//!
//! ```text
//! owner-and-failure-policy body
//! ```
#![no_main]

use std::{borrow::Cow, collections::BTreeMap};

use axum::body::Body;
use axum::http::Request;
use libfuzzer_sys::fuzz_target;
use portcullis_fuzz::decisions::{Subject, decide, selected};
use portcullis_fuzz::doors::HOUSE;
use portcullis_fuzz::rego::let_builtins_panic;
use portcullis_policies::rego::value::json::{self, Parts};
use portcullis_policies::{Document, FailurePolicy, Headers, Input, Operation, Owner, Point};
use serde_json::{Value as Json, value::RawValue};

/// What chooses policies.
const HEAD: [&str; 7] = [
    "uid",
    "resource",
    "requestResource",
    "subResource",
    "operation",
    "namespace",
    "name",
];

/// The members of an object as they are written, of those with the same key the last.
fn members(object: &[u8]) -> Option<BTreeMap<String, Cow<'_, [u8]>>> {
    match json::parts(object) {
        Ok((Parts::Members(members), true)) => {
            let written = |(key, value)| (key, Cow::Borrowed(value));
            Some(members.into_iter().map(written).collect())
        }
        Ok(_) => None,
        // Some values are refused, as numbers of too many digits are, which the door looks at where a
        // policy reads them.
        Err(_) => {
            let text = text(object);
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(&text).ok()?;
            let written =
                |(key, value): (_, &RawValue)| (key, value.get().as_bytes().to_vec().into());
            Some(members.into_iter().map(written).collect())
        }
    }
}

/// What is no text is replaced, byte by byte.
fn text(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text += chunk.valid();
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

/// Whether the door has to answer: what the API server sends has each key once.
fn is_well_formed(body: &[u8]) -> bool {
    let Ok(review) = serde_json::from_slice::<Json>(body) else {
        return false;
    };
    let text = |pointer: &str| review.pointer(pointer).is_some_and(Json::is_string);
    let text_or_none = |pointer: &str| review.pointer(pointer).is_none_or(Json::is_string);
    serde_json::to_vec(&review).is_ok_and(|written| written == body)
        && review["apiVersion"] == "admission.k8s.io/v1"
        && review["kind"] == "AdmissionReview"
        && [
            "/request/uid",
            "/request/kind/kind",
            "/request/resource/group",
            "/request/resource/resource",
        ]
        .into_iter()
        .all(text)
        && [
            "/request/name",
            "/request/namespace",
            "/request/subResource",
            "/request/resource/version",
            "/request/requestResource/version",
        ]
        .into_iter()
        .all(text_or_none)
        && (review["request"]["requestResource"].is_null()
            || text("/request/requestResource/group") && text("/request/requestResource/resource"))
        && review["request"]["userInfo"]
            .as_object()
            .is_some_and(|user| user.get("username").is_none_or(Json::is_string))
        && review["request"]["operation"]
            .as_str()
            .and_then(Operation::parse)
            .is_some()
}

fuzz_target!(|bytes: &[u8]| {
    let_builtins_panic();
    let Some((door, body)) = bytes.split_first() else {
        return;
    };
    let (owner, owned) = match door & 1 {
        0 => ("cluster", Owner::Cluster),
        _ => ("namespace", Owner::Namespace),
    };
    let (failure, failure_policy) = match door & 2 {
        0 => ("fail", FailurePolicy::Fail),
        _ => ("ignore", FailurePolicy::Ignore),
    };
    let asked = Request::post(format!("/admission/{owner}/{failure}?timeout=60s"))
        .body(Body::from(body.to_vec()))
        .expect("it is a request");
    let answer = HOUSE.admit(asked);
    let said: Json = serde_json::from_slice(&answer.body).expect("an answer is JSON");
    if answer.status != 200 {
        assert_eq!(answer.status, 400, "{said}");
        assert_eq!(said["code"], "POLICY.INPUT_INVALID", "{said}");
        assert!(said["remedy"].is_string(), "{said}");
        assert!(!is_well_formed(body), "{said}");
        return;
    }
    let envelope = members(body).expect("what was read has members");
    let request = &*envelope["request"];
    let head = members(request).expect("a request has members");
    let read = |value: &[u8]| serde_json::from_slice(value).unwrap_or_default();
    let head: serde_json::Map<String, Json> = head
        .into_iter()
        .filter(|(key, _)| HEAD.contains(&key.as_str()))
        .map(|(key, value)| (key, read(&value)))
        .collect();
    let head = Json::Object(head);
    let text = |pointer: &str| head.pointer(pointer).and_then(Json::as_str);
    let said_something = |pointer: &str| text(pointer).filter(|text| !text.is_empty());
    let resource = text("/resource/resource").expect("a request is about a resource");
    let (resource, within) = match resource.split_once('/') {
        Some((resource, sub_resource)) => (resource, Some(sub_resource)),
        None => (resource, None),
    };
    let sub_resource = said_something("/subResource");
    // The API server never writes one in both places.
    if sub_resource.is_some() && within.is_some() || sub_resource.is_some_and(|it| it.contains('/'))
    {
        return;
    }
    let subject = Subject {
        group: text("/resource/group").expect("a resource has a group"),
        requested: text("/requestResource/group"),
        resource,
        sub_resource: sub_resource.or(within),
        operation: text("/operation")
            .and_then(Operation::parse)
            .expect("it is an operation"),
        namespace: said_something("/namespace"),
    };
    let request = std::str::from_utf8(request).expect("what was read is text");
    let input = Document::read(request).ok().map(Input::Admission);
    let snapshot = HOUSE.cache.snapshot();
    let decisions: Vec<_> = selected(&snapshot, &subject, owned, failure_policy)
        .into_iter()
        .map(|entry| decide(entry, input.as_ref(), Point::Admission, &Headers::default()))
        .collect();
    let response = &said["response"];
    assert_eq!(response["uid"], head["uid"]);
    let allowed = decisions.iter().all(|decision| decision.allowed);
    assert_eq!(response["allowed"], allowed, "{said} {decisions:?}");
    assert_eq!(response["status"].is_object(), !allowed, "{said}");
    let asked = response["auditAnnotations"]["policies"]
        .as_str()
        .unwrap_or_default();
    let asked = asked
        .split(' ')
        .filter(|policy| policy.contains('@'))
        .count();
    assert_eq!(asked, decisions.len(), "{said} {decisions:?}");
    let warned = decisions
        .iter()
        .any(|decision| !decision.warnings.is_empty());
    assert_eq!(
        response["warnings"].is_array(),
        warned,
        "{said} {decisions:?}"
    );
});
