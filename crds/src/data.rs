//! `dataFrom`: data that a policy takes from elsewhere.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules;

/// A document that stands somewhere below `data`, and where it comes from. One of `configMap`, `secret`
/// and `http`.
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

    /// What a server answers. The leading operator asks it, again and again, and keeps the last good
    /// answer for all replicas. The administrator has to allow the host: the chart's value `allowHosts`;
    /// and for a Policy, that anything is fetched: `dataFrom.http.policies`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpSource>,
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

/// A request whose answer is a document of YAML or JSON, of 512 KiB at the most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::http_source()))]
pub struct HttpSource {
    /// What is asked. Example: `https://example.com/roles.json`.
    #[schemars(length(max = 2048), extend("x-kubernetes-validations" = rules::url("url")))]
    pub url: String,

    /// How it is asked: `GET` or `POST`. Default: `GET`.
    #[serde(default)]
    pub method: HttpMethod,

    /// What is sent with `POST`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 65_536))]
    pub body: String,

    /// Headers that are sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend(
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["name"],
    ))]
    pub headers: Vec<HttpHeader>,

    /// How often, from `30s` to `24h`. Default: `5m`. Of policies with the same source, the shortest
    /// period counts.
    #[serde(default = "default_period")]
    #[schemars(length(max = 32), extend("x-kubernetes-validations" = rules::period()))]
    pub period: String,

    /// How long one answer may take, in whole seconds from `1s` to `30s`. Default: `10s`.
    #[serde(default = "default_timeout")]
    #[schemars(length(max = 8), extend("x-kubernetes-validations" = rules::http_timeout()))]
    pub timeout: String,

    /// Certificates of the authorities that sign the server's, in PEM. Default: the image's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65_536), extend("x-kubernetes-validations" = rules::authorities()))]
    pub ca_bundle: Option<String>,
}

/// How a server is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// Nothing is sent but headers.
    #[default]
    Get,
    /// The body is sent.
    Post,
}

/// A header that is sent. One of `value` and `secretKeyRef`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::http_header()))]
pub struct HttpHeader {
    /// The header's name. Example: `Authorization`.
    #[schemars(length(max = 128), extend("x-kubernetes-validations" = rules::header_name()))]
    pub name: String,

    /// The header's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub value: Option<String>,

    /// A key of a Secret whose text is the header's value. The chart's value `dataFrom.secrets` has to
    /// name the Secret, and the URL to begin with `https`. The answer counts as secret, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<KeyReference>,
}

/// Policies' data is rarely newer, and a server that is asked every five minutes does not notice.
fn default_period() -> String {
    "5m".to_owned()
}

fn default_timeout() -> String {
    "10s".to_owned()
}

impl Default for HttpSource {
    fn default() -> Self {
        Self {
            url: String::new(),
            method: HttpMethod::default(),
            body: String::new(),
            headers: Vec::new(),
            period: default_period(),
            timeout: default_timeout(),
            ca_bundle: None,
        }
    }
}
