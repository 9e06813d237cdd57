//! How deep the parts of a rule are nested, since evaluating them takes stack.

use super::ir::{
    Block, Definition, Head, Override, Pattern, Rule, Segment, Source, Step, StepKind, Term,
};

/// Terms within each other that evaluating one rule takes stack for anyway. Hand-written ones stay
/// below. See the derivation of the deepest evaluation, in the budget.
const FREE: u32 = 6;

/// How many levels of the budget's depth evaluating a rule takes.
pub fn levels(rule: &Rule) -> u32 {
    let heights = rule.definitions.iter().map(definition);
    let default = rule.default.iter().map(|default| term(&default.value));
    1 + heights.chain(default).max().unwrap_or(0) / FREE
}

fn definition(first: &Definition) -> u32 {
    let chain = std::iter::successors(Some(first), |one| one.otherwise.as_deref());
    let heights = chain.map(|one| {
        let terms = most(one.path.iter().chain([&one.value]), term);
        let patterns = most(&one.parameters, pattern);
        block(&one.body).max(terms).max(patterns)
    });
    heights.max().unwrap_or(0)
}

fn most<T>(parts: impl IntoIterator<Item = T>, height: impl Fn(T) -> u32) -> u32 {
    parts.into_iter().map(height).max().unwrap_or(0)
}

fn block(block: &Block) -> u32 {
    most(&block.steps, step)
}

fn step(step: &Step) -> u32 {
    1 + match &step.kind {
        StepKind::Test(one) | StepKind::Bind(_, one) => term(one),
        StepKind::Match(one, value) => pattern(one).max(term(value)),
        StepKind::Find(find) => {
            let source = match &find.source {
                Source::Term(one) => term(one),
                Source::Part(_) | Source::Node(_) => 0,
            };
            // A path is followed part by part, each within the one before.
            let path = find.path.iter().map(|segment| match segment {
                Segment::Key(one) => 1 + term(one),
                Segment::Any(one) => 1 + pattern(one),
            });
            source.max(path.sum::<u32>() + pattern(&find.value))
        }
        StepKind::Walk(walk) => term(&walk.root).max(pattern(&walk.output)),
        StepKind::Not(one) | StepKind::Exists(one) => block(one),
        StepKind::Either(blocks) => most(blocks, block),
        StepKind::Every(every) => {
            let patterns = pattern(&every.key).max(pattern(&every.value));
            term(&every.domain).max(patterns).max(block(&every.body))
        }
        StepKind::With(with) => {
            let values = most(&with.overrides, |one| match one {
                Override::Input(_, one) | Override::Data(_, one) | Override::Value(_, one) => {
                    term(one)
                }
                Override::Callee(..) => 0,
            });
            values.max(block(&with.block))
        }
    }
}

fn pattern(one: &Pattern) -> u32 {
    1 + match one {
        Pattern::Any | Pattern::Bind(_) => 0,
        Pattern::Equal(one) => term(one),
        Pattern::Array(patterns) => most(patterns, pattern),
        Pattern::Object(pairs) => most(pairs, |(key, one)| term(key).max(pattern(one))),
    }
}

fn term(one: &Term) -> u32 {
    let pair = |sides: &(Term, Term)| term(&sides.0).max(term(&sides.1));
    1 + match one {
        Term::Constant(_)
        | Term::Local(_)
        | Term::Input
        | Term::Document(_)
        | Term::Data
        | Term::Rule(_) => 0,
        Term::Reference(reference) => {
            let source = match &reference.source {
                Source::Term(one) => term(one),
                Source::Part(_) | Source::Node(_) => 0,
            };
            source.max(most(&reference.path, term))
        }
        Term::Call(call) => most(&call.arguments, term),
        Term::Compare(_, sides) | Term::Arithmetic(_, sides) | Term::Member(sides) => pair(sides),
        Term::MemberWithKey(sides) => term(&sides.0).max(term(&sides.1)).max(term(&sides.2)),
        Term::Array(terms) | Term::Set(terms) => most(terms, term),
        Term::Object(pairs) => most(pairs, pair),
        Term::Comprehension(one) => {
            let head = match &one.head {
                Head::Array(value) | Head::Set(value) => term(value),
                Head::Object(key, value) => term(key).max(term(value)),
            };
            let grouped = most(&one.grouping, |grouping| block(&grouping.body));
            head.max(block(&one.body)).max(grouped)
        }
    }
}
