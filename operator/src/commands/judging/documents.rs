//! Results as JSON and YAML: every object with every decision about it.

use anyhow::Context as _;
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::{findings, judge::Judged};

/// All results.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    summary: Summary,
    objects: Vec<Object>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    objects: usize,
    refused: usize,
    /// Of those that are not refused.
    warned: usize,
    exempt: usize,
    /// Those that an exemption has a policy leave alone.
    exempted: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    api_version: String,
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    name: String,
    allowed: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    exempt: bool,
    /// As the evaluation API's `…/decision` gives them, with the place of each message.
    decisions: Vec<Json>,
}

/// All results.
pub(super) fn report(judged: &[Judged<'_>]) -> anyhow::Result<Report> {
    let count = |is: fn(&Judged<'_>) -> bool| judged.iter().filter(|one| is(one)).count();
    Ok(Report {
        summary: Summary {
            objects: judged.len(),
            refused: count(|judged| !judged.allowed()),
            warned: count(findings::only_warns),
            exempt: count(|judged| judged.exempt),
            exempted: count(findings::is_exempted),
        },
        objects: judged.iter().map(object).collect::<anyhow::Result<_>>()?,
    })
}

fn object(judged: &Judged<'_>) -> anyhow::Result<Object> {
    let resource = &judged.resource;
    let decision = |decision| {
        let mut document = serde_json::to_value(decision)?;
        for kind in ["messages", "warnings"] {
            for message in document[kind].as_array_mut().into_iter().flatten() {
                if let Some(place) = judged.locate(message["path"].as_str()) {
                    message["location"] =
                        json!({"file": place.file, "line": place.line, "column": place.column});
                }
            }
        }
        Ok(document)
    };
    let place = judged.locate(None);
    Ok(Object {
        line: place.as_ref().map(|place| place.line),
        file: place.map(|place| place.file),
        api_version: resource.api_version(),
        kind: resource.kind.clone(),
        namespace: judged.namespace.clone(),
        name: judged.name.clone(),
        allowed: judged.allowed(),
        exempt: judged.exempt,
        decisions: judged
            .decisions
            .iter()
            .map(decision)
            .collect::<anyhow::Result<_>>()?,
    })
}

/// The same as YAML.
pub(super) fn yaml(report: &Report) -> anyhow::Result<String> {
    serde_saphyr::to_string(report).context("the results cannot be written as YAML")
}
