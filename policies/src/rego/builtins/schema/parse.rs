//! Schemas: what they say, and what is wrong with them.

use std::collections::BTreeSet;

use super::{Context, Fault, Result, canonical, draft::Draft, format::Format, limits, refused};
use crate::rego::{
    builtins::{call, lookup},
    value::{Value, elements, number},
};

/// What a document has to be. What is not said holds for every document.
#[derive(Debug, Default)]
pub(super) struct Schema {
    /// `true` or `false` in the place of a schema.
    pub(super) passes: Option<bool>,
    pub(super) types: Vec<String>,
    pub(super) properties: Vec<(String, Schema)>,
    pub(super) additional_properties: Option<Additional>,
    pub(super) pattern_properties: Vec<(String, Schema)>,
    pub(super) property_names: Option<Box<Schema>>,
    pub(super) dependencies: Vec<(String, Dependency)>,
    pub(super) items: Items,
    pub(super) additional_items: Option<Additional>,
    pub(super) multiple_of: Option<Value>,
    pub(super) minimum: Option<Value>,
    pub(super) exclusive_minimum: Option<Value>,
    pub(super) maximum: Option<Value>,
    pub(super) exclusive_maximum: Option<Value>,
    pub(super) length: Between,
    pub(super) pattern: Option<String>,
    pub(super) format: Option<Format>,
    pub(super) property_count: Between,
    pub(super) required: Vec<String>,
    pub(super) item_count: Between,
    pub(super) unique_items: bool,
    pub(super) contains: Option<Box<Schema>>,
    /// As canonical text.
    pub(super) constant: Option<String>,
    /// As canonical texts.
    pub(super) allowed: Option<Vec<String>>,
    pub(super) one_of: Vec<Schema>,
    pub(super) any_of: Vec<Schema>,
    pub(super) all_of: Vec<Schema>,
    pub(super) not: Option<Box<Schema>>,
    pub(super) condition: Option<Box<Schema>>,
    pub(super) consequence: Option<Box<Schema>>,
    pub(super) alternative: Option<Box<Schema>>,
}

/// A least and a greatest number of something.
#[derive(Debug, Default)]
pub(super) struct Between {
    pub(super) least: Option<usize>,
    pub(super) most: Option<usize>,
}

/// What properties or items have to be that are not listed.
#[derive(Debug)]
pub(super) enum Additional {
    Allowed(bool),
    Schema(Box<Schema>),
}

/// What a property needs.
#[derive(Debug)]
pub(super) enum Dependency {
    Properties(Vec<String>),
    Schema(Box<Schema>),
}

#[derive(Debug, Default)]
pub(super) enum Items {
    #[default]
    Any,
    All(Box<Schema>),
    Each(Vec<Schema>),
}

/// Reads a schema. What is wrong with it is a [`Fault::Value`].
pub(super) fn schema(
    name: &'static str,
    context: &mut Context<'_, '_>,
    document: &Value,
) -> Result<Schema> {
    if !matches!(document, Value::Object(_) | Value::Bool(_)) {
        return Err(wrong("schema is invalid"));
    }
    if has_address(document) {
        return Err(refused(name, BEYOND));
    }
    let draft = Draft::of(name, document)?;
    let mut parser = Parser {
        name,
        context,
        draft,
    };
    parser.schema(document)
}

/// The size of a schema, also in a list that grows.
const SIZE: u64 = 2 * size_of::<(String, Schema)>() as u64;

const BEYOND: &str = "schemas with `$ref`, `$id` or `id` are not known";

/// Whether a part says how it is referred to: two with the same address are a fault in OPA.
fn has_address(document: &Value) -> bool {
    if let Some(members) = members(document) {
        return members.into_iter().any(|(key, value)| match key {
            "const" | "enum" => false,
            "$id" | "id" if text(value).is_some() => true,
            _ => has_address(value),
        });
    }
    elements(document).is_some_and(|elements| elements.iter().any(has_address))
}

struct Parser<'p, 'c, 'q> {
    name: &'static str,
    context: &'p mut Context<'c, 'q>,
    draft: Draft,
}

pub(super) fn wrong(message: impl Into<String>) -> Fault {
    Fault::Value(message.into())
}

pub(super) fn invalid_type(expected: &str, given: &str) -> Fault {
    wrong(format!(
        "Invalid type. Expected: {expected}, given: {given}"
    ))
}

pub(super) fn must_be(keyword: &str, what: &str) -> Fault {
    wrong(format!("{keyword} must be of {what}"))
}

pub(super) fn text(document: &Value) -> Option<&str> {
    match document {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// A keyword's value.
pub(super) fn keyword<'v>(document: &'v Value, keyword: &str) -> Option<&'v Value> {
    match document {
        Value::Object(object) => object.get(&Value::from(keyword)),
        _ => None,
    }
}

/// The members of an object, in the order of their names.
pub(super) fn members(document: &Value) -> Option<Vec<(&str, &Value)>> {
    let Value::Object(object) = document else {
        return None;
    };
    let members = object.iter().filter_map(|(key, value)| match key {
        Value::String(key) => Some((&**key, value)),
        _ => None,
    });
    let mut members: Vec<(&str, &Value)> = members.collect();
    members.sort_by_key(|(key, _)| *key);
    Some(members)
}

impl Parser<'_, '_, '_> {
    fn schema(&mut self, document: &Value) -> Result<Schema> {
        self.context.budget.steps(1)?;
        self.context.budget.charge(SIZE)?;
        if let Value::Bool(passes) = document {
            return Ok(Schema {
                passes: Some(*passes),
                ..Schema::default()
            });
        }
        if !matches!(document, Value::Object(_)) {
            return Err(wrong("Expected: Valid Schema, given: Invalid JSON"));
        }
        let beyond = ["$ref", "$id", "id"];
        if beyond.iter().any(|word| keyword(document, word).is_some()) {
            return Err(refused(self.name, BEYOND));
        }
        self.definitions(document)?;
        for word in ["title", "description"] {
            if keyword(document, word).is_some_and(|value| text(value).is_none()) {
                return Err(invalid_type("string", word));
            }
        }
        let mut schema = Schema::default();
        limits::types(document, &mut schema)?;
        self.of_objects(document, &mut schema)?;
        self.of_arrays(document, &mut schema)?;
        limits::numbers(self.draft, document, &mut schema)?;
        self.counts(document, &mut schema)?;
        self.values(document, &mut schema)?;
        self.combinations(document, &mut schema)?;
        Ok(schema)
    }

    fn below(&mut self, document: &Value) -> Result<Box<Schema>> {
        self.schema(document).map(Box::new)
    }

    /// Nothing refers to them, but they have to be schemas.
    fn definitions(&mut self, document: &Value) -> Result<()> {
        let Some(definitions) = keyword(document, "definitions") else {
            return Ok(());
        };
        let fault = || invalid_type("Array Of Schemas", "definitions");
        for (_, definition) in members(definitions).ok_or_else(fault)? {
            if !is_schema(definition) {
                return Err(fault());
            }
            self.schema(definition)?;
        }
        Ok(())
    }

    fn of_objects(&mut self, document: &Value, schema: &mut Schema) -> Result<()> {
        if let Some(properties) = keyword(document, "properties") {
            let properties =
                members(properties).ok_or_else(|| wrong("Properties must be of type object"))?;
            for (name, property) in properties {
                let property = self.schema(property)?;
                schema.properties.push((name.to_owned(), property));
            }
        }
        schema.additional_properties = self.additional(document, "additionalProperties")?;
        if let Some(patterns) = keyword(document, "patternProperties") {
            let patterns = members(patterns)
                .ok_or_else(|| invalid_type("Valid Schema", "patternProperties"))?;
            for (pattern, property) in patterns {
                if !self.is_pattern(pattern)? {
                    return Err(wrong(format!("Invalid regex pattern '{pattern}'")));
                }
                let property = self.schema(property)?;
                let entry = (pattern.to_owned(), property);
                schema.pattern_properties.push(entry);
            }
        }
        if let Some(names) = keyword(document, "propertyNames") {
            if !is_schema(names) {
                return Err(invalid_type("Valid Schema", "patternProperties"));
            }
            schema.property_names = Some(self.below(names)?);
        }
        if let Some(dependencies) = keyword(document, "dependencies") {
            let dependencies = members(dependencies)
                .ok_or_else(|| wrong("dependencies must be of type object"))?;
            for (name, dependency) in dependencies {
                let dependency = self.dependency(dependency)?;
                schema.dependencies.push((name.to_owned(), dependency));
            }
        }
        Ok(())
    }

    fn dependency(&mut self, document: &Value) -> Result<Dependency> {
        if is_schema(document) {
            return Ok(Dependency::Schema(self.below(document)?));
        }
        let names = elements(document).and_then(|names| {
            let names = names.iter().map(|name| text(name).map(str::to_owned));
            names.collect::<Option<Vec<_>>>()
        });
        names
            .map(Dependency::Properties)
            .ok_or_else(|| wrong("Dependency must be of type Schema Or Array Of Strings"))
    }

    fn of_arrays(&mut self, document: &Value, schema: &mut Schema) -> Result<()> {
        if let Some(items) = keyword(document, "items") {
            let fault = || invalid_type("Valid Schema/Array Of Schemas", "items");
            schema.items = if is_schema(items) {
                Items::All(self.below(items)?)
            } else {
                let mut each = Vec::new();
                for item in elements(items).ok_or_else(fault)? {
                    if !is_schema(item) {
                        return Err(fault());
                    }
                    each.push(self.schema(item)?);
                }
                Items::Each(each)
            };
        }
        schema.additional_items = self.additional(document, "additionalItems")?;
        Ok(())
    }

    fn additional(&mut self, document: &Value, word: &str) -> Result<Option<Additional>> {
        match keyword(document, word) {
            None => Ok(None),
            Some(Value::Bool(allowed)) => Ok(Some(Additional::Allowed(*allowed))),
            Some(object @ Value::Object(_)) => Ok(Some(Additional::Schema(self.below(object)?))),
            Some(_) => Err(invalid_type("boolean/Valid Schema", word)),
        }
    }

    /// Numbers of characters, properties and items, patterns, and what is required.
    fn counts(&mut self, document: &Value, schema: &mut Schema) -> Result<()> {
        schema.length = self.between(document, "minLength", "maxLength")?;
        if let Some(pattern) = keyword(document, "pattern") {
            let pattern = text(pattern).ok_or_else(|| invalid_type("string", "pattern"))?;
            if !self.is_pattern(pattern)? {
                return Err(wrong("pattern must be a valid regex"));
            }
            schema.pattern = Some(pattern.to_owned());
        }
        if let Some(format) = keyword(document, "format") {
            let format = text(format).ok_or_else(|| invalid_type("string", "format"))?;
            schema.format = Format::named(self.name, format)?;
        }
        schema.property_count = self.between(document, "minProperties", "maxProperties")?;
        for name in list(document, "required")?.unwrap_or_default() {
            let name = text(name).ok_or_else(|| invalid_type("string", "required"))?;
            if schema.required.iter().any(|other| other == name) {
                return Err(wrong("required items must be unique"));
            }
            schema.required.push(name.to_owned());
        }
        schema.item_count = Between {
            least: self.count(document, "minItems")?,
            most: self.count(document, "maxItems")?,
        };
        match keyword(document, "uniqueItems") {
            None => {}
            Some(Value::Bool(unique)) => schema.unique_items = *unique,
            Some(_) => return Err(must_be("uniqueItems", "a boolean")),
        }
        Ok(())
    }

    fn between(&self, document: &Value, least: &str, most: &str) -> Result<Between> {
        let between = Between {
            least: self.count(document, least)?,
            most: self.count(document, most)?,
        };
        match (between.least, between.most) {
            (Some(from), Some(to)) if from > to => {
                Err(wrong(format!("{least} cannot be greater than {most}")))
            }
            _ => Ok(between),
        }
    }

    fn count(&self, document: &Value, word: &str) -> Result<Option<usize>> {
        let Some(value) = keyword(document, word) else {
            return Ok(None);
        };
        let integer = number::as_integer(value);
        let Some(integer) = integer.filter(|_| !number::is_written_as_fraction(value)) else {
            return Err(must_be(word, "an integer"));
        };
        // Whether larger ones were written with an exponent is not known.
        let integer = i32::try_from(integer)
            .map_err(|_| refused(self.name, "a number of items or characters is very large"))?;
        let least = || wrong(format!("{word} must be greater than or equal to 0"));
        usize::try_from(integer).map(Some).map_err(|_| least())
    }

    fn values(&mut self, document: &Value, schema: &mut Schema) -> Result<()> {
        if let Some(contains) = keyword(document, "contains") {
            schema.contains = Some(self.below(contains)?);
        }
        if let Some(constant) = keyword(document, "const") {
            schema.constant = Some(canonical(self.name, constant)?);
        }
        let Some(listed) = list(document, "enum")? else {
            return Ok(());
        };
        let mut allowed = Vec::new();
        let mut seen = BTreeSet::new();
        for value in listed {
            let value = canonical(self.name, value)?;
            if !seen.insert(value.clone()) {
                return Err(wrong("enum items must be unique"));
            }
            allowed.push(value);
        }
        schema.allowed = Some(allowed);
        Ok(())
    }

    fn combinations(&mut self, document: &Value, schema: &mut Schema) -> Result<()> {
        let groups = [
            ("oneOf", &mut schema.one_of),
            ("anyOf", &mut schema.any_of),
            ("allOf", &mut schema.all_of),
        ];
        for (word, group) in groups {
            for document in list(document, word)?.unwrap_or_default() {
                group.push(self.schema(document)?);
            }
        }
        let single = [
            ("not", &mut schema.not),
            ("if", &mut schema.condition),
            ("then", &mut schema.consequence),
            ("else", &mut schema.alternative),
        ];
        for (word, place) in single {
            if self.draft == Draft::Six && word != "not" {
                continue;
            }
            if let Some(document) = keyword(document, word) {
                if !is_schema(document) {
                    return Err(must_be(word, "an object"));
                }
                *place = Some(self.below(document)?);
            }
        }
        Ok(())
    }

    fn is_pattern(&mut self, pattern: &str) -> Result<bool> {
        let is_valid = lookup("regex.is_valid").expect("it is in a table of ours");
        let valid = call(is_valid, self.context, &[Value::from(pattern)])?;
        Ok(valid == Value::Bool(true))
    }
}

fn is_schema(document: &Value) -> bool {
    matches!(document, Value::Object(_) | Value::Bool(_))
}

fn list<'v>(document: &'v Value, word: &str) -> Result<Option<&'v [Value]>> {
    match keyword(document, word) {
        None => Ok(None),
        Some(value) => match elements(value) {
            Some(elements) => Ok(Some(elements)),
            None => Err(must_be(word, "an array")),
        },
    }
}
