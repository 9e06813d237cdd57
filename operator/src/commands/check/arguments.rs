//! Arguments of `portcullis check`.

use crate::commands::judging::arguments::JudgingArguments;

/// Arguments of `portcullis check`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Manifests: files, directories with all below them, patterns such as `apps/**/*.yaml`, or `-`
    /// for standard input.
    #[arg(short, long = "filename", value_name = "FILE", required = true, num_args = 1..)]
    pub files: Vec<String>,

    /// Namespace of objects that do not say theirs.
    #[arg(short, long, default_value = "default")]
    pub namespace: String,

    /// Who judges, and how it is told.
    #[command(flatten)]
    pub judging: JudgingArguments,
}

const EXAMPLES: &str = "\
Exits with 0 where nothing is refused, with 1 where something is, and with 2 where it cannot be told.

Examples:
  portcullis check -f deployment.yaml -p policies/
  portcullis check -f manifests/ 'apps/**/*.yaml' -p policies/ more-policies.yaml
  helm template ./chart | portcullis check -f - -p policies/ --namespace shop
  kustomize build . | portcullis check -f - --fail-on warn
  portcullis check -f manifests/ -p policies/ -o sarif > check.sarif";
