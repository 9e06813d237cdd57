//! Certificates and keys as Go writes them in JSON, under the names of its fields.

use std::collections::BTreeMap;

use num_bigint::{BigInt, BigUint};

use super::{
    certificate::Certificate,
    constraints::Subtrees,
    der::Oid,
    extensions::{Extension, Extensions, Names, dotted},
    host,
    name::Name,
    public_key::PublicKey,
    uri::{ESCAPED_IN_PATHS, Uri},
};
use crate::rego::{
    builtins::{Fault, Result, bytes},
    execute::ErrorKind,
    value::{Value, number},
};

/// An object of these members.
pub(super) fn object<const N: usize>(members: [(&'static str, Value); N]) -> Value {
    object_of(members)
}

/// The same, of any number.
pub(super) fn object_of(members: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let members = members.into_iter();
    let members = members.map(|(name, value)| (Value::from(name), value));
    members.collect::<BTreeMap<_, _>>().into()
}

/// A list, which Go writes as `null` where nothing was put into it.
fn list(members: impl IntoIterator<Item = Value>) -> Value {
    let members: Vec<Value> = members.into_iter().collect();
    if members.is_empty() {
        return Value::Null;
    }
    members.into()
}

fn texts<'t>(members: impl IntoIterator<Item = &'t str>) -> Value {
    list(members.into_iter().map(Value::from))
}

pub(super) fn base64(bytes: &[u8]) -> Value {
    Value::from(bytes::encode(bytes, bytes::STANDARD))
}

/// An integer of any size that we can hold.
pub(super) fn integer(integer: BigInt) -> Result<Value> {
    number::integer(integer).ok_or_else(|| Fault::Ends(ErrorKind::Digits.into()))
}

pub(super) fn natural(bytes: &[u8]) -> Result<Value> {
    integer(BigUint::from_bytes_be(bytes).into())
}

pub(super) fn oid(oid: &[u32]) -> Value {
    oid.iter()
        .copied()
        .map(Value::from)
        .collect::<Vec<_>>()
        .into()
}

/// Bytes as text: each that is no UTF-8 is replaced, as Go does.
fn lossy(bytes: &[u8]) -> Value {
    Value::from(super::lossy(bytes))
}

/// A certificate; `with_uris` has what OPA adds.
pub(super) fn certificate(certificate: &Certificate<'_>, with_uris: bool) -> Result<Value> {
    let key = certificate.key.as_ref().map(public_key).transpose()?;
    let signature_algorithm = certificate.signature_algorithm.number;
    let mut members = vec![
        ("Raw", base64(certificate.raw)),
        ("RawTBSCertificate", base64(certificate.raw_signed)),
        ("RawSubjectPublicKeyInfo", base64(certificate.raw_key)),
        ("RawSubject", base64(certificate.raw_subject)),
        ("RawIssuer", base64(certificate.raw_issuer)),
        ("Signature", base64(&certificate.signature)),
        ("SignatureAlgorithm", u64::from(signature_algorithm).into()),
        (
            "PublicKeyAlgorithm",
            u64::from(certificate.key_algorithm).into(),
        ),
        ("PublicKey", key.unwrap_or(Value::Null)),
        ("Version", certificate.version.into()),
        ("SerialNumber", integer(certificate.serial.clone().into())?),
        ("Issuer", name(&certificate.issuer)),
        ("Subject", name(&certificate.subject)),
        ("NotBefore", certificate.not_before.text().into()),
        ("NotAfter", certificate.not_after.text().into()),
        ("Extensions", list(certificate.all.iter().map(extension))),
        ("ExtraExtensions", Value::Null),
    ];
    let extensions = &certificate.extensions;
    members.extend(of_extensions(extensions));
    members.extend(of_policies(extensions));
    members.extend(names(&extensions.names));
    let constraints = &extensions.constraints;
    members.push((
        "PermittedDNSDomainsCritical",
        constraints.is_critical.into(),
    ));
    members.extend(subtrees(PERMITTED, &constraints.permitted));
    members.extend(subtrees(EXCLUDED, &constraints.excluded));
    if with_uris {
        let uris = extensions.names.uris.iter();
        members.push(("URIStrings", texts(uris.map(|uri| uri.text.as_str()))));
    }
    Ok(object_of(members))
}

const PERMITTED: [&str; 4] = [
    "PermittedDNSDomains",
    "PermittedIPRanges",
    "PermittedEmailAddresses",
    "PermittedURIDomains",
];

const EXCLUDED: [&str; 4] = [
    "ExcludedDNSDomains",
    "ExcludedIPRanges",
    "ExcludedEmailAddresses",
    "ExcludedURIDomains",
];

/// What the extensions say, of which each has a member, there or not.
fn of_extensions(extensions: &Extensions<'_>) -> [(&'static str, Value); 12] {
    let optional = |bytes: Option<&[u8]>| bytes.map_or(Value::Null, base64);
    let oids = |all: &[Oid]| list(all.iter().map(|one| oid(one)));
    let uris = |all: &[&[u8]]| list(all.iter().map(|uri| lossy(uri)));
    let usages = extensions.usages.iter();
    let usages = usages.map(|usage| u64::from(*usage).into());
    let is_nought = extensions.has_basic && extensions.longest_path == 0;
    [
        ("KeyUsage", u64::from(extensions.key_usage).into()),
        ("UnhandledCriticalExtensions", oids(&extensions.unhandled)),
        ("ExtKeyUsage", list(usages)),
        ("UnknownExtKeyUsage", oids(&extensions.other_usages)),
        ("BasicConstraintsValid", extensions.has_basic.into()),
        ("IsCA", extensions.is_authority.into()),
        ("MaxPathLen", extensions.longest_path.into()),
        ("MaxPathLenZero", is_nought.into()),
        ("SubjectKeyId", optional(extensions.subject_key)),
        ("AuthorityKeyId", optional(extensions.authority_key)),
        ("OCSPServer", uris(&extensions.responders)),
        ("IssuingCertificateURL", uris(&extensions.issuers)),
    ]
}

fn of_policies(extensions: &Extensions<'_>) -> [(&'static str, Value); 10] {
    let points = extensions.distribution_points.iter();
    let mappings = extensions.policy_mappings.iter().map(|(issuer, subject)| {
        object([
            ("IssuerDomainPolicy", Value::from(dotted(issuer))),
            ("SubjectDomainPolicy", Value::from(dotted(subject))),
        ])
    });
    // Of the list of identifiers Go makes one that is empty, not one that is not there.
    let policies = extensions.policies.as_deref();
    let identifiers = policies.map_or(Value::Null, |policies| {
        policies
            .iter()
            .map(|policy| oid(policy))
            .collect::<Vec<_>>()
            .into()
    });
    let texts = policies.unwrap_or_default().iter();
    let texts = texts.map(|policy| dotted(policy).into());
    let number = |constraint: Option<i64>| constraint.unwrap_or_default().into();
    let is_nought = |constraint: Option<i64>| Value::Bool(constraint == Some(0));
    let (any, mapping) = (extensions.no_any_policy, extensions.no_policy_mapping);
    let explicit = extensions.explicit_policy;
    [
        ("CRLDistributionPoints", list(points.map(|uri| lossy(uri)))),
        ("PolicyIdentifiers", identifiers),
        ("Policies", list(texts)),
        ("PolicyMappings", list(mappings)),
        ("InhibitAnyPolicy", number(any)),
        ("InhibitAnyPolicyZero", is_nought(any)),
        ("InhibitPolicyMapping", number(mapping)),
        ("InhibitPolicyMappingZero", is_nought(mapping)),
        ("RequireExplicitPolicy", number(explicit)),
        ("RequireExplicitPolicyZero", is_nought(explicit)),
    ]
}

/// For whom it is.
pub(super) fn names(names: &Names<'_>) -> [(&'static str, Value); 4] {
    let addresses = names.addresses.iter().map(|bytes| address(bytes));
    [
        ("DNSNames", texts(names.hosts.iter().copied())),
        ("EmailAddresses", texts(names.mailboxes.iter().copied())),
        ("IPAddresses", list(addresses)),
        ("URIs", list(names.uris.iter().map(uri))),
    ]
}

fn subtrees(names: [&'static str; 4], subtrees: &Subtrees<'_>) -> [(&'static str, Value); 4] {
    let networks = subtrees.networks.iter().map(|network| {
        object([
            ("IP", address(network.address)),
            ("Mask", base64(network.mask)),
        ])
    });
    let values = [
        texts(subtrees.hosts.iter().copied()),
        list(networks),
        texts(subtrees.mailboxes.iter().copied()),
        texts(subtrees.uris.iter().copied()),
    ];
    let mut values = values.into_iter();
    names.map(|name| (name, values.next().unwrap_or(Value::Null)))
}

/// An address; one of IPv4 within IPv6 is that of IPv4.
fn address(bytes: &[u8]) -> Value {
    let address = host::of_bytes(bytes).map(|address| address.to_canonical().to_string());
    Value::from(address.unwrap_or_default())
}

fn uri(uri: &Uri) -> Value {
    let is_escaped = |part: &str, letters: &str| part.contains(|letter| letters.contains(letter));
    let raw = |part: &str, letters: &str| {
        let raw = if is_escaped(part, letters) { part } else { "" };
        Value::from(raw)
    };
    object([
        ("Scheme", uri.scheme.as_str().into()),
        ("Opaque", uri.opaque.as_str().into()),
        (
            "User",
            if uri.has_user {
                Value::new_object()
            } else {
                Value::Null
            },
        ),
        ("Host", uri.host.as_str().into()),
        ("Path", uri.path.as_str().into()),
        ("RawPath", raw(&uri.path, ESCAPED_IN_PATHS)),
        ("OmitHost", uri.omits_host.into()),
        ("ForceQuery", uri.forces_query.into()),
        ("RawQuery", uri.query.as_str().into()),
        ("Fragment", uri.fragment.as_str().into()),
        ("RawFragment", raw(&uri.fragment, "'")),
    ])
}

pub(super) fn extension(extension: &Extension<'_>) -> Value {
    object([
        ("Id", oid(&extension.oid)),
        ("Critical", extension.is_critical.into()),
        ("Value", base64(extension.value)),
    ])
}

/// A name: its attributes, and those that everybody uses by themselves.
pub(super) fn name(name: &Name) -> Value {
    let last = |number| Value::from(name.all(number).last().unwrap_or_default());
    let attributes = name
        .attributes
        .iter()
        .map(|(kind, value)| object([("Type", oid(kind)), ("Value", value.as_str().into())]));
    object([
        ("CommonName", last(3)),
        ("SerialNumber", last(5)),
        ("Country", texts(name.all(6))),
        ("Locality", texts(name.all(7))),
        ("Province", texts(name.all(8))),
        ("StreetAddress", texts(name.all(9))),
        ("Organization", texts(name.all(10))),
        ("OrganizationalUnit", texts(name.all(11))),
        ("PostalCode", texts(name.all(17))),
        ("Names", list(attributes)),
        ("ExtraNames", Value::Null),
    ])
}

/// A key. A curve has no field that is written.
pub(super) fn public_key(key: &PublicKey) -> Result<Value> {
    Ok(match key {
        PublicKey::Rsa(key) => object([
            ("N", integer(key.modulus.clone().into())?),
            ("E", key.exponent.into()),
        ]),
        PublicKey::Ec { x, y, .. } => object([
            ("Curve", Value::new_object()),
            ("X", natural(x)?),
            ("Y", natural(y)?),
        ]),
        PublicKey::Ed25519(key) => base64(key),
        PublicKey::X25519 => Value::new_object(),
        PublicKey::Dsa { p, q, g, y } => object([
            ("P", integer(p.clone())?),
            ("Q", integer(q.clone())?),
            ("G", integer(g.clone())?),
            ("Y", integer(y.clone())?),
        ]),
    })
}
