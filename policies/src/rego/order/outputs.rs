//! Which variables a condition binds, given those that are bound.

use std::collections::HashSet;

use crate::rego::core::{Body, Expr, ExprKind, Root, Term, TermKind, Var};

use super::unify::unify;
use super::vars::{self, VarSet};

/// The variables that a condition binds. Nothing, where what it needs for that is missing.
pub fn outputs(expr: &Expr, bound: &VarSet) -> Vec<Var> {
    let mut found = outputs_or_bound(expr, bound);
    found.retain(|&var| !bound.contains(var));
    found
}

/// The variables that a condition binds, and those at places where it would, if they were not
/// bound.
pub(super) fn outputs_or_bound(expr: &Expr, bound: &VarSet) -> Vec<Var> {
    if expr.negated || !modifiers_bound(expr, bound) {
        return Vec::new();
    }
    let is_bound = |var: Var| bound.contains(var);
    let mut found = Vec::new();
    match &expr.kind {
        ExprKind::Term(term) => references(term, &is_bound, &mut |var| found.push(var)),
        ExprKind::Every(every) => {
            references(&every.domain, &is_bound, &mut |var| found.push(var));
        }
        ExprKind::Unify {
            left,
            right,
            assignment,
        } => return equality(left, right, *assignment, bound),
        ExprKind::Call(call) => {
            let terms = call.arguments.iter().chain(&call.output);
            for term in terms {
                references(term, &is_bound, &mut |var| found.push(var));
            }
            if let Some(output) = &call.output {
                let mut missing = false;
                let given: HashSet<Var> = found.iter().copied().collect();
                for argument in &call.arguments {
                    vars::pattern(argument, &mut |var| {
                        missing |= !bound.contains(var) && !given.contains(&var);
                    });
                }
                if missing {
                    return Vec::new();
                }
                vars::pattern(output, &mut |var| found.push(var));
            }
        }
        ExprKind::Not(_) | ExprKind::And(..) | ExprKind::Or(..) => {}
    }
    found
}

fn modifiers_bound(expr: &Expr, bound: &VarSet) -> bool {
    let mut all = true;
    for with in expr.with.iter().flat_map(|with| with.iter()) {
        if let crate::rego::core::Replacement::Term(term) = &with.value {
            vars::term(term, &mut |var| all &= bound.contains(var));
        }
    }
    all
}

/// Variables that are bound, with what a condition changes of that.
pub(super) struct Known<'a> {
    bound: &'a VarSet,
    more: HashSet<Var>,
    less: HashSet<Var>,
}

impl Known<'_> {
    pub(super) fn contains(&self, var: Var) -> bool {
        !self.less.contains(&var) && (self.bound.contains(var) || self.more.contains(&var))
    }
}

fn equality(left: &Term, right: &Term, assignment: bool, bound: &VarSet) -> Vec<Var> {
    let is_bound = |var: Var| bound.contains(var);
    let mut found = Vec::new();
    references(left, &is_bound, &mut |var| found.push(var));
    references(right, &is_bound, &mut |var| found.push(var));
    let mut known = Known {
        bound,
        more: found.iter().copied().collect(),
        less: HashSet::new(),
    };
    if assignment {
        // The left side gets its value from the right one, never the reverse.
        vars::all(left, &mut |var| {
            known.less.insert(var);
        });
        found.retain(|&var| known.contains(var));
    }
    found.extend(unify(&known, left, right));
    found.retain(|&var| !bound.contains(var));
    found
}

/// The variables in the paths of references whose heads are bound: such a reference enumerates.
pub(super) fn references(term: &Term, bound: &impl Fn(Var) -> bool, visit: &mut impl FnMut(Var)) {
    match &term.kind {
        TermKind::Constant(_) | TermKind::Var(_) | TermKind::Comprehension(_) => {}
        TermKind::Ref(reference) => {
            if let Root::Var(var) = reference.root
                && !bound(var)
            {
                return;
            }
            for part in &reference.path {
                in_path(part, visit);
                references(part, bound, visit);
            }
        }
        TermKind::Array(terms) | TermKind::Set(terms) => {
            terms.iter().for_each(|term| references(term, bound, visit));
        }
        TermKind::Object(pairs) => pairs.iter().for_each(|(key, value)| {
            references(key, bound, visit);
            references(value, bound, visit);
        }),
    }
}

/// The variables of a part of a path, without the heads of references.
fn in_path(part: &Term, visit: &mut impl FnMut(Var)) {
    match &part.kind {
        TermKind::Constant(_) | TermKind::Comprehension(_) => {}
        TermKind::Var(var) => visit(*var),
        TermKind::Ref(reference) => reference.path.iter().for_each(|part| in_path(part, visit)),
        TermKind::Array(terms) | TermKind::Set(terms) => {
            terms.iter().for_each(|term| in_path(term, visit));
        }
        TermKind::Object(pairs) => pairs.iter().for_each(|(key, value)| {
            in_path(key, visit);
            in_path(value, visit);
        }),
    }
}

/// The variables that an operand without braces binds itself: by its equalities, and as results of
/// its calls.
pub(super) fn bindings(body: &Body, found: &[(Var, usize)]) -> VarSet {
    let mut known = VarSet::default();
    found.iter().for_each(|(var, _)| known.insert(*var));
    for expr in body {
        if let ExprKind::Unify { left, right, .. } = &expr.kind {
            for side in [left, right] {
                if let TermKind::Var(var) = side.kind {
                    known.remove(var);
                }
            }
        }
    }
    let mut bound = VarSet::default();
    let mut changed = true;
    while changed {
        changed = false;
        for expr in body {
            if let ExprKind::Unify {
                left,
                right,
                assignment,
            } = &expr.kind
            {
                for var in equality(left, right, *assignment, &known) {
                    changed |= !bound.contains(var);
                    bound.insert(var);
                    known.insert(var);
                }
            }
        }
    }
    for expr in body {
        if let ExprKind::Call(call) = &expr.kind
            && let Some(output) = &call.output
        {
            vars::pattern(output, &mut |var| bound.insert(var));
        }
    }
    bound
}
