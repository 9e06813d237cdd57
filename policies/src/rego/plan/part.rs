//! Partial rules of which only a part is asked.
//!
//! ```text
//! p[k] := v if { … }        p["a"]       keys [Value]            one argument
//! p[x][y] := v if { … }     p["a"][_]    keys [Value]
//! s contains [x, y] if …    s[["a", _]]  keys [Array([Value, Nothing])]
//! ```
//!
//! As in OPA, the keys that a reference knows are unified with the rule's head before its body is
//! evaluated. So what lies under other keys is not evaluated, and what goes wrong there does not
//! matter. A [`Part`] is a rule whose definitions take the known keys as arguments, like a function.

use regorus::Value;

use super::ir::{Pattern, Rule, RuleId, Segment, Slot, Term};

/// A part of a partial rule.
#[derive(Debug)]
pub struct Part {
    /// The rule.
    pub of: RuleId,
    /// What is known of the keys behind the rule's path. The last one is not [`Known::Nothing`],
    /// nor is the first.
    pub keys: Box<[Known]>,
    /// The rule's definitions, of which the parameters are the values in [`Part::keys`], from the
    /// left to the right.
    pub rule: Rule,
}

/// What is known of a key before the rule is evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Nothing.
    Nothing,
    /// That it is the same as others of this number, such as in `p["a"][x][x]`.
    Same(u32),
    /// Its value.
    Value,
    /// That it is an array of this length, and what is known of its elements.
    Array(Box<[Known]>),
    /// That it is an object with these keys, and what is known of their values.
    Object(Box<[(Value, Known)]>),
}

impl Known {
    /// How many values are known.
    pub fn values(&self) -> usize {
        match self {
            Self::Nothing | Self::Same(_) => 0,
            Self::Value => 1,
            Self::Array(elements) => elements.iter().map(Self::values).sum(),
            Self::Object(pairs) => pairs.iter().map(|(_, known)| known.values()).sum(),
        }
    }
}

/// What is known of the first `most` keys of an enumerating path; empty if it is nothing of the
/// first.
pub fn known(path: &[Segment], most: usize) -> Vec<Known> {
    let mut written = Written::default();
    let known = path.iter().take(most).map(|segment| match segment {
        Segment::Key(term) => written.value(term),
        Segment::Any(pattern) => written.part(pattern),
    });
    let mut keys: Vec<Known> = known.collect();
    keys.iter_mut().for_each(|key| written.forget_single(key));
    // As in OPA, nothing else matters where the first is not known.
    if let Some(Known::Nothing | Known::Same(_)) = keys.first() {
        keys.clear();
    }
    while keys.last() == Some(&Known::Nothing) {
        keys.pop();
    }
    keys
}

/// The variables that a path writes, with how often it mentions each.
#[derive(Debug, Default)]
struct Written(Vec<(Slot, u32)>);

impl Written {
    /// A term, unless it is a variable that the same path writes.
    fn value(&mut self, term: &Term) -> Known {
        let Term::Local(slot) = term else {
            return Known::Value;
        };
        let mut numbered = (0..).zip(&mut self.0);
        match numbered.find(|(_, (written, _))| written == slot) {
            Some((number, (_, count))) => {
                *count += 1;
                Known::Same(number)
            }
            None => Known::Value,
        }
    }

    fn part(&mut self, pattern: &Pattern) -> Known {
        match pattern {
            Pattern::Any => Known::Nothing,
            Pattern::Bind(slot) => {
                self.0.push((*slot, 1));
                u32::try_from(self.0.len() - 1).map_or(Known::Nothing, Known::Same)
            }
            Pattern::Equal(term) => self.value(term),
            Pattern::Array(patterns) => {
                Known::Array(patterns.iter().map(|one| self.part(one)).collect())
            }
            Pattern::Object(pairs) => {
                let pair = |(key, pattern): &(Term, Pattern)| match key {
                    Term::Constant(key) => Some((key.clone(), self.part(pattern))),
                    _ => None,
                };
                let pairs: Option<Box<[_]>> = pairs.iter().map(pair).collect();
                pairs.map_or(Known::Nothing, Known::Object)
            }
        }
    }

    /// Nothing is known of a variable that stands once.
    fn forget_single(&self, known: &mut Known) {
        match known {
            Known::Same(number) if self.0[*number as usize].1 == 1 => *known = Known::Nothing,
            Known::Nothing | Known::Same(_) | Known::Value => {}
            Known::Array(parts) => parts.iter_mut().for_each(|part| self.forget_single(part)),
            Known::Object(pairs) => {
                pairs
                    .iter_mut()
                    .for_each(|(_, part)| self.forget_single(part));
            }
        }
    }
}
