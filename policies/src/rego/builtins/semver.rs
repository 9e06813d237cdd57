//! Semantic versions, as OPA reads and compares them.

use std::cmp::Ordering;

use super::{Context, Fault, Function, Result, beginning, string};
use crate::rego::value::{Value, text::literal};

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("semver.compare", 2, compare),
    ("semver.is_valid", 1, |_, operands| {
        let text = string(operands, 0);
        Ok(Value::Bool(
            text.is_ok_and(|text| Version::parse(text).is_some()),
        ))
    }),
];

/// A version without its metadata, which count for nothing.
#[derive(Debug)]
struct Version<'v> {
    numbers: [i64; 3],
    /// Empty if it is no version before the release.
    before: &'v str,
}

fn compare(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let texts = [string(operands, 0)?, string(operands, 1)?];
    context.charge_bytes(texts[0].len() + texts[1].len())?;
    let version = |at: usize| {
        Version::parse(texts[at]).ok_or_else(|| {
            let text = literal(&Value::from(beginning(texts[at])));
            Fault::Value(format!(
                "operand {}: string {text} is not a valid SemVer",
                at + 1
            ))
        })
    };
    let (left, right) = (version(0)?, version(1)?);
    let order = left.numbers.cmp(&right.numbers);
    Ok(Value::from(
        match order.then_with(|| before(left.before, right.before)) {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        },
    ))
}

impl<'v> Version<'v> {
    fn parse(text: &'v str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = match text.split_once('+') {
            Some((text, metadata)) => Some(text).filter(|_| are_identifiers(metadata))?,
            None => text,
        };
        let (text, before) = match text.split_once('-') {
            Some((text, before)) => {
                let is_valid = are_identifiers(before) && !before.split('.').any(has_nought);
                (Some(text).filter(|_| is_valid)?, before)
            }
            None => (text, ""),
        };
        let mut numbers = text.split('.').map(|number| {
            let is_valid = is_number(number) && !has_nought(number);
            number.parse().ok().filter(|_| is_valid)
        });
        let three = [numbers.next()??, numbers.next()??, numbers.next()??];
        numbers.next().is_none().then_some(Self {
            numbers: three,
            before,
        })
    }
}

/// Whether these are identifiers, with a point between each two.
fn are_identifiers(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    text.split('.')
        .all(|part| !part.is_empty() && part.bytes().all(is_letter))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a number begins with a nought that it does not need.
fn has_nought(text: &str) -> bool {
    text.len() > 1 && text.starts_with('0') && is_number(text)
}

/// The order of versions before the same release. None at all comes last.
fn before(left: &str, right: &str) -> Ordering {
    if left.is_empty() || right.is_empty() {
        return left.is_empty().cmp(&right.is_empty());
    }
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        let (left, right) = match (left.next(), right.next()) {
            (Some(left), Some(right)) => (left, right),
            (left, right) => return left.is_some().cmp(&right.is_some()),
        };
        let order = match (is_number(left), is_number(right)) {
            (true, true) => number(left).cmp(&number(right)),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => left.cmp(right),
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// A number; the largest for one that is beyond 64 bits, as Go has it.
fn number(text: &str) -> i64 {
    text.parse().unwrap_or(i64::MAX)
}
