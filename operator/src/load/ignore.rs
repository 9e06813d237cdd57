//! Files that are passed over, by their names.

/// Patterns of names, as of a shell: `*`, `?`, `[a-z]`, `\` before what is meant literally. A pattern
/// that is malformed matches nothing, as in OPA.
#[derive(Clone, Debug, Default)]
pub struct Ignore(Vec<Vec<char>>);

impl Ignore {
    /// Passes over what matches one of these.
    pub fn new(patterns: &[String]) -> Self {
        Self(
            patterns
                .iter()
                .map(|pattern| pattern.chars().collect())
                .collect(),
        )
    }

    /// Whether a file or folder of this name is passed over.
    pub(super) fn covers(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        self.0.iter().any(|pattern| matches(pattern, &name))
    }
}

/// Whether a name matches a pattern from its beginning to its end. Of the stars, only the last one
/// that was met is gone back to, so that the time is the product of both lengths.
fn matches(pattern: &[char], name: &[char]) -> bool {
    if !is_well_formed(pattern) {
        return false;
    }
    let (mut at, mut read) = (0, 0);
    let mut star = None;
    loop {
        if pattern.get(at) == Some(&'*') {
            star = Some((at + 1, read));
            at += 1;
            continue;
        }
        match name.get(read) {
            None if at == pattern.len() => return true,
            Some(&character) if at < pattern.len() => {
                let (holds, next) = one(pattern, at, character);
                if holds {
                    (at, read) = (next, read + 1);
                    continue;
                }
            }
            _ => {}
        }
        match star {
            Some((after, from)) if from < name.len() && name[from] != '/' => {
                star = Some((after, from + 1));
                (at, read) = (after, from + 1);
            }
            _ => return false,
        }
    }
}

/// Whether a character matches the part of the pattern at a place, and where the next part is.
fn one(pattern: &[char], at: usize, character: char) -> (bool, usize) {
    match pattern[at] {
        '?' => (character != '/', at + 1),
        '\\' => (pattern.get(at + 1) == Some(&character), at + 2),
        '[' => match class(pattern, at) {
            Some(class) => {
                let within = |(first, last): &(char, char)| (*first..=*last).contains(&character);
                let holds = class.ranges.iter().any(within);
                (holds != class.negated, class.next)
            }
            None => (false, at + 1),
        },
        literal => (literal == character, at + 1),
    }
}

/// A class of characters: `[a-z]`.
struct Class {
    ranges: Vec<(char, char)>,
    negated: bool,
    /// Where the next part of the pattern is.
    next: usize,
}

/// The class at a place; `None` where it is malformed.
fn class(pattern: &[char], at: usize) -> Option<Class> {
    let mut at = at + 1;
    let negated = pattern.get(at) == Some(&'^');
    at += usize::from(negated);
    let mut ranges = Vec::new();
    loop {
        if pattern.get(at) == Some(&']') && !ranges.is_empty() {
            return Some(Class {
                ranges,
                negated,
                next: at + 1,
            });
        }
        let first = member(pattern, &mut at)?;
        let last = if pattern.get(at) == Some(&'-') {
            at += 1;
            member(pattern, &mut at)?
        } else {
            first
        };
        ranges.push((first, last));
    }
}

fn member(pattern: &[char], at: &mut usize) -> Option<char> {
    let character = match pattern.get(*at)? {
        '-' | ']' => return None,
        '\\' => {
            *at += 1;
            pattern.get(*at)?
        }
        character => character,
    };
    *at += 1;
    Some(*character)
}

fn is_well_formed(pattern: &[char]) -> bool {
    let mut at = 0;
    while let Some(character) = pattern.get(at) {
        at = match character {
            '\\' if at + 1 == pattern.len() => return false,
            '\\' => at + 2,
            '[' => match class(pattern, at) {
                Some(class) => class.next,
                None => return false,
            },
            _ => at + 1,
        };
    }
    true
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// From the tests of Go's `path/filepath`, go1.26, `match_test.go`. A malformed pattern matches
    /// nothing.
    #[rstest]
    #[case("abc", "abc", true)]
    #[case("*", "abc", true)]
    #[case("*c", "abc", true)]
    #[case("a*", "a", true)]
    #[case("a*", "abc", true)]
    #[case("a*b*c*d*e*", "axbxcxdxe", true)]
    #[case("a*b?c*x", "abxbbxdbxebxczzx", true)]
    #[case("a*b?c*x", "abxbbxdbxebxczzy", false)]
    #[case("ab[c]", "abc", true)]
    #[case("ab[b-d]", "abc", true)]
    #[case("ab[e-g]", "abc", false)]
    #[case("ab[^c]", "abc", false)]
    #[case("ab[^e-g]", "abc", true)]
    #[case(r"a\*b", "a*b", true)]
    #[case(r"a\*b", "ab", false)]
    #[case("a?b", "a☺b", true)]
    #[case("a[^a]b", "a☺b", true)]
    #[case("a???b", "a☺b", false)]
    #[case("[a-ζ]*", "α", true)]
    #[case("*[a-ζ]", "A", false)]
    #[case("a*b", "a/b", false)]
    #[case(r"[\]a]", "]", true)]
    #[case(r"[x\-]", "-", true)]
    #[case("[]a]", "]", false)]
    #[case("[-]", "-", false)]
    #[case("[x-]", "x", false)]
    #[case("[", "a", false)]
    #[case("[^bc", "a", false)]
    #[case("a[", "ab", false)]
    #[case("*x", "xxx", true)]
    fn names(#[case] pattern: &str, #[case] name: &str, #[case] expected: bool) {
        let ignore = Ignore::new(&[pattern.to_owned()]);
        assert_eq!(ignore.covers(name), expected, "{pattern} {name}");
    }
}
