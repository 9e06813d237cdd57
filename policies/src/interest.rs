//! What policies look at of the documents that they judge.

use std::borrow::Cow;

use crate::{
    Document, Entry, Point,
    rego::{plan::access::Access, value::json},
};

/// What some policies look at together. A document is read once for all of them, without the parts
/// that none of them can see.
#[derive(Debug)]
pub struct Interest<'a>(Cow<'a, Access>);

impl<'a> Interest<'a> {
    /// What policies look at that are asked at a door: of an `AdmissionRequest`, or of any document.
    pub fn of(point: Point, entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut accesses = entries.into_iter().flat_map(|entry| {
            let exemptions = entry.exemption_access(point).map(Cow::Borrowed);
            [entry.access(point), exemptions].into_iter().flatten()
        });
        let mut all = accesses.next().unwrap_or_default();
        for access in accesses {
            all.to_mut().merge(&access);
        }
        Self(all)
    }

    /// All of any document.
    pub fn whole() -> Self {
        Self(Cow::Owned(Access::All))
    }

    /// Reads JSON. What nobody looks at is left out, or is another value of its type; it has to be
    /// JSON all the same. The error is a sentence.
    pub fn read(&self, text: &[u8]) -> Result<Document, String> {
        json::read_parts(text, &self.0)
            .map(Document::new)
            .map_err(|fault| fault.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rstest::rstest;

    use super::*;
    use crate::{Definition, ObjectKey, Part, Policy};

    const DOCUMENT: &str = r#"{"a": 1, "object": {"b": 2, "c": {"d": [3]}}, "text": "e"}"#;

    fn entry(source: &str) -> Entry {
        let source = format!("package a.b\n{source}");
        let definition = Definition::new("a/b@1".parse().unwrap(), &source);
        Entry {
            object: ObjectKey {
                kind: "ClusterPolicy",
                namespace: None,
                name: "a".to_owned(),
            },
            policy: Arc::new(Policy::compile(definition)),
            locks: Vec::new(),
            imported_locks: Vec::new(),
            exemptions: Arc::default(),
            binding: None,
            part: Part::Object,
            superseded_by: None,
        }
    }

    #[rstest]
    #[case(Point::Evaluation, &["allow if input.a == 1"], r#"{"a":1}"#)]
    #[case(Point::Evaluation, &["allow if input.a == 1", "x := input.object.c"], r#"{"a":1,"object":{"c":{"d":[3]}}}"#)]
    #[case(Point::Evaluation, &["allow := true"], "{}")]
    #[case(Point::Evaluation, &["x := input"], r#"{"a":1,"object":{"b":2,"c":{"d":[3]}},"text":"e"}"#)]
    #[case(Point::Admission, &["allow if input.request.object.b", "deny if input.review.a"], r#"{"a":1,"object":{"b":2}}"#)]
    #[case(Point::Admission, &["allow if input.a == 1"], "{}")]
    #[case(Point::Admission, &["broken if"], "{}")]
    fn is_read_and_nothing_else(
        #[case] point: Point,
        #[case] policies: &[&str],
        #[case] expected: &str,
    ) {
        let entries: Vec<Entry> = policies.iter().map(|source| entry(source)).collect();
        let found = Interest::of(point, &entries).read(DOCUMENT.as_bytes());
        assert_eq!(
            found.map(|found| found.to_string()),
            Ok(expected.to_owned())
        );
    }

    #[test]
    fn what_nobody_looks_at_is_json_all_the_same() {
        let found = Interest::of(Point::Evaluation, []).read(br#"{"a": [1,]}"#);
        assert!(found.is_err());
    }
}
