//! What becomes of those that import a policy when it changes.
//!
//! Importers are compiled with the policy as it would be, those that import these with what comes
//! of them, and so on, as it is done when the change is there.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use portcullis_policies::{
    Address, Among, Cache, Entry, Lookup as _, Policy, Snapshot, Timestamp, outdated,
};

use crate::convert::Draft;

/// Most importers that are compiled for one review, so that whoever applies a policy that hundreds
/// import is answered within the call's timeout.
const MAX_TRIED: usize = 32;

/// Most policies that one warning names: kubectl shows it on one line.
const MAX_NAMED: usize = 5;

/// The policies that are to change: what will be at each address.
pub(super) type Changes = BTreeMap<Address, Option<Arc<Policy>>>;

/// Warns of policies that compile now and would not with these changes.
pub(super) fn warnings(changes: Changes, snapshot: &Snapshot, cache: &Cache) -> Vec<String> {
    let changed: Vec<String> = changes.keys().map(ToString::to_string).collect();
    let changed = changed.join(", ");
    let (broken, untried) = broken(changes, snapshot, cache);
    let broken = named(&broken).map(|names| {
        format!("these policies import {changed} and would not compile any more: {names}")
    });
    let untried = named(&untried)
        .map(|names| format!("these policies import {changed} and were not tried: {names}"));
    broken.into_iter().chain(untried).collect()
}

/// The policies that would be broken by the changes, and those for which there is no room.
fn broken(changes: Changes, snapshot: &Snapshot, cache: &Cache) -> (Vec<Address>, Vec<Address>) {
    let changed: BTreeSet<Address> = changes.keys().cloned().collect();
    let mut now = changes;
    let (mut broken, mut tried) = (Vec::new(), 0);
    loop {
        let policies = |address: &Address| match now.get(address) {
            Some(policy) => policy.clone(),
            None => snapshot.policy(address),
        };
        let find = Among {
            policies,
            objects: snapshot,
        };
        let importers = snapshot.entries().filter(|entry| {
            let mut imports = entry.policy.definition().imports.iter();
            !changed.contains(entry.address())
                && imports.any(|import| now.contains_key(&import.address))
        });
        let as_they_are = importers.map(|entry| {
            let compiled = now.get(entry.address()).and_then(Option::as_ref);
            (entry, compiled.unwrap_or(&entry.policy))
        });
        let next = outdated(as_they_are, &find).into_iter();
        let next: Vec<&Arc<Entry>> = next.map(|(entry, _)| entry).collect();
        if next.is_empty() {
            return (broken, Vec::new());
        }
        let (next, untried) = next.split_at(next.len().min(MAX_TRIED - tried));
        let compiled: Vec<_> = next
            .iter()
            .map(|entry| draft(entry).compile(&find, cache.allowance()).policy)
            .collect();
        tried += next.len();
        for (entry, policy) in next.iter().zip(compiled) {
            if policy.faults().is_some() && entry.policy.faults().is_none() {
                broken.push(entry.address().clone());
            }
            now.insert(entry.address().clone(), Some(policy));
        }
        if !untried.is_empty() {
            let untried = untried.iter().map(|entry| entry.address().clone());
            return (broken, untried.collect());
        }
    }
}

fn draft(entry: &Entry) -> Draft {
    Draft {
        key: entry.object.clone(),
        created: Timestamp::UNIX_EPOCH,
        updated: Timestamp::UNIX_EPOCH,
        definition: entry.policy.definition().clone(),
        faults: None,
    }
}

/// `a/b@1, a/c@1 and 3 more`
fn named(policies: &[Address]) -> Option<String> {
    let names: Vec<String> = policies
        .iter()
        .take(MAX_NAMED)
        .map(ToString::to_string)
        .collect();
    let more = policies.len().saturating_sub(MAX_NAMED);
    match (names.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(names.join(", ")),
        (false, more) => Some(format!("{} and {more} more", names.join(", "))),
    }
}
