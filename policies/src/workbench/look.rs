//! What is looked at while something is evaluated.

use super::profile::{Profile, Profiler};
use crate::rego::{
    execute::{Coverage, Explainer, Explanation, Report},
    plan::ir::Plan,
    source::Sources,
};

/// What is to be looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Which lines are covered.
    pub coverage: bool,
    /// What conditions cost.
    pub profile: bool,
    /// Why rules hold or do not hold.
    pub explanation: bool,
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
}

impl Look {
    /// Whether anything is looked at.
    pub(super) fn is_blind(self) -> bool {
        self == Self::default()
    }
}

/// Look at what is asked for.
pub(super) type Onlookers = (Option<Coverage>, (Option<Profiler>, Option<Explainer>));

/// Those who look at what is asked for.
pub(super) fn onlookers(look: Look) -> Onlookers {
    (
        look.coverage.then(Coverage::default),
        (
            look.profile.then(Profiler::default),
            look.explanation.then(Explainer::default),
        ),
    )
}

/// What they have seen.
pub(super) fn seen(onlookers: Onlookers, plan: &Plan, sources: &Sources) -> Seen {
    let (coverage, (profiler, explainer)) = onlookers;
    Seen {
        coverage: coverage.map(|coverage| coverage.report(plan, sources)),
        profile: profiler.map(|profiler| profiler.profile(sources)),
        explanation: explainer.map(|explainer| explainer.explain(sources)),
    }
}
