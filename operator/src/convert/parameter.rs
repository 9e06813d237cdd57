//! Objects that parameters and data are taken of, and the texts of a Secret.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use portcullis_policies::{Labels, Parameter, ParameterKey, ParameterKind};
use serde_json::{Map, Value as Json};

/// What such an object says: what the API server has of it, without metadata and status.
pub fn parameter(key: ParameterKey, labels: Labels, mut content: Map<String, Json>) -> Parameter {
    for field in ["metadata", "status"] {
        content.remove(field);
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
    use serde_json::json;

    use super::*;

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
