//! One directive with its operand.

use std::fmt::Write as _;

use num_bigint::{BigInt, Sign};

use super::{Operand, float};
use crate::rego::value::{printable::is_printable, text::quote_with};

/// What stands between `%` and the verb.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "Go's flags")]
pub(super) struct Directive {
    pub(super) plus: bool,
    pub(super) minus: bool,
    pub(super) sharp: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    /// `#` of a `%v`, which is none for most operands.
    pub(super) sharp_value: bool,
    /// `+` of a `%v`.
    pub(super) plus_value: bool,
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
}

/// Writes an operand. The error says why what Go writes is not known.
pub(super) fn write(
    result: &mut String,
    directive: Directive,
    verb: char,
    operand: &Operand<'_>,
) -> Result<(), &'static str> {
    if !is_written(result, directive, verb, operand)? {
        result.push_str("%!");
        result.push(verb);
        result.push('(');
        result.push_str(operand.type_name());
        if !matches!(operand, Operand::Nothing) {
            result.push('=');
            write(result, directive, 'v', operand)?;
        }
        result.push(')');
    }
    Ok(())
}

/// Writes an operand. `false` if it is not written with this verb.
fn is_written(
    result: &mut String,
    directive: Directive,
    verb: char,
    operand: &Operand<'_>,
) -> Result<bool, &'static str> {
    Ok(match (verb, operand) {
        // The address of a pointer, and what is behind it.
        ('p' | 'w', Operand::Big(_)) => return Err("addresses are known to nobody"),
        ('T', operand) => {
            directive.text(result, operand.type_name());
            true
        }
        (verb, Operand::Big(integer)) => {
            directive.big(result, verb, integer);
            true
        }
        (verb, Operand::Integer(integer)) => directive.integer(result, verb, *integer),
        (verb, Operand::Float(float)) => directive.float(result, verb, *float),
        (verb, Operand::Text(text)) => directive.string(result, verb, text),
        (verb, Operand::Named(operand, _)) => is_written(result, directive, verb, operand)?,
        ('t' | 'v', Operand::Boolean(truth)) => {
            directive.pad(result, if *truth { "true" } else { "false" });
            true
        }
        ('v', Operand::Nothing) => {
            directive.pad(result, "<nil>");
            true
        }
        (_, Operand::Boolean(_) | Operand::Nothing) => false,
        ('v', Operand::Collection(text, _)) if directive == Directive::default() => {
            result.push_str(text);
            true
        }
        (_, Operand::Collection(..)) => {
            return Err("of collections, only what `%v` writes is known");
        }
    })
}

impl Directive {
    /// Pads with spaces, or with noughts on the left where those are asked for.
    fn pad(self, result: &mut String, text: &str) {
        let width = self.width.unwrap_or(0);
        let missing = width.saturating_sub(text.chars().count());
        if self.minus {
            result.push_str(text);
            self.fill(result, missing);
        } else {
            self.fill(result, missing);
            result.push_str(text);
        }
    }

    fn fill(self, result: &mut String, count: usize) {
        let filling = if self.zero && !self.minus { "0" } else { " " };
        result.push_str(&filling.repeat(count));
    }

    fn without_noughts(self) -> Self {
        Self {
            zero: false,
            ..self
        }
    }

    fn cut<'t>(&self, text: &'t str) -> &'t str {
        let end = self
            .precision
            .and_then(|precision| text.char_indices().nth(precision));
        end.map_or(text, |(end, _)| &text[..end])
    }

    /// A text, cut to the precision.
    fn text(self, result: &mut String, text: &str) {
        self.pad(result, self.cut(text));
    }

    /// `false` if strings are not written with this verb.
    fn string(self, result: &mut String, verb: char, text: &str) -> bool {
        match verb {
            'v' if self.sharp_value => self.quoted(result, text),
            'v' | 's' => self.text(result, text),
            'q' => self.quoted(result, text),
            'x' => self.bytes(result, text, "0123456789abcdefx"),
            'X' => self.bytes(result, text, "0123456789ABCDEFX"),
            _ => return false,
        }
        true
    }

    fn quoted(self, result: &mut String, text: &str) {
        let text = self.cut(text);
        let is_raw = |c: char| c == '\t' || !(c.is_ascii_control() || c == '`' || c == '\u{feff}');
        if self.sharp && text.chars().all(is_raw) {
            return self.pad(result, &format!("`{text}`"));
        }
        let mut quoted = String::with_capacity(text.len() + 2);
        quote_with(&mut quoted, text, '"', self.plus);
        self.pad(result, &quoted);
    }

    /// Bytes in digits, and the letter of the prefix behind those.
    fn bytes(self, result: &mut String, text: &str, digits: &str) {
        let digits: Vec<char> = digits.chars().collect();
        let length = self.precision.unwrap_or(text.len()).min(text.len());
        let mut written = String::with_capacity(3 * length);
        for (at, byte) in text.bytes().take(length).enumerate() {
            if self.space && at > 0 {
                written.push(' ');
            }
            if self.sharp && (self.space || at == 0) {
                written.extend(['0', digits[16]]);
            }
            written.push(digits[usize::from(byte >> 4)]);
            written.push(digits[usize::from(byte & 0xf)]);
        }
        self.pad(result, &written);
    }

    /// `false` if integers are not written with this verb.
    fn integer(self, result: &mut String, verb: char, integer: i64) -> bool {
        let character = || {
            let code = u32::try_from(integer).ok();
            code.and_then(char::from_u32).unwrap_or('\u{fffd}')
        };
        match verb {
            'v' | 'd' | 'b' | 'o' | 'O' | 'x' | 'X' => self.digits(result, verb, integer),
            'c' => self.pad(result, character().encode_utf8(&mut [0; 4])),
            'q' => {
                let mut quoted = String::new();
                let character = character();
                quote_with(
                    &mut quoted,
                    character.encode_utf8(&mut [0; 4]),
                    '\'',
                    self.plus,
                );
                self.pad(result, &quoted);
            }
            'U' => {
                let digits = self.precision.unwrap_or(0).max(4);
                let mut text = format!("{integer:X}");
                text.insert_str(0, &"0".repeat(digits.saturating_sub(text.len())));
                text.insert_str(0, "U+");
                let shown = u32::try_from(integer).ok().and_then(char::from_u32);
                if let Some(shown) = shown.filter(|shown| self.sharp && is_printable(*shown)) {
                    text.extend([' ', '\'', shown, '\'']);
                }
                self.without_noughts().pad(result, &text);
            }
            _ => return false,
        }
        true
    }

    fn digits(self, result: &mut String, verb: char, integer: i64) {
        let magnitude = integer.unsigned_abs();
        let mut digits = match verb {
            'b' => format!("{magnitude:b}"),
            'o' | 'O' => format!("{magnitude:o}"),
            'x' => format!("{magnitude:x}"),
            'X' => format!("{magnitude:X}"),
            _ => magnitude.to_string(),
        };
        let least = match self.precision {
            // Nothing at all is written of nought with no digits.
            Some(0) if magnitude == 0 => {
                let width = self.width.unwrap_or(0);
                return self.without_noughts().fill(result, width);
            }
            Some(precision) => precision,
            None if self.zero && !self.minus => {
                let sign = integer < 0 || self.plus || self.space;
                self.width.unwrap_or(0).saturating_sub(usize::from(sign))
            }
            None => 0,
        };
        digits.insert_str(0, &"0".repeat(least.saturating_sub(digits.len())));
        if self.sharp {
            match verb {
                'b' => digits.insert_str(0, "0b"),
                'o' | 'O' if !digits.starts_with('0') => digits.insert(0, '0'),
                'x' => digits.insert_str(0, "0x"),
                'X' => digits.insert_str(0, "0X"),
                _ => {}
            }
        }
        if verb == 'O' {
            digits.insert_str(0, "0o");
        }
        if let Some(sign) = self.sign(integer < 0) {
            digits.insert(0, sign);
        }
        self.without_noughts().pad(result, &digits);
    }

    fn sign(self, negative: bool) -> Option<char> {
        match negative {
            true => Some('-'),
            false if self.plus => Some('+'),
            false if self.space => Some(' '),
            false => None,
        }
    }

    /// An integer beyond 64 bits, which writes itself.
    fn big(self, result: &mut String, verb: char, integer: &BigInt) {
        let radix = match verb {
            'b' => 2,
            'o' | 'O' => 8,
            'd' | 's' | 'v' => 10,
            'x' | 'X' => 16,
            _ => {
                result.push_str("%!");
                result.push(verb);
                // Writing to a string does not fail.
                let _ = write!(result, "(big.Int={integer})");
                return;
            }
        };
        let given = Self {
            plus: self.plus || self.plus_value,
            ..self
        };
        let prefix = match verb {
            'O' => "0o",
            'b' if self.sharp => "0b",
            'o' if self.sharp => "0",
            'x' if self.sharp => "0x",
            'X' if self.sharp => "0X",
            _ => "",
        };
        let mut digits = integer.magnitude().to_str_radix(radix);
        if verb == 'X' {
            digits.make_ascii_uppercase();
        }
        let sign = given.sign(integer.sign() == Sign::Minus);
        let mut noughts = self.precision.unwrap_or(0).saturating_sub(digits.len());
        let length = usize::from(sign.is_some()) + prefix.len() + noughts + digits.len();
        let missing = self.width.unwrap_or(0).saturating_sub(length);
        let (mut left, mut right) = (0, 0);
        if self.minus {
            right = missing;
        } else if self.zero && self.precision.is_none() {
            noughts = missing;
        } else {
            left = missing;
        }
        result.push_str(&" ".repeat(left));
        result.extend(sign);
        result.push_str(prefix);
        result.push_str(&"0".repeat(noughts));
        result.push_str(&digits);
        result.push_str(&" ".repeat(right));
    }

    /// `false` if floats are not written with this verb.
    fn float(self, result: &mut String, verb: char, float: f64) -> bool {
        let (verb, usual) = match verb {
            'v' => ('g', None),
            'b' | 'g' | 'G' | 'x' | 'X' => (verb, None),
            'f' | 'e' | 'E' => (verb, Some(6)),
            'F' => ('f', Some(6)),
            _ => return false,
        };
        let precision = self.precision.or(usual);
        let mut text = float::magnitude(float, verb, precision);
        if self.sharp && verb != 'b' {
            text = with_point(&text, verb, precision);
        }
        let Some(sign) = self.sign(float.is_sign_negative()) else {
            self.pad(result, &text);
            return true;
        };
        let missing = self.width.unwrap_or(0).saturating_sub(text.len() + 1);
        if self.zero && !self.minus && missing > 0 {
            result.push(sign);
            self.fill(result, missing);
            result.push_str(&text);
        } else {
            text.insert(0, sign);
            self.pad(result, &text);
        }
        true
    }
}

/// A float with a point, and with the noughts at the end that were taken away.
fn with_point(text: &str, verb: char, precision: Option<usize>) -> String {
    let is_hexadecimal = matches!(verb, 'x' | 'X');
    let exponent = |c: char| match c {
        'p' | 'P' => true,
        'e' | 'E' => !is_hexadecimal,
        _ => false,
    };
    let (number, tail) = text.split_at(text.find(exponent).unwrap_or(text.len()));
    let wanted = match verb {
        'g' | 'G' | 'x' => precision.unwrap_or(6),
        _ => 0,
    };
    let digits = number.chars().filter(|character| *character != '.');
    // As Go counts, the letter of a prefix is a digit.
    let mut count = digits.skip_while(|digit| *digit == '0').count();
    let mut result = number.to_owned();
    if !number.contains('.') {
        if number == "0" {
            count += 1;
        }
        result.push('.');
    }
    result.push_str(&"0".repeat(wanted.saturating_sub(count)));
    result.push_str(tail);
    result
}
