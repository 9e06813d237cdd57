//! `data-config.json`: how the TSA policy service keeps a policy's data up to date.
//!
//! The file says what is asked, how and how often, and the answer takes the place of `data.json`. So it is
//! `dataFrom.http` at the root of `data`, and the other way round where that is all there is to say.

use std::{collections::BTreeMap, time::Duration};

use portcullis_crds as crds;
use portcullis_policies::{Allowance, Definition, HttpMethod, Scope};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::convert;

/// The file.
pub(super) const FILE: &str = "data-config.json";

/// The data that the answer takes the place of.
const DATA: &str = "data.json";

/// Our own settings. An archive that has them says in them where data comes from.
const SETTINGS: &str = "policy.yaml";

/// The shortest and the longest time between two questions here. One that is shorter or longer there is
/// as near as it can be.
const PERIODS: (Duration, Duration) = (Duration::from_secs(30), Duration::from_hours(24));

/// What the file says. The service reads it with Go's `encoding/json`, for which the case of a name does
/// not matter.
#[derive(Debug, Deserialize, Serialize)]
struct DataConfig {
    url: String,
    method: crds::HttpMethod,
    period: Period,
    /// What is sent with a `POST`; where nothing is said, `null`.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    body: Json,
}

/// Nanoseconds, or a text such as `1h30m`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
enum Period {
    Number(f64),
    Text(String),
}

/// Has an archive's policy take its data of the server that the archive names, if an administrator allows
/// that. If not, the file is left for others to tell of, and the data is as it was exported.
pub(super) fn take(files: &mut BTreeMap<String, String>, scope: &Scope, allowance: &Allowance) {
    if files.contains_key(SETTINGS) {
        files.remove(FILE);
        return;
    }
    let source = files.get(FILE).and_then(|text| read(text));
    let Some(source) = source else { return };
    let is_allowed =
        convert::http_source(&source, scope).is_ok_and(|read| read.refusal(allowance).is_none());
    if is_allowed {
        files.remove(FILE);
        files.remove(DATA);
        let settings = json!({"dataFrom": [{"http": source}]});
        files.insert(SETTINGS.to_owned(), settings.to_string());
    }
}

fn read(text: &str) -> Option<crds::HttpSource> {
    let members: Map<String, Json> = serde_json::from_str(text).ok()?;
    let members = members.into_iter();
    let members: Map<String, Json> = members
        .map(|(name, value)| (name.to_lowercase(), value))
        .collect();
    let DataConfig {
        url,
        method,
        period,
        body,
    } = serde_json::from_value(members.into()).ok()?;
    let (shortest, longest) = PERIODS;
    let period = match period {
        Period::Number(nanoseconds) => Duration::try_from_secs_f64(nanoseconds / 1e9)
            .ok()
            .filter(|period| !period.is_zero()),
        Period::Text(text) => portcullis_webhook::parse_duration(&text),
    };
    let url = if url.contains("://") {
        url
    } else {
        format!("https://{}", url.trim_start_matches("//"))
    };
    let is_post = method == crds::HttpMethod::Post;
    Some(crds::HttpSource {
        url,
        method,
        period: format!("{}s", period?.clamp(shortest, longest).as_secs()),
        body: if is_post {
            body.to_string()
        } else {
            String::new()
        },
        ..crds::HttpSource::default()
    })
}

/// The file of a policy whose data is one answer and nothing else; none where the file could not say it.
pub(super) fn write(definition: &Definition) -> Option<String> {
    let [source] = definition.data_from.as_slice() else {
        return None;
    };
    let http = source.http.as_ref()?;
    let is_all = source.path.is_empty() && definition.data.is_empty();
    if !is_all || !http.headers.is_empty() || http.authorities.is_some() {
        return None;
    }
    let body = match (http.method, http.body.as_str()) {
        (HttpMethod::Get, _) => Json::Null,
        (HttpMethod::Post, body) => serde_json::from_str(body).ok()?,
    };
    let config = DataConfig {
        url: http.url.clone(),
        method: match http.method {
            HttpMethod::Get => crds::HttpMethod::Get,
            HttpMethod::Post => crds::HttpMethod::Post,
        },
        period: Period::Text(format!("{}s", http.period.as_secs())),
        body,
    };
    serde_json::to_string_pretty(&config).ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::network::reaching;

    const CONFIG: &str = r#"{"url": "https://example.com/data?page=1", "method": "POST",
        "period": "10h", "body": {"all": true}}"#;

    fn files(config: &str) -> BTreeMap<String, String> {
        let texts = [(FILE, config), (DATA, "{}"), ("policy.rego", "package a.b")];
        texts
            .map(|(path, text)| (path.to_owned(), text.to_owned()))
            .into()
    }

    fn taken(config: &str, hosts: &[&str], scope: &Scope) -> BTreeMap<String, String> {
        let mut files = files(config);
        let allowance = Allowance {
            outside: std::sync::Arc::new(reaching(hosts)),
            ..Allowance::default()
        };
        take(&mut files, scope, &allowance);
        files
    }

    #[tokio::test]
    async fn data_that_is_refreshed_there_is_refreshed_here() {
        let files = taken(CONFIG, &["example.com"], &Scope::Cluster);
        assert_eq!(files.keys().collect::<Vec<_>>(), ["policy.rego", SETTINGS]);
        let settings: Json = serde_json::from_str(&files[SETTINGS]).unwrap();
        let expected = json!({"url": "https://example.com/data?page=1", "method": "POST",
            "body": "{\"all\":true}", "period": "36000s", "timeout": "10s"});
        assert_eq!(settings, json!({"dataFrom": [{"http": expected}]}));
    }

    #[rstest]
    #[case::of_a_host_that_is_not_allowed(CONFIG, "example.org", Scope::Cluster)]
    #[case::of_a_namespace(CONFIG, "example.com", Scope::Namespace("team".to_owned()))]
    #[case::of_another_method(
        r#"{"url": "https://example.com/", "method": "PUT", "period": "1h"}"#,
        "example.com",
        Scope::Cluster
    )]
    #[case::of_another_scheme(
        r#"{"url": "ftp://example.com/", "method": "GET", "period": "1h"}"#,
        "example.com",
        Scope::Cluster
    )]
    #[case::without_a_period(
        r#"{"url": "https://example.com/", "method": "GET"}"#,
        "example.com",
        Scope::Cluster
    )]
    #[case::without_a_method(
        r#"{"url": "https://example.com/", "period": "1h"}"#,
        "example.com",
        Scope::Cluster
    )]
    #[case::never(
        r#"{"url": "https://example.com/", "method": "GET", "period": 0}"#,
        "example.com",
        Scope::Cluster
    )]
    #[tokio::test]
    async fn data_that_is_not_fetched_is_as_it_was_exported(
        #[case] config: &str,
        #[case] host: &str,
        #[case] scope: Scope,
    ) {
        assert_eq!(taken(config, &[host], &scope), files(config));
    }

    #[rstest]
    #[case("1s", "30s")]
    #[case("1h30m", "5400s")]
    #[case("720h", "86400s")]
    fn a_period_is_as_near_as_it_can_be(#[case] there: &str, #[case] here: &str) {
        let config =
            format!(r#"{{"url": "https://example.com/", "method": "GET", "period": "{there}"}}"#);
        assert_eq!(read(&config).unwrap().period, here);
    }

    /// As the service's `DataConfig` and its `createHTTPRequest` have it.
    #[rstest]
    #[case::other_names(
        r#"{"URL": "https://example.com/x", "Method": "GET", "Period": "1h"}"#,
        ""
    )]
    #[case::nanoseconds(
        r#"{"url": "https://example.com/x", "method": "GET", "period": 3.6e12}"#,
        ""
    )]
    #[case::without_a_scheme(
        r#"{"url": "example.com/x", "method": "GET", "period": "1h", "more": 1}"#,
        ""
    )]
    #[case::with_a_body_that_is_not_sent(
        r#"{"url": "https://example.com/x", "method": "GET", "period": "1h", "body": 1}"#,
        ""
    )]
    #[case::without_a_body(
        r#"{"url": "https://example.com/x", "method": "POST", "period": "1h"}"#,
        "null"
    )]
    fn is_read_as_the_service_reads_it(#[case] config: &str, #[case] body: &str) {
        let read = read(config).unwrap();
        let found = (&*read.url, &*read.period, &*read.body);
        assert_eq!(found, ("https://example.com/x", "3600s", body));
    }

    #[test]
    fn our_own_settings_come_first() {
        let mut files = files(CONFIG);
        files.insert(SETTINGS.to_owned(), "{}".to_owned());
        take(&mut files, &Scope::Cluster, &Allowance::default());
        assert_eq!(
            files.keys().collect::<Vec<_>>(),
            [DATA, "policy.rego", SETTINGS]
        );
    }

    #[test]
    fn what_is_written_is_read_as_the_same() {
        let source = read(CONFIG).unwrap();
        let http = convert::http_source(&source, &Scope::Cluster).unwrap();
        let address = "a/b@1.0".parse().unwrap();
        let mut definition = Definition::new(address, "package a.b");
        assert_eq!(write(&definition), None);
        let source_of = portcullis_policies::DataSource::fetched(http, Vec::new());
        definition.data_from = vec![source_of];
        assert_eq!(read(&write(&definition).unwrap()), Some(source));
        definition.data_from[0].path = vec!["roles".to_owned()];
        assert_eq!(write(&definition), None, "there it would be at the root");
    }
}
