//! `io.jwt.decode_verify`: whether a token is signed, and whether it keeps to constraints.

use std::borrow::Cow;

use regorus::value::Object;

use super::{
    Context, Result, beyond, jwk,
    jwk::{Key, VerificationKey},
    members, string, text,
    token::{self, Header, Token},
    value,
    verify::{self, Family, Lengths},
    wrong, wrong_type,
};
use crate::rego::{
    builtins::crypto::signature::Hash,
    value::{Value, number},
};

/// What a token has to keep to.
#[derive(Default)]
struct Constraints<'v> {
    keys: Option<Vec<VerificationKey>>,
    secret: &'v str,
    algorithm: &'v str,
    issuer: &'v str,
    audience: &'v str,
    /// Nanoseconds since 1970, as OPA counts them here.
    time: Option<f64>,
}

impl<'v> Constraints<'v> {
    fn read(context: &mut Context<'_, '_>, constraints: &'v Object) -> Result<Self> {
        let mut read = Self::default();
        context.charge_members(constraints.len())?;
        for (name, constraint) in members(constraints)? {
            let place = match name {
                "cert" => {
                    let keys = text(constraint, "cert constraint: must be a string")?;
                    read.keys = Some(jwk::keys(context, keys)?);
                    continue;
                }
                "time" => {
                    read.time = Some(time(constraint)?);
                    continue;
                }
                "secret" => &mut read.secret,
                "alg" => &mut read.algorithm,
                "iss" => &mut read.issuer,
                "aud" => &mut read.audience,
                _ => {
                    return Err(wrong(format!(
                        "unknown token validation constraint: {name}"
                    )));
                }
            };
            *place = text(constraint, &format!("{name} constraint: must be a string"))?;
        }
        match (read.keys.is_some(), !read.secret.is_empty()) {
            (true, true) => Err(wrong("duplicate key constraints")),
            (false, false) => Err(wrong("no key constraint")),
            _ => Ok(read),
        }
    }
}

fn time(constraint: &Value) -> Result<f64> {
    match number::as_f64(constraint) {
        None => Err(wrong("token time constraint: must be a number")),
        Some(time) if time < 0.0 => Err(wrong("token time constraint: must not be negative")),
        Some(time) => Ok(time),
    }
}

/// `[true, header, payload]`, or `[false, {}, {}]`.
pub(super) fn decode_verify(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let Value::Object(constraints) = &operands[1] else {
        return Err(wrong_type(2, "object", &operands[1]));
    };
    let constraints = Constraints::read(context, constraints)?;
    let now = match constraints.time {
        Some(time) => time,
        None => time(&Value::from(context.surroundings.now))?,
    };
    let unverified = || {
        Ok(Value::from(vec![
            Value::Bool(false),
            Value::new_object(),
            Value::new_object(),
        ]))
    };
    let Some((header, payload)) = verified(context, string(operands, 0)?, &constraints)? else {
        return unverified();
    };
    let payload = token::object(context, &payload)?;
    if !is_for(&payload, &constraints)? || !is_in_time(&payload, now)? {
        return unverified();
    }
    Ok(vec![Value::Bool(true), header, payload].into())
}

/// The header and the payload of a token, or of the innermost in it, if all of them are signed.
fn verified(
    context: &mut Context<'_, '_>,
    token: &str,
    constraints: &Constraints<'_>,
) -> Result<Option<(Value, String)>> {
    let mut token = Cow::Borrowed(token);
    loop {
        let parts = Token::read(&token)?;
        let header_value = parts.header(context)?;
        let header = Header::read(&header_value)?;
        let is_allowed =
            constraints.algorithm.is_empty() || constraints.algorithm == header.algorithm;
        if !header.is_valid() || !is_allowed {
            return Ok(None);
        }
        let signature = parts.signature(context)?;
        let message = parts.signed();
        context.charge_bytes(message.len())?;
        if !is_signed(
            context,
            constraints,
            &header,
            message.as_bytes(),
            &signature,
        )? {
            return Ok(None);
        }
        let payload = parts.payload(context)?;
        if !header.has_token() {
            return Ok(Some((header_value, payload)));
        }
        token = Cow::Owned(payload);
    }
}

fn is_signed(
    context: &mut Context<'_, '_>,
    constraints: &Constraints<'_>,
    header: &Header,
    message: &[u8],
    signature: &[u8],
) -> Result<bool> {
    let Some(family) = family(&header.algorithm) else {
        return Ok(false);
    };
    let mut is_signed_by = |key: &Key| match (key, family) {
        (Key::Symmetric(secret), Family::Hmac(hash)) => {
            verify::is_authentic(context, secret, hash, message, signature)
        }
        (_, Family::Hmac(_)) => Ok(false),
        (key, family) => match key.public() {
            Some(key) => {
                let lengths = Lengths::OfAlgorithm;
                verify::is_signed(context, &key, family, lengths, message, signature)
            }
            None => Ok(false),
        },
    };
    match &constraints.keys {
        Some(keys) => verify::any(header, keys, is_signed_by),
        None => is_signed_by(&Key::Symmetric(constraints.secret.as_bytes().to_vec())),
    }
}

/// An algorithm by its name, or by one of the names that OPA's library has besides.
fn family(name: &str) -> Option<Family> {
    super::algorithm(name).or_else(|| {
        Some(match name {
            "Ed25519" => Family::EdDsa,
            "HMAC_WITH_SHA256" => Family::Hmac(Hash::Sha256),
            "HMAC_WITH_SHA384" => Family::Hmac(Hash::Sha384),
            "HMAC_WITH_SHA512" => Family::Hmac(Hash::Sha512),
            "RSA_PKCS1v15_WITH_SHA256" => Family::Pkcs1(Hash::Sha256),
            "RSA_PKCS1v15_WITH_SHA384" => Family::Pkcs1(Hash::Sha384),
            "RSA_PKCS1v15_WITH_SHA512" => Family::Pkcs1(Hash::Sha512),
            "RSA_PSS_WITH_SHA256" => Family::Pss(Hash::Sha256),
            "RSA_PSS_WITH_SHA384" => Family::Pss(Hash::Sha384),
            "RSA_PSS_WITH_SHA512" => Family::Pss(Hash::Sha512),
            "ECDSA_WITH_P256_AND_SHA256" => Family::Ecdsa(Hash::Sha256),
            "ECDSA_WITH_P384_AND_SHA384" => Family::Ecdsa(Hash::Sha384),
            "ECDSA_WITH_P521_AND_SHA512" => Family::Ecdsa(Hash::Sha512),
            _ => return None,
        })
    })
}

/// Whether a token is from the issuer, if one is wanted, and for the audience, even if none is.
fn is_for(payload: &Value, constraints: &Constraints<'_>) -> Result<bool> {
    if !constraints.issuer.is_empty() {
        match claim(payload, "iss") {
            None => return Ok(false),
            Some(Value::String(issuer)) if **issuer != *constraints.issuer => return Ok(false),
            Some(Value::String(_)) => {}
            // OPA panics.
            Some(_) => return Err(beyond("the issuer of a token is no string")),
        }
    }
    let is_audience =
        |one: &Value| matches!(one, Value::String(one) if **one == *constraints.audience);
    Ok(match claim(payload, "aud") {
        None => constraints.audience.is_empty(),
        Some(audience) => {
            is_audience(audience)
                || value::elements(audience)
                    .is_some_and(|audiences| audiences.iter().any(is_audience))
        }
    })
}

/// Whether a token is not expired, and in force already.
fn is_in_time(payload: &Value, now: f64) -> Result<bool> {
    let seconds = number::parse(&format!("{:e}", now / 1e9)).unwrap_or(Value::Null);
    let claimed = |name| match claim(payload, name) {
        Some(claimed) if !number::is_number(claimed) => {
            Err(wrong(format!("{name} value must be a number")))
        }
        claimed => Ok(claimed),
    };
    if let Some(end) = claimed("exp")?
        && number::compare(&seconds, end).is_ge()
    {
        return Ok(false);
    }
    Ok(claimed("nbf")?.is_none_or(|start| number::compare(&seconds, start).is_ge()))
}

fn claim<'v>(payload: &'v Value, name: &str) -> Option<&'v Value> {
    match payload {
        Value::Object(payload) => payload.get(&Value::from(name)),
        _ => None,
    }
}
