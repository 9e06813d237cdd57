//! An entry as it is written: OPA's `EventV1` of `v1/plugins/logs/plugin.go` (OPA 1.22).

use std::{collections::BTreeMap, fmt::Write as _};

use portcullis_policies::{Document, Timestamp};
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::Value as Json;

/// Entries above this length have a short form, for receivers that take little at a time.
const SHORTENED: usize = 4 << 10;

/// An entry, written.
#[derive(Debug)]
pub struct LogEntry {
    /// The members of the object, without what stands around them.
    members: Box<str>,
    /// The same without input and result, where that is less.
    short: Option<Box<str>>,
    /// What went wrong, which has another shape on a console.
    error: Option<Fault>,
    time: Timestamp,
}

/// What went wrong with an evaluation.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Fault {
    pub(super) code: String,
    pub(super) message: String,
}

/// The members of an entry, but for its error.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Event<'a> {
    pub(super) labels: &'a BTreeMap<String, String>,
    pub(super) decision_id: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) bundles: BTreeMap<String, Revision>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) input: Option<&'a Document>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<&'a Document>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) erased: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) masked: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) requested_by: Option<String>,
    pub(super) timestamp: Timestamp,
    pub(super) metrics: Metrics,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) req_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) custom: Option<&'a Json>,
}

/// What a policy is known by: its digest.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Revision {
    pub(super) revision: String,
}

/// What was measured, under OPA's names, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metrics {
    pub(super) reading: u64,
    pub(super) evaluation: u64,
    pub(super) handling: u64,
}

impl Serialize for Metrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        // A policy is compiled before it is asked, never for a request.
        map.serialize_entry("counter_server_query_cache_hit", &1)?;
        map.serialize_entry("timer_rego_input_parse_ns", &self.reading)?;
        map.serialize_entry("timer_rego_query_eval_ns", &self.evaluation)?;
        map.serialize_entry("timer_server_handler_ns", &self.handling)?;
        map.end()
    }
}

impl LogEntry {
    /// Writes an entry.
    pub(super) fn of(event: &Event<'_>, error: Option<Fault>) -> Self {
        let members = members_of(event);
        let short = (members.len() > SHORTENED).then(|| {
            let left_out = [("/input", event.input), ("/result", event.result)];
            let left_out = left_out
                .into_iter()
                .filter(|(_, document)| document.is_some());
            let mut erased = event.erased.to_vec();
            erased.extend(left_out.map(|(path, _)| path.to_owned()));
            members_of(&Event {
                input: None,
                result: None,
                erased: &erased,
                masked: &[],
                custom: None,
                ..event.clone()
            })
        });
        Self {
            members,
            short,
            error,
            time: event.timestamp,
        }
    }

    /// An entry with one member, of this text.
    #[cfg(test)]
    pub(super) fn of_text(text: &str) -> Self {
        Self {
            members: format!("\"text\":\"{text}\"").into(),
            short: None,
            error: None,
            time: Timestamp::UNIX_EPOCH,
        }
    }

    /// The entry as OPA uploads it: one JSON object.
    pub fn object(&self) -> String {
        self.written(&self.members)
    }

    /// The same without input and result, for who has no room for more; `None` where that is no less.
    pub fn short_object(&self) -> Option<String> {
        self.short.as_ref().map(|short| self.written(short))
    }

    fn written(&self, members: &str) -> String {
        let mut text = String::with_capacity(members.len() + 2);
        text.push('{');
        text.push_str(members);
        if let Some(error) = &self.error {
            let error = serde_json::to_string(error).unwrap_or_default();
            // Writing to a String cannot fail.
            let _ = write!(text, ",\"error\":{error}");
        }
        text.push('}');
        text
    }

    /// The entry as OPA writes it to a console: one line, with its end.
    pub fn line(&self) -> String {
        let mut text = String::with_capacity(self.members.len() + 160);
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "{{\"level\":\"info\",\"msg\":\"Decision Log\",\"time\":\"{:.0}\",\
             \"type\":\"openpolicyagent.org/decision_logs\",{}",
            self.time, self.members
        );
        if let Some(Fault { code, message }) = &self.error {
            let error = serde_json::to_string(&format!("{code}: {message}"));
            let _ = write!(text, ",\"error\":{}", error.unwrap_or_default());
        }
        text.push_str("}\n");
        text
    }

    /// Memory that it takes, in bytes.
    pub fn bytes(&self) -> usize {
        let error = self.error.as_ref();
        let error = error.map_or(0, |error| error.code.len() + error.message.len());
        let short = self.short.as_ref().map_or(0, |short| short.len());
        self.members.len() + short + error + size_of::<Self>()
    }
}

/// The members of an event as JSON, between commas.
fn members_of(event: &Event<'_>) -> Box<str> {
    let text = serde_json::to_string(event).expect("an event is made of texts and documents");
    let inner = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'));
    inner.expect("an event is an object").into()
}
