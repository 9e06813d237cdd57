//! Requests whose answers are data of policies, in both directions.

use std::{collections::BTreeSet, time::Duration};

use portcullis_crds as crds;
use portcullis_policies::{HeaderValue, HttpMethod, HttpSource, Scope};

use crate::network::{self, Target};

/// What cannot be read, and what to do about it.
pub(crate) type Fault = (String, &'static str);

/// How often an answer may be asked for. More often is a question for `http.send`, and what is a day old
/// is as good as written down.
const PERIODS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(30)..=Duration::from_hours(24);

/// Longest time that an answer may take: more than any server needs, and less than the shortest period.
const LONGEST: u64 = 30;

/// Most headers.
const MAX_HEADERS: usize = 16;

/// The namespace of an object that a policy of `scope` names: a policy of a namespace names its own.
pub(super) fn namespace(said: Option<&String>, scope: &Scope) -> Result<String, Fault> {
    let fault = |text: &str, remedy| Err((text.to_owned(), remedy));
    match (scope, said) {
        (Scope::Cluster, Some(namespace)) => Ok(namespace.clone()),
        (Scope::Cluster, None) => fault("the object's namespace is not said", "set `namespace`"),
        (Scope::Namespace(own), None) => Ok(own.clone()),
        (Scope::Namespace(own), Some(namespace)) if own == namespace => Ok(own.clone()),
        (Scope::Namespace(_), Some(_)) => fault(
            "a Policy takes data of its own namespace only",
            "remove `namespace`, or use a ClusterPolicy",
        ),
    }
}

/// Reads a request of a policy of `scope`.
pub(crate) fn http_source(source: &crds::HttpSource, scope: &Scope) -> Result<HttpSource, Fault> {
    let fault = |text: String, remedy| Err((text, remedy));
    let target = Target::parse(&source.url).map_err(|_| {
        (
            "`http.url` is asked by http or https, without a user".to_owned(),
            "write it like https://example.com/path",
        )
    })?;
    if source.method == crds::HttpMethod::Get && !source.body.is_empty() {
        return fault(
            "a body is sent with `POST`".to_owned(),
            "set `method: POST`, or remove `body`",
        );
    }
    let period = portcullis_webhook::parse_duration(&source.period);
    let is_whole = |period: &Duration| period.subsec_nanos() == 0;
    let period = period.filter(|period| PERIODS.contains(period) && is_whole(period));
    let period = period.ok_or_else(|| {
        let text = "`http.period` is from 30s to 24h".to_owned();
        (text, "write it like 5m or 1h30m")
    })?;
    let seconds = source.timeout.strip_suffix('s');
    let seconds = seconds.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let seconds = seconds.and_then(|digits| digits.parse().ok());
    let seconds = seconds.filter(|seconds| (1..=LONGEST).contains(seconds));
    let timeout = seconds.ok_or_else(|| {
        let text = format!("`http.timeout` is whole seconds from 1s to {LONGEST}s");
        (text, "write it like 10s")
    })?;
    if let Some(pem) = &source.ca_bundle
        && let Err(why) = network::check_authorities(pem)
    {
        return fault(format!("`http.caBundle`: {why}"), "write it in PEM");
    }
    let read = HttpSource {
        namespace: scope.namespace().map(str::to_owned),
        url: source.url.clone(),
        host: target.host().to_owned(),
        port: target.port(),
        method: match source.method {
            crds::HttpMethod::Get => HttpMethod::Get,
            crds::HttpMethod::Post => HttpMethod::Post,
        },
        body: source.body.clone(),
        headers: headers(&source.headers, scope)?,
        authorities: source.ca_bundle.clone(),
        period,
        timeout: Duration::from_secs(timeout),
    };
    if read.is_secret() && !target.is_private() {
        return fault(
            "a header with what a Secret holds would be sent for everybody to read".to_owned(),
            "ask by https",
        );
    }
    Ok(read)
}

fn headers(
    headers: &[crds::HttpHeader],
    scope: &Scope,
) -> Result<Vec<(String, HeaderValue)>, Fault> {
    if headers.len() > MAX_HEADERS {
        let text = format!("`http.headers` has more than {MAX_HEADERS}");
        return Err((text, "remove some of them"));
    }
    let mut names = BTreeSet::new();
    let read = headers.iter().map(|header| {
        let name = header.name.to_ascii_lowercase();
        let fault = |text: &str, remedy| Err((format!("the header `{name}`: {text}"), remedy));
        if crds::HEADERS_OF_THE_CLIENT.contains(&name.as_str()) {
            return fault("it is the client's own", "remove it");
        }
        if !names.insert(name.clone()) {
            return fault("it is there twice", "remove one of the two");
        }
        let value = match (&header.value, &header.secret_key_ref) {
            (Some(value), None) => HeaderValue::Text(value.clone()),
            (None, Some(reference)) => HeaderValue::Secret {
                namespace: namespace(reference.namespace.as_ref(), scope)?,
                name: reference.name.clone(),
                key: reference.key.clone(),
            },
            _ => return fault("it has one value", "set `value`, or `secretKeyRef`"),
        };
        let text = match &value {
            HeaderValue::Text(text) => text,
            // Nobody knows it yet.
            HeaderValue::Secret { .. } => "",
        };
        if !network::is_header(&name, text) {
            return fault("no server would take it", "write it in visible characters");
        }
        Ok((name, value))
    });
    read.collect()
}

/// Writes a request as it is read. A policy of a namespace names Secrets of its own, whichever that is.
pub(super) fn written(source: &HttpSource) -> crds::HttpSource {
    let HttpSource {
        namespace: own,
        url,
        // They are in the URL.
        host: _,
        port: _,
        method,
        body,
        headers,
        authorities,
        period,
        timeout,
    } = source;
    let header = |(name, value): &(String, HeaderValue)| {
        let (value, secret_key_ref) = match value {
            HeaderValue::Text(text) => (Some(text.clone()), None),
            HeaderValue::Secret {
                namespace,
                name,
                key,
            } => {
                let reference = crds::KeyReference {
                    namespace: Some(namespace.clone()).filter(|_| own.is_none()),
                    name: name.clone(),
                    key: key.clone(),
                };
                (None, Some(reference))
            }
        };
        crds::HttpHeader {
            name: name.clone(),
            value,
            secret_key_ref,
        }
    };
    crds::HttpSource {
        url: url.clone(),
        method: match method {
            HttpMethod::Get => crds::HttpMethod::Get,
            HttpMethod::Post => crds::HttpMethod::Post,
        },
        body: body.clone(),
        headers: headers.iter().map(header).collect(),
        period: format!("{}s", period.as_secs()),
        timeout: format!("{}s", timeout.as_secs()),
        ca_bundle: authorities.clone(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn secret(namespace: Option<&str>) -> crds::HttpHeader {
        crds::HttpHeader {
            name: "Authorization".to_owned(),
            value: None,
            secret_key_ref: Some(crds::KeyReference {
                namespace: namespace.map(str::to_owned),
                name: "token".to_owned(),
                key: "it".to_owned(),
            }),
        }
    }

    fn header(name: &str, value: &str) -> crds::HttpHeader {
        crds::HttpHeader {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            secret_key_ref: None,
        }
    }

    fn source(headers: Vec<crds::HttpHeader>) -> crds::HttpSource {
        crds::HttpSource {
            url: "https://Example.com:8443/roles?page=1".to_owned(),
            headers,
            ..crds::HttpSource::default()
        }
    }

    fn team() -> Scope {
        Scope::Namespace("team".to_owned())
    }

    #[rstest]
    #[case::of_the_cluster(Scope::Cluster, Some("platform"))]
    #[case::of_a_namespace(team(), None)]
    fn what_is_written_is_read_as_the_same(#[case] scope: Scope, #[case] namespace: Option<&str>) {
        let said = crds::HttpSource {
            method: crds::HttpMethod::Post,
            body: "{}".to_owned(),
            period: "1h30m".to_owned(),
            timeout: "3s".to_owned(),
            ..source(vec![
                secret(namespace),
                header("Accept", "application/json"),
            ])
        };
        let read = http_source(&said, &scope).unwrap();
        assert_eq!((read.host.as_str(), read.port), ("example.com", 8443));
        assert_eq!(read.period, Duration::from_mins(90));
        assert_eq!(read.headers[0].0, "authorization");
        assert!(read.is_secret());
        let owner = namespace.unwrap_or("team");
        let HeaderValue::Secret { namespace, .. } = &read.headers[0].1 else {
            panic!("it is of a Secret");
        };
        assert_eq!(namespace, owner);
        assert_eq!(http_source(&written(&read), &scope), Ok(read));
    }

    #[rstest]
    #[case::a_file(|own: &mut crds::HttpSource| own.url = "file:///etc/passwd".to_owned(), "`http.url`")]
    #[case::a_user(|own: &mut crds::HttpSource| own.url = "https://a:b@example.com".to_owned(), "`http.url`")]
    #[case::a_body_of_get(|own: &mut crds::HttpSource| own.body = "{}".to_owned(), "a body")]
    #[case::too_often(|own: &mut crds::HttpSource| own.period = "29s".to_owned(), "`http.period`")]
    #[case::too_rarely(|own: &mut crds::HttpSource| own.period = "25h".to_owned(), "`http.period`")]
    #[case::by_half_seconds(|own: &mut crds::HttpSource| own.period = "30.5s".to_owned(), "`http.period`")]
    #[case::never(|own: &mut crds::HttpSource| own.period = "never".to_owned(), "`http.period`")]
    #[case::too_patient(|own: &mut crds::HttpSource| own.timeout = "31s".to_owned(), "`http.timeout`")]
    #[case::in_a_hurry(|own: &mut crds::HttpSource| own.timeout = "0s".to_owned(), "`http.timeout`")]
    #[case::a_sign(|own: &mut crds::HttpSource| own.timeout = "+1s".to_owned(), "`http.timeout`")]
    #[case::no_authority(|own: &mut crds::HttpSource| own.ca_bundle = Some("MIIB".to_owned()), "`http.caBundle`")]
    #[case::in_the_clear(|own: &mut crds::HttpSource| {
        own.url = "http://example.com/".to_owned();
        own.headers = vec![secret(Some("a"))];
    }, "a header with what a Secret holds")]
    #[case::of_nowhere(|own: &mut crds::HttpSource| own.headers = vec![secret(None)], "the object's namespace")]
    #[case::of_the_client(|own: &mut crds::HttpSource| own.headers = vec![header("Host", "a")], "the header `host`")]
    #[case::twice(
        |own: &mut crds::HttpSource| own.headers = vec![header("X-A", "a"), header("x-a", "b")],
        "the header `x-a`: it is there twice"
    )]
    #[case::a_line(|own: &mut crds::HttpSource| own.headers = vec![header("X-A", "a\nb: c")], "the header `x-a`")]
    #[case::without_a_value(
        |own: &mut crds::HttpSource| own.headers = vec![crds::HttpHeader { name: "a".to_owned(), ..Default::default() }],
        "the header `a`: it has one value"
    )]
    #[case::many(
        |own: &mut crds::HttpSource| own.headers = (0..17).map(|at| header(&format!("x-{at}"), "a")).collect(),
        "`http.headers`"
    )]
    fn what_cannot_be_asked_is_a_fault(
        #[case] change: fn(&mut crds::HttpSource),
        #[case] says: &str,
    ) {
        let mut source = source(Vec::new());
        change(&mut source);
        let (text, _) = http_source(&source, &Scope::Cluster).unwrap_err();
        assert!(text.starts_with(says), "{text}");
    }

    #[test]
    fn a_secret_of_another_namespace_is_not_taken() {
        let source = source(vec![secret(Some("other"))]);
        let (text, _) = http_source(&source, &team()).unwrap_err();
        assert!(text.contains("its own namespace only"), "{text}");
    }
}
