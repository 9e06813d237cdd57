//! The server that a URL names.

use hyper::Uri;
use portcullis_policies::outside::OutsideFault;

use super::Result;

/// What a URL says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(super) tls: bool,
    /// In lower case; an IPv6 address in brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// The host as the URL writes it, with its port if it does.
    pub(super) authority: String,
    /// With the query.
    pub(super) path: String,
}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let invalid = |why: &str| OutsideFault::Invalid(format!("`{url}` is no URL: {why}"));
        // What follows is for who reads the document, and not for the server.
        let (sent, _) = url.split_once('#').unwrap_or((url, ""));
        let uri: Uri = sent.parse().map_err(|error| invalid(&format!("{error}")))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(scheme) => {
                let message = format!("unsupported protocol scheme \"{scheme}\"");
                return Err(OutsideFault::Network(message));
            }
            None => return Err(invalid("it has no scheme")),
        };
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') {
            let message = "a user in a URL is not supported: send the header `Authorization`";
            return Err(OutsideFault::Refused(message.to_owned()));
        }
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| invalid("it has no host"))?;
        let port = match uri.port() {
            Some(_) => uri.port_u16().filter(|port| *port > 0),
            // What stands behind the host is no port.
            None if authority.len() > host.len() => None,
            None => Some(if tls { 443 } else { 80 }),
        };
        let port = port.ok_or_else(|| invalid("it has a port that is none"))?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self {
            tls,
            host: host.to_ascii_lowercase(),
            port,
            authority: authority.to_owned(),
            path: format!("{slash}{path}"),
        })
    }

    /// The host in lower case; an IPv6 address in brackets.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The port that the URL names or means.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The host without brackets.
    pub(super) fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Whether nobody else can read what is sent: with TLS, or to this machine.
    pub(crate) fn is_private(&self) -> bool {
        let is_loopback = |address: std::net::IpAddr| address.is_loopback();
        let address = self.bare_host().parse().ok();
        self.tls || self.host == "localhost" || address.is_some_and(is_loopback)
    }

    /// Whether TLS is spoken.
    pub(crate) fn is_tls(&self) -> bool {
        self.tls
    }

    /// The URL without what is not sent.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("http://example.com", "http://example.com/", "example.com", 80)]
    #[case(
        "https://Example.com/a?b#c",
        "https://Example.com/a?b",
        "example.com",
        443
    )]
    #[case(
        "HTTPS://example.com:8443",
        "https://example.com:8443/",
        "example.com",
        8443
    )]
    #[case("http://[::1]:80/", "http://[::1]:80/", "[::1]", 80)]
    #[case("http://example.com?x=1", "http://example.com/?x=1", "example.com", 80)]
    fn urls(#[case] url: &str, #[case] sent: &str, #[case] host: &str, #[case] port: u16) {
        let target = Target::parse(url).unwrap();
        assert_eq!(target.url(), sent);
        assert_eq!((target.host.as_str(), target.port), (host, port));
    }

    #[rstest]
    #[case("")]
    #[case("/path")]
    #[case("example.com")]
    #[case(":x")]
    #[case("http://")]
    #[case("http://:80/")]
    #[case("http://a b/")]
    #[case("http://example.com/a b")]
    #[case("http://example.com:/")]
    #[case("http://example.com:0/")]
    #[case("http://example.com:65536/")]
    #[case("http://example.com\\@evil.io/")]
    fn texts_that_are_no_urls(#[case] url: &str) {
        assert!(
            matches!(Target::parse(url), Err(OutsideFault::Invalid(_))),
            "{:?}",
            Target::parse(url)
        );
    }

    #[test]
    fn other_schemes_and_users_are_not_for_this() {
        for url in [
            "ftp://example.com/",
            "file:///etc/passwd",
            "unix://localhost/x?socket=y",
        ] {
            assert!(matches!(
                Target::parse(url),
                Err(OutsideFault::Network(_) | OutsideFault::Invalid(_))
            ));
        }
        let url = "http://user:pw@example.com/";
        assert!(matches!(Target::parse(url), Err(OutsideFault::Refused(_))));
    }
}
