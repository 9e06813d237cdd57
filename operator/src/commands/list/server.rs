//! The list of a server.

use anyhow::anyhow;
use hyper::Method;
use portcullis_policies::Timestamp;
use serde::Deserialize;
use url::form_urlencoded::Serializer;

use super::{
    Found,
    arguments::Wanted,
    row::{Held, Row},
};
use crate::client::{Ask, Failure, Server};

/// Policies that are asked for at a time: each comes with its sources.
const PAGE: usize = 100;

/// Longest page, in bytes. A policy has some kilobytes of sources, and seldom a megabyte.
const MAX_PAGE: usize = 64 << 20;

/// Most pages: a hundred thousand policies, of which no server holds so many.
const MAX_PAGES: usize = 1_000;

/// A page, as far as it is looked at.
#[derive(Debug, Deserialize)]
struct Page {
    policies: Vec<Listed>,
    r#continue: Option<String>,
}

/// A policy of a page.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    group: String,
    policy_name: String,
    version: String,
    namespace: Option<String>,
    digest: Option<String>,
    locked: bool,
    lock: Option<Note>,
    broken: bool,
    last_update: i64,
}

/// What a server says of a lock.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Note {
    name: String,
    effect: String,
    reason: String,
    expires_at: Option<Timestamp>,
}

pub(super) async fn read(server: &Server, wanted: &Wanted) -> Result<Found, Failure> {
    let mut rows = Vec::new();
    let mut from = None;
    for _ in 0..MAX_PAGES {
        let path = path(wanted, from.as_deref());
        let body = server.ask(Ask::of(Method::GET, &path, MAX_PAGE)).await?;
        let page: Page = serde_json::from_slice(&body)
            .map_err(|error| anyhow!("the list of the server cannot be read: {error}"))?;
        let is_wanted =
            |listed: &Listed| wanted.namespace.is_none() || listed.namespace == wanted.namespace;
        rows.extend(page.policies.into_iter().filter(is_wanted).map(Row::from));
        if page.r#continue.is_none() {
            return Ok(Found {
                rows,
                notes: Vec::new(),
                faults: Vec::new(),
            });
        }
        if page.r#continue == from {
            return Err(
                anyhow!("the list of the server does not go on: it says the same again").into(),
            );
        }
        from = page.r#continue;
    }
    let faults = vec![format!(
        "the list goes on behind {} policies",
        PAGE * MAX_PAGES
    )];
    Ok(Found {
        rows,
        notes: Vec::new(),
        faults,
    })
}

/// The filters that the API has, and where to go on.
fn path(wanted: &Wanted, from: Option<&str>) -> String {
    let mut query = Serializer::new(String::new());
    query.append_pair("limit", &PAGE.to_string());
    if let Some(locked) = wanted.locked {
        query.append_pair("locked", &locked.to_string());
    }
    if let Some(name) = &wanted.name {
        query.append_pair("policyName", name);
    }
    if let Some(from) = from {
        query.append_pair("continue", from);
    }
    format!("/v1/policies?{}", query.finish())
}

impl From<Listed> for Row {
    fn from(listed: Listed) -> Self {
        let updated = Timestamp::from_second(listed.last_update).ok();
        Self {
            policy: format!("{}/{}@{}", listed.group, listed.policy_name, listed.version),
            namespace: listed.namespace,
            digest: listed.digest,
            ready: Some(!listed.broken),
            state: if listed.broken { "broken" } else { "ready" }.to_owned(),
            locked: listed.locked,
            locks: listed.lock.map(Held::from).into_iter().collect(),
            updated: updated.filter(|updated| *updated != Timestamp::UNIX_EPOCH),
        }
    }
}

impl From<Note> for Held {
    fn from(note: Note) -> Self {
        Self {
            name: note.name,
            at: vec!["evaluation"],
            effect: note.effect,
            reason: note.reason,
            expires_at: note.expires_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Wanted::default(), None, "/v1/policies?limit=100")]
    #[case(
        Wanted { locked: Some(true), name: Some("a&b".to_owned()), namespace: None },
        Some("team-a/a/b@1"),
        "/v1/policies?limit=100&locked=true&policyName=a%26b&continue=team-a%2Fa%2Fb%401"
    )]
    fn filters_are_the_apis(
        #[case] wanted: Wanted,
        #[case] from: Option<&str>,
        #[case] expected: &str,
    ) {
        assert_eq!(path(&wanted, from), expected);
    }
}
