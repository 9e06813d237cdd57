//! The decision log, in OPA's format: what was asked at any door, and what was decided.
//!
//! ```text
//! an evaluator's thread   DecisionLog::take    copies what is logged, bounded
//! the reactor             DecisionLog::record  one message into a bounded queue, or none
//! a thread of its own     Recorder             hides, asks the rules, writes an entry
//! a thread of each sink   DecisionSink         takes entries from a bounded buffer of its own
//! ```
//!
//! So a sink that is slow or away delays neither a decision nor another sink: what finds no room is
//! lost and counted. Nothing is copied or counted where there is no sink; then each decision that is
//! worth reading is told in the log of the process, and names the request alone ([`notice`]).

mod about;
mod entry;
mod facts;
mod feed;
mod losses;
mod material;
mod notice;
mod recorder;
mod rules;

use std::{
    collections::BTreeMap,
    fmt, io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use axum::body::Bytes;
use portcullis_policies::{Cache, Redaction};

use crate::{STACK_BYTES, identity::decision_id, question::Question};
pub(crate) use about::About;
pub use entry::LogEntry;
pub use feed::{Feed, Waited};
pub(crate) use losses::Counts;
pub use losses::{Loss, SinkCounts};
use material::Material;
pub(crate) use material::Taken;
pub(crate) use notice::{action_of, is_worth_reading, point_name, tell};
use recorder::Recorder;
use rules::Rules;

/// Requests that may wait for the recorder, which takes each within a tenth of a millisecond: a burst
/// of a tenth of a second at the pace at which a usual machine decides.
const WAITING: usize = 1_024;

/// Bytes of all that wait for the recorder.
const WAITING_BYTES: usize = 16 << 20;

/// What is logged, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecisionLogSettings {
    /// Labels of each entry, beside `id` and `version`.
    pub labels: BTreeMap<String, String>,
    /// Names of fields whose values are hidden, beside those of Secrets and of credentials.
    pub redact: Vec<String>,
    /// Whether input and result are erased as long as there is no policy with rules.
    pub rules_required: bool,
    /// Bytes that wait for each sink at most.
    pub buffer: usize,
}

/// Takes entries to where they are kept.
pub trait DecisionSink: Send {
    /// Its name in metrics and logs, without secrets: `stdout`, `https://logs.example.com/logs`.
    fn name(&self) -> String;

    /// Takes all entries, on a thread of its own, until the feed has ended.
    fn run(self: Box<Self>, feed: Feed);
}

/// The decision log of a process. Cheap to clone.
#[derive(Clone)]
pub struct DecisionLog(Arc<Shared>);

struct Shared {
    recorder: SyncSender<Message>,
    counts: Arc<Counts>,
    /// Bytes that wait for the recorder.
    waiting: Arc<AtomicUsize>,
    /// Says when all sinks have ended.
    ended: Mutex<Option<Receiver<()>>>,
}

enum Message {
    Record(Box<Material>),
    /// Nothing comes behind it; what is not written by then is lost.
    End(Instant),
}

impl DecisionLog {
    /// Starts the threads. The rules are those of the policy `system/log` of `cache`.
    pub fn start(
        settings: DecisionLogSettings,
        cache: Arc<Cache>,
        sinks: Vec<Box<dyn DecisionSink>>,
    ) -> io::Result<Self> {
        let counts = Arc::new(Counts::new(sinks.iter().map(|sink| sink.name())));
        let waiting = Arc::new(AtomicUsize::new(0));
        let (recorder, messages) = sync_channel(WAITING);
        let (all_ended, ended) = sync_channel(1);
        let mut feeds = Vec::new();
        let mut threads = Vec::new();
        for (sink, counts) in sinks.into_iter().zip(counts.sinks()) {
            let (filler, feed) = feed::feed(settings.buffer, counts.clone());
            feeds.push(filler);
            let thread = thread::Builder::new().name("decision-sink".to_owned());
            threads.push(thread.spawn(move || sink.run(feed))?);
        }
        let mut labels = settings.labels;
        labels.insert("id".to_owned(), decision_id().to_string());
        labels.insert("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        let recorder_of_all = Recorder {
            labels,
            redaction: Redaction::of(&settings.redact),
            rules: Rules::new(cache, settings.rules_required),
            feeds,
            counts: counts.clone(),
            waiting: waiting.clone(),
        };
        // Rules are evaluated there, on a stack like an evaluator's.
        let thread = thread::Builder::new()
            .name("decision-log".to_owned())
            .stack_size(STACK_BYTES);
        thread.spawn(move || {
            recorder_of_all.run(&messages);
            for thread in threads {
                // One that has panicked has ended as well, and was reported.
                let _ = thread.join();
            }
            let _ = all_ended.send(());
        })?;
        Ok(Self(Arc::new(Shared {
            recorder,
            counts,
            waiting,
            ended: Mutex::new(Some(ended)),
        })))
    }

    /// Logs what was taken of a request, if there is room to wait in; what finds none is counted.
    pub(crate) fn record(&self, question: &Question, about: &About, taken: Taken) {
        if let Some(material) = Material::of(question, about, taken) {
            self.hand_over(material);
        }
    }

    /// Logs a request for a document at a path where no policy is, as OPA does.
    pub(crate) fn record_nothing(&self, question: &Question, path: String, text: Option<&Bytes>) {
        self.hand_over(Material::of_nothing(question, path, text));
    }

    fn hand_over(&self, material: Material) {
        let shared = &self.0;
        let bytes = material.bytes();
        let waiting = shared.waiting.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let has_room = waiting <= WAITING_BYTES;
        let message = Message::Record(Box::new(material));
        if !has_room || shared.recorder.try_send(message).is_err() {
            shared.waiting.fetch_sub(bytes, Ordering::Relaxed);
            shared.counts.lose_all();
        }
    }

    /// Waits until what was recorded is written, for so long at most. What comes later is lost. Blocks.
    pub fn close(&self, patience: Duration) {
        let ended = self.0.ended.lock();
        let Some(ended) = ended.unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        let deadline = Instant::now() + patience;
        // The recorder takes one within its rules' time, and then there is room.
        if self.0.recorder.send(Message::End(deadline)).is_err()
            || ended.recv_timeout(patience).is_err()
        {
            tracing::warn!("the decision log could not be written to its end in time");
        }
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// Requests' bytes that wait for the recorder.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for DecisionLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DecisionLog")
            .field("counts", &self.0.counts)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use portcullis_policies::{Headers, Point};
    use rstest::rstest;

    use super::*;

    /// A burst that the recorder cannot follow finds a queue that is bounded in requests and in bytes, and
    /// what finds no room in it is counted for each sink.
    #[rstest]
    #[case::requests(10, WAITING)]
    #[case::bytes(200 << 10, WAITING_BYTES / (201 << 10))]
    fn what_the_recorder_cannot_follow_is_counted(#[case] bytes: usize, #[case] room: usize) {
        // Nobody takes anything.
        let (recorder, _messages) = sync_channel(WAITING);
        let log = DecisionLog(Arc::new(Shared {
            recorder,
            counts: Arc::new(Counts::new(["a".to_owned(), "b".to_owned()])),
            waiting: Arc::default(),
            ended: Mutex::new(None),
        }));
        let question = Question::new(
            Point::Evaluation,
            Headers::default(),
            Duration::from_secs(1),
        );
        let text = Bytes::from("x".repeat(bytes));
        for _ in 0..room + 3 {
            log.record_nothing(&question, String::new(), Some(&text));
        }
        for counts in log.counts().sinks() {
            assert_eq!(counts.lost(Loss::Recorder), 3);
        }
        assert!(log.waiting_bytes() <= WAITING_BYTES);
    }
}
