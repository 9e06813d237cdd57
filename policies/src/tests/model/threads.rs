//! Changes and readers at the same time, on threads of their own.

use std::{
    collections::BTreeMap,
    sync::{Barrier, Mutex},
    thread,
};

use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use super::{
    changes::{Change, change},
    *,
};

const WRITERS: u8 = 2;
const READERS: usize = 3;

/// Updates of each writer, and looks of each reader: enough for each to meet the others many times,
/// and few enough for the model, which is slow.
const UPDATES: usize = 12;
const LOOKS: usize = 24;

/// What a writer does, from its seed.
fn updates(seed: u8) -> Vec<Vec<Change>> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let updates = proptest::collection::vec(proptest::collection::vec(change(), 1..4), UPDATES);
    let tree = updates.new_tree(&mut runner).expect("nothing is filtered");
    tree.current()
}

/// The states of the model, by revision.
type States = Mutex<BTreeMap<u64, Plain>>;

/// Within the cache's lock the model changes as the cache does, so that revisions have one order.
fn write(cache: &Cache, states: &States, updates: Vec<Vec<Change>>) {
    for changes in updates {
        let snapshot = cache.snapshot();
        let seen = states.lock().unwrap()[&snapshot.revision()].clone();
        let ready = changes
            .into_iter()
            .map(|change| change.ready(&snapshot, &seen));
        let ready: Vec<_> = ready.collect();
        cache.update(|state| {
            let mut states = states.lock().unwrap();
            let (_, last) = states.last_key_value().expect("there is a first state");
            let mut plain = last.clone();
            for change in ready {
                change.apply(state, &mut plain);
            }
            plain.revision += 1;
            states.insert(plain.revision, plain);
        });
        thread::yield_now();
    }
}

/// What a reader sees, twice of each snapshot.
fn read(cache: &Cache) -> Vec<Sight> {
    let mut sights: Vec<Sight> = Vec::new();
    for _ in 0..LOOKS {
        let snapshot = cache.snapshot();
        let first = see(&snapshot);
        thread::yield_now();
        assert_eq!(first, see(&snapshot), "a snapshot has changed");
        let before = sights.last().map_or(0, |sight| sight.revision);
        assert!(before <= first.revision, "a reader went back in time");
        sights.push(first);
    }
    sights
}

#[rstest::rstest]
fn readers_see_published_states(#[values(1, 2, 3, 4)] seed: u8) {
    let cache = Cache::new();
    let states: States = Mutex::new([(0, Plain::default())].into());
    let begin = Barrier::new(usize::from(WRITERS) + READERS);
    let sights: Vec<Sight> = thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (cache, states, begin) = (&cache, &states, &begin);
            scope.spawn(move || {
                let updates = updates(seed * WRITERS + writer);
                begin.wait();
                write(cache, states, updates);
            });
        }
        let readers: Vec<_> = (0..READERS)
            .map(|_| {
                scope.spawn(|| {
                    begin.wait();
                    read(&cache)
                })
            })
            .collect();
        let sights = readers
            .into_iter()
            .flat_map(|reader| reader.join().unwrap());
        sights.collect()
    });
    let states = states.into_inner().unwrap();
    assert_eq!(states.len(), usize::from(WRITERS) * UPDATES + 1);
    assert_eq!(
        see(&cache.snapshot()),
        foresee(states.last_key_value().unwrap().1)
    );
    for sight in sights {
        assert_eq!(sight, foresee(&states[&sight.revision]));
    }
}
