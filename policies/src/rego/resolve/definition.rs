//! Definitions: arguments, body, head.

use std::collections::HashSet;

use regorus::Value;

use super::scope::Occurrence;
use super::term::{collect, constants, is_root, object, scalar};
use super::{Context, Resolver, declared, unify, variable};
use crate::rego::ast::{self, Name, TermKind as Written};
use crate::rego::check::signatures;
use crate::rego::core::{Definition, Expr, Ref, Root, Term, TermKind};
use crate::rego::findings::Stage;

/// A rule with its `else` branches.
pub(super) fn definition(context: &mut Context<'_>, rule: &ast::Rule) -> Definition {
    let mut unused: Vec<Name> = Vec::new();
    if context.mode.strict {
        let mut names = HashSet::new();
        rule.head
            .arguments
            .iter()
            .for_each(|argument| pattern(argument, &mut names));
        unused.extend(
            names
                .into_iter()
                .filter(|name| !name.starts_with(ast::WILDCARD)),
        );
        unused.sort();
    }
    let mut first = branch(context, rule, &mut unused);
    first.otherwise = rule
        .otherwise
        .iter()
        .map(|rule| {
            context.branch += 1;
            branch(context, rule, &mut unused)
        })
        .collect();
    for name in unused {
        let message = format!("unused argument {name}. (hint: use _ (wildcard variable) instead)");
        context
            .findings
            .compile(Stage::UnusedImports, rule.head.span, message);
    }
    first
}

fn branch(context: &mut Context<'_>, rule: &ast::Rule, unused: &mut Vec<Name>) -> Definition {
    let head = &rule.head;
    let package = context.names.package.clone();
    let module = context.module;
    let strict = context.mode.strict;
    let mut resolver = Resolver::new(context);
    let mut names = HashSet::new();
    for argument in &head.arguments {
        pattern(argument, &mut names);
        resolver.not_root(argument);
    }
    let locals = declared(&rule.body);
    resolver.shadowed = shadowed(&rule.body);
    resolver
        .shadowed
        .retain(|name| !locals.contains(name) && !names.contains(name));
    resolver.hidden.push(names);
    resolver.hidden.push(locals.clone());
    resolver.scopes.push();

    // What heads need is put at the end of the body.
    let mut after: Vec<Expr> = Vec::new();
    let arguments: Vec<Term> = head
        .arguments
        .iter()
        .map(|argument| {
            if in_template(argument, &locals) {
                let what = "a variable of the body in a template string of an argument";
                resolver.context.findings.unsupported(argument.span, what);
                return variable(resolver.scopes.fresh(), argument.span);
            }
            let mut term = resolver.argument(argument, &mut after);
            resolver.settle(&mut term, &mut after);
            term
        })
        .collect();
    let mut body = resolver.body(&rule.body);

    let mut reference = constants(&package, head.span);
    let name = super::rule_name(rule).cloned().map(Value::String);
    reference.extend(constants(name.as_slice(), head.span));
    for part in head.reference.iter().skip(1) {
        let part = resolver.reference_part(part, &mut after);
        reference.push(part);
    }
    for term in head.key.iter().chain(&head.value) {
        resolver.refuse_hidden(term, false);
    }
    let mut value_of = |resolver: &mut Resolver<'_, '_>, term: &Option<ast::Term>| {
        let mut term = resolver.term(term.as_ref()?, &mut after);
        resolver.settle(&mut term, &mut after);
        Some(term)
    };
    // A partial object's key is in the reference already.
    let key = if head.is_set() {
        value_of(&mut resolver, &head.key)
    } else {
        None
    };
    let value = value_of(&mut resolver, &head.value);
    if !after.is_empty() && is_lone_true(&rule.body) {
        let what = "a lone `true` that is negated or has `with`: OPA leaves it out";
        resolver.context.findings.unsupported(head.span, what);
    }
    body.append(&mut after);

    let left = resolver.scopes.unused();
    resolver.unused(left, rule.span);
    if strict {
        unused.retain(|name| resolver.scopes.count(name) <= 1);
    }
    let shadowed = std::mem::take(&mut resolver.shadowed);
    let is_builtin = |name: &Name| signatures::find(name).is_some() && !shadowed.contains(name);
    let is_constant = |term: &&Term| matches!(term.kind, TermKind::Constant(_));
    Definition {
        default: rule.default,
        ground: reference.iter().take_while(is_constant).count(),
        package: package.len(),
        reference,
        arguments,
        body,
        key,
        value,
        otherwise: Vec::new(),
        variables: resolver.scopes.into_variables(is_builtin),
        module,
        span: head.span,
    }
}

/// The body is nothing but `true`, apart from what is printed, and yet not always true. OPA takes it
/// for no body at all where the head needs conditions of its own: `allow := input.x if not true`
/// holds there.
fn is_lone_true(body: &ast::Body) -> bool {
    fn is_true(expr: &ast::Expr) -> bool {
        matches!(&expr.kind, ast::ExprKind::Term(term) if term.kind == Written::Bool(true))
    }
    let is_print =
        |expr: &&ast::Expr| matches!(&expr.kind, ast::ExprKind::Call(call) if call.is("print"));
    let mut conditions = body.iter().filter(|expr| !is_print(expr));
    let (Some(expr), None) = (conditions.next(), conditions.next()) else {
        return false;
    };
    let negated = match &expr.kind {
        ast::ExprKind::Not { body, .. } => matches!(&body[..], [inner] if is_true(inner)),
        _ => is_true(expr) && expr.negated,
    };
    negated || is_true(expr) && !expr.modifiers.is_empty()
}

impl Resolver<'_, '_> {
    fn not_root(&mut self, argument: &ast::Term) {
        super::names::walk(argument, &mut |term| {
            if let Written::Ref(terms) = &term.kind
                && is_root(terms)
                && let Written::Var(name) = &terms[0].kind
            {
                let message =
                    format!("args must not shadow {name} (use a different variable name)");
                self.context
                    .findings
                    .compile(Stage::References, term.span, message);
            }
            true
        });
    }

    /// In a set or an object of a head, OPA loses the declarations of a comprehension that is looked
    /// into, `{[x | some x in input][0]}`, and finds its variables unsafe.
    fn refuse_hidden(&mut self, term: &ast::Term, within: bool) {
        match &term.kind {
            Written::Ref(terms) if within && super::names::is_comprehension(&terms[0]) => {
                let what = "a look into a comprehension within a set or an object of a head";
                self.context.findings.unsupported(term.span, what);
            }
            Written::Ref(terms) | Written::Array(terms) => {
                terms
                    .iter()
                    .for_each(|term| self.refuse_hidden(term, within));
            }
            Written::Set(terms) => terms.iter().for_each(|term| self.refuse_hidden(term, true)),
            Written::Object(pairs) => pairs.iter().for_each(|(key, value)| {
                self.refuse_hidden(key, true);
                self.refuse_hidden(value, true);
            }),
            Written::Call(call) => {
                let arguments = call.arguments.iter();
                arguments.for_each(|term| self.refuse_hidden(term, within));
            }
            Written::ArrayComprehension { value, body }
            | Written::SetComprehension { value, body } => {
                self.refuse_hidden(value, within);
                self.refuse_hidden_in(body, within);
            }
            Written::ObjectComprehension { key, value, body } => {
                self.refuse_hidden(key, within);
                self.refuse_hidden(value, within);
                self.refuse_hidden_in(body, within);
            }
            _ => {}
        }
    }

    /// As [`Self::refuse_hidden`], of the conditions of a comprehension. Those that give a variable
    /// its value keep the declarations.
    fn refuse_hidden_in(&mut self, body: &ast::Body, within: bool) {
        for expr in body.iter().filter(|_| within) {
            match &expr.kind {
                ast::ExprKind::Term(term) => self.refuse_hidden(term, within),
                ast::ExprKind::Call(call) if !call.is("eq") && !call.is("assign") => {
                    let arguments = call.arguments.iter();
                    arguments.for_each(|term| self.refuse_hidden(term, within));
                }
                _ => {}
            }
            let modifiers = expr.modifiers.iter();
            modifiers.for_each(|with| self.refuse_hidden(&with.value, within));
        }
    }

    /// An argument's pattern: its names are variables of the definition.
    fn argument(&mut self, term: &ast::Term, after: &mut Vec<Expr>) -> Term {
        let span = term.span;
        let kind = match &term.kind {
            Written::Var(name) => {
                let var = match self.scopes.declared(name) {
                    Some(_) => self.scopes.find(name),
                    None => self.declare(name, span, Occurrence::Argument),
                };
                TermKind::Var(var)
            }
            Written::Array(terms) => {
                let elements: Vec<Term> = terms
                    .iter()
                    .map(|term| self.argument(term, after))
                    .collect();
                collect(elements, TermKind::Array, Value::from)
            }
            Written::Object(pairs) => {
                let pair = |(key, value): &(ast::Term, ast::Term)| {
                    (self.term(key, after), self.argument(value, after))
                };
                object(pairs.iter().map(pair).collect())
            }
            // OPA takes the head of a reference for an argument, which then has no value.
            Written::Ref(terms) => {
                let Written::Var(name) = &terms[0].kind else {
                    return self.term(term, after);
                };
                let root = match self.scopes.declared(name) {
                    Some(_) => self.scopes.find(name),
                    None => self.declare(name, span, Occurrence::Argument),
                };
                let path = self.terms(&terms[1..], after);
                let root = Root::Var(root);
                TermKind::Ref(Box::new(Ref { root, path }))
            }
            Written::Call(_) => {
                self.compile(Stage::Locals, span, "rule arguments cannot contain calls");
                TermKind::Var(self.scopes.fresh())
            }
            _ => return self.term(term, after),
        };
        Term { kind, span }
    }

    /// A part of the reference: a constant, or a variable.
    fn reference_part(&mut self, part: &ast::Term, after: &mut Vec<Expr>) -> Term {
        let span = part.span;
        if let Some(value) = scalar(&part.kind) {
            return Term {
                kind: TermKind::Constant(value),
                span,
            };
        }
        let term = self.term(part, after);
        if let TermKind::Var(_) = term.kind {
            return term;
        }
        let var = variable(self.scopes.fresh(), span);
        after.push(unify(var.clone(), term));
        var
    }
}

/// The names of builtin functions that are variables of a body: there they are no functions.
fn shadowed(body: &ast::Body) -> HashSet<Name> {
    let mut found = HashSet::new();
    for expr in body.iter() {
        super::names::outer_variables(expr, &mut found);
    }
    found.retain(|name| signatures::find(name).is_some());
    for expr in body.iter() {
        for with in &expr.modifiers {
            let mut replaced = HashSet::new();
            super::names::variables(&with.target, &mut replaced);
            super::names::variables(&with.value, &mut replaced);
            found.retain(|name| !replaced.contains(name));
        }
    }
    found
}

/// Whether a template string within an argument mentions one of these names.
fn in_template(argument: &ast::Term, names: &HashSet<Name>) -> bool {
    let mut found = false;
    super::names::walk(argument, &mut |term| {
        if let Written::Template(_) = &term.kind {
            let mut inside = HashSet::new();
            super::names::variables(term, &mut inside);
            found |= !inside.is_disjoint(names);
        }
        true
    });
    found
}

/// The names of an argument's pattern.
fn pattern(term: &ast::Term, names: &mut HashSet<Name>) {
    match &term.kind {
        Written::Var(name) => {
            names.insert(name.clone());
        }
        Written::Array(terms) | Written::Ref(terms) => {
            terms.iter().for_each(|term| pattern(term, names));
        }
        Written::Object(pairs) => pairs.iter().for_each(|(_, value)| pattern(value, names)),
        Written::Template(_) => super::names::variables(term, names),
        _ => {}
    }
}
