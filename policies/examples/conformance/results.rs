//! Results as OPA's runner compares them.
//!
//! Both sides are sets of solutions, and the values are JSON: a set is an array in OPA's order,
//! which is compared, and a key that is no string is its text.

use std::collections::BTreeMap;

use portcullis_policies::rego::value;
use portcullis_policies::rego::value::{Value, json::from_serde};

use crate::suite::Case;

/// What differs, if anything does.
pub(crate) fn difference(
    case: &Case,
    expected: &[serde_json::Value],
    found: &[Value],
) -> Option<String> {
    let mut expected: Vec<Value> = expected.iter().map(from_serde).collect();
    let mut found: Vec<Value> = found.iter().map(|one| plain(one, case)).collect();
    for list in [&mut expected, &mut found] {
        list.sort_by(value::compare);
        list.dedup_by(|a, b| value::compare(a, b).is_eq());
    }
    let same = expected.len() == found.len()
        && expected
            .iter()
            .zip(&found)
            .all(|(a, b)| value::compare(a, b).is_eq());
    let show = |values: &[Value]| {
        let texts: Vec<String> = values.iter().map(value::json::write).collect();
        texts.join(" ; ")
    };
    (!same).then(|| format!("expected {} found {}", show(&expected), show(&found)))
}

/// The bindings of a solution as JSON.
fn plain(bindings: &Value, case: &Case) -> Value {
    let json = value::json::write(bindings);
    let parsed = serde_json::from_str(&json).unwrap_or(serde_json::Value::Null);
    let Value::Object(object) = from_serde(&parsed) else {
        return Value::Null;
    };
    let made_up = |name: &Value| {
        matches!(name, Value::String(name) if name.starts_with("__localq"))
            && case.ignore_generated_vars
    };
    let members = object.iter().filter(|(name, _)| !made_up(name));
    let members = members.map(|(name, value)| {
        let mut value = value.clone();
        if case.sort_bindings
            && let Some(elements) = value::elements(&value)
        {
            let mut sorted = elements.to_vec();
            sorted.sort_by(value::compare);
            value = Value::from(sorted);
        }
        (name.clone(), value)
    });
    members.collect::<BTreeMap<_, _>>().into()
}
