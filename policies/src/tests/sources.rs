//! Policies that take data from elsewhere.

use rstest::rstest;

use super::*;

const READS: &str = "package a.b\nallow if data.roles.admin == input.user";

fn selection(kind: ParameterKind) -> Selection {
    Selection {
        kind,
        namespace: Some("team".to_owned()),
        which: Which::Name("roles".to_owned()),
    }
}

fn sourced(name: &str, source: &str, kind: ParameterKind) -> Definition {
    Definition {
        data_from: vec![DataSource {
            selection: selection(kind),
            key: "it".to_owned(),
            path: vec!["roles".to_owned()],
            http: None,
        }],
        ..Definition::new(format!("a/{name}@1").parse().unwrap(), source)
    }
}

fn known(text: &str) -> Selected {
    let kind = ParameterKind::config_map();
    let parameter = Parameter {
        key: ParameterKey {
            kind,
            namespace: Some("team".to_owned()),
            name: "roles".to_owned(),
        },
        labels: Labels::new(),
        content: json!({"data": {"it": text}}).as_object().cloned().unwrap(),
    };
    Selected::Known(vec![Arc::new(parameter)])
}

/// Compiles again what is outdated, until nothing is.
fn link(cache: &Cache) {
    for _ in 0..10 {
        let outdated = cache.outdated();
        if outdated.is_empty() {
            return;
        }
        let snapshot = cache.snapshot();
        for before in outdated {
            let definition = before.policy.definition().clone();
            let policy = Policy::compile_within(definition, &*snapshot, cache.allowance());
            let policy = Arc::new(policy);
            cache.update(|state| state.apply_policy(Object { policy, ..before }));
        }
    }
    panic!("it never ends");
}

fn tell(cache: &Cache, selected: Selected) {
    let selection = selection(ParameterKind::config_map());
    cache.update(|state| state.set_parameters(selection, selected));
    link(cache);
}

fn decided(cache: &Cache, address: &str) -> (Outcome, String) {
    let snapshot = cache.snapshot();
    let entry = snapshot.find(&address.parse().unwrap()).unwrap();
    let input = Input::Evaluation(Some(Document::from(&json!({"user": "ann"}))));
    let decision = entry.decide(&input, &request());
    let message = decision.messages.first();
    (
        decision.outcome,
        message.map_or_else(String::new, |it| it.message.clone()),
    )
}

#[test]
fn data_is_what_is_known_now() {
    let definition = sourced("b", READS, ParameterKind::config_map());
    let cache = cache([object("it", 0, definition)], []);
    let digest = || {
        cache
            .snapshot()
            .find(&"a/b@1".parse().unwrap())
            .unwrap()
            .policy
            .digest()
    };
    let first = digest();
    assert!(cache.snapshot().awaits_parameters());
    let (outcome, message) = decided(&cache, "a/b@1");
    assert_eq!(outcome, Outcome::Error);
    assert!(message.contains("nobody has looked for yet"), "{message}");
    tell(&cache, known(r#"{"admin": "ann"}"#));
    assert!(!cache.snapshot().awaits_parameters());
    assert_eq!(decided(&cache, "a/b@1").0, Outcome::Allowed);
    tell(&cache, known(r#"{"admin": "bob"}"#));
    assert_eq!(decided(&cache, "a/b@1").0, Outcome::Denied);
    for (selected, says) in [
        (Selected::Known(Vec::new()), "which is not there"),
        (
            Selected::Unread("no right".to_owned()),
            "cannot be read: no right",
        ),
        (known("{"), "is no document"),
    ] {
        tell(&cache, selected);
        let (outcome, message) = decided(&cache, "a/b@1");
        assert_eq!(outcome, Outcome::Error);
        assert!(message.contains(says), "{message}");
    }
    assert_eq!(
        digest(),
        first,
        "it says where data comes from, and not what it is"
    );
}

#[test]
fn who_imports_it_reads_the_same() {
    let import = Import {
        address: "a/b@1".parse().unwrap(),
        pin: None,
    };
    let importer = Definition {
        imports: vec![import],
        ..Definition::new(
            "a/c@1".parse().unwrap(),
            "package a.c\nallow if data.a.b.allow",
        )
    };
    let definition = sourced("b", READS, ParameterKind::config_map());
    let cache = cache([object("b", 0, definition), object("c", 0, importer)], []);
    link(&cache);
    for (admin, expected) in [("ann", Outcome::Allowed), ("bob", Outcome::Denied)] {
        tell(&cache, known(&format!("{{\"admin\": \"{admin}\"}}")));
        assert_eq!(decided(&cache, "a/c@1").0, expected);
    }
}

/// A younger object with the same address is looked after when it is its turn.
#[test]
fn who_waits_for_an_address_is_not_awaited() {
    let definition = sourced("b", READS, ParameterKind::config_map());
    let cache = cache(
        [
            object("old", 0, policy(READS)),
            object("new", 1, definition),
        ],
        [],
    );
    assert!(!cache.snapshot().awaits_parameters());
    let key = ObjectKey::new("ClusterPolicy", None, "old");
    cache.update(|state| state.delete_policy(&key));
    assert!(cache.snapshot().awaits_parameters());
}

#[rstest]
#[case(ParameterKind::config_map(), false)]
#[case(ParameterKind::secret(), true)]
fn who_reads_a_secret_is_known(#[case] kind: ParameterKind, #[case] expected: bool) {
    let secret = Arc::new(Policy::compile(sourced("b", READS, kind)));
    assert_eq!(secret.reads_secrets(), expected);
    let importer = Definition {
        imports: vec![Import {
            address: "a/b@1".parse().unwrap(),
            pin: None,
        }],
        ..Definition::new("a/c@1".parse().unwrap(), "package a.c\nallow := true")
    };
    let find = Among {
        policies: |_: &Address| Some(secret.clone()),
        objects: &(),
    };
    let importer = Policy::compile_within(importer, &find, Allowance::default());
    assert_eq!(importer.reads_secrets(), expected);
}

/// What a server answers to these headers, below `roles`.
fn fetched(headers: Vec<(String, HeaderValue)>) -> DataSource {
    let http = HttpSource {
        namespace: None,
        url: "https://example.com/roles?token=x".to_owned(),
        host: "example.com".to_owned(),
        port: 443,
        method: HttpMethod::Get,
        body: String::new(),
        headers,
        authorities: None,
        period: std::time::Duration::from_mins(5),
        timeout: std::time::Duration::from_secs(10),
    };
    DataSource::fetched(http, vec!["roles".to_owned()])
}

/// What is answered to a credential is as secret as that.
#[rstest]
#[case(HeaderValue::Text("application/json".to_owned()), false)]
#[case(
    HeaderValue::Secret { namespace: "a".to_owned(), name: "b".to_owned(), key: "c".to_owned() },
    true
)]
fn who_reads_what_was_answered_to_a_secret_is_known(
    #[case] value: HeaderValue,
    #[case] expected: bool,
) {
    let definition = Definition {
        data_from: vec![fetched(vec![("x-it".to_owned(), value)])],
        ..Definition::new("a/b@1".parse().unwrap(), READS)
    };
    assert_eq!(Policy::compile(definition).reads_secrets(), expected);
}

/// Until there is one, the policy says whom it waits for, and why.
#[test]
fn a_document_that_was_never_fetched_is_told_by_its_url() {
    let source = fetched(Vec::new());
    let named = |content: serde_json::Value| {
        let key = ParameterKey {
            kind: ParameterKind::fetched_document(),
            namespace: None,
            name: "it".to_owned(),
        };
        let parameter = Parameter {
            key,
            labels: Labels::new(),
            content: content.as_object().cloned().unwrap(),
        };
        Selected::Known(vec![Arc::new(parameter)])
    };
    for (selected, expected) in [
        (
            Selected::Known(Vec::new()),
            "https://example.com/roles, which was never fetched",
        ),
        (
            named(json!({"failure": "it is away"})),
            "https://example.com/roles, which was never fetched: it is away",
        ),
        (
            named(json!({"data": {"document": "["}})),
            "https://example.com/roles: `data.document` is no document of YAML or JSON",
        ),
    ] {
        let fault = source.read(Some(&selected)).unwrap_err();
        let text = format!("the policy takes data of {expected}");
        assert_eq!(fault.message, text);
    }
}
