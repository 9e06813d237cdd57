//! `dataFrom`: data that a policy takes from elsewhere.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules;

/// A document that stands somewhere below `data`, and where it comes from. One of `configMap` and
/// `secret`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::data_from()))]
pub struct DataFrom {
    /// Where the document stands below `data`, as keys with dots between them. Default: at the root,
    /// where it has to be an object. Nothing else of the policy's data may stand there. Example:
    /// `trusted.issuers`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 253), extend("x-kubernetes-validations" = rules::data_path()))]
    pub path: String,

    /// A key of a ConfigMap. Portcullis has to be allowed to read objects of this kind: the chart's
    /// value `parameterKinds` allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<KeyReference>,

    /// A key of a Secret. Portcullis has to be allowed to read it: the chart's value
    /// `dataFrom.secrets` names those that it may. What a policy says may show what it read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<KeyReference>,
}

/// A key of a ConfigMap or a Secret, whose text is a document of YAML or JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyReference {
    /// The object's namespace. A ClusterPolicy has to say it; a Policy takes data of its own
    /// namespace only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,

    /// The object's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// The key of `data`. Example: `roles.json`.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}
