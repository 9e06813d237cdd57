//! The limits of an evaluation, which a spec holds as text.
//!
//! The API server has checked them with the rules of the schema; these functions read them, and
//! refuse the same values for objects that come from elsewhere.

use std::time::Duration;

/// The most time that a policy may ask for: half of the 10 s within which an admission review is
/// answered by default, so that one slow policy leaves time for the others.
pub const MAXIMUM_TIMEOUT: Duration = Duration::from_secs(5);

/// The most memory that a policy may ask for: a quarter of what the chart lets a webhook take.
pub const MAXIMUM_MEMORY: u64 = 256 << 20;

/// The longest that an administrator may let exemptions be: ten years, after which nobody remembers
/// why.
pub const MAXIMUM_EXEMPTION: Duration = Duration::from_hours(3_650 * 24);

/// A limit that cannot be read, or is none that a policy may ask for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Of time.
    #[error("`{0}` is not a duration from 1ms to 5s: write it like 250ms or 2s")]
    Timeout(String),
    /// Of memory.
    #[error("`{0}` is not a size from 1Mi to 256Mi: write it like 64Mi")]
    Memory(String),
    /// Of exemptions.
    #[error("`{0}` is not a time from 1h to 3650d: write it like 90d or 12h")]
    Exemption(String),
}

/// Reads the time limit of an evaluation: whole milliseconds or seconds, from 1 ms to
/// [`MAXIMUM_TIMEOUT`].
pub fn timeout(text: &str) -> Result<Duration, LimitError> {
    let milliseconds = text
        .strip_suffix("ms")
        .map(|digits| (digits, Duration::from_millis as fn(u64) -> Duration));
    let seconds = || {
        Some((
            text.strip_suffix('s')?,
            Duration::from_secs as fn(u64) -> Duration,
        ))
    };
    milliseconds
        .or_else(seconds)
        .and_then(|(digits, unit)| Some(unit(whole(digits)?)))
        .filter(|timeout| *timeout <= MAXIMUM_TIMEOUT)
        .ok_or_else(|| LimitError::Timeout(text.to_owned()))
}

/// Reads the memory limit of an evaluation: whole mebibytes, from 1 to [`MAXIMUM_MEMORY`]. Gives
/// bytes.
pub fn memory(text: &str) -> Result<u64, LimitError> {
    text.strip_suffix("Mi")
        .and_then(whole)
        .and_then(|count| count.checked_mul(1 << 20))
        .filter(|bytes| *bytes <= MAXIMUM_MEMORY)
        .ok_or_else(|| LimitError::Memory(text.to_owned()))
}

/// Reads how far away the end of an exemption may be: whole hours or days, from 1 h to
/// [`MAXIMUM_EXEMPTION`].
pub fn exemption(text: &str) -> Result<Duration, LimitError> {
    let days = text.strip_suffix('d').map(|digits| (digits, 24));
    days.or_else(|| Some((text.strip_suffix('h')?, 1)))
        .and_then(|(digits, hours)| whole(digits)?.checked_mul(hours))
        .filter(|hours| *hours <= MAXIMUM_EXEMPTION.as_secs() / 3_600)
        .map(Duration::from_hours)
        .ok_or_else(|| LimitError::Exemption(text.to_owned()))
}

/// A whole number from 1 on, without signs and leading noughts.
fn whole(digits: &str) -> Option<u64> {
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|_| is_plain)
}

/// The time limit of a policy that sets none.
pub(crate) fn default_timeout() -> String {
    "250ms".to_owned()
}

/// The memory limit of a policy that sets none.
pub(crate) fn default_memory() -> String {
    "64Mi".to_owned()
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
    #[case("1h", Some(1))]
    #[case("90d", Some(2_160))]
    #[case("3650d", Some(87_600))]
    #[case("87600h", Some(87_600))]
    #[case("3651d", None)]
    #[case("0d", None)]
    #[case("07d", None)]
    #[case("-1d", None)]
    #[case("90", None)]
    #[case("90m", None)]
    #[case("99999999999999999999d", None)]
    #[case("18446744073709551615d", None)]
    #[case("", None)]
    fn exemptions(#[case] text: &str, #[case] hours: Option<u64>) {
        assert_eq!(exemption(text).ok(), hours.map(Duration::from_hours));
    }

    #[rstest]
    #[case("1Mi", Some(1))]
    #[case("64Mi", Some(64))]
    #[case("256Mi", Some(256))]
    #[case("257Mi", None)]
    #[case("0Mi", None)]
    #[case("07Mi", None)]
    #[case("+7Mi", None)]
    #[case("1.5Mi", None)]
    #[case("64", None)]
    #[case("64M", None)]
    #[case("64Ki", None)]
    #[case("Mi", None)]
    #[case("", None)]
    #[case("99999999999999999999Mi", None)]
    fn sizes(#[case] text: &str, #[case] mebibytes: Option<u64>) {
        assert_eq!(memory(text).ok(), mebibytes.map(|count| count << 20));
    }
}
