//! Requests and their answers, which the description shows and a test sends.
//!
//! A request and its answer have one name: among the examples of its parameters, of its body and of that
//! status.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value as Json, json};
use utoipa::openapi::{
    Content, Paths, RefOr,
    example::ExampleBuilder,
    extensions::Extensions,
    path::{Operation, Parameter},
};

use super::paths::{here, operations};

/// All examples, as a document.
const EXAMPLES: &str = include_str!("examples.json");

/// A request, and its answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    /// The operations that answer it alike.
    operations: Vec<String>,
    name: String,
    summary: String,
    #[serde(default)]
    parameters: BTreeMap<String, Json>,
    body: Option<Json>,
    status: u16,
    answer: Option<Json>,
}

/// Adds them to the operations.
///
/// # Panics
///
/// An example that has no place is a fault of this program.
pub(super) fn add(paths: &mut Paths) {
    let examples: Vec<Example> =
        serde_json::from_str(EXAMPLES).expect("`examples.json` is read by a test");
    let mut all: BTreeMap<String, &mut Operation> = paths
        .paths
        .values_mut()
        .flat_map(operations)
        .map(|(_, operation)| {
            (
                operation.operation_id.clone().unwrap_or_default(),
                operation,
            )
        })
        .collect();
    for example in examples {
        for name in &example.operations {
            let operation = all.get_mut(name);
            let operation = operation.unwrap_or_else(|| panic!("there is no operation `{name}`"));
            example.add_to(operation);
        }
    }
}

impl Example {
    fn add_to(&self, operation: &mut Operation) {
        for (name, value) in &self.parameters {
            let mut parameters = operation.parameters.iter_mut().flatten().filter_map(here);
            let parameter = parameters.find(|parameter| parameter.name == *name);
            let parameter = parameter.unwrap_or_else(|| panic!("`{name}` is no parameter"));
            self.add_value(parameter, value);
        }
        if let Some(body) = &self.body {
            let asked = operation.request_body.as_mut().and_then(here);
            let contents = asked.map(|body| body.content.values_mut());
            self.add_content(contents.into_iter().flatten(), body);
        }
        if let Some(answer) = &self.answer {
            let responses = &mut operation.responses.responses;
            let status = self.status.to_string();
            let key = if responses.contains_key(&status) {
                &status
            } else {
                "default"
            };
            let Some(response) = responses.get_mut(key).and_then(here) else {
                panic!("the status {status} is not described");
            };
            self.add_content(response.content.values_mut(), answer);
        }
    }

    fn add_value(&self, parameter: &mut Parameter, value: &Json) {
        let extensions = parameter.extensions.get_or_insert_with(Extensions::default);
        let examples = extensions.entry("examples".to_owned()).or_insert(json!({}));
        examples[&self.name] = json!({ "value": value });
    }

    fn add_content<'a>(
        &self,
        contents: impl Iterator<Item = &'a mut RefOr<Content>>,
        value: &Json,
    ) {
        let example = ExampleBuilder::new()
            .summary(&self.summary)
            .value(Some(value.clone()))
            .build();
        let content = contents.filter_map(here).next();
        let content = content.unwrap_or_else(|| panic!("`{}` has no content", self.name));
        content.examples.insert(self.name.clone(), example.into());
    }
}
