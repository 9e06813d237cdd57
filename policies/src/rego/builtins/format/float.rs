//! Floats as Go's `strconv.FormatFloat` writes them.

use std::fmt::Write as _;

/// Digits after which there are only noughts: the longest fraction of a float has 1074.
const MOST_DIGITS: usize = 1100;

/// Bits of a mantissa, without the highest.
const MANTISSA_BITS: u32 = 52;

/// The text of a float's magnitude. Without a precision, as many digits as name it.
pub(in crate::rego::builtins) fn magnitude(
    float: f64,
    verb: char,
    precision: Option<usize>,
) -> String {
    let float = float.abs();
    match verb {
        'b' => binary(float),
        'x' => hexadecimal(float, precision),
        'X' => hexadecimal(float, precision).to_ascii_uppercase(),
        'e' | 'E' => {
            let digits = Digits::of(float, precision);
            let after = precision.unwrap_or(digits.text.len().saturating_sub(1));
            digits.scientific(after, verb)
        }
        'f' => {
            let Some(precision) = precision else {
                return format!("{float}");
            };
            let exact = precision.min(MOST_DIGITS);
            let mut text = format!("{float:.exact$}");
            text.push_str(&"0".repeat(precision - exact));
            text
        }
        verb => general(float, verb, precision),
    }
}

/// Significant digits, without noughts at the end, and where the point is.
#[derive(Debug)]
struct Digits {
    text: String,
    point: i64,
}

impl Digits {
    /// With so many digits after the first, or as many as name the float.
    fn of(float: f64, after: Option<usize>) -> Self {
        let text = match after {
            Some(after) => format!("{float:.*e}", after.min(MOST_DIGITS)),
            None => format!("{float:e}"),
        };
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let digits = mantissa.replace('.', "");
        let digits = digits.trim_end_matches('0');
        if digits.is_empty() {
            return Self {
                text: String::new(),
                point: 0,
            };
        }
        Self {
            text: digits.to_owned(),
            point: exponent.parse::<i64>().unwrap_or(0) + 1,
        }
    }

    /// `1.5e+06`
    fn scientific(&self, after: usize, verb: char) -> String {
        let (first, rest) = match self.text.get(..1) {
            Some(first) => (first, &self.text[1..]),
            None => ("0", ""),
        };
        let mut text = first.to_owned();
        if after > 0 {
            let kept = &rest[..rest.len().min(after)];
            text.push('.');
            text.push_str(kept);
            text.push_str(&"0".repeat(after - kept.len()));
        }
        let exponent = if self.text.is_empty() {
            0
        } else {
            self.point - 1
        };
        let sign = if exponent < 0 { '-' } else { '+' };
        // Writing to a string does not fail.
        let _ = write!(text, "{verb}{sign}{:02}", exponent.abs());
        text
    }

    /// `1500.25`
    fn plain(&self, after: usize) -> String {
        let digit = |at: i64| {
            let at = usize::try_from(at).ok();
            at.and_then(|at| self.text.as_bytes().get(at))
                .map_or('0', |digit| char::from(*digit))
        };
        let mut text: String = (0..self.point).map(digit).collect();
        if text.is_empty() {
            text.push('0');
        }
        if after > 0 {
            text.push('.');
            let after = i64::try_from(after).unwrap_or(i64::MAX);
            text.extend((0..after).map(|at| digit(self.point + at)));
        }
        text
    }
}

/// With an exponent where it is below -4, or not below the precision.
fn general(float: f64, verb: char, precision: Option<usize>) -> String {
    let wanted = precision.map(|precision| precision.max(1));
    let digits = Digits::of(float, wanted.map(|wanted| wanted - 1));
    let count = digits.text.len();
    let precision = wanted.unwrap_or(count);
    let fits = i64::try_from(count).is_ok_and(|count| count >= digits.point);
    let limit = match wanted {
        // Without a precision, Go decides as with one of six.
        None => 6,
        Some(wanted) if wanted > count && fits => count,
        Some(wanted) => wanted,
    };
    let exponent = digits.point - 1;
    if exponent < -4 || i64::try_from(limit).is_ok_and(|limit| exponent >= limit) {
        let e = if verb == 'G' { 'E' } else { 'e' };
        return digits.scientific(precision.min(count).saturating_sub(1), e);
    }
    let point = usize::try_from(digits.point).unwrap_or(0);
    let after = if precision > point { count } else { precision };
    let after = i64::try_from(after).unwrap_or(i64::MAX) - digits.point;
    digits.plain(usize::try_from(after).unwrap_or(0))
}

/// The mantissa with its highest bit, and the exponent of its highest bit.
fn parts(float: f64) -> (u64, i32) {
    let bits = float.to_bits();
    let mantissa = bits & ((1 << MANTISSA_BITS) - 1);
    let exponent = i32::try_from((bits >> MANTISSA_BITS) & 0x7ff).unwrap_or(0);
    match exponent {
        0 => (mantissa, 1 - 1023),
        exponent => (mantissa | (1 << MANTISSA_BITS), exponent - 1023),
    }
}

/// `6755399441055744p-52`
fn binary(float: f64) -> String {
    let (mantissa, exponent) = parts(float);
    let exponent = exponent - MANTISSA_BITS.cast_signed();
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}p{sign}{}", exponent.abs())
}

/// `0x1.8p+00`
fn hexadecimal(float: f64, precision: Option<usize>) -> String {
    /// Where the first digit ends.
    const POINT: u32 = 60;
    let (mut mantissa, mut exponent) = parts(float);
    if mantissa == 0 {
        exponent = 0;
    } else {
        mantissa <<= POINT - MANTISSA_BITS;
        let shift = mantissa.leading_zeros() - (u64::BITS - 1 - POINT);
        mantissa <<= shift;
        exponent -= shift.cast_signed();
    }
    if let Some(precision @ 0..15) = precision {
        let shift = u32::try_from(precision * 4).unwrap_or(0);
        let extra = (mantissa << shift) & ((1 << POINT) - 1);
        mantissa >>= POINT - shift;
        // Ties to even.
        if extra | (mantissa & 1) > 1 << (POINT - 1) {
            mantissa += 1;
        }
        mantissa <<= POINT - shift;
        if mantissa & (1 << (POINT + 1)) != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let fraction = format!("{:015x}", mantissa & ((1 << POINT) - 1));
    let fraction = match precision {
        None => fraction.trim_end_matches('0').to_owned(),
        Some(precision) => {
            let kept = precision.min(fraction.len());
            [&fraction[..kept], &*"0".repeat(precision - kept)].concat()
        }
    };
    let point = if fraction.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    let first = (mantissa >> POINT) & 1;
    format!("0x{first}{point}{fraction}p{sign}{:02}", exponent.abs())
}
