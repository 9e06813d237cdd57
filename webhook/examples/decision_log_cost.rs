//! What the decision log costs who asks: the same requests to doors without a log, to doors with one,
//! and to doors with one whose rules mask, in turns, in one run.
//!
//! ```text
//! cargo run --release -p portcullis-webhook --example decision_log_cost -- [ROUNDS]
//! ```
//!
//! Each round asks each of the doors once, one after the other, so that what else the machine does falls
//! on all alike. What is compared are quantiles of all rounds, from the request to its answer. `apart` waits for the
//! entry of a request before the next one, so that it shows what the request itself takes longer; `at
//! once` does not, so that the recorder takes its part of the machine as well.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for people who measure"
)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, body::Body, http::Request};
use futures::future::{BoxFuture, FutureExt as _};
use http_body_util::BodyExt as _;
use portcullis_policies::{
    Action, ActionAt, Address, Admission, Cache, Definition, FailurePolicy, Match, Object,
    ObjectKey, Operation, Policy, ResourceRule, Timestamp,
};
use portcullis_webhook::{
    Caller, DecisionLog, DecisionLogSettings, DecisionReaders, DecisionSink, DoorSettings, Doors,
    Evaluators, Feed, JournalSettings, LockFault, LockKeeper, LockRequest, ReaderFault, Readiness,
    admission_router, evaluation_router,
};
use serde_json::json;
use tower::ServiceExt as _;

/// Rounds, unless somebody says otherwise.
const ROUNDS: usize = 3_000;

/// Rounds that are not counted, until everything is warm.
const WARM: usize = 100;

const LIMITS: &str = r#"package platform.limits

deny contains sprintf("container %v has no memory limit", [container.name]) if {
    some container in input.request.object.spec.containers
    not container.resources.limits.memory
}
"#;

const TASKS: &str = "package tasks.authz

default allow := false

allow if input.subject == input.task.owner
";

const RULES: &str = r#"package system.log

mask contains "/input/request/object/metadata/annotations"

mask contains {"op": "upsert", "path": "/input/subject", "value": "***"} if input.input.subject
"#;

/// Takes entries and throws them away, as text; how many is counted.
struct Sink(Arc<AtomicU64>);

impl DecisionSink for Sink {
    fn name(&self) -> String {
        "nowhere".to_owned()
    }

    fn run(self: Box<Self>, feed: Feed) {
        while let Some(entry) = feed.next() {
            std::hint::black_box(entry.line());
            feed.written(1);
            self.0.fetch_add(1, Ordering::Release);
        }
    }
}

/// Nobody locks, and everybody reads.
struct Nobody;

impl LockKeeper for Nobody {
    fn is_open(&self) -> bool {
        true
    }

    fn lock(&self, _caller: Caller, _request: LockRequest) -> BoxFuture<'_, Result<(), LockFault>> {
        async { Ok(()) }.boxed()
    }

    fn unlock(&self, _caller: Caller, _address: Address) -> BoxFuture<'_, Result<(), LockFault>> {
        async { Ok(()) }.boxed()
    }
}

impl DecisionReaders for Nobody {
    fn is_open(&self) -> bool {
        true
    }

    fn may_read(
        &self,
        _caller: Caller,
        _namespace: Option<String>,
    ) -> BoxFuture<'_, Result<bool, ReaderFault>> {
        async { Ok(true) }.boxed()
    }
}

/// Doors, and how long each of their requests took.
struct Measured {
    name: &'static str,
    router: Router,
    log: Option<DecisionLog>,
    /// Entries that were taken.
    taken: Arc<AtomicU64>,
    asked: u64,
    times: Vec<Duration>,
}

impl Measured {
    fn new(name: &'static str, is_logged: bool, rules: Option<&str>) -> Self {
        let cache = Arc::new(Cache::new());
        let mut sources = vec![("platform/limits@1", LIMITS), ("tasks/authz@1", TASKS)];
        sources.extend(rules.map(|rules| ("system/log@1", rules)));
        for (address, source) in sources {
            let mut definition = Definition::new(address.parse().unwrap(), source);
            if address.starts_with("platform") {
                definition.admission = Some(of_pods());
            }
            let object = Object {
                key: ObjectKey::new("ClusterPolicy", None, address),
                created: Timestamp::UNIX_EPOCH,
                updated: Timestamp::UNIX_EPOCH,
                policy: Arc::new(Policy::compile(definition)),
            };
            cache.update(|state| state.apply_policy(object));
        }
        let readiness = Readiness::new(["policies"]);
        readiness.set_synced("policies");
        let taken = Arc::new(AtomicU64::new(0));
        let log = is_logged.then(|| {
            let settings = DecisionLogSettings {
                buffer: 32 << 20,
                ..DecisionLogSettings::default()
            };
            DecisionLog::start(settings, cache.clone(), vec![Box::new(Sink(taken.clone()))])
                .unwrap()
        });
        let doors = Doors::new(DoorSettings {
            cache,
            evaluators: Evaluators::for_this_machine(),
            readiness,
            locks: Arc::new(Nobody),
            readers: Arc::new(Nobody),
            journal: JournalSettings::default(),
            decision_log: log.clone(),
            resources: None,
            certificate: None,
            repository: "policies".to_owned(),
            default_decision: portcullis_webhook::DecisionPath::default(),
        });
        let router = evaluation_router(doors.clone());
        Self {
            name,
            router: router.merge(admission_router(doors).reset_fallback()),
            log,
            taken,
            asked: 0,
            times: Vec::new(),
        }
    }

    async fn ask(&mut self, path: &str, body: &str, is_apart: bool) {
        while is_apart && self.log.is_some() && self.taken.load(Ordering::Acquire) < self.asked {
            tokio::task::yield_now().await;
        }
        self.asked += 1;
        let request = Request::post(path)
            .body(Body::from(body.to_owned()))
            .unwrap();
        let begin = Instant::now();
        let response = self.router.clone().oneshot(request).await.unwrap();
        response.into_body().collect().await.unwrap();
        self.times.push(begin.elapsed());
    }

    /// The time within which so many of a hundred were answered.
    fn within(&mut self, percent: usize) -> Duration {
        self.times.sort_unstable();
        self.times[(self.times.len() - 1) * percent / 100]
    }
}

fn of_pods() -> Admission {
    Admission {
        matches: Match::of([ResourceRule {
            groups: vec![String::new()],
            versions: vec!["v1".to_owned()],
            resources: vec!["pods".to_owned()],
            operations: vec![Operation::Create],
            ..ResourceRule::default()
        }]),
        action: Action::Deny,
        failure_policy: FailurePolicy::Fail,
        action_at: ActionAt::default(),
        require_allow: false,
    }
}

/// A Pod of some ten thousand bytes, as controllers leave them.
fn review() -> String {
    let container = json!({
        "name": "web",
        "image": "registry.example.com/web:1.0",
        "resources": {"limits": {"memory": "1Gi"}},
        "env": (0..60).map(|number| json!({"name": format!("VARIABLE_{number}"), "value": "x".repeat(60)})).collect::<Vec<_>>(),
    });
    let annotations = json!({"notes": "y".repeat(3_000)});
    let metadata = json!({"name": "web", "namespace": "shop", "annotations": annotations});
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "1",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "name": "web",
            "namespace": "shop",
            "operation": "CREATE",
            "object": {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}},
        },
    })
    .to_string()
}

#[tokio::main]
async fn main() {
    let rounds = std::env::args().nth(1);
    let rounds = rounds.map_or(ROUNDS, |text| text.parse().unwrap());
    let input = json!({"subject": "ann", "task": {"owner": "ann"}}).to_string();
    println!("request              log             p25       p50       p99    beside off");
    let (evaluation, admission) = (
        "/policy/tasks/authz/1/evaluation",
        "/admission/cluster/fail",
    );
    for (kind, path, body, is_apart) in [
        ("evaluation, apart", evaluation, &input, true),
        ("evaluation, at once", evaluation, &input, false),
        ("review, apart", admission, &review(), true),
        ("review, at once", admission, &review(), false),
    ] {
        let mut all = [
            Measured::new("off", false, None),
            Measured::new("on", true, None),
            Measured::new("with rules", true, Some(RULES)),
        ];
        for round in 0..WARM + rounds {
            for measured in &mut all {
                measured.ask(path, body, is_apart).await;
            }
            if round == WARM {
                all.iter_mut().for_each(|measured| measured.times.clear());
            }
        }
        let off = [25, 50, 99].map(|percent| all[0].within(percent));
        for measured in &mut all {
            let own = [25, 50, 99].map(|percent| measured.within(percent));
            let ratios = [0, 1, 2].map(|place| own[place].div_duration_f64(off[place]));
            println!(
                "{kind:20} {:10} {:>9.1?} {:>9.1?} {:>9.1?}   {:>5.2} {:>5.2} {:>5.2}",
                measured.name, own[0], own[1], own[2], ratios[0], ratios[1], ratios[2],
            );
            if let Some(log) = &measured.log {
                log.close(Duration::from_mins(1));
            }
        }
    }
}
