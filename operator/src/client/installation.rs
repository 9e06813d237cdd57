//! An installation in the cluster that `kubectl` uses, as a person reaches its replicas: through the API
//! server, with the kubeconfig's token, and with TLS that is checked against the authority that the
//! installation has registered.
//!
//! ```text
//! kubeconfig ─────────────── token ─────┐
//! webhook configuration ─── authority ──┼──▶ Replicas
//! Pods of the webhook ───── names ──────┘
//! ```

use std::time::Duration;

use anyhow::anyhow;
use hyper::{
    Request, Response,
    header::{AUTHORIZATION, HeaderValue},
};
use k8s_openapi::api::{admissionregistration::v1::ValidatingWebhookConfiguration, core::v1::Pod};
use kube::{
    Api, Client, Config, ResourceExt,
    api::ListParams,
    client::{Body, ConfigExt as _},
};
use portcullis_policies::Diagnostic;
use rustls::RootCertStore;
use tower::{BoxError, Layer as _, ServiceExt as _, service_fn};

use super::{Failure, Replicas, Server, parse_namespace};
use crate::{
    cluster::{self, EVALUATION_PORT, chain, webhook_service},
    https,
};

/// An installation, and where it was said which one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    pub(crate) namespace: String,
    /// After which its objects are named.
    pub(crate) name: String,
    /// The options that name it, for who has to name another one.
    pub(crate) options: &'static str,
}

/// What is sent and trusted in the place of what the kubeconfig and the installation say.
#[derive(Debug, Default)]
pub(crate) struct Own {
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) authorities: Option<RootCertStore>,
}

/// Reads `NAMESPACE/NAME`, which `--cluster` takes.
pub(crate) fn parse_installation(text: &str) -> Result<Installation, String> {
    let wrong = || "an installation is written like `portcullis-system/portcullis`".to_owned();
    let (namespace, name) = text.split_once('/').ok_or_else(wrong)?;
    // Both are labels of a host's name, and parts of a path.
    let part = |text: &str| parse_namespace(text).map_err(|_| wrong());
    Ok(Installation {
        namespace: part(namespace)?,
        name: part(name)?,
        options: "`--cluster=NAMESPACE/NAME`",
    })
}

impl Installation {
    /// The replicas that run, and who asks them.
    pub(crate) async fn open(self, own: Own, patience: Duration) -> Result<Replicas, Failure> {
        let (config, client) = cluster::connect().await.map_err(|fault| {
            let told = format!("there is no cluster to ask: {}", chain(&fault));
            Failure::unreachable(told, None)
        })?;
        let authorization = match own.authorization {
            Some(authorization) => authorization,
            None => authorization_of(&config).await?,
        };
        let authorities = match own.authorities {
            Some(authorities) => authorities,
            None => self.registered_authorities(&client).await?,
        };
        let names = self.running(&client).await?;
        let tls = https::client(authorities, None).map_err(anyhow::Error::from)?;
        let server = Server {
            url: format!(
                "https://{}.{}.svc:{EVALUATION_PORT}",
                webhook_service(&self.name),
                self.namespace
            ),
            tls: Some(tls),
            authorization: Some(authorization),
            patience,
        };
        Ok(Replicas {
            pods: Api::namespaced(client, &self.namespace),
            installation: self,
            names,
            server,
        })
    }

    /// The Role, and the ClusterRole, of those who may reach the replicas.
    pub(super) fn role(&self) -> String {
        format!("{}-decisions-client", self.name)
    }

    /// The webhook's Pods that run, with those first that are ready.
    async fn running(&self, client: &Client) -> Result<Vec<String>, Failure> {
        let pods: Api<Pod> = Api::namespaced(client.clone(), &self.namespace);
        let params = ListParams::default().labels("app.kubernetes.io/component=webhook");
        let found = pods.list(&params).await.map_err(|error| {
            let what = format!("the Pods of `{}` cannot be listed", self.namespace);
            let remedy = format!("the Role `{}` there allows it", self.role());
            unreadable(&what, &remedy, &error)
        })?;
        // Another program's webhook may be in the same namespace.
        let prefix = format!("{}-", webhook_service(&self.name));
        let runs = |pod: &Pod| {
            let status = pod.status.as_ref();
            let phase = status.and_then(|status| status.phase.as_deref());
            phase == Some("Running") && pod.name_any().starts_with(&prefix)
        };
        let mut running: Vec<&Pod> = found.items.iter().filter(|pod| runs(pod)).collect();
        running.sort_by_key(|pod| !is_ready(pod));
        Ok(running.into_iter().map(ResourceExt::name_any).collect())
    }

    /// The authority that the API server checks the replicas' certificates against.
    async fn registered_authorities(&self, client: &Client) -> Result<RootCertStore, Failure> {
        let api: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
        let configuration = api.get_opt(&self.name).await.map_err(|error| {
            let what = format!("the authority of `{}` cannot be read", self.name);
            let role = self.role();
            let remedy =
                format!("the ClusterRole `{role}` allows it, and `--ca FILE` needs no right");
            unreadable(&what, &remedy, &error)
        })?;
        let webhooks = configuration.and_then(|configuration| configuration.webhooks);
        let mut bundles = webhooks
            .into_iter()
            .flatten()
            .filter_map(|webhook| webhook.client_config.ca_bundle);
        let bundle = bundles.next().ok_or_else(|| {
            let told = format!(
                "`{}` has registered no webhook, so nothing says which authority signs its \
                 certificates",
                self.name
            );
            let remedy = format!(
                "name another installation with {}, or the authority with `--ca FILE`",
                self.options
            );
            Failure::unreachable(told, Some(&remedy))
        })?;
        Ok(https::authorities(&bundle.0).map_err(anyhow::Error::from)?)
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// What the API server does not show. Where the right is missing, a role gives it.
fn unreadable(what: &str, remedy: &str, error: &kube::Error) -> Failure {
    let told = format!("{what}: {}", said(error));
    match error {
        kube::Error::Api(status) if status.code == 403 => {
            let fault = Diagnostic::new("REQUEST.FORBIDDEN", told);
            Failure::unavailable(fault.with_remedy(remedy))
        }
        _ => Failure::unreachable(told, None),
    }
}

/// What the API server says, in its own words where it has any.
pub(super) fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        error => chain(error),
    }
}

/// What the kubeconfig says to the API server of who asks, whatever makes its token.
async fn authorization_of(config: &Config) -> Result<HeaderValue, Failure> {
    let missing = || {
        let told = "the kubeconfig has no token, and replicas cannot check its client certificate";
        let fault = Diagnostic::new("REQUEST.UNAUTHENTICATED", told);
        Failure::unavailable(fault.with_remedy(
            "`--token-file <(kubectl create token NAME --namespace NAMESPACE)` sends one",
        ))
    };
    let layer = config.auth_layer().map_err(anyhow::Error::from)?;
    let layer = layer.ok_or_else(missing)?;
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
    use rstest::rstest;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::{cluster::api_server::ApiServer, reconcile::sample_certificate};

    const PODS: &str = "/api/v1/namespaces/portcullis-system/pods";

    const CONFIGURATION: &str =
        "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/portcullis";

    fn installation() -> Installation {
        parse_installation("portcullis-system/portcullis").unwrap()
    }

    fn pod(name: &str, phase: &str, ready: &str) -> Json {
        let conditions = json!([{"type": "Ready", "status": ready}]);
        json!({"metadata": {"name": name}, "status": {"phase": phase, "conditions": conditions}})
    }

    #[tokio::test]
    async fn running_replicas_are_found_and_ready_ones_come_first() {
        let server = ApiServer::default();
        server.put(
            PODS,
            json!({"metadata": {}, "items": [
                pod("portcullis-webhook-1", "Running", "False"),
                pod("portcullis-webhook-2", "Pending", "False"),
                {"metadata": {"name": "portcullis-webhook-3"}, "status": {"phase": "Running"}},
                pod("other-webhook-1", "Running", "True"),
                pod("portcullis-webhook-4", "Running", "True"),
                {"metadata": {"name": "portcullis-webhook-5"}},
            ]}),
        );
        let found = installation().running(&server.client()).await.unwrap();
        let expected = ["4", "1", "3"].map(|it| format!("portcullis-webhook-{it}"));
        assert_eq!(found, expected);
    }

    #[rstest]
    #[case::not_allowed(
        403,
        "REQUEST.FORBIDDEN: the Pods of `portcullis-system` cannot be listed: the API server says 403 \
         Forbidden\n  → the Role `portcullis-decisions-client` there allows it"
    )]
    #[case::not_there(
        503,
        "SERVER.UNREACHABLE: the Pods of `portcullis-system` cannot be listed: the API server says 503 \
         Service Unavailable"
    )]
    #[tokio::test]
    async fn pods_that_cannot_be_listed_are_told(#[case] status: u16, #[case] expected: &str) {
        let server = ApiServer::default();
        server.refuse(&format!("GET {PODS}"), status);
        let failure = installation().running(&server.client()).await.unwrap_err();
        assert_eq!(failure.text(), expected);
    }

    fn webhook(client: &Json) -> Json {
        let versions = json!(["v1"]);
        json!({"name": "a", "clientConfig": client, "admissionReviewVersions": versions, "sideEffects": "None"})
    }

    async fn authorities(server: &ApiServer) -> Result<RootCertStore, Failure> {
        let client = server.client();
        installation().registered_authorities(&client).await
    }

    #[tokio::test]
    async fn the_authority_is_the_registered_one() {
        let bundle = k8s_openapi::ByteString(sample_certificate().0.into_bytes());
        let server = ApiServer::default();
        let webhooks = [webhook(&json!({})), webhook(&json!({"caBundle": bundle}))];
        let registered = json!({"metadata": {"name": "portcullis"}, "webhooks": webhooks});
        server.put(CONFIGURATION, registered);
        let found = authorities(&server).await.unwrap();
        assert_eq!(found.len(), 1);
    }

    #[rstest]
    #[case::not_installed(
        None,
        404,
        "SERVER.UNREACHABLE: `portcullis` has registered no webhook"
    )]
    #[case::not_yet(
        Some(json!([])),
        200,
        "SERVER.UNREACHABLE: `portcullis` has registered no webhook, so nothing says which authority \
         signs its certificates\n  → name another installation with `--cluster=NAMESPACE/NAME`, or the \
         authority with `--ca FILE`"
    )]
    #[case::not_signed_by_anybody(
        Some(json!([webhook(&json!({}))])),
        200,
        "SERVER.UNREACHABLE: `portcullis` has registered no webhook"
    )]
    #[case::of_no_use(
        Some(json!([webhook(&json!({"caBundle": "cGVt"}))])),
        200,
        "the certificate of the authority is not PEM: there is no certificate in it"
    )]
    #[case::not_allowed(
        None,
        403,
        "REQUEST.FORBIDDEN: the authority of `portcullis` cannot be read: the API server says 403 \
         Forbidden\n  → the ClusterRole `portcullis-decisions-client` allows it, and `--ca FILE` needs \
         no right"
    )]
    #[tokio::test]
    async fn an_authority_that_is_not_known_is_told(
        #[case] webhooks: Option<Json>,
        #[case] status: u16,
        #[case] expected: &str,
    ) {
        let server = ApiServer::default();
        match webhooks {
            Some(webhooks) => {
                let registered = json!({"metadata": {"name": "portcullis"}, "webhooks": webhooks});
                server.put(CONFIGURATION, registered);
            }
            None => {
                server.refuse(&format!("GET {CONFIGURATION}"), status);
            }
        }
        let told = authorities(&server).await.unwrap_err().text();
        assert!(told.starts_with(expected), "{told}");
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
        let Some(expected) = expected else {
            let told = header.unwrap_err().text();
            return assert!(told.contains("`--token-file <(kubectl"), "{told}");
        };
        assert_eq!(header.unwrap(), expected);
    }
}
