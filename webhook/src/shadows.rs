//! Shadows on live requests: asked when the caller has its answer, away from the threads that answer.
//!
//! ```text
//! admit ── comparisons ── Shadows::prepare ── a copy of the review, if there is room
//!   │ answer                                        │
//!   └─ decisions ───────────── Prepared::compare ───┴─▶ a thread of its own ─▶ Tally
//! ```
//!
//! A request that finds no room is counted and not compared, so admission waits for nothing here.

mod tally;

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use portcullis_policies::{
    Address, Comparison, Decision, Input, Interest, Point, Request, Snapshot,
    shadow::{Difference, difference},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    Evaluators, admission::review::Review, decision_log::About, journal::Journal,
    question::Question,
};
use tally::{Compared, Tallies};
pub(crate) use tally::{Example, Tally};

/// Threads that ask shadows. They share the processors with those that answer, and no more.
const THREADS: usize = 2;

/// Time for all shadows of a request. A shadow ends within its own limits, five seconds at most.
const TIME: Duration = Duration::from_secs(10);

/// Room for the copies of requests that wait, in units: so many requests of a usual size, or one of
/// the largest.
const ROOM: usize = 128;

/// The unit of that room, in bytes.
const UNIT: usize = 64 << 10;

/// What shadows said, and the threads that ask them.
pub(crate) struct Shadows {
    /// Started with the first shadow.
    evaluators: OnceLock<Evaluators>,
    room: Arc<Semaphore>,
    tallies: Arc<Tallies>,
}

/// A request that is to be compared when its answer is known.
pub(crate) struct Prepared {
    snapshot: Arc<Snapshot>,
    review: Review,
    comparisons: Vec<Comparison>,
    place: OwnedSemaphorePermit,
    evaluators: Evaluators,
    tallies: Arc<Tallies>,
}

impl Shadows {
    pub(crate) fn new() -> Self {
        Self {
            evaluators: OnceLock::new(),
            room: Arc::new(Semaphore::new(ROOM)),
            tallies: Arc::default(),
        }
    }

    /// Keeps what is needed to compare a request, if there is something to compare and room. Nothing is
    /// counted here: who waits for an answer waits for no tally.
    pub(crate) fn prepare(
        &self,
        snapshot: &Arc<Snapshot>,
        review: &Review,
        comparisons: Vec<Comparison>,
    ) -> Option<Prepared> {
        if comparisons.is_empty() {
            return None;
        }
        let units = u32::try_from(review.bytes().div_ceil(UNIT).max(1)).unwrap_or(u32::MAX);
        let (snapshot, tallies) = (snapshot.clone(), self.tallies.clone());
        let Ok(place) = self.room.clone().try_acquire_many_owned(units) else {
            tokio::spawn(async move {
                tallies.begin(&snapshot, &comparisons);
                tallies.missed(&comparisons);
            });
            return None;
        };
        let evaluators = self.evaluators.get_or_init(|| Evaluators::new(THREADS));
        Some(Prepared {
            snapshot,
            review: review.copied(),
            comparisons,
            place,
            evaluators: evaluators.clone(),
            tallies,
        })
    }

    /// What a shadow said until now, compared with what it is compared with now.
    pub(crate) fn tally(&self, snapshot: &Snapshot, shadow: &Address) -> Option<Tally> {
        let pair = snapshot.pair(shadow)?;
        Some(self.tallies.of(pair))
    }
}

impl Prepared {
    /// Compares with what was decided, some time after this returns.
    pub(crate) fn compare(
        self,
        journal: &Arc<Journal>,
        question: &Question,
        about: &About,
        decisions: &[Decision],
    ) {
        let Self {
            snapshot,
            review,
            comparisons,
            place,
            evaluators,
            tallies,
        } = self;
        let decided: Vec<Decision> = comparisons
            .iter()
            .map(|comparison| comparison.in_force(&question.id, decisions))
            .collect();
        let journal = journal.clone();
        let (request, about) = (question.as_it_was(), about.clone());
        let deadline = Instant::now() + TIME;
        tokio::spawn(async move {
            let _place = place;
            tallies.begin(&snapshot, &comparisons);
            let all = comparisons.clone();
            let counted = tallies.clone();
            let job = move || {
                let job = Job {
                    review,
                    request,
                    about,
                    journal,
                    deadline,
                };
                job.run(&comparisons, &decided, &counted);
            };
            // As of admission: these threads do nothing else, and none is to be kept free for it.
            if let Err(why) = evaluators.run_at(Point::Admission, deadline, job).await {
                tracing::debug!(%why, "shadows were not asked to the end");
                tallies.missed(&all);
            }
        });
    }
}

/// One request, on the thread that asks its shadows.
struct Job {
    review: Review,
    request: Request,
    about: About,
    journal: Arc<Journal>,
    deadline: Instant,
}

impl Job {
    fn run(&self, comparisons: &[Comparison], decided: &[Decision], tallies: &Tallies) {
        let looking = comparisons.iter().flat_map(Comparison::entries);
        let interest = Interest::of(Point::Admission, looking);
        let Ok(input) = self.review.input(&interest) else {
            // What cannot be read was refused, or not, without asking any version.
            return tallies.missed(comparisons);
        };
        let is_secret = self.about.is_secret || self.hides(&input);
        for (comparison, in_force) in comparisons.iter().zip(decided) {
            let budget = self.deadline.saturating_duration_since(Instant::now());
            if budget.is_zero() {
                tallies.missed(std::slice::from_ref(comparison));
                continue;
            }
            let request = Request {
                budget,
                ..self.request.clone()
            };
            let shadow = comparison.decide(&input, &request);
            if !comparison.is_comparable(in_force, &shadow) {
                continue;
            }
            let found = difference(in_force, &shadow);
            let example = found.map(|found| self.example(found, [in_force, &shadow], is_secret));
            let compared = Compared {
                difference: found,
                example,
            };
            tallies.note(&comparison.pair, compared);
        }
    }

    /// Whether something of the request may not be kept. Then nothing is kept of what policies say of
    /// it, because they may repeat it.
    fn hides(&self, input: &Input) -> bool {
        let redaction = self.journal.redaction();
        redaction.apply(input, self.about.is_secret).is_some()
    }

    fn example(&self, found: Difference, said: [&Decision; 2], is_secret: bool) -> Example {
        let [in_force, shadow] = said.map(|decision| tally::said(decision, is_secret));
        Example {
            time: self.request.now,
            request: tally::cut(&self.about.resource),
            user: tally::cut(&self.about.user),
            difference: found,
            in_force,
            shadow,
        }
    }
}

impl fmt::Debug for Shadows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Shadows")
            .field("tallies", &self.tallies)
            .finish_non_exhaustive()
    }
}
