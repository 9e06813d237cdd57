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
    let inventory = Inventory::read(client, &whose).await;
    let inventory = inventory.map_err(|failure| match (failure, whose) {
        (Failure::Refused(fault), Whose::All) => {
            let remedy = "`--namespace NAMESPACE` lists the policies of one namespace";
            Failure::Refused(Box::new(fault.with_remedy(remedy)))
        }
        (failure, _) => failure,
    })?;
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
        notes: inventory.notes().collect(),
        faults: inventory.faults.clone(),
    })
}

fn row(kept: &Kept, inventory: &Inventory, now: Timestamp) -> Row {
    let address = &kept.definition.address;
    let ready = holds(&kept.conditions, ConditionType::Ready);
    let locks = inventory.locks_of(&kept.definition, now).into_iter();
    let unread = inventory.unread_locks_of(kept).into_iter();
    let locks: Vec<Held> = locks.map(Held::of).chain(unread.map(Held::named)).collect();
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
        let ([strange], [locks]) = (&found.faults[..], &found.notes[..]) else {
            panic!("{:?} {:?}", found.faults, found.notes)
        };
        assert!(
            strange.starts_with("clusterpolicies strange cannot be read"),
            "{strange}"
        );
        let told = "note: you may not read the locks, so which of them hold is not known: the API";
        assert!(locks.starts_with(told), "{locks}");

        server.refuse(&format!("GET {}", at("clusterpolicies")), 403);
        let refused = read(&server.client(), &Wanted::default()).await;
        let told = refused.err().map(|failure| failure.text());
        let told = told.unwrap_or_default();
        assert!(told.contains("→ `--namespace NAMESPACE` lists"), "{told}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_tenant_is_told_the_names_of_locks_that_it_may_not_read() {
        let status = json!({"locks": ["ClusterLock/incident", "Lock/gone"]});
        let policies = [with_status(
            policy("shop/discount@1.0", Some("team-a")),
            status,
        )];
        let server = cluster(&[], &policies, &[], &[]);
        server.refuse(&format!("GET {}", at("clusterlocks")), 403);
        let wanted = Wanted {
            namespace: Some("team-a".to_owned()),
            ..Wanted::default()
        };
        let found = listed(&server, wanted).await;
        let locks: Vec<&str> = found.rows[0]
            .locks
            .iter()
            .map(|it| it.name.as_str())
            .collect();
        assert_eq!(locks, ["ClusterLock incident"]);
        assert_eq!((found.notes.len(), found.faults.len()), (1, 0));
        let table = row::table(&found.rows);
        assert!(
            table.contains("  locked by ClusterLock incident  -      -\n"),
            "{table}"
        );
    }
}
