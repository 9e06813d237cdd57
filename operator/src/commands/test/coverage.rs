//! What is covered, for people.

use std::fmt::Write as _;

use portcullis_policies::workbench::{CoverageReport, FileReport};

use crate::presentation::Table;

/// Too little is covered, in OPA's words. With `lines`, those that are not covered.
pub(super) fn below(report: &CoverageReport, threshold: f64, lines: bool) -> String {
    let mut text = format!(
        "Code coverage threshold not met: got {:.2} instead of {threshold:.2}\n",
        report.coverage
    );
    if lines && !report.files.is_empty() {
        text += "Lines not covered:\n";
        for (name, file) in &report.files {
            for span in missing(file) {
                // Writing to a string does not fail.
                let _ = writeln!(text, "\t{name}:{span}");
            }
        }
    }
    text
}

/// A row for each file, and one for all.
pub(super) fn table(report: &CoverageReport) -> Table {
    let row = |name: &str, covered: usize, not_covered: usize, share: f64, missing: String| {
        vec![
            name.to_owned(),
            format!("{covered}/{}", covered + not_covered),
            format!("{share:.2}"),
            missing,
        ]
    };
    let mut rows: Vec<Vec<String>> = report
        .files
        .iter()
        .map(|(name, file)| {
            let (covered, not_covered) = (file.covered_lines, file.not_covered_lines);
            row(name, covered, not_covered, file.coverage, shown(file))
        })
        .collect();
    rows.push(row(
        "Overall Coverage",
        report.covered_lines,
        report.not_covered_lines,
        report.coverage,
        String::new(),
    ));
    Table {
        head: ["File", "Lines", "Percent", "Not Covered"]
            .map(str::to_owned)
            .to_vec(),
        rows,
    }
}

/// Lines that are shown in a table: a row has to fit a screen.
const SHOWN: usize = 8;

fn shown(file: &FileReport) -> String {
    let spans = missing(file);
    let mut text = spans[..spans.len().min(SHOWN)].join(", ");
    if spans.len() > SHOWN {
        let _ = write!(text, ", and {} more", spans.len() - SHOWN);
    }
    text
}

/// Lines that are not covered: `3`, `5-8`.
fn missing(file: &FileReport) -> Vec<String> {
    let mut lines: Vec<u32> = file
        .not_covered
        .iter()
        .flat_map(|range| range.start.row..=range.end.row)
        .collect();
    lines.sort_unstable();
    lines.dedup();
    let together = lines.chunk_by(|left, right| left + 1 == *right);
    let span = |span: &[u32]| match span {
        [first, .., last] => format!("{first}-{last}"),
        [only] => only.to_string(),
        [] => String::new(),
    };
    together.map(span).collect()
}
