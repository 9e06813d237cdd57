//! What is in force, and `with`.

use std::mem;

use super::{Flow, Machine, Next, Observer, Result, grouping::Groups, memo::Memo};
use crate::rego::{
    plan::ir::{Call, Callee, Override, With},
    value::{self, Value, is_defined},
};

/// What is in force: `with` opens another one. Nothing that was memoised outside of it is seen
/// inside, and the reverse.
#[derive(Debug)]
pub(super) struct Scope {
    /// Undefined where there is none.
    pub(super) input: Value,
    /// What `with data…` has put in place, below `data`; undefined where there is nothing.
    pub(super) replaced: Value,
    /// The paths below `data` that are replaced: no rule at or below one is evaluated.
    pub(super) hidden: Vec<Box<[Value]>>,
    /// What stands in place of functions; later ones come first.
    pub(super) mocks: Vec<(Callee, Mock)>,
    /// What has been computed.
    pub(super) memo: Memo,
    /// Comprehensions that are asked for one key after the other.
    pub(super) groups: Groups,
}

/// What stands in place of a function.
#[derive(Debug, Clone)]
pub(super) enum Mock {
    Value(Value),
    Callee(Callee),
}

impl Scope {
    pub(super) fn new(input: Value) -> Self {
        Self {
            input,
            replaced: Value::Undefined,
            hidden: Vec::new(),
            mocks: Vec::new(),
            memo: Memo::default(),
            groups: Groups::default(),
        }
    }

    /// Whether the document at a path is replaced.
    pub(super) fn hides(&self, path: &[Value]) -> bool {
        self.hidden.iter().any(|hidden| path.starts_with(hidden))
    }
}

impl<'p, O: Observer> Machine<'p, O> {
    /// Runs the block of a `with` under its replacements, and `next` without them.
    pub(super) fn with(&mut self, with: &'p With, next: Next<'_, 'p, O>) -> Result<Flow> {
        let mut scope = Scope {
            input: self.scope.input.clone(),
            replaced: self.scope.replaced.clone(),
            hidden: self.scope.hidden.clone(),
            mocks: self.scope.mocks.clone(),
            memo: Memo::default(),
            groups: Groups::default(),
        };
        for replacement in &with.overrides {
            if !self.replace(&mut scope, replacement)? {
                return Ok(Flow::Continue);
            }
        }
        mem::swap(&mut self.scope, &mut scope);
        let flow = self.run(&with.block, &mut |machine| {
            mem::swap(&mut machine.scope, &mut scope);
            let flow = next(machine)?;
            mem::swap(&mut machine.scope, &mut scope);
            Ok(flow)
        })?;
        self.scope = scope;
        Ok(flow)
    }

    /// Adds a replacement to a scope; `false` if its value is undefined.
    fn replace(&mut self, scope: &mut Scope, replacement: &'p Override) -> Result<bool> {
        let (Override::Input(_, term) | Override::Data(_, term) | Override::Value(_, term)) =
            replacement
        else {
            if let Override::Callee(callee, other) = replacement {
                scope.mocks.push((*callee, Mock::Callee(*other)));
            }
            return Ok(true);
        };
        let value = self.eval(term)?;
        if !is_defined(&value) {
            return Ok(false);
        }
        match replacement {
            Override::Input(path, _) => {
                self.charge_put(&scope.input, path)?;
                self.budget.look_into(&value)?;
                scope.input = put(
                    mem::replace(&mut scope.input, Value::Undefined),
                    path,
                    value,
                );
            }
            Override::Data(path, _) => {
                self.charge_put(&scope.replaced, path)?;
                self.budget.look_into(&value)?;
                scope.replaced = put(
                    mem::replace(&mut scope.replaced, Value::Undefined),
                    path,
                    value,
                );
                scope.hidden.push(path.clone());
            }
            Override::Value(callee, _) => scope.mocks.push((*callee, Mock::Value(value))),
            Override::Callee(..) => {}
        }
        Ok(true)
    }

    /// Accounts for [`put`]: what is on the way is built anew, with all that lies beside the path.
    fn charge_put<'v>(&mut self, mut document: &'v Value, path: &'v [Value]) -> Result<()> {
        for key in path {
            let beside = match document {
                Value::Object(object) => object.len(),
                _ => 0,
            };
            self.budget.steps(beside as u64)?;
            self.charge_members(3 * (beside + 1))?;
            document = value::get(document, key).unwrap_or(&Value::Undefined);
        }
        Ok(())
    }

    /// Calls what stands in place of a function, or else the function.
    pub(super) fn apply_mocked(
        &mut self,
        callee: Callee,
        start: usize,
        call: &'p Call,
    ) -> Result<Value> {
        let mut mocks = self.scope.mocks.iter().rev();
        match mocks.find(|(mocked, _)| *mocked == callee) {
            None => self.apply(callee, start, call),
            Some((_, Mock::Value(value))) => Ok(value.clone()),
            Some((_, Mock::Callee(other))) => {
                let other = *other;
                let mocks = mem::take(&mut self.scope.mocks);
                let value = self.apply(other, start, call)?;
                self.scope.mocks = mocks;
                Ok(value)
            }
        }
    }
}

/// Puts a value below a document. What is on the way and is no object gives way to one.
fn put(document: Value, path: &[Value], value: Value) -> Value {
    let Some((key, rest)) = path.split_first() else {
        return value;
    };
    let mut object = match document {
        Value::Object(object) => (*object).clone(),
        _ => regorus::value::Object::new(),
    };
    let below = object.remove(key).unwrap_or(Value::Undefined);
    object.insert(key.clone(), put(below, rest, value));
    object.into_value()
}
