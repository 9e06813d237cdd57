//! Matches that select nothing, as far as they show it by themselves.

use std::collections::BTreeSet;

use super::{Match, ResourceRule, ResourceScope, rule::is_resource};
use crate::{Diagnostic, LabelSelector, Operation, Requirement, Scope};

/// The code of all of them.
const CODE: &str = "match_selects_nothing";

/// Why a match of a policy of `scope` selects nothing. A match without rules is one that could not
/// be read, and has a fault of its own.
pub(crate) fn faults(matches: &Match, scope: &Scope) -> Vec<Diagnostic> {
    let selectors = [
        ("namespaceSelector", &matches.namespaces),
        ("objectSelector", &matches.objects),
    ];
    let mut faults: Vec<Diagnostic> = selectors
        .into_iter()
        .filter_map(|(field, selector)| {
            let key = contradiction(selector)?;
            let text = format!(
                "`admission.match.{field}` selects nothing: what it says of the label `{key}` \
                 contradicts itself"
            );
            Some(Diagnostic::new(CODE, text).with_remedy("remove one of the requirements"))
        })
        .collect();
    for (at, rule) in matches.rules.iter().enumerate() {
        let field = format!("`admission.match.resourceRules[{at}]`");
        if *scope != Scope::Cluster && rule.scope == ResourceScope::Cluster {
            let text = format!("{field} selects nothing: a Policy judges its own namespace");
            let remedy = "remove `scope`, or use a ClusterPolicy";
            faults.push(Diagnostic::new(CODE, text).with_remedy(remedy));
        } else if is_excluded(rule, &matches.excluded) {
            let text =
                format!("{field} selects nothing: `excludeResourceRules` take all of it out again");
            let remedy = "remove the rule, or exclude less";
            faults.push(Diagnostic::new(CODE, text).with_remedy(remedy));
        }
    }
    faults.extend(without_pods(matches));
    faults
}

/// What a match with workloads lacks, if no rule takes the Pods that they make.
fn without_pods(matches: &Match) -> Option<Diagnostic> {
    let is_for_pods = matches.operation_on_pods(Operation::Update).is_some();
    if is_for_pods || matches.workloads.is_empty() || matches.rules.is_empty() {
        return None;
    }
    let text = "`admission.match.workloads` has templates judged as Pods, and no rule matches the \
                creation or the update of `pods`";
    let remedy = "add a rule for `pods` with `CREATE`, or remove `workloads`";
    Some(Diagnostic::new("workloads_without_pods", text).with_remedy(remedy))
}

/// The label of which a selector asks what cannot be.
fn contradiction(selector: &LabelSelector) -> Option<&str> {
    let keys = selector.match_labels.keys().map(String::as_str);
    let expressions = &selector.match_expressions;
    let keys: BTreeSet<&str> = keys
        .chain(expressions.iter().map(Requirement::key))
        .collect();
    let is_impossible = |key: &&str| {
        let own = || expressions.iter().filter(|one| one.key() == *key);
        // Values that the label may have; `None` is any.
        let mut allowed: Option<BTreeSet<&str>> = selector
            .match_labels
            .get(*key)
            .map(|value| [value.as_str()].into());
        for requirement in own() {
            if let Requirement::In(_, values) = requirement {
                let values: BTreeSet<&str> = values.iter().map(String::as_str).collect();
                allowed = Some(match allowed {
                    None => values,
                    Some(before) => before.intersection(&values).copied().collect(),
                });
            }
        }
        let refused = |value: &&str| {
            own().any(|one| matches!(one, Requirement::NotIn(_, values) if values.iter().any(|own| own == value)))
        };
        let exists = || own().any(|one| matches!(one, Requirement::Exists(_)));
        let is_missing = own().any(|one| matches!(one, Requirement::DoesNotExist(_)));
        match allowed {
            Some(values) => is_missing || values.iter().all(refused),
            None => is_missing && exists(),
        }
    };
    keys.into_iter().find(is_impossible)
}

/// Whether all that a rule covers is taken out by rules for every name.
fn is_excluded(rule: &ResourceRule, excluded: &[ResourceRule]) -> bool {
    let takes = |out: &ResourceRule, group: &String, resource: &String, operation: &Operation| {
        let has = |list: &[String], item: &String| list.iter().any(|own| own == "*" || own == item);
        out.is_for_every_name()
            && (out.scope == ResourceScope::All || out.scope == rule.scope)
            && out.operations.contains(operation)
            && has(&out.groups, group)
            && rule
                .versions
                .iter()
                .all(|version| has(&out.versions, version))
            && out
                .resources
                .iter()
                .any(|pattern| is_resource(pattern, resource))
    };
    !excluded.is_empty()
        && rule.groups.iter().all(|group| {
            rule.resources.iter().all(|resource| {
                let taken = |operation: &Operation| {
                    excluded
                        .iter()
                        .any(|out| takes(out, group, resource, operation))
                };
                rule.operations.iter().all(taken)
            })
        })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::Labels;

    fn selector(label: Option<&str>, requirements: &[Requirement]) -> LabelSelector {
        LabelSelector {
            match_labels: label
                .map(|value| ("a".to_owned(), value.to_owned()))
                .into_iter()
                .collect(),
            match_expressions: requirements.to_vec(),
        }
    }

    fn requirement(operator: &str, values: &[&str]) -> Requirement {
        let (key, values) = (
            "a".to_owned(),
            values.iter().map(|value| (*value).to_owned()).collect(),
        );
        match operator {
            "In" => Requirement::In(key, values),
            "NotIn" => Requirement::NotIn(key, values),
            "Exists" => Requirement::Exists(key),
            _ => Requirement::DoesNotExist(key),
        }
    }

    #[rstest]
    #[case(None, &[], false)]
    #[case(Some("1"), &[("In", &["1", "2"][..])], false)]
    #[case(Some("1"), &[("In", &["2"][..])], true)]
    #[case(Some("1"), &[("NotIn", &["1"][..])], true)]
    #[case(Some("1"), &[("NotIn", &["2"][..])], false)]
    #[case(Some("1"), &[("DoesNotExist", &[][..])], true)]
    #[case(Some("1"), &[("Exists", &[][..])], false)]
    #[case(None, &[("In", &["1", "2"][..]), ("In", &["2", "3"][..])], false)]
    #[case(None, &[("In", &["1"][..]), ("In", &["2"][..])], true)]
    #[case(None, &[("In", &["1", "2"][..]), ("NotIn", &["1"][..])], false)]
    #[case(None, &[("In", &["1", "2"][..]), ("NotIn", &["2"][..]), ("NotIn", &["1"][..])], true)]
    #[case(None, &[("Exists", &[][..]), ("DoesNotExist", &[][..])], true)]
    #[case(None, &[("NotIn", &["1"][..]), ("DoesNotExist", &[][..])], false)]
    fn a_contradiction_is_seen(
        #[case] label: Option<&str>,
        #[case] requirements: &[(&str, &[&str])],
        #[case] expected: bool,
    ) {
        let requirements: Vec<Requirement> = requirements
            .iter()
            .map(|(operator, values)| requirement(operator, values))
            .collect();
        let selector = selector(label, &requirements);
        assert_eq!(contradiction(&selector).is_some(), expected);
        // It is one only if no labels are selected of all that it speaks of.
        let worlds: [Option<&str>; 5] = [None, Some("1"), Some("2"), Some("3"), Some("4")];
        let selects = worlds.into_iter().any(|value| {
            let labels: Labels = value
                .map(|value| ("a".to_owned(), value.to_owned()))
                .into_iter()
                .collect();
            selector.matches(&labels)
        });
        assert_eq!(selects, !expected);
    }

    fn rule(resource: &str, operations: &[Operation], scope: ResourceScope) -> ResourceRule {
        ResourceRule {
            groups: vec![String::new()],
            versions: vec!["v1".to_owned()],
            resources: vec![resource.to_owned()],
            operations: operations.to_vec(),
            scope,
            ..ResourceRule::default()
        }
    }

    use Operation::{Create, Update};
    use ResourceScope::{All, Cluster, Namespaced};

    #[rstest]
    #[case::nothing_excluded(rule("pods", &[Create], All), vec![], false)]
    #[case::the_same(rule("pods", &[Create], All), vec![rule("pods", &[Create], All)], true)]
    #[case::a_wildcard(rule("pods", &[Create], All), vec![rule("*", &Operation::ALL, All)], true)]
    #[case::without_subresources(rule("pods/*", &[Create], All), vec![rule("*", &Operation::ALL, All)], false)]
    #[case::one_operation(rule("pods", &[Create, Update], All), vec![rule("pods", &[Create], All)], false)]
    #[case::two_rules(rule("pods", &[Create, Update], All),
        vec![rule("pods", &[Create], All), rule("pods", &[Update], All)], true)]
    #[case::one_scope(rule("*", &[Create], All), vec![rule("*", &[Create], Namespaced)], false)]
    #[case::its_scope(rule("*", &[Create], Namespaced), vec![rule("*", &[Create], Namespaced)], true)]
    #[case::one_name(rule("pods", &[Create], All),
        vec![ResourceRule { names: vec!["a".to_owned()], ..rule("pods", &[Create], All) }], false)]
    #[case::another_version(rule("pods", &[Create], All),
        vec![ResourceRule { versions: vec!["v2".to_owned()], ..rule("pods", &[Create], All) }], false)]
    fn a_rule_that_is_excluded_is_seen(
        #[case] judged: ResourceRule,
        #[case] excluded: Vec<ResourceRule>,
        #[case] expected: bool,
    ) {
        let matches = Match {
            excluded,
            ..Match::of([judged])
        };
        assert_eq!(!faults(&matches, &Scope::Cluster).is_empty(), expected);
    }

    #[test]
    fn a_policy_of_a_namespace_judges_nothing_of_the_cluster() {
        let matches = Match::of([rule("pods", &[Create], Cluster)]);
        assert_eq!(faults(&matches, &Scope::Cluster), []);
        assert_eq!(
            faults(&matches, &Scope::Namespace("shop".to_owned())).len(),
            1
        );
    }
}
