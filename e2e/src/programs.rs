//! The programs that the tests act with, as a user would: `kubectl`, `helm`, `curl`.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

/// Longest time that one program may take. `helm upgrade --wait` is the slowest, and gives up
/// after three minutes.
const LIMIT: Duration = Duration::from_mins(4);

/// Most bytes of an output that an error message repeats.
const SHOWN: usize = 4_000;

/// What a program did.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The command, as one would type it.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error, warnings among it.
    pub stderr: String,
}

/// Where the end-to-end cluster's binaries are: `${PORTCULLIS_CACHE:-~/.cache/portcullis}`.
pub fn cache() -> PathBuf {
    let named = std::env::var_os("PORTCULLIS_CACHE").filter(|path| !path.is_empty());
    named.map_or_else(
        || {
            let home = std::env::var_os("HOME").unwrap_or_default();
            Path::new(&home).join(".cache/portcullis")
        },
        PathBuf::from,
    )
}

/// The top of this checkout.
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate is in the checkout")
}

/// A program that `e2e/cluster/build` made, or else the one of that name on the `PATH`.
pub fn program(name: &str) -> PathBuf {
    let built = cache().join("bin").join(name);
    if built.exists() { built } else { name.into() }
}

/// Runs a program to its end, whatever that is. The error means that it could not be run.
pub async fn run(
    program: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    input: Option<&str>,
) -> Result<Ran> {
    run_with(program, arguments, input, &[]).await
}

/// The same, with these variables in its environment.
pub async fn run_with(
    program: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    input: Option<&str>,
    environment: &[(&str, &OsStr)],
) -> Result<Ran> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(checkout())
        .stdin(if input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let shown = shown(&command);
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot run `{}`; `make e2e` builds it", program.display()))?;
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        // A program that ends without reading everything says why by its output.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    let output = timeout(LIMIT, child.wait_with_output())
        .await
        .with_context(|| format!("`{shown}` did not end within {} s", LIMIT.as_secs()))?
        .with_context(|| format!("lost `{shown}`"))?;
    Ok(Ran {
        command: shown,
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

fn shown(command: &Command) -> String {
    let command = command.as_std();
    let mut words = vec![
        Path::new(command.get_program())
            .file_name()
            .unwrap_or_default(),
    ];
    words.extend(command.get_args());
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

impl Ran {
    /// It has to have succeeded.
    pub fn succeeded(self) -> Result<Self> {
        ensure!(self.status.success(), "{}", self.account());
        Ok(self)
    }

    /// It has to have failed, with all of `words` in what it says.
    pub fn failed_with(self, words: &[&str]) -> Result<Self> {
        ensure!(!self.status.success(), "it succeeded: {}", self.account());
        self.said(words)
    }

    /// All of `words` have to stand in what it wrote to standard error.
    pub fn said(self, words: &[&str]) -> Result<Self> {
        for word in words {
            ensure!(
                self.stderr.contains(word),
                "no `{word}` in: {}",
                self.account()
            );
        }
        Ok(self)
    }

    /// What it wrote to standard output, read as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.stdout)
            .with_context(|| format!("not the JSON that was expected: {}", self.account()))
    }

    /// The command, how it ended, and what it said.
    pub fn account(&self) -> String {
        format!(
            "`{}` ended with {}\n{}\n{}",
            self.command,
            self.status,
            end(&self.stdout),
            end(&self.stderr)
        )
    }
}

/// The end of a text, at a character's boundary.
fn end(text: &str) -> &str {
    let start = text.len().saturating_sub(SHOWN);
    let start = (start..=text.len()).find(|&index| text.is_char_boundary(index));
    start.map_or(text, |start| text[start..].trim_end())
}
