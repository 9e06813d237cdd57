//! Keys as OPA's types have them: as JSON. A set is an array there, and what is no string is one as a
//! key of an object. So `{1}` finds what an object has under `[1]`, for the type checker.

use std::borrow::Cow;

use regorus::Value;
use regorus::value::Object;

use super::Type;
use crate::rego::value::{self, Kind, json, order};

/// A key as JSON.
pub(super) fn as_json(key: &Value) -> Cow<'_, Value> {
    match value::kind(key) {
        Kind::Array | Kind::Set | Kind::Object => Cow::Owned(collection(key)),
        _ => Cow::Borrowed(key),
    }
}

fn collection(value: &Value) -> Value {
    let below = |value: &Value| as_json(value).into_owned();
    match value {
        Value::Set(set) => Value::from(order::members(set).map(below).collect::<Vec<_>>()),
        Value::Object(object) => {
            let entries = object.iter_sorted();
            let entry = |(key, value)| {
                let key = json::key_text(as_json(key).as_ref());
                (Value::from(key), below(value))
            };
            entries.map(entry).collect::<Object>().into_value()
        }
        other => match value::elements(other) {
            Some(elements) => Value::from(elements.iter().map(below).collect::<Vec<_>>()),
            None => other.clone(),
        },
    }
}

impl Type {
    /// An object of constant keys, and of others.
    pub fn object_of(
        known: impl IntoIterator<Item = (Value, Self)>,
        rest: Option<(Self, Self)>,
    ) -> Self {
        let entry = |(key, kind): (Value, Self)| (as_json(&key).into_owned(), kind);
        let mut known: Vec<_> = known.into_iter().map(entry).collect();
        known.sort_by(|(one, _), (other, _)| value::compare(one, other));
        Self::Object(known.into(), rest.map(std::sync::Arc::new))
    }
}
