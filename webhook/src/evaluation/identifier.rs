//! The id that a caller gives an evaluation.

use std::sync::Arc;

use axum::http::HeaderMap;

use crate::problem::Problem;

/// The header that sets the id of an evaluation, as clients of the TSA policy service send it.
const EVALUATION_ID: &str = "x-evaluation-id";

/// Longest id: a DID or a URL, and short enough for a header, a path and a line of a log.
const LONGEST: usize = 256;

/// The id that a request's headers set, if they do: visible ASCII, because it is a header of the
/// answer, a part of a path and a word in logs.
pub(super) fn of(headers: &HeaderMap) -> Result<Option<Arc<str>>, Problem> {
    let Some(value) = headers.get(EVALUATION_ID).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let text = std::str::from_utf8(value.as_bytes()).ok();
    text.filter(|text| is_one(text))
        .map(|text| Some(text.into()))
        .ok_or_else(|| {
            let detail = format!("the header `{EVALUATION_ID}` is no id");
            let remedy =
                format!("send at most {LONGEST} visible ASCII characters, or leave it out");
            Problem::input_invalid(detail).with_remedy(remedy)
        })
}

/// Whether a text can be an id.
pub(super) fn is_one(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(None, Ok(None))]
    #[case(Some(""), Ok(None))]
    #[case(Some("did:web:example.com"), Ok(Some("did:web:example.com")))]
    #[case(
        Some("https://example.com/a?b#c"),
        Ok(Some("https://example.com/a?b#c"))
    )]
    #[case(Some("two words"), Err(()))]
    #[case(Some("tab\t"), Err(()))]
    #[case(Some("é"), Err(()))]
    fn is_one_visible_word(
        #[case] value: Option<&str>,
        #[case] expected: Result<Option<&str>, ()>,
    ) {
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert(
                EVALUATION_ID,
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        let found = of(&headers);
        assert_eq!(
            found.as_ref().map(Option::as_deref).map_err(|_| ()),
            expected
        );
    }

    #[test]
    fn is_bounded() {
        let of_length = |length| {
            let value = HeaderValue::from_str(&"x".repeat(length)).unwrap();
            of(&HeaderMap::from_iter([(
                EVALUATION_ID.parse().unwrap(),
                value,
            )]))
        };
        assert!(of_length(LONGEST).is_ok());
        assert!(of_length(LONGEST + 1).is_err());
    }
}
