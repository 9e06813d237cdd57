//! Judges a review without a door, for who has a snapshot and a thread of its own: as the API
//! server's door does, by the same code.

use portcullis_policies::{Decision, Entry, Headers, Point, Route, Snapshot, Tool};

use super::review::Review;
use crate::{body::Held, deadline::DEFAULT_TIMEOUT, question::Question};

/// The decisions of all policies that judge an `AdmissionReview`, with the actions that they have
/// where this tool asks. The error is a sentence.
///
/// Work of the processor, on a thread whose stack is [`STACK_BYTES`](crate::STACK_BYTES) at least.
pub fn judge(snapshot: &Snapshot, tool: Tool, review: Vec<u8>) -> Result<Vec<Decision>, String> {
    let review = Review::read(Held::alone(review)).map_err(|problem| problem.detail)?;
    let question = Question::new(Point::Admission, Headers::default(), DEFAULT_TIMEOUT)
        .in_namespace(review.namespace_labels(snapshot))
        .asked_by(tool);
    let panel = snapshot.panel(&review.subject(), || review.labels(), Route::default());
    let input = review.input(&panel.interest(Point::Admission));
    let input = input.map_err(|problem| problem.detail)?;
    let decide = |entry: &Entry| question.decide(entry, &input);
    let mut decisions = panel.decide(&question.as_it_was(), decide);
    decisions.retain(Decision::is_concerned);
    Ok(decisions)
}
