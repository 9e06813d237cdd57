//! Policies that use the packages of others.
//!
//! An import is found by its address when the importer is compiled, and held from then on. Whoever
//! keeps policies asks [`Policy::is_current`] after a change and compiles again what is not; a
//! policy's digest covers those of its imports, so that a change passes on to importers of importers.

use std::collections::{BTreeMap, BTreeSet};
use std::{fmt, sync::Arc};

use crate::{Address, Definition, Diagnostic, Digest, Policy, Scope, Selected, Selection};

/// Most imports of one policy: more are a framework, which belongs into one policy.
pub const MAX_IMPORTS: usize = 16;

/// Most policies that are compiled into one, imports of imports included. It bounds the time that
/// one compilation takes.
pub const MAX_IMPORTED: usize = 64;

/// The codes of faults that lie between objects: what is imported, or what data comes from, is
/// missing, broken, not to be had or another. They go when the other object changes.
pub const FAULTS_BETWEEN_OBJECTS: [&str; 9] = [
    "data_from_awaited",
    "data_from_conflict",
    "data_from_invalid",
    "data_from_missing",
    "data_from_unread",
    "import_broken",
    "import_changed",
    "import_forbidden",
    "import_missing",
];

/// A policy whose packages another one uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Where it is found.
    pub address: Address,
    /// The digest that it has to have.
    pub pin: Option<Digest>,
}

/// What is around a policy when it is compiled.
pub trait Lookup {
    /// The policy that holds an address.
    fn policy(&self, address: &Address) -> Option<Arc<Policy>>;

    /// What is known of objects that data comes from; `None` where nobody has looked yet.
    fn selected(&self, selection: &Selection) -> Option<Selected>;
}

/// Whoever knows what is around a policy.
pub type Find<'a> = &'a dyn Lookup;

/// Nothing is around it.
impl Lookup for () {
    fn policy(&self, _address: &Address) -> Option<Arc<Policy>> {
        None
    }

    fn selected(&self, _selection: &Selection) -> Option<Selected> {
        None
    }
}

/// Objects, and no policies.
impl Lookup for BTreeMap<Selection, Selected> {
    fn policy(&self, _address: &Address) -> Option<Arc<Policy>> {
        None
    }

    fn selected(&self, selection: &Selection) -> Option<Selected> {
        self.get(selection).cloned()
    }
}

/// Policies that a function finds, and objects as others know them.
pub struct Among<'a, F> {
    /// Finds the policy that holds an address.
    pub policies: F,
    /// Knows the objects.
    pub objects: Find<'a>,
}

impl<F> fmt::Debug for Among<'_, F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Among").finish_non_exhaustive()
    }
}

impl<F: Fn(&Address) -> Option<Arc<Policy>>> Lookup for Among<'_, F> {
    fn policy(&self, address: &Address) -> Option<Arc<Policy>> {
        (self.policies)(address)
    }

    fn selected(&self, selection: &Selection) -> Option<Selected> {
        self.objects.selected(selection)
    }
}

/// The imports of a policy as they were found when it was compiled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Imports {
    found: Vec<(Import, Option<Arc<Policy>>)>,
    /// The policy is among what it imports.
    cyclic: bool,
}

impl Imports {
    /// Looks up what a definition imports.
    pub(crate) fn find(definition: &Definition, find: Find<'_>) -> Self {
        let cyclic = is_cyclic(definition, find);
        // Each policy of a circle would hold an older one of the others, and that one older ones.
        let look_up = |import: &Import| {
            let address = Some(&import.address).filter(|_| !cyclic);
            address.and_then(|address| find.policy(address))
        };
        let imports = definition.imports.iter();
        Self {
            found: imports
                .map(|import| (import.clone(), look_up(import)))
                .collect(),
            cyclic,
        }
    }

    /// Whether another look would find the same.
    pub(crate) fn are_current(&self, definition: &Definition, find: Find<'_>) -> bool {
        let state = |policy: &Arc<Policy>| {
            let is_broken = policy.faults().is_some();
            (policy.digest(), policy.sources().digest(), is_broken)
        };
        if self.found.is_empty() {
            return true;
        }
        if self.cyclic != is_cyclic(definition, find) {
            return false;
        }
        self.cyclic
            || self.found.iter().all(|(import, before)| {
                find.policy(&import.address).as_ref().map(state) == before.as_ref().map(state)
            })
    }

    /// The addresses, and the digest of what was found at each. A circle has no digest of its own.
    pub(crate) fn digests(&self) -> impl ExactSizeIterator<Item = (&Address, Option<Digest>)> {
        self.found.iter().map(|(import, policy)| {
            let digest = policy.as_ref().map(|policy| policy.digest());
            (&import.address, digest)
        })
    }

    /// All that is imported, imports of imports too, each once.
    pub(crate) fn all(&self) -> Vec<Arc<Policy>> {
        let mut all = BTreeMap::new();
        let mut open: Vec<&Self> = vec![self];
        while let Some(imports) = open.pop() {
            for policy in imports.found.iter().filter_map(|(_, found)| found.as_ref()) {
                if !all.contains_key(policy.address()) {
                    all.insert(policy.address().clone(), policy.clone());
                    open.push(policy.imports());
                }
            }
        }
        all.into_values().collect()
    }

    /// Why the importer cannot be compiled.
    pub(crate) fn faults(&self, definition: &Definition) -> Vec<Diagnostic> {
        if self.cyclic {
            return vec![cycle()];
        }
        if self.found.len() > MAX_IMPORTS || self.all().len() > MAX_IMPORTED {
            let text = format!(
                "a policy imports at most {MAX_IMPORTS} policies, and {MAX_IMPORTED} with what \
                 these import"
            );
            return vec![
                Diagnostic::new("import_limit", text)
                    .with_remedy("join policies that are used together"),
            ];
        }
        let mut seen = BTreeSet::new();
        let faults = self.found.iter().filter_map(|(import, found)| {
            if !seen.insert(&import.address) {
                let text = format!("{} is imported twice", import.address);
                return Some(
                    Diagnostic::new("import_twice", text).with_remedy("remove one of the two"),
                );
            }
            fault(definition, import, found.as_deref())
        });
        faults.collect()
    }
}

/// What is wrong with one import.
fn fault(definition: &Definition, import: &Import, found: Option<&Policy>) -> Option<Diagnostic> {
    let address = &import.address;
    let importer = definition.address.scope();
    if *address.scope() != Scope::Cluster && address.scope() != importer {
        let text = format!("{address} is of another namespace");
        return Some(
            Diagnostic::new("import_forbidden", text)
                .with_remedy("import policies of the cluster, or of the policy's own namespace"),
        );
    }
    let Some(found) = found else {
        let text = format!("the policy imports {address}, which is not there");
        return Some(
            Diagnostic::new("import_missing", text)
                .with_remedy("apply the policy that is imported"),
        );
    };
    let is_foreign = importer.namespace().is_some() && address.namespace().is_none();
    if is_foreign && !found.definition().importable {
        let text = format!("{address} may not be imported by policies of a namespace");
        return Some(
            Diagnostic::new("import_forbidden", text)
                .with_remedy("have `importable: true` set at the ClusterPolicy"),
        );
    }
    if let Some(broken) = found.faults() {
        let first = broken.iter().next();
        let why = first.map_or_else(String::new, |fault| format!(": {}", fault.in_one_line()));
        let text = format!("the policy imports {address}, which is broken{why}");
        return Some(
            Diagnostic::new("import_broken", text).with_remedy("mend the policy that is imported"),
        );
    }
    let digest = found.digest();
    import.pin.filter(|&pin| pin != digest).map(|pin| {
        let text = format!("the policy imports {address} at {pin}, and it is at {digest}");
        Diagnostic::new("import_changed", text).with_remedy(
            "look at what has changed, then set the import's `sha256` to the new digest",
        )
    })
}

fn cycle() -> Diagnostic {
    Diagnostic::new(
        "import_cycle",
        "the policy imports itself, by way of what it imports",
    )
    .with_remedy("move what both use into a policy that imports neither")
}

/// Whether a definition is among what it imports.
fn is_cyclic(definition: &Definition, find: Find<'_>) -> bool {
    let mut seen = BTreeSet::new();
    let mut open: Vec<Address> = addresses(definition).collect();
    while let Some(address) = open.pop() {
        if address == definition.address {
            return true;
        }
        if seen.contains(&address) {
            continue;
        }
        if let Some(policy) = find.policy(&address) {
            open.extend(addresses(policy.definition()));
        }
        seen.insert(address);
    }
    false
}

fn addresses(definition: &Definition) -> impl Iterator<Item = Address> {
    let imports = definition.imports.iter();
    imports.map(|import| import.address.clone())
}

/// Of these policies, those that have to be compiled again now: their imports are not what they
/// were compiled with, and are themselves current. After compiling these, others may have to be.
pub fn outdated<'a, T>(
    policies: impl IntoIterator<Item = (T, &'a Arc<Policy>)>,
    find: Find<'_>,
) -> Vec<(T, &'a Arc<Policy>)> {
    let policies = policies.into_iter();
    let outdated = policies.filter(|(_, policy)| !policy.is_current(find));
    let is_ready = |policy: &Policy| {
        is_cyclic(policy.definition(), find)
            || addresses(policy.definition()).all(|address| {
                find.policy(&address)
                    .is_none_or(|import| import.is_current(find))
            })
    };
    outdated.filter(|(_, policy)| is_ready(policy)).collect()
}
