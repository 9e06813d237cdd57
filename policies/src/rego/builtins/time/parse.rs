//! Times read by a layout, as Go's `time.Parse` reads them where the local zone is UTC.

use std::fmt::Write as _;

use super::{
    super::{Fault, Result, beginning},
    calendar::{Clock, days_in, is_leap},
    layout::{Element, Fraction, MONTHS, Offset, Parts, SHORT, WEEKDAYS, split},
};

/// A time: seconds since 1970, and nanoseconds.
pub(super) fn parse(layout: &str, value: &str) -> Result<(i64, i64)> {
    let mut reader = Reader {
        rest: value.as_bytes(),
        ..Reader::default()
    };
    let complaint = |about: &str| Fault::Value(format!("parsing time {}{about}", quoted(value)));
    let cannot = |rest: &[u8], element: &str| {
        complaint(&format!(
            " as {}: cannot parse {} as {}",
            quoted(layout),
            quoted(&String::from_utf8_lossy(rest)),
            quoted(element)
        ))
    };
    let mut rest = layout;
    loop {
        let found = split(rest);
        if !reader.skip(found.before.as_bytes()) {
            return Err(cannot(reader.rest, found.before));
        }
        let Some(element) = found.element else {
            break;
        };
        rest = found.rest;
        let before = reader.rest;
        match reader.read(element, rest) {
            Ok(()) => {}
            Err(Bad::Range(of)) => return Err(complaint(&format!(": {of} out of range"))),
            Err(Bad::Form) => return Err(cannot(before, found.text)),
        }
    }
    if !reader.rest.is_empty() {
        let extra = quoted(&String::from_utf8_lossy(reader.rest));
        return Err(complaint(&format!(": extra text: {extra}")));
    }
    reader.finish().map_err(|about| complaint(&about))
}

/// Why an element cannot be read.
#[derive(Debug)]
enum Bad {
    Form,
    Range(&'static str),
}

type Read<T> = std::result::Result<T, Bad>;

/// What has been read, and what is left.
#[derive(Debug, Default)]
struct Reader<'v> {
    rest: &'v [u8],
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanosecond: i64,
    morning: bool,
    afternoon: bool,
    is_utc: bool,
    offset: Option<i64>,
}

impl<'v> Reader<'v> {
    /// Takes what stands for itself; runs of spaces are all alike.
    fn skip(&mut self, mut expected: &[u8]) -> bool {
        while let Some(first) = expected.first() {
            if *first == b' ' {
                if self.rest.first().is_some_and(|byte| *byte != b' ') {
                    return false;
                }
                expected = without_spaces(expected);
                self.rest = without_spaces(self.rest);
            } else if self.rest.first() == Some(first) {
                expected = &expected[1..];
                self.rest = &self.rest[1..];
            } else {
                return false;
            }
        }
        true
    }

    fn take(&mut self, count: usize) -> Read<&'v [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Bad::Form)?;
        self.rest = rest;
        Ok(taken)
    }

    fn read(&mut self, element: Element, layout: &str) -> Read<()> {
        match element {
            Element::YearOfTwo => {
                let year = signed(self.take(2)?)?;
                self.year = year + if year >= 69 { 1900 } else { 2000 };
            }
            Element::Year => {
                if !self.starts_with_digit() {
                    return Err(Bad::Form);
                }
                self.year = signed(self.take(4)?)?;
            }
            Element::ShortMonth => self.month = Some(1 + self.name(&MONTHS, Some(SHORT))?),
            Element::LongMonth => self.month = Some(1 + self.name(&MONTHS, None)?),
            Element::Month | Element::MonthOfTwo => {
                let month = self.number(element == Element::MonthOfTwo)?;
                self.month = Some(within(month, 1, 12, "month")?);
            }
            Element::ShortWeekday => drop(self.name(&WEEKDAYS, Some(SHORT))?),
            Element::LongWeekday => drop(self.name(&WEEKDAYS, None)?),
            Element::Day | Element::DayAfterSpace | Element::DayOfTwo => {
                self.spaces(usize::from(element == Element::DayAfterSpace));
                self.day = Some(self.number(element == Element::DayOfTwo)?);
            }
            Element::YearDayAfterSpace | Element::YearDayOfThree => {
                let is_fixed = element == Element::YearDayOfThree;
                self.spaces(if is_fixed { 0 } else { 2 });
                self.year_day = Some(self.number_of_three(is_fixed)?);
            }
            Element::Hour => self.hour = within(self.number(false)?, 0, 23, "hour")?,
            Element::HourOfHalf | Element::HourOfHalfOfTwo => {
                let hour = self.number(element == Element::HourOfHalfOfTwo)?;
                self.hour = within(hour, 0, 12, "hour")?;
            }
            Element::Minute | Element::MinuteOfTwo => {
                let minute = self.number(element == Element::MinuteOfTwo)?;
                self.minute = within(minute, 0, 59, "minute")?;
            }
            Element::Second | Element::SecondOfTwo => {
                let second = self.number(element == Element::SecondOfTwo)?;
                self.second = within(second, 0, 59, "second")?;
                self.fraction_unasked(layout)?;
            }
            Element::UpperHalf => self.half(b"PM", b"AM")?,
            Element::LowerHalf => self.half(b"pm", b"am")?,
            Element::Offset(offset) => self.offset(offset)?,
            Element::ZoneName => self.zone_name()?,
            Element::Fraction(fraction) => self.fraction(fraction)?,
        }
        Ok(())
    }

    fn starts_with_digit(&self) -> bool {
        self.rest.first().is_some_and(u8::is_ascii_digit)
    }

    /// At most so many spaces.
    fn spaces(&mut self, most: usize) {
        for _ in 0..most {
            self.rest = self.rest.strip_prefix(b" ").unwrap_or(self.rest);
        }
    }

    /// One of these names, or of their first letters, in any case.
    fn name(&mut self, names: &[&str], length: Option<usize>) -> Read<i64> {
        for (at, name) in names.iter().enumerate() {
            let name = &name.as_bytes()[..length.unwrap_or(name.len())];
            if let Some((start, rest)) = self.rest.split_at_checked(name.len())
                && start.eq_ignore_ascii_case(name)
            {
                self.rest = rest;
                return i64::try_from(at).map_err(|_| Bad::Form);
            }
        }
        Err(Bad::Form)
    }

    /// A number of one digit or two.
    fn number(&mut self, is_fixed: bool) -> Read<i64> {
        self.digits(if is_fixed { 2 } else { 1 }, 2)
    }

    fn number_of_three(&mut self, is_fixed: bool) -> Read<i64> {
        self.digits(if is_fixed { 3 } else { 1 }, 3)
    }

    fn digits(&mut self, least: usize, most: usize) -> Read<i64> {
        let found = self.rest.iter().take(most);
        let count = found.take_while(|byte| byte.is_ascii_digit()).count();
        if count < least {
            return Err(Bad::Form);
        }
        Ok(number(self.take(count)?))
    }

    fn half(&mut self, after: &[u8], before: &[u8]) -> Read<()> {
        let half = self.take(2)?;
        if half == after {
            self.afternoon = true;
        } else if half == before {
            self.morning = true;
        } else {
            return Err(Bad::Form);
        }
        Ok(())
    }

    /// Seconds may have a fraction though the layout has none.
    fn fraction_unasked(&mut self, layout: &str) -> Read<()> {
        let has_fraction = matches!(self.rest, [b'.' | b',', digit, ..] if digit.is_ascii_digit());
        if !has_fraction || matches!(split(layout).element, Some(Element::Fraction(_))) {
            return Ok(());
        }
        let length = 1 + leading_digits(&self.rest[1..]);
        self.nanosecond = nanoseconds(self.take(length)?)?;
        Ok(())
    }

    fn fraction(&mut self, fraction: Fraction) -> Read<()> {
        if !fraction.trimmed {
            self.nanosecond = nanoseconds(self.take(1 + fraction.digits)?)?;
            return Ok(());
        }
        if let [b'.' | b',', digits @ ..] = self.rest {
            let length = leading_digits(digits);
            if length > 0 {
                self.nanosecond = nanoseconds(self.take(1 + length)?)?;
            }
        }
        Ok(())
    }

    fn offset(&mut self, form: Offset) -> Read<()> {
        if form.zulu
            && let Some(rest) = self.rest.strip_prefix(b"Z")
        {
            self.rest = rest;
            self.is_utc = true;
            return Ok(());
        }
        let parts = match form.parts {
            Parts::Hours => 1,
            Parts::Minutes => 2,
            Parts::Seconds => 3,
        };
        let colon = usize::from(form.colons);
        let text = self.take(1 + 2 * parts + colon * (parts - 1))?;
        let mut numbers = [0; 3];
        let mut is_well_formed = true;
        for (part, number_of_part) in numbers.iter_mut().enumerate().take(parts) {
            let start = 1 + part * (2 + colon);
            is_well_formed &= part == 0 || colon == 0 || text[start - 1] == b':';
            let digits = &text[start..start + 2];
            is_well_formed &= digits.iter().all(u8::is_ascii_digit);
            if !is_well_formed {
                break;
            }
            *number_of_part = number(digits);
        }
        let [hours, minutes, seconds] = numbers;
        within(hours, 0, 24, "time zone offset hour")?;
        within(minutes, 0, 60, "time zone offset minute")?;
        within(seconds, 0, 60, "time zone offset second")?;
        let offset = (hours * 60 + minutes) * 60 + seconds;
        self.offset = match text[0] {
            b'+' if is_well_formed => Some(offset),
            // Go has this number for an offset that was not given.
            b'-' if is_well_formed => Some(-offset).filter(|offset| *offset != -1),
            _ => return Err(Bad::Form),
        };
        Ok(())
    }

    /// A name of a zone, which is taken for UTC, as Go does with all that the local zone does not
    /// know.
    fn zone_name(&mut self) -> Read<()> {
        if let Some(rest) = self.rest.strip_prefix(b"UTC") {
            self.rest = rest;
            self.is_utc = true;
            return Ok(());
        }
        let length = zone_length(self.rest).ok_or(Bad::Form)?;
        self.take(length)?;
        Ok(())
    }

    fn finish(self) -> std::result::Result<(i64, i64), String> {
        let hour = match self.hour {
            hour if self.afternoon && hour < 12 => hour + 12,
            12 if self.morning => 0,
            hour => hour,
        };
        let (month, day) = match self.year_day {
            Some(year_day) => self.of_year(year_day)?,
            None => (self.month.unwrap_or(1), self.day.unwrap_or(1)),
        };
        if !(1..=days_in(month, self.year)).contains(&day) {
            return Err(": day out of range".to_owned());
        }
        let clock = Clock {
            year: self.year,
            month,
            day,
            second: (hour * 60 + self.minute) * 60 + self.second,
        };
        let offset = match self.offset {
            Some(offset) if !self.is_utc => offset,
            _ => 0,
        };
        Ok((clock.unix() - offset, self.nanosecond))
    }

    /// The month and the day that a day of the year is.
    fn of_year(&self, year_day: i64) -> std::result::Result<(i64, i64), String> {
        let length = if is_leap(self.year) { 366 } else { 365 };
        if !(1..=length).contains(&year_day) {
            return Err(": day-of-year out of range".to_owned());
        }
        let (mut month, mut day) = (1, year_day);
        while day > days_in(month, self.year) {
            day -= days_in(month, self.year);
            month += 1;
        }
        if self.month.is_some_and(|given| given != month) {
            return Err(": day-of-year does not match month".to_owned());
        }
        if self.day.is_some_and(|given| given != day) {
            return Err(": day-of-year does not match day".to_owned());
        }
        Ok((month, day))
    }
}

fn without_spaces(text: &[u8]) -> &[u8] {
    let spaces = text.iter().take_while(|byte| **byte == b' ').count();
    &text[spaces..]
}

fn leading_digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// The number of a few digits.
fn number(digits: &[u8]) -> i64 {
    digits
        .iter()
        .fold(0, |number, digit| number * 10 + i64::from(digit - b'0'))
}

/// A number that may have a sign. There may be no digits, which is nought.
fn signed(text: &[u8]) -> Read<i64> {
    let (negative, digits) = match text {
        [sign @ (b'+' | b'-'), digits @ ..] => (*sign == b'-', digits),
        digits => (false, digits),
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(Bad::Form);
    }
    let number = number(digits);
    Ok(if negative { -number } else { number })
}

fn within(number: i64, least: i64, most: i64, of: &'static str) -> Read<i64> {
    if (least..=most).contains(&number) {
        Ok(number)
    } else {
        Err(Bad::Range(of))
    }
}

/// A point or a comma, and digits, of which nine count.
fn nanoseconds(text: &[u8]) -> Read<i64> {
    let [b'.' | b',', digits @ ..] = text else {
        return Err(Bad::Form);
    };
    let digits = &digits[..digits.len().min(9)];
    let number = signed(digits)?;
    if number < 0 {
        return Err(Bad::Range("fractional second"));
    }
    let missing = u32::try_from(9 - digits.len()).unwrap_or(0);
    Ok(number * 10_i64.pow(missing))
}

/// How many bytes of a text look like the name of a zone.
fn zone_length(text: &[u8]) -> Option<usize> {
    if text.len() < 3 {
        return None;
    }
    if text.starts_with(b"ChST") || text.starts_with(b"MeST") {
        return Some(4);
    }
    if let Some(rest) = text.strip_prefix(b"GMT") {
        return Some(3 + signed_offset(rest));
    }
    if matches!(text[0], b'+' | b'-') {
        return Some(signed_offset(text)).filter(|length| *length > 0);
    }
    let letters = text.iter().take(6);
    match letters.take_while(|byte| byte.is_ascii_uppercase()).count() {
        3 => Some(3),
        4 if text[3] == b'T' || text.starts_with(b"WITA") => Some(4),
        5 if text[4] == b'T' => Some(5),
        _ => None,
    }
}

/// The length of a sign and a number of hours; nought if it is none.
fn signed_offset(text: &[u8]) -> usize {
    let [b'+' | b'-', digits @ ..] = text else {
        return 0;
    };
    let length = leading_digits(digits);
    let significant = digits[..length].iter().position(|digit| *digit != b'0');
    let significant = &digits[significant.unwrap_or(length)..length];
    if length == 0 || significant.len() > 2 || number(significant) > 23 {
        return 0;
    }
    1 + length
}

/// A text between quotes, as Go's `time` has it in its errors.
pub(super) fn quoted(text: &str) -> String {
    let mut result = "\"".to_owned();
    for character in beginning(text).chars() {
        match character {
            '"' | '\\' => result.extend(['\\', character]),
            ' '..='\u{7f}' => result.push(character),
            _ => {
                let mut bytes = [0; 4];
                for byte in character.encode_utf8(&mut bytes).bytes() {
                    // Writing to a string does not fail.
                    let _ = write!(result, "\\x{byte:02x}");
                }
            }
        }
    }
    result.push('"');
    result
}
