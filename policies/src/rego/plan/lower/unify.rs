//! `=`: which side is compared, which is bound, which is taken apart.

use regorus::Value;

use super::Lowering;
use crate::rego::core::{self, TermKind, Var};
use crate::rego::plan::ir::{Comparison, Pattern, StepKind, Term};
use crate::rego::value;

/// A side of a unification whose references have been evaluated.
#[derive(Debug)]
pub(super) enum Shape {
    /// A variable, bound or not.
    Var(Var),
    /// A value.
    Term(Term),
    /// An array with a variable that is not bound.
    Array(Vec<Shape>),
    /// An object with a variable that is not bound; the keys are values.
    Object(Vec<(Term, Shape)>),
}

impl Lowering<'_> {
    /// `left = right`
    pub(super) fn unify(&mut self, left: &core::Term, right: &core::Term) {
        if self.enumerates(left) {
            return self.find_shape(left, right);
        }
        if self.enumerates(right) {
            return self.find_shape(right, left);
        }
        let left = self.shape(left);
        let right = self.shape(right);
        self.shapes(left, right);
    }

    fn find_shape(&mut self, reference: &core::Term, other: &core::Term) {
        // What each member is compared with is evaluated once.
        self.flush();
        let shape = match self.shape(other) {
            Shape::Term(term) if !matches!(term, Term::Local(_) | Term::Constant(_)) => {
                Shape::Term(self.keep(term))
            }
            shape => shape,
        };
        if let TermKind::Ref(reference) = &reference.kind {
            self.find(reference, Some(shape));
        }
    }

    /// What a side looks like. References in it are evaluated, enumerating ones by steps.
    pub(super) fn shape(&mut self, term: &core::Term) -> Shape {
        match &term.kind {
            TermKind::Var(var) if !self.bound.contains(*var) => Shape::Var(*var),
            TermKind::Array(terms) => {
                let shapes: Vec<Shape> = terms.iter().map(|term| self.shape(term)).collect();
                if shapes.iter().all(|shape| matches!(shape, Shape::Term(_))) {
                    let terms = shapes.into_iter().filter_map(into_term).collect();
                    Shape::Term(Term::Array(terms))
                } else {
                    Shape::Array(shapes)
                }
            }
            TermKind::Object(pairs) => {
                let shapes: Vec<(Term, Shape)> = pairs
                    .iter()
                    .map(|(key, value)| (self.operand(key), self.shape(value)))
                    .collect();
                if shapes
                    .iter()
                    .all(|(_, shape)| matches!(shape, Shape::Term(_)))
                {
                    let pair = |(key, shape)| Some((key, into_term(shape)?));
                    Shape::Term(Term::Object(shapes.into_iter().filter_map(pair).collect()))
                } else {
                    Shape::Object(shapes)
                }
            }
            _ => Shape::Term(self.operand(term)),
        }
    }

    /// The pattern of a shape. Variables in it that are not bound yet are bound by it.
    pub(super) fn pattern(&mut self, shape: Shape) -> Pattern {
        match shape {
            Shape::Var(var) if self.bound.contains(var) => {
                Pattern::Equal(Term::Local(self.slot(var)))
            }
            Shape::Var(var) => {
                self.bound.insert(var);
                if self.mentions[var.index()] == 1 {
                    Pattern::Any
                } else {
                    Pattern::Bind(self.slot(var))
                }
            }
            Shape::Term(term) => Pattern::Equal(term),
            Shape::Array(shapes) => Pattern::Array(
                shapes
                    .into_iter()
                    .map(|shape| self.pattern(shape))
                    .collect(),
            ),
            Shape::Object(pairs) => {
                let pair = |(key, shape)| (key, self.pattern(shape));
                Pattern::Object(pairs.into_iter().map(pair).collect())
            }
        }
    }

    /// Unifies a shape with a value.
    pub(super) fn assign(&mut self, shape: Shape, term: Term) {
        let kind = match shape {
            Shape::Var(var) if self.is_passing(var) => {
                // One use besides this one: the term is put there.
                self.bound.insert(var);
                self.pending.push((var, term, self.span));
                return;
            }
            Shape::Var(var) if !self.bound.contains(var) && self.mentions[var.index()] > 1 => {
                self.bound.insert(var);
                StepKind::Bind(self.slot(var), term)
            }
            Shape::Term(other) => {
                StepKind::Test(Term::Compare(Comparison::Equal, Box::new((other, term))))
            }
            shape => StepKind::Match(self.pattern(shape), term),
        };
        self.step(kind);
    }

    /// Unifies two shapes: part by part, and what waits for another part is tried again.
    fn shapes(&mut self, left: Shape, right: Shape) {
        let mut open = vec![(left, right)];
        loop {
            let before = open.len();
            let mut waiting = Vec::new();
            let mut progress = false;
            for (left, right) in open {
                progress |= self.pair(left, right, &mut waiting);
            }
            if waiting.is_empty() {
                return;
            }
            if !progress && waiting.len() >= before {
                let what = "a unification of variables that depend on each other";
                return self.beyond(what);
            }
            open = waiting;
        }
    }

    /// Unifies two shapes or puts them off; whether anything was done.
    fn pair(&mut self, left: Shape, right: Shape, waiting: &mut Vec<(Shape, Shape)>) -> bool {
        let left = self.settled(left);
        let right = self.settled(right);
        match (left, right) {
            (Shape::Term(term), shape) | (shape, Shape::Term(term)) => {
                self.assign(shape, term);
                true
            }
            (Shape::Var(a), Shape::Var(b)) if a == b => false,
            (Shape::Array(left), Shape::Array(right)) if left.len() == right.len() => {
                waiting.extend(left.into_iter().zip(right));
                true
            }
            (Shape::Object(left), Shape::Object(right)) if left.len() == right.len() => {
                self.objects(left, right, waiting)
            }
            (left @ (Shape::Array(_) | Shape::Object(_)), right)
                if !matches!(right, Shape::Var(_)) =>
            {
                // Of different lengths or kinds.
                drop(left);
                self.step(StepKind::Test(super::constant(false)));
                true
            }
            (left, right) => {
                waiting.push((left, right));
                false
            }
        }
    }

    fn objects(
        &mut self,
        left: Vec<(Term, Shape)>,
        right: Vec<(Term, Shape)>,
        waiting: &mut Vec<(Shape, Shape)>,
    ) -> bool {
        let what = "the unification of two objects with computed keys";
        let mut computed = false;
        let mut others: Vec<(Value, Option<Shape>)> = Vec::new();
        for (key, shape) in right {
            match key {
                Term::Constant(key) => others.push((key, Some(shape))),
                _ => computed = true,
            }
        }
        others.sort_by(|(a, _), (b, _)| value::compare(a, b));
        for (key, shape) in left {
            let Term::Constant(name) = &key else {
                self.beyond(what);
                return true;
            };
            let first = others.partition_point(|(other, _)| value::compare(other, name).is_lt());
            let same = others[first..]
                .iter_mut()
                .take_while(|(other, _)| value::compare(other, name).is_eq());
            match same.map(|(_, shape)| shape.take()).find(Option::is_some) {
                Some(Some(other)) => waiting.push((shape, other)),
                _ if computed => self.beyond(what),
                _ => self.step(StepKind::Test(super::constant(false))),
            }
        }
        true
    }

    /// A shape, as a value if all of it is bound by now.
    fn settled(&mut self, shape: Shape) -> Shape {
        match shape {
            Shape::Var(var) if self.bound.contains(var) => Shape::Term(Term::Local(self.slot(var))),
            Shape::Array(shapes) => {
                let shapes: Vec<Shape> = shapes
                    .into_iter()
                    .map(|shape| self.settled(shape))
                    .collect();
                if shapes.iter().all(|shape| matches!(shape, Shape::Term(_))) {
                    Shape::Term(Term::Array(
                        shapes.into_iter().filter_map(into_term).collect(),
                    ))
                } else {
                    Shape::Array(shapes)
                }
            }
            Shape::Object(pairs) => {
                let pairs: Vec<(Term, Shape)> = pairs
                    .into_iter()
                    .map(|(key, shape)| (key, self.settled(shape)))
                    .collect();
                if pairs
                    .iter()
                    .all(|(_, shape)| matches!(shape, Shape::Term(_)))
                {
                    let pair = |(key, shape)| Some((key, into_term(shape)?));
                    Shape::Term(Term::Object(pairs.into_iter().filter_map(pair).collect()))
                } else {
                    Shape::Object(pairs)
                }
            }
            shape => shape,
        }
    }
}

fn into_term(shape: Shape) -> Option<Term> {
    match shape {
        Shape::Term(term) => Some(term),
        _ => None,
    }
}
