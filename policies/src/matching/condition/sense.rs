//! What an expression shows of itself before it is evaluated.

use super::{
    Refusal,
    term::{Function, Operator, Term, Variable},
};
use crate::rego::value::Value;

/// Fields of `request`; those that a `ValidatingAdmissionPolicy` has.
const REQUEST: [&str; 12] = [
    "kind",
    "resource",
    "subResource",
    "requestKind",
    "requestResource",
    "requestSubResource",
    "name",
    "namespace",
    "operation",
    "userInfo",
    "dryRun",
    "options",
];

/// Refuses what is not known of a variable, or would be read where it does not stand.
pub(super) fn check_field(operand: &Term, field: &str) -> Result<(), Refusal> {
    let of_namespace = |known: &[&str], what: &str| {
        if known.contains(&field) {
            return Ok(());
        }
        Err(Refusal::new(
            format!("`{what}.{field}` is not known: of a namespace, name and labels are"),
            "use namespaceObject.metadata.name or namespaceObject.metadata.labels",
        ))
    };
    match operand {
        Term::Variable(Variable::Request) if ["object", "oldObject"].contains(&field) => {
            Err(Refusal::new(
                format!("`request.{field}` cannot be used here"),
                "write object or oldObject without request",
            ))
        }
        Term::Variable(Variable::Request) if !REQUEST.contains(&field) => Err(Refusal::new(
            format!("a request has no `{field}`"),
            "use one of kind, resource, subResource, name, namespace, operation, userInfo, dryRun, \
             options, requestKind, requestResource and requestSubResource",
        )),
        Term::Variable(Variable::NamespaceObject) => of_namespace(&["metadata"], "namespaceObject"),
        Term::Select(below, key) | Term::OptionalSelect(below, key)
            if matches!(**below, Term::Variable(Variable::NamespaceObject))
                && *key == Value::from("metadata") =>
        {
            of_namespace(&["name", "labels"], "namespaceObject.metadata")
        }
        _ => Ok(()),
    }
}

/// Whether an expression shows by itself that it is neither true nor false.
pub(super) fn is_never_boolean(term: &Term) -> bool {
    match term {
        Term::Constant(value) => !matches!(value, Value::Bool(_)),
        Term::List(_)
        | Term::Map(_)
        | Term::Negate(_)
        | Term::OptionalSelect(..)
        | Term::OptionalIndex(_)
        | Term::Variable(_)
        | Term::Gather(..) => true,
        Term::Operation(operator, _) => matches!(
            operator,
            Operator::Add
                | Operator::Subtract
                | Operator::Multiply
                | Operator::Divide
                | Operator::Modulo
        ),
        Term::Call(function, _) => !matches!(
            function,
            Function::Contains
                | Function::StartsWith
                | Function::EndsWith
                | Function::Matches
                | Function::SetsContains
                | Function::SetsIntersects
                | Function::SetsEquivalent
                | Function::OrValue
                | Function::HasValue
                | Function::Value
        ),
        // What `map` and `filter` gather.
        Term::Comprehension(own) => {
            matches!((&own.first, &own.result), (Term::List(_), Term::Bound(_)))
        }
        Term::Conditional(parts) => is_never_boolean(&parts[1]) && is_never_boolean(&parts[2]),
        _ => false,
    }
}
