//! Variables in template strings, and in what is printed.
//!
//! An expression of a template string binds nothing, so OPA wants to know its variables from
//! elsewhere: from the arguments, and from what the conditions of the body give, read once from the
//! first to the last. That is stricter than what safety needs, where conditions are put in order: `y`
//! in `x = y + 1; y = 1` gives no `x` here. What is printed knows only what the conditions before it
//! give.

use std::collections::HashSet;

use crate::rego::core::{
    Body, Callee, Comprehension, Definition, Expr, ExprKind, Program, Replacement, Root, Target,
    Term, TermKind, Var, Variable,
};
use crate::rego::findings::{Findings, Stage};
use crate::rego::order::outputs::outputs;
use crate::rego::order::vars::{self, VarSet};
use crate::rego::source::Span;

/// Checks the template strings of all definitions and queries.
pub fn check(program: &Program, findings: &mut Findings) {
    for definition in &program.definitions {
        self::definition(definition, findings);
    }
    for query in &program.queries {
        Checker::new(&query.variables, findings).body(&query.body, VarSet::default());
    }
}

fn definition(definition: &Definition, findings: &mut Findings) {
    let mut safe = VarSet::default();
    for argument in &definition.arguments {
        vars::term(argument, &mut |var| safe.insert(var));
    }
    Checker::new(&definition.variables, findings).body(&definition.body, safe);
    for branch in &definition.otherwise {
        self::definition(branch, findings);
    }
}

struct Checker<'a> {
    variables: &'a [Variable],
    findings: &'a mut Findings,
    /// What stands for something that enumerates, `xs[_]` or `f(xs[_])`, and is looked at as a whole
    /// where it is the head of a reference, or after `with`.
    enumerated: VarSet,
}

impl<'a> Checker<'a> {
    fn new(variables: &'a [Variable], findings: &'a mut Findings) -> Self {
        Self {
            variables,
            findings,
            enumerated: VarSet::default(),
        }
    }

    fn body(&mut self, body: &Body, mut safe: VarSet) {
        for expr in body {
            if is_print(expr) {
                self.printed(expr, &safe);
            }
            self.give(expr, &mut safe);
        }
        self.conditions(body, &safe);
    }

    /// The arguments of a `print`.
    fn printed(&mut self, expr: &Expr, safe: &VarSet) {
        let mut told = HashSet::new();
        for term in vars::terms_of(expr) {
            vars::term(term, &mut |var| {
                let variable = &self.variables[var.index()];
                if !variable.is_generated() && !safe.contains(var) && told.insert(var) {
                    let message = format!("var {} is undeclared", variable.shown());
                    self.findings.compile(Stage::Templates, expr.span, message);
                }
            });
        }
        self.closures(expr, safe);
    }

    /// What a condition makes safe.
    fn give(&mut self, expr: &Expr, safe: &mut VarSet) {
        if replaces_builtin(expr) {
            return;
        }
        if let ExprKind::Unify { left, right, .. } = &expr.kind
            && let TermKind::Var(var) = left.kind
            && self.variables[var.index()].is_generated()
            && is_collection(&right.kind)
        {
            // The head of a reference, as in `[input.xs[i]][j]`, is looked at as a whole.
            if all_safe(std::slice::from_ref(right), safe) {
                safe.insert(var);
            }
            return;
        }
        if let Some((result, terms)) = self.result(expr)
            && !all_safe(terms, safe)
        {
            self.enumerated.insert(result);
        }
        let gives = if self.looks_into_enumerated(expr) {
            Vec::new()
        } else {
            outputs(expr, safe)
        };
        for var in gives {
            safe.insert(var);
        }
    }

    /// The variable that the compiler made for a call or a reference, with what that needs.
    fn result<'e>(&self, expr: &'e Expr) -> Option<(Var, &'e [Term])> {
        let (result, terms) = match &expr.kind {
            ExprKind::Call(call) => (call.output.as_ref()?, &call.arguments[..]),
            ExprKind::Unify { left, right, .. } if matches!(right.kind, TermKind::Ref(_)) => {
                (left, std::slice::from_ref(right))
            }
            _ => return None,
        };
        match result.kind {
            TermKind::Var(var) if self.variables[var.index()].is_generated() => Some((var, terms)),
            _ => None,
        }
    }

    fn looks_into_enumerated(&self, expr: &Expr) -> bool {
        let is_enumerated = |var| self.enumerated.contains(var);
        let mut modifiers = expr.with.iter().flat_map(|with| with.iter());
        modifiers.any(|with| {
            with.term()
                .is_some_and(|term| matches!(term.kind, TermKind::Var(var) if is_enumerated(var)))
        }) || vars::terms_of(expr).into_iter().any(|term| {
            matches!(&term.kind, TermKind::Ref(reference)
                if matches!(reference.root, Root::Var(var) if is_enumerated(var)))
        })
    }

    fn conditions(&mut self, body: &Body, safe: &VarSet) {
        for expr in body {
            self.condition(expr, safe);
        }
    }

    fn condition(&mut self, expr: &Expr, safe: &VarSet) {
        if !is_print(expr) {
            self.closures(expr, safe);
        }
        match &expr.kind {
            ExprKind::Every(every) => {
                let mut safe = safe.clone();
                every.key.iter().for_each(|&key| safe.insert(key));
                safe.insert(every.value);
                self.body(&every.body, safe);
            }
            // What an operand gives does not count, even within it.
            ExprKind::Not(operand) => self.conditions(&operand.body, safe),
            ExprKind::And(left, right) | ExprKind::Or(left, right) => {
                self.conditions(&left.body, safe);
                self.conditions(&right.body, safe);
            }
            ExprKind::Term(_) | ExprKind::Unify { .. } | ExprKind::Call(_) => {}
        }
    }

    /// The comprehensions of a condition.
    fn closures(&mut self, expr: &Expr, safe: &VarSet) {
        for term in vars::terms_of(expr) {
            let mut found = Vec::new();
            vars::comprehensions(term, &mut |comprehension| found.push(comprehension));
            for comprehension in found {
                if comprehension.template {
                    self.template(comprehension, expr.span, safe);
                } else {
                    self.body(&comprehension.body, safe.clone());
                }
            }
        }
    }

    /// An expression of a template string.
    fn template(&mut self, expression: &Comprehension, condition: Span, safe: &VarSet) {
        let place = expression.body.first().map_or(condition, |expr| expr.span);
        let mut told = HashSet::new();
        for expr in &expression.body {
            // What template strings within it mention is theirs.
            let is_template = matches!(&expr.kind, ExprKind::Call(call)
                if call.callee == Callee::Builtin("internal.template_string"));
            if !is_template {
                vars::outside_closures(expr, &mut |var| {
                    let variable = &self.variables[var.index()];
                    if !variable.is_generated() && !safe.contains(var) && told.insert(var) {
                        let message = format!("var {} is undeclared", variable.shown());
                        self.findings.compile(Stage::Templates, place, message);
                    }
                });
            }
        }
        self.conditions(&expression.body, safe);
    }
}

/// What the compiler made of a `print`.
fn is_print(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Call(call) if call.callee == Callee::Builtin("internal.print"))
}

/// Whether all variables of terms are safe.
fn all_safe(terms: &[Term], safe: &VarSet) -> bool {
    let mut all = true;
    for term in terms {
        vars::term(term, &mut |var| all &= safe.contains(var));
    }
    all
}

/// OPA takes the name of a builtin function after `with` for a variable, which is never safe.
fn replaces_builtin(expr: &Expr) -> bool {
    let modifiers = expr.with.iter().flat_map(|with| with.iter());
    modifiers.into_iter().any(|with| {
        matches!(with.target, Target::Callee(Callee::Builtin(_)))
            || matches!(with.value, Replacement::Callee(Callee::Builtin(_)))
    })
}

fn is_collection(kind: &TermKind) -> bool {
    matches!(
        kind,
        TermKind::Array(_) | TermKind::Set(_) | TermKind::Object(_) | TermKind::Comprehension(_)
    )
}
