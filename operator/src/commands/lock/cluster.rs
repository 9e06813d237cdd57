//! The lock as an object of the cluster: the one that the lock endpoints make there.

use std::io::{self, Write as _};

use kube::Client;
use portcullis_policies::{Address, Point, Timestamp};
use portcullis_webhook::LockFault;

use super::Wish;
use crate::{
    client::Failure,
    cluster::lock_objects,
    commands::inventory::{Inventory, Whose},
    directory::printable,
};

pub(super) async fn lock(client: &Client, wish: &Wish) -> Result<(), Failure> {
    let address = &wish.address;
    let inventory = find(client, address).await?;
    let own = inventory.lock(&lock_objects::key(address));
    let has_expired = own.is_some_and(|lock| !lock.is_active(Timestamp::now()));
    let (reason, end) = (&wish.reason, wish.expires_at);
    Ok(lock_objects::make(client, address, reason, end, has_expired).await?)
}

pub(super) async fn unlock(client: &Client, address: &Address) -> Result<(), Failure> {
    let inventory = find(client, address).await?;
    let own = lock_objects::key(address);
    let was_there = lock_objects::delete(client, address).await?;
    let now = Timestamp::now();
    let others = inventory.locks_at(address, now).into_iter();
    let others = others.filter(|lock| lock.holds(Point::Evaluation, now) && lock.key != own);
    let others: Vec<String> = others.map(|lock| lock.key.to_string()).collect();
    match (others.is_empty(), was_there) {
        (false, _) => Err(LockFault::HeldByOthers(others).into()),
        (true, false) => Err(LockFault::NotLocked.into()),
        (true, true) => {
            let faults = inventory
                .faults
                .iter()
                .map(|fault| format!("note: {fault}"));
            for note in inventory.notes().chain(faults) {
                write!(io::stderr(), "{}", printable(&note))?;
            }
            Ok(())
        }
    }
}

/// What is there beside the policy, which has to be there.
async fn find(client: &Client, address: &Address) -> Result<Inventory, Failure> {
    let inventory = Inventory::read(client, &Whose::of(address)).await?;
    if inventory.has(address) {
        Ok(inventory)
    } else {
        Err(Failure::not_found(address))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::{
        client::within,
        cluster::api_server::ApiServer,
        commands::inventory::fixture::{at, cluster, lock as lock_object, policy},
    };

    const OWN: &str = "clusterlocks/http-shop.discount.1.0";

    fn address(namespace: Option<&str>) -> Address {
        within(&"shop/discount@1.0".parse().unwrap(), namespace)
    }

    fn wish(namespace: Option<&str>) -> Wish {
        Wish {
            address: address(namespace),
            reason: "incident 4711".to_owned(),
            expires_at: Some("2030-12-01T08:00:00Z".parse().unwrap()),
        }
    }

    fn shop(locks: &[Json]) -> ApiServer {
        cluster(&[policy("shop/discount@1.0", None)], &[], locks, &[])
    }

    fn told<T>(done: Result<T, Failure>) -> String {
        done.err()
            .map_or_else(String::new, |failure| failure.text())
    }

    #[tokio::test(start_paused = true)]
    async fn the_lock_is_the_one_that_the_endpoints_make() {
        let server = shop(&[]);
        lock(&server.client(), &wish(None)).await.unwrap();
        let made = server.get(&at(OWN));
        assert_eq!(
            made["spec"],
            json!({
                "policy": {"group": "shop", "name": "discount", "version": "1.0"},
                "all": false,
                "points": ["evaluation"],
                "effect": "Refuse",
                "reason": "incident 4711",
                "expiresAt": "2030-12-01T08:00:00Z",
            })
        );
        let again = lock(&server.client(), &wish(None)).await;
        assert_eq!(
            told(again),
            "POLICY.LOCKED: policy is already locked\n  → `portcullis unlock` removes the lock"
        );
        unlock(&server.client(), &address(None)).await.unwrap();
        assert!(server.get(&at(OWN)).is_null());
        let again = unlock(&server.client(), &address(None)).await;
        assert!(told(again).starts_with("POLICY.UNLOCKED: policy is unlocked\n"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_policy_of_a_namespace_is_locked_there() {
        let server = cluster(
            &[],
            &[policy("shop/discount@1.0", Some("team-a"))],
            &[],
            &[],
        );
        lock(&server.client(), &wish(Some("team-a"))).await.unwrap();
        let own = at("namespaces/team-a/locks/http-shop.discount.1.0");
        assert_eq!(server.get(&own)["metadata"]["namespace"], "team-a");
        unlock(&server.client(), &address(Some("team-a")))
            .await
            .unwrap();
        assert!(server.get(&own).is_null());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_that_has_expired_makes_room() {
        let spec = json!({"all": true, "expiresAt": "2020-01-01T00:00:00Z"});
        let old = lock_object("http-shop.discount.1.0", None, &spec);
        let server = shop(std::slice::from_ref(&old));
        server.put(&at(OWN), old);
        lock(&server.client(), &wish(None)).await.unwrap();
        assert_eq!(server.get(&at(OWN))["spec"]["reason"], "incident 4711");
    }

    #[rstest]
    #[case::everything(json!({"all": true}), true)]
    #[case::of_this_policy(json!({"policy": {"group": "shop"}, "points": ["evaluation"]}), true)]
    #[case::of_another_one(json!({"policy": {"group": "web"}}), false)]
    #[case::at_admission(json!({"all": true, "points": ["admission"]}), false)]
    #[case::over(json!({"all": true, "expiresAt": "2020-01-01T00:00:00Z"}), false)]
    #[tokio::test(start_paused = true)]
    async fn locks_that_hold_it_all_the_same_are_named(#[case] spec: Json, #[case] holds: bool) {
        let server = shop(&[lock_object("other", None, &spec)]);
        lock(&server.client(), &wish(None)).await.unwrap();
        let done = told(unlock(&server.client(), &address(None)).await);
        let expected = if holds {
            "POLICY.LOCKED: the policy is held by ClusterLock other\n  → have these locks removed \
             where they were made"
        } else {
            ""
        };
        assert_eq!(done, expected);
        assert!(server.get(&at(OWN)).is_null(), "the own one is gone");
    }

    #[rstest]
    #[case::it_is_selected(json!({"team": "a"}), true)]
    #[case::it_is_not(json!({"team": "b"}), false)]
    #[tokio::test(start_paused = true)]
    async fn a_lock_of_namespaces_looks_at_their_labels(#[case] labels: Json, #[case] holds: bool) {
        let spec = json!({"all": true, "namespaceSelector": {"matchLabels": {"team": "a"}}});
        let policies = [policy("shop/discount@1.0", Some("team-a"))];
        let server = cluster(&[], &policies, &[lock_object("other", None, &spec)], &[]);
        let namespace = json!({"metadata": {"name": "team-a", "labels": labels}});
        server.put("/api/v1/namespaces/team-a", namespace);
        lock(&server.client(), &wish(Some("team-a"))).await.unwrap();
        let done = told(unlock(&server.client(), &address(Some("team-a"))).await);
        assert_eq!(done.contains("held by ClusterLock other"), holds, "{done}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_there_or_not_permitted_is_told_and_nothing_is_written() {
        let server = cluster(&[], &[], &[], &[]);
        let missing = "POLICY.NOT_FOUND: there is no policy shop/discount@1.0\n  → `portcullis list` \
                       shows the policies";
        assert_eq!(told(lock(&server.client(), &wish(None)).await), missing);
        assert_eq!(
            told(unlock(&server.client(), &address(None)).await),
            missing
        );
        assert_eq!(server.written(), [""; 0]);

        let server = shop(&[]);
        server.refuse(&format!("POST {}", at("clusterlocks")), 403);
        let refused = told(lock(&server.client(), &wish(None)).await);
        assert!(
            refused.starts_with("REQUEST.FORBIDDEN: the API server says 403"),
            "{refused}"
        );
        server.refuse(&format!("GET {}", at("clusterpolicies")), 403);
        let refused = told(lock(&server.client(), &wish(None)).await);
        assert!(
            refused.starts_with("REQUEST.FORBIDDEN: the API server says 403"),
            "{refused}"
        );
        server.refuse(&format!("GET {}", at("clusterpolicies")), 404);
        let refused = told(lock(&server.client(), &wish(None)).await);
        assert!(
            refused.contains("Portcullis is not installed there"),
            "{refused}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn locks_that_cannot_be_listed_do_not_keep_one_from_locking() {
        let server = shop(&[]);
        server.refuse(&format!("GET {}", at("clusterlocks")), 403);
        lock(&server.client(), &wish(None)).await.unwrap();
        unlock(&server.client(), &address(None)).await.unwrap();
    }
}
