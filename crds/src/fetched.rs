//! `FetchedDocument`: what was fetched for policies that take data by `dataFrom.http`.

use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was fetched last.
#[derive(
    CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema,
)]
#[kube(
    group = "portcullis.dev",
    version = "v1alpha1",
    kind = "FetchedDocument",
    plural = "fetcheddocuments",
    shortname = "ptdoc",
    status = "FetchedDocumentStatus",
    derive = "PartialEq",
    doc = "The last good answer to a request of policies (`dataFrom.http`), made and deleted by \
           Portcullis. It may be secret: the answer to a request with a credential is nobody else's \
           to read.",
    crates(kube_core = "::kube_core")
)]
#[serde(rename_all = "camelCase")]
pub struct FetchedDocumentSpec {
    /// What was asked, without the query.
    #[schemars(length(max = 2048))]
    pub url: String,

    /// The namespace of the policies that ask; none for those of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,

    /// The last good answer, a document of YAML or JSON; none where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 524_288))]
    pub document: Option<String>,
}

/// How it came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FetchedDocumentStatus {
    /// When it was tried last (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempted: Option<String>,

    /// When it was fetched last, or found to be the same (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched: Option<String>,

    /// Bytes of the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,

    /// What the server calls the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,

    /// Why the last attempt failed, if it did. What was fetched stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,

    /// Attempts that failed since the last one that did not.
    #[serde(default)]
    pub failures: i64,
}
