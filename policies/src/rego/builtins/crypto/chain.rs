//! Chains of certificates, as Go's `crypto/x509` finds and judges them.

use std::collections::BTreeSet;

use super::{
    beyond, certificate::Certificate, extensions::ALTERNATIVE_NAMES, host, permission,
    purpose::Purpose, signature,
};
use crate::rego::builtins::{Context, Result};

/// Signatures that are looked at before it is given up.
const MOST_SIGNATURES: u32 = 100;

/// Go's number of whatever usage.
const ANY_USAGE: u8 = 0;
const SERVER: u8 = 1;

/// The bit of the usage of keys that sign certificates.
const SIGNS_CERTIFICATES: u16 = 1 << 5;

/// A chain from the last certificate to the first one, through others. Nothing where there is none.
pub(super) fn verified<'c, 'd>(
    context: &mut Context<'_, '_>,
    certificates: &'c [Certificate<'d>],
    purpose: &Purpose,
) -> Result<Option<Vec<&'c Certificate<'d>>>> {
    let [root, intermediates @ .., leaf] = certificates else {
        return Ok(None);
    };
    if !is_in_force(leaf, purpose.time) || !host::matches(leaf, &purpose.host) {
        return Ok(None);
    }
    let mut search = Search {
        context,
        root,
        intermediates: distinct(intermediates),
        time: purpose.time,
        signatures: 0,
        chains: Vec::new(),
    };
    if root.raw == leaf.raw {
        search.chains.push(vec![leaf]);
    } else {
        search.extend(&[leaf])?;
    }
    let chains = search.chains;
    for chain in chains {
        if has_policies(&chain)?
            && is_for(&chain, &purpose.usages)
            && permission::keeps_to(context, &chain)?
        {
            return Ok(Some(chain));
        }
    }
    Ok(None)
}

/// Each of them once.
fn distinct<'c, 'd>(certificates: &'c [Certificate<'d>]) -> Vec<&'c Certificate<'d>> {
    let mut seen = BTreeSet::new();
    let certificates = certificates.iter();
    certificates
        .filter(|certificate| seen.insert(certificate.raw))
        .collect()
}

/// Whether all of a certificate is known, and the time is between its times.
fn is_in_force(certificate: &Certificate<'_>, time: i128) -> bool {
    let nanoseconds = |seconds: i64| i128::from(seconds) * 1_000_000_000;
    certificate.extensions.unhandled.is_empty()
        && (nanoseconds(certificate.not_before.unix())..=nanoseconds(certificate.not_after.unix()))
            .contains(&time)
}

/// Whether as many authorities may lie below a certificate.
fn is_path_short(certificate: &Certificate<'_>, below: usize) -> bool {
    let extensions = &certificate.extensions;
    !extensions.has_basic
        || extensions.longest_path < 0
        || i64::try_from(below).is_ok_and(|below| below <= extensions.longest_path)
}

struct Search<'s, 'x, 'q, 'c, 'd> {
    context: &'s mut Context<'x, 'q>,
    root: &'c Certificate<'d>,
    intermediates: Vec<&'c Certificate<'d>>,
    time: i128,
    signatures: u32,
    /// In the order in which Go finds them.
    chains: Vec<Vec<&'c Certificate<'d>>>,
}

impl<'c, 'd> Search<'_, '_, '_, 'c, 'd> {
    /// Finds what can be put behind a chain. False: enough signatures have been looked at.
    fn extend(&mut self, chain: &[&'c Certificate<'d>]) -> Result<bool> {
        let Some(child) = chain.last().copied() else {
            return Ok(true);
        };
        let root = [self.root];
        for authority in likely(&root, child) {
            if !self.counts() {
                return Ok(false);
            }
            if self.can_follow(chain, child, authority)? {
                self.chains.push([chain, &[authority]].concat());
            }
        }
        for authority in likely(&self.intermediates.clone(), child) {
            if !self.counts() {
                return Ok(false);
            }
            let extensions = &authority.extensions;
            if self.can_follow(chain, child, authority)?
                && extensions.has_basic
                && extensions.is_authority
                && !self.extend(&[chain, &[authority]].concat())?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn counts(&mut self) -> bool {
        self.signatures += 1;
        self.signatures <= MOST_SIGNATURES
    }

    fn can_follow(
        &mut self,
        chain: &[&'c Certificate<'d>],
        child: &Certificate<'_>,
        authority: &Certificate<'_>,
    ) -> Result<bool> {
        let extensions = &authority.extensions;
        let (Some(key), Some(scheme)) = (&authority.key, child.signature_algorithm.scheme) else {
            return Ok(false);
        };
        if is_in(chain, authority)
            || authority.version == 3 && !extensions.has_basic
            || extensions.has_basic && !extensions.is_authority
            || extensions.key_usage != 0 && extensions.key_usage & SIGNS_CERTIFICATES == 0
        {
            return Ok(false);
        }
        let (signed, signature) = (child.raw_signed, &child.signature);
        Ok(
            signature::verify(self.context, key, scheme, signed, signature)?
                && is_in_force(authority, self.time)
                && is_path_short(authority, chain.len() - 1),
        )
    }
}

/// Those whose name is that of a certificate's issuer, the likeliest first: whose key is named,
/// then those of which one side names none.
fn likely<'c, 'd>(
    pool: &[&'c Certificate<'d>],
    child: &Certificate<'_>,
) -> Vec<&'c Certificate<'d>> {
    let named = child.extensions.authority_key.unwrap_or_default();
    let distance = |authority: &&Certificate<'_>| {
        let own = authority.extensions.subject_key.unwrap_or_default();
        match own == named {
            true => 0,
            false if own.is_empty() != named.is_empty() => 1,
            false => 2,
        }
    };
    let candidates = pool.iter().copied();
    let mut candidates: Vec<_> = candidates
        .filter(|authority| authority.raw_subject == child.raw_issuer)
        .collect();
    candidates.sort_by_key(distance);
    candidates
}

/// Whether a chain has a certificate for the same subject and key, with the same names.
fn is_in(chain: &[&Certificate<'_>], candidate: &Certificate<'_>) -> bool {
    let names = candidate.extension(ALTERNATIVE_NAMES);
    for certificate in chain {
        if certificate.raw_subject != candidate.raw_subject
            || certificate.raw_key != candidate.raw_key
        {
            continue;
        }
        match (names, certificate.extension(ALTERNATIVE_NAMES)) {
            (None, None) => return true,
            (None, _) | (_, None) => return false,
            (names, own) if names == own => return true,
            _ => {}
        }
    }
    false
}

/// Whether all of a chain may be used so.
fn is_for(chain: &[&Certificate<'_>], usages: &[u8]) -> bool {
    if usages.contains(&ANY_USAGE) {
        return true;
    }
    let mut left = match usages {
        [] => vec![SERVER],
        usages => usages.to_vec(),
    };
    for certificate in chain.iter().rev() {
        let extensions = &certificate.extensions;
        let says_nothing = extensions.usages.is_empty() && extensions.other_usages.is_empty();
        if !says_nothing && !extensions.usages.contains(&ANY_USAGE) {
            left.retain(|usage| extensions.usages.contains(usage));
            if left.is_empty() {
                return false;
            }
        }
    }
    true
}

/// Whether the policies of a chain are valid. They are, as nobody asks for one, unless a certificate
/// below the root does, or maps policies.
fn has_policies(chain: &[&Certificate<'_>]) -> Result<bool> {
    let Some((_, below)) = chain.split_last() else {
        return Ok(false);
    };
    let is_usual = |certificate: &&Certificate<'_>| {
        let extensions = &certificate.extensions;
        extensions.explicit_policy.is_none() && extensions.policy_mappings.is_empty()
    };
    if below.iter().all(is_usual) {
        return Ok(true);
    }
    Err(beyond("a chain that requires or maps policies"))
}
