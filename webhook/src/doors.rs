//! What all doors share, and the one way in which they ask.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::body::Bytes;
use portcullis_policies::{Cache, Decision, Entry, Input, Interest, Panel, Point, Snapshot};

use crate::{
    ArchiveKeeper, Certificate, DecisionPath, DecisionReaders, Evaluators, ImportScheduler,
    JournalSettings, LockKeeper, OtherReplicas, Readiness, ResourceReviewer, SubscriptionKeeper,
    Unanswered,
    admission::Bench,
    body::Room,
    decision_log::{self, About, DecisionLog, Taken},
    evaluators::Health,
    journal::{Journal, Note},
    metrics::Metrics,
    problem::Problem,
    question::Question,
    results::Results,
    shadows::Shadows,
};

/// What the doors are made of.
pub struct DoorSettings {
    /// The policies.
    pub cache: Arc<Cache>,
    /// The threads that evaluate.
    pub evaluators: Evaluators,
    /// Whether this replica may be asked.
    pub readiness: Readiness,
    /// Makes and removes locks.
    pub locks: Arc<dyn LockKeeper>,
    /// Makes archives of policies, and takes them in.
    pub archives: Arc<dyn ArchiveKeeper>,
    /// Keeps which archives are fetched.
    pub schedules: Arc<dyn ImportScheduler>,
    /// Keeps who is told of policies' changes.
    pub subscriptions: Arc<dyn SubscriptionKeeper>,
    /// Knows who may read decisions.
    pub readers: Arc<dyn DecisionReaders>,
    /// Asks the other replicas, where there are some.
    pub others: Option<Arc<dyn OtherReplicas>>,
    /// How many decisions are remembered.
    pub journal: JournalSettings,
    /// Where decisions are logged, if they are.
    pub decision_log: Option<DecisionLog>,
    /// Judges our own resources, where the API server asks.
    pub resources: Option<Arc<dyn ResourceReviewer>>,
    /// The certificate, whose end is measured; `None` where connections are plain.
    pub certificate: Option<Arc<Certificate>>,
    /// The repository's name in paths and lists.
    pub repository: String,
    /// The path of the document that `POST /` answers, as OPA's `default_decision`.
    pub default_decision: DecisionPath,
}

/// What all doors share. Cheap to clone.
#[derive(Clone)]
pub struct Doors(Arc<Shared>);

struct Shared {
    settings: DoorSettings,
    metrics: Metrics,
    journal: Arc<Journal>,
    /// Apart, so that no number of evaluations keeps the API server's reviews out.
    review_room: Room,
    input_room: Room,
    bench: Option<Arc<Bench>>,
    shadows: Shadows,
    results: Results,
}

/// What comes of a question.
struct Answered {
    decisions: Vec<Decision>,
    /// What is to be remembered, if that was looked for already.
    note: Option<Note>,
    /// What is to be logged, likewise.
    taken: Option<Taken>,
}

impl Answered {
    fn of(decisions: impl Iterator<Item = Decision>) -> Self {
        Self {
            decisions: decisions.collect(),
            note: None,
            taken: None,
        }
    }
}

impl Doors {
    /// Doors that are made of `settings`.
    pub fn new(settings: DoorSettings) -> Self {
        let bench = settings.resources.clone();
        let bench = bench.map(|reviewer| Arc::new(Bench::new(reviewer)));
        let journal = Arc::new(Journal::new(&settings.journal));
        Self(Arc::new(Shared {
            settings,
            journal,
            bench,
            shadows: Shadows::new(),
            results: Results::default(),
            metrics: Metrics::default(),
            review_room: Room::new(),
            input_room: Room::new(),
        }))
    }

    pub(crate) fn settings(&self) -> &DoorSettings {
        &self.0.settings
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn journal(&self) -> &Arc<Journal> {
        &self.0.journal
    }

    pub(crate) fn shadows(&self) -> &Shadows {
        &self.0.shadows
    }

    /// The results that callers asked to be kept.
    pub(crate) fn results(&self) -> &Results {
        &self.0.results
    }

    pub(crate) fn review_room(&self) -> &Room {
        &self.0.review_room
    }

    /// Where our own resources are judged, if they are.
    pub(crate) fn bench(&self) -> Option<Arc<Bench>> {
        self.0.bench.clone()
    }

    pub(crate) fn input_room(&self) -> &Room {
        &self.0.input_room
    }

    /// What to answer from. Before everything was read once, a policy that is not there may be one
    /// that is not read yet, and the absence of policies allows.
    pub(crate) fn snapshot(&self) -> Result<Arc<Snapshot>, Problem> {
        if self.is_synced() {
            Ok(self.snapshot_so_far())
        } else {
            Err(Problem::not_read_yet())
        }
    }

    /// What was read until now, for who reports it and decides nothing.
    pub(crate) fn snapshot_so_far(&self) -> Arc<Snapshot> {
        self.0.settings.cache.snapshot()
    }

    /// Whether everything has been read once.
    pub(crate) fn is_synced(&self) -> bool {
        self.0.settings.readiness.is_synced()
    }

    /// Why this replica may not be asked, if so.
    pub(crate) fn is_ready(&self) -> Result<(), String> {
        self.0.settings.readiness.is_ready(Instant::now())?;
        self.evaluators_health().exhausted.map_or(Ok(()), Err)
    }

    /// Why this process must be restarted, if so.
    pub(crate) fn is_alive(&self) -> Result<(), String> {
        let health = self.evaluators_health();
        match health.exhausted {
            Some(reason) if health.lost => Err(reason),
            _ => Ok(()),
        }
    }

    pub(crate) fn evaluators_health(&self) -> Health {
        // The reactor's clock, which tests turn.
        let now = tokio::time::Instant::now().into_std();
        self.0.settings.evaluators.health(now)
    }

    /// What the administrator is told beside readiness.
    pub(crate) fn remarks(&self) -> Vec<String> {
        self.0.settings.readiness.remarks()
    }

    /// How long ago the oldest source was known to be alive.
    pub(crate) fn view_age(&self) -> Option<Duration> {
        self.0.settings.readiness.age(Instant::now())
    }

    /// Where decisions are logged, if they are.
    pub(crate) fn decision_log(&self) -> Option<&DecisionLog> {
        self.0.settings.decision_log.as_ref()
    }

    /// Asks a panel about the document that `read` reads of `text`, in one job on an evaluator's thread.
    /// Answers one decision for each judge, in their order. A document that cannot be read is a
    /// problem of who sent it, but not at admission: where a failure is to be ignored, the API
    /// server would let it pass, past a lock as well.
    pub(crate) async fn ask(
        &self,
        question: &Question,
        about: &About,
        snapshot: &Snapshot,
        panel: Panel,
        text: Option<Bytes>,
        read: impl FnOnce(&Interest<'_>) -> Result<Input, Problem> + Send + 'static,
    ) -> Result<Vec<Decision>, Problem> {
        let entries = panel.judges.clone();
        let log = self.decision_log();
        // Nobody else looks at it.
        let text = text.filter(|_| log.is_some());
        let answered = self
            .evaluate(question, panel, about.is_secret, text.clone(), read)
            .await;
        let Answered {
            decisions,
            note,
            taken,
        } = match answered {
            Ok(Ok(answered)) => answered,
            Ok(Err(problem)) if question.point == Point::Admission => {
                let unreadable = |entry: &Arc<Entry>| question.unreadable(entry, &problem.detail);
                Answered::of(entries.iter().map(unreadable))
            }
            Ok(Err(problem)) => return Err(problem.of(&question.id)),
            Err(why) => {
                self.0.metrics.count_unanswered(question.point, why);
                let unanswered = |entry: &Arc<Entry>| question.unanswered(entry, why);
                Answered::of(entries.iter().map(unanswered))
            }
        };
        let journal = &self.0.journal;
        let note =
            note.or_else(|| journal.note(question, &entries, &decisions, None, about.is_secret));
        if let Some(note) = note {
            journal.remember(about, note);
        }
        if let Some(log) = log {
            let taken = taken
                .unwrap_or_else(|| log.take(&entries, &decisions, text.as_ref(), Duration::ZERO));
            log.record(question, about, taken);
        }
        let told = entries.iter().zip(&decisions);
        let told = told.filter(|(_, decision)| decision.is_concerned());
        let metrics = &self.0.metrics;
        metrics.count_decisions(snapshot, question.point, told.clone());
        if log.is_none() {
            for (entry, decision) in told {
                decision_log::tell(question.point, about, entry, decision);
            }
        }
        metrics.observe(question.point, question.begin.elapsed());
        Ok(decisions)
    }

    async fn evaluate(
        &self,
        question: &Question,
        panel: Panel,
        is_secret: bool,
        text: Option<Bytes>,
        read: impl FnOnce(&Interest<'_>) -> Result<Input, Problem> + Send + 'static,
    ) -> Result<Result<Answered, Problem>, Unanswered> {
        let asked = question.clone();
        let at = Arc::new(AtomicUsize::new(0));
        let (asking, names) = (at.clone(), panel.clone());
        let subject = move || {
            let entry = names.entries().nth(at.load(Ordering::Relaxed));
            entry.map_or_else(String::new, |entry| entry.address().to_string())
        };
        let journal = self.0.journal.clone();
        let log = self.decision_log().cloned();
        let job = move || {
            let begin = log.as_ref().map(|_| Instant::now());
            let input = read(&panel.interest(asked.point))?;
            let reading = begin.map_or(Duration::ZERO, |begin| begin.elapsed());
            let decide = |entry: &Entry| {
                let place = panel
                    .entries()
                    .position(|own| std::ptr::eq(Arc::as_ptr(own), entry));
                asking.store(place.unwrap_or_default(), Ordering::Relaxed);
                asked.decide(entry, &input)
            };
            let decisions = panel.decide(&asked.as_it_was(), decide);
            let judges = &panel.judges;
            let note = journal.note(&asked, judges, &decisions, Some(&input), is_secret);
            let taken = log.map(|log| log.take(judges, &decisions, text.as_ref(), reading));
            Ok(Answered {
                decisions,
                note,
                taken,
            })
        };
        self.0
            .settings
            .evaluators
            .run_about(question.lane.clone(), question.deadline, subject, job)
            .await
    }
}

impl fmt::Debug for DoorSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DoorSettings")
            .field("evaluators", &self.evaluators)
            .field("readiness", &self.readiness)
            .field("repository", &self.repository)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Doors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("Doors")
            .field(&self.0.settings)
            .finish()
    }
}
