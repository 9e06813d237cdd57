//! Public keys.

use aws_lc_rs::signature::ParsedPublicKey;
use num_bigint::{BigInt, BigUint};

use super::{
    beyond,
    der::{Bits, Oid, Reader, tag},
    signature::{Curve, Hash},
    wrong,
};
use crate::rego::builtins::Result;

/// To look whether a point is on its curve takes some 50 microseconds for P-521, and a step a tenth of
/// one.
pub(in crate::rego::builtins) const KEY: u64 = 500;

/// A key that verifies signatures, or at least is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::rego::builtins) enum PublicKey {
    Rsa(RsaPublicKey),
    Ec {
        curve: Curve,
        x: Vec<u8>,
        y: Vec<u8>,
    },
    Ed25519(Vec<u8>),
    /// Agrees on keys and verifies nothing.
    X25519,
    Dsa {
        p: BigInt,
        q: BigInt,
        g: BigInt,
        y: BigInt,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::rego::builtins) struct RsaPublicKey {
    pub(in crate::rego::builtins) modulus: BigUint,
    pub(in crate::rego::builtins) exponent: u64,
}

/// How a key is used, or how something is signed.
#[derive(Debug)]
pub(super) struct Algorithm<'d> {
    pub(super) oid: Oid,
    /// All of the parameters; empty without any.
    pub(super) parameters: &'d [u8],
}

impl<'d> Algorithm<'d> {
    pub(super) fn read(mut reader: Reader<'d>) -> Result<Self> {
        let malformed = |what| wrong(format!("x509: malformed {what}"));
        let oid = reader.oid().ok_or_else(|| malformed("OID"))?;
        let parameters = if reader.is_empty() {
            &[]
        } else {
            reader.any().ok_or_else(|| malformed("parameters"))?.all
        };
        Ok(Self { oid, parameters })
    }
}

pub(super) const RSA: &[u32] = &[1, 2, 840, 113_549, 1, 1, 1];
const DSA: &[u32] = &[1, 2, 840, 10040, 4, 1];
pub(super) const EC: &[u32] = &[1, 2, 840, 10045, 2, 1];
pub(super) const ED25519: &[u32] = &[1, 3, 101, 112];
pub(super) const X25519: &[u32] = &[1, 3, 101, 110];

const P224: &[u32] = &[1, 3, 132, 0, 33];
const P256: &[u32] = &[1, 2, 840, 10045, 3, 1, 7];
const P384: &[u32] = &[1, 3, 132, 0, 34];
const P521: &[u32] = &[1, 3, 132, 0, 35];

/// Go's number of an algorithm; nought for one that it does not know in certificates.
pub(super) fn number(oid: &[u32]) -> u8 {
    match oid {
        RSA => 1,
        DSA => 2,
        EC => 3,
        ED25519 => 4,
        _ => 0,
    }
}

/// What a certificate says of its key.
#[derive(Debug)]
pub(super) struct KeyInfo<'d> {
    pub(super) algorithm: Algorithm<'d>,
    key: Bits<'d>,
}

impl<'d> KeyInfo<'d> {
    /// Reads the content of a `SubjectPublicKeyInfo`.
    pub(super) fn read(mut reader: Reader<'d>) -> Result<Self> {
        let algorithm = reader
            .enter(tag::SEQUENCE)
            .ok_or_else(|| wrong("x509: malformed public key algorithm identifier"))?;
        let algorithm = Algorithm::read(algorithm)?;
        let key = reader
            .bits()
            .ok_or_else(|| wrong("x509: malformed subjectPublicKey"))?;
        Ok(Self { algorithm, key })
    }

    /// The key. One of an algorithm that Go does not know is wrong.
    pub(super) fn key(&self) -> Result<PublicKey> {
        let key = self.key.right_aligned();
        let parameters = self.algorithm.parameters;
        match self.algorithm.oid.as_slice() {
            RSA => rsa(&key, parameters),
            EC => {
                let curve = Reader(parameters)
                    .oid()
                    .ok_or_else(|| wrong("x509: invalid ECDSA parameters"))?;
                ec(curve_of(&curve)?, &key)
            }
            ED25519 if !parameters.is_empty() => {
                Err(wrong("x509: Ed25519 key encoded with illegal parameters"))
            }
            ED25519 if key.len() != 32 => Err(wrong("x509: wrong Ed25519 public key size")),
            ED25519 => Ok(PublicKey::Ed25519(key)),
            X25519 if !parameters.is_empty() => {
                Err(wrong("x509: X25519 key encoded with illegal parameters"))
            }
            X25519 if key.len() != 32 => Err(wrong("crypto/ecdh: invalid public key")),
            X25519 => Ok(PublicKey::X25519),
            DSA => dsa(&key, parameters),
            _ => Err(wrong("x509: unknown public key algorithm")),
        }
    }
}

/// Reads a `SubjectPublicKeyInfo` that stands alone.
pub(in crate::rego::builtins) fn read(der: &[u8]) -> Result<PublicKey> {
    let mut reader = Reader(der);
    let info = reader
        .enter(tag::SEQUENCE)
        .ok_or_else(|| wrong("asn1: structure error: the key is malformed"))?;
    if !reader.is_empty() {
        return Err(wrong("x509: trailing data after ASN.1 of public-key"));
    }
    KeyInfo::read(info)?.key()
}

/// The curve of an identifier.
pub(super) fn curve_of(oid: &[u32]) -> Result<Curve> {
    match oid {
        P224 => Err(beyond("a key of the curve P-224")),
        P256 => Ok(Curve::P256),
        P384 => Ok(Curve::P384),
        P521 => Ok(Curve::P521),
        _ => Err(wrong("x509: unsupported elliptic curve")),
    }
}

fn rsa(key: &[u8], parameters: &[u8]) -> Result<PublicKey> {
    if parameters != [tag::NULL, 0] {
        return Err(wrong("x509: RSA key missing NULL parameters"));
    }
    let mut key = Reader(key)
        .enter(tag::SEQUENCE)
        .ok_or_else(|| wrong("x509: invalid RSA public key"))?;
    let modulus = key
        .integer()
        .ok_or_else(|| wrong("x509: invalid RSA modulus"))?;
    let exponent = key
        .small_integer()
        .ok_or_else(|| wrong("x509: invalid RSA public exponent"))?;
    let modulus = modulus.to_biguint().filter(|modulus| modulus.bits() > 0);
    let modulus = modulus.ok_or_else(|| wrong("x509: RSA modulus is not a positive number"))?;
    let exponent = u64::try_from(exponent)
        .ok()
        .filter(|exponent| *exponent > 0);
    let exponent =
        exponent.ok_or_else(|| wrong("x509: RSA public exponent is not a positive number"))?;
    Ok(PublicKey::Rsa(RsaPublicKey { modulus, exponent }))
}

/// A point, which has to be on the curve.
pub(in crate::rego::builtins) fn ec(curve: Curve, point: &[u8]) -> Result<PublicKey> {
    let off = || wrong("crypto/ecdsa: invalid public key: the point is not on the curve");
    let (&[4], coordinates) = point.split_at_checked(1).ok_or_else(off)? else {
        return Err(off());
    };
    let is_on_curve = coordinates.len() == 2 * curve.size()
        && ParsedPublicKey::new(curve.verification(Hash::Sha512), point).is_ok();
    if !is_on_curve {
        return Err(off());
    }
    let (x, y) = coordinates.split_at(curve.size());
    Ok(PublicKey::Ec {
        curve,
        x: x.to_vec(),
        y: y.to_vec(),
    })
}

fn dsa(key: &[u8], parameters: &[u8]) -> Result<PublicKey> {
    let y = Reader(key)
        .integer()
        .ok_or_else(|| wrong("x509: invalid DSA public key"))?;
    let parameters = Reader(parameters).enter(tag::SEQUENCE);
    let parameters = parameters.and_then(|mut parameters| {
        let p = parameters.integer()?;
        let q = parameters.integer()?;
        Some((p, q, parameters.integer()?))
    });
    let (p, q, g) = parameters.ok_or_else(|| wrong("x509: invalid DSA parameters"))?;
    if [&p, &q, &g, &y]
        .iter()
        .any(|number| **number <= BigInt::ZERO)
    {
        return Err(wrong("x509: zero or negative DSA parameter"));
    }
    Ok(PublicKey::Dsa { p, q, g, y })
}
