//! The times that a spec holds as text.
//!
//! The API server has checked them with the rules of the schema; this reads them, and
//! refuses the same values for objects that come from elsewhere.

use k8s_openapi::jiff::Timestamp;

/// A time that cannot be read, because it is not RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an RFC 3339 time: write it like 2026-12-01T00:00:00Z")]
pub struct TimeError(String);

/// Reads an RFC 3339 time, such as `notBefore`, `notAfter` and `expiresAt`.
pub fn moment(text: &str) -> Result<Timestamp, TimeError> {
    // Jiff also reads lower-case letters, a space for the `T`, and times without seconds, which
    // the schema refuses: one spelling for both.
    let seconds = text.as_bytes().get(10) == Some(&b'T')
        && text.as_bytes().get(16) == Some(&b':')
        && !text.contains(|c: char| c.is_ascii_lowercase() || c == '[');
    text.parse()
        .ok()
        .filter(|_| seconds)
        .ok_or_else(|| TimeError(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("2026-12-01T00:00:00Z", Some("2026-12-01T00:00:00Z"))]
    #[case("2026-12-01T00:00:00.5+02:00", Some("2026-11-30T22:00:00.5Z"))]
    #[case("2026-02-31T00:00:00Z", None)]
    #[case("2026-12-01", None)]
    #[case("2026-12-01 00:00:00Z", None)]
    #[case("2026-12-01T00:00Z", None)]
    #[case("2026-12-01t00:00:00z", None)]
    #[case("2026-12-01T00:00:00", None)]
    #[case("2026-12-01T00:00:00+02:00[Europe/Berlin]", None)]
    #[case("tomorrow", None)]
    fn moments(#[case] text: &str, #[case] expected: Option<&str>) {
        assert_eq!(
            moment(text)
                .ok()
                .map(|moment| moment.to_string())
                .as_deref(),
            expected
        );
    }
}
