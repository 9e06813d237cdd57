//! Where decisions are logged, and how.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use portcullis_policies::Cache;
use portcullis_webhook::{DecisionLog, DecisionLogSettings, DecisionSink};

use super::size::size;
use crate::decision_log::{Console, Destination, FileSink, Receiver, Upload};

/// Time for what waits when a process ends. With the ten seconds of grace and the fifteen of requests
/// under way it is over before the chart's 45 s.
const PATIENCE: Duration = Duration::from_secs(5);

/// Arguments of every process that answers.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Decision log")]
pub struct DecisionLogArguments {
    /// Where decisions are logged in OPA's format: `stdout`, `file:PATH`, or the URL of a receiver; several
    /// may be given. Nowhere by default; then the log of the process names those that deny or warn.
    #[arg(
        long,
        value_name = "DESTINATION",
        value_delimiter = ',',
        env = "PORTCULLIS_DECISION_LOG",
        hide_env_values = true
    )]
    pub decision_log: Vec<Destination>,

    /// Labels of each entry, beside `id` and `version`.
    #[arg(
        long,
        value_name = "NAME=VALUE",
        value_delimiter = ',',
        value_parser = label,
        env = "PORTCULLIS_DECISION_LOG_LABEL",
        hide_env_values = true
    )]
    pub decision_log_label: Vec<(String, String)>,

    /// Whether there has to be a policy `system/log`: where it is `required` and not there, nothing is
    /// logged of input and result.
    #[arg(
        long,
        value_name = "WHETHER",
        value_enum,
        default_value_t,
        env = "PORTCULLIS_DECISION_LOG_RULES",
        hide_env_values = true
    )]
    pub decision_log_rules: Rules,

    /// Memory for the entries that wait for each destination: from `1Mi` to `256Mi`. The oldest go first.
    #[arg(
        long,
        value_name = "MEMORY",
        default_value = "32Mi",
        value_parser = size::<{ 1 << 20 }, { 256 << 20 }>,
        env = "PORTCULLIS_DECISION_LOG_BUFFER",
        hide_env_values = true
    )]
    pub decision_log_buffer: usize,

    /// Size at which a file is rotated: from `1Mi` to `1024Mi`.
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "100Mi",
        value_parser = size::<{ 1 << 20 }, { 1 << 30 }>,
        env = "PORTCULLIS_DECISION_LOG_FILE_SIZE",
        hide_env_values = true
    )]
    pub decision_log_file_size: usize,

    /// Files that are kept, the one that is written to among them.
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 5,
        value_parser = clap::value_parser!(u32).range(1..=100),
        env = "PORTCULLIS_DECISION_LOG_FILE_COUNT",
        hide_env_values = true
    )]
    pub decision_log_file_count: u32,

    /// Most that is sent at a time, gzipped: from `16Ki` to `1024Ki`.
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "512Ki",
        value_parser = size::<{ 16 << 10 }, { 1 << 20 }>,
        env = "PORTCULLIS_DECISION_LOG_UPLOAD_SIZE",
        hide_env_values = true
    )]
    pub decision_log_upload_size: usize,

    /// Seconds that entries wait for others before they are sent.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 5,
        value_parser = clap::value_parser!(u64).range(1..=600),
        env = "PORTCULLIS_DECISION_LOG_DELAY",
        hide_env_values = true
    )]
    pub decision_log_delay: u64,

    /// File with the bearer token that receivers ask for, read for each upload.
    #[arg(
        long,
        value_name = "FILE",
        env = "PORTCULLIS_DECISION_LOG_TOKEN_FILE",
        hide_env_values = true
    )]
    pub decision_log_token_file: Option<PathBuf>,

    /// PEM file of the authorities that receivers' certificates are checked against, read for each upload;
    /// without it, the system's.
    #[arg(
        long,
        value_name = "FILE",
        env = "PORTCULLIS_DECISION_LOG_CA_FILE",
        hide_env_values = true
    )]
    pub decision_log_ca_file: Option<PathBuf>,
}

/// Whether a policy with rules has to be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Rules {
    /// Without one, entries are logged without rules.
    #[default]
    Optional,
    /// Without one, entries are logged without input and result.
    Required,
}

impl DecisionLogArguments {
    /// Starts the log, if there is to be one. `redact` are names of fields whose values are hidden.
    pub(super) fn start(
        self,
        cache: &Arc<Cache>,
        redact: &[String],
    ) -> anyhow::Result<Option<DecisionLog>> {
        if self.decision_log.is_empty() {
            return Ok(None);
        }
        let mut sinks = Vec::new();
        for destination in &self.decision_log {
            sinks.push(self.sink(destination)?);
        }
        let labels: BTreeMap<_, _> = self.decision_log_label.into_iter().collect();
        let own = labels
            .keys()
            .find(|name| ["id", "version"].contains(&name.as_str()));
        if let Some(name) = own {
            anyhow::bail!("`--decision-log-label {name}=…`: each entry has this label already");
        }
        let settings = DecisionLogSettings {
            labels,
            redact: redact.to_vec(),
            rules_required: self.decision_log_rules == Rules::Required,
            buffer: self.decision_log_buffer,
        };
        let log = DecisionLog::start(settings, cache.clone(), sinks);
        Ok(Some(log.context("failed to start the decision log")?))
    }

    fn sink(&self, destination: &Destination) -> anyhow::Result<Box<dyn DecisionSink>> {
        Ok(match destination {
            Destination::Stdout => Box::new(Console),
            Destination::File(path) => {
                let size = u64::try_from(self.decision_log_file_size)?;
                let sink = FileSink::open(path.clone(), size, self.decision_log_file_count);
                let failed = || format!("cannot write the decision log to `{}`", path.display());
                Box::new(sink.with_context(failed)?)
            }
            Destination::Http(url) => {
                let receiver = Receiver {
                    url: url.clone(),
                    token: self.decision_log_token_file.clone(),
                    authority: self.decision_log_ca_file.clone(),
                };
                anyhow::ensure!(
                    receiver.token.is_none() || !receiver.is_open(),
                    "the token of `--decision-log-token-file` would be sent to {url} for everybody to \
                     read: use `https`"
                );
                let delay = Duration::from_secs(self.decision_log_delay);
                Box::new(Upload::to(receiver, self.decision_log_upload_size, delay))
            }
        })
    }
}

/// Writes what waits, for some seconds at most.
pub(super) async fn close(log: Option<DecisionLog>) {
    if let Some(log) = log {
        // It waits for threads; one that panics has nothing left to write.
        let _ = tokio::task::spawn_blocking(move || log.close(PATIENCE)).await;
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it like `cluster=prod`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use rstest::rstest;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        log: DecisionLogArguments,
    }

    fn start(arguments: &[&str]) -> anyhow::Result<Option<DecisionLog>> {
        let line = ["portcullis"].iter().chain(arguments);
        let arguments = Line::try_parse_from(line)?.log;
        arguments.start(&Arc::new(Cache::new()), &[])
    }

    #[test]
    fn without_a_destination_there_is_no_log() {
        assert!(start(&["--decision-log-buffer", "1Mi"]).unwrap().is_none());
        assert!(start(&["--decision-log", "stdout"]).unwrap().is_some());
    }

    #[rstest]
    #[case(&["--decision-log", "stderr"], "write `stdout`")]
    #[case(&["--decision-log", "file:/"], "cannot write the decision log to `/`")]
    #[case(&["--decision-log", "http://logs.example.com", "--decision-log-token-file", "t"], "use `https`")]
    #[case(&["--decision-log", "stdout", "--decision-log-label", "a"], "write it like `cluster=prod`")]
    #[case(&["--decision-log", "stdout", "--decision-log-label", "id=a"], "has this label already")]
    #[case(&["--decision-log-buffer", "512Ki"], "from 1024Ki to")]
    #[case(&["--decision-log-buffer", "257Mi"], "to 262144Ki")]
    #[case(&["--decision-log-upload-size", "+16Ki"], "write it like 512Ki")]
    #[case(&["--decision-log-file-count", "0"], "1..=100")]
    fn what_cannot_be_is_told(#[case] arguments: &[&str], #[case] why: &str) {
        let error = start(arguments).map(drop).unwrap_err();
        assert!(format!("{error:#}").contains(why), "{error:#}");
    }

    /// What the network module sends at most.
    #[test]
    fn a_chunk_can_be_sent() {
        assert!(size::<0, { portcullis_policies::outside::MAX_BODY }>("1024Ki").is_ok());
    }
}
