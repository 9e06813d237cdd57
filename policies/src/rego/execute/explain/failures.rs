//! What is left of an explanation where only that is asked for which does not hold.

use super::{Explanation, Outcome, Tried};

impl Explanation {
    /// Leaves out what holds, and asked for nothing that does not.
    pub fn keep_failures(&mut self) {
        keep_failures(&mut self.rules);
    }
}

fn keep_failures(rules: &mut Vec<Tried>) {
    rules.retain_mut(|tried| {
        keep_failures(&mut tried.asked);
        !tried.asked.is_empty() || matches!(tried.outcome, Outcome::Fails(_))
    });
}
