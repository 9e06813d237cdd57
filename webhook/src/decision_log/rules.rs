//! The rules of the log: what `data.system.log` of the policy `system/log` says of an entry.
//!
//! As in OPA, `mask` is a set of masks, and an entry is not logged where `drop` is `true`. Rules that
//! are there and do not answer hide everything: the policy is broken, locked or not in force, it is too
//! late, or says something that is no mask.

use std::{sync::Arc, time::Duration};

use portcullis_policies::{
    Cache, Document, Entry, Headers, Input, Masks, Request, Scope, Timestamp,
};

/// The address of the policy, without its version; one of the cluster.
const GROUP: &str = "system";
const NAME: &str = "log";

/// Time for the rules of one entry: some hundred times what they take, and so short that the recorder
/// follows where each entry uses it up for a while.
const TIME: Duration = Duration::from_millis(100);

/// What the rules say of an entry.
#[derive(Debug)]
pub(super) enum Said {
    /// It is not logged.
    Drop,
    /// It is logged, behind these masks.
    Mask(Masks),
    /// It is not known what is to be hidden; a sentence says why.
    Unknown(String),
}

/// Asks the rules that are in force.
pub(super) struct Rules {
    cache: Arc<Cache>,
    /// Whether there have to be some.
    are_required: bool,
}

impl Rules {
    pub(super) fn new(cache: Arc<Cache>, are_required: bool) -> Self {
        Self {
            cache,
            are_required,
        }
    }

    /// What the rules say of an entry; `event` makes its document, where there are rules.
    pub(super) fn ask(&self, id: &Arc<str>, event: impl FnOnce() -> Document) -> Said {
        let now = Timestamp::now();
        let Some(entry) = self.find(now) else {
            return if self.are_required {
                Said::Unknown(format!("there is no policy `{GROUP}/{NAME}`"))
            } else {
                Said::Mask(Masks::default())
            };
        };
        let request = Request {
            id: id.clone(),
            now,
            headers: Arc::new(Headers::default()),
            budget: TIME,
            namespace: None,
            tool: None,
            strict: false,
        };
        let decision = entry.decide(&Input::Evaluation(Some(event())), &request);
        if !decision.was_evaluated() {
            // A message can quote what is to be hidden; a code cannot.
            let why = decision.code();
            let why = why.map_or(decision.outcome.as_str(), |code| code.as_str());
            return Said::Unknown(format!(
                "the policy {} gave no answer: {why}",
                decision.policy
            ));
        }
        read(decision.result.as_ref())
            .unwrap_or_else(|why| Said::Unknown(format!("`mask` of {}: {why}", decision.policy)))
    }

    /// The newest version in force. A shadow acts on nothing, here as elsewhere.
    fn find(&self, now: Timestamp) -> Option<Arc<Entry>> {
        let snapshot = self.cache.snapshot();
        let found = snapshot.find_in_force(&Scope::Cluster, GROUP, NAME, now);
        found.filter(|entry| !entry.is_shadow()).cloned()
    }
}

fn read(document: Option<&Document>) -> Result<Said, String> {
    let member = |name: &str| document?.member(&[name]);
    if member("drop").and_then(|drops| drops.as_bool()) == Some(true) {
        return Ok(Said::Drop);
    }
    let masks = member("mask")
        .map(|masks| Masks::read(&masks))
        .transpose()?;
    Ok(Said::Mask(masks.unwrap_or_default()))
}
