//! Arguments of `portcullis export` and `portcullis import`.

use std::path::PathBuf;

use crate::{
    client::{ServerArguments, Timeout, parse_namespace},
    commands::lock::PolicyArguments,
};

/// Arguments of `portcullis export`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXPORT_EXAMPLES, mut_arg("url", |url| url.required(true)))]
pub struct ExportArguments {
    /// Which policy is meant.
    #[command(flatten)]
    pub policy: PolicyArguments,

    /// The file that the archive is written to; one that is there is replaced.
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,

    /// How long somebody waits.
    #[command(flatten)]
    pub timeout: Timeout,

    /// The server.
    #[command(flatten)]
    pub server: ServerArguments,
}

/// Arguments of `portcullis import`.
#[derive(Debug, clap::Args)]
#[command(after_help = IMPORT_EXAMPLES, mut_arg("url", |url| url.required(true)))]
pub struct ImportArguments {
    /// The archive.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The namespace that is to own the policy; without it, the cluster.
    #[arg(short, long, value_parser = parse_namespace)]
    pub namespace: Option<String>,

    /// The digest of the policy in force that is to be replaced, whatever it is: `sha256:…`.
    #[arg(long, value_name = "DIGEST")]
    pub replaces: Option<String>,

    /// How long somebody waits.
    #[command(flatten)]
    pub timeout: Timeout,

    /// The server.
    #[command(flatten)]
    pub server: ServerArguments,
}

const EXPORT_EXAMPLES: &str = "\
Examples:
  portcullis export shop/discount@1.0 --url http://127.0.0.1:8181 --file discount.zip
  portcullis export shop/discount@1.0 --url https://policies.example.com:8181 --ca ca.crt \\
      --token-file token --file discount.zip

The archive is signed with the server's `--export-key`. Nothing verifies it here: who imports it does.

Exit status: 0 when the archive is written, 1 when that is refused, 2 when it cannot be had.";

const IMPORT_EXAMPLES: &str = "\
Examples:
  portcullis import discount.zip --url http://127.0.0.1:8181
  portcullis import discount.zip --url https://policies.example.com:8181 --token-file token \\
      --namespace team-a

The server takes what one of its `--import-keys` signed. Another content under an address takes the place
of one that the same signer signed before; `--replaces` names any other one that is to go.

Exit status: 0 when the policy is there, 1 when that is refused, 2 when it cannot be told.";
