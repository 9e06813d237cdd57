//! Subscriptions as objects of the cluster, made, listed and deleted with the caller's own rights.
//!
//! The leading operator tells subscribers, and writes how far each has come into the object's status.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Api, Client, Config,
    api::{DeleteParams, ListParams, PostParams},
    core::{ApiResource, DynamicObject},
};
use portcullis_crds as crds;
use portcullis_policies::{Address, Scope, Timestamp};
use portcullis_webhook::{Caller, NewSubscription, OutboundFault, Subscribed, SubscriptionKeeper};
use serde_json::json;

use super::callers::{Callers, ask};
use crate::subscriptions::{Courier, MAX_SUBSCRIPTIONS, Progress, Subscription, Told, identify};

/// What is not there, in answers.
const WHAT: &str = "subscription";

/// Keeps subscriptions in the cluster.
#[derive(Debug)]
pub struct ClusterSubscriptions {
    callers: Callers,
    courier: Arc<Courier>,
}

impl ClusterSubscriptions {
    /// Reaches the API server as `config` says, but for who asks.
    pub(crate) fn new(config: Config, courier: Arc<Courier>) -> Self {
        let callers = Callers::new(config);
        Self { callers, courier }
    }

    #[cfg(test)]
    fn connecting(callers: Callers, courier: Arc<Courier>) -> Self {
        Self { callers, courier }
    }

    async fn make(
        &self,
        caller: Caller,
        asked: NewSubscription,
    ) -> Result<Subscribed, OutboundFault> {
        self.courier.check(&asked.url)?;
        let (client, _place) = self.callers.client(&caller)?;
        let NewSubscription {
            address,
            subscriber,
            url,
        } = asked;
        // The same one again has the same name, and is there already.
        let id = format!("subscription-{}", identify(&address, &subscriber, &url));
        let resource = resource(&address);
        let mut object: DynamicObject = serde_json::from_value(json!({
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": {"name": id},
            "spec": {
                "group": address.group(),
                "name": address.name(),
                "version": address.version().as_str(),
                "subscriber": subscriber,
                "url": url,
            },
        }))
        .expect("an object must be one");
        object.metadata.namespace = address.namespace().map(str::to_owned);
        let made = api(&client, &address, &resource);
        let made = ask(WHAT, made.create(&PostParams::default(), &object)).await?;
        Ok(Subscribed {
            id,
            address,
            subscriber,
            url,
            created: created(&made.metadata),
            delivered: None,
            failure: None,
        })
    }

    async fn find(
        &self,
        caller: Caller,
        address: Address,
    ) -> Result<Vec<Subscribed>, OutboundFault> {
        let (client, _place) = self.callers.client(&caller)?;
        let resource = resource(&address);
        let most = u32::try_from(MAX_SUBSCRIPTIONS).unwrap_or(u32::MAX);
        let params = ListParams::default().limit(most);
        let listed = ask(WHAT, api(&client, &address, &resource).list(&params)).await?;
        let mut found: Vec<Subscription> = listed.items.iter().filter_map(read).collect();
        found.retain(|own| own.address == address);
        found.sort_by(|left, right| (left.created, &left.id).cmp(&(right.created, &right.id)));
        Ok(found.into_iter().map(Subscribed::from).collect())
    }

    async fn delete(
        &self,
        caller: Caller,
        address: Address,
        id: String,
    ) -> Result<(), OutboundFault> {
        // It becomes a part of a path.
        let is_inside =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
        if !(1..=253).contains(&id.len()) || !id.bytes().all(is_inside) {
            return Err(OutboundFault::NotFound(WHAT));
        }
        let (client, _place) = self.callers.client(&caller)?;
        let api = api(&client, &address, &resource(&address));
        let object = ask(WHAT, api.get(&id)).await?;
        if read(&object).is_none_or(|own| own.address != address) {
            return Err(OutboundFault::NotFound(WHAT));
        }
        ask(WHAT, api.delete(&id, &DeleteParams::default()))
            .await
            .map(drop)
    }
}

impl SubscriptionKeeper for ClusterSubscriptions {
    fn subscribe(
        &self,
        caller: Caller,
        asked: NewSubscription,
    ) -> BoxFuture<'_, Result<Subscribed, OutboundFault>> {
        self.make(caller, asked).boxed()
    }

    fn list(
        &self,
        caller: Caller,
        address: Address,
    ) -> BoxFuture<'_, Result<Vec<Subscribed>, OutboundFault>> {
        self.find(caller, address).boxed()
    }

    fn unsubscribe(
        &self,
        caller: Caller,
        address: Address,
        id: String,
    ) -> BoxFuture<'_, Result<(), OutboundFault>> {
        self.delete(caller, address, id).boxed()
    }
}

pub(crate) fn resource(address: &Address) -> ApiResource {
    match address.namespace() {
        Some(_) => ApiResource::erase::<crds::PolicySubscription>(&()),
        None => ApiResource::erase::<crds::ClusterPolicySubscription>(&()),
    }
}

pub(crate) fn api(
    client: &Client,
    address: &Address,
    resource: &ApiResource,
) -> Api<DynamicObject> {
    match address.namespace() {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, resource),
        None => Api::all_with(client.clone(), resource),
    }
}

fn created(metadata: &ObjectMeta) -> Timestamp {
    let created = metadata.creation_timestamp.as_ref();
    created.map_or(Timestamp::UNIX_EPOCH, |time| time.0)
}

/// The subscription that an object of either kind holds, by the object's name, whoever made it; none where
/// its address is none.
pub(crate) fn read(object: &DynamicObject) -> Option<Subscription> {
    let spec = object.data.get("spec")?.clone();
    let spec: crds::PolicySubscriptionSpec = serde_json::from_value(spec).ok()?;
    let status = object.data.get("status").cloned().unwrap_or_default();
    let status: crds::SubscriptionStatus = serde_json::from_value(status).unwrap_or_default();
    let namespace = object.metadata.namespace.clone();
    let scope = namespace.map_or(Scope::Cluster, Scope::Namespace);
    let address = Address::new(scope, &spec.group, &spec.name, &spec.version).ok()?;
    Some(Subscription {
        id: object.metadata.name.clone()?,
        address,
        subscriber: spec.subscriber,
        url: spec.url,
        created: created(&object.metadata),
        progress: Progress {
            told: status.told.map(|told| Told {
                digest: told.digest,
                locked: told.locked,
            }),
            sequence: u64::try_from(status.sequence).unwrap_or_default(),
            delivered: status.delivered.and_then(|time| time.parse().ok()),
            failure: status.failure,
        },
    })
}

/// The status that says how far a subscription has come.
pub(crate) fn status(progress: Progress) -> crds::SubscriptionStatus {
    crds::SubscriptionStatus {
        told: progress.told.map(|told| crds::ToldState {
            digest: told.digest,
            locked: told.locked,
        }),
        sequence: i64::try_from(progress.sequence).unwrap_or(i64::MAX),
        delivered: progress.delivered.map(|time| time.to_string()),
        failure: progress.failure,
    }
}

#[cfg(test)]
mod tests;
