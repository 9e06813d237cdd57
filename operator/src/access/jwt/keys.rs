//! The keys of an issuer, as a JSON Web Key Set (RFC 7517, section 5).

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

use super::Algorithm;

/// Most keys of a set: issuers have a handful, and each may be tried.
const MOST: usize = 64;

/// Most keys that are tried for a token that names none.
const TRIED: usize = 8;

/// The first byte of a point that is not compressed (SEC 1, section 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// The bits that an RSA modulus may have.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Keys that can verify.
#[derive(Debug)]
pub(super) struct KeySet(pub(super) Vec<Key>);

/// A key.
#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    /// The one algorithm that it is for, where it says so.
    algorithm: Option<Algorithm>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    /// Of one curve, and so of one algorithm.
    One(Algorithm, ParsedPublicKey),
}

/// Why keys cannot be used. Those in use stay.
#[derive(Debug, thiserror::Error)]
pub enum KeysFault {
    /// They are no set.
    #[error("the keys are no JSON Web Key Set")]
    Read(#[source] serde_json::Error),
    /// There are too many.
    #[error("there are more than {MOST} keys")]
    Many,
    /// None is left.
    #[error("there is no key that verifies signatures: {0}")]
    Empty(String),
}

#[derive(Deserialize)]
struct Written {
    keys: Vec<serde_json::Value>,
}

/// A key as it is written. What it does not need is not looked at.
#[derive(Deserialize)]
struct WrittenKey {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a set. Keys that are for something else or of a kind that is not known here are left
    /// out, as RFC 7517 has it; so is one that is broken, and the log says which.
    pub(super) fn read(text: &[u8]) -> Result<Self, KeysFault> {
        let written: Written = serde_json::from_slice(text).map_err(KeysFault::Read)?;
        if written.keys.len() > MOST {
            return Err(KeysFault::Many);
        }
        let mut keys = Vec::new();
        let mut why = "it is empty".to_owned();
        for (place, key) in written.keys.into_iter().enumerate() {
            match Key::read(key) {
                Ok(key) => keys.push(key),
                Err(fault) => {
                    why = format!("the key at {place} {fault}");
                    tracing::debug!(place, fault, "a key of an issuer is left out");
                }
            }
        }
        if keys.is_empty() {
            return Err(KeysFault::Empty(why));
        }
        Ok(Self(keys))
    }

    /// The keys that may have signed a token with this algorithm: those with the id that it names, or
    /// else the first that fit.
    pub(super) fn candidates<'k>(
        &'k self,
        id: Option<&'k str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &'k Key> {
        let named = move |key: &&Key| id.is_none_or(|id| key.id.as_deref() == Some(id));
        let fits = move |key: &&Key| key.fits(algorithm);
        self.0.iter().filter(named).filter(fits).take(TRIED)
    }
}

impl Key {
    fn read(written: serde_json::Value) -> Result<Self, String> {
        let key: WrittenKey =
            serde_json::from_value(written).map_err(|error| format!("is none: {error}"))?;
        if key.r#use.as_deref().is_some_and(|it| it != "sig") {
            return Err("is not for signatures".to_owned());
        }
        let operations = key.key_ops.as_deref();
        if operations.is_some_and(|operations| !operations.iter().any(|it| it == "verify")) {
            return Err("is not for verifying".to_owned());
        }
        let algorithm = match key.alg.as_deref() {
            None => None,
            Some(name) => Some(name.parse().map_err(|_| "is for another algorithm")?),
        };
        let kind = match (key.kty.as_str(), key.crv.as_deref()) {
            ("RSA", _) => rsa(&key)?,
            ("EC", Some("P-256")) => point(&key, Algorithm::Es256, 32)?,
            ("EC", Some("P-384")) => point(&key, Algorithm::Es384, 48)?,
            ("EC", Some("P-521")) => point(&key, Algorithm::Es512, 66)?,
            ("OKP", Some("Ed25519")) => {
                let bytes = member(key.x.as_deref(), "x")?;
                let parsed = ParsedPublicKey::new(&ED25519, bytes);
                Kind::One(
                    Algorithm::EdDsa,
                    parsed.map_err(|_| "is no key of Ed25519")?,
                )
            }
            _ => return Err("is of a kind that is not known here".to_owned()),
        };
        Ok(Self {
            id: key.kid,
            algorithm,
            kind,
        })
    }

    /// Whether it can have signed with an algorithm.
    fn fits(&self, algorithm: Algorithm) -> bool {
        let is_of_kind = match &self.kind {
            Kind::Rsa(_) => parameters(algorithm).is_some(),
            Kind::One(own, _) => *own == algorithm,
        };
        is_of_kind && self.algorithm.is_none_or(|own| own == algorithm)
    }

    /// Whether it has signed a message with an algorithm.
    pub(super) fn has_signed(&self, algorithm: Algorithm, message: &str, signature: &[u8]) -> bool {
        let message = message.as_bytes();
        match &self.kind {
            Kind::Rsa(key) => parameters(algorithm)
                .is_some_and(|parameters| key.verify(parameters, message, signature).is_ok()),
            Kind::One(own, key) => *own == algorithm && key.verify_sig(message, signature).is_ok(),
        }
    }
}

fn rsa(key: &WrittenKey) -> Result<Kind, String> {
    let modulus = member(key.n.as_deref(), "n")?;
    let exponent = member(key.e.as_deref(), "e")?;
    let significant = |bytes: &[u8]| {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        bytes[zeros..].to_vec()
    };
    let (n, e) = (significant(&modulus), significant(&exponent));
    let zeros = n.first().map_or(0, |first| first.leading_zeros());
    let bits = (n.len() * 8).saturating_sub(usize::try_from(zeros).unwrap_or_default());
    if !RSA_BITS.contains(&bits) {
        return Err(format!("has {bits} bits, and has to have 2048 to 8192"));
    }
    let components = RsaPublicKeyComponents { n, e };
    components
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .map_err(|_| "is no key of RSA")?;
    Ok(Kind::Rsa(components))
}

fn point(key: &WrittenKey, algorithm: Algorithm, size: usize) -> Result<Kind, String> {
    let (x, y) = (
        member(key.x.as_deref(), "x")?,
        member(key.y.as_deref(), "y")?,
    );
    if x.len() != size || y.len() != size {
        return Err(format!("has coordinates that are not of {size} bytes"));
    }
    let point = [&[UNCOMPRESSED][..], &x, &y].concat();
    let curve = match algorithm {
        Algorithm::Es256 => &ECDSA_P256_SHA256_FIXED,
        Algorithm::Es384 => &ECDSA_P384_SHA384_FIXED,
        _ => &ECDSA_P521_SHA512_FIXED,
    };
    let parsed = ParsedPublicKey::new(curve, point).map_err(|_| "is no point of its curve")?;
    Ok(Kind::One(algorithm, parsed))
}

fn member(text: Option<&str>, name: &str) -> Result<Vec<u8>, String> {
    let text = text.ok_or_else(|| format!("has no `{name}`"))?;
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| format!("has a `{name}` that is not base64url"))
}

/// How RSA is used by an algorithm; not at all by others.
fn parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}
