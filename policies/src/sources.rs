//! Data that comes from elsewhere: objects that whoever watches keeps up to date, each a document at a
//! place below `data`.
//!
//! What was found is held by the policy that was compiled with it. Whoever keeps policies asks
//! [`Policy::is_current`](crate::Policy::is_current) after a change and compiles again what is not. A
//! policy's digest says where its data comes from, and not what it is: an author who pins a policy
//! pins what they wrote.

mod http;

use std::{borrow::Cow, fmt, sync::Arc};

use serde_json::{Map, Value as Json};
use sha2::{Digest as _, Sha256};

use crate::{
    Definition, Diagnostic, Document, Parameter, ParameterKind, Selected, Selection, imports::Find,
};

pub use http::{DOCUMENT, FAILURE, HeaderValue, HttpMethod, HttpSource};

/// Most sources of one policy. Each is watched by each replica.
pub const MAX_SOURCES: usize = 16;

/// Where a part of a policy's data comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSource {
    /// The object, by its name.
    pub selection: Selection,
    /// The key whose text is the document.
    pub key: String,
    /// Where the document stands below `data`; empty for the root, where it has to be an object.
    pub path: Vec<String>,
    /// What the object was fetched from, if it was.
    pub http: Option<HttpSource>,
}

/// The sources of a policy as they were found when it was compiled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    found: Vec<Option<Selected>>,
    /// All data, what the definition says among it; `None` where it says all.
    data: Option<Map<String, Json>>,
    digest: [u8; 32],
    faults: Vec<Diagnostic>,
}

impl Sources {
    /// Looks up what a definition takes from elsewhere.
    pub(crate) fn find(definition: &Definition, find: Find<'_>) -> Self {
        let sources = &definition.data_from;
        if sources.is_empty() {
            return Self::default();
        }
        let found = sources
            .iter()
            .map(|source| find.selected(&source.selection));
        let found: Vec<_> = found.collect();
        let mut data = definition.data.clone();
        let mut faults = Vec::new();
        if sources.len() > MAX_SOURCES {
            let text = format!("`dataFrom` has more than {MAX_SOURCES} sources");
            faults.push(Diagnostic::new("data_from_limit", text).with_remedy("join some of them"));
        }
        for (source, found) in sources.iter().zip(&found) {
            let read = source.read(found.as_ref());
            let placed = read.and_then(|document| place(&mut data, source, document));
            faults.extend(placed.err().map(|fault| *fault));
        }
        let mut hash = Sha256::new();
        hash.update(serde_json::to_vec(&data).unwrap_or_default());
        Self {
            found,
            data: Some(data),
            digest: hash.finalize().into(),
            faults,
        }
    }

    /// Whether another look would find the same.
    pub(crate) fn are_current(&self, definition: &Definition, find: Find<'_>) -> bool {
        let sources = definition.data_from.iter();
        let mut looked = sources.map(|source| find.selected(&source.selection));
        self.found
            .iter()
            .all(|found| looked.next().as_ref() == Some(found))
    }

    /// All data of a definition.
    pub(crate) fn data<'a>(&'a self, definition: &'a Definition) -> &'a Map<String, Json> {
        self.data.as_ref().unwrap_or(&definition.data)
    }

    /// A definition with all of its data.
    pub(crate) fn fill<'a>(&self, definition: &'a Definition) -> Cow<'a, Definition> {
        match &self.data {
            None => Cow::Borrowed(definition),
            Some(data) => Cow::Owned(Definition {
                data: data.clone(),
                ..definition.clone()
            }),
        }
    }

    /// What is taken from elsewhere, as a number that nothing else has.
    pub(crate) fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// What could not be taken.
    pub(crate) fn faults(&self) -> &[Diagnostic] {
        &self.faults
    }
}

impl DataSource {
    /// What a server answers.
    pub fn fetched(http: HttpSource, path: Vec<String>) -> Self {
        Self {
            selection: http.selection(),
            key: DOCUMENT.to_owned(),
            path,
            http: Some(http),
        }
    }

    /// Whether it is secret what stands there.
    pub fn is_secret(&self) -> bool {
        let is_answer_to_secret = self.http.as_ref().is_some_and(HttpSource::is_secret);
        self.selection.kind == ParameterKind::secret() || is_answer_to_secret
    }

    pub(crate) fn read(&self, found: Option<&Selected>) -> Result<Json, Box<Diagnostic>> {
        let what = self;
        let fault = |code: &str, text: String, remedy: &str| {
            Box::new(Diagnostic::new(code, text).with_remedy(remedy))
        };
        let object: &Arc<Parameter> = match found {
            None => {
                let text =
                    format!("the policy takes data of {what}, which nobody has looked for yet");
                return Err(fault("data_from_awaited", text, "wait a moment"));
            }
            Some(Selected::Unread(why)) => {
                let text = format!("the policy takes data of {what}, which cannot be read: {why}");
                let remedy = "have the administrator allow it to be read, or remove the source";
                return Err(fault("data_from_unread", text, remedy));
            }
            Some(Selected::Known(objects)) => objects.first().ok_or_else(|| match &self.http {
                None => {
                    let text = format!("the policy takes data of {what}, which is not there");
                    let remedy = "make the object, or remove the source";
                    fault("data_from_missing", text, remedy)
                }
                Some(_) => Box::new(self.never_fetched(None)),
            })?,
        };
        if self.http.is_some() && object.fetched().is_none() {
            return Err(Box::new(self.never_fetched(object.failure())));
        }
        let document = object.document(&self.key).map_err(|why| {
            let text = format!("the policy takes data of {what}: {why}");
            fault("data_from_invalid", text, "mend the object")
        })?;
        serde_json::to_value(&document).map_err(|_| {
            let text = format!("the policy takes data of {what}: a number needs more than 64 bits");
            fault("data_from_invalid", text, "write the number as text")
        })
    }

    /// There was no good answer yet, and why.
    fn never_fetched(&self, failure: Option<&str>) -> Diagnostic {
        let (why, remedy) = match failure {
            None => (String::new(), "wait a moment"),
            Some(failure) => (
                format!(": {failure}"),
                "mend the server or the source; it is asked again and again",
            ),
        };
        let text = format!("the policy takes data of {self}, which was never fetched{why}");
        Diagnostic::new("data_from_missing", text).with_remedy(remedy)
    }
}

/// `ConfigMap platform/limits`, `https://example.com/limits.json`
impl fmt::Display for DataSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.http {
            None => self.selection.fmt(formatter),
            Some(http) => http.fmt(formatter),
        }
    }
}

/// Whether a text is a document that a policy can take: of JSON, or an object or a list of YAML, because
/// nearly every text is a string of YAML. The error is a sentence that shows nothing of it.
pub fn check_document(text: &str) -> Result<(), &'static str> {
    let unreadable = "it is no document of JSON, and no object or list of YAML";
    let of_yaml = || {
        let document = Document::read_yaml(text).map_err(|_| unreadable)?;
        let read = serde_json::to_value(&document);
        let is_plain = matches!(read, Ok(ref value) if !value.is_array() && !value.is_object());
        if is_plain {
            Err(unreadable)
        } else {
            Ok(document)
        }
    };
    let document = Document::read(text).or_else(|_| of_yaml())?;
    let read = serde_json::to_value(&document);
    read.map(drop)
        .map_err(|_| "a number in it needs more than 64 bits")
}

impl Parameter {
    /// The document that a key of a `ConfigMap` or a `Secret` holds, of YAML or JSON. The error is a
    /// sentence that shows nothing of it.
    fn document(&self, key: &str) -> Result<Document, String> {
        let text = self.text(key)?;
        let read = Document::read(text).or_else(|_| Document::read_yaml(text));
        read.map_err(|_| format!("`data.{key}` is no document of YAML or JSON"))
    }

    /// What was fetched, if anything was.
    pub fn fetched(&self) -> Option<&str> {
        self.text(DOCUMENT).ok()
    }

    /// Why nothing was fetched.
    fn failure(&self) -> Option<&str> {
        self.content.get(FAILURE).and_then(Json::as_str)
    }
}

/// Puts a document at its place. Nothing is put in the place of something else.
fn place(
    data: &mut Map<String, Json>,
    source: &DataSource,
    document: Json,
) -> Result<(), Box<Diagnostic>> {
    let Some((last, above)) = source.path.split_last() else {
        let Json::Object(members) = document else {
            let text = format!("{source} is no object, and stands at the root of `data`");
            let fault = Diagnostic::new("data_from_invalid", text);
            return Err(fault.with_remedy("give the source a `path`").into());
        };
        let mut members = members.into_iter();
        return members.try_for_each(|(key, value)| insert(data, key, value, source));
    };
    let mut at = data;
    for key in above {
        let below = at
            .entry(key.clone())
            .or_insert_with(|| Json::Object(Map::new()));
        at = match below {
            Json::Object(members) => members,
            _ => return Err(taken(source, key).into()),
        };
    }
    insert(at, last.clone(), document, source)
}

fn insert(
    at: &mut Map<String, Json>,
    key: String,
    value: Json,
    source: &DataSource,
) -> Result<(), Box<Diagnostic>> {
    if at.contains_key(&key) {
        return Err(taken(source, &key).into());
    }
    at.insert(key, value);
    Ok(())
}

fn taken(source: &DataSource, key: &str) -> Diagnostic {
    let text = format!("{source} has a value where other data of the policy is, at `{key}`");
    let fault = Diagnostic::new("data_from_conflict", text);
    fault.with_remedy("give one of the two another `path`")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn source(path: &str) -> DataSource {
        DataSource {
            selection: Selection {
                kind: ParameterKind::config_map(),
                namespace: Some("team".to_owned()),
                which: crate::Which::Name("roles".to_owned()),
            },
            key: "it".to_owned(),
            path: path
                .split('.')
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect(),
            http: None,
        }
    }

    #[rstest]
    #[case::at_the_root("", r#"{"b": 2}"#, Ok(json!({"a": {"x": 1}, "b": 2})))]
    #[case::at_a_place("b", "[1]", Ok(json!({"a": {"x": 1}, "b": [1]})))]
    #[case::of_yaml("b", "y: [1]", Ok(json!({"a": {"x": 1}, "b": {"y": [1]}})))]
    #[case::deep("c.d", "1", Ok(json!({"a": {"x": 1}, "c": {"d": 1}})))]
    #[case::beside("a.y", "1", Ok(json!({"a": {"x": 1, "y": 1}})))]
    #[case::over_another("a", "1", Err("data_from_conflict"))]
    #[case::over_another_at_the_root("", r#"{"a": 2}"#, Err("data_from_conflict"))]
    #[case::below_a_value("a.x.y", "1", Err("data_from_conflict"))]
    #[case::no_object_at_the_root("", "[1]", Err("data_from_invalid"))]
    #[case::no_document("b", "a: [", Err("data_from_invalid"))]
    #[case::too_large_a_number("b", "1e400", Err("data_from_invalid"))]
    fn documents_have_their_places(
        #[case] path: &str,
        #[case] text: &str,
        #[case] expected: Result<Json, &str>,
    ) {
        let mut data = json!({"a": {"x": 1}}).as_object().cloned().unwrap();
        let source = source(path);
        let parameter = Parameter {
            key: crate::ParameterKey {
                kind: source.selection.kind.clone(),
                namespace: None,
                name: "roles".to_owned(),
            },
            labels: crate::Labels::new(),
            content: json!({"data": {"it": text}}).as_object().cloned().unwrap(),
        };
        let found = Selected::Known(vec![Arc::new(parameter)]);
        let read = source.read(Some(&found));
        let placed = read.and_then(|document| place(&mut data, &source, document));
        let found = placed
            .map(|()| Json::Object(data))
            .map_err(|fault| fault.code);
        assert_eq!(found, expected.map_err(str::to_owned));
    }

    #[rstest]
    #[case(None, "data_from_awaited")]
    #[case(Some(Selected::Unread("no right".to_owned())), "data_from_unread")]
    #[case(Some(Selected::Known(Vec::new())), "data_from_missing")]
    fn what_is_not_there_is_a_fault(#[case] found: Option<Selected>, #[case] code: &str) {
        assert_eq!(source("").read(found.as_ref()).unwrap_err().code, code);
    }

    #[rstest]
    #[case::of_json("[1]", Ok(()))]
    #[case::a_text_of_json("\"x\"", Ok(()))]
    #[case::of_yaml("a: [1]", Ok(()))]
    #[case::a_list_of_yaml("- a\n- b", Ok(()))]
    #[case::a_page("<html><body>Sign in</body></html>", Err("it is no document"))]
    #[case::nothing("", Err("it is no document"))]
    #[case::half_of_one("{\"a\":", Err("it is no document"))]
    #[case::too_large_a_number("[1e400]", Err("a number in it"))]
    fn what_is_taken_of_a_server(#[case] text: &str, #[case] expected: Result<(), &str>) {
        let found = check_document(text);
        match expected {
            Ok(()) => assert_eq!(found, Ok(())),
            Err(says) => assert!(found.unwrap_err().starts_with(says), "{found:?}"),
        }
    }
}
