//! The rules of `dataFrom`.

use serde_json::{Value, json};

use super::rule;

/// Headers that say how a request is sent, and not what for.
pub const HEADERS_OF_THE_CLIENT: [&str; 14] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "if-none-match",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Where data comes from.
pub(crate) fn data_from() -> Value {
    json!([rule(
        "(has(self.configMap) ? 1 : 0) + (has(self.secret) ? 1 : 0) + (has(self.http) ? 1 : 0) == 1",
        "data comes from one place: write configMap, secret, or http",
    )])
}

/// Rules of `HttpSource` as a whole.
pub(crate) fn http_source() -> Value {
    json!([rule(
        "!has(self.body) || size(self.body) == 0 || self.method == 'POST'",
        "a body is sent with POST: write method: POST, or remove body",
    )])
}

/// How often data is fetched. Three digits of each keep the sum far from overflow.
pub(crate) fn period() -> Value {
    json!([rule(
        "self.matches('^([0-9]{1,3}h)?([0-9]{1,5}m)?([0-9]{1,7}s)?$') && self.size() > 0 \
         && duration(self) >= duration('30s') && duration(self) <= duration('24h')",
        "period is from 30s to 24h: write it like 5m or 1h30m",
    )])
}

/// How long an answer may take.
pub(crate) fn http_timeout() -> Value {
    json!([rule(
        "self.matches('^([1-9]|[12][0-9]|30)s$')",
        "timeout must be whole seconds from 1s to 30s: write it like 10s",
    )])
}

/// Certificates in PEM.
pub(crate) fn authorities() -> Value {
    json!([rule(
        "self.contains('-----BEGIN CERTIFICATE-----')",
        "caBundle is certificates in PEM: write them from -----BEGIN CERTIFICATE----- on",
    )])
}

/// Where the value of a header comes from.
pub(crate) fn http_header() -> Value {
    json!([rule(
        "has(self.value) != has(self.secretKeyRef)",
        "a header has one value: write value, or secretKeyRef",
    )])
}

/// The name of a header that a policy may have sent.
pub(crate) fn header_name() -> Value {
    let own = HEADERS_OF_THE_CLIENT.join("|");
    json!([
        rule(
            "self.matches('^[-!#$%&*+.^_`|~0-9A-Za-z]+$')",
            "a header has a name: write it like Authorization",
        ),
        rule(
            &format!("!self.matches('(?i)^({own})$')"),
            "the header is about the connection, and the client's own: remove it",
        ),
    ])
}

/// Where data stands.
pub(crate) fn data_path() -> Value {
    json!([rule(
        "self.matches('^([^.]+([.][^.]+)*)?$')",
        "path is keys with dots between them: write it like trusted.issuers",
    )])
}
