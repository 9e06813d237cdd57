//! A policy as its author wrote it: the settings and sources that [`crate::Policy`] is compiled of.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use crate::{
    Address, DataSource, Diagnostic, Digest, Hosts, Import, Labels, Limits, Match, Owner, Scope,
    Severity, Version,
};

/// A policy's sources and settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// Where the policy is found.
    pub address: Address,
    /// Labels of the object, by which locks select.
    pub labels: Labels,
    /// Rego sources by file name.
    pub modules: BTreeMap<String, String>,
    /// The language's version that the modules are written in.
    pub rego_version: RegoVersion,
    /// The root of `data`.
    pub data: Map<String, Json>,
    /// What of `data` comes from elsewhere.
    pub data_from: Vec<DataSource>,
    /// What the policy reads as `input.parameters`.
    pub parameters: Map<String, Json>,
    /// A JSON Schema that the parameters satisfy.
    pub parameters_schema: Option<Json>,
    /// What results satisfy, for who asks to have them validated.
    pub output: Option<Output>,
    /// The rule or package that is evaluated; the address's package where it is `None`.
    pub entrypoint: Option<String>,
    /// How a result becomes a decision.
    pub decision: DecisionSettings,
    /// Which requests the policy judges at admission; none where it is `None`.
    pub admission: Option<Admission>,
    /// Hosts that an evaluation may ask, where the administrator allows them too.
    pub hosts: Hosts,
    /// What an evaluation may use up, where the administrator allows as much.
    pub limits: Limits,
    /// When the policy is in force.
    pub window: Window,
    /// A guardrail cannot be taken out of evaluation by a lock with the effect `Bypass`, and
    /// accepts no exemption.
    pub guardrail: bool,
    /// The older version of the same policy that is not asked at admission by its own settings once
    /// this one is in force everywhere.
    pub supersedes: Option<Version>,
    /// It is asked beside the version in force, to be compared with it, and acts on nothing.
    pub shadow: bool,
    /// Whose exemptions a policy of the cluster accepts: the cluster's only, or a namespace's too.
    pub exemptible_by: Owner,
    /// Policies whose packages the modules use.
    pub imports: Vec<Import>,
    /// Whether policies of a namespace may import this one of the cluster.
    pub importable: bool,
    /// The digest that the policy has to have.
    pub pin: Option<Digest>,
}

/// The language's version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RegoVersion {
    /// Version 1 where all modules are valid as that, otherwise version 0.
    #[default]
    Auto,
    /// `if` and `contains` are keywords and required.
    V1,
    /// The language before OPA 1.0.
    V0,
}

/// What results have to satisfy.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The JSON Schema.
    pub schema: Json,
    /// A result that breaks it takes the policy out of evaluation.
    pub locks: bool,
}

/// How a result becomes a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecisionSettings {
    /// The answer of a policy that defines neither allow nor deny rules.
    pub default: DefaultDecision,
    /// Violations of this severity and above deny, those below it warn.
    pub fail_on: Severity,
}

/// The answer of a policy that defines neither allow nor deny rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DefaultDecision {
    /// Denied.
    #[default]
    Deny,
    /// Allowed.
    Allow,
}

/// What a policy does at admission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The requests that it judges.
    pub matches: Match,
    /// What a denial does.
    pub action: Action,
    /// What happens when the policy cannot answer.
    pub failure_policy: FailurePolicy,
    /// What a denial does where a tool judges in the API server's place.
    pub action_at: ActionAt,
    /// What is selected is denied unless a policy of the cluster permits it.
    pub require_allow: bool,
}

/// Other actions than that of admission.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActionAt {
    /// Where manifests are checked, before they are in a cluster.
    pub check: Option<Action>,
    /// Where it is audited what is in a cluster.
    pub audit: Option<Action>,
}

/// What judges in the API server's place. A policy sees nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tool {
    /// Checks manifests before they are in a cluster.
    Check,
    /// Audits what is in a cluster.
    Audit,
}

/// What a denial does at admission.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// The request is refused.
    #[default]
    Deny,
    /// The request goes on with a warning.
    Warn,
    /// The request goes on; the denial is counted and logged.
    Audit,
}

/// What happens to a request when a policy cannot answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailurePolicy {
    /// It is refused.
    #[default]
    Fail,
    /// It goes on with a warning. A lock that refuses still refuses.
    Ignore,
}

/// The time in which a policy is in force: from `not_before`, until `not_after`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// In force from this moment on.
    pub not_before: Option<Timestamp>,
    /// Not in force from this moment on.
    pub not_after: Option<Timestamp>,
}

impl Definition {
    /// The path of what is evaluated, as OPA's API has it: `services/authorization`.
    pub fn path(&self) -> String {
        let package = || self.address.package();
        let name = self.entrypoint.clone().unwrap_or_else(package);
        name.strip_prefix("data.")
            .unwrap_or(&name)
            .replace('.', "/")
    }

    /// A definition of one module, `policy.rego`, with every setting at its default.
    pub fn new(address: Address, source: &str) -> Self {
        Self {
            address,
            labels: Labels::new(),
            modules: BTreeMap::from([("policy.rego".to_owned(), source.to_owned())]),
            rego_version: RegoVersion::default(),
            data: Map::new(),
            data_from: Vec::new(),
            parameters: Map::new(),
            parameters_schema: None,
            output: None,
            entrypoint: None,
            decision: DecisionSettings::default(),
            admission: None,
            hosts: Hosts::default(),
            limits: Limits::DEFAULT,
            window: Window::default(),
            guardrail: false,
            supersedes: None,
            shadow: false,
            exemptible_by: Owner::Cluster,
            imports: Vec::new(),
            importable: false,
            pin: None,
        }
    }
}

impl Definition {
    /// What the API server does where it asks about the policy's own match, and nobody answers: a
    /// shadow refuses nothing.
    pub fn failure_policy(&self) -> Option<FailurePolicy> {
        let own = self.admission.as_ref()?.effective_failure_policy();
        Some(if self.shadow {
            FailurePolicy::Ignore
        } else {
            own
        })
    }
}

impl RegoVersion {
    /// The name as manifests write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::V1 => "v1",
            Self::V0 => "v0",
        }
    }
}

impl Default for DecisionSettings {
    fn default() -> Self {
        Self {
            default: DefaultDecision::Deny,
            fail_on: Severity::Info,
        }
    }
}

impl Action {
    /// The name as manifests write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "Deny",
            Self::Warn => "Warn",
            Self::Audit => "Audit",
        }
    }
}

impl FailurePolicy {
    /// The name as manifests write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "Fail",
            Self::Ignore => "Ignore",
        }
    }
}

impl Admission {
    /// What the API server does when nobody answers. Only what may deny is worth stopping a
    /// request for, so `Warn` and `Audit` ignore failures whatever they say.
    pub fn effective_failure_policy(&self) -> FailurePolicy {
        match self.action {
            Action::Deny => self.failure_policy,
            Action::Warn | Action::Audit => FailurePolicy::Ignore,
        }
    }

    /// Why it cannot be a perimeter where it judges, if it is one: a namespace has no say in what others
    /// permit.
    pub(crate) fn perimeter_fault(&self, reach: &Scope) -> Option<Diagnostic> {
        (self.require_allow && *reach != Scope::Cluster).then(|| {
            let text = "`admission.requireAllow` is for what the cluster judges";
            Diagnostic::new("perimeter_invalid", text)
                .with_remedy("remove it, or use a ClusterPolicy or a ClusterPolicyBinding")
        })
    }

    /// What a denial does where the API server asks, or a tool in its place.
    pub fn action_of(&self, tool: Option<Tool>) -> Action {
        let other = match tool {
            None => None,
            Some(Tool::Check) => self.action_at.check,
            Some(Tool::Audit) => self.action_at.audit,
        };
        other.unwrap_or(self.action)
    }
}

impl Window {
    /// Whether `now` is inside.
    pub fn contains(&self, now: Timestamp) -> bool {
        self.not_before.is_none_or(|start| start <= now)
            && self.not_after.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(None, None, true)]
    #[case(Some(5), None, true)]
    #[case(Some(6), None, false)]
    #[case(None, Some(6), true)]
    #[case(None, Some(5), false)]
    #[case(Some(5), Some(6), true)]
    fn window_includes_its_start_and_not_its_end(
        #[case] start: Option<i64>,
        #[case] end: Option<i64>,
        #[case] expected: bool,
    ) {
        let at = |second| Timestamp::from_second(second).unwrap();
        let window = Window {
            not_before: start.map(at),
            not_after: end.map(at),
        };
        assert_eq!(window.contains(at(5)), expected);
    }
}
