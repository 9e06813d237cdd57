//! `…/notifychange`.

use std::sync::Mutex;

use axum::http::Method;
use futures::future::{BoxFuture, FutureExt as _};
use portcullis_policies::{Address, Timestamp};
use portcullis_webhook::{Caller, NewSubscription, OutboundFault, Subscribed, SubscriptionKeeper};
use rstest::rstest;
use serde_json::json;

use crate::fixture::{Answer, Fixture, TASKS, define, owned_by, request, with_header};

/// Notes what it is asked, and answers what it is told to.
#[derive(Default)]
pub(crate) struct Subscriptions {
    fault: Mutex<Option<OutboundFault>>,
    asked: Mutex<Vec<String>>,
}

impl Subscriptions {
    fn answer<T: Send + 'static>(
        &self,
        caller: &Caller,
        asked: String,
        value: T,
    ) -> BoxFuture<'static, Result<T, OutboundFault>> {
        let asked = format!("{} {asked}", caller.bearer().unwrap_or("-"));
        self.asked.lock().unwrap().push(asked);
        let fault = self.fault.lock().unwrap().clone();
        async { fault.map_or(Ok(value), Err) }.boxed()
    }
}

fn subscribed(address: Address) -> Subscribed {
    Subscribed {
        id: "id".to_owned(),
        address,
        subscriber: "shop".to_owned(),
        url: "https://example.com/told".to_owned(),
        created: Timestamp::UNIX_EPOCH,
        delivered: None,
        failure: Some("no\nanswer".to_owned()),
    }
}

impl SubscriptionKeeper for Subscriptions {
    fn subscribe(
        &self,
        caller: Caller,
        asked: NewSubscription,
    ) -> BoxFuture<'_, Result<Subscribed, OutboundFault>> {
        let NewSubscription {
            address,
            subscriber,
            url,
        } = asked;
        let text = format!("subscribe {address} {subscriber} {url}");
        self.answer(&caller, text, subscribed(address))
    }

    fn list(
        &self,
        caller: Caller,
        address: Address,
    ) -> BoxFuture<'_, Result<Vec<Subscribed>, OutboundFault>> {
        let text = format!("list {address}");
        self.answer(&caller, text, vec![subscribed(address)])
    }

    fn unsubscribe(
        &self,
        caller: Caller,
        address: Address,
        id: String,
    ) -> BoxFuture<'_, Result<(), OutboundFault>> {
        self.answer(&caller, format!("unsubscribe {address} {id}"), ())
    }
}

const PLACE: &str = "/policy/tasks/authz/1.0/notifychange";
const BODY: &str = r#"{"webhook_url": "https://example.com/told", "subscriber": "shop",
    "repository": "policies", "policyName": "authz", "group": "tasks", "version": "1.0"}"#;

async fn ask(fixture: &Fixture, method: Method, path: &str, body: &'static str) -> Answer {
    let request = request(method, path, body);
    fixture
        .evaluate(with_header(request, "authorization", "Bearer abc"))
        .await
}

#[rstest]
#[case("/policy/tasks/authz/1.0", "tasks/authz@1.0")]
#[case("/policy/policies/tasks/authz/1.0", "tasks/authz@1.0")]
#[case("/namespaces/team/policy/tasks/authz/1.0", "tasks/authz@1.0 in team")]
#[tokio::test]
async fn subscriptions_are_made_listed_and_removed_with_the_callers_token(
    #[case] path: &str,
    #[case] address: &str,
) {
    let fixture = Fixture::usual().with(owned_by("team", define("tasks/authz@1.0", TASKS)));
    let path = format!("{path}/notifychange");
    let made = ask(&fixture, Method::POST, &path, BODY).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let mut expected = json!({"id": "id", "policy": "tasks/authz@1.0", "subscriber": "shop",
        "webhook_url": "https://example.com/told", "created": "1970-01-01T00:00:00Z",
        "failure": "no answer"});
    if address.ends_with("team") {
        expected["namespace"] = json!("team");
    }
    assert_eq!(made.json(), expected);
    let listed = ask(&fixture, Method::GET, &path, "").await;
    assert_eq!(listed.json(), json!({"subscriptions": [expected]}));
    let removed = ask(&fixture, Method::DELETE, &format!("{path}?id=id"), "").await;
    assert_eq!((removed.status.as_u16(), removed.text.as_str()), (204, ""));
    assert_eq!(
        *fixture.subscriptions.asked.lock().unwrap(),
        [
            format!("abc subscribe {address} shop https://example.com/told"),
            format!("abc list {address}"),
            format!("abc unsubscribe {address} id"),
        ]
    );
}

#[tokio::test]
async fn a_policy_has_to_be_there_to_be_subscribed_and_not_to_be_left() {
    let fixture = Fixture::usual();
    let path = "/policy/tasks/authz/2.0/notifychange";
    let answer = ask(&fixture, Method::POST, path, BODY).await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()["code"].clone()),
        (404, json!("POLICY.NOT_FOUND"))
    );
    assert_eq!(ask(&fixture, Method::GET, path, "").await.status, 200);
    assert_eq!(
        ask(&fixture, Method::DELETE, &format!("{path}?id=x"), "")
            .await
            .status,
        204
    );
}

#[rstest]
#[case("")]
#[case("[]")]
#[case(r#"{"webhook_url": "https://example.com"}"#)]
#[case(r#"{"webhook_url": "https://example.com", "subscriber": "ab"}"#)]
#[case(r#"{"webhook_url": "https://example.com", "subscriber": "a\nb"}"#)]
#[case(r#"{"webhook_url": "https://example.com\n", "subscriber": "shop"}"#)]
#[tokio::test]
async fn what_cannot_be_read_is_told(#[case] body: &'static str) {
    let fixture = Fixture::usual();
    let answer = ask(&fixture, Method::POST, PLACE, body).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    let answer = ask(&fixture, Method::DELETE, PLACE, "").await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert_eq!(fixture.subscriptions.asked.lock().unwrap().len(), 0);
}

#[rstest]
#[case(OutboundFault::Unauthenticated, 401, "REQUEST.UNAUTHENTICATED")]
#[case(OutboundFault::Forbidden("no".into()), 403, "REQUEST.FORBIDDEN")]
#[case(OutboundFault::Closed("no".into()), 403, "SUBSCRIPTION.CLOSED")]
#[case(OutboundFault::HostForbidden("no".into()), 403, "SUBSCRIPTION.HOST_FORBIDDEN")]
#[case(OutboundFault::Invalid("no".into()), 400, "POLICY.INPUT_INVALID")]
#[case(OutboundFault::Exists, 409, "SUBSCRIPTION.EXISTS")]
#[case(OutboundFault::Full(7), 409, "SUBSCRIPTION.FULL")]
#[case(OutboundFault::NotFound("subscription"), 404, "SUBSCRIPTION.NOT_FOUND")]
#[case(OutboundFault::Unavailable("no".into()), 503, "SUBSCRIPTION.UNAVAILABLE")]
#[tokio::test]
async fn a_fault_is_told_with_its_code(
    #[case] fault: OutboundFault,
    #[case] status: u16,
    #[case] code: &str,
) {
    let fixture = Fixture::usual();
    *fixture.subscriptions.fault.lock().unwrap() = Some(fault);
    let answers = [
        ask(&fixture, Method::POST, PLACE, BODY).await,
        ask(&fixture, Method::GET, PLACE, "").await,
        ask(&fixture, Method::DELETE, &format!("{PLACE}?id=x"), "").await,
    ];
    for answer in answers {
        assert_eq!(answer.status.as_u16(), status);
        assert_eq!(answer.json()["code"], code);
    }
}
