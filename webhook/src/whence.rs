//! Where a request comes from.

use std::{
    convert::Infallible,
    net::SocketAddr,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};

use crate::Identity;

/// Requests that this process was asked, over all of its servers.
static ASKED: AtomicU64 = AtomicU64::new(0);

/// Where a request comes from, as far as its server knows: of one that came over no connection,
/// nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Whence {
    /// The other end of the connection.
    pub(crate) peer: Option<SocketAddr>,
    /// How many requests came before it, and itself.
    pub(crate) number: Option<u64>,
    /// Who asks, where somebody found that out.
    pub(crate) identity: Option<Arc<Identity>>,
}

impl Whence {
    /// The next request of a connection.
    pub(crate) fn next_of(peer: SocketAddr) -> Self {
        Self {
            peer: Some(peer),
            number: Some(ASKED.fetch_add(1, Ordering::Relaxed) + 1),
            identity: None,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Whence {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let whence = parts.extensions.get::<Self>().cloned().unwrap_or_default();
        let identity = parts.extensions.get().cloned();
        Ok(Self { identity, ..whence })
    }
}

/// Who asks the evaluation API: the headers of the request, and where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    headers: HeaderMap,
    whence: Whence,
}

impl Asker {
    /// Where it comes from.
    pub(crate) fn whence(&self) -> &Whence {
        &self.whence
    }
}

impl Deref for Asker {
    type Target = HeaderMap;

    fn deref(&self) -> &HeaderMap {
        &self.headers
    }
}

impl<S: Sync> FromRequestParts<S> for Asker {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self {
            headers: parts.headers.clone(),
            whence: Whence::from_request_parts(parts, state).await?,
        })
    }
}
