//! Times. Go's `time` is what OPA has; calendars and zones are jiff's.

pub(super) mod calendar;
pub(super) mod duration;
mod layout;
mod parse;
#[cfg(test)]
mod tests;
mod write;
mod zone;

use jiff::{civil::DateTime, tz};

use self::{calendar::Clock, zone::Zone};
use super::{Context, Fault, Function, Result, integer, string, wrong_type};
use crate::rego::value::{
    self, Value,
    float::Float,
    number::{self, Decimal},
};

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("time.add_date", 4, add_date),
    ("time.clock", 1, |_, operands| {
        let shown = Moment::of(&operands[0])?.told()?.shown;
        Ok(numbers(&[
            shown.hour().into(),
            shown.minute().into(),
            shown.second().into(),
        ]))
    }),
    ("time.date", 1, |_, operands| {
        let shown = Moment::of(&operands[0])?.told()?.shown;
        Ok(numbers(&[
            shown.year().into(),
            shown.month().into(),
            shown.day().into(),
        ]))
    }),
    ("time.diff", 2, difference),
    ("time.format", 1, format),
    ("time.parse_duration_ns", 1, |context, operands| {
        let text = string(operands, 0)?;
        context.charge_bytes(text.len())?;
        duration::parse(text).map(Value::from)
    }),
    ("time.parse_ns", 2, |context, operands| {
        let (layout, text) = (string(operands, 0)?, string(operands, 1)?);
        context.charge_bytes(layout.len() + text.len())?;
        parsed(layout::named(layout), text)
    }),
    ("time.parse_rfc3339_ns", 1, |context, operands| {
        let text = string(operands, 0)?;
        context.charge_bytes(text.len())?;
        parsed(layout::RFC3339, text)
    }),
    ("time.weekday", 1, |_, operands| {
        Ok(Value::from(Moment::of(&operands[0])?.told()?.weekday()))
    }),
];

const NANOSECONDS: i64 = 1_000_000_000;

/// A time somewhere.
#[derive(Debug)]
struct Moment {
    /// Since 1970.
    nanoseconds: i64,
    zone: Zone,
    /// In which it is to be written.
    layout: Option<Box<str>>,
}

/// A time as people of its zone tell it.
#[derive(Debug)]
struct Told {
    shown: DateTime,
    nanosecond: i32,
    /// Seconds east of UTC.
    offset: i64,
    zone_name: String,
}

impl Told {
    fn month(&self) -> &'static str {
        let month = usize::from(self.shown.month().unsigned_abs());
        layout::MONTHS[(month - 1) % layout::MONTHS.len()]
    }

    fn weekday(&self) -> &'static str {
        let day = self.shown.weekday().to_sunday_zero_offset();
        layout::WEEKDAYS[usize::from(day.unsigned_abs()) % layout::WEEKDAYS.len()]
    }
}

impl Moment {
    /// Nanoseconds, or an array of them, the name of a zone, and a layout.
    fn of(operand: &Value) -> Result<Self> {
        let expected = "either number (ns) or [number (ns), string (tz)]";
        let (nanoseconds, zone, layout) = match value::elements(operand) {
            Some([]) => return Err(wrong_type(1, expected, operand)),
            Some([nanoseconds, rest @ ..]) => {
                if !number::is_number(nanoseconds) {
                    return Err(wrong_type(1, "number", nanoseconds));
                }
                let zone = match rest.first() {
                    Some(Value::String(name)) => Zone::find(name)?,
                    Some(other) => return Err(wrong_type(1, "string", other)),
                    None => Zone::Utc,
                };
                let layout = match rest.get(1) {
                    Some(Value::String(layout)) => Some((&**layout).into()),
                    Some(other) => return Err(wrong_type(1, "string", other)),
                    None => None,
                };
                (nanoseconds, zone, layout)
            }
            None => (operand, Zone::Utc, None),
        };
        let decimal =
            Decimal::of(nanoseconds).ok_or_else(|| wrong_type(1, expected, nanoseconds))?;
        // OPA reads it in 64 bits of mantissa, in which what is nearly an integer is one.
        let nanoseconds = Float::nearest(&decimal)
            .shortest()
            .to_integer()
            .and_then(|integer| i64::try_from(integer).ok())
            .ok_or_else(|| Fault::Value("timestamp too big".to_owned()))?;
        Ok(Self {
            nanoseconds,
            zone,
            layout,
        })
    }

    fn unix(&self) -> i64 {
        self.nanoseconds.div_euclid(NANOSECONDS)
    }

    fn told(&self) -> Result<Told> {
        // Within the 585 years of nanoseconds, which jiff has.
        let never = |_| Fault::Value("time outside of valid range".to_owned());
        let (offset, zone_name) = self.zone.at(self.unix());
        let east = i32::try_from(offset).unwrap_or(0);
        let east = tz::Offset::from_seconds(east).map_err(never)?;
        let timestamp = jiff::Timestamp::from_nanosecond(self.nanoseconds.into()).map_err(never)?;
        let shown = east.to_datetime(timestamp);
        Ok(Told {
            nanosecond: shown.subsec_nanosecond(),
            shown,
            offset,
            zone_name,
        })
    }
}

fn numbers(numbers: &[i64]) -> Value {
    let numbers: Vec<Value> = numbers.iter().map(|number| Value::from(*number)).collect();
    Value::from(numbers)
}

/// Whether a text is a time of a layout.
pub(super) fn is_of(layout: &str, text: &str) -> bool {
    parse::parse(layout, text).is_ok()
}

fn parsed(layout: &str, text: &str) -> Result<Value> {
    let (unix, nanosecond) = parse::parse(layout, text)?;
    calendar::nanoseconds(unix, nanosecond).map(Value::from)
}

fn format(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let moment = Moment::of(&operands[0])?;
    let layout = match moment.layout.as_deref() {
        None | Some("") => layout::RFC3339_NANO,
        Some(layout) => layout::named(layout),
    };
    // `1` may become two digits, and nothing grows by more than this.
    context.charge_bytes(layout.len().saturating_mul(2))?;
    Ok(Value::from(write::write(&moment.told()?, layout)))
}

fn add_date(_: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let moment = Moment::of(&operands[0])?;
    let years = integer(operands, 1)?;
    let months = integer(operands, 2)?;
    let days = integer(operands, 3)?;
    let told = moment.told()?;
    let day = told.shown.date();
    let clock = Clock {
        year: i64::from(day.year()).wrapping_add(years),
        month: i64::from(day.month()).wrapping_add(months),
        day: i64::from(day.day()).wrapping_add(days),
        second: second_of_day(&told),
    };
    let unix = moment.zone.clock_to_unix(clock.unix());
    calendar::nanoseconds(unix, told.nanosecond.into()).map(Value::from)
}

fn second_of_day(told: &Told) -> i64 {
    let shown = told.shown;
    (i64::from(shown.hour()) * 60 + i64::from(shown.minute())) * 60 + i64::from(shown.second())
}

/// Years, months, days, hours, minutes and seconds between two times, in the zone of the first.
fn difference(_: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let first = Moment::of(&operands[0])?;
    let mut second = Moment::of(&operands[1])?;
    second.zone = first.zone.clone();
    let (early, late) = if first.nanoseconds > second.nanoseconds {
        (second, first)
    } else {
        (first, second)
    };
    let parts = |moment: &Moment| -> Result<[i64; 6]> {
        let shown = moment.told()?.shown;
        Ok([
            i64::from(shown.year()),
            shown.month().into(),
            shown.day().into(),
            shown.hour().into(),
            shown.minute().into(),
            shown.second().into(),
        ])
    };
    let (early, late) = (parts(&early)?, parts(&late)?);
    let mut between: [i64; 6] = std::array::from_fn(|at| late[at] - early[at]);
    let lengths = [0, 12, calendar::days_in(early[1], early[0]), 24, 60, 60];
    for at in (1..between.len()).rev() {
        if between[at] < 0 {
            between[at] += lengths[at];
            between[at - 1] -= 1;
        }
    }
    Ok(numbers(&between))
}
