//! One request on a connection of its own, and what of its answer is compared.

use std::io::{Read, Write};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};

use super::table::Row;

/// What is compared of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The headers that say what the body is.
    pub(super) headers: Vec<(String, String)>,
    /// The body, read as its headers say, without ids and times.
    pub(super) body: String,
}

/// Headers that are compared. Others are of the connection, or a time.
const COMPARED: [&str; 4] = ["content-type", "content-encoding", "vary", "location"];

/// Asks.
pub(super) fn ask(row: &Row, mut stream: impl Read + Write) -> Answer {
    let mut body = row.body.clone().unwrap_or_default().into_bytes();
    let mut head = format!(
        "{} {} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n",
        row.method, row.path
    );
    for (name, value) in &row.headers {
        head.push_str(name);
        head.push_str(": ");
        head.push_str(value);
        head.push_str("\r\n");
        if name == "content-encoding" && value.contains("gzip") {
            body = zip(&body);
        }
    }
    let length = body.len();
    write!(stream, "{head}content-length: {length}\r\n\r\n").expect("the server must read");
    stream.write_all(&body).expect("the server must read");
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .expect("the server must answer");
    read(&answer)
}

fn read(answer: &[u8]) -> Answer {
    let end = answer.windows(4).position(|part| part == b"\r\n\r\n");
    let (head, rest) = answer.split_at(end.expect("an answer has a head"));
    let mut body = rest[4..].to_vec();
    let head = String::from_utf8(head.to_vec()).expect("a head is text");
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let all: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let has = |name: &str, value: &str| {
        let is_it = |(own, of): &(String, String)| own == name && of == value;
        all.iter().any(is_it)
    };
    if has("transfer-encoding", "chunked") {
        body = joined(&body);
    }
    if has("content-encoding", "gzip") {
        let mut plain = Vec::new();
        let mut decoder = GzDecoder::new(&*body);
        decoder.read_to_end(&mut plain).expect("it is compressed");
        body = plain;
    }
    let mut headers = all;
    headers.retain(|(name, _)| COMPARED.contains(&name.as_str()));
    headers.sort();
    let body = String::from_utf8(body).expect("an answer is text");
    Answer {
        status: status
            .and_then(|status| status.parse().ok())
            .expect("an answer has a status"),
        headers,
        body: settled(&body),
    }
}

fn zip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let zipped = encoder.write_all(bytes).and_then(|()| encoder.finish());
    zipped.expect("memory takes everything")
}

/// The chunks of a body as one.
fn joined(mut chunks: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = chunks.windows(2).position(|part| part == b"\r\n");
        let end = end.expect("a chunk has a length");
        let length = std::str::from_utf8(&chunks[..end]).expect("a length is text");
        let length = usize::from_str_radix(length, 16).expect("a length is a number");
        if length == 0 {
            return body;
        }
        let begin = end + 2;
        body.extend_from_slice(&chunks[begin..begin + length]);
        chunks = &chunks[begin + length + 2..];
    }
}

/// The text without ids and times.
fn settled(text: &str) -> String {
    let mut settled = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if is_id(rest) {
            settled.push_str("<id>");
            rest = &rest[ID..];
        } else if let Some(after) = rest.strip_prefix("_ns\":") {
            settled.push_str("_ns\":");
            let number = after.trim_start_matches(' ');
            settled.push_str(&after[..after.len() - number.len()]);
            settled.push_str("<time>");
            rest = number.trim_start_matches(|c: char| c.is_ascii_digit());
        } else {
            settled.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    settled
}

/// Characters of an id.
const ID: usize = 36;

/// Whether a text begins with an id such as `0c4f8d5e-5d0c-4a51-9d6c-0e8c9a3b7f11`.
fn is_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= ID
        && bytes[..ID].iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[test]
fn ids_and_times_are_left_out() {
    let text =
        "{\"decision_id\": \"0c4f8d5e-5d0c-4a51-9d6c-0e8c9a3b7f11\", \"timer_x_ns\": 17, \"é\": 1}";
    let expected = "{\"decision_id\": \"<id>\", \"timer_x_ns\": <time>, \"é\": 1}";
    assert_eq!(settled(text), expected);
    assert_eq!(settled("{\"timer_x_ns\":17}"), "{\"timer_x_ns\":<time>}");
}
