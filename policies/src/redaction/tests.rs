//! What is replaced, and what of it is told.

use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn document(json: &str) -> Document {
    Document::read(json).unwrap()
}

fn text(redacted: &Redacted<Input>) -> String {
    match &redacted.kept {
        Input::Admission(request) => request.to_string(),
        Input::Evaluation(body) => body.as_ref().unwrap().to_string(),
    }
}

#[rstest]
#[case::data(
    r#"{"object":{"data":{"a":"s3cret"},"kind":"Secret"}}"#,
    Some(r#"{"object":{"data":{"a":"REDACTED"},"kind":"Secret"}}"#)
)]
#[case::text(
    r#"{"oldObject":{"stringData":{"a":"s3cret","b":null}}}"#,
    Some(r#"{"oldObject":{"stringData":{"a":"REDACTED","b":null}}}"#)
)]
#[case::of_another_type(
    r#"{"object":{"data":"s3cret"},"oldObject":null}"#,
    Some(r#"{"object":{"data":"REDACTED"},"oldObject":null}"#)
)]
#[case::applied(r#"{"object":{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"s3cret"},"name":"a"}}}"#, Some(r#"{"object":{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"REDACTED"},"name":"a"}}}"#))]
#[case::nested(
    r#"{"object":{"data":{"a":[1,{"b":true}]}}}"#,
    Some(r#"{"object":{"data":{"a":["REDACTED",{"b":"REDACTED"}]}}}"#)
)]
#[case::nothing(r#"{"object":{"data":{},"metadata":{"labels":{"a":"b"}}}}"#, None)]
#[case::elsewhere(r#"{"userInfo":{"data":"a"},"object":null}"#, None)]
fn secrets_lose_their_values(#[case] request: &str, #[case] expected: Option<&str>) {
    let input = Input::Admission(document(request));
    let redacted = Redaction::default().apply(&input, true);
    assert_eq!(redacted.as_ref().map(text).as_deref(), expected);
    assert_eq!(Redaction::default().apply(&input, false), None);
}

#[rstest]
#[case::body(
    r#"{"Access_Token":"s3cret","a":[{"password":"s3cret"}],"b":1}"#,
    Some(r#"{"Access_Token":"REDACTED","a":[{"password":"REDACTED"}],"b":1}"#)
)]
#[case::document(
    r#"{"token":{"sub":"s3cret"}}"#,
    Some(r#"{"token":{"sub":"REDACTED"}}"#)
)]
#[case::none(r#"{"tokenizer":"a","passwords":2}"#, None)]
fn services_lose_their_credentials(#[case] body: &str, #[case] expected: Option<&str>) {
    let input = Input::Evaluation(Some(document(body)));
    let redacted = Redaction::default().apply(&input, false);
    assert_eq!(redacted.as_ref().map(text).as_deref(), expected);
}

#[rstest]
#[case::headers(
    r#"{"http":{"headers":{"set-cookie":"s3cret","x-api-key":["s3cret"],"accept":"*","auth":{"a":"b"}}}}"#,
    r#"{"http":{"headers":{"accept":"*","auth":{"a":"REDACTED"},"set-cookie":"REDACTED","x-api-key":["REDACTED"]}}}"#
)]
#[case::scheme(
    r#"{"a":["bearer s3cret","Basic x"],"b":"basic"}"#,
    r#"{"a":["REDACTED","REDACTED"],"b":"basic"}"#
)]
#[case::signed(
    r#"{"a":"eyJhbGciOi.e30.sig-_","b":"eyJ.b"}"#,
    r#"{"a":"REDACTED","b":"eyJ.b"}"#
)]
#[case::secret(
    r#"{"items":[{"apiVersion":"v1","kind":"Secret","data":{"a":"x"},"metadata":{"annotations":{"b":"x"},"name":"c"}}]}"#,
    r#"{"items":[{"apiVersion":"v1","data":{"a":"REDACTED"},"kind":"Secret","metadata":{"annotations":{"b":"REDACTED"},"name":"c"}}]}"#
)]
#[case::alone(r#""eyJhbGciOi.e30.sig""#, r#""REDACTED""#)]
fn credentials_are_known_by_where_they_stand_and_by_their_looks(
    #[case] body: &str,
    #[case] expected: &str,
) {
    let input = Input::Evaluation(Some(document(body)));
    let redacted = Redaction::default().apply(&input, false).unwrap();
    assert_eq!(text(&redacted), expected);
}

#[test]
fn what_was_replaced_has_a_path() {
    let before =
        document(r#"{"a":[1,{"token":"s3cret"}],"password":{"b c":1,"d":null},"x":"REDACTED"}"#);
    let input = Input::Evaluation(Some(before.clone()));
    let redacted = Redaction::default().apply(&input, false).unwrap();
    let Input::Evaluation(Some(kept)) = &redacted.kept else {
        panic!("{redacted:?}");
    };
    let paths = ["/input/a/1/token", "/input/password/b%20c"];
    assert_eq!(replaced("/input", &before, kept), paths);
    assert_eq!(replaced("/input", &before, &before), [""; 0]);
}

#[test]
fn a_result_quotes_nothing_that_is_hidden() {
    let input = document(r#"{"password":"s3cret","secret":123456}"#);
    let input = Input::Evaluation(Some(input));
    let redacted = Redaction::default().apply(&input, false).unwrap();
    let result = document(r#"{"s3cret":[1,"is s3cret"],"pin":123456,"ok":true,"of":12}"#);
    assert_eq!(
        redacted.clean(&result).to_string(),
        r#"{"REDACTED":[1,"is REDACTED"],"of":12,"ok":true,"pin":"REDACTED"}"#
    );
}

#[test]
fn an_administrator_names_more() {
    let redaction = Redaction::of(["encrypted-data", ""]);
    let input = Input::Admission(document(
        r#"{"object":{"spec":{"encryptedData":{"a":"x"}}}}"#,
    ));
    assert_eq!(
        redaction.apply(&input, false).as_ref().map(text).as_deref(),
        Some(r#"{"object":{"spec":{"encryptedData":{"a":"REDACTED"}}}}"#)
    );
    let both = Input::Admission(document(
        r#"{"object":{"data":{"a":"x"},"encryptedData":1}}"#,
    ));
    assert_eq!(
        redaction.apply(&both, true).as_ref().map(text).as_deref(),
        Some(r#"{"object":{"data":{"a":"REDACTED"},"encryptedData":"REDACTED"}}"#)
    );
}

#[test]
fn headers_lose_their_credentials() {
    let headers = Headers::new([
        ("authorization", "Bearer s3cret"),
        ("x-api-key", "s3cret"),
        ("x-location", "here"),
    ]);
    let redacted = Redaction::default().apply_to_headers(&headers).unwrap();
    assert_eq!(redacted.kept.get("Authorization"), REDACTED);
    assert_eq!(redacted.kept.get("X-Api-Key"), REDACTED);
    assert_eq!(redacted.kept.get("X-Location"), "here");
    assert_eq!(redacted.hidden(), ["Bearer", "s3cret", "s3cret"]);
    let plain = Headers::new([("x-location", "here")]);
    assert_eq!(Redaction::default().apply_to_headers(&plain), None);
}

#[rstest]
#[case("the password s3cret is weak", &["s3cret"], "the password REDACTED is weak")]
#[case("the password s3cret is weak", &["czNjcmV0"], "the password REDACTED is weak")]
#[case("found czNjcmV0", &["czNjcmV0"], "found REDACTED")]
#[case("two lines", &["two\nlines"], "REDACTED")]
#[case("a is no password", &["a"], "a is no password")]
#[case("found xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…", &["xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"], "REDACTED")]
#[case("nothing", &[], "nothing")]
fn a_sentence_quotes_nothing_that_is_hidden(
    #[case] sentence: &str,
    #[case] hidden: &[&str],
    #[case] expected: &str,
) {
    let hider = Hider::default();
    for text in hidden {
        hider.hide(&Value::from(*text));
    }
    assert_eq!(without(sentence, hider.redacted(()).hidden()), expected);
}

#[test]
fn of_too_many_values_no_sentence_is_kept() {
    let members: Vec<String> = (0..1_000)
        .map(|n| format!("\"k{n}\":\"value{n}\""))
        .collect();
    let request = format!(r#"{{"object":{{"data":{{{}}}}}}}"#, members.join(","));
    let input = Input::Admission(document(&request));
    let redacted = Redaction::default().apply(&input, true).unwrap();
    assert_eq!(redacted.hidden().len(), MAX_QUOTED + 1);
    assert_eq!(without("value999 is weak", redacted.hidden()), REDACTED);
}

proptest! {
    /// Whatever stands in the data of a Secret, no text of it is left.
    #[test]
    fn no_value_is_left(keys in proptest::collection::vec("[a-z]{1,3}", 0..4), depth in 0_usize..4) {
        let mut data = format!("\"{}\"", "s3cret");
        for _ in 0..depth {
            data = format!("[{data},{{\"k\":{data}}}]");
        }
        let members: Vec<String> = keys.iter().map(|key| format!("\"{key}\":{data}")).collect();
        let data = members.join(",");
        let request = format!(
            r#"{{"object":{{"data":{{{data}}}}},"oldObject":{{"stringData":{{{data}}},"metadata":{{"annotations":{{{data}}}}}}}}}"#
        );
        let input = Input::Admission(document(&request));
        let redacted = Redaction::default().apply(&input, true);
        prop_assert_eq!(redacted.is_none(), keys.is_empty());
        prop_assert!(redacted.is_none_or(|redacted| !text(&redacted).contains("s3cret")));
    }
}

#[test]
fn a_secret_within_another_object_loses_its_values() {
    let input = Input::Admission(document(
        r#"{"object":{"kind":"Template","objects":[{"apiVersion":"v1","kind":"Secret","stringData":{"a":"x"}}]}}"#,
    ));
    let redacted = Redaction::default().apply(&input, false).unwrap();
    assert_eq!(
        text(&redacted),
        r#"{"object":{"kind":"Template","objects":[{"apiVersion":"v1","kind":"Secret","stringData":{"a":"REDACTED"}}]}}"#
    );
}
