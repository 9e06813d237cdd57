//! Documents: where rules and base data lie over each other.
//!
//! Below a path that `with` has replaced there are no rules, and only what was put there counts as
//! base data. Elsewhere, base data is what was put into `data` over what is stored.

use std::collections::BTreeMap;

use regorus::value::Object;

use super::{Budget, Flow, Machine, Next, Observer, Result, VALUE_SIZE, step::Segments};
use crate::rego::{
    plan::ir::{NodeId, RuleId, RuleKind, Segment, Term},
    value::{self, Value, is_defined, order},
};

impl<'p, O: Observer> Machine<'p, O> {
    /// Base data at a path.
    pub(super) fn base_data(&mut self, path: &[Value]) -> Result<Value> {
        let stored = stored(&self.data, path);
        let replaced = find(&self.scope.replaced, path);
        let found = match (replaced, stored) {
            (Some(replaced), Some(stored)) if !self.scope.hides(path) => {
                return merge(&mut self.budget, replaced, stored);
            }
            (replaced, _) if self.scope.hides(path) => replaced,
            (replaced, stored) => replaced.or(stored),
        };
        Ok(found.cloned().unwrap_or(Value::Undefined))
    }

    /// Base data at a path of terms.
    pub(super) fn lookup_base(&mut self, path: &'p [Term]) -> Result<Value> {
        let keys = self.keys(path)?;
        keys.map_or(Ok(Value::Undefined), |keys| self.base_data(&keys))
    }

    /// All of a package, or of what is above packages.
    pub(super) fn document(&mut self, node: NodeId) -> Result<Value> {
        let path = &self.plan.tree[node.index()].path;
        self.extent(Some(node), path)
    }

    /// What a path leads to from a package.
    pub(super) fn lookup(&mut self, node: NodeId, path: &'p [Term]) -> Result<Value> {
        let Some(keys) = self.keys(path)? else {
            return Ok(Value::Undefined);
        };
        let mut place = self.plan.tree[node.index()].path.to_vec();
        let mut node = Some(node);
        for (at, key) in keys.iter().enumerate() {
            place.push(key.clone());
            node = self.child(node, key, &place);
            if let Some(rule) = self.rule_at(node) {
                return self.keys_below(rule, &keys[at + 1..]);
            }
        }
        self.extent(node, &place)
    }

    /// Follows an enumerating path from a place in the tree.
    pub(super) fn follow_tree(
        &mut self,
        node: Option<NodeId>,
        place: &mut Vec<Value>,
        segments: Segments<'p>,
        next: Next<'_, 'p, O>,
    ) -> Result<Flow> {
        match segments.path.split_first() {
            None => {
                let document = self.extent(node, place)?;
                self.follow(&document, segments, next)
            }
            Some((Segment::Key(term), path)) => {
                let key = self.eval(term)?;
                if !is_defined(&key) {
                    return Ok(Flow::Continue);
                }
                self.descend_tree(node, place, key, segments.below(path), next)
            }
            Some((Segment::Any(pattern), path)) => {
                for key in self.keys_at(node, place)? {
                    self.budget.step()?;
                    if self.matches(pattern, &key)?
                        && self.descend_tree(node, place, key, segments.below(path), next)?
                            == Flow::Stop
                    {
                        return Ok(Flow::Stop);
                    }
                }
                Ok(Flow::Continue)
            }
        }
    }

    fn descend_tree(
        &mut self,
        node: Option<NodeId>,
        place: &mut Vec<Value>,
        key: Value,
        segments: Segments<'p>,
        next: Next<'_, 'p, O>,
    ) -> Result<Flow> {
        self.budget.descend()?;
        let at = place.len();
        place.push(key);
        let child = self.child(node, &place[at], place);
        let flow = match self.rule_at(child) {
            Some(rule) => self.follow_rule(rule, segments, next)?,
            None => self.follow_tree(child, place, segments, next)?,
        };
        place.truncate(at);
        self.budget.ascend();
        Ok(flow)
    }

    /// The keys at a place: those of base data, then those of rules and packages.
    fn keys_at(&mut self, node: Option<NodeId>, place: &[Value]) -> Result<Vec<Value>> {
        let base = self.base_data(place)?;
        if value::is_collection(&base) {
            let count = value::count(&base).unwrap_or(0) as u64;
            self.budget.room(VALUE_SIZE * count)?;
        }
        let mut keys: Vec<Value> = match &base {
            Value::Object(object) => order::entries(object).map(|(key, _)| key.clone()).collect(),
            Value::Set(set) => order::members(set).cloned().collect(),
            base => {
                let elements = value::elements(base).unwrap_or_default();
                (0..elements.len()).map(Value::from).collect()
            }
        };
        if let Some(node) = node {
            for child in &self.plan.tree[node.index()].children {
                let key = self.plan.tree[child.index()].key();
                if value::get(&base, key).is_none() {
                    keys.push(key.clone());
                }
            }
        }
        Ok(keys)
    }

    /// The package or rule below another one, unless it is replaced.
    fn child(&self, node: Option<NodeId>, key: &Value, place: &[Value]) -> Option<NodeId> {
        let children = &self.plan.tree[node?.index()].children;
        let found = children
            .binary_search_by(|child| value::compare(self.plan.tree[child.index()].key(), key));
        let child = children[found.ok()?];
        (!self.scope.hides(place)).then_some(child)
    }

    /// The rule at a place, if there is one.
    fn rule_at(&self, node: Option<NodeId>) -> Option<RuleId> {
        self.plan.tree[node?.index()].rule
    }

    /// The document at a place: of rules, of base data, or of both. Where both have a value, base
    /// data wins.
    fn extent(&mut self, node: Option<NodeId>, place: &[Value]) -> Result<Value> {
        let base = self.base_data(place)?;
        let Some(node) = node else {
            return Ok(base);
        };
        let rules = self.leaves(node)?;
        Ok(match &base {
            Value::Undefined => rules,
            Value::Object(_) => merge(&mut self.budget, &base, &rules)?,
            _ => base,
        })
    }

    /// The object of all rules below a package.
    fn leaves(&mut self, node: NodeId) -> Result<Value> {
        self.budget.descend()?;
        let node = &self.plan.tree[node.index()];
        let mut object = BTreeMap::new();
        for child in &node.children {
            let below = &self.plan.tree[child.index()];
            let value = match below.rule {
                Some(rule) if self.is_function(rule) => continue,
                Some(rule) => self.rule(rule)?,
                None => self.leaves(*child)?,
            };
            if is_defined(&value) {
                self.charge_members(1)?;
                object.insert(below.key().clone(), value);
            }
        }
        self.budget.ascend();
        Ok(Value::from(object))
    }

    fn is_function(&self, rule: RuleId) -> bool {
        matches!(
            self.plan.rules[rule.index()].kind,
            RuleKind::Function { .. }
        )
    }
}

/// Stored data at a path.
fn stored<'v>(data: &'v Value, path: &'v [Value]) -> Option<&'v Value> {
    path.iter().try_fold(data, stored_member)
}

/// A member of stored data. As in OPA's store, a number also names the member whose key is its
/// text, and a text the element whose index it is.
pub(super) fn stored_member<'v>(value: &'v Value, key: &'v Value) -> Option<&'v Value> {
    value::get(value, key).or_else(|| match (value, key) {
        (Value::Object(object), Value::Number(_)) => {
            object.get(&Value::from(value::number::text(key)?))
        }
        (Value::Array(_), Value::String(index)) => {
            value::elements(value)?.get(index.parse::<usize>().ok()?)
        }
        _ => None,
    })
}

fn find<'v>(value: &'v Value, path: &'v [Value]) -> Option<&'v Value> {
    path.iter()
        .try_fold(value, value::get)
        .filter(|value| is_defined(value))
}

/// Two documents over each other: objects are merged, elsewhere the first wins.
fn merge(budget: &mut Budget, first: &Value, second: &Value) -> Result<Value> {
    let (Value::Object(first), Value::Object(second)) = (first, second) else {
        return Ok(first.clone());
    };
    let members = (first.len() + second.len()) as u64;
    budget.steps(members)?;
    budget.charge(3 * VALUE_SIZE * members)?;
    let mut merged = Object::clone(second);
    for (key, value) in first.iter() {
        let value = match second.get(key) {
            Some(below) => merge(budget, value, below)?,
            None => value.clone(),
        };
        merged.insert(key.clone(), value);
    }
    Ok(merged.into_value())
}
