//! Policies of a directory that take data of servers, whose answers are kept by hand.

use portcullis_policies::{Allowance, HttpSource, Selected, Timestamp};

use super::{super::FetchedDocuments, *};
use crate::{
    network::reaching,
    refresh::{Attempts, Keeper as _, Progress},
};

const READS: &str = "package a.b\n\nroles := data.roles\n";

fn settings(path: &str) -> String {
    format!("dataFrom:\n- path: roles\n  http: {{url: 'https://example.com/{path}?token=x'}}\n")
}

/// A directory whose policies may take data of `example.com`.
fn started(files: &[(&str, &str)]) -> (Started, Arc<FetchedDocuments>) {
    let root = directory(files);
    let cache = Arc::new(Cache::allowing(Allowance {
        outside: Arc::new(reaching(&["example.com"])),
        ..Allowance::default()
    }));
    let loader = Loader::start(tree(root.path()), cache.allowance(), &|_, _| {});
    let mut loader = loader.unwrap();
    let fetched = Arc::new(FetchedDocuments::default());
    loader.fetch_with(fetched.clone());
    let locks = LockStore::open(root.path().join("locks")).unwrap();
    loader.publish(&cache, &locks);
    let started = Started {
        root,
        loader,
        cache,
        locks,
    };
    (started, fetched)
}

fn wanted(fetched: &FetchedDocuments) -> Vec<String> {
    fetched.wanted().iter().map(HttpSource::to_string).collect()
}

async fn keep(fetched: &FetchedDocuments, source: &HttpSource, document: Option<&str>) {
    let time = Some(Timestamp::UNIX_EPOCH);
    let failure = document.is_none().then(|| "it is away".to_owned());
    let attempts = Attempts {
        attempted: time,
        fetched: time.filter(|_| document.is_some()),
        failure,
        ..Attempts::default()
    };
    let document = document.map(str::to_owned);
    fetched.keep(source, document, &attempts).await.unwrap();
}

#[tokio::test]
async fn a_policy_is_what_was_fetched_last() {
    let yaml = settings("roles");
    let (mut started, fetched) = started(&[
        ("a/b/1.0/policy.rego", READS),
        ("a/b/1.0/policy.yaml", &yaml),
    ]);
    assert_eq!(started.policies(), ["a/b@1.0 broken"]);
    assert!(started.faults()[0].contains("https://example.com/roles, which was never fetched"));
    assert_eq!(wanted(&fetched), ["https://example.com/roles"]);
    let source = fetched.wanted().remove(0);

    keep(&fetched, &source, None).await;
    started.look();
    let faults = started.faults();
    assert!(
        faults[0].contains("never fetched: it is away"),
        "{faults:?}"
    );
    for (document, expected) in [("[1]", "a/b@1.0 ok"), ("[2]", "a/b@1.0 ok")] {
        keep(&fetched, &source, Some(document)).await;
        started.look();
        assert_eq!(started.policies(), [expected]);
        assert_eq!(started.faults(), [""; 0]);
        let snapshot = started.cache.snapshot();
        let selected = portcullis_policies::Lookup::selected(&*snapshot, &source.selection());
        let Some(Selected::Known(documents)) = selected else {
            panic!("it is known");
        };
        assert_eq!(documents[0].fetched(), Some(document));
    }
    fetched.discard(&source.object_name()).await.unwrap();
    started.look();
    assert_eq!(started.policies(), ["a/b@1.0 broken"]);
}

/// What is not in force yet is asked for, and what is in force goes on meanwhile.
#[tokio::test]
async fn a_policy_that_takes_another_source_waits_for_it() {
    let yaml = settings("roles");
    let (mut started, fetched) = started(&[
        ("a/b/1.0/policy.rego", READS),
        ("a/b/1.0/policy.yaml", &yaml),
    ]);
    keep(&fetched, &fetched.wanted().remove(0), Some("[1]")).await;
    started.look();
    started.write("a/b/1.0/policy.yaml", &settings("others"));
    assert_eq!(started.policies(), ["a/b@1.0 ok"]);
    assert_eq!(
        wanted(&fetched),
        ["https://example.com/others", "https://example.com/roles"]
    );
    let mut other = fetched.wanted().into_iter();
    let other = other
        .find(|own| own.to_string().ends_with("others"))
        .unwrap();
    keep(&fetched, &other, Some("[2]")).await;
    started.look();
    assert_eq!(wanted(&fetched), ["https://example.com/others"]);
    assert_eq!(started.faults(), [""; 0]);
}

#[tokio::test]
async fn headers_are_made_of_secrets_of_the_directory() {
    let header = "headers: [{name: X-Key, secretKeyRef: {namespace: a, name: b, key: c}}]";
    let yaml = settings("roles");
    let yaml = yaml.replace("token=x'}", &format!("token=x', {header}}}"));
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: b, namespace: a}\nstringData: {c: sesame}\n";
    let (mut started, fetched) = started(&[
        ("a/b/1.0/policy.rego", READS),
        ("a/b/1.0/policy.yaml", &yaml),
        ("secret.yaml", secret),
    ]);
    assert_eq!(started.loader.status().notes, [""; 0], "it is taken");
    assert_eq!(fetched.secret("a", "b", "c").await, Ok("sesame".to_owned()));
    assert!(fetched.secret("a", "b", "d").await.is_err());
    started.remove("secret.yaml");
    let why = fetched.secret("a", "b", "c").await.unwrap_err();
    assert_eq!(why, "the directory has no Secret a/b with `c`");
}

#[tokio::test]
async fn what_is_not_refreshed_is_told() {
    let yaml = settings("roles");
    let (mut started, fetched) = started(&[
        ("a/b/1.0/policy.rego", READS),
        ("a/b/1.0/policy.yaml", &yaml),
    ]);
    let source = fetched.wanted().remove(0);
    keep(&fetched, &source, Some("[1]")).await;
    started.look();
    let attempts = Attempts {
        fetched: Some(Timestamp::UNIX_EPOCH),
        failure: Some("it is away".to_owned()),
        ..Attempts::default()
    };
    let told = Progress::from([(source.object_name(), attempts)]);
    fetched.progress().send_replace(Some(Arc::new(told)));
    let faults = started.faults();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(
        faults[0].contains("is of 1970-01-01T00:00:00Z and stays so: it is away"),
        "{faults:?}"
    );
    assert_eq!(started.policies(), ["a/b@1.0 ok"]);
}
