//! What is fetched of what policies want. Pure.

use std::collections::BTreeMap;

use portcullis_policies::HttpSource;

use crate::places::{Places, Taken};

/// Most documents, of all policies together: as many as selections that replicas follow.
const MOST: usize = 64;

/// Most documents of one namespace, so that none takes the places of the others.
const MOST_OF_A_NAMESPACE: usize = 8;

/// What is fetched, and what is not.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Wanted {
    /// By the names of their objects.
    pub(super) sources: BTreeMap<String, HttpSource>,
    /// Names, and why not.
    pub(super) beyond: BTreeMap<String, String>,
}

impl Wanted {
    /// Those of the cluster come first, and then those that are known by their names: who wants more
    /// takes nothing from those who were there. Of the same source the shortest period counts, and the
    /// longest patience.
    pub(super) fn of(
        sources: impl IntoIterator<Item = HttpSource>,
        is_known: impl Fn(&str) -> bool,
    ) -> Self {
        let mut shared = BTreeMap::new();
        for source in sources {
            let name = source.object_name();
            let is_of_namespace = source.namespace.is_some();
            let key = (is_of_namespace, !is_known(&name), name);
            let (period, timeout) = (source.period, source.timeout);
            let held: &mut HttpSource = shared.entry(key).or_insert(source);
            held.period = held.period.min(period);
            held.timeout = held.timeout.max(timeout);
        }
        let mut wanted = Self::default();
        let mut places = Places::new(MOST, MOST_OF_A_NAMESPACE);
        for ((.., name), source) in shared {
            let why = match places.take(source.namespace.as_deref()) {
                Ok(()) => {
                    wanted.sources.insert(name, source);
                    continue;
                }
                Err(Taken::All) => format!("policies have more than {MOST} sources"),
                Err(Taken::OfNamespace) => {
                    format!(
                        "policies of the namespace have more than {MOST_OF_A_NAMESPACE} sources"
                    )
                }
            };
            wanted.beyond.insert(name, why);
        }
        wanted
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::source;
    use super::*;

    fn of(namespace: Option<&str>, number: usize) -> HttpSource {
        HttpSource {
            namespace: namespace.map(str::to_owned),
            ..source(&format!("https://example.com/{number}"))
        }
    }

    #[test]
    fn the_same_source_is_asked_once_as_often_as_anybody_wants() {
        let slow = of(None, 1);
        let quick = HttpSource {
            period: Duration::from_secs(30),
            timeout: Duration::from_secs(1),
            ..slow.clone()
        };
        let wanted = Wanted::of([slow.clone(), quick, of(Some("team"), 1)], |_| false);
        assert_eq!(wanted.sources.len(), 2);
        let shared = &wanted.sources[&slow.object_name()];
        assert_eq!(shared.period, Duration::from_secs(30));
        assert_eq!(shared.timeout, slow.timeout);
        assert_eq!(wanted.beyond, BTreeMap::new());
    }

    #[test]
    fn a_namespace_takes_no_more_than_its_share() {
        let team = (0..20).map(|number| of(Some("team"), number));
        let other = (0..3).map(|number| of(Some("other"), number));
        let wanted = Wanted::of(team.chain(other), |_| false);
        assert_eq!(wanted.sources.len(), MOST_OF_A_NAMESPACE + 3);
        assert_eq!(wanted.beyond.len(), 20 - MOST_OF_A_NAMESPACE);
        let why = wanted.beyond.values().next().unwrap();
        assert_eq!(why, "policies of the namespace have more than 8 sources");
    }

    #[test]
    fn who_was_there_keeps_the_place() {
        let others = (0..20).map(|number| of(Some("a"), number));
        let last = of(Some("a"), 20);
        let known = last.object_name();
        let sources = others.chain([last]);
        let wanted = Wanted::of(sources, |name| name == known);
        assert!(wanted.sources.contains_key(&known));
        assert_eq!(wanted.sources.len(), MOST_OF_A_NAMESPACE);
    }

    #[test]
    fn the_cluster_comes_first() {
        let teams = (0..10)
            .flat_map(|team| (0..8).map(move |number| of(Some(&format!("team-{team}")), number)));
        let cluster = (0..60).map(|number| of(None, number));
        let wanted = Wanted::of(teams.chain(cluster), |_| true);
        assert_eq!(wanted.sources.len(), MOST);
        let of_cluster = wanted
            .sources
            .values()
            .filter(|own| own.namespace.is_none());
        assert_eq!(of_cluster.count(), 60);
        assert_eq!(wanted.beyond.len(), 80 - 4);
    }
}
