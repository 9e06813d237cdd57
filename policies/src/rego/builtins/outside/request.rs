//! What `http.send` is to send, from its operand.

use std::time::Duration;

use regorus::value::Object;

use super::super::{Fault, Result as Called, time::duration};
use crate::{
    outside::{DEFAULT_TIMEOUT, HttpRequest, MAX_BODY, OutsideFault},
    rego::value::{self, Value, json, number},
};

/// A request, and how its answer is read.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) request: HttpRequest,
    /// Reads the body as JSON whatever its type.
    pub(super) reads_json: bool,
}

type Result<T> = std::result::Result<T, OutsideFault>;

/// Options that are not supported, and what a policy does instead.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("tls_ca_cert_file", "give the certificates as `tls_ca_cert`"),
    (
        "tls_ca_cert_env_variable",
        "give the certificates as `tls_ca_cert`",
    ),
    ("tls_client_cert", CLIENT),
    ("tls_client_cert_file", CLIENT),
    ("tls_client_cert_env_variable", CLIENT),
    ("tls_client_key", CLIENT),
    ("tls_client_key_file", CLIENT),
    ("tls_client_key_env_variable", CLIENT),
    ("tls_server_name", "a server proves the name of its URL"),
];

const CLIENT: &str = "this client has no certificate";

/// Whether a failure is one of the function. Nothing else is looked at before.
pub(super) fn raises_error(options: &Object) -> Called<bool> {
    match option(options, "raise_error") {
        None => Ok(true),
        Some(Value::Bool(raises)) => Ok(*raises),
        Some(_) => Err(Fault::Value(
            "invalid value for raise_error field".to_owned(),
        )),
    }
}

/// What two requests have in common that are the same: all, but for headers that are to be ignored.
pub(super) fn key(options: &Object) -> Result<Value> {
    let ignored = match option(options, "cache_ignored_headers") {
        None => Vec::new(),
        Some(list) => {
            let texts = value::elements(list).map(|list| list.iter().map(|one| one.as_string()));
            let texts: Option<std::result::Result<Vec<_>, _>> = texts.map(Iterator::collect);
            texts.and_then(std::result::Result::ok).ok_or_else(|| {
                invalid("cache_ignored_headers must be an array of strings".to_owned())
            })?
        }
    };
    let is_ignored = |name: &Value| {
        ignored
            .iter()
            .any(|one| Value::String((*one).clone()) == *name)
    };
    let members = options.iter().map(|(name, value)| {
        let value = match value {
            Value::Object(headers) if *name == Value::from("headers") => headers
                .iter()
                .filter(|(name, _)| !is_ignored(name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect::<std::collections::BTreeMap<_, _>>()
                .into(),
            _ if *name == Value::from("cache_ignored_headers") => Value::Null,
            value => value.clone(),
        };
        (name.clone(), value)
    });
    Ok(members.collect::<std::collections::BTreeMap<_, _>>().into())
}

/// Reads the options. Those that OPA does not know are an error as in OPA.
pub(super) fn read(options: &Object) -> Result<Sending> {
    let mut sending = Sending {
        request: HttpRequest {
            method: String::new(),
            url: String::new(),
            headers: Vec::new(),
            body: Vec::new(),
            follows_redirects: false,
            authorities: None,
            trusts_system: false,
            time: DEFAULT_TIMEOUT,
        },
        reads_json: false,
    };
    for required in ["method", "url"] {
        if option(options, required).is_none() {
            let message = format!("missing required request parameters(s): {{\"{required}\"}}");
            return Err(invalid(message));
        }
    }
    let mut raw_body = None;
    for (name, value) in options.iter() {
        let name = name.as_string().map_or("", |name| name);
        set(&mut sending, &mut raw_body, name, value)?;
    }
    let request = &mut sending.request;
    if let Some(raw) = raw_body {
        request.body = raw;
    }
    if request.body.len() > MAX_BODY {
        return Err(refused(&format!("a body has at most {MAX_BODY} bytes")));
    }
    request.trusts_system |= request.authorities.is_none();
    Ok(sending)
}

fn set(
    sending: &mut Sending,
    raw_body: &mut Option<Vec<u8>>,
    name: &str,
    value: &Value,
) -> Result<()> {
    if let Some((_, instead)) = UNSUPPORTED.iter().find(|(option, _)| *option == name) {
        return Err(refused(&format!("`{name}` is not supported: {instead}")));
    }
    let request = &mut sending.request;
    match name {
        "method" => request.method = text(name, value)?.to_uppercase(),
        "url" => text(name, value)?.clone_into(&mut request.url),
        "raw_body" => *raw_body = Some(text(name, value)?.into()),
        "body" => request.body = json::write(value).into_bytes(),
        "headers" => request.headers = headers(value)?,
        "timeout" => request.time = timeout(value)?,
        "enable_redirect" => request.follows_redirects = truth(name, value)?,
        "force_json_decode" => sending.reads_json = boolean(name, value)?,
        "tls_ca_cert" => request.authorities = Some(text(name, value)?.replace("\\n", "\n")),
        "tls_use_system_certs" => request.trusts_system = truth(name, value)?,
        "tls_insecure_skip_verify" if truth(name, value)? => {
            return Err(refused(&format!(
                "`{name}` is not supported: certificates are checked"
            )));
        }
        "force_yaml_decode" if boolean(name, value)? => {
            return Err(refused(&format!(
                "`{name}` is not supported: read `raw_body`"
            )));
        }
        "cache" | "force_cache" if boolean(name, value)? => {
            let instead = "an answer is kept for one evaluation; `cache.set` keeps more";
            return Err(refused(&format!("`{name}` is not supported: {instead}")));
        }
        "max_retry_attempts" => retries(name, value)?,
        "tls_insecure_skip_verify"
        | "force_yaml_decode"
        | "cache"
        | "force_cache"
        | "raise_error"
        | "cache_ignored_headers"
        | "caching_mode"
        | "force_cache_duration_seconds" => {}
        unknown => {
            let unknown = json::write(&Value::from(unknown));
            return Err(invalid(format!(
                "invalid request parameters(s): {{{unknown}}}"
            )));
        }
    }
    Ok(())
}

fn headers(value: &Value) -> Result<Vec<(String, String)>> {
    let Value::Object(headers) = value else {
        return Err(invalid("invalid type for headers key".to_owned()));
    };
    let mut read: Vec<(String, String)> = Vec::new();
    for (name, value) in headers.iter() {
        let name = json::key_text(name).to_lowercase();
        let Value::String(value) = value else {
            let value = json::write(value);
            return Err(invalid(format!("invalid type for headers value {value}")));
        };
        if name == "host" {
            let message = "the header `Host` is not supported: a server is asked by its own name";
            return Err(refused(message));
        }
        if !read.iter().any(|(known, _)| *known == name) {
            read.push((name, value.to_string()));
        }
    }
    Ok(read)
}

/// Nanoseconds, or a duration of Go. What is not above nought is no limit.
fn timeout(value: &Value) -> Result<Duration> {
    let nanoseconds = match value {
        Value::String(text) => text.parse().ok().or_else(|| duration::go(text)),
        value => number::as_i64(value),
    };
    let Some(nanoseconds) = nanoseconds else {
        return Err(invalid(format!(
            "invalid timeout value {}",
            json::write(value)
        )));
    };
    Ok(u64::try_from(nanoseconds).map_or(Duration::ZERO, Duration::from_nanos))
}

fn retries(name: &str, value: &Value) -> Result<()> {
    match number::as_i64(value) {
        Some(0) => Ok(()),
        Some(1..) => Err(refused(&format!(
            "`{name}` is not supported: a request is sent once"
        ))),
        _ => {
            let value = json::write(value);
            Err(invalid(format!(
                "invalid value {value} for field \"{name}\""
            )))
        }
    }
}

/// A text, without quotes around it, as OPA takes it.
fn text<'v>(name: &str, value: &'v Value) -> Result<&'v str> {
    match value {
        Value::String(text) => Ok(text.trim_matches('"')),
        _ => Err(invalid(format!("\"{name}\" must be a string"))),
    }
}

fn boolean(name: &str, value: &Value) -> Result<bool> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        _ => Err(invalid(format!("invalid value for \"{name}\" field"))),
    }
}

/// A truth value as Go parses one of its text: `1` and `0`, too.
fn truth(name: &str, value: &Value) -> Result<bool> {
    match (value, number::as_i64(value)) {
        (Value::Bool(truth), _) => Ok(*truth),
        (_, Some(1)) => Ok(true),
        (_, Some(0)) => Ok(false),
        _ => Err(invalid(format!("invalid value for \"{name}\" field"))),
    }
}

fn option<'o>(options: &'o Object, name: &str) -> Option<&'o Value> {
    options.get(&Value::from(name))
}

fn invalid(message: String) -> OutsideFault {
    OutsideFault::Invalid(message)
}

fn refused(message: &str) -> OutsideFault {
    OutsideFault::Refused(message.to_owned())
}
