//! JSON Web Tokens (RFC 7519), signed as RFC 7515 and 7518 say.
//!
//! What a token, a key and a signature are follows OPA and the libraries that it has them from, part
//! by part; aws-lc-rs makes and verifies signatures.
//!
//! ```text
//! text ─ token ─▶ header, payload, signature ─┐
//! text ─ pem, jwk ─▶ keys ────────────────────┴─ verify, constraints ─▶ Value
//! header, payload, jwk ─ sign ─▶ text
//! ```

mod constraints;
mod jwk;
mod sign;
#[cfg(test)]
mod tests;
mod token;
mod verify;

use regorus::value::Object;

use super::{
    Context, Fault, Function, Result, crypto::signature::Hash, refused, string, wrong_type,
};
use crate::rego::value::{self, Value};
use verify::Family;

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("io.jwt.decode", 1, |context, operands| {
        token::decode(context, string(operands, 0)?)
    }),
    ("io.jwt.decode_verify", 2, constraints::decode_verify),
    ("io.jwt.encode_sign", 3, sign::encode_sign),
    ("io.jwt.encode_sign_raw", 3, sign::encode_sign_raw),
    ("io.jwt.verify_eddsa", 2, |context, operands| {
        verify::verify(context, operands, Family::EdDsa)
    }),
    ("io.jwt.verify_es256", 2, |context, operands| {
        verify::verify(context, operands, Family::Ecdsa(Hash::Sha256))
    }),
    ("io.jwt.verify_es384", 2, |context, operands| {
        verify::verify(context, operands, Family::Ecdsa(Hash::Sha384))
    }),
    ("io.jwt.verify_es512", 2, |context, operands| {
        verify::verify(context, operands, Family::Ecdsa(Hash::Sha512))
    }),
    ("io.jwt.verify_hs256", 2, |context, operands| {
        verify::verify_by_secret(context, operands, Hash::Sha256)
    }),
    ("io.jwt.verify_hs384", 2, |context, operands| {
        verify::verify_by_secret(context, operands, Hash::Sha384)
    }),
    ("io.jwt.verify_hs512", 2, |context, operands| {
        verify::verify_by_secret(context, operands, Hash::Sha512)
    }),
    ("io.jwt.verify_ps256", 2, |context, operands| {
        verify::verify(context, operands, Family::Pss(Hash::Sha256))
    }),
    ("io.jwt.verify_ps384", 2, |context, operands| {
        verify::verify(context, operands, Family::Pss(Hash::Sha384))
    }),
    ("io.jwt.verify_ps512", 2, |context, operands| {
        verify::verify(context, operands, Family::Pss(Hash::Sha512))
    }),
    ("io.jwt.verify_rs256", 2, |context, operands| {
        verify::verify(context, operands, Family::Pkcs1(Hash::Sha256))
    }),
    ("io.jwt.verify_rs384", 2, |context, operands| {
        verify::verify(context, operands, Family::Pkcs1(Hash::Sha384))
    }),
    ("io.jwt.verify_rs512", 2, |context, operands| {
        verify::verify(context, operands, Family::Pkcs1(Hash::Sha512))
    }),
];

/// The algorithms that OPA names.
const ALGORITHMS: [(&str, Family); 13] = [
    ("ES256", Family::Ecdsa(Hash::Sha256)),
    ("ES384", Family::Ecdsa(Hash::Sha384)),
    ("ES512", Family::Ecdsa(Hash::Sha512)),
    ("EdDSA", Family::EdDsa),
    ("HS256", Family::Hmac(Hash::Sha256)),
    ("HS384", Family::Hmac(Hash::Sha384)),
    ("HS512", Family::Hmac(Hash::Sha512)),
    ("PS256", Family::Pss(Hash::Sha256)),
    ("PS384", Family::Pss(Hash::Sha384)),
    ("PS512", Family::Pss(Hash::Sha512)),
    ("RS256", Family::Pkcs1(Hash::Sha256)),
    ("RS384", Family::Pkcs1(Hash::Sha384)),
    ("RS512", Family::Pkcs1(Hash::Sha512)),
];

/// One of OPA's algorithms.
fn algorithm(name: &str) -> Option<Family> {
    let found = ALGORITHMS.iter().find(|(known, _)| *known == name);
    found.map(|(_, family)| *family)
}

/// What OPA says is wrong.
fn wrong(message: impl Into<String>) -> Fault {
    Fault::Value(message.into())
}

/// What OPA does otherwise than can be done here, or fails at itself.
fn beyond(what: &'static str) -> Fault {
    refused("io.jwt.*", what)
}

/// A string that lies in an object.
fn text<'v>(value: &'v Value, message: &str) -> Result<&'v str> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(wrong(message)),
    }
}

/// The members of an object whose keys are strings, in OPA's order.
fn members(object: &Object) -> Result<Vec<(&str, &Value)>> {
    let members = value::order::entries(object).map(|(key, value)| match key {
        Value::String(key) => Ok((&**key, value)),
        // OPA panics.
        _ => Err(beyond("a key is no string")),
    });
    members.collect()
}
