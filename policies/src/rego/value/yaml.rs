//! YAML, of which the first document is read.

use serde_json::{Number, Value as Json};
use serde_saphyr::{DuplicateKeyPolicy, options};

use super::{Value, json};

/// Reads the first document of a text, by the rules of YAML's core schema. The error is a sentence.
pub fn read(text: &str) -> Result<Value, String> {
    let options = options! {
        strict_booleans: true,
        legacy_octal_numbers: true,
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        with_snippet: false,
    };
    let documents: Vec<Json> = serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| error.to_string().replace('\n', " "))?;
    let first = documents.into_iter().next().unwrap_or(Json::Null);
    Ok(json::from_serde(&settled(first)))
}

/// Numbers that are written as fractions, but are integers, are integers, as in OPA.
#[expect(
    clippy::cast_possible_truncation,
    reason = "an integer below 2^53 is held exactly by either"
)]
fn settled(document: Json) -> Json {
    /// From here on, not every integer is a double.
    const EXACT: f64 = 9_007_199_254_740_992.0;

    match document {
        Json::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < EXACT => {
                Json::Number(Number::from(float as i64))
            }
            _ => Json::Number(number),
        },
        Json::Array(elements) => elements.into_iter().map(settled).collect(),
        Json::Object(members) => members
            .into_iter()
            .map(|(key, member)| (key, settled(member)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        scalar => scalar,
    }
}
