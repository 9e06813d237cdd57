//! `sprintf`: Go's `fmt`, as far as values can reach it.

use std::borrow::Cow;

use num_bigint::{BigInt, Sign};

use super::{Context, Fault, Function, Result, string, wrong_type};
use crate::rego::{
    execute::ErrorKind,
    value::{self, Kind, Value, number, text},
};

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[("sprintf", 2, sprintf)];

/// The widest field. Go stops at the same.
const MAX_WIDTH: usize = 1_000_000;

/// Bits of the largest float. Go prints a larger number as it was written, with an exponent or
/// without.
const MAX_BITS: u64 = 1024;

/// An operand, as Go would hold it.
#[derive(Debug)]
enum Operand<'v> {
    Integer(BigInt),
    Float(f64),
    Text(Cow<'v, str>),
}

impl<'v> Operand<'v> {
    fn of(value: &'v Value) -> Self {
        match value {
            Value::String(text) => Self::Text(Cow::Borrowed(text)),
            value if number::is_written_as_fraction(value) => {
                Self::Float(number::as_f64(value).unwrap_or_default())
            }
            value if value::kind(value) == Kind::Number => match number::as_integer(value) {
                Some(integer) => Self::Integer(integer),
                None => Self::Float(number::as_f64(value).unwrap_or_default()),
            },
            value => Self::Text(Cow::Owned(text::literal(value))),
        }
    }

    /// Go's name of the type.
    fn type_name(&self) -> &'static str {
        match self {
            Self::Integer(integer) if i64::try_from(integer).is_ok() => "int64",
            Self::Integer(_) => "big.Int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
        }
    }

    /// Go's name of the type, as a pointer where it is one.
    fn pointed(&self) -> &'static str {
        match self.type_name() {
            "big.Int" => "*big.Int",
            name => name,
        }
    }

    fn plain(&self) -> String {
        match self {
            Self::Integer(integer) => integer.to_string(),
            Self::Float(float) => general(*float, None, false),
            Self::Text(text) => text.to_string(),
        }
    }
}

/// What stands between `%` and the verb.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "Go's flags")]
struct Directive {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

fn sprintf(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let format = string(operands, 0)?;
    context.charge_text(&operands[1])?;
    let arguments: Vec<Operand<'_>> = value::elements(&operands[1])
        .ok_or_else(|| wrong_type(2, "array", &operands[1]))?
        .iter()
        .map(Operand::of)
        .collect();
    let is_huge = |argument: &Operand<'_>| matches!(argument, Operand::Integer(integer) if integer.bits() > MAX_BITS);
    if arguments.iter().any(is_huge) {
        let (name, reason) = ("sprintf", "how so large a number was written is not known");
        return Err(Fault::Ends(ErrorKind::Refused { name, reason }.into()));
    }
    let is_float = |argument: &Operand| matches!(argument, Operand::Float(_));
    if arguments.iter().all(is_float) && !arguments.is_empty() && has_verb(format, &['b', 'x', 'X'])
    {
        let (name, reason) = ("sprintf", "fractions are not written in bits");
        return Err(Fault::Ends(ErrorKind::Refused { name, reason }.into()));
    }
    let mut formatter = Formatter {
        rest: format,
        arguments: &arguments,
        next: 0,
        reordered: false,
        result: String::with_capacity(format.len()),
    };
    while formatter.step() {
        let built = formatter.result.len() as u64;
        if built > context.budget.memory_left() {
            context.budget.charge(built)?;
        }
    }
    formatter.complain_about_extra();
    Ok(Value::from(formatter.result))
}

/// The state of one `sprintf`.
#[derive(Debug)]
struct Formatter<'f> {
    rest: &'f str,
    arguments: &'f [Operand<'f>],
    next: usize,
    reordered: bool,
    result: String,
}

impl Formatter<'_> {
    /// The text up to a directive, and the directive. `false` at the end.
    fn step(&mut self) -> bool {
        let Some((text, rest)) = self.rest.split_once('%') else {
            self.result.push_str(self.rest);
            self.rest = "";
            return false;
        };
        self.result.push_str(text);
        self.rest = rest;
        self.directive();
        true
    }

    fn directive(&mut self) {
        let mut directive = Directive::default();
        while let Some(flag) = self.rest.chars().next() {
            match flag {
                '+' => directive.plus = true,
                '-' => (directive.minus, directive.zero) = (true, false),
                '#' => directive.sharp = true,
                ' ' => directive.space = true,
                '0' => directive.zero = !directive.minus,
                _ => break,
            }
            self.rest = &self.rest[1..];
        }
        let mut found = self.index();
        match self.number() {
            Measure::None => {}
            Measure::Literal(width) => directive.width = Some(width),
            Measure::Argument(Some(width)) => {
                directive.minus |= width < 0;
                directive.width = usize::try_from(width.unsigned_abs()).ok();
            }
            Measure::Argument(None) => self.result.push_str("%!(BADWIDTH)"),
        }
        if self.rest.starts_with('.') {
            self.rest = &self.rest[1..];
            found &= self.index();
            match self.number() {
                Measure::None => directive.precision = Some(0),
                Measure::Literal(precision) => directive.precision = Some(precision),
                Measure::Argument(Some(precision)) if precision >= 0 => {
                    directive.precision = usize::try_from(precision).ok();
                }
                Measure::Argument(Some(_)) => {}
                Measure::Argument(None) => self.result.push_str("%!(BADPREC)"),
            }
        }
        found &= self.index();
        let Some(verb) = self.rest.chars().next() else {
            self.result.push_str("%!(NOVERB)");
            return;
        };
        self.rest = &self.rest[verb.len_utf8()..];
        match (verb, self.arguments.get(self.next)) {
            ('%', _) => self.result.push('%'),
            (verb, _) if !found => self.complain(verb, "(BADINDEX)"),
            (verb, None) => self.complain(verb, "(MISSING)"),
            (verb, Some(argument)) => {
                self.next += 1;
                format_one(&mut self.result, directive, verb, argument);
            }
        }
    }

    fn complain(&mut self, verb: char, about: &str) {
        self.result.push_str("%!");
        self.result.push(verb);
        self.result.push_str(about);
    }

    /// `[2]`: which argument comes next. `false` if there is no such one.
    fn index(&mut self) -> bool {
        let Some((inside, rest)) = self
            .rest
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
        else {
            return true;
        };
        self.rest = rest;
        self.reordered = true;
        match inside.parse::<usize>() {
            Ok(index @ 1..) if index <= self.arguments.len() => {
                self.next = index - 1;
                true
            }
            _ => false,
        }
    }

    /// A width or a precision.
    fn number(&mut self) -> Measure {
        if let Some(rest) = self.rest.strip_prefix('*') {
            self.rest = rest;
            let argument = self.arguments.get(self.next);
            self.next += 1;
            return Measure::Argument(match argument {
                Some(Operand::Integer(integer)) => i64::try_from(integer)
                    .ok()
                    .filter(|number| number.unsigned_abs() <= MAX_WIDTH as u64),
                _ => None,
            });
        }
        let end = self
            .rest
            .find(|character: char| !character.is_ascii_digit())
            .unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        match digits.parse::<usize>() {
            Ok(number) if number <= MAX_WIDTH => {
                self.rest = rest;
                Measure::Literal(number)
            }
            // Go gives up on the whole format.
            Ok(_) => {
                self.rest = "";
                Measure::None
            }
            Err(_) if !digits.is_empty() => {
                self.rest = "";
                Measure::None
            }
            Err(_) => Measure::None,
        }
    }

    fn complain_about_extra(&mut self) {
        if self.reordered || self.next >= self.arguments.len() {
            return;
        }
        let extra: Vec<String> = self.arguments[self.next..]
            .iter()
            .map(|argument| format!("{}={}", argument.pointed(), argument.plain()))
            .collect();
        self.result.push_str("%!(EXTRA ");
        self.result.push_str(&extra.join(", "));
        self.result.push(')');
    }
}

/// What a width or a precision is.
#[derive(Debug)]
enum Measure {
    None,
    Literal(usize),
    Argument(Option<i64>),
}

fn format_one(result: &mut String, directive: Directive, verb: char, argument: &Operand<'_>) {
    // Nearly every directive is a `%v` or `%s` of a string.
    if let ('v' | 's', Operand::Text(text)) = (verb, argument)
        && directive == Directive::default()
    {
        return result.push_str(text);
    }
    let formatted = match (verb, argument) {
        ('T', argument) => Some(argument.pointed().to_owned()),
        (verb, Operand::Integer(integer)) => {
            return match format_integer(directive, verb, integer) {
                Some(text) => pad_number(result, directive, &text, directive.precision.is_none()),
                None => complain(result, verb, argument),
            };
        }
        (verb, Operand::Float(float)) => {
            return match format_float(directive, verb, *float) {
                Some(text) => pad_number(result, directive, &text, true),
                None => complain(result, verb, argument),
            };
        }
        (verb, Operand::Text(text)) => format_text(directive, verb, text),
    };
    match formatted {
        Some(text) => pad(result, directive, &text),
        None => complain(result, verb, argument),
    }
}

/// `%!d(string=hi)`
fn complain(result: &mut String, verb: char, argument: &Operand<'_>) {
    result.push_str("%!");
    result.push(verb);
    result.push('(');
    result.push_str(argument.type_name());
    result.push('=');
    result.push_str(&argument.plain());
    result.push(')');
}

fn format_text(directive: Directive, verb: char, text: &str) -> Option<String> {
    let cut: String = match directive.precision {
        Some(precision) => text.chars().take(precision).collect(),
        None => text.to_owned(),
    };
    let hex = |upper: bool| {
        let bytes = directive.precision.unwrap_or(usize::MAX);
        let digits = text.bytes().take(bytes).map(|byte| match (upper, byte) {
            (true, byte) => format!("{byte:02X}"),
            (false, byte) => format!("{byte:02x}"),
        });
        let separator = if directive.space { " " } else { "" };
        digits.collect::<Vec<_>>().join(separator)
    };
    match verb {
        'v' if directive.sharp => Some(quoted(text)),
        'v' | 's' => Some(cut),
        'q' if directive.sharp && !text.contains('`') => Some(format!("`{cut}`")),
        'q' => Some(quoted(&cut)),
        'x' => Some(hex(false)),
        'X' => Some(hex(true)),
        _ => None,
    }
}

fn quoted(string: &str) -> String {
    let mut result = String::new();
    text::quote(&mut result, string);
    result
}

fn format_integer(directive: Directive, verb: char, integer: &BigInt) -> Option<String> {
    let (radix, prefix, upper) = match verb {
        'v' | 'd' => (10, "", false),
        // Go's big integers know it, its small ones do not.
        's' if i64::try_from(integer).is_err() => (10, "", false),
        'b' => (2, "0b", false),
        'o' => (8, "0", false),
        'O' => (8, "0o", false),
        'x' => (16, "0x", false),
        'X' => (16, "0X", true),
        'c' | 'q' | 'U' => {
            let code = u32::try_from(integer).ok();
            let character = code.and_then(char::from_u32).unwrap_or('\u{fffd}');
            return Some(match verb {
                'c' => character.to_string(),
                'q' => format!("'{character}'"),
                _ => format!("U+{:04X}", code?),
            });
        }
        _ => return None,
    };
    let mut digits = integer.magnitude().to_str_radix(radix);
    if upper {
        digits.make_ascii_uppercase();
    }
    if let Some(precision) = directive.precision {
        let missing = precision.saturating_sub(digits.len());
        digits.insert_str(0, &"0".repeat(missing));
    }
    if directive.sharp || verb == 'O' {
        digits.insert_str(0, prefix);
    }
    Some(signed(directive, integer.sign() == Sign::Minus, &digits))
}

fn signed(directive: Directive, negative: bool, digits: &str) -> String {
    let sign = match negative {
        true => "-",
        false if directive.plus => "+",
        false if directive.space => " ",
        false => "",
    };
    format!("{sign}{digits}")
}

/// Whether a format has one of these verbs.
fn has_verb(format: &str, verbs: &[char]) -> bool {
    format.split('%').skip(1).any(|directive| {
        let verb =
            directive.trim_start_matches(|c: char| "+-# *.[]".contains(c) || c.is_ascii_digit());
        verb.starts_with(verbs)
    })
}

fn format_float(directive: Directive, verb: char, float: f64) -> Option<String> {
    let magnitude = float.abs();
    let text = match verb {
        'v' | 'g' => general(magnitude, directive.precision, false),
        'G' => general(magnitude, directive.precision, true),
        'e' => exponential(magnitude, directive.precision.or(Some(6)), false),
        'E' => exponential(magnitude, directive.precision.or(Some(6)), true),
        'f' | 'F' => format!("{magnitude:.*}", directive.precision.unwrap_or(6)),
        _ => return None,
    };
    Some(signed(directive, float.is_sign_negative(), &text))
}

/// `1.5e+06`
fn exponential(float: f64, precision: Option<usize>, upper: bool) -> String {
    let text = match precision {
        Some(precision) => format!("{float:.precision$e}"),
        None => format!("{float:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    let e = if upper { 'E' } else { 'e' };
    format!("{mantissa}{e}{sign}{digits:0>2}")
}

/// Go's `%g`: with an exponent where it is below -4, or not below the precision.
fn general(float: f64, precision: Option<usize>, upper: bool) -> String {
    let digits = precision.map(|precision| precision.max(1));
    let scientific = match digits {
        Some(digits) => format!("{float:.*e}", digits - 1),
        None => format!("{float:e}"),
    };
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = exponent.parse().unwrap_or(0);
    let significant = mantissa.trim_start_matches('-').replace('.', "");
    let significant = significant.trim_end_matches('0').len().max(1);
    // Without a precision, Go decides as with one of six.
    let limit = match digits {
        None => 6,
        Some(digits) => i32::try_from(digits).unwrap_or(i32::MAX),
    };
    if power < -4 || power >= limit {
        return exponential(float, Some(significant - 1), upper);
    }
    let after = i32::try_from(significant).unwrap_or(i32::MAX) - 1 - power;
    format!("{float:.*}", usize::try_from(after).unwrap_or(0))
}

/// Pads with spaces, or strings with noughts where that is asked for.
fn pad(result: &mut String, directive: Directive, text: &str) {
    let missing = directive
        .width
        .unwrap_or(0)
        .saturating_sub(text.chars().count());
    let filling = if directive.zero { "0" } else { " " }.repeat(missing);
    if directive.minus {
        result.push_str(text);
        result.push_str(&filling);
    } else {
        result.push_str(&filling);
        result.push_str(text);
    }
}

/// Pads a number; noughts come after its sign.
fn pad_number(result: &mut String, directive: Directive, text: &str, may_be_zero: bool) {
    if !(directive.zero && may_be_zero) {
        let spaces = Directive {
            zero: false,
            ..directive
        };
        return pad(result, spaces, text);
    }
    let digits = text.trim_start_matches(['-', '+', ' ']);
    let sign = &text[..text.len() - digits.len()];
    let missing = directive
        .width
        .unwrap_or(0)
        .saturating_sub(text.chars().count());
    result.push_str(sign);
    result.push_str(&"0".repeat(missing));
    result.push_str(digits);
}
