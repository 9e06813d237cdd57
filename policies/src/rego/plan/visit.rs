//! Walks through the parts of a plan.

use super::ir::{
    Block, Comprehension, Definition, Head, Override, Pattern, Segment, Slot, Source, Step,
    StepKind, Term,
};

/// Calls `visit` for a definition and for every `else`.
pub fn definitions<'p>(definition: &'p Definition, visit: &mut dyn FnMut(&'p Definition)) {
    let mut next = Some(definition);
    while let Some(one) = next {
        visit(one);
        next = one.otherwise.as_deref();
    }
}

/// Calls `visit` for every condition of a definition, those of inner blocks among them.
pub fn steps<'p>(definition: &'p Definition, visit: &mut dyn FnMut(&'p Step)) {
    block(&definition.body, &mut |part| {
        if let Part::Step(step) = part {
            visit(step);
        }
    });
    let terms = definition.path.iter().chain([&definition.value]);
    terms.for_each(|one| {
        term(one, &mut |part| {
            if let Part::Step(step) = part {
                visit(step);
            }
        });
    });
}

/// What a walk comes across.
#[derive(Debug, Clone, Copy)]
pub enum Part<'p> {
    /// A condition, before its parts.
    Step(&'p Step),
    /// A term, before its parts.
    Term(&'p Term),
    /// A slot that is written.
    Writes(Slot),
}

fn block<'p>(block: &'p Block, visit: &mut dyn FnMut(Part<'p>)) {
    for one in &block.steps {
        visit(Part::Step(one));
        step(one, visit);
    }
}

/// Calls `visit` for the parts of a condition, not for itself.
pub fn step<'p>(step: &'p Step, visit: &mut dyn FnMut(Part<'p>)) {
    match &step.kind {
        StepKind::Test(one) => term(one, visit),
        StepKind::Bind(slot, one) => {
            visit(Part::Writes(*slot));
            term(one, visit);
        }
        StepKind::Match(one, value) => {
            pattern(one, visit);
            term(value, visit);
        }
        StepKind::Find(find) => {
            if let Source::Term(one) = &find.source {
                term(one, visit);
            }
            for segment in &find.path {
                match segment {
                    Segment::Key(one) => term(one, visit),
                    Segment::Any(one) => pattern(one, visit),
                }
            }
            pattern(&find.value, visit);
        }
        StepKind::Walk(walk) => {
            term(&walk.root, visit);
            pattern(&walk.output, visit);
        }
        StepKind::Not(one) | StepKind::Exists(one) => block(one, visit),
        StepKind::Either(blocks) => blocks.iter().for_each(|one| block(one, visit)),
        StepKind::Every(every) => {
            term(&every.domain, visit);
            pattern(&every.key, visit);
            pattern(&every.value, visit);
            block(&every.body, visit);
        }
        StepKind::With(with) => {
            for replacement in &with.overrides {
                match replacement {
                    Override::Input(_, one) | Override::Data(_, one) | Override::Value(_, one) => {
                        term(one, visit);
                    }
                    Override::Callee(..) => {}
                }
            }
            block(&with.block, visit);
        }
    }
}

fn pattern<'p>(one: &'p Pattern, visit: &mut dyn FnMut(Part<'p>)) {
    match one {
        Pattern::Any => {}
        Pattern::Bind(slot) => visit(Part::Writes(*slot)),
        Pattern::Equal(one) => term(one, visit),
        Pattern::Array(patterns) => patterns.iter().for_each(|one| pattern(one, visit)),
        Pattern::Object(pairs) => pairs.iter().for_each(|(key, one)| {
            term(key, visit);
            pattern(one, visit);
        }),
    }
}

fn term<'p>(one: &'p Term, visit: &mut dyn FnMut(Part<'p>)) {
    visit(Part::Term(one));
    match one {
        Term::Constant(_)
        | Term::Local(_)
        | Term::Input
        | Term::Document(_)
        | Term::Data
        | Term::Rule(_) => {}
        Term::Reference(reference) => {
            if let Source::Term(one) = &reference.source
                && !matches!(one, Term::Input)
            {
                term(one, visit);
            }
            reference.path.iter().for_each(|key| term(key, visit));
        }
        Term::Call(call) => call.arguments.iter().for_each(|one| term(one, visit)),
        Term::Compare(_, sides) | Term::Arithmetic(_, sides) | Term::Member(sides) => {
            term(&sides.0, visit);
            term(&sides.1, visit);
        }
        Term::MemberWithKey(sides) => {
            term(&sides.0, visit);
            term(&sides.1, visit);
            term(&sides.2, visit);
        }
        Term::Array(terms) | Term::Set(terms) => terms.iter().for_each(|one| term(one, visit)),
        Term::Object(pairs) => pairs.iter().for_each(|(key, value)| {
            term(key, visit);
            term(value, visit);
        }),
        Term::Comprehension(one) => comprehension(one, visit),
    }
}

/// What is grouped is the same once more.
fn comprehension<'p>(one: &'p Comprehension, visit: &mut dyn FnMut(Part<'p>)) {
    block(&one.body, visit);
    match &one.head {
        Head::Array(value) | Head::Set(value) => term(value, visit),
        Head::Object(key, value) => {
            term(key, visit);
            term(value, visit);
        }
    }
}
