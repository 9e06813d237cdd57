//! Asks one policy about the body of a request.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::HeaderMap,
};
use portcullis_policies::{
    Decision, Document, Entry, Headers, Input, Interest, Panel, Point, Snapshot, Step, text::clean,
};

use utoipa::IntoParams;

use super::identifier;
use crate::{
    Doors,
    admission::review::Review,
    body::{Held, MAX_INPUT, MAX_REVIEW},
    deadline::{DEFAULT_TIMEOUT, parse_duration},
    decision_log::About,
    problem::Problem,
    question::Question,
    whence::Asker,
};

/// The header in which a caller says how long it waits, as the API server does in its call.
const TIMEOUT: &str = "x-request-timeout";

/// How long a caller waits, as the routes that ask a policy document it.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes what `question` reads")]
pub(crate) struct TimeoutHeader {
    /// How long you wait: the answer comes a second before, or within half of less than two seconds.
    /// Ten seconds where it is not said, and thirty at most.
    #[param(
        rename = "x-request-timeout",
        example = "2s",
        pattern = r"^([1-9][0-9]{0,3}(\.[0-9]{1,3})?(ms|s|m|h))+$",
        max_length = 32
    )]
    timeout: Option<String>,
}

/// A question of somebody who may name it, and who waits as long as a header says, or else as long as the API server does.
pub(crate) fn question(point: Point, asker: &Asker) -> Result<Question, Problem> {
    let headers: &HeaderMap = asker;
    let texts = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let timeout = timeout(headers)?.unwrap_or(DEFAULT_TIMEOUT);
    let question = Question::new(point, Headers::new(texts), timeout)
        .by_address()
        .from(asker.whence().clone());
    Ok(
        match identifier::of(headers)?.filter(|_| point == Point::Evaluation) {
            Some(id) => question.named(id),
            None => question,
        },
    )
}

fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Problem> {
    let Some(value) = headers.get(TIMEOUT) else {
        return Ok(None);
    };
    let timeout = value.to_str().ok().and_then(parse_duration);
    timeout.map(Some).ok_or_else(|| {
        let detail = format!("the header `{TIMEOUT}` is not a positive duration such as 2s");
        Problem::input_invalid(detail)
    })
}

/// Asks a policy about a body: any document or none, or a review at the point of admission.
pub(super) async fn about_body(
    doors: &Doors,
    question: &Question,
    snapshot: &Snapshot,
    entry: Arc<Entry>,
    body: Body,
) -> Result<Decision, Problem> {
    let limit = match question.point {
        Point::Admission => MAX_REVIEW,
        Point::Evaluation => MAX_INPUT,
    };
    let held = doors
        .input_room()
        .read(body, limit, question.deadline)
        .await
        .map_err(|problem| problem.of(&question.id))?;
    match question.point {
        Point::Admission => {
            let review = Review::read(held).map_err(|problem| problem.of(&question.id))?;
            let subject = review.subject();
            let parts = snapshot.parts(&entry, &subject, || review.labels());
            if parts.is_empty() {
                return Ok(entry.unmatched(question.id.clone()));
            }
            let panel = snapshot.panel_of(parts, &subject, || review.labels());
            let namespace = review.namespace_labels(snapshot);
            let question = &question.clone().in_namespace(namespace);
            let mut about = about_policy(&entry);
            about.is_secret = review.is_secret();
            let text = Some(review.request());
            ask(
                doors,
                question,
                &about,
                snapshot,
                panel,
                text,
                move |interest| review.input(interest),
            )
            .await
        }
        Point::Evaluation => {
            let text = Some(held.bytes.clone());
            let read = move |interest: &Interest<'_>| {
                read_document(&held, interest).map(Input::Evaluation)
            };
            about(doors, question, snapshot, vec![entry], &[], text, read).await
        }
    }
}

/// Asks a policy, or several parts of it, about what `read` reads of `text` on the evaluator's thread.
/// What the caller wants of its document is `within` it.
pub(crate) async fn about(
    doors: &Doors,
    question: &Question,
    snapshot: &Snapshot,
    parts: Vec<Arc<Entry>>,
    within: &[Step],
    text: Option<Bytes>,
    read: impl FnOnce(&Interest<'_>) -> Result<Input, Problem> + Send + 'static,
) -> Result<Decision, Problem> {
    let mut about = parts
        .first()
        .map(|entry| about_policy(entry))
        .unwrap_or_default();
    for part in within {
        about.path.push('/');
        about.path.push_str(&part.to_string());
    }
    about.within = within.to_vec();
    let panel = Panel::of(parts);
    ask(doors, question, &about, snapshot, panel, text, read).await
}

/// What is known of a request of anybody: a review that comes here says of its user and its object what
/// it likes, so that the policy's namespace alone tells who may read about it.
fn about_policy(entry: &Entry) -> About {
    About {
        namespace: entry.address().namespace().map(str::to_owned),
        path: entry.policy.definition().path(),
        ..About::default()
    }
}

async fn ask(
    doors: &Doors,
    question: &Question,
    about: &About,
    snapshot: &Snapshot,
    panel: Panel,
    text: Option<Bytes>,
    read: impl FnOnce(&Interest<'_>) -> Result<Input, Problem> + Send + 'static,
) -> Result<Decision, Problem> {
    let decisions = doors
        .ask(question, about, snapshot, panel, text, read)
        .await?;
    Ok(decisions
        .into_iter()
        .reduce(Decision::join)
        .expect("each part is answered by one decision"))
}

/// Any document, or none where there are only blanks.
fn read_document(held: &Held, interest: &Interest<'_>) -> Result<Option<Document>, Problem> {
    if held.bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let text = std::str::from_utf8(&held.bytes)
        .map_err(|_| Problem::input_invalid("the body is not UTF-8"))?;
    read_json(text, interest, "the body").map(Some)
}

/// What is looked at of a document of JSON; `what` says where it stands.
pub(crate) fn read_json(
    text: &str,
    interest: &Interest<'_>,
    what: &str,
) -> Result<Document, Problem> {
    interest.read(text.as_bytes()).map_err(|error| {
        Problem::input_invalid(clean(&format!("{what} is not JSON: {error}")))
            .with_remedy("send a JSON document, or none")
    })
}
