//! The same policies, the same requests: a real OPA's answers and ours, byte by byte.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{
    exchange::{Answer, ask},
    table::rows,
    theirs::Opa,
};
use crate::{
    document::document,
    process::{Server, connect, copy},
};

/// The policies, in the repository layout.
fn policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serve/opa/policies")
}

/// Serves a copy of the policies; gives its root and its files.
pub(super) fn serve(folder: &Path) -> ((PathBuf, Vec<PathBuf>), Server) {
    let root = folder.join("policies");
    let files = copy(&policies(), &root);
    let server = Server::of(&root);
    ((root, files), server)
}

#[test]
fn answers_are_those_of_opa() {
    let folder = TempDir::new().unwrap();
    let ((root, files), server) = serve(folder.path());
    let opa = Opa::start(&root, &files);
    let mut wrong = Vec::new();
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let rows = rows();
    for row in &rows {
        // Asked once before, OPA has compiled the path as we have.
        let _ = ask(row, opa.connect());
        let theirs = ask(row, opa.connect());
        let ours = ask(row, connect(&server.evaluation));
        match &row.reason {
            None if theirs != ours => wrong.push(difference(&row.line, &theirs, &ours)),
            Some(reason) if theirs == ours => {
                wrong.push(format!(
                    "{}\n  is answered alike, in spite of `{reason}`",
                    row.line
                ));
            }
            _ => {}
        }
        if let Some(reason) = &row.reason {
            *reasons.entry(reason.clone()).or_default() += 1;
        }
    }
    assert!(
        wrong.is_empty(),
        "{}:\n\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
    check_document(rows.len(), &reasons);
}

fn difference(line: &str, theirs: &Answer, ours: &Answer) -> String {
    let shown = |answer: &Answer| format!("{} {:?} {}", answer.status, answer.headers, answer.body);
    format!("{line}\n  OPA: {}\n  we:  {}", shown(theirs), shown(ours))
}

/// The document says how many requests there are, and has a row for each reason, with how many it has.
fn check_document(all: usize, reasons: &BTreeMap<String, usize>) {
    let document = document("opa.md");
    let different: usize = reasons.values().sum();
    let said = format!(
        "Of {all} requests, {} are answered alike and {different} are not",
        all - different
    );
    assert!(document.contains(&said), "docs/opa.md must say: {said}");
    let told: BTreeMap<String, usize> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|row| {
            let mut cells = row.split(" | ");
            let reason = cells.next()?.strip_suffix('`')?;
            Some((reason.to_owned(), cells.next()?.parse().ok()?))
        })
        .collect();
    assert_eq!(&told, reasons, "the rows of docs/opa.md");
}
