//! A definition becomes the spec that it was read from, for who hands a policy on.
//!
//! What is read of the result is the same definition. Fields are named one by one, so that a new
//! setting cannot be forgotten: a policy without it would decide otherwise elsewhere.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    LabelSelector as ApiSelector, LabelSelectorRequirement,
};
use portcullis_crds::{self as crds, PolicySpec};
use portcullis_policies::{
    Action, ActionAt, Admission, Condition, DataSource, DecisionSettings, DefaultDecision,
    Definition, FailurePolicy, Hosts, Import, LabelSelector, Limits, Match, Operation, Owner,
    RegoVersion, Requirement, ResourceRule, ResourceScope, Severity, Which, Window, Workload,
};
use serde_json::Value as Json;

use super::http;

/// The spec of a definition.
pub(crate) fn spec(definition: &Definition) -> PolicySpec {
    let Definition {
        address,
        // They are the object's, and say what its cluster does with it.
        labels: _,
        modules,
        rego_version,
        data,
        data_from,
        parameters,
        parameters_schema,
        output,
        entrypoint,
        decision: settings,
        admission: asked,
        hosts: reached,
        limits: used,
        window: Window {
            not_before,
            not_after,
        },
        guardrail,
        supersedes,
        shadow,
        exemptible_by,
        imports,
        importable,
        pin,
    } = definition;
    PolicySpec {
        group: address.group().to_owned(),
        name: address.name().to_owned(),
        version: address.version().to_string(),
        rego_version: match rego_version {
            RegoVersion::Auto => crds::RegoVersion::Auto,
            RegoVersion::V1 => crds::RegoVersion::V1,
            RegoVersion::V0 => crds::RegoVersion::V0,
        },
        modules: modules.clone(),
        data: data.clone(),
        data_from: data_from
            .iter()
            .map(|source| data_source(source, address.namespace()))
            .collect(),
        parameters: parameters.clone(),
        parameters_schema: match parameters_schema {
            Some(Json::Object(schema)) => Some(schema.clone()),
            _ => None,
        },
        output_schema: match output.as_ref().map(|output| &output.schema) {
            Some(Json::Object(schema)) => Some(schema.clone()),
            _ => None,
        },
        lock_on_failure: output.as_ref().is_some_and(|output| output.locks),
        entrypoint: entrypoint.clone(),
        decision: decision(*settings),
        admission: asked.as_ref().map(admission),
        network: network(reached),
        limits: limits(*used),
        not_before: not_before.map(|moment| moment.to_string()),
        not_after: not_after.map(|moment| moment.to_string()),
        guardrail: *guardrail,
        supersedes: supersedes.as_ref().map(ToString::to_string),
        shadow: *shadow,
        exemptible_by: match exemptible_by {
            Owner::Cluster => crds::ExemptibleBy::Cluster,
            Owner::Namespace => crds::ExemptibleBy::Namespace,
        },
        imports: imports.iter().map(import).collect(),
        importable: *importable,
        sha256: pin.map(|digest| digest.to_string()),
    }
}

/// A policy of a namespace takes data of its own, whichever that is.
fn data_source(source: &DataSource, own: Option<&str>) -> crds::DataFrom {
    let DataSource {
        selection,
        key,
        path,
        http,
    } = source;
    let path = path.join(".");
    if let Some(http) = http {
        return crds::DataFrom {
            path,
            http: Some(http::written(http)),
            ..crds::DataFrom::default()
        };
    }
    let namespace = selection.namespace.as_deref();
    let reference = crds::KeyReference {
        namespace: namespace.filter(|_| own.is_none()).map(str::to_owned),
        name: match &selection.which {
            Which::Name(name) => name.clone(),
            Which::Selector(_) => String::new(),
        },
        key: key.clone(),
    };
    let (config_map, secret) = if source.is_secret() {
        (None, Some(reference))
    } else {
        (Some(reference), None)
    };
    crds::DataFrom {
        path,
        config_map,
        secret,
        http: None,
    }
}

fn decision(settings: DecisionSettings) -> crds::Decision {
    crds::Decision {
        default: match settings.default {
            DefaultDecision::Deny => crds::Verdict::Deny,
            DefaultDecision::Allow => crds::Verdict::Allow,
        },
        fail_on: match settings.fail_on {
            Severity::Info => crds::Severity::Info,
            Severity::Low => crds::Severity::Low,
            Severity::Medium => crds::Severity::Medium,
            Severity::High => crds::Severity::High,
            Severity::Critical => crds::Severity::Critical,
        },
    }
}

fn admission(admission: &Admission) -> crds::Admission {
    let Admission {
        matches,
        action: does,
        failure_policy,
        action_at: ActionAt { check, audit },
        require_allow,
    } = admission;
    let Match {
        rules,
        excluded,
        namespaces,
        objects,
        conditions,
        workloads: templates,
    } = matches;
    crds::Admission {
        matches: crds::Match {
            resource_rules: rules.iter().map(resource_rule).collect(),
            exclude_resource_rules: excluded.iter().map(resource_rule).collect(),
            namespace_selector: selector(namespaces),
            object_selector: selector(objects),
            match_conditions: conditions.iter().map(condition).collect(),
            workloads: workloads(templates),
        },
        action: action(*does),
        failure_policy: match failure_policy {
            FailurePolicy::Fail => crds::FailurePolicy::Fail,
            FailurePolicy::Ignore => crds::FailurePolicy::Ignore,
        },
        action_at: crds::ActionAt {
            check: check.map(action),
            audit: audit.map(action),
        },
        require_allow: *require_allow,
    }
}

fn action(action: Action) -> crds::Action {
    match action {
        Action::Deny => crds::Action::Deny,
        Action::Warn => crds::Action::Warn,
        Action::Audit => crds::Action::Audit,
    }
}

fn resource_rule(rule: &ResourceRule) -> crds::ResourceRule {
    let ResourceRule {
        groups,
        versions,
        resources,
        operations,
        scope,
        names,
        name_patterns,
    } = rule;
    let operation = |operation: &Operation| match operation {
        Operation::Create => crds::Operation::Create,
        Operation::Update => crds::Operation::Update,
        Operation::Delete => crds::Operation::Delete,
        Operation::Connect => crds::Operation::Connect,
    };
    crds::ResourceRule {
        api_groups: groups.clone(),
        api_versions: versions.clone(),
        resources: resources.clone(),
        operations: operations.iter().map(operation).collect(),
        scope: match scope {
            ResourceScope::All => crds::ResourceScope::All,
            ResourceScope::Cluster => crds::ResourceScope::Cluster,
            ResourceScope::Namespaced => crds::ResourceScope::Namespaced,
        },
        resource_names: names.clone(),
        resource_name_patterns: name_patterns.clone(),
    }
}

fn condition(condition: &Condition) -> crds::MatchCondition {
    crds::MatchCondition {
        name: condition.name.clone(),
        expression: condition.expression.clone(),
    }
}

fn selector(selector: &LabelSelector) -> ApiSelector {
    let LabelSelector {
        match_labels,
        match_expressions,
    } = selector;
    let requirement = |requirement: &Requirement| {
        let (key, operator, values) = match requirement {
            Requirement::In(key, values) => (key, "In", Some(values.clone())),
            Requirement::NotIn(key, values) => (key, "NotIn", Some(values.clone())),
            Requirement::Exists(key) => (key, "Exists", None),
            Requirement::DoesNotExist(key) => (key, "DoesNotExist", None),
        };
        LabelSelectorRequirement {
            key: key.clone(),
            operator: operator.to_owned(),
            values,
        }
    };
    let expressions = match_expressions.iter().map(requirement);
    ApiSelector {
        match_labels: (!match_labels.is_empty()).then(|| match_labels.clone()),
        match_expressions: (!match_expressions.is_empty()).then(|| expressions.collect()),
    }
}

/// Kinds of Kubernetes by their names, as the others cannot be written.
fn workloads(workloads: &[Workload]) -> Option<crds::Workloads> {
    if workloads.is_empty() {
        return None;
    }
    let mut spec = crds::Workloads::default();
    for workload in workloads {
        let is_own = |own: &Workload| own == workload;
        if Workload::of_kubernetes().any(|own| is_own(&own))
            && let Some(kind) = workload_kind(&workload.kind)
        {
            spec.kinds.push(kind);
            continue;
        }
        let Workload {
            group,
            version,
            kind,
            resource,
            path,
            optional,
        } = workload;
        spec.custom.push(crds::CustomWorkload {
            api_version: if group.is_empty() {
                version.clone()
            } else {
                format!("{group}/{version}")
            },
            kind: kind.clone(),
            resource: resource.clone(),
            path: path.to_string(),
            optional: *optional,
        });
    }
    Some(spec)
}

fn workload_kind(kind: &str) -> Option<crds::WorkloadKind> {
    use crds::WorkloadKind as Kind;
    let kinds = [
        Kind::CronJob,
        Kind::DaemonSet,
        Kind::Deployment,
        Kind::Job,
        Kind::ReplicaSet,
        Kind::ReplicationController,
        Kind::StatefulSet,
    ];
    kinds.into_iter().find(|own| own.as_str() == kind)
}

fn network(hosts: &Hosts) -> Option<crds::Network> {
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    (!hosts.is_empty()).then_some(crds::Network { hosts })
}

/// In the smallest units that a spec has: whatever was read is a whole number of them.
fn limits(limits: Limits) -> crds::Limits {
    crds::Limits {
        timeout: format!("{}ms", limits.timeout.as_millis()),
        memory: format!("{}Mi", limits.memory >> 20),
    }
}

fn import(import: &Import) -> crds::Import {
    let Import { address, pin } = import;
    crds::Import {
        group: address.group().to_owned(),
        name: address.name().to_owned(),
        version: address.version().to_string(),
        scope: match address.namespace() {
            Some(_) => crds::ImportScope::Namespace,
            None => crds::ImportScope::Cluster,
        },
        sha256: pin.map(|digest| digest.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
    use portcullis_policies::{ObjectKey, Scope};
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::convert::Draft;

    fn read(scope: &Scope, spec: &PolicySpec) -> Draft {
        let key = ObjectKey::new("ClusterPolicy", None, "p");
        Draft::read(key, scope, &ObjectMeta::default(), spec).unwrap()
    }

    /// Every field is set to something that is not its default.
    fn every_setting() -> Json {
        let import = json!({"group": "a", "name": "other", "version": "1", "scope": "Cluster",
            "sha256": format!("sha256:{}", "0".repeat(64))});
        let rule = json!({"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["pods"],
            "operations": ["*"], "scope": "Namespaced", "resourceNames": ["a"],
            "resourceNamePatterns": ["b*"]});
        let expressions = json!([
            {"key": "a", "operator": "In", "values": ["x", "y"]},
            {"key": "b", "operator": "NotIn", "values": ["x"]},
            {"key": "c", "operator": "Exists"},
            {"key": "d", "operator": "DoesNotExist"},
        ]);
        json!({
            "group": "a", "name": "b", "version": "1.2", "regoVersion": "v0",
            "modules": {"policy.rego": "package a.b", "more.rego": "package a.b"},
            "data": {"n": 1.5, "deep": {"x": [null, true]}},
            "parameters": {"p": "q"}, "parametersSchema": {"type": "object"},
            "outputSchema": {"type": "object"}, "lockOnFailure": true,
            "entrypoint": "data.a.b.main",
            "decision": {"default": "Allow", "failOn": "high"},
            "admission": {
                "match": {"resourceRules": [rule], "excludeResourceRules": [rule],
                    "namespaceSelector": {"matchLabels": {"a": "b"}, "matchExpressions": expressions},
                    "objectSelector": {"matchExpressions": expressions},
                    "matchConditions": [{"name": "c", "expression": "true"}],
                    "workloads": {"kinds": ["Deployment", "CronJob"], "custom": [
                        {"apiVersion": "x.io/v1", "kind": "Roll", "resource": "rolls",
                         "path": "spec.tasks[*].template", "optional": true}]}},
                "action": "Warn", "failurePolicy": "Ignore",
                "actionAt": {"check": "Deny", "audit": "Audit"}, "requireAllow": true},
            "network": {"hosts": ["api.example.com:8443", "*.example.org"]},
            "limits": {"timeout": "2s", "memory": "32Mi"},
            "notBefore": "2026-01-01T00:00:00Z", "notAfter": "2027-01-01T00:00:00.5Z",
            "guardrail": true, "supersedes": "1.1", "shadow": true, "exemptibleBy": "Namespace",
            "imports": [import], "importable": true,
            "sha256": format!("sha256:{}", "1".repeat(64)),
        })
    }

    #[rstest]
    #[case(every_setting())]
    #[case(json!({"group": "a", "name": "b", "version": "1", "modules": {"p.rego": ""}}))]
    #[case(json!({"group": "a", "name": "b", "version": "1", "modules": {"p.rego": ""},
        "admission": {"match": {"resourceRules": [], "workloads": {"kinds": ["*"]}}}}))]
    fn what_is_read_of_it_is_the_same_definition(#[case] spec: Json) {
        let spec: PolicySpec = serde_json::from_value(spec).unwrap();
        let draft = read(&Scope::Cluster, &spec);
        assert_eq!(draft.faults, None);
        let again = read(&Scope::Cluster, &self::spec(&draft.definition));
        assert_eq!(again, draft);
    }

    #[test]
    fn an_import_of_the_own_namespace_stays_one() {
        let spec = json!({"group": "a", "name": "b", "version": "1", "modules": {"p.rego": ""},
            "imports": [{"group": "a", "name": "c", "version": "1", "scope": "Namespace"}]});
        let spec: PolicySpec = serde_json::from_value(spec).unwrap();
        let scope = Scope::Namespace("team".to_owned());
        let draft = read(&scope, &spec);
        assert_eq!(read(&scope, &self::spec(&draft.definition)), draft);
    }

    /// A field that is added to a spec and not here would be lost.
    #[test]
    fn every_field_of_a_spec_is_written() {
        let spec: PolicySpec = serde_json::from_value(every_setting()).unwrap();
        let definition = read(&Scope::Cluster, &spec).definition;
        let fields = |spec: &PolicySpec| {
            let Json::Object(fields) = serde_json::to_value(spec).unwrap() else {
                unreachable!("a spec is an object");
            };
            fields.keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(fields(&self::spec(&definition)), fields(&spec));
    }
}
