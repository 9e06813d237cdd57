//! Requests for certificates.
//!
//! OPA reads them with Go's `encoding/asn1`, which has the rules of [`der`](super::der) for all that
//! is in a usual request. What is in none is refused.

use std::collections::BTreeSet;

use super::{
    beyond,
    der::{Oid, Reader, tag},
    extensions::{ALTERNATIVE_NAMES, Extension, Names},
    name::Name,
    public_key::{self, Algorithm, KeyInfo},
    show, signed, wrong,
};
use crate::rego::{
    builtins::{Context, Result},
    value::Value,
};

/// The attribute that asks for extensions.
const EXTENSIONS: &[u32] = &[1, 2, 840, 113_549, 1, 9, 14];

/// A request, as Go writes it in JSON.
pub(super) fn show(context: &mut Context<'_, '_>, der: &[u8]) -> Result<Value> {
    context.charge_members(der.len() / 2)?;
    context.budget.steps(public_key::KEY)?;
    let wrong_structure = || wrong("asn1: structure error: the request is malformed");
    let mut outer = Reader(der);
    let whole = outer.element(tag::SEQUENCE).ok_or_else(wrong_structure)?;
    if !outer.is_empty() {
        return Err(wrong("asn1: syntax error: trailing data"));
    }
    let mut parts = Reader(whole.content);
    let signed = parts.element(tag::SEQUENCE).ok_or_else(wrong_structure)?;
    let algorithm = parts.enter(tag::SEQUENCE).ok_or_else(wrong_structure)?;
    let algorithm = Algorithm::read(algorithm)?;
    let signature = parts.bits().ok_or_else(wrong_structure)?;
    let mut body = Reader(signed.content);
    let version = body.small_integer().ok_or_else(wrong_structure)?;
    let subject = body.any().ok_or_else(wrong_structure)?;
    let key = body.element(tag::SEQUENCE).ok_or_else(wrong_structure)?;
    let attributes = body
        .enter(tag::constructed(0))
        .ok_or_else(wrong_structure)?;
    let key_info = KeyInfo::read(Reader(key.content))?;
    let key_algorithm = public_key::number(&key_info.algorithm.oid);
    let public_key = match key_algorithm {
        0 => Value::Null,
        _ => show::public_key(&key_info.key()?)?,
    };
    let subject_name = Name::read_of_request(subject.all)?;
    let extensions = extensions(attributes)?;
    let names = extensions
        .iter()
        .find(|extension| extension.oid == ALTERNATIVE_NAMES)
        .map(|extension| Names::read(extension.value));
    let names = names.transpose()?.unwrap_or_default();
    let mut members = vec![
        ("Raw", show::base64(whole.all)),
        ("RawTBSCertificateRequest", show::base64(signed.all)),
        ("RawSubjectPublicKeyInfo", show::base64(key.all)),
        ("RawSubject", show::base64(subject.all)),
        ("Version", version.into()),
        ("Signature", show::base64(&signature.right_aligned())),
        (
            "SignatureAlgorithm",
            u64::from(signed::Algorithm::of(&algorithm).number).into(),
        ),
        ("PublicKeyAlgorithm", u64::from(key_algorithm).into()),
        ("PublicKey", public_key),
        ("Subject", show::name(&subject_name)),
        ("Attributes", shown_attributes(attributes)?),
        (
            "Extensions",
            match extensions.as_slice() {
                [] => Value::Null,
                all => all.iter().map(show::extension).collect::<Vec<_>>().into(),
            },
        ),
        ("ExtraExtensions", Value::Null),
    ];
    members.extend(show::names(&names));
    Ok(show::object_of(members))
}

/// The extensions that are asked for. Attributes that cannot be read are passed over.
fn extensions(mut attributes: Reader<'_>) -> Result<Vec<Extension<'_>>> {
    let malformed = || wrong("asn1: structure error: the attributes are malformed");
    let mut all: Vec<Extension<'_>> = Vec::new();
    let mut seen = BTreeSet::<Oid>::new();
    while !attributes.is_empty() {
        let attribute = attributes.any().ok_or_else(malformed)?;
        let Some(first) = asked(Reader(attribute.all)) else {
            continue;
        };
        let mut list = Reader(first).enter(tag::SEQUENCE).ok_or_else(malformed)?;
        while !list.is_empty() {
            let extension = list.enter(tag::SEQUENCE).ok_or_else(malformed)?;
            let extension = Extension::read(extension)?;
            if !seen.insert(extension.oid.clone()) {
                return Err(wrong(
                    "x509: certificate request contains duplicate requested extensions",
                ));
            }
            all.push(extension);
        }
    }
    Ok(all)
}

/// The first value of an attribute that asks for extensions.
fn asked(mut reader: Reader<'_>) -> Option<&[u8]> {
    let mut attribute = reader.enter(tag::SEQUENCE)?;
    let oid = attribute.oid()?;
    let mut values = attribute.enter(tag::SET)?;
    let first = values.any()?.all;
    while !values.is_empty() {
        values.any()?;
    }
    (oid == EXTENSIONS).then_some(first)
}

/// What Go calls attributes: identifiers with lists of lists of identifiers with one value. Extensions
/// look like that to it, the critical ones with `true` for a value. What else there is in requests,
/// such as a password, does not, and is passed over.
fn shown_attributes(mut attributes: Reader<'_>) -> Result<Value> {
    let mut shown: Vec<Value> = Vec::new();
    while let Some(attribute) = attributes.any() {
        let parts = Reader(attribute.all)
            .enter(tag::SEQUENCE)
            .and_then(|mut attribute| Some((attribute.oid()?, attribute.enter(tag::SET)?)));
        let Some((oid, mut values)) = parts else {
            continue;
        };
        let unusual = || beyond("a request has unusual attributes");
        if values.is_empty() {
            return Err(unusual());
        }
        let Some(list) = values.enter(tag::SEQUENCE) else {
            continue;
        };
        if oid != EXTENSIONS || !values.is_empty() {
            return Err(unusual());
        }
        let pairs = pairs(list).ok_or_else(unusual)?;
        let lists = vec![Value::from(pairs)];
        shown.push(show::object([
            ("Type", show::oid(&oid)),
            ("Value", lists.into()),
        ]));
    }
    Ok(match shown.as_slice() {
        [] => Value::Null,
        _ => shown.into(),
    })
}

fn pairs(mut list: Reader<'_>) -> Option<Vec<Value>> {
    let mut pairs = Vec::new();
    while !list.is_empty() {
        let mut pair = list.enter(tag::SEQUENCE)?;
        let oid = pair.oid()?;
        let value = if pair.is_next(tag::BOOLEAN) {
            pair.boolean()?.into()
        } else {
            show::base64(pair.content(tag::OCTET_STRING)?)
        };
        pairs.push(show::object([("Type", show::oid(&oid)), ("Value", value)]));
    }
    Some(pairs)
}
