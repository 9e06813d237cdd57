//! Which selections are followed of those that are wanted. Pure.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_policies::{Scope, Selection};

use crate::places::{Places, Taken};

/// Most selections that are followed. Each is a watch of its own, of each replica.
const MOST: usize = 64;

/// Most that only one namespace wants, so that none takes the places of the others: as many as one
/// policy may have.
const MOST_OF_A_NAMESPACE: usize = 16;

/// What is followed, and what is not.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Selections {
    pub(super) followed: BTreeSet<Selection>,
    /// Why not.
    pub(super) beyond: BTreeMap<Selection, String>,
}

impl Selections {
    /// Those of the cluster come first, and then those that are followed already: who wants more takes
    /// nothing from those who were there.
    pub(super) fn of(
        wanted: BTreeMap<&Selection, &Scope>,
        is_followed: impl Fn(&Selection) -> bool,
    ) -> Self {
        let mut wanted: Vec<(&Selection, &Scope)> = wanted.into_iter().collect();
        wanted
            .sort_by_key(|(selection, owner)| (**owner != Scope::Cluster, !is_followed(selection)));
        let mut selections = Self::default();
        let mut places = Places::new(MOST, MOST_OF_A_NAMESPACE);
        for (selection, owner) in wanted {
            let namespace = match owner {
                Scope::Cluster => None,
                Scope::Namespace(namespace) => Some(namespace.as_str()),
            };
            let why = match places.take(namespace) {
                Ok(()) => {
                    selections.followed.insert(selection.clone());
                    continue;
                }
                Err(Taken::All) => {
                    format!("bindings and policies have more than {MOST} selections")
                }
                Err(Taken::OfNamespace) => format!(
                    "bindings and policies of the namespace have more than {MOST_OF_A_NAMESPACE} selections"
                ),
            };
            selections.beyond.insert(selection.clone(), why);
        }
        selections
    }
}

#[cfg(test)]
mod tests {
    use portcullis_policies::{ParameterKind, Which};

    use super::*;

    fn selection(name: &str) -> Selection {
        Selection {
            kind: ParameterKind::config_map(),
            namespace: Some("team".to_owned()),
            which: Which::Name(name.to_owned()),
        }
    }

    /// Of owners, so many each, whose names come in this order.
    fn wanted(owners: &[(Scope, usize)]) -> Vec<(Selection, Scope)> {
        let owners = owners.iter().enumerate();
        let each = owners.flat_map(|(at, (owner, count))| {
            (0..*count).map(move |number| (selection(&format!("{at}-{number:03}")), owner.clone()))
        });
        each.collect()
    }

    fn of(wanted: &[(Selection, Scope)], is_followed: impl Fn(&Selection) -> bool) -> Selections {
        let wanted = wanted.iter().map(|(selection, owner)| (selection, owner));
        Selections::of(wanted.collect(), is_followed)
    }

    fn team(name: &str) -> Scope {
        Scope::Namespace(name.to_owned())
    }

    #[test]
    fn a_namespace_takes_no_place_of_the_cluster_or_of_another() {
        let wanted = wanted(&[(team("a"), 100), (team("b"), 1), (Scope::Cluster, 40)]);
        let found = of(&wanted, |_| false);
        let count = |owner: &Scope| {
            let own = wanted.iter().filter(|(_, its)| its == owner);
            own.filter(|(selection, _)| found.followed.contains(selection))
                .count()
        };
        assert_eq!(
            [count(&team("a")), count(&team("b")), count(&Scope::Cluster)],
            [MOST_OF_A_NAMESPACE, 1, 40]
        );
        assert_eq!(found.beyond.len(), 100 - MOST_OF_A_NAMESPACE);
        let why = found.beyond.values().next().unwrap();
        assert!(why.contains("of the namespace"), "{why}");
    }

    #[test]
    fn there_is_an_end_to_all() {
        let found = of(&wanted(&[(Scope::Cluster, 100)]), |_| false);
        assert_eq!((found.followed.len(), found.beyond.len()), (MOST, 36));
    }

    #[test]
    fn who_was_there_stays() {
        let wanted = wanted(&[(team("a"), 20)]);
        let last = selection("0-019");
        assert!(!of(&wanted, |_| false).followed.contains(&last));
        assert!(of(&wanted, |own| *own == last).followed.contains(&last));
    }
}
