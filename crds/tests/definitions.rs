//! The definitions: what the API server and `kubectl explain` make of them, and that the chart's
//! copies are current.

use std::path::Path;
use std::process::Command;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use portcullis_crds::definitions;
use rstest::rstest;

/// Every schema of every kind, with its path, such as `Policy.spec.modules`.
fn schemas() -> Vec<(String, JSONSchemaProps)> {
    let mut found = Vec::new();
    for definition in definitions::all() {
        let kind = definition.spec.names.kind;
        let schema = definitions::schema_of(&kind).expect("each kind has a schema");
        walk(kind, schema, &mut found);
    }
    found
}

fn walk(path: String, schema: JSONSchemaProps, found: &mut Vec<(String, JSONSchemaProps)>) {
    for (name, property) in schema.properties.iter().flatten() {
        walk(format!("{path}.{name}"), property.clone(), found);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        walk(format!("{path}[]"), (**items).clone(), found);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
        walk(format!("{path}{{}}"), (**values).clone(), found);
    }
    found.push((path, schema));
}

/// The paths for which something holds that must hold nowhere.
fn offenders(offends: impl Fn(&str, &JSONSchemaProps) -> bool) -> Vec<String> {
    let offending = schemas()
        .into_iter()
        .filter(|(path, schema)| offends(path, schema));
    offending.map(|(path, _)| path).collect()
}

#[test]
fn schemas_are_structural() {
    let none: [String; 0] = [];
    assert_eq!(
        offenders(|_, schema| schema.type_.is_none()),
        none,
        "a type everywhere"
    );
    assert_eq!(
        offenders(|_, schema| {
            schema.any_of.is_some()
                || schema.one_of.is_some()
                || schema.all_of.is_some()
                || schema.not.is_some()
                || schema.ref_path.is_some()
                || schema.definitions.is_some()
                || matches!(schema.items, Some(JSONSchemaPropsOrArray::Schemas(_)))
                || matches!(
                    schema.additional_properties,
                    Some(JSONSchemaPropsOrBool::Bool(_))
                )
        }),
        none,
        "no combinations and no references"
    );
    assert_eq!(
        offenders(|_, schema| schema.nullable.is_some()),
        none,
        "null is absent"
    );
    assert_eq!(
        offenders(|_, schema| schema.properties.is_some() && schema.additional_properties.is_some()),
        none,
        "an object has fields or is a map"
    );
}

#[test]
fn what_is_free_form_is_so_on_purpose() {
    let free = offenders(|_, schema| schema.x_kubernetes_preserve_unknown_fields == Some(true));
    let fields = ["data", "outputSchema", "parameters", "parametersSchema"];
    let expected: Vec<_> = ["Policy", "ClusterPolicy"]
        .iter()
        .flat_map(|kind| fields.map(|field| format!("{kind}.spec.{field}")))
        .chain(
            ["PolicyBinding", "ClusterPolicyBinding"].map(|kind| format!("{kind}.spec.parameters")),
        )
        .collect();
    assert_eq!(free, expected);
}

#[test]
fn every_field_is_explained() {
    // Items and map values are explained by the field that holds them.
    let silent = offenders(|path, schema| {
        !path.ends_with(']') && !path.ends_with('}') && schema.description.is_none()
    });
    assert_eq!(silent, [""; 0]);
    let rustdoc = offenders(|_, schema| {
        schema
            .description
            .as_deref()
            .is_some_and(|text| text.contains("[`") || text.contains("::"))
    });
    assert_eq!(
        rustdoc, [""; 0],
        "a description is for users, not for readers of the source"
    );
}

#[test]
fn every_field_of_a_spec_is_bounded() {
    let unbounded = offenders(|path, schema| {
        let of_type = |name| schema.type_.as_deref() == Some(name);
        path.contains(".spec.")
            && (of_type("string") && schema.max_length.is_none() && schema.enum_.is_none()
                || of_type("array") && schema.max_items.is_none()
                || schema.additional_properties.is_some() && schema.max_properties.is_none())
    });
    assert_eq!(unbounded, [""; 0]);
}

#[test]
fn every_rule_says_what_to_do_instead() {
    let remedies = [
        "write", "add", "remove", "swap", "create", "keep", "let", "start",
    ];
    for (path, schema) in schemas() {
        for rule in schema.x_kubernetes_validations.iter().flatten() {
            let message = rule.message.as_deref().unwrap_or_default();
            let (_, remedy) = message.split_once(": ").unwrap_or_default();
            assert!(
                remedies.iter().any(|word| remedy.starts_with(word)),
                "{path}: `{message}` has no remedy behind a colon"
            );
        }
    }
}

#[rstest]
#[case("Policy", "policies", "ptpol", "Namespaced")]
#[case("ClusterPolicy", "clusterpolicies", "ptcpol", "Cluster")]
#[case("Lock", "locks", "ptlock", "Namespaced")]
#[case("ClusterLock", "clusterlocks", "ptclock", "Cluster")]
#[case("Exemption", "exemptions", "ptexm", "Namespaced")]
#[case("ClusterExemption", "clusterexemptions", "ptcexm", "Cluster")]
#[case("PolicySubscription", "policysubscriptions", "ptsub", "Namespaced")]
#[case(
    "ClusterPolicySubscription",
    "clusterpolicysubscriptions",
    "ptcsub",
    "Cluster"
)]
#[case("ClusterPolicyImport", "clusterpolicyimports", "ptcimp", "Cluster")]
fn names(#[case] kind: &str, #[case] plural: &str, #[case] short_name: &str, #[case] scope: &str) {
    let definition = definitions::all()
        .into_iter()
        .find(|definition| definition.spec.names.kind == kind)
        .expect("each kind has a definition");
    assert_eq!(
        definition.metadata.name,
        Some(format!("{plural}.portcullis.dev"))
    );
    assert_eq!(definition.spec.scope, scope);
    assert_eq!(
        definition.spec.names.short_names,
        Some(vec![short_name.to_owned()])
    );
    assert_eq!(
        definition.spec.names.categories,
        Some(vec!["portcullis".to_owned()])
    );
    let version = &definition.spec.versions[0];
    assert_eq!(
        (version.name.as_str(), version.served, version.storage),
        ("v1alpha1", true, true)
    );
    assert!(
        version
            .subresources
            .as_ref()
            .is_some_and(|those| those.status.is_some())
    );
}

#[rstest]
#[case("Policy", "Address Action Ready Enforced Locked Reason Age")]
#[case("ClusterPolicy", "Address Action Ready Enforced Locked Reason Age")]
#[case("Lock", "Effect Reason Expires Active Locked Age")]
#[case("ClusterLock", "Effect Reason Expires Active Locked Age")]
#[case("Exemption", "Policies Reason Approver Expires Active Age")]
#[case("ClusterExemption", "Policies Reason Approver Expires Active Age")]
#[case(
    "PolicySubscription",
    "Group Name Version Subscriber Delivered Failure Age"
)]
#[case(
    "ClusterPolicySubscription",
    "Group Name Version Subscriber Delivered Failure Age"
)]
#[case("ClusterPolicyImport", "Policy Interval Succeeded Failure URL Age")]
#[case("FetchedDocument", "URL Fetched Size Failure Namespace Age")]
fn columns(#[case] kind: &str, #[case] expected: &str) {
    let definition = definitions::all()
        .into_iter()
        .find(|definition| definition.spec.names.kind == kind)
        .expect("each kind has a definition");
    let columns = definition.spec.versions[0]
        .additional_printer_columns
        .as_deref();
    let names: Vec<_> = columns
        .into_iter()
        .flatten()
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(names.join(" "), expected);
}

fn crdgen(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_crdgen"))
        .args(arguments)
        .output()
        .expect("crdgen was built with this test");
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn the_charts_copies_are_current() {
    let directory =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/portcullis/templates/crds");
    let directory = directory.to_str().expect("the checkout's path is text");
    assert_eq!(crdgen(&["--check", directory]), (true, String::new()));
}

/// What a chart's copy says below `spec:` is the definition, whatever YAML might take a word for.
#[test]
fn a_copy_says_what_the_definition_says() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = directory
        .path()
        .to_str()
        .expect("a temporary directory's path is text");
    assert_eq!(crdgen(&[path]), (true, String::new()));
    for definition in definitions::all() {
        let file = directory
            .path()
            .join(format!("{}.yaml", definition.spec.names.plural));
        let text = std::fs::read_to_string(file).expect("crdgen wrote it");
        let (_, spec) = text.split_once("\nspec:").expect("a definition has a spec");
        let spec = spec.replace("{{- end }}", "");
        assert!(
            !spec.contains("{{"),
            "descriptions have no braces that Helm would read"
        );
        let found: serde_json::Value = serde_saphyr::from_str(&spec).expect("it is YAML");
        let expected = serde_json::to_value(&definition.spec).expect("a definition is JSON");
        assert_eq!(found, expected);
    }
}

#[test]
fn a_copy_that_is_out_of_date_is_shown() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = directory
        .path()
        .to_str()
        .expect("a temporary directory's path is text");
    assert_eq!(crdgen(&[path]), (true, String::new()));
    assert_eq!(crdgen(&["--check", path]), (true, String::new()));

    let file = directory.path().join("locks.yaml");
    let text = std::fs::read_to_string(&file).expect("crdgen wrote it");
    std::fs::write(&file, text.replace("kind: Lock\n", "kind: Latch\n")).expect("it is ours");
    let (current, message) = crdgen(&["--check", path]);
    assert!(!current);
    for part in [
        "locks.yaml` is out of date at line ",
        "-     kind: Latch\n+     kind: Lock\n",
    ] {
        assert!(message.contains(part), "{message}");
    }

    std::fs::remove_file(&file).expect("it is ours");
    let (current, message) = crdgen(&["--check", path]);
    assert!(!current && message.contains("failed to read"), "{message}");
    assert!(!crdgen(&[]).0);
}
