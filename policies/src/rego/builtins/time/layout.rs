//! Layouts: how a certain time would be written.

/// What a part of a layout stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    LongMonth,
    ShortMonth,
    Month,
    MonthOfTwo,
    LongWeekday,
    ShortWeekday,
    Day,
    DayAfterSpace,
    DayOfTwo,
    YearDayAfterSpace,
    YearDayOfThree,
    Hour,
    HourOfHalf,
    HourOfHalfOfTwo,
    Minute,
    MinuteOfTwo,
    Second,
    SecondOfTwo,
    Year,
    YearOfTwo,
    UpperHalf,
    LowerHalf,
    ZoneName,
    Offset(Offset),
    Fraction(Fraction),
}

/// How seconds east of UTC are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offset {
    /// UTC is `Z`.
    pub(super) zulu: bool,
    pub(super) colons: bool,
    pub(super) parts: Parts,
}

/// How much of an offset is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Parts {
    Hours,
    Minutes,
    Seconds,
}

/// How parts of a second are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fraction {
    pub(super) digits: usize,
    /// Without noughts at the end.
    pub(super) trimmed: bool,
    pub(super) separator: char,
}

/// Digits that Go counts, before it begins anew.
const MOST_DIGITS: usize = 0xfff;

/// A layout up to its first element, the element, as it is written and what it is, and the rest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Split<'l> {
    pub(super) before: &'l str,
    pub(super) text: &'l str,
    pub(super) element: Option<Element>,
    pub(super) rest: &'l str,
}

/// Finds the first element of a layout.
pub(super) fn split(layout: &str) -> Split<'_> {
    let bytes = layout.as_bytes();
    for start in 0..bytes.len() {
        if let Some((skipped, length, element)) = element(bytes, start) {
            let (before, rest) = layout.split_at(start + skipped);
            let (text, rest) = rest.split_at(length);
            return Split {
                before,
                text,
                element: Some(element),
                rest,
            };
        }
    }
    Split {
        before: layout,
        text: "",
        element: None,
        rest: "",
    }
}

/// The element at a place: how many bytes before it stand for themselves, its length, and what it is.
fn element(layout: &[u8], at: usize) -> Option<(usize, usize, Element)> {
    use Element::{
        Day, DayAfterSpace, HourOfHalf, LongMonth, LongWeekday, LowerHalf, Minute, Month, Second,
        ShortMonth, ShortWeekday, UpperHalf, Year, YearDayAfterSpace, ZoneName,
    };
    let rest = &layout[at..];
    let word = |length: usize| !rest.get(length).is_some_and(u8::is_ascii_lowercase);
    let found = |length: usize, element: Element| Some((0, length, element));
    match rest {
        [b'J', b'a', b'n', b'u', b'a', b'r', b'y', ..] => found(7, LongMonth),
        [b'J', b'a', b'n', ..] if word(3) => found(3, ShortMonth),
        [b'M', b'o', b'n', b'd', b'a', b'y', ..] => found(6, LongWeekday),
        [b'M', b'o', b'n', ..] if word(3) => found(3, ShortWeekday),
        [b'M', b'S', b'T', ..] => found(3, ZoneName),
        [b'0', ..] => nought(rest).map(|(length, element)| (0, length, element)),
        [b'1', b'5', ..] => found(2, Element::Hour),
        [b'1', ..] => found(1, Month),
        [b'2', b'0', b'0', b'6', ..] => found(4, Year),
        [b'2', ..] => found(1, Day),
        [b'_', b'2', b'0', b'0', b'6', ..] => Some((1, 4, Year)),
        [b'_', b'2', ..] => found(2, DayAfterSpace),
        [b'_', b'_', b'2', ..] => found(3, YearDayAfterSpace),
        [b'3', ..] => found(1, HourOfHalf),
        [b'4', ..] => found(1, Minute),
        [b'5', ..] => found(1, Second),
        [b'P', b'M', ..] => found(2, UpperHalf),
        [b'p', b'm', ..] => found(2, LowerHalf),
        [sign @ (b'-' | b'Z'), ..] => {
            let (length, offset) = offset(&rest[1..], *sign == b'Z')?;
            found(1 + length, Element::Offset(offset))
        }
        [separator @ (b'.' | b','), digit @ (b'0' | b'9'), ..] => {
            let digits = rest[1..].iter().take_while(|byte| *byte == digit).count();
            // Only a fraction is all digits.
            if rest.get(1 + digits).is_some_and(u8::is_ascii_digit) {
                return None;
            }
            let fraction = Fraction {
                digits: digits & MOST_DIGITS,
                trimmed: *digit == b'9',
                separator: char::from(*separator),
            };
            found(1 + digits, Element::Fraction(fraction))
        }
        _ => None,
    }
}

/// What begins with a nought.
fn nought(rest: &[u8]) -> Option<(usize, Element)> {
    let element = match rest {
        [_, b'1', ..] => Element::MonthOfTwo,
        [_, b'2', ..] => Element::DayOfTwo,
        [_, b'3', ..] => Element::HourOfHalfOfTwo,
        [_, b'4', ..] => Element::MinuteOfTwo,
        [_, b'5', ..] => Element::SecondOfTwo,
        [_, b'6', ..] => Element::YearOfTwo,
        [_, b'0', b'2', ..] => return Some((3, Element::YearDayOfThree)),
        _ => return None,
    };
    Some((2, element))
}

/// What comes after the sign of an offset.
fn offset(rest: &[u8], zulu: bool) -> Option<(usize, Offset)> {
    // In the order in which Go looks for them.
    const FORMS: [(&[u8], bool, Parts); 5] = [
        (b"070000", false, Parts::Seconds),
        (b"07:00:00", true, Parts::Seconds),
        (b"0700", false, Parts::Minutes),
        (b"07:00", true, Parts::Minutes),
        (b"07", false, Parts::Hours),
    ];
    let (form, colons, parts) = FORMS.iter().find(|(form, ..)| rest.starts_with(form))?;
    let offset = Offset {
        zulu,
        colons: *colons,
        parts: *parts,
    };
    Some((form.len(), offset))
}

/// A layout, by a name that OPA knows or as it is.
pub(super) fn named(layout: &str) -> &str {
    match layout {
        "ANSIC" => "Mon Jan _2 15:04:05 2006",
        "UnixDate" => "Mon Jan _2 15:04:05 MST 2006",
        "RubyDate" => "Mon Jan 02 15:04:05 -0700 2006",
        "RFC822" => "02 Jan 06 15:04 MST",
        "RFC822Z" => "02 Jan 06 15:04 -0700",
        "RFC850" => "Monday, 02-Jan-06 15:04:05 MST",
        "RFC1123" => "Mon, 02 Jan 2006 15:04:05 MST",
        "RFC1123Z" => "Mon, 02 Jan 2006 15:04:05 -0700",
        "RFC3339" => RFC3339,
        "RFC3339Nano" => RFC3339_NANO,
        other => other,
    }
}

pub(super) const RFC3339: &str = "2006-01-02T15:04:05Z07:00";
pub(super) const RFC3339_NANO: &str = "2006-01-02T15:04:05.999999999Z07:00";

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// How many letters a short name has.
pub(super) const SHORT: usize = 3;
