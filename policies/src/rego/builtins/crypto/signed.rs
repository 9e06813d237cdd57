//! How certificates are signed.

use super::{
    der::{Reader, tag},
    public_key::{self, Algorithm as Identifier},
    signature::{Hash, Salt, Scheme},
};

/// How a certificate is signed. Go numbers what it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Algorithm {
    /// Go's number; nought for what it does not know.
    pub(super) number: u8,
    /// What can be verified and is safe.
    pub(super) scheme: Option<Scheme>,
}

const PSS: &[u32] = &[1, 2, 840, 113_549, 1, 1, 10];
const MGF1: &[u32] = &[1, 2, 840, 113_549, 1, 1, 8];

impl Algorithm {
    pub(super) fn of(identifier: &Identifier<'_>) -> Self {
        let none = |number| Self {
            number,
            scheme: None,
        };
        let pkcs1 = |number, hash| Self {
            number,
            scheme: Some(Scheme::Pkcs1(hash)),
        };
        let ecdsa = |number, hash| Self {
            number,
            scheme: Some(Scheme::Ecdsa(hash)),
        };
        match identifier.oid.as_slice() {
            // MD5 and SHA-1 are no longer safe.
            [1, 2, 840, 113_549, 1, 1, 4] => none(2),
            [1, 2, 840, 113_549, 1, 1, 5] | [1, 3, 14, 3, 2, 29] => none(3),
            [1, 2, 840, 113_549, 1, 1, 11] => pkcs1(4, Hash::Sha256),
            [1, 2, 840, 113_549, 1, 1, 12] => pkcs1(5, Hash::Sha384),
            [1, 2, 840, 113_549, 1, 1, 13] => pkcs1(6, Hash::Sha512),
            // DSA is not verified.
            [1, 2, 840, 10040, 4, 3] => none(7),
            [2, 16, 840, 1, 101, 3, 4, 3, 2] => none(8),
            [1, 2, 840, 10045, 4, 1] => none(9),
            [1, 2, 840, 10045, 4, 3, 2] => ecdsa(10, Hash::Sha256),
            [1, 2, 840, 10045, 4, 3, 3] => ecdsa(11, Hash::Sha384),
            [1, 2, 840, 10045, 4, 3, 4] => ecdsa(12, Hash::Sha512),
            PSS => match pss(identifier.parameters) {
                Some((number, hash)) => Self {
                    number,
                    scheme: Some(Scheme::Pss(hash, Salt::OfHash)),
                },
                None => none(0),
            },
            public_key::ED25519 if identifier.parameters.is_empty() => Self {
                number: 16,
                scheme: Some(Scheme::Ed25519),
            },
            _ => none(0),
        }
    }
}

/// The parameters of PSS, if they are those that everybody uses: one hash, and as much salt.
fn pss(parameters: &[u8]) -> Option<(u8, Hash)> {
    let is_plain =
        |of: &Identifier<'_>| of.parameters.is_empty() || of.parameters == [tag::NULL, 0];
    let mut parameters = Reader(parameters).enter(tag::SEQUENCE)?;
    let hash = parameters
        .enter(tag::constructed(0))?
        .enter(tag::SEQUENCE)?;
    let hash = Identifier::read(hash).ok()?;
    let mask = parameters
        .enter(tag::constructed(1))?
        .enter(tag::SEQUENCE)?;
    let mask = Identifier::read(mask).ok()?;
    let hash_of_mask = Reader(mask.parameters).enter(tag::SEQUENCE)?;
    let hash_of_mask = Identifier::read(hash_of_mask).ok()?;
    let salt = parameters.enter(tag::constructed(2))?.small_integer()?;
    let trailer = match parameters.optional(tag::constructed(3)).ok()? {
        None => 1,
        Some(mut trailer) => trailer.small_integer()?,
    };
    let is_usual = is_plain(&hash)
        && mask.oid == MGF1
        && hash_of_mask.oid == hash.oid
        && is_plain(&hash_of_mask)
        && trailer == 1;
    match (hash.oid.as_slice(), salt) {
        _ if !is_usual => None,
        ([2, 16, 840, 1, 101, 3, 4, 2, 1], 32) => Some((13, Hash::Sha256)),
        ([2, 16, 840, 1, 101, 3, 4, 2, 2], 48) => Some((14, Hash::Sha384)),
        ([2, 16, 840, 1, 101, 3, 4, 2, 3], 64) => Some((15, Hash::Sha512)),
        _ => None,
    }
}
