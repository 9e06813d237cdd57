//! Puts the conditions of a body in an order in which every variable is bound before it is used.
//!
//! ```text
//! y > 2, y = x + 1, x = input.n   ⇒   x = input.n, y = x + 1, y > 2
//! ```
//!
//! A condition is placed as soon as nothing that it needs is missing, and among those that could be
//! placed the order of the source is kept. That is OPA's order, and so the order in which Rego is
//! evaluated. Bodies within a condition are put in order once the condition has its place: what was
//! bound before it is bound in them too.
//!
//! What cannot be placed is unsafe. Of a condition with a comprehension that uses variables of the
//! body, OPA forgets what else it needs, and accepts `q` in `z := 1; q == [y | y = z]`. This order
//! does not, and says that it is not supported.

pub mod outputs;
mod unify;
pub mod vars;

use std::collections::{BTreeSet, HashMap, HashSet};

use super::core::{
    Body, Definition, Every, Expr, ExprKind, Head, Operand, Term, TermKind, Var, Variable,
};
use super::findings::{Findings, Stage};
use super::source::{ErrorCode, Span};
use outputs::{outputs, outputs_or_bound};
use vars::{VarSet, closures, every_var, visible};

/// Orders the body of a definition and of its `else` branches, and reports unsafe variables.
pub fn definition(definition: &mut Definition, findings: &mut Findings) {
    let mut bound = VarSet::default();
    for argument in &definition.arguments {
        vars::term(argument, &mut |var| bound.insert(var));
    }
    head(definition, &bound, findings);
    body(&mut definition.body, bound, &definition.variables, findings);
    for branch in &mut definition.otherwise {
        self::definition(branch, findings);
    }
}

/// Orders a body in which some variables are bound already, and reports unsafe variables.
pub fn body(body: &mut Body, bound: VarSet, variables: &[Variable], findings: &mut Findings) {
    let mut missing = Vec::new();
    *body = order(std::mem::take(body), bound, &mut missing);
    report(missing, variables, findings);
}

/// Variables of the head that neither the arguments nor the body know.
fn head(definition: &Definition, arguments: &VarSet, findings: &mut Findings) {
    let mut known = arguments.clone();
    for expr in &definition.body {
        vars::outside_closures(expr, &mut |var| known.insert(var));
    }
    let parts = definition
        .reference
        .iter()
        .chain(&definition.key)
        .chain(&definition.value);
    for term in parts {
        every_var(term, &mut |var, span| {
            let variable = &definition.variables[var.index()];
            if !known.contains(var) && !variable.is_generated() {
                unsafe_var(variable.shown(), Stage::HeadSafety, span, findings);
                known.insert(var);
            }
        });
    }
}

fn unsafe_var(name: &str, stage: Stage, span: Span, findings: &mut Findings) {
    let hint = match name {
        "contains" | "every" | "if" | "in" | "and" | "or" | "not" => {
            format!(" (hint: `import future.keywords.{name}` to import a future keyword)")
        }
        _ => String::new(),
    };
    let message = format!("var {name} is unsafe{hint}");
    findings.add(stage, ErrorCode::UnsafeVariable, span, message);
}

/// A variable that a condition needs and nothing binds.
struct Missing {
    var: Var,
    condition: Span,
    /// The condition is an assignment to it.
    assigned: bool,
    /// OPA does not notice that it is missing.
    forgotten: bool,
}

fn missing(expr: &Expr, var: Var) -> Missing {
    let assigned = match &expr.kind {
        ExprKind::Unify {
            left,
            assignment: true,
            ..
        } => {
            let mut found = false;
            vars::term(left, &mut |left| found |= left == var);
            found
        }
        _ => false,
    };
    Missing {
        var,
        condition: expr.span,
        assigned,
        forgotten: false,
    }
}

fn report(mut missing: Vec<Missing>, variables: &[Variable], findings: &mut Findings) {
    for missing in missing.extract_if(.., |missing| missing.forgotten) {
        let name = variables[missing.var.index()].shown();
        let what = format!("var {name} is unsafe, which OPA overlooks beside a comprehension");
        findings.unsupported(missing.condition, &what);
    }
    missing.sort_by_key(|missing| (missing.condition.file, missing.condition.start));
    let written = |missing: &&Missing| !variables[missing.var.index()].is_generated();
    // What is assigned is missing because of what it is assigned.
    let others = missing
        .iter()
        .filter(written)
        .any(|missing| !missing.assigned);
    let mut seen = VarSet::default();
    let mut named = false;
    for missing in missing.iter().filter(written) {
        if (others && missing.assigned) || seen.contains(missing.var) {
            continue;
        }
        seen.insert(missing.var);
        named = true;
        let name = variables[missing.var.index()].shown();
        unsafe_var(name, Stage::BodySafety, missing.condition, findings);
    }
    if named {
        return;
    }
    for missing in &missing {
        if !seen.contains(missing.var) {
            seen.insert(missing.var);
            let code = ErrorCode::UnsafeVariable;
            findings.add(
                Stage::BodySafety,
                code,
                missing.condition,
                "expression is unsafe",
            );
        }
    }
}

/// A condition that has no place yet.
struct Waiting {
    expr: Expr,
    /// What it needs or gives, and is not bound at the beginning.
    open: Vec<Var>,
    /// What bodies within it share with the conditions around it.
    shared: Vec<Var>,
}

impl Waiting {
    fn new(expr: Expr, here: &VarSet, bound: &VarSet) -> Self {
        let mut seen = bound.clone();
        let mut open = Vec::new();
        visible(&expr, &mut |var| {
            if !seen.contains(var) {
                seen.insert(var);
                open.push(var);
            }
        });
        let mut seen = bound.clone();
        let mut shared = Vec::new();
        closures(&expr, &mut |var| {
            if here.contains(var) && !seen.contains(var) {
                seen.insert(var);
                shared.push(var);
            }
        });
        Self { expr, open, shared }
    }

    /// What it binds, if it can be placed.
    fn place(&self, bound: &VarSet) -> Option<Vec<Var>> {
        if !self.shared.iter().all(|&var| bound.contains(var)) || self.waits_for_itself(bound) {
            return None;
        }
        let gives = outputs(&self.expr, bound);
        let given: HashSet<Var> = gives.iter().copied().collect();
        self.open
            .iter()
            .all(|&var| bound.contains(var) || given.contains(&var))
            .then_some(gives)
    }

    /// What is missing so that it could be placed.
    fn missing(&self, bound: &VarSet) -> impl Iterator<Item = Missing> {
        let gives: HashSet<Var> = outputs(&self.expr, bound).into_iter().collect();
        let itself = self.waits_for_itself(bound);
        let forgotten = !itself && self.is_forgotten(bound, &gives);
        let open = self.open.iter();
        let open = open.filter(move |var| itself || !gives.contains(var));
        let needs = open
            .chain(&self.shared)
            .filter(move |&&var| itself || !bound.contains(var));
        needs.map(move |&var| Missing {
            forgotten,
            ..missing(&self.expr, var)
        })
    }

    /// Whether it never finds a place, because OPA takes what bodies within it share with the
    /// conditions around it for what it binds itself: `xs[i] in {x | x := ys[i]}`.
    fn waits_for_itself(&self, bound: &VarSet) -> bool {
        let may = matches!(self.expr.kind, ExprKind::Term(_) | ExprKind::Call(_));
        if self.shared.is_empty() || !may {
            return false;
        }
        let gives: HashSet<Var> = outputs_or_bound(&self.expr, bound).into_iter().collect();
        gives.len() == self.shared.len() && self.shared.iter().all(|var| gives.contains(var))
    }

    /// Whether OPA places it although something is missing: where bodies within it share variables
    /// with the conditions around it, it looks for these and no others.
    fn is_forgotten(&self, bound: &VarSet, gives: &HashSet<Var>) -> bool {
        let shared = &self.shared;
        let is_there = |var: &Var| bound.contains(*var) || gives.contains(var);
        let itself = shared.len() == gives.len() && shared.iter().all(|var| gives.contains(var));
        !shared.is_empty() && !itself && shared.iter().all(is_there)
    }
}

/// Places the conditions that can be placed, from the first to the last, then those that can be
/// placed by then, and so on. A condition that could not be placed is looked at again when a
/// variable of it has been bound: in the same round if its turn is still to come.
fn order(body: Body, mut bound: VarSet, unsafe_vars: &mut Vec<Missing>) -> Body {
    let mut here = VarSet::default();
    for expr in &body {
        visible(expr, &mut |var| here.insert(var));
    }
    let before = bound.clone();
    let mut waiting: Vec<Option<Waiting>> = body
        .into_iter()
        .map(|expr| Some(Waiting::new(expr, &here, &before)))
        .collect();
    let mut watchers: HashMap<Var, Vec<usize>> = HashMap::new();
    for (index, condition) in waiting.iter().enumerate() {
        for &var in condition
            .iter()
            .flat_map(|one| one.open.iter().chain(&one.shared))
        {
            watchers.entry(var).or_default().push(index);
        }
    }

    let mut ordered = Vec::with_capacity(waiting.len());
    let mut turns: BTreeSet<(usize, usize)> = (0..waiting.len()).map(|index| (0, index)).collect();
    while let Some((round, index)) = turns.pop_first() {
        let gives = waiting[index]
            .as_ref()
            .and_then(|condition| condition.place(&bound));
        let Some(gives) = gives else { continue };
        ordered.extend(waiting[index].take().map(|condition| condition.expr));
        for var in gives {
            bound.insert(var);
            for &other in watchers.get(&var).into_iter().flatten() {
                let round = if other > index { round } else { round + 1 };
                turns.insert((round, other));
            }
        }
    }
    for condition in waiting.iter().flatten() {
        unsafe_vars.extend(condition.missing(&bound));
    }
    inner(&mut ordered, before, unsafe_vars);
    ordered
}

/// Orders the bodies within conditions that have their place.
fn inner(ordered: &mut Body, mut bound: VarSet, unsafe_vars: &mut Vec<Missing>) {
    for expr in ordered {
        let condition = expr.span;
        closures_in(expr, &mut bound, condition, unsafe_vars);
        visible(expr, &mut |var| bound.insert(var));
    }
}

fn closures_in(
    expr: &mut Expr,
    bound: &mut VarSet,
    condition: Span,
    unsafe_vars: &mut Vec<Missing>,
) {
    let operand = |operand: &mut Operand, unsafe_vars: &mut Vec<Missing>| {
        operand.body = order(
            std::mem::take(&mut operand.body),
            bound.clone(),
            unsafe_vars,
        );
    };
    match &mut expr.kind {
        ExprKind::Every(every) => {
            let Every {
                key,
                value,
                domain,
                body,
            } = &mut **every;
            comprehensions(domain, bound, condition, unsafe_vars);
            key.iter().for_each(|&key| bound.insert(key));
            bound.insert(*value);
            *body = order(std::mem::take(body), bound.clone(), unsafe_vars);
        }
        ExprKind::Not(body) => operand(body, unsafe_vars),
        ExprKind::And(left, right) | ExprKind::Or(left, right) => {
            operand(left, unsafe_vars);
            operand(right, unsafe_vars);
        }
        ExprKind::Term(term) => comprehensions(term, bound, condition, unsafe_vars),
        ExprKind::Unify { left, right, .. } => {
            comprehensions(left, bound, condition, unsafe_vars);
            comprehensions(right, bound, condition, unsafe_vars);
        }
        ExprKind::Call(call) => {
            for term in call.arguments.iter_mut().chain(&mut call.output) {
                comprehensions(term, bound, condition, unsafe_vars);
            }
        }
    }
}

fn comprehensions(
    term: &mut Term,
    bound: &VarSet,
    condition: Span,
    unsafe_vars: &mut Vec<Missing>,
) {
    match &mut term.kind {
        TermKind::Constant(_) | TermKind::Var(_) => {}
        TermKind::Ref(reference) => {
            for part in &mut reference.path {
                comprehensions(part, bound, condition, unsafe_vars);
            }
        }
        TermKind::Array(terms) | TermKind::Set(terms) => {
            for term in terms {
                comprehensions(term, bound, condition, unsafe_vars);
            }
        }
        TermKind::Object(pairs) => {
            for (key, value) in pairs {
                comprehensions(key, bound, condition, unsafe_vars);
                comprehensions(value, bound, condition, unsafe_vars);
            }
        }
        TermKind::Comprehension(comprehension) => {
            let mut known = bound.clone();
            for expr in &comprehension.body {
                visible(expr, &mut |var| known.insert(var));
            }
            head_vars(&comprehension.head, &mut |var| {
                if !known.contains(var) {
                    unsafe_vars.push(Missing {
                        var,
                        condition,
                        assigned: false,
                        forgotten: false,
                    });
                }
            });
            let body = std::mem::take(&mut comprehension.body);
            comprehension.body = order(body, bound.clone(), unsafe_vars);
        }
    }
}

fn head_vars(head: &Head, visit: &mut impl FnMut(Var)) {
    head.terms().for_each(|term| vars::term(term, visit));
}
