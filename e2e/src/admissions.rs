//! Admissions: one question to the API server, and a stream of them that watches what happens
//! while something else goes on.

use std::{fmt::Debug, io::Write as _, time::Duration};

use anyhow::{Result, bail, ensure};
use futures::{StreamExt, stream::FuturesUnordered};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, Error, Resource, api::PostParams};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{samples, until};

/// How often a [`Stream`] asks about a pair of Pods: five times a second, and a gap of a second is
/// five admissions wide.
const PERIOD: Duration = Duration::from_millis(200);

/// Most admissions under way: the API server gives up on a webhook after ten seconds, and in that
/// time the stream asks about 50 pairs. Twice that is a stream that nobody answers.
const MOST_UNDER_WAY: usize = 200;

/// What became of one request to create something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It was let through.
    Allowed,
    /// An admission webhook refused it, with this message.
    Refused(String),
    /// It failed otherwise.
    Failed(String),
}

/// Asks the API server to create `object` without storing it.
pub async fn dry_run<K>(api: &Api<K>, object: &K) -> Admission
where
    K: Clone + Debug + DeserializeOwned + Serialize + Resource,
{
    let parameters = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    match api.create(&parameters, object).await {
        Ok(_) => Admission::Allowed,
        Err(Error::Api(status)) if status.message.contains("denied the request") => {
            Admission::Refused(status.message)
        }
        Err(error) => Admission::Failed(error.to_string()),
    }
}

impl Admission {
    /// The message of a refusal; an error if it is none.
    pub fn refusal(self) -> Result<String> {
        match self {
            Self::Refused(message) => Ok(message),
            other => bail!("not refused: {other:?}"),
        }
    }

    /// It has to have been let through.
    pub fn allowed(self) -> Result<()> {
        ensure!(self == Self::Allowed, "not allowed: {self:?}");
        Ok(())
    }

    /// It has to have been refused with all of `words`.
    pub fn refused_with(self, words: &[&str]) -> Result<String> {
        let message = self.refusal()?;
        for word in words {
            ensure!(message.contains(word), "no `{word}` in: {message}");
        }
        Ok(message)
    }
}

/// A stream of admissions: a good Pod and one that offends `docs/examples/memory-limit.yaml`, both
/// without being stored, again and again until [`Stream::finish`].
#[derive(Debug)]
pub struct Stream {
    began: Instant,
    stop: watch::Sender<bool>,
    progress: watch::Receiver<Progress>,
    task: JoinHandle<Vec<Record>>,
}

/// One admission of a stream.
#[derive(Clone, Debug)]
pub struct Record {
    /// When it was asked for, since the stream began.
    pub asked: Duration,
    /// When it was answered.
    pub answered: Duration,
    /// Whether it was to be refused.
    pub offends: bool,
    /// What became of it.
    pub admission: Admission,
}

/// What a stream saw.
#[derive(Debug)]
pub struct Report {
    records: Vec<Record>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// Admissions that were right since the last one that was not.
    right_in_a_row: usize,
    /// When the last of them was asked for.
    asked: Duration,
}

impl Stream {
    /// Begins, in a namespace in which the policy is in force.
    pub fn begin(client: &Client, namespace: &str) -> Self {
        let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let (stop, stopped) = watch::channel(false);
        let (teller, progress) = watch::channel(Progress::default());
        let began = Instant::now();
        let task = tokio::spawn(ask_again_and_again(api, began, stopped, teller));
        Self {
            began,
            stop,
            progress,
            task,
        }
    }

    /// Time since the beginning.
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Waits until `count` admissions in a row were right that were asked for after `from`.
    pub async fn right_since(&self, from: Duration, count: usize, limit: Duration) -> Result<()> {
        let what = format!("{count} right admissions in a row, asked for after {from:?}");
        until(&what, limit, async || {
            let progress = *self.progress.borrow();
            let enough = progress.right_in_a_row >= count && progress.asked >= from;
            ensure!(enough, "{progress:?}");
            Ok(())
        })
        .await
    }

    /// Waits until an admission that was asked for after `moment` is answered.
    pub async fn reached(&self, moment: Duration, limit: Duration) -> Result<()> {
        until(
            &format!("an admission after {moment:?}"),
            limit,
            async || {
                let asked = self.progress.borrow().asked;
                ensure!(
                    asked >= moment,
                    "the last one was asked for after {asked:?}"
                );
                Ok(())
            },
        )
        .await
    }

    /// Ends it, when all that was asked is answered.
    pub async fn finish(self) -> Result<Report> {
        // The task ends by itself only when this sender is gone.
        let _ = self.stop.send(true);
        Ok(Report {
            records: self.task.await?,
        })
    }
}

async fn ask_again_and_again(
    api: Api<Pod>,
    began: Instant,
    mut stopped: watch::Receiver<bool>,
    progress: watch::Sender<Progress>,
) -> Vec<Record> {
    let pods = [
        (true, samples::typed(&samples::offending("offending"))),
        (false, samples::typed(&samples::good("good"))),
    ];
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut under_way = FuturesUnordered::new();
    let mut records: Vec<Record> = Vec::new();
    let mut asking = true;
    while asking || !under_way.is_empty() {
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop), if asking => asking = false,
            _ = ticks.tick(), if asking && under_way.len() < MOST_UNDER_WAY => {
                for (offends, pod) in &pods {
                    let api = &api;
                    under_way.push(async move {
                        let asked = began.elapsed();
                        let admission = dry_run(api, pod).await;
                        Record { asked, answered: began.elapsed(), offends: *offends, admission }
                    });
                }
            }
            Some(record) = under_way.next() => {
                progress.send_modify(|progress| {
                    progress.asked = progress.asked.max(record.asked);
                    progress.right_in_a_row =
                        if record.is_right() { progress.right_in_a_row + 1 } else { 0 };
                });
                records.push(record);
            }
        }
    }
    records
}

impl Record {
    fn is_right(&self) -> bool {
        match &self.admission {
            Admission::Allowed => !self.offends,
            Admission::Refused(message) => {
                self.offends && message.contains(samples::MEMORY_LIMIT_REFUSAL[0])
            }
            Admission::Failed(_) => false,
        }
    }

    fn is_wrongly_allowed(&self) -> bool {
        self.offends && self.admission == Admission::Allowed
    }
}

impl Report {
    /// How many admissions there were.
    pub fn count(&self) -> usize {
        self.records.len()
    }

    /// Nothing that offends was let through, whatever else happened.
    pub fn nothing_wrongly_allowed(&self) -> Result<()> {
        none(
            "wrongly allowed",
            self.records
                .iter()
                .filter(|record| record.is_wrongly_allowed()),
        )
    }

    /// Every admission was right.
    pub fn nothing_failed(&self) -> Result<()> {
        none(
            "not right",
            self.records.iter().filter(|record| !record.is_right()),
        )
    }

    /// Every admission was right that was asked for before `from` or after `to`.
    pub fn failures_within(&self, from: Duration, to: Duration) -> Result<()> {
        let outside = |record: &&Record| record.answered < from || record.asked > to;
        let wrong = self.records.iter().filter(|record| !record.is_right());
        none(
            &format!("not right before {from:?} or after {to:?}"),
            wrong.filter(outside),
        )
    }

    /// Writes how many admissions there were, and how many were not right, where the test's output
    /// goes.
    pub fn tell(&self) {
        let failures = self
            .records
            .iter()
            .filter(|record| !record.is_right())
            .count();
        // Nobody is left to tell when standard error is closed.
        let _ = writeln!(
            std::io::stderr(),
            "{} admissions, {failures} of them not right",
            self.count()
        );
    }
}

/// There must be none of these records; a few of them are told otherwise.
fn none<'a>(what: &str, records: impl Iterator<Item = &'a Record>) -> Result<()> {
    let records: Vec<&Record> = records.collect();
    let told = &records[..records.len().min(5)];
    ensure!(
        records.is_empty(),
        "{} admissions were {what}, such as {told:#?}",
        records.len()
    );
    Ok(())
}
