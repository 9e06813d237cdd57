//! `sprintf`: Go's `fmt`, as far as values can reach it.

mod directive;
mod float;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use num_bigint::BigInt;

use self::directive::Directive;
use super::{Context, Function, Result, member_count, refused, string, wrong_type};
use crate::rego::value::{self, Kind, Value, number, text};

pub(super) use float::magnitude;

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[("sprintf", 2, sprintf)];

/// The widest field that an operand may ask for, and the largest number to which Go adds one more
/// digit.
const MAX_WIDTH: usize = 1_000_000;

/// Bits of the largest float. Go prints a larger number as it was written, with an exponent or
/// without.
const MAX_BITS: u64 = 1024;

/// An operand, as Go would hold it.
#[derive(Debug)]
pub(super) enum Operand<'v> {
    Integer(i64),
    /// An integer beyond 64 bits.
    Big(BigInt),
    Float(f64),
    Text(Cow<'v, str>),
    /// Another of the same kind, of a type with a name of its own. This and what follows is for
    /// templates: `sprintf` has no such operands.
    Named(Box<Operand<'v>>, &'static str),
    Boolean(bool),
    Nothing,
    /// A collection, as it is written without any flags.
    Collection(String, &'static str),
}

impl<'v> Operand<'v> {
    fn of(value: &'v Value) -> Result<Self> {
        let unknown = || refused("sprintf", "how so large a number was written is not known");
        match value {
            Value::String(text) => Ok(Self::Text(Cow::Borrowed(text))),
            value if value::kind(value) == Kind::Number => {
                let integer =
                    number::as_integer(value).filter(|_| !number::is_written_as_fraction(value));
                match integer {
                    Some(integer) if integer.bits() > MAX_BITS => Err(unknown()),
                    Some(integer) => Ok(match i64::try_from(&integer) {
                        Ok(integer) => Self::Integer(integer),
                        Err(_) => Self::Big(integer),
                    }),
                    None => number::as_f64(value)
                        .filter(|float| float.is_finite())
                        .map(Self::Float)
                        .ok_or_else(unknown),
                }
            }
            value => Ok(Self::Text(Cow::Owned(text::literal(value)))),
        }
    }

    /// Go's name of the type.
    fn type_name(&self) -> &'static str {
        match self {
            Self::Integer(_) => "int64",
            Self::Big(_) => "*big.Int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::Named(_, name) | Self::Collection(_, name) => name,
            Self::Boolean(_) => "bool",
            Self::Nothing => "<nil>",
        }
    }
}

fn sprintf(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let format = string(operands, 0)?;
    context.charge_text(&operands[1])?;
    context.charge_members(2 * member_count(&operands[1]))?;
    let arguments: Result<Vec<Operand<'_>>> = value::elements(&operands[1])
        .ok_or_else(|| wrong_type(2, "array", &operands[1]))?
        .iter()
        .map(Operand::of)
        .collect();
    formatted(context, format, &arguments?).map(Value::from)
}

/// A format with its operands put in.
pub(super) fn formatted(
    context: &mut Context<'_, '_>,
    format: &str,
    arguments: &[Operand<'_>],
) -> Result<String> {
    context.charge_bytes(format.len())?;
    let mut formatter = Formatter {
        rest: format,
        arguments,
        next: 0,
        reordered: false,
        is_index_good: true,
        result: String::with_capacity(format.len()),
    };
    let mut before = 0;
    while formatter.step(context)? {
        let built = formatter.result.len() as u64;
        // One directive can write megabytes.
        context.budget.bytes(built.saturating_sub(before))?;
        before = built;
        if built > context.budget.memory_left() {
            context.budget.charge(built)?;
        }
    }
    formatter.complain_about_extra(context)?;
    Ok(formatter.result)
}

/// The state of one `sprintf`.
#[derive(Debug)]
struct Formatter<'f> {
    rest: &'f str,
    arguments: &'f [Operand<'f>],
    next: usize,
    reordered: bool,
    is_index_good: bool,
    result: String,
}

impl Formatter<'_> {
    /// The text up to a directive, and the directive. `false` at the end.
    fn step(&mut self, context: &mut Context<'_, '_>) -> Result<bool> {
        let Some((text, rest)) = self.rest.split_once('%') else {
            self.result.push_str(self.rest);
            self.rest = "";
            return Ok(false);
        };
        self.result.push_str(text);
        self.rest = rest;
        self.directive(context)?;
        Ok(true)
    }

    fn directive(&mut self, context: &mut Context<'_, '_>) -> Result<()> {
        let mut directive = Directive::default();
        while let Some(flag) = self.rest.chars().next() {
            match flag {
                '+' => directive.plus = true,
                '-' => directive.minus = true,
                '#' => directive.sharp = true,
                ' ' => directive.space = true,
                '0' => directive.zero = true,
                _ => break,
            }
            self.rest = &self.rest[1..];
        }
        self.is_index_good = true;
        let mut after_index = self.index();
        if self.take('*') {
            after_index = false;
            let width = self.measure();
            if width.is_none() {
                self.result.push_str("%!(BADWIDTH)");
            }
            if width.is_some_and(|width| width < 0) {
                (directive.minus, directive.zero) = (true, false);
            }
            directive.width = width.and_then(|width| usize::try_from(width.unsigned_abs()).ok());
        } else {
            directive.width = self.number();
            self.is_index_good &= !after_index || directive.width.is_none();
        }
        // A point at the very end is a verb.
        if self.rest.len() > 1 && self.take('.') {
            self.is_index_good &= !after_index;
            after_index = self.index();
            if self.take('*') {
                after_index = false;
                let precision = self.measure();
                directive.precision = precision.and_then(|precision| precision.try_into().ok());
                if directive.precision.is_none() {
                    self.result.push_str("%!(BADPREC)");
                }
            } else {
                directive.precision = Some(self.number().unwrap_or(0));
            }
        }
        if !after_index {
            self.index();
        }
        let Some(verb) = self.rest.chars().next() else {
            self.result.push_str("%!(NOVERB)");
            return Ok(());
        };
        self.rest = &self.rest[verb.len_utf8()..];
        match (verb, self.arguments.get(self.next)) {
            ('%', _) => self.result.push('%'),
            (verb, _) if !self.is_index_good => self.complain(verb, "(BADINDEX)"),
            (verb, None) => self.complain(verb, "(MISSING)"),
            (verb, Some(argument)) => {
                self.next += 1;
                self.write(context, directive, verb, argument)?;
            }
        }
        Ok(())
    }

    fn write(
        &mut self,
        context: &mut Context<'_, '_>,
        mut directive: Directive,
        verb: char,
        argument: &Operand<'_>,
    ) -> Result<()> {
        // Nearly every directive is a `%v` or `%s` of a string.
        if let ('v' | 's', Operand::Text(text)) = (verb, argument)
            && directive == Directive::default()
        {
            self.result.push_str(text);
            return Ok(());
        }
        if matches!(verb, 'v' | 'w') {
            directive.sharp_value = std::mem::take(&mut directive.sharp);
            directive.plus_value = std::mem::take(&mut directive.plus);
        }
        let room = [directive.width, directive.precision].into_iter().flatten();
        context.charge_bytes(room.sum())?;
        directive::write(&mut self.result, directive, verb, argument)
            .map_err(|reason| refused("sprintf", reason))
    }

    fn complain(&mut self, verb: char, about: &str) {
        self.result.push_str("%!");
        self.result.push(verb);
        self.result.push_str(about);
    }

    fn take(&mut self, sign: char) -> bool {
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// `[2]`: which argument comes next. Whether there is such a thing, and a number in it.
    fn index(&mut self) -> bool {
        let Some(inside) = self.rest.strip_prefix('[') else {
            return false;
        };
        self.reordered = true;
        let Some((number, rest)) = inside.split_once(']').filter(|_| self.rest.len() > 2) else {
            self.rest = inside;
            self.is_index_good = false;
            return false;
        };
        self.rest = rest;
        let number = Some(number)
            .filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(bounded);
        match number {
            Some(index @ 1..) if index <= self.arguments.len() => self.next = index - 1,
            _ => self.is_index_good = false,
        }
        number.is_some()
    }

    /// A width or a precision that is an argument.
    fn measure(&mut self) -> Option<i64> {
        let argument = self.arguments.get(self.next)?;
        self.next += 1;
        let argument = match argument {
            Operand::Named(argument, _) => argument,
            argument => argument,
        };
        match argument {
            Operand::Integer(integer) => {
                Some(*integer).filter(|integer| integer.unsigned_abs() <= MAX_WIDTH as u64)
            }
            _ => None,
        }
    }

    /// A width or a precision that is written down. Of one that is too long, Go skips the rest of
    /// the format.
    fn number(&mut self) -> Option<usize> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit());
        let (digits, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let number = bounded(digits);
        self.rest = if number.is_none() && !digits.is_empty() {
            ""
        } else {
            rest
        };
        number
    }

    fn complain_about_extra(&mut self, context: &mut Context<'_, '_>) -> Result<()> {
        if self.reordered || self.next >= self.arguments.len() {
            return Ok(());
        }
        self.result.push_str("%!(EXTRA ");
        for (at, argument) in self.arguments[self.next..].iter().enumerate() {
            if at > 0 {
                self.result.push_str(", ");
            }
            self.result.push_str(argument.type_name());
            if matches!(argument, Operand::Nothing) {
                continue;
            }
            self.result.push('=');
            self.write(context, Directive::default(), 'v', argument)?;
        }
        self.result.push(')');
        Ok(())
    }
}

/// A number, unless a digit would be added to one that is too large.
fn bounded(digits: &str) -> Option<usize> {
    let number: usize = digits.parse().ok()?;
    (number / 10 <= MAX_WIDTH).then_some(number)
}
