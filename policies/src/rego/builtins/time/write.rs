//! Times in a layout.

use std::fmt::Write as _;

use super::{
    Told,
    layout::{Element, Fraction, Offset, Parts, SHORT, split},
};

/// Writes a time in a layout.
pub(super) fn write(told: &Told, layout: &str) -> String {
    let mut text = String::with_capacity(layout.len() + 16);
    let mut rest = layout;
    loop {
        let found = split(rest);
        text.push_str(found.before);
        let Some(element) = found.element else {
            return text;
        };
        write_element(&mut text, told, element);
        rest = found.rest;
    }
}

fn write_element(text: &mut String, told: &Told, element: Element) {
    let shown = told.shown;
    let hour = shown.hour();
    let half = match hour % 12 {
        0 => 12,
        hour => hour,
    };
    // Writing to a string does not fail.
    let _ = match element {
        Element::LongMonth => text.write_str(told.month()),
        Element::ShortMonth => text.write_str(&told.month()[..SHORT]),
        Element::Month => write!(text, "{}", shown.month()),
        Element::MonthOfTwo => write!(text, "{:02}", shown.month()),
        Element::LongWeekday => text.write_str(told.weekday()),
        Element::ShortWeekday => text.write_str(&told.weekday()[..SHORT]),
        Element::Day => write!(text, "{}", shown.day()),
        Element::DayAfterSpace => write!(text, "{:2}", shown.day()),
        Element::DayOfTwo => write!(text, "{:02}", shown.day()),
        Element::YearDayAfterSpace => write!(text, "{:3}", shown.day_of_year()),
        Element::YearDayOfThree => write!(text, "{:03}", shown.day_of_year()),
        Element::Hour => write!(text, "{hour:02}"),
        Element::HourOfHalf => write!(text, "{half}"),
        Element::HourOfHalfOfTwo => write!(text, "{half:02}"),
        Element::Minute => write!(text, "{}", shown.minute()),
        Element::MinuteOfTwo => write!(text, "{:02}", shown.minute()),
        Element::Second => write!(text, "{}", shown.second()),
        Element::SecondOfTwo => write!(text, "{:02}", shown.second()),
        Element::Year => write!(text, "{:04}", shown.year()),
        Element::YearOfTwo => write!(text, "{:02}", shown.year() % 100),
        Element::UpperHalf => text.write_str(if hour >= 12 { "PM" } else { "AM" }),
        Element::LowerHalf => text.write_str(if hour >= 12 { "pm" } else { "am" }),
        Element::ZoneName => text.write_str(&told.zone_name),
        Element::Offset(offset) => write_offset(text, told.offset, offset),
        Element::Fraction(fraction) => write_fraction(text, told.nanosecond, fraction),
    };
}

fn write_offset(text: &mut String, seconds: i64, offset: Offset) -> std::fmt::Result {
    if seconds == 0 && offset.zulu {
        return text.write_char('Z');
    }
    let minutes = seconds / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    // Go takes the sign from the minutes, and leaves that of less than one on the seconds.
    let seconds = if minutes < 0 { -seconds } else { seconds };
    let minutes = minutes.abs();
    let colon = if offset.colons { ":" } else { "" };
    write!(text, "{sign}{:02}", minutes / 60)?;
    if offset.parts >= Parts::Minutes {
        write!(text, "{colon}{:02}", minutes % 60)?;
    }
    if offset.parts >= Parts::Seconds {
        write!(text, "{colon}{:02}", seconds % 60)?;
    }
    Ok(())
}

fn write_fraction(text: &mut String, nanosecond: i32, fraction: Fraction) -> std::fmt::Result {
    if fraction.trimmed && (fraction.digits == 0 || nanosecond == 0) {
        return Ok(());
    }
    let digits = format!("{nanosecond:09}");
    let mut digits = &digits[..fraction.digits.min(digits.len())];
    if fraction.trimmed {
        digits = digits.trim_end_matches('0');
        if digits.is_empty() {
            return Ok(());
        }
    }
    write!(text, "{}{digits}", fraction.separator)
}
