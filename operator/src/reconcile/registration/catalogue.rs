//! Which resources the cluster serves, by which wildcards are expanded.

use std::collections::{BTreeMap, BTreeSet};

use kube::core::discovery::v2::{APIGroupDiscoveryList, APIVersionDiscovery};

/// Resources by group and version, subresources among them as `pods/exec`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Catalogue {
    served: BTreeMap<(String, String), BTreeSet<String>>,
}

impl Catalogue {
    /// Reads the two documents of the aggregated discovery. Of a group whose own server is away,
    /// what `before` knew stays: it is judged from its first request after it came back.
    pub(crate) fn read(
        core: APIGroupDiscoveryList,
        groups: APIGroupDiscoveryList,
        before: &Self,
    ) -> Self {
        let mut served = BTreeMap::new();
        for group in core.items.into_iter().chain(groups.items) {
            let name = group
                .metadata
                .and_then(|metadata| metadata.name)
                .unwrap_or_default();
            for version in group.versions {
                let key = (name.clone(), version.version.clone().unwrap_or_default());
                let is_stale = version.freshness.as_deref() == Some("Stale");
                let mut resources = resources(version);
                if is_stale && let Some(known) = before.served.get(&key) {
                    resources.extend(known.iter().cloned());
                }
                served.insert(key, resources);
            }
        }
        Self { served }
    }

    /// A catalogue of `group`, `version`, resources.
    #[cfg(test)]
    pub(super) fn of(served: &[(&str, &str, &[&str])]) -> Self {
        let own = |resources: &[&str]| resources.iter().map(|name| (*name).to_owned()).collect();
        let served = served.iter().map(|(group, version, resources)| {
            (((*group).to_owned(), (*version).to_owned()), own(resources))
        });
        Self {
            served: served.collect(),
        }
    }

    /// All groups and versions with their resources.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str, &BTreeSet<String>)> {
        self.served
            .iter()
            .map(|((group, version), resources)| (group.as_str(), version.as_str(), resources))
    }
}

fn resources(version: APIVersionDiscovery) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for resource in version.resources {
        let Some(name) = resource.resource else {
            continue;
        };
        let children = resource
            .subresources
            .into_iter()
            .filter_map(|child| child.subresource);
        names.extend(children.map(|child| format!("{name}/{child}")));
        names.insert(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn document(group: &str, freshness: &str, resources: &Json) -> APIGroupDiscoveryList {
        let version = json!({"version": "v1", "resources": resources, "freshness": freshness});
        let items = json!([{"metadata": {"name": group}, "versions": [version]}]);
        serde_json::from_value(json!({ "items": items })).unwrap()
    }

    #[test]
    fn reads_resources_with_their_subresources() {
        let pods = json!([{"resource": "pods", "subresources": [{"subresource": "exec"}]}]);
        let core = document("", "Current", &pods);
        let groups = document("apps", "Current", &json!([{"resource": "deployments"}]));
        let expected = Catalogue::of(&[
            ("", "v1", &["pods", "pods/exec"]),
            ("apps", "v1", &["deployments"]),
        ]);
        assert_eq!(
            Catalogue::read(core, groups, &Catalogue::default()),
            expected
        );
    }

    #[test]
    fn keeps_what_a_server_that_is_away_served() {
        let before = Catalogue::of(&[("metrics.k8s.io", "v1", &["nodes"])]);
        let none = APIGroupDiscoveryList::default;
        let away = document("metrics.k8s.io", "Stale", &json!([]));
        assert_eq!(Catalogue::read(none(), away, &before), before);
        let emptied = document("metrics.k8s.io", "Current", &json!([]));
        assert_ne!(Catalogue::read(none(), emptied, &before), before);
    }
}
