//! How large a document may be that an evaluation gives back.

use super::value::{self, Value};

/// Most members of all collections, and bytes of all texts, that an evaluation may give back: the
/// largest input has four million bytes.
pub(crate) const MAX_WEIGHT: usize = 8 << 20;

/// Deepest value that an evaluation may give back: what `serde_json` reads as well. It is written
/// recursively, on threads with small stacks.
const MAX_DEPTH: usize = 128;

/// Whether a document is small enough to be handed on. Values are shared, so that a small one in
/// memory may be without end when it is written: what is shared counts each time.
pub(crate) fn is_bounded(document: &Value) -> bool {
    weight(document).is_some()
}

/// Members of all collections and bytes of all texts, if it is small enough to be handed on.
pub(crate) fn weight(document: &Value) -> Option<usize> {
    weight_within(document, MAX_WEIGHT)
}

/// The same, if it is no more than a limit; what has more is not looked at to its end.
pub(crate) fn weight_within(document: &Value, limit: usize) -> Option<usize> {
    let mut open = vec![(document, 0)];
    let mut weight = 0_usize;
    while let Some((value, depth)) = open.pop() {
        weight += 1;
        let members = value::count(value).unwrap_or_default();
        if weight + open.len() + members > limit || depth > MAX_DEPTH {
            return None;
        }
        let below = |member| (member, depth + 1);
        match value {
            Value::String(text) => weight += text.len(),
            Value::Array(elements) => open.extend(elements.iter().map(below)),
            Value::Set(members) => open.extend(members.iter().map(below)),
            Value::Object(entries) => {
                open.extend(
                    entries
                        .iter()
                        .flat_map(|(key, value)| [below(key), below(value)]),
                );
            }
            _ => {}
        }
    }
    (weight <= limit).then_some(weight)
}
