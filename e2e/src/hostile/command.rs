//! A command of the binary, with limits around it.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tokio::{process::Command, time::interval};

use super::process;
use crate::local;

/// The most that a command may take. A directory may have 256 MiB, and what is read of it is larger
/// than its text.
const MEMORY: u64 = 4 << 30;

/// How often its memory is looked at: it fills a few hundred megabytes between two looks at most.
const PACE: Duration = Duration::from_millis(20);

/// What a command did.
#[derive(Clone, Debug)]
pub struct Done {
    /// `exit 2`, or why it was ended.
    pub ending: String,
    /// What it wrote, to standard output first.
    pub printed: String,
    /// How long it took.
    pub time: Duration,
    /// The most memory that it was seen to take, in bytes.
    pub peak: u64,
}

/// Runs the binary in a folder until it ends, takes longer than `longest`, or takes too much memory.
pub async fn run(folder: &Path, arguments: &[String], longest: Duration) -> Result<Done> {
    // A file, so that no amount of output makes it wait.
    let output = tempfile::tempfile()?;
    let began = Instant::now();
    let mut child = Command::new(local::binary()?)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output.try_clone()?)
        .kill_on_drop(true)
        .spawn()
        .context("the binary must start")?;
    let number = child.id().context("it has just been started")?;
    let mut looks = interval(PACE);
    let mut peak = 0;
    let ending = loop {
        tokio::select! {
            status = child.wait() => {
                let code = status?.code();
                break code.map_or_else(|| "it was killed".to_owned(), |code| format!("exit {code}"));
            }
            _ = looks.tick() => {
                peak = peak.max(process::peak(number).unwrap_or_default());
                if peak > MEMORY {
                    break format!("it took more than {} MiB", MEMORY >> 20);
                }
                if began.elapsed() > longest {
                    break format!("it took longer than {longest:?}");
                }
            }
        }
    };
    let time = began.elapsed();
    // It may have ended by itself.
    let _ = child.kill().await;
    Ok(Done {
        ending,
        printed: read(output)?,
        time,
        peak,
    })
}

fn read(mut output: std::fs::File) -> Result<String> {
    use std::io::{Read as _, Seek as _};
    output.rewind()?;
    let mut bytes = Vec::new();
    output.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
