//! Bodies: declarations disappear, the parts of a condition are put before it.

use std::collections::HashSet;
use std::sync::Arc;

use super::calls::condition;
use super::names::{self, assignment};
use super::scope::Occurrence;
use super::term::{collect, root};
use super::{Resolver, variable};
use crate::rego::ast::{self, Name, TermKind as Written};
use crate::rego::check::signatures;
use crate::rego::core::{
    Body, Call, Callee, Every, Expr, ExprKind, Operand, Ref, Root, Term, TermKind, With,
};
use crate::rego::findings::Stage;
use crate::rego::order::vars;
use crate::rego::source::{ErrorCode, Span};
use crate::rego::value::{self, Value};

/// The modifiers of a condition, which its parts share.
type Modifiers = Option<Arc<[With]>>;

impl Resolver<'_, '_> {
    /// The conditions of a body. The caller opens and closes its scope.
    pub(super) fn body(&mut self, body: &ast::Body) -> Body {
        let mut conditions = Vec::new();
        for expr in body.iter() {
            self.expr(expr, &mut conditions);
        }
        conditions
    }

    fn expr(&mut self, expr: &ast::Expr, body: &mut Body) {
        let span = expr.span;
        let mut support = Vec::new();
        let mut kinds = Vec::new();
        // What an assignment declares, its modifiers cannot use.
        let mut with: Option<Modifiers> = None;
        match &expr.kind {
            ast::ExprKind::Call(call) if self.is_assignment(call) && !expr.negated => {
                let Some((left, right)) = assignment(call) else {
                    return;
                };
                let right = self.term(right, &mut support);
                with = Some(self.modifiers(&expr.modifiers, body));
                let left = self.assigned(left, &mut support);
                kinds.push(ExprKind::Unify {
                    left,
                    right,
                    assignment: true,
                });
            }
            ast::ExprKind::Term(term) => {
                if matches!(term.kind, Written::Bool(true))
                    && !expr.negated
                    && expr.modifiers.is_empty()
                    && !self.keeps_true
                {
                    return;
                }
                kinds.push(ExprKind::Term(self.term(term, &mut support)));
            }
            ast::ExprKind::Call(call) => {
                kinds.extend(self.called(call, expr, &mut support));
            }
            ast::ExprKind::SomeDeclaration(terms) => {
                for term in terms {
                    if let Written::Var(name) = &term.kind {
                        self.declare(name, span, Occurrence::Declared);
                    }
                }
                return;
            }
            ast::ExprKind::SomeIn { key, value, domain } => {
                kinds.extend(self.some_in(key.as_ref(), value, domain, span, &mut support));
            }
            ast::ExprKind::Every {
                key,
                value,
                domain,
                body,
            } => {
                let every = self.every(key.as_ref(), value, domain, body, span, &mut support);
                kinds.push(every);
            }
            ast::ExprKind::Not { body, braces } => {
                let what = "cannot assign vars inside negated expression";
                kinds.push(ExprKind::Not(self.operand(body, *braces, what, span)));
            }
            ast::ExprKind::And(sides) => {
                let what = "cannot assign vars inside implicit and operand";
                let (left, right) = self.operands(sides, what, span);
                kinds.push(ExprKind::And(left, right));
            }
            ast::ExprKind::Or(sides) => {
                let what = "cannot assign vars inside implicit or operand";
                let (left, right) = self.operands(sides, what, span);
                kinds.push(ExprKind::Or(left, right));
            }
        }
        self.hidden_from_within(expr);
        let with = with.unwrap_or_else(|| self.modifiers(&expr.modifiers, body));
        for mut part in support {
            part.with.clone_from(&with);
            body.push(part);
        }
        for kind in kinds {
            body.push(Expr {
                kind,
                negated: expr.negated,
                with: with.clone(),
                span,
            });
        }
    }

    /// Names that a condition declares in its body are, in OPA, hidden from its modifiers, and those
    /// that nothing else declares from the domain of `every`: there they have no value.
    fn hidden_from_within(&mut self, expr: &ast::Expr) {
        let mut unsafe_names = HashSet::new();
        let mut look = |term: &ast::Term, within: HashSet<Name>| {
            let mut used = HashSet::new();
            names::variables(term, &mut used);
            unsafe_names.extend(used.intersection(&within).cloned());
        };
        if let ast::ExprKind::Every { domain, body, .. } = &expr.kind {
            let mut within = names::declared(body);
            let is_declared = |name: &Name| self.scopes.declared(name).is_some();
            within.retain(|name| !is_declared(name) && self.global(name).is_none());
            look(domain, within);
        }
        if !expr.modifiers.is_empty() {
            let values = expr.modifiers.iter().map(|with| &with.value);
            values.for_each(|value| look(value, names::declared_within(expr)));
        }
        // `input` and `data` have values all the same.
        unsafe_names.retain(|name| root(name).is_none());
        for name in unsafe_names {
            let message = format!("var {name} is unsafe");
            let code = ErrorCode::UnsafeVariable;
            self.context
                .findings
                .add(Stage::BodySafety, code, expr.span, message);
        }
    }

    fn is_assignment(&self, call: &ast::Call) -> bool {
        let head = call.operator.first().map(|head| &head.kind);
        let is_builtin = matches!(head, Some(Written::Var(name)) if self.global(name).is_none());
        is_builtin && assignment(call).is_some()
    }

    /// A call: a negated assignment, a `print` (which is left out, as OPA does, unless it is to
    /// print), or a condition.
    fn called(
        &mut self,
        call: &ast::Call,
        expr: &ast::Expr,
        support: &mut Vec<Expr>,
    ) -> Option<ExprKind> {
        let head = match &call.operator[..] {
            [head] => match &head.kind {
                Written::Var(name) => Some(name),
                _ => None,
            },
            _ => None,
        };
        let is_builtin = head.is_some_and(|name| self.global(name).is_none());
        if self.is_assignment(call) {
            let message = "cannot assign vars inside negated expression";
            self.compile(Stage::Locals, expr.span, message);
            return None;
        }
        if is_builtin && call.is("print") && self.context.mode.print {
            return Some(self.print(call, expr.span));
        }
        if is_builtin && call.is("print") {
            // It is gone before OPA looks at calls and variables.
            let mark = self.context.findings.mark();
            let mut support = Vec::new();
            self.terms(&call.arguments, &mut support);
            self.wildcards_in_templates(&support);
            self.context.findings.forget(mark, Stage::VoidCalls);
            return None;
        }
        self.call(call, expr.span, support)
    }

    /// Prints the values of each argument; of one that is undefined, there is none.
    fn print(&mut self, call: &ast::Call, span: Span) -> ExprKind {
        let arguments = call.arguments.iter();
        let parts = arguments.map(|argument| self.printed(argument)).collect();
        ExprKind::Call(Call {
            callee: Callee::Builtin("internal.print"),
            arguments: vec![Term {
                kind: collect(parts, TermKind::Array, Value::from),
                span,
            }],
            output: None,
        })
    }

    /// What is printed is gone before template strings are checked, but for what can be seen here.
    fn wildcards_in_templates(&mut self, support: &[Expr]) {
        for expr in support {
            let mut found = Vec::new();
            for term in vars::terms_of(expr) {
                vars::comprehensions(term, &mut |one| found.extend(one.template.then_some(one)));
            }
            let conditions = found.into_iter().flat_map(|template| &template.body);
            for condition in conditions {
                let mut is_known = true;
                vars::outside_closures(condition, &mut |var| {
                    is_known &= !self.scopes.is_wildcard(var);
                });
                if !is_known {
                    self.compile(Stage::Templates, condition.span, "var _ is undeclared");
                }
            }
        }
    }

    /// `some k, v in xs` is `v = xs[k]` with the variables of `k` and `v` declared.
    fn some_in(
        &mut self,
        key: Option<&ast::Term>,
        value: &ast::Term,
        domain: &ast::Term,
        span: Span,
        support: &mut Vec<Expr>,
    ) -> Option<ExprKind> {
        for term in key.into_iter().chain([value]) {
            names::walk(term, &mut |term| {
                if names::is_comprehension(term) {
                    let what = "a comprehension that `some … in` compares with";
                    self.context.findings.unsupported(term.span, what);
                }
                true
            });
        }
        let mut bound = Vec::new();
        let mut outside = HashSet::new();
        key.iter().for_each(|key| pattern_names(key, &mut bound));
        pattern_names(value, &mut bound);
        domain_names(domain, &mut outside);
        let before: Vec<&Name> = bound
            .iter()
            .filter(|name| !name.starts_with(ast::WILDCARD) && outside.contains(*name))
            .collect();
        for name in &before {
            let message = format!("var {name} assigned before");
            self.compile(Stage::Locals, span, message);
        }
        if !before.is_empty() {
            return None;
        }
        key.iter().for_each(|key| template_names(key, &mut bound));
        // What the collection mentions anywhere is not declared.
        let mut mentioned = std::collections::HashSet::new();
        names::variables(domain, &mut mentioned);
        bound.retain(|name| !mentioned.contains(name));
        bound.sort();
        bound.dedup();
        for name in &bound {
            self.declare(name, span, Occurrence::Declared);
        }
        let left = self.term(value, support);
        let domain = self.term(domain, support);
        if matches!(&domain.kind, TermKind::Constant(value) if !value::is_collection(value)) {
            // Nothing is in it, and whether OPA says so depends on where it stands.
            let what = "`some … in` something that is no collection";
            self.context.findings.unsupported(domain.span, what);
        }
        let key = match key {
            Some(key) => self.term(key, support),
            None => variable(self.scopes.fresh(), span),
        };
        let right = TermKind::Ref(Box::new(self.member(domain, key, support)));
        Some(ExprKind::Unify {
            left,
            right: Term { kind: right, span },
            assignment: false,
        })
    }

    /// `domain[key]`
    fn member(&mut self, domain: Term, key: Term, support: &mut Vec<Expr>) -> Ref {
        match domain.kind {
            TermKind::Ref(mut reference) => {
                reference.path.push(key);
                *reference
            }
            TermKind::Var(var) => Ref {
                root: Root::Var(var),
                path: vec![key],
            },
            _ => {
                let var = self.scopes.fresh();
                support.push(super::unify(variable(var, domain.span), domain));
                Ref {
                    root: Root::Var(var),
                    path: vec![key],
                }
            }
        }
    }

    fn every(
        &mut self,
        key: Option<&ast::Term>,
        value: &ast::Term,
        domain: &ast::Term,
        body: &ast::Body,
        span: Span,
        support: &mut Vec<Expr>,
    ) -> ExprKind {
        let mut names = HashSet::new();
        key.iter().for_each(|key| names::variables(key, &mut names));
        names::variables(value, &mut names);
        self.hidden.push(names);
        let domain = self.term(domain, support);
        let var = self.scopes.fresh();
        support.push(super::unify(variable(var, domain.span), domain));
        let domain = variable(var, span);

        self.scopes.push();
        let key = key.map(|key| self.every_variable(key, span));
        let value = self.every_variable(value, span);
        let conditions = self.body(body);
        let unused = self.scopes.merge();
        self.unused(unused, span);
        self.hidden.pop();
        ExprKind::Every(Box::new(Every {
            key,
            value,
            domain,
            body: conditions,
        }))
    }

    fn every_variable(&mut self, term: &ast::Term, span: Span) -> crate::rego::core::Var {
        if let Written::Var(name) = &term.kind {
            self.declare(name, span, Occurrence::Declared)
        } else {
            let what = "patterns as variables of `every`";
            self.context.findings.unsupported(term.span, what);
            self.scopes.fresh()
        }
    }

    fn operands(&mut self, sides: &ast::Logical, what: &str, span: Span) -> (Operand, Operand) {
        let left = self.operand(&sides.left, sides.left_braces, what, span);
        let right = self.operand(&sides.right, sides.right_braces, what, span);
        (left, right)
    }

    /// An operand of `not`, `and`, `or`. Only one in braces has variables of its own.
    fn operand(&mut self, body: &ast::Body, braces: bool, what: &str, span: Span) -> Operand {
        if braces {
            self.scopes.push();
            let conditions = self.body(body);
            let unused = self.scopes.merge();
            self.unused(unused, span);
            return Operand {
                body: conditions,
                braces,
            };
        }
        let mut conditions = Vec::new();
        for expr in body.iter() {
            if let ast::ExprKind::Call(call) = &expr.kind
                && assignment(call).is_some()
            {
                self.compile(Stage::Locals, expr.span, what);
                continue;
            }
            if reads_metadata(expr) {
                // OPA puts what is known of the rule into a variable that it does not bind here.
                let (stage, code) = (Stage::BodySafety, ErrorCode::UnsafeVariable);
                let message = "expression is unsafe";
                self.context.findings.add(stage, code, expr.span, message);
            }
            self.expr(expr, &mut conditions);
        }
        if conditions.is_empty() {
            let kind = TermKind::Constant(regorus::Value::Bool(true));
            conditions.push(condition(ExprKind::Term(Term { kind, span }), span));
        }
        Operand {
            body: conditions,
            braces,
        }
    }
}

/// Whether a condition calls `rego.metadata.rule` or `rego.metadata.chain`, outside of bodies.
fn reads_metadata(expr: &ast::Expr) -> bool {
    let is_metadata = |call: &ast::Call| {
        matches!(
            call.name().as_deref(),
            Some("rego.metadata.rule" | "rego.metadata.chain")
        )
    };
    let mut found = false;
    let mut visit = |term: &ast::Term| {
        if let Written::Call(call) = &term.kind {
            found |= is_metadata(call);
        }
        !names::is_comprehension(term)
    };
    match &expr.kind {
        ast::ExprKind::Term(term) => names::walk(term, &mut visit),
        ast::ExprKind::Call(call) => {
            call.arguments
                .iter()
                .for_each(|term| names::walk(term, &mut visit));
            found |= is_metadata(call);
        }
        _ => {}
    }
    found
}

/// The names that a pattern of `some … in` binds.
fn pattern_names(term: &ast::Term, names: &mut Vec<Name>) {
    match &term.kind {
        Written::Var(name) => names.push(name.clone()),
        Written::Array(terms) | Written::Set(terms) => {
            terms.iter().for_each(|term| pattern_names(term, names));
        }
        Written::Object(pairs) => {
            pairs
                .iter()
                .for_each(|(_, value)| pattern_names(value, names));
        }
        Written::Ref(terms) => terms[1..]
            .iter()
            .for_each(|term| pattern_names(term, names)),
        _ => {}
    }
}

/// The names in template strings of a key, which OPA takes for bound too.
fn template_names(key: &ast::Term, found: &mut Vec<Name>) {
    names::walk(key, &mut |term| {
        if let Written::Template(_) = &term.kind {
            let mut inside = std::collections::HashSet::new();
            names::variables(term, &mut inside);
            // Functions are called by names too.
            inside.retain(|name| signatures::find(name).is_none());
            found.extend(inside);
        }
        !names::is_comprehension(term)
    });
}

/// The names that the collection of `some … in` needs.
fn domain_names(term: &ast::Term, found: &mut HashSet<Name>) {
    names::walk(term, &mut |term| match &term.kind {
        Written::Var(name) => {
            found.insert(name.clone());
            false
        }
        Written::Template(_) => false,
        _ => !names::is_comprehension(term),
    });
}
