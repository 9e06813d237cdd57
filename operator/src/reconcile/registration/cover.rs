//! Sets of requests, as the rules of a webhook describe them.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::admissionregistration::v1::RuleWithOperations;
use portcullis_policies::{Operation, ResourceRule};

use super::Catalogue;

/// Groups whose requests are never matched: the API server asks about them while it decides who
/// may do what, a webhook included.
const NEVER: [&str; 2] = ["authentication.k8s.io", "authorization.k8s.io"];

/// Requests: group, version and resource, without wildcards, and what is done.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cover(BTreeMap<Resource, BTreeSet<&'static str>>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Resource {
    group: String,
    version: String,
    name: String,
}

impl Cover {
    /// Adds what a rule describes, its wildcards expanded by `catalogue`. A group that is only
    /// meant by `*` is not one of ours: a policy for everything must not keep itself from being
    /// mended.
    pub(super) fn add(&mut self, rule: &ResourceRule, catalogue: &Catalogue) {
        let operations: BTreeSet<&str> = rule.operations.iter().map(|op| op.as_str()).collect();
        for group in &rule.groups {
            for version in &rule.versions {
                for name in &rule.resources {
                    self.add_one(group, version, name, &operations, catalogue);
                }
            }
        }
    }

    fn add_one(
        &mut self,
        group: &str,
        version: &str,
        name: &str,
        operations: &BTreeSet<&'static str>,
        catalogue: &Catalogue,
    ) {
        if group != "*" && version != "*" && !name.contains('*') {
            // What is said exactly is registered whether it is served yet or not.
            return self.insert(group, version, name, operations);
        }
        for (served, served_version, names) in catalogue.all() {
            let is_meant = match group {
                "*" => served != portcullis_crds::GROUP,
                group => served == group,
            };
            if is_meant && (version == "*" || version == served_version) {
                for served_name in names.iter().filter(|served| is_covered(name, served)) {
                    self.insert(served, served_version, served_name, operations);
                }
            }
        }
    }

    fn insert(
        &mut self,
        group: &str,
        version: &str,
        name: &str,
        operations: &BTreeSet<&'static str>,
    ) {
        if !NEVER.contains(&group) && !operations.is_empty() {
            let resource = Resource {
                group: group.to_owned(),
                version: version.to_owned(),
                name: name.to_owned(),
            };
            self.0.entry(resource).or_default().extend(operations);
        }
    }

    /// Adds everything of another.
    pub(super) fn extend(&mut self, other: &Self) {
        for (resource, operations) in &other.0 {
            self.0
                .entry(resource.clone())
                .or_default()
                .extend(operations);
        }
    }

    /// Whether it describes no request.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all of its requests are among those of `other`.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.0.iter().all(|(resource, operations)| {
            other
                .0
                .get(resource)
                .is_some_and(|known| operations.is_subset(known))
        })
    }

    /// The requests as rules, as few as there are groups, versions and sets of operations.
    pub(super) fn rules(&self, scope: &str) -> Vec<RuleWithOperations> {
        let mut grouped: BTreeMap<(&str, &str, Vec<&str>), Vec<String>> = BTreeMap::new();
        for (resource, operations) in &self.0 {
            let in_order = Operation::ALL.into_iter().map(Operation::as_str);
            let operations = in_order
                .filter(|operation| operations.contains(operation))
                .collect();
            let key = (
                resource.group.as_str(),
                resource.version.as_str(),
                operations,
            );
            grouped.entry(key).or_default().push(resource.name.clone());
        }
        let rules = grouped
            .into_iter()
            .map(|((group, version, operations), names)| RuleWithOperations {
                api_groups: Some(vec![group.to_owned()]),
                api_versions: Some(vec![version.to_owned()]),
                operations: Some(operations.into_iter().map(str::to_owned).collect()),
                resources: Some(names),
                scope: Some(scope.to_owned()),
            });
        rules.collect()
    }

    /// The requests that rules describe which [`Cover::rules`] made. Wildcards, which it does not
    /// make, describe nothing.
    pub(super) fn of_rules(rules: &[RuleWithOperations]) -> Self {
        let mut cover = Self::default();
        let each = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
        for rule in rules {
            let said = each(&rule.operations);
            let operations = Operation::ALL.into_iter().map(Operation::as_str);
            let operations = operations
                .filter(|op| said.iter().any(|said| said == op))
                .collect();
            for group in each(&rule.api_groups) {
                for version in each(&rule.api_versions) {
                    for name in each(&rule.resources) {
                        cover.insert(&group, &version, &name, &operations);
                    }
                }
            }
        }
        cover
    }
}

/// Whether a rule can only be expanded with a catalogue.
pub(super) fn has_wildcard(rule: &ResourceRule) -> bool {
    let lists = [&rule.groups, &rule.versions, &rule.resources];
    lists.into_iter().flatten().any(|entry| entry.contains('*'))
}

/// Whether a resource is one of those that `pattern` stands for, as the API server reads it: `*`
/// is every resource and no subresource, `pods/*` pods and all their subresources, `*/scale` that
/// subresource of all, `*/*` everything.
fn is_covered(pattern: &str, name: &str) -> bool {
    let (parent, child) = pattern.split_once('/').unwrap_or((pattern, ""));
    let (own_parent, own_child) = name.split_once('/').unwrap_or((name, ""));
    (parent == "*" || parent == own_parent) && (child == "*" || child == own_child)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn catalogue() -> Catalogue {
        Catalogue::of(&[
            (
                "",
                "v1",
                &[
                    "pods",
                    "pods/exec",
                    "pods/log",
                    "services",
                    "services/status",
                ],
            ),
            ("apps", "v1", &["deployments", "deployments/scale"]),
            ("apps", "v1beta1", &["deployments"]),
            ("authentication.k8s.io", "v1", &["tokenreviews"]),
            ("authorization.k8s.io", "v1", &["subjectaccessreviews"]),
            ("portcullis.dev", "v1alpha1", &["policies"]),
        ])
    }

    /// Each request as `group/version/resource`.
    #[rstest]
    #[case::exact("", "v1", "pods", &["/v1/pods"])]
    #[case::exact_and_unknown("example.org", "v2", "things", &["example.org/v2/things"])]
    #[case::exact_subresource("", "v1", "pods/exec", &["/v1/pods/exec"])]
    #[case::all_resources("", "v1", "*", &["/v1/pods", "/v1/services"])]
    #[case::one_with_subresources("", "v1", "pods/*", &["/v1/pods", "/v1/pods/exec", "/v1/pods/log"])]
    #[case::one_subresource_of_all("*", "*", "*/scale", &["apps/v1/deployments/scale"])]
    #[case::all_with_subresources("apps", "v1", "*/*",
        &["apps/v1/deployments", "apps/v1/deployments/scale"])]
    #[case::versions("apps", "*", "deployments", &["apps/v1/deployments", "apps/v1beta1/deployments"])]
    #[case::groups("*", "v1", "deployments", &["apps/v1/deployments"])]
    #[case::everything("*", "*", "*",
        &["/v1/pods", "/v1/services", "apps/v1/deployments", "apps/v1beta1/deployments"])]
    #[case::unknown_version("apps", "v3", "*", &[])]
    #[case::ours_by_name("portcullis.dev", "v1alpha1", "policies", &["portcullis.dev/v1alpha1/policies"])]
    #[case::token_reviews("authentication.k8s.io", "v1", "tokenreviews", &[])]
    #[case::access_reviews("authorization.k8s.io", "*", "*", &[])]
    fn expands(
        #[case] group: &str,
        #[case] version: &str,
        #[case] name: &str,
        #[case] expected: &[&str],
    ) {
        let rule = ResourceRule {
            groups: vec![group.to_owned()],
            versions: vec![version.to_owned()],
            resources: vec![name.to_owned()],
            operations: vec![Operation::Create],
        };
        let mut cover = Cover::default();
        cover.add(&rule, &catalogue());
        let found = cover
            .0
            .keys()
            .map(|r| format!("{}/{}/{}", r.group, r.version, r.name));
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn rules_describe_what_they_were_made_of() {
        let rule = |group: &str, names: &[&str], operations: &[Operation]| ResourceRule {
            groups: vec![group.to_owned()],
            versions: vec!["v1".to_owned()],
            resources: names.iter().map(|name| (*name).to_owned()).collect(),
            operations: operations.to_vec(),
        };
        let mut cover = Cover::default();
        cover.add(
            &rule("", &["services", "pods"], &[Operation::Create]),
            &catalogue(),
        );
        cover.add(&rule("", &["pods"], &[Operation::Delete]), &catalogue());
        cover.add(&rule("apps", &["*"], &[Operation::Create]), &catalogue());
        let rules = cover.rules("*");
        assert_eq!(rules.len(), 3, "{rules:?}");
        assert_eq!(Cover::of_rules(&rules), cover);

        let mut less = Cover::default();
        less.add(&rule("", &["pods"], &[Operation::Create]), &catalogue());
        assert!(less.is_within(&cover));
        less.add(&rule("", &["pods"], &[Operation::Connect]), &catalogue());
        assert!(!less.is_within(&cover));
    }
}
