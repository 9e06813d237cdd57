//! What the leader asks of others: subscribers are told, and archives fetched and imported.
//!
//! Nobody's token is kept. Who subscribes or schedules makes an object with their own rights; the leader
//! acts with rights that the chart grants where an administrator allows hosts. It imports only what a key
//! of the administrator's signed for the address, and an admission policy of the chart lets nobody make a
//! `ClusterPolicyImport` who may not make `ClusterPolicies` themselves.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _};
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams},
    core::{ApiResource, DynamicObject},
};
use portcullis_crds as crds;
use portcullis_policies::Scope;
use portcullis_webhook::{ArchiveFault, Imported};
use serde::Serialize;
use serde_json::json;

use super::FIELD_MANAGER;
use crate::{
    archive::{Clerk, Fetcher, Importer, Outcome, Schedule, Shelf},
    cluster::{Mirror, chain, put_policy, schedules, subscriptions},
    leader::Leadership,
    subscriptions::{Courier, Dispatcher, Ledger, MAX_SUBSCRIPTIONS, Progress, Subscription},
};

/// Time between two looks at the objects, which the API server answers from its own cache.
const PERIOD: std::time::Duration = std::time::Duration::from_secs(5);

/// Who is told and what is fetched, as the administrator allows.
#[derive(Clone, Debug)]
pub struct Outreach {
    /// Verifies what is fetched.
    pub(crate) clerk: Arc<Clerk>,
    /// Tells subscribers.
    pub(crate) courier: Arc<Courier>,
    /// Fetches archives.
    pub(crate) fetcher: Arc<Fetcher>,
}

/// The leader's hand on the objects.
#[derive(Clone)]
struct Hand {
    client: Client,
    leadership: Leadership,
    mirror: Arc<Mirror>,
    clerk: Arc<Clerk>,
}

impl Outreach {
    /// Tells and fetches as long as it is not dropped, as far as anything is allowed.
    pub(super) async fn run(self, client: Client, leadership: Leadership, mirror: Arc<Mirror>) {
        let cache = mirror.cache().clone();
        let hand = Hand {
            client,
            leadership,
            mirror,
            clerk: self.clerk,
        };
        let (telling, fetching) = (!self.courier.is_idle(), !self.fetcher.is_idle());
        let dispatcher = Dispatcher::new(hand.clone(), self.courier, cache.clone());
        let importer = Importer::new(hand, self.fetcher, cache);
        let tell = async {
            if telling {
                dispatcher.run(Some(PERIOD)).await;
            }
        };
        let fetch = async {
            if fetching {
                importer.run(Some(PERIOD)).await;
            }
        };
        tokio::join!(tell, fetch);
    }
}

impl Hand {
    /// Writes a status, if this replica leads.
    async fn write(
        &self,
        api: Api<DynamicObject>,
        resource: &ApiResource,
        name: &str,
        status: impl Serialize,
    ) -> Result<(), String> {
        let patch = Patch::Apply(json!({
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": {"name": name},
            "status": status,
        }));
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let request = api.patch_status(name, &params, &patch);
        match self.leadership.write("write a status", request).await {
            Ok(_) => Ok(()),
            // It is gone; nobody is to be told, and nothing to be fetched.
            Err(fault) if fault.is_stale() => Ok(()),
            Err(fault) => Err(chain(&fault)),
        }
    }

    async fn subscriptions(&self) -> kube::Result<Vec<Subscription>> {
        let kinds = [
            ApiResource::erase::<crds::ClusterPolicySubscription>(&()),
            ApiResource::erase::<crds::PolicySubscription>(&()),
        ];
        let most = u32::try_from(MAX_SUBSCRIPTIONS).unwrap_or(u32::MAX);
        let mut all = Vec::new();
        for kind in kinds {
            let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &kind);
            let listed = api.list(&ListParams::default().limit(most)).await?;
            all.extend(listed.items.iter().filter_map(subscriptions::read));
        }
        // The oldest are kept: who makes more takes nothing from those who were there.
        all.sort_by(|left: &Subscription, right| {
            (left.created, &left.id).cmp(&(right.created, &right.id))
        });
        all.truncate(MAX_SUBSCRIPTIONS);
        Ok(all)
    }
}

impl Ledger for Hand {
    fn all(&self) -> BoxFuture<'_, Result<Vec<Subscription>, String>> {
        async { self.subscriptions().await.map_err(|error| chain(&error)) }.boxed()
    }

    fn keep<'a>(
        &'a self,
        subscription: &'a Subscription,
        progress: Progress,
    ) -> BoxFuture<'a, Result<(), String>> {
        async move {
            let address = &subscription.address;
            let resource = subscriptions::resource(address);
            let api = subscriptions::api(&self.client, address, &resource);
            let status = subscriptions::status(progress);
            self.write(api, &resource, &subscription.id, status).await
        }
        .boxed()
    }
}

impl Shelf for Hand {
    fn schedules(&self) -> BoxFuture<'_, Result<Vec<Schedule>, String>> {
        async {
            let all = schedules::all(self.client.clone()).await;
            all.map_err(|error| chain(&error))
        }
        .boxed()
    }

    fn keep<'a>(
        &'a self,
        schedule: &'a Schedule,
        outcome: Outcome,
    ) -> BoxFuture<'a, Result<(), String>> {
        async move {
            let resource = ApiResource::erase::<crds::ClusterPolicyImport>(&());
            let api = Api::all_with(self.client.clone(), &resource);
            let status = schedules::status(outcome);
            self.write(api, &resource, &schedule.object, status).await
        }
        .boxed()
    }

    fn take_in(&self, archive: Vec<u8>) -> BoxFuture<'_, Result<Imported, ArchiveFault>> {
        async move {
            let cache = self.mirror.cache().clone();
            let opened = self.clerk.open(archive, Scope::Cluster, cache).await?;
            let (candidate, policy) = opened;
            let digest = policy.digest();
            // As a whole within what the lease allows, so that no other leader imports meanwhile.
            let put = async {
                let put = put_policy(&self.mirror, &self.client, &candidate, digest, None);
                Ok(put.await)
            };
            let action = self
                .leadership
                .write("import a policy", put)
                .await
                .map_err(|fault| ArchiveFault::Unavailable(chain(&fault)))??;
            Ok(candidate.imported(digest, action, false))
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests;
