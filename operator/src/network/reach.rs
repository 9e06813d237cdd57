//! What this program asks on its own: subscribers that are told, and archives that are fetched.

use std::{fmt, net::IpAddr, str::FromStr};

use portcullis_policies::{
    HostPattern,
    hosts::HostError,
    outside::{HttpRequest, HttpResponse, OutsideFault},
};
use tokio::{runtime::Handle, time::timeout};

use super::{Network, Result, address, target::Target, tls};

/// A host that an administrator allows, or all that are on public addresses: `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostRule {
    /// Whatever is on public addresses.
    AnyPublic,
    /// A host, or all below a domain.
    Pattern(HostPattern),
}

impl FromStr for HostRule {
    type Err = HostError;

    fn from_str(text: &str) -> std::result::Result<Self, HostError> {
        match text {
            "*" => Ok(Self::AnyPublic),
            pattern => pattern.parse().map(Self::Pattern),
        }
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnyPublic => formatter.write_str("*"),
            Self::Pattern(pattern) => pattern.fmt(formatter),
        }
    }
}

impl Network {
    /// A network of what these rules allow, on the reactor that this is called on.
    pub fn reaching(rules: impl IntoIterator<Item = HostRule>) -> Self {
        let mut any_public = false;
        let pattern = |rule| match rule {
            HostRule::AnyPublic => {
                any_public = true;
                None
            }
            HostRule::Pattern(pattern) => Some(pattern),
        };
        let hosts: portcullis_policies::Hosts = rules.into_iter().filter_map(pattern).collect();
        Self {
            system: tls::system(hosts.is_empty() && !any_public),
            any_public,
            hosts,
            reactor: Handle::current(),
            authorities: None,
        }
    }

    /// Whether nothing is allowed.
    pub(crate) fn reaches_nothing(&self) -> bool {
        !self.any_public && self.hosts.is_empty()
    }

    /// Whether a URL may be asked, as far as it tells itself: where a name leads to is looked at when it
    /// is asked.
    pub(crate) fn check_url(&self, url: &str) -> Result<()> {
        let target = Target::parse(url)?;
        self.check(&target.host, Some(target.port), None)?;
        let literal = target.bare_host().parse::<IpAddr>();
        match literal {
            Ok(found) if !address::is_public(found) => {
                let found = [(found, target.port).into()];
                self.check_addresses(&target.host, Some(target.port), &found)
            }
            _ => Ok(()),
        }
    }

    /// Sends a request, and reads at most `limit` bytes of the answer's body.
    pub(crate) async fn ask(&self, request: &HttpRequest, limit: usize) -> Result<HttpResponse> {
        let late = || OutsideFault::Network(format!("{}: request timed out", request.url));
        let fetch = self.fetch(request, None, limit);
        timeout(request.time, fetch)
            .await
            .unwrap_or_else(|_| Err(late()))
    }
}

/// A network of these rules.
#[cfg(test)]
pub(crate) fn reaching(rules: &[&str]) -> Network {
    let rules = rules
        .iter()
        .map(|rule| rule.parse().expect("a rule of a test"));
    Network::reaching(rules)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("*", "https://example.com/x", true)]
    #[case("*", "http://127.0.0.1/x", false)]
    #[case("*", "http://169.254.169.254/latest/meta-data", false)]
    #[case("*", "http://10.96.0.1/", false)]
    #[case("*", "http://[::1]/", false)]
    #[case("*", "http://[::ffff:127.0.0.1]/", false)]
    #[case("* 127.0.0.1:80", "http://127.0.0.1/x", true)]
    #[case("* 127.0.0.1:80", "http://127.0.0.1:81/x", false)]
    #[case("*.example.com", "https://a.example.com", true)]
    #[case("*.example.com", "https://example.com", false)]
    #[case("*.example.com", "https://user:pw@a.example.com", false)]
    #[case("*.example.com", "ftp://a.example.com", false)]
    #[case("*.example.com", "a.example.com", false)]
    #[case("", "https://example.com", false)]
    #[tokio::test]
    async fn urls_that_may_be_asked(
        #[case] rules: &str,
        #[case] url: &str,
        #[case] expected: bool,
    ) {
        let rules: Vec<&str> = rules.split_whitespace().collect();
        let network = reaching(&rules);
        assert_eq!(network.check_url(url).is_ok(), expected);
        assert_eq!(network.reaches_nothing(), rules.is_empty());
    }

    /// What a name leads to is looked at when it is asked: a name that is allowed leads nowhere else.
    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_not_asked() {
        let request = HttpRequest {
            method: "POST".to_owned(),
            url: "http://localhost:9/".to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            follows_redirects: false,
            authorities: None,
            trusts_system: true,
            time: std::time::Duration::from_secs(5),
        };
        let network = reaching(&["*"]);
        assert!(network.check_url(&request.url).is_ok());
        let fault = network.ask(&request, 10).await.unwrap_err();
        assert!(matches!(fault, OutsideFault::Refused(_)), "{fault:?}");
    }
}
