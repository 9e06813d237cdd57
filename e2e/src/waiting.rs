//! Waiting for a named condition. Nothing sleeps: what is waited for is looked at again and again,
//! until it holds or its limit is reached, and then the message says what was seen last.

use std::time::Duration;

use anyhow::{Error, Result, anyhow};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

/// The usual limit: a Pod starts within seconds, and a slow machine with two busy cores needs a
/// few times that.
pub const MINUTE: Duration = Duration::from_mins(1);

/// How often a condition is looked at: often enough that nobody waits for it, and little beside
/// what one look costs.
const PERIOD: Duration = Duration::from_millis(200);

/// Looks until `probe` succeeds, and returns what it found. Every error means "not yet"; after
/// `limit` the last one is the reason in this one's.
pub async fn until<T>(
    what: &str,
    limit: Duration,
    mut probe: impl AsyncFnMut() -> Result<T>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last: Option<Error> = None;
    loop {
        ticks.tick().await;
        match timeout_at(deadline, probe()).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(error)) => last = Some(error),
            Err(_) => last = last.or_else(|| Some(anyhow!("there was no answer"))),
        }
        if Instant::now() >= deadline {
            let reason = last.unwrap_or_else(|| anyhow!("it was never looked at"));
            return Err(reason.context(format!(
                "waited {} s for: {what}; last seen",
                limit.as_secs()
            )));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    #[tokio::test(start_paused = true)]
    async fn returns_what_was_found() {
        let mut looks = 0;
        let found = until("the third look", MINUTE, async || {
            looks += 1;
            if looks < 3 {
                bail!("look {looks}");
            }
            Ok(looks)
        })
        .await;
        assert_eq!(found.unwrap(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn says_what_was_seen_last() {
        let error = until("a miracle", MINUTE, async || -> Result<()> {
            bail!("nothing")
        })
        .await
        .unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "waited 60 s for: a miracle; last seen: nothing"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_hangs_is_given_up() {
        let error = until("an answer", MINUTE, async || -> Result<()> {
            std::future::pending().await
        })
        .await
        .unwrap_err();
        assert!(format!("{error:#}").ends_with("there was no answer"));
    }
}
