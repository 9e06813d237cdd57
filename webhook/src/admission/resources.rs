//! The door for our own resources: what cannot work by itself is refused when it is applied.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::State,
    response::{IntoResponse as _, Response},
};
use portcullis_policies::{Headers, Operation, Point};

use super::{
    answer,
    review::{Objects, Review},
    timeout,
};
use crate::{
    Doors, Evaluators, ResourceAnswer, ResourceReview, ResourceReviewer,
    body::{MAX_REVIEW, Room},
    parameters::Parameters,
    problem::Problem,
    question::Question,
};

/// Threads that judge: the fewest that there can be, so that the rest of the machine is left to
/// admission.
const THREADS: usize = 2;

/// Where our own resources are judged. It has threads and room of its own, because compiling a
/// large policy takes seconds, for which only those should wait who apply one.
pub(crate) struct Bench {
    reviewer: Arc<dyn ResourceReviewer>,
    evaluators: Evaluators,
    room: Room,
}

impl Bench {
    pub(crate) fn new(reviewer: Arc<dyn ResourceReviewer>) -> Self {
        Self {
            reviewer,
            evaluators: Evaluators::new(THREADS),
            room: Room::new(),
        }
    }
}

pub(super) async fn judge(
    State((doors, bench)): State<(Doors, Arc<Bench>)>,
    parameters: Parameters,
    body: Body,
) -> Result<Response, Problem> {
    let question = Question::new(Point::Admission, Headers::default(), timeout(&parameters)?);
    let review = bench
        .room
        .read(body, MAX_REVIEW, question.deadline)
        .await
        .and_then(Review::read)
        .map_err(|problem| problem.of(&question.id))?;
    let uid = review.uid().to_owned();
    if !matches!(review.operation(), Operation::Create | Operation::Update) {
        // A deletion takes nobody's leave: with policies that are gone, nobody is refused.
        return Ok(Json(answer::allowed(&uid)).into_response());
    }
    let reviewer = bench.reviewer.clone();
    let job = move || match review.objects() {
        Ok(Objects { object, old_object }) => reviewer.review(ResourceReview {
            kind: review.kind().to_owned(),
            operation: review.operation(),
            name: review.name().to_owned(),
            namespace: review.namespace().map(str::to_owned),
            object,
            old: old_object,
        }),
        // Whoever watches could not read it either.
        Err(problem) => ResourceAnswer {
            refusal: Some(problem.detail),
            warnings: Vec::new(),
        },
    };
    let is_synced = doors.is_synced();
    let judged = match bench
        .evaluators
        .run_at(Point::Admission, question.deadline, job)
        .await
    {
        Ok(answer) if is_synced => answer,
        // Warnings come from a comparison with what was read, refusals do not.
        Ok(answer) => ResourceAnswer {
            warnings: vec![format!(
                "the resource was not compared with others: {}",
                Problem::not_read_yet().detail
            )],
            ..answer
        },
        // What gets past is a broken policy, and answers as one.
        Err(why) => ResourceAnswer {
            refusal: None,
            warnings: vec![format!("the resource was not checked: {why}")],
        },
    };
    log(&question.id, &judged);
    Ok(Json(answer::judged(&uid, &question.id, judged)).into_response())
}

fn log(id: &Arc<str>, answer: &ResourceAnswer) {
    if answer.refusal.is_some() {
        tracing::info!(target: "decision", %id, point = "resources", allowed = false, "decided");
    }
}
