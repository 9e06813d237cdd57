//! Elections at a mocked API server. Time is paused, and passes when everybody waits.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value as Json, json};
use tokio::sync::oneshot;

use super::*;
use crate::cluster::api_server::ApiServer;

const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/guard/leases/portcullis-operator";
const CLAIM: &str = "PUT /apis/coordination.k8s.io/v1/namespaces/guard/leases/portcullis-operator";

fn server() -> ApiServer {
    let server = ApiServer::default();
    server.put(LEASE, lease(&Json::Null));
    server
}

fn lease(spec: &Json) -> Json {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "portcullis-operator", "labels": {"of": "the chart"}},
        "spec": spec,
    })
}

fn held_by(holder: &str, renewals: i32) -> Json {
    lease(&json!({
        "holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": renewals,
    }))
}

fn holder(server: &ApiServer) -> Json {
    server.get(LEASE)["spec"]["holderIdentity"].clone()
}

/// A candidate that runs, and whether it leads.
struct Candidate {
    leads: Arc<AtomicBool>,
    changes: tokio::sync::watch::Receiver<Option<Leadership>>,
    end: Option<oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<()>,
}

/// Notes the end of a lead, however it ends.
struct Lead(
    Arc<AtomicBool>,
    tokio::sync::watch::Sender<Option<Leadership>>,
);

impl Drop for Lead {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
        self.1.send_replace(None);
    }
}

impl Candidate {
    fn start(server: &ApiServer, identity: &str) -> Self {
        let election = Election::new(server.client(), "guard", "portcullis-operator", identity);
        let leads = Arc::new(AtomicBool::new(false));
        let (sender, changes) = tokio::sync::watch::channel(None);
        let (end, ended) = oneshot::channel::<()>();
        let is_leading = leads.clone();
        let task = tokio::spawn(async move {
            let lead = |leadership: Leadership| {
                let lead = Lead(is_leading.clone(), sender.clone());
                async move {
                    lead.0.store(true, Ordering::SeqCst);
                    lead.1.send_replace(Some(leadership));
                    std::future::pending::<()>().await;
                }
            };
            election.run(lead, async { drop(ended.await) }).await;
        });
        Self {
            leads,
            changes,
            end: Some(end),
            task,
        }
    }

    async fn until(&mut self, leads: bool) {
        self.changes
            .wait_for(|leadership| leadership.is_some() == leads)
            .await
            .unwrap();
    }

    fn leads(&self) -> bool {
        self.leads.load(Ordering::SeqCst)
    }

    async fn stop(mut self) {
        self.end.take().unwrap().send(()).unwrap();
        self.task.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_lease_is_claimed_and_released_at_the_end() {
    let server = server();
    let mut candidate = Candidate::start(&server, "operator-0");
    candidate.until(true).await;
    assert_eq!(holder(&server), "operator-0");
    assert_eq!(server.get(LEASE)["metadata"]["labels"]["of"], "the chart");
    let leads = candidate.leads.clone();
    candidate.stop().await;
    assert!(!leads.load(Ordering::SeqCst));
    assert_eq!(holder(&server), Json::Null);
}

#[tokio::test(start_paused = true)]
async fn one_leads_and_the_other_takes_over_at_once() {
    let server = server();
    let mut first = Candidate::start(&server, "operator-0");
    first.until(true).await;
    let mut second = Candidate::start(&server, "operator-1");
    // Much longer than a lease holds that is not renewed.
    tokio::time::sleep(10 * DURATION).await;
    assert!(first.leads() && !second.leads());
    let begin = Instant::now();
    first.stop().await;
    second.until(true).await;
    assert!(
        begin.elapsed() <= 2 * RETRY,
        "it took {:?}",
        begin.elapsed()
    );
    assert_eq!(holder(&server), "operator-1");
}

#[tokio::test(start_paused = true)]
async fn radio_silence_while_another_renews() {
    let server = server();
    server.put(LEASE, held_by("other", 0));
    let candidate = Candidate::start(&server, "operator-0");
    for renewals in 1..20 {
        tokio::time::sleep(DEADLINE).await;
        server.put(LEASE, held_by("other", renewals));
    }
    assert!(!candidate.leads());
    assert_eq!(server.written(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_nobody_renews_is_taken_after_it_has_run_out() {
    let server = server();
    server.put(LEASE, held_by("other", 7));
    let begin = Instant::now();
    let mut candidate = Candidate::start(&server, "operator-0");
    candidate.until(true).await;
    assert!(
        begin.elapsed() >= DURATION,
        "it took only {:?}",
        begin.elapsed()
    );
    assert!(
        begin.elapsed() <= DURATION + 2 * RETRY,
        "it took {:?}",
        begin.elapsed()
    );
    assert_eq!(server.get(LEASE)["spec"]["leaseTransitions"], 8);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_stops_before_another_can_lead() {
    let server = server();
    let mut candidate = Candidate::start(&server, "operator-0");
    candidate.until(true).await;
    let leadership = candidate.changes.borrow().clone().unwrap();
    let away = Instant::now();
    server.set_away(true);
    candidate.until(false).await;
    // A last write may have begun now, and ends in time.
    assert!(
        away.elapsed() + REQUEST < DURATION,
        "it took {:?}",
        away.elapsed()
    );
    assert!(!leadership.holds());
    server.set_away(false);
    candidate.until(true).await;
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_lease_is_taken_stops_at_once() {
    let server = server();
    let mut candidate = Candidate::start(&server, "operator-0");
    candidate.until(true).await;
    let begin = Instant::now();
    server.put(LEASE, held_by("other", 9));
    candidate.until(false).await;
    assert!(
        begin.elapsed() <= 2 * RETRY,
        "it took {:?}",
        begin.elapsed()
    );
    assert_eq!(holder(&server), "other");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_gone_is_waited_for_and_not_made() {
    let server = ApiServer::default();
    let mut candidate = Candidate::start(&server, "operator-0");
    tokio::time::sleep(10 * RETRY).await;
    assert!(!candidate.leads());
    assert_eq!(server.written(), [""; 0]);
    server.put(LEASE, lease(&json!({})));
    candidate.until(true).await;
}

#[tokio::test(start_paused = true)]
async fn of_two_claims_one_succeeds() {
    let server = server();
    server.refuse(CLAIM, 409);
    let candidate = Candidate::start(&server, "operator-0");
    tokio::time::sleep(10 * RETRY).await;
    assert!(!candidate.leads());
}

#[tokio::test(start_paused = true)]
async fn a_write_is_refused_without_the_lead_and_bounded_with_it() {
    let never = std::future::pending::<kube::Result<()>>;
    let refused = Leadership::lost().write("try", never()).await;
    assert!(matches!(refused, Err(WriteFault::NotLeading("try"))));
    let begin = Instant::now();
    let leadership = Leadership::for_a_test();
    let late = leadership.write("try", never()).await;
    assert!(matches!(late, Err(WriteFault::Late("try"))));
    assert_eq!(begin.elapsed(), REQUEST);
    tokio::time::sleep(DEADLINE).await;
    let expired = leadership.write("try", async { Ok(()) }).await;
    assert!(matches!(expired, Err(WriteFault::NotLeading("try"))));
}
