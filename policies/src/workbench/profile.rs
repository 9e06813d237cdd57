//! What conditions cost.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::{
    Location,
    rego::{
        execute::Observer,
        plan::ir::Step,
        source::{Sources, Span},
    },
};

/// Measures what conditions cost. Time belongs to the condition that was looked at last.
#[derive(Debug, Default)]
pub(super) struct Profiler {
    costs: HashMap<Span, Measured>,
    /// What is looked at, and since when.
    current: Option<(Span, Instant)>,
}

#[derive(Debug, Default)]
struct Measured {
    time: Duration,
    evaluations: u64,
    solutions: u64,
    /// The steps that the condition was made into.
    steps: HashSet<usize>,
}

/// What one condition costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// Time, in nanoseconds.
    #[serde(rename = "total_time_ns")]
    pub time: u64,
    /// How often it was looked at.
    #[serde(rename = "num_eval")]
    pub evaluations: u64,
    /// How many solutions it had beyond one for each time that it was looked at.
    #[serde(rename = "num_redo")]
    pub further: u64,
    /// How many steps the compiler made of it.
    #[serde(rename = "num_gen_expr")]
    pub steps: u64,
    /// Where it stands.
    #[serde(serialize_with = "row_and_column")]
    pub location: Location,
}

/// What costs are sorted by, the most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Their time.
    Time,
    /// How often they were looked at.
    Evaluations,
    /// How many further solutions they had.
    Further,
    /// How many steps the compiler made of them.
    Steps,
    /// The name of their file.
    File,
    /// Their line.
    Line,
}

impl Order {
    /// OPA's order.
    const DEFAULT: [Self; 5] = [
        Self::Time,
        Self::Evaluations,
        Self::Further,
        Self::File,
        Self::Line,
    ];

    fn compare(self, left: &Cost, right: &Cost) -> Ordering {
        match self {
            Self::Time => left.time.cmp(&right.time),
            Self::Evaluations => left.evaluations.cmp(&right.evaluations),
            Self::Further => left.further.cmp(&right.further),
            Self::Steps => left.steps.cmp(&right.steps),
            Self::File => left.location.file.cmp(&right.location.file),
            Self::Line => left.location.line.cmp(&right.location.line),
        }
    }
}

/// What all conditions cost, the most costly first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Profile {
    /// The conditions.
    pub costs: Vec<Cost>,
}

/// A place as OPA writes it: `{"file": …, "row": …, "col": …}`.
fn row_and_column<S: serde::Serializer>(
    location: &Location,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    use serde::ser::SerializeStruct as _;

    let mut place = serializer.serialize_struct("Location", 3)?;
    place.serialize_field("file", &location.file)?;
    place.serialize_field("row", &location.line)?;
    place.serialize_field("col", &location.column)?;
    place.end()
}

impl Profiler {
    /// Ends what is measured.
    fn settle(&mut self) -> Instant {
        let now = Instant::now();
        if let Some((span, since)) = self.current.take()
            && let Some(measured) = self.costs.get_mut(&span)
        {
            measured.time += now - since;
        }
        now
    }

    /// What was measured.
    pub(super) fn profile(mut self, sources: &Sources) -> Profile {
        self.settle();
        let is_written = |(span, _): &(Span, Measured)| span.start < span.end;
        let costs = self.costs.into_iter().filter(is_written);
        let mut costs: Vec<Cost> = costs
            .map(|(span, measured)| Cost {
                time: u64::try_from(measured.time.as_nanos()).unwrap_or(u64::MAX),
                evaluations: measured.evaluations,
                further: measured.solutions.saturating_sub(measured.evaluations),
                steps: measured.steps.len() as u64,
                location: sources.location(span),
            })
            .collect();
        costs.sort_by(|left, right| left.location.cmp(&right.location));
        let mut profile = Profile { costs };
        profile.sort(&[]);
        profile
    }
}

impl Profile {
    /// Sorts by these, and what is the same by OPA's order.
    pub fn sort(&mut self, orders: &[Order]) {
        self.costs.sort_by(|left, right| {
            let orders = orders.iter().chain(&Order::DEFAULT);
            orders.fold(Ordering::Equal, |found, order| {
                found.then_with(|| order.compare(right, left))
            })
        });
    }
}

impl Observer for Profiler {
    fn looks_at(&mut self, step: &Step) {
        let now = self.settle();
        let measured = self.costs.entry(step.span).or_default();
        measured.evaluations += 1;
        measured.steps.insert(std::ptr::from_ref(step).addr());
        self.current = Some((step.span, now));
    }

    fn holds(&mut self, step: &Step) {
        if let Some(measured) = self.costs.get_mut(&step.span) {
            measured.solutions += 1;
        }
    }
}
