//! What is not kept of what is judged: the values of Secrets, and what is called like a credential.
//!
//! A remembered input is shown to people who may read decisions, and these are others than those who
//! may read the Secrets of a namespace. So what is secret is replaced before it is kept, and nothing
//! can be put back.

use std::{cell::RefCell, fmt};

use crate::{
    Document, Headers, Input, masking,
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

/// Names of objects that hold headers by their names, in what services ask about.
const HEADERS: [&str; 4] = [
    "headers",
    "httpheaders",
    "requestheaders",
    "responseheaders",
];

/// Schemes of the header `Authorization`, whatever a field that holds them is called.
const SCHEMES: [&str; 2] = ["bearer ", "basic "];

/// Paths of replaced values that are told of one document; of more, these.
const MAX_PATHS: usize = 128;

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
                let kept = hider.credentials(body.as_ref()?.value(), self)?;
                Input::Evaluation(Some(Document::new(kept)))
            }
        };
        Some(hider.redacted(kept))
    }

    /// The headers as they may be kept; `None` where nothing in them is to be replaced.
    pub fn apply_to_headers(&self, headers: &Headers) -> Option<Redacted<Headers>> {
        let is_hidden = |name: &str| self.names(name) || is_credential_header(name);
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

    /// A document of the policy without the texts that were replaced: each text, number and name of it
    /// as [`without`] leaves a sentence.
    pub fn clean(&self, document: &Document) -> Document {
        Document::new(unquoted(document.value(), &self.hidden))
    }
}

/// The paths of the values in `kept` in whose place the placeholder stands, and not in `original`, as
/// masks are told: `/input/token`. The first `MAX_PATHS` of them.
pub fn replaced(root: &str, original: &Document, kept: &Document) -> Vec<String> {
    let mut paths = Vec::new();
    note_replaced(root, original.value(), kept.value(), &mut paths);
    paths
}

fn note_replaced(path: &str, original: &Value, kept: &Value, paths: &mut Vec<String>) {
    if paths.len() >= MAX_PATHS || value::is_identical(original, kept) {
        return;
    }
    match (original, kept) {
        (Value::Object(original), Value::Object(kept)) => {
            for (key, member) in kept.iter() {
                if let (Ok(name), Some(before)) = (key.as_string(), original.get(key)) {
                    let path = format!("{path}/{}", masking::escaped(name));
                    note_replaced(&path, before, member, paths);
                }
            }
        }
        _ => match (value::elements(original), value::elements(kept)) {
            (Some(original), Some(kept)) => {
                for (index, (before, element)) in original.iter().zip(kept).enumerate() {
                    note_replaced(&format!("{path}/{index}"), before, element, paths);
                }
            }
            _ if original != kept => paths.push(path.to_owned()),
            _ => {}
        },
    }
}

/// The value with each text, number and name without what is hidden.
fn unquoted(value: &Value, hidden: &[String]) -> Value {
    match value {
        Value::String(text) => Value::from(without(text, hidden)),
        Value::Object(object) => {
            let mut copy = Value::new_object();
            if let Ok(members) = copy.as_object_mut() {
                for (key, member) in object.iter() {
                    members.insert(unquoted(key, hidden), unquoted(member, hidden));
                }
            }
            copy
        }
        Value::Set(set) => {
            let members = set.iter().map(|member| unquoted(member, hidden));
            Value::from(members.collect::<std::collections::BTreeSet<_>>())
        }
        _ => match (value::elements(value), value::number::text(value)) {
            (Some(elements), _) => {
                let elements = elements.iter().map(|element| unquoted(element, hidden));
                Value::from(elements.collect::<Vec<_>>())
            }
            (None, Some(number)) if without(&number, hidden) != number => Value::from(REDACTED),
            _ => value.clone(),
        },
    }
}

/// Whether it is written like a Secret of the API server, whatever it is a part of.
fn is_secret_object(value: &Value) -> bool {
    let Value::Object(members) = value else {
        return false;
    };
    let is = |name: &str, expected: &str| {
        let member = members.get(&Value::from(name));
        member.is_some_and(|member| member.as_string().is_ok_and(|text| **text == *expected))
    };
    is("kind", "Secret") && is("apiVersion", "v1")
}

fn is_credential_header(name: &str) -> bool {
    let plain = plain(name);
    CREDENTIAL_HEADERS.iter().any(|part| plain.contains(part))
}

/// Whether a text is a credential by what it looks like: what stands in the header `Authorization`, or
/// a signed token (RFC 7515: three parts, the first of which begins with `{"` in base64url).
fn is_credential(text: &str) -> bool {
    let is_scheme = |scheme: &str| {
        let head = text.get(..scheme.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(scheme)) && text.len() > scheme.len()
    };
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    SCHEMES.iter().any(|scheme| is_scheme(scheme))
        || (text.starts_with("eyJ") && text.split('.').count() == 3 && text.chars().all(is_base64))
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
            "object" | "oldObject" => self.hide_secret(object),
            _ => None,
        })
    }

    /// A Secret without its values.
    fn hide_secret(&self, secret: &Value) -> Option<Value> {
        change_members(secret, &|name, member| match name {
            _ if SECRET_FIELDS.contains(&name) => self.hide(member),
            "metadata" => change_members(member, &|name, annotations| {
                (name == "annotations").then(|| self.hide(annotations))?
            }),
            _ => None,
        })
    }

    /// The value without those of the fields that `is_hidden` names, and of Secrets wherever they are.
    fn redact(&self, value: &Value, is_hidden: &dyn Fn(&str) -> bool) -> Option<Value> {
        if is_secret_object(value) {
            let kept = self.hide_secret(value);
            let rest = self.redact_members(kept.as_ref().unwrap_or(value), is_hidden);
            return rest.or(kept);
        }
        self.redact_members(value, is_hidden)
    }

    fn redact_members(&self, value: &Value, is_hidden: &dyn Fn(&str) -> bool) -> Option<Value> {
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

    /// What a service asks about, without the values of fields that are called like a credential, of
    /// headers that are, and of texts that look like one.
    fn credentials(&self, value: &Value, redaction: &Redaction) -> Option<Value> {
        if let Value::String(text) = value {
            return is_credential(text).then(|| self.placeholder(value));
        }
        if let Some(elements) = value::elements(value) {
            return change_elements(elements, &|element| self.credentials(element, redaction));
        }
        if is_secret_object(value) {
            let kept = self.hide_secret(value);
            let rest = self.credentials_of(kept.as_ref().unwrap_or(value), redaction);
            return rest.or(kept);
        }
        self.credentials_of(value, redaction)
    }

    fn credentials_of(&self, object: &Value, redaction: &Redaction) -> Option<Value> {
        change_members(object, &|name, member| {
            let plain = plain(name);
            if redaction.names(name) || CREDENTIALS.contains(&plain.as_str()) {
                self.hide(member)
            } else if HEADERS.contains(&plain.as_str()) {
                let kept = change_members(member, &|name, header| {
                    is_credential_header(name).then(|| self.hide(header))?
                });
                let rest = self.credentials(kept.as_ref().unwrap_or(member), redaction);
                rest.or(kept)
            } else {
                self.credentials(member, redaction)
            }
        })
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
            // A token stands behind its scheme.
            if let Some((_, token)) = text.split_once(' ').filter(|_| is_credential(text)) {
                self.note(token);
            }
        } else if let Some(number) = value::number::text(value) {
            self.note(&number);
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
mod tests;
