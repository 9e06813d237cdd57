//! Bytes in letters: base64 and hexadecimal, as Go has them.

use super::{Context, Fault, Function, Result, beginning, refused, string};
use crate::rego::value::Value;

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("base64.decode", 1, |context, operands| {
        let text = string(operands, 0)?;
        context.charge_bytes(text.len())?;
        as_text("base64.decode", decode(text.as_bytes(), STANDARD)?)
    }),
    ("base64.encode", 1, |context, operands| {
        encode_text(context, operands, STANDARD)
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
        encode_text(context, operands, URL)
    }),
    ("base64url.encode_no_pad", 1, |context, operands| {
        encode_text(context, operands, URL_UNPADDED)
    }),
    ("hex.decode", 1, |context, operands| {
        let text = string(operands, 0)?;
        context.charge_bytes(text.len())?;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let byte = |pair: &[u8]| match pair {
            [high, low] => u8::try_from(digit(*high)? << 4 | digit(*low)?).ok(),
            _ => None,
        };
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
        let bytes = bytes.ok_or_else(|| Fault::Value("encoding/hex: invalid byte".to_owned()))?;
        as_text("hex.decode", bytes)
    }),
    ("hex.encode", 1, |context, operands| {
        let text = string(operands, 0)?;
        context.charge_bytes(2 * text.len())?;
        let mut encoded = String::with_capacity(2 * text.len());
        let digit = |bits: u8| char::from_digit(u32::from(bits), 16).unwrap_or('0');
        for byte in text.bytes() {
            encoded.push(digit(byte >> 4));
            encoded.push(digit(byte & 0xf));
        }
        Ok(Value::from(encoded))
    }),
];

/// The text that base64 holds, if it holds one.
pub(crate) fn read_base64(text: &str) -> Option<String> {
    String::from_utf8(decode(text.as_bytes(), STANDARD).ok()?).ok()
}

/// An alphabet of base64.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alphabet {
    /// The last two letters, which follow letters and digits.
    last: [u8; 2],
    is_padded: bool,
}

impl Alphabet {
    const fn new(last: [u8; 2], is_padded: bool) -> Self {
        Self { last, is_padded }
    }
}

pub(super) const STANDARD: Alphabet = Alphabet::new(*b"+/", true);
pub(super) const STANDARD_UNPADDED: Alphabet = Alphabet::new(*b"+/", false);
pub(super) const URL: Alphabet = Alphabet::new(*b"-_", true);
pub(super) const URL_UNPADDED: Alphabet = Alphabet::new(*b"-_", false);

/// OPA has a string of any bytes.
fn as_text(name: &'static str, bytes: Vec<u8>) -> Result<Value> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Value::from(text)),
        Err(_) => Err(refused(name, "the bytes are not UTF-8")),
    }
}

fn encode_text(
    context: &mut Context<'_, '_>,
    operands: &[Value],
    alphabet: Alphabet,
) -> Result<Value> {
    let text = string(operands, 0)?;
    context.charge_bytes(text.len() + text.len() / 3 + 4)?;
    Ok(Value::from(encode(text.as_bytes(), alphabet)))
}

/// Bytes in base64.
pub(super) fn encode(bytes: &[u8], alphabet: Alphabet) -> String {
    let Alphabet { last, is_padded } = alphabet;
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
    let mut encoded = String::with_capacity(bytes.len() / 3 * 4 + 4);
    for group in bytes.chunks(3) {
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
    encoded
}

fn decode_of_url(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let text = string(operands, 0)?;
    context.charge_bytes(text.len())?;
    as_text("base64url.decode", decode_url(text)?)
}

/// Many leave the padding away, which OPA adds then.
pub(super) fn decode_url(text: &str) -> Result<Vec<u8>> {
    let padding = match text.len() % 4 {
        _ if text.ends_with('=') => "",
        0 => "",
        2 => "==",
        3 => "=",
        _ => {
            let text = beginning(text);
            return Err(Fault::Value(format!("illegal base64url string: {text}")));
        }
    };
    decode([text, padding].concat().as_bytes(), URL)
}

/// The bytes that a text in base64 stands for, or the place that Go names where it is none. Ends of
/// lines count nowhere, and bits that are left over may be any.
pub(super) fn decode(text: &[u8], alphabet: Alphabet) -> Result<Vec<u8>> {
    let illegal = |at: usize| Fault::Value(format!("illegal base64 data at input byte {at}"));
    let value = |letter: u8| match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        letter if letter == alphabet.last[0] => Some(62),
        letter if letter == alphabet.last[1] => Some(63),
        _ => None,
    };
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let letters = text.iter().copied().enumerate();
    let mut letters = letters.filter(|(_, byte)| !matches!(byte, b'\n' | b'\r'));
    let (mut bits, mut count) = (0_u32, 0_usize);
    while let Some((at, letter)) = letters.next() {
        if let Some(value) = value(letter) {
            bits = bits << 6 | u32::from(value);
            count += 1;
            if count == 4 {
                bytes.extend_from_slice(&bits.to_be_bytes()[1..]);
                (bits, count) = (0, 0);
            }
            continue;
        }
        if letter != b'=' || !alphabet.is_padded || count < 2 {
            return Err(illegal(at));
        }
        if count == 2 {
            // Of two signs of padding, the second is expected.
            match letters.next() {
                Some((_, b'=')) => {}
                Some((next, _)) => return Err(illegal(next - 1)),
                None => return Err(illegal(text.len())),
            }
        }
        if let Some((next, _)) = letters.next() {
            return Err(illegal(next));
        }
        bytes.extend_from_slice(&(bits << (6 * (4 - count))).to_be_bytes()[1..count]);
        return Ok(bytes);
    }
    if count == 1 || count > 0 && alphabet.is_padded {
        return Err(illegal(text.len() - count));
    }
    if count > 0 {
        bytes.extend_from_slice(&(bits << (6 * (4 - count))).to_be_bytes()[1..count]);
    }
    Ok(bytes)
}
