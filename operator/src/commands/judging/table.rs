//! Results as people read them.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::{
    findings::{self, Finding},
    judge::Judged,
};
use crate::directory::printable;

const HEAD: [&str; 5] = ["RESULT", "OBJECT", "POLICY", "PLACE", "MESSAGE"];

/// A line for each thing that is said, its remedy below it, and how many objects there are.
pub(super) fn report(judged: &[Judged<'_>], quiet: bool) -> String {
    let findings: Vec<Finding<'_>> = judged.iter().flat_map(findings::of).collect();
    let mut text = if findings.is_empty() {
        String::new()
    } else {
        table(&findings)
    };
    if !quiet {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", summary(judged));
    }
    text
}

fn table(findings: &[Finding<'_>]) -> String {
    let rows: Vec<[String; 5]> = findings.iter().map(row).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].width());
        cells.chain([HEAD[column].width()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEAD.len() - 1).map(width).collect();
    let mut text = String::new();
    let mut write = |cells: [&str; 5]| {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(&widths) {
            let room = width - cell.width();
            let _ = write!(line, "{cell}{}  ", " ".repeat(room));
        }
        line.push_str(cells[4]);
        text.push_str(line.trim_end());
        text.push('\n');
    };
    write(HEAD);
    for (row, finding) in rows.iter().zip(findings) {
        write(row.each_ref().map(String::as_str));
        if let Some(remedy) = &finding.message.remedy {
            write(["", "", "", "", &format!("  → {}", shown(remedy))]);
        }
    }
    text
}

fn row(finding: &Finding<'_>) -> [String; 5] {
    let message = finding.message;
    let severity = message.severity.map(|severity| format!(" ({severity})"));
    let comparison = message
        .comparison()
        .map(|compared| format!(" ({compared})"));
    let said = format!(
        "{}{}: {}{}",
        message.code,
        severity.unwrap_or_default(),
        message.message,
        comparison.unwrap_or_default()
    );
    [
        finding.level.as_str().to_owned(),
        shown(&finding.judged.title()),
        finding.decision.policy.to_string(),
        shown(&finding.place()),
        shown(&said),
    ]
}

/// On one line, without what could forge another.
fn shown(text: &str) -> String {
    printable(text).trim_end().replace('\n', " ")
}

fn summary(judged: &[Judged<'_>]) -> String {
    let count = |is: &dyn Fn(&&Judged<'_>) -> bool| judged.iter().filter(is).count();
    let refused = count(&|judged| !judged.allowed());
    let warned = count(&|judged| findings::only_warns(judged));
    let exempt = count(&|judged| judged.exempt);
    let unasked = count(&|judged| !judged.exempt && judged.decisions.is_empty());
    let mut text = format!(
        "{} judged: {refused} refused, {warned} with warnings, {} without",
        objects(judged.len()),
        judged.len() - refused - warned
    );
    for (count, why) in [
        (unasked, "that no policy judges"),
        (exempt, "in exempt namespaces"),
    ] {
        if count > 0 {
            let _ = write!(text, "; {count} {why}");
        }
    }
    text
}

fn objects(count: usize) -> String {
    match count {
        1 => "1 object".to_owned(),
        count => format!("{count} objects"),
    }
}
