//! What is left of an explanation where only some of it is asked for.

use super::{Explanation, Outcome, Tried};

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

impl Explanation {
    /// Leaves out what holds, and asked for nothing that does not.
    pub(super) fn keep_failures(&mut self) {
        keep_failures(&mut self.rules);
    }
}

fn keep_failures(rules: &mut Vec<Tried>) {
    rules.retain_mut(|tried| {
        keep_failures(&mut tried.asked);
        !tried.asked.is_empty() || matches!(tried.outcome, Outcome::Fails(_))
    });
}
