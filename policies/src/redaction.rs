//! What is not kept of what is judged: the values of Secrets, and what is called like a credential.
//!
//! A remembered input is shown to people who may read decisions, and these are others than those who
//! may read the Secrets of a namespace. So what is secret is replaced before it is kept, and nothing
//! can be put back.

use crate::{
    Document, Headers, Input,
    rego::value::{self, Value},
};

/// Stands where a value was.
pub const REDACTED: &str = "REDACTED";

/// Names of fields that hold credentials in what services ask about, as [`plain`] writes them.
/// Objects of the API server have fields of these names that hold none (`secret` of a volume), so
/// there they mean nothing.
const CREDENTIALS: [&str; 21] = [
    "accesstoken",
    "apikey",
    "assertion",
    "authorization",
    "clientassertion",
    "clientsecret",
    "cookie",
    "credential",
    "credentials",
    "idtoken",
    "jwt",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "refreshtoken",
    "secret",
    "secretkey",
    "sessiontoken",
    "token",
    "tokens",
];

/// Parts of the names of headers that hold credentials: `Authorization`, `X-Api-Key`, `Set-Cookie`.
const CREDENTIAL_HEADERS: [&str; 9] = [
    "assertion",
    "auth",
    "cookie",
    "credential",
    "key",
    "password",
    "secret",
    "session",
    "token",
];

/// The fields of a Secret whose values are not kept.
const SECRET_FIELDS: [&str; 2] = ["data", "stringData"];

/// What is replaced before something is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redaction {
    /// Names of fields that an administrator gives.
    names: Vec<String>,
}

impl Redaction {
    /// Replaces the values of fields of these names, too, wherever they are. Case, `-` and `_` in a
    /// name mean nothing.
    pub fn of(names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let names = names.into_iter().map(|name| plain(name.as_ref()));
        Self {
            names: names.filter(|name| !name.is_empty()).collect(),
        }
    }

    /// The input as it may be kept; `None` where nothing in it is to be replaced.
    /// `is_secret` says that the objects of an `AdmissionRequest` are Secrets: their data and
    /// all of their annotations go, because `kubectl apply` keeps a copy of the data there.
    pub fn apply(&self, input: &Input, is_secret: bool) -> Option<Input> {
        match input {
            Input::Admission(request) => {
                let named = redact(request.value(), &|name| self.names(name));
                let request = named.as_ref().unwrap_or(request.value());
                let redacted = if is_secret { secret(request) } else { None };
                let redacted = redacted.or(named)?;
                Some(Input::Admission(Document::new(redacted)))
            }
            Input::Evaluation(body) => {
                let is_hidden =
                    |name: &str| self.names(name) || CREDENTIALS.contains(&plain(name).as_str());
                let redacted = redact(body.as_ref()?.value(), &is_hidden)?;
                Some(Input::Evaluation(Some(Document::new(redacted))))
            }
        }
    }

    /// The headers as they may be kept; `None` where nothing in them is to be replaced.
    pub fn apply_to_headers(&self, headers: &Headers) -> Option<Headers> {
        let is_hidden = |name: &str| {
            let plain = plain(name);
            self.names(name) || CREDENTIAL_HEADERS.iter().any(|part| plain.contains(part))
        };
        headers.replace(is_hidden, REDACTED)
    }

    fn names(&self, name: &str) -> bool {
        !self.names.is_empty() && self.names.contains(&plain(name))
    }
}

/// A name without what people write differently: `API_Key` is `apikey`.
fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '-' | '_'))
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// The request without the values of the Secrets in it.
fn secret(request: &Value) -> Option<Value> {
    change_members(request, &|name, object| match name {
        "object" | "oldObject" => change_members(object, &|name, member| match name {
            _ if SECRET_FIELDS.contains(&name) => hide(member),
            "metadata" => change_members(member, &|name, annotations| {
                (name == "annotations").then(|| hide(annotations))?
            }),
            _ => None,
        }),
        _ => None,
    })
}

/// The value without those of the fields that `is_hidden` names.
fn redact(value: &Value, is_hidden: &dyn Fn(&str) -> bool) -> Option<Value> {
    match value::elements(value) {
        Some(elements) => change_elements(elements, &|element| redact(element, is_hidden)),
        None => change_members(value, &|name, member| {
            if is_hidden(name) {
                hide(member)
            } else {
                redact(member, is_hidden)
            }
        }),
    }
}

/// The value with the placeholder in the place of each text, number and boolean. What is there, and
/// what its members are called, stays.
fn hide(value: &Value) -> Option<Value> {
    match value {
        Value::Null | Value::Undefined => None,
        Value::Object(_) => change_members(value, &|_, member| hide(member)),
        _ => match value::elements(value) {
            Some(elements) => change_elements(elements, &hide),
            None => Some(Value::from(REDACTED)),
        },
    }
}

/// The object with what `change` makes of its members; `None` where it changes none.
fn change_members(object: &Value, change: &dyn Fn(&str, &Value) -> Option<Value>) -> Option<Value> {
    let Value::Object(members) = object else {
        return None;
    };
    let changed: Vec<(Value, Value)> = members
        .iter()
        .filter_map(|(key, member)| {
            let name = key.as_string().ok()?;
            Some((key.clone(), change(name, member)?))
        })
        .collect();
    if changed.is_empty() {
        return None;
    }
    let mut copy = object.clone();
    let members = copy.as_object_mut().ok()?;
    for (key, member) in changed {
        members.insert(key, member);
    }
    Some(copy)
}

/// The array with what `change` makes of its elements; `None` where it changes none.
fn change_elements(elements: &[Value], change: &dyn Fn(&Value) -> Option<Value>) -> Option<Value> {
    let changed: Vec<Option<Value>> = elements.iter().map(change).collect();
    if changed.iter().all(Option::is_none) {
        return None;
    }
    let both = elements.iter().zip(changed);
    let all = both.map(|(element, changed)| changed.unwrap_or_else(|| element.clone()));
    Some(Value::from(all.collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn document(json: &str) -> Document {
        Document::read(json).unwrap()
    }

    fn text(input: &Input) -> String {
        match input {
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
        assert_eq!(redacted.get("Authorization"), REDACTED);
        assert_eq!(redacted.get("X-Api-Key"), REDACTED);
        assert_eq!(redacted.get("X-Location"), "here");
        let plain = Headers::new([("x-location", "here")]);
        assert_eq!(Redaction::default().apply_to_headers(&plain), None);
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
            let redacted = Redaction::default().apply(&input, true).unwrap_or(input);
            prop_assert!(!text(&redacted).contains("s3cret"));
        }
    }
}
