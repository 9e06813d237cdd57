//! What a block says, in the shape in which OPA gives it to policies.

use serde_json::{Map, Value, json};

use super::super::super::ast::{Expr, ExprKind, TermKind, Version};
use super::super::super::source::FileId;

/// Reads a block. Fields that OPA does not know are left out.
pub(super) fn read(yaml: &str) -> Result<Value, String> {
    if yaml.trim().is_empty() {
        return Err("expected METADATA block, found whitespace".to_owned());
    }
    let written: Value = serde_saphyr::from_str(yaml).map_err(|error| {
        format!(
            "invalid METADATA: {}",
            error.to_string().lines().next().unwrap_or_default()
        )
    })?;
    let written = match written {
        Value::Object(fields) => fields,
        Value::Null => Map::new(),
        _ => return Err("invalid METADATA: expected fields".to_owned()),
    };
    let mut document = Map::new();
    for name in ["scope", "title", "description"] {
        let text = scalar(&written, name)?;
        if !text.is_empty() {
            document.insert(name.to_owned(), text.into());
        }
    }
    match written.get("entrypoint") {
        None | Some(Value::Null | Value::Bool(false)) => {}
        Some(Value::Bool(true)) => {
            document.insert("entrypoint".to_owned(), true.into());
        }
        Some(_) => return Err("invalid METADATA: entrypoint must be a boolean".to_owned()),
    }
    let mut list = |name: &str, read: fn(&Value) -> Result<Value, String>| {
        let members = match written.get(name) {
            None | Some(Value::Null) => return Ok(()),
            Some(Value::Array(members)) => members,
            Some(_) => return Err(format!("invalid METADATA: {name} must be a list")),
        };
        let members = members.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        if !members.is_empty() {
            document.insert(name.to_owned(), members.into());
        }
        Ok(())
    };
    list("organizations", |name| match name {
        Value::String(_) => Ok(name.clone()),
        _ => Err("invalid METADATA: organizations must be strings".to_owned()),
    })?;
    list("related_resources", related_resource)?;
    list("authors", author)?;
    list("schemas", schema)?;
    if let Some(compile) = fields(&written, "compile")? {
        check_compile(compile)?;
    }
    for name in ["custom", "labels"] {
        if let Some(fields) = fields(&written, name)?.filter(|fields| !fields.is_empty()) {
            document.insert(name.to_owned(), fields.clone().into());
        }
    }
    Ok(document.into())
}

/// A field's text; empty if there is none.
fn scalar(fields: &Map<String, Value>, name: &str) -> Result<String, String> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(_) | Value::Object(_)) => {
            Err(format!("invalid METADATA: {name} must be a string"))
        }
        Some(other) => Ok(other.to_string()),
    }
}

fn fields<'v>(
    written: &'v Map<String, Value>,
    name: &str,
) -> Result<Option<&'v Map<String, Value>>, String> {
    match written.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(fields)) => Ok(Some(fields)),
        Some(_) => Err(format!("invalid METADATA: {name} must be an object")),
    }
}

fn related_resource(written: &Value) -> Result<Value, String> {
    let invalid = |reason: &str| Err(format!("invalid related-resource definition: {reason}"));
    match written {
        Value::String(reference) if reference.is_empty() => {
            invalid("ref URL may not be empty string")
        }
        Value::String(reference) => Ok(json!({ "ref": reference })),
        Value::Object(fields) => {
            let reference = trimmed(fields, "ref");
            let description = trimmed(fields, "description");
            if reference.is_empty() {
                return invalid("'ref' value required in object");
            }
            let mut resource = Map::new();
            resource.insert("ref".to_owned(), reference.into());
            if !description.is_empty() {
                resource.insert("description".to_owned(), description.into());
            }
            Ok(resource.into())
        }
        _ => invalid("invalid value type, must be string or map"),
    }
}

/// `Ann Example <ann@example.com>`, or name and email.
fn author(written: &Value) -> Result<Value, String> {
    let invalid = |reason: &str| Err(format!("invalid author definition: {reason}"));
    let (name, email) = match written {
        Value::String(text) => {
            let mut words: Vec<&str> = text.split_whitespace().collect();
            let Some(&last) = words.last() else {
                return invalid("author is an empty string");
            };
            let email = last
                .strip_prefix('<')
                .and_then(|last| last.strip_suffix('>'));
            if email.is_some() {
                words.pop();
            }
            (words.join(" "), email.unwrap_or("").to_owned())
        }
        Value::Object(fields) => (trimmed(fields, "name"), trimmed(fields, "email")),
        _ => return invalid("invalid value type, must be string or map"),
    };
    if name.is_empty() && email.is_empty() && written.is_object() {
        return invalid("'name' and/or 'email' values required in object");
    }
    let mut author = Map::new();
    for (key, text) in [("name", name), ("email", email)] {
        if !text.is_empty() {
            author.insert(key.to_owned(), text.into());
        }
    }
    Ok(author.into())
}

fn trimmed(fields: &Map<String, Value>, name: &str) -> String {
    fields
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or("")
        .trim()
        .to_owned()
}

/// `input.x: schema.y`, or `input.x: {type: object}`
fn schema(written: &Value) -> Result<Value, String> {
    let Some((path, schema)) = written.as_object().and_then(|fields| fields.iter().next()) else {
        return Err("invalid METADATA: schemas must be a list of pairs".to_owned());
    };
    let path = reference(path).ok_or("invalid document reference")?;
    match schema {
        Value::String(name) => {
            let name = if name == "schema" {
                Some(vec![name.clone()])
            } else {
                reference(name)
            };
            let name = name.filter(|name| name.first().is_some_and(|root| root == "schema"));
            let name = name.ok_or("invalid schema reference")?;
            Ok(json!({ "path": path, "schema": name }))
        }
        Value::Object(_) => Ok(json!({ "path": path, "definition": schema })),
        _ => Err("invalid schema declaration".to_owned()),
    }
}

fn check_compile(fields: &Map<String, Value>) -> Result<(), String> {
    let unknowns = fields
        .get("unknowns")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    for unknown in unknowns.filter_map(Value::as_str) {
        if reference(unknown).is_none() {
            return Err(format!("invalid unknowns element {unknown:?}"));
        }
    }
    match fields.get("mask_rule").and_then(Value::as_str) {
        Some(mask) if term(mask).is_none_or(|kind| !can_mask(&kind)) => {
            Err(format!("invalid mask_rule annotation {mask:?}"))
        }
        _ => Ok(()),
    }
}

fn can_mask(kind: &TermKind) -> bool {
    matches!(
        kind,
        TermKind::Var(_) | TermKind::String(_) | TermKind::Ref(_)
    )
}

/// The parts of a written reference.
fn reference(text: &str) -> Option<Vec<String>> {
    let TermKind::Ref(path) = term(text)? else {
        return None;
    };
    let parts = path.iter().map(|part| match &part.kind {
        TermKind::Var(name) | TermKind::String(name) => Some(name.to_string()),
        TermKind::Number(number) => Some(number.to_string()),
        _ => None,
    });
    parts.collect()
}

/// A written term.
fn term(text: &str) -> Option<TermKind> {
    let exprs = super::super::parse_query(FileId::default(), text, Version::V1).ok()?;
    let [expr] = &exprs[..] else { return None };
    let expr: &Expr = expr;
    match &expr.kind {
        ExprKind::Term(term) => Some(term.kind.clone()),
        _ => None,
    }
}
