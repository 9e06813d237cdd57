//! Why remembered decisions are as they are: their policies, evaluated again on what was kept.

use std::time::{Duration, Instant};

use portcullis_policies::{Document, Explained, Input, Outcome, Point, Request, workbench::Kept};

use super::{Decided, KeptInput, Record};

/// Longest time for one policy. Looking on makes an evaluation some ten times as slow, and most take
/// less than a millisecond.
const EACH: Duration = Duration::from_secs(1);

/// What can be told of a decision.
#[derive(Debug)]
pub(crate) enum Told {
    /// Why it was made.
    Explained(Explained),
    /// Why that is not to be had; a sentence.
    Unknown(String),
}

/// Explains each of a record's decisions, in their order and until `deadline`, one when it is asked for:
/// an explanation can be large. Work of the processor.
pub(crate) fn explain(record: &Record, deadline: Instant) -> impl Iterator<Item = Told> {
    let input = read(record);
    record.note.decided.iter().map(move |decided| {
        let told = match &input {
            Ok(input) => one(record, decided, input, deadline),
            Err(why) => Err((*why).to_owned()),
        };
        told.map_or_else(Told::Unknown, Told::Explained)
    })
}

fn one(
    record: &Record,
    decided: &Decided,
    input: &Input,
    deadline: Instant,
) -> Result<Explained, String> {
    match decided.outcome {
        Outcome::Locked
        | Outcome::Bypassed
        | Outcome::Exempted
        | Outcome::NotInForce
        | Outcome::Unmatched => {
            return Err("the policy was not evaluated".to_owned());
        }
        Outcome::Allowed | Outcome::Denied | Outcome::Skipped | Outcome::Error => {}
    }
    let policy = decided.policy.upgrade();
    let policy = policy.ok_or("the policy has changed since, or is gone")?;
    if policy.reads_secrets() {
        return Err(
            "the policy reads data of a Secret, which an explanation would show".to_owned(),
        );
    }
    let binding = decided.binding.as_ref().map(|binding| {
        let binding = binding.upgrade();
        binding.ok_or("what binds the policy has changed since, or is gone")
    });
    let binding = binding.transpose()?;
    let left = deadline.saturating_duration_since(Instant::now());
    if left < EACH {
        return Err("there is no time left to explain it".to_owned());
    }
    let request = Request {
        budget: EACH,
        ..record.note.request.clone()
    };
    policy.explain(input, binding.as_deref(), decided.part, &request, Kept::All)
}

/// The input as it was kept.
fn read(record: &Record) -> Result<Input, &'static str> {
    let document = match &record.note.input {
        KeptInput::Document { text, .. } => {
            let document = Document::read(text);
            Some(document.map_err(|_| "the input that was kept cannot be read")?)
        }
        KeptInput::Undefined { .. } => None,
        KeptInput::TooLong => return Err("the input was too long to be kept"),
        KeptInput::Unread => return Err("the policy was not asked, so there is no input"),
    };
    Ok(match record.note.point() {
        Point::Admission => Input::Admission(document.unwrap_or_default()),
        Point::Evaluation => Input::Evaluation(document),
    })
}
