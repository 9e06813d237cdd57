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
    let mut lines: Vec<Line<'_>> = findings.iter().map(line).collect();
    lines.extend(judged.iter().flat_map(exempted));
    let mut text = if lines.is_empty() {
        String::new()
    } else {
        table(&lines)
    };
    if !quiet {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", summary(judged));
    }
    text
}

/// A line, and what stands below it.
struct Line<'l> {
    cells: [String; 5],
    remedy: Option<&'l str>,
}

fn table(lines: &[Line<'_>]) -> String {
    let width = |column: usize| {
        let cells = lines.iter().map(|line| line.cells[column].width());
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
    for line in lines {
        write(line.cells.each_ref().map(String::as_str));
        if let Some(remedy) = line.remedy {
            write(["", "", "", "", &format!("  → {}", shown(remedy))]);
        }
    }
    text
}

fn line<'l>(finding: &Finding<'l>) -> Line<'l> {
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
    Line {
        cells: [
            finding.level.as_str().to_owned(),
            shown(&finding.judged.title()),
            finding.decision.speaker(),
            shown(&finding.place()),
            shown(&said),
        ],
        remedy: message.remedy.as_deref(),
    }
}

/// A line for each policy that an exemption has leave the object alone.
fn exempted<'l>(judged: &'l Judged<'_>) -> impl Iterator<Item = Line<'l>> {
    let place = || judged.locate(None).map(|place| place.to_string());
    judged.decisions.iter().filter_map(move |decision| {
        let exemption = decision.exemption.as_ref()?;
        let said = format!(
            "{} until {}, approved by {}: {}",
            exemption.name, exemption.expires_at, exemption.approver, exemption.reason
        );
        Some(Line {
            cells: [
                "exempt".to_owned(),
                shown(&judged.title()),
                decision.speaker(),
                shown(&place().unwrap_or_default()),
                shown(&said),
            ],
            remedy: None,
        })
    })
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
    let exempted = count(&|judged| findings::is_exempted(judged));
    let unasked = count(&|judged| !judged.exempt && judged.decisions.is_empty());
    let mut text = format!(
        "{} judged: {refused} refused, {warned} with warnings, {} without",
        objects(judged.len()),
        judged.len() - refused - warned
    );
    for (count, why) in [
        (unasked, "that no policy judges"),
        (exempt, "in exempt namespaces"),
        (exempted, "that exemptions leave alone"),
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
