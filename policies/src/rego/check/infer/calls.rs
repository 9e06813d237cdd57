//! Calls: whether functions take what they are given.

use super::{Checker, Environment};
use crate::rego::check::signatures;
use crate::rego::check::types::{Type, list, unifies};
use crate::rego::core::{Call, Callee, Expr, Replacement, Target, Term};
use crate::rego::findings::Stage;
use crate::rego::source::Span;

impl Checker<'_> {
    /// Checks that functions take what those take that stand in for them.
    pub(super) fn stand_ins(&mut self, expr: &Expr) -> bool {
        let mut fine = true;
        for with in expr.with.iter().flat_map(|with| with.iter()) {
            let (Target::Callee(target), Replacement::Callee(value)) = (&with.target, &with.value)
            else {
                continue;
            };
            let (Some(wanted), Some(given)) = (self.takes(target), self.takes(value)) else {
                continue;
            };
            let mut pairs = wanted.iter().zip(&given);
            if wanted.len() != given.len() || !pairs.all(|(a, b)| unifies(a, b)) {
                let message = format!(
                    "arity mismatch\n\thave: ({})\n\twant: ({})",
                    list(&given),
                    list(&wanted)
                );
                self.findings.kind(Stage::Types, with.span, message);
                fine = false;
            }
        }
        fine
    }

    /// The types of the arguments of a function, if they are known.
    fn takes(&self, callee: &Callee) -> Option<Vec<Type>> {
        match callee {
            Callee::Builtin(name) => Some(signatures::find(name)?.arguments.clone()),
            Callee::Function(node) => match self.tree.get(&self.program.tree.node(*node).path)? {
                Type::Function(arguments, _) => Some(arguments.to_vec()),
                _ => None,
            },
        }
    }

    pub(super) fn call(
        &mut self,
        environment: &mut Environment<'_>,
        call: &Call,
        span: Span,
        fine: bool,
    ) -> bool {
        let (name, wanted, result) = match &call.callee {
            Callee::Builtin(name) => {
                let signature = signatures::find(name).filter(|signature| !signature.variadic);
                let Some(signature) = signature else {
                    return fine;
                };
                (
                    (*name).to_owned(),
                    signature.arguments.clone(),
                    signature.result.clone(),
                )
            }
            Callee::Function(node) => {
                let path = &self.program.tree.node(*node).path;
                match self.tree.get(path) {
                    Some(Type::Function(arguments, result)) => {
                        // Of a function of which nothing is known, OPA expects no result.
                        let result = Some(&**result).filter(|kind| kind.is_some()).cloned();
                        (super::super::path(path), arguments.to_vec(), result)
                    }
                    Some(kind) if !kind.is_any() => {
                        let message = format!("undefined function {}", super::super::path(path));
                        self.findings.kind(Stage::Types, span, message);
                        return false;
                    }
                    _ if self.program.tree.node(*node).arity == 0 => {
                        // It is the rule's value for OPA.
                        self.findings.unsupported(span, "a call of a rule");
                        return false;
                    }
                    _ => return fine,
                }
            }
        };
        if let Callee::Builtin(name @ ("internal.member_2" | "internal.member_3")) = call.callee
            && !self.member(environment, call, name.ends_with('3'), span)
        {
            return false;
        }
        let operands: Vec<&Term> = call.arguments.iter().chain(&call.output).collect();
        let wanted: Vec<Type> = wanted.into_iter().chain(result).collect();
        let types = |checker: &Self, environment: &Environment<'_>| -> Vec<Type> {
            let kinds = operands.iter();
            kinds
                .map(|term| checker.type_of(environment, term))
                .collect()
        };
        let before = types(self, environment);
        if operands.len() > wanted.len() {
            self.mismatch(&name, "too many arguments", (&before, &wanted), span, fine);
            return false;
        }
        for ((operand, before_it), kind) in operands.iter().zip(&before).zip(&wanted) {
            if !before_it.is_unknown() && !self.unifies(before_it, kind) {
                self.mismatch(&name, "invalid argument(s)", (&before, &wanted), span, fine);
                return false;
            }
            if !self.unify_type(environment, operand, kind, false) {
                let have = types(self, environment);
                self.mismatch(&name, "invalid argument(s)", (&have, &wanted), span, fine);
                return false;
            }
        }
        fine
    }

    /// Reports a call of other types than the function takes, unless something was found already
    /// that can be why a type is not known.
    fn mismatch(
        &mut self,
        name: &str,
        what: &str,
        (have, want): (&[Type], &[Type]),
        span: Span,
        fine: bool,
    ) {
        if fine || !have.iter().any(Type::is_unknown) {
            let message = format!(
                "{name}: {what}\n\thave: ({})\n\twant: ({})",
                list(have),
                list(want)
            );
            self.findings.kind(Stage::Types, span, message);
        }
    }

    /// `in`: what is looked for can be in the collection.
    fn member(
        &mut self,
        environment: &mut Environment<'_>,
        call: &Call,
        with_key: bool,
        span: Span,
    ) -> bool {
        let Some((collection, wanted)) = call.arguments.split_last() else {
            return true;
        };
        let collection = self.type_of(environment, collection);
        let values = collection.values();
        if !values.is_some() {
            return true;
        }
        let kinds = if with_key {
            vec![collection.keys(), values]
        } else {
            vec![values]
        };
        for (term, kind) in wanted.iter().zip(kinds) {
            if kind.is_unknown() {
                continue;
            }
            let have = self.type_of(environment, term);
            let possible = have.is_unknown() || self.unifies(&have, &kind);
            if !possible || !self.unify_type(environment, term, &kind, false) {
                let message = format!("match error\n\tleft  : {have}\n\tright : {kind}");
                self.findings.kind(Stage::Types, span, message);
                return false;
            }
        }
        true
    }
}
