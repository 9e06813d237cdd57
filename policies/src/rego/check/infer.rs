//! Types of variables, rules and functions, and what cannot be because of them.
//!
//! Rules are typed after those that they depend on, so a reference to a rule has that rule's type.
//! `input` and base data can be anything. A variable gets its type from the first condition that
//! says something of it.
//!
//! What checking costs is bounded, see `MAX_WORK`.
//!
//! OPA widens what a `with` modifier replaces, and what depends on it. Here all of `data` is anything
//! in a condition with modifiers.

mod calls;
mod closures;
mod dynamics;
mod merged;
mod reference;
mod tree;
mod unify;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use regorus::Value;

use super::types::{self, Type};
use super::{deprecated, signatures};
use crate::rego::core::{
    Body, Comprehension, Definition, Expr, ExprKind, Program, Query, Ref, Term, TermKind, Var,
    Variable,
};
use crate::rego::findings::{Findings, Stage};
use crate::rego::order::vars;
use crate::rego::source::Span;
use dynamics::Dynamics;
use tree::Tree;

/// Most parts of types that are compared and joined: about a second. It is in proportion to the source
/// for what people write, but each of `x1 := [x0, x0]`, `x2 := [x1, x1]`, … doubles it, and so do
/// unions of unions.
const MAX_WORK: u64 = 50_000_000;

/// What a condition costs at least. A comprehension is looked at again for each of those that it is
/// within, and each time with those within it.
const CONDITION: u64 = 20;

/// Most parts of one type, those that it shares counted each time. A source of the largest size has
/// fewer than a million in a literal; a package of rules that all have it as their value has more.
const MAX_SIZE: u64 = 10_000_000;

/// Checks definitions in an order in which each comes after those that it depends on. Whether one
/// of the conditions that are looked at calls a deprecated function.
pub fn check(program: &Program, order: &[usize], findings: &mut Findings) -> bool {
    let mut checker = Checker {
        program,
        tree: Tree::default(),
        findings,
        comprehensions: HashMap::new(),
        constants: RefCell::default(),
        work: Cell::new(0),
        deprecated: false,
    };
    for &index in order {
        let definition = &program.definitions[index];
        for branch in std::iter::once(definition).chain(&definition.otherwise) {
            checker.definition(branch);
            if checker.is_exhausted() {
                checker.give_up(branch.span);
                return checker.deprecated;
            }
        }
    }
    for query in &program.queries {
        checker.query(query);
        if checker.is_exhausted() {
            let span = query.body.first().map(|expr| expr.span);
            checker.give_up(span.unwrap_or_default());
            break;
        }
    }
    checker.deprecated
}

struct Checker<'a> {
    program: &'a Program,
    tree: Tree,
    findings: &'a mut Findings,
    /// The types of comprehensions, since their conditions were checked.
    comprehensions: HashMap<*const Comprehension, Type>,
    /// The types of constants by their places, which are kept so that no other one comes to be there.
    /// What annotations say is one that each who asks for it shares.
    constants: RefCell<HashMap<*const (), (Value, Type)>>,
    /// Parts of types that were looked at.
    work: Cell<u64>,
    /// A condition calls a deprecated function.
    deprecated: bool,
}

/// The types of the variables of one definition.
struct Environment<'a> {
    variables: &'a [Variable],
    /// The references that some of them stand for.
    subjects: &'a HashMap<Var, Ref>,
    types: Vec<Type>,
    /// What types were before: those of a comprehension's variables end with it.
    undo: Vec<(Var, Type)>,
    /// The condition has modifiers: what is below `data` can be anything.
    open: bool,
}

impl<'a> Environment<'a> {
    fn new(dynamics: &'a Dynamics) -> Self {
        Self {
            variables: &dynamics.variables,
            subjects: &dynamics.subjects,
            types: dynamics.variables.iter().map(before).collect(),
            undo: Vec::new(),
            open: false,
        }
    }

    fn get(&self, var: Var) -> &Type {
        &self.types[var.index()]
    }

    fn set(&mut self, var: Var, kind: Type) {
        let before = std::mem::replace(&mut self.types[var.index()], kind);
        self.undo.push((var, before));
    }

    fn back_to(&mut self, mark: usize) {
        while self.undo.len() > mark {
            if let Some((var, kind)) = self.undo.pop() {
                self.types[var.index()] = kind;
            }
        }
    }
}

impl Checker<'_> {
    /// Counts work. Once there was too much of it, nothing more is done.
    fn charge(&self, work: u64) {
        self.work.set(self.work.get().saturating_add(work));
    }

    fn is_exhausted(&self) -> bool {
        self.work.get() > MAX_WORK
    }

    fn give_up(&mut self, span: Span) {
        self.findings.unsupported(span, "types of this size");
    }

    /// Whether a value can have both types.
    fn unifies(&self, left: &Type, right: &Type) -> bool {
        self.charge(comparisons(left, right));
        self.is_exhausted() || types::unifies(left, right)
    }

    /// A type that is kept.
    fn keep(&self, kind: Type) -> Type {
        if kind.size() > MAX_SIZE {
            self.charge(MAX_WORK + 1);
            return Type::ANY;
        }
        kind
    }

    fn query(&mut self, query: &Query) {
        let mut dynamics = Dynamics::new(&query.variables, true);
        let body = dynamics.body(&query.body);
        self.body(&mut Environment::new(&dynamics), &body);
        self.comprehensions.clear();
    }

    fn definition(&mut self, definition: &Definition) {
        let mut dynamics = Dynamics::new(&definition.variables, false);
        let body = dynamics.body(&definition.body);
        let mut environment = Environment::new(&dynamics);
        let fine = self.body(&mut environment, &body);
        // They are known by their places in this body.
        self.comprehensions.clear();
        let path: Vec<_> = super::recursion::ground(definition);
        if !fine {
            // What refers to it is no further error.
            return self.tree.put(&path, Type::ANY);
        }
        for argument in &definition.arguments {
            vars::term(argument, &mut |var| {
                if !environment.get(var).is_some() {
                    environment.set(var, Type::ANY);
                }
            });
        }
        let value = definition.key.as_ref().or(definition.value.as_ref());
        let value = value.map_or(Type::Boolean, |value| self.type_of(&environment, value));
        if !definition.arguments.is_empty() {
            let arguments = definition
                .arguments
                .iter()
                .map(|one| self.type_of(&environment, one))
                .collect();
            return self.insert(&path, Type::Function(arguments, Arc::new(value)));
        }
        if !value.is_some() {
            return;
        }
        let mut kind = if definition.is_set() {
            Type::set(value)
        } else {
            value
        };
        for part in definition.reference[definition.ground..].iter().rev() {
            let key = self.type_of(&environment, part);
            if !key.is_some() {
                return;
            }
            kind = Type::object(key, kind);
        }
        self.insert(&path, kind);
    }

    fn insert(&mut self, path: &[Value], kind: Type) {
        let kind = self.keep(kind);
        if !self.is_exhausted() {
            let work = self.tree.insert(path, kind);
            self.charge(work);
        }
    }

    /// Checks the conditions of a body; whether nothing was found.
    fn body(&mut self, environment: &mut Environment<'_>, body: &Body) -> bool {
        let mut fine = true;
        for expr in body {
            self.charge(CONDITION);
            if self.is_exhausted() {
                break;
            }
            let open = std::mem::replace(&mut environment.open, false);
            environment.open = open || expr.with.is_some();
            fine &= self.condition(environment, expr);
            environment.open = open;
        }
        fine
    }

    fn condition(&mut self, environment: &mut Environment<'_>, expr: &Expr) -> bool {
        let closures = self.closures(environment, expr);
        let references = self.references(environment, expr);
        let stand_ins = self.stand_ins(expr);
        let fine = closures && references && stand_ins;
        match &expr.kind {
            ExprKind::Unify { left, right, .. } => {
                self.equality(environment, left, right, expr.span, fine)
            }
            ExprKind::Call(call) => {
                self.deprecated |= deprecated::called(call).is_some();
                self.call(environment, call, expr.span, fine)
            }
            _ => fine,
        }
    }

    fn equality(
        &mut self,
        environment: &mut Environment<'_>,
        left: &Term,
        right: &Term,
        span: Span,
        fine: bool,
    ) -> bool {
        let types = (
            self.type_of(environment, left),
            self.type_of(environment, right),
        );
        if self.unify_terms(environment, left, &types.0, right, &types.1) {
            return fine;
        }
        if fine || !(types.0.is_unknown() || types.1.is_unknown()) {
            let message = format!("match error\n\tleft  : {}\n\tright : {}", types.0, types.1);
            self.findings.kind(Stage::Types, span, message);
        }
        false
    }

    fn type_of_constant(&self, value: &Value) -> Type {
        let place = match value {
            Value::Array(elements) => Arc::as_ptr(elements).cast(),
            Value::Object(object) => Arc::as_ptr(object).cast(),
            Value::Set(members) => Arc::as_ptr(members).cast(),
            scalar => return Type::of(scalar),
        };
        let mut known = self.constants.borrow_mut();
        let (_, kind) = known.entry(place).or_insert_with(|| {
            let kind = Type::of(value);
            self.charge(kind.size());
            (value.clone(), kind)
        });
        kind.clone()
    }

    /// The type of a term; unknown where a variable has none yet.
    fn type_of(&self, environment: &Environment<'_>, term: &Term) -> Type {
        if self.is_exhausted() {
            return Type::ANY;
        }
        let kind = match &term.kind {
            TermKind::Constant(value) => self.type_of_constant(value),
            TermKind::Var(var) => environment.get(*var).clone(),
            TermKind::Ref(reference) => self.reference_type(environment, reference),
            TermKind::Array(terms) => {
                let types = terms
                    .iter()
                    .map(|term| self.type_of(environment, term))
                    .collect();
                Type::Array(types, None).bounded()
            }
            TermKind::Set(terms) => {
                let types = terms.iter().map(|term| {
                    let kind = self.type_of(environment, term);
                    self.charge(kind.size());
                    kind
                });
                Type::set(Type::union(types)).bounded()
            }
            TermKind::Object(pairs) => {
                let mut known = Vec::new();
                // Of keys that are not constant, the last in the order of terms counts.
                let mut rest: Option<(u8, Type, Type)> = None;
                for (key, value) in pairs {
                    let kind = self.type_of(environment, value);
                    match &key.kind {
                        TermKind::Constant(key) => known.push((key.clone(), kind)),
                        _ if rest.as_ref().is_some_and(|(last, ..)| rank(key) < *last) => {}
                        _ => rest = Some((rank(key), self.type_of(environment, key), kind)),
                    }
                }
                let rest = rest.map(|(_, key, kind)| (key, kind));
                Type::object_of(known, rest).bounded()
            }
            TermKind::Comprehension(comprehension) => {
                let key = std::ptr::from_ref(&**comprehension);
                self.comprehensions
                    .get(&key)
                    .cloned()
                    .unwrap_or(Type::Unknown)
            }
        };
        self.keep(kind)
    }
}

/// The type of a variable before anything was said of it.
fn before(variable: &Variable) -> Type {
    match signatures::find(&variable.name).filter(|_| variable.builtin) {
        Some(signature) => signature.kind(),
        None => Type::Unknown,
    }
}

/// The place of a term's kind in OPA's order of terms.
fn rank(term: &Term) -> u8 {
    match &term.kind {
        TermKind::Constant(_) => 0,
        TermKind::Var(_) => 1,
        TermKind::Ref(_) => 2,
        TermKind::Array(_) => 3,
        TermKind::Object(_) => 4,
        TermKind::Set(_) => 5,
        TermKind::Comprehension(_) => 6,
    }
}

/// How many parts are looked at to compare two types, about.
fn comparisons(left: &Type, right: &Type) -> u64 {
    if left.is_same(right) {
        return 1;
    }
    let alternatives = |kind: &Type| match kind {
        Type::Any(of) => (of.len() as u64).max(1),
        _ => 1,
    };
    let pairs = alternatives(left).saturating_mul(alternatives(right));
    left.size().min(right.size()).max(pairs)
}
