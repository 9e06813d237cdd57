//! Comprehensions that are evaluated for all keys at once.

use std::collections::{BTreeMap, BTreeSet};

use super::{Flow, Machine, Observer, Result};
use crate::rego::{
    plan::ir::{Grouping, GroupingId, Head},
    value::{Value, is_defined},
};

/// For so many keys a comprehension is evaluated for each alone. Collections of all of them cost
/// about as much again.
const ALONE: u32 = 2;

/// What is known of a comprehension that is asked for one key after the other.
#[derive(Debug)]
enum Asked {
    /// So many times, and evaluated each time.
    Times(u32),
    /// It has been evaluated for all keys.
    Grouped(BTreeMap<Value, Value>),
}

/// The comprehensions that were asked for keys, in one scope.
#[derive(Debug, Default)]
pub(super) struct Groups(BTreeMap<GroupingId, Asked>);

impl<'p, O: Observer> Machine<'p, O> {
    /// The value of a comprehension for the keys that are bound now; nothing, where it is to be
    /// evaluated for them alone.
    pub(super) fn grouped(&mut self, grouping: &'p Grouping) -> Result<Option<Value>> {
        // Whoever looks on wants to see the conditions for these keys.
        if O::LOOKS {
            return Ok(None);
        }
        let asked = self.scope.groups.0.entry(grouping.id);
        if let Asked::Times(times) = asked.or_insert(Asked::Times(0)) {
            if *times < ALONE {
                *times += 1;
                return Ok(None);
            }
            let groups = self.groups(grouping)?;
            let groups = Asked::Grouped(groups);
            self.scope.groups.0.insert(grouping.id, groups);
        }
        let mut keys = Vec::with_capacity(grouping.asked.len());
        for term in &grouping.asked {
            let key = self.eval(term)?;
            self.budget.weigh(&key)?;
            keys.push(key);
        }
        let found = match self.scope.groups.0.get(&grouping.id) {
            Some(Asked::Grouped(groups)) if keys.iter().all(is_defined) => {
                groups.get(&key(keys.into_iter()))
            }
            _ => None,
        };
        Ok(Some(match (found, &grouping.head) {
            (Some(group), _) => group.clone(),
            (None, Head::Set(_)) => Value::new_set(),
            (None, _) => Value::new_array(),
        }))
    }

    fn found(&mut self, grouping: &'p Grouping) -> Result<Value> {
        let key = key(grouping.found.iter().map(|slot| self.local(*slot).clone()));
        self.budget.weigh(&key)?;
        Ok(key)
    }

    fn groups(&mut self, grouping: &'p Grouping) -> Result<BTreeMap<Value, Value>> {
        self.budget.descend()?;
        let mut groups = BTreeMap::new();
        match &grouping.head {
            Head::Array(element) => {
                let mut lists: BTreeMap<Value, Vec<Value>> = BTreeMap::new();
                self.run(&grouping.body, &mut |machine| {
                    let element = machine.eval(element)?;
                    if is_defined(&element) {
                        let key = machine.found(grouping)?;
                        let is_first = !lists.contains_key(&key);
                        machine.budget.charge_member(is_first)?;
                        lists.entry(key).or_default().push(element);
                    }
                    Ok(Flow::Continue)
                })?;
                groups.extend(lists.into_iter().map(|(key, list)| (key, list.into())));
            }
            Head::Set(member) => {
                let mut sets: BTreeMap<Value, BTreeSet<Value>> = BTreeMap::new();
                self.run(&grouping.body, &mut |machine| {
                    let member = machine.eval(member)?;
                    if is_defined(&member) {
                        machine.budget.weigh(&member)?;
                        let key = machine.found(grouping)?;
                        let is_first = !sets.contains_key(&key);
                        machine.budget.charge_member(is_first)?;
                        sets.entry(key).or_default().insert(member);
                    }
                    Ok(Flow::Continue)
                })?;
                groups.extend(sets.into_iter().map(|(key, set)| (key, set.into())));
            }
            Head::Object(..) => {}
        }
        self.budget.ascend();
        for value in groups.values() {
            self.budget.built(value)?;
        }
        Ok(groups)
    }
}

/// One key for several: all in an array.
fn key(mut keys: impl ExactSizeIterator<Item = Value>) -> Value {
    match keys.len() {
        1 => keys.next().unwrap_or(Value::Undefined),
        _ => Value::from(keys.collect::<Vec<_>>()),
    }
}
