//! Documents: what is wrong with them.

use std::collections::{BTreeMap, HashMap};

use super::parse::{Additional, Dependency, Items, Schema, members};
use super::{Context, Result, canonical, refused};
use crate::rego::{
    builtins::{call, lookup},
    value::{Value, elements, number, number::Decimal},
};

/// The function in whose name errors are told.
const NAME: &str = "json.match_schema";

/// The document as a whole.
const ROOT: &str = "(Root)";

/// What is wrong with a part of a document.
#[derive(Debug, Clone)]
pub(super) struct Error {
    kind: &'static str,
    /// The names and indices that lead to the part.
    field: String,
    description: String,
}

impl From<Error> for Value {
    fn from(error: Error) -> Self {
        let whole = format!("{}: {}", error.field, error.description);
        let members = [
            ("error", whole),
            ("type", error.kind.to_owned()),
            ("field", error.field),
            ("desc", error.description),
        ];
        let members = members.map(|(name, text)| (Self::from(name), Self::from(text)));
        BTreeMap::from(members).into()
    }
}

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

/// What was found so far. Of several schemas none of which holds, the errors of that with the
/// highest score are told.
#[derive(Debug, Default)]
struct Outcome {
    errors: Vec<Error>,
    score: i64,
}

impl Outcome {
    fn add(&mut self, kind: &'static str, place: &Place<'_>, description: impl Into<String>) {
        self.errors.push(Error {
            kind,
            field: place.field(),
            description: description.into(),
        });
        self.score -= 2;
    }

    fn merge(&mut self, other: Self) {
        self.errors.extend(other.errors);
        self.score += other.score;
    }

    fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }
}

/// Where a part of the document is: below another one, under a name.
#[derive(Clone, Copy)]
struct Place<'p>(Option<&'p Place<'p>>, &'p str);

impl Place<'_> {
    fn path(&self) -> String {
        match self.0 {
            Some(above) => format!("{}.{}", above.path(), self.1),
            None => self.1.to_owned(),
        }
    }

    fn field(&self) -> String {
        let path = self.path();
        match path.strip_prefix("(Root).") {
            Some(field) => field.to_owned(),
            None => path,
        }
    }
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
                outcome.add("false", place, "False always fails validation");
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
            outcome.add("invalid_type", place, message);
            return Ok(());
        }
        self.combinations(schema, document, place, outcome)?;
        match given {
            "array" => self.array(schema, document, place, outcome)?,
            "object" => self.object(schema, document, place, outcome)?,
            "integer" | "number" => numbers(schema, document, place, outcome)?,
            _ => {}
        }
        values(schema, document, place, outcome)?;
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
                outcome.add("number_any_of", place, message);
                outcome.merge(best);
            }
        }
        if !schema.one_of.is_empty() {
            let (valid, best) = self.attempts(&schema.one_of, document, place, false)?;
            if valid != 1 {
                let message = "Must validate one and only one schema (oneOf)";
                outcome.add("number_one_of", place, message);
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
            outcome.add("number_all_of", place, message);
        }
        if let Some(not) = &schema.not
            && self.separately(not, document, place)?.is_valid()
        {
            let message = "Must not validate the schema (not)";
            outcome.add("number_not", place, message);
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
                    outcome.add(kind, place, message);
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
                        outcome.add("missing_dependency", place, message);
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
            outcome.add("array_no_additional_items", place, message);
        }
        if let Some(least) = schema.item_count.least.filter(|least| items.len() < *least) {
            let message = format!("Array must have at least {least} items");
            outcome.add("array_min_items", place, message);
        }
        if let Some(most) = schema.item_count.most.filter(|most| items.len() > *most) {
            let message = format!("Array must have at most {most} items");
            outcome.add("array_max_items", place, message);
        }
        if schema.unique_items {
            let mut seen = HashMap::new();
            for (at, item) in items.iter().enumerate() {
                if let Some(before) = seen.insert(canonical(NAME, item)?, at) {
                    let message = format!("array items[{before},{at}] must be unique");
                    outcome.add("unique", place, message);
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
        outcome.add("contains", place, message);
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
            outcome.add("array_min_properties", place, message);
        }
        if let Some(most) = count.most.filter(|most| members.len() > *most) {
            let message = format!("Must have at most {most} properties");
            outcome.add("array_max_properties", place, message);
        }
        let has = |name: &str| members.binary_search_by_key(&name, |(key, _)| key).is_ok();
        for name in &schema.required {
            if has(name) {
                outcome.score += 1;
            } else {
                outcome.add("required", place, format!("{name} is required"));
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
                    outcome.add("additional_property_not_allowed", place, message);
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
                    outcome.add("invalid_property_name", place, message);
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
            outcome.add("string_gte", place, message);
        }
        if let Some(most) = schema.length.most.filter(|most| length > *most) {
            let message = format!("String length must be less than or equal to {most}");
            outcome.add("string_lte", place, message);
        }
        if let Some(pattern) = &schema.pattern
            && !self.matches(pattern, text)?
        {
            let message = format!("Does not match pattern '{pattern}'");
            outcome.add("pattern", place, message);
        }
        outcome.score += 1;
        Ok(())
    }

    fn matches(&mut self, pattern: &str, text: &str) -> Result<bool> {
        let matches = lookup("regex.match").expect("regorus knows regular expressions");
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

fn values(
    schema: &Schema,
    document: &Value,
    place: &Place<'_>,
    outcome: &mut Outcome,
) -> Result<()> {
    if let Some(constant) = &schema.constant
        && canonical(NAME, document)? != *constant
    {
        let message = format!("{} does not match: {constant}", place.field());
        outcome.add("const", place, message);
    }
    if let Some(allowed) = &schema.allowed
        && !allowed.contains(&canonical(NAME, document)?)
    {
        let allowed = allowed.join(", ");
        let field = place.field();
        let message = format!("{field} must be one of the following: {allowed}");
        outcome.add("enum", place, message);
    }
    outcome.score += 1;
    Ok(())
}

fn numbers(
    schema: &Schema,
    document: &Value,
    place: &Place<'_>,
    outcome: &mut Outcome,
) -> Result<()> {
    if let Some(multiple) = &schema.multiple_of
        && !is_multiple(document, multiple)?
    {
        let message = format!("Must be a multiple of {}", written(multiple)?);
        outcome.add("multiple_of", place, message);
    }
    let limits = [
        (&schema.maximum, "number_lte", "less than or equal to"),
        (&schema.exclusive_maximum, "number_lt", "less than"),
        (&schema.minimum, "number_gte", "greater than or equal to"),
        (&schema.exclusive_minimum, "number_gt", "greater than"),
    ];
    for (limit, kind, relation) in limits {
        let Some(limit) = limit else { continue };
        let order = number::compare(document, limit);
        let holds = match kind {
            "number_lte" => order.is_le(),
            "number_lt" => order.is_lt(),
            "number_gte" => order.is_ge(),
            _ => order.is_gt(),
        };
        if !holds {
            let message = format!("Must be {relation} {}", written(limit)?);
            outcome.add(kind, place, message);
        }
    }
    outcome.score += 1;
    Ok(())
}

fn is_multiple(document: &Value, multiple: &Value) -> Result<bool> {
    let large = || refused(NAME, "a number is too large");
    let (document, multiple) = (Decimal::of(document), Decimal::of(multiple));
    let (document, multiple) = (document.ok_or_else(large)?, multiple.ok_or_else(large)?);
    let low = document.exponent.min(multiple.exponent);
    let whole = |decimal: Decimal| {
        let exponent = decimal.exponent - low;
        Decimal {
            exponent,
            ..decimal
        }
        .to_integer()
        .ok_or_else(large)
    };
    let (document, multiple) = (whole(document)?, whole(multiple)?);
    Ok((document % multiple).bits() == 0)
}

/// Digits that a number may have for its shortest text in 64 bits to be its own.
const DIGITS: usize = 18;

/// A number as Go's `big.Float` is written: with an exponent from a million on.
fn written(number: &Value) -> Result<String> {
    let decimal = Decimal::of(number)
        .filter(|decimal| decimal.coefficient.magnitude().to_string().len() <= DIGITS);
    let decimal = decimal.ok_or_else(|| refused(NAME, "a limit has very many digits"))?;
    let decimal = Decimal::new(decimal.coefficient, decimal.exponent);
    let digits = decimal.coefficient.magnitude().to_string();
    let exponent = decimal.exponent + i64::try_from(digits.len()).unwrap_or(0) - 1;
    if decimal == Decimal::zero() || (-4..6).contains(&exponent) {
        return Ok(decimal.text());
    }
    let sign = if decimal.coefficient.sign() == num_bigint::Sign::Minus {
        "-"
    } else {
        ""
    };
    let (first, rest) = digits.split_at(1);
    let dot = if rest.is_empty() { "" } else { "." };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    let exponent = exponent.unsigned_abs();
    Ok(format!(
        "{sign}{first}{dot}{rest}e{exponent_sign}{exponent:02}"
    ))
}
