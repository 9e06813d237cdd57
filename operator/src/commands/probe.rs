//! `portcullis probe`: asks a URL, for probes and for `helm test`.

use std::{io::Write as _, path::PathBuf};

use anyhow::Context as _;
use hyper::StatusCode;

use crate::https;

/// Longest answer that is read: what is shown of it is a few lines.
const MAX_ANSWER: usize = 64 << 10;

/// Longest part of an answer that is shown, in characters.
const SHOWN: usize = 500;

/// Arguments of `portcullis probe`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The URL to ask with GET: `http://…` or `https://…`.
    pub url: String,

    /// PEM file of the authority whose certificate an `https` server has to have.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  portcullis probe http://127.0.0.1:8080/readyz
  portcullis probe https://portcullis-webhook.portcullis-system.svc:8181/readiness --ca ca.crt

Exit status: 0 when the answer is 200, 1 otherwise. TLS is 1.3; the whole question takes five
seconds at most.";

/// Asks, and fails when the answer is not 200.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let authority = match &arguments.ca {
        None => None,
        Some(path) => Some(
            std::fs::read(path)
                .with_context(|| format!("failed to read the authority `{}`", path.display()))?,
        ),
    };
    if authority.is_none() && arguments.url.starts_with("https:") {
        anyhow::bail!("`{}` is asked with TLS: add `--ca FILE`", arguments.url);
    }
    let answer = https::get(&arguments.url, authority.as_deref(), MAX_ANSWER).await;
    let (status, body) = answer.with_context(|| format!("failed to ask {}", arguments.url))?;
    let text = String::from_utf8_lossy(&body);
    let shown: String = text
        .trim()
        .chars()
        .map(|c| if c.is_control() && c != '\n' { ' ' } else { c })
        .take(SHOWN)
        .collect();
    if status != StatusCode::OK {
        anyhow::bail!("{} answers {status}: {shown}", arguments.url);
    }
    writeln!(std::io::stdout(), "{} answers 200", arguments.url)?;
    Ok(())
}
