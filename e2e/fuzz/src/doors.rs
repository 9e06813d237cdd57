//! The doors, with a few policies behind them.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use portcullis_policies::{
    Action, ActionAt, Address, Admission, Cache, Definition, Effect, FailurePolicy, Limits, Lock,
    Match, Object, ObjectKey, Operation, Points, Policy, Reach, ResourceRule, Scope, Target,
    Timestamp,
};
use portcullis_webhook::{
    Caller, DecisionPath, DecisionReaders, DoorSettings, Doors, Evaluators, JournalSettings,
    LockFault, LockKeeper, LockRequest, NoArchives, NoSchedules, NoSubscriptions, ReaderFault,
    Readiness, admission_router, evaluation_router,
};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

/// The repository that paths may name.
pub const REPOSITORY: &str = "policies";

/// The doors and what is behind them.
pub static HOUSE: LazyLock<House> = LazyLock::new(House::new);

/// Doors, and who is asked behind them.
#[derive(Debug)]
pub struct House {
    /// What is in force.
    pub cache: Arc<Cache>,
    /// Who is asked for locks.
    pub keeper: Arc<Keeper>,
    doors: Doors,
    runtime: Runtime,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// Agrees to everything, and remembers what it was asked for.
#[derive(Debug, Default)]
pub struct Keeper(Mutex<Vec<(Caller, Address, Option<LockRequest>)>>);

impl Keeper {
    /// What it was asked for since the last look.
    pub fn asked(&self) -> Vec<(Caller, Address, Option<LockRequest>)> {
        std::mem::take(&mut self.0.lock().expect("nobody panics with it"))
    }

    fn note(&self, caller: Caller, address: Address, request: Option<LockRequest>) {
        let mut asked = self.0.lock().expect("nobody panics with it");
        asked.push((caller, address, request));
    }
}

impl LockKeeper for Keeper {
    fn is_open(&self) -> bool {
        true
    }

    fn lock(&self, caller: Caller, request: LockRequest) -> BoxFuture<'_, Result<(), LockFault>> {
        self.note(caller, request.address.clone(), Some(request));
        ready(Ok(())).boxed()
    }

    fn unlock(&self, caller: Caller, address: Address) -> BoxFuture<'_, Result<(), LockFault>> {
        self.note(caller, address, None);
        ready(Ok(())).boxed()
    }
}

impl DecisionReaders for Keeper {
    fn is_open(&self) -> bool {
        true
    }

    fn may_read(
        &self,
        _caller: Caller,
        _namespace: Option<String>,
    ) -> BoxFuture<'_, Result<bool, ReaderFault>> {
        ready(Ok(true)).boxed()
    }
}

impl House {
    fn new() -> Self {
        let cache = Arc::new(Cache::new());
        cache.update(|state| {
            for policy in policies() {
                state.apply_policy(policy);
            }
            for lock in locks() {
                state.apply_lock(lock);
            }
        });
        let readiness = Readiness::new(["policies"]);
        readiness.set_synced("policies");
        let keeper = Arc::new(Keeper::default());
        let doors = Doors::new(DoorSettings {
            cache: cache.clone(),
            evaluators: Evaluators::new(2),
            readiness,
            locks: keeper.clone(),
            archives: Arc::new(NoArchives),
            schedules: Arc::new(NoSchedules),
            subscriptions: Arc::new(NoSubscriptions),
            readers: keeper.clone(),
            others: None,
            journal: JournalSettings::default(),
            decision_log: None,
            resources: None,
            certificate: None,
            repository: REPOSITORY.to_owned(),
            default_decision: DecisionPath::default(),
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime has what it needs");
        Self {
            cache,
            keeper,
            doors,
            runtime,
        }
    }

    /// Asks the API server's door.
    pub fn admit(&self, request: Request<Body>) -> Answer {
        static ROUTER: LazyLock<Router> = LazyLock::new(|| admission_router(HOUSE.doors.clone()));
        self.ask(ROUTER.clone(), request)
    }

    /// Asks the evaluation API.
    pub fn evaluate(&self, request: Request<Body>) -> Answer {
        static ROUTER: LazyLock<Router> = LazyLock::new(|| evaluation_router(HOUSE.doors.clone()));
        self.ask(ROUTER.clone(), request)
    }

    fn ask(&self, router: Router, request: Request<Body>) -> Answer {
        self.runtime.block_on(async {
            let response = router.oneshot(request).await;
            let response = response.unwrap_or_else(|never| match never {});
            let (parts, body) = response.into_parts();
            let body = to_bytes(body, usize::MAX).await.expect("a body is whole");
            Answer {
                status: parts.status,
                headers: parts.headers,
                body: body.into(),
            }
        })
    }
}

/// Whom the admission of a policy is for: the action, the failure policy, groups, resources.
type Judged<'a> = (Action, FailurePolicy, &'a str, &'a [&'a str]);

fn policies() -> Vec<Object> {
    use Action::{Audit, Deny, Warn};
    use FailurePolicy::{Fail, Ignore};

    let limits = r#"
        deny contains {"msg": msg, "severity": "high"} if {
            some container in input.request.object.spec.containers
            not container.resources.limits.memory
            msg := sprintf("container %v has no memory limit", [container.name])
        }
        warn contains container.image if {
            some container in input.review.object.spec.containers
            endswith(container.image, ":latest")
        }"#;
    let labels = r#"
        violation contains {"msg": sprintf("%v is not to be had", [key])} if {
            some key, value in input.request.object.metadata.labels
            startswith(key, "x")
            value != input.request.oldObject.metadata.labels[key]
        }"#;
    let names = r#"
        allow if not startswith(input.request.name, "no")
        allow if input.request.userInfo.groups[_] == "system:masters""#;
    let whole = "deny contains \"much\" if count(json.marshal(input.request)) % 7 == 3";
    let echo = r#"
        allow := object.get(input, "allow", false)
        said := input
        header := get_header("X-Location")
        other := get_header("x-other")"#;
    let headers = "header := get_header(input)\nother := external.http.header(input)";
    let broken = "allow if {";
    let failing = "allow := 1 if input.request.uid\nallow := 2 if input.request.kind";
    let malformed = "allow := \"yes\"";

    let sources: [(&str, &str, Option<Judged<'_>>); 13] = [
        (
            "platform/limits@1.0",
            limits,
            Some((Deny, Fail, "", &["pods"])),
        ),
        (
            "platform/labels@1.0",
            labels,
            Some((Deny, Ignore, "*", &["*"])),
        ),
        (
            "platform/names@1.0",
            names,
            Some((Deny, Fail, "apps", &["*/*"])),
        ),
        (
            "platform/whole@1.0",
            whole,
            Some((Warn, Fail, "*", &["*/*"])),
        ),
        (
            "platform/audits@1.0",
            names,
            Some((Audit, Fail, "", &["*/scale", "pods/*"])),
        ),
        (
            "platform/broken@1.0",
            broken,
            Some((Deny, Fail, "", &["configmaps"])),
        ),
        (
            "platform/failing@1.0",
            failing,
            Some((Deny, Ignore, "", &["secrets"])),
        ),
        (
            "platform/malformed@1.0",
            malformed,
            Some((Deny, Fail, "", &["secrets"])),
        ),
        (
            "platform/locked@1.0",
            names,
            Some((Deny, Ignore, "", &["services"])),
        ),
        (
            "platform/bypassed@1.0",
            names,
            Some((Deny, Fail, "", &["services"])),
        ),
        ("tasks/echo@1.0", echo, None),
        ("tasks/echo@1.10", echo, None),
        ("tasks/headers@1.0", headers, None),
    ];
    let mut objects: Vec<Object> = sources
        .into_iter()
        .map(|(address, source, judged)| {
            object(address.parse().expect("an address"), source, judged)
        })
        .collect();
    let scope = Scope::Namespace("team-a".to_owned());
    let own = Address::new(scope, "web", "hosts", "1.0").expect("an address");
    let judged: Judged<'_> = (Deny, Fail, "*", &["*", "pods/exec"]);
    objects.push(object(own, names, Some(judged)));
    objects
}

fn object(address: Address, source: &str, judged: Option<Judged<'_>>) -> Object {
    let source = format!("package {}\n{source}", address.package());
    let owned = |text: &str| text.to_owned();
    let admission = judged.map(|(action, failure_policy, group, resources)| Admission {
        matches: Match::of([ResourceRule {
            groups: vec![owned(group)],
            versions: vec![owned("v1")],
            resources: resources.iter().map(|it| owned(it)).collect(),
            operations: vec![Operation::Create, Operation::Update, Operation::Connect],
            ..ResourceRule::default()
        }]),
        action,
        failure_policy,
        action_at: ActionAt::default(),
        require_allow: false,
    });
    let definition = Definition {
        admission,
        // Longer than an input of the fuzzer takes, whatever else the machine does.
        limits: Limits {
            timeout: Duration::from_secs(60),
            ..Limits::MAX
        },
        ..Definition::new(address, &source)
    };
    let kind = match definition.address.scope() {
        Scope::Cluster => "ClusterPolicy",
        Scope::Namespace(_) => "Policy",
    };
    Object {
        key: ObjectKey::new(
            kind,
            definition.address.namespace(),
            &definition.address.path(),
        ),
        created: Timestamp::UNIX_EPOCH,
        updated: Timestamp::UNIX_EPOCH,
        policy: Arc::new(Policy::compile(definition)),
    }
}

fn locks() -> Vec<Lock> {
    [("locked", Effect::Refuse), ("bypassed", Effect::Bypass)]
        .into_iter()
        .map(|(name, effect)| Lock {
            key: ObjectKey::new("ClusterLock", None, name),
            reach: Reach::Cluster { namespaces: None },
            target: Target::Policy {
                group: "platform".to_owned(),
                name: Some(name.to_owned()),
                version: None,
            },
            points: Points::ALL,
            effect,
            reason: "incident 4711".to_owned(),
            expires_at: None,
        })
        .collect()
}
