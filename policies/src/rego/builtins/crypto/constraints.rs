//! Name constraints: for whom an authority may issue certificates.

use std::net::IpAddr;

use super::{
    der::{Reader, tag},
    extensions::{Extension, is_domain},
    mailbox, wrong,
};
use crate::rego::builtins::Result;

/// The constraints of an authority.
#[derive(Debug, Default)]
pub(super) struct Constraints<'d> {
    pub(super) is_critical: bool,
    pub(super) permitted: Subtrees<'d>,
    pub(super) excluded: Subtrees<'d>,
}

/// Names, and all below them.
#[derive(Debug, Default)]
pub(super) struct Subtrees<'d> {
    pub(super) hosts: Vec<&'d str>,
    pub(super) mailboxes: Vec<&'d str>,
    pub(super) networks: Vec<Network<'d>>,
    pub(super) uris: Vec<&'d str>,
}

/// Addresses of 4 or 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Network<'d> {
    pub(super) address: &'d [u8],
    pub(super) mask: &'d [u8],
}

impl<'d> Constraints<'d> {
    /// What an extension says, and whether all of it is known.
    pub(super) fn read(extension: &Extension<'d>) -> Result<(Self, bool)> {
        let invalid = || wrong("x509: invalid NameConstraints extension");
        let parts = |extension: &Extension<'d>| {
            let mut outer = Reader(extension.value);
            let mut all = outer.enter(tag::SEQUENCE)?;
            let permitted = all.optional(tag::constructed(0)).ok()?;
            let excluded = all.optional(tag::constructed(1)).ok()?;
            (outer.is_empty() && all.is_empty()).then_some((permitted, excluded))
        };
        let (permitted, excluded) = parts(extension).ok_or_else(invalid)?;
        let (permitted, excluded) = (
            permitted.unwrap_or(Reader(&[])),
            excluded.unwrap_or(Reader(&[])),
        );
        if permitted.is_empty() && excluded.is_empty() {
            return Err(wrong("x509: empty name constraints extension"));
        }
        let mut is_handled = true;
        let constraints = Self {
            is_critical: extension.is_critical,
            permitted: Subtrees::read(permitted, &mut is_handled)?,
            excluded: Subtrees::read(excluded, &mut is_handled)?,
        };
        Ok((constraints, is_handled))
    }
}

impl<'d> Subtrees<'d> {
    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        let texts = self.hosts.len() + self.mailboxes.len() + self.uris.len();
        (texts + self.networks.len()) as u64
    }

    fn read(mut list: Reader<'d>, is_handled: &mut bool) -> Result<Self> {
        let invalid = || wrong("x509: invalid NameConstraints extension");
        let mut subtrees = Self::default();
        while !list.is_empty() {
            let base = list.enter(tag::SEQUENCE).and_then(|mut tree| tree.any());
            let base = base.ok_or_else(invalid)?;
            let text = || {
                let text = str::from_utf8(base.content).ok();
                let text = text.filter(|text| text.is_ascii());
                text.ok_or_else(|| wrong("x509: invalid constraint value"))
            };
            let of =
                |kind, text| wrong(format!("x509: failed to parse {kind} constraint {text:?}"));
            match base.tag ^ 0x80 {
                1 => {
                    let constraint = text()?;
                    let is_valid = if constraint.contains('@') {
                        mailbox::read(constraint).is_some()
                    } else {
                        is_domain(constraint, true)
                    };
                    if !is_valid {
                        return Err(of("rfc822Name", constraint));
                    }
                    subtrees.mailboxes.push(constraint);
                }
                2 => {
                    let constraint = text()?;
                    if !is_domain(constraint, true) {
                        return Err(of("dnsName", constraint));
                    }
                    subtrees.hosts.push(constraint);
                }
                6 => {
                    let constraint = text()?;
                    if constraint.parse::<IpAddr>().is_ok() || !is_domain(constraint, true) {
                        return Err(of("URI", constraint));
                    }
                    subtrees.uris.push(constraint);
                }
                7 => subtrees.networks.push(Network::read(base.content)?),
                _ => *is_handled = false,
            }
        }
        Ok(subtrees)
    }
}

impl<'d> Network<'d> {
    fn read(content: &'d [u8]) -> Result<Self> {
        if !matches!(content.len(), 8 | 32) {
            return Err(wrong(format!(
                "x509: IP constraint contained value of length {}",
                content.len()
            )));
        }
        let (address, mask) = content.split_at(content.len() / 2);
        let ones: u32 = mask.iter().map(|byte| byte.leading_ones()).sum();
        let set: u32 = mask.iter().map(|byte| byte.count_ones()).sum();
        let partial = mask.iter().position(|byte| *byte != 0xff);
        let is_prefix =
            ones == set && partial.is_none_or(|at| mask[at + 1..].iter().all(|byte| *byte == 0));
        if !is_prefix {
            return Err(wrong("x509: IP constraint contained invalid mask"));
        }
        Ok(Self { address, mask })
    }
}
