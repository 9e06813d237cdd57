//! Whether tokens are signed by keys.

use aws_lc_rs::hmac;

use super::{
    Context, Result,
    jwk::{self, Key, VerificationKey},
    string,
    token::{Header, Token},
};
use crate::rego::{
    builtins::crypto::{
        public_key::PublicKey,
        signature::{self, Hash, Salt, Scheme},
    },
    value::Value,
};

/// A family of algorithms with its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Hmac(Hash),
    Pkcs1(Hash),
    Pss(Hash),
    Ecdsa(Hash),
    EdDsa,
}

/// `io.jwt.verify_*` with public keys.
pub(super) fn verify(
    context: &mut Context<'_, '_>,
    operands: &[Value],
    family: Family,
) -> Result<Value> {
    let token = Token::read(string(operands, 0)?)?;
    let keys = jwk::keys(context, string(operands, 1)?)?;
    let signature = token.signature(context)?;
    let header = token.header(context)?;
    let header = Header::read(&header)?;
    let signed = token.signed();
    context.charge_bytes(signed.len())?;
    let is_valid = any(&header, &keys, |key| {
        let Key::Public(key) = key else {
            return Ok(false);
        };
        is_signed(
            context,
            key,
            family,
            Lengths::Any,
            signed.as_bytes(),
            &signature,
        )
    })?;
    Ok(Value::Bool(is_valid))
}

/// Whether one of the keys that a token may be signed by has signed it: the one that it names, or
/// else any that is for its algorithm, or for none.
pub(super) fn any(
    header: &Header,
    keys: &[VerificationKey],
    mut verifies: impl FnMut(&Key) -> Result<bool>,
) -> Result<bool> {
    if !header.key_id.is_empty()
        && let Some(key) = keys.iter().find(|key| key.id == header.key_id)
    {
        return verifies(&key.key);
    }
    for key in keys {
        let is_for = key.algorithm.is_empty() || key.algorithm == header.algorithm;
        if is_for && verifies(&key.key)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What a signature of ECDSA and the salt of PSS may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lengths {
    /// As RFC 7518 has them.
    OfAlgorithm,
    /// As OPA takes them, too.
    Any,
}

/// Whether a public key has signed a message.
pub(super) fn is_signed(
    context: &mut Context<'_, '_>,
    key: &PublicKey,
    family: Family,
    lengths: Lengths,
    message: &[u8],
    signature: &[u8],
) -> Result<bool> {
    let salt = match lengths {
        Lengths::OfAlgorithm => Salt::OfHash,
        Lengths::Any => Salt::Any,
    };
    let scheme = match family {
        Family::Hmac(_) => return Ok(false),
        Family::Pkcs1(hash) => Scheme::Pkcs1(hash),
        Family::Pss(hash) => Scheme::Pss(hash, salt),
        Family::EdDsa => Scheme::Ed25519,
        Family::Ecdsa(hash) => {
            let PublicKey::Ec { curve, .. } = key else {
                return Ok(false);
            };
            let size = curve.size();
            if lengths == Lengths::OfAlgorithm && signature.len() != 2 * size {
                return Ok(false);
            }
            let Some(signature) = in_der(signature, size) else {
                return Ok(false);
            };
            return signature::verify(context, key, Scheme::Ecdsa(hash), message, &signature);
        }
    };
    signature::verify(context, key, scheme, message, signature)
}

/// The two numbers of a signature, one half each, in DER. Nothing if one is too large.
fn in_der(signature: &[u8], size: usize) -> Option<Vec<u8>> {
    let (r, s) = signature.split_at(signature.len() / 2);
    let mut content = Vec::with_capacity(2 * (size + 3));
    for number in [r, s] {
        let noughts = number.iter().take_while(|byte| **byte == 0).count();
        let number = &number[noughts..];
        if number.len() > size {
            return None;
        }
        let has_sign = number.first().is_none_or(|first| *first >= 0x80);
        let length = u8::try_from(number.len() + usize::from(has_sign)).ok()?;
        content.extend([2, length]);
        content.extend(has_sign.then_some(0));
        content.extend_from_slice(number);
    }
    let length = u8::try_from(content.len()).ok()?;
    let header: &[u8] = match length {
        0..0x80 => &[0x30, length],
        _ => &[0x30, 0x81, length],
    };
    Some([header, &content].concat())
}

/// `io.jwt.verify_hs*`: nobody looks at the header.
pub(super) fn verify_by_secret(
    context: &mut Context<'_, '_>,
    operands: &[Value],
    hash: Hash,
) -> Result<Value> {
    let (text, secret) = (string(operands, 0)?, string(operands, 1)?);
    let token = Token::read(text)?;
    let signature = token.signature(context)?;
    let is_valid = is_authentic(
        context,
        secret.as_bytes(),
        hash,
        token.signed().as_bytes(),
        &signature,
    )?;
    Ok(Value::Bool(is_valid))
}

/// Whether a message has the code that a secret gives it. It is compared in constant time.
pub(super) fn is_authentic(
    context: &mut Context<'_, '_>,
    secret: &[u8],
    hash: Hash,
    message: &[u8],
    code: &[u8],
) -> Result<bool> {
    context.charge_bytes(secret.len() + message.len())?;
    let key = hmac::Key::new(of_hash(hash), secret);
    Ok(hmac::verify(&key, message, code).is_ok())
}

/// The code of a hash.
pub(super) fn of_hash(hash: Hash) -> hmac::Algorithm {
    match hash {
        Hash::Sha256 => hmac::HMAC_SHA256,
        Hash::Sha384 => hmac::HMAC_SHA384,
        Hash::Sha512 => hmac::HMAC_SHA512,
    }
}
