//! Sets of requests, as the rules of a webhook describe them.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::admissionregistration::v1::RuleWithOperations;
use portcullis_policies::{Operation, ResourceRule, ResourceScope, matching::is_resource};

use super::Catalogue;

/// Groups whose requests are never matched: the API server asks about them while it decides who
/// may do what, a webhook included.
const NEVER: [&str; 2] = ["authentication.k8s.io", "authorization.k8s.io"];

/// Requests: group, version and resource, without wildcards, and what is done, in a namespace or in
/// none.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cover(BTreeMap<Resource, BTreeSet<Deed>>);

/// An operation, and whether the request is in a namespace.
type Deed = (&'static str, bool);

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
        let deeds = deeds(rule);
        for group in &rule.groups {
            for version in &rule.versions {
                for name in &rule.resources {
                    self.add_one(group, version, name, &deeds, catalogue);
                }
            }
        }
    }

    fn add_one(
        &mut self,
        group: &str,
        version: &str,
        name: &str,
        deeds: &BTreeSet<Deed>,
        catalogue: &Catalogue,
    ) {
        if group != "*" && version != "*" && !name.contains('*') {
            // What is said exactly is registered whether it is served yet or not.
            return self.insert(group, version, name, deeds);
        }
        for (served, served_version, names) in catalogue.all() {
            let is_meant = match group {
                "*" => served != portcullis_crds::GROUP,
                group => served == group,
            };
            if is_meant && (version == "*" || version == served_version) {
                for served_name in names.iter().filter(|served| is_resource(name, served)) {
                    self.insert(served, served_version, served_name, deeds);
                }
            }
        }
    }

    fn insert(&mut self, group: &str, version: &str, name: &str, deeds: &BTreeSet<Deed>) {
        if !NEVER.contains(&group) && !deeds.is_empty() {
            let resource = Resource {
                group: group.to_owned(),
                version: version.to_owned(),
                name: name.to_owned(),
            };
            self.0.entry(resource).or_default().extend(deeds);
        }
    }

    /// Removes what a rule takes out for every name. A rule that names versions takes nothing out
    /// here: which versions of a resource are the same is for the webhook to tell.
    pub(super) fn remove(&mut self, rule: &ResourceRule) {
        let has = |list: &[String], item: &str| list.iter().any(|own| own == "*" || own == item);
        if !rule.is_for_every_name() || !has(&rule.versions, "*") {
            return;
        }
        let removed = deeds(rule);
        for (resource, deeds) in &mut self.0 {
            let mut patterns = rule.resources.iter();
            if has(&rule.groups, &resource.group)
                && patterns.any(|pattern| is_resource(pattern, &resource.name))
            {
                deeds.retain(|deed| !removed.contains(deed));
            }
        }
        self.0.retain(|_, deeds| !deeds.is_empty());
    }

    /// Keeps only requests in namespaces.
    pub(super) fn within_namespaces(&mut self) {
        for deeds in self.0.values_mut() {
            deeds.retain(|(_, is_namespaced)| *is_namespaced);
        }
        self.0.retain(|_, deeds| !deeds.is_empty());
    }

    /// Adds everything of another.
    pub(super) fn extend(&mut self, other: &Self) {
        for (resource, deeds) in &other.0 {
            self.0.entry(resource.clone()).or_default().extend(deeds);
        }
    }

    /// Whether it describes no request.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all of its requests are among those of `other`.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.0.iter().all(|(resource, deeds)| {
            let known = other.0.get(resource);
            known.is_some_and(|known| deeds.is_subset(known))
        })
    }

    /// The requests as rules, as few as there are groups, versions, sets of operations and scopes.
    pub(super) fn rules(&self) -> Vec<RuleWithOperations> {
        let mut grouped: BTreeMap<(&str, &str, Vec<&str>, &str), Vec<String>> = BTreeMap::new();
        for (resource, deeds) in &self.0 {
            for scope in SCOPES {
                let in_order = Operation::ALL.into_iter().map(Operation::as_str);
                let is_here = |operation: &&str| scope_of(deeds, operation) == Some(scope);
                let operations: Vec<&str> = in_order.filter(is_here).collect();
                if operations.is_empty() {
                    continue;
                }
                let (group, version) = (resource.group.as_str(), resource.version.as_str());
                let key = (group, version, operations, scope.as_str());
                grouped.entry(key).or_default().push(resource.name.clone());
            }
        }
        let rules = grouped
            .into_iter()
            .map(
                |((group, version, operations, scope), names)| RuleWithOperations {
                    api_groups: Some(vec![group.to_owned()]),
                    api_versions: Some(vec![version.to_owned()]),
                    operations: Some(operations.into_iter().map(str::to_owned).collect()),
                    resources: Some(names),
                    scope: Some(scope.to_owned()),
                },
            );
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
            let operations = operations.filter(|op| said.iter().any(|said| said == op));
            let scope = rule.scope.as_deref().unwrap_or("*");
            let scope = SCOPES.into_iter().find(|own| own.as_str() == scope);
            let deeds = scope.map_or_else(BTreeSet::new, |scope| within(operations, scope));
            for group in each(&rule.api_groups) {
                for version in each(&rule.api_versions) {
                    for name in each(&rule.resources) {
                        cover.insert(&group, &version, &name, &deeds);
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

const SCOPES: [ResourceScope; 3] = [
    ResourceScope::All,
    ResourceScope::Cluster,
    ResourceScope::Namespaced,
];

/// What a rule describes of any resource.
fn deeds(rule: &ResourceRule) -> BTreeSet<Deed> {
    let operations = rule.operations.iter().map(|operation| operation.as_str());
    within(operations, rule.scope)
}

fn within(operations: impl Iterator<Item = &'static str>, scope: ResourceScope) -> BTreeSet<Deed> {
    operations
        .flat_map(|operation| [(operation, false), (operation, true)])
        .filter(|(_, is_namespaced)| scope.includes(*is_namespaced))
        .collect()
}

/// The scope in which an operation is among these, if it is.
fn scope_of(deeds: &BTreeSet<Deed>, operation: &str) -> Option<ResourceScope> {
    let has = |is_namespaced| {
        deeds
            .iter()
            .any(|(own, place)| *own == operation && *place == is_namespaced)
    };
    match (has(false), has(true)) {
        (true, true) => Some(ResourceScope::All),
        (true, false) => Some(ResourceScope::Cluster),
        (false, true) => Some(ResourceScope::Namespaced),
        (false, false) => None,
    }
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
            ..ResourceRule::default()
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
            ..ResourceRule::default()
        };
        let mut cover = Cover::default();
        cover.add(
            &rule("", &["services", "pods"], &[Operation::Create]),
            &catalogue(),
        );
        cover.add(&rule("", &["pods"], &[Operation::Delete]), &catalogue());
        cover.add(&rule("apps", &["*"], &[Operation::Create]), &catalogue());
        let rules = cover.rules();
        assert_eq!(rules.len(), 3, "{rules:?}");
        assert_eq!(Cover::of_rules(&rules), cover);

        let mut less = Cover::default();
        less.add(&rule("", &["pods"], &[Operation::Create]), &catalogue());
        assert!(less.is_within(&cover));
        less.add(&rule("", &["pods"], &[Operation::Connect]), &catalogue());
        assert!(!less.is_within(&cover));
    }

    /// `scope resources operations` of each rule.
    fn described(cover: &Cover) -> Vec<String> {
        let join = |list: &Option<Vec<String>>| list.as_ref().unwrap().join(",");
        let rules = cover.rules();
        assert_eq!(Cover::of_rules(&rules), *cover);
        let described = rules.iter().map(|rule| {
            let (names, operations) = (join(&rule.resources), join(&rule.operations));
            format!("{} {names} {operations}", rule.scope.as_ref().unwrap())
        });
        described.collect()
    }

    fn scoped(name: &str, operations: &[Operation], scope: ResourceScope) -> ResourceRule {
        ResourceRule {
            groups: vec![String::new()],
            versions: vec!["*".to_owned()],
            resources: vec![name.to_owned()],
            operations: operations.to_vec(),
            scope,
            ..ResourceRule::default()
        }
    }

    #[test]
    fn scopes_are_kept_and_add_up() {
        use Operation::{Create, Delete};
        let mut cover = Cover::default();
        let mut add = |name: &str, operations: &[Operation], scope| {
            cover.add(&scoped(name, operations, scope), &catalogue());
            described(&cover)
        };
        assert_eq!(
            add("pods", &[Create], ResourceScope::Namespaced),
            ["Namespaced pods CREATE"]
        );
        assert_eq!(
            add("pods", &[Create, Delete], ResourceScope::Cluster),
            ["* pods CREATE", "Cluster pods DELETE"]
        );
        assert_eq!(
            add("services", &[Create], ResourceScope::All),
            ["* pods,services CREATE", "Cluster pods DELETE"]
        );
        cover.within_namespaces();
        assert_eq!(described(&cover), ["Namespaced pods,services CREATE"]);
    }

    #[rstest]
    #[case::a_resource(scoped("pods", &Operation::ALL, ResourceScope::All), &["* services CREATE"])]
    #[case::a_wildcard(scoped("*", &Operation::ALL, ResourceScope::All), &[])]
    #[case::a_scope(scoped("pods", &Operation::ALL, ResourceScope::Namespaced),
        &["* services CREATE", "Cluster pods CREATE"])]
    #[case::another_operation(scoped("pods", &[Operation::Delete], ResourceScope::All),
        &["* pods,services CREATE"])]
    #[case::a_name(
        ResourceRule { names: vec!["a".to_owned()], ..scoped("*", &Operation::ALL, ResourceScope::All) },
        &["* pods,services CREATE"])]
    #[case::a_version(
        ResourceRule { versions: vec!["v1".to_owned()], ..scoped("*", &Operation::ALL, ResourceScope::All) },
        &["* pods,services CREATE"])]
    fn what_is_taken_out_is_not_described(#[case] rule: ResourceRule, #[case] expected: &[&str]) {
        let mut cover = Cover::default();
        let all = scoped("*", &[Operation::Create], ResourceScope::All);
        cover.add(&all, &catalogue());
        cover.remove(&rule);
        assert_eq!(described(&cover), expected);
    }
}
