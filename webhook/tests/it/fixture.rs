//! Doors with a few policies behind them, and a caller.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode},
};
use futures::future::{BoxFuture, FutureExt as _};
use http_body_util::BodyExt as _;
use portcullis_policies::{
    Action, ActionAt, Address, Admission, Cache, Definition, Effect, ExemptedObjects,
    ExemptedPolicies, Exemption, ExemptionDefinition, ExemptionReach, FailurePolicy, Lock, Match,
    Object, ObjectKey, Operation, Owner, Points, Policy, Reach, ResourceRule, Scope, Target,
    Timestamp,
};
use portcullis_webhook::{
    Caller, Certificate, DecisionLog, DecisionReaders, DoorSettings, Doors, Evaluators,
    JournalSettings, LockFault, LockKeeper, LockRequest, OtherReplicas, ReaderFault, Readiness,
    ResourceAnswer, ResourceReview, ResourceReviewer, admin_router, admission_router,
    evaluation_router,
};
use serde_json::{Value as Json, json};
use tower::ServiceExt as _;

use crate::{archives::Archives, schedules::Schedules, subscriptions::Subscriptions};

/// Denies Pods whose containers have no limits, and warns of the tag `latest`.
pub(crate) const LIMITS: &str = r#"
package platform.limits

deny contains {"msg": msg, "severity": "high", "remedy": "set resources.limits.memory"} if {
    some container in input.request.object.spec.containers
    not container.resources.limits.memory
    msg := sprintf("container %q has no memory limit", [container.name])
}

warn contains sprintf("container %q uses the tag latest", [container.name]) if {
    some container in input.request.object.spec.containers
    endswith(container.image, ":latest")
}
"#;

/// Allows a subject its own tasks.
pub(crate) const TASKS: &str = r#"
package tasks.authz

default allow := false

allow if input.subject == input.task.owner

owners := ["ann", "bob"]

roles := {"admin", "user"}

header := get_header("X-Location")
"#;

/// What the fixture is made of, and what it noted.
pub(crate) struct Fixture {
    pub(crate) cache: Arc<Cache>,
    pub(crate) evaluators: Evaluators,
    pub(crate) readiness: Readiness,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) others: Option<Arc<dyn OtherReplicas>>,
    pub(crate) archives: Arc<Archives>,
    pub(crate) schedules: Arc<Schedules>,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) journal: JournalSettings,
    pub(crate) decision_log: Option<DecisionLog>,
    pub(crate) certificate: Option<Arc<Certificate>>,
    pub(crate) reviewer: Option<Arc<Reviewer>>,
    pub(crate) default_decision: &'static str,
    pub(crate) doors: std::sync::OnceLock<Doors>,
}

/// An answer as a caller reads it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// Answers what it is told to, and notes what it was asked.
#[derive(Default)]
pub(crate) struct Keeper {
    pub(crate) open: std::sync::atomic::AtomicBool,
    pub(crate) silent: std::sync::atomic::AtomicBool,
    pub(crate) fault: Mutex<Option<LockFault>>,
    pub(crate) asked: Mutex<Vec<(Option<String>, LockRequest)>>,
    pub(crate) unlocked: Mutex<Vec<Address>>,
    pub(crate) sealed: Mutex<Vec<Address>>,
    pub(crate) reader_fault: Mutex<Option<ReaderFault>>,
    /// The namespace in which everybody may read; without one, everywhere.
    pub(crate) readable: Mutex<Option<String>>,
    /// Where somebody wanted to read, and with which token.
    pub(crate) readers: Mutex<Vec<(Option<String>, Option<String>)>>,
}

/// Answers what it is told to, and notes what it was asked.
#[derive(Default)]
pub(crate) struct Reviewer {
    pub(crate) answer: ResourceAnswer,
    pub(crate) panics: bool,
    pub(crate) asked: Mutex<Vec<ResourceReview>>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let readiness = Readiness::new(["policies"]);
        readiness.set_synced("policies");
        Self {
            cache: Arc::new(Cache::new()),
            evaluators: Evaluators::new(2),
            readiness,
            keeper: Arc::new(Keeper::default()),
            others: None,
            archives: Arc::default(),
            schedules: Arc::default(),
            subscriptions: Arc::default(),
            journal: JournalSettings::default(),
            decision_log: None,
            certificate: None,
            reviewer: Some(Arc::new(Reviewer::default())),
            default_decision: "/system/main",
            doors: std::sync::OnceLock::new(),
        }
    }

    /// The same, before everything was read once.
    pub(crate) fn unread(self) -> Self {
        Self {
            readiness: Readiness::new(["policies"]),
            ..self
        }
    }

    /// The two policies of this file, the first of which judges Pods.
    pub(crate) fn usual() -> Self {
        Self::new()
            .with(judging(define("platform/limits@1.0", LIMITS), Action::Deny))
            .with(define("tasks/authz@1.0", TASKS))
    }

    /// Adds a policy.
    pub(crate) fn with(self, definition: Definition) -> Self {
        let kind = match definition.address.scope() {
            Scope::Cluster => "ClusterPolicy",
            Scope::Namespace(_) => "Policy",
        };
        let name = definition.address.path();
        let key = ObjectKey::new(kind, definition.address.namespace(), &name);
        let policy = Arc::new(Policy::compile(definition));
        let object = Object {
            key,
            created: Timestamp::UNIX_EPOCH,
            updated: Timestamp::from_second(1_700_000_000).unwrap(),
            policy,
        };
        self.cache.update(|state| state.apply_policy(object));
        self
    }

    /// Exempts Pods of these images from all ClusterPolicies of the group `platform`.
    pub(crate) fn exempting(self, images: &str) -> Self {
        let definition = ExemptionDefinition {
            key: ObjectKey::new("ClusterExemption", None, "legacy"),
            reach: ExemptionReach::Cluster {
                namespaces: vec!["team-*".to_owned()],
                selector: None,
            },
            policies: vec![ExemptedPolicies {
                owner: Owner::Cluster,
                group: "platform".to_owned(),
                name: None,
                version: None,
            }],
            objects: ExemptedObjects {
                images: vec![images.to_owned()],
                ..ExemptedObjects::default()
            },
            reason: "TICKET-4711".to_owned(),
            approver: "jane".to_owned(),
            expires_at: Timestamp::now() + Duration::from_hours(1),
        };
        let exemption = Arc::new(Exemption::compile(definition).unwrap());
        self.cache.update(|state| state.apply_exemption(exemption));
        self
    }

    /// Adds a namespace with one label.
    pub(crate) fn with_namespace(self, name: &str, key: &str, value: &str) -> Self {
        let labels = [(key.to_owned(), value.to_owned())].into();
        self.cache
            .update(|state| state.apply_namespace(name, labels));
        self
    }

    /// Locks every policy of the cluster.
    pub(crate) fn locked(self, effect: Effect) -> Self {
        let lock = Lock {
            key: ObjectKey::new("ClusterLock", None, "incident-4711"),
            reach: Reach::Cluster { namespaces: None },
            target: Target::All,
            points: Points::ALL,
            effect,
            reason: "incident 4711".to_owned(),
            expires_at: None,
        };
        self.cache.update(|state| state.apply_lock(lock));
        self
    }

    pub(crate) fn doors(&self) -> Doors {
        let make = || {
            Doors::new(DoorSettings {
                cache: self.cache.clone(),
                evaluators: self.evaluators.clone(),
                readiness: self.readiness.clone(),
                locks: self.keeper.clone(),
                archives: self.archives.clone(),
                schedules: self.schedules.clone(),
                subscriptions: self.subscriptions.clone(),
                readers: self.keeper.clone(),
                others: self.others.clone(),
                journal: self.journal.clone(),
                decision_log: self.decision_log.clone(),
                resources: self
                    .reviewer
                    .clone()
                    .map(|it| it as Arc<dyn ResourceReviewer>),
                certificate: self.certificate.clone(),
                repository: "policies".to_owned(),
                default_decision: self.default_decision.parse().unwrap(),
            })
        };
        self.doors.get_or_init(make).clone()
    }

    /// Asks the API server's door.
    pub(crate) async fn admit(&self, path: &str, review: &Json) -> Answer {
        let body = review.to_string();
        send(admission_router(self.doors()), post(path, body)).await
    }

    /// Asks the evaluation API.
    pub(crate) async fn evaluate(&self, request: Request<Body>) -> Answer {
        send(evaluation_router(self.doors()), request).await
    }

    /// Asks the evaluation API, whose answer need not be a text.
    pub(crate) async fn ask_bytes(&self, request: Request<Body>) -> (HeaderMap, Vec<u8>) {
        let router = evaluation_router(self.doors());
        let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (parts.headers, bytes.to_vec())
    }

    /// Asks the administrator's port.
    pub(crate) async fn administer(&self, path: &str) -> Answer {
        send(admin_router(self.doors()), get(path)).await
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text))
    }

    /// The answer without what differs from one run to the next.
    pub(crate) fn masked(&self) -> Json {
        let mut json = self.json();
        mask(&mut json);
        json
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Fails unless the answer is a problem of this status and code, in every field.
    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        let json = self.json();
        assert_eq!(json["status"], status);
        assert_eq!(json["code"], code, "{json}");
        assert_eq!(json["type"], "about:blank");
        assert_eq!(json["detail"], json["message"]);
        assert_eq!(json["id"], json["decisionId"]);
        assert_eq!(json["id"].as_str().map(str::len), Some(36));
        assert!(json["kind"].is_u64() && !json["title"].as_str().unwrap().is_empty());
    }
}

impl Keeper {
    fn answer(&self) -> BoxFuture<'_, Result<(), LockFault>> {
        if self.silent.load(std::sync::atomic::Ordering::Relaxed) {
            return futures::future::pending().boxed();
        }
        let fault = self.fault.lock().unwrap().clone();
        async { fault.map_or(Ok(()), Err) }.boxed()
    }
}

impl LockKeeper for Keeper {
    fn is_open(&self) -> bool {
        self.open.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn lock(&self, caller: Caller, request: LockRequest) -> BoxFuture<'_, Result<(), LockFault>> {
        self.asked
            .lock()
            .unwrap()
            .push((caller.bearer().map(str::to_owned), request));
        self.answer()
    }

    fn lock_sealed(&self, address: Address) -> BoxFuture<'_, Result<(), LockFault>> {
        self.sealed.lock().unwrap().push(address);
        self.answer()
    }

    fn unlock(&self, _caller: Caller, address: Address) -> BoxFuture<'_, Result<(), LockFault>> {
        self.unlocked.lock().unwrap().push(address);
        self.answer()
    }
}

impl DecisionReaders for Keeper {
    fn is_open(&self) -> bool {
        LockKeeper::is_open(self)
    }

    fn may_read(
        &self,
        caller: Caller,
        namespace: Option<String>,
    ) -> BoxFuture<'_, Result<bool, ReaderFault>> {
        let readable = self.readable.lock().unwrap().clone();
        let may = readable.is_none_or(|readable| namespace.as_ref() == Some(&readable));
        let bearer = caller.bearer().map(str::to_owned);
        self.readers.lock().unwrap().push((namespace, bearer));
        let fault = self.reader_fault.lock().unwrap().clone();
        async move { fault.map_or(Ok(may), Err) }.boxed()
    }
}

impl ResourceReviewer for Reviewer {
    fn review(&self, review: ResourceReview) -> ResourceAnswer {
        assert!(!self.panics, "a reviewer that fails");
        self.asked.lock().unwrap().push(review);
        self.answer.clone()
    }
}

pub(crate) fn define(address: &str, source: &str) -> Definition {
    Definition::new(address.parse().unwrap(), source)
}

/// The same policy, owned by a namespace.
pub(crate) fn owned_by(namespace: &str, mut definition: Definition) -> Definition {
    let address = &definition.address;
    let scope = Scope::Namespace(namespace.to_owned());
    let version = address.version().to_string();
    definition.address = Address::new(scope, address.group(), address.name(), &version).unwrap();
    definition
}

/// The same policy, which judges the creation of Pods.
pub(crate) fn judging(mut definition: Definition, action: Action) -> Definition {
    let all = |text: &str| vec![text.to_owned()];
    definition.admission = Some(Admission {
        matches: Match::of([ResourceRule {
            groups: all(""),
            versions: all("v1"),
            resources: all("pods"),
            operations: vec![Operation::Create],
            ..ResourceRule::default()
        }]),
        action,
        failure_policy: FailurePolicy::Fail,
        action_at: ActionAt::default(),
        require_allow: false,
    });
    definition
}

/// The same policy, which is ignored when it fails.
pub(crate) fn ignored(mut definition: Definition) -> Definition {
    let admission = definition.admission.as_mut().unwrap();
    admission.failure_policy = FailurePolicy::Ignore;
    definition
}

/// A review of the creation of a Pod with one container of this image and this memory limit.
pub(crate) fn pod(image: &str, memory: Option<&str>) -> Json {
    let mut container = json!({"name": "web", "image": image});
    if let Some(memory) = memory {
        container["resources"] = json!({"limits": {"memory": memory}});
    }
    review(json!({
        "uid": "7d1c6a2e-0000-4000-8000-000000000001",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "name": "web",
        "namespace": "team-a",
        "operation": "CREATE",
        "userInfo": {"username": "ann", "groups": ["system:authenticated"]},
        "object": {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "web", "namespace": "team-a"},
            "spec": {"containers": [container]},
        },
        "oldObject": null,
        "dryRun": false,
    }))
}

pub(crate) fn review(request: Json) -> Json {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
}

pub(crate) fn get(path: &str) -> Request<Body> {
    request(Method::GET, path, "")
}

pub(crate) fn post(path: &str, body: impl Into<Body>) -> Request<Body> {
    request(Method::POST, path, body)
}

pub(crate) fn request(method: Method, path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .body(body.into())
        .unwrap()
}

pub(crate) fn with_header(
    mut request: Request<Body>,
    name: &'static str,
    value: &str,
) -> Request<Body> {
    request.headers_mut().append(name, value.parse().unwrap());
    request
}

pub(crate) async fn send(router: Router, request: Request<Body>) -> Answer {
    let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap_or_default();
    Answer {
        status: parts.status,
        headers: parts.headers,
        text,
    }
}

/// Replaces ids, digests and durations.
pub(crate) fn mask(json: &mut Json) {
    match json {
        Json::Object(members) => {
            for (key, value) in members {
                match (key.as_str(), &value) {
                    ("durationNs", _) => *value = json!("<duration>"),
                    ("id" | "decisionId" | "decision_id" | "decision", Json::String(text))
                        if text.len() == 36 =>
                    {
                        *value = json!("<id>");
                    }
                    _ => mask(value),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(mask),
        Json::String(text) => {
            if let Some(at) = text.rfind("decision ") {
                text.replace_range(at + "decision ".len().., "<id>");
            }
            while let Some(at) = text.find("sha256:") {
                let end = (at + "sha256:".len() + 64).min(text.len());
                text.replace_range(at..end, "<digest>");
            }
        }
        _ => {}
    }
}
