//! Name patterns: `*` is any number of characters, `?` is one, everything else is itself.

/// Whether a name is one of those that a pattern stands for. Takes at most as many steps as the
/// product of both lengths.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut next) = (0, 0);
    // The last star, and where in the name the part behind it was last tried.
    let mut star: Option<(usize, usize)> = None;
    while next < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, next));
                at += 1;
            }
            Some(&c) if c == '?' || c == name[next] => {
                at += 1;
                next += 1;
            }
            _ => {
                let Some((place, tried)) = star else {
                    return false;
                };
                star = Some((place, tried + 1));
                (at, next) = (place + 1, tried + 1);
            }
        }
    }
    pattern[at..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("web", "web", true)]
    #[case("web", "web-1", false)]
    #[case("web-*", "web-1", true)]
    #[case("web-*", "web-", true)]
    #[case("web-*", "web", false)]
    #[case("*", "", true)]
    #[case("?", "", false)]
    #[case("?", "é", true)]
    #[case("web-?", "web-12", false)]
    #[case("*-canary", "web-canary", true)]
    #[case("*-canary", "web-canary-2", false)]
    #[case("*a*b", "xaxbxb", true)]
    #[case("*a*b", "xaxbxc", false)]
    #[case("system:*:[x]", "system:node:[x]", true)]
    #[case("", "", true)]
    #[case("", "a", false)]
    fn stands_for(#[case] pattern: &str, #[case] name: &str, #[case] expected: bool) {
        assert_eq!(matches(pattern, name), expected);
    }

    /// The definition, which takes exponential time.
    fn plainly(pattern: &[char], name: &[char]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some(('*', rest)) => (0..=name.len()).any(|at| plainly(rest, &name[at..])),
            Some((c, rest)) => name
                .split_first()
                .is_some_and(|(first, left)| (*c == '?' || c == first) && plainly(rest, left)),
        }
    }

    proptest! {
        #[test]
        fn is_what_the_definition_says(pattern in "[ab*?]{0,8}", name in "[ab]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches(&pattern, &name), plainly(&chars(&pattern), &chars(&name)));
        }
    }
}
