//! What is behind a decision, for people.

use std::fmt::Write as _;

use serde_json::Value as Json;

use crate::presentation::{self, printable_lines};

/// The request, each decision with what it says and why, and the input. Of explanations, `all` shows
/// every rule that was tried, and not only those that decided.
pub(super) fn text(answer: &Json, all: bool) -> String {
    let mut text = head(answer);
    let part = if all { "text" } else { "decisive" };
    for decision in list(&answer["decisions"]) {
        text.push('\n');
        text += &decision_text(decision, part);
    }
    if let Some(more) = answer["leftOut"].as_u64().filter(|more| *more > 0) {
        // Writing to a string does not fail.
        let _ = writeln!(text, "\nand {more} decisions more");
    }
    text += &input(answer);
    let text = text.trim_end();
    printable_lines(text)
}

fn head(answer: &Json) -> String {
    let said = |name: &str| answer[name].as_str().filter(|text| !text.is_empty());
    let mut text = format!(
        "decision {}\n{} at {}\n",
        said("id").unwrap_or_default(),
        said("point").unwrap_or_default(),
        said("time").unwrap_or_default()
    );
    if let Some(resource) = said("resource") {
        text += resource;
        if let Some(user) = said("user") {
            let _ = write!(text, " by {user}");
        }
        text.push('\n');
    }
    let shown = list(&answer["decisions"]).len();
    let judged = answer["judged"].as_u64().unwrap_or_default();
    let policies = if judged == 1 { "policy" } else { "policies" };
    let _ = writeln!(text, "{judged} {policies} judged it, {shown} shown below");
    text
}

/// What a policy decided, said and did.
fn decision_text(remembered: &Json, part: &str) -> String {
    let decision = &remembered["decision"];
    let policy = decision["policy"].as_str().unwrap_or_default();
    let mut text = policy.to_owned();
    if let Some(namespace) = decision["namespace"].as_str() {
        let _ = write!(text, " in {namespace}");
    }
    let outcome = decision["outcome"].as_str().unwrap_or_default();
    let enforced = if decision["allowed"] == true {
        "allowed"
    } else {
        "refused"
    };
    let _ = write!(text, ": {outcome}, and so {enforced}");
    if let Some(action) = remembered["action"].as_str() {
        let _ = write!(text, " (action {action}");
        if let Some(binding) = decision["binding"].as_str() {
            let _ = write!(text, " of {binding}");
        }
        text.push(')');
    }
    text.push('\n');
    for shaped_by in ["lock", "exemption"] {
        if let Some(name) = decision[shaped_by]["name"].as_str() {
            let reason = decision[shaped_by]["reason"].as_str().unwrap_or_default();
            let _ = writeln!(text, "  {name}: {reason}");
        }
    }
    for (kind, mark) in [("messages", ""), ("warnings", "warning: "), ("skipped", "")] {
        for message in list(&decision[kind]) {
            let _ = writeln!(text, "  {mark}{}", presentation::message(message, policy));
        }
    }
    if remembered["cut"] == true {
        text += "  (not all that it said was kept)\n";
    }
    if let Some(why) = remembered["explanation"][part].as_str() {
        for line in why.lines() {
            let _ = writeln!(text, "    {line}");
        }
    }
    if let Some(note) = remembered["explanationNote"].as_str() {
        let missing = remembered["explanation"].is_null();
        let what = if missing { "no explanation" } else { "note" };
        let _ = writeln!(text, "    {what}: {note}");
    }
    text
}

fn input(answer: &Json) -> String {
    let note = answer["inputNote"].as_str();
    let mut text = match note {
        Some(note) => format!("\ninput ({note}):\n"),
        None => "\ninput, as far as the policies look at it:\n".to_owned(),
    };
    match &answer["input"] {
        Json::Null => text += "  none\n",
        input => {
            // What was read as JSON is written as JSON.
            text += &presentation::pretty(input).unwrap_or_default();
        }
    }
    text
}

fn list(value: &Json) -> &[Json] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn people_read_what_was_decided_and_why() {
        let answer = json!({
            "id": "0c4f8d5e-5d0c-4a51-9d6c-0e8c9a3b7f11",
            "point": "admission",
            "time": "2026-11-30T12:00:00Z",
            "user": "ann",
            "resource": "CREATE pods team-a/web",
            "judged": 3,
            "input": {"object": {"spec": {"containers": [{"name": "web"}]}}},
            "decisions": [
                {
                    "decision": {
                        "policy": "platform/limits@1.2", "allowed": false, "outcome": "denied",
                        "messages": [{
                            "code": "LIMITS.NONE", "message": "container \"web\" has no memory limit",
                            "remedy": "set resources.limits.memory", "severity": "high", "rule": "deny",
                            "path": "spec.containers[0].resources.limits.memory",
                            "found": null, "wanted": "a quantity",
                        }],
                        "warnings": [], "skipped": [],
                    },
                    "action": "Deny", "cut": false,
                    "explanation": {"outcome": "denied", "text": "all", "decisive": "policy.rego:3:1: data.platform.limits.deny holds\n    value = 1\n"},
                },
                {
                    "decision": {
                        "policy": "team/owners@1", "namespace": "team-a", "allowed": true,
                        "outcome": "bypassed", "messages": [], "warnings": [], "skipped": [],
                        "binding": "PolicyBinding team-a/owners",
                        "lock": {"name": "Lock incident", "reason": "incident 4711"},
                    },
                    "action": "Warn", "cut": true, "explanationNote": "the policy was not evaluated",
                },
            ],
            "leftOut": 2,
        });
        insta::assert_snapshot!(text(&answer, false));
        let all = text(&answer, true);
        assert!(
            all.contains("    all\n") && !all.contains("policy.rego"),
            "{all}"
        );
    }

    #[test]
    fn what_forges_another_line_is_shown_as_a_blank() {
        let answer = json!({
            "id": "a", "user": "ann\u{1b}[31m\u{202e}", "resource": "CREATE pods a",
            "inputNote": "the input was not read",
        });
        let text = text(&answer, false);
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
        assert!(
            text.ends_with("input (the input was not read):\n  none\n"),
            "{text}"
        );
    }
}
