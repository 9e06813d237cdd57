//! YAML and JSON documents that know where each of their parts stands.
//!
//! A misspelt field is told by line and column, so a document is read as a tree with places first;
//! the plain JSON of the API's types is taken from the tree.

use std::fmt;

use portcullis_policies::Location;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value as Json};
use serde_saphyr::{Spanned, options};

/// A line and a column, counted from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

/// One value of a document, and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    place: Place,
    content: Content,
}

/// Why a text is not YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Where, if that is known.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
}

#[derive(Clone, Debug, PartialEq)]
enum Content {
    Scalar(Json),
    Sequence(Vec<Node>),
    Mapping(Vec<(String, Place, Node)>),
}

/// Reads all documents of a text; empty ones are left out. JSON is YAML, with its bound for a key: 1,024
/// characters as it is written.
pub fn read(text: &str) -> Result<Vec<Node>, Unreadable> {
    // The parser's own budget bounds depth, aliases and nodes; the file's size bounds the rest.
    let options = options! { with_snippet: false };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
        let place = error
            .location()
            .map(|location| place(location.line(), location.column()));
        let message = error.without_snippet().to_string();
        // The parser repeats the place at the end; it is told apart here.
        let message = match message.rfind(" at line ") {
            Some(end) if place.is_some() => message[..end].to_owned(),
            _ => message,
        };
        Unreadable { place, message }
    })
}

impl Node {
    /// The value without its places.
    pub fn to_json(&self) -> Json {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::Sequence(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Content::Mapping(entries) => {
                let entry =
                    |(key, _, value): &(String, Place, Self)| (key.clone(), value.to_json());
                Json::Object(entries.iter().map(entry).collect::<Map<_, _>>())
            }
        }
    }

    /// Where the value begins.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The items below a key of this mapping; none where there is no sequence.
    pub fn items(&self, name: &str) -> &[Self] {
        let below = match &self.content {
            Content::Mapping(entries) => entries.iter().find(|(key, ..)| key == name),
            Content::Scalar(_) | Content::Sequence(_) => None,
        };
        match below.map(|(_, _, node)| &node.content) {
            Some(Content::Sequence(items)) => items,
            _ => &[],
        }
    }

    /// Where a key of this mapping stands.
    pub fn key(&self, name: &str) -> Option<Place> {
        let Content::Mapping(entries) = &self.content else {
            return None;
        };
        entries
            .iter()
            .find(|(key, ..)| key == name)
            .map(|(_, place, _)| *place)
    }

    /// Where the key at the end of a path such as `spec.rules[0].resources` stands, or the last
    /// part of the path that is there.
    pub fn locate_key(&self, path: &str) -> Place {
        match &self.content {
            Content::Mapping(entries) => entries
                .iter()
                .find_map(|(key, place, value)| {
                    let rest = path.strip_prefix(key.as_str())?;
                    rest.is_empty().then_some(*place).or_else(|| {
                        let below = rest.strip_prefix('.');
                        let below = below.or_else(|| Some(rest).filter(|r| r.starts_with('[')))?;
                        Some(value.locate_key(below))
                    })
                })
                .unwrap_or(self.place),
            Content::Sequence(items) => {
                let item = path.strip_prefix('[').and_then(|rest| rest.split_once(']'));
                let found = item.and_then(|(index, rest)| {
                    let node = items.get(index.parse::<usize>().ok()?)?;
                    let rest = rest.strip_prefix('.').unwrap_or(rest);
                    Some(if rest.is_empty() {
                        node.place
                    } else {
                        node.locate_key(rest)
                    })
                });
                found.unwrap_or(self.place)
            }
            Content::Scalar(_) => self.place,
        }
    }

    /// Where the value at the end of a JSON pointer such as `/spec/rules/0` begins, or the last
    /// part of the pointer that is there.
    pub fn locate_value(&self, pointer: &str) -> Place {
        let Some(rest) = pointer.strip_prefix('/') else {
            return self.place;
        };
        let (step, rest) = rest
            .split_once('/')
            .map_or((rest, ""), |(step, _)| (step, &rest[step.len()..]));
        let step = step.replace("~1", "/").replace("~0", "~");
        let below = match &self.content {
            Content::Mapping(entries) => entries
                .iter()
                .find(|(key, ..)| *key == step)
                .map(|(_, _, value)| value),
            Content::Sequence(items) => step.parse::<usize>().ok().and_then(|i| items.get(i)),
            Content::Scalar(_) => None,
        };
        below.map_or(self.place, |node| node.locate_value(rest))
    }
}

impl Place {
    /// The place in a file.
    pub fn of(self, file: &str) -> Location {
        Location {
            file: file.to_owned(),
            line: self.line,
            column: self.column,
        }
    }
}

fn place(line: u64, column: u64) -> Place {
    // The size of a file bounds both far below this.
    let count = |number: u64| u32::try_from(number.max(1)).unwrap_or(u32::MAX);
    Place {
        line: count(line),
        column: count(column),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Content>::deserialize(deserializer)?;
        let place = place(spanned.referenced.line(), spanned.referenced.column());
        Ok(Self {
            place,
            content: spanned.value,
        })
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Content, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("JSON has no such number"))?;
        Ok(Content::Scalar(number.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Json::Null))
    }

    fn visit_none<E>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Json::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Content, D::Error> {
        Content::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Content, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Content::Sequence(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Content, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = access.next_entry::<Spanned<String>, Node>()? {
            let place = place(key.referenced.line(), key.referenced.column());
            entries.push((key.value, place, value));
        }
        Ok(Content::Mapping(entries))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    const DOCUMENT: &str = "\
spec:
  version: 1.0
  modules:
    policy.rego: |
      package a
  rules:
    - groups: [a, b]
      wrong: x
";

    fn one(text: &str) -> Node {
        read(text).unwrap().remove(0)
    }

    #[test]
    fn reads_what_json_has() {
        let node = one(DOCUMENT);
        let expected = json!({"spec": {
            "version": 1.0,
            "modules": {"policy.rego": "package a\n"},
            "rules": [{"groups": ["a", "b"], "wrong": "x"}],
        }});
        assert_eq!(node.to_json(), expected);
        assert_eq!(
            one("{\"a\": [1, null, true]}").to_json(),
            json!({"a": [1, null, true]})
        );
    }

    #[rstest]
    #[case("spec", 1, 1)]
    #[case("spec.version", 2, 3)]
    #[case("spec.modules.policy.rego", 4, 5)]
    #[case("spec.rules[0].wrong", 8, 7)]
    #[case("spec.rules[0]", 7, 7)]
    #[case("spec.rules[7].wrong", 7, 5)]
    #[case("spec.absent", 2, 3)]
    #[case("spe", 1, 1)]
    fn finds_keys(#[case] path: &str, #[case] line: u32, #[case] column: u32) {
        assert_eq!(one(DOCUMENT).locate_key(path), Place { line, column });
    }

    #[rstest]
    #[case("", 1, 1)]
    #[case("/spec/version", 2, 12)]
    #[case("/spec/modules/policy.rego", 5, 7)]
    #[case("/spec/rules/0/groups/1", 7, 19)]
    #[case("/spec/rules/0/absent", 7, 7)]
    fn finds_values(#[case] pointer: &str, #[case] line: u32, #[case] column: u32) {
        assert_eq!(one(DOCUMENT).locate_value(pointer), Place { line, column });
    }

    #[rstest]
    #[case("a: 1\na: 2\n", 2, 1)]
    #[case("a: [1\nb: 2", 2, 2)]
    #[case("a: .nan", 1, 4)]
    #[case("? {a: b}\n: c", 1, 3)]
    #[case(&format!("{{\"{}\": 1}}", "k".repeat(1_100)), 1, 1_104)]
    fn tells_where_a_text_is_not_readable(
        #[case] text: &str,
        #[case] line: u32,
        #[case] column: u32,
    ) {
        let fault = read(text).unwrap_err();
        assert_eq!(fault.place, Some(Place { line, column }), "{fault:?}");
        assert!(!fault.message.contains("at line"), "{fault:?}");
    }

    #[test]
    fn leaves_empty_documents_out_and_reads_several() {
        assert_eq!(read("").unwrap(), []);
        assert_eq!(
            read("---\n# nothing\n---\na: 1\n---\nb: 2\n")
                .unwrap()
                .len(),
            2
        );
    }

    #[test]
    fn refuses_what_grows_without_bound() {
        let level = |level: usize| {
            let below = format!("*a{}, ", level - 1).repeat(9);
            format!("a{level}: &a{level} [{below}]\n")
        };
        let levels: Vec<String> = (1..12).map(level).collect();
        let bomb = format!("a0: &a0 [x, x, x, x, x, x, x, x, x]\n{}", levels.concat());
        assert!(read(&bomb).is_err());
        assert!(read(&"[".repeat(100_000)).is_err());
    }
}
