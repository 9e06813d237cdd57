//! The files of a policy's folder: those of an archive, of the repository layout, and of a bundle.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Context, SHA256};

use portcullis_policies::Definition;
use serde_json::{Map, Value as Json};

use super::data_config;
use crate::convert;

/// Texts by their paths below the folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Files(pub(crate) BTreeMap<String, String>);

/// What the folder's own name and its other files say of a spec.
const SAID_ELSEWHERE: [&str; 6] = [
    "group",
    "name",
    "version",
    "modules",
    "data",
    "outputSchema",
];

impl Files {
    /// The files that a definition is read from. What somebody else keeps for the policy, such as the
    /// content of a Secret, is no part of a definition's spec, and in no file.
    pub(super) fn of(definition: &Definition) -> Self {
        let spec = convert::spec(definition);
        let pretty = |document: &Json| {
            let mut text =
                serde_json::to_string_pretty(document).expect("a document must serialise");
            text.push('\n');
            text
        };
        let mut files = BTreeMap::new();
        if !spec.data.is_empty() {
            files.insert(
                "data.json".to_owned(),
                pretty(&Json::Object(spec.data.clone())),
            );
        }
        if let Some(schema) = &spec.output_schema {
            let schema = Json::Object(schema.clone());
            files.insert("output-schema.json".to_owned(), pretty(&schema));
        }
        files.extend(spec.modules.clone());
        // For who reads no `policy.yaml`.
        let config = data_config::write(definition);
        files.extend(config.map(|text| (data_config::FILE.to_owned(), text)));
        let settings = serde_json::to_value(&spec).expect("a spec must serialise");
        if let Json::Object(fields) = settings {
            let is_setting = |(name, _): &(String, Json)| !SAID_ELSEWHERE.contains(&name.as_str());
            let fields: Map<String, Json> = fields.into_iter().filter(is_setting).collect();
            // JSON is YAML.
            files.insert("policy.yaml".to_owned(), pretty(&Json::Object(fields)));
        }
        Self(files)
    }

    /// SHA-256 of all of them, by which a folder that somebody changed is known.
    pub(crate) fn sum(&self) -> String {
        let mut context = Context::new(&SHA256);
        for (path, text) in &self.0 {
            for part in [path, text] {
                context.update(&(part.len() as u64).to_be_bytes());
                context.update(part.as_bytes());
            }
        }
        hexadecimal(context.finish().as_ref())
    }
}

/// Two digits a byte.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(digit), 16));
        }
    }
    text
}
