//! Conditions to steps.

use std::sync::Arc;

use super::Lowering;
use super::sequence::Beside;
use super::unify::{Shape, into_term};
use crate::rego::core::{
    self, Call, Callee, Every, Expr, ExprKind, Operand, Replacement, Target, TermKind, With,
};
use crate::rego::plan::ir::{self, Block, Override, Pattern, StepKind};

impl Lowering<'_> {
    /// The conditions of a body, in their order.
    pub(super) fn body(&mut self, body: &[Expr]) {
        let mut rest = body;
        while let Some(first) = rest.first() {
            self.compare_watched();
            let Some(with) = &first.with else {
                self.condition(first);
                rest = &rest[1..];
                continue;
            };
            // Parts of one condition share its modifiers, and are evaluated under them together.
            let same = |expr: &&Expr| {
                expr.with
                    .as_ref()
                    .is_some_and(|other| Arc::ptr_eq(with, other))
            };
            let count = rest.iter().take_while(same).count();
            let (parts, after) = rest.split_at(count);
            self.modified(with, parts);
            rest = after;
        }
        self.compare_watched();
    }

    fn modified(&mut self, with: &[With], parts: &[Expr]) {
        self.flush();
        // What is taken out of a condition stands before it.
        if let Some(whole) = parts.last() {
            self.span = whole.span;
        }
        let overrides = self.overrides(with);
        let block = self.open_block(|lowering| {
            for part in parts {
                lowering.condition(part);
            }
        });
        self.step(StepKind::With(Box::new(ir::With { overrides, block })));
    }

    fn overrides(&mut self, with: &[With]) -> Box<[Override]> {
        let terms: Vec<&core::Term> = with.iter().filter_map(With::term).collect();
        let values = self.sequence(&terms, Beside::Nothing, |lowering, term| {
            Shape::Term(lowering.operand(term))
        });
        let mut values = values.into_iter().filter_map(into_term);
        let mut found = Vec::with_capacity(with.len());
        for with in with {
            found.extend(self.replacement(with, &mut values));
        }
        found.into()
    }

    fn replacement(
        &mut self,
        with: &With,
        values: &mut impl Iterator<Item = ir::Term>,
    ) -> Option<Override> {
        let callee = |lowering: &mut Self, callee: &Callee| lowering.callee(callee, with.span);
        Some(match (&with.target, &with.value) {
            (Target::Input(path), Replacement::Term(_)) => {
                Override::Input(path.clone().into(), values.next()?)
            }
            (Target::Data(path), Replacement::Term(_)) => {
                Override::Data(path.clone().into(), values.next()?)
            }
            (Target::Callee(target), Replacement::Term(_)) => {
                let value = values.next()?;
                Override::Value(callee(self, target)?, value)
            }
            (Target::Callee(target), Replacement::Callee(value)) => {
                Override::Callee(callee(self, target)?, callee(self, value)?)
            }
            (_, Replacement::Callee(_)) => return None,
        })
    }

    fn condition(&mut self, expr: &Expr) {
        self.span = expr.span;
        if expr.negated {
            return self.negated(expr);
        }
        match &expr.kind {
            ExprKind::Term(term) => {
                let term = self.operand(term);
                if !matches!(term, ir::Term::Constant(regorus::Value::Bool(true))) {
                    self.step(StepKind::Test(term));
                }
            }
            ExprKind::Unify { left, right, .. } => self.unify(left, right),
            ExprKind::Call(call) => self.call(call),
            ExprKind::Every(every) => {
                let domain = self.operand(&every.domain);
                self.every(every, domain);
            }
            ExprKind::Not(operand) => {
                let block = self.operand_block(operand);
                self.step(StepKind::Not(Box::new(block)));
            }
            ExprKind::And(left, right) => {
                let left = self.operand_block(left);
                self.step(StepKind::Exists(Box::new(left)));
                let right = self.operand_block(right);
                self.step(StepKind::Exists(Box::new(right)));
            }
            ExprKind::Or(left, right) => {
                let left = self.operand_block(left);
                let right = self.operand_block(right);
                self.step(StepKind::Either(Box::new([left, right])));
            }
        }
    }

    fn operand_block(&mut self, operand: &Operand) -> Block {
        self.block(|lowering| lowering.body(&operand.body))
    }

    fn every(&mut self, every: &Every, domain: ir::Term) {
        // The body is evaluated for every member: what it uses is computed before.
        let domain = match domain {
            local @ (ir::Term::Local(_) | ir::Term::Constant(_)) => local,
            other => self.keep(other),
        };
        let mut key = Pattern::Any;
        let mut value = Pattern::Any;
        let body = self.block(|lowering| {
            if let Some(var) = every.key {
                key = lowering.member(var);
            }
            value = lowering.member(every.value);
            lowering.body(&every.body);
        });
        self.step(StepKind::Every(Box::new(ir::Every {
            domain,
            key,
            value,
            body,
        })));
    }

    /// A key or value of `every`.
    fn member(&mut self, var: core::Var) -> Pattern {
        self.bound.insert(var);
        Pattern::Bind(self.slot(var))
    }

    /// `not`: what can be undefined in the operands of a call is evaluated outside.
    fn negated(&mut self, expr: &Expr) {
        self.flush();
        match &expr.kind {
            ExprKind::Term(term) => {
                let term = self.outer(term);
                self.negate(|lowering| lowering.step(StepKind::Test(term)));
            }
            ExprKind::Unify { left, right, .. } => {
                let left = self.outer(left);
                let right = self.outer(right);
                self.negate(|lowering| {
                    let terms = Box::new((left, right));
                    let equal = ir::Term::Compare(ir::Comparison::Equal, terms);
                    lowering.step(StepKind::Test(equal));
                });
            }
            ExprKind::Call(call) => self.negated_call(call),
            ExprKind::Every(every) => {
                let domain = self.outside(&every.domain);
                self.negate(|lowering| lowering.every(every, domain));
            }
            _ => {
                let mut positive = expr.clone();
                positive.negated = false;
                self.negate(|lowering| lowering.condition(&positive));
            }
        }
    }

    fn negated_call(&mut self, call: &Call) {
        let outside = |lowering: &mut Self, term: &core::Term| {
            let term = lowering.outside(term);
            lowering.flush();
            term
        };
        if let (Callee::Builtin("equal"), None, [left, right]) =
            (&call.callee, &call.output, &call.arguments[..])
        {
            let left = self.outer(left);
            let right = self.outer(right);
            return self.negate(|lowering| {
                let terms = Box::new((left, right));
                lowering.step(StepKind::Test(ir::Term::Compare(
                    ir::Comparison::Equal,
                    terms,
                )));
            });
        }
        let arguments: Vec<ir::Term> = call
            .arguments
            .iter()
            .map(|term| outside(self, term))
            .collect();
        let output = call.output.as_ref();
        let output = output.map(|term| Shape::Term(outside(self, term)));
        self.negate(|lowering| lowering.called(&call.callee, arguments, output));
    }

    fn negate(&mut self, fill: impl FnOnce(&mut Self)) {
        let block = self.block(fill);
        self.step(StepKind::Not(Box::new(block)));
    }

    /// An operand of `not` that is looked at inside: of a reference, only the keys are evaluated
    /// outside.
    fn outer(&mut self, term: &core::Term) -> ir::Term {
        match &term.kind {
            TermKind::Ref(reference) => {
                let path = reference
                    .path
                    .iter()
                    .map(|part| self.outside(part))
                    .collect();
                self.flush();
                self.path(reference, path, term.span)
            }
            TermKind::Comprehension(_) => self.operand(term),
            _ => self.outside(term),
        }
    }

    /// An operand of `not` that is evaluated outside.
    pub(super) fn outside(&mut self, term: &core::Term) -> ir::Term {
        match &term.kind {
            TermKind::Constant(_) | TermKind::Var(_) => self.operand(term),
            TermKind::Ref(_) | TermKind::Comprehension(_) => {
                let term = self.operand(term);
                match term {
                    ir::Term::Local(_) | ir::Term::Constant(_) => term,
                    other => self.keep(other),
                }
            }
            TermKind::Array(terms) => {
                ir::Term::Array(terms.iter().map(|term| self.outside(term)).collect())
            }
            TermKind::Set(terms) => {
                ir::Term::Set(terms.iter().map(|term| self.outside(term)).collect())
            }
            TermKind::Object(pairs) => {
                let pair = |(key, value): &(core::Term, core::Term)| {
                    (self.outside(key), self.outside(value))
                };
                ir::Term::Object(pairs.iter().map(pair).collect())
            }
        }
    }

    /// Evaluates a term here, for use further on.
    pub(super) fn keep(&mut self, term: ir::Term) -> ir::Term {
        let slot = self.fresh();
        self.step(StepKind::Bind(slot, term));
        ir::Term::Local(slot)
    }
}
