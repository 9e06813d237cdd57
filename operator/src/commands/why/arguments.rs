//! What was typed, and where it leads.

use std::path::PathBuf;

use clap::ValueEnum;

use super::PATIENCE;
use crate::client::{Installation, Own, Server, ServerArguments};

/// Longest id: a UUID has 36 characters.
const MAX_ID: usize = 64;

/// Arguments of `portcullis why`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The id of the decision, from the end of a refusal, an `ETag`, a log or an audit annotation.
    #[arg(value_name = "ID", value_parser = parse_id)]
    pub id: String,

    /// Ask this server in the place of a cluster's: `http://127.0.0.1:8181`.
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,

    /// The namespace of the installation.
    #[arg(
        short,
        long,
        default_value = "portcullis-system",
        conflicts_with = "server"
    )]
    pub namespace: String,

    /// The name of the installation, after which its objects are named.
    #[arg(
        long,
        default_value = "portcullis",
        env = "PORTCULLIS_NAME",
        hide_env_values = true,
        conflicts_with = "server"
    )]
    pub name: String,

    /// File with the bearer token to ask with, in the place of the kubeconfig's. A token is sent over
    /// `https`, or to this machine.
    #[arg(
        long,
        value_name = "FILE",
        env = "PORTCULLIS_TOKEN_FILE",
        hide_env_values = true
    )]
    pub token_file: Option<PathBuf>,

    /// PEM file of the authorities that the server's certificate is checked against, in the place of this
    /// machine's, or in a cluster of the one that the installation has registered.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,

    /// Show every rule that was tried, and not only those that decided.
    #[arg(long)]
    pub all: bool,

    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// How the decision is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// As the server answers.
    Json,
    /// The same.
    Yaml,
}

/// Who is asked.
pub(super) enum Place {
    Server(Server),
    Cluster(Installation, Own),
}

const EXAMPLES: &str = "\
Examples:
  kubectl portcullis why 0c4f8d5e-5d0c-4a51-9d6c-0e8c9a3b7f11
  portcullis why 0c4f8d5e-5d0c-4a51-9d6c-0e8c9a3b7f11 -o json
  portcullis why 0c4f8d5e-5d0c-4a51-9d6c-0e8c9a3b7f11 \\
      --token-file <(kubectl create token deployer --namespace team-a)
  portcullis why 0c4f8d5e-5d0c-4a51-9d6c-0e8c9a3b7f11 --server http://127.0.0.1:8181

In a cluster each Pod of the webhook is asked through the API server, with your own token; a kubeconfig
that has a client certificate and no token needs --token-file. To read a decision takes the verb `get` on
`decisions` of `portcullis.dev` in the object's namespace (ClusterRole portcullis-decisions-reader).

Exit status: 0 when the decision is shown, 1 when no replica remembers it or you may not read it, 2 when
that cannot be told.";

impl Arguments {
    /// Where these lead.
    pub(super) fn place(self) -> anyhow::Result<Place> {
        let server = ServerArguments {
            url: self.server,
            token_file: self.token_file,
            ca: self.ca,
            ..ServerArguments::default()
        };
        Ok(match server.open_named("--server", PATIENCE)? {
            Some(server) => Place::Server(server),
            None => Place::Cluster(
                Installation {
                    namespace: self.namespace,
                    name: self.name,
                    options: "`--namespace` and `--name`",
                },
                server.own()?,
            ),
        })
    }
}

/// An id is a part of a path, and nothing that leads elsewhere.
fn parse_id(text: &str) -> Result<String, String> {
    let id = text.trim();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if id.is_empty() || id.len() > MAX_ID || !id.bytes().all(is_plain) {
        return Err("an id is written like 0c4f8d5e-5d0c-4a51-9d6c-0e8c9a3b7f11".to_owned());
    }
    Ok(id.to_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("0c4f8d5e-5d0c-4a51-9d6c-0e8c9a3b7f11", true)]
    #[case(" 0c4f8d5e ", true)]
    #[case("", false)]
    #[case("../v1/policies", false)]
    #[case("a?b", false)]
    #[case("a%2fb", false)]
    fn an_id_leads_nowhere_else(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(parse_id(text).is_ok(), expected);
        assert!(parse_id(&"a".repeat(MAX_ID + 1)).is_err());
    }
}
