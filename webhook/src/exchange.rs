//! The bodies of one exchange, so that its connection tells who waits for whom: while a request's
//! body comes and until its answer is read, it is the server that waits.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    response::{IntoResponse as _, Response},
};
use hyper::body::{Frame, Incoming, SizeHint};

use crate::{
    body::{Part, Room},
    connections::{UnderWay, Waiting},
    problem::Problem,
};

/// Bytes that are given out at once: as many as a connection buffers. So what is not given out yet
/// is what its client has not read, and about a second of these.
const CHUNK: usize = 64 << 10;

/// The body of a request.
pub(crate) struct Asking {
    body: Incoming,
    waiting: Option<Waiting>,
}

/// The body of an answer.
struct Answering {
    body: Body,
    /// Of the frame that was taken last, what was not given out.
    rest: Bytes,
    // In the order in which they are to be dropped.
    _part: Option<Part>,
    _waiting: Waiting,
    _under_way: UnderWay,
}

impl Asking {
    pub(crate) fn new(body: Incoming, under_way: &UnderWay) -> Self {
        let waiting = (!body.is_end_stream()).then(|| under_way.wait());
        Self { body, waiting }
    }
}

/// The response to a request that ends when all of it was taken. A large one needs room; where there
/// is none, because others do not read theirs, it is refused.
pub(crate) fn answer(response: Response, under_way: UnderWay, room: &Room) -> Response {
    let size = response.body().size_hint().lower();
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let part = (size > CHUNK).then(|| room.take(size));
    let (response, part) = match part {
        Some(None) => {
            let detail = "there is no room for the answer beside those that are not read yet";
            (Problem::overloaded(detail).into_response(), None)
        }
        part => (response, part.flatten()),
    };
    response.map(|body| {
        Body::new(Answering {
            body,
            rest: Bytes::new(),
            _part: part,
            _waiting: under_way.wait(),
            _under_way: under_way,
        })
    })
}

impl HttpBody for Asking {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if self.body.is_end_stream() || !matches!(frame, Some(Ok(_))) {
            self.waiting = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                ended => return Poll::Ready(ended),
            };
            match frame.into_data() {
                Ok(data) => self.rest = data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        let length = self.rest.len().min(CHUNK);
        let chunk = self.rest.split_to(length);
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let body = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower().saturating_add(rest));
        if let Some(upper) = body.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connections::{Connections, Place};
    use http_body_util::BodyExt as _;
    use std::{net::Ipv4Addr, sync::Arc};

    async fn place() -> Arc<Place> {
        Connections::new(1).enter(Ipv4Addr::LOCALHOST.into()).await
    }

    #[tokio::test]
    async fn an_answer_comes_as_it_is_in_parts() {
        let text = "0123456789".repeat(CHUNK / 4);
        let room = Room::for_answers();
        let response = Response::new(Body::from(text.clone()));
        let mut body = answer(response, place().await.begin(), &room).into_body();
        let mut read = String::new();
        while !body.is_end_stream() {
            let left = (text.len() - read.len()) as u64;
            assert_eq!(body.size_hint().exact(), Some(left));
            let chunk = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert!(chunk.len() <= CHUNK);
            read.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        assert_eq!(read, text);
    }

    #[tokio::test]
    async fn large_answers_have_room_until_they_are_read() {
        let room = Room::for_answers();
        let (place, large, small) = (place().await, "x".repeat(32 << 20), "x".repeat(CHUNK));
        let ask = |text: &str| {
            answer(
                Response::new(Body::from(text.to_owned())),
                place.begin(),
                &room,
            )
        };
        let unread = [ask(&large), ask(&large)];
        assert_eq!(ask(&small).status(), 200);
        let refused = ask(&large);
        assert_eq!(refused.status(), 503);
        let problem = refused.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&problem).contains("POLICY.OVERLOADED"));
        drop(unread);
        assert_eq!(ask(&large).status(), 200);
    }
}
