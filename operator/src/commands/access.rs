//! Who may ask the evaluation API: what is typed, and what follows from it.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use futures::future::{BoxFuture, FutureExt as _};
use kube::Client;
use portcullis_webhook::{Access, Authenticator, Certificate, ClientAuthorities, Rate, Transport};

use crate::access::{
    self, Algorithm, CertificateNames, ClusterCallers, Expectations, JwtCallers, KeyPlace,
    NamePattern, TokenFile,
};

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

/// Where the evaluation API is.
pub(super) struct Surroundings<'a> {
    pub(super) listen: &'a [SocketAddr],
    pub(super) has_tls: bool,
    pub(super) in_cluster: bool,
}

/// Who may ask: arguments that were checked, and files that were read.
pub(super) struct AccessPlan {
    asks_cluster: bool,
    audiences: Vec<String>,
    tokens: Option<Followed<Arc<TokenFile>>>,
    jwt: Option<(KeyPlace, Expectations)>,
    clients: Option<Followed<Arc<ClientAuthorities>>>,
    names: CertificateNames,
    by_policy: bool,
    rate: Option<Rate>,
}

/// What was read of a file, and what was in it.
struct Followed<T> {
    path: PathBuf,
    bytes: Vec<u8>,
    read: T,
}

/// Who may ask, ready to be put around the API.
pub(super) struct Guards {
    pub(super) access: Access,
    clients: Option<Arc<ClientAuthorities>>,
    /// They follow files and servers, and never end.
    pub(super) followers: Vec<BoxFuture<'static, ()>>,
}

impl AccessArguments {
    /// Checks the arguments, and reads the files that they name.
    pub(super) fn plan(self, surroundings: &Surroundings<'_>) -> anyhow::Result<AccessPlan> {
        let uses = |method| self.auth.contains(&method);
        let is_none = uses(AuthMethod::None);
        anyhow::ensure!(
            !is_none || self.auth.iter().all(|one| *one == AuthMethod::None),
            "`--auth none` stands alone: with it nobody is asked"
        );
        let mut exposed = surroundings.listen.iter();
        let exposed = exposed.find(|address| !address.ip().is_loopback());
        if let Some(address) = exposed
            && is_none
            && !self.allow_anonymous
        {
            anyhow::bail!(
                "other machines can reach {address}, and `--auth none` asks nobody who they are: \
                 choose some of `--auth token,jwt,mtls`, or add `--allow-anonymous` if whoever can \
                 reach it may ask"
            );
        }
        self.check_belongings(surroundings)?;
        let tokens = self.auth_token_file.clone().map(|path| {
            let bytes = read(&path)?;
            let read = TokenFile::new(&bytes)
                .with_context(|| format!("cannot use `{}`", path.display()))?;
            anyhow::Ok(Followed { path, bytes, read })
        });
        let clients = self.mtls_ca.clone().map(|path| {
            let (bytes, read) = (read(&path)?, ClientAuthorities::empty());
            read.install(&bytes)
                .with_context(|| format!("cannot use `{}`", path.display()))?;
            anyhow::Ok(Followed { path, bytes, read })
        });
        let rate = self.rate_limit;
        Ok(AccessPlan {
            asks_cluster: uses(AuthMethod::Token) && surroundings.in_cluster,
            tokens: tokens.transpose()?,
            clients: clients.transpose()?,
            by_policy: self.authorization == Some(Authorization::Policy),
            rate: rate.map(|rate| Rate::new(rate, self.rate_burst.unwrap_or(rate))),
            jwt: uses(AuthMethod::Jwt).then(|| self.jwt()).transpose()?,
            names: CertificateNames::new(self.mtls_names),
            audiences: self.auth_token_audiences,
        })
    }

    /// What belongs to a method is there, and nothing of one that is not used.
    fn check_belongings(&self, surroundings: &Surroundings<'_>) -> anyhow::Result<()> {
        let uses = |method| self.auth.contains(&method);
        let jwt = self.jwt_keys.is_some() || self.jwt_issuer.is_some();
        let in_cluster = surroundings.in_cluster;
        let asks_cluster = in_cluster && uses(AuthMethod::Token);
        for (is_wrong, why) in [
            (
                uses(AuthMethod::Token) && !in_cluster && self.auth_token_file.is_none(),
                "`--auth token` needs `--auth-token-file` where there is no cluster",
            ),
            (
                in_cluster && self.auth_token_file.is_some(),
                "`--auth-token-file` is for where there is no cluster: here the API server knows \
                 tokens",
            ),
            (
                !uses(AuthMethod::Token) && self.auth_token_file.is_some(),
                "`--auth-token-file` belongs to `--auth token`",
            ),
            (
                !asks_cluster && !self.auth_token_audiences.is_empty(),
                "`--auth-token-audiences` belongs to `--auth token` in a cluster",
            ),
            (
                !uses(AuthMethod::Jwt) && (jwt || !self.jwt_audiences.is_empty()),
                "`--jwt-…` belongs to `--auth jwt`",
            ),
            (
                uses(AuthMethod::Mtls) && self.mtls_ca.is_none(),
                "`--auth mtls` needs `--mtls-ca`, the authorities that sign client certificates",
            ),
            (
                uses(AuthMethod::Mtls) && !surroundings.has_tls,
                "`--auth mtls` needs TLS",
            ),
            (
                !uses(AuthMethod::Mtls) && (self.mtls_ca.is_some() || !self.mtls_names.is_empty()),
                "`--mtls-…` belongs to `--auth mtls`",
            ),
        ] {
            anyhow::ensure!(!is_wrong, why);
        }
        Ok(())
    }

    fn jwt(&self) -> anyhow::Result<(KeyPlace, Expectations)> {
        let keys = self
            .jwt_keys
            .clone()
            .context("`--auth jwt` needs `--jwt-keys`, a JSON Web Key Set in a file or at a URL")?;
        let issuer = self.jwt_issuer.clone().filter(|issuer| !issuer.is_empty());
        let issuer = issuer.context("`--auth jwt` needs `--jwt-issuer`")?;
        let audiences: Vec<String> = self.jwt_audiences.clone();
        anyhow::ensure!(
            !audiences.is_empty() && !audiences.iter().any(String::is_empty),
            "`--auth jwt` needs `--jwt-audiences`: a token for another service must not do here"
        );
        let is_url = keys.starts_with("https://") || keys.starts_with("http://");
        anyhow::ensure!(
            is_url || self.jwt_keys_ca.is_none(),
            "`--jwt-keys-ca` is for keys at a URL"
        );
        let authorities = self.jwt_keys_ca.as_ref().map(|path| {
            let bytes = read(path)?;
            let text = String::from_utf8(bytes);
            text.with_context(|| format!("`{}` is not PEM", path.display()))
        });
        let place = if is_url {
            KeyPlace::Url(keys, authorities.transpose()?)
        } else {
            KeyPlace::File(keys.into())
        };
        let expectations = Expectations {
            issuer,
            audiences,
            algorithms: self.jwt_algorithms.clone(),
            leeway: Duration::from_secs(self.jwt_leeway.into()),
            name_claim: self.jwt_name_claim.clone(),
            groups_claim: self.jwt_groups_claim.clone(),
        };
        Ok((place, expectations))
    }
}

impl AccessPlan {
    /// Puts together who knows callers; in a cluster the API server is asked with `client`.
    pub(super) fn open(self, client: Option<&Client>) -> anyhow::Result<Guards> {
        let mut authenticators: Vec<Arc<dyn Authenticator>> = Vec::new();
        let mut followers: Vec<BoxFuture<'static, ()>> = Vec::new();
        if let Some(Followed { path, bytes, read }) = self.tokens {
            authenticators.push(read.clone());
            let follow = access::follow(path, bytes, move |text| read.install(text));
            followers.push(follow.boxed());
        }
        if let Some((place, expectations)) = self.jwt {
            let (callers, follow) = JwtCallers::new(place, expectations)?;
            authenticators.push(Arc::new(callers));
            followers.push(follow.boxed());
        }
        // It is asked about what nobody here knows, and so last.
        if self.asks_cluster {
            let client = client.context("the API server is asked about tokens")?;
            let callers = ClusterCallers::new(client.clone(), self.audiences);
            authenticators.push(Arc::new(callers));
        }
        let names = self.names;
        let clients = self.clients.map(|Followed { path, bytes, read }| {
            let authorities = read.clone();
            let follow = access::follow(path, bytes, move |pem| read.install(pem));
            followers.push(follow.boxed());
            authorities
        });
        Ok(Guards {
            access: Access {
                authenticators,
                certificates: clients.is_some().then(|| Arc::new(names) as _),
                by_policy: self.by_policy,
                rate: self.rate,
            },
            clients,
            followers,
        })
    }
}

impl Guards {
    /// How connections are protected that show a certificate, or none.
    pub(super) fn transport(&self, certificate: Option<Arc<Certificate>>) -> Transport {
        match (certificate, &self.clients) {
            (None, _) => Transport::Plain,
            (Some(certificate), None) => Transport::Tls(certificate),
            (Some(certificate), Some(clients)) => {
                Transport::MutualTls(certificate, clients.clone())
            }
        }
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    access::read(path).with_context(|| format!("failed to read `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use rstest::rstest;
    use tempfile::TempDir;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Typed {
        #[command(flatten)]
        access: AccessArguments,
    }

    const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    /// What is planned with files `tokens`, `keys` and `ca` at hand.
    fn plan(typed: &str, listen: &str, has_tls: bool, in_cluster: bool) -> String {
        let folder = TempDir::new().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let authority = rcgen::generate_simple_self_signed(["ca".to_owned()]).unwrap();
        let typed = typed
            .replace("TOKENS", &file("tokens", "web 0123456789abcdef"))
            .replace("KEYS", &file("keys", KEYS))
            .replace("CA", &file("ca", &authority.cert.pem()));
        let words = ["portcullis"].into_iter().chain(typed.split_whitespace());
        let typed = match Typed::try_parse_from(words) {
            Ok(typed) => typed,
            Err(error) => return error.to_string(),
        };
        let surroundings = Surroundings {
            listen: &[listen.parse().unwrap()],
            has_tls,
            in_cluster,
        };
        let plan = match typed.access.plan(&surroundings) {
            Ok(plan) => plan,
            Err(error) => return format!("{error:#}"),
        };
        let client = Client::new(
            tower::service_fn(async |_: hyper::Request<kube::client::Body>| {
                Err::<hyper::Response<kube::client::Body>, _>("nobody")
            }),
            "default",
        );
        let guards = plan.open(in_cluster.then_some(&client)).unwrap();
        format!("{:?} {}", guards.access, guards.followers.len())
    }

    const LOOPBACK: &str = "127.0.0.1:8181";
    const EVERYWHERE: &str = "0.0.0.0:8181";

    #[rstest]
    #[case(
        "",
        "authenticators: 0, certificates: false, by_policy: false, rate: None } 0"
    )]
    #[case("--auth none", "authenticators: 0")]
    #[case(
        "--auth token --auth-token-file TOKENS",
        "authenticators: 1, certificates: false, by_policy: false, rate: None } 1"
    )]
    #[case(
        "--auth jwt --jwt-keys KEYS --jwt-issuer i --jwt-audiences a",
        "authenticators: 1"
    )]
    #[case(
        "--auth jwt --jwt-keys https://issuer.example/keys --jwt-issuer i --jwt-audiences a,b",
        "authenticators: 1"
    )]
    #[case(
        "--auth mtls --mtls-ca CA --mtls-names cn:web,dns:*.example",
        "authenticators: 0, certificates: true, by_policy: false, rate: None } 1"
    )]
    #[case(
        "--auth token,jwt,mtls --auth-token-file TOKENS --jwt-keys KEYS --jwt-issuer i --jwt-audiences a --mtls-ca CA",
        "authenticators: 2, certificates: true, by_policy: false, rate: None } 3"
    )]
    #[case(
        "--authorization policy --rate-limit 10",
        "by_policy: true, rate: Some(Rate { interval: 100000, burst: 1000000 })"
    )]
    #[case("--rate-limit 10 --rate-burst 1", "burst: 100000 }")]
    #[tokio::test]
    async fn who_may_ask(#[case] typed: &str, #[case] expected: &str) {
        let planned = plan(typed, LOOPBACK, true, false);
        assert!(planned.contains(expected), "{planned}");
    }

    #[rstest]
    #[case("--auth none,token --auth-token-file TOKENS", "stands alone")]
    #[case("--auth basic", "invalid value 'basic'")]
    #[case("--auth token", "needs `--auth-token-file`")]
    #[case("--auth token --auth-token-file /absent", "failed to read `/absent`")]
    #[case("--auth token --auth-token-file CA", "cannot use")]
    #[case("--auth-token-file TOKENS", "belongs to `--auth token`")]
    #[case(
        "--auth token --auth-token-file TOKENS --auth-token-audiences a",
        "in a cluster"
    )]
    #[case("--auth jwt", "needs `--jwt-keys`")]
    #[case("--auth jwt --jwt-keys KEYS", "needs `--jwt-issuer`")]
    #[case("--auth jwt --jwt-keys KEYS --jwt-issuer i", "needs `--jwt-audiences`")]
    #[case(
        "--auth jwt --jwt-keys KEYS --jwt-issuer i --jwt-audiences a --jwt-algorithms none",
        "`none` is no algorithm"
    )]
    #[case(
        "--auth jwt --jwt-keys KEYS --jwt-issuer i --jwt-audiences a --jwt-algorithms HS256",
        "`HS256` is no algorithm"
    )]
    #[case(
        "--auth jwt --jwt-keys KEYS --jwt-issuer i --jwt-audiences a --jwt-keys-ca CA",
        "at a URL"
    )]
    #[case("--jwt-keys KEYS", "belongs to `--auth jwt`")]
    #[case("--auth mtls", "needs `--mtls-ca`")]
    #[case("--auth mtls --mtls-ca KEYS", "cannot use")]
    #[case("--auth mtls --mtls-ca CA --mtls-names web", "no pattern of names")]
    #[case("--mtls-ca CA", "belongs to `--auth mtls`")]
    #[case("--rate-burst 1", "--rate-limit")]
    #[case("--rate-limit 0", "--rate-limit")]
    #[tokio::test]
    async fn what_does_not_fit_together(#[case] typed: &str, #[case] says: &str) {
        let refused = plan(typed, LOOPBACK, true, false);
        assert!(refused.contains(says), "{refused}");
        assert!(!refused.contains("0123456789abcdef"), "{refused}");
    }

    #[rstest]
    #[case("", EVERYWHERE, "`--auth none` asks nobody")]
    #[case("--auth none", "[::]:8181", "`--auth none` asks nobody")]
    #[case("--allow-anonymous", EVERYWHERE, "authenticators: 0")]
    #[case("", "[::1]:8181", "authenticators: 0")]
    #[case(
        "--auth token --auth-token-file TOKENS",
        EVERYWHERE,
        "authenticators: 1"
    )]
    #[tokio::test]
    async fn nobody_is_asked_on_loopback_only(
        #[case] typed: &str,
        #[case] listen: &str,
        #[case] expected: &str,
    ) {
        let planned = plan(typed, listen, true, false);
        assert!(planned.contains(expected), "{planned}");
    }

    #[rstest]
    #[case("--auth token", true, "authenticators: 1")]
    #[case(
        "--auth token --auth-token-audiences portcullis",
        true,
        "authenticators: 1"
    )]
    #[case(
        "--auth token --auth-token-file TOKENS",
        true,
        "here the API server knows tokens"
    )]
    #[case("--auth mtls --mtls-ca CA", false, "needs TLS")]
    #[tokio::test]
    async fn in_a_cluster(#[case] typed: &str, #[case] has_tls: bool, #[case] expected: &str) {
        let planned = plan(typed, LOOPBACK, has_tls, true);
        assert!(planned.contains(expected), "{planned}");
    }
}
