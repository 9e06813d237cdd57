//! YAML, of which the first document is read.

use super::{Value, json};

/// Reads the first document of a text. The error is a sentence.
pub fn read(text: &str) -> Result<Value, String> {
    let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(text)
        .map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())?;
    Ok(documents.first().map_or(Value::Null, json::from_serde))
}
