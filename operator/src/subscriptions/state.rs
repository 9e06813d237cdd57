//! What a subscriber was told, and what there is to tell.

use aws_lc_rs::digest::{Context, SHA256};
use portcullis_policies::{Address, Point, Scope, Snapshot, Timestamp, address::AddressError};
use portcullis_webhook::Subscribed;
use serde::{Deserialize, Serialize};

/// A subscription, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Kept", into = "Kept")]
pub(crate) struct Subscription {
    /// Names it.
    pub(crate) id: String,
    pub(crate) address: Address,
    pub(crate) subscriber: String,
    pub(crate) url: String,
    pub(crate) created: Timestamp,
    pub(crate) progress: Progress,
}

/// A subscription as it is kept in a file: its name follows from the rest.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    group: String,
    name: String,
    version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    subscriber: String,
    url: String,
    created: Timestamp,
    #[serde(default)]
    progress: Progress,
}

/// How far a subscription has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Progress {
    /// What the subscriber knows. Nothing before the first look, which tells nothing: who subscribes
    /// knows what there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) told: Option<Told>,
    /// Events that were told or given up. It makes the id of each.
    #[serde(default)]
    pub(crate) sequence: u64,
    /// When an event was delivered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) delivered: Option<Timestamp>,
    /// Why the last event was not delivered, if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
}

/// A state of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Told {
    /// The policy's digest; without one there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<String>,
    /// Whether it is locked for evaluation.
    #[serde(default)]
    pub(crate) locked: bool,
}

/// What happened to a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is another one now, or there again.
    Updated,
    /// It is gone.
    Deleted,
    /// A lock holds it.
    Locked,
    /// No lock holds it any more.
    Unlocked,
}

impl Change {
    /// The word in events.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::Locked => "locked",
            Self::Unlocked => "unlocked",
        }
    }
}

/// The state of a policy now.
pub(crate) fn told_of(snapshot: &Snapshot, address: &Address, now: Timestamp) -> Told {
    let entry = snapshot.find(address);
    let locked = |entry: &std::sync::Arc<portcullis_policies::Entry>| {
        entry.active_lock(Point::Evaluation, now).is_some()
    };
    Told {
        digest: entry.map(|entry| entry.policy.digest().to_string()),
        locked: entry.is_some_and(locked),
    }
}

/// What there is to tell, the most important of it: the event has the whole state.
pub(crate) fn change(before: &Told, now: &Told) -> Option<Change> {
    if before == now {
        return None;
    }
    Some(match (&before.digest, &now.digest) {
        (Some(_), None) => Change::Deleted,
        (before, now) if before != now => Change::Updated,
        _ if now.locked => Change::Locked,
        _ => Change::Unlocked,
    })
}

/// The name of a subscription: whoever asks for the same one again is known by it.
pub(crate) fn identify(address: &Address, subscriber: &str, url: &str) -> String {
    let mut context = Context::new(&SHA256);
    let owner = address.namespace().unwrap_or_default();
    for part in [owner, &address.path(), subscriber, url] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    // 16 bytes are more than anybody can make two of.
    crate::archive::hexadecimal(&context.finish().as_ref()[..16])
}

impl TryFrom<Kept> for Subscription {
    type Error = AddressError;

    fn try_from(kept: Kept) -> Result<Self, AddressError> {
        let scope = kept.namespace.map_or(Scope::Cluster, Scope::Namespace);
        let address = Address::new(scope, &kept.group, &kept.name, &kept.version)?;
        Ok(Self {
            id: identify(&address, &kept.subscriber, &kept.url),
            address,
            subscriber: kept.subscriber,
            url: kept.url,
            created: kept.created,
            progress: kept.progress,
        })
    }
}

impl From<Subscription> for Kept {
    fn from(own: Subscription) -> Self {
        Self {
            group: own.address.group().to_owned(),
            name: own.address.name().to_owned(),
            version: own.address.version().to_string(),
            namespace: own.address.namespace().map(str::to_owned),
            subscriber: own.subscriber,
            url: own.url,
            created: own.created,
            progress: own.progress,
        }
    }
}

impl From<Subscription> for Subscribed {
    fn from(subscription: Subscription) -> Self {
        Self {
            id: subscription.id,
            address: subscription.address,
            subscriber: subscription.subscriber,
            url: subscription.url,
            created: subscription.created,
            delivered: subscription.progress.delivered,
            failure: subscription.progress.failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// `a` is a digest, `a!` a locked policy, nothing is none.
    fn told(text: &str) -> Told {
        let digest = text.trim_end_matches('!');
        Told {
            digest: (!digest.is_empty()).then(|| digest.to_owned()),
            locked: text.ends_with('!'),
        }
    }

    #[rstest]
    #[case("a", "a", None)]
    #[case("", "", None)]
    #[case("a", "b", Some(Change::Updated))]
    #[case("", "a", Some(Change::Updated))]
    #[case("a", "", Some(Change::Deleted))]
    #[case("a!", "", Some(Change::Deleted))]
    #[case("a", "a!", Some(Change::Locked))]
    #[case("a!", "a", Some(Change::Unlocked))]
    #[case("a", "b!", Some(Change::Updated))]
    fn what_there_is_to_tell(
        #[case] before: &str,
        #[case] now: &str,
        #[case] expected: Option<Change>,
    ) {
        assert_eq!(change(&told(before), &told(now)), expected);
    }

    #[test]
    fn a_subscription_is_named_by_all_of_it() {
        let names = [
            ("a/b@1", "shop", "u"),
            ("a/b@2", "shop", "u"),
            ("a/b@1", "shopu", ""),
        ]
        .map(|(address, name, url)| identify(&address.parse().unwrap(), name, url));
        assert_eq!(names[0].len(), 32);
        assert!(names[0] != names[1] && names[0] != names[2]);
    }
}
