//! What was read already, so that a second reading of the same place costs nothing.

use super::cursor::{Parsed, Place};

/// What was read from a place on, and the place after it.
pub(super) struct Entry<T> {
    pub(super) result: Parsed<T>,
    pub(super) after: Place,
}

/// What was read, by the token that it begins with.
pub(super) struct Memo<T> {
    /// One more than the index of the entry, or zero.
    slots: Vec<u32>,
    entries: Vec<Entry<T>>,
}

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            entries: Vec::new(),
        }
    }
}

impl<T: Clone> Memo<T> {
    pub(super) fn get(&self, slot: usize) -> Option<&Entry<T>> {
        let index = self.slots.get(slot)?.checked_sub(1)?;
        self.entries.get(index as usize)
    }

    pub(super) fn put(&mut self, slot: usize, slots: usize, entry: Entry<T>) {
        if self.slots.is_empty() {
            self.slots.resize(slots, 0);
        }
        self.entries.push(entry);
        self.slots[slot] = u32::try_from(self.entries.len()).expect("fewer entries than bytes");
    }
}
