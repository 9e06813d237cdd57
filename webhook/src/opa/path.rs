//! The path of a document, as OPA reads it behind `/v1/data`.

use std::{
    fmt::{self, Write as _},
    str::FromStr,
};

use portcullis_policies::{Step, text::clean};

use super::fault::Fault;

/// Longest number that OPA takes for one.
const MAX_DIGITS: usize = 19;

/// A path below `data`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DataPath(pub(super) Vec<Step>);

impl DataPath {
    /// Reads what follows `/v1/data` in a URL: parts between slashes, each encoded by itself, so
    /// that `%2F` is no slash.
    pub(super) fn read(encoded: &str) -> Result<Self, Fault> {
        steps(encoded).map(Self).map_err(|why| Fault::path(&why))
    }

    /// The group and the name of a policy, if it has both.
    pub(super) fn address(&self) -> Option<(&str, &str, &[Step])> {
        match &self.0[..] {
            [Step::Name(group), Step::Name(name), rest @ ..] => Some((group, name, rest)),
            _ => None,
        }
    }

    /// The path as OPA's decision log has it: `tasks/authz/allow`.
    pub(super) fn logged(&self) -> String {
        let steps: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        clean(&steps.join("/"))
    }

    /// The reference that OPA's messages name: `data.tasks["no-name"][1].x`.
    pub(super) fn reference(&self) -> String {
        let mut text = "data".to_owned();
        for step in &self.0 {
            // Writing to a String cannot fail.
            let _ = match step {
                Step::Number(number) => write!(text, "[{number}]"),
                Step::Name(name) if is_plain(name) => write!(text, ".{name}"),
                Step::Name(name) => write!(text, "[{name:?}]"),
            };
        }
        clean(&text)
    }
}

/// The path of the document that `POST /` answers: `/system/main`, as OPA's, unless somebody says
/// otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionPath {
    text: String,
    pub(super) path: DataPath,
}

impl Default for DecisionPath {
    fn default() -> Self {
        "/system/main"
            .parse()
            .expect("a group and a name are a path")
    }
}

/// A path names a policy, or a part of its document; the error is a sentence.
impl FromStr for DecisionPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let steps = steps(text)?;
        let path = DataPath(steps);
        if path.address().is_none() {
            return Err("it is no path such as /services/authorization/allow".to_owned());
        }
        let text = text.to_owned();
        Ok(Self { text, path })
    }
}

impl fmt::Display for DecisionPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

fn steps(encoded: &str) -> Result<Vec<Step>, String> {
    let parts = encoded.split('/').filter(|part| !part.is_empty());
    parts.map(step).collect()
}

fn step(encoded: &str) -> Result<Step, String> {
    let part = decode(encoded).ok_or("it is not UTF-8")?;
    if part.contains('"') {
        return Err(format!("invalid ref term '{part}'"));
    }
    Ok(match number(&part) {
        Some(number) => Step::Number(number),
        None => Step::Name(part),
    })
}

/// The text that percent signs encode. As for Go, a text with one that encodes nothing is as it is;
/// `None` is no text.
pub(super) fn decode(encoded: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let [high, low, after @ ..] = rest else {
            return Some(encoded.to_owned());
        };
        let (Some(high), Some(low)) = (hex(*high), hex(*low)) else {
            return Some(encoded.to_owned());
        };
        bytes.push(high << 4 | low);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// A whole number, with a sign or without, also where zeros follow a dot.
fn number(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    if digits.is_empty() || digits.len() > MAX_DIGITS {
        return None;
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_whole = fraction.bytes().all(|byte| byte == b'0');
    if !is_whole || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    Some(sign * number)
}

fn is_plain(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = bytes.next();
    first.is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn name(name: &str) -> Step {
        Step::Name(name.to_owned())
    }

    #[rstest]
    #[case("", &[], "data")]
    #[case("/", &[], "data")]
    #[case("/tasks/authz/allow/", &[name("tasks"), name("authz"), name("allow")], "data.tasks.authz.allow")]
    #[case("//tasks///authz", &[name("tasks"), name("authz")], "data.tasks.authz")]
    #[case("/a/0/-12/+3", &[name("a"), Step::Number(0), Step::Number(-12), Step::Number(3)], "data.a[0][-12][3]")]
    #[case("/1.0/1.5/1.", &[Step::Number(1), name("1.5"), Step::Number(1)], r#"data[1]["1.5"][1]"#)]
    #[case("/12345678901234567890", &[name("12345678901234567890")], r#"data["12345678901234567890"]"#)]
    #[case("/9223372036854775808", &[name("9223372036854775808")], r#"data["9223372036854775808"]"#)]
    #[case("/a%2Fb/c%20d", &[name("a/b"), name("c d")], r#"data["a/b"]["c d"]"#)]
    #[case("/%zz/%", &[name("%zz"), name("%")], r#"data["%zz"]["%"]"#)]
    #[case("/%C3%A9", &[name("é")], r#"data["é"]"#)]
    #[case("/no-name/-", &[name("no-name"), name("-")], r#"data["no-name"]["-"]"#)]
    fn reads(#[case] encoded: &str, #[case] steps: &[Step], #[case] reference: &str) {
        let path = DataPath::read(encoded).unwrap();
        assert_eq!(path.0, steps);
        assert_eq!(path.reference(), reference);
    }

    #[rstest]
    #[case("/a/%22b")]
    #[case("/a/%b7")]
    fn refuses(#[case] encoded: &str) {
        assert!(DataPath::read(encoded).is_err());
    }

    #[test]
    fn the_first_two_names_are_an_address() {
        let address = |encoded: &str| {
            let path = DataPath::read(encoded).unwrap();
            path.address()
                .map(|(group, name, rest)| (group.to_owned(), name.to_owned(), rest.len()))
        };
        assert_eq!(
            address("/a/b/c/1"),
            Some(("a".to_owned(), "b".to_owned(), 2))
        );
        assert_eq!(address("/a"), None);
        assert_eq!(address("/a/1"), None);
        assert_eq!(address("/1/a"), None);
    }

    #[rstest]
    #[case("/services/authorization/allow", true)]
    #[case("services/authorization", true)]
    #[case("/services", false)]
    #[case("", false)]
    #[case("/services/1", false)]
    #[case("/a/b\"", false)]
    fn a_default_decision_is_of_a_policy(#[case] text: &str, #[case] expected: bool) {
        let path: Result<DecisionPath, String> = text.parse();
        assert_eq!(path.is_ok(), expected);
        assert!(path.is_err() || path.unwrap().to_string() == text);
    }

    proptest! {
        #[test]
        fn never_panics(encoded in "\\PC{0,40}|[/%0-9a-f.+-]{0,40}") {
            if let Ok(path) = DataPath::read(&encoded) {
                path.reference();
            }
        }
    }
}
