//! What is answered, in OPA's shapes.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    http::header::CONTENT_TYPE,
    response::{IntoResponse as _, Response},
};
use portcullis_policies::{Document, Entry, go_json};
use serde::Serialize;
use utoipa::ToSchema;

use super::options::Options;

/// A document, and what was asked for beside it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DataAnswer {
    /// The decision's id.
    #[schema(value_type = String)]
    pub(super) decision_id: Arc<str>,
    /// What answered, with `provenance`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) provenance: Option<Provenance>,
    /// What policies note by `trace`, with `explain=notes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) explanation: Option<Vec<String>>,
    /// Times in nanoseconds and counts, with `metrics` or `instrument`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<String, u64>>)]
    pub(super) metrics: Option<Metrics>,
    /// The document; absent where it is undefined.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub(super) result: Option<Document>,
    /// What is odd about the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) warning: Option<Warning>,
}

/// What is odd about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Warning {
    code: &'static str,
    message: &'static str,
}

/// What a body without `input` is answered with, in OPA's words.
pub(super) const INPUT_MISSING: Warning = Warning {
    code: "api_usage_warning",
    message: "'input' key missing from the request",
};

/// What answered. Nothing of a build is told: the same source makes the same binary, and clients take an
/// empty time for none.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Provenance {
    /// This server's version.
    version: &'static str,
    /// The policies that were asked, by their addresses.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    bundles: BTreeMap<String, Revision>,
}

/// The state of a policy.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Revision {
    /// Its digest.
    #[schema(example = "sha256:…")]
    revision: String,
}

/// Times in nanoseconds and counts, by OPA's names.
pub(super) type Metrics = BTreeMap<&'static str, u64>;

/// What an answer took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    begin: Instant,
    pub(super) parse: Duration,
    pub(super) compile: Duration,
    pub(super) evaluate: Duration,
}

impl Provenance {
    pub(super) fn of(entries: &[Arc<Entry>]) -> Self {
        let bundle = |entry: &Arc<Entry>| {
            let revision = entry.policy.digest().to_string();
            (entry.address().to_string(), Revision { revision })
        };
        Self {
            version: env!("CARGO_PKG_VERSION"),
            bundles: entries.iter().map(bundle).collect(),
        }
    }
}

impl Timing {
    pub(super) fn since(begin: Instant) -> Self {
        Self {
            begin,
            parse: Duration::ZERO,
            compile: Duration::ZERO,
            evaluate: Duration::ZERO,
        }
    }

    /// Of a document: policies are compiled before anybody asks, which OPA counts as a hit of its
    /// cache. Nothing outside resolves references, which OPA tells where there is an input.
    pub(super) fn of_document(self, has_input: bool) -> Metrics {
        let mut metrics = BTreeMap::from([
            ("counter_server_query_cache_hit", 1),
            ("timer_rego_input_parse_ns", nanoseconds(self.parse)),
            ("timer_rego_query_eval_ns", nanoseconds(self.evaluate)),
            ("timer_server_handler_ns", nanoseconds(self.begin.elapsed())),
        ]);
        if has_input {
            metrics.insert("timer_rego_external_resolve_ns", 0);
        }
        metrics
    }

    /// Of a query; the whole time is told of one with a body.
    pub(super) fn of_query(self, has_body: bool) -> Metrics {
        let mut metrics = BTreeMap::from([
            ("timer_rego_query_compile_ns", nanoseconds(self.compile)),
            ("timer_rego_query_eval_ns", nanoseconds(self.evaluate)),
        ]);
        if has_body {
            metrics.insert("timer_server_handler_ns", nanoseconds(self.begin.elapsed()));
        }
        metrics
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// An answer as Go writes it, with a line break at its end.
pub(super) fn json(answer: &impl Serialize, options: Options) -> Response {
    let text = if options.pretty {
        go_json::pretty(answer)
    } else {
        go_json::compact(answer).map(|mut text| {
            text.push('\n');
            text
        })
    };
    let text = text.expect("a bounded document must serialise");
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}
