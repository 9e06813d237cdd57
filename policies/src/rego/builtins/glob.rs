//! `glob.match` as OPA's glob library has it.
//!
//! ```text
//! *        any characters but separators        {a,b}    one of several, which may be empty
//! **       any characters                       [a-z]    one of a range
//! ?        one character but separators         [!abc]   one that is not listed
//! \c       c itself
//! ```
//!
//! A pattern becomes an automaton, which is in several states at once and looks at each character
//! of a text once, so no pattern takes more than its length times the text's.

use super::{Context, Fault, Function, Result, string, wrong_type};
use crate::rego::value::{self, Value};

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("glob.match", 3, |context, operands| {
        let pattern = string(operands, 0)?;
        let separators = separators(operands)?;
        let text = string(operands, 2)?;
        charge_automaton(context, pattern, separators.len())?;
        let automaton = Parser::new(pattern, &separators).automaton()?;
        matches(&automaton, text, |states| {
            Ok(context.budget.steps(states)?)
        })
        .map(Value::Bool)
    }),
    ("glob.quote_meta", 1, |context, operands| {
        let text = string(operands, 0)?;
        context.charge_bytes(2 * text.len())?;
        let mut quoted = String::with_capacity(2 * text.len());
        for character in text.chars() {
            if "*?\\[]{}".contains(character) {
                quoted.push('\\');
            }
            quoted.push(character);
        }
        Ok(Value::from(quoted))
    }),
];

/// Accounts for the states of a pattern: three of a star, and each star or question mark knows the
/// separators.
fn charge_automaton(context: &mut Context<'_, '_>, pattern: &str, separators: usize) -> Result<()> {
    let wild = pattern.bytes().filter(|byte| matches!(byte, b'*' | b'?'));
    let known = wild.count().saturating_mul(separators);
    context.charge_members(3 * pattern.len())?;
    context.charge_bytes(known.saturating_mul(size_of::<char>()))
}

/// Whether a text matches a pattern in which `*` matches any characters. The error is a sentence.
pub(crate) fn glob_match(pattern: &str, text: &str) -> std::result::Result<bool, String> {
    match Parser::new(pattern, &[]).automaton() {
        // The patterns and texts of settings are short.
        Ok(automaton) => Ok(matches(&automaton, text, |_| Ok(())).unwrap_or(false)),
        Err(Fault::Type(message) | Fault::Value(message)) => Err(message),
        Err(Fault::Ends(error)) => Err(error.to_string()),
    }
}

/// What `*` and `?` do not match: nothing for `null`, dots for an empty array.
fn separators(operands: &[Value]) -> Result<Vec<char>> {
    let operand = &operands[1];
    if matches!(operand, Value::Null) {
        return Ok(Vec::new());
    }
    let Some(elements) = value::elements(operand) else {
        return Err(wrong_type(2, "one of {array, null}", operand));
    };
    let of_elements = |expected: &str| {
        let message = format!("operand 2 must be array of {expected}s");
        Fault::Type(message)
    };
    let mut separators = Vec::with_capacity(elements.len());
    for element in elements {
        let Value::String(text) = element else {
            return Err(of_elements("string"));
        };
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(character), None) => separators.push(character),
            _ => return Err(of_elements("rune")),
        }
    }
    if separators.is_empty() {
        separators.push('.');
    }
    Ok(separators)
}

/// What a state of the automaton does.
#[derive(Debug)]
enum State {
    /// Matches one of these characters, or one that is none of them, and goes to the next state.
    One { of: Vec<char>, negated: bool },
    /// The same with a range, both ends of which belong to it.
    Between {
        low: char,
        high: char,
        negated: bool,
    },
    /// Goes on at any of these.
    Split(Vec<usize>),
    /// The text may end here.
    End,
}

/// A group `{…}` that is open.
#[derive(Debug)]
struct Group {
    /// The state that goes on at its alternatives.
    split: usize,
    /// Where the alternatives begin.
    begins: Vec<usize>,
    /// The states that go on behind the group, when an alternative is done.
    done: Vec<usize>,
}

#[derive(Debug)]
struct Parser<'p> {
    pattern: &'p str,
    rest: std::str::Chars<'p>,
    separators: &'p [char],
    states: Vec<State>,
    groups: Vec<Group>,
}

impl<'p> Parser<'p> {
    fn new(pattern: &'p str, separators: &'p [char]) -> Self {
        Self {
            pattern,
            rest: pattern.chars(),
            separators,
            states: Vec::new(),
            groups: Vec::new(),
        }
    }

    fn automaton(mut self) -> Result<Vec<State>> {
        while let Some(character) = self.rest.next() {
            match character {
                '{' => self.open(),
                ',' if !self.groups.is_empty() => self.alternative(),
                '}' if !self.groups.is_empty() => self.close(),
                '[' => self.class()?,
                '?' => self.other_than(self.separators),
                '*' => {
                    let separators = if self.take('*') { &[] } else { self.separators };
                    self.any(separators);
                }
                '\\' => match self.rest.next() {
                    Some(escaped) => self.literal(escaped),
                    None => return Err(self.fault("trailing backslash")),
                },
                literal => self.literal(literal),
            }
        }
        if !self.groups.is_empty() {
            return Err(self.fault("unclosed `{`"));
        }
        self.states.push(State::End);
        Ok(self.states)
    }

    fn take(&mut self, expected: char) -> bool {
        let mut ahead = self.rest.clone();
        let found = ahead.next() == Some(expected);
        if found {
            self.rest = ahead;
        }
        found
    }

    fn fault(&self, reason: &str) -> Fault {
        let at = self.pattern.len() - self.rest.as_str().len();
        Fault::Value(format!("glob: syntax error at {at}: {reason}"))
    }

    fn literal(&mut self, character: char) {
        self.states.push(State::One {
            of: vec![character],
            negated: false,
        });
    }

    fn other_than(&mut self, characters: &[char]) {
        self.states.push(State::One {
            of: characters.to_vec(),
            negated: true,
        });
    }

    fn any(&mut self, separators: &[char]) {
        let here = self.states.len();
        self.states.push(State::Split(vec![here + 1, here + 3]));
        self.other_than(separators);
        self.states.push(State::Split(vec![here]));
    }

    fn open(&mut self) {
        let split = self.states.len();
        self.states.push(State::Split(Vec::new()));
        self.groups.push(Group {
            split,
            begins: vec![split + 1],
            done: Vec::new(),
        });
    }

    fn alternative(&mut self) {
        let here = self.states.len();
        self.states.push(State::Split(Vec::new()));
        if let Some(group) = self.groups.last_mut() {
            group.done.push(here);
            group.begins.push(here + 1);
        }
    }

    fn close(&mut self) {
        let Some(group) = self.groups.pop() else {
            return;
        };
        let behind = self.states.len();
        for done in group.done {
            self.states[done] = State::Split(vec![behind]);
        }
        self.states[group.split] = State::Split(group.begins);
    }

    /// What comes after `[`: a range of two characters, or a list.
    fn class(&mut self) -> Result<()> {
        let negated = self.take('!');
        let mut ahead = self.rest.clone();
        if let (Some(low), Some('-')) = (ahead.next(), ahead.next()) {
            self.rest = ahead;
            let high = self.rest.next();
            let high = high.ok_or_else(|| self.fault("unexpected end of input"))?;
            if high < low {
                return Err(self.fault("range hi character is less than lo"));
            }
            self.states.push(State::Between { low, high, negated });
            return if self.take(']') {
                Ok(())
            } else {
                Err(self.fault("expected close range character"))
            };
        }
        let mut of = Vec::new();
        loop {
            match self.rest.next() {
                Some(']') => break,
                Some('\\') => match self.rest.next() {
                    Some(escaped) => of.push(escaped),
                    None => return Err(self.fault("trailing backslash")),
                },
                Some(listed) => of.push(listed),
                None => return Err(self.fault("unexpected end of input")),
            }
        }
        if of.is_empty() {
            return Err(self.fault("could not parse range"));
        }
        self.states.push(State::One { of, negated });
        Ok(())
    }
}

/// States and characters that are looked at between two looks at the clock: a hundredth of a
/// millisecond of work.
const ACCOUNTED: u64 = 4096;

/// The states that an automaton is in.
#[derive(Debug)]
struct Active {
    list: Vec<usize>,
    /// All that are marked, those that only go on included.
    touched: Vec<usize>,
    contains: Vec<bool>,
}

impl Active {
    fn none(count: usize) -> Self {
        Self {
            list: Vec::new(),
            touched: Vec::new(),
            contains: vec![false; count],
        }
    }

    /// Adds a state and those where it goes on.
    fn add(&mut self, states: &[State], state: usize) {
        let mut open = vec![state];
        while let Some(state) = open.pop() {
            if std::mem::replace(&mut self.contains[state], true) {
                continue;
            }
            self.touched.push(state);
            match &states[state] {
                State::Split(next) => open.extend(next),
                _ => self.list.push(state),
            }
        }
    }

    fn clear(&mut self) {
        self.list.clear();
        for state in self.touched.drain(..) {
            self.contains[state] = false;
        }
    }
}

/// Accounts for what it is about to look at: before each character for the states that it is in.
fn matches(
    states: &[State],
    text: &str,
    mut account: impl FnMut(u64) -> Result<()>,
) -> Result<bool> {
    let mut now = Active::none(states.len());
    let mut next = Active::none(states.len());
    now.add(states, 0);
    // Work that was not accounted for yet: little of it is not worth a look at the clock.
    let mut work = 0;
    for character in text.chars() {
        work += 1 + now.touched.len() as u64;
        if work > ACCOUNTED {
            account(std::mem::take(&mut work))?;
        }
        for &state in &now.list {
            let passes = match &states[state] {
                State::One { of, negated } => {
                    work += of.len() as u64;
                    of.contains(&character) != *negated
                }
                State::Between { low, high, negated } => {
                    (*low..=*high).contains(&character) != *negated
                }
                State::Split(_) | State::End => false,
            };
            if passes {
                next.add(states, state + 1);
            }
        }
        std::mem::swap(&mut now, &mut next);
        next.clear();
        if now.list.is_empty() {
            return Ok(false);
        }
    }
    let ends = |&state: &usize| matches!(states[state], State::End);
    Ok(now.list.iter().any(ends))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{Parser, matches};

    /// `None` where the pattern cannot be.
    fn check(pattern: &str, separators: &[char], text: &str, expected: Option<bool>) {
        let automaton = Parser::new(pattern, separators).automaton().ok();
        let found = automaton.map(|automaton| matches(&automaton, text, |_| Ok(())).unwrap());
        assert_eq!(found, expected, "{pattern} {text}");
    }

    #[rstest]
    #[case("", "", Some(true))]
    #[case("*.github.com", "api.github.com", Some(true))]
    #[case("*.github.com", "api.cdn.github.com", Some(false))]
    #[case("**.github.com", "api.cdn.github.com", Some(true))]
    #[case("a**b", "a.x.b", Some(true))]
    #[case("a*b", "a.b", Some(false))]
    #[case("?at", ".at", Some(false))]
    #[case("?at", "cat", Some(true))]
    #[case("[a-c]x", "bx", Some(true))]
    #[case("[!a-c]x", "bx", Some(false))]
    #[case("[!.]x", ".x", Some(false))]
    #[case("[ab]", ".", Some(false))]
    #[case("[!ab]", ".", Some(true))]
    #[case("[]-a]", "^", Some(true))]
    #[case(r"[\]a]", "]", Some(true))]
    #[case("{a,bc}d", "bcd", Some(true))]
    #[case("{**/,}x", "x", Some(true))]
    #[case("{a,{b,c*}}!", "c23!", Some(true))]
    #[case("{}", "", Some(true))]
    #[case("{,a}{a,}a", "a", Some(true))]
    #[case("a,b}", "a,b}", Some(true))]
    #[case(r"\*\{", "*{", Some(true))]
    #[case("*é", "åé", Some(true))]
    #[case("{a", "a", None)]
    #[case("[", "a", None)]
    #[case("[]", "a", None)]
    #[case("[c-a]", "b", None)]
    #[case("[a-cd]", "b", None)]
    #[case("a\\", "a", None)]
    fn patterns(#[case] pattern: &str, #[case] text: &str, #[case] expected: Option<bool>) {
        check(pattern, &['.'], text, expected);
    }

    #[test]
    fn a_pattern_of_many_stars_looks_at_each_character_once() {
        check(&"*a".repeat(500), &[], &"a".repeat(400), Some(false));
        check(&"{a,a".repeat(2000), &[], "a", None);
    }
}
