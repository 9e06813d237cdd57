//! Answers that are compressed for who takes them so, as OPA does at `/v1/data` and `/v0/data`.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use axum::{
    body::{self, Body, Bytes, HttpBody as _},
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, Method,
        header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, VARY},
    },
    middleware::Next,
    response::Response,
};
use flate2::{Compression, write::GzEncoder};

use crate::Doors;

/// Shortest answer that is compressed, in bytes; OPA's.
const MIN_LENGTH: u64 = 1024;

/// Longest time that an answer waits to be compressed. One of eight megabytes takes a few hundred
/// milliseconds; one that would wait longer goes as it is.
const PATIENCE: Duration = Duration::from_secs(2);

/// Compresses what is long enough, for who accepts it.
pub(super) async fn compressed(
    State(doors): State<Doors>,
    request: Request,
    next: Next,
) -> Response {
    if !is_of_documents(&request) {
        return next.run(request).await;
    }
    let accepts = accepts_gzip(request.headers());
    let mut response = next.run(request).await;
    response
        .headers_mut()
        .append(VARY, HeaderValue::from_static("Accept-Encoding"));
    if !accepts || response.body().size_hint().lower() < MIN_LENGTH {
        return response;
    }
    let (mut parts, text) = response.into_parts();
    // It is in memory already.
    let Ok(text) = body::to_bytes(text, usize::MAX).await else {
        return Response::from_parts(parts, Body::empty());
    };
    let plain = text.clone();
    let evaluators = &doors.settings().evaluators;
    let zipped = evaluators.run(Instant::now() + PATIENCE, move || zip(&plain));
    let Ok(zipped) = zipped.await else {
        return Response::from_parts(parts, Body::from(text));
    };
    parts
        .headers
        .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(zipped))
}

fn zip(text: &Bytes) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder
        .write_all(text)
        .and_then(|()| encoder.finish())
        .expect("writing to memory must succeed")
}

/// Whether a request asks for documents.
fn is_of_documents(request: &Request) -> bool {
    let path = request.uri().path();
    let is_asking = [Method::GET, Method::POST].contains(request.method());
    is_asking && (path.starts_with("/v1/data") || path.starts_with("/v0/data"))
}

/// Whether `gzip` is named, and not with a quality of zero.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter();
    let codings = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    codings
        .map(|coding| coding.split_once(';').unwrap_or((coding, "")))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("gzip"))
        .any(|(_, quality)| {
            let quality = quality.trim().strip_prefix("q=");
            quality.is_none_or(|quality| quality.trim().parse().is_ok_and(|it: f32| it > 0.0))
        })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("gzip", true)]
    #[case("GZIP", true)]
    #[case("deflate, gzip;q=0.5", true)]
    #[case("gzip;q=1.0, *;q=0", true)]
    #[case("gzip; q=0", false)]
    #[case("gzip;q=nonsense", false)]
    #[case("", false)]
    #[case("identity", false)]
    #[case("br, zstd", false)]
    #[case("*", false)]
    fn who_names_gzip_accepts_it(#[case] value: &str, #[case] expected: bool) {
        let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, value.parse().unwrap())]);
        assert_eq!(accepts_gzip(&headers), expected);
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
