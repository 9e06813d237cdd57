//! `Lock` and `ClusterLock` become locks of the cache, and back.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use portcullis_crds::{self as crds, LockSpec, PolicyReference};
use portcullis_policies::{
    Address, Diagnostic, Diagnostics, Effect, Lock, ObjectKey, Points, Reach, Target, Timestamp,
    Version,
};

use super::{policy, policy::kind, settings};

/// A lock that was read, with what could not be read of it.
#[derive(Clone, Debug, PartialEq)]
pub struct LockDraft {
    /// The object.
    pub key: ObjectKey,
    /// The lock that is in force. A lock that refuses and whose end cannot be read has none; a
    /// lock that bypasses is in force only where nothing is wrong with it.
    pub lock: Option<Lock>,
    /// What is wrong.
    pub faults: Option<Diagnostics>,
}

impl TryFrom<&crds::Lock> for LockDraft {
    type Error = Diagnostics;

    fn try_from(object: &crds::Lock) -> Result<Self, Diagnostics> {
        let namespace = policy::namespace(&object.metadata)?;
        let name = policy::name(&object.metadata)?;
        let key = ObjectKey::new(kind::LOCK, Some(namespace), name);
        Ok(Self::read(
            key,
            Ok(Reach::Namespace(namespace.to_owned())),
            &object.spec,
        ))
    }
}

impl TryFrom<&crds::ClusterLock> for LockDraft {
    type Error = Diagnostics;

    fn try_from(object: &crds::ClusterLock) -> Result<Self, Diagnostics> {
        let key = ObjectKey::new(kind::CLUSTER_LOCK, None, policy::name(&object.metadata)?);
        let selector = object
            .spec
            .namespace_selector
            .as_ref()
            .map(settings::label_selector);
        let reach = selector
            .transpose()
            .map(|namespaces| Reach::Cluster { namespaces });
        Ok(Self::read(key, reach, object.spec.as_ref()))
    }
}

impl LockDraft {
    fn read(key: ObjectKey, reach: Result<Reach, Diagnostics>, spec: &LockSpec) -> Self {
        let mut faults = Vec::new();
        let mut note = |found: Diagnostics| faults.extend(found.iter().cloned());
        let reach = reach.map_err(&mut note).ok();
        let target = target(spec).map_err(&mut note).ok();
        let effect = match spec.effect {
            crds::Effect::Refuse => Effect::Refuse,
            crds::Effect::Bypass => Effect::Bypass,
        };
        if spec.reason.trim().is_empty() {
            faults.push(
                Diagnostic::new("reason_missing", "the lock has no reason")
                    .with_remedy("set `reason`: those whom the lock stops will read it"),
            );
        }
        let points = points(&spec.points, &mut faults);
        let expires_at = settings::moment("expiresAt", spec.expires_at.as_deref(), &mut faults);
        let in_force = effect == Effect::Refuse || faults.is_empty();
        let lock = reach
            .zip(target)
            .filter(|_| in_force)
            .map(|(reach, target)| Lock {
                key: key.clone(),
                reach,
                target,
                points,
                effect,
                reason: spec.reason.clone(),
                expires_at,
            });
        Self {
            key,
            lock,
            faults: Diagnostics::collect(faults),
        }
    }
}

fn points(points: &[crds::Point], faults: &mut Vec<Diagnostic>) -> Points {
    if points.is_empty() {
        faults.push(
            Diagnostic::new(
                "points_missing",
                "the lock holds nowhere: `points` is empty",
            )
            .with_remedy("name `admission`, `evaluation`, or leave `points` out for both"),
        );
        return Points::ALL;
    }
    Points {
        admission: points.contains(&crds::Point::Admission),
        evaluation: points.contains(&crds::Point::Evaluation),
    }
}

fn target(spec: &LockSpec) -> Result<Target, Diagnostics> {
    match (&spec.policy, &spec.selector, spec.all) {
        (Some(reference), None, false) => named(reference),
        (None, Some(selector), false) => {
            let selector = settings::label_selector(selector)?;
            if selector.is_empty() {
                let fault = Diagnostic::new("selector_empty", "the lock's selector is empty");
                return Err(fault.with_remedy("name a label, or say `all: true`").into());
            }
            Ok(Target::Selector(selector))
        }
        (None, None, true) => Ok(Target::All),
        _ => Err(Diagnostic::new(
            "target_invalid",
            "the lock does not say in one way which policies it covers",
        )
        .with_remedy("set one of `policy`, `selector` and `all: true`")
        .into()),
    }
}

fn named(reference: &PolicyReference) -> Result<Target, Diagnostics> {
    let invalid = |message: String| Diagnostic::new("target_invalid", message);
    if reference.version.is_some() && reference.name.is_none() {
        return Err(invalid("`policy.version` needs `policy.name`".to_owned())
            .with_remedy("set `policy.name`, or leave `policy.version` out")
            .into());
    }
    let version = reference.version.as_deref().map(str::parse::<Version>);
    Ok(Target::Policy {
        group: reference.group.clone(),
        name: reference.name.clone(),
        version: version
            .transpose()
            .map_err(|error| invalid(error.to_string()))?,
    })
}

/// The name of the lock that the HTTP endpoints make for a policy: one address, one name, and no
/// two addresses share one, because no part of an address has a hyphen and only versions have dots.
/// A part of an object's name may not end with a hyphen; where one would, each part gets an `x`, and
/// the prefix says so. At most 6 + 64 + 1 + 64 + 1 + 32 characters, of the 253 that a name may have.
///
/// ```
/// use portcullis_operator::convert::lock_name;
/// let address = "platform/required_labels@1.0".parse().unwrap();
/// assert_eq!(lock_name(&address), "http-platform.required-labels.1.0");
/// ```
pub fn lock_name(address: &Address) -> String {
    object_name("http", address)
}

/// The name of an object that is made for a policy.
pub(crate) fn object_name(prefix: &str, address: &Address) -> String {
    let hyphen = address.group().ends_with('_') || address.name().ends_with('_');
    let (mark, end) = if hyphen { ("x", "x") } else { ("", "") };
    let part = |text: &str| text.replace('_', "-") + end;
    let (group, name) = (part(address.group()), part(address.name()));
    format!("{prefix}{mark}-{group}.{name}.{}", address.version())
}

/// The object that the HTTP endpoints make for a policy.
#[derive(Clone, Debug, PartialEq)]
pub enum LockObject {
    /// For a policy of a namespace.
    Lock(crds::Lock),
    /// For a policy of the cluster.
    ClusterLock(crds::ClusterLock),
}

/// The lock of one policy, made over HTTP: it holds for evaluations only.
pub fn lock_object(
    address: &Address,
    reason: Option<&str>,
    expires_at: Option<Timestamp>,
) -> LockObject {
    let reference = PolicyReference::group(address.group())
        .name(address.name())
        .version(address.version().as_str());
    let said = reason.filter(|reason| !reason.trim().is_empty());
    let reason = said.unwrap_or("locked over HTTP");
    let mut spec = LockSpec::policy(reference, reason).points([crds::Point::Evaluation]);
    spec.expires_at = expires_at.map(|moment| moment.to_string());
    let metadata = ObjectMeta {
        name: Some(lock_name(address)),
        namespace: address.namespace().map(str::to_owned),
        ..ObjectMeta::default()
    };
    let status = None;
    if address.namespace().is_some() {
        return LockObject::Lock(crds::Lock {
            metadata,
            spec,
            status,
        });
    }
    let spec = spec.into();
    LockObject::ClusterLock(crds::ClusterLock {
        metadata,
        spec,
        status,
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
    use portcullis_policies::{Requirement, Scope};
    use rstest::rstest;

    use super::*;

    fn draft(spec: LockSpec) -> LockDraft {
        LockDraft::try_from(&crds::ClusterLock::new("incident", spec.into())).unwrap()
    }

    fn codes(draft: &LockDraft) -> Vec<&str> {
        draft
            .faults
            .iter()
            .flat_map(Diagnostics::iter)
            .map(|fault| fault.code.as_str())
            .collect()
    }

    fn group() -> LockSpec {
        LockSpec::policy(PolicyReference::group("platform"), "why")
    }

    fn selector(operator: &str, values: Option<&[&str]>) -> LabelSelector {
        let values = values.map(|values| values.iter().map(|v| (*v).to_owned()).collect());
        let requirement = LabelSelectorRequirement {
            key: "team".into(),
            operator: operator.into(),
            values,
        };
        LabelSelector {
            match_expressions: Some(vec![requirement]),
            match_labels: None,
        }
    }

    #[test]
    fn every_field_arrives() {
        let reference = PolicyReference::group("platform")
            .name("labels")
            .version("1.0");
        let spec = LockSpec::policy(reference, "why")
            .effect(crds::Effect::Bypass)
            .points([crds::Point::Admission])
            .until("1970-01-01T00:00:05Z");
        let object = crds::Lock::in_namespace("team-a", "incident", spec);
        let key = ObjectKey::new("Lock", Some("team-a"), "incident");
        let expected = Lock {
            key: key.clone(),
            reach: Reach::Namespace("team-a".to_owned()),
            target: Target::Policy {
                group: "platform".to_owned(),
                name: Some("labels".to_owned()),
                version: Some("1.0".parse().unwrap()),
            },
            points: Points {
                admission: true,
                evaluation: false,
            },
            effect: Effect::Bypass,
            reason: "why".to_owned(),
            expires_at: Some(Timestamp::from_second(5).unwrap()),
        };
        let draft = LockDraft::try_from(&object).unwrap();
        assert_eq!(
            draft,
            LockDraft {
                key,
                lock: Some(expected),
                faults: None
            }
        );
    }

    #[test]
    fn a_cluster_lock_reaches_namespaces_by_their_labels() {
        let plain = draft(LockSpec::everything("why")).lock.unwrap();
        assert_eq!(plain.reach, Reach::Cluster { namespaces: None });
        assert_eq!((plain.target, plain.points), (Target::All, Points::ALL));
        let spec = crds::ClusterLockSpec::from(LockSpec::labelled([("a", "b")], "why"))
            .in_namespaces(selector("Exists", None));
        let lock = LockDraft::try_from(&crds::ClusterLock::new("x", spec))
            .unwrap()
            .lock
            .unwrap();
        let Reach::Cluster {
            namespaces: Some(namespaces),
        } = lock.reach
        else {
            panic!("{:?}", lock.reach)
        };
        assert_eq!(
            namespaces.match_expressions,
            [Requirement::Exists("team".to_owned())]
        );
        assert!(matches!(lock.target, Target::Selector(_)));
    }

    #[rstest]
    #[case::end(group().until("soon"), "time_invalid", true)]
    #[case::end_of_a_bypass(group().until("soon").effect(crds::Effect::Bypass), "time_invalid", false)]
    #[case::points(group().points([]), "points_missing", true)]
    #[case::reason(LockSpec::everything(" "), "reason_missing", true)]
    #[case::reason_of_a_bypass(LockSpec::everything("").effect(crds::Effect::Bypass), "reason_missing", false)]
    #[case::version(LockSpec::policy(PolicyReference::group("a").name("b").version("v1"), "why"), "target_invalid", false)]
    #[case::version_alone(LockSpec::policy(PolicyReference::group("a").version("1"), "why"), "target_invalid", false)]
    #[case::two_targets(LockSpec { all: true, ..group() }, "target_invalid", false)]
    #[case::no_target(LockSpec { all: false, ..LockSpec::everything("why") }, "target_invalid", false)]
    #[case::empty_selector(LockSpec::labelled([], "why"), "selector_empty", false)]
    #[case::selector(LockSpec { selector: Some(selector("In", None)), ..LockSpec::labelled([], "why") }, "selector_invalid", false)]
    #[case::operator(LockSpec { selector: Some(selector("Like", Some(&["a"]))), ..LockSpec::labelled([], "why") }, "selector_invalid", false)]
    fn what_is_wrong_is_told_and_what_refuses_goes_on(
        #[case] spec: LockSpec,
        #[case] code: &str,
        #[case] holds: bool,
    ) {
        let draft = draft(spec);
        assert_eq!(codes(&draft), [code]);
        assert_eq!(draft.lock.is_some(), holds);
        assert!(draft.lock.is_none_or(|lock| lock.expires_at.is_none()));
    }

    #[rstest]
    #[case(Scope::Cluster, "ClusterLock http-platform.required-labels.1.0")]
    #[case(Scope::Namespace("team-a".to_owned()), "Lock team-a/http-platform.required-labels.1.0")]
    fn a_lock_made_over_http_reads_back(#[case] scope: Scope, #[case] key: &str) {
        let address = Address::new(scope, "platform", "required_labels", "1.0").unwrap();
        let end = Timestamp::from_second(5).unwrap();
        let draft = match lock_object(&address, Some("why"), Some(end)) {
            LockObject::Lock(object) => LockDraft::try_from(&object),
            LockObject::ClusterLock(object) => LockDraft::try_from(&object),
        };
        let lock = draft.unwrap().lock.unwrap();
        assert_eq!(lock.key.to_string(), key);
        assert_eq!((lock.reason.as_str(), lock.expires_at), ("why", Some(end)));
        assert_eq!(
            lock.points,
            Points {
                admission: false,
                evaluation: true
            }
        );
        let source = "package platform.required_labels\nallow := true";
        let definition = portcullis_policies::Definition::new(address, source);
        assert!(lock.covers(&portcullis_policies::Policy::compile(definition), None));
    }

    #[test]
    fn no_two_addresses_share_a_name() {
        let addresses = [
            "a/b@1.0",
            "a/b@1.00",
            "a/b@10",
            "a_b/c@1",
            "a/b_c@1",
            "a/b_c@1.1",
            "a_/b@1",
            "a_x/b@1",
        ];
        let names = addresses.map(|text| lock_name(&text.parse().unwrap()));
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), addresses.len(), "{names:?}");
    }
}
