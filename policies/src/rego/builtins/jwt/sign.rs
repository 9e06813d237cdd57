//! `io.jwt.encode_sign` and `io.jwt.encode_sign_raw`.

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeyPairComponents},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
        ECDSA_P521_SHA256_FIXED_SIGNING, ECDSA_P521_SHA384_FIXED_SIGNING,
        ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair,
        RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
        RSA_PSS_SHA512, RsaSignatureEncoding,
    },
};

use super::{
    Context, Fault, Result, algorithm, beyond,
    jwk::{self, Key, RsaNumbers},
    string, token,
    verify::{Family, of_hash},
    wrong,
};
use crate::rego::{
    builtins::{
        bytes::{self, URL_UNPADDED},
        crypto::{
            private_key::{RsaPrivateKey, point},
            public_key::{PublicKey, RsaPublicKey},
            signature::{Curve, Hash, SMALL},
        },
    },
    value::{
        self, Value,
        json::{self, Parts},
    },
};

/// What the largest RSA key needs to sign, some 30 milliseconds, and a step a tenth of a microsecond.
const RSA_SIGNATURE: u64 = 300_000;

/// What P-521 needs, half a millisecond.
const OTHER_SIGNATURE: u64 = 5_000;

/// Signs what becomes JSON.
pub(super) fn encode_sign(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let mut texts = Vec::with_capacity(3);
    for operand in operands {
        context.charge_text(operand)?;
        texts.push(json::write(operand));
    }
    context.kept(operands, |context| {
        signed(context, &texts[0], &texts[1], &texts[2])
    })
}

/// Signs texts as they are.
pub(super) fn encode_sign_raw(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    // In the order in which OPA looks at them.
    let key = string(operands, 2)?;
    let (header, payload) = (string(operands, 0)?, string(operands, 1)?);
    context.kept(operands, |context| signed(context, header, payload, key))
}

fn signed(context: &mut Context<'_, '_>, header: &str, payload: &str, key: &str) -> Result<Value> {
    let keys = jwk::parse(context, key)?;
    let key = keys
        .first()
        .ok_or_else(|| wrong("no keys found in JWK set"))?;
    let [name, kind] = parameters(context, header)?;
    let name = name.map_err(|why| wrong(format!("missing or invalid 'alg' header: {why}")))?;
    let family = algorithm(&name).ok_or_else(|| wrong(format!("unknown JWS algorithm: {name}")))?;
    let is_document = kind.is_err() || kind.is_ok_and(|kind| kind == "JWT");
    if is_document && token::document(context, payload)?.is_err() {
        return Err(wrong("type is JWT but payload is not JSON"));
    }
    context.charge_bytes(3 * (header.len() + payload.len()))?;
    let encode = |text: &[u8]| bytes::encode(text, URL_UNPADDED);
    let message = [encode(header.as_bytes()), encode(payload.as_bytes())].join(".");
    let signature = signature(context, &key.key, family, message.as_bytes())?;
    Ok(Value::from([message, encode(&signature)].join(".")))
}

/// The parameters `alg` and `typ` of a header, or why there are none.
fn parameters(
    context: &mut Context<'_, '_>,
    header: &str,
) -> Result<[std::result::Result<String, String>; 2]> {
    context.charge_bytes(header.len())?;
    context.charge_members(header.len() / 2)?;
    let failed = |why: &str| [(); 2].map(|()| Err(format!("cannot parse JSON: {why}")));
    let members = match json::parts(header.as_bytes()) {
        Ok((Parts::Members(members), true)) => members,
        Ok((_, true)) => Vec::new(),
        Ok((_, false)) => return Ok(failed("unexpected tail")),
        Err(_) if header.trim_ascii().is_empty() => {
            return Ok(failed("cannot parse empty string; unparsed tail: \"\""));
        }
        // The library takes more for an object than that.
        Err(fault)
            if header.trim_ascii().starts_with('{') && is_loose(header.as_bytes(), fault) =>
        {
            return Err(beyond("a header is nearly JSON"));
        }
        Err(fault) => return Ok(failed(&fault.to_string())),
    };
    let mut found = ["alg", "typ"].map(|name| {
        let mut same = members.iter().filter(|(member, _)| member == name);
        let first = same.next().map(|(_, written)| *written);
        (name, first, same.next().is_some())
    });
    if found.iter().any(|(_, _, is_double)| *is_double) {
        return Err(beyond("a parameter of a header is there twice"));
    }
    let mut parameters = Vec::with_capacity(2);
    for (name, written, _) in &mut found {
        parameters.push(match written.take() {
            None => Err(format!("jwsbb: header \"{name}\" not found")),
            Some(written) => {
                let text = str::from_utf8(written).unwrap_or_default();
                match token::document(context, text)? {
                    Ok(Value::String(text)) => Ok(text.to_string()),
                    Ok(other) => {
                        let kind = value::kind(&other).name();
                        Err(format!("value doesn't contain string; it contains {kind}"))
                    }
                    Err(_) => Err("value doesn't contain string".to_owned()),
                }
            }
        });
    }
    let kind = parameters.pop();
    let name = parameters.pop();
    Ok([name, kind].map(|one| one.unwrap_or_else(|| Err(String::new()))))
}

/// Whether what is no JSON may be some to a reader that looks closely at neither numbers nor what
/// lies in strings.
fn is_loose(text: &[u8], fault: json::Fault) -> bool {
    let json::Fault::Unexpected { byte, at } = fault else {
        return fault != json::Fault::End;
    };
    let before = &text[..at];
    let in_escape = before.iter().rev().take(6).any(|byte| *byte == b'\\');
    byte < b' '
        || in_escape
        || b"0123456789+-.eEiInN".contains(&byte)
        || matches!(before.last(), Some(b'+' | b'-' | b'.' | b'e' | b'E'))
}

fn signature(
    context: &mut Context<'_, '_>,
    key: &Key,
    family: Family,
    message: &[u8],
) -> Result<Vec<u8>> {
    context.budget.steps(message.len() as u64 / 64)?;
    match (family, key) {
        (Family::Hmac(hash), key) => {
            let secret = secret(key).ok_or_else(mismatch)?;
            let key = hmac::Key::new(of_hash(hash), &secret);
            Ok(hmac::sign(&key, message).as_ref().to_vec())
        }
        (Family::Pkcs1(hash), Key::Rsa { public, numbers }) => {
            let encoding = match hash {
                Hash::Sha256 => &RSA_PKCS1_SHA256,
                Hash::Sha384 => &RSA_PKCS1_SHA384,
                Hash::Sha512 => &RSA_PKCS1_SHA512,
            };
            rsa(context, public, numbers, encoding, message)
        }
        (Family::Pss(hash), Key::Rsa { public, numbers }) => {
            let encoding = match hash {
                Hash::Sha256 => &RSA_PSS_SHA256,
                Hash::Sha384 => &RSA_PSS_SHA384,
                Hash::Sha512 => &RSA_PSS_SHA512,
            };
            rsa(context, public, numbers, encoding, message)
        }
        (Family::Ecdsa(hash), Key::Ec { curve, secret, .. }) => {
            context.budget.steps(OTHER_SIGNATURE)?;
            ecdsa(*curve, secret, hash, message)
        }
        (Family::EdDsa, Key::Ed25519 { seed, public }) => {
            context.budget.steps(OTHER_SIGNATURE)?;
            let key = Ed25519KeyPair::from_seed_and_public_key(seed, public);
            let key = key.map_err(|_| beyond("a key of Ed25519 is unusual"))?;
            Ok(key.sign(message).as_ref().to_vec())
        }
        _ => Err(mismatch()),
    }
}

fn mismatch() -> Fault {
    wrong("invalid key type for the algorithm")
}

/// The secret of a key. To OPA's library a key of Ed25519 is bytes, too, be it public or private.
fn secret(key: &Key) -> Option<Vec<u8>> {
    match key {
        Key::Symmetric(secret) => Some(secret.clone()),
        Key::Public(PublicKey::Ed25519(key)) => Some(key.clone()),
        Key::Ed25519 { seed, public } => Some([seed.as_slice(), public].concat()),
        _ => None,
    }
}

fn rsa(
    context: &mut Context<'_, '_>,
    public: &RsaPublicKey,
    numbers: &RsaNumbers,
    encoding: &'static RsaSignatureEncoding,
    message: &[u8],
) -> Result<Vec<u8>> {
    let unusable = || wrong("crypto/rsa: the key is inconsistent");
    let (Some(p), Some(q)) = (&numbers.p, &numbers.q) else {
        return Err(unusable());
    };
    if public.is_refused_by_go() {
        return Err(wrong("crypto/rsa: the key is insecure"));
    }
    let derived = match &numbers.derived {
        [Some(dp), Some(dq), Some(qi)] => Some([dp.clone(), dq.clone(), qi.clone()]),
        _ => None,
    };
    let private = [numbers.d.clone(), p.clone(), q.clone()];
    let key = RsaPrivateKey::new(context, public.clone(), private, derived)?;
    if public.modulus.bits() < SMALL {
        return Err(beyond("a small RSA key that signs"));
    }
    context.budget.steps(RSA_SIGNATURE)?;
    let key = RsaKeyPair::from_components(&KeyPairComponents {
        public_key: public.components(),
        d: key.d.to_bytes_be(),
        p: key.p.to_bytes_be(),
        q: key.q.to_bytes_be(),
        dP: key.dp.to_bytes_be(),
        dQ: key.dq.to_bytes_be(),
        qInv: key.qi.to_bytes_be(),
    });
    let key = key.map_err(|_| beyond("an RSA key is unusual"))?;
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(encoding, &SystemRandom::new(), message, &mut signature)
        .map_err(|_| beyond("an RSA key is unusual"))?;
    Ok(signature)
}

fn ecdsa(curve: Curve, secret: &[u8], hash: Hash, message: &[u8]) -> Result<Vec<u8>> {
    let algorithm: &'static EcdsaSigningAlgorithm = match (curve, hash) {
        (Curve::P256, Hash::Sha256) => &ECDSA_P256_SHA256_FIXED_SIGNING,
        (Curve::P384, Hash::Sha384) => &ECDSA_P384_SHA384_FIXED_SIGNING,
        (Curve::P521, Hash::Sha256) => &ECDSA_P521_SHA256_FIXED_SIGNING,
        (Curve::P521, Hash::Sha384) => &ECDSA_P521_SHA384_FIXED_SIGNING,
        (Curve::P521, Hash::Sha512) => &ECDSA_P521_SHA512_FIXED_SIGNING,
        _ => {
            return Err(beyond(
                "a signature by a curve and a hash that do not belong together",
            ));
        }
    };
    // The point that is written takes no part.
    let (x, y) = point(curve, secret).ok_or_else(|| wrong("ecdsa: invalid private key"))?;
    let point = [&[4], x.as_slice(), &y].concat();
    let key = EcdsaKeyPair::from_private_key_and_public_key(algorithm, secret, &point);
    let key = key.map_err(|_| beyond("a key of an elliptic curve is unusual"))?;
    let signature = key.sign(&SystemRandom::new(), message);
    let signature = signature.map_err(|_| beyond("a key of an elliptic curve is unusual"))?;
    Ok(signature.as_ref().to_vec())
}
