//! Results in SARIF 2.1.0, the OASIS standard that code scanning reads
//! (`docs.oasis-open.org/sarif/sarif/v2.1.0`).

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Value as Json, json};

use super::{
    findings::{self, Finding, Level},
    judge::Judged,
};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// All results, as one run.
pub(super) fn report(judged: &[Judged<'_>]) -> Json {
    let findings: Vec<Finding<'_>> = judged.iter().flat_map(findings::of).collect();
    let mut rules: BTreeMap<String, &Finding<'_>> = BTreeMap::new();
    for finding in &findings {
        rules.entry(findings::rule(finding)).or_insert(finding);
    }
    let places: BTreeMap<&str, usize> = rules.keys().map(String::as_str).zip(0..).collect();
    let results: Vec<Json> = findings
        .iter()
        .map(|finding| {
            let rule = findings::rule(finding);
            result(finding, &rule, places[&*rule])
        })
        .collect();
    let rules: Vec<Json> = rules.iter().map(|(id, first)| rule(id, first)).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "portcullis",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "results": results,
            "columnKind": "unicodeCodePoints",
        }],
    })
}

fn rule(id: &str, first: &Finding<'_>) -> Json {
    let policy = first.decision.policy.to_string();
    let short = if id == policy {
        policy.clone()
    } else {
        format!("{id} of {policy}")
    };
    let mut rule = json!({
        "id": id,
        "shortDescription": {"text": short},
        "properties": {"policy": policy},
    });
    if let Some(remedy) = &first.message.remedy {
        rule["help"] = json!({"text": remedy});
    }
    rule
}

fn result(finding: &Finding<'_>, rule: &str, index: usize) -> Json {
    let message = finding.message;
    let mut text = message.message.clone();
    if let Some(comparison) = message.comparison() {
        text = format!("{text} ({comparison})");
    }
    if let Some(remedy) = &message.remedy {
        text = format!("{text}\n→ {remedy}");
    }
    let object = finding.judged.title();
    let logical = match &message.path {
        Some(path) => format!("{object} {path}"),
        None => object,
    };
    let mut properties = json!({
        "policy": finding.decision.policy.to_string(),
        "digest": finding.decision.digest,
    });
    if let Some(severity) = message.severity {
        properties["severity"] = severity.as_str().into();
    }
    for (name, value) in [("found", &message.found), ("wanted", &message.wanted)] {
        if let Some(value) = value {
            properties[name] = json!(value);
        }
    }
    let mut location = json!({"logicalLocations": [{"fullyQualifiedName": logical}]});
    if let Some(place) = finding.location() {
        location["physicalLocation"] = json!({
            "artifactLocation": {"uri": uri(&place.file)},
            "region": {"startLine": place.line, "startColumn": place.column},
        });
    }
    json!({
        "ruleId": rule,
        "ruleIndex": index,
        "level": level(finding.level),
        "message": {"text": text},
        "locations": [location],
        "properties": properties,
    })
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Deny => "error",
        Level::Warn => "warning",
        Level::Audit => "note",
    }
}

/// A file's path as a reference of RFC 3986: what is none of its characters is escaped.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            // Writing to a string does not fail.
            byte => drop(write!(uri, "%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_references() {
        assert_eq!(uri("apps/web-1.yaml"), "apps/web-1.yaml");
        assert_eq!(uri("a b/ü:<stdin>"), "a%20b/%C3%BC%3A%3Cstdin%3E");
    }
}
