//! The draft of JSON Schema that a schema is written for.

use super::{
    Result,
    parse::{keyword, wrong},
    refused,
};
use crate::rego::{builtins::uri, value::Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Draft {
    /// What any of the known drafts has, if none of them is named.
    Any,
    Six,
    Seven,
}

impl Draft {
    /// What `$schema` says of a schema as a whole.
    pub(super) fn of(name: &'static str, document: &Value) -> Result<Self> {
        let address = match keyword(document, "$schema") {
            None => return Ok(Self::Any),
            Some(Value::String(address)) => address,
            Some(_) => return Err(wrong("$schema must be of type string")),
        };
        if uri::Reference::of(address).is_none() {
            return Err(refused(name, "`$schema` is no reference"));
        }
        match address.strip_suffix('#').unwrap_or(address) {
            "http://json-schema.org/draft-04/schema" => {
                Err(refused(name, "draft 4 of JSON Schema is not known"))
            }
            "http://json-schema.org/draft-06/schema" => Ok(Self::Six),
            "http://json-schema.org/draft-07/schema" => Ok(Self::Seven),
            _ => Ok(Self::Any),
        }
    }
}
