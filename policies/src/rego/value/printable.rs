//! Which characters Go prints as they are.

use std::sync::LazyLock;

/// Ranges of code points, in order: letters, marks, numbers, punctuation, symbols and the space, of
/// the Unicode that Go's `strconv.IsPrint` knows.
static RANGES: LazyLock<Vec<(u32, u32)>> = LazyLock::new(|| {
    let hexadecimal = |text| u32::from_str_radix(text, 16).unwrap_or(u32::MAX);
    include_str!("printable.txt")
        .split_ascii_whitespace()
        .map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            (hexadecimal(first), hexadecimal(last))
        })
        .collect()
});

/// Whether Go prints a character as it is, and not as an escape.
pub fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return matches!(character, ' '..='~');
    }
    let code = u32::from(character);
    let before = RANGES.partition_point(|(first, _)| *first <= code);
    before > 0 && code <= RANGES[before - 1].1
}

#[cfg(test)]
mod tests {
    use super::is_printable;

    #[test]
    fn spaces_and_formats_are_not_printed() {
        for character in "\u{a0}\u{ad}\u{200b}\u{2028}\u{3000}\u{feff}\u{e000}\u{378}".chars() {
            assert!(!is_printable(character), "{character:?}");
        }
        for character in "a ~\u{a1}é\u{301}漢😀\u{fffd}\u{e01ef}".chars() {
            assert!(is_printable(character), "{character:?}");
        }
    }
}
