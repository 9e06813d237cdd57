//! Every metric is in docs/metrics.md, is called as Prometheus' conventions have it, and has few series.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use portcullis_policies::{Action, Effect};
use portcullis_webhook::{Certificate, DecisionLog, DecisionLogSettings, DecisionSink, Feed};
use rcgen::{CertificateParams, KeyPair};

use crate::fixture::{Fixture, LIMITS, define, get, judging, pod, post};

/// Takes all entries.
struct Sink;

impl DecisionSink for Sink {
    fn name(&self) -> String {
        "stdout".to_owned()
    }

    fn run(self: Box<Self>, feed: Feed) {
        while feed.next().is_some() {
            feed.written(1);
        }
    }
}

/// A metric: its type, its help, and the names of its labels where it has a sample.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    help: String,
    labels: Option<BTreeSet<String>>,
}

/// The metrics of a text in the format of `OpenMetrics`, by the names that samples have.
fn families(text: &str) -> BTreeMap<String, Family> {
    let mut families = BTreeMap::<String, Family>::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            let known = families.entry(name.to_owned()).or_default();
            assert!(known.help.is_empty(), "{name} is described twice");
            help.clone_into(&mut known.help);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            let family = families.entry(name.to_owned()).or_default();
            kind.clone_into(&mut family.kind);
        } else if !line.starts_with('#') {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
            let labels = labels.trim_end_matches('}').split("\",");
            let names = labels.filter_map(|label| Some(label.split_once('=')?.0.to_owned()));
            let names = names.filter(|label| label != "le").collect();
            let suffixes = ["", "_total", "_info", "_bucket", "_sum", "_count"];
            let family = suffixes.into_iter().find_map(|suffix| {
                let base = name.strip_suffix(suffix)?;
                families.contains_key(base).then(|| base.to_owned())
            });
            let family = family.unwrap_or_else(|| panic!("{name} has no type"));
            let family = families.get_mut(&family).unwrap();
            let before = family.labels.get_or_insert(names);
            assert!(before.len() < 6, "{name} has too many labels");
            value.parse::<f64>().unwrap_or_else(|_| panic!("{line}"));
        }
    }
    let named = families.into_iter().map(|(name, family)| {
        let suffix = match family.kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        (name + suffix, family)
    });
    named.collect()
}

/// The rows of the tables of a section: names, types and labels.
fn documented(section: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, text) = text.split_once(&format!("## {section}\n")).unwrap();
    let text = text.split("\n## ").next().unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let rows = rows.map(|row| {
        let mut cells = row.split('|').skip(1).map(str::trim);
        let name = cells.next().unwrap().trim_matches('`');
        let (name, labels) = name.split_once('{').unwrap_or((name, ""));
        let labels = labels.trim_end_matches('}').split(',');
        let labels = labels.filter(|label| !label.is_empty()).map(str::to_owned);
        let kind = cells.next().unwrap().to_owned();
        (name.to_owned(), (kind, labels.collect()))
    });
    rows.collect()
}

/// Doors with all there is to measure, which have been asked.
async fn measured() -> String {
    let mut fixture = Fixture::usual()
        .with(judging(
            define("a/audit@1", &LIMITS.replace("platform.limits", "a.audit")),
            Action::Audit,
        ))
        .locked(Effect::Bypass);
    fixture.readiness.set_synced("policies");
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let own = own.self_signed(&key).unwrap();
    let certificate = Certificate::empty();
    let (chain, key) = (own.pem(), key.serialize_pem());
    certificate
        .install(chain.as_bytes(), key.as_bytes())
        .unwrap();
    fixture.certificate = Some(certificate);
    let log = DecisionLog::start(
        DecisionLogSettings::default(),
        fixture.cache.clone(),
        vec![Box::new(Sink)],
    );
    fixture.decision_log = Some(log.unwrap());
    let review = pod("web:latest", None);
    fixture.admit("/admission/cluster/fail", &review).await;
    let path = "/policy/tasks/authz/1.0/evaluation";
    fixture.evaluate(post(path, "{}")).await;
    fixture.evaluate(get("/v1/policies")).await;
    fixture.administer("/metrics").await.text
}

#[tokio::test]
async fn the_document_lists_what_the_server_says() {
    let text = measured().await;
    let said = families(&text);
    let documented = documented("Of who answers");
    let names = |all: Vec<&String>| all.into_iter().cloned().collect::<BTreeSet<_>>();
    assert_eq!(
        names(said.keys().collect()),
        names(documented.keys().collect()),
        "{text}"
    );
    for (name, family) in said {
        let (kind, labels) = &documented[&name];
        assert_eq!(*kind, family.kind, "{name}");
        if let Some(own) = family.labels {
            assert_eq!(*labels, own, "{name}");
        }
    }
}

/// What `promtool check metrics` looks at, and what Prometheus' documentation asks for.
#[tokio::test]
async fn names_are_as_prometheus_wants_them() {
    let text = measured().await;
    assert!(text.ends_with("# EOF\n"));
    for (name, family) in families(&text) {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(
            name.starts_with("portcullis_") && name.chars().all(is_plain),
            "{name}"
        );
        assert!(
            !family.help.is_empty() && !family.help.ends_with('.'),
            "{name}"
        );
        for part in name.split('_') {
            let other = [
                "ms",
                "milliseconds",
                "minutes",
                "hours",
                "kb",
                "mb",
                "percent",
                "ns",
            ];
            assert!(!other.contains(&part), "{name} is not in a base unit");
            let kinds = ["counter", "gauge", "histogram", "summary"];
            assert!(!kinds.contains(&part), "{name} has a type in its name");
        }
        if family.kind != "counter" {
            assert!(
                !name.ends_with("_total") && !name.ends_with("_count"),
                "{name}"
            );
        }
        if family.kind == "histogram" {
            assert!(name.ends_with("_seconds"), "{name} has no unit");
        }
    }
}

/// However many policies are asked, there are so many series.
#[tokio::test]
async fn policies_beyond_a_number_count_together() {
    let mut fixture = Fixture::new();
    for number in 0..120 {
        let source = format!("package many.p{number}\nallow := true");
        fixture = fixture.with(define(&format!("many/p{number}@1"), &source));
    }
    for number in 0..120 {
        let path = format!("/policy/many/p{number}/1/evaluation");
        fixture.evaluate(post(&path, "{}")).await;
    }
    let count = |text: &str, name: &str| -> usize {
        text.lines().filter(|line| line.starts_with(name)).count()
    };
    let text = fixture.administer("/metrics").await.text;
    let other = "portcullis_decisions_total{point=\"evaluation\",policy=\"other\",namespace=\"\",\
                 action=\"\",outcome=\"allowed\"} 20\n";
    assert!(text.contains(other), "{text}");
    assert_eq!(count(&text, "portcullis_decisions_total"), 101);
    let of_histograms = "portcullis_evaluation_duration_seconds_count";
    assert_eq!(count(&text, of_histograms), 101);

    // Those that are gone make room, whether anybody is asked or not.
    for number in 0..120 {
        let key = format!("many/p{number}@1");
        let key = portcullis_policies::ObjectKey::new("ClusterPolicy", None, &key);
        fixture.cache.update(|state| state.delete_policy(&key));
    }
    let text = fixture.administer("/metrics").await.text;
    assert_eq!(count(&text, "portcullis_decisions_total"), 1);
}

#[tokio::test]
async fn a_histogram_has_all_evaluations_of_a_policy() {
    let fixture = Fixture::usual();
    let path = "/policy/tasks/authz/1.0/evaluation";
    for _ in 0..3 {
        fixture.evaluate(post(path, "{}")).await;
    }
    let fixture = fixture.locked(Effect::Refuse);
    fixture.evaluate(post(path, "{}")).await;
    let text = fixture.administer("/metrics").await.text;
    let labels = "{point=\"evaluation\",policy=\"tasks/authz@1.0\",namespace=\"\"}";
    let count = format!("portcullis_evaluation_duration_seconds_count{labels} 3\n");
    assert!(text.contains(&count), "{text}");
    let bucket = "portcullis_evaluation_duration_seconds_bucket{le=\"+Inf\",point=\"evaluation\",\
                  policy=\"tasks/authz@1.0\",namespace=\"\"} 3\n";
    assert!(text.contains(bucket), "{text}");
    assert!(text.contains("portcullis_policies_locked 2\n"));
    assert!(text.contains("portcullis_locks_active 1\n"));
}
