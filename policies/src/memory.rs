//! What a policy remembers from one evaluation to the next: `cache.get` and `cache.set`.
//!
//! ```text
//! Memory (one a policy) ◀── commit ── Recall (one an evaluation)
//!    └── get ──────────────────────▶ what was there when it was first asked
//! ```
//!
//! An evaluation reads what earlier ones have set, the same for the same key however often it asks,
//! and what it sets itself is there once it has an answer. So its result depends on no order in
//! which rules are evaluated, and what failed half-way leaves nothing behind.
//!
//! Values are kept as JSON, whose length is what they take. A memory is its policy's own: another
//! policy cannot read it, and it is gone when the policy changes or the process ends. All memories of
//! a process share one `Room`: when that is full, what a policy sets takes the place of what it has
//! set before, and never of what another one has.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Values that a policy remembers. A service asks about a few hundred things again and again; who
/// needs more needs a database.
pub const MAX_ENTRIES: usize = 1024;

/// Longest value: a DID document, a set of keys, a credential take some KiB.
pub const MAX_VALUE: usize = 64 << 10;

/// All values and keys of a policy together.
pub const MAX_BYTES: usize = 4 << 20;

/// All values and keys of all policies together: an eighth of what the chart lets a webhook
/// take, and room for 32 policies that remember all that they may.
pub const MAX_TOTAL: usize = 128 << 20;

/// Longest key with its namespace and its scope: all keys together are less than the values.
pub const MAX_KEY: usize = 1 << 10;

/// What names a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) scope: String,
}

/// Why a value is not remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    #[error("the value has more than {MAX_VALUE} bytes")]
    Value,
    #[error("the key, the namespace and the scope have more than {MAX_KEY} bytes")]
    Key,
    #[error("an evaluation sets more than {MAX_ENTRIES} values")]
    Entries,
}

/// What the memories of a process take together.
#[derive(Debug)]
struct Room {
    taken: AtomicUsize,
    limit: usize,
}

static ROOM: Room = Room::of(MAX_TOTAL);

/// The memory of a policy.
#[derive(Debug)]
pub struct Memory(Mutex<Entries>);

#[derive(Debug)]
struct Entries {
    room: &'static Room,
    values: HashMap<Key, Entry>,
    /// Keys by the time of their last use, the oldest first.
    used: BTreeMap<u64, Key>,
    clock: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    json: Arc<str>,
    used: u64,
}

/// Bytes that all policies of this process remember.
pub fn remembered() -> usize {
    ROOM.taken.load(Ordering::Relaxed)
}

/// What one evaluation read and sets.
#[derive(Debug)]
pub struct Recall<'m> {
    memory: &'m Memory,
    /// One thread evaluates, so that nobody waits for it.
    own: Mutex<Own>,
}

#[derive(Debug, Default)]
struct Own {
    read: BTreeMap<Key, Option<Arc<str>>>,
    set: BTreeMap<Key, Arc<str>>,
}

impl Key {
    fn len(&self) -> usize {
        self.name.len() + self.namespace.len() + self.scope.len()
    }
}

impl Room {
    const fn of(limit: usize) -> Self {
        Self {
            taken: AtomicUsize::new(0),
            limit,
        }
    }

    /// Whether so many bytes could be taken, and are.
    fn take(&self, bytes: usize) -> bool {
        let more = |taken: usize| taken.checked_add(bytes).filter(|sum| *sum <= self.limit);
        // A count and nothing else: it orders no other memory.
        let order = Ordering::Relaxed;
        self.taken.fetch_update(order, order, more).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::within(&ROOM)
    }
}

impl Memory {
    fn within(room: &'static Room) -> Self {
        Self(Mutex::new(Entries {
            room,
            values: HashMap::new(),
            used: BTreeMap::new(),
            clock: 0,
            bytes: 0,
        }))
    }

    fn get(&self, key: &Key) -> Option<Arc<str>> {
        self.with(|entries| {
            let json = entries.values.get(key)?.json.clone();
            entries.touch(key);
            Some(json)
        })
    }

    /// Entries are whole between two changes, so a panic leaves valid ones.
    fn with<T>(&self, change: impl FnOnce(&mut Entries) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Entries {
    fn touch(&mut self, key: &Key) {
        self.clock += 1;
        if let Some(entry) = self.values.get_mut(key) {
            self.used.remove(&entry.used);
            entry.used = self.clock;
            self.used.insert(self.clock, key.clone());
        }
    }

    /// Of what was set before, the least recently used makes room. If that is not enough, others
    /// have filled the process, and the value is not remembered.
    fn insert(&mut self, key: Key, json: Arc<str>) {
        self.remove(&key);
        let bytes = key.len() + json.len();
        while self.values.len() >= MAX_ENTRIES
            || self.bytes + bytes > MAX_BYTES
            || !self.room.take(bytes)
        {
            let Some((_, oldest)) = self.used.pop_first() else {
                return;
            };
            self.remove(&oldest);
        }
        self.bytes += bytes;
        self.clock += 1;
        let used = self.clock;
        self.used.insert(used, key.clone());
        self.values.insert(key, Entry { json, used });
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.values.remove(key) {
            let bytes = key.len() + entry.json.len();
            self.used.remove(&entry.used);
            self.bytes -= bytes;
            self.room.give_back(bytes);
        }
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        self.room.give_back(self.bytes);
    }
}

impl<'m> Recall<'m> {
    /// Of an evaluation that begins.
    pub fn of(memory: &'m Memory) -> Self {
        Self {
            memory,
            own: Mutex::default(),
        }
    }

    /// What earlier evaluations have set.
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<str>> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(json) = own.read.get(key) {
            return json.clone();
        }
        let json = self.memory.get(key);
        own.read.insert(key.clone(), json.clone());
        json
    }

    /// Sets a value for the evaluations that come.
    pub(crate) fn set(&self, key: Key, json: &str) -> Result<(), Full> {
        if json.len() > MAX_VALUE {
            return Err(Full::Value);
        }
        if key.len() > MAX_KEY {
            return Err(Full::Key);
        }
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let set = &mut own.set;
        if set.len() >= MAX_ENTRIES && !set.contains_key(&key) {
            return Err(Full::Entries);
        }
        set.insert(key, Arc::from(json));
        Ok(())
    }

    /// The evaluation has an answer.
    pub fn commit(self) {
        let own = self
            .own
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let set = own.set;
        if !set.is_empty() {
            self.memory.with(|entries| {
                set.into_iter()
                    .for_each(|(key, json)| entries.insert(key, json));
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: &str) -> Key {
        Key {
            name: key.to_owned(),
            namespace: "n".to_owned(),
            scope: "s".to_owned(),
        }
    }

    fn set(memory: &Memory, values: &[(&str, &str)]) {
        let recall = Recall::of(memory);
        for (name, json) in values {
            recall.set(key(name), json).unwrap();
        }
        recall.commit();
    }

    fn get(memory: &Memory, name: &str) -> Option<String> {
        let json = Recall::of(memory).get(&key(name));
        json.map(|json| json.to_string())
    }

    #[test]
    fn what_is_set_is_there_for_the_next_evaluation() {
        let memory = Memory::default();
        let first = Recall::of(&memory);
        first.set(key("a"), "1").unwrap();
        assert_eq!(first.get(&key("a")), None);
        assert_eq!(get(&memory, "a"), None);
        first.commit();
        assert_eq!(get(&memory, "a").as_deref(), Some("1"));
        assert_eq!(get(&memory, "b"), None);
    }

    #[test]
    fn an_evaluation_reads_the_same_however_often_it_asks() {
        let memory = Memory::default();
        set(&memory, &[("a", "1")]);
        let reader = Recall::of(&memory);
        assert_eq!(reader.get(&key("a")).as_deref(), Some("1"));
        assert_eq!(reader.get(&key("b")), None);
        set(&memory, &[("a", "2"), ("b", "2")]);
        assert_eq!(reader.get(&key("a")).as_deref(), Some("1"));
        assert_eq!(reader.get(&key("b")), None);
        assert_eq!(get(&memory, "a").as_deref(), Some("2"));
    }

    #[test]
    fn what_fails_leaves_nothing_behind() {
        let memory = Memory::default();
        let failed = Recall::of(&memory);
        failed.set(key("a"), "1").unwrap();
        drop(failed);
        assert_eq!(get(&memory, "a"), None);
    }

    #[test]
    fn namespace_and_scope_are_part_of_the_key() {
        let memory = Memory::default();
        set(&memory, &[("a", "1")]);
        let other = Key {
            scope: "t".to_owned(),
            ..key("a")
        };
        assert_eq!(Recall::of(&memory).get(&other), None);
        let other = Key {
            namespace: "m".to_owned(),
            ..key("a")
        };
        assert_eq!(Recall::of(&memory).get(&other), None);
    }

    #[test]
    fn the_least_recently_used_goes() {
        let memory = Memory::default();
        for at in 0..MAX_ENTRIES {
            set(&memory, &[(&at.to_string(), "1")]);
        }
        assert!(get(&memory, "0").is_some());
        set(&memory, &[("new", "1")]);
        assert!(get(&memory, "0").is_some());
        assert_eq!(get(&memory, "1"), None);
        assert!(get(&memory, "new").is_some());
    }

    #[test]
    fn all_values_together_have_a_bound() {
        let memory = Memory::default();
        let large = "1".repeat(MAX_VALUE);
        let count = MAX_BYTES / MAX_VALUE + 8;
        for at in 0..count {
            set(&memory, &[(&at.to_string(), &large)]);
        }
        let (bytes, values, used) =
            memory.with(|entries| (entries.bytes, entries.values.len(), entries.used.len()));
        assert!(bytes <= MAX_BYTES);
        assert_eq!(values, used);
        assert_eq!(get(&memory, "0"), None);
        assert!(get(&memory, &(count - 1).to_string()).is_some());
    }

    #[test]
    fn all_policies_together_have_a_bound() {
        static SMALL: Room = Room::of(3 * (5 + 1));
        let first = Memory::within(&SMALL);
        let second = Memory::within(&SMALL);
        set(&first, &[("one", "1"), ("two", "2")]);
        set(&second, &[("one", "1")]);
        // The first one's older value makes room for its new one, and not the second one's.
        set(&first, &[("new", "3")]);
        assert_eq!(get(&first, "one"), None);
        assert_eq!(get(&first, "two").as_deref(), Some("2"));
        assert_eq!(get(&second, "one").as_deref(), Some("1"));
        // Who has nothing to give has no room.
        let third = Memory::within(&SMALL);
        set(&third, &[("one", "1")]);
        assert_eq!(get(&third, "one"), None);
        drop(first);
        set(&third, &[("one", "1")]);
        assert_eq!(get(&third, "one").as_deref(), Some("1"));
        drop((second, third));
        assert_eq!(SMALL.taken.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_is_too_large_is_not_remembered() {
        let memory = Memory::default();
        let recall = Recall::of(&memory);
        assert_eq!(
            recall.set(key("a"), &"1".repeat(MAX_VALUE + 1)),
            Err(Full::Value)
        );
        assert_eq!(recall.set(key(&"k".repeat(MAX_KEY)), "1"), Err(Full::Key));
        for at in 0..MAX_ENTRIES {
            recall.set(key(&at.to_string()), "1").unwrap();
        }
        assert_eq!(recall.set(key("one more"), "1"), Err(Full::Entries));
        assert_eq!(recall.set(key("0"), "2"), Ok(()));
    }

    #[test]
    fn a_value_that_is_set_again_takes_its_room_once() {
        let memory = Memory::default();
        set(&memory, &[("a", "1")]);
        let before = memory.with(|entries| entries.bytes);
        set(&memory, &[("a", "2")]);
        assert_eq!(memory.with(|entries| entries.bytes), before);
    }
}
