//! `PolicyBinding` and `ClusterPolicyBinding` become bindings of the cache.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use portcullis_crds::{self as crds, PolicyKind};
use portcullis_policies::{
    Address, Admission, Binding, BindingDefinition, Diagnostic, Diagnostics, NotFound, ObjectKey,
    ParameterKind, ParameterSource, Scope, Selection, Which,
};
use serde_json::{Map, Value as Json};

use super::{policy, policy::kind, settings};

/// A binding that was read, and whose conditions are not compiled yet.
#[derive(Clone, Debug, PartialEq)]
pub struct BindingDraft {
    /// What could be read. A setting that could not has its default, and `faults` says so.
    pub definition: BindingDefinition,
    /// What could not be read. Such a binding cannot answer.
    pub faults: Vec<Diagnostic>,
}

impl BindingDraft {
    /// Compiles the conditions. CPU work; call it away from threads that answer requests.
    pub fn compile(self) -> Binding {
        Binding::compile(self.definition, self.faults)
    }

    /// What answers in the place of an object that breaks its schema: a binding that cannot answer, at
    /// its own match. `None` where the policy, the object's name or what was to be judged is not to be
    /// had.
    pub fn stand_in(document: &Json, faults: &Diagnostics) -> Option<Self> {
        let text = |pointer: &str| document.pointer(pointer).and_then(Json::as_str);
        let metadata = ObjectMeta {
            name: text("/metadata/name").map(str::to_owned),
            namespace: text("/metadata/namespace").map(str::to_owned),
            ..ObjectMeta::default()
        };
        let name = policy::name(&metadata).ok()?;
        let (key, reach) = match document.get("kind")?.as_str()? {
            kind::POLICY_BINDING => {
                let namespace = policy::namespace(&metadata).ok()?;
                let key = ObjectKey::new(kind::POLICY_BINDING, Some(namespace), name);
                (key, Scope::Namespace(namespace.to_owned()))
            }
            kind::CLUSTER_POLICY_BINDING => {
                let key = ObjectKey::new(kind::CLUSTER_POLICY_BINDING, None, name);
                (key, Scope::Cluster)
            }
            _ => return None,
        };
        let of_cluster = text("/spec/policy/kind") == Some(kind::CLUSTER_POLICY);
        let owner = if of_cluster {
            Scope::Cluster
        } else {
            reach.clone()
        };
        let part = |field: &str| text(&format!("/spec/policy/{field}"));
        let policy = Address::new(owner, part("group")?, part("name")?, part("version")?).ok()?;
        let definition = BindingDefinition {
            key,
            reach,
            policy,
            admission: settings::salvaged_admission(document.get("spec")?)?,
            parameters: Map::new(),
            source: None,
        };
        Some(Self {
            definition,
            faults: faults.iter().cloned().collect(),
        })
    }

    fn read(key: ObjectKey, reach: Scope, policy: Address, binding: &crds::Binding) -> Self {
        let mut faults = Vec::new();
        let admission: Admission = settings::admission(&binding.admission, &mut faults);
        let source = binding
            .parameters_from
            .as_ref()
            .and_then(|objects| source(objects, &reach, &mut faults));
        // The messages of a policy's settings name them below `admission`.
        for fault in &mut faults {
            fault.message = fault.message.replace("`admission.", "`");
        }
        Self {
            definition: BindingDefinition {
                key,
                reach,
                policy,
                admission,
                parameters: binding.parameters.clone(),
                source,
            },
            faults,
        }
    }
}

impl TryFrom<&crds::PolicyBinding> for BindingDraft {
    type Error = Diagnostics;

    fn try_from(object: &crds::PolicyBinding) -> Result<Self, Diagnostics> {
        let namespace = policy::namespace(&object.metadata)?;
        let name = policy::name(&object.metadata)?;
        let key = ObjectKey::new(kind::POLICY_BINDING, Some(namespace), name);
        let reach = Scope::Namespace(namespace.to_owned());
        let bound = &object.spec.policy;
        let owner = match bound.kind {
            PolicyKind::Policy => reach.clone(),
            PolicyKind::ClusterPolicy => Scope::Cluster,
        };
        let policy = address(owner, &bound.address)?;
        Ok(Self::read(key, reach, policy, &object.spec.binding))
    }
}

impl TryFrom<&crds::ClusterPolicyBinding> for BindingDraft {
    type Error = Diagnostics;

    fn try_from(object: &crds::ClusterPolicyBinding) -> Result<Self, Diagnostics> {
        let name = policy::name(&object.metadata)?;
        let key = ObjectKey::new(kind::CLUSTER_POLICY_BINDING, None, name);
        let policy = address(Scope::Cluster, &object.spec.policy)?;
        Ok(Self::read(
            key,
            Scope::Cluster,
            policy,
            &object.spec.binding,
        ))
    }
}

/// An error is a binding of nothing: no policy can answer in its place.
fn address(owner: Scope, bound: &crds::BoundClusterPolicy) -> Result<Address, Diagnostics> {
    Address::new(owner, &bound.group, &bound.name, &bound.version).map_err(|error| {
        let text = format!("`policy`: {error}");
        Diagnostic::new("address_invalid", text).into()
    })
}

fn source(
    objects: &crds::ParametersFrom,
    reach: &Scope,
    faults: &mut Vec<Diagnostic>,
) -> Option<ParameterSource> {
    let mut fault = |text: String, remedy: &str| {
        let fault = Diagnostic::new("parameters_from_invalid", format!("`parametersFrom`{text}"));
        faults.push(fault.with_remedy(remedy));
    };
    let which = match (&objects.name, &objects.selector) {
        (Some(name), None) => Which::Name(name.clone()),
        (None, Some(selector)) => match settings::label_selector(selector) {
            Ok(selector) => Which::Selector(selector),
            Err(unreadable) => {
                for own in unreadable.iter() {
                    let remedy = own.remedy.clone().unwrap_or_default();
                    fault(format!(": {}", own.message), &remedy);
                }
                return None;
            }
        },
        (Some(_), Some(_)) | (None, None) => {
            let text = " names objects by `name` or by `selector`";
            fault(text.to_owned(), "give one of the two");
            return None;
        }
    };
    let (group, version) = settings::group_and_version(&objects.api_version);
    let kind = ParameterKind {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: objects.kind.clone(),
    };
    let is_secret = kind.group.is_empty() && kind.kind == "Secret";
    if is_secret {
        let text = ": what a Secret holds would be shown by messages and decisions";
        fault(text.to_owned(), "use a ConfigMap, or a kind of your own");
        return None;
    }
    if kind.group == crds::GROUP {
        let text = ": what was fetched for policies is for them alone";
        fault(text.to_owned(), "use a ConfigMap, or a kind of your own");
        return None;
    }
    if objects.key.is_some() && kind != ParameterKind::config_map() {
        let text = ": `key`: only a ConfigMap has keys";
        fault(text.to_owned(), "remove `key`");
        return None;
    }
    let namespace = match (reach, &objects.namespace) {
        (Scope::Namespace(_), Some(_)) => {
            let text = ": a PolicyBinding takes parameters of its own namespace";
            fault(text.to_owned(), "remove `parametersFrom.namespace`");
            return None;
        }
        (Scope::Namespace(own), None) => Some(own.clone()),
        (Scope::Cluster, namespace) => namespace.clone(),
    };
    Some(ParameterSource {
        selection: Selection {
            kind,
            namespace,
            which,
        },
        key: objects.key.clone(),
        not_found: match objects.not_found {
            crds::NotFound::Deny => NotFound::Deny,
            crds::NotFound::Allow => NotFound::Allow,
        },
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn cluster(spec: Json) -> crds::ClusterPolicyBinding {
        let mut document = json!({
            "apiVersion": "portcullis.dev/v1alpha1", "kind": "ClusterPolicyBinding",
            "metadata": {"name": "prod"},
            "spec": {
                "policy": {"group": "platform", "name": "limits", "version": "1.0"},
                "match": {"resourceRules": [{
                    "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"],
                    "operations": ["CREATE"],
                }]},
            },
        });
        let Json::Object(fields) = spec else {
            panic!("{spec}")
        };
        document["spec"].as_object_mut().unwrap().extend(fields);
        serde_json::from_value(document).unwrap()
    }

    fn faults(spec: Json) -> Vec<String> {
        let draft = BindingDraft::try_from(&cluster(spec)).unwrap();
        let faults = draft.faults.into_iter();
        faults.map(|fault| fault.message).collect()
    }

    #[test]
    fn all_of_a_binding_is_read() {
        let draft = BindingDraft::try_from(&cluster(json!({
            "action": "Warn", "failurePolicy": "Ignore", "parameters": {"limit": 2},
            "parametersFrom": {"name": "limits", "namespace": "platform", "key": "limits.yaml"},
        })));
        let definition = draft.unwrap().definition;
        assert_eq!(definition.policy, "platform/limits@1.0".parse().unwrap());
        assert_eq!(definition.admission.action.as_str(), "Warn");
        assert_eq!(definition.admission.failure_policy.as_str(), "Ignore");
        assert_eq!(definition.admission.matches.rules.len(), 1);
        assert_eq!(definition.parameters["limit"], json!(2));
        let source = definition.source.unwrap();
        assert_eq!(source.selection.to_string(), "ConfigMap platform/limits");
        assert_eq!(source.key.as_deref(), Some("limits.yaml"));
        assert_eq!(source.not_found, NotFound::Deny);
    }

    #[rstest]
    #[case(json!({"parametersFrom": {}}), "`parametersFrom` names objects by `name` or by `selector`")]
    #[case(json!({"parametersFrom": {"name": "a", "selector": {}}}), "`parametersFrom` names objects by `name` or by `selector`")]
    #[case(json!({"parametersFrom": {"name": "a", "kind": "Secret"}}),
        "`parametersFrom`: what a Secret holds would be shown by messages and decisions")]
    #[case(json!({"parametersFrom": {"name": "a", "kind": "Limits", "apiVersion": "a.example/v1", "key": "b"}}),
        "`parametersFrom`: `key`: only a ConfigMap has keys")]
    #[case(json!({"parametersFrom": {"selector": {"matchExpressions": [{"key": "a", "operator": "Near"}]}}}),
        "`parametersFrom`: the selector's requirement `a Near` is invalid")]
    #[case(json!({"match": {"resourceRules": [], "objectSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}}),
        "`match.objectSelector`: the selector's requirement `a In` is invalid")]
    fn what_cannot_be_read_is_a_fault(#[case] spec: Json, #[case] expected: &str) {
        assert_eq!(faults(spec), [expected]);
    }

    #[test]
    fn a_namespace_takes_parameters_of_its_own() {
        let mut document = serde_json::to_value(cluster(json!({
            "parametersFrom": {"name": "limits"},
        })))
        .unwrap();
        document["kind"] = json!("PolicyBinding");
        document["metadata"]["namespace"] = json!("shop");
        let read = |document: &Json| {
            let object: crds::PolicyBinding = serde_json::from_value(document.clone()).unwrap();
            BindingDraft::try_from(&object).unwrap()
        };
        let draft = read(&document);
        assert_eq!(draft.definition.policy.namespace(), Some("shop"));
        let source = draft.definition.source.unwrap();
        assert_eq!(source.selection.to_string(), "ConfigMap shop/limits");
        document["spec"]["policy"]["kind"] = json!("ClusterPolicy");
        document["spec"]["parametersFrom"]["namespace"] = json!("bank");
        let draft = read(&document);
        assert_eq!(draft.definition.policy.namespace(), None);
        assert_eq!(draft.definition.source, None);
        assert!(draft.faults[0].message.contains("its own namespace"));
    }

    #[test]
    fn what_stands_in_cannot_answer_at_its_own_match() {
        let mut document = serde_json::to_value(cluster(json!({}))).unwrap();
        document["spec"]["parametersFrom"] = json!("many");
        let fault = Diagnostic::new("object_unreadable", "no");
        let draft = BindingDraft::stand_in(&document, &fault.clone().into()).unwrap();
        assert_eq!(draft.definition.admission.matches.rules.len(), 1);
        assert!(draft.compile().faults().is_some());
        document["spec"]["match"] = json!(7);
        assert_eq!(BindingDraft::stand_in(&document, &fault.into()), None);
    }
}
