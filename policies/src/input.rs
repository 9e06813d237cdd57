//! What is asked: the door, the document, and the request that carries it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::Serialize;

use crate::{Document, Labels, Tool, rego::value::Value};

/// The door at which a decision is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Point {
    /// The API server asks about a request of its own.
    Admission,
    /// A service asks about whatever it likes.
    Evaluation,
}

/// What a policy is asked about.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// An `AdmissionRequest`, the value of `request` in an `AdmissionReview`. Policies read it as
    /// `input.request`, and as `input.review` the way Gatekeeper's templates do.
    Admission(Document),
    /// Any document; `None` is an undefined `input`.
    Evaluation(Option<Document>),
}

/// Request headers, with canonical names (`X-Location`) and the first value of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(BTreeMap<String, String>);

/// The request around an input.
#[derive(Clone, Debug)]
pub struct Request {
    /// The decision's id.
    pub id: Arc<str>,
    /// The request's clock: one value for the whole evaluation.
    pub now: Timestamp,
    /// The request's headers, as policies read them.
    pub headers: Arc<Headers>,
    /// Time that is left for this evaluation; a policy's own limit may be shorter.
    pub budget: Duration,
    /// At admission the labels of the request's namespace, where they are known.
    pub namespace: Option<Arc<Labels>>,
    /// What asks in the API server's place, if something does.
    pub tool: Option<Tool>,
    /// Whether a builtin function's error is one of the evaluation, instead of undefined.
    pub strict: bool,
}

impl Input {
    /// The door that this kind of document comes through.
    pub fn point(&self) -> Point {
        match self {
            Self::Admission(_) => Point::Admission,
            Self::Evaluation(_) => Point::Evaluation,
        }
    }

    /// The `input` document of a policy with these parameters. A caller never overrides a
    /// policy's parameters.
    pub(crate) fn document(&self, parameters: &Value) -> Value {
        match self {
            Self::Admission(request) => {
                let mut document = Value::new_object();
                insert(&mut document, "request", request.value().clone());
                insert(&mut document, "review", request.value().clone());
                insert(&mut document, "parameters", parameters.clone());
                document
            }
            Self::Evaluation(body) => {
                let mut document = body
                    .as_ref()
                    .map_or(Value::Undefined, |body| body.value().clone());
                if parameters
                    .as_object()
                    .is_ok_and(|object| !object.is_empty())
                {
                    if document == Value::Undefined {
                        document = Value::new_object();
                    }
                    insert(&mut document, "parameters", parameters.clone());
                }
                document
            }
        }
    }
}

impl Headers {
    /// Reads headers in the order in which they came.
    pub fn new<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut first = BTreeMap::new();
        for (name, value) in headers {
            first
                .entry(canonical(name))
                .or_insert_with(|| value.to_owned());
        }
        Self(first)
    }

    /// The first value of a header, or the empty string where there is none.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(&canonical(name)).map_or("", String::as_str)
    }

    /// Bytes of all names and values.
    pub fn bytes(&self) -> usize {
        let texts = self.0.iter().map(|(name, value)| name.len() + value.len());
        texts.sum()
    }

    /// The headers with `text` as the value of those that `is_named`, and the values that they had;
    /// `None` where none is.
    pub(crate) fn replace(
        &self,
        is_named: impl Fn(&str) -> bool,
        text: &str,
    ) -> Option<(Self, Vec<String>)> {
        let mut replaced = Vec::new();
        let mut headers = self.0.clone();
        for (_, value) in headers.iter_mut().filter(|(name, _)| is_named(name)) {
            replaced.push(std::mem::replace(value, text.to_owned()));
        }
        (!replaced.is_empty()).then_some((Self(headers), replaced))
    }
}

/// `x-location` as `X-Location`.
fn canonical(name: &str) -> String {
    let mut upper = true;
    name.chars()
        .map(|c| {
            let cased = if upper {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            };
            upper = c == '-';
            cased
        })
        .collect()
}

/// Sets a member where the document is an object; anything else stays as it is.
fn insert(document: &mut Value, key: &str, value: Value) {
    if let Ok(object) = document.as_object_mut() {
        object.insert(Value::from(key), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn document(json: &str) -> Document {
        Document::read(json).unwrap()
    }

    #[rstest]
    #[case(Some("{\"a\":1}"), "{}", "{\"a\":1}")]
    #[case(Some("{\"a\":1}"), "{\"p\":2}", "{\"a\":1,\"parameters\":{\"p\":2}}")]
    #[case(
        Some("{\"parameters\":{\"p\":3}}"),
        "{\"p\":2}",
        "{\"parameters\":{\"p\":2}}"
    )]
    #[case(None, "{\"p\":2}", "{\"parameters\":{\"p\":2}}")]
    #[case(Some("[1]"), "{\"p\":2}", "[1]")]
    #[case(Some("null"), "{}", "null")]
    fn evaluation_reads_the_body_and_the_policys_own_parameters(
        #[case] body: Option<&str>,
        #[case] parameters: &str,
        #[case] expected: &str,
    ) {
        let found = Input::Evaluation(body.map(document)).document(document(parameters).value());
        assert_eq!(&found, document(expected).value());
    }

    #[test]
    fn absent_body_is_an_undefined_input() {
        assert_eq!(
            Input::Evaluation(None).document(document("{}").value()),
            Value::Undefined
        );
    }

    #[test]
    fn admission_reads_the_request_under_both_names() {
        let input = Input::Admission(document("{\"uid\":\"1\"}"));
        let found = input.document(document("{\"p\":2}").value());
        let expected =
            "{\"request\":{\"uid\":\"1\"},\"review\":{\"uid\":\"1\"},\"parameters\":{\"p\":2}}";
        assert_eq!(&found, document(expected).value());
    }

    #[test]
    fn headers_have_canonical_names_and_the_first_value() {
        let headers = Headers::new([("x-location", "here"), ("X-LOCATION", "there")]);
        assert_eq!(headers.get("X-Location"), "here");
        assert_eq!(headers.get("x-LOCATION"), "here");
        assert_eq!(headers.get("Accept"), "");
    }
}
