//! The bodies that OPA's clients send: JSON, or YAML where the content type says so, and compressed by
//! gzip where the content encoding does.

use std::{collections::BTreeMap, io::Read as _};

use axum::{
    body::{Body, Bytes},
    http::{
        HeaderMap, HeaderName,
        header::{CONTENT_ENCODING, CONTENT_TYPE},
    },
};
use flate2::read::MultiGzDecoder;
use portcullis_policies::{Document, Input, Interest, text::clean};
use serde_json::value::RawValue;

use super::fault::Fault;
use crate::{
    Doors, Unanswered,
    body::{Held, MAX_INPUT, Room, too_large},
    evaluation::ask::read_json,
    problem::Problem,
    question::Question,
};

/// Reads a body as JSON. What is compressed is as long as a body may be when it is not.
pub(super) async fn read(
    doors: &Doors,
    question: &Question,
    headers: &HeaderMap,
    body: Body,
) -> Result<Held, Fault> {
    let of_request = |problem: Problem| Fault::from(problem.of(&question.id));
    let room = doors.input_room();
    let held = room.read(body, MAX_INPUT, question.deadline).await;
    let held = held.map_err(of_request)?;
    let is_compressed = says(headers, &CONTENT_ENCODING, "gzip");
    let is_yaml = says(headers, &CONTENT_TYPE, "yaml") && !held.bytes.is_empty();
    if !is_compressed && !is_yaml {
        return Ok(held);
    }
    let room = room.clone();
    let work = move || {
        let held = if is_compressed {
            inflate(&held, &room)?
        } else {
            held
        };
        if is_yaml {
            from_yaml(&held, &room)
        } else {
            Ok(held)
        }
    };
    let evaluators = &doors.settings().evaluators;
    let read = evaluators.run(question.deadline, work).await;
    read.map_err(unanswered)
        .and_then(|read| read)
        .map_err(of_request)
}

/// The problem of a request for which there was no thread in time.
pub(super) fn unanswered(why: Unanswered) -> Problem {
    match why {
        Unanswered::Overloaded | Unanswered::Late => Problem::overloaded(why.to_string()),
        Unanswered::Failed => Problem::failed(why.to_string()),
    }
}

/// Whether a header mentions something, which is all that OPA asks.
fn says(headers: &HeaderMap, name: &HeaderName, what: &str) -> bool {
    let values = headers.get_all(name).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains(what))
}

fn inflate(held: &Held, room: &Room) -> Result<Held, Problem> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_INPUT).unwrap_or(u64::MAX);
    // Over a number of members that is bounded by the body's own length.
    let mut decoder = MultiGzDecoder::new(&*held.bytes).take(limit.saturating_add(1));
    decoder.read_to_end(&mut bytes).map_err(|error| {
        Problem::input_invalid(clean(&format!("could not decompress the body: {error}")))
    })?;
    if bytes.len() > MAX_INPUT {
        return Err(too_large(MAX_INPUT));
    }
    room.hold(bytes)
}

fn from_yaml(held: &Held, room: &Room) -> Result<Held, Problem> {
    let document = text(held).and_then(|text| {
        Document::read_yaml(text)
            .map_err(|error| malformed(&format!("the body is no YAML: {error}")))
    })?;
    // Anchors make much of little.
    if document.written().is_none() {
        return Err(too_large(MAX_INPUT));
    }
    let json = document.to_string().into_bytes();
    if json.len() > MAX_INPUT {
        return Err(too_large(MAX_INPUT));
    }
    room.hold(json)
}

fn text(held: &Held) -> Result<&str, Problem> {
    std::str::from_utf8(&held.bytes).map_err(|_| malformed("the body is not UTF-8"))
}

/// As OPA begins to say it.
fn malformed(why: &str) -> Problem {
    Problem::input_invalid(clean(&format!(
        "body contains malformed input document: {why}"
    )))
}

/// Where the input of a policy is.
#[derive(Debug)]
pub(super) enum Source {
    /// Nowhere: `input` is undefined.
    Nothing,
    /// In the parameter `input`.
    Parameter(String),
    /// Under `input` in a body.
    Member(Object),
    /// A whole body.
    Body(Held),
    /// This server made it.
    Made(Document),
}

/// A body that is a JSON object.
#[derive(Debug)]
pub(super) struct Object {
    held: Held,
}

impl Source {
    /// What a body holds under `input`; as OPA reads it, `null` is nothing.
    pub(super) fn member(held: Held) -> Result<Self, Fault> {
        if is_blank(&held) {
            return Ok(Self::Nothing);
        }
        Self::of(Object::read(held)?)
    }

    /// What an object holds under `input`; as OPA reads it, `null` is nothing.
    pub(super) fn of(object: Object) -> Result<Self, Fault> {
        let input = object.member("input")?;
        let has_input = input.is_some_and(|input| input.get() != "null");
        Ok(if has_input {
            Self::Member(object)
        } else {
            Self::Nothing
        })
    }

    /// A whole body; as OPA reads it, nothing is `null`.
    pub(super) fn body(held: Held) -> Self {
        if is_blank(&held) {
            Self::Made(Document::from(&serde_json::Value::Null))
        } else {
            Self::Body(held)
        }
    }

    /// The text of the input, if there is one.
    pub(super) fn text(&self) -> Option<Bytes> {
        match self {
            Self::Nothing => None,
            Self::Made(document) => Some(Bytes::from(document.to_string())),
            Self::Parameter(text) => Some(Bytes::from(text.clone())),
            Self::Member(object) => object.text("input"),
            Self::Body(held) => Some(held.bytes.clone()),
        }
    }

    /// Whether there is an input.
    pub(super) fn is_given(&self) -> bool {
        !matches!(self, Self::Nothing)
    }

    /// What is looked at of the input. Work of the processor.
    pub(super) fn read(&self, interest: &Interest<'_>) -> Result<Input, Problem> {
        self.document(interest).map(Input::Evaluation)
    }

    /// The same, as it is; `None` where `input` is undefined.
    pub(super) fn document(&self, interest: &Interest<'_>) -> Result<Option<Document>, Problem> {
        Ok(match self {
            Self::Nothing => None,
            Self::Parameter(text) => {
                Some(read_json(text, interest, "`input`").map_err(|problem| {
                    Problem::input_invalid(format!(
                        "parameter contains malformed input document: {}",
                        problem.detail
                    ))
                })?)
            }
            Self::Member(object) => {
                let input = object.member("input")?;
                let text = input.map_or("null", RawValue::get);
                Some(document(text, interest, "`input`")?)
            }
            Self::Body(held) => Some(document(text(held)?, interest, "the body").map_err(
                |problem| {
                    Problem::input_invalid(format!(
                        "unexpected parse error for input: {}",
                        problem.detail
                    ))
                },
            )?),
            Self::Made(document) => Some(document.clone()),
        })
    }
}

impl Object {
    /// The text of a member, if it is there.
    fn text(&self, name: &str) -> Option<Bytes> {
        let member = self.member(name).ok()??;
        Some(self.held.bytes.slice_ref(member.get().as_bytes()))
    }

    pub(super) fn read(held: Held) -> Result<Self, Problem> {
        let object = Self { held };
        object.members()?;
        Ok(object)
    }

    /// The text of a member. Of several of one name the last counts, as everywhere.
    pub(super) fn member(&self, name: &str) -> Result<Option<&RawValue>, Problem> {
        Ok(self.members()?.remove(name))
    }

    fn members(&self) -> Result<BTreeMap<String, &RawValue>, Problem> {
        serde_json::from_str(text(&self.held)?)
            .map_err(|error| malformed(&format!("the body is no JSON object: {error}")))
    }
}

fn document(text: &str, interest: &Interest<'_>, what: &str) -> Result<Document, Problem> {
    read_json(text, interest, what).map_err(|problem| malformed(&problem.detail))
}

fn is_blank(held: &Held) -> bool {
    held.bytes.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};
    use rstest::rstest;

    use super::*;

    fn zip(bytes: &[u8]) -> Held {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        Held::alone(encoder.finish().unwrap())
    }

    fn inflated(held: &Held) -> Result<usize, (u16, String)> {
        inflate(held, &Room::new())
            .map(|held| held.bytes.len())
            .map_err(|problem| (problem.status.as_u16(), problem.detail))
    }

    #[test]
    fn the_limit_is_that_of_what_was_not_compressed() {
        assert_eq!(inflated(&zip(&vec![b' '; MAX_INPUT])), Ok(MAX_INPUT));
        let (status, _) = inflated(&zip(&vec![b' '; MAX_INPUT + 1])).unwrap_err();
        assert_eq!(status, 413);
        // Some four thousand times as much as was sent.
        let bomb = zip(&vec![0; 64 << 20]);
        assert!(bomb.bytes.len() < 100 << 10);
        assert_eq!(inflated(&bomb).unwrap_err().0, 413);
    }

    #[test]
    fn members_follow_each_other() {
        let mut twice = zip(b"ab").bytes.to_vec();
        twice.extend_from_slice(&zip(b"c").bytes);
        assert_eq!(inflated(&Held::alone(twice)), Ok(3));
    }

    #[rstest]
    #[case::nothing(b"")]
    #[case::text(b"{}")]
    #[case::cut(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1])]
    fn what_is_not_compressed_is_told(#[case] bytes: &[u8]) {
        let (status, detail) = inflated(&Held::alone(bytes.to_vec())).unwrap_err();
        assert_eq!(status, 400);
        assert!(
            detail.starts_with("could not decompress the body: "),
            "{detail}"
        );
    }

    #[test]
    fn anchors_cannot_make_much_of_little() {
        let mut lines = vec!["a: &a [x, x, x, x, x, x, x, x, x, x]".to_owned()];
        for (name, of) in ["b", "c", "d", "e", "f", "g", "h"]
            .iter()
            .zip("abcdefg".chars())
        {
            let ten = vec![format!("*{of}"); 10].join(", ");
            lines.push(format!("{name}: &{name} [{ten}]"));
        }
        let problem =
            from_yaml(&Held::alone(lines.join("\n").into_bytes()), &Room::new()).unwrap_err();
        assert!([400, 413].contains(&problem.status.as_u16()), "{problem:?}");
    }
}
