//! Tests as they are written: which rules are tests, how they are called, and their cases.
//!
//! A test with keys, `test_split[note] if { … }`, has a case for each value of its keys. As OPA does,
//! a call of `internal.test_case` is put as early into the body as the keys are known, so that a case
//! that fails is known by its name.

use std::collections::{HashMap, HashSet};

use crate::rego::{
    ast::{Body, Call, Expr, ExprKind, Module, Name, Rule, Term, TermKind},
    resolve,
    source::Span,
};

/// What names of tests begin with.
const TEST: &str = "test_";

/// What names of tests that are not to be run yet begin with.
const LATER: &str = "todo_test_";

/// Where a rule's name says that it is a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// The part of the reference that is called like that.
    pub(super) part: usize,
    /// It is not to be run yet.
    pub(super) later: bool,
}

/// Whether a rule is a test.
pub(super) fn named(rule: &Rule) -> Option<Named> {
    let parts = rule.head.reference.iter().enumerate();
    let mut parts = parts.map_while(|(at, term)| match &term.kind {
        TermKind::Var(name) if at == 0 => Some((at, &**name)),
        TermKind::String(name) => Some((at, &**name)),
        kind => is_ground(kind).then_some((at, "")),
    });
    parts.find_map(|(part, name)| {
        let later = name.starts_with(LATER);
        (later || name.starts_with(TEST)).then_some(Named { part, later })
    })
}

/// Whether nothing of a key is a variable.
fn is_ground(kind: &TermKind) -> bool {
    matches!(
        kind,
        TermKind::Null | TermKind::Bool(_) | TermKind::Number(_)
    )
}

/// Whether the document of a rule is an object with keys that the rule finds.
pub(super) fn has_cases(rule: &Rule) -> bool {
    let mut keys = rule.head.reference.iter().skip(1);
    let is_object = rule.head.key.is_some() && rule.head.value.is_some();
    is_object
        || rule.head.value.is_some()
            && keys.any(|key| !is_ground(&key.kind) && !matches!(key.kind, TermKind::String(_)))
}

/// Gives tests of the same name numbers, as OPA does: `test_a`, `test_a#01`.
pub(super) fn rename_repeated(modules: &mut [Module]) {
    let mut seen: HashMap<Vec<String>, usize> = HashMap::new();
    for module in modules {
        for rule in &mut module.rules {
            let Some(Named { part, later: false }) = named(rule) else {
                continue;
            };
            let parts = rule.head.reference.iter().take(part + 1);
            let path = module.package.path.iter().map(ToString::to_string);
            let path = path.chain(parts.map(text)).collect();
            let count = seen.entry(path).or_default();
            if *count > 0 {
                let old = &rule.head.reference[part];
                let name = Name::from(format!("{}#{count:02}", text(old)));
                let kind = match old.kind {
                    TermKind::Var(_) => TermKind::Var(name),
                    _ => TermKind::String(name),
                };
                let new = Term::new(kind, old.span);
                for branch in &mut rule.otherwise {
                    branch.head.reference[part] = new.clone();
                }
                rule.head.reference[part] = new;
            }
            *count += 1;
        }
    }
}

fn text(term: &Term) -> String {
    match &term.kind {
        TermKind::Var(name) | TermKind::String(name) => name.to_string(),
        _ => String::new(),
    }
}

/// Lets tests say which case begins.
pub(super) fn mark(modules: &mut [Module]) {
    for rule in modules.iter_mut().flat_map(|module| &mut module.rules) {
        let Some(Named { part, later: false }) = named(rule) else {
            continue;
        };
        let keys = &rule.head.reference[part + 1..];
        if keys.is_empty() || rule.default || rule.body.iter().any(begins_case) {
            continue;
        }
        let at = known_at(keys, &rule.body);
        let mut body = rule.body.to_vec();
        body.insert(at, begin(keys));
        rule.body = Body::new(body);
    }
}

/// After how many conditions all variables of the keys have been mentioned.
fn known_at(keys: &[Term], body: &[Expr]) -> usize {
    let mut names = HashSet::new();
    for key in keys {
        resolve::walk(key, &mut |term| {
            if let TermKind::Var(name) = &term.kind {
                names.insert(name.clone());
            }
            true
        });
    }
    let first = |name: &Name| body.iter().position(|expr| mentions(expr, name));
    names
        .iter()
        .filter_map(first)
        .map(|at| at + 1)
        .max()
        .unwrap_or(0)
}

fn mentions(expr: &Expr, name: &Name) -> bool {
    let mut found = false;
    if !matches!(expr.kind, ExprKind::SomeDeclaration(_)) {
        resolve::walk_expr(expr, &mut |term| {
            found |= matches!(&term.kind, TermKind::Var(other) if other == name);
            !found
        });
    }
    found
}

fn begins_case(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Call(call)
        if call.name().as_deref() == Some("internal.test_case"))
}

/// `internal.test_case([key, …])`. It stands nowhere, so that it is no line that is covered.
fn begin(keys: &[Term]) -> Expr {
    let place = keys.first().map_or_else(Span::default, |key| key.span);
    let place = Span {
        end: place.start,
        ..place
    };
    let term = |kind| Term::new(kind, place);
    let call = Call {
        operator: vec![
            term(TermKind::Var("internal".into())),
            term(TermKind::String("test_case".into())),
        ],
        operator_span: place,
        arguments: vec![term(TermKind::Array(keys.to_vec()))],
    };
    Expr::new(ExprKind::Call(call), place)
}
