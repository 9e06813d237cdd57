//! Keys: JWK and sets of them (RFC 7517), certificates and public keys in PEM.
//!
//! A set is as good as its worst key, as in OPA's library: one that cannot be read spoils all.

mod key;
mod written;

use num_bigint::BigUint;

use super::{Context, Result, algorithm, token, wrong};
use crate::rego::{
    builtins::crypto::{
        Certificate, pem,
        public_key::{self, PublicKey, RsaPublicKey},
        signature::Curve,
    },
    value::json::Parts,
};
use written::{any_value, parts, parts_of};

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
                let key = key
                    .map_err(|fault| token::prefixed("failed to parse a PEM public key", fault))?;
                Some(key)
            }
            _ => {
                return Err(wrong("failed to extract a Key from the PEM certificate"));
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
    let Parts::Members(members) = parts else {
        return Err(wrong("failed to parse sole key"));
    };
    // What follows is overlooked, but then this is no set.
    if !is_all || members.iter().all(|(name, _)| name != "keys") {
        return Ok(vec![key::read(context, &members)?]);
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
            keys.push(key::read(context, &members)?);
        }
    }
    Ok(keys)
}
