//! Sends events, as far as the administrator allows.

use std::{sync::Arc, time::Duration};

use portcullis_policies::{
    Timestamp,
    outside::{HttpRequest, OutsideFault},
};
use portcullis_webhook::OutboundFault;

use super::{
    event::Event,
    state::{Change, Subscription, Told},
};
use crate::{archive::Keyring, network::Network};

/// Time for one attempt. A receiver notes the event and answers; what it does about it is its own.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes that are read of an answer, which nobody looks at.
const MAX_ANSWER: usize = 64 << 10;

/// Sends events.
#[derive(Debug)]
pub(crate) struct Courier {
    network: Network,
    keyring: Arc<Keyring>,
    /// What events say they come from, before the policy's path.
    source: String,
    repository: String,
}

impl Courier {
    /// Signs with the key of `keyring`, and reaches what `network` allows.
    pub(crate) fn new(
        network: Network,
        keyring: Arc<Keyring>,
        source: &str,
        repository: &str,
    ) -> Self {
        Self {
            network,
            keyring,
            source: source.trim_end_matches('/').to_owned(),
            repository: repository.to_owned(),
        }
    }

    /// Whether anybody can be told at all.
    pub(crate) fn is_idle(&self) -> bool {
        self.network.reaches_nothing()
    }

    /// Whether events may be sent to a URL, as far as the URL tells.
    pub(crate) fn check(&self, url: &str) -> Result<(), OutboundFault> {
        let closed = |why: &str| Err(OutboundFault::Closed(why.to_owned()));
        if self.is_idle() {
            return closed("nobody is told of changes here: no hosts are allowed");
        }
        if self.keyring.signing().is_none() {
            return closed("nobody is told of changes here: there is no key to sign with");
        }
        self.network.check_url(url).map_err(|fault| match fault {
            OutsideFault::Refused(why) => OutboundFault::HostForbidden(why),
            fault => OutboundFault::Invalid(fault.to_string()),
        })
    }

    /// Tells a subscriber. An error is a sentence.
    pub(crate) async fn tell(
        &self,
        subscription: &Subscription,
        change: Change,
        now: &Told,
    ) -> Result<(), String> {
        let key = self.keyring.signing();
        let key = key.ok_or("there is no key to sign with")?;
        let origin = (self.source.as_str(), self.repository.as_str());
        let event = Event::new(subscription, (change, now), origin, Timestamp::now(), &key);
        let event = event.ok_or("this system has no randomness to sign with")?;
        let request = HttpRequest {
            method: "POST".to_owned(),
            url: subscription.url.clone(),
            headers: event.headers,
            body: event.body,
            // Whoever moved subscribes anew: a redirect would lead elsewhere than was agreed.
            follows_redirects: false,
            authorities: None,
            trusts_system: true,
            time: PATIENCE,
        };
        let answer = self.network.ask(&request, MAX_ANSWER).await;
        let answer = answer.map_err(|fault| fault.to_string())?;
        if (200..300).contains(&answer.status_code) {
            Ok(())
        } else {
            Err(format!("the subscriber answered {}", answer.status))
        }
    }
}
