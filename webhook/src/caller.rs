//! Who asks: what a request carries to prove it.

use std::fmt;

use axum::http::{HeaderMap, header::AUTHORIZATION};

/// The caller of a request. The token is handed on and never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Caller {
    bearer: Option<String>,
}

impl Caller {
    /// A caller with this bearer token.
    pub fn with_bearer(token: &str) -> Self {
        Self {
            bearer: Some(token.to_owned()),
        }
    }

    /// Reads the `Authorization` header; anything but a bearer token is as none.
    pub fn of(headers: &HeaderMap) -> Self {
        let value = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let bearer = value
            .and_then(|value| value.split_once(' '))
            .and_then(|(scheme, token)| {
                let token = token.trim();
                (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
                    .then(|| token.to_owned())
            });
        Self { bearer }
    }

    /// The bearer token, if there is one.
    pub fn bearer(&self) -> Option<&str> {
        self.bearer.as_deref()
    }
}

/// Tells whether there is a token, and not which.
impl fmt::Debug for Caller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bearer = self.bearer.as_ref().map(|_| "…");
        formatter
            .debug_struct("Caller")
            .field("bearer", &bearer)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("Bearer abc", Some("abc"))]
    #[case("bearer  abc ", Some("abc"))]
    #[case("Bearer ", None)]
    #[case("Bearer", None)]
    #[case("Basic abc", None)]
    #[case("abc", None)]
    fn reads_bearer_tokens_only(#[case] header: &str, #[case] expected: Option<&str>) {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, header.parse().unwrap())]);
        assert_eq!(Caller::of(&headers).bearer(), expected);
    }

    #[test]
    fn shows_no_secret() {
        let caller = Caller::with_bearer("s3cret");
        assert!(!format!("{caller:?}").contains("s3cret"));
    }
}
