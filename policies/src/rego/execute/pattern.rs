//! Destructuring.

use super::{Machine, Observer, Result};
use crate::rego::{
    plan::ir::Pattern,
    value::{self, Value},
};

impl<'p, O: Observer> Machine<'p, O> {
    /// Whether a value has this shape. Writes the slots of the pattern, some of them even where it
    /// has not.
    pub(super) fn matches(&mut self, pattern: &'p Pattern, value: &Value) -> Result<bool> {
        match pattern {
            Pattern::Any => Ok(true),
            Pattern::Bind(slot) => {
                self.write(*slot, value.clone());
                Ok(true)
            }
            Pattern::Equal(term) => self.equals(term, value),
            Pattern::Array(patterns) => {
                let elements = value::elements(value);
                let Some(elements) = elements.filter(|found| found.len() == patterns.len()) else {
                    return Ok(false);
                };
                for (pattern, element) in patterns.iter().zip(elements) {
                    if !self.matches(pattern, element)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Pattern::Object(patterns) => {
                let Value::Object(object) = value else {
                    return Ok(false);
                };
                if object.len() != patterns.len() {
                    return Ok(false);
                }
                for (key, pattern) in patterns {
                    let key = self.eval(key)?;
                    self.budget.weigh(&key)?;
                    match object.get(&key) {
                        Some(member) if self.matches(pattern, member)? => {}
                        _ => return Ok(false),
                    }
                }
                Ok(true)
            }
        }
    }
}
