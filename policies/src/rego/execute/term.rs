//! Values of terms.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
};

use super::{
    COLLECTION_SIZE, Error, ErrorKind, Flow, Machine, Observer, Result, SET_SIZE, VALUE_SIZE,
    budget::is_heavy, tree::stored_member,
};
use crate::rego::{
    builtins,
    plan::ir::{Call, Callee, Comparison, Comprehension, Head, Operation, Reference, Source, Term},
    source::Span,
    value::{self, Value, arithmetic, is_defined, number},
};

/// What a path leads to where there is nothing.
static UNDEFINED: Value = Value::Undefined;

impl<'p, O: Observer> Machine<'p, O> {
    /// The value of a term, or [`Value::Undefined`].
    pub(super) fn eval(&mut self, term: &'p Term) -> Result<Value> {
        match term {
            Term::Constant(value) => Ok(value.clone()),
            Term::Local(slot) => Ok(self.local(*slot).clone()),
            Term::Input => Ok(self.scope.input.clone()),
            Term::Data => self.base_data(&[]),
            Term::Document(node) => self.document(*node),
            Term::Rule(rule) => self.rule(*rule),
            Term::Reference(reference) => self.reference(reference),
            Term::Call(call) => self.call(call),
            Term::Compare(comparison, sides) => self.compare(*comparison, &sides.0, &sides.1),
            Term::Arithmetic(operation, sides) => self.operate(*operation, &sides.0, &sides.1),
            Term::Member(sides) => self.member(&sides.0, &sides.1),
            Term::MemberWithKey(sides) => {
                let (key, member) = (self.eval(&sides.0)?, self.eval(&sides.1)?);
                let collection = self.eval(&sides.2)?;
                if !(is_defined(&key) && is_defined(&member) && is_defined(&collection)) {
                    return Ok(Value::Undefined);
                }
                self.budget.weigh(&key)?;
                self.budget.weigh(&member)?;
                let found = value::contains_entry(&collection, &key, &member);
                Ok(Value::Bool(found))
            }
            Term::Array(terms) => {
                self.charge_members(terms.len())?;
                let mut elements = Vec::with_capacity(terms.len());
                for term in terms {
                    match self.eval(term)? {
                        Value::Undefined => return Ok(Value::Undefined),
                        value => elements.push(value),
                    }
                }
                self.built(Value::from(elements))
            }
            Term::Set(terms) => {
                self.charge_members(terms.len())?;
                self.budget.charge(SET_SIZE)?;
                let mut members = BTreeSet::new();
                for term in terms {
                    match self.eval(term)? {
                        Value::Undefined => return Ok(Value::Undefined),
                        value => {
                            self.budget.weigh(&value)?;
                            members.insert(value);
                        }
                    }
                }
                self.built(Value::from(members))
            }
            Term::Object(entries) => {
                self.charge_members(2 * entries.len())?;
                let mut object = BTreeMap::new();
                for (key, value) in entries {
                    let key = self.eval(key)?;
                    if !is_defined(&key) {
                        return Ok(Value::Undefined);
                    }
                    let value = self.eval(value)?;
                    if !is_defined(&value) {
                        return Ok(Value::Undefined);
                    }
                    self.budget.weigh(&key)?;
                    match object.entry(key) {
                        Entry::Vacant(place) => drop(place.insert(value)),
                        Entry::Occupied(place) => {
                            if !self.budget.same(place.get(), &value)? {
                                let key = value::text::literal(place.key());
                                return Err(ErrorKind::Ambiguous(key).into());
                            }
                        }
                    }
                }
                self.built(Value::from(object))
            }
            Term::Comprehension(comprehension) => self.comprehension(comprehension),
        }
    }

    /// Whether a term has this value.
    pub(super) fn equals(&mut self, term: &'p Term, value: &Value) -> Result<bool> {
        match term {
            // It has no more parts than its source.
            Term::Constant(constant) => Ok(constant == value),
            Term::Local(slot) => {
                let local = &self.slots[self.base + slot.index()];
                self.budget.same(local, value)
            }
            term => {
                let found = self.eval(term)?;
                self.budget.same(&found, value)
            }
        }
    }

    /// Accounts for a collection that is about to be built.
    pub(super) fn charge_members(&mut self, count: usize) -> Result<()> {
        self.budget.charge(VALUE_SIZE * (count as u64 + 1))
    }

    /// Two operands, if both are defined. Calls come first, then the left one; what is not needed
    /// any more is not evaluated. That is OPA's order, and so the order of errors.
    fn sides(&mut self, left: &'p Term, right: &'p Term) -> Result<Option<(Value, Value)>> {
        let turned = is_call(right) && !is_call(left);
        let [first, second] = if turned { [right, left] } else { [left, right] };
        let first = self.eval(first)?;
        if !is_defined(&first) {
            return Ok(None);
        }
        let second = self.eval(second)?;
        if !is_defined(&second) {
            return Ok(None);
        }
        Ok(Some(if turned {
            (second, first)
        } else {
            (first, second)
        }))
    }

    fn compare(
        &mut self,
        comparison: Comparison,
        left: &'p Term,
        right: &'p Term,
    ) -> Result<Value> {
        if let (Some(left), Some(right)) = (self.peek(left), self.peek(right))
            && !(is_heavy(left) && is_heavy(right))
        {
            return Ok(compared(comparison, left, right));
        }
        let Some((left, right)) = self.sides(left, right)? else {
            return Ok(Value::Undefined);
        };
        self.budget.weigh_pair(&left, &right)?;
        Ok(compared(comparison, &left, &right))
    }

    fn operate(&mut self, operation: Operation, left: &'p Term, right: &'p Term) -> Result<Value> {
        let Some((left, right)) = self.sides(left, right)? else {
            return Ok(Value::Undefined);
        };
        if let (Value::Set(first), Value::Set(second)) = (&left, &right) {
            self.charge_members(first.len() + second.len())?;
            self.budget.charge(SET_SIZE)?;
            self.budget.weigh(&left)?;
            self.budget.weigh(&right)?;
        }
        match arithmetic::operate(operation, &left, &right) {
            Ok(value) => {
                self.budget.charge(number::length(&value))?;
                Ok(value)
            }
            Err(fault) => self.failed(builtins::operator(operation), fault.into(), None),
        }
    }

    /// What becomes of a builtin function that fails: undefined, unless the evaluation is strict.
    fn failed(
        &mut self,
        name: &'static str,
        fault: builtins::Fault,
        span: Option<Span>,
    ) -> Result<Value> {
        if let builtins::Fault::Ends(error) = fault {
            return Err(error);
        }
        if self.strict || O::LOOKS {
            let kind = builtins::error(name, &fault);
            let error = Error { kind, span };
            if self.strict {
                return Err(Box::new(error));
            }
            self.observer.swallows(&error);
        }
        Ok(Value::Undefined)
    }

    fn member(&mut self, member: &'p Term, collection: &'p Term) -> Result<Value> {
        if let (Some(member), Some(collection @ Value::Set(_))) =
            (self.peek(member), self.peek(collection))
            && !is_heavy(member)
        {
            return Ok(if is_defined(member) {
                Value::Bool(value::contains(collection, member))
            } else {
                Value::Undefined
            });
        }
        let Some((member, collection)) = self.sides(member, collection)? else {
            return Ok(Value::Undefined);
        };
        // Each of the others is compared with as many parts as it has.
        let weight = self.budget.weigh(&member)?;
        let mut is_it = |one: &Value| -> Result<bool> {
            self.budget.steps(weight)?;
            Ok(*one == member)
        };
        let mut found = false;
        match &collection {
            Value::Set(set) => found = set.contains(&member),
            Value::Object(object) => {
                let mut values = object.values();
                while !found && let Some(one) = values.next() {
                    found = is_it(one)?;
                }
            }
            _ => {
                let mut elements = value::elements(&collection).unwrap_or_default().iter();
                while !found && let Some(one) = elements.next() {
                    found = is_it(one)?;
                }
            }
        }
        Ok(Value::Bool(found))
    }

    fn reference(&mut self, reference: &'p Reference) -> Result<Value> {
        let source = match &reference.source {
            Source::Node(node) => return self.lookup(*node, &reference.path),
            Source::Part(part) => return self.below_part(*part, &reference.path),
            Source::Term(Term::Rule(rule)) => return self.below_rule(*rule, &reference.path),
            Source::Term(Term::Data) => {
                return match self.borrowed_data(&reference.path) {
                    Some(found) => Ok(found.clone()),
                    None => self.lookup_base(&reference.path),
                };
            }
            Source::Term(source) => source,
        };
        if let Some(found) = self.borrowed(source, &reference.path) {
            return Ok(found.clone());
        }
        let is_simple = |key: &'p Term| {
            matches!(key, Term::Constant(_) | Term::Local(_)) && self.key(key).is_some()
        };
        if reference.path.iter().all(is_simple) {
            let mut value = self.eval(source)?;
            for key in &reference.path {
                let key = self.simple(key).unwrap_or(&UNDEFINED);
                value = value::get(&value, key).unwrap_or(&UNDEFINED).clone();
            }
            return Ok(value);
        }
        // All keys are evaluated before what they lead through: any of them could be an error, or
        // be undefined.
        let Some(keys) = self.keys(&reference.path)? else {
            return Ok(Value::Undefined);
        };
        let value = self.eval(source)?;
        let found = keys.iter().try_fold(&value, value::get);
        Ok(found.unwrap_or(&UNDEFINED).clone())
    }

    /// Where a path of constants and locals leads to, without copying anything on the way. `None`
    /// if there are other keys in it.
    fn borrowed(&self, source: &'p Term, path: &'p [Term]) -> Option<&Value> {
        let mut value = self.simple(source)?;
        for key in path {
            // The later keys are looked at even where there is nothing any more: they could be
            // errors.
            let key = self.key(key)?;
            value = value::get(value, key).unwrap_or(&UNDEFINED);
        }
        Some(value)
    }

    /// A key that needs no computing, and that is found at no cost worth accounting for.
    #[inline]
    pub(super) fn key(&self, term: &'p Term) -> Option<&Value> {
        let is_cheap = |key: &&Value| !is_heavy(key) || matches!(term, Term::Constant(_));
        self.simple(term).filter(is_cheap)
    }

    /// The value of a term that needs no computing, without copying it. `None` if it needs some.
    #[inline]
    pub(super) fn peek(&self, term: &'p Term) -> Option<&Value> {
        match term {
            Term::Reference(reference) => match &reference.source {
                Source::Term(Term::Data) => self.borrowed_data(&reference.path),
                Source::Term(source) => self.borrowed(source, &reference.path),
                Source::Node(_) | Source::Part(_) => None,
            },
            term => self.simple(term),
        }
    }

    /// Where a path of constants and locals leads to in base data that nothing replaces.
    fn borrowed_data(&self, path: &'p [Term]) -> Option<&Value> {
        if is_defined(&self.scope.replaced) {
            return None;
        }
        let mut value = &self.data;
        for key in path {
            let key = self.key(key)?;
            value = stored_member(value, key).unwrap_or(&UNDEFINED);
        }
        Some(value)
    }

    #[inline]
    pub(super) fn simple(&self, term: &'p Term) -> Option<&Value> {
        match term {
            Term::Constant(value) => Some(value),
            Term::Local(slot) => Some(self.local(*slot)),
            Term::Input => Some(&self.scope.input),
            _ => None,
        }
    }

    fn call(&mut self, call: &'p Call) -> Result<Value> {
        // Most calls have few arguments, which stay on the frame of the callee.
        let start = self.slots.len();
        for argument in &call.arguments {
            let value = self.eval(argument)?;
            if !is_defined(&value) {
                self.slots.truncate(start);
                return Ok(Value::Undefined);
            }
            self.slots.push(value);
        }
        let result = if self.scope.mocks.is_empty() {
            self.apply(call.callee, start, call)
        } else {
            self.apply_mocked(call.callee, start, call)
        }?;
        self.slots.truncate(start);
        Ok(result)
    }

    /// Calls with the arguments that lie on the frames from `start` on.
    pub(super) fn apply(&mut self, callee: Callee, start: usize, call: &'p Call) -> Result<Value> {
        match callee {
            Callee::Function(function) => self.function(function, start),
            Callee::Builtin(builtin) => {
                self.budget.step()?;
                let mut context = builtins::Context {
                    surroundings: &mut self.surroundings,
                    budget: &mut self.budget,
                };
                match builtins::call(builtin, &mut context, &self.slots[start..]) {
                    Ok(value) => {
                        self.budget.charge(builtins::size(&value))?;
                        if O::LOOKS
                            && builtins::name(builtin) == "trace"
                            && let Some(Value::String(text)) = self.slots.get(start)
                        {
                            self.observer.notes(text, call.span);
                        }
                        if builtins::name(builtin) == "json.patch" {
                            // It can put one deep value into another one.
                            self.budget.look_into(&value)?;
                        }
                        self.built(value)
                    }
                    Err(fault) => self.failed(builtins::name(builtin), fault, Some(call.span)),
                }
            }
        }
    }

    fn comprehension(&mut self, comprehension: &'p Comprehension) -> Result<Value> {
        if let Some(grouping) = &comprehension.grouping
            && let Some(value) = self.grouped(grouping)?
        {
            return Ok(value);
        }
        self.budget.descend()?;
        self.budget.charge(COLLECTION_SIZE)?;
        let value = match &comprehension.head {
            Head::Array(element) => {
                let mut elements = Vec::new();
                self.run(&comprehension.body, &mut |machine| {
                    let element = machine.eval(element)?;
                    if is_defined(&element) {
                        machine.budget.charge(VALUE_SIZE)?;
                        elements.push(element);
                    }
                    Ok(Flow::Continue)
                })?;
                Value::from(elements)
            }
            Head::Set(member) => {
                let mut members = BTreeSet::new();
                self.run(&comprehension.body, &mut |machine| {
                    let member = machine.eval(member)?;
                    if is_defined(&member) {
                        machine.budget.charge_member(members.is_empty())?;
                        machine.budget.weigh(&member)?;
                        members.insert(member);
                    }
                    Ok(Flow::Continue)
                })?;
                Value::from(members)
            }
            Head::Object(key, value) => {
                let mut object = BTreeMap::new();
                self.run(&comprehension.body, &mut |machine| {
                    let (key, value) = (machine.eval(key)?, machine.eval(value)?);
                    if is_defined(&key) && is_defined(&value) {
                        machine.budget.charge(3 * VALUE_SIZE)?;
                        machine.budget.weigh(&key)?;
                        if let Some(before) = object.get(&key)
                            && !machine.budget.same(before, &value)?
                        {
                            return Err(ErrorKind::KeyConflict.at(comprehension.span));
                        }
                        object.insert(key, value);
                    }
                    Ok(Flow::Continue)
                })?;
                Value::from(object)
            }
        };
        self.budget.ascend();
        self.built(value)
    }

    fn built(&mut self, value: Value) -> Result<Value> {
        self.budget.built(&value)?;
        Ok(value)
    }
}

/// Undefined where one of the sides is.
fn compared(comparison: Comparison, left: &Value, right: &Value) -> Value {
    if !is_defined(left) || !is_defined(right) {
        return Value::Undefined;
    }
    Value::Bool(match comparison {
        Comparison::Equal => left == right,
        Comparison::Unequal => left != right,
        Comparison::Less => value::compare(left, right) == Ordering::Less,
        Comparison::LessOrEqual => value::compare(left, right) != Ordering::Greater,
        Comparison::Greater => value::compare(left, right) == Ordering::Greater,
        Comparison::GreaterOrEqual => value::compare(left, right) != Ordering::Less,
    })
}

/// Whether a term is a call, an operator's too.
fn is_call(term: &Term) -> bool {
    matches!(
        term,
        Term::Call(_)
            | Term::Compare(..)
            | Term::Arithmetic(..)
            | Term::Member(_)
            | Term::MemberWithKey(_)
    )
}
