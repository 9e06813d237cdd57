//! Tables as `kubectl` draws them.

use portcullis_policies::text::clean;
use unicode_width::UnicodeWidthStr as _;

/// A head and rows, in columns that are as wide as what is in them, without what a text could forge
/// beside it.
pub(crate) fn columns<const N: usize>(
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let head = head.map(str::to_owned);
    let rows = rows.into_iter().map(|row| row.map(|cell| clean(&cell)));
    let rows: Vec<[String; N]> = std::iter::once(head).chain(rows).collect();
    let width = |at: usize| rows.iter().map(|row| row[at].width()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line += cell;
            line += &" ".repeat(width - cell.width() + 2);
        }
        format!("{}\n", line.trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let rows = [["ab", "é\u{1b}"], ["", "ü"]].map(|row| row.map(str::to_owned));
        assert_eq!(columns(["A", "B"], rows), "A   B\nab  é\n    ü\n");
    }
}
