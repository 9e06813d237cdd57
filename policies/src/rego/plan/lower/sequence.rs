//! Terms that stand beside each other, in the order in which OPA evaluates them.
//!
//! OPA evaluates what lies in a collection, in a path, or stands as an argument before the condition
//! that it is a part of: calls first, then references and comprehensions, from the left. The plan
//! leaves them where they stand, which is faster, and where they are evaluated from the left too. That
//! is not the same where one of them is a step of its own, or where what stands beside the collection
//! comes first. It makes a difference if one of them can end the evaluation, because a rule or a
//! function has two values, and another one is undefined. So, where there is such a one, it and what
//! stands before it is kept in slots, from the left:
//!
//! ```text
//! f(input.x, data.a.p, xs[_])   ⇒   $1 := input.x; $2 := data.a.p; $3 := xs[_]; f($1, $2, $3)
//! ```

use std::cmp::Ordering;

use super::Lowering;
use super::unify::{Shape, into_term};
use crate::rego::core::{self, NodeId, Ref, Root, TermKind};
use crate::rego::plan::ir::{Callee, Term};
use crate::rego::value::{self, Kind};

/// What stands beside a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    /// Nothing that is evaluated before it.
    Nothing,
    /// The other side of a unification.
    Side,
}

impl Lowering<'_> {
    /// What is bound, as terms.
    pub(super) fn operands(&mut self, terms: &[core::Term]) -> Vec<Term> {
        let terms: Vec<&core::Term> = terms.iter().collect();
        self.bound_sequence(&terms, Beside::Nothing)
    }

    /// The members of a set, in OPA's order as far as it is known here.
    pub(super) fn members(&mut self, terms: &[core::Term], beside: Beside) -> Vec<Term> {
        let mut terms: Vec<&core::Term> = terms.iter().collect();
        terms.sort_by(|a, b| compare(a, b));
        self.bound_sequence(&terms, beside)
    }

    fn bound_sequence(&mut self, terms: &[&core::Term], beside: Beside) -> Vec<Term> {
        let operand = |lowering: &mut Self, term: &core::Term| Shape::Term(lowering.operand(term));
        let shapes = self.sequence(terms, beside, operand);
        shapes.into_iter().filter_map(into_term).collect()
    }

    /// Keys and values of an object, the pairs in OPA's order as far as it is known here.
    pub(super) fn pairs(
        &mut self,
        pairs: &[(core::Term, core::Term)],
        beside: Beside,
        mut value: impl FnMut(&mut Self, &core::Term) -> Shape,
    ) -> Vec<(Term, Shape)> {
        let mut pairs: Vec<&(core::Term, core::Term)> = pairs.iter().collect();
        pairs.sort_by(|(a, _), (b, _)| compare(a, b));
        let terms: Vec<&core::Term> = pairs.iter().flat_map(|(key, value)| [key, value]).collect();
        let mut is_key = false;
        let shapes = self.sequence(&terms, beside, |lowering, term| {
            is_key = !is_key;
            if is_key {
                Shape::Term(lowering.operand(term))
            } else {
                value(lowering, term)
            }
        });
        let mut shapes = shapes.into_iter();
        let mut found = Vec::new();
        while let (Some(key), Some(value)) = (shapes.next(), shapes.next()) {
            found.extend(into_term(key).map(|key| (key, value)));
        }
        found
    }

    /// Lowers terms from the left, and keeps what has to be evaluated before the condition.
    pub(super) fn sequence(
        &mut self,
        terms: &[&core::Term],
        beside: Beside,
        mut lower: impl FnMut(&mut Self, &core::Term) -> Shape,
    ) -> Vec<Shape> {
        let last = terms.iter().rposition(|term| self.comes_before(term));
        let in_slots = beside == Beside::Side || terms.iter().any(|term| self.is_step(term));
        let evaluated = terms.iter().filter(|term| self.is_evaluated(term)).count();
        if last.is_some() && (in_slots || evaluated > 1) {
            self.flush();
        }
        let kept = last.filter(|_| in_slots).map_or(0, |last| last + 1);
        let mut shapes = Vec::with_capacity(terms.len());
        for (at, term) in terms.iter().enumerate() {
            let shape = lower(self, term);
            shapes.push(if at < kept { self.settle(shape) } else { shape });
        }
        shapes
    }

    /// The same shape, with what has to be evaluated kept in slots.
    pub(super) fn settle(&mut self, shape: Shape) -> Shape {
        match shape {
            Shape::Term(term @ (Term::Local(_) | Term::Constant(_))) => Shape::Term(term),
            Shape::Term(term) => Shape::Term(self.keep(term)),
            Shape::Var(var) => Shape::Var(var),
            Shape::Array(shapes) => {
                let shapes = shapes.into_iter();
                Shape::Array(shapes.map(|shape| self.settle(shape)).collect())
            }
            Shape::Object(pairs) => {
                let mut settled = Vec::with_capacity(pairs.len());
                for (key, shape) in pairs {
                    let key = match key {
                        Term::Local(_) | Term::Constant(_) => key,
                        key => self.keep(key),
                    };
                    settled.push((key, self.settle(shape)));
                }
                Shape::Object(settled)
            }
        }
    }

    /// Whether a part of a condition is a step of its own, or could end the evaluation.
    pub(super) fn comes_before(&self, term: &core::Term) -> bool {
        match &term.kind {
            TermKind::Constant(_) => false,
            TermKind::Var(var) => {
                let pending = self.pending.iter().find(|(other, ..)| other == var);
                pending.is_some_and(|(_, term, _)| can_end(term))
            }
            TermKind::Ref(reference) => {
                self.enumerates(term)
                    || self.is_virtual(reference)
                    || reference.path.iter().any(|part| self.comes_before(part))
            }
            TermKind::Comprehension(_) => true,
            TermKind::Array(terms) | TermKind::Set(terms) => {
                terms.iter().any(|term| self.comes_before(term))
            }
            TermKind::Object(pairs) => pairs
                .iter()
                .any(|(key, value)| self.comes_before(key) || self.comes_before(value)),
        }
    }

    /// Whether a term is not there already.
    fn is_evaluated(&self, term: &core::Term) -> bool {
        match &term.kind {
            TermKind::Constant(_) => false,
            TermKind::Var(var) => self.pending.iter().any(|(other, ..)| other == var),
            _ => true,
        }
    }

    /// Whether a part of a condition is, or has within it, a step of its own.
    fn is_step(&self, term: &core::Term) -> bool {
        match &term.kind {
            TermKind::Constant(_) | TermKind::Var(_) | TermKind::Comprehension(_) => false,
            TermKind::Ref(reference) => {
                self.is_open(reference) || reference.path.iter().any(|part| self.is_step(part))
            }
            TermKind::Array(terms) | TermKind::Set(terms) => {
                terms.iter().any(|term| self.is_step(term))
            }
            TermKind::Object(pairs) => pairs
                .iter()
                .any(|(key, value)| self.is_step(key) || self.is_step(value)),
        }
    }

    /// Whether a reference leads, or could lead, to a rule.
    pub(super) fn is_virtual(&self, reference: &Ref) -> bool {
        if reference.root != Root::Data {
            return false;
        }
        let mut at = NodeId::ROOT;
        for part in &reference.path {
            let place = self.groups.place(at);
            let TermKind::Constant(key) = &part.kind else {
                return true;
            };
            if place.rule.is_some() {
                return true;
            }
            match self.program.tree.node(at).children.get(key) {
                Some(&child) => at = child,
                None => return false,
            }
        }
        true
    }
}

/// Whether the evaluation of a term can end in an error that is not a builtin's.
fn can_end(term: &Term) -> bool {
    match term {
        Term::Constant(_) | Term::Local(_) | Term::Input | Term::Data => false,
        Term::Call(call) => {
            matches!(call.callee, Callee::Function(_)) || call.arguments.iter().any(can_end)
        }
        Term::Compare(_, sides) | Term::Arithmetic(_, sides) | Term::Member(sides) => {
            can_end(&sides.0) || can_end(&sides.1)
        }
        Term::MemberWithKey(sides) => can_end(&sides.0) || can_end(&sides.1) || can_end(&sides.2),
        Term::Array(terms) | Term::Set(terms) => terms.iter().any(can_end),
        Term::Object(pairs) => pairs
            .iter()
            .any(|(key, value)| can_end(key) || can_end(value)),
        Term::Document(_) | Term::Rule(_) | Term::Reference(_) | Term::Comprehension(_) => true,
    }
}

/// The order of OPA's terms, but for what it has only there: names of variables.
fn compare(a: &core::Term, b: &core::Term) -> Ordering {
    match (&a.kind, &b.kind) {
        (TermKind::Constant(a), TermKind::Constant(b)) => value::compare(a, b),
        (TermKind::Ref(a), TermKind::Ref(b)) => compare_references(a, b),
        _ => rank(a).cmp(&rank(b)),
    }
}

/// Kinds of terms in OPA's order; of one kind, what is known comes first.
fn rank(term: &core::Term) -> (u8, bool) {
    match &term.kind {
        TermKind::Constant(value) => match value::kind(value) {
            Kind::Array => (3, false),
            Kind::Object => (4, false),
            Kind::Set => (5, false),
            _ => (0, false),
        },
        TermKind::Var(_) => (1, true),
        TermKind::Ref(_) => (2, true),
        TermKind::Array(_) => (3, true),
        TermKind::Object(_) => (4, true),
        TermKind::Set(_) => (5, true),
        TermKind::Comprehension(_) => (6, true),
    }
}

fn compare_references(a: &Ref, b: &Ref) -> Ordering {
    let root = |reference: &Ref| match reference.root {
        Root::Var(_) => 0,
        Root::Data => 1,
        Root::Input => 2,
    };
    let mut parts = a.path.iter().zip(&b.path).map(|(a, b)| compare(a, b));
    root(a)
        .cmp(&root(b))
        .then_with(|| parts.find(|order| order.is_ne()).unwrap_or(Ordering::Equal))
        .then_with(|| a.path.len().cmp(&b.path.len()))
}
