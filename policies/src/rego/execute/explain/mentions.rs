//! What a condition mentions, and what it is then.

use std::fmt::Write as _;

use super::{MAX_VALUES, Named, View, shown};
use crate::rego::{
    plan::{
        ir::{Comparison, Definition, Reference, Slot, Source, Step, StepKind, Term},
        visit::{self, Part},
    },
    value::{self, Value, is_defined},
};

type Names = [(Slot, Box<str>)];

/// The variables and the paths of known keys in a condition. Variables that it binds itself, or
/// that an inner block binds, are left out.
pub(super) fn of(step: &Step, names: &Names, view: View<'_>) -> Vec<Named> {
    // Below `with`, another input may be in force.
    let is_with = matches!(step.kind, StepKind::With(_));
    let mut written = Vec::new();
    let mut terms: Vec<&Term> = Vec::new();
    visit::step(step, &mut |part| match part {
        Part::Writes(slot) => written.push(slot),
        Part::Term(term @ (Term::Local(_) | Term::Reference(_))) => terms.push(term),
        Part::Term(_) | Part::Step(_) => {}
    });
    let mut found: Vec<Named> = Vec::new();
    let mut roots = Vec::new();
    for term in terms {
        let named = match term {
            Term::Reference(reference) => {
                if is_with && matches!(reference.source, Source::Term(Term::Input)) {
                    continue;
                }
                let named = path(reference, names, &written, view);
                if let (Some(_), Source::Term(root)) = (&named, &reference.source) {
                    // The path says more than its beginning.
                    roots.push(std::ptr::from_ref(root));
                }
                named
            }
            _ if roots.contains(&std::ptr::from_ref(term)) => None,
            Term::Local(slot) => local(*slot, names, &written, view),
            _ => None,
        };
        if let Some(named) = named
            && !found.contains(&named)
        {
            found.push(named);
        }
        if found.len() == MAX_VALUES {
            break;
        }
    }
    found
}

fn name_of(slot: Slot, names: &Names) -> Option<&str> {
    let found = names.iter().find(|(other, _)| *other == slot);
    found.map(|(_, name)| &**name)
}

fn local(slot: Slot, names: &Names, written: &[Slot], view: View<'_>) -> Option<Named> {
    if written.contains(&slot) {
        return None;
    }
    let value = view.slots.get(slot.index())?;
    Some(Named {
        name: name_of(slot, names)?.to_owned(),
        value: is_defined(value).then(|| shown::value(value))?,
    })
}

/// A path of known keys from the input or from a variable.
fn path(reference: &Reference, names: &Names, written: &[Slot], view: View<'_>) -> Option<Named> {
    let (mut name, mut value) = match &reference.source {
        Source::Term(Term::Input) => ("input".to_owned(), Some(view.input)),
        Source::Term(Term::Local(slot)) if !written.contains(slot) => {
            let value = view.slots.get(slot.index())?;
            (name_of(*slot, names)?.to_owned(), Some(value))
        }
        _ => return None,
    };
    for key in &reference.path {
        let key = simple(key, view)?;
        match key {
            Value::String(text) if is_name(text) => {
                let _ = write!(name, ".{text}");
            }
            key => {
                let _ = write!(name, "[{}]", shown::value(key));
            }
        }
        value = value.and_then(|value| value::get(value, key));
    }
    let value = value.filter(|value| is_defined(value));
    Some(Named {
        name,
        value: value.map_or_else(|| "undefined".to_owned(), shown::value),
    })
}

fn simple<'v>(term: &'v Term, view: View<'v>) -> Option<&'v Value> {
    match term {
        Term::Constant(value) => Some(value),
        Term::Local(slot) => view
            .slots
            .get(slot.index())
            .filter(|value| is_defined(value)),
        _ => None,
    }
}

fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The condition that compares a part of the input or an argument with constants, of which none is
/// its value.
pub(super) fn unequal<'p>(definition: &'p Definition, view: View<'p>) -> Option<&'p Step> {
    let mut bound: Vec<(Slot, &Value)> = Vec::new();
    definition.body.steps.iter().find(|step| match &step.kind {
        StepKind::Bind(slot, term) => {
            if let Some(value) = known(term, &bound, view) {
                bound.push((*slot, value));
            }
            false
        }
        StepKind::Test(Term::Compare(Comparison::Equal, sides)) => match &**sides {
            (Term::Constant(constant), term) | (term, Term::Constant(constant)) => {
                known(term, &bound, view).is_some_and(|value| value != constant)
            }
            _ => false,
        },
        StepKind::Test(Term::Member(sides)) => match &**sides {
            (term, Term::Constant(collection)) => {
                known(term, &bound, view).is_some_and(|value| !value::contains(collection, value))
            }
            _ => false,
        },
        _ => false,
    })
}

/// The value of a part of the input or of an argument.
fn known<'v>(term: &'v Term, bound: &[(Slot, &'v Value)], view: View<'v>) -> Option<&'v Value> {
    static UNDEFINED: Value = Value::Undefined;
    match term {
        Term::Input => Some(view.input),
        Term::Local(slot) => {
            let found = bound.iter().find(|(other, _)| other == slot);
            found
                .map(|(_, value)| *value)
                .or_else(|| view.slots.get(slot.index()))
        }
        Term::Reference(reference) => {
            let Source::Term(source) = &reference.source else {
                return None;
            };
            let source = known(source, bound, view)?;
            reference
                .path
                .iter()
                .try_fold(source, |value, key| match key {
                    Term::Constant(key) => Some(value::get(value, key).unwrap_or(&UNDEFINED)),
                    _ => None,
                })
        }
        _ => None,
    }
}
