//! JSON documents: what is judged, and what a policy answers.

use std::{cmp::Ordering, collections::BTreeMap, fmt};

use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeMap as _, SerializeSeq as _},
};
use serde_json::{Value as Json, value::RawValue};

use crate::rego::{
    self,
    ast::WILDCARD,
    builtins,
    value::{self, Value, json, number, order},
};

/// A document with exact numbers. A policy's answer can hold sets and keys that are no strings;
/// they are written as OPA does, sets as arrays in order and keys as their JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document(Value);

impl Document {
    /// Reads JSON. The error is a sentence.
    pub fn read(text: &str) -> Result<Self, String> {
        json::read(text).map(Self)
    }

    /// Reads the first document of YAML, as `yaml.unmarshal` does. The error is a sentence.
    pub fn read_yaml(text: &str) -> Result<Self, String> {
        builtins::read_yaml(text).map(Self)
    }

    /// A certificate in DER, as OPA's policies read one (`crypto.x509.parse_certificates`); `None` where
    /// the bytes are none.
    pub fn of_certificate(der: &[u8]) -> Option<Self> {
        builtins::read_certificate(der).map(Self)
    }

    /// What a path of keys, indices and members leads to.
    pub fn at(&self, path: &[Step]) -> Option<Self> {
        let found = path.iter().try_fold(&self.0, |value, step| match value {
            Value::Object(object) => object.get(&step.key()),
            Value::Set(set) => set.get(&step.key()),
            _ => match step {
                Step::Number(index) => value::elements(value)?.get(usize::try_from(*index).ok()?),
                Step::Name(_) => None,
            },
        });
        found.cloned().map(Self)
    }

    /// The only member, where its name is one that the compiler gave.
    pub(crate) fn nameless(&self) -> Option<Self> {
        let Value::Object(object) = &self.0 else {
            return None;
        };
        let mut members = object.iter();
        let (name, value) = members.next().filter(|_| members.next().is_none())?;
        let is_given = matches!(name, Value::String(name) if name.starts_with(WILDCARD));
        is_given.then(|| Self(value.clone()))
    }

    /// The same with a member more, or another one in its place; what has no members stays as it is.
    #[must_use]
    pub fn with(mut self, name: &str, member: Self) -> Self {
        if let Ok(members) = self.0.as_object_mut() {
            members.insert(Value::from(name), member.0);
        }
        self
    }

    /// The same as JSON has it: sets are arrays in OPA's order, and keys are texts.
    #[must_use]
    pub fn as_json(&self) -> Self {
        Self(plain(&self.0).unwrap_or_else(|| self.0.clone()))
    }

    /// An object of documents.
    pub fn object(members: impl IntoIterator<Item = (String, Self)>) -> Self {
        let members = members.into_iter();
        let members: BTreeMap<Value, Value> = members
            .map(|(name, member)| (Value::from(name), member.0))
            .collect();
        Self(members.into())
    }

    /// The greatest weight of what a policy gives.
    pub const MAX_WEIGHT: usize = rego::MAX_WEIGHT;

    /// How large it is when it is written: members of all collections and bytes of all texts, what is
    /// shared each time. `None` if that is more than [`Self::MAX_WEIGHT`], or if it is too deep, so that
    /// it is not to be written.
    pub fn written(&self) -> Option<usize> {
        rego::weight(&self.0)
    }

    /// The same, if it is no more than `limit`; what has more is not looked at to its end.
    pub fn written_within(&self, limit: usize) -> Option<usize> {
        rego::weight_within(&self.0, limit)
    }

    /// What keys lead to.
    pub fn member(&self, keys: &[&str]) -> Option<Self> {
        self.part(keys).cloned().map(Self)
    }

    /// The same, within this document.
    pub(crate) fn part(&self, keys: &[&str]) -> Option<&Value> {
        keys.iter().try_fold(&self.0, |value, key| match value {
            Value::Object(object) => object.get(&Value::from(*key)),
            _ => None,
        })
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match &self.0 {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is `true`, if it is that or `false`.
    pub fn as_bool(&self) -> Option<bool> {
        match self.0 {
            Value::Bool(holds) => Some(holds),
            _ => None,
        }
    }

    /// Whether it has named members.
    pub fn is_object(&self) -> bool {
        matches!(self.0, Value::Object(_))
    }

    pub(crate) fn new(value: Value) -> Self {
        Self(value)
    }

    pub(crate) fn value(&self) -> &Value {
        &self.0
    }
}

/// What JSON has in the place of a value; `None` where that is the value.
fn plain(value: &Value) -> Option<Value> {
    let kept = |plain: Option<Value>, value: &Value| plain.unwrap_or_else(|| value.clone());
    match value {
        Value::Set(set) => {
            let members = order::members(set).map(|member| kept(plain(member), member));
            Some(Value::from(members.collect::<Vec<_>>()))
        }
        Value::Object(object) => {
            let members: Vec<_> = object
                .iter()
                .map(|(key, member)| (key, member, plain(member)))
                .collect();
            let is_plain = |(key, _, plain): &(&Value, &Value, Option<Value>)| {
                matches!(key, Value::String(_)) && plain.is_none()
            };
            if members.iter().all(is_plain) {
                return None;
            }
            let mut copy = Value::new_object();
            let own = copy.as_object_mut().ok()?;
            for (key, member, plain) in members {
                own.insert(Value::from(json::key_text(key)), kept(plain, member));
            }
            Some(copy)
        }
        _ => {
            let elements = value::elements(value)?;
            let plain: Vec<_> = elements.iter().map(plain).collect();
            if plain.iter().all(Option::is_none) {
                return None;
            }
            let both = plain.into_iter().zip(elements);
            let all = both.map(|(plain, element)| kept(plain, element));
            Some(Value::from(all.collect::<Vec<_>>()))
        }
    }
}

/// As it stands in a path, without what would have to be escaped there.
impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => formatter.write_str(name),
            Self::Number(number) => write!(formatter, "{number}"),
        }
    }
}

/// One step of a path into a document. As in OPA, what is written as a whole number is one, and no
/// name: it leads to an element, or to what is under a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A key, or a member of a set.
    Name(String),
    /// An index, or a key or member that is a number.
    Number(i64),
}

impl Step {
    /// Bytes that it takes.
    pub fn size(&self) -> usize {
        match self {
            Self::Name(name) => name.len(),
            Self::Number(_) => size_of::<i64>(),
        }
    }

    fn key(&self) -> Value {
        match self {
            Self::Name(name) => Value::from(name.as_str()),
            Self::Number(number) => Value::from(*number),
        }
    }
}

/// A text.
impl From<&str> for Document {
    fn from(text: &str) -> Self {
        Self(Value::from(text))
    }
}

/// In OPA's order.
impl Ord for Document {
    fn cmp(&self, other: &Self) -> Ordering {
        order::compare(&self.0, &other.0)
    }
}

impl PartialOrd for Document {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// An object without members.
impl Default for Document {
    fn default() -> Self {
        Self(Value::new_object())
    }
}

/// As it would be read from the document's text.
impl From<&Json> for Document {
    fn from(document: &Json) -> Self {
        Self(json::from_serde(document))
    }
}

/// As JSON.
impl fmt::Display for Document {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&json::write(&self.0))
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written(&self.0).serialize(serializer)
    }
}

struct Written<'a>(&'a Value);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null | Value::Undefined => serializer.serialize_unit(),
            Value::Bool(holds) => serializer.serialize_bool(*holds),
            Value::String(text) => serializer.serialize_str(text),
            Value::Set(set) => {
                let mut sequence = serializer.serialize_seq(Some(set.len()))?;
                for member in order::members(set) {
                    sequence.serialize_element(&Written(member))?;
                }
                sequence.end()
            }
            Value::Object(object) => {
                let mut entries: Vec<(String, &Value)> = object
                    .iter()
                    .map(|(key, value)| (json::key_text(key), value))
                    .collect();
                entries.sort_by(|(left, _), (right, _)| left.cmp(right));
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(&key, &Written(value))?;
                }
                map.end()
            }
            Value::Array(_) | Value::Number(_) => match value::elements(self.0) {
                Some(elements) => {
                    let mut sequence = serializer.serialize_seq(Some(elements.len()))?;
                    for element in elements {
                        sequence.serialize_element(&Written(element))?;
                    }
                    sequence.end()
                }
                None => write_number(self.0, serializer),
            },
        }
    }
}

/// With all of its digits, which `serde` knows only as text.
fn write_number<S: Serializer>(number: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    match number::as_i64(number) {
        Some(integer) if !number::is_written_as_fraction(number) => {
            serializer.serialize_i64(integer)
        }
        _ => {
            let text = number::text(number).unwrap_or_else(|| "null".to_owned());
            let raw = RawValue::from_string(text).map_err(S::Error::custom)?;
            raw.serialize(serializer)
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(r#"{"b":[1,-2.5,true],"a":null}"#, r#"{"a":null,"b":[1,-2.5,true]}"#)]
    #[case("123456789012345678901234567890", "123456789012345678901234567890")]
    #[case("0.33333333333333333334", "0.33333333333333333334")]
    #[case("1.0", "1.0")]
    #[case("1e400", &format!("1{}", "0".repeat(400)))]
    #[case(r#"["<é\u0001"]"#, r#"["<é\u0001"]"#)]
    fn is_written_with_all_digits(#[case] text: &str, #[case] expected: &str) {
        let document = Document::read(text).unwrap();
        assert_eq!(serde_json::to_string(&document).unwrap(), expected);
    }

    #[test]
    fn writes_what_json_does_not_have() {
        let set = Value::from(std::collections::BTreeSet::from([
            Value::from(2_i64),
            Value::from(1_i64),
        ]));
        let object = std::collections::BTreeMap::from([
            (Value::from(10_i64), set.clone()),
            (set, Value::from("x")),
        ]);
        let text = serde_json::to_string(&Document::new(object.into())).unwrap();
        assert_eq!(text, r#"{"10":[1,2],"[1,2]":"x"}"#);
    }

    #[test]
    fn what_json_does_not_have_is_made_of_what_it_has() {
        let set = Value::from(std::collections::BTreeSet::from([
            Value::from(2_i64),
            Value::from(1_i64),
        ]));
        let object = std::collections::BTreeMap::from([
            (Value::from(10_i64), set.clone()),
            (Value::from("x"), Value::from(vec![set, Value::Null])),
        ]);
        let document = Document::new(object.into());
        let read = Document::read(r#"{"10":[1,2],"x":[[1,2],null]}"#).unwrap();
        assert_eq!(document.as_json(), read);
        assert_eq!(read.as_json(), read);
    }

    #[rstest]
    #[case("1", 1)]
    #[case(r#""abcd""#, 5)]
    #[case(r#"{"abcd": [1, 2]}"#, 9)]
    fn documents_are_weighed_within_a_limit(#[case] text: &str, #[case] weight: usize) {
        let document = Document::read(text).unwrap();
        assert_eq!(document.written_within(weight), Some(weight));
        assert_eq!(document.written_within(weight - 1), None);
    }

    #[rstest]
    #[case(&[name("a"), Step::Number(1)], Some("3"))]
    #[case(&[name("a"), Step::Number(2)], None)]
    #[case(&[name("a"), Step::Number(-1)], None)]
    #[case(&[name("a"), name("1")], None)]
    #[case(&[name("a"), name("x")], None)]
    #[case(&[name("b")], None)]
    #[case(&[name("1")], Some("4"))]
    #[case(&[Step::Number(1)], None)]
    #[case(&[], Some(r#"{"1":4,"a":[2,3]}"#))]
    fn paths_lead_to_parts(#[case] path: &[Step], #[case] expected: Option<&str>) {
        let found = Document::read(r#"{"a": [2, 3], "1": 4}"#).unwrap().at(path);
        assert_eq!(found.map(|found| found.to_string()).as_deref(), expected);
    }

    fn name(name: &str) -> Step {
        Step::Name(name.to_owned())
    }

    #[test]
    fn numbers_lead_to_what_is_under_numbers() {
        let set = std::collections::BTreeSet::from([Value::from(7_i64), Value::from("8")]);
        let object = BTreeMap::from([(Value::from(1_i64), Value::from(set))]);
        let document = Document::new(object.into());
        let found = |member: Step| document.at(&[Step::Number(1), member]);
        assert_eq!(found(Step::Number(7)), Some(Document::new(7_i64.into())));
        assert_eq!(found(Step::Number(8)), None);
        assert_eq!(found(name("8")), Some(Document::new("8".into())));
    }

    #[test]
    fn documents_are_put_together() {
        let member = |text: &str| Document::read(text).unwrap();
        let object = Document::object([
            ("b".to_owned(), member("[1]")),
            ("a".to_owned(), member("{}")),
        ]);
        assert_eq!(object.to_string(), r#"{"a":{},"b":[1]}"#);
        assert_eq!(object.written(), Some(8));
        let mut deep = member("1");
        for _ in 0..129 {
            deep = Document::object([("a".to_owned(), deep)]);
        }
        assert_eq!(deep.written(), None);
    }
}
