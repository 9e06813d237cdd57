//! Signatures and what verifies them, by aws-lc-rs.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1, ECDSA_P384_SHA256_ASN1,
    ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA512_ASN1, ECDSA_P521_SHA256_ASN1, ECDSA_P521_SHA384_ASN1,
    ECDSA_P521_SHA512_ASN1, ED25519, EcdsaVerificationAlgorithm,
    RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_2048_8192_SHA384, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPssSaltLength, RsaPublicKeyComponents,
    UnparsedPublicKey,
};

use super::{
    beyond,
    public_key::{PublicKey, RsaPublicKey},
};
use crate::rego::builtins::{Context, Result};

/// The curves of the NIST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rego::builtins) enum Curve {
    P256,
    P384,
    P521,
}

/// The hashes of signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rego::builtins) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// How salt is added to a message that is signed with PSS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rego::builtins) enum Salt {
    /// It is as long as the hash.
    OfHash,
    /// It has any length.
    Any,
}

/// How something is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rego::builtins) enum Scheme {
    Pkcs1(Hash),
    Pss(Hash, Salt),
    Ecdsa(Hash),
    Ed25519,
}

/// The bits of an RSA key that is too small for Go, and of one that is too large for us: one
/// operation with it would take longer than a policy has.
const TOO_SMALL: u64 = 1023;
const TOO_LARGE: u64 = 8193;

/// Below it, aws-lc-rs verifies only some signatures, and makes none.
pub(in crate::rego::builtins) const SMALL: u64 = 2048;

/// A verification takes half a millisecond at most, for the largest RSA key or P-521, and a step a
/// tenth of a microsecond.
const VERIFICATION: u64 = 5_000;

impl Curve {
    /// The bytes of a coordinate.
    pub(in crate::rego::builtins) fn size(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// As a JWK has it.
    pub(in crate::rego::builtins) fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    pub(super) fn verification(self, hash: Hash) -> &'static EcdsaVerificationAlgorithm {
        match (self, hash) {
            (Self::P256, Hash::Sha256) => &ECDSA_P256_SHA256_ASN1,
            (Self::P256, Hash::Sha384) => &ECDSA_P256_SHA384_ASN1,
            (Self::P256, Hash::Sha512) => &ECDSA_P256_SHA512_ASN1,
            (Self::P384, Hash::Sha256) => &ECDSA_P384_SHA256_ASN1,
            (Self::P384, Hash::Sha384) => &ECDSA_P384_SHA384_ASN1,
            (Self::P384, Hash::Sha512) => &ECDSA_P384_SHA512_ASN1,
            (Self::P521, Hash::Sha256) => &ECDSA_P521_SHA256_ASN1,
            (Self::P521, Hash::Sha384) => &ECDSA_P521_SHA384_ASN1,
            (Self::P521, Hash::Sha512) => &ECDSA_P521_SHA512_ASN1,
        }
    }
}

/// Whether a key has signed a message. A key of another kind has not. Signatures of ECDSA are in
/// DER, as in certificates.
pub(in crate::rego::builtins) fn verify(
    context: &mut Context<'_, '_>,
    key: &PublicKey,
    scheme: Scheme,
    message: &[u8],
    signature: &[u8],
) -> Result<bool> {
    context
        .budget
        .steps(VERIFICATION + message.len() as u64 / 64)?;
    match (key, scheme) {
        (PublicKey::Rsa(key), Scheme::Pkcs1(hash)) => {
            let parameters = match (hash, key.modulus.bits()) {
                (Hash::Sha256, _) => &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
                (Hash::Sha512, _) => &RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
                (Hash::Sha384, 0..SMALL) if !key.is_refused_by_go() => {
                    return Err(beyond("a small RSA key with SHA-384"));
                }
                (Hash::Sha384, _) => &RSA_PKCS1_2048_8192_SHA384,
            };
            key.verify(parameters, message, signature)
        }
        (PublicKey::Rsa(key), Scheme::Pss(hash, salt)) => {
            key.verify_pss(context, hash, salt, message, signature)
        }
        (PublicKey::Ec { curve, x, y }, Scheme::Ecdsa(hash)) => {
            let point = [&[4], x.as_slice(), y.as_slice()].concat();
            let key = UnparsedPublicKey::new(curve.verification(hash), point);
            Ok(key.verify(message, signature).is_ok())
        }
        (PublicKey::Ed25519(key), Scheme::Ed25519) => {
            let key = UnparsedPublicKey::new(&ED25519, key);
            Ok(key.verify(message, signature).is_ok())
        }
        _ => Ok(false),
    }
}

impl RsaPublicKey {
    /// Whether Go works with the numbers of a key.
    pub(super) fn is_possible(&self) -> bool {
        let exponents = 3..=u64::from(u32::MAX >> 1);
        self.modulus.bit(0)
            && exponents.contains(&self.exponent)
            && !self.exponent.is_multiple_of(2)
    }

    /// Whether Go verifies nothing with a key, and signs nothing.
    pub(in crate::rego::builtins) fn is_refused_by_go(&self) -> bool {
        self.modulus.bits() <= TOO_SMALL || !self.is_possible()
    }

    /// A key with which an operation takes too long.
    pub(in crate::rego::builtins) fn is_too_large(&self) -> bool {
        self.modulus.bits() >= TOO_LARGE
    }

    pub(in crate::rego::builtins) fn components(&self) -> RsaPublicKeyComponents<Vec<u8>> {
        let exponent = self.exponent.to_be_bytes();
        let noughts = exponent.iter().take_while(|byte| **byte == 0).count();
        RsaPublicKeyComponents {
            n: self.modulus.to_bytes_be(),
            e: exponent[noughts..].to_vec(),
        }
    }

    fn verify(&self, parameters: &RsaParameters, message: &[u8], signature: &[u8]) -> Result<bool> {
        if self.is_refused_by_go() {
            return Ok(false);
        }
        if self.is_too_large() {
            return Err(beyond("an RSA key of more than 8192 bits"));
        }
        Ok(self
            .components()
            .verify(parameters, message, signature)
            .is_ok())
    }

    fn verify_pss(
        &self,
        context: &mut Context<'_, '_>,
        hash: Hash,
        salt: Salt,
        message: &[u8],
        signature: &[u8],
    ) -> Result<bool> {
        let size = self.modulus.bits().div_ceil(8);
        if self.is_refused_by_go() || signature.len() as u64 != size {
            return Ok(false);
        }
        if self.modulus.bits() < SMALL {
            return Err(beyond("a small RSA key with PSS"));
        }
        let parameters = |salt| {
            let parameters = match hash {
                Hash::Sha256 => RSA_PSS_2048_8192_SHA256,
                Hash::Sha384 => RSA_PSS_2048_8192_SHA384,
                Hash::Sha512 => RSA_PSS_2048_8192_SHA512,
            };
            parameters.with_pss_salt_length(salt)
        };
        if self.verify(&parameters(RsaPssSaltLength::Digest), message, signature)? {
            return Ok(true);
        }
        if salt == Salt::OfHash {
            return Ok(false);
        }
        // A library verifies one length of the salt, so each is tried. Any but that of the hash is
        // forbidden by RFC 7518, and OPA takes it.
        let longest = u16::try_from(size).unwrap_or(u16::MAX) - hash.size() - 2;
        for length in 0..=longest {
            context
                .budget
                .steps(VERIFICATION + message.len() as u64 / 64)?;
            let parameters = parameters(RsaPssSaltLength::Custom(length));
            if self.verify(&parameters, message, signature)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Hash {
    /// Its bytes.
    fn size(self) -> u16 {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}
