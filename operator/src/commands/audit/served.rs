//! What a cluster serves, and what of it a policy could judge.

use kube::{
    Client,
    core::discovery::v2::{APIGroupDiscovery, APIResourceDiscovery},
};
use portcullis_policies::{Operation, Snapshot, matching::is_resource};

use crate::commands::judging::Resource;

/// The resources that can be listed, each in the version that its group prefers.
#[derive(Debug, Default)]
pub(super) struct Served {
    pub(super) resources: Vec<Listed>,
    /// Groups whose server is away.
    pub(super) faults: Vec<String>,
}

/// A resource that can be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) is: Resource,
}

impl Served {
    /// Asks the cluster.
    pub(super) async fn read(client: &Client) -> kube::Result<Self> {
        let core = client.list_core_api_versions_aggregated().await?;
        let groups = client.list_api_groups_aggregated().await?;
        let mut served = Self::default();
        for group in core.items.into_iter().chain(groups.items) {
            served.add(group);
        }
        Ok(served)
    }

    fn add(&mut self, group: APIGroupDiscovery) {
        let name = group.metadata.and_then(|metadata| metadata.name);
        let name = name.unwrap_or_default();
        let mut seen = Vec::new();
        for version in group.versions {
            let version_name = version.version.unwrap_or_default();
            if version.freshness.as_deref() == Some("Stale") {
                let fault = format!("{name}/{version_name} cannot be read: its server is away");
                self.faults.push(fault);
            }
            for resource in version.resources {
                let Some(listed) = listed(&name, &version_name, resource) else {
                    continue;
                };
                if !seen.contains(&listed.is.plural) {
                    seen.push(listed.is.plural.clone());
                    self.resources.push(listed);
                }
            }
        }
    }
}

fn listed(group: &str, version: &str, resource: APIResourceDiscovery) -> Option<Listed> {
    let can = |verb: &str| resource.verbs.iter().any(|own| own == verb);
    // What cannot be created is judged by nobody.
    if !can("list") || !can("create") {
        return None;
    }
    let kind = resource.response_kind.and_then(|kind| kind.kind)?;
    Some(Listed {
        is: Resource {
            group: group.to_owned(),
            version: version.to_owned(),
            kind,
            plural: resource.resource?,
            namespaced: resource.scope.as_deref() == Some("Namespaced"),
        },
    })
}

impl Listed {
    /// `deployments.apps`
    pub(super) fn name(&self) -> String {
        match &*self.is.group {
            "" => self.is.plural.clone(),
            group => format!("{}.{group}", self.is.plural),
        }
    }

    /// Whether somebody means it by this name: with the group, or without.
    pub(super) fn is_called(&self, name: &str) -> bool {
        name == self.is.plural || name == self.name()
    }

    /// Whether a policy is asked when an object of it is created, whatever else it selects.
    pub(super) fn is_judged_by(&self, snapshot: &Snapshot) -> bool {
        let names = |list: &[String], own: &str| list.iter().any(|one| one == "*" || one == own);
        snapshot.judges().any(|entry| {
            let mut rules = entry.admission().into_iter().flat_map(|admission| {
                let own = admission.matches.rules.iter().cloned();
                own.chain(admission.matches.workload_rules())
            });
            rules.any(|rule| {
                rule.operations.contains(&Operation::Create)
                    && names(&rule.groups, &self.is.group)
                    && rule
                        .resources
                        .iter()
                        .any(|pattern| is_resource(pattern, &self.is.plural))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn group(freshness: &str) -> APIGroupDiscovery {
        let resource = |name: &str, kind: &str, verbs: &[&str]| {
            json!({
                "resource": name, "scope": "Namespaced", "verbs": verbs,
                "responseKind": {"group": "apps", "version": "v1", "kind": kind},
            })
        };
        let all = ["create", "list"];
        serde_json::from_value(json!({
            "metadata": {"name": "apps"},
            "versions": [
                {"version": "v1", "freshness": freshness, "resources": [
                    resource("deployments", "Deployment", &all),
                    resource("reviews", "Review", &["create"]),
                    resource("metrics", "Metric", &["list"]),
                ]},
                {"version": "v1beta1", "resources": [
                    resource("deployments", "Deployment", &all),
                    resource("olds", "Old", &all),
                ]},
            ],
        }))
        .unwrap()
    }

    #[test]
    fn each_resource_is_listed_in_the_version_that_is_preferred() {
        let mut served = Served::default();
        served.add(group("Current"));
        let found: Vec<_> = served
            .resources
            .iter()
            .map(|listed| (listed.name(), &*listed.is.version))
            .collect();
        let expected = [("deployments.apps", "v1"), ("olds.apps", "v1beta1")];
        assert_eq!(
            found,
            expected.map(|(name, version)| (name.to_owned(), version))
        );
        assert!(served.faults.is_empty());
        let mut stale = Served::default();
        stale.add(group("Stale"));
        assert_eq!(stale.faults, ["apps/v1 cannot be read: its server is away"]);
    }

    #[rstest]
    #[case("deployments", true)]
    #[case("deployments.apps", true)]
    #[case("deployments.other", false)]
    #[case("deployment", false)]
    fn resources_have_two_names(#[case] name: &str, #[case] expected: bool) {
        let mut served = Served::default();
        served.add(group("Current"));
        assert_eq!(served.resources[0].is_called(name), expected);
    }
}
