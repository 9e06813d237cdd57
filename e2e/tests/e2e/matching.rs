//! A match selects what a ValidatingAdmissionPolicy of the same constraints selects.
//!
//! Each of `e2e/matching/constraints.yaml` is installed twice, as a policy of the API server's own
//! and as a ClusterPolicy. Both warn of whatever they are asked about, so the answer to a request
//! says who was. The requests are those of `e2e/matching/requests.yaml`; nothing of them is stored.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use kube::{Client, client::Body};
use portcullis_e2e::{MINUTE, Stage, on_stage, until};
use serde::Deserialize;
use serde_json::{Value, json};

/// Constraints that are installed at a time: the API server cuts the warnings of one answer at 4096
/// characters, and each constraint has two.
const AT_A_TIME: usize = 16;

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Constraint {
    name: String,
    #[serde(rename = "match")]
    matches: Value,
    #[serde(default)]
    conditions: Vec<Value>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    name: String,
    method: String,
    path: String,
    #[serde(default)]
    body: Value,
    from: Option<String>,
    #[serde(default, rename = "with")]
    change: Value,
    #[serde(default)]
    stays: bool,
}

/// Which constraints the two kinds of policies say that they were asked by.
#[derive(Debug, Default, PartialEq)]
struct Asked {
    theirs: BTreeSet<String>,
    ours: BTreeSet<String>,
}

#[tokio::test]
async fn a_match_selects_what_the_api_servers_own_policies_select() -> Result<()> {
    on_stage(async |stage| {
        let constraints: Vec<Constraint> = table("constraints.yaml", &[])?;
        let (a, b) = (stage.namespace(), stage.another_namespace().await?);
        for (namespace, env) in [(a, "prod"), (&b, "test")] {
            let label = format!("env={env}");
            let command = ["label", "namespace", namespace, &label];
            stage.cluster().kubectl(&command).await?.succeeded()?;
        }
        let places = [("$A", a), ("$B", b.as_str())];
        stage
            .apply(&table::<Value>("objects.yaml", &places)?)
            .await?;
        let requests: Vec<Request> = table("requests.yaml", &places)?;

        let mut differences = Vec::new();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for (number, part) in constraints.chunks(AT_A_TIME).enumerate() {
            let installed = install(stage, part, &last(number), &requests).await?;
            for request in &requests {
                let asked = ask(&stage.client(), request).await?;
                for name in &asked.theirs {
                    *seen.entry(name.clone()).or_default() += 1;
                }
                for name in asked.theirs.symmetric_difference(&asked.ours) {
                    let whose = if asked.ours.contains(name) {
                        "ours"
                    } else {
                        "theirs"
                    };
                    differences.push(format!("`{name}` and `{}`: only {whose}", request.name));
                }
            }
            stage.delete(&installed).await?;
        }
        ensure!(differences.is_empty(), "{differences:#?}");
        // A row that selects everything or nothing would show little.
        let dull = |constraint: &&Constraint| {
            let count = seen.get(&constraint.name).copied().unwrap_or_default();
            count == 0 || (count == requests.len() && constraint.name != "everything")
        };
        let dull: Vec<&str> = constraints
            .iter()
            .filter(dull)
            .map(|it| it.name.as_str())
            .collect();
        ensure!(dull.is_empty(), "{dull:?}: {seen:?}");
        Ok(())
    })
    .await
}

/// The rows of a file, with these names for others.
fn table<T: serde::de::DeserializeOwned>(file: &str, names: &[(&str, &str)]) -> Result<Vec<T>> {
    let path = portcullis_e2e::programs::checkout()
        .join("e2e/matching")
        .join(file);
    let mut text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    for (name, value) in names {
        text = text.replace(name, value);
    }
    serde_saphyr::from_str(&text).with_context(|| format!("{file} is no such table"))
}

/// What is asked about everything, and installed last: when both of its policies are, all others are.
fn last(number: usize) -> Constraint {
    Constraint {
        name: format!("last-{number}"),
        matches: json!({"resourceRules": [{
            "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"], "operations": ["*"],
        }]}),
        conditions: Vec::new(),
    }
}

/// Installs both policies of each constraint, and waits until all are asked.
async fn install(
    stage: &Stage,
    part: &[Constraint],
    last: &Constraint,
    requests: &[Request],
) -> Result<Vec<Value>> {
    let mut installed: Vec<Value> = part.iter().flat_map(policies).collect();
    stage.apply(&installed).await?;
    let last_objects = policies(last);
    stage.apply(&last_objects).await?;
    installed.extend(last_objects);
    for constraint in part.iter().chain([last]) {
        stage.await_cluster_policy(&constraint.name).await?;
    }
    until(
        "both last policies are asked about everything",
        MINUTE,
        async || {
            for request in requests {
                let asked = ask(&stage.client(), request).await?;
                let both = [&asked.theirs, &asked.ours];
                let are_asked = both.iter().all(|names| names.contains(&last.name));
                ensure!(are_asked, "`{}`: {asked:?}", request.name);
            }
            Ok(())
        },
    )
    .await?;
    Ok(installed)
}

/// The policy of the API server's own with its binding, and ours.
fn policies(constraint: &Constraint) -> Vec<Value> {
    let Constraint {
        name,
        matches,
        conditions,
    } = constraint;
    let package = name.replace('-', "_");
    let mut theirs = matches.clone();
    theirs["matchPolicy"] = json!("Equivalent");
    let mut ours = matches.clone();
    ours["matchConditions"] = json!(conditions);
    vec![
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": theirs,
                "matchConditions": conditions,
                "validations": [{"expression": "false", "message": "asked"}],
            },
        }),
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {"policyName": name, "validationActions": ["Warn"]},
        }),
        json!({
            "apiVersion": "portcullis.dev/v1alpha1",
            "kind": "ClusterPolicy",
            "metadata": {"name": name},
            "spec": {
                "group": "e2e",
                "name": package,
                "version": "1",
                "modules": {"p.rego": format!("package e2e.{package}\n\ndeny contains \"asked\" if true\n")},
                "admission": {"match": ours, "action": "Warn"},
            },
        }),
    ]
}

/// Makes a request without storing anything, and reads of the warnings who was asked about it.
async fn ask(client: &Client, request: &Request) -> Result<Asked> {
    let about = || request.name.clone();
    let mut answer = make(client, request).await.with_context(about)?;
    // Somebody has changed the object meanwhile, such as the scheduler.
    for _ in 0..5 {
        if answer.status() != http::StatusCode::CONFLICT {
            break;
        }
        answer = make(client, request).await.with_context(about)?;
    }
    let mut asked = Asked::default();
    for warning in answer.headers().get_all("warning") {
        let text = String::from_utf8_lossy(warning.as_bytes());
        if let Some(name) = between(&text, "ValidatingAdmissionPolicy '", "'") {
            asked.theirs.insert(name.to_owned());
        } else if let Some(name) = between(&text, "[e2e/", "@1") {
            asked.ours.insert(name.replace('_', "-"));
        }
    }
    let status = answer.status();
    // Who connects asks for another protocol, and these requests do not.
    if !status.is_success() && !request.stays {
        let body = answer.into_body().collect_bytes().await?;
        bail!(
            "`{}`: {status}: {}",
            request.name,
            String::from_utf8_lossy(&body)
        );
    }
    Ok(asked)
}

async fn make(client: &Client, request: &Request) -> Result<http::Response<Body>> {
    let mut body = request.body.clone();
    if request.method == "PUT" {
        let from = request.from.as_ref().unwrap_or(&request.path);
        let read = http::Request::get(from.as_str()).body(Vec::new())?;
        body = client.request(read).await.with_context(|| from.clone())?;
        merge(&mut body, &request.change);
    }
    let body = if body.is_null() {
        Vec::new()
    } else {
        serde_json::to_vec(&body)?
    };
    let path = if request.stays {
        request.path.clone()
    } else {
        format!("{}?dryRun=All", request.path)
    };
    let made = http::Request::builder()
        .method(request.method.as_str())
        .uri(path)
        .header("content-type", "application/json")
        .body(Body::from(body))?;
    Ok(client.send(made).await?)
}

/// What stands between two parts of a text.
fn between<'t>(text: &'t str, before: &str, behind: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(behind)?.0)
}

/// Changes a document as a merge patch does.
fn merge(document: &mut Value, change: &Value) {
    let (Some(members), Some(changes)) = (document.as_object_mut(), change.as_object()) else {
        return;
    };
    for (key, value) in changes {
        match (members.get_mut(key), value) {
            (_, Value::Null) => drop(members.remove(key)),
            (Some(member @ Value::Object(_)), Value::Object(_)) => merge(member, value),
            _ => drop(members.insert(key.clone(), value.clone())),
        }
    }
}
