//! Objects that parameters and data are taken of, and the texts of a Secret.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use portcullis_policies::{
    Labels, Parameter, ParameterKey, ParameterKind,
    sources::{DOCUMENT, FAILURE},
};
use serde_json::{Map, Value as Json, json};

/// What such an object says: what the API server has of it, without metadata and status.
pub fn parameter(key: ParameterKey, labels: Labels, mut content: Map<String, Json>) -> Parameter {
    content.remove("metadata");
    let status = content.remove("status");
    if key.kind == ParameterKind::fetched_document() {
        content = fetched(&content, status.as_ref());
    }
    if key.kind == ParameterKind::secret() {
        content = secret_texts(content);
    }
    Parameter {
        key,
        labels,
        content,
    }
}

/// What was fetched, as a `ConfigMap` would have it. Why nothing was is said where there is nothing, so
/// that a server that is away changes nothing for policies that have its last good answer.
fn fetched<'a>(content: &'a Map<String, Json>, status: Option<&'a Json>) -> Map<String, Json> {
    let said = |object: Option<&'a Json>, field| {
        object
            .and_then(|object| object.get(field))
            .filter(|value| value.is_string())
    };
    let document = said(content.get("spec"), "document");
    let failure = said(status, "failure");
    let (field, value) = match (document, failure) {
        (Some(document), _) => ("data", json!({DOCUMENT: document})),
        (None, Some(failure)) => (FAILURE, failure.clone()),
        (None, None) => return Map::new(),
    };
    Map::from_iter([(field.to_owned(), value)])
}

/// A Secret whose `data` has the texts themselves, as that of a `ConfigMap` has: those of `data`, and
/// over them those of `stringData`, as the API server joins them. What is no text is left out, because
/// no document can be read of it.
fn secret_texts(mut content: Map<String, Json>) -> Map<String, Json> {
    let mut take = |field: &str| match content.remove(field) {
        Some(Json::Object(members)) => members,
        _ => Map::new(),
    };
    let (encoded, plain) = (take("data"), take("stringData"));
    let decode = |value: &Json| {
        let bytes = BASE64_STANDARD.decode(value.as_str()?).ok()?;
        String::from_utf8(bytes).ok()
    };
    let decoded = encoded.into_iter();
    let decoded = decoded.filter_map(|(key, value)| Some((key, Json::String(decode(&value)?))));
    let texts: Map<String, Json> = decoded.chain(plain).collect();
    content.insert("data".to_owned(), Json::Object(texts));
    content
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::an_answer(json!({"document": "1"}), json!({"fetched": "…"}), json!({"data": {"document": "1"}}))]
    #[case::a_good_one_stays(
        json!({"document": "1"}),
        json!({"failure": "away"}),
        json!({"data": {"document": "1"}})
    )]
    #[case::none_so_far(json!({"url": "u"}), json!({"failure": "away"}), json!({"failure": "away"}))]
    #[case::not_tried(json!({"url": "u"}), Json::Null, json!({}))]
    fn what_was_fetched_is_read_as_a_config_map(
        #[case] spec: Json,
        #[case] status: Json,
        #[case] expected: Json,
    ) {
        let key = ParameterKey {
            kind: ParameterKind::fetched_document(),
            namespace: None,
            name: "data-1".to_owned(),
        };
        let content = json!({"spec": spec, "status": status, "metadata": {"name": "data-1"}});
        let content = content.as_object().cloned().unwrap();
        let read = parameter(key, Labels::new(), content);
        assert_eq!(Json::Object(read.content), expected);
    }

    #[test]
    fn texts_are_decoded_and_joined() {
        let content = json!({
            "data": {"a": "eyJ4IjogMX0=", "b": "/w==", "c": "?", "d": "MQ=="},
            "stringData": {"d": "2"},
            "type": "Opaque",
        });
        let read = secret_texts(content.as_object().cloned().unwrap());
        let expected = json!({"data": {"a": "{\"x\": 1}", "d": "2"}, "type": "Opaque"});
        assert_eq!(Json::Object(read), expected);
    }
}
