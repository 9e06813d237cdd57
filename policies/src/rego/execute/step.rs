//! Blocks and their steps.

use super::{Flow, Machine, Next, Observer, Result, View};
use crate::rego::{
    plan::ir::{Block, Every, Find, Pattern, Segment, Source, Step, StepKind, Term, Walk},
    value::{self, Value, is_defined, order},
};

impl<'p, O: Observer> Machine<'p, O> {
    /// Runs a block, and `next` for each of its solutions.
    pub(super) fn run(&mut self, block: &'p Block, next: Next<'_, 'p, O>) -> Result<Flow> {
        self.run_steps(&block.steps, next)
    }

    /// Whether a block has a solution.
    pub(super) fn exists(&mut self, block: &'p Block) -> Result<bool> {
        Ok(self.run(block, &mut |_| Ok(Flow::Stop))? == Flow::Stop)
    }

    fn run_steps(&mut self, steps: &'p [Step], next: Next<'_, 'p, O>) -> Result<Flow> {
        for (at, step) in steps.iter().enumerate() {
            self.budget.step()?;
            if O::LOOKS {
                self.observer.looks_at(step);
            }
            let holds = match &step.kind {
                StepKind::Test(term) => match self.peek(term) {
                    Some(value) => holds(value),
                    None => holds(&self.eval(term)?),
                },
                StepKind::Bind(slot, term) => {
                    let value = self.eval(term)?;
                    let defined = is_defined(&value);
                    self.write(*slot, value);
                    defined
                }
                StepKind::Match(pattern, term) => {
                    let value = self.eval(term)?;
                    is_defined(&value) && self.matches(pattern, &value)?
                }
                StepKind::Not(block) => !self.nested(|machine| machine.exists(block))?,
                StepKind::Exists(block) => self.nested(|machine| machine.exists(block))?,
                StepKind::Either(blocks) => self.nested(|machine| machine.either(blocks))?,
                StepKind::Every(every) => self.nested(|machine| machine.every(every))?,
                StepKind::Find(_) | StepKind::Walk(_) | StepKind::With(_) => {
                    let rest = &steps[at + 1..];
                    let flow = self.nested(|machine| {
                        machine.enumerate(step, &mut |machine| {
                            if O::LOOKS {
                                machine.observer.holds(step);
                            }
                            machine.run_steps(rest, next)
                        })
                    })?;
                    if O::LOOKS && flow == Flow::Continue {
                        self.fails(step);
                    }
                    return Ok(flow);
                }
            };
            if O::LOOKS {
                if holds {
                    self.observer.holds(step);
                } else {
                    self.fails(step);
                }
            }
            if !holds {
                return Ok(Flow::Continue);
            }
        }
        next(self)
    }

    /// Shows a step that has no solution.
    fn fails(&mut self, step: &Step) {
        let view = View {
            slots: &self.slots[self.base..],
            input: &self.scope.input,
        };
        self.observer.fails(step, view);
    }

    /// The steps that can have several solutions.
    fn enumerate(&mut self, step: &'p Step, next: Next<'_, 'p, O>) -> Result<Flow> {
        match &step.kind {
            StepKind::Find(find) => self.find(find, next),
            StepKind::Walk(walk) => self.walk(walk, next),
            StepKind::With(with) => self.with(with, next),
            _ => next(self),
        }
    }

    /// One level further down.
    fn nested<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.budget.descend()?;
        let result = work(self)?;
        self.budget.ascend();
        Ok(result)
    }

    fn either(&mut self, blocks: &'p [Block]) -> Result<bool> {
        for block in blocks {
            if self.exists(block)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn every(&mut self, every: &'p Every) -> Result<bool> {
        let domain = self.eval(&every.domain)?;
        if !value::is_collection(&domain) {
            return Ok(false);
        }
        let any = Segments {
            path: &[],
            end: &every.value,
        };
        // Looks for a member for which the body has no solution.
        let flow = self.each(&domain, &every.key, any, &mut |machine| {
            Ok(if machine.exists(&every.body)? {
                Flow::Continue
            } else {
                Flow::Stop
            })
        })?;
        Ok(flow == Flow::Continue)
    }

    fn find(&mut self, find: &'p Find, next: Next<'_, 'p, O>) -> Result<Flow> {
        let segments = Segments {
            path: &find.path,
            end: &find.value,
        };
        match &find.source {
            Source::Term(term) => {
                let value = self.eval(term)?;
                self.follow(&value, segments, next)
            }
            Source::Part(part) => self.follow_part(*part, segments, next),
            Source::Node(node) => {
                let mut place = self.plan.tree[node.index()].path.to_vec();
                self.follow_tree(Some(*node), &mut place, segments, next)
            }
        }
    }

    /// Follows a path from a value.
    pub(super) fn follow(
        &mut self,
        value: &Value,
        segments: Segments<'p>,
        next: Next<'_, 'p, O>,
    ) -> Result<Flow> {
        match segments.path.split_first() {
            None if is_defined(value) && self.matches(segments.end, value)? => next(self),
            None => Ok(Flow::Continue),
            Some((Segment::Key(term), path)) => {
                let key = self.eval(term)?;
                self.budget.weigh(&key)?;
                match value::get(value, &key) {
                    Some(below) => self.follow(below, segments.below(path), next),
                    None => Ok(Flow::Continue),
                }
            }
            Some((Segment::Any(key), path)) => self.each(value, key, segments.below(path), next),
        }
    }

    /// Follows a path from every member of a collection whose key matches.
    fn each(
        &mut self,
        collection: &Value,
        key: &'p Pattern,
        segments: Segments<'p>,
        next: Next<'_, 'p, O>,
    ) -> Result<Flow> {
        match collection {
            Value::Array(_) => {
                for (index, element) in value::elements(collection)
                    .unwrap_or_default()
                    .iter()
                    .enumerate()
                {
                    self.budget.step()?;
                    let matches =
                        matches!(key, Pattern::Any) || self.matches(key, &Value::from(index))?;
                    if matches && self.follow(element, segments, next)? == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                }
            }
            Value::Object(object) => {
                for (name, member) in order::entries(object) {
                    self.budget.step()?;
                    if self.matches(key, name)?
                        && self.follow(member, segments, next)? == Flow::Stop
                    {
                        return Ok(Flow::Stop);
                    }
                }
            }
            Value::Set(set) => {
                if let ([], Pattern::Equal(term)) = (segments.path, segments.end)
                    && is_known_before(term, key)
                {
                    // What is looked for is known: it is there or not.
                    let member = self.eval(term)?;
                    self.budget.weigh(&member)?;
                    return match set.get(&member) {
                        Some(member) if self.matches(key, member)? => next(self),
                        _ => Ok(Flow::Continue),
                    };
                }
                for member in order::members(set) {
                    self.budget.step()?;
                    if self.matches(key, member)?
                        && self.follow(member, segments, next)? == Flow::Stop
                    {
                        return Ok(Flow::Stop);
                    }
                }
            }
            _ => {}
        }
        Ok(Flow::Continue)
    }

    fn walk(&mut self, walk: &'p Walk, next: Next<'_, 'p, O>) -> Result<Flow> {
        let root = self.eval(&walk.root)?;
        if !is_defined(&root) {
            return Ok(Flow::Continue);
        }
        let mut path = match &walk.output {
            Pattern::Array(parts) if matches!(**parts, [Pattern::Any, _]) => None,
            _ => Some(Vec::new()),
        };
        self.walk_from(&root, &mut path, &walk.output, next)
    }

    /// What is here, and everything below. The path is kept only where it is asked for.
    fn walk_from(
        &mut self,
        value: &Value,
        path: &mut Option<Vec<Value>>,
        output: &'p Pattern,
        next: Next<'_, 'p, O>,
    ) -> Result<Flow> {
        self.budget.step()?;
        let here = if let (None, Pattern::Array(parts)) = (&*path, output) {
            self.matches(&parts[1], value)?
        } else {
            let steps = path.clone().unwrap_or_default();
            self.charge_members(steps.len() + 2)?;
            let pair = vec![Value::from(steps), value.clone()];
            self.matches(output, &Value::from(pair))?
        };
        if here && next(self)? == Flow::Stop {
            return Ok(Flow::Stop);
        }
        self.nested(|machine| {
            let mut down = |machine: &mut Self, key: &dyn Fn() -> Value, member: &Value| {
                if let Some(path) = path {
                    path.push(key());
                }
                let flow = machine.walk_from(member, path, output, next)?;
                if let Some(path) = path {
                    path.pop();
                }
                Ok(flow)
            };
            let flows: &mut dyn Iterator<Item = Result<Flow>> = match value {
                Value::Array(_) => {
                    let elements = value::elements(value).unwrap_or_default().iter();
                    &mut elements
                        .enumerate()
                        .map(|(at, member)| down(machine, &|| Value::from(at), member))
                }
                Value::Object(object) => &mut order::entries(object)
                    .map(|(key, member)| down(machine, &|| key.clone(), member)),
                Value::Set(set) => {
                    &mut order::members(set).map(|member| down(machine, &|| member.clone(), member))
                }
                _ => return Ok(Flow::Continue),
            };
            for flow in flows {
                if flow? == Flow::Stop {
                    return Ok(Flow::Stop);
                }
            }
            Ok(Flow::Continue)
        })
    }
}

/// What is left of an enumerating path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segments<'p> {
    pub(super) path: &'p [Segment],
    pub(super) end: &'p Pattern,
}

impl<'p> Segments<'p> {
    pub(super) fn below(self, path: &'p [Segment]) -> Self {
        Self { path, ..self }
    }
}

/// What a condition is.
fn holds(value: &Value) -> bool {
    !matches!(value, Value::Undefined | Value::Bool(false))
}

/// Whether a term does not depend on what a key binds: `x` does in `x = xs[x]`.
fn is_known_before(term: &Term, key: &Pattern) -> bool {
    match (key, term) {
        (Pattern::Any, _) | (_, Term::Constant(_)) => true,
        (Pattern::Bind(bound), Term::Local(slot)) => bound != slot,
        _ => false,
    }
}
