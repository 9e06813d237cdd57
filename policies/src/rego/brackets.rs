//! Counts brackets before anything is parsed.
//!
//! regorus's parser tries an opening bracket as several constructs, one after the other, each of
//! which reads the brackets inside again: depth 14 takes a second, depth 20 half a minute. And a
//! module of a megabyte has room for forty thousand expressions of depth ten, of 40 ms each.

use crate::{Diagnostic, Location};

/// Deepest nesting of brackets. Hand-written policies stay below eight.
const MAX_DEPTH: usize = 10;

/// Time for all brackets of a policy, where one at depth `d` takes `2^d`: some 20 µs each in a debug
/// build. Five thousand lines of three brackets at depth three take half of it.
const MAX_COST: u64 = 1 << 18;

/// Largest module, in bytes: the API server stores objects of at most 1.5 MiB.
const MAX_BYTES: usize = 1024 * 1024;

/// What is wrong with the sizes and the brackets of modules, if anything is.
pub(super) fn check<'a>(modules: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<Diagnostic> {
    let mut room = MAX_COST;
    modules
        .filter_map(|(file, source)| check_module(file, source, &mut room))
        .collect()
}

fn check_module(file: &str, source: &str, room: &mut u64) -> Option<Diagnostic> {
    if source.len() > MAX_BYTES {
        let text = format!(
            "the module has {} bytes; at most {MAX_BYTES} are read",
            source.len()
        );
        return Some(
            Diagnostic::new("rego_parse_error", text).with_remedy("split it into several policies"),
        );
    }
    let excess = find_excess(source, room)?;
    let (what, remedy, (line, column)) = match excess {
        Excess::Depth(place) => (
            format!("brackets are nested deeper than {MAX_DEPTH}"),
            "give the inner expression a name of its own",
            place,
        ),
        Excess::Cost(place) => (
            "there are too many nested brackets".to_owned(),
            "move tables to `data`, or split the policy into several",
            place,
        ),
    };
    let location = Location {
        file: file.to_owned(),
        line,
        column,
    };
    Some(
        Diagnostic::new("rego_parse_error", what)
            .with_remedy(remedy)
            .at(location, source),
    )
}

/// Line and column of the first bracket beyond a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Excess {
    Depth((u32, u32)),
    Cost((u32, u32)),
}

/// The first bracket beyond a limit; `room` is what is left for their cost. Strings and comments do
/// not count.
fn find_excess(source: &str, room: &mut u64) -> Option<Excess> {
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
                    return Some(Excess::Depth((line, column)));
                }
                match room.checked_sub(1 << depth) {
                    Some(left) => *room = left,
                    None => return Some(Excess::Cost((line, column))),
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
        let mut room = MAX_COST;
        let found = find_excess(source, &mut room);
        assert_eq!(found, expected.map(Excess::Depth));
    }

    #[test]
    fn all_brackets_of_all_modules_have_one_limit() {
        let deep = format!("{}1{}\n", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        let half = deep.repeat(70);
        let check = |modules: &[&str]| {
            let modules = modules.iter().map(|source| ("policy.rego", *source));
            check(modules).len()
        };
        assert_eq!(check(&[&half]), 0);
        assert_eq!(check(&[&half, &half]), 1);
    }
}
