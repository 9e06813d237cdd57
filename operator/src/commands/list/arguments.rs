//! Arguments of `portcullis list`.

use clap::ValueEnum;

use crate::{client::parse_namespace, commands::door::DoorArguments};

/// Arguments of `portcullis list`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Which policies are wanted.
    #[command(flatten)]
    pub wanted: Wanted,

    /// How they are printed.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,

    /// Whose they are.
    #[command(flatten)]
    pub door: DoorArguments,
}

/// Which policies are wanted.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Wanted {
    /// Only those that are locked; with `--locked=false`, only those that are not.
    #[arg(
        long,
        value_name = "WHETHER",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    pub locked: Option<bool>,

    /// Only those of this name, in all groups and versions.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Only those that this namespace owns.
    #[arg(short, long, value_parser = parse_namespace)]
    pub namespace: Option<String>,
}

/// How policies are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

const EXAMPLES: &str = "\
Examples:
  portcullis list
  portcullis list --locked
  portcullis list --name authorization --url http://127.0.0.1:8181
  portcullis list --url https://policies.example.com:8181 --ca ca.crt --token-file token -o json

Without --url, Policies and ClusterPolicies of the cluster that `kubectl` uses are listed, as far as you
may. A server tells of locks that hold at evaluation, a cluster of those at admission as well.

Exit status: 0, 1 when you may not list them, or 2 where something cannot be told.";
