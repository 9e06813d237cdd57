//! The table as people read it.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_is_wrong() {
        let row = Row {
            entry: "regex/groups".to_owned(),
            about: "Tries many groups.".to_owned(),
            expected: vec!["POLICY.MEMORY_EXCEEDED".to_owned()],
            outcome: "allowed".to_owned(),
            budget_ms: 1_000.0,
            time_ms: 12.34,
            peak_mib: 100.0,
            before_mib: 50.0,
            neighbour_p50_ms: 0.25,
            neighbour_p99_ms: 1.5,
            fault: Some("not POLICY.MEMORY_EXCEEDED".to_owned()),
        };
        let expected = "regex/groups       1000        12       100      0.25      1.50  allowed ✗ \
                        not POLICY.MEMORY_EXCEEDED";
        assert_eq!(table(&[row]).lines().last(), Some(expected));
    }
}
