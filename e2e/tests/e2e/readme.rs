//! What README.md shows is what happens: its commands are run as they stand there, and what they
//! print is compared with what it says they print.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail, ensure};
use portcullis_e2e::{
    Stage,
    console::{self, Example},
    local::Local,
    manifests, on_stage, programs, samples,
};
use tempfile::TempDir;

#[tokio::test]
async fn policies_locks_and_the_way_out_are_as_the_readme_shows() -> Result<()> {
    on_stage(async |stage| {
        let directory = TempDir::new()?;
        let kubeconfig = directory.path().join("kubeconfig");
        point_at_namespace(stage, &kubeconfig).await?;

        for section in ["A first policy", "A first lock"] {
            for example in examples(section)? {
                run(&kubeconfig, &example).await?;
                if let Some(file) = example.command.strip_prefix("kubectl apply -f ") {
                    let label = format!("{}={}", manifests::LABEL, manifests::MAKER);
                    stage
                        .cluster()
                        .kubectl(&["label", "-f", file, &label])
                        .await?
                        .succeeded()?;
                }
            }
        }
        let unlabelled = samples::good("unlabelled");
        stage
            .await_refused(&unlabelled, &["LABELS.MISSING"])
            .await?;
        let [off, on] = &examples("The way out")?[..] else {
            bail!("README.md does not show how admission is switched off and on");
        };
        run(&kubeconfig, off).await?;
        stage.await_allowed(&unlabelled).await?;
        run(&kubeconfig, on).await?;
        stage
            .await_refused(&unlabelled, &["LABELS.MISSING"])
            .await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_first_evaluation_is_as_the_readme_shows() -> Result<()> {
    let local = Local::serve_library().await?;
    let shown = examples("Try it")?
        .into_iter()
        .find(|example| example.command.contains("curl"));
    let mut example = shown.context("README.md shows no evaluation")?;
    example.command = example
        .command
        .replace("http://127.0.0.1:8181", &local.url(""));
    run(Path::new("/dev/null"), &example).await
}

async fn run(kubeconfig: &Path, example: &Example) -> Result<()> {
    let script = format!(
        "export PATH={}/bin:$PATH KUBECONFIG={}\nexec 2>&1\n{}",
        programs::cache().display(),
        kubeconfig.display(),
        example.command
    );
    let ran = programs::run(Path::new("bash"), ["-c", &script], None).await?;
    example.matches(&ran)
}

/// A kubeconfig for the same cluster whose default namespace is the test's.
async fn point_at_namespace(stage: &Stage, kubeconfig: &Path) -> Result<()> {
    fs::copy(stage.cluster().kubeconfig(), kubeconfig)?;
    let kubeconfig = kubeconfig.to_str().context("a path of text")?;
    let namespace = format!("--namespace={}", stage.namespace());
    let set = [
        "config",
        "set-context",
        "--current",
        &namespace,
        "--kubeconfig",
        kubeconfig,
    ];
    programs::run(&programs::program("kubectl"), set, None)
        .await?
        .succeeded()?;
    Ok(())
}

/// The commands of a section of README.md.
fn examples(section: &str) -> Result<Vec<Example>> {
    let text = fs::read_to_string(programs::checkout().join("README.md"))?;
    let start = text.find(&format!("\n## {section}\n"));
    let rest = &text[start.with_context(|| format!("README.md has no section `{section}`"))? + 1..];
    let section = rest.find("\n## ").map_or(rest, |end| &rest[..end]);
    let found = console::examples(section);
    ensure!(!found.is_empty(), "the section shows nothing:\n{section}");
    Ok(found)
}
