//! The objects of a resource, page by page.

use std::time::Duration;

use anyhow::Context as _;
use kube::{
    Api, Client,
    api::ListParams,
    core::{ApiResource, DynamicObject},
};
use serde_json::Value as Json;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::commands::judging::Resource;

/// Objects of a page: what `kubectl get` asks for at a time.
const PAGE: u32 = 500;

/// Time from one request to the next: fifty a second at most, so that the API server has time for
/// everybody else.
const PACE: Duration = Duration::from_millis(20);

/// A list whose pages have expired is begun again this often: it takes five minutes to expire.
const BEGINNINGS: u32 = 3;

/// Reads pages, at a pace.
pub(in crate::commands) struct Pages {
    client: Client,
    pace: Interval,
    list: Option<List>,
}

/// A list that is being read.
struct List {
    api: Api<DynamicObject>,
    resource: Resource,
    /// Where to go on; the beginning where there is none.
    token: Option<String>,
    beginnings: u32,
}

impl Pages {
    pub(in crate::commands) fn new(client: Client) -> Self {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            client,
            pace,
            list: None,
        }
    }

    /// Begins to read a resource, in one namespace or in all.
    pub(in crate::commands) fn begin(&mut self, resource: &Resource, namespace: Option<&str>) {
        let known = ApiResource {
            group: resource.group.clone(),
            version: resource.version.clone(),
            api_version: resource.api_version(),
            kind: resource.kind.clone(),
            plural: resource.plural.clone(),
        };
        let client = self.client.clone();
        let api = match namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &known),
            None => Api::all_with(client, &known),
        };
        self.list = Some(List {
            api,
            resource: resource.clone(),
            token: None,
            beginnings: 1,
        });
    }

    /// The next page; `None` after the last one. A list that expired begins again, so that objects
    /// can come twice.
    pub(in crate::commands) async fn next(&mut self) -> anyhow::Result<Option<Vec<Json>>> {
        let Some(list) = &mut self.list else {
            return Ok(None);
        };
        loop {
            self.pace.tick().await;
            let mut parameters = ListParams::default().limit(PAGE);
            if let Some(token) = &list.token {
                parameters = parameters.continue_token(token);
            }
            match list.api.list(&parameters).await {
                Ok(page) => {
                    let objects = page.items.iter().map(|object| list.whole(object));
                    let objects = objects.collect::<anyhow::Result<_>>()?;
                    list.token = page.metadata.continue_.filter(|token| !token.is_empty());
                    if list.token.is_none() {
                        self.list = None;
                    }
                    return Ok(Some(objects));
                }
                Err(kube::Error::Api(status))
                    if status.code == 410 && list.beginnings < BEGINNINGS =>
                {
                    list.token = None;
                    list.beginnings += 1;
                }
                Err(error) => {
                    self.list = None;
                    return Err(error.into());
                }
            }
        }
    }
}

impl List {
    /// The objects of a list do not say what they are.
    fn whole(&self, object: &DynamicObject) -> anyhow::Result<Json> {
        let mut object = serde_json::to_value(object).context("an object is no JSON")?;
        object["apiVersion"] = self.resource.api_version().into();
        object["kind"] = self.resource.kind.as_str().into();
        Ok(object)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::api_server::ApiServer;

    fn pods() -> Resource {
        Resource {
            group: String::new(),
            version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            plural: "pods".to_owned(),
            namespaced: true,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn objects_say_what_they_are() {
        let server = ApiServer::default();
        let list =
            json!({"metadata": {}, "items": [{"metadata": {"name": "a"}, "spec": {"x": 1}}]});
        server.put("/api/v1/namespaces/shop/pods", list);
        let mut pages = Pages::new(server.client());
        pages.begin(&pods(), Some("shop"));
        let page = pages.next().await.unwrap().unwrap();
        let expected =
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"x": 1}});
        assert_eq!(page, [expected]);
        assert_eq!(pages.next().await.unwrap(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_resource_that_may_not_be_listed_is_told() {
        let server = ApiServer::default();
        server.refuse("GET /api/v1/pods", 403);
        let mut pages = Pages::new(server.client());
        pages.begin(&pods(), None);
        let error = pages.next().await.unwrap_err();
        assert!(format!("{error:#}").contains("403"), "{error:#}");
        assert_eq!(pages.next().await.unwrap(), None, "it is not tried again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_expires_again_and_again_ends() {
        let server = ApiServer::default();
        server.refuse("GET /api/v1/pods", 410);
        let mut pages = Pages::new(server.client());
        pages.begin(&pods(), None);
        let begin = tokio::time::Instant::now();
        assert!(pages.next().await.is_err());
        let requests = BEGINNINGS - 1;
        assert_eq!(
            begin.elapsed(),
            PACE * requests,
            "one after the other, at the pace"
        );
    }
}
