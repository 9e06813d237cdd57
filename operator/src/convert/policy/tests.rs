use std::time::Duration;

use portcullis_crds::{
    Admission, Decision, ImportScope, Limits, Network, Operation, RegoVersion, ResourceRule,
    Severity, Verdict,
};
use portcullis_policies::{self as policies, RegoVersion as Rego};
use rstest::rstest;
use serde_json::json;

use super::*;

fn spec() -> PolicySpec {
    PolicySpec::new("platform", "labels", "1.0").module("p.rego", "package platform.labels")
}

fn draft(spec: PolicySpec) -> Draft {
    Draft::try_from(&crds::ClusterPolicy::new("labels", spec.into())).unwrap()
}

fn full_admission() -> Admission {
    let rule = ResourceRule {
        scope: crds::ResourceScope::Namespaced,
        resource_names: vec!["web".to_owned()],
        resource_name_patterns: vec!["web-*".to_owned()],
        ..ResourceRule::of("apps", "v1", ["deployments"])
            .operations([Operation::Create, Operation::Connect])
    };
    let mut admission = Admission::on([rule])
        .action(crds::Action::Warn)
        .failure_policy(crds::FailurePolicy::Ignore);
    admission.require_allow = true;
    admission.action_at = crds::ActionAt {
        check: Some(crds::Action::Deny),
        audit: Some(crds::Action::Audit),
    };
    admission.matches.exclude_resource_rules = vec![ResourceRule::of("*", "*", ["*"])];
    let selector = |value| serde_json::from_value(value).unwrap();
    admission.matches.namespace_selector = selector(json!({"matchLabels": {"env": "prod"}}));
    admission.matches.object_selector =
        selector(json!({"matchExpressions": [{"key": "team", "operator": "Exists"}]}));
    admission.matches.match_conditions = vec![crds::MatchCondition {
        name: "named".to_owned(),
        expression: "has(object.metadata.name)".to_owned(),
    }];
    admission.matches.workloads = Some(crds::Workloads {
        kinds: vec![crds::WorkloadKind::Job],
        custom: vec![crds::CustomWorkload {
            api_version: "argoproj.io/v1alpha1".to_owned(),
            kind: "Rollout".to_owned(),
            resource: "rollouts".to_owned(),
            path: "spec.template".to_owned(),
            optional: true,
        }],
    });
    admission
}

fn expected_admission() -> policies::Admission {
    policies::Admission {
        matches: policies::Match {
            rules: vec![policies::ResourceRule {
                groups: vec!["apps".to_owned()],
                versions: vec!["v1".to_owned()],
                resources: vec!["deployments".to_owned()],
                operations: vec![policies::Operation::Create, policies::Operation::Connect],
                scope: policies::ResourceScope::Namespaced,
                names: vec!["web".to_owned()],
                name_patterns: vec!["web-*".to_owned()],
            }],
            excluded: vec![policies::ResourceRule {
                groups: vec!["*".to_owned()],
                versions: vec!["*".to_owned()],
                resources: vec!["*".to_owned()],
                operations: vec![policies::Operation::Create, policies::Operation::Update],
                ..policies::ResourceRule::default()
            }],
            namespaces: policies::LabelSelector {
                match_labels: [("env".to_owned(), "prod".to_owned())].into(),
                match_expressions: Vec::new(),
            },
            objects: policies::LabelSelector {
                match_labels: [].into(),
                match_expressions: vec![policies::Requirement::Exists("team".to_owned())],
            },
            conditions: vec![policies::Condition {
                name: "named".to_owned(),
                expression: "has(object.metadata.name)".to_owned(),
            }],
            workloads: vec![
                policies::Workload {
                    group: "batch".to_owned(),
                    version: "v1".to_owned(),
                    kind: "Job".to_owned(),
                    resource: "jobs".to_owned(),
                    path: "spec.template".parse().unwrap(),
                    optional: false,
                },
                policies::Workload {
                    group: "argoproj.io".to_owned(),
                    version: "v1alpha1".to_owned(),
                    kind: "Rollout".to_owned(),
                    resource: "rollouts".to_owned(),
                    path: "spec.template".parse().unwrap(),
                    optional: true,
                },
            ],
        },
        action: policies::Action::Warn,
        failure_policy: policies::FailurePolicy::Ignore,
        action_at: policies::ActionAt {
            check: Some(policies::Action::Deny),
            audit: Some(policies::Action::Audit),
        },
        require_allow: true,
    }
}

fn data_from() -> Vec<crds::DataFrom> {
    let reference = crds::KeyReference {
        namespace: None,
        name: "issuers".to_owned(),
        key: "it.json".to_owned(),
    };
    vec![crds::DataFrom {
        path: "trusted.issuers".to_owned(),
        config_map: Some(reference),
        ..crds::DataFrom::default()
    }]
}

/// Of a policy of the namespace `team-a`.
fn expected_data_from() -> Vec<policies::DataSource> {
    vec![policies::DataSource {
        selection: policies::Selection {
            kind: policies::ParameterKind::config_map(),
            namespace: Some("team-a".to_owned()),
            which: policies::Which::Name("issuers".to_owned()),
        },
        key: "it.json".to_owned(),
        path: vec!["trusted".to_owned(), "issuers".to_owned()],
        http: None,
    }]
}

/// A policy of a namespace reads nothing of another one.
#[test]
fn data_is_of_the_policys_own_namespace() {
    let mut spec = spec();
    spec.data_from = data_from();
    let reference = spec.data_from[0].config_map.as_mut().unwrap();
    reference.namespace = Some("team-b".to_owned());
    let draft = Draft::try_from(&crds::Policy::in_namespace("team-a", "it", spec)).unwrap();
    assert_eq!(draft.definition.data_from, []);
    let faults = draft.faults.unwrap().to_string();
    assert!(faults.contains("its own namespace only"), "{faults}");
}

#[test]
fn every_field_arrives() {
    let mut spec = spec()
        .data("table", json!([1]))
        .parameter("limit", json!(2))
        .admission(full_admission());
    spec.rego_version = RegoVersion::V0;
    spec.data_from = data_from();
    spec.parameters_schema = json!({"type": "object"}).as_object().cloned();
    spec.output_schema = json!({"type": "object"}).as_object().cloned();
    spec.lock_on_failure = true;
    spec.entrypoint = Some("data.x".to_owned());
    spec.decision = Decision {
        default: Verdict::Allow,
        fail_on: Severity::High,
    };
    spec.network = Some(Network {
        hosts: vec!["*.example.com:8443".to_owned()],
    });
    spec.limits = Limits {
        timeout: "2s".to_owned(),
        memory: "8Mi".to_owned(),
    };
    spec.not_before = Some("1970-01-01T00:00:01Z".to_owned());
    spec.not_after = Some("1970-01-01T00:00:02Z".to_owned());
    spec.guardrail = true;
    spec.supersedes = Some("0.9".to_owned());
    spec.shadow = true;
    spec.exemptible_by = crds::ExemptibleBy::Namespace;
    spec.importable = true;
    let digest = format!("sha256:{}", "0a".repeat(32));
    spec.sha256 = Some(digest.clone());
    let import = |scope, sha256| crds::Import {
        group: "platform".to_owned(),
        name: "base".to_owned(),
        version: "2".to_owned(),
        scope,
        sha256,
    };
    spec.imports = vec![
        import(ImportScope::Cluster, Some(digest.clone())),
        import(ImportScope::Namespace, None),
    ];
    let mut object = crds::Policy::in_namespace("team-a", "labels", spec);
    object.metadata.labels = Some([("team".to_owned(), "a".to_owned())].into());
    let at = |second| Timestamp::from_second(second).unwrap();
    object.metadata.creation_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(7)));

    let draft = Draft::try_from(&object).unwrap();
    let team = Scope::Namespace("team-a".to_owned());
    let expected = Definition {
        address: Address::new(team.clone(), "platform", "labels", "1.0").unwrap(),
        labels: [("team".to_owned(), "a".to_owned())].into(),
        modules: [("p.rego".to_owned(), "package platform.labels".to_owned())].into(),
        rego_version: Rego::V0,
        data: json!({"table": [1]}).as_object().cloned().unwrap(),
        data_from: expected_data_from(),
        parameters: json!({"limit": 2}).as_object().cloned().unwrap(),
        parameters_schema: Some(json!({"type": "object"})),
        output: Some(policies::Output {
            schema: json!({"type": "object"}),
            locks: true,
        }),
        entrypoint: Some("data.x".to_owned()),
        decision: policies::DecisionSettings {
            default: policies::DefaultDecision::Allow,
            fail_on: policies::Severity::High,
        },
        admission: Some(expected_admission()),
        hosts: ["*.example.com:8443".parse().unwrap()]
            .into_iter()
            .collect(),
        limits: policies::Limits {
            timeout: Duration::from_secs(2),
            memory: 8 << 20,
        },
        window: policies::Window {
            not_before: Some(at(1)),
            not_after: Some(at(2)),
        },
        guardrail: true,
        supersedes: Some("0.9".parse().unwrap()),
        shadow: true,
        exemptible_by: Owner::Namespace,
        imports: vec![
            policies::Import {
                address: "platform/base@2".parse().unwrap(),
                pin: Some(digest.parse().unwrap()),
            },
            policies::Import {
                address: Address::new(team, "platform", "base", "2").unwrap(),
                pin: None,
            },
        ],
        importable: true,
        pin: Some(digest.parse().unwrap()),
    };
    assert_eq!(draft.definition, expected);
    assert_eq!(draft.key.to_string(), "Policy team-a/labels");
    assert_eq!(draft.created, at(7));
    assert_eq!(draft.faults, None);
}

#[test]
fn the_defaults_are_those_of_the_evaluator() {
    let address = "platform/labels@1.0".parse().unwrap();
    let mut expected = Definition::new(address, "");
    expected.modules = spec().modules;
    assert_eq!(draft(spec()).definition, expected);
}

#[test]
fn a_star_is_every_operation() {
    let rule = ResourceRule::of("", "v1", ["pods"]).operations([Operation::All]);
    let admission = draft(spec().admission(Admission::on([rule])))
        .definition
        .admission;
    assert_eq!(
        admission.unwrap().matches.rules[0].operations,
        policies::Operation::ALL
    );
}

#[rstest]
#[case::memory(|spec: &mut PolicySpec| spec.limits.memory = "1Gi".to_owned(), "memory_invalid")]
#[case::timeout(|spec: &mut PolicySpec| spec.limits.timeout = "1h".to_owned(), "timeout_invalid")]
#[case::host(|spec: &mut PolicySpec| spec.network = Some(Network { hosts: vec!["*".to_owned()] }), "host_invalid")]
#[case::start(|spec: &mut PolicySpec| spec.not_before = Some("soon".to_owned()), "time_invalid")]
#[case::workload(|spec: &mut PolicySpec| {
    let mut admission = full_admission();
    admission.matches.resource_rules = vec![ResourceRule::of("", "v1", ["pods"])];
    admission.matches.exclude_resource_rules.clear();
    admission.matches.workloads.as_mut().unwrap().custom[0].path = "$.spec".to_owned();
    spec.admission = Some(admission);
}, "workload_invalid")]
#[case::digest(|spec: &mut PolicySpec| spec.sha256 = Some("sha256:x".to_owned()), "digest_invalid")]
#[case::supersedes(|spec: &mut PolicySpec| spec.supersedes = Some("v1".to_owned()), "supersedes_invalid")]
#[case::import(
    |spec: &mut PolicySpec| spec.imports = vec![crds::Import {
        group: "A".to_owned(), name: "b".to_owned(), version: "1".to_owned(),
        scope: ImportScope::Cluster, sha256: None,
    }],
    "import_invalid"
)]
#[case::end(|spec: &mut PolicySpec| spec.not_after = Some("2026-13-01T00:00:00Z".to_owned()), "time_invalid")]
fn what_cannot_be_read_breaks_the_policy(#[case] change: fn(&mut PolicySpec), #[case] code: &str) {
    let mut spec = spec();
    spec.not_before = Some("2999-01-01T00:00:00Z".to_owned());
    change(&mut spec);
    let object = draft(spec).compile(&(), policies::Allowance::default());
    let faults = object.policy.faults().expect("the policy must be broken");
    assert_eq!(
        faults
            .iter()
            .map(|fault| fault.code.as_str())
            .collect::<Vec<_>>(),
        [code]
    );
    // Outside its window it would not be asked, and so would not deny.
    assert_eq!(
        object.policy.definition().window,
        policies::Window::default()
    );
}

#[rstest]
#[case("Platform", "labels", "1.0")]
#[case("platform", "labels", "v1")]
#[case("", "", "")]
fn without_an_address_there_is_no_policy(
    #[case] group: &str,
    #[case] name: &str,
    #[case] version: &str,
) {
    let object = crds::ClusterPolicy::new("x", PolicySpec::new(group, name, version).into());
    let faults = Draft::try_from(&object).unwrap_err();
    assert!(
        faults.iter().all(|fault| fault.code == "address_invalid"),
        "{faults}"
    );
}

#[test]
fn an_object_needs_its_name_and_namespace() {
    let code = |faults: Diagnostics| faults.iter().next().unwrap().code.clone();
    let mut object = crds::Policy::new("labels", spec());
    assert_eq!(
        code(Draft::try_from(&object).unwrap_err()),
        "namespace_missing"
    );
    object.metadata.namespace = Some("team-a".to_owned());
    object.metadata.name = None;
    assert_eq!(code(Draft::try_from(&object).unwrap_err()), "name_missing");
    let long = "a".repeat(MAX_NAME + 1);
    for name in ["Labels", "a/b", "-a", "a.", "\u{1b}[31m", long.as_str()] {
        object.metadata.name = Some(name.to_owned());
        let fault = Draft::try_from(&object).unwrap_err();
        assert_eq!(code(fault), "name_invalid", "{name}");
    }
}
