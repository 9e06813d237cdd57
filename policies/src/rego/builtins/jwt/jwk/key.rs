//! One key.

use num_bigint::BigUint;

use super::{
    super::{Context, Result, algorithm, wrong},
    Key, RsaNumbers, VerificationKey,
    written::{any_value, octets, parts_of, text, value},
};
use crate::rego::{
    builtins::{
        bytes::{self, STANDARD},
        crypto::{
            Certificate,
            private_key::public_of_seed,
            public_key::{self, KEY, PublicKey, RsaPublicKey},
            signature::Curve,
        },
    },
    value::{Value, elements, json::Parts},
};

/// Whether a name is a key of the library's, which are the same in any case.
fn is_named(name: &str, wanted: &str) -> bool {
    // The sign of the Kelvin is a K in some case.
    name.replace('\u{212a}', "k").eq_ignore_ascii_case(wanted)
}

/// What all keys have in common, and the bytes that only this type has.
struct Members {
    key_type: String,
    algorithm: String,
    id: String,
    curve: Option<String>,
    octets: Vec<(&'static str, Vec<u8>)>,
}

impl Members {
    /// The bytes of a member, which has to be there.
    fn take(&mut self, name: &str) -> Result<Vec<u8>> {
        self.find(name)
            .ok_or_else(|| wrong(format!("required field {name} is missing")))
    }

    /// The last of those with a name counts.
    fn find(&mut self, name: &str) -> Option<Vec<u8>> {
        let at = self.octets.iter().rposition(|(known, _)| *known == name)?;
        Some(self.octets.swap_remove(at).1)
    }

    fn number(&mut self, name: &str) -> Option<BigUint> {
        self.find(name).map(|bytes| BigUint::from_bytes_be(&bytes))
    }
}

/// Reads a key.
pub(super) fn read(
    context: &mut Context<'_, '_>,
    members: &[(String, &[u8])],
) -> Result<VerificationKey> {
    context.budget.steps(KEY)?;
    let mut key_type = String::new();
    for (name, written) in members {
        if is_named(name, "kty") {
            match value(written)? {
                Value::String(text) => key_type = text.to_string(),
                Value::Null => {}
                _ => return Err(wrong("failed to probe data: kty is no string")),
            }
        }
    }
    let is_private = members.iter().any(|(name, _)| is_named(name, "d"));
    let known: &[&'static str] = match (key_type.as_str(), is_private) {
        ("RSA", false) => &["e", "n"],
        ("RSA", true) => &["e", "n", "d", "p", "q", "dp", "dq", "qi"],
        ("EC", false) => &["x", "y"],
        ("EC", true) => &["x", "y", "d"],
        ("OKP", false) => &["x"],
        ("OKP", true) => &["x", "d"],
        ("oct", _) => &["k"],
        _ => return Err(wrong("invalid key type from JSON")),
    };
    let mut read = Members {
        key_type,
        algorithm: String::new(),
        id: String::new(),
        curve: None,
        octets: Vec::new(),
    };
    for (name, written) in members {
        member(context, &mut read, known, name, written)?;
    }
    let key = match (read.key_type.as_str(), is_private) {
        ("RSA", _) => rsa(&mut read, is_private)?,
        ("EC", _) => ec(&mut read, is_private)?,
        ("OKP", _) => okp(&mut read, is_private)?,
        _ => {
            let secret = read.take("k")?;
            if secret.is_empty() {
                return Err(wrong("key validation failed: missing \"k\" field"));
            }
            Key::Symmetric(secret)
        }
    };
    Ok(VerificationKey {
        algorithm: read.algorithm,
        id: read.id,
        key,
    })
}

fn member(
    context: &mut Context<'_, '_>,
    read: &mut Members,
    known: &[&'static str],
    name: &str,
    written: &[u8],
) -> Result<()> {
    match name {
        "kty" => {
            if text(name, written)? != read.key_type {
                return Err(wrong("invalid kty value"));
            }
        }
        "alg" => {
            read.algorithm = text(name, written)?;
            if algorithm(&read.algorithm).is_none()
                && !OTHER_ALGORITHMS.contains(&read.algorithm.as_str())
            {
                return Err(wrong("failed to decode value for key alg"));
            }
        }
        "kid" => read.id = text(name, written)?,
        "use" | "x5t" | "x5t#S256" | "x5u" => drop(text(name, written)?),
        "key_ops" => {
            let operations = value(written)?;
            let is_text = |one: &Value| matches!(one, Value::String(_) | Value::Null);
            let is_list =
                elements(&operations).is_some_and(|operations| operations.iter().all(is_text));
            if !is_list && operations != Value::Null {
                return Err(wrong("failed to decode value for key key_ops"));
            }
        }
        "x5c" => chain(context, written)?,
        "crv" if matches!(read.key_type.as_str(), "EC" | "OKP") => {
            let curve = text(name, written)?;
            if !CURVES.contains(&curve.as_str()) {
                return Err(wrong("failed to decode value for key crv"));
            }
            read.curve = Some(curve);
        }
        name => match known.iter().find(|known| **known == name) {
            Some(name) => read.octets.push((name, octets(name, written)?)),
            None => any_value(written)?,
        },
    }
    Ok(())
}

/// Algorithms that a key can be for, and no token is verified with.
const OTHER_ALGORITHMS: [&str; 28] = [
    "ES256K",
    "Ed25519",
    "none",
    "A128GCMKW",
    "A128KW",
    "A192GCMKW",
    "A192KW",
    "A256GCMKW",
    "A256KW",
    "dir",
    "ECDH-ES",
    "ECDH-ES+A128KW",
    "ECDH-ES+A192KW",
    "ECDH-ES+A256KW",
    "PBES2-HS256+A128KW",
    "PBES2-HS384+A192KW",
    "PBES2-HS512+A256KW",
    "RSA1_5",
    "RSA-OAEP",
    "RSA-OAEP-256",
    "RSA-OAEP-384",
    "RSA-OAEP-512",
    "A128CBC-HS256",
    "A128GCM",
    "A192CBC-HS384",
    "A192GCM",
    "A256CBC-HS512",
    "A256GCM",
];

/// Curves that have names.
const CURVES: [&str; 7] = [
    "Ed25519", "Ed448", "P-256", "P-384", "P-521", "X25519", "X448",
];

/// The most certificates of a chain, and the bytes of one.
const LONGEST_CHAIN: usize = 10;
const LARGEST_CERTIFICATE: usize = 256 * 1024;

/// A chain of certificates, of which nothing is kept but that they are such.
fn chain(context: &mut Context<'_, '_>, written: &[u8]) -> Result<()> {
    let invalid = || wrong("failed to decode value for key x5c");
    let Parts::Elements(certificates) = parts_of(written)? else {
        return Err(invalid());
    };
    if certificates.len() > LONGEST_CHAIN {
        return Err(invalid());
    }
    for certificate in certificates {
        let text = text("x5c", certificate)?;
        let letters = text.bytes();
        let letters = letters.filter(|letter| !b" \t\r\n\x0b\x0c".contains(letter));
        let letters: Vec<u8> = letters.collect();
        let der = bytes::decode(&letters, STANDARD)?;
        if der.len() > LARGEST_CERTIFICATE {
            return Err(invalid());
        }
        Certificate::read(context, &der)?;
    }
    Ok(())
}

fn rsa(members: &mut Members, is_private: bool) -> Result<Key> {
    let modulus = BigUint::from_bytes_be(&members.take("n")?);
    let exponent = BigUint::from_bytes_be(&members.take("e")?);
    let invalid = |what| wrong(format!("key validation failed: {what}"));
    if modulus.bits() == 0 {
        return Err(invalid("missing \"n\" value"));
    }
    if !exponent.bit(0) {
        return Err(invalid("invalid rsa public exponent"));
    }
    let exponent = u64::try_from(exponent)
        .ok()
        .filter(|exponent| i64::try_from(*exponent).is_ok())
        .ok_or_else(|| invalid("rsa public exponent too large"))?;
    let public = RsaPublicKey { modulus, exponent };
    if !is_private {
        return Ok(Key::Public(PublicKey::Rsa(public)));
    }
    let d = members.take("d")?;
    if d.is_empty() {
        return Err(invalid("missing \"d\" value"));
    }
    let numbers = RsaNumbers {
        d: BigUint::from_bytes_be(&d),
        p: members.number("p"),
        q: members.number("q"),
        derived: ["dp", "dq", "qi"].map(|name| members.number(name)),
    };
    if numbers.p.is_none() || numbers.q.is_none() {
        return Ok(Key::Unusable("missing \"q\" value"));
    }
    Ok(Key::Rsa {
        public,
        numbers: Box::new(numbers),
    })
}

fn ec(members: &mut Members, is_private: bool) -> Result<Key> {
    let curve = match members.curve.as_deref() {
        Some("P-256") => Curve::P256,
        Some("P-384") => Curve::P384,
        Some("P-521") => Curve::P521,
        Some(_) => return Err(wrong("key validation failed: invalid curve algorithm")),
        None => return Err(wrong("required field crv is missing")),
    };
    let (x, y) = (members.take("x")?, members.take("y")?);
    let has_size = |bytes: &[u8]| bytes.len() == curve.size();
    if !has_size(&x) || !has_size(&y) {
        return Err(wrong(
            "key validation failed: invalid length of a coordinate",
        ));
    }
    let public = public_key::ec(curve, &[&[4], x.as_slice(), &y].concat())?;
    if !is_private {
        return Ok(Key::Public(public));
    }
    let secret = members.take("d")?;
    if !has_size(&secret) {
        return Err(wrong("key validation failed: invalid \"d\" length"));
    }
    Ok(Key::Ec {
        curve,
        secret,
        public,
    })
}

fn okp(members: &mut Members, is_private: bool) -> Result<Key> {
    let curve = members.curve.take();
    let curve = curve.ok_or_else(|| wrong("required field crv is missing"))?;
    let public = members.take("x")?;
    let secret = is_private.then(|| members.take("d")).transpose()?;
    let has_size = matches!(curve.as_str(), "Ed25519" | "X25519");
    for bytes in [Some(&public), secret.as_ref()].into_iter().flatten() {
        if bytes.is_empty() || has_size && bytes.len() != 32 {
            return Err(wrong("key validation failed: wrong key size"));
        }
    }
    Ok(match (curve.as_str(), secret) {
        ("Ed25519", None) => Key::Public(PublicKey::Ed25519(public)),
        ("Ed25519", Some(seed)) => {
            if public_of_seed(&seed)? == public {
                Key::Ed25519 { seed, public }
            } else {
                Key::Unusable("ed25519: invalid x value given d value")
            }
        }
        ("X25519", _) => Key::Other,
        _ => Key::Unusable("invalid curve algorithm"),
    })
}
