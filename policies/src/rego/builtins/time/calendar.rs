//! Days and seconds. Go counts in 64 bits and wraps around; so does this.

use super::super::{Fault, Result};

const SECONDS_PER_DAY: i64 = 86_400;

/// From 1970 back to the year 1, where Go's times begin.
const UNIX_TO_INTERNAL: i64 = (1969 * 365 + 1969 / 4 - 1969 / 100 + 1969 / 400) * SECONDS_PER_DAY;

/// A multiple of 400 years, before which nothing is counted.
const ABSOLUTE_YEARS: i64 = 292_277_022_400;

/// From the first of March of that year to 1970.
const ABSOLUTE_TO_UNIX: i64 =
    -(ABSOLUTE_YEARS / 400 * 146_097 + 306) * SECONDS_PER_DAY - UNIX_TO_INTERNAL;

/// A day and a time of it, whose parts may be beyond their ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rego::builtins) struct Clock {
    pub(in crate::rego::builtins) year: i64,
    /// From 1.
    pub(in crate::rego::builtins) month: i64,
    /// From 1.
    pub(in crate::rego::builtins) day: i64,
    /// Since midnight.
    pub(in crate::rego::builtins) second: i64,
}

impl Clock {
    /// Seconds since 1970 in UTC.
    pub(in crate::rego::builtins) fn unix(self) -> i64 {
        let month = self.month.wrapping_sub(1);
        let year = self.year.wrapping_add(month.div_euclid(12));
        days(year, month.rem_euclid(12) + 1, self.day)
            .wrapping_mul(SECONDS_PER_DAY)
            .wrapping_add(self.second)
            .wrapping_add(ABSOLUTE_TO_UNIX)
    }
}

/// Days since the beginning of counting. The year begins with March, so that leap days are last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let early = i64::from(month < 3);
    let month = month + 12 * early;
    let year = year.wrapping_sub(early).wrapping_add(ABSOLUTE_YEARS);
    let year = year.cast_unsigned();
    let within = (979 * month - 2919) >> 5;
    let (century, year) = (year / 100, (year % 100).cast_signed());
    let centuries = 146_097_u64.wrapping_mul(century) / 4;
    centuries
        .cast_signed()
        .wrapping_add(1461 * year / 4 + within)
        .wrapping_add(day)
        .wrapping_sub(1)
}

/// How many days a month has.
pub(in crate::rego::builtins) fn days_in(month: i64, year: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

pub(super) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Nanoseconds since 1970, if 64 bits hold them.
pub(super) fn nanoseconds(unix: i64, nanosecond: i64) -> Result<i64> {
    // Compared as Go does, which wraps around before it compares.
    let unix = unix.wrapping_add(UNIX_TO_INTERNAL);
    let total = i128::from(unix) - i128::from(UNIX_TO_INTERNAL);
    i64::try_from(total * 1_000_000_000 + i128::from(nanosecond))
        .map_err(|_| Fault::Value("time outside of valid range".to_owned()))
}
