//! `Exemption` and `ClusterExemption` become exemptions of the cache.

use std::sync::Arc;

use portcullis_crds::{self as crds, ExemptionSpec, PolicyKind};
use portcullis_policies::{
    Diagnostic, Diagnostics, ExemptedObjects, ExemptedPolicies, Exemption, ExemptionDefinition,
    ExemptionReach, ObjectKey, Owner, Version,
};

use serde_json::Value as Json;

use super::{policy, policy::kind, settings};

/// Most policies of an exemption, as the schema has it.
const MOST_POLICIES: usize = 32;

/// An exemption that was read, with what could not be read of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ExemptionDraft {
    /// The object.
    pub key: ObjectKey,
    /// The exemption, where nothing is wrong with it: it permits, and so all of it has to be known.
    pub exemption: Option<Arc<Exemption>>,
    /// What is wrong.
    pub faults: Option<Diagnostics>,
}

impl TryFrom<&crds::Exemption> for ExemptionDraft {
    type Error = Diagnostics;

    fn try_from(object: &crds::Exemption) -> Result<Self, Diagnostics> {
        let namespace = policy::namespace(&object.metadata)?;
        let name = policy::name(&object.metadata)?;
        let key = ObjectKey::new(kind::EXEMPTION, Some(namespace), name);
        let reach = ExemptionReach::Namespace(namespace.to_owned());
        Ok(Self::read(key, reach, &object.spec, Vec::new()))
    }
}

impl TryFrom<&crds::ClusterExemption> for ExemptionDraft {
    type Error = Diagnostics;

    fn try_from(object: &crds::ClusterExemption) -> Result<Self, Diagnostics> {
        let name = policy::name(&object.metadata)?;
        let key = ObjectKey::new(kind::CLUSTER_EXEMPTION, None, name);
        let spec = &object.spec;
        let mut faults = Vec::new();
        let selector = spec
            .namespace_selector
            .as_ref()
            .map(|selector| settings::selector_at("namespaceSelector", selector, &mut faults));
        let of_namespaces =
            |policy: &crds::ExemptedPolicy| matches!(policy.kind, PolicyKind::Policy);
        if spec.exemption.policies.iter().any(of_namespaces)
            && spec.namespaces.is_empty()
            && selector.is_none()
        {
            let text = "`policies` names Policies, and not of which namespaces";
            faults.push(Diagnostic::new("target_invalid", text).with_remedy(
                "set `namespaces` or `namespaceSelector`, which may be `{}` for all, or write \
                 `kind: ClusterPolicy`",
            ));
        }
        let reach = ExemptionReach::Cluster {
            namespaces: spec.namespaces.clone(),
            selector,
        };
        Ok(Self::read(key, reach, &spec.exemption, faults))
    }
}

impl ExemptionDraft {
    /// What is told of an object that breaks its schema. `None` where it does not even have a name.
    pub fn unreadable(kind: &str, document: &Json, faults: Diagnostics) -> Option<Self> {
        let text = |pointer: &str| document.pointer(pointer).and_then(Json::as_str);
        let name = text("/metadata/name").filter(|name| !name.is_empty())?;
        let key = match kind {
            kind::EXEMPTION => {
                ObjectKey::new(kind::EXEMPTION, Some(text("/metadata/namespace")?), name)
            }
            _ => ObjectKey::new(kind::CLUSTER_EXEMPTION, None, name),
        };
        Some(Self {
            key,
            exemption: None,
            faults: Some(faults),
        })
    }

    fn read(
        key: ObjectKey,
        reach: ExemptionReach,
        spec: &ExemptionSpec,
        mut faults: Vec<Diagnostic>,
    ) -> Self {
        let policies = policies(spec, &mut faults);
        let objects = objects(spec, &mut faults);
        for (field, text, remedy) in [
            (
                "reason",
                &spec.reason,
                "say why, to those who look at it later",
            ),
            ("approver", &spec.approver, "say who approved it"),
        ] {
            if text.trim().is_empty() {
                let code = format!("{field}_missing");
                let message = format!("`{field}` is empty");
                faults.push(Diagnostic::new(&code, message).with_remedy(remedy));
            }
        }
        let expires_at = settings::moment("expiresAt", Some(&spec.expires_at), &mut faults);
        let compiled = expires_at.filter(|_| faults.is_empty()).map(|expires_at| {
            Exemption::compile(ExemptionDefinition {
                key: key.clone(),
                reach,
                policies,
                objects,
                reason: spec.reason.clone(),
                approver: spec.approver.clone(),
                expires_at,
            })
        });
        let exemption = match compiled {
            Some(Ok(exemption)) => Some(Arc::new(exemption)),
            Some(Err(unsound)) => {
                faults.extend(unsound.iter().cloned());
                None
            }
            None => None,
        };
        Self {
            key,
            exemption,
            faults: Diagnostics::collect(faults),
        }
    }
}

fn policies(spec: &ExemptionSpec, faults: &mut Vec<Diagnostic>) -> Vec<ExemptedPolicies> {
    let mut invalid = |text: String, remedy: &str| {
        faults.push(Diagnostic::new("target_invalid", text).with_remedy(remedy));
    };
    if spec.policies.is_empty() || spec.policies.len() > MOST_POLICIES {
        invalid(
            format!("`policies` names {} policies", spec.policies.len()),
            "name one at least and 32 at most",
        );
    }
    let mut policies = Vec::new();
    for policy in &spec.policies {
        let reference = &policy.reference;
        if reference.version.is_some() && reference.name.is_none() {
            invalid(
                "`policies` has a version without a name".to_owned(),
                "set `name`, or leave `version` out",
            );
        }
        let version = reference.version.as_deref().map(str::parse::<Version>);
        match version.transpose() {
            Ok(version) => policies.push(ExemptedPolicies {
                owner: match policy.kind {
                    PolicyKind::Policy => Owner::Namespace,
                    PolicyKind::ClusterPolicy => Owner::Cluster,
                },
                group: reference.group.clone(),
                name: reference.name.clone(),
                version,
            }),
            Err(error) => invalid(format!("`policies`: {error}"), "write it like 1.0"),
        }
    }
    policies
}

fn objects(spec: &ExemptionSpec, faults: &mut Vec<Diagnostic>) -> ExemptedObjects {
    let objects = match (&spec.objects, spec.all_objects) {
        (Some(objects), false) => objects,
        (None, true) => return ExemptedObjects::default(),
        _ => {
            let text = "the exemption does not say in one way which objects it is for";
            let fault = Diagnostic::new("objects_invalid", text);
            faults.push(fault.with_remedy("set one of `objects` and `allObjects: true`"));
            return ExemptedObjects::default();
        }
    };
    let labels = settings::selector_at("objects.objectSelector", &objects.object_selector, faults);
    let rules = objects.resource_rules.iter().map(settings::resource_rule);
    let conditions = objects.match_conditions.iter().map(settings::condition);
    let read = ExemptedObjects {
        rules: rules.collect(),
        labels,
        images: objects.images.clone(),
        users: objects.users.clone(),
        groups: objects.groups.clone(),
        conditions: conditions.collect(),
    };
    if read == ExemptedObjects::default() {
        let fault = Diagnostic::new(
            "objects_invalid",
            "`objects` is empty, and so is every object",
        );
        faults.push(fault.with_remedy(
            "set `resourceRules`, `images`, `users` or another restriction, or say \
             `allObjects: true`",
        ));
    }
    let is_odd = |pattern: &&String| {
        pattern.is_empty()
            || pattern
                .strip_suffix("/**")
                .unwrap_or(pattern)
                .contains("**")
    };
    faults.extend(read.images.iter().filter(is_odd).map(|pattern| {
        let text = format!("`objects.images`: `{pattern}` is no pattern of images");
        let fault = Diagnostic::new("image_invalid", text);
        fault.with_remedy("write it like registry.example.com/legacy/**, with `**` at the end only")
    }));
    read
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
        LabelSelector as ApiSelector, LabelSelectorRequirement,
    };
    use portcullis_crds::{
        ClusterExemption, ClusterExemptionSpec, ExemptedObjects as Objects, ExemptedPolicy,
        MatchCondition, PolicyReference, ResourceRule,
    };
    use rstest::rstest;

    use super::*;

    const END: &str = "2026-12-01T00:00:00Z";

    fn of_cluster() -> [ExemptedPolicy; 1] {
        [ExemptedPolicy::of_cluster(
            PolicyReference::group("a").name("b").version("1.0"),
        )]
    }

    fn of_namespace() -> [ExemptedPolicy; 1] {
        [ExemptedPolicy::of_namespace(PolicyReference::group("a"))]
    }

    fn images(patterns: &[&str]) -> Objects {
        Objects {
            images: patterns.iter().map(|&pattern| pattern.to_owned()).collect(),
            ..Objects::default()
        }
    }

    fn codes(faults: Option<&Diagnostics>) -> Vec<String> {
        let faults = faults.into_iter().flat_map(Diagnostics::iter);
        faults.map(|fault| fault.code.clone()).collect()
    }

    #[test]
    fn an_exemption_is_of_its_namespace() {
        let spec = ExemptionSpec::of(of_cluster(), images(&["a/**"]), END).because("why", "who");
        let object = crds::Exemption::in_namespace("shop", "legacy", spec);
        let draft = ExemptionDraft::try_from(&object).unwrap();
        assert_eq!(draft.faults, None);
        let exemption = draft.exemption.unwrap();
        let definition = exemption.definition();
        assert_eq!(definition.key.to_string(), "Exemption shop/legacy");
        assert_eq!(
            definition.reach,
            ExemptionReach::Namespace("shop".to_owned())
        );
        assert_eq!(definition.expires_at.to_string(), END);
        assert_eq!(definition.policies[0].owner, Owner::Cluster);
        assert_eq!(definition.policies[0].name.as_deref(), Some("b"));
        assert_eq!(definition.objects.images, ["a/**"]);
        assert_eq!((&*definition.reason, &*definition.approver), ("why", "who"));
    }

    /// All of it is read, and what is wrong with it makes it none.
    #[rstest]
    #[case::sound(ExemptionSpec::of(of_cluster(), images(&["a"]), END), &[])]
    #[case::everything(ExemptionSpec::of_everything(of_cluster(), END), &[])]
    #[case::no_policy(ExemptionSpec::of([], images(&["a"]), END), &["target_invalid"])]
    #[case::too_many(ExemptionSpec::of(std::array::from_fn::<_, 33, _>(|_| of_cluster()[0].clone()), images(&["a"]), END), &["target_invalid"])]
    #[case::version_without_name(ExemptionSpec::of([ExemptedPolicy::of_cluster(PolicyReference::group("a").version("1"))], images(&["a"]), END), &["target_invalid"])]
    #[case::version(ExemptionSpec::of([ExemptedPolicy::of_cluster(PolicyReference::group("a").name("b").version("v1"))], images(&["a"]), END), &["target_invalid"])]
    #[case::nothing_said(ExemptionSpec::of(of_cluster(), Objects::default(), END), &["objects_invalid"])]
    #[case::both_said(ExemptionSpec { all_objects: true, ..ExemptionSpec::of(of_cluster(), images(&["a"]), END) }, &["objects_invalid"])]
    #[case::neither(ExemptionSpec { objects: None, ..ExemptionSpec::of(of_cluster(), images(&["a"]), END) }, &["objects_invalid"])]
    #[case::end(ExemptionSpec::of(of_cluster(), images(&["a"]), "tomorrow"), &["time_invalid"])]
    #[case::reason(ExemptionSpec::of(of_cluster(), images(&["a"]), END).because(" ", "who"), &["reason_missing"])]
    #[case::approver(ExemptionSpec::of(of_cluster(), images(&["a"]), END).because("why", ""), &["approver_missing"])]
    #[case::pattern(ExemptionSpec::of(of_cluster(), images(&["a/**/b", ""]), END), &["image_invalid", "image_invalid"])]
    #[case::condition(ExemptionSpec::of(of_cluster(), Objects { match_conditions: vec![MatchCondition { name: "a".to_owned(), expression: "1 +".to_owned() }], ..Objects::default() }, END), &["condition_invalid"])]
    #[case::selector(ExemptionSpec::of(of_cluster(), Objects { object_selector: unreadable(), ..Objects::default() }, END), &["selector_invalid", "objects_invalid"])]
    fn faults(#[case] spec: ExemptionSpec, #[case] expected: &[&str]) {
        let object = crds::Exemption::in_namespace("shop", "legacy", spec);
        let draft = ExemptionDraft::try_from(&object).unwrap();
        assert_eq!(codes(draft.faults.as_ref()), expected);
        assert_eq!(draft.exemption.is_none(), !expected.is_empty());
    }

    fn unreadable() -> ApiSelector {
        let requirement = LabelSelectorRequirement {
            key: "a".to_owned(),
            operator: "Like".to_owned(),
            values: None,
        };
        ApiSelector {
            match_expressions: Some(vec![requirement]),
            match_labels: None,
        }
    }

    #[rstest]
    #[case::cluster(ClusterExemptionSpec::from(ExemptionSpec::of_everything(of_cluster(), END)), &[])]
    #[case::policies(ClusterExemptionSpec::from(ExemptionSpec::of_everything(of_namespace(), END)), &["target_invalid"])]
    #[case::named(ClusterExemptionSpec { namespaces: vec!["shop".to_owned()], ..ExemptionSpec::of_everything(of_namespace(), END).into() }, &[])]
    #[case::all(ClusterExemptionSpec { namespace_selector: Some(ApiSelector::default()), ..ExemptionSpec::of_everything(of_namespace(), END).into() }, &[])]
    #[case::selector(ClusterExemptionSpec { namespace_selector: Some(unreadable()), ..ExemptionSpec::of_everything(of_cluster(), END).into() }, &["selector_invalid"])]
    fn a_cluster_exemption_says_of_which_namespaces(
        #[case] spec: ClusterExemptionSpec,
        #[case] expected: &[&str],
    ) {
        let draft = ExemptionDraft::try_from(&ClusterExemption::new("legacy", spec)).unwrap();
        assert_eq!(codes(draft.faults.as_ref()), expected);
        assert_eq!(draft.exemption.is_none(), !expected.is_empty());
    }

    #[test]
    fn rules_and_conditions_are_those_of_a_match() {
        let objects = Objects {
            resource_rules: vec![ResourceRule::of("apps", "v1", ["deployments"])],
            match_conditions: vec![MatchCondition {
                name: "a".to_owned(),
                expression: "true".to_owned(),
            }],
            ..Objects::default()
        };
        let spec = ExemptionSpec::of(of_cluster(), objects, END);
        let object = crds::Exemption::in_namespace("shop", "legacy", spec);
        let draft = ExemptionDraft::try_from(&object).unwrap();
        let exemption = draft.exemption.unwrap();
        let read = &exemption.definition().objects;
        assert_eq!(read.rules[0].resources, ["deployments"]);
        assert_eq!(read.conditions[0].expression, "true");
    }
}
