//! Whether the certificates of a chain are for what the authorities above them are permitted.
//!
//! As Go does, constraints are sorted, those below others are left out, and of what is left the one
//! that comes before a name is the only one that it can lie in.

use std::{cmp::Ordering, collections::BTreeSet, net::IpAddr};

use super::{
    beyond,
    certificate::Certificate,
    constraints::{Network, Subtrees},
    extensions::{ALTERNATIVE_NAMES, NAME_CONSTRAINTS, Names, is_domain},
    mailbox,
    uri::Uri,
};
use crate::rego::builtins::{Context, Result};

/// Whether a chain, from the leaf to the root, keeps to the constraints of its authorities.
pub(super) fn keeps_to(context: &mut Context<'_, '_>, chain: &[&Certificate<'_>]) -> Result<bool> {
    let has = |certificate: &Certificate<'_>, oid| certificate.extension(oid).is_some();
    let mut above: Vec<(usize, Permission<'_>)> = Vec::new();
    for (at, authority) in chain.iter().enumerate() {
        if has(authority, NAME_CONSTRAINTS) {
            let constraints = &authority.extensions.constraints;
            // They are sorted, and few are more than a thousand.
            let count = constraints.permitted.count() + constraints.excluded.count();
            context.budget.steps(count.saturating_mul(10))?;
            let permitted = Sorted::of(&constraints.permitted);
            let excluded = Sorted::of(&constraints.excluded);
            let permission = Permission {
                permitted,
                excluded,
            };
            above.push((at, permission));
        }
    }
    for (at, certificate) in chain.iter().enumerate() {
        if !has(certificate, ALTERNATIVE_NAMES) {
            continue;
        }
        let names = &certificate.extensions.names;
        // Constraints are for those below.
        for (_, permission) in above.iter().filter(|(authority, _)| *authority > at) {
            context.budget.steps(names.count())?;
            if names.addresses.iter().any(|address| is_mapped(address)) || permission.is_mapped() {
                return Err(beyond("constraints on IPv4 addresses within IPv6"));
            }
            if !permission.is_given(names) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// What an authority may issue certificates for.
struct Permission<'d> {
    permitted: Sorted<'d>,
    excluded: Sorted<'d>,
}

/// Constraints of one kind: in their order, without those below others.
struct Sorted<'d> {
    hosts: Hosts<'d>,
    uris: Hosts<'d>,
    /// Mailboxes by themselves, with their domains in small letters, and all of some domains.
    mailboxes: BTreeSet<(String, String)>,
    domains: Hosts<'d>,
    networks: [Vec<Network<'d>>; 2],
}

impl<'d> Sorted<'d> {
    fn of(subtrees: &Subtrees<'d>) -> Self {
        let (mailboxes, domains): (Vec<&str>, Vec<&str>) = subtrees
            .mailboxes
            .iter()
            .partition(|constraint| constraint.contains('@'));
        let mailboxes = mailboxes.into_iter().filter_map(mailbox::read);
        let networks = [4, 16].map(|size| {
            let networks = subtrees.networks.iter().copied();
            let networks = networks.filter(|network| network.address.len() == size);
            pruned(networks.collect(), Ord::cmp, Network::is_above)
        });
        Self {
            hosts: Hosts::of(&subtrees.hosts),
            uris: Hosts::of(&subtrees.uris),
            mailboxes: mailboxes
                .map(|(local, domain)| (local, domain.to_ascii_lowercase()))
                .collect(),
            domains: Hosts::of(&domains),
            networks,
        }
    }

    /// An address lies in the network before it, if in any.
    fn covers_address(&self, address: &[u8]) -> bool {
        let networks = &self.networks[usize::from(address.len() == 16)];
        let at = networks.partition_point(|network| network.address < address);
        let here = networks.get(at);
        here.is_some_and(|network| network.address == address)
            || networks
                .get(at.saturating_sub(1))
                .is_some_and(|network| network.contains(address))
    }

    fn has_networks(&self) -> bool {
        self.networks.iter().any(|networks| !networks.is_empty())
    }

    fn covers_mailbox(&self, local: &str, domain: &str, in_domain: Lies<'d>) -> bool {
        let mailbox = (local.to_owned(), domain.to_ascii_lowercase());
        self.mailboxes.contains(&mailbox) || in_domain(&self.domains, domain)
    }

    fn has_mailboxes(&self) -> bool {
        !self.mailboxes.is_empty() || !self.domains.sorted.is_empty()
    }
}

/// How a host can lie in constraints.
type Lies<'d> = fn(&Hosts<'d>, &str) -> bool;

impl Permission<'_> {
    fn is_mapped(&self) -> bool {
        let networks = [&self.permitted, &self.excluded].map(|sorted| &sorted.networks[1]);
        let mut networks = networks.into_iter().flatten();
        networks.any(|network| is_mapped(network.address))
    }

    fn is_given(&self, names: &Names<'_>) -> bool {
        let (permitted, excluded) = (&self.permitted, &self.excluded);
        let mut addresses = names.addresses.iter();
        let mut hosts = names.hosts.iter();
        addresses.all(|address| {
            (!permitted.has_networks() || permitted.covers_address(address))
                && !excluded.covers_address(address)
        }) && hosts.all(|host| is_host_given(&permitted.hosts, &excluded.hosts, host))
            && names.uris.iter().all(|uri| self.is_uri_given(uri))
            && names
                .mailboxes
                .iter()
                .all(|text| self.is_mailbox_given(text))
    }

    fn is_uri_given(&self, uri: &Uri) -> bool {
        let host = uri.host.split(':').next().unwrap_or_default();
        !host.is_empty()
            && host.parse::<IpAddr>().is_err()
            && is_host_given(&self.permitted.uris, &self.excluded.uris, host)
    }

    fn is_mailbox_given(&self, text: &str) -> bool {
        let (permitted, excluded) = (&self.permitted, &self.excluded);
        mailbox::read(text).is_some_and(|(local, domain)| {
            is_domain(domain, false)
                && (!permitted.has_mailboxes()
                    || permitted.covers_mailbox(&local, domain, Hosts::are_above))
                && !excluded.covers_mailbox(&local, domain, Hosts::exclude)
        })
    }
}

fn is_host_given(permitted: &Hosts<'_>, excluded: &Hosts<'_>, host: &str) -> bool {
    is_domain(host, false)
        && (permitted.sorted.is_empty() || permitted.are_above(host))
        && !excluded.exclude(host)
}

/// `::ffff:10.0.0.1`, which Go takes for an address of 4 bytes in places.
fn is_mapped(address: &[u8]) -> bool {
    address.len() == 16 && address[..10] == [0; 10] && address[10..12] == [0xff; 2]
}

/// Constraints on hosts.
struct Hosts<'d> {
    sorted: Vec<&'d str>,
    /// What each lies in, in small letters.
    parents: BTreeSet<String>,
}

impl<'d> Hosts<'d> {
    fn of(all: &[&'d str]) -> Self {
        let sorted = pruned(
            all.to_vec(),
            |left, right| compare(left, right),
            |above, below| is_above(above, below),
        );
        Self {
            parents: sorted.iter().filter_map(|one| parent(one)).collect(),
            sorted,
        }
    }

    /// Whether a host is one of them, or below one.
    fn are_above(&self, host: &str) -> bool {
        let at = self
            .sorted
            .partition_point(|one| compare(one, host) == Ordering::Less);
        let here = self.sorted.get(at);
        here.is_some_and(|one| compare(one, host).is_eq())
            || self
                .sorted
                .get(at.saturating_sub(1))
                .is_some_and(|one| is_above(one, host))
    }

    /// A wildcard is excluded, too, if one of the hosts that it stands for is.
    fn exclude(&self, host: &str) -> bool {
        self.are_above(host)
            || host.starts_with('*')
                && parent(host).is_some_and(|parent| self.parents.contains(&parent))
    }
}

/// A host without its first label.
fn parent(host: &str) -> Option<String> {
    let dot = host.find('.')?;
    Some(host[dot..].to_ascii_lowercase())
}

/// From the end, with dots before all other letters, in any case.
fn compare(left: &str, right: &str) -> Ordering {
    let weight = |byte: u8| match byte {
        b'.' => 0,
        byte => byte.to_ascii_lowercase(),
    };
    let left = left.bytes().rev().map(weight);
    left.cmp(right.bytes().rev().map(weight))
}

/// Whether a host is the constraint, or below it; everything is below nothing.
fn is_above(constraint: &str, host: &str) -> bool {
    let Some(at) = host.len().checked_sub(constraint.len()) else {
        return false;
    };
    host.get(at..)
        .is_some_and(|end| end.eq_ignore_ascii_case(constraint))
        && (constraint.is_empty()
            || constraint.starts_with('.')
            || at == 0
            || host.as_bytes()[at - 1] == b'.')
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

impl Network<'_> {
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
