//! The lock endpoints of a server.

use hyper::{
    Method,
    header::{CONTENT_TYPE, HeaderValue},
};
use portcullis_policies::Address;
use serde_json::{Map, Value as Json};

use super::Wish;
use crate::client::{Ask, Failure, Server, path};

/// Longest answer: an address and a word, or a problem.
const MAX_ANSWER: usize = 1 << 20;

pub(super) async fn lock(server: &Server, wish: &Wish) -> Result<(), Failure> {
    let mut said = Map::new();
    said.insert("reason".to_owned(), wish.reason.as_str().into());
    if let Some(end) = wish.expires_at {
        said.insert("expiresAt".to_owned(), end.to_string().into());
    }
    let path = format!("{}/lock", path(&wish.address));
    let mut ask = Ask::of(Method::POST, &path, MAX_ANSWER);
    let json = HeaderValue::from_static("application/json");
    ask.headers.insert(CONTENT_TYPE, json);
    ask.body = Json::Object(said).to_string().into();
    server.ask_json(ask).await.map(drop)
}

pub(super) async fn unlock(server: &Server, address: &Address) -> Result<(), Failure> {
    let path = format!("{}/lock", path(address));
    let ask = Ask::of(Method::DELETE, &path, MAX_ANSWER);
    server.ask_json(ask).await.map(drop)
}
