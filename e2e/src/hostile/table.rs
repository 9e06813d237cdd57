//! The table as people read it, on a terminal or in a page.

use std::fmt::Write as _;

use super::Row;

/// All rows, the outcome of each behind its measures.
pub fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.entry.len()).max().unwrap_or(0);
    let mut text = format!(
        "{:width$}  {:>9} {:>9} {:>9} {:>9} {:>9}  {}\n{:width$}  {:>9} {:>9} {:>9} {:>9} {:>9}\n",
        "ENTRY",
        "BUDGET",
        "TIME",
        "PEAK",
        "NEIGHBOUR",
        "",
        "OUTCOME",
        "",
        "ms",
        "ms",
        "MiB",
        "p50 ms",
        "p99 ms"
    );
    for row in rows {
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "{:width$}  {:>9.0} {:>9.0} {:>9.0} {:>9.2} {:>9.2}  {}",
            row.entry,
            row.budget_ms,
            row.time_ms,
            row.peak_mib,
            row.neighbour_p50_ms,
            row.neighbour_p99_ms,
            row.outcome
        );
        if let Some(fault) = &row.fault {
            let _ = write!(text, " ✗ {fault}");
        }
        text.push('\n');
    }
    text
}

/// All rows as a page of Markdown: a table for each family.
pub fn markdown(rows: &[Row]) -> String {
    let mut text = String::new();
    let mut last = "";
    for row in rows {
        let (family, name) = row.entry.split_once('/').unwrap_or(("", &row.entry));
        if family != last {
            let _ = write!(
                text,
                "\n## {family}\n\n\
                 | entry | what it tries | outcome | time, ms | of, ms | memory, MiB | neighbour, ms |\n\
                 |---|---|---|---:|---:|---:|---:|\n"
            );
            last = family;
        }
        let outcome = match &row.fault {
            Some(fault) => format!("{} ✗ {fault}", row.outcome),
            None => row.outcome.clone(),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.0} | {:.0} | {:.0} | {:.1} |",
            cell(name),
            cell(&row.about),
            cell(&outcome),
            row.time_ms,
            row.budget_ms,
            // Beside it the process may have given some back.
            (row.peak_mib - row.before_mib).max(0.0),
            row.neighbour_p99_ms,
        );
    }
    text
}

/// A text within a table: on one line, and without what would end the cell.
fn cell(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace('|', "\\|").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            entry: "regex/groups".to_owned(),
            about: "Tries many groups,\n`a|b`.".to_owned(),
            expected: vec!["POLICY.MEMORY_EXCEEDED".to_owned()],
            outcome: "allowed".to_owned(),
            budget_ms: 1_000.0,
            time_ms: 12.34,
            peak_mib: 100.0,
            before_mib: 50.0,
            neighbour_p50_ms: 0.25,
            neighbour_p99_ms: 1.5,
            fault: Some("not POLICY.MEMORY_EXCEEDED".to_owned()),
        }
    }

    #[test]
    fn a_row_says_what_is_wrong() {
        let expected = "regex/groups       1000        12       100      0.25      1.50  allowed ✗ \
                        not POLICY.MEMORY_EXCEEDED";
        assert_eq!(table(&[row()]).lines().last(), Some(expected));
    }

    #[test]
    fn a_page_has_a_table_for_each_family() {
        let other = Row {
            entry: "yaml/tabs".to_owned(),
            fault: None,
            ..row()
        };
        let page = markdown(&[row(), row(), other]);
        let headings = page.lines().filter(|line| line.starts_with("## "));
        assert_eq!(headings.collect::<Vec<_>>(), ["## regex", "## yaml"]);
        let expected = "| tabs | Tries many groups, `a\\|b`. | allowed | 12 | 1000 | 50 | 1.5 |";
        assert_eq!(page.lines().last(), Some(expected));
        assert!(page.contains("| allowed ✗ not POLICY.MEMORY_EXCEEDED | 12 |"));
    }
}
