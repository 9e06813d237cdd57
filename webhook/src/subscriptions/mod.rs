//! `…/notifychange`: who is told when a policy changes.
//!
//! Whoever subscribes is told by a [`SubscriptionKeeper`], which the operator crate implements: here
//! subscriptions are made, listed and removed.

mod keeper;

use std::time::Duration;

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
};
use portcullis_policies::{Address, Timestamp, text::clean};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use keeper::{NewSubscription, NoSubscriptions, Subscribed, SubscriptionKeeper};

use crate::{
    Caller, Doors,
    body::read_object,
    evaluation::{place::Place, site},
    outbound,
    parameters::Parameters,
    problem::{Problem, ProblemDocument},
};

/// Longest body: a URL, a name, and room for escapes.
const MAX_BODY: usize = 16 << 10;

/// Lengths of a subscriber's name, in characters: those of the TSA policy service.
const NAME: std::ops::RangeInclusive<usize> = 3..=100;

/// Time for the body.
const PATIENCE: Duration = Duration::from_secs(10);

/// The routes below a policy's address.
pub(crate) fn by_address() -> OpenApiRouter<Doors> {
    OpenApiRouter::new().routes(routes!(subscribe, list, unsubscribe))
}

/// Who wants to be told, and where. Other fields, as the TSA policy service knows them, are said by
/// the path.
#[derive(Debug, Deserialize, ToSchema)]
struct SubscriptionBody {
    /// Where events are sent, with `http` or `https`.
    #[schema(
        max_length = 2048,
        format = "uri",
        example = "https://example.com/policy-changed"
    )]
    webhook_url: String,
    /// The subscriber's name: 3 to 100 characters.
    #[schema(min_length = 3, max_length = 100, example = "shop")]
    subscriber: String,
}

/// A subscription.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Subscription)]
struct SubscriptionDocument {
    /// Names the subscription.
    id: String,
    /// The policy's address.
    #[schema(value_type = String, example = "platform/required_labels@1.0")]
    policy: Address,
    /// The namespace that owns it, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    /// The subscriber's name.
    #[schema(example = "shop")]
    subscriber: String,
    /// Where events are sent.
    #[schema(example = "https://example.com/policy-changed")]
    webhook_url: String,
    /// When it was made, in RFC 3339.
    #[schema(value_type = String, format = DateTime)]
    created: Timestamp,
    /// When an event was delivered last.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered: Option<Timestamp>,
    /// Why the last event was not delivered, if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

/// The subscriptions of a policy.
#[derive(Debug, Serialize, ToSchema)]
struct SubscriptionList {
    /// In the order in which they were made.
    subscriptions: Vec<SubscriptionDocument>,
}

/// Has somebody told of a policy's changes
///
/// A `CloudEvent` (1.0, binary mode) is sent by POST to `webhook_url` when the policy or its data changes,
/// when it is locked or unlocked, and when it goes; its body has `repository`, `group`, `name` and
/// `version`, as the TSA policy service sends them, and the digest. It is signed as Standard Webhooks
/// are, by the key that `…/key` tells, and sent again with growing waits until it is answered with 2xx.
/// In a cluster the subscription is an object that is made with the caller's bearer token.
#[utoipa::path(
    post,
    path = "/notifychange",
    tag = "subscriptions",
    security((), ("bearer" = [])),
    request_body(content = SubscriptionBody, content_type = "application/json"),
    responses(
        (status = 200, description = "The subscription", body = SubscriptionDocument),
        (
            status = 401,
            description = "A bearer token is required",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 403,
            description = "`SUBSCRIPTION.HOST_FORBIDDEN`: the administrator does not allow this host; `SUBSCRIPTION.CLOSED`: nobody is told here; or the caller may not",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 409,
            description = "`SUBSCRIPTION.EXISTS`; `SUBSCRIPTION.FULL`: there are as many as are kept",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 503,
            description = "`SUBSCRIPTION.UNAVAILABLE`: the subscriptions cannot be reached",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
    )
)]
async fn subscribe(
    State(doors): State<Doors>,
    place: Place,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SubscriptionDocument>, Problem> {
    let keeper = &doors.settings().subscriptions;
    site::refuse_others(&uri, &headers, keeper.is_open())?;
    place.find(&*doors.snapshot()?)?;
    let deadline = std::time::Instant::now() + PATIENCE;
    let held = doors.input_room().read(body, MAX_BODY, deadline).await?;
    let SubscriptionBody {
        webhook_url,
        subscriber,
    } = read_object(&held.bytes).map_err(|error| {
        Problem::input_invalid(clean(&format!("the body cannot be read: {error}")))
            .with_remedy("send `webhook_url` and `subscriber`")
    })?;
    if !NAME.contains(&subscriber.chars().count()) || clean(&subscriber) != subscriber {
        let detail = "`subscriber` is not a text of 3 to 100 printable characters";
        return Err(Problem::input_invalid(detail));
    }
    outbound::check_url("webhook_url", &webhook_url)?;
    let asked = NewSubscription {
        address: place.0,
        subscriber,
        url: webhook_url,
    };
    let made = outbound::in_time(
        &outbound::SUBSCRIPTION,
        keeper.subscribe(Caller::of(&headers), asked),
    )
    .await?;
    Ok(Json(told(made)))
}

/// Lists who is told of a policy's changes
#[utoipa::path(
    get,
    path = "/notifychange",
    operation_id = "subscriptions",
    tag = "subscriptions",
    security((), ("bearer" = [])),
    responses(
        (status = 200, description = "The subscriptions", body = SubscriptionList),
        (
            status = 401,
            description = "A bearer token is required",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 403,
            description = "`SUBSCRIPTION.CLOSED`: nobody is told here; or the caller may not",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 503,
            description = "`SUBSCRIPTION.UNAVAILABLE`: the subscriptions cannot be reached",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
    )
)]
async fn list(
    State(doors): State<Doors>,
    place: Place,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Json<SubscriptionList>, Problem> {
    let keeper = &doors.settings().subscriptions;
    site::refuse_others(&uri, &headers, keeper.is_open())?;
    let found = outbound::in_time(
        &outbound::SUBSCRIPTION,
        keeper.list(Caller::of(&headers), place.0),
    )
    .await?;
    Ok(Json(SubscriptionList {
        subscriptions: found.into_iter().map(told).collect(),
    }))
}

/// Tells somebody no more of a policy's changes
///
/// The policy may be gone.
#[utoipa::path(
    delete,
    path = "/notifychange",
    tag = "subscriptions",
    security((), ("bearer" = [])),
    params(("id" = String, Query, description = "The subscription, as it was told when it was made")),
    responses(
        (status = 204, description = "It is gone"),
        (
            status = 401,
            description = "A bearer token is required",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 403,
            description = "`SUBSCRIPTION.CLOSED`: nobody is told here; or the caller may not",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 404,
            description = "`SUBSCRIPTION.NOT_FOUND`: the policy has no such subscription",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
        (
            status = 503,
            description = "`SUBSCRIPTION.UNAVAILABLE`: the subscriptions cannot be reached",
            content_type = "application/problem+json",
            body = ProblemDocument
        ),
    )
)]
async fn unsubscribe(
    State(doors): State<Doors>,
    place: Place,
    parameters: Parameters,
    uri: Uri,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let keeper = &doors.settings().subscriptions;
    site::refuse_others(&uri, &headers, keeper.is_open())?;
    let id = parameters
        .get("id")
        .ok_or_else(|| Problem::input_invalid("the parameter `id` is missing"))?;
    let removed = keeper.unsubscribe(Caller::of(&headers), place.0, id.to_owned());
    outbound::in_time(&outbound::SUBSCRIPTION, removed).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn told(subscription: Subscribed) -> SubscriptionDocument {
    SubscriptionDocument {
        id: subscription.id,
        namespace: subscription.address.namespace().map(str::to_owned),
        policy: subscription.address,
        subscriber: subscription.subscriber,
        webhook_url: subscription.url,
        created: subscription.created,
        delivered: subscription.delivered,
        failure: subscription.failure.map(|failure| clean(&failure)),
    }
}
