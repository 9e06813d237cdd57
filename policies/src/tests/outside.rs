//! What policies reach outside of an evaluation. Expected answers are OPA's, of a server that says
//! the same.

mod answers;
mod memory;
mod options;
mod refusals;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use rstest::rstest;
use serde_json::{Value as Json, json};

use super::{Action, Decision, Definition, FailurePolicy, Input, at, pods, policy};
use crate::{
    Allowance, Document, Entry, Hosts, Limits, ObjectKey, Outcome, Part, Policy, Request,
    outside::{HttpRequest, HttpResponse, Outside, OutsideFault},
};

/// Allows `example.com` and all below it, writes down what it is asked, and answers as a test wants.
#[derive(Debug)]
struct Script {
    hosts: Hosts,
    answer: Result<HttpResponse, OutsideFault>,
    asked: Mutex<Vec<HttpRequest>>,
}

impl Script {
    fn new(answer: Result<HttpResponse, OutsideFault>) -> Arc<Self> {
        Arc::new(Self {
            hosts: hosts(&["example.com", "*.example.com"]),
            answer,
            asked: Mutex::default(),
        })
    }

    fn ok(body: &str) -> Arc<Self> {
        Self::new(Ok(response(200, "application/json", body.as_bytes())))
    }

    fn asked(&self) -> Vec<HttpRequest> {
        self.asked.lock().unwrap().clone()
    }
}

impl Outside for Script {
    fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    fn send(&self, request: &HttpRequest, _: &Hosts) -> Result<HttpResponse, OutsideFault> {
        self.asked.lock().unwrap().push(request.clone());
        self.answer.clone()
    }

    fn lookup(&self, name: &str, _: &Hosts, _: Duration) -> Result<BTreeSet<String>, OutsideFault> {
        match name {
            "example.com" => Ok(["192.0.2.1".to_owned(), "2001:db8::1".to_owned()].into()),
            "gone.example.com" => Err(OutsideFault::Network("no such host".to_owned())),
            _ => Err(OutsideFault::Refused(format!("`{name}` is not allowed"))),
        }
    }
}

fn hosts(patterns: &[&str]) -> Hosts {
    let patterns = patterns.iter().map(|pattern| pattern.parse().unwrap());
    patterns.collect()
}

fn response(status_code: u16, kind: &str, body: &[u8]) -> HttpResponse {
    HttpResponse {
        status: format!("{status_code} Something"),
        status_code,
        headers: vec![
            ("content-type".to_owned(), kind.to_owned()),
            ("x-two".to_owned(), "1".to_owned()),
            ("x-two".to_owned(), "2".to_owned()),
        ],
        body: body.to_vec(),
    }
}

/// A policy that may ask `api.example.com`.
fn asking(rules: &str) -> Definition {
    Definition {
        hosts: hosts(&["api.example.com"]),
        limits: Limits {
            timeout: Duration::from_secs(5),
            ..Limits::DEFAULT
        },
        ..policy(&format!("package a.b\n{rules}"))
    }
}

fn allowing(outside: Arc<dyn Outside>) -> Allowance {
    Allowance {
        outside,
        ..Allowance::default()
    }
}

fn entry(definition: Definition, outside: Arc<dyn Outside>) -> Entry {
    Entry {
        object: ObjectKey::new("ClusterPolicy", None, "it"),
        policy: Arc::new(Policy::compile_within(definition, &(), allowing(outside))),
        locks: Vec::new(),
        imported_locks: Vec::new(),
        exemptions: Arc::default(),
        binding: None,
        part: Part::Object,
        superseded_by: None,
    }
}

fn decided(entry: &Entry, input: &Json) -> Decision {
    let request = Request {
        id: Arc::from("id"),
        now: at(1_000),
        headers: Arc::default(),
        budget: Duration::from_secs(5),
        namespace: None,
        tool: None,
        strict: false,
    };
    entry.decide(&Input::Evaluation(Some(Document::from(input))), &request)
}

/// The document of a policy; what is wrong where there is none.
fn document(entry: &Entry, input: &Json) -> Result<Json, String> {
    let decision = decided(entry, input);
    match (decision.outcome, decision.result) {
        (_, Some(result)) => Ok(serde_json::to_value(result).unwrap()),
        (Outcome::Error, None) => Err(decision.messages[0].message.clone()),
        (outcome, None) => Err(format!("{outcome:?}")),
    }
}

/// What `http.send` gives for options.
fn sent(outside: &Arc<Script>, options: &Json) -> Result<Json, String> {
    let entry = entry(asking("answer := http.send(input)"), outside.clone());
    let document = document(&entry, options)?;
    Ok(document.get("answer").cloned().unwrap_or(Json::Null))
}

fn faults(definition: Definition) -> String {
    let policy = Policy::compile_within(definition, &(), allowing(Script::ok("1")));
    policy.faults().map(ToString::to_string).unwrap_or_default()
}
