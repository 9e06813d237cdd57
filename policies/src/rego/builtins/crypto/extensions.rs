//! What extensions say, as Go reads those that it knows.

use std::collections::BTreeSet;

use super::{
    beyond,
    constraints::Constraints,
    der::{self, Malformed, Oid, Optional, Reader, tag},
    uri::Uri,
    wrong,
};
use crate::rego::builtins::Result;

/// An extension, as it is written.
#[derive(Debug)]
pub(super) struct Extension<'d> {
    pub(super) oid: Oid,
    pub(super) is_critical: bool,
    pub(super) value: &'d [u8],
}

/// What the extensions of a certificate say. What is not said is nought, or nothing.
#[derive(Debug)]
pub(super) struct Extensions<'d> {
    pub(super) key_usage: u16,
    /// Whether it has basic constraints, says there that it is an authority, and how many may follow.
    pub(super) has_basic: bool,
    pub(super) is_authority: bool,
    pub(super) longest_path: i64,
    pub(super) names: Names<'d>,
    pub(super) constraints: Constraints<'d>,
    pub(super) distribution_points: Vec<&'d [u8]>,
    pub(super) authority_key: Option<&'d [u8]>,
    pub(super) subject_key: Option<&'d [u8]>,
    /// Both: whether it is there is not the same as what it is.
    pub(super) explicit_policy: Option<i64>,
    pub(super) no_policy_mapping: Option<i64>,
    pub(super) no_any_policy: Option<i64>,
    pub(super) usages: Vec<u8>,
    pub(super) other_usages: Vec<Oid>,
    pub(super) policies: Option<Vec<Oid>>,
    pub(super) policy_mappings: Vec<(Oid, Oid)>,
    pub(super) responders: Vec<&'d [u8]>,
    pub(super) issuers: Vec<&'d [u8]>,
    /// Critical, and not known.
    pub(super) unhandled: Vec<Oid>,
}

/// For whom a certificate is.
#[derive(Debug, Default)]
pub(super) struct Names<'d> {
    pub(super) hosts: Vec<&'d str>,
    pub(super) mailboxes: Vec<&'d str>,
    pub(super) addresses: Vec<&'d [u8]>,
    pub(super) uris: Vec<Uri>,
}

pub(super) const ALTERNATIVE_NAMES: &[u32] = &[2, 5, 29, 17];
pub(super) const NAME_CONSTRAINTS: &[u32] = &[2, 5, 29, 30];

impl<'d> Extension<'d> {
    /// Reads the content of an extension.
    pub(super) fn read(mut reader: Reader<'d>) -> Result<Self> {
        let malformed = |what| wrong(format!("x509: malformed extension {what}"));
        let oid = reader.oid().ok_or_else(|| malformed("OID field"))?;
        let is_critical = reader.is_next(tag::BOOLEAN);
        let is_critical = is_critical
            && reader
                .boolean()
                .ok_or_else(|| malformed("critical field"))?;
        let value = reader
            .content(tag::OCTET_STRING)
            .ok_or_else(|| malformed("value field"))?;
        Ok(Self {
            oid,
            is_critical,
            value,
        })
    }
}

/// An identifier as people write it.
pub(super) fn dotted(oid: &[u32]) -> String {
    let parts: Vec<String> = oid.iter().map(u32::to_string).collect();
    parts.join(".")
}

impl<'d> Extensions<'d> {
    pub(super) fn read(all: &[Extension<'d>]) -> Result<Self> {
        let mut read = Self {
            key_usage: 0,
            has_basic: false,
            is_authority: false,
            longest_path: 0,
            names: Names::default(),
            constraints: Constraints::default(),
            distribution_points: Vec::new(),
            authority_key: None,
            subject_key: None,
            explicit_policy: None,
            no_policy_mapping: None,
            no_any_policy: None,
            usages: Vec::new(),
            other_usages: Vec::new(),
            policies: None,
            policy_mappings: Vec::new(),
            responders: Vec::new(),
            issuers: Vec::new(),
            unhandled: Vec::new(),
        };
        for extension in all {
            let is_handled = read.extension(extension)?;
            if extension.is_critical && !is_handled {
                read.unhandled.push(extension.oid.clone());
            }
        }
        Ok(read)
    }

    /// Whether it is known.
    fn extension(&mut self, extension: &Extension<'d>) -> Result<bool> {
        let mut value = Reader(extension.value);
        match extension.oid.as_slice() {
            [2, 5, 29, 14] => {
                not_critical(extension, "subject key identifier")?;
                let identifier = value.content(tag::OCTET_STRING);
                self.subject_key = Some(required(identifier, "subject key identifier")?);
            }
            [2, 5, 29, 15] => {
                let bits = required(value.bits(), "key usage")?;
                let bit = |at: usize| u16::from(bits.is_set(at)) << at;
                self.key_usage = (0..9).map(bit).sum();
            }
            ALTERNATIVE_NAMES => {
                self.names = Names::read(extension.value)?;
                return Ok(self.names.count() > 0);
            }
            [2, 5, 29, 19] => {
                self.has_basic = true;
                required(self.basic(value), "basic constraints")?;
            }
            NAME_CONSTRAINTS => {
                let (constraints, is_handled) = Constraints::read(extension)?;
                self.constraints = constraints;
                return Ok(is_handled);
            }
            [2, 5, 29, 31] => {
                self.distribution_points =
                    required(distribution_points(value), "CRL distribution points")?;
            }
            [2, 5, 29, 32] => {
                self.policies = Some(required(policies(value)?, "certificate policies")?);
            }
            [2, 5, 29, 33] => {
                self.policy_mappings =
                    required(policy_mappings(value)?, "policy mappings extension")?;
            }
            [2, 5, 29, 35] => {
                not_critical(extension, "authority key identifier")?;
                self.authority_key =
                    required(authority_key(value).ok(), "authority key identifier")?;
            }
            [2, 5, 29, 36] => {
                required(
                    self.policy_constraints(value),
                    "policy constraints extension",
                )?;
            }
            [2, 5, 29, 37] => required(self.usages(value), "extended key usages")?,
            [2, 5, 29, 54] => {
                let number = value.small_integer();
                self.no_any_policy = Some(required(number, "inhibit any policy extension")?);
            }
            [1, 3, 6, 1, 5, 5, 7, 1, 1] => {
                not_critical(extension, "authority info access")?;
                required(self.access(value), "authority info access")?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn basic(&mut self, mut value: Reader<'_>) -> Option<()> {
        let mut value = value.enter(tag::SEQUENCE)?;
        self.is_authority = value.is_next(tag::BOOLEAN) && value.boolean()?;
        self.longest_path = if value.is_next(tag::INTEGER) {
            value.small_integer().filter(|length| *length >= 0)?
        } else {
            -1
        };
        Some(())
    }

    fn policy_constraints(&mut self, mut value: Reader<'_>) -> Option<()> {
        let mut value = value.enter(tag::SEQUENCE)?;
        for (number, constraint) in [
            (0, &mut self.explicit_policy),
            (1, &mut self.no_policy_mapping),
        ] {
            if value.is_next(tag::context(number)) {
                *constraint = Some(value.small_integer_of(tag::context(number))?);
            }
        }
        Some(())
    }

    fn usages(&mut self, mut value: Reader<'_>) -> Option<()> {
        let mut value = value.enter(tag::SEQUENCE)?;
        while !value.is_empty() {
            let oid = value.oid()?;
            match usage(&oid) {
                Some(usage) => self.usages.push(usage),
                None => self.other_usages.push(oid),
            }
        }
        Some(())
    }

    fn access(&mut self, mut value: Reader<'d>) -> Option<()> {
        let mut value = value.enter(tag::SEQUENCE)?;
        while !value.is_empty() {
            let mut access = value.enter(tag::SEQUENCE)?;
            let method = access.oid()?;
            if !access.is_next(tag::context(6)) {
                continue;
            }
            let uri = access.content(tag::context(6))?;
            match method.as_slice() {
                [1, 3, 6, 1, 5, 5, 7, 48, 1] => self.responders.push(uri),
                [1, 3, 6, 1, 5, 5, 7, 48, 2] => self.issuers.push(uri),
                _ => {}
            }
        }
        Some(())
    }
}

impl<'d> Names<'d> {
    /// Reads alternative names. Those of other types are passed over.
    pub(super) fn read(value: &'d [u8]) -> Result<Self> {
        let invalid = || wrong("x509: invalid subject alternative names");
        let mut list = Reader(value).enter(tag::SEQUENCE).ok_or_else(invalid)?;
        let mut names = Self::default();
        while !list.is_empty() {
            let name = list.any().ok_or_else(invalid)?;
            let text = || {
                let text = str::from_utf8(name.content).ok();
                let text = text.filter(|text| text.is_ascii());
                text.ok_or_else(|| wrong("x509: SAN is malformed"))
            };
            match name.tag ^ 0x80 {
                1 => names.mailboxes.push(text()?),
                2 => names.hosts.push(text()?),
                6 => {
                    let uri = Uri::read(text()?)?;
                    if !is_domain(&uri.host, false) {
                        return Err(wrong(format!(
                            "x509: cannot parse URI {:?}: invalid domain",
                            uri.text
                        )));
                    }
                    names.uris.push(uri);
                }
                7 => match name.content.len() {
                    4 | 16 => names.addresses.push(name.content),
                    length => {
                        return Err(wrong(format!(
                            "x509: cannot parse IP address of length {length}"
                        )));
                    }
                },
                _ => {}
            }
        }
        Ok(names)
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        let texts = self.hosts.len() + self.mailboxes.len() + self.uris.len();
        (texts + self.addresses.len()) as u64
    }
}

/// Whether a text can be a domain, loosely. A constraint can begin with a dot.
pub(super) fn is_domain(text: &str, is_constraint: bool) -> bool {
    if text.is_empty() {
        return true;
    }
    if text.ends_with('.') {
        return false;
    }
    let text = match text.strip_prefix('.') {
        Some(rest) if is_constraint => rest,
        _ => text,
    };
    let is_label =
        |label: &str| !label.is_empty() && label.bytes().all(|byte| (33..=126).contains(&byte));
    text.split('.').all(is_label)
}

/// Go's number of a usage that it knows.
fn usage(oid: &[u32]) -> Option<u8> {
    Some(match oid {
        [2, 5, 29, 37, 0] => 0,
        [1, 3, 6, 1, 5, 5, 7, 3, usage @ 1..=9] => u8::try_from(*usage).ok()?,
        [1, 3, 6, 1, 4, 1, 311, 10, 3, 3] => 10,
        [2, 16, 840, 1, 113_730, 4, 1] => 11,
        [1, 3, 6, 1, 4, 1, 311, 2, 1, 22] => 12,
        [1, 3, 6, 1, 4, 1, 311, 61, 1, 1] => 13,
        _ => return None,
    })
}

fn required<T>(read: Option<T>, what: &str) -> Result<T> {
    read.ok_or_else(|| wrong(format!("x509: invalid {what}")))
}

fn not_critical(extension: &Extension<'_>, what: &str) -> Result<()> {
    if extension.is_critical {
        return Err(wrong(format!("x509: {what} incorrectly marked critical")));
    }
    Ok(())
}

fn authority_key(mut value: Reader<'_>) -> Optional<&[u8]> {
    let mut value = value.enter(tag::SEQUENCE).ok_or(Malformed)?;
    let key = value.optional(tag::context(0))?;
    Ok(key.map(|key| key.0))
}

fn distribution_points(mut value: Reader<'_>) -> Option<Vec<&[u8]>> {
    let mut points = Vec::new();
    let mut value = value.enter(tag::SEQUENCE)?;
    while !value.is_empty() {
        let mut point = value.enter(tag::SEQUENCE)?;
        let Some(mut name) = point.optional(tag::constructed(0)).ok()? else {
            continue;
        };
        let mut names = name.enter(tag::constructed(0))?;
        while names.is_next(tag::context(6)) {
            points.push(names.content(tag::context(6))?);
        }
    }
    Some(points)
}

/// What is an identifier for Go, and has a part that is too large for us, is refused.
fn policy(bytes: &[u8]) -> Result<Option<Oid>> {
    if let Some(oid) = der::oid(bytes) {
        return Ok(Some(oid));
    }
    let ends = bytes.last().is_some_and(|byte| byte & 0x80 == 0);
    let mut groups = bytes.split_inclusive(|byte| byte & 0x80 == 0);
    if !ends || groups.any(|group| group[0] == 0x80) {
        return Ok(None);
    }
    Err(beyond("an identifier of a policy is very large"))
}

fn policies(mut value: Reader<'_>) -> Result<Option<Vec<Oid>>> {
    let (mut policies, mut seen) = (Vec::new(), BTreeSet::new());
    let Some(mut value) = value.enter(tag::SEQUENCE) else {
        return Ok(None);
    };
    while !value.is_empty() {
        let information = value.enter(tag::SEQUENCE);
        let oid = information.and_then(|mut of| of.content(tag::OBJECT_IDENTIFIER));
        let Some(oid) = oid.map(policy).transpose()?.flatten() else {
            return Ok(None);
        };
        if !seen.insert(oid.clone()) {
            return Ok(None);
        }
        policies.push(oid);
    }
    Ok(Some(policies))
}

fn policy_mappings(mut value: Reader<'_>) -> Result<Option<Vec<(Oid, Oid)>>> {
    let mut mappings = Vec::new();
    let Some(mut value) = value.enter(tag::SEQUENCE) else {
        return Ok(None);
    };
    while !value.is_empty() {
        let pair = value.enter(tag::SEQUENCE).and_then(|mut mapping| {
            let issuer = mapping.content(tag::OBJECT_IDENTIFIER)?;
            Some((issuer, mapping.content(tag::OBJECT_IDENTIFIER)?))
        });
        let Some((issuer, subject)) = pair else {
            return Ok(None);
        };
        // Go does not look whether these are identifiers.
        let unusual = || beyond("an identifier of a mapped policy is none");
        let issuer = policy(issuer)?.ok_or_else(unusual)?;
        let subject = policy(subject)?.ok_or_else(unusual)?;
        mappings.push((issuer, subject));
    }
    Ok(Some(mappings))
}
