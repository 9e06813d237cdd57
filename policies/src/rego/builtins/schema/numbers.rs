//! Numbers: their limits, and what they are multiples of.

use super::outcome::{Outcome, Place};
use super::parse::Schema;
use super::validate::NAME;
use super::{Context, Result, refused};
use crate::rego::value::{Value, number, number::Decimal};

/// Adds what is wrong with a number.
pub(super) fn validate(
    context: &mut Context<'_, '_>,
    schema: &Schema,
    document: &Value,
    place: &Place<'_>,
    outcome: &mut Outcome,
) -> Result<()> {
    if let Some(multiple) = &schema.multiple_of
        && !is_multiple(document, multiple)?
    {
        let message = format!("Must be a multiple of {}", written(multiple)?);
        outcome.add(context, "multiple_of", place, message)?;
    }
    let limits = [
        (&schema.maximum, "number_lte", "less than or equal to"),
        (&schema.exclusive_maximum, "number_lt", "less than"),
        (&schema.minimum, "number_gte", "greater than or equal to"),
        (&schema.exclusive_minimum, "number_gt", "greater than"),
    ];
    for (limit, kind, relation) in limits {
        let Some(limit) = limit else { continue };
        let order = number::compare(document, limit);
        let holds = match kind {
            "number_lte" => order.is_le(),
            "number_lt" => order.is_lt(),
            "number_gte" => order.is_ge(),
            _ => order.is_gt(),
        };
        if !holds {
            let message = format!("Must be {relation} {}", written(limit)?);
            outcome.add(context, kind, place, message)?;
        }
    }
    outcome.score += 1;
    Ok(())
}

fn is_multiple(document: &Value, multiple: &Value) -> Result<bool> {
    let large = || refused(NAME, "a number is too large");
    let (document, multiple) = (Decimal::of(document), Decimal::of(multiple));
    let (document, multiple) = (document.ok_or_else(large)?, multiple.ok_or_else(large)?);
    let low = document.exponent.min(multiple.exponent);
    let whole = |decimal: Decimal| {
        let exponent = decimal.exponent - low;
        Decimal {
            exponent,
            ..decimal
        }
        .to_integer()
        .ok_or_else(large)
    };
    let (document, multiple) = (whole(document)?, whole(multiple)?);
    Ok((document % multiple).bits() == 0)
}

/// Digits that a number may have for its shortest text in 64 bits to be its own.
const DIGITS: usize = 18;

/// A number as Go's `big.Float` is written: with an exponent from a million on.
fn written(number: &Value) -> Result<String> {
    let decimal = Decimal::of(number)
        .filter(|decimal| decimal.coefficient.magnitude().to_string().len() <= DIGITS);
    let decimal = decimal.ok_or_else(|| refused(NAME, "a limit has very many digits"))?;
    let decimal = Decimal::new(decimal.coefficient, decimal.exponent);
    let digits = decimal.coefficient.magnitude().to_string();
    let exponent = decimal.exponent + i64::try_from(digits.len()).unwrap_or(0) - 1;
    if decimal == Decimal::zero() || (-4..6).contains(&exponent) {
        return Ok(decimal.text());
    }
    let sign = if decimal.coefficient.sign() == num_bigint::Sign::Minus {
        "-"
    } else {
        ""
    };
    let (first, rest) = digits.split_at(1);
    let dot = if rest.is_empty() { "" } else { "." };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    let exponent = exponent.unsigned_abs();
    Ok(format!(
        "{sign}{first}{dot}{rest}e{exponent_sign}{exponent:02}"
    ))
}
