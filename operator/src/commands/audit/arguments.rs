//! Arguments of `portcullis audit`.

use crate::commands::judging::arguments::JudgingArguments;

/// Arguments of `portcullis audit`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Only the resources of this namespace.
    #[arg(short, long)]
    pub namespace: Option<String>,

    /// Only these resources: `pods`, `deployments.apps`. Without it, all that a policy judges.
    #[arg(short, long, value_name = "RESOURCE", value_delimiter = ',')]
    pub resources: Vec<String>,

    /// Who judges, and how it is told.
    #[command(flatten)]
    pub judging: JudgingArguments,
}

const EXAMPLES: &str = "\
The cluster is the one that `kubectl` uses, and is asked at most 50 times a second.

Exits with 0 where nothing is refused, with 1 where something is, and with 2 where it cannot be told.

Examples:
  portcullis audit
  portcullis audit --namespace shop --resources pods,deployments.apps
  portcullis audit -p new-policies/
  portcullis audit -o json > audit.json";
