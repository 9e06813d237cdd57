//! Comprehensions that are evaluated for one value of a variable after the other, by key.
//!
//! ```text
//! some x in input.xs; ys := [y | some y in input.ys; y.k == x.k]
//! ```
//!
//! looks at every `y` for every `x`. Without that condition, the comprehension has solutions for each
//! `y.k`, and all of them are found in one walk: it is asked for `x.k`, and finds `y.k`. That is so
//! where nothing else of the outside is needed. (OPA does the same for a variable, not for `x.k`.)

use super::{Lowering, value_of};
use crate::rego::core::{self, Callee, Expr, ExprKind, Root, Term, TermKind, Var};
use crate::rego::findings::Stage;
use crate::rego::order::outputs::outputs;
use crate::rego::order::vars::{self, VarSet};
use crate::rego::plan::ir::{Grouping, GroupingId, Head, Pattern, Slot, StepKind};

/// A condition that compares what is within a comprehension with what is outside.
struct Key<'c> {
    /// Which condition of the body it is.
    condition: usize,
    asked: &'c Term,
    found: &'c Term,
}

impl Lowering<'_> {
    /// How a comprehension is evaluated for all keys at once, if it can be.
    pub(super) fn grouping(
        &mut self,
        comprehension: &core::Comprehension,
    ) -> Option<Box<Grouping>> {
        let keys = self.keys_of(comprehension)?;
        let mark = self.findings.mark();
        let was_fine = self.findings.is_empty();
        let asked = keys.iter().map(|key| self.operand(key.asked)).collect();
        let mut found = Vec::new();
        let mut head = None;
        let body = self.block(|lowering| {
            let mut done = 0;
            for key in &keys {
                lowering.body(&comprehension.body[done..key.condition]);
                lowering.span = comprehension.body[key.condition].span;
                found.push(lowering.found(key.found));
                done = key.condition + 1;
            }
            lowering.body(&comprehension.body[done..]);
            lowering.flush();
            head = match &comprehension.head {
                core::Head::Array(term) => Some(Head::Array(lowering.operand(term))),
                core::Head::Set(term) => Some(Head::Set(lowering.operand(term))),
                core::Head::Object(..) => None,
            };
        });
        if was_fine && !self.findings.is_empty() {
            // What cannot be lowered is told where the comprehension itself is.
            self.findings.forget(mark, Stage::References);
            return None;
        }
        let id = GroupingId(self.requests.groupings);
        self.requests.groupings += 1;
        Some(Box::new(Grouping {
            id,
            asked,
            body,
            found: found.into(),
            head: head?,
        }))
    }

    /// Keeps a key that is found.
    fn found(&mut self, term: &Term) -> Slot {
        let slot = self.fresh();
        match &term.kind {
            TermKind::Ref(reference) if self.is_open(reference) => {
                self.find_into(reference, Pattern::Bind(slot));
            }
            _ => {
                let term = self.operand(term);
                self.step(StepKind::Bind(slot, term));
            }
        }
        slot
    }

    /// The keys of a comprehension; nothing, where it needs more of the outside.
    fn keys_of<'c>(&self, comprehension: &'c core::Comprehension) -> Option<Vec<Key<'c>>> {
        let is_object = matches!(comprehension.head, core::Head::Object(..));
        if comprehension.template || is_object {
            return None;
        }
        let mut known = VarSet::default();
        let mut keys = Vec::new();
        for (condition, expr) in comprehension.body.iter().enumerate() {
            let is_plain = matches!(
                expr.kind,
                ExprKind::Term(_) | ExprKind::Unify { .. } | ExprKind::Call(_)
            );
            let terms = vars::terms_of(expr);
            if !is_plain || expr.with.is_some() || terms.iter().any(|term| has_body(term)) {
                return None;
            }
            let (gives, needs) = match self.compared(expr, &known) {
                Some((asked, found)) => {
                    keys.push(Key {
                        condition,
                        asked,
                        found,
                    });
                    let alone = Expr {
                        kind: ExprKind::Term(found.clone()),
                        ..expr.clone()
                    };
                    (outputs(&alone, &known), vec![found])
                }
                None => (outputs(expr, &known), terms),
            };
            gives.into_iter().for_each(|var| known.insert(var));
            if !needs.into_iter().all(|term| self.is_within(term, &known)) {
                return None;
            }
        }
        let mut head = comprehension.head.terms();
        (!keys.is_empty() && head.all(|term| self.is_within(term, &known))).then_some(keys)
    }

    /// All variables of a term are known within the comprehension.
    fn is_within(&self, term: &Term, known: &VarSet) -> bool {
        let mut all = true;
        vars::term(term, &mut |var| {
            all &= known.contains(var) && !self.bound.contains(var);
        });
        all
    }

    /// What is outside and what is within, of a condition that compares them.
    fn compared<'c>(&self, expr: &'c Expr, known: &VarSet) -> Option<(&'c Term, &'c Term)> {
        let (left, right) = match &expr.kind {
            _ if expr.negated => return None,
            ExprKind::Unify { left, right, .. } => (left, right),
            ExprKind::Call(call) => match (&call.callee, &call.output, &call.arguments[..]) {
                (Callee::Builtin("equal"), None, [left, right]) => (left, right),
                _ => return None,
            },
            _ => return None,
        };
        let is_found = |term: &Term| match &term.kind {
            TermKind::Var(var) => known.contains(*var),
            TermKind::Ref(reference) => match reference.root {
                Root::Var(var) => known.contains(var),
                Root::Input | Root::Data => true,
            },
            _ => false,
        };
        [(left, right), (right, left)]
            .into_iter()
            .find(|(asked, found)| self.is_asked(asked) && is_found(found))
    }

    /// A variable of the outside, or a path from it.
    fn is_asked(&self, term: &Term) -> bool {
        let is_outside = |var: Var| self.bound.contains(var);
        match &term.kind {
            TermKind::Var(var) => is_outside(*var),
            TermKind::Ref(reference) => {
                matches!(reference.root, Root::Var(var) if is_outside(var))
                    && reference.path.iter().all(|key| value_of(key).is_some())
            }
            _ => false,
        }
    }
}

/// Whether there is a comprehension within a term.
fn has_body(term: &Term) -> bool {
    let mut found = false;
    vars::comprehensions(term, &mut |_| found = true);
    found
}
