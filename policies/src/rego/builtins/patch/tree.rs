//! A document with changes that are not made yet, as OPA's `edittree` keeps it.
//!
//! The changes of an object or a set lie under their keys, those of an array are its new elements
//! between the original ones. OPA looks an element up that was not changed by its place in the
//! original array, even if others were put in or taken out before it; so does this.

use std::collections::{BTreeMap, BTreeSet};

use super::{Context, Result, fault, missing, place, refused};
use crate::rego::value::{Value, elements, is_collection};

#[derive(Debug)]
pub(super) struct Tree {
    original: Value,
    /// Of an object or a set: what is under keys now; nothing, if it was removed.
    keyed: BTreeMap<Value, Option<Tree>>,
    /// The elements of an array, once one was changed.
    elements: Option<Vec<Element>>,
}

/// An element of an array.
#[derive(Debug)]
enum Element {
    /// One of the original array, by its place there.
    Original(usize),
    New(Tree),
}

impl Tree {
    pub(super) fn new(original: Value) -> Self {
        Self {
            original,
            keyed: BTreeMap::new(),
            elements: None,
        }
    }

    /// What a path leads to.
    pub(super) fn unfold(
        &mut self,
        context: &mut Context<'_, '_>,
        path: &[Value],
    ) -> Result<&mut Self> {
        let Some((key, rest)) = path.split_first() else {
            return Ok(self);
        };
        context.budget.steps(1)?;
        if matches!(self.original, Value::Set(_)) && is_collection(key) {
            self.collapse(context)?;
        }
        let child = match &self.original {
            Value::Object(_) | Value::Set(_) => self.unfold_key(context, key)?,
            _ => self.unfold_element(context, key)?,
        };
        child.unfold(context, rest)
    }

    fn unfold_key(&mut self, context: &mut Context<'_, '_>, key: &Value) -> Result<&mut Self> {
        let is_set = matches!(self.original, Value::Set(_));
        let found = match &self.original {
            Value::Object(object) => object.get(key).cloned(),
            Value::Set(set) => set.contains(key).then(|| key.clone()),
            _ => None,
        };
        let changes = &mut self.keyed;
        if !changes.contains_key(key) {
            context.charge_members(4)?;
            let child = Self::new(found.ok_or_else(missing)?);
            changes.insert(key.clone(), Some(child));
        }
        match changes.get_mut(key) {
            Some(Some(child)) => Ok(child),
            _ if is_set => Err(refused("a member that was removed is looked at")),
            _ => Err(missing()),
        }
    }

    fn unfold_element(&mut self, context: &mut Context<'_, '_>, key: &Value) -> Result<&mut Self> {
        let found = elements(&self.original).ok_or_else(missing)?;
        let length = self.length();
        let at = place(length, key)?;
        let found = found.get(at).cloned();
        let Some(element) = self.elements(context)?.get_mut(at) else {
            return Err(missing());
        };
        if let Element::Original(_) = element {
            context.charge_members(2)?;
            *element = Element::New(Self::new(found.ok_or_else(missing)?));
        }
        match element {
            Element::New(child) => Ok(child),
            Element::Original(_) => Err(missing()),
        }
    }

    /// Puts a value under a key.
    pub(super) fn insert(
        &mut self,
        context: &mut Context<'_, '_>,
        key: &Value,
        value: Value,
    ) -> Result<()> {
        context.charge_members(4)?;
        match &self.original {
            Value::Object(_) => {}
            Value::Set(_) => {
                if *key != value {
                    return Err(fault("set key does not equal value to be inserted"));
                }
                if is_collection(key) {
                    self.collapse(context)?;
                }
            }
            _ => {
                elements(&self.original).ok_or_else(missing)?;
                let length = self.length();
                let at = place(length, key)?;
                if at > length {
                    return Err(fault("index for array insertion out of bounds"));
                }
                context.budget.steps((length - at) as u64)?;
                let new = Element::New(Self::new(value));
                self.elements(context)?.insert(at, new);
                return Ok(());
            }
        }
        let changes = &mut self.keyed;
        // The new key is kept, which can be written otherwise.
        changes.remove(key);
        changes.insert(key.clone(), Some(Self::new(value)));
        Ok(())
    }

    /// Takes away what is under a key.
    pub(super) fn remove(&mut self, context: &mut Context<'_, '_>, key: &Value) -> Result<()> {
        context.charge_members(4)?;
        let is_there = match &self.original {
            Value::Object(object) => object.contains_key(key),
            Value::Set(_) => {
                if is_collection(key) {
                    self.collapse(context)?;
                }
                matches!(&self.original, Value::Set(set) if set.contains(key))
            }
            original => {
                elements(original).ok_or_else(missing)?;
                let length = self.length();
                let at = place(length, key)?;
                if at >= length {
                    return Err(fault("index for array delete out of bounds"));
                }
                context.budget.steps((length - at) as u64)?;
                self.elements(context)?.remove(at);
                return Ok(());
            }
        };
        let changes = &mut self.keyed;
        match changes.remove(key) {
            Some(None) => return Err(missing()),
            None if !is_there => return Err(missing()),
            _ => {}
        }
        changes.insert(key.clone(), None);
        Ok(())
    }

    /// The document with all changes made.
    pub(super) fn render(&self, context: &mut Context<'_, '_>) -> Result<Value> {
        context.budget.descend()?;
        let rendered = match &self.original {
            Value::Set(set) if !self.keyed.is_empty() => {
                context.charge_members(set.len() + self.keyed.len())?;
                let unchanged = set.iter().filter(|member| !self.keyed.contains_key(member));
                let mut members: BTreeSet<Value> = unchanged.cloned().collect();
                for child in self.keyed.values().flatten() {
                    members.insert(child.render(context)?);
                }
                members.into()
            }
            Value::Object(object) if !self.keyed.is_empty() => {
                context.charge_members(2 * (object.len() + self.keyed.len()))?;
                let unchanged = object
                    .iter()
                    .filter(|(key, _)| !self.keyed.contains_key(key));
                let unchanged = unchanged.map(|(key, value)| (key.clone(), value.clone()));
                let mut members: BTreeMap<Value, Value> = unchanged.collect();
                for (key, child) in &self.keyed {
                    if let Some(child) = child {
                        members.insert(key.clone(), child.render(context)?);
                    }
                }
                members.into()
            }
            original => match &self.elements {
                None => original.clone(),
                Some(changed) => {
                    context.charge_members(changed.len())?;
                    let original = elements(original).unwrap_or_default();
                    let rendered = changed.iter().map(|element| match element {
                        Element::Original(at) => original.get(*at).cloned().ok_or_else(missing),
                        Element::New(child) => child.render(context),
                    });
                    rendered.collect::<Result<Vec<_>>>()?.into()
                }
            },
        };
        context.budget.ascend();
        Ok(rendered)
    }

    /// Makes the changes of a set, whose members that are collections are other members then.
    fn collapse(&mut self, context: &mut Context<'_, '_>) -> Result<()> {
        *self = Self::new(self.render(context)?);
        Ok(())
    }

    /// How many elements there are now.
    fn length(&self) -> usize {
        match &self.elements {
            Some(changed) => changed.len(),
            None => elements(&self.original).map_or(0, <[Value]>::len),
        }
    }

    fn elements(&mut self, context: &mut Context<'_, '_>) -> Result<&mut Vec<Element>> {
        let length = self.length();
        if self.elements.is_none() {
            context.charge_members(4 * length)?;
        }
        let original = || (0..length).map(Element::Original).collect();
        Ok(self.elements.get_or_insert_with(original))
    }
}
