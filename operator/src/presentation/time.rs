//! Times as Go writes them.

use std::{fmt::Write as _, time::Duration};

/// `1.5ms`, `2m3.5s`: as many digits as there are, in the largest unit that does not begin with 0.
pub(crate) fn time(time: Duration) -> String {
    let nanoseconds = time.as_nanos();
    let (unit, digits) = match nanoseconds {
        0 => return "0s".to_owned(),
        1..1_000 => ("ns", 0),
        1_000..1_000_000 => ("µs", 3),
        1_000_000..1_000_000_000 => ("ms", 6),
        _ => ("s", 9),
    };
    let scale = 10_u128.pow(digits);
    let (whole, rest) = (nanoseconds / scale, nanoseconds % scale);
    let (hours, minutes, whole) = match unit {
        "s" => (whole / 3600, whole / 60 % 60, whole % 60),
        _ => (0, 0, whole),
    };
    let mut text = String::new();
    if hours > 0 {
        // Writing to a string does not fail.
        let _ = write!(text, "{hours}h");
    }
    if hours > 0 || minutes > 0 {
        let _ = write!(text, "{minutes}m");
    }
    text.push_str(&whole.to_string());
    if rest > 0 {
        let fraction = format!("{rest:0width$}", width = digits as usize);
        text.push('.');
        text.push_str(fraction.trim_end_matches('0'));
    }
    text + unit
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// From the tests of Go's `time`, go1.26, `time_test.go`.
    #[rstest]
    #[case(0, "0s")]
    #[case(1, "1ns")]
    #[case(1_100, "1.1µs")]
    #[case(2_200_000, "2.2ms")]
    #[case(3_300_000_000, "3.3s")]
    #[case(245_000_000_000, "4m5s")]
    #[case(245_001_000_000, "4m5.001s")]
    #[case(18_367_001_000_000, "5h6m7.001s")]
    #[case(480_000_000_001, "8m0.000000001s")]
    fn as_go(#[case] nanoseconds: u64, #[case] expected: &str) {
        assert_eq!(time(Duration::from_nanos(nanoseconds)), expected);
    }
}
