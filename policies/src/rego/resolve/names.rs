//! What a module's names mean outside of its bodies: imports, and the rules of its package.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use regorus::Value;

use crate::rego::ast::{
    Body, Call, Expr, ExprKind, Import, Module, Name, Template, TemplatePart, Term, TermKind,
};
use crate::rego::core::Root;
use crate::rego::source::Span;

/// A name that stands for a path.
#[derive(Debug)]
pub(super) struct Global {
    pub(super) root: Root,
    pub(super) path: Vec<Value>,
}

/// An import that gives a name.
#[derive(Debug)]
pub(super) struct Imported {
    pub(super) global: Rc<Global>,
    pub(super) span: Span,
    pub(super) text: String,
    used: std::cell::Cell<bool>,
}

/// The names of one module.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) package: Vec<Value>,
    imports: HashMap<Name, Imported>,
    rules: Rc<HashSet<Name>>,
}

impl Names {
    pub(super) fn new(module: &Module, rules: Rc<HashSet<Name>>) -> Self {
        let imports = module
            .imports
            .iter()
            .filter_map(|import| Some((import.name().clone(), imported(import)?)))
            .collect();
        let package = module.package.path.iter().cloned();
        Self {
            package: package.map(Value::String).collect(),
            imports,
            rules,
        }
    }

    /// The names of a query: none.
    pub(super) fn empty() -> Self {
        Self {
            package: Vec::new(),
            imports: HashMap::new(),
            rules: Rc::default(),
        }
    }

    /// The path that a name stands for.
    pub(super) fn find(&self, name: &Name) -> Option<Rc<Global>> {
        if let Some(import) = self.imports.get(name) {
            import.used.set(true);
            return Some(import.global.clone());
        }
        self.rules.get(name)?;
        let mut path = self.package.clone();
        path.push(Value::String(name.clone()));
        Some(Rc::new(Global {
            root: Root::Data,
            path,
        }))
    }

    /// The imports that nobody has used yet.
    pub(super) fn unused(&self) -> impl Iterator<Item = &Imported> {
        self.imports.values().filter(|import| !import.used.get())
    }
}

fn imported(import: &Import) -> Option<Imported> {
    let (head, path) = import.path.split_first()?;
    let root = match &**head {
        "input" => Root::Input,
        "data" => Root::Data,
        _ => return None,
    };
    let mut text = format!("import {}", import.path.join("."));
    if let Some((alias, _)) = &import.alias {
        text.push_str(" as ");
        text.push_str(alias);
    }
    Some(Imported {
        global: Rc::new(Global {
            root,
            path: path.iter().cloned().map(Value::String).collect(),
        }),
        span: import.span,
        text,
        used: std::cell::Cell::new(false),
    })
}

/// The names that a body declares, in nested bodies but not in comprehensions: there they hide
/// what the module gives to the same name, before the declaration too.
pub(super) fn declared(body: &Body) -> HashSet<Name> {
    let mut names = HashSet::new();
    declared_in_body(body, &mut names);
    names
}

fn declared_in_body(body: &Body, names: &mut HashSet<Name>) {
    for expr in body.iter() {
        declared_in_expr(expr, names);
    }
}

fn declared_in_expr(expr: &Expr, names: &mut HashSet<Name>) {
    match &expr.kind {
        ExprKind::Call(call) => {
            if let Some((left, _)) = assignment(call) {
                variables(left, names);
            }
        }
        ExprKind::SomeDeclaration(terms) => terms.iter().for_each(|term| {
            if let TermKind::Var(name) = &term.kind {
                names.insert(name.clone());
            }
        }),
        ExprKind::SomeIn { key, value, .. } => {
            key.iter().for_each(|key| variables(key, names));
            variables(value, names);
        }
        ExprKind::Every { body, .. } | ExprKind::Not { body, .. } => declared_in_body(body, names),
        ExprKind::And(sides) | ExprKind::Or(sides) => {
            declared_in_body(&sides.left, names);
            declared_in_body(&sides.right, names);
        }
        ExprKind::Term(_) => {}
    }
}

/// The names that a condition with a body declares in it: in OPA, they hide those of the body around
/// it from the modifiers too.
pub(super) fn declared_within(expr: &Expr) -> HashSet<Name> {
    let mut names = HashSet::new();
    match &expr.kind {
        ExprKind::Every { key, value, .. } => {
            key.iter()
                .chain([value])
                .for_each(|term| variables(term, &mut names));
            declared_in_expr(expr, &mut names);
        }
        ExprKind::Not { .. } | ExprKind::And(_) | ExprKind::Or(_) => {
            declared_in_expr(expr, &mut names);
        }
        _ => {}
    }
    names
}

/// The sides of `left := right`.
pub(super) fn assignment(call: &Call) -> Option<(&Term, &Term)> {
    match &call.arguments[..] {
        [left, right] if call.is("assign") => Some((left, right)),
        _ => None,
    }
}

/// Every name in a term, comprehensions included.
pub(super) fn variables(term: &Term, names: &mut HashSet<Name>) {
    walk(term, &mut |term| {
        if let TermKind::Var(name) = &term.kind {
            names.insert(name.clone());
        }
        true
    });
}

/// Whether a term has a body of its own.
pub(super) fn is_comprehension(term: &Term) -> bool {
    matches!(
        term.kind,
        TermKind::ArrayComprehension { .. }
            | TermKind::SetComprehension { .. }
            | TermKind::ObjectComprehension { .. }
    )
}

/// The names in a condition that are no functions, without those in comprehensions and bodies.
pub(super) fn outer_variables(expr: &Expr, names: &mut HashSet<Name>) {
    let terms: Vec<&Term> = match &expr.kind {
        ExprKind::Term(term) => vec![term],
        ExprKind::Call(call) => call.arguments.iter().collect(),
        ExprKind::SomeIn { key, value, domain } => key.iter().chain([value, domain]).collect(),
        ExprKind::Every { domain, .. } => vec![domain],
        ExprKind::SomeDeclaration(_)
        | ExprKind::Not { .. }
        | ExprKind::And(_)
        | ExprKind::Or(_) => Vec::new(),
    };
    for term in terms {
        outer(term, names);
    }
}

fn outer(term: &Term, names: &mut HashSet<Name>) {
    match &term.kind {
        TermKind::Var(name) => {
            names.insert(name.clone());
        }
        TermKind::Ref(terms) | TermKind::Array(terms) | TermKind::Set(terms) => {
            terms.iter().for_each(|term| outer(term, names));
        }
        TermKind::Object(pairs) => pairs.iter().for_each(|(key, value)| {
            outer(key, names);
            outer(value, names);
        }),
        TermKind::Call(call) => call.arguments.iter().for_each(|term| outer(term, names)),
        _ => {}
    }
}

/// Calls `visit` for a term and, where it says so, for the terms inside.
pub(crate) fn walk(term: &Term, visit: &mut impl FnMut(&Term) -> bool) {
    if !visit(term) {
        return;
    }
    match &term.kind {
        TermKind::Null
        | TermKind::Bool(_)
        | TermKind::Number(_)
        | TermKind::String(_)
        | TermKind::Var(_) => {}
        TermKind::Template(Template { parts, .. }) => {
            for part in parts {
                match part {
                    TemplatePart::Constant(term) => walk(term, visit),
                    TemplatePart::Expr(expr) => walk_expr(expr, visit),
                }
            }
        }
        TermKind::Ref(terms) | TermKind::Array(terms) | TermKind::Set(terms) => {
            terms.iter().for_each(|term| walk(term, visit));
        }
        TermKind::Object(pairs) => pairs.iter().for_each(|(key, value)| {
            walk(key, visit);
            walk(value, visit);
        }),
        TermKind::ArrayComprehension { value, body }
        | TermKind::SetComprehension { value, body } => {
            walk(value, visit);
            body.iter().for_each(|expr| walk_expr(expr, visit));
        }
        TermKind::ObjectComprehension { key, value, body } => {
            walk(key, visit);
            walk(value, visit);
            body.iter().for_each(|expr| walk_expr(expr, visit));
        }
        TermKind::Call(call) => walk_call(call, visit),
    }
}

fn walk_call(call: &Call, visit: &mut impl FnMut(&Term) -> bool) {
    call.operator.iter().for_each(|term| walk(term, visit));
    call.arguments.iter().for_each(|term| walk(term, visit));
}

/// Calls `visit` for the terms of a condition, its modifiers' too.
pub(crate) fn walk_expr(expr: &Expr, visit: &mut impl FnMut(&Term) -> bool) {
    match &expr.kind {
        ExprKind::Term(term) => walk(term, visit),
        ExprKind::Call(call) => walk_call(call, visit),
        ExprKind::SomeDeclaration(terms) => terms.iter().for_each(|term| walk(term, visit)),
        ExprKind::SomeIn { key, value, domain } => {
            key.iter().for_each(|key| walk(key, visit));
            walk(value, visit);
            walk(domain, visit);
        }
        ExprKind::Every {
            key,
            value,
            domain,
            body,
        } => {
            key.iter().for_each(|key| walk(key, visit));
            walk(value, visit);
            walk(domain, visit);
            body.iter().for_each(|expr| walk_expr(expr, visit));
        }
        ExprKind::Not { body, .. } => body.iter().for_each(|expr| walk_expr(expr, visit)),
        ExprKind::And(sides) | ExprKind::Or(sides) => {
            sides.left.iter().for_each(|expr| walk_expr(expr, visit));
            sides.right.iter().for_each(|expr| walk_expr(expr, visit));
        }
    }
    for with in &expr.modifiers {
        walk(&with.target, visit);
        walk(&with.value, visit);
    }
}
