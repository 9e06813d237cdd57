use std::collections::BTreeMap;

use proptest::{collection, option, prelude::*};
use rstest::rstest;

use super::{Fault, from_serde, read, read_parts};
use crate::rego::{
    plan::access::Access,
    value::{
        Value, elements,
        number::{self, Decimal},
        text::literal,
    },
};

/// What `ast.ValueFromReader` of OPA 1.22.2 makes of these documents, but for how numbers are written.
#[rstest]
#[case(
    br#" {"b": [1, -2.5e1, true], "a": null} "#,
    r#"{"a": null, "b": [1, -25.0, true]}"#
)]
#[case(b"123456789012345678901234567890", "123456789012345678901234567890")]
#[case(b"1.00000000000000000001", "1.00000000000000000001")]
#[case(b"1.0", "1.0")]
#[case(b"-0", "0")]
#[case(b"1e3", "1000.0")]
#[case(b"0.1", "0.1")]
#[case(b"-0.0", "0.0")]
#[case(b"2147483647.0", "2147483647.0")]
#[case(b"2147483648.0", "2147483648")]
#[case(b"\t\r\n[ ]\n", "[]")]
#[case(br#"{"a":1,"b":2,"a":3}"#, r#"{"a": 3, "b": 2}"#)]
#[case(br#"{"a":{"x":1},"\u0061":{"y":2}}"#, r#"{"a": {"y": 2}}"#)]
#[case(br#"{"":1}"#, r#"{"": 1}"#)]
#[case(br#""a\n\u00e9\ud83d\ude00\ud83d""#, "\"a\\né😀\u{fffd}\"")]
#[case(br#""\ude00\ud83d\u0041\ud83dx""#, "\"\u{fffd}\u{fffd}A\u{fffd}x\"")]
#[case(br#""\ud83d\ud83d\ude00""#, "\"\u{fffd}😀\"")]
#[case(br#""\/\"\\\b\f""#, r#""/\"\\\b\f""#)]
#[case(b"\"a\xffb\xe2\x82\"", "\"a\u{fffd}b\u{fffd}\u{fffd}\"")]
#[case(b"\"\xed\xa0\x80\"", "\"\u{fffd}\u{fffd}\u{fffd}\"")]
#[case(b"\"\xf0\x9f\x98\"", "\"\u{fffd}\u{fffd}\u{fffd}\"")]
#[case(b"\"\\n\xff\"", "\"\\n\u{fffd}\"")]
#[case(b"{\"\xff\":1,\"\\ufffd\":2}", "{\"\u{fffd}\": 2}")]
#[case(b"\"\x7f\"", r#""\x7f""#)]
fn reads(#[case] text: &[u8], #[case] expected: &str) {
    let value = read_parts(text, &Access::All);
    assert_eq!(value.map(|value| literal(&value)), Ok(expected.to_owned()));
    assert_eq!(read_parts(text, &Access::default()).err(), None);
}

/// What OPA refuses (`util.UnmarshalJSON`) is refused, whatever is looked at.
#[rstest]
#[case(b"", "unexpected end of the document")]
#[case(b"01", "unexpected '1' at byte 1")]
#[case(b"1.", "unexpected end of the document")]
#[case(b"-", "unexpected end of the document")]
#[case(b"+1", "unexpected '+' at byte 0")]
#[case(b".5", "unexpected '.' at byte 0")]
#[case(b"1e", "unexpected end of the document")]
#[case(b"1.e3", "unexpected 'e' at byte 2")]
#[case(b"NaN", "unexpected 'N' at byte 0")]
#[case(b"[1,]", "unexpected ']' at byte 3")]
#[case(b"[1 2]", "unexpected '2' at byte 3")]
#[case(b"[1}", "unexpected '}' at byte 2")]
#[case(b"{\"a\":1]", "unexpected ']' at byte 6")]
#[case(b"{\"a\" 1}", "unexpected '1' at byte 5")]
#[case(b"{\"a\":1,}", "unexpected '}' at byte 7")]
#[case(b"{a: 1}", "unexpected 'a' at byte 1")]
#[case(b"{1: 1}", "unexpected '1' at byte 1")]
#[case(b"\"\t\"", "unexpected '\\t' at byte 1")]
#[case(b"\"abcdefghijk\x1f\"", "unexpected '\\u{1f}' at byte 12")]
#[case(b"\"\\x\"", "unexpected 'x' at byte 2")]
#[case(b"\"\\'\"", "unexpected '\\'' at byte 2")]
#[case(b"\"\\u12g4\"", "unexpected 'g' at byte 5")]
#[case(b"\"\\ud83d\\u12\"", "unexpected '\"' at byte 11")]
#[case(b"\"abc", "unexpected end of the document")]
#[case(b"\"abc\\", "unexpected end of the document")]
#[case(b"nul", "unexpected end of the document")]
#[case(b"nulL", "unexpected 'L' at byte 3")]
#[case(b"True", "unexpected 'T' at byte 0")]
#[case(b"'a'", "unexpected '\\'' at byte 0")]
#[case(b"// x\n1", "unexpected '/' at byte 0")]
#[case(b"\xef\xbb\xbf1", "unexpected 'ï' at byte 0")]
#[case(b"1\xc2\xa0", "unexpected 'Â' at byte 1")]
#[case(b"1 2", "unexpected '2' at byte 2")]
#[case(b"{}}", "unexpected '}' at byte 2")]
fn refuses(#[case] text: &[u8], #[case] expected: &str) {
    for access in [Access::All, Access::default(), each(Access::default())] {
        let fault = read_parts(text, &access).map_err(|fault| fault.to_string());
        assert_eq!(fault, Err(expected.to_owned()), "{access:?}");
    }
    // As a member that nobody looks at, before one that somebody does.
    let member = [b"{\"skipped\":", text, b",\"a\":1}"].concat();
    let access = parts([("a", Access::All)]);
    assert!(read_parts(&member, &access).is_err());
}

#[test]
fn refuses_what_is_too_deep() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let text = |depth: usize| open.repeat(depth) + "1" + &close.repeat(depth);
        for access in [
            Access::All,
            Access::default(),
            each(each(Access::default())),
        ] {
            assert!(read_parts(text(128).as_bytes(), &access).is_ok());
            let fault = read_parts(text(129).as_bytes(), &access);
            assert_eq!(fault, Err(Fault::Depth));
        }
    }
}

/// OPA has a limit, too, that is higher: 1e30102 is a number there, and 1e30103 none.
#[test]
fn numbers_have_a_limit_wherever_they_are() {
    for access in [Access::All, Access::default(), parts([("b", Access::All)])] {
        let read = |number: &str| read_parts(format!(r#"{{"a": {number}}}"#).as_bytes(), &access);
        let fraction = format!("1.{}1", "0".repeat(2_046));
        for number in ["1e400", "1e-4095", &"1".repeat(4096), &fraction] {
            assert!(read(number).is_ok());
        }
        for number in [
            "1e4096",
            "-1E+4096",
            "1e99999999999999999999",
            &"1".repeat(4097),
            &format!("1.{}1", "0".repeat(2_047)),
        ] {
            assert_eq!(read(number), Err(Fault::Digits { at: 6 }), "{number}");
        }
    }
}

/// Six bytes that become a kilobyte, again and again.
#[test]
fn numbers_have_a_limit_together() {
    let text = |count: usize| format!("[{}1]", "1e4000,".repeat(count));
    for access in [Access::All, Access::default()] {
        assert!(read_parts(text(250).as_bytes(), &access).is_ok());
        assert_eq!(
            read_parts(text(300).as_bytes(), &access),
            Err(Fault::Noughts)
        );
    }
}

/// What is shared between keys is only that they are equal.
#[test]
fn keys_with_the_same_hash_are_kept_apart() {
    let names = ["ab", "axb", "bab", "a", "b", "kind", "kand"];
    let members: Vec<String> = names.iter().map(|name| format!("{name:?}: 1")).collect();
    let text = format!("[{{{0}}}, {{{0}}}]", members.join(", "));
    let value = read(&text).expect("JSON");
    for object in elements(&value).expect("an array") {
        for name in names {
            assert!(super::super::get(object, &Value::from(name)).is_some());
        }
    }
}

#[rstest]
#[case(parts([]), "{}")]
#[case(parts([("a", Access::All)]), r#"{"a": [1, {"x": "y"}]}"#)]
#[case(parts([("a", Access::default())]), r#"{"a": []}"#)]
#[case(parts([("a", each(Access::default()))]), r#"{"a": [0, {}]}"#)]
#[case(parts([("a", each(parts([("x", Access::All)])))]), r#"{"a": [0, {"x": "y"}]}"#)]
#[case(each(Access::default()), r#"{"a": [], "b": "", "c": true, "d": null}"#)]
fn reads_what_is_looked_at(#[case] access: Access, #[case] expected: &str) {
    let text = br#"{"a": [1, {"x": "y"}], "b": "text", "c": false, "d": null}"#;
    let value = read_parts(text, &access).map(|value| literal(&value));
    assert_eq!(value, Ok(expected.to_owned()));
}

/// A decimal has elements within, and no elements.
#[rstest]
#[case("0.10")]
#[case("0.33333333333333333334")]
#[case("22222222222.2199999999")]
fn of_a_number_the_type_is_left(#[case] text: &str) {
    let nothing = Access::default();
    let whole = read(text).expect("JSON");
    let part = read_parts(text.as_bytes(), &nothing).expect("JSON");
    assert_eq!(part, nothing.prune(&whole));
}

fn parts<const N: usize>(keys: [(&str, Access); N]) -> Access {
    let keys = keys.map(|(key, access)| (key.into(), access)).into();
    Access::Parts { keys, each: None }
}

fn each(access: Access) -> Access {
    Access::Parts {
        keys: BTreeMap::new(),
        each: Some(Box::new(access)),
    }
}

/// Few keys, so that documents and accesses meet and keys come twice; one of them escaped.
fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&["a", "b", "c", "\\u0061", "longer than a remembered key"][..])
}

fn document() -> impl Strategy<Value = String> {
    let string = any::<String>().prop_map(|text| serde_json::Value::from(text).to_string());
    let number = any::<i32>().prop_map(|number| (f64::from(number) / 8.0).to_string());
    let leaf = prop_oneof![
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("null".to_owned()),
        Just(r#""\ud800\"""#.to_owned()),
        string,
        number,
        any::<i64>().prop_map(|number| number.to_string()),
    ];
    leaf.prop_recursive(5, 60, 6, |below| {
        let member = (key(), below.clone());
        let object = collection::vec(member, 0..6).prop_map(|members| {
            let members: Vec<String> = members
                .iter()
                .map(|(key, value)| format!("\"{key}\" : {value}"))
                .collect();
            format!("{{{}}}", members.join(" ,"))
        });
        let array = collection::vec(below, 0..6);
        prop_oneof![
            array.prop_map(|all| format!("[ {}]", all.join(","))),
            object
        ]
    })
}

fn access() -> impl Strategy<Value = Access> {
    let leaf = prop_oneof![Just(Access::All), Just(Access::default())];
    leaf.prop_recursive(5, 30, 4, |below| {
        let key = prop::sample::select(&["a", "b", "c"][..]).prop_map(Box::from);
        let keys = collection::btree_map(key, below.clone(), 0..4);
        (keys, option::of(below.prop_map(Box::new)))
            .prop_map(|(keys, each)| Access::Parts { keys, each })
    })
}

proptest! {
    /// Short fractions are read by another way than long ones.
    #[test]
    fn fractions_are_exact(text in "-?[0-9]{1,9}[.][0-9]{1,9}") {
        let exact = Decimal::parse(&text).and_then(Decimal::into_value);
        let read = number::parse(&text);
        prop_assert!(read.is_some());
        prop_assert_eq!(&read, &exact);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_part_is_what_the_whole_has_of_it(text in document(), access in access()) {
        let whole = read(&text).map_err(TestCaseError::fail)?;
        let part = read_parts(text.as_bytes(), &access);
        let part = part.map_err(|fault| TestCaseError::fail(fault.to_string()))?;
        prop_assert_eq!(&part, &access.prune(&whole));
    }

    #[test]
    fn agrees_with_serde(text in document()) {
        // Of half a pair, serde makes an error.
        let text = text.replace("\\ud800", "");
        let expected: serde_json::Value = serde_json::from_str(&text)?;
        let whole = read(&text).map_err(TestCaseError::fail)?;
        prop_assert_eq!(whole, from_serde(&expected));
    }

    /// A byte that is put elsewhere, or another in its place, is a fault for all readers or none.
    #[test]
    fn faults_do_not_depend_on_what_is_read(
        text in document(),
        access in access(),
        at in any::<prop::sample::Index>(),
        byte in prop::sample::select(&b"\"\\{}[],: 0e-.x\xff\x1f"[..]),
    ) {
        let mut text = text.into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        let whole = read_parts(&text, &Access::All);
        let part = read_parts(&text, &access);
        prop_assert_eq!(whole.err(), part.err());
    }

    #[test]
    fn garbage_is_a_fault(text: Vec<u8>, access in access()) {
        let whole = read_parts(&text, &Access::All);
        let part = read_parts(&text, &access);
        prop_assert_eq!(whole.err(), part.err());
    }
}
