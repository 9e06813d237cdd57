//! Who is asked: a server, or all replicas of the webhook, through the API server.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use futures::stream::{self, StreamExt as _};
use hyper::{
    Request, Response, StatusCode,
    body::Bytes,
    header::{AUTHORIZATION, HeaderValue},
};
use k8s_openapi::api::{admissionregistration::v1::ValidatingWebhookConfiguration, core::v1::Pod};
use kube::{
    Api, Client, Config, ResourceExt,
    api::ListParams,
    client::{Body, ConfigExt as _},
};
use tower::{BoxError, Layer as _, ServiceExt as _, service_fn};

use super::{Found, read};
use crate::{cluster, https::Question};

/// The port on which a replica answers evaluations.
const PORT: u16 = 8181;

/// Time for one server to explain a decision, which takes five seconds at most, and to ask the API server
/// who may read it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Longest answer: the explanations of all policies, as text and for programs.
const MAX_ANSWER: usize = 32 << 20;

/// Replicas that are asked at a time.
const AT_ONCE: usize = 8;

/// A server that answers for itself.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) url: String,
    pub(super) authority: Option<Vec<u8>>,
    pub(super) authorization: Option<HeaderValue>,
}

/// An installation in the cluster that `kubectl` uses.
#[derive(Debug)]
pub(super) struct Installation {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) authority: Option<Vec<u8>>,
    pub(super) authorization: Option<HeaderValue>,
}

impl Server {
    pub(super) async fn ask(self, id: &str) -> anyhow::Result<Found> {
        let url = format!("{}/decisions/{id}", self.url);
        let question = Question {
            url: &url,
            authority: self.authority.as_deref(),
            authorization: self.authorization.as_ref(),
            patience: PATIENCE,
            limit: MAX_ANSWER,
        };
        let answer = question.ask().await;
        let (status, body) = answer.with_context(|| format!("failed to ask {}", self.url))?;
        read(status, &body)
    }
}

impl Installation {
    /// Asks all replicas, and answers with what the first one says that knows the decision. That none
    /// knows it is only said when all were asked.
    pub(super) async fn ask(self, id: &str) -> anyhow::Result<Found> {
        let (config, client) = cluster::connect().await?;
        let authorization = match self.authorization.clone() {
            Some(authorization) => authorization,
            None => authorization_of(&config).await?,
        };
        let authority = match self.authority.clone() {
            Some(authority) => authority,
            None => self.registered_authority(&client).await?,
        };
        let replicas = self.replicas(&client).await?;
        let ask = |replica: String| {
            let (client, authority, authorization) = (&client, &authority, &authorization);
            let installation = &self;
            async move {
                let answer = installation.ask_one(client, &replica, id, authority, authorization);
                let answer = answer.await.and_then(|(status, body)| read(status, &body));
                answer.with_context(|| format!("failed to ask the Pod `{replica}`"))
            }
        };
        let mut answers = stream::iter(replicas).map(ask).buffer_unordered(AT_ONCE);
        let (mut asked, mut failure) = (0_usize, None);
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(Found::Answer(answer)) => return Ok(Found::Answer(answer)),
                Ok(Found::Nothing(_)) => asked += 1,
                Err(error) => failure = Some(error),
            }
        }
        match (failure, asked) {
            (Some(error), _) => Err(error),
            (None, 1..) => Ok(Found::Nothing(format!(
                "none of {asked} Pods of the webhook remembers decision `{id}`, or you may not read it: \
                 only what denied, warned or failed is remembered, for a while, and to read it takes the \
                 verb `get` on `decisions` of `portcullis.dev` in the object's namespace"
            ))),
            (None, 0) => bail!(
                "no Pod of the webhook runs in `{}`: `--namespace` and `--name` say where to look",
                self.namespace
            ),
        }
    }

    async fn ask_one(
        &self,
        client: &Client,
        replica: &str,
        id: &str,
        authority: &[u8],
        authorization: &HeaderValue,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let pods: Api<Pod> = Api::namespaced(client.clone(), &self.namespace);
        let forwarded = tokio::time::timeout(PATIENCE, pods.portforward(replica, &[PORT]));
        let mut forwarder = forwarded
            .await
            .context("the API server did not lead there in time")??;
        let stream = forwarder
            .take_stream(PORT)
            .context("the API server leads to no port")?;
        let url = format!(
            "https://{}-webhook.{}.svc:{PORT}/decisions/{id}",
            self.name, self.namespace
        );
        let question = Question {
            url: &url,
            authority: Some(authority),
            authorization: Some(authorization),
            patience: PATIENCE,
            limit: MAX_ANSWER,
        };
        let answer = question.ask_over(stream).await;
        forwarder.abort();
        Ok(answer?)
    }

    /// The webhook's Pods that run.
    async fn replicas(&self, client: &Client) -> anyhow::Result<Vec<String>> {
        let pods: Api<Pod> = Api::namespaced(client.clone(), &self.namespace);
        let params = ListParams::default().labels("app.kubernetes.io/component=webhook");
        let found = pods.list(&params).await.with_context(|| {
            format!(
                "the Pods of `{}` cannot be listed (the Role `{}-decisions-client` allows it)",
                self.namespace, self.name
            )
        })?;
        // Another program's webhook may be in the same namespace.
        let prefix = format!("{}-webhook-", self.name);
        let runs = |pod: &Pod| {
            let phase = pod
                .status
                .as_ref()
                .and_then(|status| status.phase.as_deref());
            phase == Some("Running") && pod.name_any().starts_with(&prefix)
        };
        let running = found.items.iter().filter(|pod| runs(pod));
        Ok(running.map(ResourceExt::name_any).collect())
    }

    /// The authority that the API server checks the replicas' certificates against.
    async fn registered_authority(&self, client: &Client) -> anyhow::Result<Vec<u8>> {
        let api: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
        let configuration = api.get(&self.name).await.with_context(|| {
            format!(
                "the authority of `{}` cannot be read (the ClusterRole `{}-decisions-client` \
                 allows it; `--ca FILE` needs no right)",
                self.name, self.name
            )
        })?;
        let webhooks = configuration.webhooks.unwrap_or_default();
        let mut bundles = webhooks
            .into_iter()
            .filter_map(|webhook| webhook.client_config.ca_bundle);
        let bundle = bundles.next().with_context(|| {
            format!(
                "`{}` has registered no webhook yet, so nothing was refused by it",
                self.name
            )
        })?;
        Ok(bundle.0)
    }
}

/// What the kubeconfig says to the API server of who asks, whatever makes its token.
async fn authorization_of(config: &Config) -> anyhow::Result<HeaderValue> {
    let missing = || {
        anyhow!(
            "the kubeconfig has no token, and replicas cannot check a client certificate: add \
             `--token`, such as --token \"$(kubectl create token NAME --namespace NAMESPACE)\""
        )
    };
    let layer = config.auth_layer()?.ok_or_else(missing)?;
    let echo = service_fn(|request: Request<Body>| async move {
        Ok::<_, BoxError>(Response::new(request.headers().get(AUTHORIZATION).cloned()))
    });
    let header = layer.layer(echo).oneshot(Request::new(Body::empty())).await;
    let header = header
        .map_err(|error| anyhow!("the kubeconfig's token cannot be had: {error}"))?
        .into_body()
        .filter(|header| header.as_bytes().starts_with(b"Bearer "));
    header.ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::api_server::ApiServer;
    use rstest::rstest;
    use serde_json::json;

    fn installation() -> Installation {
        Installation {
            namespace: "portcullis-system".to_owned(),
            name: "portcullis".to_owned(),
            authority: None,
            authorization: None,
        }
    }

    #[tokio::test]
    async fn running_replicas_are_found() {
        let server = ApiServer::default();
        let pod = |name: &str, phase: &str| json!({"metadata": {"name": name}, "status": {"phase": phase}});
        server.put(
            "/api/v1/namespaces/portcullis-system/pods",
            json!({"metadata": {}, "items": [
                pod("portcullis-webhook-1", "Running"),
                pod("portcullis-webhook-2", "Pending"),
                pod("other-webhook-1", "Running"),
            ]}),
        );
        let found = installation().replicas(&server.client()).await.unwrap();
        assert_eq!(found, ["portcullis-webhook-1"]);
    }

    #[rstest]
    #[case(json!([]), None)]
    #[case(json!([{"name": "a", "clientConfig": {}, "admissionReviewVersions": ["v1"], "sideEffects": "None"}]), None)]
    #[case(json!([{"name": "a", "clientConfig": {"caBundle": "cGVt"}, "admissionReviewVersions": ["v1"], "sideEffects": "None"}]), Some("pem"))]
    #[tokio::test]
    async fn the_authority_is_the_registered_one(
        #[case] webhooks: serde_json::Value,
        #[case] expected: Option<&str>,
    ) {
        let server = ApiServer::default();
        let path =
            "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/portcullis";
        server.put(
            path,
            json!({"metadata": {"name": "portcullis"}, "webhooks": webhooks}),
        );
        let found = installation().registered_authority(&server.client()).await;
        assert_eq!(found.ok(), expected.map(|pem| pem.as_bytes().to_vec()));
    }

    #[rstest]
    #[case(Some("abc"), Some("Bearer abc"))]
    #[case(None, None)]
    #[tokio::test]
    async fn the_kubeconfigs_token_is_the_callers(
        #[case] token: Option<&str>,
        #[case] expected: Option<&str>,
    ) {
        let mut config = Config::new("https://127.0.0.1:1".parse().unwrap());
        config.auth_info.token = token.map(|token| token.to_owned().into());
        let header = authorization_of(&config).await;
        match expected {
            Some(expected) => assert_eq!(header.unwrap(), expected),
            None => assert!(header.unwrap_err().to_string().contains("--token")),
        }
    }
}
