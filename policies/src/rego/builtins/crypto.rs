//! Hashes, message authentication codes, certificates and keys.
//!
//! Cryptography is by aws-lc-rs, and MD5 by `md-5`. Whether something is a certificate or a key, and
//! how it is written, follows Go's `crypto/x509`, part by part: a library that takes other
//! certificates would give other answers.
//!
//! ```text
//! text ─ pem, base64 ─▶ DER ─ der ─▶ certificate, request, private_key ─ show, keys ─▶ Value
//!                                      └─ chain ─ host, permission: verified
//! ```

mod certificate;
mod chain;
mod constraints;
mod der;
mod extensions;
mod host;
mod instant;
mod keys;
mod mailbox;
mod name;
pub(super) mod pem;
mod permission;
pub(super) mod private_key;
pub(super) mod public_key;
mod purpose;
mod request;
mod show;
pub(super) mod signature;
mod signed;
#[cfg(test)]
mod tests;
mod uri;

use std::fmt::Write as _;

use ::hmac::{Hmac, Mac as _};
use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256},
    hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256, HMAC_SHA512},
};
use md5::{Digest as _, Md5};

pub(super) use certificate::Certificate;

use self::{purpose::Purpose, show::certificate as shown};
use super::{Context, Fault, Function, Result, Surroundings, bytes, refused, string, wrong_type};
use crate::rego::{
    execute::{Budget, Limits},
    value::Value,
};

/// A certificate in DER, as `crypto.x509.parse_certificates` shows it, with the limits of an evaluation.
pub(crate) fn read_certificate(der: &[u8]) -> Option<Value> {
    let mut surroundings = Surroundings::new(0, None, 0);
    let mut budget = Budget::new(Limits::default());
    let mut context = Context {
        surroundings: &mut surroundings,
        budget: &mut budget,
    };
    let certificate = Certificate::read(&mut context, der).ok()?;
    shown(&certificate, true).ok()
}

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("crypto.hmac.equal", 2, |context, operands| {
        let (left, right) = (string(operands, 0)?, string(operands, 1)?);
        context.charge_bytes(left.len() + right.len())?;
        let comparison = verify_slices_are_equal(left.as_bytes(), right.as_bytes());
        Ok(Value::Bool(comparison.is_ok()))
    }),
    ("crypto.hmac.md5", 2, |context, operands| {
        authenticated(context, operands, |key, message| {
            // Every key has a length that will do.
            let mut code = <Hmac<Md5>>::new_from_slice(key).ok()?;
            code.update(message);
            Some(hex(&code.finalize().into_bytes()))
        })
    }),
    ("crypto.hmac.sha1", 2, |context, operands| {
        authenticated_by(context, operands, HMAC_SHA1_FOR_LEGACY_USE_ONLY)
    }),
    ("crypto.hmac.sha256", 2, |context, operands| {
        authenticated_by(context, operands, HMAC_SHA256)
    }),
    ("crypto.hmac.sha512", 2, |context, operands| {
        authenticated_by(context, operands, HMAC_SHA512)
    }),
    ("crypto.md5", 1, |context, operands| {
        hashed(context, operands, |text| hex(&Md5::digest(text)))
    }),
    ("crypto.parse_private_keys", 1, keys::parse_private_keys),
    ("crypto.sha1", 1, |context, operands| {
        hashed(context, operands, |text| {
            hex(digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, text).as_ref())
        })
    }),
    ("crypto.sha256", 1, |context, operands| {
        hashed(context, operands, |text| {
            hex(digest::digest(&SHA256, text).as_ref())
        })
    }),
    (
        "crypto.x509.parse_and_verify_certificates",
        1,
        |context, operands| {
            let purpose = Purpose::usual(context.surroundings.now);
            verify(context, string(operands, 0)?, true, |_| Ok(purpose))
        },
    ),
    (
        "crypto.x509.parse_and_verify_certificates_with_options",
        2,
        |context, operands| {
            let text = string(operands, 0)?;
            let Value::Object(_) = &operands[1] else {
                return Err(wrong_type(2, "object", &operands[1]));
            };
            verify(context, text, false, |now| Purpose::of(&operands[1], now))
        },
    ),
    (
        "crypto.x509.parse_certificate_request",
        1,
        |context, operands| {
            let text = string(operands, 0)?.as_bytes();
            let begin = b"-----BEGIN CERTIFICATE REQUEST-----";
            let decoded = der_of(context, text, begin)?;
            let text = decoded.as_deref().unwrap_or(text);
            match pem::next(text) {
                None => request::show(context, text),
                Some((block, _)) if block.label == b"CERTIFICATE REQUEST" => {
                    request::show(context, &block.bytes)
                }
                Some(_) => Err(wrong("invalid PEM-encoded certificate signing request")),
            }
        },
    ),
    ("crypto.x509.parse_certificates", 1, |context, operands| {
        let der = certificates_of(context, string(operands, 0)?)?;
        let certificates = Certificate::read_all(context, &der)?;
        let certificates = certificates.iter();
        let certificates: Result<Vec<Value>> = certificates
            .map(|certificate| shown(certificate, true))
            .collect();
        Ok(certificates?.into())
    }),
    ("crypto.x509.parse_keypair", 2, keys::parse_keypair),
    (
        "crypto.x509.parse_rsa_private_key",
        1,
        keys::parse_rsa_private_key,
    ),
];

/// What Go says is wrong with a text.
pub(super) fn wrong(message: impl Into<String>) -> Fault {
    Fault::Value(message.into())
}

/// Something rare that would not be read, shown or verified exactly as Go does.
pub(super) fn beyond(what: &'static str) -> Fault {
    refused("crypto.x509.*", what)
}

/// Bytes in hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Bytes as text: each that is no UTF-8 is replaced, as Go does where it writes JSON.
pub(super) fn lossy(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

fn hashed(
    context: &mut Context<'_, '_>,
    operands: &[Value],
    hash: fn(&[u8]) -> String,
) -> Result<Value> {
    let text = string(operands, 0)?;
    context.charge_bytes(text.len())?;
    Ok(Value::from(hash(text.as_bytes())))
}

fn authenticated(
    context: &mut Context<'_, '_>,
    operands: &[Value],
    code: impl Fn(&[u8], &[u8]) -> Option<String>,
) -> Result<Value> {
    let (message, key) = (string(operands, 0)?, string(operands, 1)?);
    context.charge_bytes(message.len() + key.len())?;
    let code = code(key.as_bytes(), message.as_bytes());
    Ok(code.map_or(Value::Undefined, Value::from))
}

fn authenticated_by(
    context: &mut Context<'_, '_>,
    operands: &[Value],
    algorithm: hmac::Algorithm,
) -> Result<Value> {
    authenticated(context, operands, |key, message| {
        let key = hmac::Key::new(algorithm, key);
        Some(hex(hmac::sign(&key, message).as_ref()))
    })
}

/// What base64 stands for, unless the text begins as PEM does.
fn der_of(context: &mut Context<'_, '_>, text: &[u8], begin: &[u8]) -> Result<Option<Vec<u8>>> {
    context.charge_bytes(text.len())?;
    if text.starts_with(begin) {
        return Ok(None);
    }
    bytes::decode(text, bytes::STANDARD).map(Some)
}

/// The certificates of a text, one behind the other: in PEM, in base64, or in PEM in base64.
fn certificates_of(context: &mut Context<'_, '_>, text: &str) -> Result<Vec<u8>> {
    let begin = b"-----BEGIN";
    let decoded = der_of(context, text.as_bytes(), begin)?;
    let mut rest = match decoded {
        Some(der) if !der.starts_with(begin) => return Ok(der),
        ref text_of_pem => text_of_pem.as_deref().unwrap_or(text.as_bytes()),
    };
    let mut der = Vec::new();
    while let Some((block, after)) = pem::next(rest) {
        if block.label != b"CERTIFICATE" {
            return Err(wrong(format!(
                "PEM block type is '{}', expected CERTIFICATE",
                lossy(block.label)
            )));
        }
        context.charge_bytes(block.bytes.len())?;
        der.extend_from_slice(&block.bytes);
        rest = after;
    }
    Ok(der)
}

/// Whether the last certificate is good for a purpose, and the chain from it to the first.
fn verify(
    context: &mut Context<'_, '_>,
    text: &str,
    with_uris: bool,
    purpose: impl FnOnce(i128) -> Result<Purpose>,
) -> Result<Value> {
    let none = || Value::from(vec![Value::Bool(false), Value::new_array()]);
    let der = match certificates_of(context, text) {
        Err(Fault::Value(_)) => return Ok(none()),
        der => der?,
    };
    let certificates = match Certificate::read_all(context, &der) {
        Err(Fault::Value(_)) => return Ok(none()),
        certificates => certificates?,
    };
    let purpose = purpose(context.surroundings.now)?;
    let Some(chain) = chain::verified(context, &certificates, &purpose)? else {
        return Ok(none());
    };
    let chain: Result<Vec<Value>> = chain
        .into_iter()
        .map(|certificate| shown(certificate, with_uris))
        .collect();
    Ok(vec![Value::Bool(true), chain?.into()].into())
}
