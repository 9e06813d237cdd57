//! What the API server accepts and refuses by the definitions of our kinds alone: the tables in
//! `e2e/crds`.
//!
//! A file in `refuse/` begins with `# expect: ` and the words that the refusal has. One in
//! `change/` holds two documents, an object and the same object changed, and begins alike where the
//! change is refused. `in-a-week` stands for that moment.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use portcullis_e2e::{Stage, manifests, moments, on_stage, programs};

/// Within what the administrator allows exemptions by default.
const WEEK: Duration = Duration::from_hours(7 * 24);

#[tokio::test]
async fn sound_objects_are_accepted() -> Result<()> {
    on_stage(async |stage| {
        let mut faults = Vec::new();
        for case in cases("accept")? {
            let ran = kubectl(stage, &["apply", "--dry-run=server"], &case.text).await?;
            if !ran.status.success() || ran.stderr.contains("unknown field") {
                faults.push(format!("{}: {}", case.name, ran.account()));
            }
        }
        none(&faults)
    })
    .await
}

#[tokio::test]
async fn unsound_objects_are_refused_with_a_remedy() -> Result<()> {
    on_stage(async |stage| {
        let mut faults = Vec::new();
        for case in cases("refuse")? {
            let expected = case
                .expected
                .as_deref()
                .context("a file without `# expect: `")?;
            let ran = kubectl(stage, &["apply", "--dry-run=server"], &case.text).await?;
            if ran.status.success() || !ran.stderr.contains(expected) {
                faults.push(format!(
                    "{}: expected `{expected}`: {}",
                    case.name,
                    ran.account()
                ));
            }
        }
        none(&faults)
    })
    .await
}

#[tokio::test]
async fn addresses_cannot_be_changed_and_the_rest_can() -> Result<()> {
    on_stage(async |stage| {
        let mut faults = Vec::new();
        for case in cases("change")? {
            let documents = manifests::parse(&case.text)?;
            let [before, after] = documents.as_slice() else {
                bail!("{} does not hold two documents", case.name);
            };
            let (before, after) = (place(stage, before), place(stage, after));
            stage
                .apply(std::slice::from_ref(&before))
                .await
                .context(case.name.clone())?;
            let ran = stage.try_apply(std::slice::from_ref(&after)).await?;
            let as_expected = match &case.expected {
                Some(expected) => !ran.status.success() && ran.stderr.contains(expected),
                None => ran.status.success(),
            };
            if !as_expected {
                faults.push(format!(
                    "{}: {:?}: {}",
                    case.name,
                    case.expected,
                    ran.account()
                ));
            }
            stage.delete(&[before]).await?;
        }
        none(&faults)
    })
    .await
}

#[tokio::test]
async fn kubectl_lists_and_explains_them() -> Result<()> {
    on_stage(async |stage| {
        let policy = ["ADDRESS", "ACTION", "READY", "ENFORCED", "LOCKED", "AGE"];
        let lock = ["EFFECT", "ACTIVE", "AGE"];
        let exemption = ["POLICIES", "APPROVER", "EXPIRES", "ACTIVE", "AGE"];
        let kinds: [(&str, &[&str], &str); 6] = [
            ("ptpol", &policy, "package"),
            ("ptcpol", &policy, "package"),
            ("ptlock", &lock, "out of evaluation"),
            ("ptclock", &lock, "out of evaluation"),
            ("ptexm", &exemption, "leave some objects"),
            ("ptcexm", &exemption, "leave some objects"),
        ];
        let cluster = stage.cluster();
        let applied = [
            "policy-minimal.yaml",
            "clusterpolicy-minimal.yaml",
            "lock-everything.yaml",
            "clusterlock-everything.yaml",
            "exemption-minimal.yaml",
            "clusterexemption-minimal.yaml",
        ];
        for case in cases("accept")? {
            if applied.contains(&case.name.as_str()) {
                let objects = manifests::parse(&case.text)?;
                stage.apply(&placed(stage, &objects)).await?;
            }
        }
        for (kind, columns, word) in kinds {
            let get = ["get", kind, "--namespace", stage.namespace()];
            let listed = cluster.kubectl(&get).await?.succeeded()?.stdout;
            let header = listed.lines().next().unwrap_or_default();
            for column in columns {
                ensure!(header.contains(column), "no {column} in: {header}");
            }
            let explained = cluster
                .kubectl(&["explain", kind, "--recursive=false"])
                .await?;
            let explained = explained.succeeded()?.stdout;
            let field = cluster
                .kubectl(&["explain", &format!("{kind}.spec")])
                .await?;
            let text = explained + &field.succeeded()?.stdout;
            ensure!(text.contains(word), "no `{word}` in: {text}");
            ensure!(!text.contains("<no description>"), "{text}");
        }
        let get = [
            "get",
            "portcullis",
            "--namespace",
            stage.namespace(),
            "--output=name",
        ];
        let all = cluster.kubectl(&get).await?.succeeded()?.stdout;
        ensure!(
            all.lines().count() == applied.len(),
            "not one of each: {all}"
        );
        Ok(())
    })
    .await
}

/// A file of a table.
struct Case {
    name: String,
    text: String,
    expected: Option<String>,
}

fn cases(table: &str) -> Result<Vec<Case>> {
    let directory = programs::checkout().join("e2e/crds").join(table);
    let entries = fs::read_dir(&directory)?.collect::<std::io::Result<Vec<_>>>()?;
    let mut files: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
    files.sort();
    ensure!(!files.is_empty(), "{} is empty", directory.display());
    files
        .iter()
        .map(|file| {
            let text = fs::read_to_string(file)?;
            let text = text.replace("in-a-week", &moments::from_now(WEEK)?);
            let expected = text
                .lines()
                .next()
                .and_then(|line| line.strip_prefix("# expect: "));
            let expected = expected.map(str::to_owned);
            let name = file
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            Ok(Case {
                name,
                text,
                expected,
            })
        })
        .collect()
}

/// As it stands in the file, so that what is unquoted there stays so.
async fn kubectl(stage: &Stage, command: &[&str], text: &str) -> Result<portcullis_e2e::Ran> {
    let arguments = [command, &["--filename", "-"]].concat();
    stage.cluster().kubectl_with(&arguments, Some(text)).await
}

/// The object in the test's own namespace, if it has one.
fn place(stage: &Stage, object: &serde_json::Value) -> serde_json::Value {
    if object["metadata"]["namespace"].is_string() {
        manifests::in_namespace(object.clone(), stage.namespace())
    } else {
        object.clone()
    }
}

fn placed(stage: &Stage, objects: &[serde_json::Value]) -> Vec<serde_json::Value> {
    objects.iter().map(|object| place(stage, object)).collect()
}

fn none(faults: &[String]) -> Result<()> {
    ensure!(
        faults.is_empty(),
        "{} cases are wrong:\n{}",
        faults.len(),
        faults.join("\n")
    );
    Ok(())
}
