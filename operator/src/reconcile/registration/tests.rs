//! The way to the chart's configuration, against a mocked API server.

use std::collections::BTreeSet;

use portcullis_policies::Cache;
use portcullis_webhook::Readiness;
use rstest::rstest;
use serde_json::{Value as Json, json};

use super::*;
use crate::{cluster::api_server::ApiServer, reconcile::samples::Sample};

const CONFIGURATION: &str =
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/portcullis";

const PATCH: &str =
    "PATCH /apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/portcullis";

fn settings() -> Arc<Settings> {
    Arc::new(Settings::new(
        "portcullis",
        "portcullis-system",
        "operator-0",
        [],
    ))
}

fn empty() -> Json {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "portcullis"},
    })
}

/// What the cluster is like, and the registrar that keeps it.
struct Stage {
    server: ApiServer,
    registrar: Registrar,
    registered: watch::Receiver<Registration>,
}

impl Stage {
    fn new(leadership: Leadership, samples: &[Sample], ready: usize) -> Self {
        let server = ApiServer::default();
        let (settings, metrics) = (settings(), Metrics::new());
        let cache = Arc::new(Cache::new());
        cache.update(|state| {
            samples
                .iter()
                .for_each(|sample| state.apply_policy(sample.compiled()));
        });
        let replicas = watch::channel(Some(Arc::new(Replicas::of(ready, &[])))).1;
        let trusted = watch::channel(Some("PEM".into())).1;
        let (registration, registered) = watch::channel(Registration::default());
        let client = server.client();
        let registrar = Registrar {
            announcer: Announcer::new(
                client.clone(),
                leadership.clone(),
                settings.clone(),
                metrics.clone(),
            ),
            client,
            settings,
            leadership,
            metrics,
            mirror: Mirror::new(cache, Readiness::new([])),
            replicas,
            trusted,
            registration,
        };
        Self {
            server,
            registrar,
            registered,
        }
    }

    /// Looks at the configuration as it is, once.
    async fn look(&self) -> Result<(), RegistrationFault> {
        let mut catalogue = None;
        self.registrar
            .reconcile(&self.sight(), &mut catalogue)
            .await
    }

    fn sight(&self) -> Sight {
        match self.server.get(CONFIGURATION) {
            Json::Null => Sight::Gone,
            found => Sight::Here(Arc::new(serde_json::from_value(found).unwrap())),
        }
    }

    fn names(&self) -> Vec<String> {
        match self.sight() {
            Sight::Here(found) => webhooks(&found)
                .iter()
                .map(|hook| hook.name.clone())
                .collect(),
            _ => Vec::new(),
        }
    }
}

fn leading(samples: &[Sample], ready: usize) -> Stage {
    Stage::new(Leadership::for_a_test(), samples, ready)
}

#[tokio::test]
async fn fills_an_empty_configuration_when_a_replica_is_ready() {
    let stage = leading(&[Sample::new("a").on("", "pods")], 1);
    stage.server.put(CONFIGURATION, empty());
    stage.look().await.unwrap();
    assert_eq!(
        stage.names(),
        ["fail.cluster.portcullis.dev", "resources.portcullis.dev"]
    );
}

#[tokio::test]
async fn radio_silence_when_all_is_as_it_should_be() {
    let stage = leading(&[Sample::new("a").on("", "pods")], 1);
    stage.server.put(CONFIGURATION, empty());
    stage.look().await.unwrap();
    stage.look().await.unwrap();
    assert_eq!(stage.server.written(), [PATCH]);
    let registered = stage.registered.borrow().registered.clone();
    assert!(matches!(registered, Registered::Filled(webhooks) if webhooks.len() == 2));
}

#[tokio::test]
async fn radio_silence_without_a_ready_replica() {
    let stage = leading(&[Sample::new("a").on("", "pods")], 0);
    stage.server.put(CONFIGURATION, empty());
    stage.look().await.unwrap();
    assert_eq!(stage.server.written(), [""; 0]);
    assert!(matches!(
        stage.registered.borrow().registered,
        Registered::Empty(_)
    ));
}

#[tokio::test]
async fn radio_silence_when_another_leads() {
    let stage = Stage::new(Leadership::lost(), &[Sample::new("a").on("", "pods")], 1);
    stage.server.put(CONFIGURATION, empty());
    assert!(stage.look().await.is_err());
    stage.server.remove(CONFIGURATION);
    stage.look().await.unwrap();
    assert_eq!(stage.server.written(), [""; 0]);
}

#[tokio::test]
async fn a_filled_configuration_stays_filled_without_replicas() {
    let stage = leading(&[Sample::new("a").on("", "pods")], 0);
    let mut filled = empty();
    filled["webhooks"] = json!([{
        "name": "fail.cluster.portcullis.dev", "sideEffects": "None",
        "admissionReviewVersions": ["v1"], "clientConfig": {},
    }]);
    stage.server.put(CONFIGURATION, filled);
    stage.look().await.unwrap();
    assert_eq!(stage.server.written(), [PATCH]);
    assert_eq!(
        stage.names(),
        ["fail.cluster.portcullis.dev", "resources.portcullis.dev"]
    );
}

#[tokio::test]
async fn what_somebody_changed_is_put_back() {
    let stage = leading(&[Sample::new("a").on("", "pods")], 1);
    stage.server.put(CONFIGURATION, empty());
    stage.look().await.unwrap();
    let sound = stage.server.get(CONFIGURATION);
    for (pointer, change) in [
        ("/webhooks/0/failurePolicy", json!("Ignore")),
        ("/webhooks/0/rules/0/resources", json!(["services"])),
        ("/webhooks/0/namespaceSelector", json!({})),
        (
            "/webhooks/0/objectSelector",
            json!({"matchLabels": {"a": "b"}}),
        ),
        ("/webhooks/0/clientConfig/caBundle", json!("")),
        ("/webhooks/1", sound["webhooks"][0].clone()),
    ] {
        let mut changed = sound.clone();
        *changed.pointer_mut(pointer).unwrap() = change;
        stage.server.put(CONFIGURATION, changed);
        stage.look().await.unwrap();
        let webhooks = stage.server.get(CONFIGURATION)["webhooks"].clone();
        assert_eq!(webhooks, sound["webhooks"], "{pointer} was not put back");
    }
}

#[tokio::test]
async fn a_configuration_that_is_gone_is_told_once_and_not_put_back() {
    let stage = leading(&[Sample::new("a").on("", "pods")], 1);
    stage.look().await.unwrap();
    stage.look().await.unwrap();
    assert_eq!(stage.registered.borrow().registered, Registered::Gone);
    let events = "POST /apis/events.k8s.io/v1/namespaces/portcullis-system/events";
    assert_eq!(stage.server.written(), [events]);
    let event = stage.server.writes().remove(0).body;
    assert_eq!(event["reason"], "WebhookConfigurationMissing");
    assert_eq!(event["type"], "Warning");
    let mut metrics = String::new();
    stage.registrar.metrics.write(&mut metrics);
    assert!(
        !metrics.contains("configuration_present"),
        "only the leader knows: {metrics}"
    );
    stage.registrar.metrics.leads(true);
    stage.registrar.metrics.write(&mut metrics);
    assert!(
        metrics.contains("portcullis_webhook_configuration_present 0"),
        "{metrics}"
    );

    stage.server.put(CONFIGURATION, empty());
    stage.look().await.unwrap();
    assert_eq!(stage.server.written(), [events, events, PATCH]);
    assert_eq!(
        stage.server.writes()[1].body["reason"],
        "WebhookConfigurationRestored"
    );
    assert_eq!(stage.names().len(), 2);
}

#[tokio::test]
async fn a_wildcard_waits_for_the_catalogue() {
    let stage = leading(&[Sample::new("a").on("", "*")], 1);
    stage.server.put(CONFIGURATION, empty());
    assert!(matches!(
        stage.look().await,
        Err(RegistrationFault::Catalogue(_))
    ));
    assert_eq!(stage.server.written(), [""; 0]);

    let document = |group: &str, resource: &str| {
        let version = json!({"version": "v1", "resources": [{"resource": resource}]});
        json!({"items": [{"metadata": {"name": group}, "versions": [version]}]})
    };
    stage
        .server
        .put("/api", document("", "pods"))
        .put("/apis", document("apps", "deployments"));
    stage.look().await.unwrap();
    let rules = &stage.server.get(CONFIGURATION)["webhooks"][0]["rules"];
    assert_eq!(rules[0]["resources"], json!(["pods"]));
}

fn here(webhooks: Vec<ValidatingWebhook>) -> Sight {
    let webhooks = Some(webhooks).filter(|webhooks| !webhooks.is_empty());
    let configuration = ValidatingWebhookConfiguration {
        webhooks,
        ..Default::default()
    };
    Sight::Here(Arc::new(configuration))
}

fn some(name: &str) -> Vec<ValidatingWebhook> {
    vec![ValidatingWebhook {
        name: name.to_owned(),
        ..Default::default()
    }]
}

#[rstest]
#[case::not_listed_yet(Sight::Unknown, Some(some("a")), true, "look")]
#[case::gone(Sight::Gone, Some(some("a")), true, "mourn")]
#[case::gone_without_a_certificate(Sight::Gone, None, false, "mourn")]
#[case::no_certificate(here(some("a")), None, true, "wait")]
#[case::empty_and_ready(here(vec![]), Some(some("a")), true, "write")]
#[case::empty_and_not_ready(here(vec![]), Some(some("a")), false, "wait")]
#[case::filled_and_not_ready(here(some("b")), Some(some("a")), false, "write")]
#[case::the_same(here(some("a")), Some(some("a")), true, "keep")]
fn steps(
    #[case] sight: Sight,
    #[case] desired: Option<Vec<ValidatingWebhook>>,
    #[case] is_ready: bool,
    #[case] expected: &str,
) {
    let word = match step(&sight, desired, is_ready) {
        Step::Look => "look",
        Step::Mourn => "mourn",
        Step::Wait(_) => "wait",
        Step::Keep => "keep",
        Step::Write(_) => "write",
    };
    assert_eq!(word, expected);
}

#[test]
fn the_own_namespace_and_those_of_the_control_plane_are_exempt() {
    let settings = Settings::new("portcullis", "guard", "operator-0", ["legacy".to_owned()]);
    let expected: BTreeSet<String> = ["guard", "kube-node-lease", "kube-system", "legacy"]
        .map(str::to_owned)
        .into();
    assert_eq!(settings.target().exempt, expected);
}
