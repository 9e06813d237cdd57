//! Who must not notice anything: the probes, and the admissions.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::time::interval;

use super::{
    Seconds,
    policy::{ADMISSION_PATH, REVIEW},
};
use crate::hostile::{connection::Connection, process};

/// Time from one look to the next.
const PACE: Duration = Duration::from_millis(100);

/// Looks at the server until this is dropped: at its probes, its decisions as at admission, and the
/// memory that it takes. Every fourth admission comes on a connection of its own.
pub async fn watch(address: &str, admin: &str, server: u32, seconds: &Seconds) {
    let mut ticks = interval(PACE);
    let (mut probing, mut admitting) = (None, None);
    for look in 0_u64.. {
        ticks.tick().await;
        for path in ["/livez", "/readyz"] {
            let (time, well) = timed(ask(admin, &mut probing, "GET", path, b"")).await;
            seconds.note(|second| {
                second.probes.push(time);
                second.unwell += usize::from(!well);
            });
        }
        if look % 4 == 0 {
            admitting = None;
        }
        let (time, well) =
            timed(ask(address, &mut admitting, "POST", ADMISSION_PATH, REVIEW)).await;
        seconds.note(|second| {
            second.admissions.push(time);
            second.unwell += usize::from(!well);
            second.resident = process::resident(server).unwrap_or(0);
        });
    }
}

async fn timed(asked: impl Future<Output = Result<()>>) -> (Duration, bool) {
    let begin = Instant::now();
    let well = asked.await.is_ok();
    (begin.elapsed(), well)
}

async fn ask(
    address: &str,
    kept: &mut Option<Connection>,
    method: &str,
    path: &str,
    body: &[u8],
) -> Result<()> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => Connection::open(address).await?,
    };
    let answer = connection.ask(method, path, body).await?;
    ensure!(
        answer.status == 200,
        "{path} was answered {}",
        answer.status
    );
    if method == "POST" {
        let review: serde_json::Value = serde_json::from_slice(&answer.body)?;
        let response = &review["response"];
        let judged = response["auditAnnotations"]["policies"].is_string();
        ensure!(response["allowed"] == true && judged, "{review}");
    }
    *kept = Some(connection);
    Ok(())
}
