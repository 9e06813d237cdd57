//! Name constraints: for whom an authority may issue certificates.

use std::{cmp::Ordering, net::IpAddr};

use super::{
    beyond,
    certificate::Certificate,
    der::{Reader, tag},
    extensions::{ALTERNATIVE_NAMES, Extension, NAME_CONSTRAINTS, Names, is_domain},
    mailbox,
    uri::Uri,
    wrong,
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

    fn contains(&self, address: &[u8]) -> bool {
        let mut bits = self.address.iter().zip(self.mask).zip(address);
        self.address.len() == address.len()
            && bits.all(|((own, mask), other)| own & mask == other & mask)
    }

    fn is_above(&self, other: &Self) -> bool {
        let last = other.address.iter().zip(other.mask);
        let last: Vec<u8> = last.map(|(address, mask)| address | !mask).collect();
        self.contains(other.address) && self.contains(&last)
    }
}

/// Whether a chain, from the leaf to the root, keeps to the constraints of its authorities.
pub(super) fn keeps_to(chain: &[&Certificate<'_>]) -> Result<bool> {
    let has = |certificate: &Certificate<'_>, oid| certificate.extension(oid).is_some();
    let constrained = chain
        .iter()
        .enumerate()
        .filter(|(_, authority)| has(authority, NAME_CONSTRAINTS));
    let constrained: Vec<_> = constrained.collect();
    for (at, certificate) in chain.iter().enumerate() {
        if !has(certificate, ALTERNATIVE_NAMES) {
            continue;
        }
        // Constraints are for those below.
        let mut above = constrained.iter().filter(|(authority, _)| *authority > at);
        let names = &certificate.extensions.names;
        let networks = constrained.iter().flat_map(|(_, authority)| {
            let constraints = &authority.extensions.constraints;
            let both = [&constraints.permitted, &constraints.excluded];
            both.into_iter().flat_map(|subtrees| &subtrees.networks)
        });
        let addresses = networks.map(|network| network.address);
        let mut addresses = addresses.chain(names.addresses.iter().copied());
        if above.clone().next().is_some() && addresses.any(is_mapped) {
            return Err(beyond("constraints on IPv4 addresses within IPv6"));
        }
        if !above.all(|(_, authority)| permits(&authority.extensions.constraints, names)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `::ffff:10.0.0.1`, which Go takes for an address of 4 bytes in places.
fn is_mapped(address: &[u8]) -> bool {
    address.len() == 16 && address[..10] == [0; 10] && address[10..12] == [0xff; 2]
}

fn permits(constraints: &Constraints<'_>, names: &Names<'_>) -> bool {
    let (permitted, excluded) = (&constraints.permitted, &constraints.excluded);
    let is_address_permitted = |address: &&[u8]| {
        (permitted.networks.is_empty() || covers(&permitted.networks, address))
            && !covers(&excluded.networks, address)
    };
    let is_host_permitted = |permitted: &[&str], excluded: &[&str], host: &str| {
        is_domain(host, false)
            && (permitted.is_empty() || lies_below(permitted, host))
            && !is_excluded(excluded, host)
    };
    let is_uri_permitted = |uri: &Uri| {
        let host = uri.host.split(':').next().unwrap_or_default();
        !host.is_empty()
            && host.parse::<IpAddr>().is_err()
            && is_host_permitted(&permitted.uris, &excluded.uris, host)
    };
    let is_mailbox_permitted = |text: &&str| {
        mailbox::read(text).is_some_and(|mailbox| {
            is_domain(mailbox.1, false)
                && (permitted.mailboxes.is_empty()
                    || covers_mailbox(&permitted.mailboxes, &mailbox, lies_below))
                && !covers_mailbox(&excluded.mailboxes, &mailbox, is_excluded)
        })
    };
    let mut hosts = names.hosts.iter();
    names.addresses.iter().all(is_address_permitted)
        && hosts.all(|host| is_host_permitted(&permitted.hosts, &excluded.hosts, host))
        && names.uris.iter().all(is_uri_permitted)
        && names.mailboxes.iter().all(is_mailbox_permitted)
}

/// Whether one of the constraints is the mailbox, or a domain that its own is in.
fn covers_mailbox(
    constraints: &[&str],
    (local, domain): &(String, &str),
    contains: fn(&[&str], &str) -> bool,
) -> bool {
    let (mailboxes, domains): (Vec<&str>, Vec<&str>) = constraints
        .iter()
        .partition(|constraint| constraint.contains('@'));
    let mut mailboxes = mailboxes.into_iter().filter_map(mailbox::read);
    mailboxes.any(|(own, of)| own == *local && of.eq_ignore_ascii_case(domain))
        || !domains.is_empty() && contains(&domains, domain)
}

/// The greatest of the networks, which are sorted and without those below others, that is not
/// behind the address: as Go searches.
fn covers(networks: &[Network<'_>], address: &[u8]) -> bool {
    let same = networks.iter().copied();
    let same = same.filter(|network| network.address.len() == address.len());
    let networks = pruned(same.collect(), Ord::cmp, Network::is_above);
    let at = networks.partition_point(|network| network.address < address);
    match (networks.get(at), at) {
        (Some(network), _) if network.address == address => true,
        (_, 0) => networks
            .first()
            .is_some_and(|first| first.contains(address)),
        (_, at) => networks[at - 1].contains(address),
    }
}

/// The same for hosts.
fn lies_below(constraints: &[&str], host: &str) -> bool {
    if constraints.iter().any(|constraint| constraint.is_empty()) {
        return true;
    }
    let constraints = pruned(
        constraints.to_vec(),
        |left, right| compare_hosts(left, right),
        |above, below| is_suffix(above, below),
    );
    let at = constraints.partition_point(|one| compare_hosts(one, host) == Ordering::Less);
    match (constraints.get(at), at) {
        (Some(constraint), _) if compare_hosts(constraint, host).is_eq() => true,
        (_, 0) => constraints
            .first()
            .is_some_and(|first| is_suffix(first, host)),
        (_, at) => is_suffix(constraints[at - 1], host),
    }
}

/// A wildcard is excluded, too, if one of the hosts that it stands for is.
fn is_excluded(constraints: &[&str], host: &str) -> bool {
    let parent = |name: &str| {
        let dot = name.find('.')?;
        Some(name[dot..].to_ascii_lowercase())
    };
    lies_below(constraints, host)
        || host.starts_with('*')
            && parent(host).is_some_and(|above| {
                let constraints = pruned(
                    constraints.to_vec(),
                    |left, right| compare_hosts(left, right),
                    |above, below| is_suffix(above, below),
                );
                let mut parents = constraints.iter().filter_map(|one| parent(one));
                parents.any(|one| one == above)
            })
}

fn pruned<T>(
    mut all: Vec<T>,
    compare: impl Fn(&T, &T) -> Ordering,
    is_above: impl Fn(&T, &T) -> bool,
) -> Vec<T> {
    all.sort_by(compare);
    let mut kept: Vec<T> = Vec::with_capacity(all.len());
    for one in all {
        if !kept.last().is_some_and(|last| is_above(last, &one)) {
            kept.push(one);
        }
    }
    kept
}

/// From the end, with dots before all other letters, in any case.
fn compare_hosts(left: &str, right: &str) -> Ordering {
    let weight = |byte: u8| match byte {
        b'.' => 0,
        byte => byte.to_ascii_lowercase(),
    };
    let left = left.bytes().rev().map(weight);
    left.cmp(right.bytes().rev().map(weight))
}

/// Whether a host is the constraint, or below it.
fn is_suffix(constraint: &str, host: &str) -> bool {
    let Some(at) = host.len().checked_sub(constraint.len()) else {
        return false;
    };
    // A name of a certificate is ASCII.
    host.get(at..)
        .is_some_and(|end| end.eq_ignore_ascii_case(constraint))
        && (constraint.starts_with('.') || at == 0 || host.as_bytes()[at - 1] == b'.')
}
