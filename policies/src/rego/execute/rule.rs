//! Rules and functions.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use super::{Budget, ErrorKind, Flow, Machine, Observer, Result, SET_SIZE, VALUE_SIZE, View, memo};
use crate::rego::{
    plan::ir::{Candidates, Definition, Index, Rule, RuleId, RuleKind, Term},
    value::{self, Value, is_defined},
};

impl<'p, O: Observer> Machine<'p, O> {
    /// The value of a rule, or of what `with` has put in its place.
    pub(super) fn rule(&mut self, id: RuleId) -> Result<Value> {
        if let Some(value) = self.scope.memo.rule(id)
            && self.scope.hidden.is_empty()
        {
            return Ok(value.clone());
        }
        let rule = &self.plan.rules[id.index()];
        if self.scope.hides(&rule.path) {
            return self.base_data(&rule.path);
        }
        if let Some(value) = self.scope.memo.rule(id) {
            return Ok(value.clone());
        }
        self.budget.descend_by(rule.levels)?;
        self.budget.step()?;
        let value = match rule.kind {
            RuleKind::Complete => {
                let base = self.open_frame(0);
                let value = self.complete(rule, 0);
                self.close_frame(base);
                value?
            }
            RuleKind::Set | RuleKind::Object => {
                let base = self.open_frame(0);
                let value = self.partial(rule, 0);
                self.close_frame(base);
                value?
            }
            // A function is no document.
            RuleKind::Function { .. } => Value::Undefined,
        };
        self.budget.ascend_by(rule.levels);
        self.scope.memo.keep_rule(id, value.clone());
        Ok(value)
    }

    /// The value of a function for the arguments that lie on the frames from `start` on.
    pub(super) fn function(&mut self, id: RuleId, start: usize) -> Result<Value> {
        let rule = &self.plan.rules[id.index()];
        let arguments = &self.slots[start..];
        let arity = arguments.len();
        let hash = memo::hash(id, arguments);
        if let Some(value) = self.scope.memo.call(hash, id, arguments) {
            return Ok(value.clone());
        }
        self.budget.descend_by(rule.levels)?;
        self.budget.step()?;
        let base = std::mem::replace(&mut self.base, start);
        let value = self.complete(rule, arity)?;
        self.base = base;
        self.budget.ascend_by(rule.levels);
        // The lists of calls and of arguments, and the table of hashes.
        self.charge_members(arity + 2)?;
        let arguments = &self.slots[start..start + arity];
        self.scope
            .memo
            .keep_call(hash, id, arguments, value.clone());
        Ok(value)
    }

    /// The one value of all definitions that hold. The frame begins with the arguments.
    fn complete(&mut self, rule: &'p Rule, arity: usize) -> Result<Value> {
        let candidates = self.candidates(rule)?;
        // As in OPA, the first solution is enough where all that can hold have the same constant.
        let early = agree(rule, candidates);
        let mut result = Value::Undefined;
        for definition in candidates.of(rule) {
            self.definition(rule, definition, arity, early, &mut result)?;
            if early && is_defined(&result) {
                return Ok(result);
            }
        }
        match &rule.default {
            Some(default) if !is_defined(&result) => {
                self.reset_frame(arity, default.slots);
                let value = self.eval(&default.value)?;
                if O::LOOKS {
                    self.observer.falls_back(rule, default, &value);
                }
                Ok(value)
            }
            _ => Ok(result),
        }
    }

    /// Adds the value of a definition, or of the first `else` that holds, to that of those before.
    fn definition(
        &mut self,
        rule: &'p Rule,
        definition: &'p Definition,
        arity: usize,
        early: bool,
        result: &mut Value,
    ) -> Result<()> {
        let mut tried = Some(definition);
        while let Some(definition) = tried {
            let mut holds = false;
            self.reset_frame(arity, definition.slots);
            if O::LOOKS {
                self.observer.tries(rule, definition);
            }
            if self.takes(definition)? {
                self.run(&definition.body, &mut |machine| {
                    let value = machine.eval(&definition.value)?;
                    if !is_defined(&value) {
                        return Ok(Flow::Continue);
                    }
                    if O::LOOKS {
                        machine.yields(rule, definition, &value);
                    }
                    holds = true;
                    if !is_defined(result) {
                        *result = value;
                    } else if !machine.budget.same(result, &value)? {
                        return Err(conflict(rule).at(definition.span));
                    }
                    Ok(if early { Flow::Stop } else { Flow::Continue })
                })?;
            }
            if O::LOOKS {
                self.observer.leaves(rule, definition);
            }
            if holds {
                return Ok(());
            }
            tried = definition.otherwise.as_deref();
        }
        Ok(())
    }

    /// Whether the arguments match the parameters of a definition.
    fn takes(&mut self, definition: &'p Definition) -> Result<bool> {
        for (at, pattern) in definition.parameters.iter().enumerate() {
            let argument = self.slots[self.base + at].clone();
            if !self.matches(pattern, &argument)? {
                return Ok(false);
            }
        }
        if O::LOOKS {
            self.observer.takes();
        }
        Ok(true)
    }

    /// The frame of the next definition of the same rule: the arguments stay.
    fn reset_frame(&mut self, arity: usize, slots: u32) {
        self.slots.truncate(self.base + arity);
        let end = self.base + (slots as usize).max(arity);
        self.slots.resize(end, Value::Undefined);
    }

    /// The document of all solutions of a partial rule. The frame begins with the keys that are
    /// asked for.
    pub(super) fn partial(&mut self, rule: &'p Rule, arity: usize) -> Result<Value> {
        let value = match rule.kind {
            RuleKind::Set => self.set(rule, arity)?,
            _ => self.object(rule, arity)?,
        };
        for _ in 0..rule.keys {
            self.budget.built(&value)?;
        }
        Ok(value)
    }

    fn set(&mut self, rule: &'p Rule, arity: usize) -> Result<Value> {
        let mut members = BTreeSet::new();
        self.each_solution(rule, arity, &mut |machine, definition| {
            let member = machine.eval(&definition.value)?;
            if is_defined(&member) {
                if O::LOOKS {
                    machine.yields(rule, definition, &member);
                }
                machine.budget.charge_member(members.is_empty())?;
                machine.budget.weigh(&member)?;
                members.insert(member);
            }
            Ok(())
        })?;
        Ok(Value::from(members))
    }

    fn object(&mut self, rule: &'p Rule, arity: usize) -> Result<Value> {
        let mut root = BTreeMap::new();
        self.each_solution(rule, arity, &mut |machine, definition| {
            let mut keys = Vec::with_capacity(definition.path.len());
            for key in &definition.path {
                let key = machine.eval(key)?;
                if !is_defined(&key) {
                    return Ok(());
                }
                machine.budget.weigh(&key)?;
                keys.push(key);
            }
            let value = machine.eval(&definition.value)?;
            if !is_defined(&value) {
                return Ok(());
            }
            if O::LOOKS {
                machine.yields(rule, definition, &value);
            }
            machine.budget.charge(3 * VALUE_SIZE * keys.len() as u64)?;
            let budget = &mut machine.budget;
            if grow(
                &mut root,
                keys.into_iter(),
                value,
                definition.member,
                budget,
            )? {
                Ok(())
            } else {
                Err(ErrorKind::KeyConflict.at(definition.span))
            }
        })?;
        Ok(Part::Branch(root).into_value())
    }

    /// Every solution of every definition of a partial rule.
    fn each_solution(
        &mut self,
        rule: &'p Rule,
        arity: usize,
        solution: &mut dyn FnMut(&mut Self, &'p Definition) -> Result<()>,
    ) -> Result<()> {
        for definition in self.candidates(rule)?.of(rule) {
            self.reset_frame(arity, definition.slots);
            if O::LOOKS {
                self.observer.tries(rule, definition);
            }
            if self.takes(definition)? {
                self.run(&definition.body, &mut |machine| {
                    solution(machine, definition)?;
                    Ok(Flow::Continue)
                })?;
            }
            if O::LOOKS {
                self.observer.leaves(rule, definition);
            }
        }
        Ok(())
    }

    /// The definitions that can hold.
    fn candidates(&mut self, rule: &'p Rule) -> Result<Tried<'p>> {
        let Some(mut index) = rule.index.as_ref() else {
            return Ok(Tried::All);
        };
        loop {
            match self.choose(index)? {
                Candidates::List(list) => {
                    if O::LOOKS {
                        self.passes_over(rule, list);
                    }
                    return Ok(Tried::Some(list));
                }
                Candidates::Index(next) => index = next,
            }
        }
    }

    fn choose(&mut self, index: &'p Index) -> Result<&'p Candidates> {
        if let Some(guard) = self.peek(&index.guard) {
            return Ok(chosen(index, guard));
        }
        let guard = self.eval(&index.guard)?;
        Ok(chosen(index, &guard))
    }

    fn yields(&mut self, rule: &Rule, definition: &Definition, value: &Value) {
        let view = View {
            slots: &self.slots[self.base..],
            input: &self.scope.input,
        };
        self.observer.yields(rule, definition, value, view);
    }

    /// Shows the definitions that the index leaves out.
    fn passes_over(&mut self, rule: &Rule, tried: &[u32]) {
        let view = View {
            slots: &self.slots[self.base..],
            input: &self.scope.input,
        };
        for (number, definition) in (0..).zip(&rule.definitions) {
            if !tried.contains(&number) {
                self.observer.passes_over(rule, definition, view);
            }
        }
    }
}

fn chosen<'p>(index: &'p Index, guard: &Value) -> &'p Candidates {
    let cases = &index.cases;
    let found = cases.binary_search_by(|(value, _)| value::compare(value, guard));
    match found {
        Ok(at) if is_defined(guard) => &cases[at].1,
        _ => &index.otherwise,
    }
}

/// The definitions to try.
#[derive(Debug, Clone, Copy)]
enum Tried<'p> {
    All,
    Some(&'p [u32]),
}

impl<'p> Tried<'p> {
    fn of(self, rule: &'p Rule) -> impl Iterator<Item = &'p Definition> {
        let (all, some): (&[Definition], &[u32]) = match self {
            Self::All => (&rule.definitions, &[]),
            Self::Some(list) => (&[], list),
        };
        all.iter()
            .chain(some.iter().map(|at| &rule.definitions[*at as usize]))
    }
}

/// Whether all definitions, and what they have for `else`, have the same constant.
fn agree(rule: &Rule, tried: Tried<'_>) -> bool {
    let mut same = None;
    tried.of(rule).all(|definition| {
        let chain = std::iter::successors(Some(definition), |one| one.otherwise.as_deref());
        chain.into_iter().all(|definition| match &definition.value {
            Term::Constant(value) => same.get_or_insert(value) == &value,
            _ => false,
        })
    })
}

fn conflict(rule: &Rule) -> ErrorKind {
    let name = path_name(&rule.path);
    match rule.kind {
        RuleKind::Function { .. } => ErrorKind::FunctionConflict(name),
        _ => ErrorKind::RuleConflict(name),
    }
}

/// `data.platform.limits`
pub(super) fn path_name(path: &[Value]) -> String {
    path.iter().fold("data".to_owned(), |name, key| match key {
        Value::String(key)
            if !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_') =>
        {
            format!("{name}.{key}")
        }
        key => format!("{name}[{}]", value::json::write(key)),
    })
}

/// A part of the object that a partial rule makes.
#[derive(Debug)]
enum Part {
    /// The value of one solution.
    Leaf(Value),
    /// The members of several.
    Members(BTreeSet<Value>),
    /// What lies below further keys.
    Branch(BTreeMap<Value, Part>),
}

impl Part {
    fn into_value(self) -> Value {
        match self {
            Self::Leaf(value) => value,
            Self::Members(members) => Value::from(members),
            Self::Branch(parts) => parts
                .into_iter()
                .map(|(key, part)| (key, part.into_value()))
                .collect::<BTreeMap<_, _>>()
                .into(),
        }
    }

    fn equals(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Leaf(leaf), value) => leaf == value,
            (Self::Members(members), Value::Set(set)) => {
                members.len() == set.len() && members.iter().all(|member| set.contains(member))
            }
            (Self::Branch(parts), Value::Object(object)) => {
                parts.len() == object.len()
                    && parts
                        .iter()
                        .all(|(key, part)| object.get(key).is_some_and(|value| part.equals(value)))
            }
            _ => false,
        }
    }
}

/// Adds a solution below its keys; `false` if another one is in its way.
fn grow(
    parts: &mut BTreeMap<Value, Part>,
    mut keys: impl ExactSizeIterator<Item = Value>,
    value: Value,
    member: bool,
    budget: &mut Budget,
) -> Result<bool> {
    let Some(key) = keys.next() else {
        return Ok(false);
    };
    if keys.len() > 0 {
        let below = match parts.entry(key) {
            Entry::Occupied(below) => below.into_mut(),
            Entry::Vacant(place) => {
                budget.charge(2 * SET_SIZE)?;
                place.insert(Part::Branch(BTreeMap::new()))
            }
        };
        return match below {
            Part::Branch(below) => grow(below, keys, value, member, budget),
            _ => Ok(false),
        };
    }
    let part = parts.get_mut(&key);
    if member || part.is_some() {
        budget.weigh(&value)?;
    }
    Ok(match (part, member) {
        (None, true) => {
            budget.charge(SET_SIZE)?;
            parts.insert(key, Part::Members(BTreeSet::from([value])));
            true
        }
        (None, false) => {
            parts.insert(key, Part::Leaf(value));
            true
        }
        (Some(Part::Members(members)), true) => {
            members.insert(value);
            true
        }
        (Some(part), false) if part.equals(&value) => {
            // As in OPA, nothing more can be put below a place that has had a value.
            if let Part::Branch(_) = part {
                *part = Part::Leaf(value);
            }
            true
        }
        (Some(_), _) => false,
    })
}
