//! Documents at their places.

use rstest::rstest;

use super::super::Base;
use crate::Document;

#[track_caller]
fn put(parts: &[(&str, &str)]) -> String {
    let mut base = Base::default();
    for (place, document) in parts {
        let place: Vec<String> = place.split('.').map(str::to_owned).collect();
        let place = if place == [""] { &[][..] } else { &place };
        if let Err(overlap) = base.put(place, &Document::read(document).unwrap()) {
            return overlap.to_string();
        }
    }
    base.document().to_string()
}

#[rstest]
#[case(&[("", r#"{"a": {"b": 1}}"#), ("a", r#"{"c": 2}"#)], r#"{"a":{"b":1,"c":2}}"#)]
#[case(&[("a.b", "[1]"), ("", r#"{"x": 1}"#)], r#"{"a":{"b":[1]},"x":1}"#)]
#[case(&[("", "[1]")], "document must be of type object")]
#[case(&[("a", "{}"), ("a", "{}")], r#"{"a":{}}"#)]
#[case(&[("a", r#"{"b": 1}"#), ("a", r#"{"b": 1}"#)], "conflicting values at data.a.b")]
#[case(&[("a", "1"), ("a.b", "1")], "conflicting values at data.a")]
#[case(&[("a.b", "1"), ("", r#"{"a": 1}"#)], "conflicting values at data.a")]
fn documents_lie_beside_each_other(#[case] parts: &[(&str, &str)], #[case] expected: &str) {
    assert_eq!(put(parts), expected);
}

#[test]
fn what_overlaps_leaves_nothing() {
    let mut base = Base::default();
    let document = |text| Document::read(text).unwrap();
    base.put(&[], &document(r#"{"a": {"b": 1}}"#)).unwrap();
    let other = document(r#"{"a": {"a": 2, "b": 2}}"#);
    base.put(&[], &other).unwrap_err();
    assert_eq!(base.document().to_string(), r#"{"a":{"b":1}}"#);
}

#[test]
fn places_are_taken_away_and_found() {
    let mut base = Base::default();
    let document = Document::read(r#"{"a": {"b": 1, "c": {"d": 2}}, "e": 3}"#).unwrap();
    base.put(&[], &document).unwrap();
    let path = |text: &str| -> Vec<String> { text.split('.').map(str::to_owned).collect() };
    let outside = base.find_outside(&|place| place.starts_with(&path("a.c")));
    assert_eq!(outside, Some(path("a.b")));
    base.remove(&path("a.b"));
    base.remove(&path("no.such"));
    base.remove(&path("e.f"));
    let outside = base.find_outside(&|place| place.starts_with(&path("a.c")));
    assert_eq!(outside, Some(path("e")));
    base.remove(&path("e"));
    assert_eq!(
        base.find_outside(&|place| place.starts_with(&path("a.c"))),
        None
    );
    base.remove(&[]);
    assert_eq!(base.document().to_string(), "{}");
}
