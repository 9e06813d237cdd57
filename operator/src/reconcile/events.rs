//! Events: what `kubectl describe` and `kubectl get events` tell of the life of a policy or an
//! exemption.
//!
//! They are made of the difference between two statuses, and the status is in the cluster: a
//! restart announces nothing twice.

use std::{sync::Arc, time::Duration};

use k8s_openapi::{
    api::{apps::v1::Deployment, core::v1::ObjectReference},
    apimachinery::pkg::apis::meta::v1::Condition,
};
use kube::{Api, Client};
use kube_runtime::events::{Event, EventType, Recorder, Reporter};
use portcullis_crds::{
    API_VERSION, ConditionType, ExemptionStatus, PolicyStatus, conditions::reason,
};
use portcullis_policies::ObjectKey;
use tokio::time::timeout;

use super::{Settings, metrics::Metrics};
use crate::leader::Leadership;

/// Longest note of an Event, in bytes: the API server's limit.
const NOTE: usize = 1024;

/// Time for looking up what an Event is about.
const READ: Duration = Duration::from_secs(4);

/// Something to announce about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Announcement {
    is_warning: bool,
    reason: &'static str,
    action: &'static str,
    note: String,
}

/// Publishes Events. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Announcer {
    client: Client,
    leadership: Leadership,
    settings: Arc<Settings>,
    metrics: Metrics,
}

/// What is new between two statuses of a policy.
pub(crate) fn news(before: &PolicyStatus, after: &PolicyStatus) -> Vec<Announcement> {
    use ConditionType::{Compiled, DataRefreshed, Enforced, Healthy, Locked};

    let pair = |condition| {
        let [was, is] = [before, after].map(|status| find(&status.conditions, condition));
        (was, is)
    };
    let mut news = Vec::new();
    if let (was, Some(is)) = pair(Compiled) {
        let is_same = was.is_some_and(|was| was.status == is.status && was.message == is.message);
        match is.status.as_str() {
            "False" if !is_same => news.push(warning("CompileFailed", "Compile", &is.message)),
            "True" if was.is_none_or(|was| was.status != "True") => {
                news.push(normal("Compiled", "Compile", &is.message));
            }
            _ => {}
        }
    }
    if let (was, Some(is)) = pair(Enforced) {
        let same_reason = was.is_some_and(|was| was.reason == is.reason);
        if is.status == "True" && (!same_reason || before.digest != after.digest) {
            news.push(normal("Enforced", "Enforce", &is.message));
        } else if is.reason == reason::ADDRESS_TAKEN && !same_reason {
            news.push(warning("AddressTaken", "Enforce", &is.message));
        } else if is.reason == reason::SUPERSEDED && !same_reason {
            news.push(normal("Superseded", "Enforce", &is.message));
        } else if is.reason == reason::SHADOW && !same_reason {
            news.push(normal("Shadow", "Enforce", &is.message));
        }
    }
    if let Some(taken) = &after.in_place_of {
        let was = before.in_place_of.as_ref().map(|taken| &taken.version);
        if was != Some(&taken.version) {
            let note = format!("judges in the place of version {}", taken.version);
            news.push(normal("Supersedes", "Enforce", &note));
        }
    }
    for (condition, action, failed, mended) in [
        (Healthy, "Evaluate", "LimitsExhausted", "Healthy"),
        (DataRefreshed, "Refresh", "RefreshFailed", "Refreshed"),
    ] {
        let (was, Some(is)) = pair(condition) else {
            continue;
        };
        let had_failed = was.is_some_and(|was| was.status == "False");
        match is.status.as_str() {
            "False" if !had_failed => news.push(warning(failed, action, &is.message)),
            "True" if had_failed => news.push(normal(mended, action, &is.message)),
            _ => {}
        }
    }
    if let (was, Some(is)) = pair(Locked) {
        let was_locked = was.is_some_and(|was| was.status == "True");
        match is.status.as_str() {
            "True" if !was_locked => news.push(warning("Locked", "Lock", &is.message)),
            "False" if was_locked => news.push(normal("Unlocked", "Unlock", &is.message)),
            _ => {}
        }
    }
    news
}

/// What is new between two statuses of an exemption.
pub(crate) fn exemption_news(
    before: &ExemptionStatus,
    after: &ExemptionStatus,
) -> Option<Announcement> {
    let active = ConditionType::Active;
    let was = find(&before.conditions, active);
    let is = find(&after.conditions, active)?;
    if was.is_some_and(|was| was.status == is.status && was.reason == is.reason) {
        return None;
    }
    Some(match (is.status.as_str(), is.reason.as_str()) {
        ("True", _) => normal("Honoured", "Exempt", &is.message),
        (_, reason::EXPIRED) => normal("Expired", "Exempt", &is.message),
        _ => warning("NotHonoured", "Exempt", &is.message),
    })
}

fn find(conditions: &[Condition], condition: ConditionType) -> Option<&Condition> {
    let mut all = conditions.iter();
    all.find(|candidate| candidate.type_ == condition.as_str())
}

fn normal(reason: &'static str, action: &'static str, note: &str) -> Announcement {
    Announcement {
        is_warning: false,
        reason,
        action,
        note: note.to_owned(),
    }
}

fn warning(reason: &'static str, action: &'static str, note: &str) -> Announcement {
    Announcement {
        is_warning: true,
        ..normal(reason, action, note)
    }
}

impl Announcer {
    pub(crate) fn new(
        client: Client,
        leadership: Leadership,
        settings: Arc<Settings>,
        metrics: Metrics,
    ) -> Self {
        Self {
            client,
            leadership,
            settings,
            metrics,
        }
    }

    /// Announces something about an object of ours.
    pub(crate) async fn about(&self, key: &ObjectKey, uid: &str, announcement: &Announcement) {
        let reference = ObjectReference {
            api_version: Some(API_VERSION.to_owned()),
            kind: Some(key.kind.to_owned()),
            name: Some(key.name.clone()),
            namespace: key.namespace.clone(),
            uid: Some(uid.to_owned()),
            ..ObjectReference::default()
        };
        self.publish(announcement, &reference).await;
    }

    /// The webhook configuration is gone.
    pub(crate) async fn configuration_missing(&self) {
        let note = format!(
            "the ValidatingWebhookConfiguration {} is gone: admission is switched off; `helm \
             upgrade` restores it",
            self.settings.name
        );
        let announcement = warning("WebhookConfigurationMissing", "Register", &note);
        self.publish(&announcement, &self.own_deployment().await)
            .await;
    }

    /// The webhook configuration is there again.
    pub(crate) async fn configuration_restored(&self) {
        let note = format!(
            "the ValidatingWebhookConfiguration {} is back",
            self.settings.name
        );
        let announcement = normal("WebhookConfigurationRestored", "Register", &note);
        self.publish(&announcement, &self.own_deployment().await)
            .await;
    }

    /// The operator's Deployment; with its identity where that can be had, by which `kubectl
    /// describe` finds the Event.
    async fn own_deployment(&self) -> ObjectReference {
        let name = format!("{}-operator", self.settings.name);
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), &self.settings.namespace);
        let found = timeout(READ, api.get_metadata(&name)).await;
        ObjectReference {
            api_version: Some("apps/v1".to_owned()),
            kind: Some("Deployment".to_owned()),
            name: Some(name),
            namespace: Some(self.settings.namespace.clone()),
            uid: found
                .ok()
                .and_then(Result::ok)
                .and_then(|found| found.metadata.uid),
            ..ObjectReference::default()
        }
    }

    /// An Event that is lost is no reason to stop: the status says the same.
    async fn publish(&self, announcement: &Announcement, about: &ObjectReference) {
        let event = Event {
            type_: if announcement.is_warning {
                EventType::Warning
            } else {
                EventType::Normal
            },
            reason: announcement.reason.to_owned(),
            action: announcement.action.to_owned(),
            note: Some(cut(&announcement.note, NOTE)),
            secondary: None,
        };
        // A recorder counts what has the same reason and keeps the first note; each of these says
        // something new, so each has a recorder of its own.
        let reporter = Reporter {
            controller: "portcullis-operator".to_owned(),
            instance: Some(self.settings.pod.clone()),
        };
        let recorder = Recorder::new(self.client.clone(), reporter);
        let request = recorder.publish(&event, about);
        if let Err(fault) = self.leadership.write("publish an Event", request).await {
            self.metrics.failed("publish an Event");
            let fault = crate::cluster::chain(&fault);
            tracing::warn!(reason = announcement.reason, fault, "an Event is lost");
        }
    }
}

/// The beginning of a text, of whole characters.
fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(bytes - '…'.len_utf8());
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use portcullis_crds::{Finding, InPlaceOf, conditions::merged};
    use rstest::rstest;

    fn status(digest: &str, findings: impl IntoIterator<Item = Finding>) -> PolicyStatus {
        PolicyStatus {
            digest: Some(digest.to_owned()),
            conditions: merged(&[], findings, Some(1), Timestamp::UNIX_EPOCH),
            ..PolicyStatus::default()
        }
    }

    fn superseding(digest: &str, version: &str) -> PolicyStatus {
        PolicyStatus {
            in_place_of: Some(InPlaceOf {
                version: version.to_owned(),
                since: "2026-12-01T00:00:00Z".to_owned(),
            }),
            ..status(digest, [])
        }
    }

    fn compiled() -> Finding {
        ConditionType::Compiled.holds(reason::COMPILED, "Rego v1")
    }

    fn broken(message: &str) -> Finding {
        ConditionType::Compiled.fails(reason::COMPILE_FAILED, message)
    }

    fn enforced() -> Finding {
        ConditionType::Enforced.holds(reason::ON_EVERY_REPLICA, "3 of 3")
    }

    fn waiting(reason: &'static str) -> Finding {
        ConditionType::Enforced.fails(reason, "not yet")
    }

    fn healthy(is_healthy: bool) -> Finding {
        if is_healthy {
            ConditionType::Healthy.holds(reason::WITHIN_LIMITS, "")
        } else {
            ConditionType::Healthy.fails(reason::LIMITS_EXHAUSTED, "POLICY.TIMEOUT")
        }
    }

    fn refreshed(is_refreshed: bool) -> Finding {
        if is_refreshed {
            ConditionType::DataRefreshed.holds(reason::REFRESHED, "")
        } else {
            ConditionType::DataRefreshed.fails(reason::REFRESH_FAILED, "it stays as it is")
        }
    }

    fn locked(is_locked: bool) -> Finding {
        if is_locked {
            ConditionType::Locked.holds(reason::REFUSED, "ClusterLock incident")
        } else {
            ConditionType::Locked.fails(reason::NOT_LOCKED, "")
        }
    }

    #[rstest]
    #[case::first(PolicyStatus::default(), status("a", [compiled(), enforced(), locked(false)]),
        &["Compiled", "Enforced"])]
    #[case::nothing_new(status("a", [compiled(), enforced(), locked(false)]),
        status("a", [compiled(), enforced(), locked(false)]), &[])]
    #[case::broken(status("a", [compiled()]), status("b", [broken("1:1")]), &["CompileFailed"])]
    #[case::broken_otherwise(status("a", [broken("1:1")]), status("b", [broken("2:1")]), &["CompileFailed"])]
    #[case::still_broken(status("a", [broken("1:1")]), status("a", [broken("1:1")]), &[])]
    #[case::mended(status("a", [broken("1:1")]), status("b", [compiled()]), &["Compiled"])]
    #[case::pending(status("a", [enforced()]), status("b", [waiting(reason::PENDING)]), &[])]
    #[case::enforced_again(status("b", [waiting(reason::PENDING)]), status("b", [enforced()]), &["Enforced"])]
    #[case::another_digest(status("a", [enforced()]), status("b", [enforced()]), &["Enforced"])]
    #[case::taken(PolicyStatus::default(), status("a", [waiting(reason::ADDRESS_TAKEN)]), &["AddressTaken"])]
    #[case::still_taken(status("a", [waiting(reason::ADDRESS_TAKEN)]),
        status("a", [waiting(reason::ADDRESS_TAKEN)]), &[])]
    #[case::exhausted(status("a", [healthy(true)]), status("a", [healthy(false)]), &["LimitsExhausted"])]
    #[case::exhausted_first(status("a", []), status("a", [healthy(false)]), &["LimitsExhausted"])]
    #[case::still_exhausted(status("a", [healthy(false)]), status("a", [healthy(false)]), &[])]
    #[case::recovered(status("a", [healthy(false)]), status("a", [healthy(true)]), &["Healthy"])]
    #[case::fetched(status("a", []), status("a", [refreshed(true)]), &[])]
    #[case::away(status("a", [refreshed(true)]), status("a", [refreshed(false)]), &["RefreshFailed"])]
    #[case::still_away(status("a", [refreshed(false)]), status("a", [refreshed(false)]), &[])]
    #[case::refreshed_again(status("a", [refreshed(false)]), status("a", [refreshed(true)]), &["Refreshed"])]
    #[case::locked(status("a", [locked(false)]), status("a", [locked(true)]), &["Locked"])]
    #[case::unlocked(status("a", [locked(true)]), status("a", [locked(false)]), &["Unlocked"])]
    #[case::shadow(PolicyStatus::default(), status("a", [waiting(reason::SHADOW)]), &["Shadow"])]
    #[case::promoted(status("a", [waiting(reason::SHADOW)]), status("b", [enforced()]), &["Enforced"])]
    #[case::superseded(status("a", [enforced()]), status("a", [waiting(reason::SUPERSEDED)]), &["Superseded"])]
    #[case::superseded_by_another(status("a", [waiting(reason::SUPERSEDED)]),
        status("a", [waiting(reason::SUPERSEDED)]), &[])]
    #[case::back(status("a", [waiting(reason::SUPERSEDED)]), status("a", [enforced()]), &["Enforced"])]
    #[case::supersedes(status("a", []), superseding("a", "1"), &["Supersedes"])]
    #[case::supersedes_still(superseding("a", "1"), superseding("b", "1"), &[])]
    #[case::supersedes_another(superseding("a", "1"), superseding("a", "1.1"), &["Supersedes"])]
    fn announces_what_is_new(
        #[case] before: PolicyStatus,
        #[case] after: PolicyStatus,
        #[case] expected: &[&str],
    ) {
        let reasons: Vec<_> = news(&before, &after)
            .iter()
            .map(|news| news.reason)
            .collect();
        assert_eq!(reasons, expected);
    }

    fn exempting(findings: impl IntoIterator<Item = Finding>) -> ExemptionStatus {
        ExemptionStatus {
            conditions: merged(&[], findings, Some(1), Timestamp::UNIX_EPOCH),
            ..ExemptionStatus::default()
        }
    }

    fn honoured() -> Finding {
        ConditionType::Active.holds(reason::HOLDS, "")
    }

    fn idle(reason: &'static str) -> Finding {
        ConditionType::Active.fails(reason, "")
    }

    #[rstest]
    #[case::first(exempting([]), exempting([honoured()]), Some("Honoured"))]
    #[case::nothing_new(exempting([honoured()]), exempting([honoured()]), None)]
    #[case::over(exempting([honoured()]), exempting([idle(reason::EXPIRED)]), Some("Expired"))]
    #[case::refused(exempting([]), exempting([idle(reason::NOT_PERMITTED)]), Some("NotHonoured"))]
    #[case::still_refused(exempting([idle(reason::GUARDRAIL)]), exempting([idle(reason::GUARDRAIL)]), None)]
    #[case::for_another_reason(exempting([idle(reason::GUARDRAIL)]), exempting([idle(reason::NO_TARGET)]), Some("NotHonoured"))]
    #[case::accepted(exempting([idle(reason::NOT_PERMITTED)]), exempting([honoured()]), Some("Honoured"))]
    fn announces_what_is_new_of_an_exemption(
        #[case] before: ExemptionStatus,
        #[case] after: ExemptionStatus,
        #[case] expected: Option<&str>,
    ) {
        let news = exemption_news(&before, &after);
        assert_eq!(news.map(|news| news.reason), expected);
    }

    #[test]
    fn a_note_is_cut_between_characters() {
        assert_eq!(cut("short", 1024), "short");
        let long = cut(&"\u{e9}".repeat(1024), 1024);
        assert!(
            long.len() <= 1024 && long.ends_with('…'),
            "{} bytes",
            long.len()
        );
    }
}
