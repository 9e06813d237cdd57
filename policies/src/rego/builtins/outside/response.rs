//! What `http.send` answers, from what a server answered.

use std::collections::BTreeMap;

use crate::{
    outside::{HttpResponse, OutsideFault},
    rego::value::{
        self, Value,
        json::{self, Fault},
    },
};

/// Statuses of answers that are the same for the same request within an evaluation: OPA's.
const KEPT: [i64; 11] = [200, 203, 204, 206, 300, 301, 404, 405, 410, 414, 501];

/// Whether an answer is kept.
pub(super) fn is_kept(answer: &Value) -> bool {
    let name = Value::from("status_code");
    let code = value::get(answer, &name).and_then(value::number::as_i64);
    code.is_some_and(|code| KEPT.contains(&code))
}

/// The answer as a value. The body is read if it is JSON or is to be read as such, and is null
/// where it cannot be.
pub(super) fn read(response: &HttpResponse, reads_json: bool) -> Result<Value, OutsideFault> {
    let body = if reads_json || is_json(content_type(response)) {
        read_json(&response.body)?
    } else if is_yaml(content_type(response)) {
        let message = "an answer in YAML is not supported: ask for JSON with the header `Accept`";
        return Err(OutsideFault::Refused(message.to_owned()));
    } else {
        Value::Null
    };
    let raw = std::str::from_utf8(&response.body)
        .map_err(|_| OutsideFault::Refused("the answer is not UTF-8".to_owned()))?;
    let mut headers: BTreeMap<Value, Vec<Value>> = BTreeMap::new();
    for (name, value) in &response.headers {
        let values = headers.entry(Value::from(name.as_str())).or_default();
        values.push(Value::from(value.as_str()));
    }
    let headers = headers.into_iter();
    let headers = headers.map(|(name, values)| (name, Value::from(values)));
    Ok(object([
        ("status", Value::from(response.status.as_str())),
        ("status_code", Value::from(u64::from(response.status_code))),
        ("body", body),
        ("raw_body", Value::from(raw)),
        ("headers", headers.collect::<BTreeMap<_, _>>().into()),
    ]))
}

/// What a failure is where it is not raised. The messages are ours.
pub(super) fn of_fault(fault: &OutsideFault) -> Value {
    let code = match fault {
        OutsideFault::Network(_) => "eval_http_send_network_error",
        OutsideFault::Invalid(_) | OutsideFault::Refused(_) => "eval_http_send_internal_error",
    };
    let error = object([
        ("code", Value::from(code)),
        ("message", Value::from(fault.to_string())),
    ]);
    object([("status_code", Value::from(0_u64)), ("error", error)])
}

/// The first value of a document, as OPA reads it; what follows does not matter.
fn read_json(body: &[u8]) -> Result<Value, OutsideFault> {
    match json::read_first(body) {
        Ok(value) => Ok(value),
        Err(fault @ (Fault::Digits { .. } | Fault::Noughts | Fault::Depth)) => {
            Err(OutsideFault::Refused(format!("the answer: {fault}")))
        }
        Err(_) => Ok(Value::Null),
    }
}

fn content_type(response: &HttpResponse) -> &str {
    let mut headers = response.headers.iter();
    headers
        .find(|(name, _)| name == "content-type")
        .map_or("", |(_, value)| value)
}

/// `application/json`, or `application/` something `+json`, with parameters or without.
fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';');
    let media = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_parameter = |part: &str| {
        let part = part.trim();
        part.is_empty()
            || part
                .split_once('=')
                .is_some_and(|(name, value)| !name.trim().is_empty() && !value.is_empty())
    };
    let subtype = media.strip_prefix("application/");
    let subtype = subtype.filter(|subtype| !subtype.contains('/'));
    subtype.is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
        && parts.all(is_parameter)
}

fn is_yaml(content_type: &str) -> bool {
    let kinds = ["application/yaml", "application/x-yaml"];
    kinds.iter().any(|kind| content_type.contains(kind))
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let members = members.into_iter();
    let members = members.map(|(name, value)| (Value::from(name), value));
    members.collect::<BTreeMap<_, _>>().into()
}
