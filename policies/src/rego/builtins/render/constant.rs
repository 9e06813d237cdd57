//! Numbers, characters and strings, as Go writes them.

use super::{Result, invalid, refused};
use crate::rego::builtins::numbers::radix;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Constant {
    Integer(i64),
    Float(f64),
}

pub(super) fn number(text: &str) -> Result<Constant> {
    if text.ends_with('i') {
        return Err(refused("it has a complex number"));
    }
    let is_hexadecimal = text.starts_with("0x") || text.starts_with("0X");
    let looks_like_float = !is_hexadecimal && text.contains(['.', 'e', 'E']);
    if text.contains(['p', 'P']) || text.contains('.') && text.contains(['x', 'X']) {
        return Err(refused("it has a hexadecimal fraction"));
    }
    match integer(text) {
        // After a sign, Go takes a hexadecimal number with this digit for a float.
        Some(integer) if looks_like_float => match i32::try_from(integer) {
            Ok(integer) => Ok(Constant::Float(f64::from(integer))),
            Err(_) => Err(refused("it has a large hexadecimal number with a sign")),
        },
        Some(integer) => match i64::try_from(integer) {
            Ok(integer) => Ok(Constant::Integer(integer)),
            Err(_) if u64::try_from(integer).is_ok() => {
                Err(refused("it has a number beyond 64 bits"))
            }
            Err(_) => Err(invalid(&format!("integer overflow: {text:?}"))),
        },
        None if looks_like_float && is_grouped(text) => {
            let float: Option<f64> = text.replace('_', "").parse().ok();
            let float = float.filter(|float| float.is_finite());
            let illegal = || invalid(&format!("illegal number syntax: {text:?}"));
            float.map(Constant::Float).ok_or_else(illegal)
        }
        None => Err(invalid(&format!("illegal number syntax: {text:?}"))),
    }
}

/// As `ParseInt` without a base, of any size that can be told from one of 64 bits.
fn integer(text: &str) -> Option<i128> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if !is_grouped(digits) {
        return None;
    }
    let (radix, digits) = radix(digits);
    let digits = digits.replace('_', "");
    let is_number = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    let magnitude = is_number.then(|| i128::from_str_radix(&digits, radix).unwrap_or(i128::MAX))?;
    Some(if is_negative { -magnitude } else { magnitude })
}

/// Whether underscores stand between digits, or between the prefix of a base and a digit.
fn is_grouped(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text).as_bytes();
    let prefix = match text {
        [b'0', base, ..] if b"xXoObB".contains(base) => 2,
        _ => 0,
    };
    let is_digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_hexdigit);
    (0..text.len()).filter(|at| text[*at] == b'_').all(|at| {
        let is_behind_digit = at > 0 && is_digit(at - 1) || at == prefix && prefix > 0;
        is_behind_digit && is_digit(at + 1)
    })
}

/// `'a'`
pub(super) fn character(text: &str) -> Result<Constant> {
    let malformed = || invalid(&format!("malformed character constant: {text}"));
    let mut rest = text[1..].chars();
    let (code, _) = unescaped(&mut rest, '\'').ok_or_else(malformed)?;
    match rest.as_str() {
        "'" => Ok(Constant::Integer(i64::from(code))),
        _ => Err(malformed()),
    }
}

/// `"a"` or `` `a` ``
pub(super) fn unquote(text: &str) -> Result<String> {
    let inside = &text[1..text.len() - 1];
    if text.starts_with('`') {
        return Ok(inside.replace('\r', ""));
    }
    let mut bytes = Vec::with_capacity(inside.len());
    let mut rest = inside.chars();
    while !rest.as_str().is_empty() {
        let (code, is_byte) = unescaped(&mut rest, '"').ok_or_else(|| invalid("invalid syntax"))?;
        match (is_byte, u8::try_from(code), char::from_u32(code)) {
            (true, Ok(byte), _) => bytes.push(byte),
            (_, _, Some(character)) => {
                bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => return Err(invalid("invalid syntax")),
        }
    }
    String::from_utf8(bytes).map_err(|_| refused("it has a string that is not UTF-8"))
}

/// A character, escaped or not: its code, and whether it is a byte.
fn unescaped(rest: &mut std::str::Chars<'_>, quote: char) -> Option<(u32, bool)> {
    let character = rest.next()?;
    if character == quote {
        return None;
    }
    if character != '\\' {
        return Some((u32::from(character), false));
    }
    let digits = |rest: &mut std::str::Chars<'_>, first: Option<char>, count: usize, radix| {
        let taken = first.into_iter().chain(rest.by_ref()).take(count);
        let digits: Option<Vec<u32>> = taken.map(|digit| digit.to_digit(radix)).collect();
        let digits = digits.filter(|digits| digits.len() == count)?;
        Some(
            digits
                .into_iter()
                .fold(0_u32, |code, digit| code.wrapping_mul(radix) + digit),
        )
    };
    let short = |character: char| Some((u32::from(character), false));
    match rest.next()? {
        'a' => short('\x07'),
        'b' => short('\x08'),
        'f' => short('\x0c'),
        'n' => short('\n'),
        'r' => short('\r'),
        't' => short('\t'),
        'v' => short('\x0b'),
        '\\' => short('\\'),
        sign if sign == quote => short(sign),
        'x' => Some((digits(rest, None, 2, 16)?, true)),
        letter @ ('u' | 'U') => {
            let code = digits(rest, None, if letter == 'u' { 4 } else { 8 }, 16)?;
            char::from_u32(code).map(|_| (code, false))
        }
        digit @ '0'..='7' => {
            let code = digits(rest, Some(digit), 3, 8)?;
            (code <= 255).then_some((code, true))
        }
        _ => None,
    }
}
