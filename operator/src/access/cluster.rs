//! Callers that the API server knows: whose token it is (`TokenReview`), and what its holder may do
//! (`SubjectAccessReview`).
//!
//! Both are asked with the process' own rights, which the chart gives only where this is switched on.
//! A token goes to the API server and nowhere else.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::{BoxFuture, FutureExt as _};
use k8s_openapi::api::{
    authentication::v1::{TokenReview, TokenReviewSpec, UserInfo},
    authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
};
use kube::{Api, Client, api::PostParams};
use portcullis_crds::GROUP;
use portcullis_webhook::{
    AccessFault, Action, Authenticator, Identified, Identity, Method, Verdict,
};
use tokio::{sync::Semaphore, time::timeout};

use super::jwt;
use crate::cluster::chain;

/// How long it is remembered whose token it is, and that somebody may do something: what is taken
/// away is in force until then.
const GRANTED: Duration = Duration::from_mins(1);

/// How long it is remembered that somebody may not: shorter, because who was refused asks for the
/// right, and then tries again.
const DENIED: Duration = Duration::from_secs(10);

/// Time for a question, with what it waits for others.
const REQUEST: Duration = Duration::from_secs(5);

/// Questions at once. The API server answers some hundred a second of these at this depth, and they
/// take little of what it has for others.
const AT_ONCE: usize = 16;

/// Time between two warnings that it cannot be asked.
const WARNING: Duration = Duration::from_secs(10);

/// Callers that the API server knows.
#[derive(Clone)]
pub struct ClusterCallers(Arc<Shared>);

struct Shared {
    client: Client,
    /// For whom tokens have to be meant; empty: for the API server.
    audiences: Vec<String>,
    room: Semaphore,
    begun: Instant,
    /// Seconds after the beginning of the last warning, and one.
    warned: AtomicU64,
}

impl ClusterCallers {
    /// Asks with this client about tokens for one of these audiences, or for the API server itself.
    pub fn new(client: Client, audiences: Vec<String>) -> Self {
        Self(Arc::new(Shared {
            client,
            audiences,
            room: Semaphore::new(AT_ONCE),
            begun: Instant::now(),
            warned: AtomicU64::new(0),
        }))
    }
}

impl Shared {
    async fn review(&self, token: &str) -> Result<Identified, AccessFault> {
        let review = TokenReview {
            spec: TokenReviewSpec {
                token: Some(token.to_owned()),
                audiences: (!self.audiences.is_empty()).then(|| self.audiences.clone()),
            },
            ..TokenReview::default()
        };
        let api: Api<TokenReview> = Api::all(self.client.clone());
        let answered = self
            .ask(api.create(&PostParams::default(), &review))
            .await?;
        let status = answered.status.unwrap_or_default();
        let refused = |why: &str| Ok(Identified::Refused(why.to_owned()));
        if status.authenticated != Some(true) {
            return refused("the API server does not take it");
        }
        // One that knows no audiences answers for itself alone.
        let told = status.audiences.unwrap_or_default();
        if !self.audiences.is_empty() && !told.iter().any(|one| self.audiences.contains(one)) {
            return refused("it is for others");
        }
        Ok(match identity(status.user.unwrap_or_default()) {
            // Until then it would be remembered although it has expired.
            Ok(identity) => Identified::As(identity.until(jwt::claimed_end(token))),
            Err(fault) => Identified::Refused(fault.to_string()),
        })
    }

    async fn access(&self, caller: &Identity, action: &Action) -> Result<Verdict, AccessFault> {
        let review = SubjectAccessReview {
            spec: subject(caller, action),
            ..SubjectAccessReview::default()
        };
        let api: Api<SubjectAccessReview> = Api::all(self.client.clone());
        let answered = self
            .ask(api.create(&PostParams::default(), &review))
            .await?;
        let status = answered.status.unwrap_or_default();
        let allowed = status.allowed && status.denied != Some(true);
        let memory = if allowed { GRANTED } else { DENIED };
        Ok(Verdict { allowed, memory })
    }

    async fn ask<T>(
        &self,
        question: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, AccessFault> {
        let asked = async {
            let _room = self.room.acquire().await;
            question.await
        };
        let answered = match timeout(REQUEST, asked).await {
            Ok(answered) => answered.map_err(|error| chain(&error)),
            Err(_) => Err(format!("no answer within {} s", REQUEST.as_secs())),
        };
        answered.map_err(|why| {
            self.warn(&why);
            AccessFault("the API server cannot be asked".to_owned())
        })
    }

    /// Tells why, and not for each request.
    fn warn(&self, why: &str) {
        let now = self.begun.elapsed().as_secs() + 1;
        let before = self.warned.load(Ordering::Relaxed);
        let is_due = before == 0 || now >= before + WARNING.as_secs();
        if is_due
            && self
                .warned
                .compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            tracing::warn!(why, "the API server cannot be asked who may ask policies");
        }
    }
}

fn identity(user: UserInfo) -> Result<Identity, portcullis_webhook::NameFault> {
    let name = user.username.unwrap_or_default();
    let identity = Identity::new(Method::Token, name, user.groups.unwrap_or_default())?;
    let extra = user.extra.unwrap_or_default();
    Ok(identity.with_details(user.uid.unwrap_or_default(), extra))
}

fn subject(caller: &Identity, action: &Action) -> SubjectAccessReviewSpec {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    SubjectAccessReviewSpec {
        user: text(caller.name()),
        uid: text(caller.uid()),
        groups: (!caller.groups().is_empty()).then(|| caller.groups().to_vec()),
        extra: (!caller.extra().is_empty()).then(|| caller.extra().clone()),
        resource_attributes: Some(ResourceAttributes {
            group: text(GROUP),
            resource: text(action.resource()),
            subresource: text(&action.subresource),
            verb: text(action.verb),
            namespace: action.namespace.clone(),
            name: text(&action.name),
            ..ResourceAttributes::default()
        }),
        ..SubjectAccessReviewSpec::default()
    }
}

impl Authenticator for ClusterCallers {
    fn identify(&self, token: Arc<str>) -> BoxFuture<'static, Result<Identified, AccessFault>> {
        let shared = self.0.clone();
        async move { shared.review(&token).await }.boxed()
    }

    fn memory(&self) -> Duration {
        GRANTED
    }

    fn knows_rights(&self) -> bool {
        true
    }

    fn may(
        &self,
        caller: Arc<Identity>,
        action: Action,
    ) -> BoxFuture<'static, Result<Verdict, AccessFault>> {
        let shared = self.0.clone();
        async move { shared.access(&caller, &action).await }.boxed()
    }
}

impl std::fmt::Debug for ClusterCallers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ClusterCallers")
            .field("audiences", &self.0.audiences)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hyper::{Request, Response};
    use kube::client::Body;
    use rstest::rstest;
    use serde_json::{Value as Json, json};
    use tower_test::mock;

    use super::*;

    /// Asks an API server that answers with this status and document: the path and the body of what it
    /// was asked, and what came of it.
    async fn ask<T>(
        audiences: &[&str],
        status: u16,
        answer: Json,
        question: impl AsyncFnOnce(ClusterCallers) -> T,
    ) -> (String, Json, T) {
        let (service, mut handle) = mock::pair::<Request<Body>, Response<Body>>();
        let client = Client::new(service, "default");
        let audiences = audiences.iter().map(|&one| one.to_owned()).collect();
        let callers = ClusterCallers::new(client, audiences);
        let server = async {
            let (request, respond) = handle.next_request().await.unwrap();
            let path = request.uri().path().to_owned();
            let asked = request.into_body().collect_bytes().await.unwrap();
            let answer = Body::from(answer.to_string().into_bytes());
            let response = Response::builder().status(status).body(answer).unwrap();
            respond.send_response(response);
            (path, serde_json::from_slice(&asked).unwrap())
        };
        let ((path, asked), answered) = tokio::join!(server, question(callers));
        (path, asked, answered)
    }

    async fn identify(
        audiences: &[&str],
        status: u16,
        answer: Json,
    ) -> (Json, Result<Identified, AccessFault>) {
        let question = async |callers: ClusterCallers| callers.identify("secret".into()).await;
        let (path, asked, answered) = ask(audiences, status, answer, question).await;
        assert_eq!(path, "/apis/authentication.k8s.io/v1/tokenreviews");
        (asked["spec"].clone(), answered)
    }

    fn known(user: &Json, audiences: &[&str]) -> Json {
        json!({
            "metadata": {},
            "spec": {},
            "status": {"authenticated": true, "user": user, "audiences": audiences},
        })
    }

    #[tokio::test]
    async fn a_token_that_the_api_server_knows() {
        let user = json!({
            "username": "system:serviceaccount:shop:web",
            "uid": "4711",
            "groups": ["system:serviceaccounts"],
            "extra": {"pod": ["web-1"]},
        });
        let (asked, answered) = identify(&[], 201, known(&user, &["https://kubernetes"])).await;
        assert_eq!(asked, json!({"token": "secret"}));
        let Ok(Identified::As(caller)) = answered else {
            panic!("{answered:?}");
        };
        assert_eq!(caller.name(), "system:serviceaccount:shop:web");
        assert_eq!((caller.uid(), caller.method()), ("4711", Method::Token));
        assert_eq!(caller.groups(), ["system:serviceaccounts"]);
        assert_eq!(caller.extra()["pod"], ["web-1"]);
    }

    #[rstest]
    #[case::not_known(json!({"authenticated": false, "error": "expired"}), "does not take it")]
    #[case::not_said(json!({}), "does not take it")]
    #[case::nobody(json!({"authenticated": true, "user": {}}), "names nobody")]
    #[case::forged(json!({"authenticated": true, "user": {"username": "a\nb"}}), "cannot be shown")]
    #[tokio::test]
    async fn tokens_that_it_does_not_take(#[case] status: Json, #[case] says: &str) {
        let answer = json!({"metadata": {}, "spec": {}, "status": status});
        let (_, answered) = identify(&[], 201, answer).await;
        let Ok(Identified::Refused(why)) = answered else {
            panic!("{answered:?}");
        };
        assert!(why.contains(says), "{why}");
    }

    /// An API server that knows no audiences must not have its word taken for one.
    #[rstest]
    #[case(&["portcullis"], true)]
    #[case(&["https://kubernetes"], false)]
    #[case(&[], false)]
    #[tokio::test]
    async fn a_token_has_to_be_for_us(#[case] told: &[&str], #[case] is_known: bool) {
        let answer = known(&json!({"username": "a"}), told);
        let (asked, answered) = identify(&["portcullis"], 201, answer).await;
        assert_eq!(
            asked,
            json!({"token": "secret", "audiences": ["portcullis"]})
        );
        assert_eq!(matches!(answered, Ok(Identified::As(_))), is_known);
    }

    #[rstest]
    #[case(401)]
    #[case(403)]
    #[case(500)]
    #[tokio::test]
    async fn what_cannot_be_asked_is_a_fault_and_shows_no_token(#[case] status: u16) {
        let failure = json!({"status": "Failure", "message": "no", "reason": "x", "code": status});
        let (_, answered) = identify(&[], status, failure.clone()).await;
        let fault = answered.unwrap_err().to_string();
        assert!(!fault.contains("secret"), "{fault}");
        assert!(may(status, failure).await.1.is_err());
    }

    fn caller() -> Arc<Identity> {
        let identity = Identity::new(Method::Token, "alice", ["staff".to_owned()]).unwrap();
        let extra = BTreeMap::from([("pod".to_owned(), vec!["web-1".to_owned()])]);
        Arc::new(identity.with_details("4711".to_owned(), extra))
    }

    fn action(namespace: Option<&str>, name: &str) -> Action {
        Action {
            verb: "create",
            subresource: "evaluation".to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        }
    }

    async fn may(status: u16, answer: Json) -> (Json, Result<Verdict, AccessFault>) {
        let action = action(Some("shop"), "shop.discount");
        let question = async |callers: ClusterCallers| callers.may(caller(), action).await;
        let (path, asked, answered) = ask(&[], status, answer, question).await;
        assert_eq!(path, "/apis/authorization.k8s.io/v1/subjectaccessreviews");
        (asked["spec"].clone(), answered)
    }

    #[rstest]
    #[case::may(json!({"allowed": true}), true)]
    #[case::may_not(json!({"allowed": false}), false)]
    #[case::denied(json!({"allowed": true, "denied": true}), false)]
    #[case::failed(json!({"allowed": false, "evaluationError": "no"}), false)]
    #[tokio::test]
    async fn the_api_server_knows_rights(#[case] status: Json, #[case] allowed: bool) {
        let answer = json!({"metadata": {}, "spec": {}, "status": status});
        let (asked, verdict) = may(201, answer).await;
        let memory = if allowed { GRANTED } else { DENIED };
        assert_eq!(verdict, Ok(Verdict { allowed, memory }));
        let expected = json!({
            "user": "alice",
            "uid": "4711",
            "groups": ["staff"],
            "extra": {"pod": ["web-1"]},
            "resourceAttributes": {
                "group": "portcullis.dev",
                "resource": "policies",
                "subresource": "evaluation",
                "verb": "create",
                "namespace": "shop",
                "name": "shop.discount",
            },
        });
        assert_eq!(asked, expected);
    }

    #[test]
    fn any_policy_of_the_cluster() {
        let asked = subject(&caller(), &action(None, ""))
            .resource_attributes
            .unwrap();
        assert_eq!(asked.resource.as_deref(), Some("clusterpolicies"));
        assert_eq!((asked.namespace, asked.name), (None, None));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_not_waited_for() {
        let (service, _handle) = mock::pair::<Request<Body>, Response<Body>>();
        let callers = ClusterCallers::new(Client::new(service, "default"), Vec::new());
        let begin = tokio::time::Instant::now();
        assert!(callers.identify("secret".into()).await.is_err());
        assert_eq!(begin.elapsed(), REQUEST);
    }
}
