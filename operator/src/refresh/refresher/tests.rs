//! What is asked for when, and what is kept of it.

use super::super::tests::{Memory, source};
use super::*;
use crate::network::{Origin, reaching};

type Told = watch::Receiver<Option<Arc<Progress>>>;

fn refresher(keeper: &Arc<Memory>) -> (Refresher<Memory>, Told) {
    let (told, heard) = watch::channel(None);
    let network = Arc::new(reaching(&["127.0.0.1"]));
    (Refresher::new(keeper.clone(), network, told), heard)
}

fn keeping(sources: &[HttpSource]) -> Arc<Memory> {
    let keeper = Memory::default();
    *keeper.wanted.lock().unwrap() = sources.to_vec();
    Arc::new(keeper)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// How a document has come that was fetched at a second.
fn fetched(second: i64) -> Attempts {
    Attempts::default().succeeded(at(second), 2, None)
}

impl Refresher<Memory> {
    /// The URLs that are asked at a second.
    fn asked(&mut self, second: i64) -> Vec<String> {
        let jobs = self.begin(at(second)).into_iter();
        let urls = jobs.map(|job| match job {
            Job::Fetch { source, .. } => source.url,
            Job::Discard(name) => format!("discard {name}"),
        });
        urls.collect()
    }

    fn settle_as(&mut self, source: &HttpSource, attempts: Attempts) {
        self.settle(Done {
            name: source.object_name(),
            attempts: Some(attempts),
        });
    }

    /// Asks for all that is due, and waits for it.
    async fn round(&mut self) {
        let (keeper, network) = (self.keeper.clone(), self.network.clone());
        for job in self.begin(Timestamp::now()) {
            let done = job.run(&*keeper, &network).await;
            self.settle(done);
        }
    }
}

#[tokio::test]
async fn a_document_is_asked_for_at_once_and_then_after_its_period() {
    let own = source("http://127.0.0.1/a");
    let keeper = keeping(std::slice::from_ref(&own));
    let (mut refresher, _) = refresher(&keeper);
    assert_eq!(refresher.asked(0), [own.url.as_str()]);
    assert_eq!(refresher.asked(1), [""; 0], "it is being asked for");
    let kept = ("it".to_owned(), "[]".to_owned());
    keeper
        .documents
        .lock()
        .unwrap()
        .extend([(own.object_name(), kept.1)]);
    refresher.settle_as(&own, fetched(1));
    assert_eq!(refresher.asked(300), [""; 0]);
    assert_eq!(refresher.asked(301), [own.url.as_str()]);
}

#[tokio::test]
async fn who_leads_next_goes_on() {
    let (kept, failed) = (source("http://127.0.0.1/a"), source("http://127.0.0.1/b"));
    let keeper = keeping(&[kept.clone(), failed.clone()]);
    for (source, attempts) in [
        (&kept, fetched(0)),
        (
            &failed,
            Attempts::default().failed(at(0), "away".to_owned()),
        ),
    ] {
        let name = source.object_name();
        keeper
            .documents
            .lock()
            .unwrap()
            .insert(name.clone(), "[]".to_owned());
        keeper.progress.lock().unwrap().insert(name, attempts);
    }
    let (mut refresher, heard) = refresher(&keeper);
    assert_eq!(*heard.borrow(), None, "nobody knows yet");
    refresher.remember().await;
    assert_eq!(heard.borrow().as_ref().unwrap().len(), 2);
    assert_eq!(refresher.asked(1), [""; 0]);
    assert_eq!(refresher.asked(10), [failed.url.as_str()]);
    assert_eq!(refresher.asked(300), [kept.url.as_str()]);
}

#[tokio::test]
async fn a_document_that_somebody_deleted_is_asked_for_again() {
    let own = source("http://127.0.0.1/a");
    let keeper = keeping(std::slice::from_ref(&own));
    keeper.progress.lock().unwrap().insert(
        own.object_name(),
        Attempts::default().succeeded(at(0), 2, Some("\"1\"".to_owned())),
    );
    let (mut refresher, _) = refresher(&keeper);
    refresher.remember().await;
    assert_eq!(
        refresher.asked(29),
        [""; 0],
        "nobody may have heard of it yet"
    );
    let jobs = refresher.begin(at(30));
    let [Job::Fetch { attempts, .. }] = jobs.as_slice() else {
        panic!("{jobs:?}");
    };
    assert_eq!(attempts.tag, None, "nothing new would leave nothing");
    assert_eq!(attempts.fetched, None, "it does not stay");
}

#[tokio::test]
async fn what_nobody_wants_is_discarded_after_a_while() {
    let own = source("http://127.0.0.1/a");
    let keeper = keeping(std::slice::from_ref(&own));
    keeper
        .documents
        .lock()
        .unwrap()
        .insert(own.object_name(), "[]".to_owned());
    keeper
        .progress
        .lock()
        .unwrap()
        .insert(own.object_name(), fetched(0));
    let (mut refresher, heard) = refresher(&keeper);
    refresher.remember().await;
    assert_eq!(refresher.asked(1), [""; 0]);
    keeper.wanted.lock().unwrap().clear();
    assert_eq!(refresher.asked(2), [""; 0]);
    assert_eq!(refresher.asked(601), [""; 0]);
    // Somebody wants it meanwhile.
    keeper.wanted.lock().unwrap().push(own.clone());
    refresher.asked(602);
    refresher.settle_as(&own, fetched(602));
    keeper.wanted.lock().unwrap().clear();
    assert_eq!(refresher.asked(610), [""; 0]);
    assert_eq!(refresher.asked(1_209), [""; 0]);
    let jobs = refresher.begin(at(1_210));
    assert_eq!(jobs, [Job::Discard(own.object_name())]);
    for job in jobs {
        let done = job.run(&*keeper, &reaching(&[])).await;
        refresher.settle(done);
    }
    assert_eq!(keeper.documents.lock().unwrap().len(), 0);
    assert_eq!(heard.borrow().as_ref().unwrap().len(), 0);
}

#[tokio::test]
async fn whoever_changes_a_policy_again_and_again_fills_nothing() {
    let sources = (0..60).map(|number| source(&format!("http://127.0.0.1/{number}")));
    let keeper = keeping(&[]);
    for source in sources {
        let attempts = fetched(0);
        keeper
            .progress
            .lock()
            .unwrap()
            .insert(source.object_name(), attempts);
    }
    let (mut refresher, _) = refresher(&keeper);
    refresher.remember().await;
    assert_eq!(refresher.asked(1).len(), 60 - MOST_UNWANTED);
    assert_eq!(refresher.asked(2), [""; 0]);
}

#[tokio::test]
async fn those_that_fail_do_not_take_all_places() {
    let sources: Vec<_> = (0..20)
        .map(|number| source(&format!("http://127.0.0.1/{number}")))
        .collect();
    let keeper = keeping(&sources);
    let (good, bad) = sources.split_at(10);
    for source in bad {
        let attempts = Attempts::default().failed(at(0), "away".to_owned());
        keeper
            .progress
            .lock()
            .unwrap()
            .insert(source.object_name(), attempts);
    }
    let (mut refresher, _) = refresher(&keeper);
    refresher.remember().await;
    let is_bad = |url: &String| bad.iter().any(|own| own.url == *url);
    let first = refresher.asked(100);
    assert_eq!(first.len(), AT_ONCE);
    assert!(!first.iter().any(is_bad), "{first:?}");
    for source in good {
        refresher.settle_as(source, fetched(100));
        keeper
            .documents
            .lock()
            .unwrap()
            .insert(source.object_name(), "[]".to_owned());
    }
    let second = refresher.asked(101);
    let failing = second.iter().filter(|url| is_bad(url)).count();
    assert_eq!((second.len(), failing), (FAILED_AT_ONCE, FAILED_AT_ONCE));
    assert_eq!(
        refresher.asked(102),
        [""; 0],
        "no place is left for those that fail"
    );
}

#[tokio::test]
async fn the_last_good_document_stays() {
    let origin = Origin::start().await;
    let own = source(&origin.url("/it"));
    let keeper = keeping(std::slice::from_ref(&own));
    let (mut refresher, heard) = refresher(&keeper);
    let name = own.object_name();
    let document = || keeper.documents.lock().unwrap().get(&name).cloned();
    let told = || heard.borrow().as_ref().unwrap()[&name].clone();
    let again = |refresher: &mut Refresher<Memory>| {
        // As if the period was over.
        refresher.known.get_mut(&name).unwrap().attempts.attempted = None;
    };

    origin.answer("200 OK", "etag: \"1\"\r\n", b"{\"a\": 1}");
    refresher.round().await;
    assert_eq!(document().unwrap(), "{\"a\": 1}");
    let first = told();
    assert_eq!((first.size, first.failures), (Some(8), 0));

    origin.answer("500 Away", "", b"");
    again(&mut refresher);
    refresher.round().await;
    assert_eq!(document().unwrap(), "{\"a\": 1}");
    let failed = told();
    assert_eq!(failed.fetched, first.fetched);
    assert_eq!(
        failed.failure.as_deref(),
        Some("the server answered 500 Internal Server Error")
    );

    origin.answer("304 Not Modified", "", b"");
    again(&mut refresher);
    refresher.round().await;
    assert!(origin.asked()[2].contains("if-none-match: \"1\"\r\n"));
    let same = told();
    assert_eq!((same.failure, same.size), (None, Some(8)));

    origin.answer("200 OK", "", b"{\"a\": 2}");
    *keeper.fault.lock().unwrap() = Some("no right".to_owned());
    again(&mut refresher);
    refresher.round().await;
    assert_eq!(document().unwrap(), "{\"a\": 1}");
    assert_eq!(
        told().failure.as_deref(),
        Some("what came cannot be kept: no right")
    );
}

#[tokio::test]
async fn where_no_host_is_allowed_nothing_is_asked_and_that_is_known() {
    let keeper = keeping(&[source("http://127.0.0.1/a")]);
    let (told, heard) = watch::channel(None);
    Refresher::new(keeper, Arc::new(reaching(&[])), told)
        .run()
        .await;
    assert_eq!(*heard.borrow(), Some(Arc::default()));
}
