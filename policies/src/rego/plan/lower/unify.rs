//! `=`: which side is compared, which is bound, which is taken apart.

use std::collections::{BTreeSet, HashMap, HashSet};

use regorus::Value;

use super::Lowering;
use super::sequence::Beside;
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

/// Two shapes of which neither is bound.
struct Waiting {
    left: Shape,
    right: Shape,
    /// The variables of each side that are not bound.
    open: [HashSet<Var>; 2],
}

impl Waiting {
    fn new(left: Shape, right: Shape) -> Self {
        let open = [&left, &right].map(|shape| {
            let mut found = HashSet::new();
            collect(shape, &mut found);
            found
        });
        Self { left, right, open }
    }

    /// Whether a side is bound, now that a variable is.
    fn is_ready(&mut self, var: Var) -> bool {
        let mut ready = false;
        for side in &mut self.open {
            ready |= side.remove(&var) && side.is_empty();
        }
        ready
    }
}

/// The variables of two shapes.
fn variables(left: &Shape, right: &Shape) -> HashSet<Var> {
    let mut found = HashSet::new();
    collect(left, &mut found);
    collect(right, &mut found);
    found
}

fn collect(shape: &Shape, found: &mut HashSet<Var>) {
    match shape {
        Shape::Var(var) => {
            found.insert(*var);
        }
        Shape::Term(_) => {}
        Shape::Array(shapes) => shapes.iter().for_each(|shape| collect(shape, found)),
        Shape::Object(pairs) => pairs.iter().for_each(|(_, shape)| collect(shape, found)),
    }
}

impl Lowering<'_> {
    /// `left = right`
    pub(super) fn unify(&mut self, left: &core::Term, right: &core::Term) {
        match (&left.kind, &right.kind) {
            (TermKind::Ref(first), TermKind::Ref(second)) if self.in_turn(first, second) => {
                self.references([first, second], [left.span, right.span]);
            }
            (TermKind::Ref(reference), _) if self.is_open(reference) => {
                let shape = self.once(right);
                self.find(reference, shape);
            }
            (_, TermKind::Ref(reference)) if self.is_open(reference) => {
                let shape = self.once(left);
                self.find(reference, shape);
            }
            _ => {
                let left = self.shape(left);
                let right = self.shape(right);
                self.shapes(left, right);
            }
        }
    }

    /// Whether it matters in which order two references and their keys are evaluated.
    fn in_turn(&self, first: &core::Ref, second: &core::Ref) -> bool {
        let path = |reference: &core::Ref| reference.path.iter().any(|key| self.comes_before(key));
        let is_simple =
            |key: &core::Term| matches!(key.kind, TermKind::Constant(_) | TermKind::Var(_));
        self.is_open(first)
            || self.is_open(second)
            || path(first)
            || path(second)
            || self.is_virtual(first) && !second.path.iter().all(is_simple)
    }

    /// A side that each member of the other one is compared with: evaluated once.
    fn once(&mut self, term: &core::Term) -> Shape {
        self.flush();
        match self.shape(term) {
            shape @ Shape::Term(_) => self.settle(shape),
            shape => shape,
        }
    }

    /// What a side looks like. References in it are evaluated, enumerating ones by steps.
    pub(super) fn shape(&mut self, term: &core::Term) -> Shape {
        match &term.kind {
            TermKind::Var(var) if !self.bound.contains(*var) => Shape::Var(*var),
            TermKind::Array(terms) => {
                let terms: Vec<&core::Term> = terms.iter().collect();
                let shapes = self.sequence(&terms, Beside::Side, Self::shape);
                if shapes.iter().all(|shape| matches!(shape, Shape::Term(_))) {
                    let terms = shapes.into_iter().filter_map(into_term).collect();
                    Shape::Term(Term::Array(terms))
                } else {
                    Shape::Array(shapes)
                }
            }
            TermKind::Object(pairs) => {
                let shapes = self.pairs(pairs, Beside::Side, Self::shape);
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
            TermKind::Set(terms) => {
                Shape::Term(Term::Set(self.members(terms, Beside::Side).into()))
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

    /// Unifies two shapes: part by part, and what waits for another part is tried again when that is
    /// bound: in the same round if its turn is still to come.
    fn shapes(&mut self, left: Shape, right: Shape) {
        let mut pairs = vec![Some(Waiting::new(left, right))];
        let mut watchers: HashMap<Var, Vec<usize>> = HashMap::new();
        let mut turns = BTreeSet::from([(0, 0)]);
        while let Some((round, index)) = turns.pop_first() {
            let Some(Waiting { left, right, .. }) = pairs[index].take() else {
                continue;
            };
            let vars = variables(&left, &right);
            let mut parts = Vec::new();
            if let Some((left, right)) = self.pair(left, right, &mut parts) {
                // Put off: it is tried again when one side has been bound.
                let waiting = Waiting::new(left, right);
                for &var in waiting.open.iter().flatten() {
                    watchers.entry(var).or_default().push(index);
                }
                pairs[index] = Some(waiting);
                continue;
            }
            for (left, right) in parts {
                turns.insert((round + 1, pairs.len()));
                pairs.push(Some(Waiting::new(left, right)));
            }
            for var in vars {
                if !self.bound.contains(var) {
                    continue;
                }
                for other in watchers.remove(&var).unwrap_or_default() {
                    let waiting = pairs[other].as_mut();
                    if waiting.is_some_and(|waiting| waiting.is_ready(var)) {
                        turns.insert((round + usize::from(other < index), other));
                    }
                }
            }
        }
        if pairs.iter().any(Option::is_some) {
            self.beyond("a unification of variables that depend on each other");
        }
    }

    /// Unifies two shapes, whose parts are to be unified next. If neither is bound yet, gives them
    /// back.
    fn pair(
        &mut self,
        left: Shape,
        right: Shape,
        parts: &mut Vec<(Shape, Shape)>,
    ) -> Option<(Shape, Shape)> {
        let left = self.settled(left);
        let right = self.settled(right);
        match (left, right) {
            // The left side is evaluated first, and the right one only if there is a left one.
            (left @ Shape::Term(_), Shape::Term(right)) => {
                self.assign(left, right);
            }
            (Shape::Term(term), shape) | (shape, Shape::Term(term)) => {
                self.assign(shape, term);
            }
            (Shape::Var(a), Shape::Var(b)) if a == b => {}
            (Shape::Array(left), Shape::Array(right)) if left.len() == right.len() => {
                parts.extend(left.into_iter().zip(right));
            }
            (Shape::Object(left), Shape::Object(right)) if left.len() == right.len() => {
                self.objects(left, right, parts);
            }
            (left @ (Shape::Array(_) | Shape::Object(_)), right)
                if !matches!(right, Shape::Var(_)) =>
            {
                // Of different lengths or kinds.
                drop(left);
                self.step(StepKind::Test(super::constant(false)));
            }
            (left, right) => return Some((left, right)),
        }
        None
    }

    fn objects(
        &mut self,
        left: Vec<(Term, Shape)>,
        right: Vec<(Term, Shape)>,
        parts: &mut Vec<(Shape, Shape)>,
    ) {
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
                return self.beyond(what);
            };
            let first = others.partition_point(|(other, _)| value::compare(other, name).is_lt());
            let same = others[first..]
                .iter_mut()
                .take_while(|(other, _)| value::compare(other, name).is_eq());
            match same.map(|(_, shape)| shape.take()).find(Option::is_some) {
                Some(Some(other)) => parts.push((shape, other)),
                _ if computed => self.beyond(what),
                _ => self.step(StepKind::Test(super::constant(false))),
            }
        }
    }

    /// Whether all of a shape is bound by now.
    pub(super) fn is_bound(&self, shape: &Shape) -> bool {
        match shape {
            Shape::Var(var) => self.bound.contains(*var),
            Shape::Term(_) => true,
            Shape::Array(shapes) => shapes.iter().all(|shape| self.is_bound(shape)),
            Shape::Object(pairs) => pairs.iter().all(|(_, shape)| self.is_bound(shape)),
        }
    }

    /// A shape, as a value if all of it is bound by now.
    pub(super) fn settled(&mut self, shape: Shape) -> Shape {
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

pub(super) fn into_term(shape: Shape) -> Option<Term> {
    match shape {
        Shape::Term(term) => Some(term),
        _ => None,
    }
}
