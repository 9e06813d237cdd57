//! The table of requests.

/// One request, and why its answers differ, if they do.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// As it stands in the table.
    pub(super) line: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<String>,
    pub(super) reason: Option<String>,
}

/// Reads `requests.txt`, which says how it is written.
pub(super) fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for line in include_str!("requests.txt").lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let last = rows.last_mut();
        if let Some(header) = line.strip_prefix("  + ") {
            let (name, value) = header.split_once(": ").expect("a header has a value");
            let last = last.expect("a header follows its request");
            last.headers.push((name.to_owned(), value.to_owned()));
        } else if let Some(reason) = line.strip_prefix("  ~ ") {
            last.expect("a reason follows its request").reason = Some(reason.to_owned());
        } else {
            rows.push(row(line));
        }
    }
    rows
}

fn row(line: &str) -> Row {
    let (head, body) = match line.split_once(" <-") {
        Some((head, body)) => (head, Some(body.strip_prefix(' ').unwrap_or(body))),
        None => (line, None),
    };
    let (method, path) = head.split_once(' ').expect("a request has a path");
    Row {
        line: line.to_owned(),
        method: method.to_owned(),
        path: path.to_owned(),
        body: body.map(str::to_owned),
        ..Row::default()
    }
}
