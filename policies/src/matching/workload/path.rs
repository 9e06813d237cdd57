//! Where the Pod template is in an object.

use std::{fmt, str::FromStr};

use crate::rego::{
    plan::access::Access,
    value::{self, Value, order},
};

/// Most fields of a path. Kubernetes' deepest has five.
const MOST_FIELDS: usize = 16;

/// Most templates of one object. Each is an evaluation of each policy: with the time that a policy
/// has by default, so many fit into what the API server waits for.
pub(super) const MOST_TEMPLATES: usize = 32;

/// The path of a Pod template: `spec.template`, or with `[*]` behind a field for every member of
/// its list or map: `spec.tasks[*].template`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplatePath(Vec<Field>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    name: String,
    /// Whether the path goes on below each member.
    each: bool,
}

/// A text that is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no path of a Pod template: join at most {MOST_FIELDS} fields with dots, such as \
     spec.template or spec.tasks[*].template"
)]
pub struct TemplatePathError(String);

/// What is found at a path.
#[derive(Debug, Default)]
pub(super) struct Found<'v> {
    /// The templates, each with its own path: `spec.tasks[0].template`.
    pub(super) templates: Vec<(String, &'v Value)>,
    /// The first path at which there should be something, and is nothing.
    pub(super) absent: Option<String>,
}

impl TemplatePath {
    /// What is there in an object. The error is a sentence: something is in the way that is none of
    /// a template's, or there is too much.
    pub(super) fn find<'v>(&self, object: &'v Value) -> Result<Found<'v>, String> {
        let mut found = Found::default();
        gather(&self.0, String::new(), object, &mut found)?;
        Ok(found)
    }

    /// Whether all that the path leads through is as it was before, so that what cannot be read there
    /// is no reason to stop a change of something else.
    pub(super) fn is_untouched(&self, object: &Value, before: &Value) -> bool {
        let mut access = Access::default();
        self.note(&mut access);
        let part = |object| access.prune(object);
        matches!(before, Value::Object(_)) && order::compare(&part(object), &part(before)).is_eq()
    }

    /// Notes that all of the templates is looked at.
    pub(super) fn note(&self, access: &mut Access) {
        note(&self.0, access);
    }
}

/// The error of an object with more templates than are judged.
pub(super) fn too_many() -> String {
    format!("the object has more than {MOST_TEMPLATES} Pod templates")
}

fn gather<'v>(
    fields: &[Field],
    path: String,
    at: &'v Value,
    found: &mut Found<'v>,
) -> Result<(), String> {
    let is_absent = matches!(at, Value::Undefined | Value::Null);
    if is_absent {
        found.absent.get_or_insert(path);
        return Ok(());
    }
    let Value::Object(_) = at else {
        return Err(format!("`{path}` is no object"));
    };
    let Some((field, rest)) = fields.split_first() else {
        found.templates.push((path, at));
        if found.templates.len() > MOST_TEMPLATES {
            return Err(too_many());
        }
        return Ok(());
    };
    let path = if path.is_empty() {
        field.name.clone()
    } else {
        format!("{path}.{}", field.name)
    };
    let below = &at[field.name.as_str()];
    if !field.each {
        return gather(rest, path, below, found);
    }
    match below {
        Value::Undefined | Value::Null => {
            found.absent.get_or_insert(path);
            Ok(())
        }
        Value::Object(members) => order::entries(members).try_for_each(|(key, member)| {
            let key = key.as_string().map(ToString::to_string);
            gather(
                rest,
                format!("{path}.{}", key.unwrap_or_default()),
                member,
                found,
            )
        }),
        list => {
            let elements =
                value::elements(list).ok_or_else(|| format!("`{path}` is no list and no map"))?;
            let mut numbered = elements.iter().enumerate();
            numbered.try_for_each(|(number, element)| {
                gather(rest, format!("{path}[{number}]"), element, found)
            })
        }
    }
}

fn note(fields: &[Field], access: &mut Access) {
    let Some((field, rest)) = fields.split_first() else {
        return access.whole();
    };
    let below = access.key(&field.name);
    if field.each {
        below.each(|member| note(rest, member));
    } else {
        note(rest, below);
    }
}

impl FromStr for TemplatePath {
    type Err = TemplatePathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let field = |part: &str| {
            let (name, each) = part
                .strip_suffix("[*]")
                .map_or((part, false), |name| (name, true));
            let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            let inside = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            (starts && name.chars().all(inside)).then(|| Field {
                name: name.to_owned(),
                each,
            })
        };
        let fields: Option<Vec<Field>> = text.split('.').map(field).collect();
        fields
            .filter(|fields| fields.len() <= MOST_FIELDS)
            .map(Self)
            .ok_or_else(|| TemplatePathError(crate::text::clean(text)))
    }
}

/// As it is written.
impl fmt::Display for TemplatePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, Field { name, each }) in self.0.iter().enumerate() {
            let dot = if place > 0 { "." } else { "" };
            let members = if *each { "[*]" } else { "" };
            write!(formatter, "{dot}{name}{members}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::Document;

    #[rstest]
    #[case("spec.template", true)]
    #[case("spec.tasks[*].pod-template", true)]
    #[case("template", true)]
    #[case("", false)]
    #[case("spec..template", false)]
    #[case(".spec", false)]
    #[case("spec[0]", false)]
    #[case("spec[*][*]", false)]
    #[case("[*]", false)]
    #[case("$.spec", false)]
    #[case("a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p", true)]
    #[case("a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q", false)]
    fn paths(#[case] text: &str, #[case] is_path: bool) {
        let path = text.parse::<TemplatePath>();
        assert_eq!(
            path.map(|path| path.to_string()).ok(),
            is_path.then(|| text.to_owned())
        );
    }

    /// The paths of what is found, then what is absent, or why it cannot be read.
    #[rstest]
    #[case("a.b", json!({"a": {"b": {}}}), "a.b")]
    #[case("a.b", json!({"a": {}}), "; a.b")]
    #[case("a.b", json!({"a": null}), "; a")]
    #[case("a.b", json!({"a": {"b": null}}), "; a.b")]
    #[case("a.b", json!({"a": {"b": "text"}}), "`a.b` is no object")]
    #[case("a.b", json!({"a": [1]}), "`a` is no object")]
    #[case("a[*].b", json!({"a": [{"b": {}}, {"b": {}}]}), "a[0].b a[1].b")]
    #[case("a[*].b", json!({"a": [{"b": {}}, {}]}), "a[0].b; a[1].b")]
    #[case("a[*].b", json!({"a": []}), "")]
    #[case("a[*].b", json!({}), "; a")]
    #[case("a[*].b", json!({"a": {"y": {"b": {}}, "x": {"b": {}}}}), "a.x.b a.y.b")]
    #[case("a[*].b", json!({"a": 1.25}), "`a` is no list and no map")]
    #[case("a[*].b", json!({"a": vec![json!({"b": {}}); 33]}),
        "the object has more than 32 Pod templates")]
    fn finds(#[case] path: &str, #[case] object: Json, #[case] expected: &str) {
        let object = Document::from(&object);
        let path: TemplatePath = path.parse().unwrap();
        let told = match path.find(object.value()) {
            Err(why) => why,
            Ok(Found { templates, absent }) => {
                let found: Vec<String> = templates.into_iter().map(|(path, _)| path).collect();
                let absent = absent.map_or(String::new(), |path| format!("; {path}"));
                found.join(" ") + &absent
            }
        };
        assert_eq!(told, expected);
    }
}
