//! Tokens: their parts, and what these say.

use std::borrow::Cow;

use super::{Context, Fault, Result, beyond, members, text, wrong};
use crate::rego::{
    builtins::{bytes, crypto},
    plan::access::Access,
    value::{self, Value, json},
};

/// The three parts of a token, in base64.
#[derive(Debug)]
pub(super) struct Token<'t> {
    pub(super) header: &'t str,
    pub(super) payload: &'t str,
    signature: &'t str,
}

/// What is looked at of a header.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) algorithm: String,
    pub(super) key_id: String,
    content_type: String,
    /// Parameters that have to be known, and those that are not.
    critical: Vec<String>,
    unknown: Vec<String>,
}

/// The content type of a token within another one.
const TOKEN: &str = "JWT";

impl<'t> Token<'t> {
    pub(super) fn read(text: &'t str) -> Result<Self> {
        let parts: Vec<&str> = text.splitn(4, '.').collect();
        match parts.as_slice() {
            [_] => Err(wrong("encoded JWT had no period separators")),
            &[header, payload, signature] => Ok(Self {
                header,
                payload,
                signature,
            }),
            _ => Err(wrong(format!(
                "encoded JWT must have 3 sections, found {}",
                text.split('.').count()
            ))),
        }
    }

    /// What is signed.
    pub(super) fn signed(&self) -> String {
        [self.header, ".", self.payload].concat()
    }

    /// The header. That of what is encrypted is none.
    pub(super) fn header(&self, context: &mut Context<'_, '_>) -> Result<Value> {
        let header = part(context, self.header, "header")?;
        let header = object(context, &header).map_err(|fault| prefixed("bad JWT header", fault))?;
        let is_encrypted = match &header {
            Value::Object(header) => header.get(&Value::from("enc")).is_some(),
            _ => false,
        };
        if is_encrypted {
            return Err(wrong("JWT is a JWE object, which is not supported"));
        }
        Ok(header)
    }

    /// The payload's bytes, as text: what is none stands for itself in no JSON and in no token.
    pub(super) fn payload(&self, context: &mut Context<'_, '_>) -> Result<String> {
        part(context, self.payload, "payload")
    }

    pub(super) fn signature(&self, context: &mut Context<'_, '_>) -> Result<Vec<u8>> {
        context.charge_bytes(self.signature.len())?;
        bytes::decode_url(self.signature)
    }
}

impl Header {
    pub(super) fn read(header: &Value) -> Result<Self> {
        let mut read = Self::default();
        let Value::Object(header) = header else {
            return Ok(read);
        };
        for (name, parameter) in members(header)? {
            let place = match name {
                "alg" => &mut read.algorithm,
                "kid" => &mut read.key_id,
                "cty" => &mut read.content_type,
                "typ" => &mut String::new(),
                "crit" => {
                    let critical =
                        value::elements(parameter).ok_or_else(|| wrong("crit: must be a list"))?;
                    let names = critical.iter().map_while(|name| match name {
                        Value::String(name) => Some(name.to_string()),
                        _ => None,
                    });
                    read.critical = names.collect();
                    if read.critical.is_empty() {
                        return Err(wrong("crit: must be a nonempty list"));
                    }
                    continue;
                }
                unknown => {
                    read.unknown.push(unknown.to_owned());
                    continue;
                }
            };
            let value = text(parameter, &format!("{name}: must be a string"))?;
            value.clone_into(place);
        }
        Ok(read)
    }

    /// Whether there is an algorithm, and all that has to be known is.
    pub(super) fn is_valid(&self) -> bool {
        !self.algorithm.is_empty() && !self.unknown.iter().any(|name| self.critical.contains(name))
    }

    /// Whether the payload is a token itself.
    pub(super) fn has_token(&self) -> bool {
        self.content_type.eq_ignore_ascii_case(TOKEN)
    }
}

/// The header, the payload and the signature of a token, or of the innermost in it. Nothing is
/// verified.
pub(super) fn decode(context: &mut Context<'_, '_>, token: &str) -> Result<Value> {
    let mut token = Cow::Borrowed(token);
    loop {
        let parts = Token::read(&token)?;
        let header = parts.header(context)?;
        let payload = parts.payload(context)?;
        let content_type = match &header {
            Value::Object(header) => header.get(&Value::from("cty")),
            _ => None,
        };
        match content_type {
            // Of one in another, the inner has quotes, as some write it.
            Some(Value::String(kind)) if &**kind == TOKEN => {
                let inner = payload.trim_matches(['"', '\'']).to_owned();
                token = Cow::Owned(inner);
                continue;
            }
            None | Some(Value::String(_)) => {}
            // OPA panics.
            Some(_) => return Err(beyond("the content type of a token is no string")),
        }
        let payload = object(context, &payload)?;
        let signature = parts
            .signature(context)
            .map_err(|fault| invalid_encoding("signature", fault))?;
        let signature = Value::from(crypto::hex(&signature));
        return Ok(vec![header, payload, signature].into());
    }
}

/// A part in base64, as text.
fn part(context: &mut Context<'_, '_>, part: &str, name: &str) -> Result<String> {
    context.charge_bytes(2 * part.len())?;
    let bytes = bytes::decode_url(part).map_err(|fault| invalid_encoding(name, fault))?;
    Ok(crypto::lossy(&bytes))
}

fn invalid_encoding(part: &str, fault: Fault) -> Fault {
    prefixed(&format!("JWT {part} had invalid encoding"), fault)
}

/// What is wrong, and with what.
pub(super) fn prefixed(prefix: &str, fault: Fault) -> Fault {
    match fault {
        Fault::Value(message) => Fault::Value(format!("{prefix}: {message}")),
        fault => fault,
    }
}

/// Reads an object. Of members of one name, the last one counts.
pub(super) fn object(context: &mut Context<'_, '_>, text: &str) -> Result<Value> {
    match document(context, text)? {
        Ok(object @ Value::Object(_)) => Ok(object),
        Ok(_) => Err(wrong("decoded JSON type was not an Object")),
        Err(message) => Err(wrong(format!("invalid JSON: {message}"))),
    }
}

/// Reads JSON. What is JSON and beyond our limits is no answer.
pub(super) fn document(
    context: &mut Context<'_, '_>,
    text: &str,
) -> Result<std::result::Result<Value, String>> {
    context.charge_bytes(text.len())?;
    context.charge_members(text.len() / 2)?;
    match json::read_parts(text.as_bytes(), &Access::All) {
        Ok(value) => Ok(Ok(value)),
        Err(fault @ (json::Fault::Unexpected { .. } | json::Fault::End)) => {
            Ok(Err(fault.to_string()))
        }
        Err(_) => Err(beyond(
            "a document has larger numbers, or is deeper, than is read",
        )),
    }
}
