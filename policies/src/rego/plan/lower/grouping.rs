//! Comprehensions that are evaluated for one value of a variable after the other, by key.
//!
//! ```text
//! some x in input.xs; ys := [y | some y in input.ys; y.k == x]
//! ```
//!
//! looks at every `y` for every `x`. Without `x`, the comprehension has a value for each `y.k`, and
//! all of them are found in one walk. OPA does so where nothing else of the outside is needed, and
//! where that walk is no longer than the one for a single `x`: not where `x` is a key, `input.m[x]`.

use super::Lowering;
use crate::rego::core::{self, Callee, ExprKind, Term, TermKind, Var};
use crate::rego::findings::Stage;
use crate::rego::order::outputs::outputs;
use crate::rego::order::vars::{self, VarSet};
use crate::rego::plan::ir::{Grouping, GroupingId, Head};

impl Lowering<'_> {
    /// How a comprehension is evaluated for all keys at once, if it can be.
    pub(super) fn grouping(
        &mut self,
        comprehension: &core::Comprehension,
    ) -> Option<Box<Grouping>> {
        let keys = self.keys_of(comprehension)?;
        let mark = self.findings.mark();
        let was_fine = self.findings.is_empty();
        let outside: Vec<_> = keys.iter().map(|var| self.slots[var.index()]).collect();
        let bound = self.bound.clone();
        for &key in &keys {
            self.bound.remove(key);
            self.slots[key.index()] = None;
        }
        let mut found = Vec::new();
        let mut head = None;
        let body = self.open_block(|lowering| {
            lowering.body(&comprehension.body);
            lowering.flush();
            found = keys.iter().map(|&key| lowering.slot(key)).collect();
            head = match &comprehension.head {
                core::Head::Array(term) => Some(Head::Array(lowering.operand(term))),
                core::Head::Set(term) => Some(Head::Set(lowering.operand(term))),
                core::Head::Object(..) => None,
            };
        });
        self.bound = bound;
        for (&key, slot) in keys.iter().zip(&outside) {
            self.slots[key.index()] = *slot;
        }
        if was_fine && !self.findings.is_empty() {
            // Beyond the plan without the variables, and not with them.
            self.findings.forget(mark, Stage::References);
            return None;
        }
        let asked = outside.into_iter().collect::<Option<Vec<_>>>()?;
        let id = GroupingId(self.requests.groupings);
        self.requests.groupings += 1;
        Some(Box::new(Grouping {
            id,
            asked: asked.into(),
            body,
            found: found.into(),
            head: head?,
        }))
    }

    /// The variables of the outside that a comprehension binds itself where they are not known.
    fn keys_of(&self, comprehension: &core::Comprehension) -> Option<Vec<Var>> {
        let is_object = matches!(comprehension.head, core::Head::Object(..));
        if comprehension.template || is_object {
            return None;
        }
        let mut known = VarSet::default();
        let mut keys = Vec::new();
        for expr in &comprehension.body {
            let is_plain = matches!(
                expr.kind,
                ExprKind::Term(_) | ExprKind::Unify { .. } | ExprKind::Call(_)
            );
            let terms = vars::terms_of(expr);
            if !is_plain || expr.with.is_some() || terms.iter().any(|term| has_body(term)) {
                return None;
            }
            if terms.iter().any(|term| self.looks_up(term, &known)) || self.walks(expr, &known) {
                return None;
            }
            let gives = match equality(expr) {
                Some(equality) => outputs(&equality, &known),
                None => outputs(expr, &known),
            };
            for &var in &gives {
                known.insert(var);
                if self.bound.contains(var) {
                    keys.push(var);
                }
            }
            let mut is_known = true;
            vars::outside_closures(expr, &mut |var| is_known &= known.contains(var));
            if !is_known {
                return None;
            }
        }
        let mut is_known = !keys.is_empty();
        for term in comprehension.head.terms() {
            vars::term(term, &mut |var| {
                is_known &= known.contains(var) && !keys.contains(&var);
            });
        }
        // Equal numbers can be written differently: a key is compared, and seen nowhere else.
        let mut mentions = 0;
        for expr in &comprehension.body {
            vars::outside_closures(expr, &mut |var| {
                mentions += usize::from(keys.contains(&var));
            });
        }
        (is_known && mentions == keys.len()).then_some(keys)
    }

    /// A variable of the outside is a key of a reference, which is faster than to go through all.
    fn looks_up(&self, term: &Term, known: &VarSet) -> bool {
        let within = |terms: &[Term]| terms.iter().any(|term| self.looks_up(term, known));
        match &term.kind {
            TermKind::Ref(reference) => {
                let mut found = false;
                for part in &reference.path {
                    vars::term(part, &mut |var| found |= self.is_outside(var, known));
                }
                found
            }
            TermKind::Array(terms) | TermKind::Set(terms) => within(terms),
            TermKind::Object(pairs) => pairs
                .iter()
                .any(|(key, value)| self.looks_up(key, known) || self.looks_up(value, known)),
            TermKind::Constant(_) | TermKind::Var(_) | TermKind::Comprehension(_) => false,
        }
    }

    /// What `walk` comes across is compared with a variable of the outside.
    fn walks(&self, expr: &core::Expr, known: &VarSet) -> bool {
        let ExprKind::Call(call) = &expr.kind else {
            return false;
        };
        let mut found = false;
        if call.callee == Callee::Builtin("walk")
            && let Some(output) = &call.output
        {
            vars::term(output, &mut |var| found |= self.is_outside(var, known));
        }
        found
    }

    fn is_outside(&self, var: Var, known: &VarSet) -> bool {
        self.bound.contains(var) && !known.contains(var)
    }
}

/// `left == right` as a condition is `left = right`.
fn equality(expr: &core::Expr) -> Option<core::Expr> {
    match &expr.kind {
        ExprKind::Call(call)
            if call.callee == Callee::Builtin("equal") && call.output.is_none() =>
        {
            let [left, right] = &call.arguments[..] else {
                return None;
            };
            let kind = ExprKind::Unify {
                left: left.clone(),
                right: right.clone(),
                assignment: false,
            };
            Some(core::Expr {
                kind,
                ..expr.clone()
            })
        }
        _ => None,
    }
}

/// Whether there is a comprehension within a term.
fn has_body(term: &Term) -> bool {
    let mut found = false;
    vars::comprehensions(term, &mut |_| found = true);
    found
}
