//! A receiver over HTTP: one chunk, and its answer.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use portcullis_policies::outside::{HttpRequest, OutsideFault};
use rustls::ClientConfig;

use crate::network::{self, Target};

/// Time for a chunk, from the look-up of the name to the answer. A receiver that writes it to a disk
/// answers within a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// Statuses of the class 4xx that another attempt can change: who may send, a receiver that is being set
/// up, and time.
const PASSING: [u16; 6] = [401, 403, 404, 408, 425, 429];

/// Who takes chunks.
#[derive(Debug)]
pub struct Receiver {
    /// With `http` or `https`.
    pub url: String,
    /// A file with the bearer token, read for each chunk.
    pub token: Option<PathBuf>,
    /// A file with the authorities of its certificate, read for each chunk; without it, the system's.
    pub authority: Option<PathBuf>,
}

/// What became of a chunk.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// It was taken.
    Taken,
    /// It was not, and may be later: not before a time, where the receiver has said one.
    Failed(String, Option<Duration>),
    /// It will never be.
    Refused(String),
}

impl Receiver {
    /// The URL without its query, for metrics and logs.
    pub(super) fn name(&self) -> String {
        let (name, _) = self.url.split_once('?').unwrap_or((&self.url, ""));
        name.to_owned()
    }

    /// Sends a chunk. `key` is the same for each attempt, so that a receiver which has taken it without
    /// being able to say so knows it again.
    pub(super) async fn send(
        &self,
        chunk: &[u8],
        key: &str,
        system: &Arc<ClientConfig>,
    ) -> Delivery {
        let request = match self.request(chunk, key) {
            Ok(request) => request,
            Err(why) => return Delivery::Failed(why, None),
        };
        let answer = match network::ask_anybody(&request, system).await {
            Ok(answer) => answer,
            // It was answered with more than anybody reads; the next answer would be no shorter.
            Err(OutsideFault::Refused(why)) => return Delivery::Refused(why),
            Err(fault) => return Delivery::Failed(fault.to_string(), None),
        };
        let header = |name: &str| {
            let mut headers = answer.headers.iter();
            headers.find(|(own, _)| own.eq_ignore_ascii_case(name))
        };
        match answer.status_code {
            200..300 => Delivery::Taken,
            status @ 400..500 if !PASSING.contains(&status) => Delivery::Refused(answer.status),
            _ => {
                // As seconds only: a date is of a clock that may be another than ours.
                let seconds =
                    header("retry-after").and_then(|(_, value)| value.trim().parse().ok());
                Delivery::Failed(answer.status, seconds.map(Duration::from_secs))
            }
        }
    }

    fn request(&self, chunk: &[u8], key: &str) -> Result<HttpRequest, String> {
        let read = |path: &PathBuf| {
            let text = fs::read_to_string(path);
            text.map_err(|error| format!("failed to read `{}`: {error}", path.display()))
        };
        let mut headers = vec![
            ("Content-Type".to_owned(), "application/json".to_owned()),
            ("Content-Encoding".to_owned(), "gzip".to_owned()),
            ("Idempotency-Key".to_owned(), key.to_owned()),
        ];
        if let Some(path) = &self.token {
            let token = read(path)?;
            headers.push((
                "Authorization".to_owned(),
                format!("Bearer {}", token.trim()),
            ));
        }
        Ok(HttpRequest {
            method: "POST".to_owned(),
            url: self.url.clone(),
            headers,
            body: chunk.to_vec(),
            follows_redirects: false,
            authorities: self.authority.as_ref().map(read).transpose()?,
            trusts_system: false,
            time: PATIENCE,
        })
    }

    /// Whether what is sent can be read on its way by others than this machine.
    pub fn is_open(&self) -> bool {
        Target::parse(&self.url).is_ok_and(|target| !target.is_private())
    }
}
