//! The API server's door.
//!
//! ```text
//! AdmissionReview ── head (who, what) ──▶ select ──▶ one job: read the request once, decide each
//!                                                        │
//!                                       combine ◀── decisions, or those of who was not asked,
//!                                                   but for those whose conditions do not hold
//! ```
//!
//! Shadows of those that are asked are compared with what they decided when the answer is made.

pub(crate) mod answer;
mod judge;
mod resources;
pub(crate) mod review;

use std::time::Duration;

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::{Method, Uri},
    response::{IntoResponse as _, Response},
    routing::post,
};
use portcullis_policies::{Decision, FailurePolicy, Headers, Owner, Point, Route};

use crate::{
    Doors,
    body::MAX_REVIEW,
    deadline::{DEFAULT_TIMEOUT, parse_duration},
    decision_log::About,
    parameters::Parameters,
    problem::Problem,
    question::Question,
    routes,
    whence::Whence,
};
pub use judge::judge;
pub(crate) use resources::Bench;
use review::Review;

/// The API server's door: `/admission/{cluster|namespace}/{fail|ignore}`, each for the policies
/// that a webhook configuration registers under it, and `/resources` for our own resources.
pub fn admission_router(doors: Doors) -> Router {
    let mut router = Router::new().route("/admission/{owner}/{failure}", post(admit));
    if let Some(bench) = doors.bench() {
        let judge = post(resources::judge).with_state((doors.clone(), bench));
        router = router.route("/resources", judge);
    }
    routes::with_problems(router).with_state(doors)
}

async fn admit(
    State(doors): State<Doors>,
    path: Result<Path<(String, String)>, PathRejection>,
    method: Method,
    uri: Uri,
    whence: Whence,
    parameters: Parameters,
    body: Body,
) -> Result<Response, Problem> {
    // One that is not UTF-8 is as unknown as any other.
    let path = path.as_ref().ok();
    let Some(route) = path.and_then(|Path((owner, failure))| route_of(owner, failure)) else {
        return Err(routes::unknown(method, uri).await);
    };
    let question =
        Question::new(Point::Admission, Headers::default(), timeout(&parameters)?).from(whence);
    let review = doors
        .review_room()
        .read(body, MAX_REVIEW, question.deadline)
        .await
        .and_then(Review::read)
        .map_err(|problem| problem.of(&question.id))?;
    let about = About {
        path: uri.path().trim_start_matches('/').to_owned(),
        is_review: true,
        ..review.about()
    };
    let uid = review.uid().to_owned();
    let snapshot = doors
        .snapshot()
        .map_err(|problem| problem.of(&question.id))?;
    let subject = review.subject();
    let panel = snapshot.panel(&subject, || review.labels(), route);
    let question = question.in_namespace(review.namespace_labels(&snapshot));
    let question = match (route.owner, review.namespace()) {
        (Some(Owner::Namespace), Some(namespace)) => question.of_tenant(namespace),
        _ => question,
    };
    let labels = || review.labels();
    let comparisons = snapshot.comparisons(&subject, labels, route, &panel.judges);
    let shadows = doors.shadows().prepare(&snapshot, &review, comparisons);
    let compare = |decisions: &[Decision]| {
        if let Some(shadows) = shadows {
            shadows.compare(doors.journal(), &question, &about, decisions);
        }
    };
    if panel.judges.is_empty() {
        compare(&[]);
        return Ok(Json(answer::allowed(&uid)).into_response());
    }
    let mut decisions = doors
        .ask(
            &question,
            &about,
            &snapshot,
            panel,
            Some(review.request()),
            move |interest| review.input(interest),
        )
        .await?;
    compare(&decisions);
    // A condition said so, of those that the rules and the selectors had selected.
    decisions.retain(Decision::is_concerned);
    if decisions.is_empty() {
        return Ok(Json(answer::allowed(&uid)).into_response());
    }
    Ok(Json(answer::combine(&uid, &question.id, &decisions)).into_response())
}

fn route_of(owner: &str, failure: &str) -> Option<Route> {
    let owner = match owner {
        "cluster" => Owner::Cluster,
        "namespace" => Owner::Namespace,
        _ => return None,
    };
    let failure_policy = match failure {
        "fail" => FailurePolicy::Fail,
        "ignore" => FailurePolicy::Ignore,
        _ => return None,
    };
    Some(Route {
        owner: Some(owner),
        failure_policy: Some(failure_policy),
    })
}

/// How long the API server waits.
fn timeout(parameters: &Parameters) -> Result<Duration, Problem> {
    let Some(text) = parameters.get("timeout") else {
        return Ok(DEFAULT_TIMEOUT);
    };
    parse_duration(text).ok_or_else(|| {
        Problem::input_invalid("the parameter `timeout` is not a positive duration such as 10s")
    })
}
