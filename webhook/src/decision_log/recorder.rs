//! Makes entries of what was taken: hides what is secret, asks the rules, writes.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::Receiver,
    },
    time::Duration,
};

use portcullis_policies::{
    Decision, Document, Input, Maskable, Point, Redacted, Redaction, redaction::replaced,
};
use serde_json::json;

use super::{
    Counts, Message,
    entry::{Event, LogEntry, Metrics, Revision},
    facts::{self, name_of},
    feed::Filler,
    material::{Given, Material},
    rules::{Rules, Said},
};

/// Messages of all decisions about a review that are logged, of a thousand characters each at most.
const MAX_MESSAGES: usize = 100;

/// Stands where a message was that can quote what is to be hidden.
const ERASED: &str = "erased";

/// Makes entries, one after the other.
pub(super) struct Recorder {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) redaction: Redaction,
    pub(super) rules: Rules,
    pub(super) feeds: Vec<Filler>,
    pub(super) counts: Arc<Counts>,
    pub(super) waiting: Arc<AtomicUsize>,
}

/// What is hidden of an input, whatever the rules say.
type Hidden = Option<Redacted<Input>>;

impl Recorder {
    /// Records until the end is told, or nobody is left to tell anything.
    pub(super) fn run(self, messages: &Receiver<Message>) {
        while let Ok(message) = messages.recv() {
            match message {
                Message::Record(material) => {
                    let bytes = material.bytes();
                    self.record(&material);
                    self.waiting.fetch_sub(bytes, Ordering::Relaxed);
                }
                Message::End(deadline) => {
                    self.feeds.iter().for_each(|feed| feed.end(deadline));
                    break;
                }
            }
        }
    }

    fn record(&self, material: &Material) {
        // What is wrong with one entry must not end the log.
        let entry = catch_unwind(AssertUnwindSafe(|| self.entry(material)));
        match entry {
            Ok(Some(entry)) => {
                let entry = Arc::new(entry);
                self.feeds.iter().for_each(|feed| feed.push(&entry));
            }
            Ok(None) => drop(self.counts.dropped.fetch_add(1, Ordering::Relaxed)),
            Err(_) => {
                tracing::error!(id = %material.id, "an entry of the decision log cannot be made");
                self.counts.lose_all();
            }
        }
    }

    /// The entry of a request, unless the rules drop it.
    fn entry(&self, material: &Material) -> Option<LogEntry> {
        let mut notes = Vec::new();
        let mut maskable = Maskable::default();
        let hidden = self.read_input(material, &mut maskable, &mut notes);
        maskable.result = result_of(material, hidden.as_ref(), &mut maskable.erased, &mut notes);
        let texts = hidden.as_ref().map(Redacted::hidden).unwrap_or_default();
        let mut error = facts::fault(material, texts);
        let custom = facts::custom(material, texts, &notes);
        let mut event = event_of(&self.labels, material);
        event.custom = Some(&custom);
        let document = || document_of(&event, &maskable, error.as_ref().map(|it| json!(it)));
        let custom = match self.rules.ask(&material.id, document) {
            Said::Drop => return None,
            Said::Mask(masks) => {
                masks.apply(&mut maskable);
                Cow::Borrowed(&custom)
            }
            Said::Unknown(why) => {
                self.counts.erased.fetch_add(1, Ordering::Relaxed);
                erase(&mut maskable);
                if let Some(error) = &mut error {
                    ERASED.clone_into(&mut error.message);
                }
                notes.push(why);
                Cow::Owned(facts::custom(material, texts, &notes))
            }
        };
        let event = Event {
            input: maskable.input.as_ref(),
            result: maskable.result.as_ref(),
            erased: &maskable.erased,
            masked: &maskable.masked,
            custom: Some(&custom),
            ..event_of(&self.labels, material)
        };
        Some(LogEntry::of(&event, error))
    }

    /// Reads the input as it may be logged.
    fn read_input(
        &self,
        material: &Material,
        maskable: &mut Maskable,
        notes: &mut Vec<String>,
    ) -> Hidden {
        let text = match &material.input {
            Given::Undefined => return None,
            Given::Text(text) => std::str::from_utf8(text).ok(),
            Given::TooLong => {
                notes.push("the input is too long to be logged".to_owned());
                maskable.erased.push("/input".to_owned());
                return None;
            }
        };
        let Some(document) = text.and_then(|text| Document::read(text).ok()) else {
            notes.push("the input cannot be read".to_owned());
            maskable.erased.push("/input".to_owned());
            return None;
        };
        let input = match material.point {
            Point::Admission => Input::Admission(document),
            Point::Evaluation => Input::Evaluation(Some(document)),
        };
        let hidden = self.redaction.apply(&input, material.about.is_secret);
        let kept = hidden.as_ref().map_or(&input, |hidden| &hidden.kept);
        let root = match material.point {
            Point::Admission => "/input/request",
            Point::Evaluation => "/input",
        };
        if let (Some(original), Some(kept)) = (document_in(&input), document_in(kept)) {
            maskable.masked = replaced(root, original, kept);
            let kept = kept.clone();
            maskable.input = Some(match material.point {
                Point::Admission => Document::default().with("request", kept),
                Point::Evaluation => kept,
            });
        }
        hidden
    }
}

/// The members of an entry that nothing has to be hidden in.
fn event_of<'a>(labels: &'a BTreeMap<String, String>, material: &'a Material) -> Event<'a> {
    let bundles = material.decided.iter().map(|decided| {
        let decision = &decided.decision;
        let revision = decision.digest.to_string();
        (decision.policy.to_string(), Revision { revision })
    });
    let evaluation = material.decided.iter().map(|it| it.decision.duration_ns);
    Event {
        labels,
        decision_id: &material.id,
        bundles: bundles.collect(),
        path: &material.about.path,
        input: None,
        result: None,
        erased: &[],
        masked: &[],
        requested_by: material.whence.peer.map(|peer| peer.to_string()),
        timestamp: material.time,
        metrics: Metrics {
            reading: nanoseconds(material.reading),
            evaluation: evaluation.fold(0, u64::saturating_add),
            handling: nanoseconds(material.handling),
        },
        req_id: material.whence.number,
        custom: None,
    }
}

/// The entry as the rules read it.
fn document_of(
    event: &Event<'_>,
    maskable: &Maskable,
    error: Option<serde_json::Value>,
) -> Document {
    let event = Event {
        erased: &maskable.erased,
        masked: &maskable.masked,
        ..event.clone()
    };
    let mut json = serde_json::to_value(event).unwrap_or_default();
    if let Some(error) = error {
        json["error"] = error;
    }
    let mut document = Document::from(&json);
    for (name, member) in [("input", &maskable.input), ("result", &maskable.result)] {
        if let Some(member) = member {
            document = document.with(name, member.clone());
        }
    }
    document
}

/// What the caller was answered, as it may be logged: of one policy the document, of a review what all
/// of them said.
fn result_of(
    material: &Material,
    hidden: Option<&Redacted<Input>>,
    erased: &mut Vec<String>,
    notes: &mut Vec<String>,
) -> Option<Document> {
    if material.decided.iter().any(|decided| decided.is_cut) {
        notes.push("a result is too long to be logged".to_owned());
        erased.push("/result".to_owned());
        return None;
    }
    let result = if material.about.is_review {
        // A policy can say of a Secret what nobody recognises.
        let policies = if material.about.is_secret {
            erased.push("/result/policies".to_owned());
            None
        } else {
            Some(policies_of(material))
        };
        review_of(material, policies)
    } else {
        let decisions = material.decided.iter().map(|it| it.decision.clone());
        let result = decisions.reduce(Decision::join)?.result?;
        if material.about.is_secret {
            erased.push("/result".to_owned());
            return None;
        }
        match (material.about.within.as_slice(), material.decided.first()) {
            ([], Some(decided)) => decided.entry.policy.bare(result),
            (within, _) => result.at(within)?,
        }
    };
    let result = result.as_json();
    Some(hidden.map_or(result.clone(), |hidden| hidden.clean(&result)))
}

fn policies_of(material: &Material) -> Document {
    let mut policies = Document::default();
    for decided in &material.decided {
        if let Some(result) = &decided.decision.result {
            policies = policies.with(&name_of(decided), result.clone());
        }
    }
    policies
}

fn review_of(material: &Material, policies: Option<Document>) -> Document {
    let mut room = MAX_MESSAGES;
    let mut texts = |denies: bool| {
        let mut texts = Vec::new();
        for decided in &material.decided {
            let decision = &decided.decision;
            let messages = match denies {
                true if !decision.allowed => &decision.messages,
                true => continue,
                false => &decision.warnings,
            };
            for message in messages.iter().take(room) {
                texts.push(message.text(decision.speaker()));
            }
            room -= messages.len().min(room);
        }
        texts
    };
    let (messages, warnings) = (texts(true), texts(false));
    let allowed = material.decided.iter().all(|it| it.decision.allowed);
    let said = json!({"allowed": allowed, "messages": messages, "warnings": warnings});
    let review = Document::from(&said);
    match policies {
        Some(policies) => review.with("policies", policies),
        None => review,
    }
}

/// Takes everything out that a caller or a policy has said.
fn erase(maskable: &mut Maskable) {
    let both = [
        ("/input", &mut maskable.input),
        ("/result", &mut maskable.result),
    ];
    for (path, document) in both {
        if document.take().is_some() {
            maskable.erased.push(path.to_owned());
        }
    }
    maskable.masked.clear();
}

fn document_in(input: &Input) -> Option<&Document> {
    match input {
        Input::Admission(document) => Some(document),
        Input::Evaluation(document) => document.as_ref(),
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
