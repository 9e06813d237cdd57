//! `format`, as OPA's schema library checks it.

use std::net::IpAddr;

use super::{Context, Result, refused};
use crate::rego::{
    builtins::{call, lookup, time, uri},
    value::Value,
};

/// A format that is checked, by its name. Any other holds for every text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Format(&'static str);

const CHECKED: [&str; 15] = [
    "date",
    "date-time",
    "hostname",
    "ipv4",
    "ipv6",
    "iri",
    "iri-reference",
    "json-pointer",
    "regex",
    "relative-json-pointer",
    "time",
    "uri",
    "uri-reference",
    "uri-template",
    "uuid",
];

const DATE: &str = "2006-01-02";
const TIME: &str = "15:04:05";
const TIME_IN_ZONE: &str = "15:04:05Z07:00";
const DATE_TIME: &str = "2006-01-02T15:04:05Z07:00";

impl Format {
    pub(super) fn named(function: &'static str, name: &str) -> Result<Option<Self>> {
        if matches!(name, "email" | "idn-email") {
            return Err(refused(function, "addresses of mail are not known"));
        }
        let known = CHECKED.into_iter().find(|known| *known == name);
        Ok(known.map(Self))
    }

    pub(super) fn name(self) -> &'static str {
        self.0
    }

    /// Whether a text is of this format.
    pub(super) fn is_of(self, context: &mut Context<'_, '_>, text: &str) -> Result<bool> {
        context.budget.steps(text.len() as u64 / 16)?;
        let is_time = |layouts: &[&str]| layouts.iter().any(|layout| time::is_of(layout, text));
        let is_address = || text.parse::<IpAddr>().is_ok();
        let reference = || uri::Reference::of(text).filter(|_| !text.contains('\\'));
        Ok(match self.0 {
            "date" => is_time(&[DATE]),
            "time" => is_time(&[TIME_IN_ZONE, TIME]),
            // A day, or a time of any day, is one too.
            "date-time" => is_time(&[TIME, TIME_IN_ZONE, DATE, DATE_TIME]),
            "hostname" => is_hostname(text),
            "ipv4" => is_address() && text.contains('.'),
            "ipv6" => is_address() && text.contains(':'),
            "uri" | "iri" => reference().is_some_and(|reference| !reference.scheme.is_empty()),
            "uri-reference" | "iri-reference" => reference().is_some(),
            "uri-template" => reference().is_some_and(|reference| is_template(&reference.path)),
            "uuid" => is_uuid(text),
            "regex" => {
                let is_valid = lookup("regex.is_valid").expect("it is in a table of ours");
                text.is_empty()
                    || call(is_valid, context, &[Value::from(text)])? == Value::Bool(true)
            }
            "json-pointer" => is_pointer(text),
            _ => is_relative_pointer(text),
        })
    }
}

/// Labels of letters, digits and inner hyphens.
fn is_hostname(text: &str) -> bool {
    let is_label = |label: &str| {
        let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(is_inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() < 256 && text.split('.').all(is_label)
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths = groups.iter().map(|group| group.len());
    lengths.eq([8, 4, 4, 4, 12])
        && groups
            .iter()
            .all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether each brace that opens is closed.
fn is_template(path: &[u8]) -> bool {
    let mut rest = path.iter();
    while rest.any(|byte| *byte == b'{') {
        if !rest.any(|byte| *byte == b'}') {
            return false;
        }
    }
    true
}

fn is_pointer(text: &str) -> bool {
    let mut after_tilde = text.split('~').skip(1);
    (text.is_empty() || text.starts_with('/'))
        && after_tilde.all(|rest| rest.starts_with(['0', '1']))
}

fn is_relative_pointer(text: &str) -> bool {
    let end = text.find(|character: char| !character.is_ascii_digit());
    let (digits, rest) = text.split_at(end.unwrap_or(text.len()));
    let is_number = digits == "0" || !digits.is_empty() && !digits.starts_with('0');
    is_number && (rest == "#" || is_pointer(rest))
}
