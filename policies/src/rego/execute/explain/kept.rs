//! What is left of an explanation where only some of it is asked for.

use super::{Explanation, Outcome, Reason, Tried};

/// What an explanation keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kept {
    /// Every rule that was tried.
    #[default]
    All,
    /// Rules that do not hold, and what asked for them.
    Failures,
    /// Rules that note something, and what asked for them.
    Notes,
}

/// Rules that restrict: of a decision they matter where they hold.
const RESTRICT: [&str; 5] = ["deny", "skip", "violation", "violations", "warn"];

/// Rules that permit: of a refusal they matter where they do not hold.
const PERMIT: [&str; 2] = ["allow", "allowed"];

impl Explanation {
    /// What a decision comes from: rules that restrict and hold, those that permit and do not hold, and
    /// what was not finished, each with the rules that it asked for itself. Where there is none of
    /// these, all rules that were asked first.
    #[must_use]
    pub fn decisive(&self) -> Self {
        let decisive: Vec<Tried> = self
            .rules
            .iter()
            .filter(|tried| tried.decides())
            .map(Tried::shallow)
            .collect();
        let rules = if decisive.is_empty() {
            self.rules.iter().map(Tried::shallow).collect()
        } else {
            decisive
        };
        Self {
            notes: self.notes.clone(),
            rules,
            omitted: 0,
        }
    }

    /// Leaves out what holds, and asked for nothing that does not.
    pub(super) fn keep_failures(&mut self) {
        keep_failures(&mut self.rules);
    }
}

impl Tried {
    fn decides(&self) -> bool {
        let name = self.rule.rsplit('.').next().unwrap_or_default();
        match &self.outcome {
            Outcome::Holds { .. } => RESTRICT.contains(&name),
            Outcome::Fails(failed) if failed.reason == Reason::Unfinished => true,
            Outcome::Default(_) | Outcome::Fails(_) => PERMIT.contains(&name),
        }
    }

    /// The definition with what it asked for, and not what that asked for.
    fn shallow(&self) -> Self {
        let alone = |tried: &Self, asked: Vec<Self>| Self {
            rule: tried.rule.clone(),
            location: tried.location.clone(),
            outcome: tried.outcome.clone(),
            notes: tried.notes.clone(),
            asked,
            cases: Vec::new(),
        };
        let asked = self.asked.iter().map(|asked| alone(asked, Vec::new()));
        alone(self, asked.collect())
    }
}

fn keep_failures(rules: &mut Vec<Tried>) {
    rules.retain_mut(|tried| {
        keep_failures(&mut tried.asked);
        !tried.asked.is_empty() || matches!(tried.outcome, Outcome::Fails(_))
    });
}
