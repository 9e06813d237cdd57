//! What was asked for on the command line.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// What to run, how long, and where to.
#[derive(Debug)]
pub(crate) struct Options {
    /// The oracle's program.
    pub(crate) oracle: PathBuf,
    /// OPA's suites, which are mutated.
    pub(crate) suites: Option<PathBuf>,
    pub(crate) seed: u64,
    seconds: Option<u64>,
    cases: Option<u64>,
    /// The number of the first case.
    pub(crate) first: u64,
    /// Where the smallest policies go.
    pub(crate) output: Option<PathBuf>,
    /// A case that was written before, to be looked at again.
    pub(crate) replay: Option<PathBuf>,
    /// Other codes of errors are differences too.
    pub(crate) codes: bool,
    /// So many differences are enough.
    pub(crate) most: usize,
    /// Only functions whose names begin so are called, and nothing else is done.
    pub(crate) only: Vec<String>,
}

impl Options {
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            oracle: PathBuf::new(),
            suites: None,
            seed: 1,
            seconds: None,
            cases: None,
            first: 0,
            output: None,
            replay: None,
            codes: false,
            most: 20,
            only: Vec::new(),
        };
        while let Some(name) = arguments.next() {
            let value = arguments
                .next()
                .with_context(|| format!("{name} needs a value"))?;
            let number = || {
                value
                    .parse::<u64>()
                    .with_context(|| format!("{name} {value}"))
            };
            match name.as_str() {
                "--oracle" => options.oracle = value.into(),
                "--suites" => options.suites = Some(value.into()),
                "--seed" => options.seed = number()?,
                "--seconds" => options.seconds = Some(number()?),
                "--cases" => options.cases = Some(number()?),
                "--first" => options.first = number()?,
                "--output" => options.output = Some(value.into()),
                "--replay" => options.replay = Some(value.into()),
                "--codes" => options.codes = value == "yes",
                "--only" => options.only = value.split(',').map(str::to_owned).collect(),
                "--most" => options.most = usize::try_from(number()?)?,
                other => bail!("there is no option {other}"),
            }
        }
        if options.oracle.as_os_str().is_empty() {
            bail!("--oracle names the program that asks OPA");
        }
        Ok(options)
    }

    /// Whether there are more cases to run.
    pub(crate) fn goes_on(&self, next: u64, elapsed: Duration) -> bool {
        match (self.cases, self.seconds) {
            (Some(cases), _) => next < self.first + cases,
            (None, Some(seconds)) => elapsed.as_secs() < seconds,
            (None, None) => elapsed.as_secs() < 60,
        }
    }

    /// The number after the last case of a batch.
    pub(crate) fn end(&self, wanted: u64) -> u64 {
        self.cases
            .map_or(wanted, |cases| wanted.min(self.first + cases))
    }
}
