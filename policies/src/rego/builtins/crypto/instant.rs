//! Points in time, as certificates have them.

use super::{
    beyond,
    der::{Reader, tag},
    wrong,
};
use crate::rego::builtins::{
    Result,
    time::calendar::{Clock, days_in},
};

/// A point in time, to the second, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instant(Clock);

impl Instant {
    /// Seconds since 1970.
    pub(super) fn unix(self) -> i64 {
        self.0.unix()
    }

    /// As JSON has it.
    pub(super) fn text(self) -> String {
        let Clock {
            year,
            month,
            day,
            second,
        } = self.0;
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }

    /// The next of a certificate's times.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let element = reader.any();
        match element {
            Some(time) if time.tag == tag::UTC_TIME => {
                let digits = |text: &[u8]| read(text, 2).or_else(|| read_without_seconds(text));
                of(time.content, "x509: malformed UTCTime", digits)
            }
            Some(time) if time.tag == tag::GENERALIZED_TIME => {
                of(time.content, "x509: malformed GeneralizedTime", |text| {
                    read(text, 4)
                })
            }
            _ => Err(wrong("x509: unsupported time format")),
        }
    }
}

fn of(
    content: &[u8],
    malformed: &'static str,
    read: impl Fn(&[u8]) -> Option<Clock>,
) -> Result<Instant> {
    match content {
        [text @ .., b'Z'] => read(text).map(Instant).ok_or_else(|| wrong(malformed)),
        // `+0100`. OPA shows such a time in its zone.
        [.., b'+' | b'-', _, _, _, _] => Err(beyond("a certificate's time has a zone")),
        _ => Err(wrong(malformed)),
    }
}

fn read_without_seconds(text: &[u8]) -> Option<Clock> {
    (text.len() == 10).then(|| read(&[text, b"00"].concat(), 2))?
}

/// A year of so many digits, and two for each other part.
fn read(text: &[u8], digits_of_year: usize) -> Option<Clock> {
    if text.len() != digits_of_year + 10 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |digits: &[u8]| {
        let digit = |digit: &u8| i64::from(digit - b'0');
        digits
            .iter()
            .map(digit)
            .fold(0, |sum, digit| 10 * sum + digit)
    };
    let (year, rest) = text.split_at(digits_of_year);
    let parts: Vec<i64> = rest.chunks(2).map(number).collect();
    let year = match (digits_of_year, number(year)) {
        // Of two digits, those from 50 on are of the last century.
        (2, year @ 50..) => 1900 + year,
        (2, year) => 2000 + year,
        (_, year) => year,
    };
    let &[month, day, hour, minute, second] = parts.as_slice() else {
        return None;
    };
    let is_valid = (1..=12).contains(&month)
        && (1..=days_in(month, year)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    is_valid.then_some(Clock {
        year,
        month,
        day,
        second: (hour * 60 + minute) * 60 + second,
    })
}
