//! What is not kept of what is judged: the values of Secrets, and what is called like a credential.
//!
//! A remembered input is shown to people who may read decisions, and these are others than those who
//! may read the Secrets of a namespace. So what is secret is replaced before it is kept, and nothing
//! can be put back.

use std::{cell::RefCell, fmt};

use crate::{
    Document, Headers, Input,
    rego::{
        builtins,
        value::{self, Value},
    },
    text,
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

/// Shortest text that is looked for in what a policy says: shorter ones stand in any sentence.
const MIN_QUOTED: usize = 4;

/// Characters of a text that are looked for: so many are no accident, and a message may have cut the
/// rest.
const QUOTED: usize = 64;

/// Texts that are looked for. Where more were replaced, what the policy says is not kept.
const MAX_QUOTED: usize = 512;

/// What is replaced before something is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redaction {
    /// Names of fields that an administrator gives.
    names: Vec<String>,
}

/// What may be kept, and what is missing in it.
#[derive(Clone, PartialEq)]
pub struct Redacted<T> {
    /// What may be kept.
    pub kept: T,
    /// The beginnings of the texts in whose place the placeholder stands.
    hidden: Vec<String>,
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
    pub fn apply(&self, input: &Input, is_secret: bool) -> Option<Redacted<Input>> {
        let hider = Hider::default();
        let kept = match input {
            Input::Admission(request) => {
                let named = hider.redact(request.value(), &|name| self.names(name));
                let request = named.as_ref().unwrap_or(request.value());
                let secret = is_secret.then(|| hider.secret(request)).flatten();
                Input::Admission(Document::new(secret.or(named)?))
            }
            Input::Evaluation(body) => {
                let is_hidden =
                    |name: &str| self.names(name) || CREDENTIALS.contains(&plain(name).as_str());
                let kept = hider.redact(body.as_ref()?.value(), &is_hidden)?;
                Input::Evaluation(Some(Document::new(kept)))
            }
        };
        Some(hider.redacted(kept))
    }

    /// The headers as they may be kept; `None` where nothing in them is to be replaced.
    pub fn apply_to_headers(&self, headers: &Headers) -> Option<Redacted<Headers>> {
        let is_hidden = |name: &str| {
            let plain = plain(name);
            self.names(name) || CREDENTIAL_HEADERS.iter().any(|part| plain.contains(part))
        };
        let (kept, values) = headers.replace(is_hidden, REDACTED)?;
        let hider = Hider::default();
        // A token stands behind its scheme.
        for word in values.iter().flat_map(|value| value.split_whitespace()) {
            hider.note(word);
        }
        Some(hider.redacted(kept))
    }

    fn names(&self, name: &str) -> bool {
        !self.names.is_empty() && self.names.contains(&plain(name))
    }
}

impl<T> Redacted<T> {
    /// The beginnings of the texts that were replaced, as they are and as base64 holds them.
    pub fn hidden(&self) -> &[String] {
        &self.hidden
    }
}

/// Shows no secret.
impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Redacted")
            .field("hidden", &self.hidden.len())
            .finish_non_exhaustive()
    }
}

/// A sentence of a policy without the texts that were replaced elsewhere; nothing of it where that has
/// the beginning of a long one.
pub fn without(sentence: &str, hidden: &[String]) -> String {
    let is_long = |text: &&String| text.chars().nth(QUOTED - 1).is_some();
    let quotes_long = || {
        hidden
            .iter()
            .filter(is_long)
            .any(|text| sentence.contains(&**text))
    };
    if hidden.len() > MAX_QUOTED || quotes_long() {
        return REDACTED.to_owned();
    }
    let kept = sentence.to_owned();
    hidden
        .iter()
        .fold(kept, |kept, text| kept.replace(&**text, REDACTED))
}

/// A name without what people write differently: `API_Key` is `apikey`.
fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '-' | '_'))
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// Replaces, and notes what.
#[derive(Default)]
struct Hider {
    hidden: RefCell<Vec<String>>,
}

impl Hider {
    fn redacted<T>(self, kept: T) -> Redacted<T> {
        Redacted {
            kept,
            hidden: self.hidden.into_inner(),
        }
    }

    /// The request without the values of the Secrets in it.
    fn secret(&self, request: &Value) -> Option<Value> {
        change_members(request, &|name, object| match name {
            "object" | "oldObject" => change_members(object, &|name, member| match name {
                _ if SECRET_FIELDS.contains(&name) => self.hide(member),
                "metadata" => change_members(member, &|name, annotations| {
                    (name == "annotations").then(|| self.hide(annotations))?
                }),
                _ => None,
            }),
            _ => None,
        })
    }

    /// The value without those of the fields that `is_hidden` names.
    fn redact(&self, value: &Value, is_hidden: &dyn Fn(&str) -> bool) -> Option<Value> {
        match value::elements(value) {
            Some(elements) => change_elements(elements, &|element| self.redact(element, is_hidden)),
            None => change_members(value, &|name, member| {
                if is_hidden(name) {
                    self.hide(member)
                } else {
                    self.redact(member, is_hidden)
                }
            }),
        }
    }

    /// The value with the placeholder in the place of each text, number and boolean. What is there,
    /// and what its members are called, stays.
    fn hide(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Null | Value::Undefined => None,
            Value::Object(_) => change_members(value, &|_, member| self.hide(member)),
            _ => match value::elements(value) {
                Some(elements) => change_elements(elements, &|element| self.hide(element)),
                None => Some(self.placeholder(value)),
            },
        }
    }

    fn placeholder(&self, value: &Value) -> Value {
        if let Value::String(text) = value {
            self.note(text);
            self.note(&builtins::read_base64(text).unwrap_or_default());
        }
        Value::from(REDACTED)
    }

    /// Notes the beginning of a text, as a message has it, and one more than are looked for at most.
    fn note(&self, text: &str) {
        let beginning: String = text::clean(text).chars().take(QUOTED).collect();
        let mut hidden = self.hidden.borrow_mut();
        if beginning.len() >= MIN_QUOTED && hidden.len() <= MAX_QUOTED {
            hidden.push(beginning);
        }
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
}
