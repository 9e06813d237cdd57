//! What README.md shows is what happens: its commands are run as they stand there, and what they
//! print is compared with what it says they print. `…` stands for anything.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use portcullis_e2e::{Stage, local::Local, manifests, on_stage, programs, samples};
use tempfile::TempDir;

/// A command, and what it prints; nothing where that is not shown.
#[derive(Debug, PartialEq, Eq)]
struct Example {
    command: String,
    prints: String,
}

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
            anyhow::bail!("README.md does not show how admission is switched off and on");
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
    let (printed, shown) = (ran.stdout.trim(), example.prints.trim());
    ensure!(
        shown.is_empty() || is_like(printed, shown),
        "`{}` printed:\n{printed}\nand README.md shows:\n{shown}",
        example.command
    );
    Ok(())
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
    let found = parse(section);
    ensure!(!found.is_empty(), "the section shows nothing:\n{section}");
    Ok(found)
}

fn parse(section: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut inside = false;
    for line in section.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| inside) {
            examples.push(Example {
                command: command.to_owned(),
                prints: String::new(),
            });
        } else if let Some(example) = examples.last_mut().filter(|_| inside) {
            example.prints.push_str(line);
            example.prints.push('\n');
        }
    }
    examples
}

/// Whether a text is what is shown, where `…` stands for anything.
fn is_like(text: &str, shown: &str) -> bool {
    let mut parts = shown.split('…').map(str::trim_end);
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let last = parts.pop();
    for part in parts {
        let Some(place) = rest.find(part) else {
            return false;
        };
        rest = &rest[place + part.len()..];
    }
    last.map_or(rest.is_empty(), |last| rest.ends_with(last))
}

#[test]
fn an_ellipsis_stands_for_anything() {
    let cases = [
        ("a b c", "a b c", true),
        ("a b c", "a b", false),
        ("a b c", "a …", true),
        ("a b c", "a … c", true),
        ("a b c", "a … d", false),
        ("a b c", "b …", false),
    ];
    for (text, shown, expected) in cases {
        assert_eq!(is_like(text, shown), expected, "{text} {shown}");
    }
}
