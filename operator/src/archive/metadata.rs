//! `metadata.json` of a bundle: the policy's address and age, as the TSA policy service writes them,
//! and what we add under a name of our own.

use portcullis_policies::Timestamp;
use serde::{Deserialize, Serialize};

/// The metadata. Members that are not known here are another program's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) policy: PolicyNote,
    /// Where the key can be read that verifies the bundle. It is for people: whose signature counts
    /// is not the archive's business.
    #[serde(rename = "publicKeyURL", default)]
    pub(super) public_key_url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) portcullis: Option<OwnNote>,
}

/// The policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicyNote {
    pub(super) name: String,
    pub(super) group: String,
    pub(super) version: String,
    #[serde(default)]
    pub(super) repository: String,
    #[serde(default)]
    pub(super) locked: bool,
    pub(super) last_update: Timestamp,
}

/// What Portcullis adds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OwnNote {
    /// The policy's digest where it comes from.
    pub(super) digest: String,
    /// The object's generation, which tells states of one object apart.
    #[serde(default)]
    pub(super) generation: i64,
    /// The namespace that owns it, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<String>,
}
