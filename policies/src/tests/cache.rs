//! What the cache holds, and who holds an address.

use proptest::prelude::*;

use super::*;

#[test]
fn the_older_object_holds_an_address_until_it_is_gone() {
    let older = object("z-older", 1, policy(ALLOWING));
    let younger = object("a-younger", 2, policy(DENYING));
    let cache = cache([younger.clone(), older.clone()], []);
    let snapshot = cache.snapshot();
    let address = older.policy.address();
    assert_eq!(snapshot.find(address).unwrap().object, older.key);
    let conflict = Conflict {
        address: address.clone(),
        holder: older.key.clone(),
        other: younger.key.clone(),
    };
    assert_eq!(snapshot.conflicts(), [conflict]);

    cache.update(|state| state.delete_policy(&older.key));
    assert_eq!(cache.snapshot().find(address).unwrap().object, younger.key);
    assert_eq!(cache.snapshot().conflicts(), []);
    // What was loaded before the change is as it was.
    assert_eq!(snapshot.find(address).unwrap().object, older.key);
}

#[test]
fn successive_snapshots_share_the_policies_that_did_not_change() {
    let numbered = |number: usize, source: &str| {
        let address = format!("a/p{number}@1").parse().unwrap();
        object(&number.to_string(), 0, Definition::new(address, source))
    };
    let source = |number: usize| format!("package a.p{number}\nallow := true");
    let cache = cache(
        (0..1_000).map(|number| numbered(number, &source(number))),
        [],
    );
    let before = cache.snapshot();
    cache.update(|state| state.apply_policy(numbered(500, "package a.p500\nallow := false")));
    let after = cache.snapshot();
    let shared = before.entries().filter(|entry| {
        let now = after.find(entry.address()).unwrap();
        Arc::ptr_eq(&entry.policy, &now.policy)
    });
    assert_eq!(shared.count(), 999);
}

/// Changes of a cache, to be compared with a plain list of objects.
#[derive(Clone, Debug)]
enum Change {
    Apply(u8, u8, i64),
    Delete(u8),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_cache_is_what_was_applied_and_not_deleted(
        changes in proptest::collection::vec(
            prop_oneof![
                (0..6_u8, 0..3_u8, 0..4_i64).prop_map(|(o, a, c)| Change::Apply(o, a, c)),
                (0..6_u8).prop_map(Change::Delete),
            ],
            0..40,
        )
    ) {
        let policies: Vec<_> = ["x", "y", "z"]
            .map(|name| Arc::new(Policy::compile(named(Scope::Cluster, name))))
            .into();
        let cache = Cache::new();
        let mut model: std::collections::BTreeMap<u8, (u8, i64)> = std::collections::BTreeMap::new();
        for change in changes {
            let key = |object: u8| ObjectKey::new("ClusterPolicy", None, &format!("o{object}"));
            match change {
                Change::Apply(object, address, created) => {
                    model.insert(object, (address, created));
                    let policy = policies[usize::from(address)].clone();
                    let object = Object { key: key(object), created: at(created), updated: at(created), policy };
                    cache.update(|state| state.apply_policy(object));
                }
                Change::Delete(object) => {
                    model.remove(&object);
                    cache.update(|state| state.delete_policy(&key(object)));
                }
            }
            let snapshot = cache.snapshot();
            let mut held = 0;
            for (index, policy) in policies.iter().enumerate() {
                let oldest = model
                    .iter()
                    .filter(|(_, (address, _))| usize::from(*address) == index)
                    .min_by_key(|(object, (_, created))| (*created, **object));
                let holder = snapshot.find(policy.address()).map(|entry| entry.object.clone());
                prop_assert_eq!(holder, oldest.map(|(object, _)| key(*object)));
                held += usize::from(oldest.is_some());
            }
            prop_assert_eq!(snapshot.conflicts().len(), model.len() - held);
            prop_assert_eq!(snapshot.entries().count(), held);
        }
    }
}
