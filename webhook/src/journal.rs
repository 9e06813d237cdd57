//! The decisions that this replica remembers, so that people can ask what is behind an id.
//!
//! ```text
//! an evaluator's thread   Journal::note      redacts, writes, bounds
//! the reactor             Journal::remember  one message into a bounded queue, or none
//! a thread of its own     Ring               keeps the newest, and finds one by its id
//! ```
//!
//! What denies, warns, fails or was locked is remembered, and nothing else. The ring has one owner, so
//! that nobody who asks a policy waits for somebody who reads.

mod bounded;
mod explain;
mod note;
mod ring;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
};

use portcullis_policies::{Decision, Entry, Input, Point, Redaction};
use tokio::sync::oneshot;

use crate::{decision_log::About, question::Question};
pub(crate) use explain::{Told, explain};
pub(crate) use note::{Decided, KeptInput, Note};
use ring::Ring;

/// Messages that may wait for the thread, which takes each within microseconds. A record has some
/// 300 KiB at most, so these are 20 MiB at worst.
const WAITING: usize = 64;

/// How much is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalSettings {
    /// Requests of each kind, admissions and evaluations apart; with none, nothing is remembered.
    pub requests: usize,
    /// Memory for each kind, in bytes.
    pub bytes: usize,
    /// Names of fields whose values are not kept, beside those of Secrets and of credentials.
    pub redact: Vec<String>,
}

/// Remembers decisions. The thread ends when this is dropped.
pub(crate) struct Journal {
    redaction: Redaction,
    owner: Option<SyncSender<Message>>,
    missed: AtomicU64,
}

/// A request with what was decided about it.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) about: About,
    pub(crate) note: Note,
}

/// The journal has no room to be asked.
#[derive(Debug)]
pub(crate) struct Busy;

enum Message {
    Remember(Box<Record>),
    Find(Box<str>, oneshot::Sender<Option<Arc<Record>>>),
}

/// Of services that ask about every request of theirs come more denials than of a cluster, so they
/// have a ring of their own and push out nothing of admission's.
struct Rings {
    admission: Ring,
    evaluation: Ring,
}

impl Default for JournalSettings {
    /// A thousand requests: some minutes of a cluster in which every second one is refused, and more
    /// than a person looks at. With 4 KiB of a usual request, 16 MiB are not reached.
    fn default() -> Self {
        Self {
            requests: 1_000,
            bytes: 16 << 20,
            redact: Vec::new(),
        }
    }
}

impl Journal {
    pub(crate) fn new(settings: &JournalSettings) -> Self {
        let owner = (settings.requests > 0).then(|| {
            let (sender, receiver) = sync_channel(WAITING);
            let ring = || Ring::new(settings.requests, settings.bytes);
            let rings = Rings {
                admission: ring(),
                evaluation: ring(),
            };
            let thread = thread::Builder::new().name("journal".to_owned());
            if let Err(error) = thread.spawn(move || rings.keep(&receiver)) {
                tracing::error!(%error, "decisions are not remembered: there is no thread for them");
            }
            sender
        });
        Self {
            redaction: Redaction::of(&settings.redact),
            owner,
            missed: AtomicU64::new(0),
        }
    }

    /// What is replaced before something is kept.
    pub(crate) fn redaction(&self) -> &Redaction {
        &self.redaction
    }

    /// What is to be remembered of these decisions, if anything is; work of the processor, bounded by
    /// what a record may hold. `input` is what the policies saw, if it was read, and `is_secret` says
    /// that its objects are Secrets.
    pub(crate) fn note(
        &self,
        question: &Question,
        entries: &[Arc<Entry>],
        decisions: &[Decision],
        input: Option<&Input>,
        is_secret: bool,
    ) -> Option<Note> {
        self.owner.as_ref()?;
        let decided = entries.iter().zip(decisions);
        Note::take(&self.redaction, question, decided, input, is_secret)
    }

    /// Remembers, if there is room to wait in; what finds none is counted.
    pub(crate) fn remember(&self, about: &About, note: Note) {
        let Some(owner) = &self.owner else { return };
        let about = about.clone();
        let record = Box::new(Record { about, note });
        if owner.try_send(Message::Remember(record)).is_err() {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What is remembered under an id.
    pub(crate) async fn find(&self, id: &str) -> Result<Option<Arc<Record>>, Busy> {
        let Some(owner) = &self.owner else {
            return Ok(None);
        };
        let (answer, found) = oneshot::channel();
        match owner.try_send(Message::Find(id.into(), answer)) {
            Ok(()) => Ok(found.await.unwrap_or_default()),
            Err(TrySendError::Full(_)) => Err(Busy),
            Err(TrySendError::Disconnected(_)) => Ok(None),
        }
    }

    /// Requests that found no room to wait in since the start.
    pub(crate) fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}

impl Rings {
    fn keep(mut self, messages: &Receiver<Message>) {
        while let Ok(message) = messages.recv() {
            match message {
                Message::Remember(record) => match record.note.point() {
                    Point::Admission => self.admission.push(*record),
                    Point::Evaluation => self.evaluation.push(*record),
                },
                Message::Find(id, answer) => {
                    let found = self
                        .admission
                        .find(&id)
                        .or_else(|| self.evaluation.find(&id));
                    // Who asked may have left meanwhile.
                    let _ = answer.send(found);
                }
            }
        }
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Journal")
            .field("redaction", &self.redaction)
            .finish_non_exhaustive()
    }
}
