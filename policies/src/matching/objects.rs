//! The labels of a request's objects, by which selectors select.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{LabelSelector, Labels, rego::value::Value};

/// What selectors look at of a request's objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    /// The object as it will be; there is none in a deletion.
    pub object: ObjectLabels,
    /// The object as it is; there is none in a creation.
    pub old_object: ObjectLabels,
}

/// The labels of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ObjectLabels {
    /// There is no object, or one that has no metadata, such as the options of `kubectl exec`.
    #[default]
    Absent,
    /// They are these, of which there may be none.
    Known(Labels),
    /// There is something that is no metadata or are no labels.
    Unreadable,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    object: Option<&'a RawValue>,
    #[serde(borrow)]
    old_object: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Metadata {
    labels: Option<Labels>,
}

impl Objects {
    /// Reads them of the JSON of an `AdmissionRequest`.
    pub fn read(request: &str) -> Self {
        serde_json::from_str(request).map_or(
            Self {
                object: ObjectLabels::Unreadable,
                old_object: ObjectLabels::Unreadable,
            },
            |request: Request<'_>| Self {
                object: ObjectLabels::of(request.object),
                old_object: ObjectLabels::of(request.old_object),
            },
        )
    }

    /// Whether a selector selects one of them.
    pub(super) fn are_selected_by(&self, selector: &LabelSelector) -> bool {
        [&self.object, &self.old_object]
            .into_iter()
            .any(|labels| match labels {
                ObjectLabels::Absent => false,
                ObjectLabels::Known(labels) => selector.matches(labels),
                ObjectLabels::Unreadable => true,
            })
    }
}

impl ObjectLabels {
    /// Those of an object that is there.
    pub(crate) fn of_value(object: &Value) -> Self {
        let member = |value: &Value, key: &str| {
            let found = value.as_object().ok()?.get(&Value::from(key));
            found.filter(|found| **found != Value::Null).cloned()
        };
        let Some(metadata) = member(object, "metadata") else {
            return Self::Absent;
        };
        if metadata.as_object().is_err() {
            return Self::Unreadable;
        }
        let Some(labels) = member(&metadata, "labels") else {
            return Self::Known(Labels::new());
        };
        let Ok(labels) = labels.as_object() else {
            return Self::Unreadable;
        };
        let pair = |(key, value): (&Value, &Value)| match (key, value) {
            (Value::String(key), Value::String(value)) => {
                Some((key.to_string(), value.to_string()))
            }
            _ => None,
        };
        let labels: Option<Labels> = labels.iter().map(pair).collect();
        labels.map_or(Self::Unreadable, Self::Known)
    }

    fn of(object: Option<&RawValue>) -> Self {
        let Some(object) = object else {
            return Self::Absent;
        };
        let Ok(Object { metadata }) = serde_json::from_str(object.get()) else {
            return Self::Unreadable;
        };
        let Some(metadata) = metadata else {
            return Self::Absent;
        };
        serde_json::from_str(metadata.get()).map_or(Self::Unreadable, |metadata: Metadata| {
            Self::Known(metadata.labels.unwrap_or_default())
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::none("{}", ObjectLabels::Absent)]
    #[case::null(r#"{"object": null}"#, ObjectLabels::Absent)]
    #[case::options(r#"{"object": {"kind": "PodExecOptions"}}"#, ObjectLabels::Absent)]
    #[case::no_labels(
        r#"{"object": {"metadata": {"name": "a"}}}"#,
        ObjectLabels::Known(Labels::new())
    )]
    #[case::null_labels(
        r#"{"object": {"metadata": {"labels": null}}}"#,
        ObjectLabels::Known(Labels::new())
    )]
    #[case::labels(
        r#"{"object": {"spec": {"labels": {"no": "no"}}, "metadata": {"name": "a", "labels": {"\u0061": "1"}}}}"#,
        ObjectLabels::Known([("a".to_owned(), "1".to_owned())].into())
    )]
    #[case::a_number(
        r#"{"object": {"metadata": {"labels": {"a": 1}}}}"#,
        ObjectLabels::Unreadable
    )]
    #[case::a_list(r#"{"object": {"metadata": []}}"#, ObjectLabels::Unreadable)]
    #[case::a_text(r#"{"object": "pod"}"#, ObjectLabels::Unreadable)]
    #[case::twice(
        r#"{"object": {"metadata": {}, "metadata": {}}}"#,
        ObjectLabels::Unreadable
    )]
    #[case::no_json("{", ObjectLabels::Unreadable)]
    fn reads_labels(#[case] request: &str, #[case] expected: ObjectLabels) {
        assert_eq!(Objects::read(request).object, expected);
    }
}
