//! What is taken of a request for the log: copies of bounded length.

use std::{sync::Arc, time::Duration};

use axum::body::Bytes;
use portcullis_policies::{Decision, Entry, Point, Timestamp};

use super::{About, DecisionLog};
use crate::{question::Question, whence::Whence};

/// Longest input that is logged, in bytes of JSON. A Pod with what controllers write into it has ten
/// thousand; what is longer is a `ConfigMap` or a custom resource full of data.
const MAX_INPUT: usize = 256 << 10;

/// Longest path that is logged, in bytes.
const MAX_PATH: usize = 1 << 10;

/// Members and bytes of the results of all decisions about one request: most policies give some hundred.
const MAX_RESULTS: usize = 128 << 10;

/// Memory of a member, roughly; a text takes less for each of its bytes.
const MEMBER: usize = 16;

/// What a request takes beside its texts, and each message in it, roughly.
const OVERHEAD: usize = 1 << 10;

/// What is taken where the decisions are made.
#[derive(Debug)]
pub(crate) struct Taken {
    input: Given,
    decided: Vec<Decided>,
    /// Time that it took to read the input.
    reading: Duration,
    bytes: usize,
}

/// What the caller gave.
#[derive(Debug)]
pub(super) enum Given {
    /// Nothing.
    Undefined,
    /// A document.
    Text(Box<[u8]>),
    /// A longer one than is logged.
    TooLong,
}

/// A policy, and what it decided.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) entry: Arc<Entry>,
    pub(super) decision: Decision,
    /// Whether the result is left out because it is too long.
    pub(super) is_cut: bool,
}

/// A request that is to be logged.
#[derive(Debug)]
pub(super) struct Material {
    pub(super) about: About,
    pub(super) id: Arc<str>,
    pub(super) point: Point,
    pub(super) time: Timestamp,
    pub(super) whence: Whence,
    pub(super) input: Given,
    pub(super) decided: Vec<Decided>,
    pub(super) reading: Duration,
    /// From the beginning of the request until now.
    pub(super) handling: Duration,
    bytes: usize,
}

impl DecisionLog {
    /// What is logged of decisions; of a policy that the request does not concern, nothing.
    #[expect(clippy::unused_self, reason = "nothing is taken where there is no log")]
    pub(crate) fn take(
        &self,
        entries: &[Arc<Entry>],
        decisions: &[Decision],
        input: Option<&Bytes>,
        reading: Duration,
    ) -> Taken {
        let mut room = MAX_RESULTS;
        let mut decided = Vec::new();
        let mut messages = 0;
        let told = entries.iter().zip(decisions);
        for (entry, decision) in told.filter(|(_, decision)| decision.is_concerned()) {
            let weight = decision
                .result
                .as_ref()
                .map(|result| result.written_within(room));
            let is_cut = weight == Some(None);
            room -= weight.flatten().unwrap_or_default();
            let mut decision = decision.clone();
            if is_cut {
                decision.result = None;
            }
            messages += decision.messages.len() + decision.warnings.len();
            decided.push(Decided {
                entry: entry.clone(),
                decision,
                is_cut,
            });
        }
        let input = input.filter(|_| !decided.is_empty());
        let input = Given::of(input);
        let text = input.bytes();
        Taken {
            bytes: text + MEMBER * (MAX_RESULTS - room) + OVERHEAD * (messages + decided.len()),
            input,
            decided,
            reading,
        }
    }
}

impl Given {
    fn of(text: Option<&Bytes>) -> Self {
        match text {
            None => Self::Undefined,
            Some(text) if text.iter().all(u8::is_ascii_whitespace) => Self::Undefined,
            Some(text) if text.len() > MAX_INPUT => Self::TooLong,
            Some(text) => Self::Text(text.to_vec().into()),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Undefined | Self::TooLong => 0,
        }
    }
}

impl Material {
    /// What is logged of a request for a document that no policy has.
    pub(super) fn of_nothing(question: &Question, path: String, text: Option<&Bytes>) -> Self {
        let about = About {
            path,
            ..About::default()
        };
        let input = Given::of(text);
        let bytes = input.bytes();
        Self::new(question, &about, input, Vec::new(), Duration::ZERO, bytes)
    }

    /// What is logged of a request; nothing of one that concerns no policy.
    pub(super) fn of(question: &Question, about: &About, taken: Taken) -> Option<Self> {
        if taken.decided.is_empty() {
            return None;
        }
        let Taken {
            input,
            decided,
            reading,
            bytes,
        } = taken;
        Some(Self::new(question, about, input, decided, reading, bytes))
    }

    fn new(
        question: &Question,
        about: &About,
        input: Given,
        decided: Vec<Decided>,
        reading: Duration,
        bytes: usize,
    ) -> Self {
        Self {
            bytes: bytes + about.bytes() + OVERHEAD,
            about: About {
                path: about.path[..about.path.floor_char_boundary(MAX_PATH)].to_owned(),
                ..about.clone()
            },
            id: question.id.clone(),
            point: question.point,
            time: question.now(),
            whence: question.whence.clone(),
            input,
            decided,
            reading,
            handling: question.begin.elapsed(),
        }
    }

    /// Memory that it takes, roughly and in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
