//! Partial rules of which only a part is asked.

use std::mem;

use super::{Flow, Machine, Next, Observer, Result, memo, step::Segments};
use crate::rego::{
    plan::{
        ir::{Known, PartId, Pattern, RuleId, Segment, Term},
        part,
    },
    value::{self, Value, is_defined},
};

impl<'p, O: Observer> Machine<'p, O> {
    /// What a path of known keys leads to in a rule. The keys are evaluated before the rule: where
    /// one of them is undefined, the rule does not matter.
    pub(super) fn below_rule(&mut self, rule: RuleId, path: &'p [Term]) -> Result<Value> {
        let is_simple = |key| self.key(key).is_some_and(is_defined);
        if !path.iter().all(is_simple) {
            let Some(keys) = self.keys(path)? else {
                return Ok(Value::Undefined);
            };
            return Ok(descend(&self.rule(rule)?, &keys));
        }
        let value = self.rule(rule)?;
        let below = path
            .iter()
            .try_fold(&value, |value, key| value::get(value, self.simple(key)?));
        Ok(below.cloned().unwrap_or(Value::Undefined))
    }

    /// What a path of known keys leads to in a part of a rule.
    pub(super) fn below_part(&mut self, id: PartId, path: &'p [Term]) -> Result<Value> {
        let plan = self.plan;
        let start = self.slots.len();
        let (known, further) = path.split_at(plan.parts[id.index()].keys.len());
        for key in known {
            if !self.push_known(key, &Known::Value)? {
                self.slots.truncate(start);
                return Ok(Value::Undefined);
            }
        }
        let Some(further) = self.keys(further)? else {
            self.slots.truncate(start);
            return Ok(Value::Undefined);
        };
        let value = self.part(id, start)?;
        let keys = self.slots[start..start + known.len()]
            .iter()
            .chain(&further);
        let below = descend(&value, keys);
        self.slots.truncate(start);
        Ok(below)
    }

    /// What keys lead to in a rule that was found at run time.
    pub(super) fn keys_below(&mut self, rule: RuleId, keys: &[Value]) -> Result<Value> {
        let most = self.plan.rules[rule.index()].keys as usize;
        let known = &keys[..keys.len().min(most)];
        let asked = vec![Known::Value; known.len()];
        let value = match self.plan.part(rule, &asked) {
            None => self.rule(rule)?,
            Some(part) => {
                let start = self.slots.len();
                self.slots.extend_from_slice(known);
                let value = self.part(part, start)?;
                self.slots.truncate(start);
                value
            }
        };
        Ok(descend(&value, keys))
    }

    /// Follows an enumerating path into a rule that was found at run time.
    pub(super) fn follow_rule(
        &mut self,
        rule: RuleId,
        segments: Segments<'p>,
        next: Next<'_, 'p, O>,
    ) -> Result<Flow> {
        let most = self.plan.rules[rule.index()].keys as usize;
        let known = part::known(segments.path, most);
        if let Some(part) = self.plan.part(rule, &known) {
            return self.follow_part(part, segments, next);
        }
        let value = self.rule(rule)?;
        self.follow(&value, segments, next)
    }

    /// Follows an enumerating path into a part of a rule.
    pub(super) fn follow_part(
        &mut self,
        id: PartId,
        segments: Segments<'p>,
        next: Next<'_, 'p, O>,
    ) -> Result<Flow> {
        let plan = self.plan;
        let start = self.slots.len();
        for (segment, known) in segments.path.iter().zip(&plan.parts[id.index()].keys) {
            let defined = match segment {
                Segment::Key(term) => self.push_known(term, known)?,
                Segment::Any(pattern) => self.push_matched(pattern, known)?,
            };
            if !defined {
                self.slots.truncate(start);
                return Ok(Flow::Continue);
            }
        }
        let value = self.part(id, start)?;
        self.slots.truncate(start);
        self.follow(&value, segments, next)
    }

    /// Puts a known key upon the frames; `false` if it is undefined.
    fn push_known(&mut self, term: &'p Term, known: &Known) -> Result<bool> {
        if let Known::Nothing | Known::Same(_) = known {
            return Ok(true);
        }
        let value = self.eval(term)?;
        self.budget.weigh(&value)?;
        let defined = is_defined(&value);
        self.slots.push(value);
        Ok(defined)
    }

    /// Puts what is known of a key upon the frames.
    fn push_matched(&mut self, pattern: &'p Pattern, known: &Known) -> Result<bool> {
        match (pattern, known) {
            (Pattern::Equal(term), known) => self.push_known(term, known),
            (Pattern::Array(patterns), Known::Array(parts)) => {
                for (pattern, known) in patterns.iter().zip(parts) {
                    if !self.push_matched(pattern, known)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Pattern::Object(patterns), Known::Object(parts)) => {
                for ((_, pattern), (_, known)) in patterns.iter().zip(parts) {
                    if !self.push_matched(pattern, known)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            _ => Ok(true),
        }
    }

    /// What a part of a rule gives, as a document from the rule's path on; of a rule that has been
    /// evaluated already, all of it. The known keys lie on the frames from `start` on.
    fn part(&mut self, id: PartId, start: usize) -> Result<Value> {
        let part = &self.plan.parts[id.index()];
        let rule = &part.rule;
        if self.scope.hides(&rule.path) {
            return self.base_data(&rule.path);
        }
        if let Some(value) = self.scope.memo.rule(part.of) {
            return Ok(value.clone());
        }
        // Parts are numbered behind the rules.
        let number = RuleId(u32::try_from(self.plan.rules.len()).unwrap_or(u32::MAX) + id.0);
        let arity = self.slots.len() - start;
        let keys = &self.slots[start..];
        let hash = memo::hash(number, keys);
        if let Some(value) = self.scope.memo.call(hash, number, keys) {
            return Ok(value.clone());
        }
        self.budget.descend_by(rule.levels)?;
        self.budget.step()?;
        let base = mem::replace(&mut self.base, start);
        let value = self.partial(rule, arity)?;
        self.base = base;
        self.budget.ascend_by(rule.levels);
        self.charge_members(arity)?;
        let keys = &self.slots[start..start + arity];
        self.scope.memo.keep_call(hash, number, keys, value.clone());
        Ok(value)
    }

    /// The keys of a path; `None` if one is undefined.
    pub(super) fn keys(&mut self, path: &'p [Term]) -> Result<Option<Vec<Value>>> {
        let mut keys = Vec::with_capacity(path.len());
        for term in path {
            match self.eval(term)? {
                Value::Undefined => return Ok(None),
                key => {
                    self.budget.weigh(&key)?;
                    keys.push(key);
                }
            }
        }
        Ok(Some(keys))
    }
}

/// What keys lead to, or [`Value::Undefined`].
fn descend<'k>(value: &'k Value, keys: impl IntoIterator<Item = &'k Value>) -> Value {
    let below = keys.into_iter().try_fold(value, value::get);
    below.cloned().unwrap_or(Value::Undefined)
}
