//! Whether what a policy takes of servers is of late. Pure.

use portcullis_crds::{ConditionType, Finding, conditions::reason};
use portcullis_policies::{HttpSource, Policy};

use super::World;
use crate::refresh::Attempts;

impl World<'_> {
    /// Whether the last attempt at each document of a policy succeeded; nothing for a policy that takes
    /// none.
    pub(super) fn data_refreshed(&self, policy: Option<&Policy>) -> Option<Finding> {
        use ConditionType::DataRefreshed;

        let sources = &policy?.definition().data_from;
        let sources: Vec<&HttpSource> = sources.iter().filter_map(|it| it.http.as_ref()).collect();
        if sources.is_empty() {
            return None;
        }
        let said = sources.iter().map(|source| {
            let attempts = self.documents.get(&source.object_name());
            say(source, attempts)
        });
        let said: Vec<(Option<bool>, String)> = said.collect();
        // What failed comes first, and then what is not known.
        let worst = [Some(false), None];
        let worst = worst
            .into_iter()
            .find(|state| said.iter().any(|(own, _)| own == state));
        let shown = said
            .iter()
            .filter(|(own, _)| worst.is_none_or(|worst| *own == worst));
        let message = shown
            .map(|(_, text)| text.as_str())
            .collect::<Vec<_>>()
            .join("; ");
        Some(match worst {
            Some(Some(_)) => DataRefreshed.fails(reason::REFRESH_FAILED, message),
            Some(None) => DataRefreshed.unknown(reason::PENDING, message),
            None => DataRefreshed.holds(reason::REFRESHED, message),
        })
    }
}

fn say(source: &HttpSource, attempts: Option<&Attempts>) -> (Option<bool>, String) {
    let attempts = attempts.cloned().unwrap_or_default();
    match (attempts.failure, attempts.fetched) {
        (None, None) => (None, format!("{source} was not asked yet")),
        (None, Some(time)) => (Some(true), format!("{source} is of {time:.0}")),
        (Some(why), None) => (Some(false), format!("{source} was never fetched: {why}")),
        (Some(why), Some(time)) => {
            let text = format!("{source} is of {time:.0} and stays so: {why}");
            (Some(false), text)
        }
    }
}
