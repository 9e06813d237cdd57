//! Manifests: what is accepted compiles to a policy or to a named fault, what is broken never allows,
//! a lock that refuses is never lost in silence, an exemption that is broken exempts nothing, and JSON
//! says the same as YAML.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_fuzz::decisions::decide;
use portcullis_fuzz::faults::check_diagnostic;
use portcullis_fuzz::rego::let_builtins_panic;
use portcullis_operator::convert::Draft;
use portcullis_operator::directory::{Item, Reading, document, read_manifests};
use portcullis_policies::{
    Action, Allowance, Diagnostic, Document, Effect, Entry, FailurePolicy, Headers, Input, Outcome,
    Part, Point,
};
use serde_json::Value as Json;

const FILE: &str = "fuzz.yaml";

fn check_places<'d>(diagnostics: impl IntoIterator<Item = &'d Diagnostic>, text: &str) {
    let lines = text
        .split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'])
        .count();
    for diagnostic in diagnostics {
        check_diagnostic(diagnostic);
        if let Some(location) = diagnostic.location.as_ref().filter(|it| it.file == FILE) {
            assert!(
                (1..=lines + 1).contains(&(location.line as usize)) && location.column > 0,
                "{diagnostic:?} is outside of {lines} lines"
            );
        }
    }
}

fn check_policy(draft: &Draft, text: &str) {
    check_places(draft.faults.iter().flat_map(|faults| faults.iter()), text);
    let object = draft.clone().compile(&(), Allowance::default());
    let again = draft.clone().compile(&(), Allowance::default());
    assert_eq!(object.key, draft.key);
    assert_eq!(object.policy.digest(), again.policy.digest());
    let faults = object.policy.faults();
    assert!(
        faults.is_some() || draft.faults.is_none(),
        "a fault is lost"
    );
    faults
        .into_iter()
        .flat_map(|faults| faults.iter())
        .for_each(check_diagnostic);
    let entry = Entry {
        object: object.key.clone(),
        policy: object.policy.clone(),
        locks: Vec::new(),
        imported_locks: Vec::new(),
        exemptions: Default::default(),
        binding: None,
        part: Part::Object,
        superseded_by: None,
    };
    let nothing = Document::default;
    let inputs = [
        (Point::Admission, Input::Admission(nothing())),
        (Point::Evaluation, Input::Evaluation(Some(nothing()))),
    ];
    for (point, input) in inputs {
        let decision = decide(&entry, Some(&input), point, &Headers::default());
        let admission = object.policy.definition().admission.as_ref();
        let enforces = point == Point::Evaluation
            || admission.is_none_or(|it| {
                it.action == Action::Deny && it.failure_policy == FailurePolicy::Fail
            });
        let judges = object
            .policy
            .definition()
            .window
            .contains(portcullis_policies::Timestamp::now());
        if faults.is_some() && enforces && judges {
            assert!(!decision.allowed, "what is broken allows: {decision:?}");
            assert_eq!(decision.outcome, Outcome::Error);
        }
    }
}

fn check(reading: &Reading, text: &str) {
    check_places(&reading.lost, text);
    for item in &reading.items {
        match item {
            Item::Policy(draft) => check_policy(draft, text),
            Item::Lock(draft) => {
                check_places(draft.faults.iter().flat_map(|faults| faults.iter()), text);
                match &draft.lock {
                    None => assert!(draft.faults.is_some(), "a lock is lost in silence"),
                    Some(lock) => assert!(
                        lock.effect == Effect::Refuse || draft.faults.is_none(),
                        "a lock that is broken bypasses"
                    ),
                }
            }
            Item::Exemption(draft) => {
                check_places(draft.faults.iter().flat_map(|faults| faults.iter()), text);
                assert_eq!(
                    draft.exemption.is_some(),
                    draft.faults.is_none(),
                    "an exemption that is broken exempts, or one is lost in silence"
                );
            }
            Item::Binding(draft) => check_places(&draft.faults, text),
            Item::Namespace(key, _) => assert_eq!(key.kind, "Namespace"),
        }
    }
}

/// The objects of a reading, without the places of their faults.
fn objects(reading: &Reading) -> Vec<Item> {
    let mut items = reading.items.clone();
    for item in &mut items {
        match item {
            Item::Policy(draft) => draft.faults = None,
            Item::Lock(draft) => draft.faults = None,
            Item::Exemption(draft) => draft.faults = None,
            Item::Binding(draft) => draft.faults.clear(),
            Item::Namespace(..) => {}
        }
    }
    items
}

/// Whether a key, as JSON writes it, may be longer than YAML lets one be: 1,024 characters. JSON is read
/// as YAML.
fn has_long_key(value: &Json) -> bool {
    match value {
        Json::Object(members) => members.iter().any(|(key, value)| {
            Json::from(&**key).to_string().len() > 1_000 || has_long_key(value)
        }),
        Json::Array(elements) => elements.iter().any(has_long_key),
        _ => false,
    }
}

fuzz_target!(|text: &str| {
    let_builtins_panic();
    let reading = read_manifests(FILE, text);
    check(&reading, text);
    assert_eq!(
        reading,
        read_manifests(FILE, text),
        "the same again is something else"
    );
    let Ok(nodes) = document::read(text) else {
        assert!(reading.items.is_empty() && !reading.lost.is_empty());
        return;
    };
    let mut seen = Vec::new();
    let (mut lost, mut notes) = (0, 0);
    for node in &nodes {
        let json = node.to_json();
        if has_long_key(&json) {
            return;
        }
        // As JSON, nothing is an empty file.
        notes += usize::from(json.is_null());
        let reading = read_manifests(FILE, &json.to_string());
        seen.extend(objects(&reading));
        lost += reading.lost.len();
        notes += reading.notes.len();
    }
    assert_eq!(objects(&reading), seen, "as JSON it is something else");
    assert_eq!(
        (reading.lost.len(), reading.notes.len()),
        (lost, notes),
        "as JSON it is read otherwise"
    );
});
