//! Who may read decisions in a cluster: whom the API server lets.
//!
//! The webhook asks with the caller's own bearer token whether the caller may, as anybody may ask of
//! themselves. So it needs no rights of its own, and a token that the API server does not take reads
//! nothing.

use std::{fmt, time::Duration};

use futures::future::{BoxFuture, FutureExt as _};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::{Api, Client, Config, api::PostParams};
use portcullis_crds::GROUP;
use portcullis_webhook::{Caller, DecisionReaders, ReaderFault};
use tokio::{sync::Semaphore, time::timeout};

use super::connect::{ConnectFault, connect_as};

/// The resource that one may `get`. There are no objects of it.
const RESOURCE: &str = "decisions";

/// Time for the API server to answer.
const REQUEST: Duration = Duration::from_secs(5);

/// Callers at once. Each has a connection of its own to the API server.
const AT_ONCE: usize = 16;

/// Makes a client with the rights of a bearer token.
type Connect = dyn Fn(&str) -> Result<Client, ConnectFault> + Send + Sync;

/// Asks the API server who may read.
pub struct ClusterReaders {
    connect: Box<Connect>,
    room: Semaphore,
}

impl ClusterReaders {
    /// Reaches the API server as `config` says, but for who asks.
    pub fn new(config: Config) -> Self {
        Self::connecting(move |bearer| connect_as(&config, bearer))
    }

    fn connecting(
        connect: impl Fn(&str) -> Result<Client, ConnectFault> + Send + Sync + 'static,
    ) -> Self {
        Self {
            connect: Box::new(connect),
            room: Semaphore::new(AT_ONCE),
        }
    }

    async fn ask(&self, caller: Caller, namespace: Option<String>) -> Result<bool, ReaderFault> {
        let unavailable = |why: &str| ReaderFault::Unavailable(why.to_owned());
        let bearer = caller.bearer().ok_or(ReaderFault::Unauthenticated)?;
        let _room = self
            .room
            .try_acquire()
            .map_err(|_| unavailable("too many callers ask at once: try again"))?;
        let client = (self.connect)(bearer).map_err(|fault| match fault {
            ConnectFault::Token => ReaderFault::Unauthenticated,
            fault => ReaderFault::Unavailable(super::chain(&fault)),
        })?;
        let api: Api<SelfSubjectAccessReview> = Api::all(client);
        let (params, review) = (PostParams::default(), review(namespace));
        let answer = timeout(REQUEST, api.create(&params, &review)).await;
        match answer.map_err(|_| unavailable("the API server did not answer in time"))? {
            Ok(review) => Ok(review.status.is_some_and(|status| status.allowed)),
            Err(kube::Error::Api(status)) => match status.code {
                401 => Err(ReaderFault::Unauthenticated),
                // Not even that may be asked.
                403 => Ok(false),
                _ => Err(ReaderFault::Unavailable(status.message)),
            },
            Err(error) => Err(ReaderFault::Unavailable(super::chain(&error))),
        }
    }
}

fn review(namespace: Option<String>) -> SelfSubjectAccessReview {
    SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some(GROUP.to_owned()),
                resource: Some(RESOURCE.to_owned()),
                verb: Some("get".to_owned()),
                namespace,
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    }
}

impl DecisionReaders for ClusterReaders {
    fn may_read(
        &self,
        caller: Caller,
        namespace: Option<String>,
    ) -> BoxFuture<'_, Result<bool, ReaderFault>> {
        self.ask(caller, namespace).boxed()
    }
}

impl fmt::Debug for ClusterReaders {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClusterReaders")
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use hyper::{Request, Response};
    use kube::client::Body;
    use rstest::rstest;
    use serde_json::{Value as Json, json};
    use tower_test::mock;

    use super::*;

    /// Asks about a namespace of an API server that answers with this status and document: what it
    /// was asked, and what came of it.
    async fn ask(
        namespace: Option<&str>,
        status: u16,
        answer: Json,
    ) -> (Json, Result<bool, ReaderFault>) {
        let (service, mut handle) = mock::pair::<Request<Body>, Response<Body>>();
        let client = Client::new(service, "default");
        let readers = ClusterReaders::connecting(move |bearer| {
            assert_eq!(bearer, "token");
            Ok(client.clone())
        });
        let server = async {
            let (request, respond) = handle.next_request().await.unwrap();
            let asked = request.into_body().collect_bytes().await.unwrap();
            let answer = Body::from(answer.to_string().into_bytes());
            let response = Response::builder().status(status).body(answer).unwrap();
            respond.send_response(response);
            serde_json::from_slice(&asked).unwrap()
        };
        let caller = Caller::with_bearer("token");
        tokio::join!(
            server,
            readers.may_read(caller, namespace.map(str::to_owned))
        )
    }

    fn said(allowed: bool) -> Json {
        json!({"metadata": {}, "spec": {}, "status": {"allowed": allowed, "reason": "RBAC"}})
    }

    #[rstest]
    #[case::may(201, said(true), Ok(true))]
    #[case::may_not(201, said(false), Ok(false))]
    #[case::not_said(201, json!({"metadata": {}, "spec": {}}), Ok(false))]
    #[case::unknown(401, json!({"status": "Failure", "message": "no", "reason": "Unauthorized", "code": 401}), Err(ReaderFault::Unauthenticated))]
    #[case::may_not_ask(403, json!({"status": "Failure", "message": "no", "reason": "Forbidden", "code": 403}), Ok(false))]
    #[case::broken(500, json!({"status": "Failure", "message": "no", "reason": "InternalError", "code": 500}), Err(ReaderFault::Unavailable("no".to_owned())))]
    #[tokio::test]
    async fn the_api_server_decides(
        #[case] status: u16,
        #[case] answer: Json,
        #[case] expected: Result<bool, ReaderFault>,
    ) {
        assert_eq!(ask(None, status, answer).await.1, expected);
    }

    #[rstest]
    #[case(None, json!({"group": "portcullis.dev", "resource": "decisions", "verb": "get"}))]
    #[case(Some("team-a"), json!({"group": "portcullis.dev", "resource": "decisions", "verb": "get", "namespace": "team-a"}))]
    #[tokio::test]
    async fn it_is_asked_about_the_namespace(
        #[case] namespace: Option<&str>,
        #[case] expected: Json,
    ) {
        let (asked, _) = ask(namespace, 201, said(true)).await;
        assert_eq!(asked["spec"]["resourceAttributes"], expected);
    }

    #[tokio::test]
    async fn asks_nothing_for_who_has_no_token() {
        let readers = ClusterReaders::connecting(|_| Err(ConnectFault::Token));
        let answer = readers.may_read(Caller::default(), None).await;
        assert_eq!(answer, Err(ReaderFault::Unauthenticated));
    }
}
