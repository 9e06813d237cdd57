//! Keys: JWK and sets of them (RFC 7517), certificates and public keys in PEM.
//!
//! A set is as good as its worst key, as in OPA's library: one that cannot be read spoils all.

use num_bigint::BigUint;

use super::{Context, Result, algorithm, beyond, token, wrong};
use crate::rego::{
    builtins::{
        bytes::{self, STANDARD, STANDARD_UNPADDED, URL, URL_UNPADDED},
        crypto::{
            Certificate, pem,
            private_key::public_of_seed,
            public_key::{self, PublicKey, RsaPublicKey},
            signature::Curve,
        },
    },
    value::{
        Value, elements,
        json::{self, Parts},
        number,
    },
};

/// A key that tokens can be verified with.
#[derive(Debug)]
pub(super) struct VerificationKey {
    /// Empty where it is not said.
    pub(super) algorithm: String,
    pub(super) id: String,
    pub(super) key: Key,
}

/// A key as a JWK has it.
pub(super) enum Key {
    Public(PublicKey),
    Rsa {
        public: RsaPublicKey,
        numbers: Box<RsaNumbers>,
    },
    Ec {
        curve: Curve,
        secret: Vec<u8>,
        public: PublicKey,
    },
    Ed25519 {
        seed: Vec<u8>,
        public: Vec<u8>,
    },
    Symmetric(Vec<u8>),
    /// It can be read and not be used.
    Unusable(&'static str),
    /// It can be used for something else.
    Other,
}

/// The private numbers of an RSA key, of which some need not be there.
#[derive(Default)]
pub(super) struct RsaNumbers {
    pub(super) d: BigUint,
    pub(super) p: Option<BigUint>,
    pub(super) q: Option<BigUint>,
    pub(super) derived: [Option<BigUint>; 3],
}

/// Nobody sees a secret.
impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Public(key) => key.fmt(formatter),
            _ => formatter.write_str("Key"),
        }
    }
}

impl Key {
    /// What verifies what it signs.
    pub(super) fn public(&self) -> Option<PublicKey> {
        match self {
            Self::Public(key) | Self::Ec { public: key, .. } => Some(key.clone()),
            Self::Rsa { public, .. } => Some(PublicKey::Rsa(public.clone())),
            Self::Ed25519 { public, .. } => Some(PublicKey::Ed25519(public.clone())),
            Self::Symmetric(_) | Self::Unusable(_) | Self::Other => None,
        }
    }
}

/// The most keys of a set.
const MOST_KEYS: usize = 1000;

/// The keys that tokens are verified with: of a certificate, a public key in PEM, a JWK or a set.
pub(super) fn keys(context: &mut Context<'_, '_>, text: &str) -> Result<Vec<VerificationKey>> {
    context.charge_bytes(text.len())?;
    if let Some((block, rest)) = pem::next(text.as_bytes()) {
        if !rest.is_empty() {
            return Err(wrong("extra data after a PEM certificate block"));
        }
        let key = match block.label {
            b"CERTIFICATE" => Certificate::read(context, &block.bytes)
                .map(|certificate| certificate.key)
                .map_err(|fault| token::prefixed("failed to parse a PEM certificate", fault))?,
            b"PUBLIC KEY" => {
                let key = public_key::read(&block.bytes);
                let key = key.map_err(|fault| {
                    token::prefixed("failed to parse a PEM public key", fault)
                })?;
                Some(key)
            }
            _ => {
                return Err(wrong(
                    "failed to extract a Key from the PEM certificate",
                ));
            }
        };
        return Ok(vec![VerificationKey {
            algorithm: String::new(),
            id: String::new(),
            key: key.map_or(Key::Other, Key::Public),
        }]);
    }
    let mut keys = parse(context, text)
        .map_err(|fault| token::prefixed("failed to parse a JWK key (set)", fault))?;
    if let Some(Key::Unusable(why)) = keys
        .iter()
        .map(|key| &key.key)
        .find(|key| matches!(key, Key::Unusable(_)))
    {
        return Err(wrong(*why));
    }
    keys.retain(|key| key.algorithm.is_empty() || algorithm(&key.algorithm).is_some());
    Ok(keys)
}

/// The keys of a JWK or a set.
pub(super) fn parse(context: &mut Context<'_, '_>, text: &str) -> Result<Vec<VerificationKey>> {
    context.charge_bytes(text.len())?;
    context.charge_members(text.len() / 2)?;
    let (parts, is_all) = parts(text.as_bytes())?;
    let members = match parts {
        Parts::Members(members) => members,
        _ => return Err(wrong("failed to parse sole key")),
    };
    // What follows is overlooked, but then this is no set.
    if !is_all || members.iter().all(|(name, _)| name != "keys") {
        return Ok(vec![key(context, &members)?]);
    }
    let mut keys = Vec::new();
    for (name, written) in members {
        if name != "keys" {
            any_value(written)?;
            continue;
        }
        let Parts::Elements(elements) = parts_of(written)? else {
            return Err(wrong("failed to decode \"keys\""));
        };
        if elements.len() > MOST_KEYS {
            return Err(wrong("too many keys in \"keys\" array: max 1000"));
        }
        for element in elements {
            let Parts::Members(members) = parts_of(element)? else {
                return Err(wrong("failed to decode key in \"keys\""));
            };
            keys.push(key(context, &members)?);
        }
    }
    Ok(keys)
}

fn parts(text: &[u8]) -> Result<(Parts<'_>, bool)> {
    json::parts(text).map_err(|fault| match fault {
        json::Fault::Unexpected { .. } | json::Fault::End => wrong(fault.to_string()),
        _ => beyond("a key has larger numbers, or is deeper, than is read"),
    })
}

fn parts_of(written: &[u8]) -> Result<Parts<'_>> {
    Ok(parts(written)?.0)
}

/// A value that nobody looks at. Go reads its numbers as floats all the same.
fn any_value(written: &[u8]) -> Result<()> {
    let mut open = vec![value(written)?];
    while let Some(value) = open.pop() {
        if number::as_f64(&value).is_some_and(f64::is_infinite) {
            return Err(wrong("a number is out of range"));
        }
        match &value {
            Value::Object(object) => open.extend(object.values().cloned()),
            other => open.extend(elements(other).into_iter().flatten().cloned()),
        }
    }
    Ok(())
}

fn value(written: &[u8]) -> Result<Value> {
    let value = json::read_parts(written, &crate::rego::plan::access::Access::All);
    value.map_err(|_| beyond("a key has larger numbers, or is deeper, than is read"))
}

/// A string. `null` is the empty one.
fn text(name: &str, written: &[u8]) -> Result<String> {
    match value(written)? {
        Value::String(text) => Ok(text.to_string()),
        Value::Null => Ok(String::new()),
        _ => Err(wrong(format!(
            "failed to decode value for key {name}: expected a string"
        ))),
    }
}

/// Bytes in any kind of base64.
fn octets(name: &str, written: &[u8]) -> Result<Vec<u8>> {
    let text = text(name, written)?;
    let alphabet = match (text.ends_with('='), text.contains(['+', '/'])) {
        (false, false) => URL_UNPADDED,
        (true, false) => URL,
        (false, true) => STANDARD_UNPADDED,
        (true, true) => STANDARD,
    };
    // The message has no part of the key.
    bytes::decode(text.as_bytes(), alphabet).map_err(|_| {
        wrong(format!(
            "failed to decode value for key {name}: expected base64 encoded bytes"
        ))
    })
}

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

fn key(
    context: &mut Context<'_, '_>,
    members: &[(String, &[u8])],
) -> Result<VerificationKey> {
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
        return Err(wrong("key validation failed: invalid length of a coordinate"));
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
