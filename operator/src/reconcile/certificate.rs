//! Keeps the webhook's certificate in the chart's two Secrets.
//!
//! The Secrets are there from the installation, empty; they are patched at the resource version
//! that was read, and never created or deleted. Who has lost a key empties both Secrets and has new
//! ones within a check.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use portcullis_webhook::pass_of;
use serde_json::json;
use tokio::{sync::watch, time::timeout};

use super::{
    FIELD_MANAGER, Settings,
    metrics::Metrics,
    pki::{self, Held, Pair, Plan},
    retry::Retry,
};
use crate::leader::{Leadership, WriteFault};

/// Time between two checks. A Secret that somebody emptied is whole again within it; the checks
/// that the calendar asks for need one a day.
const CHECK: Duration = Duration::from_mins(5);

/// Time from trusting a new authority to the first certificate that it signs. The API server is
/// told at once; a kubelet brings a Secret into a pod within about a minute and a half.
const SPREAD: Duration = Duration::from_mins(3);

/// Time for reading a Secret.
const READ: Duration = Duration::from_secs(10);

/// Steps of one check: a new authority, trusting it, and a certificate of it.
const STEPS: usize = 3;

const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
const AUTHORITY: &str = "ca.crt";

/// Keeps the two Secrets.
pub(crate) struct CertificateKeeper {
    pub(crate) secrets: Api<Secret>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) leadership: Leadership,
    pub(crate) metrics: Metrics,
    /// What callers of the webhook are to trust: PEM, once there is a certificate.
    pub(crate) trusted: watch::Sender<Option<Arc<str>>>,
    /// What shows replicas of the webhook that it is us who ask.
    pub(crate) pass: watch::Sender<Option<Arc<str>>>,
}

/// Why the certificate could not be kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateFault {
    #[error("the Secret `{0}` is gone: `helm upgrade` restores it")]
    Gone(String),
    #[error("failed to read the Secret `{0}`")]
    Read(String, #[source] kube::Error),
    #[error("the API server did not answer about the Secret `{0}` within {seconds} s", seconds = READ.as_secs())]
    Late(String),
    #[error("failed to issue a certificate")]
    Issue(#[from] pki::PkiFault),
    #[error(transparent)]
    Write(#[from] WriteFault),
}

/// The Secrets with the versions that were read.
struct Secrets {
    held: Held,
    authority_version: Option<String>,
    serving_version: Option<String>,
}

impl CertificateKeeper {
    /// Checks for ever.
    pub(crate) async fn run(self) {
        let mut retry = Retry::new("keep the certificate", self.metrics.clone());
        loop {
            match self.check(Timestamp::now()).await {
                Ok(wait) => {
                    retry.succeeded();
                    tokio::time::sleep(wait).await;
                }
                Err(fault) => retry.failed(&fault).await,
            }
        }
    }

    /// Brings the Secrets into order, and says when to look again.
    pub(crate) async fn check(&self, now: Timestamp) -> Result<Duration, CertificateFault> {
        let names = pki::service_names(&self.settings.webhook_service(), &self.settings.namespace);
        for _ in 0..STEPS {
            let Secrets {
                held,
                authority_version,
                serving_version,
            } = self.read().await?;
            match pki::plan(&held, &names, now) {
                Plan::Keep(not_after) => {
                    self.metrics.certificate_ends(not_after);
                    self.publish(&held.trusted);
                    let pass = pass_of(held.serving.key.0.as_bytes());
                    self.pass.send_replace(Some(pass.into()));
                    return Ok(CHECK);
                }
                Plan::Authority(reason) => {
                    tracing::info!(reason, "a new authority is issued");
                    let pair = pki::authority(now)?;
                    let data = [(CERTIFICATE, pair.certificate), (KEY, pair.key.0)];
                    self.write(&self.settings.authority_secret(), authority_version, data)
                        .await?;
                }
                Plan::Trust => {
                    tracing::info!("the new authority is trusted, and signs soon");
                    let trusted = pki::trust(&held.authority, &held.trusted);
                    self.publish(&trusted);
                    let data = [(AUTHORITY, trusted)];
                    self.write(&self.settings.serving_secret(), serving_version, data)
                        .await?;
                    return Ok(SPREAD);
                }
                Plan::Serving(reason) => {
                    tracing::info!(reason, "a new serving certificate is issued");
                    let pair = pki::serving(&held.authority, &names, now)?;
                    let trusted = pki::trust(&held.authority, &held.trusted);
                    self.publish(&trusted);
                    let data = [
                        (CERTIFICATE, pair.certificate),
                        (KEY, pair.key.0),
                        (AUTHORITY, trusted),
                    ];
                    self.write(&self.settings.serving_secret(), serving_version, data)
                        .await?;
                }
            }
        }
        // Each step was written; the next check sees what came of them.
        Ok(Duration::ZERO)
    }

    async fn read(&self) -> Result<Secrets, CertificateFault> {
        let authority = self.secret(self.settings.authority_secret()).await?;
        let serving = self.secret(self.settings.serving_secret()).await?;
        Ok(Secrets {
            held: Held {
                authority: pair(&authority),
                serving: pair(&serving),
                trusted: text(&serving, AUTHORITY),
            },
            authority_version: authority.metadata.resource_version,
            serving_version: serving.metadata.resource_version,
        })
    }

    async fn secret(&self, name: String) -> Result<Secret, CertificateFault> {
        match timeout(READ, self.secrets.get(&name)).await {
            Err(_) => Err(CertificateFault::Late(name)),
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => {
                Err(CertificateFault::Gone(name))
            }
            Ok(Err(error)) => Err(CertificateFault::Read(name, error)),
            Ok(Ok(secret)) => Ok(secret),
        }
    }

    async fn write<const N: usize>(
        &self,
        name: &str,
        version: Option<String>,
        data: [(&str, String); N],
    ) -> Result<(), WriteFault> {
        let data = data.map(|(key, text)| (key, ByteString(text.into_bytes())));
        let data: BTreeMap<&str, ByteString> = data.into_iter().collect();
        let patch = json!({"metadata": {"resourceVersion": version}, "data": data});
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patch = Patch::Merge(patch);
        let request = self.secrets.patch_metadata(name, &params, &patch);
        self.leadership
            .write("write a certificate", request)
            .await
            .map(drop)
    }

    /// The authority is told to the API server before a certificate of it is shown.
    fn publish(&self, trusted: &str) {
        self.trusted.send_if_modified(|known| {
            let new = known.as_deref() != Some(trusted);
            if new {
                *known = Some(trusted.into());
            }
            new
        });
    }
}

fn pair(secret: &Secret) -> Pair {
    Pair {
        certificate: text(secret, CERTIFICATE),
        key: pki::Secret(text(secret, KEY)),
    }
}

/// What is no text is no PEM, and as good as absent.
fn text(secret: &Secret, key: &str) -> String {
    let value = secret.data.as_ref().and_then(|data| data.get(key));
    value
        .and_then(|value| String::from_utf8(value.0.clone()).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::api_server::ApiServer;
    use serde_json::Value as Json;

    const AUTHORITY_SECRET: &str = "/api/v1/namespaces/guard/secrets/portcullis-ca";
    const SERVING_SECRET: &str = "/api/v1/namespaces/guard/secrets/portcullis-webhook-tls";

    /// A keeper in front of a server that holds the two Secrets, empty as the chart ships them.
    fn stage(leadership: Leadership) -> (ApiServer, CertificateKeeper) {
        let server = ApiServer::default();
        for (path, name) in [
            (AUTHORITY_SECRET, "portcullis-ca"),
            (SERVING_SECRET, "portcullis-webhook-tls"),
        ] {
            server.put(
                path,
                json!({"metadata": {"name": name, "labels": {"of": "the chart"}}}),
            );
        }
        let keeper = CertificateKeeper {
            secrets: Api::namespaced(server.client(), "guard"),
            settings: Arc::new(Settings::new("portcullis", "guard", "operator-0", [])),
            leadership,
            metrics: Metrics::new(),
            trusted: watch::Sender::new(None),
            pass: watch::Sender::new(None),
        };
        (server, keeper)
    }

    fn today() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn after(days: u64) -> Timestamp {
        today() + Duration::from_hours(24 * days)
    }

    fn patched(path: &str) -> String {
        format!("PATCH {path}")
    }

    #[tokio::test]
    async fn empty_secrets_are_filled_once() {
        let (server, keeper) = stage(Leadership::for_a_test());
        keeper.check(today()).await.unwrap();
        assert_eq!(
            server.written(),
            [patched(AUTHORITY_SECRET), patched(SERVING_SECRET)]
        );
        let secret = server.get(SERVING_SECRET);
        assert_eq!(secret["metadata"]["labels"]["of"], "the chart");
        for key in [CERTIFICATE, KEY, AUTHORITY] {
            assert!(secret["data"][key].is_string(), "there is no {key}");
        }
        let trusted = keeper.trusted.borrow().clone();
        assert!(trusted.is_some_and(|pem| pem.contains("BEGIN CERTIFICATE")));

        // Radio silence from then on.
        assert_eq!(keeper.check(after(1)).await.unwrap(), CHECK);
        assert_eq!(server.written().len(), 2);
    }

    #[tokio::test]
    async fn a_certificate_that_ends_is_renewed_by_the_same_authority() {
        let (server, keeper) = stage(Leadership::for_a_test());
        keeper.check(today()).await.unwrap();
        let (authority, before) = (server.get(AUTHORITY_SECRET), server.get(SERVING_SECRET));
        keeper.check(after(61)).await.unwrap();
        assert_eq!(server.get(AUTHORITY_SECRET), authority);
        let now = server.get(SERVING_SECRET);
        assert_ne!(now["data"][CERTIFICATE], before["data"][CERTIFICATE]);
        assert_eq!(now["data"][AUTHORITY], before["data"][AUTHORITY]);
    }

    #[tokio::test]
    async fn a_damaged_secret_is_made_anew() {
        let (server, keeper) = stage(Leadership::for_a_test());
        keeper.check(today()).await.unwrap();
        let mut damaged = server.get(SERVING_SECRET);
        damaged["data"][KEY] = Json::from("bm8ga2V5");
        server.put(SERVING_SECRET, damaged);
        keeper.check(today()).await.unwrap();
        assert_eq!(server.written().len(), 3);
        assert_eq!(keeper.check(today()).await.unwrap(), CHECK);
    }

    #[tokio::test]
    async fn an_old_authority_is_replaced_in_two_steps() {
        let (server, keeper) = stage(Leadership::for_a_test());
        keeper.check(today()).await.unwrap();
        // A serving certificate of that time is good when the authority gets old.
        let late = after(1300);
        keeper.check(after(1210)).await.unwrap();
        assert_eq!(keeper.check(late).await.unwrap(), SPREAD);
        let trusted = keeper.trusted.borrow().clone().unwrap();
        assert_eq!(trusted.matches("BEGIN CERTIFICATE").count(), 2);
        let before = server.get(SERVING_SECRET);
        keeper.check(late).await.unwrap();
        assert_ne!(
            server.get(SERVING_SECRET)["data"][CERTIFICATE],
            before["data"][CERTIFICATE]
        );
        assert_eq!(keeper.check(late).await.unwrap(), CHECK);
    }

    #[tokio::test]
    async fn a_secret_that_is_gone_is_not_made() {
        let (server, keeper) = stage(Leadership::for_a_test());
        server.remove(SERVING_SECRET);
        let fault = keeper.check(today()).await.unwrap_err();
        assert!(fault.to_string().contains("helm upgrade"), "{fault}");
        assert_eq!(server.written(), [""; 0]);
    }

    #[tokio::test]
    async fn radio_silence_when_another_leads() {
        let (server, keeper) = stage(Leadership::lost());
        assert!(keeper.check(today()).await.is_err());
        assert_eq!(server.written(), [""; 0]);
    }
}
