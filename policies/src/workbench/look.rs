//! What is looked at while something is evaluated.

use super::{
    profile::{Profile, Profiler},
    swallowed::Swallowed,
};
use crate::{
    Diagnostic,
    rego::{
        execute::{Coverage, Explainer, Explanation, Kept, Report},
        plan::ir::Plan,
        source::Sources,
    },
};

/// What is to be looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Which lines are covered.
    pub coverage: bool,
    /// What conditions cost.
    pub profile: bool,
    /// Why rules hold or do not hold.
    pub explanation: Option<Kept>,
    /// What errors of builtin functions were taken for undefined.
    pub swallowed: bool,
}

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// Which lines are covered.
    pub coverage: Option<Report>,
    /// What conditions cost.
    pub profile: Option<Profile>,
    /// Why rules hold or do not hold.
    pub explanation: Option<Explanation>,
    /// What errors of builtin functions were taken for undefined.
    pub swallowed: Vec<Diagnostic>,
}

impl Look {
    /// Whether anything is looked at.
    pub(super) fn is_blind(self) -> bool {
        self == Self::default()
    }
}

/// Look at what is asked for.
pub(super) type Onlookers = (
    (Option<Coverage>, Option<Profiler>),
    (Option<Explainer>, Option<Swallowed>),
);

/// Those who look at what is asked for.
pub(super) fn onlookers(look: Look) -> Onlookers {
    (
        (
            look.coverage.then(Coverage::default),
            look.profile.then(Profiler::default),
        ),
        (
            look.explanation.map(Explainer::new),
            look.swallowed.then(Swallowed::default),
        ),
    )
}

/// What they have seen.
pub(super) fn seen(onlookers: Onlookers, plan: &Plan, sources: &Sources) -> Seen {
    let ((coverage, profiler), (explainer, swallowed)) = onlookers;
    Seen {
        coverage: coverage.map(|coverage| coverage.report(plan, sources)),
        profile: profiler.map(|profiler| profiler.profile(sources)),
        explanation: explainer.map(|explainer| explainer.explain(sources)),
        swallowed: swallowed.map_or_else(Vec::new, |swallowed| swallowed.diagnostics(sources)),
    }
}
