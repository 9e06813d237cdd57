//! An event as it is sent: a `CloudEvent` (1.0, HTTP binding, binary mode), signed as Standard Webhooks
//! are.
//!
//! The body is the data, so that a receiver of the TSA policy service reads it as before; the
//! attributes are headers `ce-…`. What is signed is the id, the time and the body, with a dot between
//! them, and all that an event says is in its body too.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use portcullis_policies::Timestamp;
use serde::Serialize;

use super::state::{Change, Subscription, Told};
use crate::archive::SigningKey;

/// The source of the signature: Standard Webhooks names the one of Ed25519 `v1a`, and none of ECDSA.
const ED25519: &str = "v1a";
/// Ours, of an ASN.1 signature of ECDSA on P-256 with SHA-256.
const P256: &str = "v1es256";

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// The data. The first four are those of the TSA policy service.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    repository: &'a str,
    name: &'a str,
    version: &'a str,
    group: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    change: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a str>,
    locked: bool,
    subscriber: &'a str,
}

impl Event {
    /// The event of a change, signed at this time. `None` where the system has no randomness.
    pub(super) fn new(
        subscription: &Subscription,
        (change, now): (Change, &Told),
        (source, repository): (&str, &str),
        time: Timestamp,
        key: &SigningKey,
    ) -> Option<Self> {
        let address = &subscription.address;
        let data = Data {
            repository,
            name: address.name(),
            version: address.version().as_str(),
            group: address.group(),
            namespace: address.namespace(),
            change: change.as_str(),
            digest: now.digest.as_deref(),
            locked: now.locked,
            subscriber: &subscription.subscriber,
        };
        let body = serde_json::to_vec(&data).expect("a document of texts must serialise");
        // The same for every attempt, and another one for every event of every subscription.
        let id = format!("{}-{}", subscription.id, subscription.progress.sequence + 1);
        let second = time.as_second().to_string();
        let signed = [id.as_bytes(), second.as_bytes(), &body].join(&b'.');
        let scheme = if key.public().is_edwards() {
            ED25519
        } else {
            P256
        };
        let signature = STANDARD.encode(key.sign(&signed)?);
        let path = match address.namespace() {
            Some(namespace) => format!("/namespaces/{namespace}/policy"),
            None => format!("/policy/{repository}"),
        };
        let source = format!(
            "{source}{path}/{}/{}/{}",
            address.group(),
            address.name(),
            address.version()
        );
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("ce-specversion", "1.0".to_owned()),
            ("ce-id", id.clone()),
            ("ce-source", source),
            (
                "ce-type",
                format!("dev.portcullis.policy.{}", change.as_str()),
            ),
            ("ce-subject", address.path()),
            ("ce-time", time.to_string()),
            ("webhook-id", id),
            ("webhook-timestamp", second),
            ("webhook-signature", format!("{scheme},{signature}")),
            ("webhook-key-id", key.public().id()),
        ];
        Some(Self {
            headers: headers
                .map(|(name, value)| (name.to_owned(), value))
                .to_vec(),
            body,
        })
    }
}
