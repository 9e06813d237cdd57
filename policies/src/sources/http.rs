//! A document that somebody fetches over HTTP for policies, and keeps as an object.
//!
//! This crate fetches nothing. A policy names what is asked; whoever runs it asks, periodically, and
//! keeps the last good answer under a name that follows from all that decides the answer. So policies
//! with the same source share one object, and those of a namespace share none with others.

use std::{fmt, fmt::Write as _, time::Duration};

use sha2::{Digest as _, Sha256};

use crate::{Allowance, Diagnostic, ParameterKind, Selection, Which};

/// The key of an object's `data` that has the document.
pub const DOCUMENT: &str = "document";

/// The field that says why a document was never fetched.
pub const FAILURE: &str = "failure";

/// A request whose answer is a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HttpSource {
    /// The namespace of the policy; `None` for one of the cluster.
    pub namespace: Option<String>,
    /// With `http` or `https`, and without a user.
    pub url: String,
    /// The host that the URL names, in lower case; an IPv6 address in brackets.
    pub host: String,
    /// The port that it names or means.
    pub port: u16,
    /// How it is asked.
    pub method: HttpMethod,
    /// What is sent.
    pub body: String,
    /// Headers that are sent, each name once.
    pub headers: Vec<(String, HeaderValue)>,
    /// PEM certificates of the authorities that sign the server's certificate; `None` for the system's.
    pub authorities: Option<String>,
    /// Time from one answer to the next question.
    pub period: Duration,
    /// From the name's look-up to the last byte.
    pub timeout: Duration,
}

/// How a server is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum HttpMethod {
    /// `GET`.
    #[default]
    Get,
    /// `POST`.
    Post,
}

/// The value of a header.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HeaderValue {
    /// As the policy says it.
    Text(String),
    /// A key of a Secret, which is read when the server is asked.
    Secret {
        /// The Secret's namespace.
        namespace: String,
        /// The Secret's name.
        name: String,
        /// The key of its `data`.
        key: String,
    },
}

impl HttpSource {
    /// The name of the object that holds the answer: a digest of all that decides the answer. How often
    /// it is asked, and for how long, is not among that.
    pub fn object_name(&self) -> String {
        let mut hash = Sha256::new();
        let mut text = |text: &str| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        };
        // No namespace has an empty name.
        text(self.namespace.as_deref().unwrap_or_default());
        text(&self.url);
        text(self.method.as_str());
        text(&self.body);
        text(self.authorities.as_deref().unwrap_or_default());
        for (header, value) in &self.headers {
            text(header);
            match value {
                HeaderValue::Text(value) => ["text", value].iter().for_each(|own| text(own)),
                HeaderValue::Secret {
                    namespace,
                    name,
                    key,
                } => ["secret", namespace, name, key]
                    .iter()
                    .for_each(|own| text(own)),
            }
        }
        let digest = hash.finalize();
        let mut name = String::from("data-");
        for byte in &digest[..16] {
            // Writing to a string does not fail.
            let _ = write!(name, "{byte:02x}");
        }
        name
    }

    /// The object that holds the answer.
    pub fn selection(&self) -> Selection {
        Selection {
            kind: ParameterKind::fetched_document(),
            namespace: None,
            which: Which::Name(self.object_name()),
        }
    }

    /// Whether what is sent is secret, and so what is answered to it.
    pub fn is_secret(&self) -> bool {
        let mut headers = self.headers.iter();
        headers.any(|(_, value)| matches!(value, HeaderValue::Secret { .. }))
    }

    /// Why it is not asked, as far as the administrator and the URL tell.
    pub fn refusal(&self, allowance: &Allowance) -> Option<Diagnostic> {
        if self.namespace.is_some() && !allowance.namespaced_http_data {
            let text = format!(
                "`dataFrom`: the administrator has nothing fetched for policies of a namespace: {self}"
            );
            let remedy = "use a ClusterPolicy, or have `--namespaced-http-data` set";
            return Some(Diagnostic::new("data_from_forbidden", text).with_remedy(remedy));
        }
        let is_allowed = allowance.outside.hosts().allow(&self.host, Some(self.port));
        (!is_allowed).then(|| {
            let (host, port) = (&self.host, self.port);
            let text = format!("`dataFrom`: the administrator does not allow `{host}:{port}`");
            let remedy = "have the host added to `--allow-hosts`, or remove the source";
            Diagnostic::new("host_not_allowed", text).with_remedy(remedy)
        })
    }
}

impl HttpMethod {
    /// As HTTP writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// The URL without its query, which may say more than is to be shown.
impl fmt::Display for HttpSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.url.find(['?', '#']).unwrap_or(self.url.len());
        formatter.write_str(&self.url[..end])
    }
}

impl ParameterKind {
    /// What was fetched for policies.
    pub fn fetched_document() -> Self {
        Self {
            group: "portcullis.dev".to_owned(),
            version: "v1alpha1".to_owned(),
            kind: "FetchedDocument".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::{Hosts, Outside, outside};

    fn source() -> HttpSource {
        HttpSource {
            namespace: None,
            url: "https://example.com/roles.json?page=1".to_owned(),
            host: "example.com".to_owned(),
            port: 443,
            method: HttpMethod::Get,
            body: String::new(),
            headers: vec![text("accept", "application/json")],
            authorities: None,
            period: Duration::from_mins(5),
            timeout: Duration::from_secs(10),
        }
    }

    fn text(name: &str, value: &str) -> (String, HeaderValue) {
        (name.to_owned(), HeaderValue::Text(value.to_owned()))
    }

    fn secret(namespace: &str, name: &str, key: &str) -> (String, HeaderValue) {
        let [namespace, name, key] = [namespace, name, key].map(str::to_owned);
        let value = HeaderValue::Secret {
            namespace,
            name,
            key,
        };
        ("accept".to_owned(), value)
    }

    fn changed(change: impl FnOnce(&mut HttpSource)) -> HttpSource {
        let mut source = source();
        change(&mut source);
        source
    }

    #[test]
    fn what_decides_the_answer_names_the_object() {
        let others = [
            source(),
            changed(|own| own.namespace = Some("team".to_owned())),
            changed(|own| own.namespace = Some("steam".to_owned())),
            changed(|own| own.url = "https://example.com/roles.json?page=2".to_owned()),
            changed(|own| own.method = HttpMethod::Post),
            changed(|own| own.body = "{}".to_owned()),
            changed(|own| own.authorities = Some("PEM".to_owned())),
            changed(|own| own.headers.clear()),
            changed(|own| own.headers = vec![text("accept", "text/plain")]),
            changed(|own| own.headers = vec![secret("a", "b", "c")]),
            changed(|own| own.headers = vec![secret("a", "bc", "")]),
            changed(|own| own.headers = vec![secret("ab", "", "c")]),
        ];
        let names: std::collections::BTreeSet<_> =
            others.iter().map(HttpSource::object_name).collect();
        assert_eq!(names.len(), others.len());
        let same = changed(|own| {
            own.period = Duration::from_secs(30);
            own.timeout = Duration::from_secs(1);
        });
        assert_eq!(same.object_name(), source().object_name());
    }

    #[test]
    fn a_name_is_one_of_an_object_and_is_what_it_was() {
        assert_eq!(
            source().object_name(),
            "data-ddc456b52f317c14ede6ca4fc9750a65"
        );
        assert_eq!(source().to_string(), "https://example.com/roles.json");
    }

    #[derive(Debug)]
    struct Allowing(Hosts);

    impl Outside for Allowing {
        fn hosts(&self) -> &Hosts {
            &self.0
        }

        fn send(
            &self,
            request: &outside::HttpRequest,
            hosts: &Hosts,
        ) -> Result<outside::HttpResponse, outside::OutsideFault> {
            outside::Nothing.send(request, hosts)
        }

        fn lookup(
            &self,
            name: &str,
            hosts: &Hosts,
            time: Duration,
        ) -> Result<std::collections::BTreeSet<String>, outside::OutsideFault> {
            outside::Nothing.lookup(name, hosts, time)
        }
    }

    #[rstest]
    #[case::of_the_cluster(None, false, "example.com", None)]
    #[case::at_another_port(None, false, "example.com:8443", Some("host_not_allowed"))]
    #[case::at_another_host(None, true, "example.org", Some("host_not_allowed"))]
    #[case::of_a_namespace(Some("team"), false, "example.com", Some("data_from_forbidden"))]
    #[case::of_a_namespace_that_may(Some("team"), true, "example.com", None)]
    fn an_administrator_allows_hosts_and_namespaces(
        #[case] namespace: Option<&str>,
        #[case] namespaced_http_data: bool,
        #[case] host: &str,
        #[case] expected: Option<&str>,
    ) {
        let hosts = [host.parse().unwrap()].into_iter().collect();
        let allowance = Allowance {
            outside: std::sync::Arc::new(Allowing(hosts)),
            namespaced_http_data,
            ..Allowance::default()
        };
        let source = changed(|own| own.namespace = namespace.map(str::to_owned));
        let code = source.refusal(&allowance).map(|fault| fault.code);
        assert_eq!(code.as_deref(), expected);
    }
}
