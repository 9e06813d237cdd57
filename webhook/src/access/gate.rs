//! The one layer around the evaluation API: who asks, how often, and may it.
//!
//! ```text
//! request ─ route ─ open? ─▶ door
//!             │
//!             ▼
//!    our own pass?  ─ bearer token ─ certificate ─ nobody ─▶ 401
//!                          │ known, or asked once for all that wait
//!                          ▼
//!                     how often? ─▶ 429 ─ its rights? ─▶ 403 ─ the policy? ─▶ 403 ─▶ door
//! ```

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    extract::{MatchedPath, RawPathParams, Request, State},
    http::{HeaderMap, request::Parts},
    middleware::{self, Next},
    response::Response,
};
use portcullis_policies::Timestamp;

use super::{
    AccessFault, Action, Authenticator, CertificateReader, Identified, Identity, Rate, Refusal,
    action::{self, Route},
    limiter::Limiter,
    peer::Peer,
    policy,
    refusal::Reason,
    remembered::Remembered,
};
use crate::{Caller, Doors, parameters::Parameters};

/// How long it is remembered that a token is nobody's: short, because it may become somebody's.
const NOBODY: Duration = Duration::from_secs(10);

/// Tokens that are nobody's, from one address: so many a second, and at once. Whoever holds a good one
/// that is known already is not kept out by those that try others beside it.
const FAILURES: (u32, u32) = (5, 50);

/// Who may ask the evaluation API.
#[derive(Clone, Default)]
pub struct Access {
    /// Those who know bearer tokens, in the order in which they are asked.
    pub authenticators: Vec<Arc<dyn Authenticator>>,
    /// Who knows client certificates, if they are taken.
    pub certificates: Option<Arc<dyn CertificateReader>>,
    /// Whether the policy `system/authz` is asked about each request.
    pub by_policy: bool,
    /// How often each caller may ask; as often as it likes, where it is not said.
    pub rate: Option<Rate>,
}

impl Access {
    /// The same router, for those who may ask. With nobody who knows anybody, whoever can reach the
    /// door may.
    pub fn guard(self, doors: &Doors, router: Router) -> Router {
        let gate = Arc::new(Gate::new(self, doors.clone()));
        router.layer(middleware::from_fn_with_state(gate, guard))
    }
}

/// Who is let in, and what is remembered of those who were.
struct Gate {
    access: Access,
    /// Those of them who answer at once, and those who are asked.
    at_hand: Vec<Arc<dyn Authenticator>>,
    asked: Vec<Arc<dyn Authenticator>>,
    doors: Doors,
    tokens: Arc<Remembered<Found>>,
    rights: Arc<Remembered<bool>>,
    requests: Option<Limiter>,
    failures: Limiter,
}

/// Whose a token is.
#[derive(Clone)]
enum Found {
    Somebody(Known),
    Nobody(Option<Arc<str>>),
}

/// A caller, and who knows its rights.
#[derive(Clone)]
struct Known {
    identity: Arc<Identity>,
    by: Option<Arc<dyn Authenticator>>,
}

impl Known {
    fn of(identity: Identity) -> Self {
        Self {
            identity: Arc::new(identity),
            by: None,
        }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Access")
            .field("authenticators", &self.authenticators.len())
            .field("certificates", &self.certificates.is_some())
            .field("by_policy", &self.by_policy)
            .field("rate", &self.rate)
            .finish()
    }
}

async fn guard(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    match gate.admit(request).await {
        Ok(request) => next.run(request).await,
        Err(refusal) => {
            gate.doors.metrics().refusals().count(refusal.reason);
            refusal.into_response()
        }
    }
}

impl Gate {
    fn new(access: Access, doors: Doors) -> Self {
        let (a_second, at_once) = FAILURES;
        let all = access.authenticators.iter().cloned();
        let (at_hand, asked) = all.partition(|it| it.memory().is_zero());
        Self {
            at_hand,
            asked,
            requests: access.rate.map(Limiter::new),
            failures: Limiter::new(Rate::new(a_second, at_once)),
            tokens: Remembered::new(),
            rights: Remembered::new(),
            access,
            doors,
        }
    }

    /// The request, with who asks in its extensions.
    async fn admit(&self, request: Request) -> Result<Request, Refusal> {
        let (mut parts, mut body) = request.into_parts();
        let route = route_of(&mut parts).await;
        if route == Route::Open {
            return Ok(Request::from_parts(parts, body));
        }
        let peer = parts.extensions.get::<Peer>().cloned();
        // Without a connection, all are one.
        let network = peer
            .as_ref()
            .map_or(Ipv4Addr::UNSPECIFIED.into(), Peer::network);
        let known = if matches!(route, Route::OfInstallation(_))
            && shows_pass(&self.doors, &parts.headers)
        {
            Known::of(Identity::installation())
        } else {
            let known = self
                .caller(&route, &parts.headers, peer.as_ref(), network)
                .await?;
            self.count(&known.identity, network)?;
            self.check_rights(&known, &route).await?;
            if self.access.by_policy {
                body = policy::ask(&self.doors, &known.identity, &mut parts, body).await?;
            }
            known
        };
        parts.extensions.insert(known.identity);
        Ok(Request::from_parts(parts, body))
    }

    /// Whether whoever can reach the door may ask.
    fn is_open(&self) -> bool {
        self.access.authenticators.is_empty() && self.access.certificates.is_none()
    }

    /// Who asks. A route that asks its callers itself is left to do so where nobody else knows them.
    async fn caller(
        &self,
        route: &Route,
        headers: &HeaderMap,
        peer: Option<&Peer>,
        network: IpAddr,
    ) -> Result<Known, Refusal> {
        let anonymous = || Known::of(Identity::anonymous());
        if self.is_open() {
            return Ok(anonymous());
        }
        let settings = self.doors.settings();
        let is_open = settings.locks.is_open()
            || settings.readers.is_open()
            || settings.archives.is_open()
            || settings.schedules.is_open()
            || settings.subscriptions.is_open();
        let asks_itself = *route == Route::Own && !is_open;
        match self.identify(headers, peer, network).await {
            Ok(Some(known)) => Ok(known),
            Ok(None) if asks_itself => Ok(anonymous()),
            Ok(None) => Err(self.nobody()),
            Err(refusal) if asks_itself && refusal.reason != Reason::Forbidden => Ok(anonymous()),
            Err(refusal) => Err(refusal),
        }
    }

    /// Who sends a bearer token is who the token says, and otherwise who the certificate says.
    async fn identify(
        &self,
        headers: &HeaderMap,
        peer: Option<&Peer>,
        network: IpAddr,
    ) -> Result<Option<Known>, Refusal> {
        if !self.access.authenticators.is_empty()
            && let Some(token) = Caller::of(headers).bearer()
        {
            return self.by_token(token, network).await.map(Some);
        }
        let certificates = self.access.certificates.as_deref();
        let shown = certificates.and_then(|reader| peer?.identity(reader));
        let Some(shown) = shown else {
            return Ok(None);
        };
        let identity = shown.map_err(|why| Refusal::not_admitted(&why))?;
        if has_ended(&identity) {
            return Err(Refusal::ended(self.challenge()));
        }
        Ok(Some(Known { identity, by: None }))
    }

    async fn by_token(&self, token: &str, network: IpAddr) -> Result<Known, Refusal> {
        let found = self.find(token, network).await?;
        match found {
            Found::Somebody(known) if !has_ended(&known.identity) => Ok(known),
            Found::Somebody(_) => Err(self.failed(Some("it has expired"), network)),
            Found::Nobody(why) => Err(self.failed(why.as_deref(), network)),
        }
    }

    async fn find(&self, token: &str, network: IpAddr) -> Result<Found, Refusal> {
        let token: Arc<str> = token.into();
        let found = ask_all(self.at_hand.clone(), token.clone()).await;
        let (found, _) = found.map_err(|fault| Refusal::unavailable(&fault))?;
        if self.asked.is_empty() || !matches!(found, Found::Nobody(None)) {
            return Ok(found);
        }
        let key = self.tokens.key(&[&token]);
        if let Some(found) = self.tokens.get(&key) {
            return Ok(found);
        }
        if let Some(wait) = self.failures.wait(&network) {
            return Err(Refusal::too_often(wait));
        }
        let found = self
            .tokens
            .get_or_ask(key, || ask_all(self.asked.clone(), token))
            .await;
        found.map_err(|fault| Refusal::unavailable(&fault))
    }

    fn failed(&self, why: Option<&str>, network: IpAddr) -> Refusal {
        match self.failures.take(&network) {
            Ok(()) => Refusal::bad_token(why),
            Err(wait) => Refusal::too_often(wait),
        }
    }

    /// Counts a request of a caller, or of an address where nobody is known.
    fn count(&self, caller: &Identity, network: IpAddr) -> Result<(), Refusal> {
        let Some(requests) = &self.requests else {
            return Ok(());
        };
        let counted = if caller.is_known() {
            requests.take(&(caller.method(), caller.name()))
        } else {
            requests.take(&network)
        };
        counted.map_err(Refusal::too_often)
    }

    async fn check_rights(&self, known: &Known, route: &Route) -> Result<(), Refusal> {
        let (Some(by), Route::Asked(action) | Route::OfInstallation(action)) = (&known.by, route)
        else {
            return Ok(());
        };
        if !by.knows_rights() {
            return Ok(());
        }
        let caller = &known.identity;
        let mut texts = vec![
            caller.method().as_str(),
            caller.name(),
            caller.uid(),
            action.verb,
            action.resource(),
            &action.subresource,
            action.namespace.as_deref().unwrap_or_default(),
            &action.name,
        ];
        texts.extend(caller.groups().iter().map(String::as_str));
        for (name, values) in caller.extra() {
            texts.push(name);
            texts.extend(values.iter().map(String::as_str));
        }
        let key = self.rights.key(&texts);
        let may = || may(by.clone(), caller.clone(), action.clone());
        let may = self.rights.get_or_ask(key, may).await;
        if may.map_err(|fault| Refusal::unavailable(&fault))? {
            Ok(())
        } else {
            Err(Refusal::not_granted(caller, action))
        }
    }

    fn nobody(&self) -> Refusal {
        let takes = match (
            self.access.authenticators.is_empty(),
            self.access.certificates.is_some(),
        ) {
            (false, false) => "`Authorization: Bearer` with a token",
            (false, true) => "`Authorization: Bearer` with a token, or show a client certificate",
            (true, _) => "a client certificate in the handshake",
        };
        Refusal::nobody(self.challenge(), takes)
    }

    /// What is asked for. There is no scheme for certificates, and a 401 has to name one.
    fn challenge(&self) -> &'static str {
        if self.access.authenticators.is_empty() {
            "Certificate"
        } else {
            "Bearer"
        }
    }
}

/// Whether this installation itself asks.
pub(crate) fn shows_pass(doors: &Doors, headers: &HeaderMap) -> bool {
    let caller = Caller::of(headers);
    let pass = caller.bearer().zip(doors.settings().certificate.as_ref());
    pass.is_some_and(|(pass, certificate)| certificate.admits(pass))
}

/// What a request is about.
async fn route_of(parts: &mut Parts) -> Route {
    use axum::RequestPartsExt as _;
    let matched = parts.extensions.get::<MatchedPath>().cloned();
    let parameters: Vec<(String, String)> = match parts.extract::<RawPathParams>().await {
        Ok(parameters) => parameters
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        // A path that is not UTF-8 names no policy.
        Err(_) => Vec::new(),
    };
    let query = parts.extract::<Parameters>().await.unwrap_or_default();
    action::route(
        &parts.method,
        matched.as_ref().map(MatchedPath::as_str),
        |name| {
            let found = parameters.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.as_str())
        },
        query.get("namespace"),
    )
}

/// Asks one after the other, until one knows the token or says that it is not good.
async fn ask_all(
    authenticators: Vec<Arc<dyn Authenticator>>,
    token: Arc<str>,
) -> Result<(Found, Duration), AccessFault> {
    let mut fault = None;
    for by in authenticators {
        match by.identify(token.clone()).await {
            Ok(Identified::As(identity)) => {
                let memory = by.memory().min(left(&identity));
                let identity = Arc::new(identity);
                let by = Some(by);
                return Ok((Found::Somebody(Known { identity, by }), memory));
            }
            Ok(Identified::Refused(why)) => {
                return Ok((Found::Nobody(Some(why.into())), NOBODY));
            }
            Ok(Identified::Unknown) => {}
            Err(one) => fault = Some(one),
        }
    }
    match fault {
        // It may be one of those whom the one knows that cannot be asked.
        Some(fault) => Err(fault),
        None => Ok((Found::Nobody(None), NOBODY)),
    }
}

async fn may(
    by: Arc<dyn Authenticator>,
    caller: Arc<Identity>,
    action: Action,
) -> Result<(bool, Duration), AccessFault> {
    let verdict = by.may(caller, action).await?;
    Ok((verdict.allowed, verdict.memory))
}

/// Time until what proves a caller ends.
fn left(caller: &Identity) -> Duration {
    caller.expires_at().map_or(Duration::MAX, |end| {
        let left = end.duration_since(Timestamp::now());
        left.try_into().unwrap_or(Duration::ZERO)
    })
}

fn has_ended(caller: &Identity) -> bool {
    left(caller).is_zero()
}
