//! What a token says of its holder, and whether it says what it has to.

use std::time::Duration;

use portcullis_policies::Timestamp;
use portcullis_webhook::{Identity, Method};
use serde_json::{Map, Value as Json};

use super::Algorithm;

/// The claims of a token (RFC 7519, section 4).
#[derive(Debug)]
pub(super) struct Claims(pub(super) Map<String, Json>);

/// What a token has to say, and what is read of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectations {
    /// Who issued it: `iss`, letter by letter.
    pub issuer: String,
    /// For whom it is: one of these is in `aud`.
    pub audiences: Vec<String>,
    /// What it may be signed with.
    pub algorithms: Vec<Algorithm>,
    /// By how much clocks may differ.
    pub leeway: Duration,
    /// The claim with the caller's name: `sub`, `email`.
    pub name_claim: String,
    /// The claim with the caller's groups, a text or a list of texts.
    pub groups_claim: String,
}

impl Claims {
    pub(super) fn issuer(&self) -> Option<&str> {
        self.0.get("iss")?.as_str()
    }

    /// A time in seconds since 1970, with or without a fraction.
    pub(super) fn time(&self, name: &str) -> Result<Option<Timestamp>, String> {
        let Some(claim) = self.0.get(name) else {
            return Ok(None);
        };
        let seconds = claim.as_f64().filter(|seconds| seconds.is_finite());
        #[expect(
            clippy::cast_possible_truncation,
            reason = "what is out of range stays there, and is refused"
        )]
        let time = seconds.map(|seconds| Timestamp::from_second(seconds.floor() as i64));
        match time {
            Some(Ok(time)) => Ok(Some(time)),
            _ => Err(format!("its `{name}` is no time")),
        }
    }

    fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        let wrong = || format!("its `{name}` is neither a text nor a list of texts");
        match self.0.get(name) {
            None | Some(Json::Null) => Ok(Vec::new()),
            Some(Json::String(text)) => Ok(vec![text.clone()]),
            Some(Json::Array(texts)) => texts
                .iter()
                .map(|text| text.as_str().map(str::to_owned).ok_or_else(wrong))
                .collect(),
            Some(_) => Err(wrong()),
        }
    }
}

impl Expectations {
    /// The caller of a token whose signature was verified, or in a sentence why it is nobody.
    pub(super) fn caller(&self, claims: &Claims, now: Timestamp) -> Result<Identity, String> {
        if claims.issuer() != Some(&self.issuer) {
            return Err("it is of another issuer".to_owned());
        }
        let audiences = claims.texts("aud")?;
        if !audiences.iter().any(|one| self.audiences.contains(one)) {
            return Err("it is for others (`aud`)".to_owned());
        }
        let later = |time: Timestamp| time.saturating_add(self.leeway).unwrap_or(Timestamp::MAX);
        let end = claims
            .time("exp")?
            .ok_or("it never ends: it has no `exp`")?;
        let end = later(end);
        if end <= now {
            return Err("it has expired".to_owned());
        }
        for (name, says) in [
            ("nbf", "it is not in force yet"),
            ("iat", "it was issued in the future"),
        ] {
            if claims.time(name)?.is_some_and(|begin| begin > later(now)) {
                return Err(says.to_owned());
            }
        }
        let name = claims.0.get(&self.name_claim).and_then(Json::as_str);
        let name = name.ok_or_else(|| format!("its `{}` is no text", self.name_claim))?;
        // As the API server reads it: who says a mail address of itself need not have it.
        if self.name_claim == "email"
            && claims
                .0
                .get("email_verified")
                .is_some_and(|it| *it != Json::Bool(true))
        {
            return Err("its `email` is not verified".to_owned());
        }
        let groups = claims.texts(&self.groups_claim)?;
        let identity =
            Identity::new(Method::Jwt, name, groups).map_err(|fault| fault.to_string())?;
        Ok(identity.until(Some(end)))
    }
}
