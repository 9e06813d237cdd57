//! What is asked of the modules.

use regorus::Value;

use super::names;
use super::{Asked, Context, Question, Resolver, calls, declared, term, value_name, variable};
use crate::rego::ast::{self, Name, TermKind as Written};
use crate::rego::check::signatures;
use crate::rego::core::{
    self, Asked as Condition, Body, Call, Callee, Expr, ExprKind, Query, TermKind, Var,
};
use crate::rego::source::Span;

/// Resolves a question.
pub(super) fn query(context: &mut Context<'_>, question: &Question) -> Query {
    let mut resolver = Resolver::new(context);
    resolver.scopes.push();
    let mut conditions = Vec::new();
    let (body, value) = match &question.asked {
        Asked::Body(body) => {
            let body = ast::Body::new(body.clone());
            resolver.hidden.push(declared(&body));
            (resolver.body(&body), None)
        }
        Asked::Conditions(body, _) => {
            let body = ast::Body::new(body.clone());
            resolver.hidden.push(declared(&body));
            resolver.keeps_true = true;
            let mut resolved = resolver.body(&body);
            conditions = resolver.captured(&body, &mut resolved);
            (resolved, None)
        }
        Asked::Path(path) => {
            let path: Vec<Value> = path.iter().map(|part| Value::from(part.as_str())).collect();
            let span = Span::default();
            let reference = core::Ref {
                root: core::Root::Data,
                path: term::constants(&path, span),
            };
            let kind = TermKind::Ref(Box::new(reference));
            (Vec::new(), Some(core::Term { kind, span }))
        }
    };
    Query {
        name: question.name.clone(),
        body,
        conditions,
        variables: resolver
            .scopes
            .into_variables(|name| signatures::find(name).is_some()),
        value,
    }
}

impl Resolver<'_, '_> {
    /// Gives a variable to the value of each condition that has one, as OPA does: where there are
    /// several conditions, or one with several solutions, only what is not `false` is a solution.
    fn captured(&mut self, written: &ast::Body, body: &mut Body) -> Vec<Condition> {
        let holds = written.len() > 1 || written.iter().any(iterates);
        let mut conditions = Vec::new();
        for (at, condition) in written.iter().enumerate() {
            let resolved = body.iter().rposition(|expr| expr.span == condition.span);
            let mut capture = None;
            if let Some(resolved) = resolved
                && !condition.negated
                && has_value(&body[resolved].kind)
            {
                let span = condition.span;
                let var = self.scopes.make(Name::from(value_name(at)));
                take_value(&mut body[resolved], var);
                if holds {
                    let kind = ExprKind::Term(variable(var, span));
                    body.push(calls::condition(kind, span));
                }
                capture = Some(var);
            }
            let span = condition.span;
            conditions.push(Condition { span, capture });
        }
        conditions
    }
}

/// Whether a condition has a value of its own, and is not `true` as such.
fn has_value(kind: &ExprKind) -> bool {
    match kind {
        ExprKind::Term(_) => true,
        ExprKind::Call(call) => {
            let is_void = match &call.callee {
                Callee::Builtin(name) => {
                    signatures::find(name).is_some_and(|signature| signature.result.is_none())
                }
                Callee::Function(_) => false,
            };
            call.output.is_none() && !is_void
        }
        _ => false,
    }
}

fn take_value(expr: &mut Expr, var: Var) {
    let value = variable(var, expr.span);
    match &mut expr.kind {
        ExprKind::Call(Call { output, .. }) => *output = Some(value),
        kind => {
            if let ExprKind::Term(term) = kind {
                *kind = ExprKind::Unify {
                    left: term.clone(),
                    right: value,
                    assignment: false,
                };
            }
        }
    }
}

/// Whether OPA takes a condition for one with several solutions: a reference goes on with a
/// variable, or a relation is called. Comprehensions have one value.
fn iterates(condition: &ast::Expr) -> bool {
    let mut found = false;
    let mut look = |term: &ast::Term| {
        match &term.kind {
            Written::Ref(path) => {
                let goes_on = path.iter().skip(1);
                found |= goes_on
                    .into_iter()
                    .any(|part| matches!(part.kind, Written::Var(_)));
            }
            Written::Call(call) => found |= calls::relation(call).is_some(),
            _ => {}
        }
        !names::is_comprehension(term)
    };
    names::walk_expr(condition, &mut look);
    if let ast::ExprKind::Call(call) = &condition.kind {
        found |= calls::relation(call).is_some();
    }
    found
}
