use portcullis_policies::{Code, Definition, Document, Outcome, Policy};
use proptest::prelude::*;

use super::*;

const ID: &str = "7d1c6a2e-0000-4000-8000-000000000003";

fn decision(allowed: bool, messages: Vec<Message>, warnings: Vec<Message>) -> Decision {
    let definition = Definition::new("platform/limits@1.0".parse().unwrap(), "");
    Decision {
        id: ID.into(),
        allowed,
        grants: false,
        outcome: if allowed {
            Outcome::Allowed
        } else {
            Outcome::Denied
        },
        messages,
        warnings,
        skipped: Vec::new(),
        result: None,
        digest: Policy::compile(definition.clone()).digest(),
        policy: definition.address,
        binding: None,
        lock: None,
        exemption: None,
        duration_ns: 0,
    }
}

fn message(text: &str, severity: Option<Severity>) -> Message {
    Message {
        severity,
        ..Message::new(Code::DeniedAdmission, text)
    }
}

fn response(decisions: &[Decision]) -> Response {
    combine("1", ID, decisions).response
}

fn any_message() -> impl Strategy<Value = Message> {
    let severity = proptest::option::of(proptest::sample::select(Severity::ALL.to_vec()));
    ("(?s:.{0,1200})", "(?s:.{0,1200})", severity)
        .prop_map(|(text, remedy, severity)| message(&text, severity).with_remedy(&remedy))
}

fn any_decisions() -> impl Strategy<Value = Vec<Decision>> {
    let messages = || proptest::collection::vec(any_message(), 0..12);
    let one = (any::<bool>(), messages(), messages())
        .prop_map(|(allowed, messages, warnings)| decision(allowed, messages, warnings));
    proptest::collection::vec(one, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn answers_are_bounded_and_refuse_exactly_where_a_decision_does(decisions in any_decisions()) {
        let response = response(&decisions);
        prop_assert_eq!(response.allowed, decisions.iter().all(|decision| decision.allowed));
        prop_assert_eq!(response.status.is_none(), response.allowed);
        if let Some(status) = response.status {
            prop_assert!(status.message.len() <= MAX_MESSAGE);
            let end = format!("decision {ID}");
            prop_assert!(status.message.ends_with(&end));
        }
        let mut total = 0;
        for warning in &response.warnings {
            prop_assert!(warning.chars().count() <= MAX_WARNING);
            prop_assert!(!warning.chars().any(char::is_control));
            total += warning.chars().count();
        }
        prop_assert!(total <= MAX_WARNINGS);
        let distinct: BTreeSet<_> = response.warnings.iter().collect();
        prop_assert_eq!(distinct.len(), response.warnings.len());
    }
}

/// A text that fills the room to its last byte leaves none for what stands before the next.
#[test]
fn a_list_is_bounded_wherever_its_first_text_ends() {
    for length in MAX_MESSAGE - 2 * MESSAGE_TAIL..=MAX_MESSAGE {
        let texts = ["x".repeat(length), "second".to_owned(), "third".to_owned()];
        let message = refusal(&texts, ID);
        assert!(message.len() <= MAX_MESSAGE, "{length}: {}", message.len());
        assert!(message.ends_with(&format!("decision {ID}")), "{length}");
        let said = message.contains("third") || message.contains(" more\n");
        assert!(said, "{length}: what is left out is counted");
    }
}

#[test]
fn the_worst_is_shown_and_the_rest_is_counted() {
    let long = "x".repeat(900);
    let mut messages: Vec<Message> = (0..20)
        .map(|number| message(&format!("{number} {long}"), Some(Severity::Low)))
        .collect();
    messages.push(message("the worst", None));
    let status = response(&[decision(false, messages, Vec::new())])
        .status
        .unwrap();
    let lines: Vec<&str> = status.message.lines().collect();
    assert_eq!(lines[0], "21 violations:");
    assert_eq!(
        lines[1],
        "- POLICY.DENIED_ADMISSION: the worst [platform/limits@1.0]"
    );
    let counted = lines[lines.len() - 2];
    assert_eq!(counted, format!("and {} more", 21 - (lines.len() - 3)));
    assert_eq!(lines[lines.len() - 1], format!("decision {ID}"));
}

#[test]
fn one_violation_is_told_on_one_line() {
    let one = Message {
        path: Some("spec.containers[0]".to_owned()),
        found: Some(Document::read("\"4Gi\"").unwrap()),
        wanted: Some(Document::read("\"at most 2Gi\"").unwrap()),
        ..message("no limit", Some(Severity::High)).with_remedy("set one")
    };
    let status = response(&[decision(false, vec![one], Vec::new())]);
    assert_eq!(
        status.status.unwrap().message,
        format!(
            "POLICY.DENIED_ADMISSION: no limit at spec.containers[0] \
             (found \"4Gi\", want at most 2Gi) [platform/limits@1.0, high] → set one; decision {ID}"
        )
    );
}

#[test]
fn a_binding_is_told_beside_its_policy() {
    let by = Decision {
        binding: Some("ClusterPolicyBinding prod".into()),
        ..decision(false, vec![message("no limit", None)], Vec::new())
    };
    let text = response(&[by]).status.unwrap().message;
    let speaker = "[platform/limits@1.0 by ClusterPolicyBinding prod]";
    assert!(text.contains(speaker), "{text}");
}

#[test]
fn one_text_that_is_too_long_is_cut() {
    let wide = message(&"界".repeat(2_000), None).with_remedy(&"界".repeat(2_000));
    let long = Message {
        code: Code::Custom("界".repeat(1_000)),
        ..wide
    };
    let status = response(&[decision(false, vec![long], Vec::new())])
        .status
        .unwrap();
    assert!(status.message.len() <= MAX_MESSAGE && status.message.ends_with(ID));
}

#[test]
fn what_is_said_twice_is_shown_once() {
    let twice = vec![message("again", None), message("again", None)];
    let response = response(&[decision(false, twice.clone(), twice)]);
    assert_eq!(response.status.unwrap().message.matches("again").count(), 1);
    assert_eq!(response.warnings.len(), 1);
}

#[test]
fn warnings_are_one_line_with_their_remedy_and_tell_that_there_are_more() {
    let long = "y".repeat(300);
    let mut warnings: Vec<Message> = (0..30)
        .map(|number| message(&format!("{number} {long}"), Some(Severity::Low)))
        .collect();
    warnings.push(message("first", Some(Severity::High)).with_remedy("mend it"));
    let shown = response(&[decision(true, Vec::new(), warnings)]).warnings;
    assert_eq!(
        shown[0],
        "POLICY.DENIED_ADMISSION: first [platform/limits@1.0, high] → mend it"
    );
    assert!(shown[1].ends_with('…') && shown[1].chars().count() == MAX_WARNING);
    assert_eq!(shown.last().unwrap(), "more warnings are not shown");
}

#[test]
fn the_list_of_policies_is_bounded() {
    let numbered = |number: u32| Decision {
        policy: format!("platform/limits@1.{number}").parse().unwrap(),
        ..decision(true, Vec::new(), Vec::new())
    };
    let mut decisions: Vec<Decision> = (0..200).map(numbered).collect();
    // An object and its template are two decisions of one policy.
    decisions.push(numbered(0));
    let response = response(&decisions);
    let list = &response.audit_annotations["policies"];
    assert!(list.len() <= MAX_ANNOTATION + " and 200 more".len());
    let shown = list.matches("=sha256:").count();
    assert!(list.ends_with(&format!(" and {} more", 200 - shown)));
}

/// The API server's audit log names who was left alone, and by whose exemption.
#[test]
fn an_exemption_is_an_annotation() {
    let exemption = portcullis_policies::ExemptionNote {
        name: "ClusterExemption legacy".to_owned(),
        reason: "TICKET-4711".to_owned(),
        approver: "jane".to_owned(),
        expires_at: portcullis_policies::Timestamp::UNIX_EPOCH,
    };
    let mut decisions = vec![decision(true, Vec::new(), Vec::new()); 2];
    decisions[1].outcome = Outcome::Exempted;
    decisions[1].exemption = Some(exemption);
    let told = response(&decisions);
    assert!(told.allowed && told.warnings.is_empty());
    let annotated = &told.audit_annotations["exemptions"];
    assert_eq!(
        annotated,
        &format!("{}=ClusterExemption legacy", decisions[1].policy)
    );
    let told = response(&decisions[..1]);
    assert!(!told.audit_annotations.contains_key("exemptions"));
}
