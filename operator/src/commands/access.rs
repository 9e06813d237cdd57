//! Who may ask the evaluation API: what is typed. `plan` is what follows from it.

mod plan;

use std::path::PathBuf;

use crate::access::{Algorithm, NamePattern};
pub(super) use plan::{Guards, Surroundings};

/// Arguments of every process that has the evaluation API.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Who may ask the evaluation API")]
pub struct AccessArguments {
    /// How callers are known, one or several: by a bearer `token`, by a JSON Web Token (`jwt`), by a
    /// client certificate (`mtls`). With `none` whoever can reach the API may ask.
    #[arg(
        long,
        value_name = "METHOD",
        value_enum,
        value_delimiter = ',',
        default_value = "none",
        env = "PORTCULLIS_AUTH",
        hide_env_values = true
    )]
    pub auth: Vec<AuthMethod>,

    /// Answer whoever asks on addresses that other machines can reach, where `--auth` is `none`.
    #[arg(long, env = "PORTCULLIS_ALLOW_ANONYMOUS", hide_env_values = true)]
    pub allow_anonymous: bool,

    /// File with the bearer tokens of `--auth token` where there is no cluster, one line a caller:
    /// `NAME TOKEN [GROUP,…]`, a token of at least 16 characters. It is followed as it changes.
    #[arg(
        long,
        value_name = "FILE",
        env = "PORTCULLIS_AUTH_TOKEN_FILE",
        hide_env_values = true
    )]
    pub auth_token_file: Option<PathBuf>,

    /// In a cluster, for whom bearer tokens have to be meant [default: the API server].
    #[arg(
        long,
        value_name = "AUDIENCE",
        value_delimiter = ',',
        env = "PORTCULLIS_AUTH_TOKEN_AUDIENCES",
        hide_env_values = true
    )]
    pub auth_token_audiences: Vec<String>,

    /// Keys that verify tokens of `--auth jwt`: a JSON Web Key Set, in a file or at a URL with https.
    #[arg(
        long,
        value_name = "FILE|URL",
        env = "PORTCULLIS_JWT_KEYS",
        hide_env_values = true
    )]
    pub jwt_keys: Option<String>,

    /// PEM file of the authorities for the URL of `--jwt-keys` [default: those of this machine].
    #[arg(
        long,
        value_name = "FILE",
        requires = "jwt_keys",
        env = "PORTCULLIS_JWT_KEYS_CA",
        hide_env_values = true
    )]
    pub jwt_keys_ca: Option<PathBuf>,

    /// Who issues the tokens: the claim `iss`, letter by letter.
    #[arg(
        long,
        value_name = "ISSUER",
        env = "PORTCULLIS_JWT_ISSUER",
        hide_env_values = true
    )]
    pub jwt_issuer: Option<String>,

    /// For whom the tokens are: one of these is in the claim `aud`.
    #[arg(
        long,
        value_name = "AUDIENCE",
        value_delimiter = ',',
        env = "PORTCULLIS_JWT_AUDIENCES",
        hide_env_values = true
    )]
    pub jwt_audiences: Vec<String>,

    /// What tokens may be signed with, some of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384,
    /// ES512 and `EdDSA`.
    #[arg(
        long,
        value_name = "ALGORITHM",
        value_delimiter = ',',
        default_value = "RS256,ES256",
        env = "PORTCULLIS_JWT_ALGORITHMS",
        hide_env_values = true
    )]
    pub jwt_algorithms: Vec<Algorithm>,

    /// Seconds by which the issuer's clock and ours may differ, 300 at most.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u16).range(0..=300),
        env = "PORTCULLIS_JWT_LEEWAY",
        hide_env_values = true
    )]
    pub jwt_leeway: u16,

    /// The claim with the caller's name.
    #[arg(
        long,
        value_name = "CLAIM",
        default_value = "sub",
        env = "PORTCULLIS_JWT_NAME_CLAIM",
        hide_env_values = true
    )]
    pub jwt_name_claim: String,

    /// The claim with the caller's groups.
    #[arg(
        long,
        value_name = "CLAIM",
        default_value = "groups",
        env = "PORTCULLIS_JWT_GROUPS_CLAIM",
        hide_env_values = true
    )]
    pub jwt_groups_claim: String,

    /// PEM file of the authorities that sign client certificates of `--auth mtls`. It is followed as
    /// it changes.
    #[arg(
        long,
        value_name = "FILE",
        env = "PORTCULLIS_MTLS_CA",
        hide_env_values = true
    )]
    pub mtls_ca: Option<PathBuf>,

    /// Names of client certificates that may ask, with `*` for any characters: `cn:web`,
    /// `dns:*.shop.example`, `uri:spiffe://…`, `email:…`, `ip:…` [default: all that the authorities
    /// have signed].
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        env = "PORTCULLIS_MTLS_NAMES",
        hide_env_values = true
    )]
    pub mtls_names: Vec<NamePattern>,

    /// Ask about each request whether it may be answered, beyond what is known of its caller's rights:
    /// `policy` asks `data.system.authz.allow` of the policy `system/authz`.
    #[arg(
        long,
        value_name = "BY",
        value_enum,
        env = "PORTCULLIS_AUTHORIZATION",
        hide_env_values = true
    )]
    pub authorization: Option<Authorization>,

    /// Most requests a second of each caller, or of each address where callers are not known [default:
    /// no limit].
    #[arg(
        long,
        value_name = "COUNT",
        value_parser = clap::value_parser!(u32).range(1..=100_000),
        env = "PORTCULLIS_RATE_LIMIT",
        hide_env_values = true
    )]
    pub rate_limit: Option<u32>,

    /// How many of them may come at once [default: those of a second].
    #[arg(
        long,
        value_name = "COUNT",
        requires = "rate_limit",
        value_parser = clap::value_parser!(u32).range(1..=1_000_000),
        env = "PORTCULLIS_RATE_BURST",
        hide_env_values = true
    )]
    pub rate_burst: Option<u32>,
}

/// How callers are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum AuthMethod {
    /// Not at all.
    None,
    /// By a bearer token: of the cluster, or of a file.
    Token,
    /// By a JSON Web Token.
    Jwt,
    /// By a client certificate.
    Mtls,
}

/// Who decides about each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Authorization {
    /// The policy `system/authz`.
    Policy,
}
