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

mod reference;
mod tree;
mod unify;

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use regorus::Value;

use super::signatures;
use super::types::{self, Parts, Type, list};
use crate::rego::core::{
    Body, Call, Callee, Comprehension, Definition, Expr, ExprKind, Head, Program, Replacement,
    Target, Term, TermKind, Var, Variable,
};
use crate::rego::findings::{Findings, Stage};
use crate::rego::order::vars;
use crate::rego::source::Span;
use tree::{Entry, Tree};

/// Most parts of types that are compared and joined: about a second. It is in proportion to the source
/// for what people write, but each of `x1 := [x0, x0]`, `x2 := [x1, x1]`, … doubles it, and so do
/// unions of unions.
const MAX_WORK: u64 = 50_000_000;

/// Most parts of one type, those that it shares counted each time. A source of the largest size has
/// fewer than a million in a literal; a package of rules that all have it as their value has more.
const MAX_SIZE: u64 = 10_000_000;

/// Checks definitions in an order in which each comes after those that it depends on.
pub fn check(program: &Program, order: &[usize], findings: &mut Findings) {
    let mut checker = Checker {
        program,
        tree: Tree::default(),
        findings,
        comprehensions: HashMap::new(),
        work: Cell::new(0),
    };
    for &index in order {
        let definition = &program.definitions[index];
        for branch in std::iter::once(definition).chain(&definition.otherwise) {
            checker.definition(branch);
            if checker.is_exhausted() {
                return checker.give_up(branch.span);
            }
        }
    }
    for query in &program.queries {
        let mut environment = Environment::new(&query.variables);
        checker.body(&mut environment, &query.body);
        if checker.is_exhausted() {
            let span = query.body.first().map(|expr| expr.span);
            return checker.give_up(span.unwrap_or_default());
        }
    }
}

struct Checker<'a> {
    program: &'a Program,
    tree: Tree,
    findings: &'a mut Findings,
    /// The types of comprehensions, since their conditions were checked.
    comprehensions: HashMap<*const Comprehension, Type>,
    /// Parts of types that were looked at.
    work: Cell<u64>,
}

/// The types of the variables of one definition.
struct Environment<'a> {
    variables: &'a [Variable],
    types: Vec<Type>,
    /// What types were before: those of a comprehension's variables end with it.
    undo: Vec<(Var, Type)>,
    /// The condition has modifiers: what is below `data` can be anything.
    open: bool,
}

impl<'a> Environment<'a> {
    fn new(variables: &'a [Variable]) -> Self {
        Self {
            variables,
            types: vec![Type::Unknown; variables.len()],
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

    fn definition(&mut self, definition: &Definition) {
        let mut environment = Environment::new(&definition.variables);
        let path: Vec<_> = super::recursion::ground(definition);
        if !self.body(&mut environment, &definition.body) {
            // What refers to it is no further error.
            return self.tree.put(&path, Entry::Value(Type::ANY));
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
            return self.insert(&path, Entry::Function(arguments, value));
        }
        let mut kind = if definition.is_set() {
            Type::set(value)
        } else {
            value
        };
        for part in definition.reference[definition.ground..].iter().rev() {
            let key = self.type_of(&environment, part);
            if !key.is_some() || !kind.is_some() {
                return;
            }
            kind = Type::object(key, kind);
        }
        if kind.is_some() {
            self.insert(&path, Entry::Value(kind));
        }
    }

    fn insert(&mut self, path: &[Value], entry: Entry) {
        let entry = match entry {
            Entry::Value(kind) => Entry::Value(self.keep(kind)),
            Entry::Function(arguments, result) => {
                let arguments = arguments.into_iter().map(|kind| self.keep(kind)).collect();
                Entry::Function(arguments, self.keep(result))
            }
        };
        if !self.is_exhausted() {
            let work = self.tree.insert(path, entry);
            self.charge(work);
        }
    }

    /// Checks the conditions of a body; whether nothing was found.
    fn body(&mut self, environment: &mut Environment<'_>, body: &Body) -> bool {
        let mut fine = true;
        for expr in body {
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
            ExprKind::Call(call) => self.call(environment, call, expr.span, fine),
            _ => fine,
        }
    }

    /// Checks that functions take what those take that stand in for them.
    fn stand_ins(&mut self, expr: &Expr) -> bool {
        let mut fine = true;
        for with in expr.with.iter().flat_map(|with| with.iter()) {
            let (Target::Callee(target), Replacement::Callee(value)) = (&with.target, &with.value)
            else {
                continue;
            };
            let (Some(wanted), Some(given)) = (self.takes(target), self.takes(value)) else {
                continue;
            };
            let mut pairs = wanted.iter().zip(&given);
            if wanted.len() != given.len() || !pairs.all(|(a, b)| super::types::unifies(a, b)) {
                let message = format!(
                    "arity mismatch\n\thave: ({})\n\twant: ({})",
                    list(&given),
                    list(&wanted)
                );
                self.findings.kind(Stage::Types, with.span, message);
                fine = false;
            }
        }
        fine
    }

    /// The types of the arguments of a function, if they are known.
    fn takes(&self, callee: &Callee) -> Option<Vec<Type>> {
        match callee {
            Callee::Builtin(name) => Some(signatures::find(name)?.arguments.clone()),
            Callee::Function(node) => match self.tree.get(&self.program.tree.node(*node).path)? {
                Entry::Function(arguments, _) => Some(arguments.clone()),
                Entry::Value(_) => None,
            },
        }
    }

    /// Checks the bodies of comprehensions in a condition.
    fn closures(&mut self, environment: &mut Environment<'_>, expr: &Expr) -> bool {
        let mut found = Vec::new();
        for term in vars::terms_of(expr) {
            vars::comprehensions(term, &mut |one| found.push(one));
        }
        let mut all_fine = true;
        for comprehension in found {
            let mark = environment.undo.len();
            let fine = self.body(environment, &comprehension.body);
            all_fine &= fine;
            let kind = match &comprehension.head {
                _ if !fine => Type::Unknown,
                Head::Array(term) => match self.type_of(environment, term) {
                    Type::Unknown => Type::Array(Parts::NONE, None),
                    kind => Type::array(kind),
                },
                Head::Set(term) => Type::set(self.type_of(environment, term)),
                Head::Object(key, value) => Type::object(
                    self.type_of(environment, key),
                    self.type_of(environment, value),
                ),
            };
            environment.back_to(mark);
            self.comprehensions
                .insert(std::ptr::from_ref(comprehension), kind.bounded());
        }
        all_fine
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

    fn call(
        &mut self,
        environment: &mut Environment<'_>,
        call: &Call,
        span: Span,
        fine: bool,
    ) -> bool {
        let (name, wanted, result) = match &call.callee {
            Callee::Builtin("equal") if call.output.is_none() => {
                let [left, right] = &call.arguments[..] else {
                    return fine;
                };
                return self.equality(environment, left, right, span, fine);
            }
            Callee::Builtin(name) => {
                let Some(signature) = signatures::find(name) else {
                    return fine;
                };
                (
                    (*name).to_owned(),
                    signature.arguments.clone(),
                    signature.result.clone(),
                )
            }
            Callee::Function(node) => {
                let path = &self.program.tree.node(*node).path;
                match self.tree.get(path) {
                    Some(Entry::Function(arguments, result)) => {
                        (super::path(path), arguments.clone(), Some(result.clone()))
                    }
                    Some(Entry::Value(kind)) if !kind.is_any() => {
                        let message = format!("undefined function {}", super::path(path));
                        self.findings.kind(Stage::Types, span, message);
                        return false;
                    }
                    _ if self.program.tree.node(*node).arity == 0 => {
                        // It is the rule's value for OPA.
                        self.findings.unsupported(span, "a call of a rule");
                        return false;
                    }
                    _ => return fine,
                }
            }
        };
        if let Callee::Builtin(name @ ("internal.member_2" | "internal.member_3")) = call.callee
            && !self.member(environment, call, name.ends_with('3'), span)
        {
            return false;
        }
        let operands: Vec<&Term> = call.arguments.iter().chain(&call.output).collect();
        let wanted_all: Vec<&Type> = wanted.iter().chain(&result).collect();
        for (operand, wanted_type) in operands.iter().zip(&wanted_all) {
            let before = self.type_of(environment, operand);
            let matches = (before.is_unknown() || self.unifies(&before, wanted_type))
                && self.unify_type(environment, operand, wanted_type, false);
            if !matches {
                let have: Vec<Type> = operands
                    .iter()
                    .map(|term| self.type_of(environment, term))
                    .collect();
                if fine || !have.iter().any(Type::is_unknown) {
                    let want: Vec<Type> = wanted_all.iter().map(|&kind| kind.clone()).collect();
                    let message = format!(
                        "{name}: invalid argument(s)\n\thave: ({})\n\twant: ({})",
                        list(&have),
                        list(&want)
                    );
                    self.findings.kind(Stage::Types, span, message);
                }
                return false;
            }
        }
        fine
    }

    /// `in`: what is looked for can be in the collection.
    fn member(
        &mut self,
        environment: &mut Environment<'_>,
        call: &Call,
        with_key: bool,
        span: Span,
    ) -> bool {
        let Some((collection, wanted)) = call.arguments.split_last() else {
            return true;
        };
        let collection = self.type_of(environment, collection);
        let values = collection.values();
        if !values.is_some() {
            return true;
        }
        let kinds = if with_key {
            vec![collection.keys(), values]
        } else {
            vec![values]
        };
        for (term, kind) in wanted.iter().zip(kinds) {
            if kind.is_unknown() {
                continue;
            }
            let have = self.type_of(environment, term);
            let possible = have.is_unknown() || self.unifies(&have, &kind);
            if !possible || !self.unify_type(environment, term, &kind, false) {
                let message = format!("match error\n\tleft  : {have}\n\tright : {kind}");
                self.findings.kind(Stage::Types, span, message);
                return false;
            }
        }
        true
    }

    /// The type of a term; unknown where a variable has none yet.
    fn type_of(&self, environment: &Environment<'_>, term: &Term) -> Type {
        if self.is_exhausted() {
            return Type::ANY;
        }
        let kind = match &term.kind {
            TermKind::Constant(value) => {
                let kind = Type::of(value);
                self.charge(kind.size());
                kind
            }
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
                let mut rest = None;
                for (key, value) in pairs {
                    let kind = self.type_of(environment, value);
                    match &key.kind {
                        TermKind::Constant(key) => known.push((key.clone(), kind)),
                        _ => rest = Some(Arc::new((self.type_of(environment, key), kind))),
                    }
                }
                known.sort();
                Type::Object(known.into(), rest).bounded()
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

/// How many parts are looked at to compare two types, about.
fn comparisons(left: &Type, right: &Type) -> u64 {
    let alternatives = |kind: &Type| match kind {
        Type::Any(of) => (of.len() as u64).max(1),
        _ => 1,
    };
    let pairs = alternatives(left).saturating_mul(alternatives(right));
    left.size().min(right.size()).max(pairs)
}
