//! Notices in the log of the process: one event for each decision, under the target `decision`, where
//! there is no decision log.
//!
//! What denies, warns or is only audited is told at `info`, what allows at `debug`. An event names the
//! request and carries nothing of its content.

use portcullis_policies::{Decision, Entry, Outcome, Point};

use super::About;

/// Tells a decision.
pub(crate) fn tell(point: Point, about: &About, entry: &Entry, decision: &Decision) {
    let message = decision.messages.first().or(decision.warnings.first());
    macro_rules! event {
        ($level:ident) => {
            tracing::$level!(
                target: "decision",
                id = %decision.id,
                point = point_name(point),
                policy = %decision.policy,
                digest = %decision.digest,
                action = some(action_of(point, entry)),
                outcome = decision.outcome.as_str(),
                allowed = decision.allowed,
                binding = decision.binding.as_deref(),
                code = message.map(|message| message.code.as_str()),
                lock = decision.lock.as_ref().map(|lock| lock.name.as_str()),
                exemption = decision.exemption.as_ref().map(|own| own.name.as_str()),
                user = some(&about.user),
                resource = some(&about.resource),
                uid = some(&about.uid),
                "decided",
            )
        };
    }
    if is_worth_reading(decision) {
        event!(info);
    } else {
        event!(debug);
    }
}

/// The door's name in logs and metrics.
pub(crate) fn point_name(point: Point) -> &'static str {
    match point {
        Point::Admission => "admission",
        Point::Evaluation => "evaluation",
    }
}

/// The policy's action where it has one: at admission.
pub(crate) fn action_of(point: Point, entry: &Entry) -> &'static str {
    match (point, entry.admission()) {
        (Point::Admission, Some(admission)) => admission.action.as_str(),
        _ => "",
    }
}

/// Whether a decision denies, warns, failed or was shaped by a lock.
pub(crate) fn is_worth_reading(decision: &Decision) -> bool {
    let quiet = matches!(
        decision.outcome,
        Outcome::Allowed | Outcome::Skipped | Outcome::NotInForce | Outcome::Unmatched
    );
    !quiet || !decision.allowed || !decision.warnings.is_empty()
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
