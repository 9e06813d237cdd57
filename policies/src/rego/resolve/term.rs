//! Terms: constants are built, names resolved, nested calls become conditions before the one that
//! they are written in.

use std::collections::{BTreeSet, HashMap};

use regorus::{Value, value::Object};

use super::scope::Occurrence;
use super::{Resolver, unify, variable};
use crate::rego::ast;
use crate::rego::core::{Callee, Comprehension, Expr, Head, Ref, Root, Term, TermKind, Var};
use crate::rego::findings::Stage;
use crate::rego::source::Span;
use crate::rego::value::number;

/// The value of a scalar.
pub(super) fn scalar(kind: &ast::TermKind) -> Option<Value> {
    match kind {
        ast::TermKind::Null => Some(Value::Null),
        ast::TermKind::Bool(value) => Some(Value::Bool(*value)),
        ast::TermKind::Number(text) => number::parse(text),
        ast::TermKind::String(text) => Some(Value::String(text.clone())),
        _ => None,
    }
}

impl Resolver<'_, '_> {
    /// A term. Conditions that it needs are added to `support`.
    pub(super) fn term(&mut self, term: &ast::Term, support: &mut Vec<Expr>) -> Term {
        let span = term.span;
        let kind = match &term.kind {
            ast::TermKind::Null
            | ast::TermKind::Bool(_)
            | ast::TermKind::String(_)
            | ast::TermKind::Number(_) => {
                TermKind::Constant(scalar(&term.kind).unwrap_or_else(|| {
                    self.context
                        .findings
                        .unsupported(span, "a number of this size");
                    Value::Null
                }))
            }
            ast::TermKind::Var(name) => return self.name(name, span),
            ast::TermKind::Ref(terms) => self.reference(terms, support),
            ast::TermKind::Array(terms) => {
                let elements = self.terms(terms, support);
                collect(elements, TermKind::Array, Value::from)
            }
            ast::TermKind::Set(terms) => {
                let members = self.terms(terms, support);
                collect(members, TermKind::Set, |values| {
                    Value::from(values.into_iter().collect::<BTreeSet<Value>>())
                })
            }
            ast::TermKind::Object(pairs) => {
                // Of a key that is written twice, the last value counts, and only it is evaluated.
                let last: HashMap<&ast::Term, usize> = pairs
                    .iter()
                    .enumerate()
                    .map(|(at, (key, _))| (key, at))
                    .collect();
                let pairs: Vec<(Term, Term)> = pairs
                    .iter()
                    .enumerate()
                    .filter(|(at, (key, _))| last.get(key) == Some(at))
                    .map(|(_, (key, value))| (self.term(key, support), self.term(value, support)))
                    .collect();
                object(pairs)
            }
            ast::TermKind::ArrayComprehension { value, body } => {
                self.comprehension(body, span, |resolver, support| {
                    Head::Array(resolver.term(value, support))
                })
            }
            ast::TermKind::SetComprehension { value, body } => {
                self.comprehension(body, span, |resolver, support| {
                    Head::Set(resolver.term(value, support))
                })
            }
            ast::TermKind::ObjectComprehension { key, value, body } => {
                self.comprehension(body, span, |resolver, support| {
                    let key = resolver.term(key, support);
                    Head::Object(key, resolver.term(value, support))
                })
            }
            ast::TermKind::Call(call) => {
                let output = self.scopes.fresh();
                self.nested_call(call, span, output, support);
                TermKind::Var(output)
            }
            ast::TermKind::Template(template) => {
                let output = self.scopes.fresh();
                self.template(template, span, output, support);
                TermKind::Var(output)
            }
        };
        Term { kind, span }
    }

    pub(super) fn terms(&mut self, terms: &[ast::Term], support: &mut Vec<Expr>) -> Vec<Term> {
        terms.iter().map(|term| self.term(term, support)).collect()
    }

    /// What a name alone stands for.
    fn name(&mut self, name: &ast::Name, span: Span) -> Term {
        let kind = match self.global(name) {
            Some(global) => TermKind::Ref(Box::new(Ref {
                root: global.root,
                path: constants(&global.path, span),
            })),
            None => TermKind::Var(self.scopes.find(name)),
        };
        Term { kind, span }
    }

    fn reference(&mut self, terms: &[ast::Term], support: &mut Vec<Expr>) -> TermKind {
        let (head, rest) = terms.split_first().expect("a reference has a head");
        if let (ast::TermKind::Var(name), false) = (&head.kind, rest.is_empty())
            && root(name).is_some()
            && self.global(name).is_none()
        {
            // `input` cannot be declared further down.
            self.scopes.find(name);
        }
        let (root, mut path) = self.root(head, support);
        if rest.is_empty()
            && let Root::Var(var) = root
        {
            return TermKind::Var(var);
        }
        for part in rest {
            let part = self.term(part, support);
            path.push(part);
        }
        TermKind::Ref(Box::new(Ref { root, path }))
    }

    /// Where a reference begins, and the path that an import or a rule's name stands for.
    fn root(&mut self, head: &ast::Term, support: &mut Vec<Expr>) -> (Root, Vec<Term>) {
        if let ast::TermKind::Var(name) = &head.kind {
            if let Some(global) = self.global(name) {
                return (global.root, constants(&global.path, head.span));
            }
            if let Some(root) = root(name)
                && self.scopes.declared(name).is_none()
            {
                return (root, Vec::new());
            }
            return (Root::Var(self.scopes.find(name)), Vec::new());
        }
        let term = self.term(head, support);
        let var = match term.kind {
            TermKind::Var(var) => var,
            // A reference in parentheses.
            TermKind::Ref(inner) => return (inner.root, inner.path),
            _ => {
                let var = self.scopes.fresh();
                support.push(unify(variable(var, head.span), term));
                var
            }
        };
        (Root::Var(var), Vec::new())
    }

    fn comprehension(
        &mut self,
        body: &ast::Body,
        span: Span,
        head: impl FnOnce(&mut Self, &mut Vec<Expr>) -> Head,
    ) -> TermKind {
        self.hidden.push(super::declared(body));
        self.scopes.push();
        let mut body = self.body(body);
        let mut support = Vec::new();
        let mut head = head(self, &mut support);
        body.append(&mut support);
        // What needs an evaluation is a condition of the body, and so takes part in its order.
        match &mut head {
            Head::Array(term) | Head::Set(term) => self.settle(term, &mut body),
            Head::Object(key, value) => {
                self.settle(key, &mut body);
                self.settle(value, &mut body);
            }
        }
        let unused = self.scopes.pop();
        self.unused(unused, span);
        self.hidden.pop();
        TermKind::Comprehension(Box::new(Comprehension {
            head,
            body,
            template: false,
        }))
    }

    /// Moves a term that needs an evaluation into a condition of the body.
    pub(super) fn settle(&mut self, term: &mut Term, body: &mut Vec<Expr>) {
        if needs_evaluation(term) {
            let var = variable(self.scopes.fresh(), term.span);
            let term = std::mem::replace(term, var.clone());
            body.push(unify(var, term));
        }
    }

    /// `$"…{x}…"`: a call with an array of constants, and of sets of at most one member, which are
    /// empty where an expression is undefined.
    fn template(
        &mut self,
        template: &ast::Template,
        span: Span,
        output: Var,
        support: &mut Vec<Expr>,
    ) {
        let mut parts = Vec::new();
        for part in &template.parts {
            let part = match part {
                ast::TemplatePart::Constant(term) => self.term(term, support),
                ast::TemplatePart::Expr(expr) => self.template_part(expr),
            };
            parts.push(part);
        }
        if parts.is_empty() {
            parts.push(Term {
                kind: TermKind::Constant(Value::from("")),
                span,
            });
        }
        let parts = Term {
            kind: collect(parts, TermKind::Array, Value::from),
            span,
        };
        let callee = Callee::Builtin("internal.template_string");
        support.push(super::calls::generated(callee, vec![parts], output, span));
    }

    /// The set of the values of what is printed.
    pub(super) fn printed(&mut self, argument: &ast::Term) -> Term {
        let condition = ast::ExprKind::Term(argument.clone());
        self.template_part(&ast::Expr::new(condition, argument.span))
    }

    fn template_part(&mut self, expr: &ast::Expr) -> Term {
        let span = expr.span;
        if let ast::ExprKind::Call(call) = &expr.kind
            && let Some(name) = super::calls::relation(call)
        {
            let message = format!(
                "illegal call to relation built-in '{name}' that may cause multiple outputs"
            );
            self.compile(Stage::Templates, span, message);
        }
        self.scopes.push();
        let mut body = Vec::new();
        let var = self.scopes.fresh();
        let term = match &expr.kind {
            ast::ExprKind::Term(term) => self.term(term, &mut body),
            ast::ExprKind::Call(call) => {
                let output = self.scopes.fresh();
                self.nested_call(call, span, output, &mut body);
                variable(output, span)
            }
            _ => {
                self.compile(
                    Stage::Templates,
                    span,
                    "unexpected template-string expression type",
                );
                variable(var, span)
            }
        };
        let kind = if let (TermKind::Var(_), true) = (&term.kind, body.is_empty()) {
            self.scopes.merge();
            TermKind::Set(vec![term])
        } else {
            body.push(unify(variable(var, span), term));
            let with = self.modifiers(&expr.modifiers, &mut Vec::new());
            for condition in &mut body {
                condition.with.clone_from(&with);
            }
            self.scopes.merge();
            TermKind::Comprehension(Box::new(Comprehension {
                head: Head::Set(variable(var, span)),
                body,
                template: true,
            }))
        };
        Term { kind, span }
    }

    /// Declares the variables of a pattern on the left of `:=`.
    pub(super) fn assigned(&mut self, term: &ast::Term, support: &mut Vec<Expr>) -> Term {
        let span = term.span;
        let kind = match &term.kind {
            ast::TermKind::Var(name) => {
                TermKind::Var(self.declare(name, span, Occurrence::Assigned))
            }
            ast::TermKind::Ref(terms) if is_root(terms) => {
                let ast::TermKind::Var(name) = &terms[0].kind else {
                    return self.term(term, support);
                };
                TermKind::Var(self.declare(name, span, Occurrence::Assigned))
            }
            ast::TermKind::Array(terms) => {
                let elements = terms
                    .iter()
                    .map(|term| self.assigned(term, support))
                    .collect();
                collect(elements, TermKind::Array, Value::from)
            }
            ast::TermKind::Object(pairs) => {
                let pair = |(key, value): &(ast::Term, ast::Term)| {
                    (self.term(key, support), self.assigned(value, support))
                };
                object(pairs.iter().map(pair).collect())
            }
            other => {
                let message = format!("cannot assign to {}", kind_name(other));
                self.compile(Stage::Locals, span, message);
                return self.term(term, support);
            }
        };
        Term { kind, span }
    }

    pub(super) fn declare(&mut self, name: &ast::Name, span: Span, occurrence: Occurrence) -> Var {
        match self.scopes.declare(name, occurrence) {
            Ok(var) => var,
            Err(message) => {
                self.compile(Stage::Locals, span, message);
                self.scopes.find(name)
            }
        }
    }
}

/// `input` or `data` alone.
pub(super) fn is_root(terms: &[ast::Term]) -> bool {
    matches!(terms, [head] if matches!(&head.kind, ast::TermKind::Var(name) if root(name).is_some()))
}

pub(super) fn root(name: &str) -> Option<Root> {
    match name {
        "input" => Some(Root::Input),
        "data" => Some(Root::Data),
        _ => None,
    }
}

pub(super) fn constants(path: &[Value], span: Span) -> Vec<Term> {
    let constant = |value: &Value| Term {
        kind: TermKind::Constant(value.clone()),
        span,
    };
    path.iter().map(constant).collect()
}

/// It is not enough to know its variables.
fn needs_evaluation(term: &Term) -> bool {
    match &term.kind {
        TermKind::Constant(_) | TermKind::Var(_) => false,
        TermKind::Ref(_) | TermKind::Comprehension(_) => true,
        TermKind::Array(terms) | TermKind::Set(terms) => terms.iter().any(needs_evaluation),
        TermKind::Object(pairs) => pairs
            .iter()
            .any(|(key, value)| needs_evaluation(key) || needs_evaluation(value)),
    }
}

fn constant(term: &Term) -> Option<&Value> {
    match &term.kind {
        TermKind::Constant(value) => Some(value),
        _ => None,
    }
}

/// A collection of these terms, a constant if all are.
pub(super) fn collect(
    terms: Vec<Term>,
    kind: impl FnOnce(Vec<Term>) -> TermKind,
    value: impl FnOnce(Vec<Value>) -> Value,
) -> TermKind {
    match terms.iter().map(|term| constant(term).cloned()).collect() {
        Some(values) => TermKind::Constant(value(values)),
        None => kind(terms),
    }
}

pub(super) fn object(pairs: Vec<(Term, Term)>) -> TermKind {
    let entry =
        |(key, value): &(Term, Term)| Some((constant(key)?.clone(), constant(value)?.clone()));
    match pairs.iter().map(entry).collect::<Option<Vec<_>>>() {
        Some(entries) => TermKind::Constant(entries.into_iter().collect::<Object>().into_value()),
        None => TermKind::Object(pairs),
    }
}

fn kind_name(kind: &ast::TermKind) -> &'static str {
    match kind {
        ast::TermKind::Null => "null",
        ast::TermKind::Bool(_) => "boolean",
        ast::TermKind::Number(_) => "number",
        ast::TermKind::String(_) => "string",
        ast::TermKind::Template(_) => "templatestring",
        ast::TermKind::Var(_) => "var",
        ast::TermKind::Ref(_) => "ref",
        ast::TermKind::Array(_) => "array",
        ast::TermKind::Object(_) => "object",
        ast::TermKind::Set(_) => "set",
        ast::TermKind::ArrayComprehension { .. } => "arraycomprehension",
        ast::TermKind::SetComprehension { .. } => "setcomprehension",
        ast::TermKind::ObjectComprehension { .. } => "objectcomprehension",
        ast::TermKind::Call(_) => "call",
    }
}
