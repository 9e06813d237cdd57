//! The schema of a policy's results, and what of a result breaks it.

use std::{panic::AssertUnwindSafe, panic::catch_unwind};

use jsonschema::{PatternOptions, ValidationError, Validator};
use serde::Serialize;
use serde_json::Value as Json;

use crate::{Definition, Diagnostic, Document, text::clean};

/// Breaches that are told of one result. A result of a wrong kind breaks its schema everywhere, and
/// nobody reads more.
const MOST: usize = 20;

/// Characters of what is said of a breach.
const LONGEST: usize = 300;

/// The schema that results have to satisfy.
#[derive(Debug)]
pub(crate) struct OutputSchema(Validator);

/// Where a result breaks its schema, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Breach {
    /// A JSON pointer (RFC 6901) into the result; empty for the whole.
    pub path: String,
    /// What is wrong there; it names no value.
    pub message: String,
}

impl OutputSchema {
    /// Reads a schema. One that refers to another document is none, because nothing is fetched; nor
    /// is one whose patterns take more than linear time, because what they look at is made of what
    /// callers send.
    fn of(schema: &Json) -> Result<Self, ValidationError<'static>> {
        let options = jsonschema::options().offline();
        let options = options.with_pattern_options(PatternOptions::regex());
        options.build(schema).map(Self)
    }

    /// What of a result breaks the schema, the first of it; work of the processor.
    pub(crate) fn breaches(&self, result: &Document) -> Vec<Breach> {
        let whole = |message: &str| {
            let (path, message) = (String::new(), message.to_owned());
            vec![Breach { path, message }]
        };
        let Ok(result) = serde_json::to_value(result) else {
            return whole("a number needs more than 64 bits");
        };
        let breaches = || {
            let errors = self.0.iter_errors(&result).take(MOST);
            let breach = |error: ValidationError<'_>| Breach {
                path: error.instance_path().to_string(),
                message: shortened(&clean(&error.masked().to_string())),
            };
            errors.map(breach).collect()
        };
        // A library's panic is no permission.
        catch_unwind(AssertUnwindSafe(breaches))
            .unwrap_or_else(|_| whole("the result cannot be checked"))
    }
}

/// The schema of a definition, if it has one; what is wrong with it is added to `faults`.
pub(crate) fn schema_of(
    definition: &Definition,
    faults: &mut Vec<Diagnostic>,
) -> Option<OutputSchema> {
    let output = definition.output.as_ref()?;
    let note = |error: ValidationError<'_>| {
        let text = format!("`outputSchema` is not a JSON Schema: {error}");
        faults.push(Diagnostic::new("output_schema_invalid", text).with_remedy(
            "write it as JSON Schema, draft 2020-12 or draft-07, without references to other \
             documents and without patterns that look ahead or back",
        ));
    };
    OutputSchema::of(&output.schema).map_err(note).ok()
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn breaches(schema: &Json, result: &str) -> Vec<String> {
        let schema = OutputSchema::of(schema).unwrap();
        let breaches = schema.breaches(&Document::read(result).unwrap());
        let breaches = breaches.into_iter();
        breaches
            .map(|Breach { path, message }| format!("{path}: {message}"))
            .collect()
    }

    /// In draft-07 `prefixItems` is no keyword.
    #[rstest]
    #[case::of_2020(json!({"prefixItems": [{"type": "string"}]}), "[1]", &["/0: value is not of type \"string\""])]
    #[case::by_its_name(json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "prefixItems": [{"type": "string"}]}), "[1]", &["/0: value is not of type \"string\""])]
    #[case::of_07(json!({"$schema": "http://json-schema.org/draft-07/schema#", "prefixItems": [{"type": "string"}]}), "[1]", &[])]
    #[case::several(json!({"required": ["a"], "properties": {"b": {"maximum": 3}}}), r#"{"b": 4}"#,
        &["/b: value is greater than the maximum of 3", ": \"a\" is a required property"])]
    #[case::local_references(json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "object"}}}), "{}", &[])]
    #[case::large_numbers(json!({}), "1e400", &[": a number needs more than 64 bits"])]
    fn tells_where_a_result_breaks_its_schema(
        #[case] schema: Json,
        #[case] result: &str,
        #[case] expected: &[&str],
    ) {
        let mut found = breaches(&schema, result);
        found.sort();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }

    #[rstest]
    #[case::no_schema(json!({"type": "text"}))]
    #[case::elsewhere(json!({"$ref": "https://example.com/schema.json"}))]
    #[case::a_file(json!({"$ref": "file:///etc/passwd"}))]
    #[case::looks_ahead(json!({"pattern": "(?=a)b"}))]
    fn a_schema_that_cannot_be_used_is_a_fault(#[case] schema: Json) {
        assert!(OutputSchema::of(&schema).is_err());
    }

    #[test]
    fn what_is_told_is_bounded() {
        let schema = json!({"items": {"enum": ["x".repeat(1000)]}});
        let found = breaches(&schema, &format!("[{}1]", "1,".repeat(100)));
        assert_eq!(found.len(), MOST);
        assert!(found.iter().all(|text| text.chars().count() < LONGEST + 10));
    }
}
