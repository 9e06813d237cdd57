//! What is kept of a request and of the decisions about it: texts, of bounded length, without what is
//! secret.

use std::sync::{Arc, Weak};

use portcullis_policies::{
    Bound, Code, Decision, Entry, Input, Message, Outcome, Part, Point, Policy, Redaction, Request,
    redaction::without,
};

use super::{Record, bounded};
use crate::{decision_log, question::Question};

/// Longest input that is kept, in bytes of JSON. A Pod with what controllers write into it has ten
/// thousand; what is longer is a `ConfigMap` or a custom resource full of data.
const MAX_INPUT: usize = 128 << 10;

/// Longest decision that is kept with all that it says: a hundred messages of a usual length.
const MAX_DECISION: usize = 48 << 10;

/// Longest texts of all decisions about one request. Those that have no room are counted.
const MAX_DECISIONS: usize = 128 << 10;

/// What a record takes beside its texts, and each decision in it, roughly.
const OVERHEAD: usize = 512;

/// What is kept of a request.
#[derive(Debug)]
pub(crate) struct Note {
    /// The request as it was, but for its headers.
    pub(crate) request: Request,
    point: Point,
    pub(crate) input: KeptInput,
    /// The decisions that are worth it.
    pub(crate) decided: Vec<Decided>,
    /// How many more there were that are worth it, and found no room.
    pub(crate) left_out: usize,
    /// Policies that decided, all of them.
    pub(crate) judged: usize,
}

/// The input of the policies.
#[derive(Debug)]
pub(crate) enum KeptInput {
    /// It is here, as JSON: what the policies looked at of it.
    Document {
        text: Box<str>,
        /// Whether something of the input or of the headers was replaced.
        redacted: bool,
    },
    /// There was none.
    Undefined {
        /// Whether something of the headers was replaced.
        redacted: bool,
    },
    /// It is too long to be kept.
    TooLong,
    /// No policy was asked in time, or it could not be read.
    Unread,
}

/// A decision as JSON, with the policy that made it.
#[derive(Debug)]
pub(crate) struct Decided {
    /// The policy, as long as it is in force. An older state of one is not held for who may ask some
    /// time: compiled, it can take a thousand times what is written here.
    pub(crate) policy: Weak<Policy>,
    /// What it was asked by, if not by itself; as long as that is in force.
    pub(crate) binding: Option<Weak<Bound>>,
    /// What of the request it judged.
    pub(crate) part: Part,
    /// Its action at admission, or nothing.
    pub(crate) action: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) text: Box<str>,
    /// Whether the text says less than the decision did.
    pub(crate) cut: bool,
}

impl Note {
    /// What is kept, if any decision is worth it.
    pub(super) fn take<'d>(
        redaction: &Redaction,
        question: &Question,
        decided: impl Iterator<Item = (&'d Arc<Entry>, &'d Decision)>,
        input: Option<&Input>,
        is_secret: bool,
    ) -> Option<Self> {
        let (mut judged, mut worth_it) = (0, Vec::new());
        for (entry, decision) in decided.filter(|(_, decision)| decision.is_concerned()) {
            judged += 1;
            if decision_log::is_worth_reading(decision) {
                worth_it.push((entry, decision));
            }
        }
        if worth_it.is_empty() {
            return None;
        }
        let mut request = question.as_it_was();
        let mut hidden = Hidden::default();
        if let Some(headers) = redaction.apply_to_headers(&request.headers) {
            hidden.add(headers.hidden());
            request.headers = Arc::new(headers.kept);
        }
        let replaced = input.and_then(|input| redaction.apply(input, is_secret));
        if let Some(replaced) = &replaced {
            hidden.add(replaced.hidden());
        }
        let mut note = Self {
            request,
            point: question.point,
            input: keep(replaced.as_ref().map(|it| &it.kept).or(input), hidden.any),
            decided: Vec::new(),
            left_out: 0,
            judged,
        };
        let mut used = 0;
        for (entry, decision) in worth_it {
            let (text, cut) = write(decision, &hidden);
            if used + text.len() > MAX_DECISIONS && used > 0 {
                note.left_out += 1;
                continue;
            }
            used += text.len() + OVERHEAD;
            note.decided.push(Decided {
                policy: Arc::downgrade(&entry.policy),
                binding: entry.binding.as_ref().map(Arc::downgrade),
                part: entry.part,
                action: decision_log::action_of(question.point, entry),
                outcome: decision.outcome,
                text,
                cut,
            });
        }
        Some(note)
    }

    pub(crate) fn id(&self) -> &str {
        &self.request.id
    }

    pub(crate) fn point(&self) -> Point {
        self.point
    }

    #[cfg(test)]
    pub(super) fn empty(id: &str) -> Self {
        use portcullis_policies::{Headers, Timestamp};
        Self {
            request: Request {
                id: id.into(),
                now: Timestamp::UNIX_EPOCH,
                headers: Arc::new(Headers::default()),
                budget: std::time::Duration::ZERO,
                namespace: None,
                tool: None,
                strict: false,
            },
            point: Point::Admission,
            input: KeptInput::Unread,
            decided: Vec::new(),
            left_out: 0,
            judged: 0,
        }
    }
}

impl Record {
    /// Memory that it takes, roughly and in bytes.
    pub(super) fn size(&self) -> usize {
        let note = &self.note;
        let input = match &note.input {
            KeptInput::Document { text, .. } => text.len(),
            KeptInput::Undefined { .. } | KeptInput::TooLong | KeptInput::Unread => 0,
        };
        let decided = note.decided.iter();
        let decided: usize = decided.map(|decided| decided.text.len() + OVERHEAD).sum();
        OVERHEAD + self.about.bytes() + note.request.headers.bytes() + input + decided
    }
}

fn keep(input: Option<&Input>, redacted: bool) -> KeptInput {
    let document = match input {
        None => return KeptInput::Unread,
        Some(Input::Evaluation(None)) => return KeptInput::Undefined { redacted },
        Some(Input::Evaluation(Some(document)) | Input::Admission(document)) => document,
    };
    match bounded::json(document, MAX_INPUT) {
        Some(text) => KeptInput::Document { text, redacted },
        None => KeptInput::TooLong,
    }
}

/// What was replaced in a request.
#[derive(Default)]
struct Hidden {
    any: bool,
    texts: Vec<String>,
}

impl Hidden {
    fn add(&mut self, texts: &[String]) {
        self.any = true;
        self.texts.extend_from_slice(texts);
    }

    /// Takes out of a message what the policy has repeated there.
    fn clean(&self, message: &mut Message) {
        message.wanted = None;
        message.message = without(&message.message, &self.texts);
        for text in [&mut message.remedy, &mut message.path, &mut message.rule] {
            *text = text.take().map(|text| without(&text, &self.texts));
        }
        if let Code::Custom(code) = &mut message.code {
            *code = without(code, &self.texts);
        }
    }
}

/// A decision as JSON, and whether that says less: without values where something is hidden, and of
/// a long one without values, or with the first message of each kind alone, which has five texts of a
/// thousand characters at most.
fn write(decision: &Decision, hidden: &Hidden) -> (Box<str>, bool) {
    if !hidden.any
        && let Some(text) = bounded::json(decision, MAX_DECISION)
    {
        return (text, false);
    }
    let mut less = decision.clone();
    less.result = None;
    let kinds = [&mut less.messages, &mut less.warnings, &mut less.skipped];
    for message in kinds.into_iter().flatten() {
        message.found = None;
        message.details = None;
        if hidden.any {
            hidden.clean(message);
        }
    }
    if let Some(text) = bounded::json(&less, MAX_DECISION) {
        return (text, true);
    }
    for messages in [&mut less.messages, &mut less.warnings, &mut less.skipped] {
        messages.truncate(1);
        for message in messages {
            message.wanted = None;
        }
    }
    (bounded::json(&less, usize::MAX).unwrap_or_default(), true)
}
