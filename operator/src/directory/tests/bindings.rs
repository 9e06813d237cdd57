//! Bindings of a directory, and the objects that they take parameters of.

use portcullis_policies::{Objects, Operation, Route, Subject};

use super::{Started, directory, start};

const LIMIT: &str = "package a.b\n\ndeny contains input.parameters.limit if true\n";

const BINDING: &str = "\
apiVersion: portcullis.dev/v1alpha1
kind: ClusterPolicyBinding
metadata: {name: prod}
spec:
  policy: {group: a, name: b, version: \"1.0\"}
  match:
    resourceRules: [{apiGroups: [\"\"], apiVersions: [v1], resources: [pods], operations: [CREATE]}]
  parametersFrom: {name: limits, namespace: platform, key: limits.yaml}
";

fn config_map(limit: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: limits, namespace: platform}}\n\
         data:\n  limits.yaml: |\n    limit: {limit}\n"
    )
}

fn started(binding: &str) -> Started {
    start(directory(&[
        ("a/b/1.0/policy.rego", LIMIT),
        ("binding.yaml", binding),
        ("limits.yaml", &config_map("seven")),
    ]))
    .unwrap()
}

impl Started {
    /// What is said about the creation of a Pod.
    fn said(&self) -> Vec<String> {
        let snapshot = self.cache.snapshot();
        let pod = Subject::new("", "pods", Operation::Create).within("shop");
        let selected = snapshot.select(&pod, Objects::default, Route::default());
        let input = portcullis_policies::Input::Admission(portcullis_policies::Document::default());
        let request = portcullis_policies::Request {
            id: "id".into(),
            now: portcullis_policies::Timestamp::now(),
            headers: std::sync::Arc::default(),
            budget: std::time::Duration::from_secs(5),
            namespace: None,
            tool: None,
            strict: false,
        };
        let decided = selected.into_iter().map(|entry| {
            let decision = entry.decide(&input, &request);
            let messages = decision.messages.iter().map(|it| it.message.as_str());
            messages.collect::<Vec<_>>().join(", ")
        });
        decided.collect()
    }
}

#[test]
fn parameters_are_those_of_another_file() {
    let mut started = started(BINDING);
    assert_eq!(started.said(), ["seven"]);
    assert_eq!(started.loader.status().notes, [""; 0]);
    started.write("limits.yaml", &config_map("eight"));
    assert_eq!(started.said(), ["eight"]);
    started.remove("limits.yaml");
    let gone = "there is no ConfigMap platform/limits to take parameters of";
    assert_eq!(started.said(), [gone]);
    started.remove("binding.yaml");
    assert_eq!(started.said(), [""; 0]);
}

#[test]
fn objects_that_no_binding_takes_anything_of_are_passed_over() {
    let started = started(&BINDING.replace("parametersFrom", "# parametersFrom"));
    let note = "limits.yaml:1: passed over: the document is of another API";
    assert_eq!(started.loader.status().notes, [note]);
}

#[test]
fn a_binding_that_breaks_keeps_its_last_good_state() {
    let mut started = started(BINDING);
    let broken = BINDING.replace("name: limits, ", "");
    started.write("binding.yaml", &broken);
    assert_eq!(started.said(), ["seven"]);
    let faults = started.faults();
    assert!(
        faults[0].contains("binding.yaml:8:") && faults[0].contains("by `name` or by `selector`"),
        "{faults:?}"
    );
}

/// At the start there is nothing before it: it denies what it selects.
#[test]
fn a_binding_that_is_broken_at_the_start_denies() {
    let broken = BINDING.replace("parametersFrom:", "parametersForm:");
    let started = started(&broken);
    let said = started.said();
    assert!(
        said[0].contains("the binding is broken") && said[0].contains("parametersForm"),
        "{said:?}"
    );
}
