//! What is measured: policies with an input each.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::inputs::{bindings, review};

/// A policy and an input.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// Files and their text.
    pub(crate) modules: Vec<(String, String)>,
    /// The version of Rego: 0 or 1.
    pub(crate) version: u8,
    pub(crate) data: Value,
    pub(crate) query: String,
    pub(crate) input: String,
}

impl Row {
    fn new(name: &str, text: &str, query: &str, input: &Value) -> Self {
        Self {
            name: name.to_owned(),
            modules: vec![("policy.rego".to_owned(), text.to_owned())],
            version: 1,
            data: json!({}),
            query: query.to_owned(),
            input: input.to_string(),
        }
    }
}

/// Every row, in the order of the table.
pub(crate) fn all() -> Result<Vec<Row>> {
    let small = review(1, 4);
    let large = review(20, 18);
    let mut rows = Vec::new();
    let policies = [
        ("small", include_str!("rego/small.rego")),
        ("medium", include_str!("rego/medium.rego")),
        ("functions", include_str!("rego/functions.rego")),
    ];
    for (name, text) in policies {
        for request in [&small, &large] {
            let input = json!({"request": request, "parameters": {}});
            let kilobytes = input.to_string().len() / 1000;
            let name = format!("{name} policy, Pod of {kilobytes} KB");
            rows.push(Row::new(&name, text, "data.bench.deny", &input));
        }
    }
    library(&small, &mut rows)?;
    gatekeeper(&small, &mut rows);
    let input = json!({"request": small, "parameters": {}});
    rows.push(Row::new(
        "300 rules, one matching",
        &many_rules(300),
        "data.bench.deny",
        &input,
    ));
    rows.push(Row::new(
        "a set of 5,000 members",
        &large_set(5_000),
        "data.bench.deny",
        &input,
    ));
    let bindings = bindings(10_000);
    let asked = json!({"user": "user-417", "action": "update", "namespace": "team-29"});
    let text = include_str!("rego/bindings.rego");
    for (how, query) in [
        ("searched", "data.bench.searched"),
        ("by subject", "data.bench.looked_up"),
    ] {
        let mut row = Row::new(&format!("10,000 role bindings, {how}"), text, query, &asked);
        let mut by_subject = serde_json::Map::new();
        for binding in &bindings {
            let subject = binding["subject"].as_str().unwrap_or_default();
            let list = by_subject.entry(subject).or_insert_with(|| json!([]));
            list.as_array_mut().context("a list")?.push(binding.clone());
        }
        row.data = json!({"bindings": bindings, "by_subject": by_subject});
        rows.push(row);
    }
    rows.push(Row::new(
        "300 hosts, each against all",
        include_str!("rego/hosts.rego"),
        "data.bench.deny",
        &hosts(300),
    ));
    rows.push(Row::new(
        "a framework of 2,000 lines",
        &framework(100),
        "data.bench.deny",
        &input,
    ));
    Ok(rows)
}

/// Routes, of which two have the same host.
fn hosts(count: usize) -> Value {
    let route = |at: usize| {
        let host = if at + 1 == count { 0 } else { at };
        json!({"name": format!("route-{at}"), "host": format!("service-{host}.example.com")})
    };
    json!({"routes": (0..count).map(route).collect::<Vec<_>>()})
}

/// The policies that are shipped, with inputs like those of their tests.
fn library(review: &Value, rows: &mut Vec<Row>) -> Result<()> {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("library");
    let admission = |parameters: Value| json!({"request": review, "parameters": parameters});
    let inputs = [
        (
            "gaiax/didresolve",
            json!({"did": "did:web:example.com%3A8443:user:alice"}),
        ),
        (
            "platform/allowed_registries",
            admission(json!({"registries": ["registry.example.com", "ghcr.io/acme"]})),
        ),
        (
            "platform/no_privileged",
            admission(json!({"allowedCapabilities": ["CHOWN"]})),
        ),
        (
            "platform/required_labels",
            admission(
                json!({"labels": [{"key": "team"}, {"key": "app", "allowedRegex": "^[a-z]+$"}, {"key": "cost"}]}),
            ),
        ),
        (
            "platform/resource_limits",
            admission(json!({"max": {"limits": {"cpu": "2", "memory": "256Mi"}}})),
        ),
        (
            "services/authorization",
            json!({
                "subject": {"id": "alice", "roles": ["author"]},
                "action": "update",
                "resource": {"type": "document", "id": "42", "owner": "alice"},
            }),
        ),
    ];
    for (name, input) in inputs {
        let folder = library.join(name).join("1.0");
        let text = fs::read_to_string(folder.join("policy.rego"))?;
        let query = format!("data.{}", name.replace('/', "."));
        let mut row = Row::new(&format!("library: {name}"), &text, &query, &input);
        row.modules.extend(shared(&text)?);
        if let Ok(data) = fs::read_to_string(folder.join("data.json")) {
            row.data = serde_json::from_str(&data)?;
        }
        rows.push(row);
    }
    Ok(())
}

/// The shared modules that a policy imports, and those that these import.
fn shared(text: &str) -> Result<Vec<(String, String)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("lib");
    let mut modules: Vec<(String, String)> = Vec::new();
    let mut open = vec![text.to_owned()];
    while let Some(text) = open.pop() {
        let imports = text
            .lines()
            .filter_map(|line| line.strip_prefix("import data.lib."));
        for name in imports.map(|package| format!("{package}.rego")) {
            if modules.iter().all(|(known, _)| *known != name) {
                let source = fs::read_to_string(folder.join(&name))?;
                open.push(source.clone());
                modules.push((name, source));
            }
        }
    }
    Ok(modules)
}

/// Templates as Gatekeeper has them, in version 0.
fn gatekeeper(review: &Value, rows: &mut Vec<Row>) {
    let templates = [
        (
            "required labels",
            include_str!("rego/required_labels.rego"),
            json!({"labels": [{"key": "team", "allowedRegex": "^[a-z]+$"}, {"key": "owner"}]}),
        ),
        (
            "allowed repositories",
            include_str!("rego/allowed_repositories.rego"),
            json!({"repos": ["registry.example.com/platform/", "registry.example.com/base/"]}),
        ),
        (
            "container limits",
            include_str!("rego/container_limits.rego"),
            json!({"cpu": "300m", "memory": "1Gi"}),
        ),
        (
            "capabilities",
            include_str!("rego/capabilities.rego"),
            json!({"allowedCapabilities": ["CHOWN"], "requiredDropCapabilities": ["KILL"]}),
        ),
    ];
    for (name, text, parameters) in templates {
        let input = json!({"review": review, "parameters": parameters});
        let name = format!("Gatekeeper: {name}");
        let row = Row::new(&name, text, "data.bench.violation", &input);
        rows.push(Row { version: 0, ..row });
    }
}

/// Rules about as many kinds, of which one is the input's.
fn many_rules(count: usize) -> String {
    let mut text = "package bench\n".to_owned();
    for at in 0..count {
        let kind = if at == count / 2 {
            "Pod".to_owned()
        } else {
            format!("Kind{at}")
        };
        let _ = write!(
            text,
            "
deny contains msg if {{
	input.request.kind.kind == \"{kind}\"
	not input.request.object.metadata.labels[\"owner-{at}\"]
	msg := sprintf(\"%v needs the label owner-{at}\", [input.request.name])
}}
"
        );
    }
    text
}

/// A set of images, written in the policy.
fn large_set(count: usize) -> String {
    let mut text = "package bench\n\nallowed := {\n".to_owned();
    for at in 0..count {
        let _ = writeln!(text, "\t\"registry.example.com/shop/service-{at}:1.{at}\",");
    }
    text.push_str(
        "}

deny contains msg if {
	some container in input.request.object.spec.containers
	not container.image in allowed
	msg := sprintf(\"%v is not allowed\", [container.image])
}
",
    );
    text
}

/// Checks in a framework of their own, twenty lines each.
fn framework(checks: usize) -> String {
    let mut text = include_str!("rego/framework.rego").to_owned();
    for at in 0..checks {
        let field = ["image", "name", "imagePullPolicy", "workingDir"][at % 4];
        let _ = write!(
            text,
            "
checks contains \"check_{at}\"

title(\"check_{at}\") := \"the field {field} of a container, check {at}\"

severity(\"check_{at}\") := \"high\" if {{
	is_production
}} else := \"low\"

findings contains finding if {{
	selected(\"check_{at}\", [\"Pod\", \"Deployment\"])
	some container in containers
	value := object.get(container, \"{field}\", \"\")
	not is_acceptable_{at}(value)
	finding := report(\"check_{at}\", container, value)
}}

is_acceptable_{at}(value) if startswith(value, \"registry.example.com/\")

is_acceptable_{at}(value) if value in {{\"Always\", \"IfNotPresent\", \"checkout-{at}\"}}
"
        );
    }
    text
}
