//! From the policies to the webhooks that the API server calls. Pure.
//!
//! | webhook | asks about |
//! |---|---|
//! | `fail.cluster.portcullis.dev` | cluster policies that deny when nobody answers |
//! | `ignore.cluster.portcullis.dev` | those that do not, `Warn` and `Audit` among them |
//! | `fail-<n>.namespace.portcullis.dev` | policies of the namespaces that have the same rules |
//! | `ignore-<n>.namespace.portcullis.dev` | the same, of those that do not deny then |
//! | `resources.portcullis.dev` | our own resources, when they are applied |

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{
    ByteString,
    api::admissionregistration::v1::{
        RuleWithOperations, ServiceReference, ValidatingWebhook, WebhookClientConfig,
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement},
};
use portcullis_policies::{Entry, FailurePolicy, Operation, ResourceRule, Scope, Snapshot};

use super::{Catalogue, Cover, cover};

/// Seconds that the API server waits for an answer: its own default, and what the webhook derives
/// its deadlines from.
const TIMEOUT: i32 = 10;

/// The port of the webhook's Service.
const PORT: i32 = 443;

/// The label by which every namespace is known.
const NAMESPACE: &str = "kubernetes.io/metadata.name";

/// Sets of namespaces with rules of their own, for each failure policy. Every request is compared
/// with each of them, so beyond this many they share one webhook with all of their rules; a
/// namespace without a policy for a request then costs a call that is answered at once.
const NAMESPACE_SETS: usize = 100;

const FAILURE_POLICIES: [FailurePolicy; 2] = [FailurePolicy::Fail, FailurePolicy::Ignore];

/// What the webhooks call, and what they leave alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The webhook's Service.
    pub(crate) service: String,
    /// Its namespace.
    pub(crate) namespace: String,
    /// Namespaces in which nothing is judged.
    pub(crate) exempt: BTreeSet<String>,
}

/// What is asked about each owner's policies, by failure policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Covers {
    cluster: BTreeMap<FailurePolicy, Cover>,
    namespaces: BTreeMap<(FailurePolicy, String), Cover>,
}

/// Whether policies have wildcards, which only a catalogue can expand.
pub(crate) fn needs_catalogue(snapshot: &Snapshot) -> bool {
    let admissions = snapshot.judges().filter_map(|entry| entry.admission());
    admissions
        .flat_map(|admission| &admission.matches.rules)
        .any(cover::has_wildcard)
}

/// The webhooks for these policies, in a stable order.
pub(crate) fn webhooks(
    snapshot: &Snapshot,
    catalogue: &Catalogue,
    target: &Target,
    trusted: &str,
) -> Vec<ValidatingWebhook> {
    let covers = Covers::of(snapshot, catalogue, target);
    let builder = Builder { target, trusted };
    let mut webhooks = Vec::new();
    for (failure_policy, cover) in covers.cluster {
        let selector = select(NAMESPACE, "NotIn", target.exempt.iter());
        let word = word(failure_policy);
        webhooks.push(builder.webhook(
            format!("{word}.cluster.portcullis.dev"),
            format!("/admission/cluster/{word}"),
            failure_policy,
            cover.rules(),
            selector,
        ));
    }
    for failure_policy in FAILURE_POLICIES {
        let word = word(failure_policy);
        let sets = namespace_sets(&covers.namespaces, failure_policy);
        for (number, (namespaces, rules)) in (1..).zip(sets) {
            webhooks.push(builder.webhook(
                format!("{word}-{number}.namespace.portcullis.dev"),
                format!("/admission/namespace/{word}"),
                failure_policy,
                rules,
                select(NAMESPACE, "In", namespaces.into_iter()),
            ));
        }
    }
    webhooks.push(builder.resources());
    webhooks
}

/// Whether the API server asks about everything that a policy judges. A policy that judges nothing
/// at admission is always registered.
pub(crate) fn is_registered(
    entry: &Entry,
    webhooks: &[ValidatingWebhook],
    catalogue: &Catalogue,
    target: &Target,
) -> bool {
    let mut wanted = Covers::default();
    wanted.add(entry, catalogue, target);
    let cluster = wanted.cluster.iter().all(|(failure_policy, cover)| {
        let name = format!("{}.cluster.portcullis.dev", word(*failure_policy));
        let found = webhooks.iter().find(|webhook| webhook.name == name);
        cover.is_within(&found.map(rules_of).unwrap_or_default())
    });
    let namespaces = wanted
        .namespaces
        .iter()
        .all(|((failure_policy, namespace), cover)| {
            let prefix = format!("{}-", word(*failure_policy));
            let mut known = Cover::default();
            for webhook in webhooks {
                if webhook.name.starts_with(&prefix) && selects(webhook, namespace) {
                    known.extend(&rules_of(webhook));
                }
            }
            cover.is_within(&known)
        });
    cluster && namespaces
}

impl Covers {
    fn of(snapshot: &Snapshot, catalogue: &Catalogue, target: &Target) -> Self {
        let mut covers = Self::default();
        for entry in snapshot.judges() {
            covers.add(entry, catalogue, target);
        }
        covers.cluster.retain(|_, cover| !cover.is_empty());
        covers.namespaces.retain(|_, cover| !cover.is_empty());
        covers
    }

    /// Adds what a policy judges, broken or not: a broken one denies at its own match.
    fn add(&mut self, entry: &Entry, catalogue: &Catalogue, target: &Target) {
        let (Some(admission), Some(failure_policy)) = (entry.admission(), entry.failure_policy())
        else {
            return;
        };
        let mut own = Cover::default();
        for rule in &admission.matches.rules {
            own.add(rule, catalogue);
        }
        for rule in &admission.matches.excluded {
            own.remove(rule);
        }
        // What is excluded are Pods, and not what holds a template of them.
        for rule in admission.matches.workload_rules() {
            own.add(&rule, catalogue);
        }
        let cover = match entry.reach() {
            Scope::Cluster => self.cluster.entry(failure_policy).or_default(),
            Scope::Namespace(namespace) if target.exempt.contains(namespace) => return,
            Scope::Namespace(namespace) => {
                own.within_namespaces();
                self.namespaces
                    .entry((failure_policy, namespace.clone()))
                    .or_default()
            }
        };
        cover.extend(&own);
    }
}

/// Namespaces with the rules that they share, in the order of the first namespace of each set.
fn namespace_sets(
    covers: &BTreeMap<(FailurePolicy, String), Cover>,
    failure_policy: FailurePolicy,
) -> Vec<(BTreeSet<&String>, Vec<RuleWithOperations>)> {
    let own = covers.iter().filter(|((own, _), _)| *own == failure_policy);
    let mut sets: BTreeMap<&Cover, BTreeSet<&String>> = BTreeMap::new();
    for ((_, namespace), cover) in own {
        sets.entry(cover).or_default().insert(namespace);
    }
    if sets.len() > NAMESPACE_SETS {
        let mut all = Cover::default();
        sets.keys().for_each(|cover| all.extend(cover));
        let namespaces = sets.into_values().flatten().collect();
        return vec![(namespaces, all.rules())];
    }
    let mut sets: Vec<_> = sets
        .into_iter()
        .map(|(cover, namespaces)| (namespaces, cover.rules()))
        .collect();
    sets.sort_by(|(left, _), (right, _)| left.cmp(right));
    sets
}

struct Builder<'a> {
    target: &'a Target,
    trusted: &'a str,
}

impl Builder<'_> {
    /// Every field is set that the API server would set by default, so that what comes back is
    /// equal to what was written.
    fn webhook(
        &self,
        name: String,
        path: String,
        failure_policy: FailurePolicy,
        rules: Vec<RuleWithOperations>,
        namespace_selector: LabelSelector,
    ) -> ValidatingWebhook {
        ValidatingWebhook {
            name,
            client_config: WebhookClientConfig {
                ca_bundle: Some(ByteString(self.trusted.as_bytes().to_vec())),
                service: Some(ServiceReference {
                    name: self.target.service.clone(),
                    namespace: self.target.namespace.clone(),
                    path: Some(path),
                    port: Some(PORT),
                }),
                url: None,
            },
            rules: Some(rules),
            failure_policy: Some(failure_policy.as_str().to_owned()),
            match_policy: Some("Equivalent".to_owned()),
            namespace_selector: Some(namespace_selector),
            object_selector: Some(LabelSelector::default()),
            side_effects: "None".to_owned(),
            timeout_seconds: Some(TIMEOUT),
            admission_review_versions: vec!["v1".to_owned()],
            match_conditions: None,
        }
    }

    /// Under `Ignore`: what gets past it is a broken policy, and answers as one.
    fn resources(&self) -> ValidatingWebhook {
        let rule = ResourceRule {
            groups: vec![portcullis_crds::GROUP.to_owned()],
            versions: vec![portcullis_crds::VERSION.to_owned()],
            resources: [
                "policies",
                "clusterpolicies",
                "locks",
                "clusterlocks",
                "policybindings",
                "clusterpolicybindings",
                "exemptions",
                "clusterexemptions",
            ]
            .map(str::to_owned)
            .to_vec(),
            operations: vec![Operation::Create, Operation::Update],
            ..ResourceRule::default()
        };
        let mut cover = Cover::default();
        cover.add(&rule, &Catalogue::default());
        self.webhook(
            "resources.portcullis.dev".to_owned(),
            "/resources".to_owned(),
            FailurePolicy::Ignore,
            cover.rules(),
            LabelSelector::default(),
        )
    }
}

fn word(failure_policy: FailurePolicy) -> &'static str {
    match failure_policy {
        FailurePolicy::Fail => "fail",
        FailurePolicy::Ignore => "ignore",
    }
}

fn select<'a>(
    label: &str,
    operator: &str,
    values: impl Iterator<Item = &'a String>,
) -> LabelSelector {
    let requirement = LabelSelectorRequirement {
        key: label.to_owned(),
        operator: operator.to_owned(),
        values: Some(values.cloned().collect()),
    };
    LabelSelector {
        match_expressions: Some(vec![requirement]),
        match_labels: None,
    }
}

fn selects(webhook: &ValidatingWebhook, namespace: &str) -> bool {
    let selector = webhook.namespace_selector.as_ref();
    let requirements = selector.and_then(|selector| selector.match_expressions.as_ref());
    requirements.into_iter().flatten().any(|requirement| {
        requirement.operator == "In"
            && requirement.key == NAMESPACE
            && requirement
                .values
                .iter()
                .flatten()
                .any(|value| value == namespace)
    })
}

fn rules_of(webhook: &ValidatingWebhook) -> Cover {
    Cover::of_rules(webhook.rules.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::samples::{Sample, snapshot};
    use portcullis_policies::ResourceScope;
    use rstest::rstest;

    fn target() -> Target {
        Target {
            service: "portcullis-webhook".to_owned(),
            namespace: "portcullis-system".to_owned(),
            exempt: ["kube-system", "portcullis-system"]
                .map(str::to_owned)
                .into(),
        }
    }

    fn catalogue() -> Catalogue {
        Catalogue::of(&[
            ("", "v1", &["pods", "services"]),
            ("apps", "v1", &["deployments"]),
        ])
    }

    /// Each webhook as `name [namespaces] rules`, without the one for our own resources.
    fn described(samples: &[Sample]) -> Vec<String> {
        let snapshot = snapshot(samples);
        let mut webhooks = webhooks(&snapshot, &catalogue(), &target(), "PEM");
        assert_eq!(webhooks.pop().unwrap().name, "resources.portcullis.dev");
        webhooks.iter().map(describe).collect()
    }

    fn describe(webhook: &ValidatingWebhook) -> String {
        let selector = webhook.namespace_selector.as_ref().unwrap();
        let requirement = &selector.match_expressions.as_ref().unwrap()[0];
        let namespaces = requirement.values.as_ref().unwrap().join(",");
        let rules = webhook.rules.as_ref().unwrap().iter().map(|rule| {
            let join = |list: &Option<Vec<String>>| list.as_ref().unwrap().join(",");
            let (group, version) = (join(&rule.api_groups), join(&rule.api_versions));
            let scope = rule.scope.as_ref().unwrap();
            format!(
                "{group}/{version}/{} {} {scope}",
                join(&rule.resources),
                join(&rule.operations)
            )
        });
        let rules: Vec<String> = rules.collect();
        format!(
            "{} [{} {namespaces}] {}",
            webhook.name,
            requirement.operator,
            rules.join("; ")
        )
    }

    #[rstest]
    #[case::nothing(&[], &[])]
    #[case::evaluation_only(&[Sample::new("a")], &[])]
    #[case::fail(&[Sample::new("a").on("", "pods")],
        &["fail.cluster.portcullis.dev [NotIn kube-system,portcullis-system] /v1/pods CREATE *"])]
    #[case::broken(&[Sample::new("a").on("", "pods").broken()],
        &["fail.cluster.portcullis.dev [NotIn kube-system,portcullis-system] /v1/pods CREATE *"])]
    #[case::ignore_warn_and_audit(
        &[Sample::new("a").on("", "pods").ignoring(), Sample::new("b").on("", "services").warning(),
          Sample::new("c").on("apps", "*").auditing()],
        &["ignore.cluster.portcullis.dev [NotIn kube-system,portcullis-system] \
           /v1/pods,services CREATE *; apps/v1/deployments CREATE *"])]
    #[case::both(
        &[Sample::new("a").on("", "pods"), Sample::new("b").on("", "pods").warning()],
        &["fail.cluster.portcullis.dev [NotIn kube-system,portcullis-system] /v1/pods CREATE *",
          "ignore.cluster.portcullis.dev [NotIn kube-system,portcullis-system] /v1/pods CREATE *"])]
    #[case::namespaces_with_the_same_rules_share(
        &[Sample::new("a").within("shop").on("", "pods"), Sample::new("a").within("bank").on("", "pods"),
          Sample::new("b").within("lab").on("", "services")],
        &["fail-1.namespace.portcullis.dev [In bank,shop] /v1/pods CREATE Namespaced",
          "fail-2.namespace.portcullis.dev [In lab] /v1/services CREATE Namespaced"])]
    #[case::a_scope(&[Sample::new("a").on("", "pods").scoped(ResourceScope::Namespaced)],
        &["fail.cluster.portcullis.dev [NotIn kube-system,portcullis-system] /v1/pods CREATE Namespaced"])]
    #[case::without_what_is_excluded(
        &[Sample::new("a").on("", "*").but_for("services", ResourceScope::All)],
        &["fail.cluster.portcullis.dev [NotIn kube-system,portcullis-system] /v1/pods CREATE *"])]
    #[case::what_another_policy_excludes(
        &[Sample::new("a").on("", "*").but_for("services", ResourceScope::All), Sample::new("b").on("", "services")],
        &["fail.cluster.portcullis.dev [NotIn kube-system,portcullis-system] /v1/pods,services CREATE *"])]
    #[case::all_is_excluded_where_it_judges(
        &[Sample::new("a").within("shop").on("", "*").but_for("*", ResourceScope::Namespaced)], &[])]
    #[case::workloads(&[Sample::new("a").on("", "pods").and_workloads().but_for("deployments", ResourceScope::All)],
        &["fail.cluster.portcullis.dev [NotIn kube-system,portcullis-system] /v1/pods CREATE *; \
           /v1/replicationcontrollers CREATE,UPDATE *; \
           apps/v1/daemonsets,deployments,replicasets,statefulsets CREATE,UPDATE *; \
           batch/v1/cronjobs,jobs CREATE,UPDATE *"])]
    #[case::workloads_of_no_pods(&[Sample::new("a").on("", "services").and_workloads()],
        &["fail.cluster.portcullis.dev [NotIn kube-system,portcullis-system] /v1/services CREATE *"])]
    #[case::exempt_namespace(&[Sample::new("a").within("kube-system").on("", "pods")], &[])]
    #[case::reviews_only(&[Sample::new("a").on("authorization.k8s.io", "subjectaccessreviews")], &[])]
    #[case::wildcard_that_covers_nothing(&[Sample::new("a").on("example.org", "*")], &[])]
    fn registers(#[case] samples: &[Sample], #[case] expected: &[&str]) {
        assert_eq!(described(samples), expected);
    }

    #[test]
    fn every_default_of_the_api_server_is_said() {
        let snapshot = snapshot(&[Sample::new("a").on("", "pods")]);
        let webhooks = webhooks(&snapshot, &catalogue(), &target(), "PEM");
        insta::assert_json_snapshot!(webhooks);
    }

    #[test]
    fn beyond_the_limit_namespaces_share_all_rules() {
        let samples: Vec<Sample> = (0..=NAMESPACE_SETS)
            .map(|number| {
                let resource = format!("kind{number}");
                Sample::new("a")
                    .within(&format!("team-{number}"))
                    .on("example.org", &resource)
            })
            .collect();
        let described = described(&samples);
        assert_eq!(described.len(), 1);
        assert!(
            described[0].contains("team-0,") && described[0].contains("kind100,"),
            "{described:?}"
        );
    }

    #[rstest]
    #[case::evaluation_only(Sample::new("new"), true)]
    #[case::the_same_rules(Sample::new("new").on("", "pods"), true)]
    #[case::a_wildcard_within_them(Sample::new("new").on("apps", "*"), true)]
    #[case::other_rules(Sample::new("new").on("", "services"), false)]
    #[case::the_other_failure_policy(Sample::new("new").on("", "pods").ignoring(), false)]
    #[case::its_namespace(Sample::new("new").within("shop").on("", "services"), true)]
    #[case::another_namespace(Sample::new("new").within("bank").on("", "services"), false)]
    #[case::an_exempt_namespace(Sample::new("new").within("kube-system").on("", "pods"), true)]
    fn knows_whether_a_policy_is_registered(#[case] sample: Sample, #[case] expected: bool) {
        let registered = snapshot(&[
            Sample::new("a").on("", "pods"),
            Sample::new("b").on("apps", "deployments"),
            Sample::new("c").within("shop").on("", "services"),
        ]);
        let webhooks = webhooks(&registered, &catalogue(), &target(), "PEM");
        let new = snapshot(&[sample]);
        let entry = new.entries().next().unwrap();
        assert_eq!(
            is_registered(entry, &webhooks, &catalogue(), &target()),
            expected
        );
    }

    #[rstest]
    #[case(Sample::new("a").on("", "pods"), false)]
    #[case(Sample::new("a").on("", "*"), true)]
    #[case(Sample::new("a").on("", "pods/*"), true)]
    #[case(Sample::new("a").on("*", "pods"), true)]
    fn knows_whether_a_catalogue_is_needed(#[case] sample: Sample, #[case] expected: bool) {
        assert_eq!(needs_catalogue(&snapshot(&[sample])), expected);
    }
}
