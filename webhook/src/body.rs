//! Reads the body of a request: bounded in size, in time and, over all requests, in memory. Answers
//! that are not read yet have their room, too.

use std::{sync::Arc, time::Instant};

use axum::{
    body::{Body, Bytes, HttpBody as _},
    http::StatusCode,
};
use http_body_util::BodyExt as _;
use portcullis_policies::Code;
use serde::{Deserialize, de};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;

/// Longest review. The API server takes objects of 3 MiB and a review carries two of them, the
/// object and the old one; the rest is room for what stands around them.
pub(crate) const MAX_REVIEW: usize = 8 << 20;

/// Longest input of an evaluation: an object as large as the API server takes, and room.
pub(crate) const MAX_INPUT: usize = 4 << 20;

/// Bodies that one door holds at a time. A document takes about ten times its text in memory at
/// worst, so a door's bodies cost some 300 MiB at worst; of the usual size of 10 KiB there is
/// room for three thousand, more than the queue takes.
const ALL_BODIES: usize = 32 << 20;

/// Large answers that a server holds at a time, until they are read. One result can have eight
/// million bytes, each of which can take six in JSON.
const ALL_ANSWERS: usize = 64 << 20;

/// The unit in which the room is counted.
const UNIT: usize = 1 << 10;

/// Bytes that are reserved for a body before the first of them came, whatever its length is said
/// to be.
const FIRST_CAPACITY: usize = 16 << 10;

/// The room that a door has for the bodies of all its requests, or a server for its answers.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<Semaphore>);

/// A part of a room, until it is dropped.
pub(crate) type Part = OwnedSemaphorePermit;

/// A body, and the room that it takes until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    _place: Option<Part>,
}

impl Held {
    /// A body that takes no room of a door.
    pub(crate) fn alone(bytes: Vec<u8>) -> Self {
        Self {
            bytes: bytes.into(),
            _place: None,
        }
    }
}

impl Room {
    /// Room for bodies.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(ALL_BODIES / UNIT)))
    }

    /// Room for large answers.
    pub(crate) fn for_answers() -> Self {
        Self(Arc::new(Semaphore::new(ALL_ANSWERS / UNIT)))
    }

    /// Room for this many bytes, if there is any.
    pub(crate) fn take(&self, bytes: usize) -> Option<Part> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?;
        self.0.clone().try_acquire_many_owned(units).ok()
    }

    /// Takes room for a text that was made of a body, if there is any.
    pub(crate) fn hold(&self, bytes: Vec<u8>) -> Result<Held, Problem> {
        let mut place = None;
        self.grow(&mut place, bytes.len())?;
        Ok(Held {
            bytes: bytes.into(),
            _place: place,
        })
    }

    /// Reads a body of at most `limit` bytes until `deadline`. Room is taken as bytes come, so
    /// that a caller who sends none takes none.
    pub(crate) async fn read(
        &self,
        body: Body,
        limit: usize,
        deadline: Instant,
    ) -> Result<Held, Problem> {
        tokio::time::timeout_at(deadline.into(), self.collect(body, limit))
            .await
            .unwrap_or_else(|_| {
                let detail = "the body did not come in time";
                Err(Problem::new(
                    StatusCode::REQUEST_TIMEOUT,
                    Code::InputInvalid.as_str(),
                    detail,
                ))
            })
    }

    async fn collect(&self, mut body: Body, limit: usize) -> Result<Held, Problem> {
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > limit {
            return Err(too_large(limit));
        }
        let mut bytes = Vec::with_capacity(announced.min(FIRST_CAPACITY));
        let mut place: Option<Part> = None;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                Problem::input_invalid(format!("the body cannot be read: {error}"))
            })?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if bytes.len() + data.len() > limit {
                return Err(too_large(limit));
            }
            bytes.extend_from_slice(&data);
            self.grow(&mut place, bytes.len())?;
        }
        Ok(Held {
            bytes: Bytes::from(bytes),
            _place: place,
        })
    }

    fn grow(&self, place: &mut Option<Part>, bytes: usize) -> Result<(), Problem> {
        let held = place.as_ref().map_or(0, Part::num_permits) * UNIT;
        if bytes <= held {
            return Ok(());
        }
        let more = self.take(bytes - held).ok_or_else(|| {
            Problem::overloaded("there is no room for the body beside those of other requests")
        })?;
        match place {
            Some(place) => place.merge(more),
            None => *place = Some(more),
        }
        Ok(())
    }
}

/// Reads the members of an object. Serde takes them of a list too, one after the other, which nobody means.
pub(crate) fn read_object<'de, T: Deserialize<'de>>(text: &'de [u8]) -> serde_json::Result<T> {
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    if first.is_some_and(|first| *first != b'{') {
        return Err(de::Error::custom("it is no object"));
    }
    serde_json::from_slice(text)
}

pub(crate) fn too_large(limit: usize) -> Problem {
    let limit = portcullis_policies::Bytes(u64::try_from(limit).unwrap_or(u64::MAX));
    let detail = format!("the body is larger than {limit}");
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        Code::InputInvalid.as_str(),
        detail,
    )
    .with_remedy("send only what the policy reads")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn soon() -> Instant {
        Instant::now() + Duration::from_mins(1)
    }

    async fn read(room: &Room, bytes: usize, limit: usize) -> Result<Held, u16> {
        let body = Body::from(vec![b' '; bytes]);
        room.read(body, limit, soon())
            .await
            .map_err(|problem| problem.status.as_u16())
    }

    #[test]
    fn a_limit_is_told_in_its_own_unit() {
        let told = |limit| too_large(limit).detail;
        assert_eq!(told(MAX_INPUT), "the body is larger than 4 MiB");
        assert_eq!(told(16 << 10), "the body is larger than 16 KiB");
    }

    #[tokio::test]
    async fn the_limit_is_the_last_size_that_is_read() {
        let room = Room::new();
        assert_eq!(read(&room, 0, 100).await.unwrap().bytes.len(), 0);
        assert_eq!(read(&room, 100, 100).await.unwrap().bytes.len(), 100);
        assert_eq!(read(&room, 101, 100).await.unwrap_err(), 413);
    }

    #[tokio::test]
    async fn a_body_of_unknown_length_is_limited_as_well() {
        let chunks = futures::stream::iter((0..5).map(|_| Ok::<_, axum::Error>(vec![b' '; 30])));
        let problem = Room::new()
            .read(Body::from_stream(chunks), 100, soon())
            .await
            .unwrap_err();
        assert_eq!(problem.status.as_u16(), 413);
    }

    #[tokio::test]
    async fn all_bodies_together_are_limited_until_they_are_dropped() {
        let room = Room::new();
        let mut held = Vec::new();
        for _ in 0..ALL_BODIES / MAX_REVIEW {
            held.push(read(&room, MAX_REVIEW, MAX_REVIEW).await.unwrap());
        }
        assert_eq!(read(&room, 1, MAX_REVIEW).await.unwrap_err(), 503);
        assert_eq!(read(&room, 0, MAX_REVIEW).await.unwrap().bytes.len(), 0);
        held.pop();
        assert_eq!(
            read(&room, MAX_REVIEW, MAX_REVIEW)
                .await
                .unwrap()
                .bytes
                .len(),
            MAX_REVIEW
        );
    }

    #[tokio::test]
    async fn a_body_that_never_comes_is_not_waited_for() {
        let silence = futures::stream::pending::<Result<Vec<u8>, axum::Error>>();
        let problem = Room::new()
            .read(Body::from_stream(silence), 100, Instant::now())
            .await;
        assert_eq!(problem.unwrap_err().status.as_u16(), 408);
    }
}
