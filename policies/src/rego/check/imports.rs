//! Names that are given twice, and `input` and `data` as names: in Rego v1 and in strict mode.

use std::collections::HashMap;

use crate::rego::ast::{Body, Expr, ExprKind, Import, Module, Name, Term, TermKind, Version};
use crate::rego::findings::{Findings, Stage};

/// Checks one module.
pub fn check(module: &Module, strict: bool, findings: &mut Findings) {
    if module.version < Version::V1 && !strict {
        return;
    }
    let mut names: HashMap<&Name, &Import> = HashMap::new();
    for import in &module.imports {
        if let Some(before) = names.get(import.name()) {
            let message = format!("import must not shadow {}", text(before));
            findings.compile(Stage::Imports, import.span, message);
        } else {
            names.insert(import.name(), import);
        }
    }
    for rule in &module.rules {
        let name = rule.head.reference.first().map(|head| &head.kind);
        if let Some(TermKind::Var(name)) = name
            && is_root(name)
        {
            let message = format!("rules must not shadow {name} (use a different rule name)");
            findings.compile(Stage::Overrides, rule.span, message);
        }
        for rule in std::iter::once(rule).chain(&rule.otherwise) {
            assignments(&rule.body, findings);
        }
    }
}

fn text(import: &Import) -> String {
    let path = import.path.join(".");
    match &import.alias {
        Some((alias, _)) => format!("import {path} as {alias}"),
        None => format!("import {path}"),
    }
}

fn is_root(name: &str) -> bool {
    matches!(name, "input" | "data")
}

/// Reports assignments to `input` and `data`.
fn assignments(body: &Body, findings: &mut Findings) {
    for expr in body.iter() {
        match &expr.kind {
            ExprKind::Call(call) => {
                if let (true, Some(target)) = (call.is("assign"), call.arguments.first()) {
                    assigned(expr, target, findings);
                }
            }
            ExprKind::Every { body, .. } | ExprKind::Not { body, .. } => {
                assignments(body, findings);
            }
            ExprKind::And(sides) | ExprKind::Or(sides) => {
                assignments(&sides.left, findings);
                assignments(&sides.right, findings);
            }
            ExprKind::Term(_) | ExprKind::SomeDeclaration(_) | ExprKind::SomeIn { .. } => {}
        }
        each_term(expr, &mut |term| comprehensions(term, findings));
    }
}

fn assigned(expr: &Expr, target: &Term, findings: &mut Findings) {
    let name = match &target.kind {
        TermKind::Var(name) => name,
        TermKind::Ref(terms) => match &terms[..] {
            [head] => match &head.kind {
                TermKind::Var(name) => name,
                _ => return,
            },
            _ => return,
        },
        _ => return,
    };
    if is_root(name) {
        let message = format!("variables must not shadow {name} (use a different variable name)");
        findings.compile(Stage::Overrides, expr.span, message);
    }
}

fn each_term(expr: &Expr, visit: &mut dyn FnMut(&Term)) {
    match &expr.kind {
        ExprKind::Term(term) => visit(term),
        ExprKind::Call(call) => call.arguments.iter().for_each(visit),
        ExprKind::SomeIn { domain, .. } | ExprKind::Every { domain, .. } => visit(domain),
        ExprKind::SomeDeclaration(_)
        | ExprKind::Not { .. }
        | ExprKind::And(_)
        | ExprKind::Or(_) => {}
    }
}

fn comprehensions(term: &Term, findings: &mut Findings) {
    match &term.kind {
        TermKind::ArrayComprehension { body, .. }
        | TermKind::SetComprehension { body, .. }
        | TermKind::ObjectComprehension { body, .. } => assignments(body, findings),
        TermKind::Ref(terms) | TermKind::Array(terms) | TermKind::Set(terms) => {
            terms.iter().for_each(|term| comprehensions(term, findings));
        }
        TermKind::Object(pairs) => pairs.iter().for_each(|(key, value)| {
            comprehensions(key, findings);
            comprehensions(value, findings);
        }),
        TermKind::Call(call) => {
            call.arguments
                .iter()
                .for_each(|term| comprehensions(term, findings));
        }
        _ => {}
    }
}
