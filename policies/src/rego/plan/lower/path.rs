//! References: to rules, packages, base data, the input and locals.

use super::unify::{Shape, into_term};
use super::{Lowering, value_of};
use crate::rego::core::{self, NodeId, Ref, Root, TermKind};
use crate::rego::plan::ir::{
    Find, Pattern, Reference, RuleId, RuleKind, Segment, Source, StepKind, Term,
};
use crate::rego::source::Span;

/// Where a reference leads, and how many parts of its path that takes.
struct Start {
    source: Source,
    taken: usize,
}

impl Lowering<'_> {
    /// A reference: a term, after a step that enumerates if a part of it is not bound.
    pub(super) fn reference(&mut self, reference: &Ref, span: Span) -> Term {
        if self.is_open(reference) {
            let slot = self.fresh();
            self.find_into(reference, Pattern::Bind(slot));
            return Term::Local(slot);
        }
        if reference.path.iter().any(|key| self.comes_before(key)) {
            // A call that it leads through comes before its keys.
            self.flush();
        }
        let path = self.operands(&reference.path);
        self.path(reference, path, span)
    }

    /// Whether a term is a reference with a part that is not bound.
    pub(super) fn enumerates(&self, term: &core::Term) -> bool {
        matches!(&term.kind, TermKind::Ref(reference) if self.is_open(reference))
    }

    pub(super) fn is_open(&self, reference: &Ref) -> bool {
        reference.path.iter().any(|part| self.has_unbound(part))
    }

    /// Whether a part of a path has a variable that it would bind.
    fn has_unbound(&self, part: &core::Term) -> bool {
        match &part.kind {
            TermKind::Var(var) => !self.bound.contains(*var),
            TermKind::Array(terms) | TermKind::Set(terms) => {
                terms.iter().any(|term| self.has_unbound(term))
            }
            TermKind::Object(pairs) => pairs.iter().any(|(_, value)| self.has_unbound(value)),
            TermKind::Constant(_) | TermKind::Ref(_) | TermKind::Comprehension(_) => false,
        }
    }

    /// The value that a path of known keys leads to.
    pub(super) fn path(&mut self, reference: &Ref, mut path: Vec<Term>, span: Span) -> Term {
        let start = self.start(reference, span);
        let rest = path.split_off(start.taken);
        match start.source {
            Source::Term(term) if rest.is_empty() => term,
            Source::Node(node) if rest.is_empty() => Term::Document(node),
            source => {
                let segments: Vec<Segment> = rest.into_iter().map(Segment::Key).collect();
                let source = self.asked(source, &segments, span);
                let key = |segment| match segment {
                    Segment::Key(term) => Some(term),
                    Segment::Any(_) => None,
                };
                Term::Reference(Box::new(Reference {
                    source,
                    path: segments.into_iter().filter_map(key).collect(),
                }))
            }
        }
    }

    /// Enumerates what a reference leads to, and unifies it with a shape.
    pub(super) fn find(&mut self, reference: &Ref, shape: Shape) {
        let keys = self.keys_before(reference);
        let find = self.segments(reference, keys);
        let value = self.pattern(shape);
        self.step(StepKind::Find(Box::new(Find { value, ..find })));
    }

    pub(super) fn find_into(&mut self, reference: &Ref, value: Pattern) {
        let keys = self.keys_before(reference);
        let find = self.segments(reference, keys);
        self.step(StepKind::Find(Box::new(Find { value, ..find })));
    }

    /// `first = second`: all keys come before what they lead through, then the first one, then the
    /// second.
    pub(super) fn references(&mut self, sides: [&Ref; 2], spans: [Span; 2]) {
        let [first, second] = sides;
        let is_open = [self.is_open(first), self.is_open(second)];
        let first_keys = self.keys_before(first);
        let second_keys = self.keys_before(second);
        if !is_open[0] {
            let term = self.looked_up(first, first_keys, spans[0]);
            if !is_open[1] {
                let other = self.looked_up(second, second_keys, spans[1]);
                return self.assign(Shape::Term(term), other);
            }
            let shape = self.settle(Shape::Term(term));
            let find = self.segments(second, second_keys);
            let value = self.pattern(shape);
            return self.step(StepKind::Find(Box::new(Find { value, ..find })));
        }
        let find = self.segments(first, first_keys);
        if !is_open[1] {
            // A rule is evaluated when there is something to compare it with.
            let term = self.looked_up(second, second_keys, spans[1]);
            let term = if is_kept(&term) {
                term
            } else {
                self.keep(term)
            };
            let value = Pattern::Equal(term);
            return self.step(StepKind::Find(Box::new(Find { value, ..find })));
        }
        let slot = self.fresh();
        let value = Pattern::Bind(slot);
        self.step(StepKind::Find(Box::new(Find { value, ..find })));
        if second_keys.iter().all(|key| self.is_bound(key)) {
            let term = self.looked_up(second, second_keys, spans[1]);
            return self.assign(Shape::Term(Term::Local(slot)), term);
        }
        let find = self.segments(second, second_keys);
        let value = Pattern::Equal(Term::Local(slot));
        self.step(StepKind::Find(Box::new(Find { value, ..find })));
    }

    /// The keys of a reference. What is known of them is evaluated before what they lead through,
    /// and once.
    fn keys_before(&mut self, reference: &Ref) -> Vec<Shape> {
        self.flush();
        let mut keys = Vec::with_capacity(reference.path.len());
        for part in &reference.path {
            let key = self.shape(part);
            keys.push(self.settle(key));
        }
        keys
    }

    /// What keys lead to that are bound by now.
    fn looked_up(&mut self, reference: &Ref, keys: Vec<Shape>, span: Span) -> Term {
        let keys = keys.into_iter().map(|key| self.settled(key));
        let path = keys.filter_map(into_term).collect();
        self.path(reference, path, span)
    }

    fn segments(&mut self, reference: &Ref, keys: Vec<Shape>) -> Find {
        let start = self.start(reference, self.span);
        self.flush();
        let segment = |shape: Shape| match shape {
            Shape::Term(term) => Segment::Key(term),
            shape => match self.pattern(shape) {
                Pattern::Equal(term) => Segment::Key(term),
                pattern => Segment::Any(pattern),
            },
        };
        let path: Box<[Segment]> = keys.into_iter().skip(start.taken).map(segment).collect();
        Find {
            source: self.asked(start.source, &path, self.span),
            path,
            value: Pattern::Any,
        }
    }

    /// Where a reference begins.
    fn start(&mut self, reference: &Ref, span: Span) -> Start {
        let term = |term| Start {
            source: Source::Term(term),
            taken: 0,
        };
        match reference.root {
            Root::Input => term(Term::Input),
            Root::Var(var) => {
                let local = core::Term {
                    kind: TermKind::Var(var),
                    span,
                };
                let local = self.operand(&local);
                term(local)
            }
            Root::Data => self.below_data(&reference.path, span),
        }
    }

    fn below_data(&mut self, path: &[core::Term], span: Span) -> Start {
        let tree = &self.program.tree;
        let mut at = NodeId::ROOT;
        for (taken, part) in path.iter().enumerate() {
            let place = self.groups.place(at);
            if let Some(rule) = place.rule {
                return self.rule(rule, taken, span);
            }
            let Some(key) = value_of(part) else {
                return Start {
                    source: Source::Node(place.node),
                    taken,
                };
            };
            match tree.node(at).children.get(key) {
                Some(&child) => at = child,
                // Nothing but base data is there.
                None => {
                    return Start {
                        source: Source::Term(Term::Data),
                        taken: 0,
                    };
                }
            }
        }
        let place = self.groups.place(at);
        match place.rule {
            Some(rule) => self.rule(rule, path.len(), span),
            None => Start {
                source: Source::Node(place.node),
                taken: path.len(),
            },
        }
    }

    fn rule(&mut self, rule: RuleId, taken: usize, span: Span) -> Start {
        let group = &self.groups.rules[rule.index()];
        if matches!(group.kind, RuleKind::Function { .. }) {
            self.unsupported(span, "a function as a value");
        }
        // The reference may have been followed further than to the rule's own place.
        let taken = taken.min(group.path.len());
        Start {
            source: Source::Term(Term::Rule(rule)),
            taken,
        }
    }
}

/// Whether an evaluation computes a term once, however often it is asked for it.
fn is_kept(term: &Term) -> bool {
    match term {
        Term::Rule(_) => true,
        Term::Reference(reference) => matches!(
            reference.source,
            Source::Part(_) | Source::Term(Term::Rule(_))
        ),
        _ => false,
    }
}
