//! `portcullis why`: what is behind a decision's id.
//!
//! ```text
//! --server URL ───────────────────────────────────────┐
//! cluster ── Pods of the webhook ── port-forward ─ TLS ┴─ GET /decisions/ID ──▶ answer ──▶ text, JSON
//! ```
//!
//! Each replica remembers what it was asked itself, so all are asked, with the caller's own token.

mod answer;
mod arguments;
mod replicas;

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use hyper::{Method, Response, StatusCode, body::Bytes};
use serde_json::Value as Json;

pub use arguments::Arguments;

use crate::{
    client::{Ask, Server},
    directory::printable,
    presentation,
};
use arguments::{Format, Place};

/// Time for one server to explain a decision, which takes five seconds at most, and to ask the API server
/// who may read it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Longest answer: the explanations of all policies, as text and for programs.
const MAX_ANSWER: usize = 32 << 20;

/// What came of asking.
#[derive(Debug)]
enum Found {
    /// A replica knows it.
    Answer(Json),
    /// None does, or the caller may not read it; what they say.
    Nothing(String),
}

/// Asks, and prints what is behind the decision: 0 when it is known, 1 when it is not or may not be
/// read, 2 when that cannot be told.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let told = tell(arguments).or_else(|error| {
        write!(io::stderr(), "{}", printable(&format!("error: {error:#}")))?;
        Ok::<u8, anyhow::Error>(2)
    })?;
    Ok(ExitCode::from(told))
}

fn tell(arguments: Arguments) -> anyhow::Result<u8> {
    let Arguments {
        id, output, all, ..
    } = &arguments;
    let (id, output, all) = (id.clone(), *output, *all);
    let runtime = tokio::runtime::Runtime::new()?;
    let found = runtime.block_on(async {
        match arguments.place()? {
            Place::Server(server) => ask(&server, &id).await,
            Place::Cluster(installation, own) => replicas::ask(installation, own, &id).await,
        }
    })?;
    match found {
        Found::Nothing(why) => {
            write!(io::stderr(), "{}", printable(&why))?;
            Ok(1)
        }
        Found::Answer(answer) => {
            let text = match output {
                Format::Text => answer::text(&answer, all),
                Format::Json => presentation::pretty(&answer)?,
                Format::Yaml => serde_saphyr::to_string(&answer)?,
            };
            let mut out = io::stdout().lock();
            write!(out, "{text}")?;
            out.flush()?;
            Ok(0)
        }
    }
}

async fn ask(server: &Server, id: &str) -> anyhow::Result<Found> {
    let path = format!("/decisions/{id}");
    let answer = server.exchange(question(&path)).await;
    read(&answer.with_context(|| format!("failed to ask {}", server.url()))?)
}

fn question(path: &str) -> Ask<'_> {
    Ask::of(Method::GET, path, MAX_ANSWER)
}

/// What a server's answer says.
fn read(answer: &Response<Bytes>) -> anyhow::Result<Found> {
    let status = answer.status();
    let document: Json = serde_json::from_slice(answer.body()).unwrap_or_default();
    if status == StatusCode::OK && document.is_object() {
        return Ok(Found::Answer(document));
    }
    let said = |name: &str| document[name].as_str();
    let detail = said("detail").unwrap_or("the answer cannot be read");
    let text = match said("remedy") {
        Some(remedy) => format!("{detail}: {remedy}"),
        None => detail.to_owned(),
    };
    if status == StatusCode::NOT_FOUND && said("code") == Some("DECISION.NOT_FOUND") {
        return Ok(Found::Nothing(text));
    }
    anyhow::bail!("{status}: {text}")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(200, r#"{"id": "a"}"#, "answer")]
    #[case(
        404,
        r#"{"code": "DECISION.NOT_FOUND", "detail": "no", "remedy": "ask"}"#,
        "no: ask"
    )]
    #[case(
        404,
        r#"{"code": "REQUEST.UNKNOWN_ROUTE", "detail": "no route"}"#,
        "404 Not Found: no route"
    )]
    #[case(
        401,
        r#"{"code": "REQUEST.UNAUTHENTICATED", "detail": "a bearer token is required"}"#,
        "401 Unauthorized: a bearer token is required"
    )]
    #[case(200, "<html>", "200 OK: the answer cannot be read")]
    #[case(502, "", "502 Bad Gateway: the answer cannot be read")]
    fn answers_are_told_apart(#[case] status: u16, #[case] body: &str, #[case] expected: &str) {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let answer = Response::builder().status(status).body(body).unwrap();
        let found = match read(&answer) {
            Ok(Found::Answer(_)) => "answer".to_owned(),
            Ok(Found::Nothing(text)) => text,
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected);
    }
}
