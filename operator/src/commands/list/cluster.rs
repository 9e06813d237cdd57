//! The list of a cluster: what the objects of policies and locks say.

use kube::Client;
use portcullis_crds::{ConditionType, conditions::holds};
use portcullis_policies::Timestamp;

use super::{
    Found,
    arguments::Wanted,
    row::{Held, Row},
};
use crate::{
    client::Failure,
    commands::inventory::{Inventory, Kept, Whose},
};

pub(super) async fn read(client: &Client, wanted: &Wanted) -> Result<Found, Failure> {
    let whose = wanted
        .namespace
        .clone()
        .map_or(Whose::All, Whose::Namespace);
    let inventory = Inventory::read(client, &whose).await?;
    let now = Timestamp::now();
    let is_named = |kept: &&Kept| {
        let name = kept.definition.address.name();
        wanted.name.as_ref().is_none_or(|wanted| wanted == name)
    };
    let policies = inventory.policies.iter().filter(is_named);
    let rows = policies.map(|kept| row(kept, &inventory, now));
    let rows = rows.filter(|row| wanted.locked.is_none_or(|locked| locked == row.locked));
    Ok(Found {
        rows: rows.collect(),
        faults: inventory.faults.clone(),
    })
}

fn row(kept: &Kept, inventory: &Inventory, now: Timestamp) -> Row {
    let address = &kept.definition.address;
    let ready = holds(&kept.conditions, ConditionType::Ready);
    let locks: Vec<Held> = inventory
        .locks_of(&kept.definition, now)
        .into_iter()
        .map(Held::of)
        .collect();
    let said = |name: &str| kept.status[name].as_str().map(str::to_owned);
    Row {
        policy: address.path(),
        namespace: address.namespace().map(str::to_owned),
        digest: said("digest"),
        ready,
        state: state(kept, ready),
        locked: !locks.is_empty(),
        locks,
        updated: Some(kept.updated).filter(|updated| *updated != Timestamp::UNIX_EPOCH),
    }
}

/// In a word or two: what the operator has found out.
fn state(kept: &Kept, ready: Option<bool>) -> String {
    let said = |pointer: &str| kept.status.pointer(pointer)?.as_str();
    if let Some(newer) = said("/supersededBy") {
        return format!("superseded by {newer}");
    }
    if let Some(in_force) = said("/shadow/compares") {
        return format!("shadow of {in_force}");
    }
    let name = ConditionType::Ready.as_str();
    let mut conditions = kept.conditions.iter();
    let reason = conditions.find(|it| it.type_ == name).map(|it| &it.reason);
    match (ready, reason) {
        (Some(true), _) => "ready".to_owned(),
        (_, Some(reason)) => reason.clone(),
        (_, None) => "not known yet".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::{
        cluster::api_server::ApiServer,
        commands::{
            inventory::fixture::{at, cluster, lock, policy},
            list::row,
        },
    };

    fn with_status(mut policy: Json, status: Json) -> Json {
        policy["status"] = status;
        policy
    }

    fn ready(status: &str, reason: &str) -> Json {
        json!([{
            "type": "Ready", "status": status, "reason": reason, "message": "",
            "lastTransitionTime": "2026-11-30T12:00:00Z",
        }])
    }

    fn usual() -> ApiServer {
        let broken = json!({"conditions": ready("False", "CompileFailed")});
        let good = json!({"conditions": ready("True", "InForce"), "digest": "sha256:00"});
        let old = json!({"conditions": ready("True", "InForce"), "supersededBy": "2.0"});
        cluster(
            &[
                with_status(policy("web/cookies@1.0", None), broken),
                with_status(policy("shop/discount@2.0", None), good),
                with_status(policy("shop/discount@1.0", None), old),
            ],
            &[policy("shop/discount@1.0", Some("team-a"))],
            &[
                lock(
                    "incident",
                    None,
                    &json!({"policy": {"group": "shop", "name": "discount", "version": "2.0"}}),
                ),
                lock(
                    "break-glass",
                    None,
                    &json!({"policy": {"group": "web"}, "effect": "Bypass", "points": ["admission"]}),
                ),
                lock(
                    "over",
                    None,
                    &json!({"all": true, "expiresAt": "2020-01-01T00:00:00Z"}),
                ),
            ],
            &[lock(
                "http-shop.discount.1.0",
                Some("team-a"),
                &json!({"all": true, "points": ["evaluation"], "expiresAt": "2130-12-01T08:00:00Z"}),
            )],
        )
    }

    async fn listed(server: &ApiServer, wanted: Wanted) -> Found {
        read(&server.client(), &wanted).await.unwrap()
    }

    fn policies(found: &Found) -> Vec<&str> {
        found.rows.iter().map(|row| row.policy.as_str()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn policies_and_their_locks_are_listed() {
        let found = listed(&usual(), Wanted::default()).await;
        insta::assert_snapshot!("table", row::table(&found.rows));
        insta::assert_snapshot!("json", row::json(&found.rows).unwrap());
        assert!(found.faults.is_empty(), "{:?}", found.faults);
    }

    #[tokio::test(start_paused = true)]
    async fn filters_are_the_apis() {
        let server = usual();
        let wanted = |locked, name: Option<&str>, namespace: Option<&str>| Wanted {
            locked,
            name: name.map(str::to_owned),
            namespace: namespace.map(str::to_owned),
        };
        let found = listed(&server, wanted(Some(false), None, None)).await;
        assert_eq!(policies(&found), ["shop/discount@1.0"]);
        let found = listed(&server, wanted(Some(true), Some("discount"), None)).await;
        assert_eq!(policies(&found), ["shop/discount@2.0", "shop/discount@1.0"]);
        let found = listed(&server, wanted(None, None, Some("team-a"))).await;
        assert_eq!(policies(&found), ["shop/discount@1.0"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_read_is_told_beside_the_rest() {
        let server = usual();
        let strange = json!({"metadata": {"name": "strange"}, "spec": {"group": 1}});
        let list = json!({"metadata": {}, "items": [policy("a/b@1.0", None), strange]});
        server.put(&at("clusterpolicies"), list);
        server.refuse(&format!("GET {}", at("locks")), 403);
        let found = listed(&server, Wanted::default()).await;
        assert_eq!(policies(&found), ["a/b@1.0", "shop/discount@1.0"]);
        let [strange, locks] = &found.faults[..] else {
            panic!("{:?}", found.faults)
        };
        assert!(
            strange.starts_with("clusterpolicies strange cannot be read"),
            "{strange}"
        );
        assert!(locks.starts_with("REQUEST.FORBIDDEN"), "{locks}");

        server.refuse(&format!("GET {}", at("clusterpolicies")), 403);
        let refused = read(&server.client(), &Wanted::default()).await;
        assert!(refused.is_err());
    }
}
