//! Private keys, as Go reads them from PKCS #1, PKCS #8 and SEC 1.
//!
//! What is wrong with a key is said without any part of it.

use aws_lc_rs::{
    agreement::{self, ECDH_P256, ECDH_P384, ECDH_P521},
    signature::{Ed25519KeyPair, KeyPair as _},
};
use num_bigint::BigUint;

use super::{
    beyond,
    der::{self, Bits, Reader, tag},
    public_key::{self, Algorithm, EC, ED25519, PublicKey, RSA, RsaPublicKey, X25519},
    signature::Curve,
    wrong,
};
use crate::rego::builtins::{Context, Fault, Result};

/// A key that signs, or at least is there. It is never shown in a message.
pub(in crate::rego::builtins) enum PrivateKey {
    Rsa(RsaPrivateKey),
    Ec {
        curve: Curve,
        secret: Vec<u8>,
        x: Vec<u8>,
        y: Vec<u8>,
    },
    Ed25519 {
        seed: Vec<u8>,
        public: Vec<u8>,
    },
    X25519 {
        secret: Vec<u8>,
        public: Vec<u8>,
    },
}

/// Two primes, and what is made of them.
pub(in crate::rego::builtins) struct RsaPrivateKey {
    pub(in crate::rego::builtins) public: RsaPublicKey,
    pub(in crate::rego::builtins) d: BigUint,
    pub(in crate::rego::builtins) p: BigUint,
    pub(in crate::rego::builtins) q: BigUint,
    pub(in crate::rego::builtins) dp: BigUint,
    pub(in crate::rego::builtins) dq: BigUint,
    pub(in crate::rego::builtins) qi: BigUint,
}

/// To look whether the numbers of a key fit takes as long as some verifications.
const CHECK: u64 = 10_000;

/// A power takes at most ten milliseconds for numbers of 1,024 bits, and two hundred for 4,096: a step
/// for so many pairs of bits.
const POWER: u64 = 10;

/// PKCS #1.
pub(super) fn read_rsa(context: &mut Context<'_, '_>, der: &[u8]) -> Result<PrivateKey> {
    let malformed = || wrong("asn1: structure error: the private key is malformed");
    let mut outer = Reader(der);
    let mut key = outer.enter(tag::SEQUENCE).ok_or_else(malformed)?;
    if !outer.is_empty() {
        return Err(wrong("asn1: syntax error: trailing data"));
    }
    let version = key.small_integer().ok_or_else(malformed)?;
    let modulus = key.integer().ok_or_else(malformed)?;
    let exponent = key.small_integer().ok_or_else(malformed)?;
    let mut numbers = vec![modulus];
    for _ in 0..3 {
        numbers.push(key.integer().ok_or_else(malformed)?);
    }
    for _ in 0..3 {
        if let Some(number) = key.loose(tag::INTEGER).map_err(|_| malformed())? {
            numbers.push(der::integer_of(number).ok_or_else(malformed)?);
        }
    }
    if key.loose(tag::SEQUENCE).map_err(|_| malformed())?.is_some() {
        return Err(beyond("an RSA key of more than two primes"));
    }
    if version > 1 {
        return Err(wrong("x509: unsupported private key version"));
    }
    let is_positive = |number: &BigUint| number.bits() > 0;
    let numbers: Option<Vec<BigUint>> = numbers
        .into_iter()
        .map(|number| number.to_biguint().filter(is_positive))
        .collect();
    let numbers =
        numbers.ok_or_else(|| wrong("x509: private key contains zero or negative value"))?;
    let exponent = u64::try_from(exponent)
        .map_err(|_| wrong("crypto/rsa: public exponent too small or negative"))?;
    let mut numbers = numbers.into_iter();
    let mut next = || numbers.next().unwrap_or_default();
    let public = RsaPublicKey {
        modulus: next(),
        exponent,
    };
    let (d, p, q) = (next(), next(), next());
    let derived = numbers.collect::<Vec<_>>().try_into().ok();
    RsaPrivateKey::new(context, public, [d, p, q], derived).map(PrivateKey::Rsa)
}

impl RsaPrivateKey {
    /// A key whose numbers fit together. Of those that follow from others, all are given, or none.
    pub(in crate::rego::builtins) fn new(
        context: &mut Context<'_, '_>,
        public: RsaPublicKey,
        [d, p, q]: [BigUint; 3],
        derived: Option<[BigUint; 3]>,
    ) -> Result<Self> {
        context.budget.steps(CHECK)?;
        if public.is_too_large() {
            return Err(beyond("an RSA key of more than 8192 bits"));
        }
        let one = BigUint::from(1_u8);
        let inconsistent = || wrong("crypto/rsa: the key is inconsistent");
        // None is larger than the modulus, so that none costs more than it.
        let is_large = |number: &BigUint| number.bits() > public.modulus.bits();
        if [&d, &p, &q].into_iter().any(is_large)
            || derived.iter().flatten().any(is_large)
            || p <= one
            || q <= one
            || !public.is_possible()
        {
            return Err(inconsistent());
        }
        let (below_p, below_q) = (&p - &one, &q - &one);
        let [dp, dq, qi] = if let Some(derived) = derived {
            derived
        } else {
            context.budget.steps(p.bits() * p.bits() / POWER)?;
            // The inverse, if it is a prime; otherwise it is not, and the key is not one.
            let inverse = (&q % &p).modpow(&(&below_p - &one), &p);
            [&d % &below_p, &d % &below_q, inverse]
        };
        let half = public.modulus.bits() / 2;
        let distance = if p > q { &p - &q } else { &q - &p };
        let is_inverse =
            |of: &BigUint, below: &BigUint| *below == one || of * public.exponent % below == one;
        let is_consistent = &p * &q == public.modulus
            && d < public.modulus
            && dp < below_p
            && dq < below_q
            && qi < p
            && is_inverse(&dp, &below_p)
            && is_inverse(&dq, &below_q)
            && &d % &below_p == dp
            && &d % &below_q == dq
            && &qi * &q % &p == one
            && distance.bits() > half.saturating_sub(100)
            && d.bits() > half;
        if !is_consistent {
            return Err(inconsistent());
        }
        Ok(Self {
            public,
            d,
            p,
            q,
            dp,
            dq,
            qi,
        })
    }
}

/// PKCS #8.
pub(super) fn read_any(context: &mut Context<'_, '_>, der: &[u8]) -> Result<PrivateKey> {
    let malformed = || wrong("asn1: structure error: the private key is malformed");
    let mut info = Reader(der).enter(tag::SEQUENCE).ok_or_else(malformed)?;
    info.small_integer().ok_or_else(malformed)?;
    let algorithm = info.enter(tag::SEQUENCE).ok_or_else(malformed)?;
    let algorithm = Algorithm::read(algorithm).map_err(|_| malformed())?;
    let key = info.content(tag::OCTET_STRING).ok_or_else(malformed)?;
    let embedded = |kind, fault| match fault {
        Fault::Value(text) => wrong(format!(
            "x509: failed to parse {kind} private key embedded in PKCS#8: {text}"
        )),
        ends => ends,
    };
    match algorithm.oid.as_slice() {
        RSA => read_rsa(context, key).map_err(|fault| embedded("RSA", fault)),
        EC => {
            let curve = Reader(algorithm.parameters).oid();
            read_ec(curve.as_deref(), key).map_err(|fault| embedded("EC", fault))
        }
        ED25519 | X25519 if !algorithm.parameters.is_empty() => {
            Err(wrong("x509: invalid private key parameters"))
        }
        ED25519 => {
            let seed = Reader(key).content(tag::OCTET_STRING);
            let seed = seed.ok_or_else(|| wrong("x509: invalid Ed25519 private key"))?;
            let public = public_of_seed(seed)?;
            Ok(PrivateKey::Ed25519 {
                seed: seed.to_vec(),
                public,
            })
        }
        X25519 => {
            let secret = Reader(key).content(tag::OCTET_STRING);
            let secret = secret.ok_or_else(|| wrong("x509: invalid X25519 private key"))?;
            let public = computed(&agreement::X25519, secret)
                .filter(|_| secret.len() == 32)
                .ok_or_else(|| wrong("crypto/ecdh: invalid private key size"))?;
            Ok(PrivateKey::X25519 {
                secret: secret.to_vec(),
                public,
            })
        }
        _ => Err(wrong(
            "x509: PKCS#8 wrapping contained private key with unknown algorithm",
        )),
    }
}

/// SEC 1, with the curve unless that is known.
pub(super) fn read_ec(curve: Option<&[u32]>, der: &[u8]) -> Result<PrivateKey> {
    let malformed = || wrong("x509: failed to parse EC private key");
    let mut key = Reader(der).enter(tag::SEQUENCE).ok_or_else(malformed)?;
    let version = key.small_integer().ok_or_else(malformed)?;
    let secret = key.content(tag::OCTET_STRING).ok_or_else(malformed)?;
    let own = key.loose_within(tag::constructed(0), tag::OBJECT_IDENTIFIER);
    let own = own.map_err(|_| malformed())?;
    let own = own
        .map(|own| der::oid(own).ok_or_else(malformed))
        .transpose()?;
    let public = key.loose_within(tag::constructed(1), tag::BIT_STRING);
    let public = public.map_err(|_| malformed())?;
    if public.is_some_and(|public| Bits::read(public).is_none()) {
        return Err(malformed());
    }
    if version != 1 {
        return Err(wrong(format!(
            "x509: unknown EC private key version {version}"
        )));
    }
    let unknown = || wrong("x509: unknown elliptic curve");
    let curve = curve.or(own.as_deref()).ok_or_else(unknown)?;
    let curve = match public_key::curve_of(curve) {
        Err(Fault::Value(_)) => return Err(unknown()),
        curve => curve?,
    };
    let surplus = secret.len().saturating_sub(curve.size());
    if secret[..surplus].iter().any(|byte| *byte != 0) {
        return Err(wrong("x509: invalid private key length"));
    }
    let secret = &secret[surplus..];
    let padding = vec![0; curve.size() - secret.len()];
    let secret = [padding.as_slice(), secret].concat();
    let (x, y) = point(curve, &secret).ok_or_else(|| wrong("crypto/ecdsa: invalid private key"))?;
    Ok(PrivateKey::Ec {
        curve,
        secret,
        x,
        y,
    })
}

/// The point that belongs to a secret. Nothing if the secret is too large.
pub(in crate::rego::builtins) fn point(curve: Curve, secret: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let algorithm = match curve {
        Curve::P256 => &ECDH_P256,
        Curve::P384 => &ECDH_P384,
        Curve::P521 => &ECDH_P521,
    };
    let point = computed(algorithm, secret)?;
    let (x, y) = point.get(1..)?.split_at_checked(curve.size())?;
    Some((x.to_vec(), y.to_vec()))
}

fn computed(algorithm: &'static agreement::Algorithm, secret: &[u8]) -> Option<Vec<u8>> {
    let key = agreement::PrivateKey::from_private_key(algorithm, secret).ok()?;
    Some(key.compute_public_key().ok()?.as_ref().to_vec())
}

/// The public key of a seed of Ed25519.
pub(in crate::rego::builtins) fn public_of_seed(seed: &[u8]) -> Result<Vec<u8>> {
    let key = Ed25519KeyPair::from_seed_unchecked(seed);
    let key = key.map_err(|_| {
        wrong(format!(
            "x509: invalid Ed25519 private key length: {}",
            seed.len()
        ))
    })?;
    Ok(key.public_key().as_ref().to_vec())
}

impl PrivateKey {
    /// The other half.
    pub(in crate::rego::builtins) fn public(&self) -> PublicKey {
        match self {
            Self::Rsa(key) => PublicKey::Rsa(key.public.clone()),
            Self::Ec { curve, x, y, .. } => PublicKey::Ec {
                curve: *curve,
                x: x.clone(),
                y: y.clone(),
            },
            Self::Ed25519 { public, .. } => PublicKey::Ed25519(public.clone()),
            Self::X25519 { .. } => PublicKey::X25519,
        }
    }
}
