//! Where an answer leads to, as Go's client follows it.

use hyper::{
    HeaderMap, Method,
    header::{HeaderValue, REFERER},
};
use portcullis_policies::outside::{HttpRequest, HttpResponse, OutsideFault};
use url::Url;

use super::{Result, exchange::Hop, target::Target};

/// Redirects that are followed. OPA follows them until the time is over.
const MAX_REDIRECTS: u32 = 10;

/// What is for the first host only.
const SENSITIVE: [&str; 6] = [
    "authorization",
    "cookie",
    "cookie2",
    "proxy-authenticate",
    "proxy-authorization",
    "www-authenticate",
];

/// What is about the body.
const OF_BODY: [&str; 4] = [
    "content-encoding",
    "content-language",
    "content-location",
    "content-type",
];

/// The redirects of a request so far. What was left out once is not sent again.
#[derive(Debug, Default)]
pub(super) struct Redirects {
    first: Option<(Target, HeaderMap)>,
    count: u32,
    without_secrets: bool,
    without_body: bool,
}

impl Redirects {
    /// The next request, if the answer leads to one.
    pub(super) fn next(
        &mut self,
        hop: &Hop,
        request: &HttpRequest,
        answer: &HttpResponse,
    ) -> Result<Option<Hop>> {
        let location = answer.headers.iter().find(|(name, _)| name == "location");
        let location = location.map_or("", |(_, location)| location);
        let (keeps_method, keeps_body) = match answer.status_code {
            301..=303 => (matches!(hop.method, Method::GET | Method::HEAD), false),
            307 | 308 => (true, true),
            _ => return Ok(None),
        };
        if location.is_empty() {
            return Ok(None);
        }
        self.count += 1;
        if self.count > MAX_REDIRECTS {
            let message = format!("there are more than {MAX_REDIRECTS} redirects");
            return Err(OutsideFault::Refused(message));
        }
        let (first, headers) = self
            .first
            .get_or_insert_with(|| (hop.target.clone(), hop.headers.clone()));
        let target = join(&hop.target, location)?;
        self.without_body |= !keeps_body;
        self.without_secrets |= !is_within(&target.host, &first.host);
        let mut headers = headers.clone();
        if self.without_secrets {
            SENSITIVE
                .iter()
                .for_each(|name| drop(headers.remove(*name)));
        }
        let mut body = request.body.clone().into();
        if self.without_body {
            OF_BODY.iter().for_each(|name| drop(headers.remove(*name)));
            body = Vec::new().into();
        }
        let is_told = target.tls || !hop.target.tls;
        if let Some(referrer) = HeaderValue::from_str(&hop.target.url())
            .ok()
            .filter(|_| is_told)
        {
            headers.entry(REFERER).or_insert(referrer);
        }
        let method = if keeps_method {
            hop.method.clone()
        } else {
            Method::GET
        };
        Ok(Some(Hop {
            target,
            method,
            headers,
            body,
            limit: hop.limit,
        }))
    }
}

/// Where a location is, seen from a URL.
fn join(from: &Target, location: &str) -> Result<Target> {
    let joined = Url::parse(&from.url()).and_then(|url| url.join(location));
    let joined = joined.map_err(|error| {
        OutsideFault::Network(format!(
            "failed to parse Location header \"{location}\": {error}"
        ))
    })?;
    Target::parse(joined.as_str())
}

/// Whether a host is another one, or below it.
fn is_within(host: &str, other: &str) -> bool {
    host == other
        || (!host.contains([':', '%'])
            && host
                .strip_suffix(other)
                .is_some_and(|rest| rest.ends_with('.')))
}
