//! Documents: what is wrong with them.

use std::collections::HashMap;

use super::outcome::{Error, Outcome, Place, ROOT};
use super::parse::{Additional, Dependency, Items, Schema, members};
use super::{Context, Result, canonical, numbers};
use crate::rego::{
    builtins::{call, lookup},
    value::{Value, elements, number},
};

/// The function in whose name errors are told.
pub(super) const NAME: &str = "json.match_schema";

/// What is wrong with a document.
pub(super) fn validate(
    context: &mut Context<'_, '_>,
    schema: &Schema,
    document: &Value,
) -> Result<Vec<Error>> {
    let mut validator = Validator { context };
    let mut outcome = Outcome::default();
    validator.document(schema, document, &Place(None, ROOT), &mut outcome)?;
    Ok(outcome.errors)
}

struct Validator<'v, 'c, 'q> {
    context: &'v mut Context<'c, 'q>,
}

impl Validator<'_, '_, '_> {
    fn separately(
        &mut self,
        schema: &Schema,
        document: &Value,
        place: &Place<'_>,
    ) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        self.document(schema, document, place, &mut outcome)?;
        Ok(outcome)
    }

    fn document(
        &mut self,
        schema: &Schema,
        document: &Value,
        place: &Place<'_>,
        outcome: &mut Outcome,
    ) -> Result<()> {
        self.context.charge_members(1)?;
        if let Some(passes) = schema.passes {
            if !passes {
                outcome.add(
                    self.context,
                    "false",
                    place,
                    "False always fails validation",
                )?;
            }
            return Ok(());
        }
        let given = type_of(document);
        let accepts = |name: &str| schema.types.iter().any(|listed| listed == name);
        let is_accepted = accepts(given) || (given == "integer" && accepts("number"));
        if !schema.types.is_empty() && !is_accepted {
            let expected = match &schema.types[..] {
                [only] => only.clone(),
                several => format!("[{}]", several.join(",")),
            };
            let message = format!("Invalid type. Expected: {expected}, given: {given}");
            outcome.add(self.context, "invalid_type", place, message)?;
            return Ok(());
        }
        self.combinations(schema, document, place, outcome)?;
        match given {
            "array" => self.array(schema, document, place, outcome)?,
            "object" => self.object(schema, document, place, outcome)?,
            "integer" | "number" => {
                numbers::validate(self.context, schema, document, place, outcome)?;
            }
            _ => {}
        }
        self.values(schema, document, place, outcome)?;
        match document {
            Value::Object(object) => {
                for (name, property) in &schema.properties {
                    if let Some(member) = object.get(&Value::from(name.as_str())) {
                        self.document(property, member, &Place(Some(place), name), outcome)?;
                    }
                }
            }
            Value::String(text) => self.string(schema, text, place, outcome)?,
            _ => {}
        }
        outcome.score += 1;
        Ok(())
    }

    fn combinations(
        &mut self,
        schema: &Schema,
        document: &Value,
        place: &Place<'_>,
        outcome: &mut Outcome,
    ) -> Result<()> {
        if !schema.any_of.is_empty() {
            let (valid, best) = self.attempts(&schema.any_of, document, place, true)?;
            if valid == 0 {
                let message = "Must validate at least one schema (anyOf)";
                outcome.add(self.context, "number_any_of", place, message)?;
                outcome.merge(best);
            }
        }
        if !schema.one_of.is_empty() {
            let (valid, best) = self.attempts(&schema.one_of, document, place, false)?;
            if valid != 1 {
                let message = "Must validate one and only one schema (oneOf)";
                outcome.add(self.context, "number_one_of", place, message)?;
            }
            if valid == 0 {
                outcome.merge(best);
            }
        }
        let mut all = true;
        for part in &schema.all_of {
            let part = self.separately(part, document, place)?;
            all &= part.is_valid();
            outcome.merge(part);
        }
        if !all {
            let message = "Must validate all the schemas (allOf)";
            outcome.add(self.context, "number_all_of", place, message)?;
        }
        if let Some(not) = &schema.not
            && self.separately(not, document, place)?.is_valid()
        {
            let message = "Must not validate the schema (not)";
            outcome.add(self.context, "number_not", place, message)?;
        }
        self.dependencies(schema, document, place, outcome)?;
        if let Some(condition) = &schema.condition {
            let holds = self.separately(condition, document, place)?.is_valid();
            let (branch, kind, message) = if holds {
                let message = "Must validate \"then\" as \"if\" was valid";
                (&schema.consequence, "condition_then", message)
            } else {
                let message = "Must validate \"else\" as \"if\" was not valid";
                (&schema.alternative, "condition_else", message)
            };
            if let Some(branch) = branch {
                let branch = self.separately(branch, document, place)?;
                if !branch.is_valid() {
                    outcome.add(self.context, kind, place, message)?;
                    outcome.merge(branch);
                }
            }
        }
        outcome.score += 1;
        Ok(())
    }

    /// How many of several schemas hold, and the best outcome of those that do not.
    fn attempts(
        &mut self,
        schemas: &[Schema],
        document: &Value,
        place: &Place<'_>,
        one_is_enough: bool,
    ) -> Result<(usize, Outcome)> {
        let mut valid = 0;
        let mut best: Option<Outcome> = None;
        for schema in schemas {
            let outcome = self.separately(schema, document, place)?;
            if outcome.is_valid() {
                valid += 1;
                if one_is_enough {
                    break;
                }
            } else if best.as_ref().is_none_or(|best| outcome.score > best.score) {
                best = Some(outcome);
            }
        }
        Ok((valid, best.unwrap_or_default()))
    }

    fn dependencies(
        &mut self,
        schema: &Schema,
        document: &Value,
        place: &Place<'_>,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let Value::Object(object) = document else {
            return Ok(());
        };
        let has = |name: &str| object.contains_key(&Value::from(name));
        for (name, dependency) in &schema.dependencies {
            match dependency {
                _ if !has(name) => {}
                Dependency::Properties(names) => {
                    for missing in names.iter().filter(|name| !has(name)) {
                        let message = format!("Has a dependency on {missing}");
                        outcome.add(self.context, "missing_dependency", place, message)?;
                    }
                }
                Dependency::Schema(schema) => self.document(schema, document, place, outcome)?,
            }
        }
        Ok(())
    }

    fn array(
        &mut self,
        schema: &Schema,
        document: &Value,
        place: &Place<'_>,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let items = elements(document).unwrap_or_default();
        let mut item = |validator: &mut Self, schema: &Schema, at: usize| {
            let name = at.to_string();
            let place = Place(Some(place), &name);
            let found = validator.separately(schema, &items[at], &place)?;
            outcome.merge(found);
            Result::Ok(())
        };
        let mut surplus = false;
        match &schema.items {
            Items::Any => {}
            Items::All(schema) => {
                (0..items.len()).try_for_each(|at| item(self, schema, at))?;
            }
            Items::Each(schemas) => {
                for (at, schema) in schemas.iter().enumerate().take(items.len()) {
                    item(self, schema, at)?;
                }
                if !schemas.is_empty() && schemas.len() < items.len() {
                    match &schema.additional_items {
                        None => {}
                        Some(Additional::Allowed(allowed)) => surplus = !allowed,
                        Some(Additional::Schema(schema)) => {
                            let mut rest = schemas.len()..items.len();
                            rest.try_for_each(|at| item(self, schema, at))?;
                        }
                    }
                }
            }
        }
        if surplus {
            let message = "No additional items allowed on array";
            outcome.add(self.context, "array_no_additional_items", place, message)?;
        }
        if let Some(least) = schema.item_count.least.filter(|least| items.len() < *least) {
            let message = format!("Array must have at least {least} items");
            outcome.add(self.context, "array_min_items", place, message)?;
        }
        if let Some(most) = schema.item_count.most.filter(|most| items.len() > *most) {
            let message = format!("Array must have at most {most} items");
            outcome.add(self.context, "array_max_items", place, message)?;
        }
        if schema.unique_items {
            let mut seen = HashMap::new();
            self.context.charge_members(items.len())?;
            for (at, item) in items.iter().enumerate() {
                if let Some(before) = seen.insert(self.canonical(item)?, at) {
                    let message = format!("array items[{before},{at}] must be unique");
                    outcome.add(self.context, "unique", place, message)?;
                }
            }
        }
        if let Some(contains) = &schema.contains {
            self.contains(contains, items, place, outcome)?;
        }
        outcome.score += 1;
        Ok(())
    }

    fn contains(
        &mut self,
        schema: &Schema,
        items: &[Value],
        place: &Place<'_>,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let mut best: Option<Outcome> = None;
        for (at, item) in items.iter().enumerate() {
            let name = at.to_string();
            let found = self.separately(schema, item, &Place(Some(place), &name))?;
            if found.is_valid() {
                return Ok(());
            }
            if best.as_ref().is_none_or(|best| found.score > best.score) {
                best = Some(found);
            }
        }
        let message = "At least one of the items must match";
        outcome.add(self.context, "contains", place, message)?;
        outcome.merge(best.unwrap_or_default());
        Ok(())
    }

    fn object(
        &mut self,
        schema: &Schema,
        document: &Value,
        place: &Place<'_>,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let members = members(document).unwrap_or_default();
        let count = &schema.property_count;
        if let Some(least) = count.least.filter(|least| members.len() < *least) {
            let message = format!("Must have at least {least} properties");
            outcome.add(self.context, "array_min_properties", place, message)?;
        }
        if let Some(most) = count.most.filter(|most| members.len() > *most) {
            let message = format!("Must have at most {most} properties");
            outcome.add(self.context, "array_max_properties", place, message)?;
        }
        let has = |name: &str| members.binary_search_by_key(&name, |(key, _)| key).is_ok();
        for name in &schema.required {
            if has(name) {
                outcome.score += 1;
            } else {
                outcome.add(
                    self.context,
                    "required",
                    place,
                    format!("{name} is required"),
                )?;
            }
        }
        for (name, member) in &members {
            let below = Place(Some(place), name);
            let mut described = schema.properties.iter().any(|(listed, _)| listed == name);
            let mut by_pattern = false;
            for (pattern, schema) in &schema.pattern_properties {
                if self.matches(pattern, name)? {
                    by_pattern = true;
                    let found = self.separately(schema, member, &below)?;
                    outcome.merge(found);
                }
            }
            outcome.score += i64::from(by_pattern);
            described |= by_pattern;
            match &schema.additional_properties {
                _ if described => {}
                Some(Additional::Allowed(false)) => {
                    let message = format!("Additional property {name} is not allowed");
                    outcome.add(
                        self.context,
                        "additional_property_not_allowed",
                        place,
                        message,
                    )?;
                }
                Some(Additional::Schema(schema)) => {
                    let found = self.separately(schema, member, &below)?;
                    outcome.merge(found);
                }
                Some(Additional::Allowed(true)) | None => {}
            }
        }
        if let Some(names) = &schema.property_names {
            for (name, _) in &members {
                let found = self.separately(names, &Value::from(*name), place)?;
                if !found.is_valid() {
                    let message = format!("Property name of \"{name}\" does not match");
                    outcome.add(self.context, "invalid_property_name", place, message)?;
                    outcome.merge(found);
                }
            }
        }
        outcome.score += 1;
        Ok(())
    }

    fn string(
        &mut self,
        schema: &Schema,
        text: &str,
        place: &Place<'_>,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let length = text.chars().count();
        if let Some(least) = schema.length.least.filter(|least| length < *least) {
            let message = format!("String length must be greater than or equal to {least}");
            outcome.add(self.context, "string_gte", place, message)?;
        }
        if let Some(most) = schema.length.most.filter(|most| length > *most) {
            let message = format!("String length must be less than or equal to {most}");
            outcome.add(self.context, "string_lte", place, message)?;
        }
        if let Some(pattern) = &schema.pattern
            && !self.matches(pattern, text)?
        {
            let message = format!("Does not match pattern '{pattern}'");
            outcome.add(self.context, "pattern", place, message)?;
        }
        outcome.score += 1;
        Ok(())
    }

    fn values(
        &mut self,
        schema: &Schema,
        document: &Value,
        place: &Place<'_>,
        outcome: &mut Outcome,
    ) -> Result<()> {
        if let Some(constant) = &schema.constant
            && self.canonical(document)? != *constant
        {
            let message = format!("{} does not match: {constant}", place.field());
            outcome.add(self.context, "const", place, message)?;
        }
        let is_allowed = match &schema.allowed {
            None => true,
            Some(allowed) => {
                self.context.budget.steps(allowed.len() as u64)?;
                allowed.contains(&self.canonical(document)?)
            }
        };
        if let Some(allowed) = &schema.allowed
            && !is_allowed
        {
            let length: usize = allowed.iter().map(String::len).sum();
            self.context.charge_bytes(length)?;
            let allowed = allowed.join(", ");
            let field = place.field();
            let message = format!("{field} must be one of the following: {allowed}");
            outcome.add(self.context, "enum", place, message)?;
        }
        if let (Some(format), Value::String(text)) = (schema.format, document)
            && !format.is_of(self.context, text)?
        {
            let message = format!("Does not match format '{}'", format.name());
            outcome.add(self.context, "format", place, message)?;
        }
        outcome.score += 1;
        Ok(())
    }

    /// The text of a part of the document, whose length is accounted for.
    fn canonical(&mut self, document: &Value) -> Result<String> {
        let text = canonical(NAME, document)?;
        self.context.budget.steps(text.len() as u64 / 8)?;
        Ok(text)
    }

    fn matches(&mut self, pattern: &str, text: &str) -> Result<bool> {
        let matches = lookup("regex.match").expect("it is in a table of ours");
        let operands = [Value::from(pattern), Value::from(text)];
        Ok(call(matches, self.context, &operands)? == Value::Bool(true))
    }
}

fn type_of(document: &Value) -> &'static str {
    match document {
        Value::Bool(_) => "boolean",
        Value::String(_) => "string",
        Value::Object(_) => "object",
        _ if elements(document).is_some() => "array",
        _ if number::as_integer(document).is_some() => "integer",
        _ if number::is_number(document) => "number",
        _ => "null",
    }
}
