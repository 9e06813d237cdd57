//! The process that serves the whole corpus, asked entry by entry.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::time::sleep;

use super::{
    Entry, Row, command,
    connection::Connection,
    entry::Question,
    neighbour::{self, Latencies, Neighbour, WINDOW},
    outcome, process,
    row::Measured,
};
use crate::{local::Local, until};

/// How long the neighbour is alone before the first entry, and after the last one.
const ALONE: Duration = Duration::from_secs(3);

/// How long an evaluation may go on after its caller was told that it is late. It is measured to its
/// end, and must not disturb the next one.
const LAST: Duration = Duration::from_mins(1);

/// Hundredths of a second that the neighbour costs between two looks, and more.
const AT_REST: u64 = 8;

/// How many threads do not come back, of the metrics.
const STUCK: &str = "portcullis_evaluators_stuck";

/// Compiles a policy, and looks at none of it.
const COMPILE: [&str; 4] = ["eval", "--data", ".", "true"];

/// The server, with its neighbour.
#[derive(Debug)]
pub struct Served {
    server: Local,
    neighbour: Neighbour,
    scratch: TempDir,
}

/// What the neighbour waited, and what the process took, with nothing else going on.
#[derive(Clone, Debug)]
pub struct Quiet {
    /// What it waited.
    pub latencies: Latencies,
    /// Resident bytes.
    pub resident: u64,
}

impl Served {
    /// Serves the policies of these entries, and the neighbour's.
    pub async fn start(entries: &[Entry]) -> Result<Self> {
        let directory = TempDir::new()?;
        let served = directory.path().join("served");
        neighbour::write_policy(&served)?;
        for entry in entries {
            if let Question::Decision { .. } = entry.question {
                entry.write_policy(&served)?;
            }
        }
        let server = Local::serve_directory(directory).await?;
        let neighbour = Neighbour::start(server.address());
        Ok(Self {
            server,
            neighbour,
            scratch: TempDir::new()?,
        })
    }

    /// How it is when nothing hostile goes on.
    pub async fn quiet(&self) -> Result<Quiet> {
        self.neighbour.listen();
        sleep(ALONE).await;
        Ok(Quiet {
            latencies: self.neighbour.listen().latencies,
            resident: process::resident(self.process()?).context("the server has ended")?,
        })
    }

    /// Asks for one entry. The error means that the server has ended.
    pub async fn ask(&self, entry: &Entry) -> Result<(Row, Latencies)> {
        let measured = match &entry.question {
            Question::Command(arguments) => self.command(entry, arguments).await?,
            Question::Decision { input } if entry.is_refused() => {
                self.refusal(entry, input).await?
            }
            Question::Decision { input } => self.decision(entry, input).await?,
        };
        Ok((Row::new(entry, &measured), measured.neighbour.latencies))
    }

    /// Whether the process is as it was: it is ready, and no thread of it is stuck.
    pub async fn is_well(&self) -> Result<()> {
        let mut admin = Connection::open(self.server.admin()).await?;
        let answer = admin.ask("GET", "/readyz", b"").await?;
        let body = String::from_utf8_lossy(&answer.body);
        ensure!(answer.status == 200, "/readyz: {} {body}", answer.status);
        let metrics = admin.ask("GET", "/metrics", b"").await?;
        let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
        let stuck = metrics.lines().find(|line| line.starts_with(STUCK));
        ensure!(
            stuck.is_some_and(|line| line.ends_with(" 0")),
            "a thread is stuck: {stuck:?}"
        );
        Ok(())
    }

    fn process(&self) -> Result<u32> {
        self.server.process().context("the server has ended")
    }

    async fn decision(&self, entry: &Entry, input: &[u8]) -> Result<Measured> {
        let server = self.process()?;
        process::reset_peak(server)?;
        let before = process::peak(server).context("the server has ended")?;
        self.neighbour.listen();
        let began = Instant::now();
        let answer = match Connection::open(self.server.address()).await {
            Ok(mut connection) => connection.ask("POST", &entry.path(), input).await,
            Err(error) => Err(error),
        };
        let mut time = began.elapsed();
        let outcome = match &answer {
            Ok(answer) => outcome::of_answer(answer),
            Err(error) => format!("no answer: {error:#}"),
        };
        if outcome == "POLICY.OVERLOADED" {
            // Its thread may be at work all the same.
            time = self.rest(server, began).await;
        }
        if let Some(rest) = WINDOW.checked_sub(time) {
            sleep(rest).await;
        }
        Ok(Measured {
            outcome,
            printed: String::new(),
            time,
            peak: process::peak(server).context("the server has ended")?,
            before,
            neighbour: self.neighbour.listen(),
        })
    }

    /// Waits until the process is at rest, for so long at most, and tells how long it was not.
    async fn rest(&self, server: u32, began: Instant) -> Duration {
        let mut last = process::used(server);
        let rested = until("the evaluation ends", LAST, async || {
            let now = process::used(server);
            let used = now.zip(last).map(|(now, last)| now - last);
            last = now;
            let used = used.context("the server has ended")?;
            ensure!(used <= AT_REST, "it used {used} hundredths of a second");
            Ok(began.elapsed())
        });
        rested.await.unwrap_or_else(|_| began.elapsed())
    }

    /// A policy that is refused denies as well; why and how fast it is refused, a process of its own
    /// says.
    async fn refusal(&self, entry: &Entry, input: &[u8]) -> Result<Measured> {
        let asked = self.decision(entry, input).await?;
        if asked.outcome != outcome::COMPILE_FAILED {
            return Ok(asked);
        }
        let done = self.run(entry, &COMPILE.map(str::to_owned)).await?;
        Ok(Measured {
            outcome: outcome::of_compilation(&done.printed),
            printed: done.printed,
            time: done.time,
            peak: done.peak,
            before: 0,
            neighbour: asked.neighbour.with(&self.neighbour.listen()),
        })
    }

    async fn command(&self, entry: &Entry, arguments: &[String]) -> Result<Measured> {
        self.neighbour.listen();
        let done = self.run(entry, arguments).await?;
        if let Some(rest) = WINDOW.checked_sub(done.time) {
            sleep(rest).await;
        }
        Ok(Measured {
            outcome: done.ending,
            printed: done.printed,
            time: done.time,
            peak: done.peak,
            before: 0,
            neighbour: self.neighbour.listen(),
        })
    }

    async fn run(&self, entry: &Entry, arguments: &[String]) -> Result<command::Done> {
        let folder = self.scratch.path().join(entry.title());
        entry.write(&folder)?;
        let done = command::run(&folder, arguments, LAST).await;
        std::fs::remove_dir_all(&folder)?;
        done
    }
}
