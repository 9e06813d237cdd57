//! What is said of documents that are fetched.

use std::time::Duration;

use portcullis_policies::{DataSource, HttpMethod, HttpSource};

use super::*;
use crate::refresh::Attempts;

fn source(path: &str) -> HttpSource {
    HttpSource {
        namespace: None,
        url: format!("https://example.com/{path}?token=x"),
        host: "example.com".to_owned(),
        port: 443,
        method: HttpMethod::Get,
        body: String::new(),
        headers: Vec::new(),
        authorities: None,
        period: Duration::from_mins(5),
        timeout: Duration::from_secs(10),
    }
}

fn fetched(at: i64) -> Attempts {
    Attempts {
        attempted: Some(second(at)),
        fetched: Some(second(at)),
        ..Attempts::default()
    }
}

fn failed(before: Attempts) -> Attempts {
    Attempts {
        failure: Some("it is away".to_owned()),
        failures: 1,
        ..before
    }
}

#[rstest]
#[case::not_asked(&[None], "Unknown Pending: https://example.com/0 was not asked yet")]
#[case::fetched(&[Some(fetched(1))], "True Refreshed: https://example.com/0 is of 2027-01-15T08:00:01Z")]
#[case::both(
    &[Some(fetched(1)), Some(fetched(2))],
    "True Refreshed: https://example.com/0 is of 2027-01-15T08:00:01Z; https://example.com/1 is of \
     2027-01-15T08:00:02Z"
)]
#[case::the_last_good_one(
    &[Some(fetched(3)), Some(failed(fetched(1)))],
    "False RefreshFailed: https://example.com/1 is of 2027-01-15T08:00:01Z and stays so: it is away"
)]
#[case::none_so_far(
    &[Some(failed(Attempts::default())), None],
    "False RefreshFailed: https://example.com/0 was never fetched: it is away"
)]
fn a_policy_says_how_old_its_data_is(
    #[case] attempts: &[Option<Attempts>],
    #[case] expected: &str,
) {
    let mut sample = Sample::new("a");
    let mut cluster = Cluster::of([]);
    for (number, attempts) in attempts.iter().enumerate() {
        let source = source(&number.to_string());
        let attempts = attempts.clone().map(|own| (source.object_name(), own));
        cluster.documents.extend(attempts);
        let path = vec![format!("of-{number}")];
        sample
            .definition
            .data_from
            .push(DataSource::fetched(source, path));
    }
    cluster.samples.push(sample);
    let said = cluster.said_of_data();
    assert_eq!(said.as_deref(), Some(expected));
}

#[test]
fn a_policy_that_takes_none_says_nothing_of_it() {
    assert_eq!(Cluster::of([Sample::new("a")]).said_of_data(), None);
}

impl Cluster {
    fn said_of_data(&self) -> Option<String> {
        let key = self.samples[0].key();
        let view = self.view();
        let status = self.with_world(&view, |world| {
            world.policy(&key, &view.records[&key], &PolicyStatus::default())
        });
        let mut conditions = status.conditions.iter();
        let own = conditions.find(|condition| condition.type_ == "DataRefreshed")?;
        Some(format!("{} {}: {}", own.status, own.reason, own.message))
    }
}
