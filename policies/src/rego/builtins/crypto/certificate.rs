//! Certificates, as Go's `crypto/x509` reads them.

use num_bigint::{BigUint, Sign};

use super::{
    der::{Oid, Reader, tag},
    extensions::{self, Extension, Extensions},
    instant::Instant,
    name::Name,
    public_key::{self, Algorithm, KEY, KeyInfo, PublicKey},
    signed, wrong,
};
use crate::rego::builtins::{Context, Result};

/// What a certificate says.
#[derive(Debug)]
pub(in crate::rego::builtins) struct Certificate<'d> {
    /// All of it, what is signed of it, and parts of that.
    pub(super) raw: &'d [u8],
    pub(super) raw_signed: &'d [u8],
    pub(super) raw_key: &'d [u8],
    pub(super) raw_subject: &'d [u8],
    pub(super) raw_issuer: &'d [u8],
    pub(super) signature: Vec<u8>,
    pub(super) signature_algorithm: signed::Algorithm,
    pub(super) key_algorithm: u8,
    pub(in crate::rego::builtins) key: Option<PublicKey>,
    pub(super) version: i64,
    pub(super) serial: BigUint,
    pub(super) issuer: Name,
    pub(super) subject: Name,
    pub(super) not_before: Instant,
    pub(super) not_after: Instant,
    pub(super) all: Vec<Extension<'d>>,
    pub(super) extensions: Extensions<'d>,
}

impl<'d> Certificate<'d> {
    /// Reads a certificate and nothing else.
    pub(in crate::rego::builtins) fn read(
        context: &mut Context<'_, '_>,
        der: &'d [u8],
    ) -> Result<Self> {
        let certificate = Self::read_first(context, der)?;
        if certificate.raw.len() != der.len() {
            return Err(wrong("x509: trailing data"));
        }
        Ok(certificate)
    }

    /// Reads certificates that follow each other.
    pub(super) fn read_all(context: &mut Context<'_, '_>, mut der: &'d [u8]) -> Result<Vec<Self>> {
        let mut certificates = Vec::new();
        while !der.is_empty() {
            let certificate = Self::read_first(context, der)?;
            der = &der[certificate.raw.len()..];
            certificates.push(certificate);
        }
        Ok(certificates)
    }

    fn read_first(context: &mut Context<'_, '_>, der: &'d [u8]) -> Result<Self> {
        let malformed = |what: &str| wrong(format!("x509: malformed {what}"));
        let outer = Reader(der).element(tag::SEQUENCE);
        let outer = outer.ok_or_else(|| malformed("certificate"))?;
        // A member is two bytes at least, and what is held of it is some words.
        context.charge_members(outer.all.len() / 2)?;
        context.budget.steps(KEY)?;
        let mut whole = Reader(outer.content);
        let signed = whole.element(tag::SEQUENCE);
        let signed = signed.ok_or_else(|| malformed("tbs certificate"))?;
        let mut body = Reader(signed.content);
        let version = version(&mut body)?;
        let serial = body.integer().ok_or_else(|| malformed("serial number"))?;
        if serial.sign() == Sign::Minus {
            return Err(wrong("x509: negative serial number"));
        }
        let inner_algorithm = body
            .content(tag::SEQUENCE)
            .ok_or_else(|| malformed("signature algorithm identifier"))?;
        let outer_algorithm = whole
            .content(tag::SEQUENCE)
            .ok_or_else(|| malformed("algorithm identifier"))?;
        if inner_algorithm != outer_algorithm {
            return Err(wrong(
                "x509: inner and outer signature algorithm identifiers don't match",
            ));
        }
        let algorithm = Algorithm::read(Reader(inner_algorithm))?;
        let raw_issuer = body
            .element(tag::SEQUENCE)
            .ok_or_else(|| malformed("issuer"))?;
        let issuer = Name::read(raw_issuer.all)?;
        let mut validity = body
            .enter(tag::SEQUENCE)
            .ok_or_else(|| malformed("validity"))?;
        let not_before = Instant::read(&mut validity)?;
        let not_after = Instant::read(&mut validity)?;
        let raw_subject = body
            .element(tag::SEQUENCE)
            .ok_or_else(|| malformed("issuer"))?;
        let subject = Name::read(raw_subject.all)?;
        let raw_key = body
            .element(tag::SEQUENCE)
            .ok_or_else(|| malformed("spki"))?;
        let key = KeyInfo::read(Reader(raw_key.content))?;
        let key_algorithm = public_key::number(&key.algorithm.oid);
        let key = match key_algorithm {
            0 => None,
            _ => Some(key.key()?),
        };
        let all = listed(&mut body, version)?;
        let extensions = Extensions::read(&all)?;
        let signature = whole.bits().ok_or_else(|| malformed("signature"))?;
        Ok(Self {
            raw: outer.all,
            raw_signed: signed.all,
            raw_key: raw_key.all,
            raw_subject: raw_subject.all,
            raw_issuer: raw_issuer.all,
            signature: signature.right_aligned(),
            signature_algorithm: signed::Algorithm::of(&algorithm),
            key_algorithm,
            key,
            version,
            serial: serial.into_parts().1,
            issuer,
            subject,
            not_before,
            not_after,
            all,
            extensions,
        })
    }

    /// The content of an extension.
    pub(super) fn extension(&self, oid: &[u32]) -> Option<&'d [u8]> {
        let found = self.all.iter().find(|extension| extension.oid == oid);
        found.map(|extension| extension.value)
    }
}

/// The version, from 1 to 3.
fn version(body: &mut Reader<'_>) -> Result<i64> {
    let malformed = || wrong("x509: malformed version");
    let version = match body
        .optional(tag::constructed(0))
        .map_err(|_| malformed())?
    {
        None => 0,
        Some(mut version) => {
            let number = version.small_integer().ok_or_else(malformed)?;
            if !version.is_empty() || number < 0 {
                return Err(malformed());
            }
            number
        }
    };
    match version {
        0..3 => Ok(version + 1),
        _ => Err(wrong("x509: invalid version")),
    }
}

/// The extensions, after identifiers that nobody uses.
fn listed<'d>(body: &mut Reader<'d>, version: i64) -> Result<Vec<Extension<'d>>> {
    let malformed = |what| wrong(format!("x509: malformed {what}"));
    let mut all: Vec<Extension<'d>> = Vec::new();
    if version > 1 {
        for (number, what) in [(1, "issuerUniqueID"), (2, "subjectUniqueID")] {
            let skipped = body.optional(tag::context(number));
            skipped.map_err(|_| malformed(what))?;
        }
    }
    if version < 3 {
        return Ok(all);
    }
    let list = body.optional(tag::constructed(3));
    let Some(mut list) = list.map_err(|_| malformed("extensions"))? else {
        return Ok(all);
    };
    let mut list = list
        .enter(tag::SEQUENCE)
        .ok_or_else(|| malformed("extensions"))?;
    let mut seen = std::collections::BTreeSet::<Oid>::new();
    while !list.is_empty() {
        let extension = list
            .enter(tag::SEQUENCE)
            .ok_or_else(|| malformed("extension"))?;
        let extension = Extension::read(extension)?;
        if !seen.insert(extension.oid.clone()) {
            return Err(wrong(format!(
                "x509: certificate contains duplicate extension with OID \"{}\"",
                extensions::dotted(&extension.oid)
            )));
        }
        all.push(extension);
    }
    Ok(all)
}
