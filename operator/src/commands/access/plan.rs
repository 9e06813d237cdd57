//! Who may ask the evaluation API: arguments that fit together, the files that they name, and what is put
//! around the API.

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

use super::{AccessArguments, AuthMethod, Authorization};
use crate::access::{
    self, CertificateNames, ClusterCallers, Expectations, JwtCallers, KeyPlace, TokenFile,
};

/// Where the evaluation API is.
pub(in crate::commands) struct Surroundings<'a> {
    pub(in crate::commands) listen: &'a [SocketAddr],
    pub(in crate::commands) has_tls: bool,
    pub(in crate::commands) in_cluster: bool,
}

/// Who may ask: arguments that were checked, and files that were read.
pub(in crate::commands) struct AccessPlan {
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
pub(in crate::commands) struct Guards {
    pub(in crate::commands) access: Access,
    clients: Option<Arc<ClientAuthorities>>,
    /// They follow files and servers, and never end.
    pub(in crate::commands) followers: Vec<BoxFuture<'static, ()>>,
}

impl AccessArguments {
    /// Checks the arguments, and reads the files that they name.
    pub(in crate::commands) fn plan(
        self,
        surroundings: &Surroundings<'_>,
    ) -> anyhow::Result<AccessPlan> {
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
    pub(in crate::commands) fn open(self, client: Option<&Client>) -> anyhow::Result<Guards> {
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
    pub(in crate::commands) fn transport(
        &self,
        certificate: Option<Arc<Certificate>>,
    ) -> Transport {
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
mod tests;
