//! The cases are those of OPA's `mask_test.go`, and what is wider here.

use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn document(json: &str) -> Document {
    Document::read(json).unwrap()
}

fn apply(masks: &str, input: &str, result: &str) -> Maskable {
    let mut entry = Maskable {
        input: (!input.is_empty()).then(|| document(input)),
        result: (!result.is_empty()).then(|| document(result)),
        ..Maskable::default()
    };
    Masks::read(&document(masks)).unwrap().apply(&mut entry);
    entry
}

fn text(document: Option<&Document>) -> String {
    document.map(ToString::to_string).unwrap_or_default()
}

#[rstest]
#[case::member(r#"["/input/password"]"#, r#"{"a":1,"password":"x"}"#, r#"{"a":1}"#, &["/input/password"], &[])]
#[case::all(r#"["/input"]"#, r#"{"a":1}"#, "", &["/input"], &[])]
#[case::nested(r#"["/input/a/b/c"]"#, r#"{"a":{"b":{"c":1,"d":2}}}"#, r#"{"a":{"b":{"d":2}}}"#, &["/input/a/b/c"], &[])]
#[case::not_there(r#"["/input/a/x/c"]"#, r#"{"a":{"b":1}}"#, r#"{"a":{"b":1}}"#, &[], &[])]
#[case::of_a_text(r#"["/input/a/b"]"#, r#"{"a":"x"}"#, r#"{"a":"x"}"#, &[], &[])]
#[case::element(r#"["/input/a/1"]"#, r#"{"a":[1,2,3]}"#, r#"{"a":[1,3]}"#, &["/input/a/1"], &[])]
#[case::element_of_element(r#"["/input/a/1/0"]"#, r#"{"a":[1,[2,3]]}"#, r#"{"a":[1,[3]]}"#, &["/input/a/1/0"], &[])]
#[case::element_of_root(r#"["/input/0"]"#, "[1,2]", "[2]", &["/input/0"], &[])]
#[case::no_index(r#"["/input/a/x"]"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#, &[], &[])]
#[case::beyond(r#"["/input/a/1"]"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#, &[], &[])]
#[case::negative(r#"["/input/a/-1"]"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#, &[], &[])]
#[case::upsert(r#"[{"op":"upsert","path":"/input/password","value":"***"}]"#, r#"{"password":"x"}"#, r#"{"password":"***"}"#, &[], &["/input/password"])]
#[case::upsert_makes(r#"[{"op":"upsert","path":"/input/a/b","value":1}]"#, "{}", r#"{"a":{"b":1}}"#, &[], &["/input/a/b"])]
#[case::upsert_all(r#"[{"op":"upsert","path":"/input","value":{"x":1}}]"#, r#"{"a":1}"#, r#"{"x":1}"#, &[], &["/input"])]
#[case::upsert_nothing(r#"[{"op":"upsert","path":"/input/a"}]"#, r#"{"a":1}"#, r#"{"a":null}"#, &[], &["/input/a"])]
#[case::upsert_element(r#"[{"op":"upsert","path":"/input/0","value":9}]"#, "[1,2]", "[9,2]", &[], &["/input/0"])]
#[case::upsert_beyond(r#"[{"op":"upsert","path":"/input/a/2","value":9}]"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#, &[], &[])]
#[case::upsert_below_a_text(r#"[{"op":"upsert","path":"/input/a/b","value":9}]"#, r#"{"a":"x"}"#, r#"{"a":"x"}"#, &[], &[])]
#[case::upsert_in_a_text(r#"[{"op":"upsert","path":"/input/a","value":9}]"#, r#""x""#, r#""x""#, &[], &[])]
#[case::remove_as_object(r#"[{"op":"remove","path":"/input/a"}]"#, r#"{"a":1,"b":2}"#, r#"{"b":2}"#, &["/input/a"], &[])]
#[case::empty_part(r#"["/input/"]"#, r#"{"":1,"b":2}"#, r#"{"b":2}"#, &["/input/"], &[])]
#[case::cache(r#"["/nd_builtin_cache", "/nd_builtin_cache/http.send"]"#, "1", "1", &[], &[])]
#[case::no_input(r#"["/input", "/input/a"]"#, "", "", &[], &[])]
#[case::one_after_the_other(r#"["/input/a", {"op":"upsert","path":"/input/a","value":1}]"#, r#"{"a":0}"#, r#"{"a":1}"#, &["/input/a"], &["/input/a"])]
// What OPA escapes and so does not find.
#[case::slash(r#"["/input/a%2Fb"]"#, r#"{"a/b":1,"c":2}"#, r#"{"c":2}"#, &["/input/a%252Fb"], &[])]
#[case::blank(r#"["/input/a b"]"#, r#"{"a b":1,"c":2}"#, r#"{"c":2}"#, &["/input/a%20b"], &[])]
#[case::as_opa_finds_it(r#"["/input/a b"]"#, r#"{"a%20b":1,"a b":2}"#, r#"{"a b":2}"#, &["/input/a%20b"], &[])]
#[case::annotation(r#"["/input/kubectl.kubernetes.io%2Flast"]"#, r#"{"kubectl.kubernetes.io/last":1}"#, "{}", &["/input/kubectl.kubernetes.io%252Flast"], &[])]
fn masks_change_the_input(
    #[case] masks: &str,
    #[case] input: &str,
    #[case] expected: &str,
    #[case] erased: &[&str],
    #[case] masked: &[&str],
) {
    let entry = apply(masks, input, "");
    assert_eq!(text(entry.input.as_ref()), expected);
    assert_eq!((entry.erased, entry.masked), (owned(erased), owned(masked)));
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

#[test]
fn masks_change_the_result() {
    let masks = r#"["/result/deny/0", {"op":"upsert","path":"/result/x","value":"***"}]"#;
    let entry = apply(masks, r#"{"x":1}"#, r#"{"deny":["a","b"],"x":"y"}"#);
    assert_eq!(text(entry.input.as_ref()), r#"{"x":1}"#);
    assert_eq!(text(entry.result.as_ref()), r#"{"deny":["b"],"x":"***"}"#);
}

#[rstest]
#[case("1")]
#[case("{}")]
#[case("[1]")]
#[case(r#"["input/a"]"#)]
#[case(r#"[""]"#)]
#[case(r#"["/labels/id"]"#)]
#[case(r#"["/input/%zz"]"#)]
#[case(r#"["/input/%2"]"#)]
#[case(r#"[{"path":"/input/a"}]"#)]
#[case(r#"[{"op":"","path":"/input/a"}]"#)]
#[case(r#"[{"op":"replace","path":"/input/a"}]"#)]
#[case(r#"[{"op":1,"path":"/input/a"}]"#)]
#[case(r#"[{"op":"remove"}]"#)]
#[case(r#"[{"op":"remove","path":1}]"#)]
#[case(r#"["/input/a", 7]"#)]
fn one_that_is_not_understood_is_a_fault_of_all(#[case] masks: &str) {
    assert!(Masks::read(&document(masks)).is_err());
}

#[test]
fn a_set_is_read_as_well() {
    let masks = Value::from(std::collections::BTreeSet::from([
        Value::from("/input/b"),
        Value::from("/input/a"),
    ]));
    let masks = Masks::read(&Document::new(masks)).unwrap();
    let mut entry = Maskable {
        input: Some(document(r#"{"a":1,"b":2}"#)),
        ..Maskable::default()
    };
    masks.apply(&mut entry);
    assert_eq!(entry.erased, ["/input/a", "/input/b"]);
}

#[rstest]
#[case("a-b_c.d~e$f&g+h=i:j@k", "a-b_c.d~e$f&g+h=i:j@k")]
#[case("a b/c", "a%20b%2Fc")]
#[case("é;,?%", "%C3%A9%3B%2C%3F%25")]
fn parts_are_escaped_as_go_does(#[case] part: &str, #[case] expected: &str) {
    assert_eq!(escaped(part), expected);
    assert_eq!(unescaped(expected).as_deref(), Some(part));
}

proptest! {
    /// Whatever a mask removes is not there afterwards, and nothing else is lost.
    #[test]
    fn what_is_erased_is_gone(name in "[a-zé /%.]{1,6}", other in "[A-Z]{1,3}") {
        let key = serde_json::to_string(&name).unwrap();
        let path = format!("/input/x/{}", escaped(&name));
        let masks = serde_json::to_string(&[&path]).unwrap();
        let input = format!(r#"{{"x":{{{key}:"s3cret","{other}":1}}}}"#);
        let entry = apply(&masks, &input, "");
        let kept = text(entry.input.as_ref());
        prop_assert_eq!(kept, format!(r#"{{"x":{{"{other}":1}}}}"#));
        prop_assert_eq!(entry.erased.len(), 1);
    }
}
