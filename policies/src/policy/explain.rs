//! Why a policy decided as it did: its evaluation again, while somebody looks on.

use super::Policy;
use crate::{
    Bound, Document, Input, Limits, Outcome, Part, Point, Request,
    matching::workload,
    memory::{Memory, Recall},
    normalise::{self, Reading},
    rego::Powers,
    workbench::{Explanation, Kept},
};

/// What an evaluation shows that is looked on.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// What the policy made of the input this time. It is something else than before where the
    /// input is not the same, or where the policy had asked other hosts or had remembered.
    pub outcome: Outcome,
    /// Which rules held and which did not, where, and with which values.
    pub explanation: Explanation,
}

impl Policy {
    /// Evaluates the policy again, as it is asked by itself or by a binding, for who may see the input
    /// and the policy. Looking on takes time, so the limit is `request.budget`, whatever the policy's
    /// own is; nothing outside is asked, and nothing is remembered. Of several templates the first is
    /// shown that is denied, or the first. A broken policy cannot be evaluated; the error is a sentence
    /// that says why. `kept` says which rules are shown.
    pub fn explain(
        &self,
        input: &Input,
        binding: Option<&Bound>,
        part: Part,
        request: &Request,
        kept: Kept,
    ) -> Result<Explained, String> {
        let admission = match binding {
            Some(bound) => Some(&bound.binding.admission),
            None => self.definition.admission.as_ref(),
        };
        let (Part::Templates, Input::Admission(document), Some(admission)) =
            (part, input, admission)
        else {
            return self.explain_one(input, binding, request, kept);
        };
        let pods = workload::expand(&admission.matches, document.value())?;
        let each = Request {
            budget: request.budget / u32::try_from(pods.len()).unwrap_or(u32::MAX).max(1),
            ..request.clone()
        };
        let mut first = None;
        for pod in pods {
            let input = Input::Admission(Document::new(pod.request));
            let explained = self.explain_one(&input, binding, &each, kept)?;
            if explained.outcome == Outcome::Denied {
                return Ok(explained);
            }
            first.get_or_insert(explained);
        }
        first.ok_or_else(|| "there is no template that was judged".to_owned())
    }

    fn explain_one(
        &self,
        input: &Input,
        binding: Option<&Bound>,
        request: &Request,
        kept: Kept,
    ) -> Result<Explained, String> {
        let program = self
            .program
            .as_ref()
            .map_err(|faults| super::broken_message(faults).message)?;
        let limits = Limits {
            timeout: request.budget,
            ..self.limits
        };
        let memory = Memory::default();
        let recall = Recall::of(&memory);
        let powers = Powers {
            network: None,
            recall: (input.point() == Point::Evaluation).then_some(&recall),
        };
        let parameters = binding.map_or(&self.parameters, Bound::parameters);
        let document = input.document(parameters);
        let (found, explanation) = program.explain(document, request, limits, powers, kept);
        let reading = Reading {
            point: input.point(),
            rules: program.rules(),
            settings: self.definition.decision,
        };
        let outcome = found.map_or(Outcome::Error, |document| {
            normalise::normalise(document, &reading).outcome
        });
        Ok(Explained {
            outcome,
            explanation,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use rstest::rstest;

    use super::*;
    use crate::{
        Action, ActionAt, Admission, Definition, Entry, FailurePolicy, Headers, Match, ObjectKey,
        Operation, ResourceRule, Timestamp, Workload,
    };

    const SOURCE: &str = r#"package a.b
deny contains sprintf("no %v", [key]) if {
    some key in ["team", "tier"]
    not input.request.labels[key]
}
draws := rand.intn("a", 1000000)
now := time.now_ns()
"#;

    fn request(budget: Duration) -> Request {
        Request {
            id: "7d1c6a2e-0000-4000-8000-000000000001".into(),
            now: Timestamp::UNIX_EPOCH,
            headers: Arc::new(Headers::default()),
            budget,
            namespace: None,
            tool: None,
            strict: false,
        }
    }

    fn policy(source: &str) -> Policy {
        Policy::compile(Definition::new("a/b@1".parse().unwrap(), source))
    }

    fn input(labels: &str) -> Input {
        Input::Admission(Document::read(&format!(r#"{{"labels": {labels}}}"#)).unwrap())
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn shows_the_line_and_the_values() {
        let explained = policy(SOURCE).explain(
            &input(r#"{"team": "a"}"#),
            None,
            Part::Object,
            &request(SECOND),
            Kept::All,
        );
        let Explained {
            outcome,
            explanation,
        } = explained.unwrap();
        assert_eq!(outcome, Outcome::Denied);
        let text = explanation.to_string();
        let shown = "policy.rego:2:1: data.a.b.deny holds\n    value = \"no tier\"\n    \
                     key = \"tier\"\n";
        assert!(text.contains(shown), "{text}");
    }

    #[rstest]
    #[case::denies("deny if input.request.a\nallow if true\nwarn if input.request.b", &["data.a.b.deny"])]
    #[case::permits("default allow := false\nallow if input.request.b\ndeny if input.request.b", &["data.a.b.allow", "data.a.b.allow"])]
    #[case::says_nothing("x := f(1)\nf(n) := g(n)\ng(n) := n", &["data.a.b.x"])]
    fn what_decides_is_told_apart(#[case] rules: &str, #[case] expected: &[&str]) {
        let input = Input::Admission(Document::read(r#"{"a": true}"#).unwrap());
        let policy = policy(&format!("package a.b\n{rules}"));
        let explained = policy
            .explain(&input, None, Part::Object, &request(SECOND), Kept::All)
            .unwrap();
        let decisive = explained.explanation.decisive();
        let names: Vec<&str> = decisive.rules.iter().map(|tried| &*tried.rule).collect();
        assert_eq!(names, expected);
        let depth = decisive.rules.iter().flat_map(|tried| &tried.asked);
        assert!(depth.into_iter().all(|asked| asked.asked.is_empty()));
    }

    #[test]
    fn a_request_has_its_time_and_its_random_numbers_again() {
        let policy = Arc::new(policy(SOURCE));
        let entry = Entry {
            object: ObjectKey::new("ClusterPolicy", None, "a"),
            policy: policy.clone(),
            locks: Vec::new(),
            imported_locks: Vec::new(),
            exemptions: Arc::default(),
            binding: None,
            part: Part::Object,
            superseded_by: None,
        };
        let (input, request) = (input("{}"), request(SECOND));
        let decision = entry.decide(&input, &request);
        let drawn = decision
            .result
            .unwrap()
            .at(&[crate::Step::Name("draws".to_owned())])
            .unwrap();
        let text = policy
            .explain(&input, None, Part::Object, &request, Kept::All)
            .unwrap()
            .explanation
            .to_string();
        assert!(text.contains(&format!("value = {drawn}")), "{text}");
        assert!(
            text.contains("data.a.b.now holds\n    value = 0\n"),
            "{text}"
        );
    }

    /// The template that is denied is shown, as its Pod.
    #[test]
    fn templates_are_shown_as_their_pods() {
        let source = "package a.b\ndeny contains image if {\n\
                      image := input.request.object.spec.image\nendswith(image, \":latest\")\n}";
        let mut definition = Definition::new("a/b@1".parse().unwrap(), source);
        let rule = |resource: &str| ResourceRule {
            groups: vec![String::new()],
            versions: vec!["v1".to_owned()],
            resources: vec![resource.to_owned()],
            operations: vec![Operation::Create],
            ..ResourceRule::default()
        };
        let workload = Workload {
            group: String::new(),
            version: "v1".to_owned(),
            kind: "Task".to_owned(),
            resource: "tasks".to_owned(),
            path: "steps[*]".parse().unwrap(),
            optional: false,
        };
        definition.admission = Some(Admission {
            matches: Match {
                workloads: vec![workload],
                ..Match::of([rule("pods")])
            },
            action: Action::Deny,
            failure_policy: FailurePolicy::Fail,
            action_at: ActionAt::default(),
            require_allow: false,
        });
        let policy = Policy::compile(definition);
        let explain = |steps: &str| {
            let document = format!(
                r#"{{"operation": "CREATE", "resource": {{"group": "", "resource": "tasks"}},
                     "object": {{"steps": {steps}}}}}"#
            );
            let input = Input::Admission(Document::read(&document).unwrap());
            policy.explain(&input, None, Part::Templates, &request(SECOND), Kept::All)
        };
        let explained = explain(r#"[{"spec": {"image": "a:1"}}, {"spec": {"image": "b:latest"}}]"#);
        let explained = explained.unwrap();
        assert_eq!(explained.outcome, Outcome::Denied);
        let text = explained.explanation.to_string();
        assert!(text.contains("value = \"b:latest\""), "{text}");
        let why = explain("7").unwrap_err();
        assert_eq!(why, "`steps` is no list and no map");
        let why = explain("[]").unwrap_err();
        assert_eq!(why, "there is no template that was judged");
    }

    #[test]
    fn a_broken_policy_says_why() {
        let broken = policy("package a.b\ndeny if {");
        let fault = broken
            .explain(
                &input("{}"),
                None,
                Part::Object,
                &request(SECOND),
                Kept::All,
            )
            .unwrap_err();
        assert!(fault.starts_with("the policy is broken: "), "{fault}");
    }

    #[test]
    fn ends_in_time_with_what_was_seen_until_then() {
        let source = "package a.b\ndeny if {\nsome i in numbers.range(1, 5000)\n\
                      some j in numbers.range(1, 5000)\ni + j < 0\n}";
        let policy = policy(source);
        let explained = policy
            .explain(
                &input("{}"),
                None,
                Part::Object,
                &request(Duration::from_millis(1)),
                Kept::All,
            )
            .unwrap();
        assert_eq!(explained.outcome, Outcome::Error);
        assert!(explained.explanation.to_string().contains("data.a.b.deny"));
        assert_eq!(
            policy.exhausts(),
            None,
            "nothing is held against the policy"
        );
    }
}
