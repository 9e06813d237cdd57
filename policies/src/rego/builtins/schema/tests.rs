//! The expected results are OPA's.

use rstest::rstest;

use crate::rego::{
    builtins::{Context, Fault, Surroundings, call, lookup},
    execute::{Budget, Limits},
    value::{Value, elements, json},
};

fn apply(name: &str, operands: &[Value]) -> Result<Value, Fault> {
    let mut context = Context {
        surroundings: &mut Surroundings::default(),
        budget: &mut Budget::new(Limits::default()),
    };
    call(lookup(name).expect("a builtin"), &mut context, operands)
}

/// The errors, a line each: what is before `desc` in them is said by `error`.
fn errors(schema: &str, document: &str) -> Vec<String> {
    let operands = [Value::from(document), Value::from(schema)];
    let result = apply("json.match_schema", &operands).expect("the schema is one");
    let [_, errors] = elements(&result).expect("a pair") else {
        unreachable!("the result is a pair");
    };
    let error = |error: &Value| {
        let part = |name: &str| match error {
            Value::Object(object) => object.get(&Value::from(name)).map(Value::to_string),
            _ => None,
        };
        let part = |name: &str| part(name).unwrap_or_default().replace('"', "");
        format!("{} {}", part("type"), part("error"))
    };
    elements(errors)
        .expect("errors")
        .iter()
        .map(error)
        .collect()
}

#[rstest]
#[case(r#"{"type": "object", "required": ["a"]}"#, "{}", &["required (Root): a is required"])]
#[case(
    r#"{"properties": {"a": {"type": ["integer", "null"]}}}"#,
    r#"{"a": 1.5}"#,
    &["invalid_type a: Invalid type. Expected: [integer,null], given: number"]
)]
#[case(
    r#"{"items": {"minimum": 1000000, "exclusiveMaximum": 0.25}}"#,
    "[7]",
    &[
        "number_lt 0: Must be less than 0.25",
        "number_gte 0: Must be greater than or equal to 1e+06",
    ]
)]
#[case(r#"{"multipleOf": 0.1}"#, "[1.05]", &[])]
#[case(r#"{"items": {"multipleOf": 0.1}}"#, "[1.05, 1.1]", &["multiple_of 0: Must be a multiple of 0.1"])]
#[case(
    r#"{"additionalProperties": false, "patternProperties": {"^x": {"maxLength": 1}}}"#,
    r#"{"xy": "ab", "z": 1}"#,
    &[
        "string_lte xy: String length must be less than or equal to 1",
        "additional_property_not_allowed (Root): Additional property z is not allowed",
    ]
)]
#[case(
    r#"{"properties": {"a": {"enum": [1, {"b": 2.0}]}}}"#,
    r#"{"a": 3}"#,
    &[r"enum a: a must be one of the following: 1, {\b\:2}"]
)]
#[case(r#"{"properties": {"a": {"const": 1.0}}}"#, r#"{"a": 1}"#, &[])]
#[case(
    r#"{"anyOf": [{"required": ["a"]}, {"required": ["b", "c"]}]}"#,
    r#"{"b": 1}"#,
    &[
        "number_any_of (Root): Must validate at least one schema (anyOf)",
        "required (Root): c is required",
    ]
)]
#[case(r#"{"uniqueItems": true}"#, "[1, 2, 1.0]", &["unique (Root): array items[0,2] must be unique"])]
#[case(r#"{"not": {"type": "array"}}"#, "[]", &["number_not (Root): Must not validate the schema (not)"])]
fn documents(#[case] schema: &str, #[case] document: &str, #[case] expected: &[&str]) {
    assert_eq!(errors(schema, document), expected);
}

#[rstest]
#[case(r#"{"type": "boolean"}"#, "[true,null]")]
#[case("true", "[true,null]")]
#[case("1", r#"[false,"jsonschema: schema is invalid"]"#)]
#[case("{", r#"[false,"jsonschema: invalid JSON string"]"#)]
#[case(
    r#"{"minLength": -1}"#,
    r#"[false,"jsonschema: minLength must be greater than or equal to 0"]"#
)]
#[case(
    r#"{"pattern": "("}"#,
    r#"[false,"jsonschema: pattern must be a valid regex"]"#
)]
#[case(
    r#"{"not": {"exclusiveMinimum": true}}"#,
    r#"[false,"jsonschema: exclusiveMinimum cannot be used without minimum"]"#
)]
fn schemas(#[case] schema: &str, #[case] expected: &str) {
    let result = apply("json.verify_schema", &[Value::from(schema)]);
    assert_eq!(
        result.map(|value| json::write(&value)).ok().as_deref(),
        Some(expected)
    );
}

#[rstest]
#[case(r##"{"$ref": "#/definitions/a"}"##)]
#[case(r#"{"format": "email"}"#)]
#[case(r#"{"x": {"$id": "a"}}"#)]
#[case(r#"{"enum": [1e300]}"#)]
fn what_is_beyond_is_refused(#[case] schema: &str) {
    let result = apply("json.verify_schema", &[Value::from(schema)]);
    assert!(matches!(result, Err(Fault::Ends(_))), "{result:?}");
}

/// A name of a megabyte, which every one of the errors repeats.
#[test]
fn errors_that_would_fill_the_memory_end_the_evaluation() {
    let name = "a".repeat(1 << 20);
    let items = "1,".repeat(1 << 16);
    let document = format!("{{\"{name}\": [{items}1]}}");
    let schema = r#"{"additionalProperties": {"items": {"type": "string"}}}"#;
    let operands = [Value::from(document), Value::from(schema)];
    let result = apply("json.match_schema", &operands);
    assert!(matches!(result, Err(Fault::Ends(_))));
}
