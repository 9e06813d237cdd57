//! Of a document, only what a plan looks at.

use std::collections::BTreeMap;

use portcullis_policies::rego::plan::ir::Access;
use portcullis_policies::rego::value;
use portcullis_policies::rego::value::Value;

/// The parts that are looked at; of the rest, nothing but the types.
pub(crate) fn prune(value: &Value, access: &Access) -> Value {
    let Access::Parts { each, .. } = access else {
        return value.clone();
    };
    match value {
        Value::Object(object) => {
            let member = |(key, value): (&Value, &Value)| {
                let Value::String(name) = key else {
                    return None;
                };
                Some((key.clone(), prune(value, access.at(name)?)))
            };
            object
                .iter()
                .filter_map(member)
                .collect::<BTreeMap<_, _>>()
                .into()
        }
        Value::Array(_) if value::elements(value).is_some() => {
            let elements = value::elements(value).unwrap_or_default();
            let kept = each
                .iter()
                .flat_map(|below| elements.iter().map(|one| prune(one, below)));
            Value::from(kept.collect::<Vec<_>>())
        }
        Value::Bool(_) => Value::Bool(true),
        Value::Number(_) => Value::from(0_u64),
        Value::String(_) => Value::from(""),
        other => other.clone(),
    }
}
