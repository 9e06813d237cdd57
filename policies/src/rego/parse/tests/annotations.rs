//! `# METADATA` blocks: what they say, what they are about, and what is refused.

use rstest::rstest;
use serde_json::{Value, json};

use super::super::super::ast::{AnnotationScope, Version};
use super::module;

#[rstest]
#[case("title: A\ndescription: B", json!({"title": "A", "description": "B"}))]
#[case("title: 1", json!({"title": "1"}))]
#[case("unknown: 1", json!({}))]
#[case("entrypoint: true", json!({"scope": "document", "entrypoint": true}))]
#[case("entrypoint: false", json!({}))]
#[case("organizations:\n- A\n- B", json!({"organizations": ["A", "B"]}))]
#[case("authors:\n- Ann Lee <ann@example.com>\n- Bo", json!({"authors": [{"name": "Ann Lee", "email": "ann@example.com"}, {"name": "Bo"}]}))]
#[case("authors:\n- name: Ann\n  email: a@b", json!({"authors": [{"name": "Ann", "email": "a@b"}]}))]
#[case("related_resources:\n- https://a\n- ref: https://b\n  description: B", json!({"related_resources": [{"ref": "https://a"}, {"ref": "https://b", "description": "B"}]}))]
#[case("schemas:\n- input.x: schema.y\n- data: {type: object}", json!({"schemas": [{"path": ["input", "x"], "schema": ["schema", "y"]}, {"path": ["data"], "definition": {"type": "object"}}]}))]
#[case("custom:\n  severity: high\n  list: [1, 2]\nlabels:\n  a: b", json!({"custom": {"severity": "high", "list": [1, 2]}, "labels": {"a": "b"}}))]
#[case("compile:\n  unknowns: [input.x]\n  mask_rule: mask", json!({}))]
fn is_read(#[case] yaml: &str, #[case] expected: Value) {
    let block = format!("# {}", yaml.replace('\n', "\n# "));
    let source = format!("package t\n# METADATA\n{block}\np := 1\n");
    let module = module(&source, Version::V1).expect("it is right");
    let mut expected = expected;
    if expected.get("scope").is_none() {
        expected["scope"] = "rule".into();
    }
    assert_eq!(module.annotations[0].document, expected, "{yaml}");
}

#[rstest]
#[case("# METADATA\n# title: A\npackage t", &[AnnotationScope::Package])]
#[case("# METADATA\n# scope: subpackages\npackage t", &[AnnotationScope::Subpackages])]
#[case("package t\n# METADATA\n# scope: document\n\n# METADATA\n# title: B\np := 1", &[AnnotationScope::Document, AnnotationScope::Rule])]
#[case("package t\n  # METADATA\n# title: A\np := 1", &[])]
#[case("package t\n# METADATA is written so\n# title: A\np := 1", &[AnnotationScope::Rule])]
#[case("package t\n# METADATA\n# title: A\n\n# title: [\np := 1", &[AnnotationScope::Rule])]
fn is_about(#[case] source: &str, #[case] expected: &[AnnotationScope]) {
    let module = module(source, Version::V1).expect("it is right");
    let scopes: Vec<_> = module
        .annotations
        .iter()
        .map(|annotation| annotation.scope)
        .collect();
    assert_eq!(scopes, expected, "{source}");
}

#[test]
fn rules_have_their_own_and_their_documents() {
    let source = "package t
# METADATA
# scope: document
# title: both

# METADATA
# title: first
p if input.x
# METADATA
# title: second
p if input.y
q := 1
";
    let module = module(source, Version::V1).expect("it is right");
    let given: Vec<_> = module
        .rules
        .iter()
        .map(|rule| &rule.annotations[..])
        .collect();
    assert_eq!(given, [&[0, 1][..], &[0, 2], &[]]);
}

#[rstest]
#[case(
    "# METADATA\npackage t",
    "1:1 expected METADATA block, found whitespace"
)]
#[case(
    "package t\n# METADATA\n# title: A\nimport data.x",
    "2:1 invalid annotation scope 'import'. Use one of 'rule', 'document', 'package', or 'subpackages'"
)]
#[case(
    "package t\n# METADATA\n# scope: package\np := 1",
    "2:1 annotation scope 'package' must be applied to package (have rule)"
)]
#[case(
    "package t\np := 1\n# METADATA\n# scope: rule\n",
    "3:1 annotation scope 'rule' must be applied to rule (have nothing)"
)]
#[case(
    "package t\n# METADATA\n# scope: rule\n# entrypoint: true\np := 1",
    "2:1 annotation entrypoint applied to non-document or package scope 'rule'"
)]
#[case(
    "package t\n# METADATA\n# title: [a]\np := 1",
    "2:1 invalid METADATA: title must be a string"
)]
#[case(
    "package t\n# METADATA\n# authors:\n# - 1\np := 1",
    "2:1 invalid author definition: invalid value type, must be string or map"
)]
#[case(
    "package t\n# METADATA\n# related_resources:\n# - description: x\np := 1",
    "2:1 invalid related-resource definition: 'ref' value required in object"
)]
#[case(
    "package t\n# METADATA\n# schemas:\n# - \"1\": schema.x\np := 1",
    "2:1 invalid document reference"
)]
#[case(
    "package t\n# METADATA\n# schemas:\n# - input: data.x\np := 1",
    "2:1 invalid schema reference"
)]
fn is_refused(#[case] source: &str, #[case] expected: &str) {
    assert_eq!(
        module(source, Version::V1).expect_err("it is wrong"),
        [expected]
    );
}
