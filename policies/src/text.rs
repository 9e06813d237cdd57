//! Text that leaves a policy: bounded in length and free of control characters.
//!
//! What a policy says is shown in terminals, logs and HTTP headers. A message that carries an
//! escape sequence or a line break could forge what stands beside it, and one of a megabyte would
//! be refused by the API server.

/// Longest message, remedy, code, path or rule name, in characters. The API server cuts a warning
/// at 256 characters and everything else in a status at some kilobytes; a thousand is more than a
/// person reads.
pub const MAX_CHARACTERS: usize = 1_000;

/// `text` with control characters and invisible direction marks as spaces, surrounding space
/// removed, cut after [`MAX_CHARACTERS`] with an ellipsis.
pub fn clean(text: &str) -> String {
    cut(text, MAX_CHARACTERS)
}

/// The same, cut after so many characters.
pub(crate) fn cut(text: &str, characters: usize) -> String {
    let visible = |c: char| if is_hostile(c) { ' ' } else { c };
    let trimmed = text.trim_matches(|c: char| c.is_whitespace() || is_hostile(c));
    let mut cleaned = String::with_capacity(trimmed.len().min(characters));
    let mut rest = trimmed.chars().map(visible);
    cleaned.extend(rest.by_ref().take(characters));
    if rest.next().is_some() {
        cleaned.pop();
        cleaned.push('…');
    }
    cleaned
}

/// Control characters, line separators, and the marks that change the direction of the text.
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("container \"web\" has no limit", "container \"web\" has no limit")]
    #[case("  padded\n", "padded")]
    #[case("two\nlines", "two lines")]
    #[case("\u{1b}[31mred", "[31mred")]
    #[case("a\u{202e}b", "a b")]
    #[case("nul\0", "nul")]
    #[case("grüße", "grüße")]
    fn cleans(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(clean(text), expected);
    }

    proptest! {
        #[test]
        fn is_bounded_printable_and_stable(text in "\\PC{0,50}|(?s:.{0,1500})") {
            let cleaned = clean(&text);
            prop_assert!(cleaned.chars().count() <= MAX_CHARACTERS);
            prop_assert!(!cleaned.chars().any(is_hostile));
            prop_assert_eq!(clean(&cleaned), cleaned);
        }
    }
}
