//! A policy as it is listed.

use portcullis_policies::{Effect, Point, Timestamp, lock::Lock, text::clean};
use serde::Serialize;

use crate::presentation::{columns, escaped, pretty};

/// Longest reason in a table, in characters; programs get all of it.
const SHOWN: usize = 60;

/// A policy, and what locks it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    /// `group/name@version`
    pub(super) policy: String,
    /// The namespace that owns it, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<String>,
    /// The digest of its sources, data and settings, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) digest: Option<String>,
    /// Whether it does what it says, where that is known.
    pub(super) ready: Option<bool>,
    /// The same for people: `ready`, or why it is not.
    pub(super) state: String,
    /// Whether a lock holds it.
    pub(super) locked: bool,
    /// The locks that do.
    pub(super) locks: Vec<Held>,
    /// When it was changed last, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) updated: Option<Timestamp>,
}

/// A lock that holds a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Held {
    /// `ClusterLock incident-4711`
    pub(super) name: String,
    /// Where it holds.
    pub(super) at: Vec<&'static str>,
    /// `Refuse` or `Bypass`; nothing where it is not known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) effect: String,
    /// Why it was made; nothing where it is not known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) reason: String,
    /// When it ends, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<Timestamp>,
}

impl Held {
    /// A lock, as its object says it.
    pub(super) fn of(lock: &Lock) -> Self {
        let points = [
            (Point::Admission, "admission"),
            (Point::Evaluation, "evaluation"),
        ];
        let at = points
            .into_iter()
            .filter(|(point, _)| lock.points.contain(*point));
        Self {
            name: lock.key.to_string(),
            at: at.map(|(_, name)| name).collect(),
            effect: lock.effect.as_str().to_owned(),
            reason: lock.reason.clone(),
            expires_at: lock.expires_at,
        }
    }

    /// A lock of which nothing but its name is known.
    pub(super) fn named(name: String) -> Self {
        Self {
            name,
            at: Vec::new(),
            effect: String::new(),
            reason: String::new(),
            expires_at: None,
        }
    }

    fn text(&self) -> String {
        if self.at.is_empty() {
            return format!("locked by {}", self.name);
        }
        let bypass = self.effect == Effect::Bypass.as_str();
        let effect = if bypass { "bypassed" } else { "refused" };
        format!("{effect} at {} by {}", self.at.join(" and "), self.name)
    }
}

/// All of them, for programs.
pub(super) fn json(rows: &[Row]) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Listing<'l> {
        policies: &'l [Row],
    }

    Ok(escaped(&pretty(&Listing { policies: rows })?))
}

/// A line for each policy, and for each further lock of it.
pub(super) fn table(rows: &[Row]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let head = [
        "POLICY",
        "NAMESPACE",
        "STATE",
        "UPDATED",
        "LOCKED",
        "UNTIL",
        "WHY",
    ];
    let lines = rows.iter().flat_map(lines);
    columns(head, lines)
}

fn lines(row: &Row) -> Vec<[String; 7]> {
    let none = || "-".to_owned();
    let moment = |moment: Timestamp| moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let own = [
        row.policy.clone(),
        row.namespace.clone().unwrap_or_else(none),
        row.state.clone(),
        row.updated.map_or_else(none, moment),
    ];
    let lock = |held: &Held| {
        [
            held.text(),
            held.expires_at.map_or_else(none, moment),
            Some(shortened(&held.reason))
                .filter(|reason| !reason.is_empty())
                .unwrap_or_else(none),
        ]
    };
    let locks: Vec<[String; 3]> = if row.locks.is_empty() {
        let locked = if row.locked {
            "locked".to_owned()
        } else {
            none()
        };
        vec![[locked, none(), none()]]
    } else {
        row.locks.iter().map(lock).collect()
    };
    let line = |(at, [locked, until, why]): (usize, [String; 3])| {
        let [policy, namespace, state, updated] = match at {
            0 => own.clone(),
            _ => std::array::from_fn(|_| String::new()),
        };
        [policy, namespace, state, updated, locked, until, why]
    };
    locks.into_iter().enumerate().map(line).collect()
}

fn shortened(text: &str) -> String {
    let text = clean(text);
    if text.chars().count() <= SHOWN {
        return text;
    }
    text.chars().take(SHOWN - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(policy: &str) -> Row {
        Row {
            policy: policy.to_owned(),
            namespace: None,
            digest: None,
            ready: Some(true),
            state: "ready".to_owned(),
            locked: false,
            locks: Vec::new(),
            updated: None,
        }
    }

    fn held(name: &str, effect: &str) -> Held {
        Held {
            name: name.to_owned(),
            at: vec!["admission", "evaluation"],
            effect: effect.to_owned(),
            reason: "incident 4711".to_owned(),
            expires_at: None,
        }
    }

    #[test]
    fn people_read_what_is_locked_by_what_and_why() {
        let rows = [
            row("platform/limits@1.2"),
            Row {
                ready: Some(false),
                state: "CompileFailed".to_owned(),
                updated: Some("2026-11-30T12:00:00.5Z".parse().unwrap()),
                ..row("platform/quota@1.0")
            },
            Row {
                namespace: Some("team-a".to_owned()),
                locked: true,
                locks: vec![
                    Held {
                        at: vec!["evaluation"],
                        expires_at: Some("2026-11-30T14:00:00Z".parse().unwrap()),
                        ..held("Lock team-a/http-shop.discount.1.0", "Refuse")
                    },
                    Held {
                        reason: "a".repeat(SHOWN + 1),
                        ..held("ClusterLock everything", "Bypass")
                    },
                ],
                ..row("shop/discount@1.0")
            },
            Row {
                locked: true,
                ..row("shop/old@1.0")
            },
        ];
        insta::assert_snapshot!(table(&rows));
        assert_eq!(table(&[]), "");
    }

    #[test]
    fn what_forges_another_line_is_shown_as_a_blank() {
        let rows = [Row {
            policy: "a/b@1\u{1b}[31m\nx".to_owned(),
            locks: vec![held("Lock \u{202e}x\r", "Refuse")],
            ..row("")
        }];
        let text = table(&rows);
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\r']), "{text}");
        assert_eq!(text.lines().count(), 2, "{text}");
    }
}
