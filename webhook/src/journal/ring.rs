//! The newest records, bounded in number and in bytes.

use std::{collections::VecDeque, sync::Arc};

use super::Record;

/// Keeps the newest records. What is found is looked for from the newest on, because people ask about
/// what was refused just now.
pub(super) struct Ring {
    records: VecDeque<Arc<Record>>,
    used: usize,
    requests: usize,
    bytes: usize,
}

impl Ring {
    /// Room for this many records, and for this many bytes of them.
    pub(super) fn new(requests: usize, bytes: usize) -> Self {
        Self {
            records: VecDeque::new(),
            used: 0,
            requests,
            bytes,
        }
    }

    /// Keeps a record, in the place of the oldest where there is no room; not one that is larger than
    /// the room of all.
    pub(super) fn push(&mut self, record: Record) {
        let size = record.size();
        if size > self.bytes {
            return;
        }
        while self.records.len() >= self.requests || self.used + size > self.bytes {
            let Some(oldest) = self.records.pop_front() else {
                return;
            };
            self.used -= oldest.size();
        }
        self.used += size;
        self.records.push_back(Arc::new(record));
    }

    pub(super) fn find(&self, id: &str) -> Option<Arc<Record>> {
        let mut newest_first = self.records.iter().rev();
        newest_first.find(|record| record.note.id() == id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{decision_log::About, journal::Note};

    /// A record whose user has a name of this many bytes.
    fn record(id: &str, bytes: usize) -> Record {
        let about = About {
            user: "u".repeat(bytes),
            ..About::default()
        };
        let note = Note::empty(id);
        Record { about, note }
    }

    #[test]
    fn the_oldest_goes() {
        let mut ring = Ring::new(2, usize::MAX);
        for id in ["a", "b", "c"] {
            ring.push(record(id, 0));
        }
        assert!(ring.find("a").is_none());
        assert!(ring.find("b").is_some() && ring.find("c").is_some());
    }

    #[test]
    fn what_is_larger_than_all_room_pushes_nothing_out() {
        let mut ring = Ring::new(10, record("a", 0).size());
        ring.push(record("a", 0));
        ring.push(record("b", 1));
        assert!(ring.find("a").is_some() && ring.find("b").is_none());
    }

    proptest! {
        #[test]
        fn is_bounded_and_keeps_the_newest(sizes in proptest::collection::vec(0_usize..5_000, 0..60)) {
            let (requests, bytes) = (20, 20_000);
            let mut ring = Ring::new(requests, bytes);
            for (number, size) in sizes.iter().enumerate() {
                ring.push(record(&number.to_string(), *size));
                prop_assert!(ring.records.len() <= requests);
                prop_assert!(ring.used <= bytes);
                let sum: usize = ring.records.iter().map(|record| record.size()).sum();
                prop_assert_eq!(ring.used, sum);
                prop_assert!(ring.find(&number.to_string()).is_some());
            }
        }
    }
}
