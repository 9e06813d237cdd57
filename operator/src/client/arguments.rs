//! What was typed of a server, and what is usable of it.

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use hyper::header::HeaderValue;
use rustls::RootCertStore;

use super::{Own, Server};
use crate::{
    commands::language::duration,
    files::read_at_most,
    https::{self, Identity},
    network::{self, Target},
};

/// Longest file of a token or of certificates, in bytes. The authorities of a system have 250 KiB.
const MAX_SECRET: u64 = 1 << 20;

/// The group of what names who is asked.
pub(crate) const ASKED: &str = "asked";

/// The server that is asked.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Server")]
pub struct ServerArguments {
    /// The server that is asked: `https://policies.example.com:8181`, `http://127.0.0.1:8181`.
    #[arg(long, value_name = "URL", group = ASKED)]
    pub url: Option<String>,

    /// File with the bearer token that is sent to it. A token is sent over `https`, or to this machine.
    #[arg(
        long,
        value_name = "FILE",
        env = "PORTCULLIS_TOKEN_FILE",
        hide_env_values = true
    )]
    pub token_file: Option<PathBuf>,

    /// PEM file of the authorities that its certificate is checked against, in the place of this
    /// machine's.
    #[arg(long, value_name = "FILE", requires = ASKED)]
    pub ca: Option<PathBuf>,

    /// PEM file of the client certificate that is shown to it.
    #[arg(long, value_name = "FILE", requires = "url", requires = "client_key")]
    pub client_certificate: Option<PathBuf>,

    /// PEM file of the client certificate's key.
    #[arg(
        long,
        value_name = "FILE",
        requires = "url",
        requires = "client_certificate"
    )]
    pub client_key: Option<PathBuf>,
}

/// How long somebody waits.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Timeout {
    /// Longest wait for an answer: `500ms`, `10s`, `1m`.
    #[arg(long, value_name = "TIME", value_parser = patience, default_value = "30s")]
    pub timeout: Duration,
}

impl ServerArguments {
    /// The server, if one is named.
    pub(crate) fn open(&self, patience: Duration) -> anyhow::Result<Option<Server>> {
        self.open_named("--url", patience)
    }

    /// The same where another option names it.
    pub(crate) fn open_named(
        &self,
        option: &str,
        patience: Duration,
    ) -> anyhow::Result<Option<Server>> {
        let Some(url) = &self.url else {
            return Ok(None);
        };
        let target = Target::parse(url).map_err(|fault| anyhow::anyhow!("`{option}`: {fault}"))?;
        ensure!(
            !url.contains(['?', '#']),
            "`{option} {url}` has a query: name the server alone, like \
             https://policies.example.com:8181"
        );
        if self.token_file.is_some() && !target.is_private() {
            bail!(
                "the token of `--token-file` would be sent to {url} for everybody to read: use `https`"
            );
        }
        ensure!(
            target.is_tls() || self.ca.is_none() && self.client_certificate.is_none(),
            "`{url}` is asked without TLS, where no certificate is looked at: use `https`"
        );
        let own = self.own()?;
        let tls = if target.is_tls() {
            let authorities = own.authorities.unwrap_or_else(network::system_roots);
            Some(https::client(authorities, self.identity()?)?)
        } else {
            None
        };
        Ok(Some(Server {
            url: url.trim_end_matches('/').to_owned(),
            tls,
            authorization: own.authorization,
            patience,
        }))
    }

    /// The token and the authorities that are named.
    pub(crate) fn own(&self) -> anyhow::Result<Own> {
        Ok(Own {
            authorization: self.token_file.as_deref().map(bearer).transpose()?,
            authorities: self.ca.as_deref().map(authorities).transpose()?,
        })
    }

    fn identity(&self) -> anyhow::Result<Option<Identity>> {
        let Some((certificate, key)) = self
            .client_certificate
            .as_ref()
            .zip(self.client_key.as_ref())
        else {
            return Ok(None);
        };
        let identity = Identity::read(&read(certificate)?, &read(key)?);
        let named = || format!("`{}`, `{}`", certificate.display(), key.display());
        Ok(Some(identity.with_context(named)?))
    }
}

/// What a request says of who has the token in a file.
fn bearer(path: &Path) -> anyhow::Result<HeaderValue> {
    let bytes = read(path)?;
    let is_token =
        |token: &&str| !token.is_empty() && token.bytes().all(|it| it.is_ascii_graphic());
    let token = str::from_utf8(bytes.trim_ascii()).ok().filter(is_token);
    let token = token.with_context(|| format!("`{}` holds no token", path.display()))?;
    Ok(https::bearer(token)?)
}

fn authorities(path: &Path) -> anyhow::Result<RootCertStore> {
    let pem = read(path)?;
    https::authorities(&pem).with_context(|| format!("`{}` cannot be used", path.display()))
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let read = File::open(path).and_then(|file| read_at_most(file, MAX_SECRET));
    read.with_context(|| format!("failed to read `{}`", path.display()))
}

/// Reads a time in which something can be answered.
pub(crate) fn patience(text: &str) -> Result<Duration, String> {
    let patience = duration(text)?;
    if patience.is_zero() {
        return Err("nothing is answered in no time: write it like `10s`".to_owned());
    }
    Ok(patience)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tempfile::TempDir;

    use super::*;

    fn open(url: &str, token: Option<&[u8]>) -> anyhow::Result<Server> {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("token");
        if let Some(token) = token {
            std::fs::write(&path, token).unwrap();
        }
        let arguments = ServerArguments {
            url: Some(url.to_owned()),
            token_file: token.map(|_| path),
            ..ServerArguments::default()
        };
        Ok(arguments.open(Duration::from_secs(1))?.unwrap())
    }

    #[rstest]
    #[case("http://127.0.0.1:8181", true)]
    #[case("http://localhost", true)]
    #[case("http://[::1]:8181/", true)]
    #[case("https://policies.example.com/portcullis/", true)]
    #[case("http://policies.example.com", false)]
    #[case("http://192.0.2.1:8181", false)]
    #[case("http://localhost.example.com", false)]
    fn a_token_is_sent_where_nobody_reads_it(#[case] url: &str, #[case] expected: bool) {
        let opened = open(url, Some(b"abc\n"));
        assert_eq!(opened.is_ok(), expected, "{opened:?}");
        assert!(open(url, None).is_ok(), "without a token");
    }

    #[rstest]
    #[case("policies.example.com", "it has no scheme")]
    #[case("ftp://policies.example.com", "unsupported protocol")]
    #[case("https://ann:secret@policies.example.com", "a user in a URL")]
    #[case("https://policies.example.com?a=b", "has a query")]
    #[case("", "`--url`")]
    fn what_is_no_server_is_told(#[case] url: &str, #[case] why: &str) {
        let told = format!("{:#}", open(url, None).unwrap_err());
        assert!(told.contains(why), "{told}");
    }

    #[rstest]
    #[case(b"", false)]
    #[case(b"\n", false)]
    #[case(b"two words", false)]
    #[case(b"a\nb", false)]
    #[case(b"\xff", false)]
    #[case(b" abc.def_-~+/= \n", true)]
    fn a_token_is_one_word(#[case] token: &[u8], #[case] expected: bool) {
        let opened = open("http://127.0.0.1", Some(token));
        assert_eq!(opened.is_ok(), expected, "{opened:?}");
        let shown = format!("{opened:?}");
        assert!(!shown.contains("abc"), "{shown}");
    }

    #[test]
    fn certificates_need_tls_and_have_to_be_some() {
        let folder = TempDir::new().unwrap();
        let empty = folder.path().join("empty.pem");
        std::fs::write(&empty, "").unwrap();
        let told = |arguments: ServerArguments| {
            let opened = arguments.open(Duration::from_secs(1));
            format!("{:#}", opened.map(drop).unwrap_err())
        };
        let server = |url: &str| ServerArguments {
            url: Some(url.to_owned()),
            ca: Some(empty.clone()),
            ..ServerArguments::default()
        };
        let plain = told(server("http://127.0.0.1"));
        assert!(plain.contains("without TLS"), "{plain}");
        let none = told(server("https://127.0.0.1"));
        assert!(none.contains("there is no certificate in it"), "{none}");
        let identity = told(ServerArguments {
            ca: None,
            client_certificate: Some(empty.clone()),
            client_key: Some(empty.clone()),
            ..server("https://127.0.0.1")
        });
        assert!(
            identity.contains("client certificate cannot be used"),
            "{identity}"
        );
    }
}
