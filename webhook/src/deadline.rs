//! How long a caller waits, in Go's notation: the API server's `?timeout=10s`, or another's header.

use std::time::{Duration, Instant};

/// What the API server waits for where its call does not say.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest that the API server can be told to wait.
const MAX_TIMEOUT: Duration = Duration::from_secs(30);

/// Kept back for the way there and back, so that the answer is read before its caller leaves.
const RESERVE: Duration = Duration::from_secs(1);

/// The longest text that is read as a duration; Go writes at most 25 characters.
const MAX_LENGTH: usize = 32;

/// When an answer must be ready whose caller waits for `timeout`: a second before, and of a very
/// short wait the half.
pub(crate) fn deadline(begin: Instant, timeout: Duration) -> Instant {
    let timeout = timeout.min(MAX_TIMEOUT);
    begin + timeout.saturating_sub(RESERVE).max(timeout / 2)
}

/// Reads a positive duration such as `10s`, `1m30s`, `1.5s` or `500ms`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    if text.len() > MAX_LENGTH {
        return None;
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut seconds = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        seconds += number.parse::<f64>().ok()? * seconds_of(unit)?;
        rest = tail;
    }
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| !duration.is_zero())
}

fn seconds_of(unit: &str) -> Option<f64> {
    match unit {
        "ns" => Some(1e-9),
        "us" | "µs" | "μs" => Some(1e-6),
        "ms" => Some(1e-3),
        "s" => Some(1.0),
        "m" => Some(60.0),
        "h" => Some(3600.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("10s", 10_000)]
    #[case("1m30s", 90_000)]
    #[case("500ms", 500)]
    #[case("1.5s", 1_500)]
    #[case(".5s", 500)]
    #[case("+2s", 2_000)]
    #[case("1h0m0.25s", 3_600_250)]
    #[case("3000us", 3)]
    #[case("3000µs", 3)]
    #[case("2000000ns", 2)]
    fn reads_gos_durations(#[case] text: &str, #[case] milliseconds: u64) {
        assert_eq!(
            parse_duration(text),
            Some(Duration::from_millis(milliseconds))
        );
    }

    #[rstest]
    #[case("")]
    #[case("0")]
    #[case("0s")]
    #[case("10")]
    #[case("s")]
    #[case("-1s")]
    #[case("1 s")]
    #[case("1d")]
    #[case("1..5s")]
    #[case("1e3s")]
    #[case("NaNs")]
    #[case("99999999999999999999999999999h")]
    #[case("111111111111111111111111111111111s")]
    fn refuses(#[case] text: &str) {
        assert_eq!(parse_duration(text), None);
    }

    #[rstest]
    #[case(10_000, 9_000)]
    #[case(2_000, 1_000)]
    #[case(1_000, 500)]
    #[case(100, 50)]
    #[case(3_600_000, 29_000)]
    fn answers_before_the_caller_leaves(#[case] timeout: u64, #[case] expected: u64) {
        let begin = Instant::now();
        let end = deadline(begin, Duration::from_millis(timeout));
        assert_eq!(end - begin, Duration::from_millis(expected));
    }

    proptest! {
        #[test]
        fn never_panics(text in "[0-9a-zµ.+ -]{0,40}|\\PC{0,40}") {
            let _ = parse_duration(&text);
        }

        #[test]
        fn reads_what_go_writes(hours in 0..200_u64, minutes in 0..60_u64, millis in 1..60_000_u64) {
            let text = format!("{hours}h{minutes}m{}.{:03}s", millis / 1000, millis % 1000);
            let expected = (hours * 60 + minutes) * 60_000 + millis;
            let read = parse_duration(&text).unwrap();
            prop_assert!(read.abs_diff(Duration::from_millis(expected)) < Duration::from_millis(1));
        }
    }
}
