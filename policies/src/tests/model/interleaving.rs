//! Changes and readers one after the other, in any order.

use std::cell::RefCell;

use proptest::prelude::*;

use super::{
    changes::{Change, Ready, change, compile, family},
    *,
};

/// Readers, each of which holds one snapshot at a time.
const READERS: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    /// One update of the cache with all of these.
    Update(Vec<Change>),
    /// What imports something that has changed is compiled again, until nothing is.
    Link,
    /// A reader takes what is published.
    Load(usize),
    /// A reader asks what it holds.
    Ask(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => proptest::collection::vec(change(), 1..4).prop_map(Step::Update),
        2 => Just(Step::Link),
        3 => (0..READERS).prop_map(Step::Load),
        3 => (0..READERS).prop_map(Step::Ask),
    ]
}

/// The cache, and the model beside it.
#[derive(Default)]
struct Both {
    cache: Cache,
    plain: RefCell<Plain>,
}

impl Both {
    fn update(&self, changes: Vec<Ready>) {
        self.cache.update(|state| {
            let mut plain = self.plain.borrow_mut();
            for change in changes {
                change.apply(state, &mut plain);
            }
            plain.revision += 1;
        });
    }

    fn link(&self) {
        // Each round brings what is one import further away.
        let most = self.plain.borrow().policies.len() + 1;
        for _ in 0..=most {
            let outdated = self.cache.outdated();
            if outdated.is_empty() {
                return;
            }
            let snapshot = self.cache.snapshot();
            let again = outdated.into_iter().map(|object| {
                let plain = self.plain.borrow();
                let held = plain.policies.iter().find(|held| held.key == object.key);
                let held = held.expect("the cache knows what was applied");
                let draft = held.made.draft.clone();
                let policy = compile(&draft, &snapshot);
                let made = Arc::new(plain::Made::new(draft, &plain));
                Ready::Policy(Object { policy, ..object }, held.created, made)
            });
            let again = again.collect();
            self.update(again);
        }
        panic!("what is compiled again is outdated for ever");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_reader_sees_one_state_of_the_model(
        has_family in any::<bool>(),
        steps in proptest::collection::vec(step(), 1..24),
    ) {
        let both = Both::default();
        for change in if has_family { family() } else { Vec::new() } {
            let ready = change.ready(&both.cache.snapshot(), &both.plain.borrow());
            both.update(vec![ready]);
        }
        let mut readers: [(Arc<Snapshot>, Plain); READERS] = Default::default();
        for step in steps {
            match step {
                Step::Update(changes) => {
                    let snapshot = both.cache.snapshot();
                    let plain = both.plain.borrow().clone();
                    let ready = changes.into_iter().map(|change| change.ready(&snapshot, &plain));
                    both.update(ready.collect());
                    prop_assert_eq!(see(&both.cache.snapshot()), foresee(&both.plain.borrow()));
                }
                Step::Link => {
                    both.link();
                    let plain = both.plain.borrow();
                    // As if everything had been compiled from the beginning.
                    prop_assert_eq!(see(&both.cache.snapshot()), foresee(&plain.relinked()));
                }
                Step::Load(reader) => {
                    readers[reader] = (both.cache.snapshot(), both.plain.borrow().clone());
                }
                Step::Ask(reader) => {
                    let (snapshot, plain) = &readers[reader];
                    prop_assert_eq!(see(snapshot), foresee(plain));
                }
            }
        }
    }
}
