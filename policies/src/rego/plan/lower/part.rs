//! Partial rules of which only a part is asked: their definitions, with the known keys as arguments.

use std::collections::HashMap;

use regorus::Value;

use super::{Lowering, constant};
use crate::rego::core::{self, Definition, TermKind, Var};
use crate::rego::order::vars;
use crate::rego::plan::ir::{
    Comparison, Known, NodeId, PartId, Pattern, RuleId, Segment, Slot, Source, StepKind, Term,
};
use crate::rego::plan::part;
use crate::rego::source::Span;
use crate::rego::value;

/// The ways in which one rule can be asked; each is lowered on its own. People write one or two.
const MAX_PARTS: usize = 16;

/// The parts that are asked for, and what else has a number in the plan.
#[derive(Debug, Default)]
pub(super) struct Requests {
    pub(super) list: Vec<(RuleId, Vec<Known>)>,
    /// How many comprehensions can be asked by key.
    pub(super) groupings: u32,
}

/// What is known of a variable, and compared as soon as it is bound.
#[derive(Debug)]
pub(super) enum Watched {
    /// That it is an array or an object with some members, whose values are in the slots from this
    /// one on.
    Shape(Var, Known, Slot),
    /// That it is equal to another key.
    Same(core::Term, core::Term),
}

/// What the heads of a definition have to be.
#[derive(Debug, Default)]
struct Heads {
    /// The terms that have to be the known values.
    terms: Vec<Option<core::Term>>,
    watched: Vec<Watched>,
    /// The first key of each number.
    same: HashMap<u32, core::Term>,
}

impl Lowering<'_> {
    /// What a path asks of a rule; `None` if all of it.
    pub(super) fn part(&mut self, rule: RuleId, path: &[Segment], span: Span) -> Option<PartId> {
        let group = &self.groups.rules[rule.index()];
        if !group.can_be_asked_for_parts() {
            return None;
        }
        let keys = part::known(path, group.keys);
        if keys.is_empty() {
            return None;
        }
        let list = &mut self.requests.list;
        let same = |(of, known): &(RuleId, Vec<Known>)| *of == rule && *known == keys;
        let found = list.iter().position(same).unwrap_or_else(|| {
            list.push((rule, keys));
            list.len() - 1
        });
        if list.iter().filter(|(of, _)| *of == rule).count() > MAX_PARTS {
            let what = format!("more than {MAX_PARTS} ways to ask a partial rule for its keys");
            self.unsupported(span, &what);
            return None;
        }
        Some(PartId(
            u32::try_from(found).expect("fewer parts than bytes"),
        ))
    }

    /// A path from a partial rule that begins with what is known.
    pub(super) fn asked(&mut self, source: Source, path: &[Segment], span: Span) -> Source {
        match source {
            Source::Term(Term::Rule(rule)) => match self.part(rule, path, span) {
                Some(part) => Source::Part(part),
                None => source,
            },
            Source::Node(node) => {
                self.asked_below(node, path, span);
                source
            }
            source => source,
        }
    }

    /// A path through packages: any rule that it can lead to can be asked for a part.
    fn asked_below(&mut self, node: NodeId, path: &[Segment], span: Span) {
        let Some((segment, rest)) = path.split_first() else {
            return;
        };
        let groups = self.groups;
        let key = match segment {
            Segment::Key(Term::Constant(key)) => Some(key),
            _ => None,
        };
        for (child, rule) in groups.with_parts_below(node, key) {
            match rule {
                Some(rule) => {
                    let _ = self.part(rule, rest, span);
                }
                None => self.asked_below(child, rest, span),
            }
        }
    }

    /// The patterns of the known keys, which lie in the first slots. `None` if the definition gives
    /// no such keys.
    pub(super) fn keys(
        &mut self,
        definition: &Definition,
        taken: usize,
        known: &[Known],
    ) -> Option<Box<[Pattern]>> {
        let mut found = Heads::default();
        let mut heads = definition.reference[taken..].iter().chain(&definition.key);
        for known in known {
            match heads.next() {
                Some(head) => found.meet(head, known)?,
                // What the definition gives has more below.
                None => found.leave(known),
            }
        }
        let Heads { terms, watched, .. } = found;
        for watched in &watched {
            let mentions = &mut self.mentions;
            watched.variables(&mut |var| mentions[var.index()] += 1);
        }
        let patterns = self.parameters(&terms);
        self.watched = watched;
        Some(patterns)
    }

    /// Compares what is known of variables as soon as they are bound.
    pub(super) fn compare_watched(&mut self) {
        let bound = |watched: &mut Watched| {
            let mut bound = true;
            watched.variables(&mut |var| bound &= self.bound.contains(var));
            bound
        };
        let ready: Vec<Watched> = self.watched.extract_if(.., bound).collect();
        for watched in ready {
            self.flush();
            match watched {
                Watched::Shape(var, known, first) => {
                    let pattern = pattern(&known, &mut first.0.clone());
                    let local = Term::Local(self.slot(var));
                    self.step(StepKind::Match(pattern, local));
                }
                Watched::Same(one, other) => {
                    let sides = Box::new((self.operand(&one), self.operand(&other)));
                    self.step(StepKind::Test(Term::Compare(Comparison::Equal, sides)));
                }
            }
        }
    }
}

impl Watched {
    fn variables(&self, visit: &mut impl FnMut(Var)) {
        match self {
            Self::Shape(var, ..) => visit(*var),
            Self::Same(one, other) => {
                vars::term(one, visit);
                vars::term(other, visit);
            }
        }
    }
}

impl Heads {
    /// What a definition's key has to be where this is known of it. `None` if it never is.
    fn meet(&mut self, head: &core::Term, known: &Known) -> Option<()> {
        let own = |value: &Value| core::Term {
            kind: TermKind::Constant(value.clone()),
            span: head.span,
        };
        match (known, &head.kind) {
            (Known::Nothing, _) => {}
            (Known::Value, _) => self.terms.push(Some(head.clone())),
            (Known::Same(number), _) => match self.same.get(number) {
                Some(first) => {
                    let pair = Watched::Same(first.clone(), head.clone());
                    self.watched.push(pair);
                }
                None => {
                    self.same.insert(*number, head.clone());
                }
            },
            (Known::Array(parts), TermKind::Array(elements)) if parts.len() == elements.len() => {
                for (element, known) in elements.iter().zip(parts) {
                    self.meet(element, known)?;
                }
            }
            (Known::Array(parts), TermKind::Constant(value)) => {
                let elements = value::elements(value).filter(|found| found.len() == parts.len())?;
                for (element, known) in elements.iter().zip(parts) {
                    self.meet(&own(element), known)?;
                }
            }
            (Known::Object(parts), TermKind::Constant(Value::Object(object)))
                if parts.len() == object.len() =>
            {
                for (key, known) in parts {
                    self.meet(&own(object.get(key)?), known)?;
                }
            }
            (Known::Object(parts), TermKind::Object(pairs)) if parts.len() == pairs.len() => {
                for (key, known) in parts {
                    let same = |(other, _): &&(core::Term, core::Term)| matches!(&other.kind, TermKind::Constant(other) if other == key);
                    match pairs.iter().find(same) {
                        Some((_, head)) => self.meet(head, known)?,
                        // Another key may turn out to be this one.
                        None => self.leave(known),
                    }
                }
            }
            (Known::Array(_) | Known::Object(_), TermKind::Var(var)) => {
                let first = u32::try_from(self.terms.len()).expect("fewer keys than bytes");
                self.leave(known);
                let shape = Watched::Shape(*var, known.clone(), Slot(first));
                self.watched.push(shape);
            }
            (Known::Array(_) | Known::Object(_), _) => return None,
        }
        Some(())
    }

    /// What is known does not matter to the definition.
    fn leave(&mut self, known: &Known) {
        self.terms.extend((0..known.values()).map(|_| None));
    }
}

/// What a variable has to look like, with the known values in the slots from `next` on.
fn pattern(known: &Known, next: &mut u32) -> Pattern {
    match known {
        Known::Nothing | Known::Same(_) => Pattern::Any,
        Known::Value => {
            *next += 1;
            Pattern::Equal(Term::Local(Slot(*next - 1)))
        }
        Known::Array(parts) => {
            Pattern::Array(parts.iter().map(|part| pattern(part, next)).collect())
        }
        Known::Object(pairs) => {
            let pair =
                |(key, known): &(Value, Known)| (constant(key.clone()), pattern(known, next));
            Pattern::Object(pairs.iter().map(pair).collect())
        }
    }
}
