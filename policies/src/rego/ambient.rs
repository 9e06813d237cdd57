//! What an evaluation may know of its request: the clock and the headers.
//!
//! regorus's extensions see nothing but their arguments, so the request lies in a thread-local
//! for as long as it is evaluated.

use std::{cell::RefCell, sync::Arc};

use jiff::Timestamp;
use regorus::{Engine, Value};

use crate::{Headers, Request};

/// Builtins of ours, with their number of arguments.
pub(super) const BUILTINS: [(&str, usize); 3] = [
    ("external.http.header", 1),
    ("get_header", 1),
    ("time.now_ns", 0),
];

thread_local! {
    static CURRENT: RefCell<Option<(Timestamp, Arc<Headers>)>> = const { RefCell::new(None) };
}

/// Makes a request readable until it is dropped.
pub(super) struct Guard;

impl Guard {
    pub(super) fn enter(request: &Request) -> Self {
        CURRENT.with_borrow_mut(|current| *current = Some((request.now, request.headers.clone())));
        Self
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        CURRENT.with_borrow_mut(|current| *current = None);
    }
}

/// Adds the builtins to an engine, in place of regorus's own where it has them.
pub(super) fn install(engine: &mut Engine) -> anyhow::Result<()> {
    engine.add_extension("time.now_ns".to_owned(), 0, Box::new(|_| Ok(now())))?;
    engine.add_extension(
        "get_header".to_owned(),
        1,
        Box::new(|arguments| Ok(header(&arguments))),
    )?;
    engine.add_extension(
        "external.http.header".to_owned(),
        1,
        Box::new(|arguments| Ok(header(&arguments))),
    )
}

fn now() -> Value {
    CURRENT.with_borrow(|current| {
        current.as_ref().map_or(Value::Undefined, |(now, _)| {
            Value::from(now.as_nanosecond())
        })
    })
}

fn header(arguments: &[Value]) -> Value {
    let Some(Ok(name)) = arguments.first().map(Value::as_string) else {
        return Value::Undefined;
    };
    CURRENT.with_borrow(|current| {
        Value::from(
            current
                .as_ref()
                .map_or("", |(_, headers)| headers.get(name)),
        )
    })
}
