//! Private keys from texts, and how they are written: as Go has them, and as JWK.

use super::{
    certificate::Certificate,
    der_of, pem,
    private_key::{self, PrivateKey},
    public_key::PublicKey,
    show::{self, base64, integer, natural, object},
    wrong,
};
use crate::rego::{
    builtins::{
        Context, Fault, Result,
        bytes::{self, STANDARD, URL_UNPADDED},
        string, wrong_type,
    },
    value::Value,
};

/// The keys of a text, as Go writes them.
pub(super) fn parse_private_keys(
    context: &mut Context<'_, '_>,
    operands: &[Value],
) -> Result<Value> {
    let text = string(operands, 0)?;
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let keys = of_text(context, text.as_bytes())?;
    let keys: Result<Vec<Value>> = keys.iter().map(shown).collect();
    Ok(keys?.into())
}

/// The first key of a text, as a JWK. Whatever the name of the function, it can be any.
pub(super) fn parse_rsa_private_key(
    context: &mut Context<'_, '_>,
    operands: &[Value],
) -> Result<Value> {
    let text = string(operands, 0)?;
    if text.is_empty() {
        return Err(wrong("input PEM data was empty"));
    }
    context.charge_bytes(text.len())?;
    let decoded: Vec<u8>;
    let text = if text.starts_with("-----BEGIN") {
        text.as_bytes()
    } else {
        decoded = bytes::decode(text.as_bytes(), STANDARD)?;
        &decoded
    };
    let keys = of_text(context, text)?;
    Ok(keys.first().map_or(Value::Null, jwk))
}

/// A certificate with its key.
pub(super) fn parse_keypair(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    // Of both operands OPA says that they are the first.
    let text = |at: usize| match &operands[at] {
        Value::String(text) => Ok(text.as_bytes()),
        other => Err(wrong_type(1, "string", other)),
    };
    let blocks = |context: &mut Context<'_, '_>, text: &[u8]| {
        let (mut rest, mut blocks) = (text, Vec::new());
        while let Some((block, after)) = pem::next(rest) {
            context.charge_members(1)?;
            blocks.push((block.label.to_vec(), block.bytes));
            rest = after;
        }
        Result::Ok(blocks)
    };
    let begin = b"-----BEGIN ";
    let (certificate, key) = (text(0)?, text(1)?);
    let certificates: Vec<Vec<u8>> = match der_of(context, certificate, begin)? {
        Some(der) if !der.starts_with(begin) => vec![der],
        text => {
            let blocks = blocks(context, text.as_deref().unwrap_or(certificate))?;
            let certificates = blocks.into_iter();
            let certificates = certificates.filter(|(label, _)| label == b"CERTIFICATE");
            certificates.map(|(_, bytes)| bytes).collect()
        }
    };
    let key = match der_of(context, key, begin)? {
        Some(der) if !der.starts_with(b"-----BEGIN") => Some(der),
        text => {
            let blocks = blocks(context, text.as_deref().unwrap_or(key))?;
            let mut keys = blocks.into_iter();
            let key =
                keys.find(|(label, _)| label == b"PRIVATE KEY" || label.ends_with(b" PRIVATE KEY"));
            key.map(|(_, bytes)| bytes)
        }
    };
    let first = certificates
        .first()
        .ok_or_else(|| wrong("tls: failed to find any PEM data in certificate input"))?;
    let key = key.ok_or_else(|| wrong("tls: failed to find any PEM data in key input"))?;
    let leaf = Certificate::read(context, first)?;
    let key = of_any_form(context, &key)?;
    let public = key.public();
    let kind = std::mem::discriminant::<PublicKey>;
    match &leaf.key {
        Some(own @ (PublicKey::Rsa(_) | PublicKey::Ec { .. } | PublicKey::Ed25519(_))) => {
            if kind(own) != kind(&public) {
                return Err(wrong(
                    "tls: private key type does not match public key type",
                ));
            }
            if *own != public {
                return Err(wrong("tls: private key does not match public key"));
            }
        }
        _ => return Err(wrong("tls: unknown public key algorithm")),
    }
    let all: Vec<Value> = certificates.iter().map(|der| base64(der)).collect();
    Ok(object([
        ("Certificate", all.into()),
        ("PrivateKey", shown(&key)?),
        ("SupportedSignatureAlgorithms", Value::Null),
        ("OCSPStaple", Value::Null),
        ("SignedCertificateTimestamps", Value::Null),
        ("Leaf", show::certificate(&leaf, false)?),
    ]))
}

/// A key in one of the forms, which is not told.
fn of_any_form(context: &mut Context<'_, '_>, der: &[u8]) -> Result<PrivateKey> {
    let mut attempts = [
        private_key::read_rsa(context, der),
        private_key::read_any(context, der),
        private_key::read_ec(None, der),
    ]
    .into_iter()
    .filter(|attempt| !matches!(attempt, Err(Fault::Value(_))));
    match attempts.next() {
        Some(Ok(PrivateKey::X25519 { .. })) => Err(wrong(
            "tls: found unknown private key type in PKCS#8 wrapping",
        )),
        Some(attempt) => attempt,
        None => Err(wrong("tls: failed to parse private key")),
    }
}

/// The keys in a text of PEM, which may be in base64.
fn of_text(context: &mut Context<'_, '_>, text: &[u8]) -> Result<Vec<PrivateKey>> {
    context.charge_bytes(2 * text.len())?;
    let decoded = bytes::decode(text, STANDARD).ok();
    let mut rest = decoded.as_deref().unwrap_or(text);
    let mut keys = Vec::new();
    while let Some((block, after)) = pem::next(rest) {
        rest = after;
        // The numbers of a key take some times its bytes.
        context.charge_bytes(8 * block.bytes.len())?;
        match block.label {
            b"RSA PRIVATE KEY" => keys.push(private_key::read_rsa(context, &block.bytes)?),
            b"PRIVATE KEY" => keys.push(private_key::read_any(context, &block.bytes)?),
            b"EC PRIVATE KEY" => keys.push(private_key::read_ec(None, &block.bytes)?),
            _ => {}
        }
    }
    Ok(keys)
}

/// A key as Go writes it.
fn shown(key: &PrivateKey) -> Result<Value> {
    Ok(match key {
        PrivateKey::Rsa(key) => {
            let number = |number: &num_bigint::BigUint| integer(number.clone().into());
            let none: Vec<Value> = Vec::new();
            object([
                ("N", number(&key.public.modulus)?),
                ("E", key.public.exponent.into()),
                ("D", number(&key.d)?),
                ("Primes", vec![number(&key.p)?, number(&key.q)?].into()),
                (
                    "Precomputed",
                    object([
                        ("Dp", number(&key.dp)?),
                        ("Dq", number(&key.dq)?),
                        ("Qinv", number(&key.qi)?),
                        ("CRTValues", none.into()),
                    ]),
                ),
            ])
        }
        PrivateKey::Ec { secret, x, y, .. } => object([
            ("Curve", Value::new_object()),
            ("X", natural(x)?),
            ("Y", natural(y)?),
            ("D", natural(secret)?),
        ]),
        PrivateKey::Ed25519 { seed, public } => base64(&[seed.as_slice(), public].concat()),
        PrivateKey::X25519 { .. } => Value::new_object(),
    })
}

/// A key as a JWK.
fn jwk(key: &PrivateKey) -> Value {
    let text = |bytes: &[u8]| Value::from(bytes::encode(bytes, URL_UNPADDED));
    let number = |number: &num_bigint::BigUint| text(&number.to_bytes_be());
    match key {
        PrivateKey::Rsa(key) => object([
            ("kty", "RSA".into()),
            ("n", number(&key.public.modulus)),
            ("e", text(&key.public.components().e)),
            ("d", number(&key.d)),
            ("p", number(&key.p)),
            ("q", number(&key.q)),
            ("dp", number(&key.dp)),
            ("dq", number(&key.dq)),
            ("qi", number(&key.qi)),
        ]),
        PrivateKey::Ec {
            curve,
            secret,
            x,
            y,
        } => object([
            ("kty", "EC".into()),
            ("crv", curve.name().into()),
            ("x", text(x)),
            ("y", text(y)),
            ("d", text(secret)),
        ]),
        PrivateKey::Ed25519 { seed, public } => object([
            ("kty", "OKP".into()),
            ("crv", "Ed25519".into()),
            ("x", text(public)),
            ("d", text(seed)),
        ]),
        PrivateKey::X25519 { secret, public } => object([
            ("kty", "OKP".into()),
            ("crv", "X25519".into()),
            ("x", text(public)),
            ("d", text(secret)),
        ]),
    }
}
