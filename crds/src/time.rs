//! The times and durations that a spec holds as text.
//!
//! The API server has checked them with the rules of the schema; these functions read them, and
//! refuse the same values for objects that come from elsewhere.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

/// The most that a policy may ask for: half of the 10 s within which an admission review is
/// answered by default, so that one slow policy leaves time for the others.
pub const MAXIMUM_TIMEOUT: Duration = Duration::from_secs(5);

/// A time or a duration that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not RFC 3339.
    #[error("`{0}` is not an RFC 3339 time: write it like 2026-12-01T00:00:00Z")]
    Moment(String),
    /// Not a duration, or outside the limits.
    #[error("`{0}` is not a duration from 1ms to 5s: write it like 250ms or 2s")]
    Timeout(String),
}

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
        .ok_or_else(|| TimeError::Moment(text.to_owned()))
}

/// Reads the time limit of an evaluation: whole milliseconds or seconds, from 1 ms to
/// [`MAXIMUM_TIMEOUT`].
pub fn timeout(text: &str) -> Result<Duration, TimeError> {
    let refused = || TimeError::Timeout(text.to_owned());
    let (digits, unit): (_, fn(u64) -> Duration) = match text.strip_suffix("ms") {
        Some(digits) => (digits, Duration::from_millis),
        None => (
            text.strip_suffix('s').ok_or_else(refused)?,
            Duration::from_secs,
        ),
    };
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    let number = digits.parse().ok().filter(|_| plain).ok_or_else(refused)?;
    Some(unit(number))
        .filter(|timeout| *timeout <= MAXIMUM_TIMEOUT)
        .ok_or_else(refused)
}

/// The time limit of a policy that sets none.
pub(crate) fn default_timeout() -> String {
    "250ms".to_owned()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("1ms", Some(1))]
    #[case("250ms", Some(250))]
    #[case("5000ms", Some(5000))]
    #[case("5s", Some(5000))]
    #[case("5001ms", None)]
    #[case("6s", None)]
    #[case("0s", None)]
    #[case("07s", None)]
    #[case("+7s", None)]
    #[case("1.5s", None)]
    #[case("250", None)]
    #[case("1m", None)]
    #[case("s", None)]
    #[case("", None)]
    #[case("99999999999999999999s", None)]
    fn timeouts(#[case] text: &str, #[case] milliseconds: Option<u64>) {
        assert_eq!(timeout(text).ok(), milliseconds.map(Duration::from_millis));
    }

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
