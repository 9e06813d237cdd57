//! The policy that a path names.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};
use portcullis_policies::{Address, Entry, Scope, Snapshot, text::clean};

use crate::{Doors, problem::Problem};

/// The address in `/policy/{group}/{name}/{version}/…`, with a repository or a namespace in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place(pub(crate) Address);

impl Place {
    /// The policy in a snapshot.
    pub(crate) fn find(&self, snapshot: &Snapshot) -> Result<Arc<Entry>, Problem> {
        let found = snapshot.find(&self.0).cloned();
        found.ok_or_else(|| Problem::policy_not_found(format!("there is no policy {}", self.0)))
    }
}

impl FromRequestParts<Doors> for Place {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, doors: &Doors) -> Result<Self, Problem> {
        let path = RawPathParams::from_request_parts(parts, doors)
            .await
            .map_err(|_| Problem::policy_not_found("the path is not UTF-8"))?;
        let part = |name: &str| {
            path.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value)
        };
        let repository = &doors.settings().repository;
        if let Some(other) = part("repository").filter(|other| other != repository) {
            let detail = format!("there is no repository `{}`", clean(other));
            return Err(Problem::policy_not_found(detail));
        }
        let scope = match part("namespace") {
            Some(namespace) => Scope::Namespace(namespace.to_owned()),
            None => Scope::Cluster,
        };
        let required = |name| part(name).unwrap_or_default();
        Address::new(
            scope,
            required("group"),
            required("name"),
            required("version"),
        )
        .map(Self)
        .map_err(|error| Problem::policy_not_found(clean(&error.to_string())))
    }
}
