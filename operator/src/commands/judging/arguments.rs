//! Arguments that every command has that judges.

use clap::ValueEnum;

use crate::commands::allowance::AllowanceArguments;

/// Who judges, and how it is told.
#[derive(Debug, clap::Args)]
pub struct JudgingArguments {
    /// Policies: directories in the repository layout or with manifests of Policy, `ClusterPolicy`,
    /// Lock and `ClusterLock`, or files with such manifests. Without it, those of the cluster that
    /// `kubectl` uses.
    #[arg(short, long, value_name = "PATH", num_args = 1..)]
    pub policies: Vec<String>,

    /// Who applies the objects.
    #[command(flatten)]
    pub caller: Caller,

    /// Namespaces in which nothing is judged, beside `kube-system` and `kube-node-lease`.
    #[arg(
        long,
        value_name = "NAMESPACES",
        value_delimiter = ',',
        default_value = "portcullis-system"
    )]
    pub exempt_namespaces: Vec<String>,

    /// How results are printed.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,

    /// What makes the exit status 1: a refusal, or a warning as well.
    #[arg(long, value_enum, default_value_t)]
    pub fail_on: FailOn,

    /// Print no line for people beside the table's.
    #[arg(short, long)]
    pub quiet: bool,

    /// What policies are allowed.
    #[command(flatten)]
    pub allowance: AllowanceArguments,
}

/// Who applies the objects, as policies read it in `userInfo`.
#[derive(Clone, Debug, clap::Args)]
pub struct Caller {
    /// The user's name.
    #[arg(long = "as", value_name = "USER", default_value = "portcullis:check")]
    pub user: String,

    /// A group of the user's; several may be given.
    #[arg(long = "as-group", value_name = "GROUP")]
    pub groups: Vec<String>,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people.
    #[default]
    Table,
    /// Objects with all decisions about them.
    Json,
    /// The same.
    Yaml,
    /// For CI systems: a test case for each object and policy.
    Junit,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
}

/// What makes the exit status 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// A refusal.
    #[default]
    Deny,
    /// A refusal or a warning.
    Warn,
}
