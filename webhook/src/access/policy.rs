//! The administrator's own policy about who may ask: `data.system.authz.allow`, as OPA has it.
//!
//! The policy `system/authz` of the cluster is asked about each request, in the version that is the
//! newest in force. Its input is OPA's
//! (<https://www.openpolicyagent.org/docs/security#authentication-and-authorization>), with `identity` the
//! name of the caller and not its token, and with `groups` and `authenticated_by`. It allows with
//! `true`, or as OPA takes it with `{"allowed": true}`; what else it says, its absence, a lock, a
//! fault and the end of its time do not. It runs on the evaluators' threads within its own limits, and
//! is neither remembered nor logged as a decision: the request is.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use axum::{
    body::Body,
    extract::{MatchedPath, Query},
    http::{
        HeaderMap, StatusCode, Uri,
        header::{CONTENT_ENCODING, HOST},
        request::Parts,
    },
};
use portcullis_policies::{
    Decision, Document, Entry, Headers, Input, Interest, Point, Scope, Snapshot, Timestamp,
    text::clean,
};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Identity, Refusal, peer::Peer};
use crate::{
    Doors,
    body::{Held, MAX_REVIEW},
    deadline::DEFAULT_TIMEOUT,
    opa,
    problem::Problem,
    question::Question,
};

const GROUP: &str = "system";
const NAME: &str = "authz";

/// What the policy is told of a request.
#[derive(Serialize)]
struct AuthzInput<'r> {
    path: Vec<Cow<'r, str>>,
    method: &'r str,
    params: BTreeMap<String, Vec<String>>,
    headers: BTreeMap<String, Vec<Cow<'r, str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<&'r [String]>,
    authenticated_by: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_certificates: Option<Vec<Document>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'r RawValue>,
}

/// Asks the policy. Gives the request's body back, which the policy may have read; its room is taken
/// until the request ends.
pub(super) async fn ask(
    doors: &Doors,
    caller: &Identity,
    parts: &mut Parts,
    body: Body,
) -> Result<Body, Refusal> {
    let texts = parts.headers.iter();
    let texts = texts.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let headers = Headers::new(texts);
    let question = Question::new(Point::Evaluation, headers, DEFAULT_TIMEOUT).by_address();
    let snapshot = doors.snapshot().map_err(Refusal::undecided)?;
    let Some(entry) = find(&snapshot, question.now()) else {
        return Err(Refusal::by_policy(Some(
            "there is no policy `system/authz`, which decides who may ask",
        )));
    };
    let (body, bytes) = match takes(parts) {
        Takes::Nothing => (body, None),
        takes => {
            let held = read(doors, &question, takes, parts, body).await;
            let held = held.map_err(Refusal::undecided)?;
            (Body::from(held.bytes.clone()), Some(held))
        }
    };
    let document = bytes.as_ref().map(|held| held.bytes.as_ref());
    let input = input(caller, parts, document).map_err(Refusal::undecided)?;
    let deadline = question.deadline;
    let job = move || decide(&question, &entry, &input);
    let decided = doors.settings().evaluators.run(deadline, job).await;
    let decision = decided
        .map_err(|_| {
            let detail = "there was no room to ask the policy `system/authz` in time";
            Refusal::undecided(Problem::overloaded(detail))
        })?
        .map_err(Refusal::undecided)?;
    permits(&decision)?;
    if let Some(held) = bytes {
        parts.extensions.insert(Arc::new(held));
    }
    Ok(body)
}

/// The newest version in force; where none is, the newest of all, which says why it is not.
fn find(snapshot: &Snapshot, now: Timestamp) -> Option<Arc<Entry>> {
    let entries = snapshot.entries().filter(|entry| {
        let address = entry.address();
        let is_it = address.group() == GROUP && address.name() == NAME;
        *address.scope() == Scope::Cluster && is_it && !entry.is_shadow()
    });
    let newest = entries.max_by_key(|entry| {
        let in_force = entry.policy.definition().window.contains(now);
        (in_force, entry.address().version())
    });
    newest.cloned()
}

/// Work of the processor.
fn decide(question: &Question, entry: &Entry, input: &[u8]) -> Result<Decision, Problem> {
    let interest = Interest::of(Point::Evaluation, [entry]);
    let document = interest.read(input).map_err(|error| {
        Problem::input_invalid(clean(&format!("the request cannot be read: {error}")))
    })?;
    Ok(question.decide(entry, &Input::Evaluation(Some(document))))
}

/// Whether a decision lets the request in.
fn permits(decision: &Decision) -> Result<(), Refusal> {
    let result = decision.result.as_ref();
    let Some(result) = result.filter(|_| decision.was_evaluated()) else {
        let why = decision.messages.first().map(|message| &message.message);
        let detail = match why {
            Some(why) => format!("the policy `system/authz` cannot decide: {why}"),
            None => "the policy `system/authz` cannot decide".to_owned(),
        };
        return Err(Refusal::by_policy(Some(&detail)));
    };
    let member = |path: &[&str]| result.member(path);
    let allow = member(&["allow"]);
    let says = |document: Option<Document>| document.and_then(|it| it.as_bool()) == Some(true);
    if says(allow.clone())
        || (allow.is_some_and(|it| it.is_object()) && says(member(&["allow", "allowed"])))
    {
        return Ok(());
    }
    let reason = member(&["allow", "reason"]);
    let reason = reason.as_ref().and_then(Document::as_text);
    Err(Refusal::by_policy(reason))
}

/// What a route takes of which the policy is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    /// Nothing, or what is no document.
    Nothing,
    /// A document.
    Json,
    /// What OPA takes for one.
    OfOpa,
}

fn takes(parts: &Parts) -> Takes {
    let Some(path) = parts.extensions.get::<MatchedPath>() else {
        return Takes::Nothing;
    };
    let path = path.as_str();
    let is_below = |folder| {
        path.strip_prefix(folder)
            .is_some_and(|rest: &str| rest.is_empty() || rest.starts_with('/'))
    };
    let mut last = path.rsplit('/');
    let documents = [
        "evaluation",
        "decision",
        "validation",
        "did.json",
        "lock",
        "notifychange",
    ];
    if matches!(path, "/" | "/v1/query" | "/v1/compile")
        || is_below("/v1/data")
        || is_below("/v0/data")
    {
        Takes::OfOpa
    } else if last.next().is_some_and(|last| documents.contains(&last)) {
        Takes::Json
    } else {
        Takes::Nothing
    }
}

/// Reads a body as its route does, so that the policy is told of what the route will see.
async fn read(
    doors: &Doors,
    question: &Question,
    takes: Takes,
    parts: &mut Parts,
    body: Body,
) -> Result<Held, Problem> {
    if takes == Takes::OfOpa {
        return opa::read_body(doors, question, &mut parts.headers, body).await;
    }
    let room = doors.input_room();
    let held = room.read(body, MAX_REVIEW, question.deadline).await?;
    let is_encoded = parts.headers.contains_key(CONTENT_ENCODING);
    if is_encoded && !held.bytes.is_empty() {
        let detail = "a policy decides who may ask, and cannot read a body that is encoded";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        let problem = Problem::new(status, "REQUEST.UNREADABLE", detail);
        return Err(problem.with_remedy("send the body without `Content-Encoding`"));
    }
    Ok(held)
}

/// The input, as JSON.
fn input(caller: &Identity, parts: &Parts, body: Option<&[u8]>) -> Result<Vec<u8>, Problem> {
    // Exactly one value, so that what stands in it is in no other place of the input.
    let body = body
        .filter(|body| !body.iter().all(u8::is_ascii_whitespace))
        .map(|body| {
            serde_json::from_slice::<&RawValue>(body).map_err(|error| {
                Problem::input_invalid(clean(&format!("the body is not JSON: {error}")))
                    .with_remedy("send a JSON document, or none")
            })
        })
        .transpose()?;
    let certificates = parts.extensions.get::<Peer>();
    let certificates = certificates.map_or(&[][..], Peer::certificates);
    let input = AuthzInput {
        path: segments(&parts.uri)?,
        method: parts.method.as_str(),
        params: parameters(&parts.uri)?,
        headers: headers(&parts.headers),
        identity: caller.is_known().then(|| caller.name()),
        groups: caller.is_known().then(|| caller.groups()),
        authenticated_by: caller.method().as_str(),
        client_certificates: (!certificates.is_empty()).then(|| {
            let shown = certificates
                .iter()
                .filter_map(|it| Document::of_certificate(it));
            shown.collect()
        }),
        body,
    };
    Ok(serde_json::to_vec(&input).expect("a document of texts must serialise"))
}

/// The parts of a path, each decoded by itself: an encoded slash is no separator.
fn segments(uri: &Uri) -> Result<Vec<Cow<'_, str>>, Problem> {
    let path = uri.path();
    let parts = path.strip_prefix('/').unwrap_or(path).split('/');
    parts
        .map(|part| {
            decoded(part)
                .ok_or_else(|| Problem::input_invalid("the path is not UTF-8 in percent-encoding"))
        })
        .collect()
}

fn decoded(part: &str) -> Option<Cow<'_, str>> {
    if !part.contains('%') {
        return Some(Cow::Borrowed(part));
    }
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        let byte = if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            u8::try_from(high * 16 + low).ok()?
        } else {
            byte
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

fn parameters(uri: &Uri) -> Result<BTreeMap<String, Vec<String>>, Problem> {
    let Query(pairs): Query<Vec<(String, String)>> =
        Query::try_from_uri(uri).map_err(|_| Problem::input_invalid("the query cannot be read"))?;
    let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in pairs {
        parameters.entry(name).or_default().push(value);
    }
    Ok(parameters)
}

/// Under Go's names for them. `Host` is none there.
fn headers(headers: &HeaderMap) -> BTreeMap<String, Vec<Cow<'_, str>>> {
    let mut told: BTreeMap<String, Vec<Cow<'_, str>>> = BTreeMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| *name != HOST) {
        let words = name.as_str().split('-').map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_ascii_uppercase() + rest
        });
        let name = words.collect::<Vec<_>>().join("-");
        let value = String::from_utf8_lossy(value.as_bytes());
        told.entry(name).or_default().push(value);
    }
    told
}
