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

/// Adds them to the operations. Each has a place, as a test shows.
pub(super) fn add(paths: &mut Paths) {
    let examples: Vec<Example> = serde_json::from_str(EXAMPLES).expect("they must be a document");
    let mut all: BTreeMap<String, &mut Operation> = paths
        .paths
        .values_mut()
        .flat_map(operations)
        .filter_map(|(_, operation)| Some((operation.operation_id.clone()?, operation)))
        .collect();
    for example in examples {
        for name in &example.operations {
            let operation = all.get_mut(name);
            let placed = operation.and_then(|operation| example.add_to(operation));
            assert!(placed.is_some(), "{example:?} has no place in {name}");
        }
    }
}

impl Example {
    /// `None` where there is no place for a part of it.
    fn add_to(&self, operation: &mut Operation) -> Option<()> {
        for (name, value) in &self.parameters {
            let mut parameters = operation.parameters.iter_mut().flatten().filter_map(here);
            let parameter = parameters.find(|parameter| parameter.name == *name)?;
            self.add_value(parameter, value);
        }
        if let Some(body) = &self.body {
            let asked = operation.request_body.as_mut().and_then(here)?;
            self.add_content(asked.content.values_mut(), body)?;
        }
        if let Some(answer) = &self.answer {
            let responses = &mut operation.responses.responses;
            let status = self.status.to_string();
            let is_described = responses.contains_key(&status);
            let key = if is_described { &status } else { "default" };
            let response = here(responses.get_mut(key)?)?;
            self.add_content(response.content.values_mut(), answer)?;
        }
        Some(())
    }

    fn add_value(&self, parameter: &mut Parameter, value: &Json) {
        let extensions = parameter.extensions.get_or_insert_with(Extensions::default);
        let examples = extensions.entry("examples".to_owned()).or_insert(json!({}));
        examples[&self.name] = json!({ "value": value });
    }

    fn add_content<'a>(
        &self,
        mut contents: impl Iterator<Item = &'a mut RefOr<Content>>,
        value: &Json,
    ) -> Option<()> {
        let example = ExampleBuilder::new()
            .summary(&self.summary)
            .value(Some(value.clone()))
            .build();
        let content = contents.find_map(here)?;
        content.examples.insert(self.name.clone(), example.into());
        Some(())
    }
}
