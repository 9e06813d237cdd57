//! Tables as OPA draws them.

use std::fmt::{self, Display, Formatter};

use unicode_width::UnicodeWidthStr as _;

/// A table of text.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// The names of the columns; none for a table without a head.
    pub(crate) head: Vec<String>,
    /// The cells, row by row.
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = Vec::new();
        for row in self.rows.iter().chain([&self.head]) {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        widths
    }
}

impl Display for Table {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        rule(formatter, &widths, ['┌', '┬', '┐'])?;
        if !self.head.is_empty() {
            row(formatter, &widths, &self.head, |room| room / 2)?;
            rule(formatter, &widths, ['├', '┼', '┤'])?;
        }
        for cells in &self.rows {
            row(formatter, &widths, cells, |_| 0)?;
        }
        rule(formatter, &widths, ['└', '┴', '┘'])
    }
}

fn rule(
    formatter: &mut Formatter<'_>,
    widths: &[usize],
    [left, middle, right]: [char; 3],
) -> fmt::Result {
    let lines: Vec<String> = widths.iter().map(|width| "─".repeat(width + 2)).collect();
    writeln!(
        formatter,
        "{left}{}{right}",
        lines.join(&middle.to_string())
    )
}

/// A row; `before` says how much of the room that a cell leaves is put before it.
fn row(
    formatter: &mut Formatter<'_>,
    widths: &[usize],
    cells: &[String],
    before: impl Fn(usize) -> usize,
) -> fmt::Result {
    for (at, width) in widths.iter().enumerate() {
        let cell = cells.get(at).map_or("", String::as_str);
        let room = width - cell.width();
        let left = before(room);
        let (left, right) = (" ".repeat(left), " ".repeat(room - left));
        write!(formatter, "│ {left}{cell}{right} ")?;
    }
    writeln!(formatter, "│")
}
