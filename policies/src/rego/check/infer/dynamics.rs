//! Conditions as OPA's type checker sees them: what a condition looks up before it is asked stands
//! in a condition of its own before it.
//!
//! ```text
//! count(data.a[input.b]) > 1   ⇒   $1 = input.b, $2 = data.a[$1], count($2, $3), $3 > 1
//! ```
//!
//! It makes a difference: a reference of which nothing is known has no type, but the variable that
//! is equal to it can be anything; and a variable in a set or an array can get a further type where
//! a reference has the one it has.

use std::collections::HashMap;

use crate::rego::core::{
    Body, Call, Callee, Comprehension, Every, Expr, ExprKind, Operand, Ref, Term, TermKind, Var,
    Variable, fresh,
};

/// The conditions of one definition or query.
pub(super) struct Dynamics {
    /// The variables: those that were there, and those that stand for a part of a condition.
    pub(super) variables: Vec<Variable>,
    /// The references that variables stand for.
    pub(super) subjects: HashMap<Var, Ref>,
    /// `==` is a function here and no unification, as in queries.
    pub(super) compares: bool,
}

impl Dynamics {
    pub(super) fn new(variables: &[Variable], compares: bool) -> Self {
        Self {
            variables: variables.to_vec(),
            subjects: HashMap::new(),
            compares,
        }
    }

    pub(super) fn body(&mut self, body: &Body) -> Body {
        let mut out = Vec::with_capacity(body.len());
        for expr in body {
            let kind = self.kind(expr, &mut out);
            out.push(Expr {
                kind,
                negated: expr.negated,
                with: expr.with.clone(),
                span: expr.span,
            });
        }
        out
    }

    fn kind(&mut self, expr: &Expr, out: &mut Body) -> ExprKind {
        match &expr.kind {
            ExprKind::Term(term) => ExprKind::Term(self.side(term, expr, out)),
            ExprKind::Unify {
                left,
                right,
                assignment,
            } => ExprKind::Unify {
                left: self.side(left, expr, out),
                right: self.side(right, expr, out),
                assignment: *assignment,
            },
            ExprKind::Call(call) => self.call(call, expr, out),
            ExprKind::Every(every) => ExprKind::Every(Box::new(Every {
                key: every.key,
                value: every.value,
                domain: self.part(&every.domain, expr, out),
                body: self.body(&every.body),
            })),
            ExprKind::Not(operand) => ExprKind::Not(self.operand(operand)),
            ExprKind::And(left, right) => ExprKind::And(self.operand(left), self.operand(right)),
            ExprKind::Or(left, right) => ExprKind::Or(self.operand(left), self.operand(right)),
        }
    }

    fn call(&mut self, call: &Call, expr: &Expr, out: &mut Body) -> ExprKind {
        if let (Callee::Builtin("equal"), [left, right], None, false) = (
            &call.callee,
            &call.arguments[..],
            &call.output,
            self.compares,
        ) {
            return ExprKind::Unify {
                left: self.side(left, expr, out),
                right: self.side(right, expr, out),
                assignment: false,
            };
        }
        let mut part = |term| self.part(term, expr, out);
        ExprKind::Call(Call {
            callee: call.callee.clone(),
            arguments: call.arguments.iter().map(&mut part).collect(),
            output: call.output.as_ref().map(part),
        })
    }

    fn operand(&mut self, operand: &Operand) -> Operand {
        Operand {
            body: self.body(&operand.body),
            braces: operand.braces,
        }
    }

    /// A side of a unification, or a term that is a condition: what it looks up itself stays.
    fn side(&mut self, term: &Term, expr: &Expr, out: &mut Body) -> Term {
        let kind = match &term.kind {
            TermKind::Ref(reference) => TermKind::Ref(Box::new(self.path(reference, expr, out))),
            TermKind::Comprehension(comprehension) => {
                TermKind::Comprehension(Box::new(self.comprehension(comprehension)))
            }
            _ => return self.part(term, expr, out),
        };
        let span = term.span;
        Term { kind, span }
    }

    /// A part of a condition. What it looks up gets a variable.
    fn part(&mut self, term: &Term, expr: &Expr, out: &mut Body) -> Term {
        let span = term.span;
        let kind = match &term.kind {
            TermKind::Constant(_) | TermKind::Var(_) => term.kind.clone(),
            TermKind::Array(terms) => {
                let parts = terms.iter().map(|term| self.part(term, expr, out));
                TermKind::Array(parts.collect())
            }
            TermKind::Set(terms) => {
                let parts = terms.iter().map(|term| self.part(term, expr, out));
                TermKind::Set(parts.collect())
            }
            TermKind::Object(pairs) => {
                let pair = |(key, value): &(Term, Term)| {
                    (self.part(key, expr, out), self.part(value, expr, out))
                };
                TermKind::Object(pairs.iter().map(pair).collect())
            }
            TermKind::Ref(_) | TermKind::Comprehension(_) => {
                let right = self.side(term, expr, out);
                let var = fresh(&mut self.variables);
                if let TermKind::Ref(reference) = &right.kind {
                    self.subjects.insert(var, (**reference).clone());
                }
                let kind = TermKind::Var(var);
                let left = Term {
                    kind: kind.clone(),
                    span,
                };
                out.push(Expr {
                    kind: ExprKind::Unify {
                        left,
                        right,
                        assignment: false,
                    },
                    negated: false,
                    span,
                    with: expr.with.clone(),
                });
                kind
            }
        };
        Term { kind, span }
    }

    fn path(&mut self, reference: &Ref, expr: &Expr, out: &mut Body) -> Ref {
        let path = reference.path.iter();
        Ref {
            root: reference.root,
            path: path.map(|part| self.part(part, expr, out)).collect(),
        }
    }

    fn comprehension(&mut self, comprehension: &Comprehension) -> Comprehension {
        Comprehension {
            head: comprehension.head.clone(),
            body: self.body(&comprehension.body),
            template: comprehension.template,
        }
    }
}
