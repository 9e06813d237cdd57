//! Comprehensions that are evaluated for all keys at once.

use std::collections::{BTreeMap, BTreeSet};

use super::{Flow, Machine, Observer, Result, VALUE_SIZE};
use crate::rego::{
    plan::ir::{Grouping, GroupingId, Head, Slot},
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
        let key = self.key(&grouping.asked);
        Ok(match self.scope.groups.0.get(&grouping.id) {
            Some(Asked::Grouped(groups)) => Some(match groups.get(&key) {
                Some(value) => value.clone(),
                None => match grouping.head {
                    Head::Set(_) => Value::new_set(),
                    _ => Value::new_array(),
                },
            }),
            _ => None,
        })
    }

    fn key(&self, slots: &'p [Slot]) -> Value {
        let mut values = slots.iter().map(|slot| self.local(*slot).clone());
        match slots.len() {
            1 => values.next().unwrap_or(Value::Undefined),
            _ => Value::from(values.collect::<Vec<_>>()),
        }
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
                        machine.budget.charge(2 * VALUE_SIZE)?;
                        let key = machine.key(&grouping.found);
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
                        machine.budget.charge(3 * VALUE_SIZE)?;
                        let key = machine.key(&grouping.found);
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
