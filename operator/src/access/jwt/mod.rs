//! JSON Web Tokens of an issuer (RFC 7519), signed by one of its keys (RFC 7515, 7517, 7518).
//!
//! ```text
//! token ─ header ─ algorithm allowed? ─ key by its id ─ signed? ─ claims ─ issuer, audience, time ─▶ caller
//!                                         ▲
//!        file, URL ─ KeyPlace ─ refreshed, last good kept ─ KeySet
//! ```
//!
//! An algorithm is one of those that the administrator lists, all of them with public keys: there is no
//! `none`, and no secret that both sides have (RFC 8725, sections 3.1 and 3.2). A key verifies what is
//! of its own kind only. What a token says of where its keys are (`jku`, `jwk`, `x5u`) is not looked at.

mod algorithm;
mod claims;
mod keys;
mod place;
mod token;

use std::{fmt, sync::Arc, time::Duration};

use futures::future::{BoxFuture, FutureExt as _, ready};
use portcullis_policies::Timestamp;
use portcullis_webhook::{AccessFault, Authenticator, Identified};

pub use algorithm::Algorithm;
pub use claims::Expectations;
pub use keys::KeysFault;
pub use place::{KeyPlace, KeyPlaceFault};
pub(super) use token::claimed_end;

use keys::KeySet;
use place::Held;
use token::Token;

/// How long a token that was verified is remembered: a key that is taken away counts until then.
const MEMORY: Duration = Duration::from_mins(1);

/// Callers that an issuer names.
#[derive(Clone)]
pub struct JwtCallers {
    keys: Arc<Held>,
    expectations: Arc<Expectations>,
}

impl JwtCallers {
    /// Callers with tokens that keep to `expectations`, signed by the keys at a place that is
    /// followed until the future that comes with it is dropped.
    pub fn new(
        place: KeyPlace,
        expectations: Expectations,
    ) -> Result<(Self, impl Future<Output = ()> + Send + use<>), KeyPlaceFault> {
        let (keys, follow) = place.open()?;
        let callers = Self {
            keys,
            expectations: Arc::new(expectations),
        };
        Ok((callers, follow))
    }

    fn verify(&self, text: &str, now: Timestamp) -> Result<Identified, AccessFault> {
        let Some(token) = Token::read(text) else {
            return Ok(Identified::Unknown);
        };
        if token.claims.issuer() != Some(&self.expectations.issuer) {
            // Somebody else's, whom another one may know.
            return Ok(Identified::Unknown);
        }
        let refused = |why: &str| Ok(Identified::Refused(why.to_owned()));
        let algorithm = match token.algorithm() {
            Ok(algorithm) => algorithm,
            Err(why) => return refused(why),
        };
        if !self.expectations.algorithms.contains(&algorithm) {
            return refused("its algorithm is not allowed");
        }
        let keys = self.keys.current()?;
        let mut keys = keys.candidates(token.key_id(), algorithm).peekable();
        if keys.peek().is_none() {
            // The issuer may have a new one.
            self.keys.refresh();
            return refused("no key of its issuer is for it");
        }
        if !keys.any(|key| key.has_signed(algorithm, token.signed, &token.signature)) {
            return refused("its signature is not its issuer's");
        }
        Ok(match self.expectations.caller(&token.claims, now) {
            Ok(identity) => Identified::As(identity),
            Err(why) => Identified::Refused(why),
        })
    }
}

impl Authenticator for JwtCallers {
    fn identify(&self, token: Arc<str>) -> BoxFuture<'static, Result<Identified, AccessFault>> {
        ready(self.verify(&token, Timestamp::now())).boxed()
    }

    fn memory(&self) -> Duration {
        MEMORY
    }
}

impl fmt::Debug for JwtCallers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("JwtCallers")
            .field("expectations", &self.expectations)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
