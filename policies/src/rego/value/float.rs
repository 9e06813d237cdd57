//! Floating-point numbers with a mantissa of 64 bits and no limit on the exponent.
//!
//! OPA computes fractions in Go's `big.Float` at its default precision, which is this: every
//! operation is exact and then rounded to the nearest, ties to even. The result is printed with as
//! few digits as name it among all such numbers, and read again for the next operation.

use std::cmp::Ordering;

use num_bigint::{BigInt, BigUint, Sign};

use super::number::Decimal;

/// Bits of a mantissa.
const PRECISION: u64 = 64;

/// `mantissa × 2^exponent`. The mantissa has its highest bit set, or the number is nought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Float {
    negative: bool,
    mantissa: u64,
    exponent: i64,
}

impl Float {
    /// The nearest to a decimal.
    pub fn nearest(decimal: &Decimal) -> Self {
        let power = u32::try_from(decimal.exponent.unsigned_abs()).unwrap_or(u32::MAX);
        let ten = BigUint::from(10u8).pow(power);
        let digits = decimal.coefficient.magnitude();
        let magnitude = if decimal.exponent >= 0 {
            round(digits * ten, false, 0)
        } else {
            quotient(digits, &ten, 0)
        };
        Self {
            negative: decimal.coefficient.sign() == Sign::Minus && magnitude.0 != 0,
            mantissa: magnitude.0,
            exponent: magnitude.1,
        }
    }

    /// The sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let low = self.exponent.min(other.exponent);
        let shifted = |float: Self| {
            let integer = BigInt::from(float.mantissa) << (float.exponent - low);
            if float.negative { -integer } else { integer }
        };
        let sum = shifted(self) + shifted(other);
        let (mantissa, exponent) = round(sum.magnitude().clone(), false, low);
        Self {
            negative: sum.sign() == Sign::Minus,
            mantissa,
            exponent,
        }
    }

    /// The number of the other sign.
    #[must_use]
    pub fn negate(self) -> Self {
        Self {
            negative: !self.negative && self.mantissa != 0,
            ..self
        }
    }

    /// The product.
    #[must_use]
    pub fn multiply(self, other: Self) -> Self {
        self.multiply_within(other, u64::BITS)
    }

    /// The product in so many bits.
    #[must_use]
    pub fn multiply_within(self, other: Self, bits: u32) -> Self {
        let product = BigUint::from(self.mantissa) * other.mantissa;
        let exponent = self.exponent + other.exponent;
        let (mantissa, exponent) = round_within(product, false, exponent, u64::from(bits));
        Self {
            negative: self.negative != other.negative && mantissa != 0,
            mantissa,
            exponent,
        }
    }

    /// The quotient; `None` by nought.
    pub fn divide(self, other: Self) -> Option<Self> {
        if other.mantissa == 0 {
            return None;
        }
        let (mantissa, exponent) = quotient(
            &BigUint::from(self.mantissa),
            &BigUint::from(other.mantissa),
            self.exponent - other.exponent,
        );
        Some(Self {
            negative: self.negative != other.negative && mantissa != 0,
            mantissa,
            exponent,
        })
    }

    /// The integer towards nought.
    pub fn truncate(self) -> BigInt {
        let magnitude = if self.exponent >= 0 {
            BigUint::from(self.mantissa) << self.exponent
        } else {
            BigUint::from(self.mantissa) >> self.exponent.unsigned_abs()
        };
        let sign = if self.negative {
            Sign::Minus
        } else {
            Sign::Plus
        };
        BigInt::from_biguint(sign, magnitude)
    }

    /// Whether it is below nought.
    pub fn is_negative(self) -> bool {
        self.negative
    }

    /// The decimal with the fewest digits that is nearer to this than to any other.
    pub fn shortest(self) -> Decimal {
        self.shortest_within(u64::BITS)
    }

    /// The decimal with the fewest digits that is nearer to this than to any other of so many bits.
    pub fn shortest_within(self, bits: u32) -> Decimal {
        if self.mantissa == 0 {
            return Decimal::zero();
        }
        // In quarters of the last bit. Below the least mantissa, numbers lie twice as close, which Go
        // does not look at.
        let value = BigUint::from(self.mantissa) << 2u8;
        let missing = u64::BITS - bits;
        let half = BigUint::from(2u8) << missing;
        let (low, high) = (&value - &half, &value + &half);
        let inclusive = (self.mantissa >> missing).is_multiple_of(2);
        let binary = self.exponent - 2;
        let sign = if self.negative {
            Sign::Minus
        } else {
            Sign::Plus
        };

        let mut decimal = power_above(self.exponent);
        loop {
            // A candidate of this many tens, and the interval, in the same units.
            let ten = power(10, decimal) * power(2, -binary);
            let unit = power(2, binary) * power(10, -decimal);
            let (low, exact, high) = (&low * &unit, &value * &unit, &high * &unit);
            let fits = |candidate: &BigUint| {
                (&low < candidate && candidate < &high)
                    || (inclusive && (&low == candidate || candidate == &high))
            };
            let floor = &exact / &ten;
            let (down, up) = (&floor * &ten, (&floor + 1u8) * &ten);
            let chosen = match (fits(&down), fits(&up)) {
                (true, true) => match (&exact - &down).cmp(&(&up - &exact)) {
                    Ordering::Less => Some(floor),
                    // As Go rounds, to an even digit.
                    Ordering::Equal if !floor.bit(0) => Some(floor),
                    _ => Some(floor + 1u8),
                },
                (true, false) => Some(floor),
                (_, true) => Some(floor + 1u8),
                (false, false) => None,
            };
            if let Some(digits) = chosen {
                return Decimal::new(BigInt::from_biguint(sign, digits), decimal);
            }
            decimal -= 1;
        }
    }
}

/// A power of ten above every number with this exponent.
fn power_above(exponent: i64) -> i64 {
    // The logarithm of two, rounded so that the result is never too small.
    let bits = exponent + 64;
    if bits >= 0 {
        bits * 30_103 / 100_000 + 1
    } else {
        bits * 30_102 / 100_000 + 1
    }
}

/// A power; of a negative exponent, one.
fn power(base: u8, exponent: i64) -> BigUint {
    BigUint::from(base).pow(u32::try_from(exponent).unwrap_or(0))
}

/// `numerator / denominator × 2^exponent`, rounded.
fn quotient(numerator: &BigUint, denominator: &BigUint, exponent: i64) -> (u64, i64) {
    // Enough bits that at least one more than the precision is left.
    let shift = (PRECISION + 2 + denominator.bits()).saturating_sub(numerator.bits());
    let shifted = numerator << shift;
    let (whole, rest) = (&shifted / denominator, &shifted % denominator);
    round(whole, rest != BigUint::ZERO, exponent - shift.cast_signed())
}

/// The nearest mantissa and exponent, ties to even. `more` says that the exact number is a little
/// larger.
fn round(integer: BigUint, more: bool, exponent: i64) -> (u64, i64) {
    round_within(integer, more, exponent, PRECISION)
}

/// The same for a mantissa of so many bits, with noughts behind them.
fn round_within(integer: BigUint, more: bool, exponent: i64, precision: u64) -> (u64, i64) {
    let bits = integer.bits();
    if bits == 0 {
        return (0, 0);
    }
    if bits <= precision {
        let shift = PRECISION - bits;
        let mantissa = u64::try_from(integer << shift).unwrap_or(u64::MAX);
        return (mantissa, exponent - shift.cast_signed());
    }
    let excess = bits - precision;
    let kept = u64::try_from(&integer >> excess).unwrap_or(u64::MAX);
    let rest = &integer - (BigUint::from(kept) << excess);
    let half = BigUint::from(1u8) << (excess - 1);
    let up = rest > half || (rest == half && (more || kept % 2 == 1));
    let noughts = PRECISION - precision;
    let exponent = exponent + excess.cast_signed() - noughts.cast_signed();
    match (kept << noughts).checked_add(u64::from(up) << noughts) {
        Some(mantissa) => (mantissa, exponent),
        None => (1 << (PRECISION - 1), exponent + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Float {
        Float::nearest(&Decimal::parse(text).expect("a number"))
    }

    #[test]
    fn computes_as_go_does() {
        let table = [
            (of("1").divide(of("3")), "0.33333333333333333334"),
            (of("2").divide(of("3")), "0.6666666666666666667"),
            (Some(of("0.33333333333333333334").multiply(of("3"))), "1"),
            (Some(of("0.1").plus(of("0.2"))), "0.3"),
            (Some(of("1234567.5").multiply(of("2.5"))), "3086418.75"),
            (Some(of("0.00001").multiply(of("0.1"))), "0.000001"),
            (of("-7").divide(of("2")), "-3.5"),
            (
                Some(of("9007199254740993.5").plus(of("1"))),
                "9007199254740994.5",
            ),
            (of("1e30").divide(of("7")), "142857142857142857140000000000"),
            (of("1").divide(of("0")), "-"),
        ];
        for (result, expected) in table {
            let text = result.map_or("-".to_owned(), |float| float.shortest().text());
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn truncates_towards_nought() {
        for (text, expected) in [("2.9", 2), ("-2.9", -2), ("0.5", 0), ("12", 12)] {
            assert_eq!(of(text).truncate(), BigInt::from(expected));
        }
    }
}
