//! Counts brackets before anything is parsed.
//!
//! regorus's parser tries an opening bracket as several constructs, one after the other, each of
//! which reads the brackets inside again: depth 14 takes a second, depth 20 half a minute.

use crate::{Diagnostic, Location};

/// Deepest nesting of brackets. Hand-written policies stay below eight.
const MAX_DEPTH: usize = 10;

/// Largest module, in bytes: the API server stores objects of at most 1.5 MiB.
const MAX_BYTES: usize = 1024 * 1024;

/// What is wrong with a module's size or brackets, if anything is.
pub(super) fn check(file: &str, source: &str) -> Option<Diagnostic> {
    if source.len() > MAX_BYTES {
        let text = format!(
            "the module has {} bytes; at most {MAX_BYTES} are read",
            source.len()
        );
        return Some(
            Diagnostic::new("rego_parse_error", text).with_remedy("split it into several policies"),
        );
    }
    let (line, column) = too_deep(source)?;
    let location = Location {
        file: file.to_owned(),
        line,
        column,
    };
    Some(
        Diagnostic::new(
            "rego_parse_error",
            format!("brackets are nested deeper than {MAX_DEPTH}"),
        )
        .with_remedy("give the inner expression a name of its own")
        .at(location, source),
    )
}

/// Line and column of the first bracket beyond the limit. Strings and comments do not count.
fn too_deep(source: &str) -> Option<(u32, u32)> {
    let (mut line, mut column) = (1, 0);
    let mut depth = 0_usize;
    let mut characters = source.chars();
    let mut inside = Inside::Code;
    while let Some(character) = characters.next() {
        column += 1;
        if character == '\n' {
            (line, column) = (line + 1, 0);
        }
        inside = match (inside, character) {
            (Inside::Code, '"') => Inside::String,
            (Inside::Code, '`') => Inside::RawString,
            (Inside::Code, '#') => Inside::Comment,
            (Inside::Code, '(' | '[' | '{') => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Some((line, column));
                }
                Inside::Code
            }
            (Inside::Code, ')' | ']' | '}') => {
                depth = depth.saturating_sub(1);
                Inside::Code
            }
            (Inside::String, '\\') => {
                // The escaped character ends nothing, but a line break is still one.
                if characters.next() == Some('\n') {
                    (line, column) = (line + 1, 0);
                } else {
                    column += 1;
                }
                Inside::String
            }
            // A string that is not closed on its line is a parse error; what follows is code.
            (Inside::String, '"' | '\n') | (Inside::RawString, '`') | (Inside::Comment, '\n') => {
                Inside::Code
            }
            (inside, _) => inside,
        };
    }
    None
}

#[derive(Clone, Copy)]
enum Inside {
    Code,
    String,
    RawString,
    Comment,
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("((((((((((1))))))))))", None)]
    #[case("(((((((((((1)))))))))))", Some((1, 11)))]
    #[case("x := 1\n  [{([{([{([{1", Some((2, 13)))]
    #[case("\"(((((((((((\"", None)]
    #[case("\"\\\"(((((((((((\"", None)]
    #[case("`(((((((((((\\`", None)]
    #[case("# (((((((((((\n1", None)]
    #[case("# \"\n(((((((((((", Some((2, 11)))]
    #[case("()()()()()()()()()()()()", None)]
    #[case("\"open\n(((((((((((", Some((2, 11)))]
    fn finds_the_first_bracket_too_deep(
        #[case] source: &str,
        #[case] expected: Option<(u32, u32)>,
    ) {
        assert_eq!(too_deep(source), expected);
    }
}
