//! Every example of the description is sent, and answered as it says.

use std::io::{Read as _, Write as _};

use serde_json::{Map, Value as Json, json};
use tempfile::TempDir;
use url::form_urlencoded::byte_serialize;

use super::serve;
use crate::process::{Server, connect};

/// What is another one each time, or with time: ids, digests of what is changed now and then, times, and
/// sources, which examples cut short.
const VOLATILE: [&str; 15] = [
    "created",
    "decisionId",
    "decision_id",
    "digest",
    "durationNs",
    "id",
    "kid",
    "lastUpdate",
    "raw",
    "receivedAt",
    "revision",
    "time",
    "timestamp",
    "version",
    "x",
];

/// What is there as soon as an archive could not be fetched.
const LATER: [&str; 2] = ["failures", "error"];

/// A request that an example makes.
#[derive(Debug)]
struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// An example: of an operation, with a name.
struct Example<'a> {
    operation: &'a str,
    name: &'a str,
    method: &'a str,
    path: &'a str,
    described: &'a Json,
}

/// The examples of a description.
fn examples(document: &Json) -> Vec<Example<'_>> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, described) in item.as_object().unwrap() {
            let operation = described["operationId"].as_str().unwrap();
            let mut names: Vec<&str> = Vec::new();
            let parameters = described["parameters"].as_array().into_iter().flatten();
            let contents = described["requestBody"]["content"].as_object().into_iter();
            let answers = described["responses"].as_object().unwrap().values();
            let answers = answers.filter_map(|answer| answer["content"].as_object());
            let contents = contents.chain(answers).flat_map(Map::values);
            for holder in parameters.chain(contents) {
                let named = holder["examples"].as_object().into_iter();
                names.extend(named.flat_map(Map::keys).map(String::as_str));
            }
            names.sort_unstable();
            names.dedup();
            assert!(!names.is_empty(), "{operation} has no example");
            all.extend(names.into_iter().map(|name| Example {
                operation,
                name,
                method,
                path,
                described,
            }));
        }
    }
    all
}

impl Example<'_> {
    fn request(&self, id: Option<&str>) -> Request {
        let (mut path, mut query, mut headers) = (self.path.to_owned(), Vec::new(), Vec::new());
        for parameter in self.described["parameters"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let name = parameter["name"].as_str().unwrap();
            let mut value = &parameter["examples"][self.name]["value"];
            if value.is_null() && parameter["required"] == true {
                value = &parameter["example"];
            }
            let made = id.filter(|_| name == "id").map(Json::from);
            let text = match made.as_ref().unwrap_or(value) {
                Json::Null => continue,
                Json::String(text) if parameter["content"].is_null() => text.clone(),
                other => other.to_string(),
            };
            let encoded: String = byte_serialize(text.as_bytes()).collect();
            match parameter["in"].as_str().unwrap() {
                "path" => path = path.replace(&format!("{{{name}}}"), &encoded),
                "query" => query.push(format!("{name}={encoded}")),
                _ => headers.push((name.to_owned(), text)),
            }
        }
        if !query.is_empty() {
            path = format!("{path}?{}", query.join("&"));
        }
        let contents = self.described["requestBody"]["content"].as_object();
        let mut bodies = contents.into_iter().flat_map(Map::values);
        let body = bodies.find_map(|content| content["examples"][self.name].get("value"));
        Request {
            method: self.method.to_uppercase(),
            path,
            headers,
            body: body.map_or_else(Vec::new, |body| body.to_string().into_bytes()),
        }
    }

    /// The status and the body that it is answered with; of what is no JSON, or nothing, just the class
    /// of the status.
    fn answer(&self) -> Option<(&str, &Json)> {
        let responses = self.described["responses"].as_object().unwrap();
        responses.iter().find_map(|(status, response)| {
            let contents = response["content"].as_object()?;
            let mut contents = contents.values();
            let answer =
                contents.find_map(|content| content["examples"][self.name].get("value"))?;
            Some((status.as_str(), answer))
        })
    }

    /// What has to be done before.
    fn before(&self) -> Option<Request> {
        let plain = self.operation.trim_start_matches("namespaced_");
        let own = self.request(None).path;
        let policy = match own.rsplit_once('/') {
            Some((policy, _)) if self.path.contains("/{version}/") => policy,
            _ => "/policy/services/authorization/1.0",
        };
        let of_policy = |action: &str| format!("{policy}/{action}");
        let plain = plain.trim_start_matches("repository_");
        let (path, headers, body) = match (plain, self.name) {
            ("post_evaluate" | "post_data", "locked")
            | ("post_lock", "already_locked")
            | ("delete_unlock", "unlocked") => (
                of_policy("lock"),
                vec![],
                json!({"reason": "incident 4711"}),
            ),
            ("get_subscriptions", "listed")
            | ("delete_unsubscribe", "removed")
            | ("post_subscribe", "twice") => {
                let url = "https://shop.example.com/policy-changed";
                let body = json!({"subscriber": "shop", "webhook_url": url});
                (of_policy("notifychange"), vec![], body)
            }
            ("get_result", "kept") => {
                let headers = vec![
                    ("x-evaluation-id", "did:web:example.com"),
                    ("x-cache-ttl", "60"),
                ];
                let body = json!({
                    "subject": {"id": "alice", "roles": ["author"]},
                    "action": "update",
                    "resource": {"type": "document", "owner": "alice"}
                });
                (of_policy("evaluation"), headers, body)
            }
            ("get_why", "denied") => {
                let path = "/namespaces/team-a/policy/shop/discounts/1.0/evaluation";
                let headers = vec![("x-evaluation-id", "did:web:example.org")];
                (path.to_owned(), headers, json!({"percent": 30}))
            }
            ("get_import_schedules", "listed") | ("delete_import_schedule", "removed") => {
                ("/v1/policy/import/config".to_owned(), vec![], schedule())
            }
            _ => return None,
        };
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Some(Request {
            method: "POST".to_owned(),
            path,
            headers: headers.into_iter().map(own).collect(),
            body: body.to_string().into_bytes(),
        })
    }
}

fn schedule() -> Json {
    let url = "https://policies.example.com/policy/policies/shop/discounts/1.0/export";
    json!({"policyURL": url, "interval": "1h"})
}

/// Sends a request; gives the status and what of the body is JSON.
fn send(server: &Server, request: &Request) -> (u16, Json) {
    let mut stream = connect(&server.evaluation);
    let first = format!("{} {} HTTP/1.1", request.method, request.path);
    let length = request.body.len().to_string();
    let own = [
        ("host", server.evaluation.as_str()),
        ("connection", "close"),
        ("content-length", &length),
    ];
    let others = request.headers.iter();
    let others = others.map(|(name, value)| (name.as_str(), value.as_str()));
    let headers = own.into_iter().chain(others);
    let headers = headers.map(|(name, value)| format!("{name}: {value}"));
    let lines: Vec<String> = [first].into_iter().chain(headers).collect();
    let head = lines.join("\r\n") + "\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&request.body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|part| part == b"\r\n\r\n");
    let (head, body) = answer.split_at(end.unwrap() + 4);
    let status = std::str::from_utf8(&head[9..12]).unwrap().parse().unwrap();
    (status, serde_json::from_slice(body).unwrap_or_default())
}

/// Undoes what examples do.
fn restore(server: &Server) {
    let request = |method: &str, path: String, body: Vec<u8>| Request {
        method: method.to_owned(),
        path,
        headers: Vec::new(),
        body,
    };
    let body = schedule().to_string().into_bytes();
    let config = "/v1/policy/import/config".to_owned();
    send(server, &request("DELETE", config, body));
    for policy in [
        "/policy/services/authorization/1.0",
        "/namespaces/team-a/policy/shop/discounts/1.0",
    ] {
        send(server, &request("DELETE", format!("{policy}/lock"), vec![]));
        let subscriptions = format!("{policy}/notifychange");
        let (_, told) = send(server, &request("GET", subscriptions.clone(), vec![]));
        for one in told["subscriptions"].as_array().into_iter().flatten() {
            let path = format!("{subscriptions}?id={}", one["id"].as_str().unwrap());
            send(server, &request("DELETE", path, vec![]));
        }
    }
}

/// What is the same each time.
fn lasting(document: &Json) -> Json {
    match document {
        Json::Array(items) => items.iter().map(lasting).collect(),
        Json::Object(members) => {
            let members = members.iter().filter(|(key, _)| !LATER.contains(&&***key));
            let lasting = members.map(|(key, value)| {
                let is_volatile = VOLATILE.contains(&&**key);
                let value = match value {
                    Json::String(_) if is_volatile => json!("a text"),
                    Json::Number(_) if is_volatile => json!("a number"),
                    other => lasting(other),
                };
                (key.clone(), value)
            });
            Json::Object(lasting.collect())
        }
        other => other.clone(),
    }
}

#[test]
fn every_example_is_answered_as_the_description_says() {
    let folder = TempDir::new().unwrap();
    let server = serve(folder.path());
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    let document: Json = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for example in examples(&document) {
        restore(&server);
        let made = example.before().map(|before| {
            let (status, answer) = send(&server, &before);
            assert_eq!(status, 200, "{before:?}: {answer}");
            answer
        });
        let id = made.as_ref().and_then(|made| made["id"].as_str());
        let request = example.request(id.filter(|_| example.name == "removed"));
        let (status, answer) = send(&server, &request);
        let is_right = match example.answer() {
            None => (200..300).contains(&status),
            Some((expected, described)) => {
                let is_status = match expected {
                    "default" => described["status"] == status,
                    expected => expected == status.to_string(),
                };
                is_status && lasting(described) == lasting(&answer)
            }
        };
        if !is_right {
            let (operation, name) = (example.operation, example.name);
            let described = example.answer();
            wrong.push(format!(
                "{operation} {name}\n  {} {}\n  described: {described:?}\n  answered: {status} {answer}",
                request.method, request.path
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
