//! Bytes in letters: base64 and hexadecimal, as Go has them.

use std::fmt::Write as _;

use super::{Context, Fault, Function, Result, refused, string};
use crate::rego::value::Value;

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("base64.decode", 1, |context, operands| {
        let text = string(operands, 0)?;
        context.charge_bytes(text.len())?;
        as_text("base64.decode", decode(text.as_bytes(), STANDARD)?)
    }),
    ("base64.encode", 1, |context, operands| {
        encode(context, operands, STANDARD, true)
    }),
    ("base64.is_valid", 1, |context, operands| {
        let Ok(text) = string(operands, 0) else {
            return Ok(Value::Bool(false));
        };
        context.charge_bytes(text.len())?;
        Ok(Value::Bool(decode(text.as_bytes(), STANDARD).is_ok()))
    }),
    ("base64url.decode", 1, decode_of_url),
    ("base64url.encode", 1, |context, operands| {
        encode(context, operands, URL, true)
    }),
    ("base64url.encode_no_pad", 1, |context, operands| {
        encode(context, operands, URL, false)
    }),
    ("hex.decode", 1, |context, operands| {
        let text = string(operands, 0)?;
        context.charge_bytes(text.len())?;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let digits: Option<Vec<u32>> = text.bytes().map(digit).collect();
        let digits = digits.filter(|digits| digits.len().is_multiple_of(2));
        let digits = digits.ok_or_else(|| Fault::Value("encoding/hex: invalid byte".to_owned()))?;
        let bytes = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]);
        as_text(
            "hex.decode",
            bytes.filter_map(|byte| u8::try_from(byte).ok()).collect(),
        )
    }),
    ("hex.encode", 1, |context, operands| {
        let text = string(operands, 0)?;
        context.charge_bytes(2 * text.len())?;
        let mut encoded = String::with_capacity(2 * text.len());
        for byte in text.bytes() {
            // Writing to a string does not fail.
            let _ = write!(encoded, "{byte:02x}");
        }
        Ok(Value::from(encoded))
    }),
];

/// The last two of base64's letters, which follow letters and digits.
const STANDARD: [u8; 2] = *b"+/";
const URL: [u8; 2] = *b"-_";

/// OPA has a string of any bytes.
fn as_text(name: &'static str, bytes: Vec<u8>) -> Result<Value> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Value::from(text)),
        Err(_) => Err(refused(name, "the bytes are not UTF-8")),
    }
}

fn encode(
    context: &mut Context<'_, '_>,
    operands: &[Value],
    last: [u8; 2],
    is_padded: bool,
) -> Result<Value> {
    let text = string(operands, 0)?;
    context.charge_bytes(text.len() + text.len() / 3 + 4)?;
    let letter = |bits: u32| {
        let bits = u8::try_from(bits & 0x3f).unwrap_or(0);
        char::from(match bits {
            0..26 => b'A' + bits,
            26..52 => b'a' + bits - 26,
            52..62 => b'0' + bits - 52,
            62 => last[0],
            _ => last[1],
        })
    };
    let mut encoded = String::with_capacity(text.len() / 3 * 4 + 4);
    for group in text.as_bytes().chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            if at <= group.len() {
                encoded.push(letter(bits >> (18 - 6 * at)));
            } else if is_padded {
                encoded.push('=');
            }
        }
    }
    Ok(Value::from(encoded))
}

/// Many leave the padding away, which OPA adds then.
fn decode_of_url(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let text = string(operands, 0)?;
    context.charge_bytes(text.len())?;
    let padding = match text.len() % 4 {
        _ if text.ends_with('=') => "",
        0 => "",
        2 => "==",
        3 => "=",
        _ => return Err(Fault::Value(format!("illegal base64url string: {text}"))),
    };
    let text = [text, padding].concat();
    as_text("base64url.decode", decode(text.as_bytes(), URL)?)
}

/// The bytes that a text in base64 stands for.
pub(super) fn decode_standard(text: &str) -> Result<Vec<u8>> {
    decode(text.as_bytes(), STANDARD)
}

/// The bytes that a padded text in base64 stands for. Ends of lines count nowhere, and bits that are
/// left over may be any.
fn decode(text: &[u8], last: [u8; 2]) -> Result<Vec<u8>> {
    let illegal = || Fault::Value("illegal base64 data".to_owned());
    let value = |letter: u8| match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        letter if letter == last[0] => Some(62),
        letter if letter == last[1] => Some(63),
        _ => None,
    };
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut letters = text
        .iter()
        .copied()
        .filter(|byte| !matches!(byte, b'\n' | b'\r'));
    while let Some(first) = letters.next() {
        let mut bits = u32::from(value(first).ok_or_else(illegal)?);
        let mut count = 1;
        for _ in 1..4 {
            let letter = letters.next().ok_or_else(illegal)?;
            match value(letter) {
                Some(value) => bits = bits << 6 | u32::from(value),
                // Of two signs of padding, the second is expected; nothing comes behind them.
                None if letter == b'=' && count >= 2 => {
                    let is_complete = count == 3 || letters.next() == Some(b'=');
                    if !is_complete || letters.next().is_some() {
                        return Err(illegal());
                    }
                    break;
                }
                None => return Err(illegal()),
            }
            count += 1;
        }
        bits <<= 6 * (4 - count);
        let group = bits.to_be_bytes();
        let length = usize::try_from(count).unwrap_or(0);
        bytes.extend_from_slice(&group[1..length]);
    }
    Ok(bytes)
}
