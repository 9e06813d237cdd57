//! What a condition can look at of an `AdmissionRequest`; more than it does look at is no fault,
//! less is.

use super::term::{Term, Variable};
use crate::rego::{plan::access::Access, value::Value};

/// Notes what a term looks at.
pub(super) fn note(term: &Term, access: &mut Access) {
    if let Some(path) = path(term) {
        let part = path.into_iter().fold(access, |access, key| access.key(key));
        part.whole();
        return;
    }
    match term {
        Term::Constant(_) | Term::Bound(_) | Term::Variable(Variable::Params) => {}
        Term::Variable(Variable::NamespaceObject) => {
            // Whether there is a namespace to look at.
            for key in ["namespace", "kind"] {
                access.key(key).whole();
            }
        }
        Term::Variable(_) => unreachable!("it has a path"),
        Term::Select(below, _)
        | Term::Has(below, _)
        | Term::OptionalSelect(below, _)
        | Term::Not(below)
        | Term::Negate(below)
        | Term::NotFalse(below)
        | Term::Gather(_, below) => note(below, access),
        Term::Index(pair)
        | Term::OptionalIndex(pair)
        | Term::And(pair)
        | Term::Or(pair)
        | Term::Operation(_, pair) => pair.iter().for_each(|one| note(one, access)),
        Term::List(parts) | Term::Call(_, parts) => parts.iter().for_each(|one| note(one, access)),
        Term::Map(entries) => entries.iter().flatten().for_each(|one| note(one, access)),
        Term::Conditional(parts) => parts.iter().for_each(|one| note(one, access)),
        Term::Comprehension(own) => {
            let parts = [&own.range, &own.first, &own.goes_on, &own.step, &own.result];
            parts.into_iter().for_each(|one| note(one, access));
        }
    }
}

/// The place in the request at which a term looks, if it is one that is known.
fn path(term: &Term) -> Option<Vec<&str>> {
    match term {
        Term::Variable(Variable::Request) => Some(Vec::new()),
        Term::Variable(Variable::Object) => Some(vec!["object"]),
        Term::Variable(Variable::OldObject) => Some(vec!["oldObject"]),
        Term::Select(below, Value::String(key))
        | Term::Has(below, Value::String(key))
        | Term::OptionalSelect(below, Value::String(key)) => {
            let mut path = path(below)?;
            path.push(key);
            Some(path)
        }
        _ => None,
    }
}
