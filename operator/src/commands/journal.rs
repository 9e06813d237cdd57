//! How many decisions are remembered, so that `portcullis why` can tell what is behind an id.

use portcullis_crds as crds;
use portcullis_webhook::JournalSettings;

/// Arguments of every process that answers.
#[derive(Debug, clap::Args)]
pub struct JournalArguments {
    /// Requests that are remembered when they are denied, warned of, fail or are locked: admissions
    /// and evaluations apart, so many of each. With 0, nothing is remembered.
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 1_000,
        value_parser = clap::value_parser!(u32).range(..=100_000),
        env = "PORTCULLIS_REMEMBER",
        hide_env_values = true
    )]
    pub remember: u32,

    /// Memory for them, for each of the two: from `1Mi` to `256Mi`. The oldest go first.
    #[arg(
        long,
        value_name = "MEMORY",
        default_value = "16Mi",
        value_parser = crds::limits::memory,
        env = "PORTCULLIS_REMEMBER_MEMORY",
        hide_env_values = true
    )]
    pub remember_memory: u64,

    /// Names of fields whose values are not remembered, wherever they are, beside those of Secrets and
    /// the credentials of services: `encryptedData`.
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        env = "PORTCULLIS_REDACT",
        hide_env_values = true
    )]
    pub redact: Vec<String>,
}

impl From<JournalArguments> for JournalSettings {
    fn from(arguments: JournalArguments) -> Self {
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            requests: size(arguments.remember.into()),
            bytes: size(arguments.remember_memory),
            redact: arguments.redact,
        }
    }
}
