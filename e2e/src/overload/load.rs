//! Callers, each with a connection of its own, who ask at a rate whatever they are answered.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use futures::future::join_all;
use serde_json::Value;
use tokio::time::{sleep, sleep_until};

use super::{
    Answered, Seconds,
    policy::{WORK_PATH, input},
};
use crate::hostile::connection::{Answer, Connection};

/// How long a caller says that it waits. Half of it may be spent on waiting for a thread.
const TIMEOUT: &str = "x-request-timeout: 2s";

/// After a failure, a caller tries again so much later.
const PAUSE: Duration = Duration::from_millis(50);

/// Who asks for what, and how often.
#[derive(Clone, Debug)]
pub struct Load {
    /// The server's address.
    pub address: String,
    /// How much work each request is.
    pub work: u64,
    /// Callers.
    pub callers: u32,
    /// Requests a second, of all callers together; without it, each asks as soon as it was answered.
    pub rate: Option<f64>,
}

impl Load {
    /// Asks for so long.
    pub async fn run(&self, time: Duration, seconds: &Seconds) {
        let begin = Instant::now();
        let turns = Turns {
            next: AtomicU32::new(0),
            begin,
            interval: self
                .rate
                .map_or(Duration::ZERO, |rate| Duration::from_secs_f64(1.0 / rate)),
        };
        let callers = (0..self.callers).map(|_| self.call(&turns, begin + time, seconds));
        join_all(callers).await;
    }

    async fn call(&self, turns: &Turns, end: Instant, seconds: &Seconds) {
        let mut connection = None;
        loop {
            let (number, due) = turns.next();
            sleep_until(due.min(end).into()).await;
            let begin = Instant::now();
            if begin >= end {
                return;
            }
            seconds.note(|second| second.offered += 1);
            let answered = self.ask(&mut connection, number).await;
            seconds.answered(answered, begin.elapsed());
            if answered == Answered::Failed {
                sleep(PAUSE).await;
            }
        }
    }

    async fn ask(&self, kept: &mut Option<Connection>, number: u32) -> Answered {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => match Connection::open(&self.address).await {
                Ok(connection) => connection.with_header(TIMEOUT),
                Err(_) => return Answered::Failed,
            },
        };
        let body = input(self.work, number.into());
        let Ok(answer) = connection.ask("POST", WORK_PATH, body.as_bytes()).await else {
            return Answered::Failed;
        };
        *kept = Some(connection);
        judge(&answer, number.is_multiple_of(2))
    }
}

/// The requests of all callers together: whoever is free makes the next one, so that those who are kept
/// waiting do not make the load less.
struct Turns {
    next: AtomicU32,
    begin: Instant,
    interval: Duration,
}

impl Turns {
    /// The next request's number, and when it is due.
    fn next(&self) -> (u32, Instant) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number, self.begin + self.interval * number)
    }
}

/// What an answer is, where `allowed` is what is right.
fn judge(answer: &Answer, allowed: bool) -> Answered {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match answer.status {
        200 if body["allowed"] == allowed && body["outcome"] != "error" => Answered::Served,
        // Its time was over in the midst of it.
        200 if body["allowed"] == false && body["outcome"] == "error" => Answered::Refused,
        200 => Answered::Wrong,
        503 if body["code"] == "POLICY.OVERLOADED" => Answered::Refused,
        _ => Answered::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_right_or_a_refusal_or_wrong() {
        let judged = |status: u16, body: &str, allowed: bool| {
            let body = body.as_bytes().to_vec();
            judge(&Answer { status, body }, allowed)
        };
        let (allows, denies) = (
            r#"{"allowed": true, "outcome": "allowed"}"#,
            r#"{"allowed": false, "outcome": "denied"}"#,
        );
        let late = r#"{"allowed": false, "outcome": "error"}"#;
        let overloaded = r#"{"code": "POLICY.OVERLOADED"}"#;
        assert_eq!(judged(200, allows, true), Answered::Served);
        assert_eq!(judged(200, denies, false), Answered::Served);
        assert_eq!(judged(200, allows, false), Answered::Wrong);
        assert_eq!(judged(200, denies, true), Answered::Wrong);
        assert_eq!(judged(200, late, true), Answered::Refused);
        assert_eq!(judged(503, overloaded, true), Answered::Refused);
        assert_eq!(judged(500, overloaded, true), Answered::Failed);
        assert_eq!(judged(503, "", true), Answered::Failed);
    }
}
