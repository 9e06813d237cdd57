//! `/v1/policies`, `/v1/enforcement`, the probes and the API's own documents.

use portcullis_policies::{Effect, Lock, ObjectKey, Points, Reach, Target, Timestamp};
use rstest::rstest;
use serde_json::{Value as Json, json};

use crate::fixture::{Fixture, TASKS, define, get, owned_by};

fn listed() -> Fixture {
    let fixture = Fixture::usual()
        .with(owned_by("team-a", define("tasks/authz@1.0", TASKS)))
        .with(define("a/broken@1", "package a.broken\nallow if {"));
    let lock = Lock {
        key: ObjectKey::new("ClusterLock", None, "one"),
        reach: Reach::Cluster { namespaces: None },
        target: Target::Policy {
            group: "tasks".to_owned(),
            name: None,
            version: None,
        },
        points: Points {
            admission: false,
            evaluation: true,
        },
        effect: Effect::Refuse,
        reason: "why".to_owned(),
        expires_at: None,
    };
    fixture.cache.update(|state| {
        state.apply_lock(Lock {
            key: ObjectKey::new("ClusterLock", None, "over"),
            target: Target::All,
            expires_at: Some(Timestamp::UNIX_EPOCH),
            ..lock.clone()
        });
        state.apply_lock(lock);
    });
    fixture
}

#[tokio::test]
async fn lists_in_both_shapes() {
    let list = listed().evaluate(get("/v1/policies")).await;
    assert_eq!(list.status, 200);
    let json = list.masked();
    insta::assert_json_snapshot!("policies", json["policies"]);
    let modules: Vec<&Json> = json["result"]
        .as_array()
        .unwrap()
        .iter()
        .map(|module| &module["id"])
        .collect();
    assert_eq!(
        modules,
        [
            "a/broken@1/policy.rego",
            "platform/limits@1.0/policy.rego",
            "tasks/authz@1.0/policy.rego",
            "team-a/tasks/authz@1.0/policy.rego",
        ]
    );
    assert_eq!(json["result"][2]["raw"], TASKS);
}

#[rstest]
#[case("?locked=true", &["authz"])]
#[case("?locked=false", &["broken", "limits", "authz"])]
#[case("?policyName=limits", &["limits"])]
#[case("?policyName=authz&locked=false", &["authz"])]
#[case("?policyName=unknown", &[])]
#[tokio::test]
async fn filters(#[case] query: &str, #[case] expected: &[&str]) {
    let list = listed()
        .evaluate(get(&format!("/v1/policies{query}")))
        .await
        .json();
    let names: Vec<&Json> = list["policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|policy| &policy["policyName"])
        .collect();
    assert_eq!(names, expected);
    assert_eq!(list["result"].as_array().unwrap().len(), expected.len());
}

#[rstest]
#[case("locked=perhaps")]
#[case("rego=1")]
#[case("limit=0")]
#[case("limit=many")]
#[case("continue=platform")]
#[tokio::test]
async fn refuses_an_unreadable_filter(#[case] query: &str) {
    let path = format!("/v1/policies?{query}");
    let answer = listed().evaluate(get(&path)).await;
    answer.assert_problem(400, "POLICY.INPUT_INVALID");
}

/// The policies of all pages, with how many there were on each.
#[rstest]
#[case("", &[4])]
#[case("limit=4&", &[4])]
#[case("limit=3&", &[3, 1])]
#[case("limit=2&", &[2, 2])]
#[case("limit=1&", &[1, 1, 1, 1])]
#[case("limit=1&locked=false&", &[1, 1, 1])]
#[case("limit=1&locked=true&", &[1])]
#[case("limit=1&policyName=nothing&", &[0])]
#[tokio::test]
async fn lists_in_pages(#[case] query: &str, #[case] expected: &[usize]) {
    let fixture = listed();
    let (mut next, mut pages, mut names) = (String::new(), Vec::new(), Vec::new());
    loop {
        let path = format!("/v1/policies?{query}continue={next}");
        let list = fixture.evaluate(get(&path)).await.json();
        let policies = list["policies"].as_array().unwrap();
        pages.push(policies.len());
        names.extend(policies.iter().map(|policy| policy["name"].clone()));
        let Some(more) = list["continue"].as_str() else {
            break;
        };
        next = more.replace('/', "%2F");
    }
    assert_eq!(pages, expected);
    if expected.iter().sum::<usize>() == 4 {
        assert_eq!(names, ["broken", "limits", "authz", "authz"]);
    }
}

#[tokio::test]
async fn tells_sources_and_data_where_they_are_wanted() {
    let mut definition = crate::fixture::define("tasks/authz@1.0", TASKS);
    definition.data = json!({"table": {"b": 1}}).as_object().cloned().unwrap();
    definition.data_from = vec![portcullis_policies::DataSource {
        http: None,
        selection: portcullis_policies::Selection {
            kind: portcullis_policies::ParameterKind::config_map(),
            namespace: Some("platform".to_owned()),
            which: portcullis_policies::Which::Name("issuers".to_owned()),
        },
        key: "it.json".to_owned(),
        path: vec!["trusted".to_owned(), "issuers".to_owned()],
    }];
    let fixture = Fixture::new().with(definition);
    let list = |query: &'static str| {
        let fixture = &fixture;
        async move {
            fixture
                .evaluate(get(&format!("/v1/policies{query}")))
                .await
                .json()
        }
    };
    let plain = list("?rego=false").await["policies"][0].clone();
    assert!(
        ["rego", "data", "dataConfig"]
            .iter()
            .all(|field| plain.get(field).is_none())
    );
    assert_eq!(plain["lastUpdate"], 1_700_000_000);
    let full = list("?rego=true&data=true&dataConfig=true").await["policies"][0].clone();
    assert_eq!(full["rego"], TASKS);
    assert_eq!(full["data"], r#"{"table":{"b":1}}"#);
    let config = r#"[{"path":"trusted.issuers","kind":"ConfigMap","namespace":"platform","name":"issuers","key":"it.json"}]"#;
    assert_eq!(full["dataConfig"], config);
}

#[tokio::test]
async fn tells_the_operator_what_is_enforced() {
    let fixture = listed().unread();
    let before = fixture.evaluate(get("/v1/enforcement")).await.masked();
    insta::assert_json_snapshot!("enforcement", before);
    fixture.readiness.set_synced("policies");
    assert_eq!(
        fixture.evaluate(get("/v1/enforcement")).await.json()["ready"],
        true
    );
}

#[rstest]
#[case("/health", json!({}))]
#[case(
    "/readiness",
    json!({"service": "portcullis", "status": "up", "version": env!("CARGO_PKG_VERSION")})
)]
#[tokio::test]
async fn probes_follow_readiness(#[case] path: &str, #[case] expected: Json) {
    let fixture = Fixture::usual().unread();
    fixture
        .evaluate(get(path))
        .await
        .assert_problem(503, "SERVICE.NOT_READY");
    fixture.readiness.set_synced("policies");
    assert_eq!(fixture.evaluate(get(path)).await.json(), expected);
    fixture.readiness.drain();
    fixture
        .evaluate(get(path))
        .await
        .assert_problem(503, "SERVICE.NOT_READY");
    assert_eq!(
        fixture.evaluate(get("/liveness")).await.json()["status"],
        "up"
    );
}

#[tokio::test]
async fn the_document_that_is_served_is_the_one_that_is_checked_in() {
    let fixture = Fixture::usual();
    let served = fixture.evaluate(get("/openapi.json")).await;
    assert_eq!(served.header("content-type"), "application/json");
    let as_the_service = fixture.evaluate(get("/swagger-ui/openapi.json")).await;
    assert_eq!(as_the_service.text, served.text);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    let checked_in = std::fs::read_to_string(file).unwrap();
    assert!(
        served.text == checked_in,
        "docs/openapi.json is out of date: run `make gen`"
    );
    assert_eq!(portcullis_webhook::openapi(), checked_in);
}

/// What tools that read the document rely on.
#[test]
fn operations_have_names_of_their_own_and_all_parameters() {
    let document: Json = serde_json::from_str(&portcullis_webhook::openapi()).unwrap();
    let mut names = std::collections::BTreeSet::new();
    let mut count = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        assert!(!path.contains('*'), "{path}");
        for operation in item.as_object().unwrap().values() {
            count += 1;
            assert!(
                names.insert(operation["operationId"].as_str().unwrap()),
                "{operation}"
            );
            let parameters = operation["parameters"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let in_path = parameters
                .iter()
                .filter(|parameter| parameter["in"] == "path")
                .count();
            assert_eq!(in_path, path.matches('{').count(), "{path}");
        }
    }
    // Fifteen operations under each of three prefixes, and thirty-two others.
    assert_eq!(count, 3 * 15 + 32);
}

#[tokio::test]
async fn the_described_decision_is_the_one_that_is_made() {
    let document: Json = serde_json::from_str(&portcullis_webhook::openapi()).unwrap();
    let described = |schema: &str| -> Vec<String> {
        let properties = document["components"]["schemas"][schema]["properties"].as_object();
        properties.unwrap().keys().cloned().collect()
    };
    let locked = Fixture::usual().locked(Effect::Refuse);
    let path = "/policy/platform/limits/1.0/decision?point=admission";
    let body = crate::fixture::pod("web:latest", None).to_string();
    for fixture in [&Fixture::usual(), &locked] {
        let decision = fixture
            .evaluate(crate::fixture::post(path, body.clone()))
            .await
            .json();
        let check = |value: &Json, schema: &str| {
            for key in value.as_object().unwrap().keys() {
                assert!(described(schema).contains(key), "{schema} lacks {key}");
            }
        };
        check(&decision, "Decision");
        check(&decision["messages"][0], "Message");
        if decision["lock"].is_object() {
            check(&decision["lock"], "LockNote");
        }
    }
}

#[tokio::test]
async fn shows_the_documentation_without_the_network() {
    let fixture = Fixture::usual();
    let page = fixture.evaluate(get("/swagger-ui/")).await;
    assert_eq!(page.status, 200);
    assert!(!page.text.contains("https://"), "{}", page.text);
    let settings = fixture
        .evaluate(get("/swagger-ui/swagger-initializer.js"))
        .await;
    assert!(settings.text.contains("/openapi.json"), "{}", settings.text);
}
