//! The settings of a spec, one function each.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector as ApiSelector;

use portcullis_crds::{self as crds, PolicySpec};
use portcullis_policies::{
    Action, ActionAt, Address, Admission, Condition, DataSource, DecisionSettings, DefaultDecision,
    Diagnostic, Diagnostics, Digest, FailurePolicy, HostPattern, Hosts, Import, LabelSelector,
    Limits, Match, Operation, Output, ParameterKind, RegoVersion, Requirement, ResourceRule,
    ResourceScope, Scope, Selection, Severity, Timestamp, Version, Which, Window, Workload,
    address::AddressError, digest::DigestError, matching::workload::TemplatePathError,
};
use serde_json::Value as Json;

use super::http;

pub(super) fn rego_version(version: crds::RegoVersion) -> RegoVersion {
    match version {
        crds::RegoVersion::Auto => RegoVersion::Auto,
        crds::RegoVersion::V1 => RegoVersion::V1,
        crds::RegoVersion::V0 => RegoVersion::V0,
    }
}

pub(super) fn decision(decision: crds::Decision) -> DecisionSettings {
    DecisionSettings {
        default: match decision.default {
            crds::Verdict::Deny => DefaultDecision::Deny,
            crds::Verdict::Allow => DefaultDecision::Allow,
        },
        fail_on: match decision.fail_on {
            crds::Severity::Info => Severity::Info,
            crds::Severity::Low => Severity::Low,
            crds::Severity::Medium => Severity::Medium,
            crds::Severity::High => Severity::High,
            crds::Severity::Critical => Severity::Critical,
        },
    }
}

/// What a policy of `scope` imports. An import that cannot be read is left out, with a fault.
pub(super) fn imports(
    spec: &PolicySpec,
    scope: &Scope,
    faults: &mut Vec<Diagnostic>,
) -> Vec<Import> {
    let mut imports = Vec::new();
    for import in &spec.imports {
        let owner = match (import.scope, scope) {
            (crds::ImportScope::Cluster, _) => Scope::Cluster,
            (crds::ImportScope::Namespace, Scope::Namespace(_)) => scope.clone(),
            (crds::ImportScope::Namespace, Scope::Cluster) => {
                let text = format!(
                    "{}/{} is imported from a namespace, and a ClusterPolicy has none",
                    import.group, import.name
                );
                let fault = Diagnostic::new("import_invalid", text);
                faults.push(fault.with_remedy("import a ClusterPolicy"));
                continue;
            }
        };
        match Address::new(owner, &import.group, &import.name, &import.version) {
            Ok(address) => imports.push(Import {
                address,
                pin: digest(import.sha256.as_deref(), faults),
            }),
            Err(error) => faults.push(Diagnostic::new("import_invalid", error.to_string())),
        }
    }
    imports
}

/// The version whose place a policy takes.
pub(super) fn supersedes(text: Option<&str>, faults: &mut Vec<Diagnostic>) -> Option<Version> {
    match text?.parse() {
        Ok(version) => Some(version),
        Err(error) => {
            let error: AddressError = error;
            faults.push(Diagnostic::new("supersedes_invalid", error.to_string()));
            None
        }
    }
}

/// Where data comes from.
pub(super) fn data_from(
    spec: &PolicySpec,
    scope: &Scope,
    faults: &mut Vec<Diagnostic>,
) -> Vec<DataSource> {
    let sources = spec.data_from.iter().enumerate();
    let sources = sources.filter_map(|(at, source)| {
        let read = data_source(source, scope);
        let noted = read.map_err(|(text, remedy)| {
            let text = format!("`dataFrom[{at}]`: {text}");
            faults.push(Diagnostic::new("data_source_invalid", text).with_remedy(remedy));
        });
        noted.ok()
    });
    sources.collect()
}

fn data_source(source: &crds::DataFrom, scope: &Scope) -> Result<DataSource, http::Fault> {
    let path = source.path.split('.').map(str::to_owned);
    let path = path.filter(|_| !source.path.is_empty()).collect();
    let (kind, reference) = match (&source.config_map, &source.secret, &source.http) {
        (Some(reference), None, None) => (ParameterKind::config_map(), reference),
        (None, Some(reference), None) => (ParameterKind::secret(), reference),
        (None, None, Some(http)) => {
            return Ok(DataSource::fetched(http::http_source(http, scope)?, path));
        }
        _ => {
            let text = "data comes from one place".to_owned();
            return Err((text, "set `configMap`, `secret` or `http`"));
        }
    };
    Ok(DataSource {
        selection: Selection {
            kind,
            namespace: Some(http::namespace(reference.namespace.as_ref(), scope)?),
            which: Which::Name(reference.name.clone()),
        },
        key: reference.key.clone(),
        path,
        http: None,
    })
}

/// What results have to satisfy.
pub(super) fn output(spec: &PolicySpec, faults: &mut Vec<Diagnostic>) -> Option<Output> {
    if spec.lock_on_failure && spec.output_schema.is_none() {
        let text = "`lockOnFailure` is about results that break a schema, and there is none";
        let fault = Diagnostic::new("lock_on_failure_invalid", text);
        faults.push(fault.with_remedy("set `outputSchema`, or remove `lockOnFailure`"));
    }
    let schema = spec.output_schema.clone()?;
    Some(Output {
        schema: Json::Object(schema),
        locks: spec.lock_on_failure,
    })
}

/// A digest that is to be kept.
pub(super) fn digest(text: Option<&str>, faults: &mut Vec<Diagnostic>) -> Option<Digest> {
    match text?.parse() {
        Ok(digest) => Some(digest),
        Err(error) => {
            let error: DigestError = error;
            faults.push(
                Diagnostic::new("digest_invalid", error.to_string())
                    .with_remedy("write it as `status.digest` shows it"),
            );
            None
        }
    }
}

/// The settings for admission. A selector that cannot be read selects everything, and the policy is
/// broken then.
pub(super) fn admission(admission: &crds::Admission, faults: &mut Vec<Diagnostic>) -> Admission {
    let crds::Match {
        resource_rules,
        exclude_resource_rules,
        namespace_selector,
        object_selector,
        match_conditions,
        workloads,
    } = &admission.matches;
    let workloads = self::workloads(workloads.as_ref(), faults);
    let mut selector = |field: &str, selector: &ApiSelector| {
        selector_at(&format!("admission.match.{field}"), selector, faults)
    };
    Admission {
        matches: Match {
            rules: resource_rules.iter().map(resource_rule).collect(),
            excluded: exclude_resource_rules.iter().map(resource_rule).collect(),
            namespaces: selector("namespaceSelector", namespace_selector),
            objects: selector("objectSelector", object_selector),
            conditions: match_conditions.iter().map(condition).collect(),
            workloads,
        },
        action: action(admission.action),
        failure_policy: match admission.failure_policy {
            crds::FailurePolicy::Fail => FailurePolicy::Fail,
            crds::FailurePolicy::Ignore => FailurePolicy::Ignore,
        },
        action_at: action_at(admission.action_at),
        require_allow: admission.require_allow,
    }
}

fn action(action: crds::Action) -> Action {
    match action {
        crds::Action::Deny => Action::Deny,
        crds::Action::Warn => Action::Warn,
        crds::Action::Audit => Action::Audit,
    }
}

fn action_at(other: crds::ActionAt) -> ActionAt {
    ActionAt {
        check: other.check.map(action),
        audit: other.audit.map(action),
    }
}

/// As much of the settings for admission as can be read, for a policy that is broken anyway: it
/// has to answer where it was to judge. What would make its match smaller is left out where it may
/// mean something else. `None` where a rule cannot be read.
pub(super) fn salvaged_admission(settings: &Json) -> Option<Admission> {
    let rules = settings.pointer("/match/resourceRules")?.as_array()?;
    let rules: Vec<crds::ResourceRule> = rules
        .iter()
        .map(|rule| serde_json::from_value(rule.clone()).ok())
        .collect::<Option<_>>()?;
    let text = |field: &str| settings.get(field).and_then(Json::as_str);
    let selector = |field: &str| {
        let selector = settings.pointer(&format!("/match/{field}"))?;
        let selector: ApiSelector = serde_json::from_value(selector.clone()).ok()?;
        label_selector(&selector).ok()
    };
    let elsewhere = settings.get("actionAt");
    let elsewhere =
        elsewhere.and_then(|own| serde_json::from_value::<crds::ActionAt>(own.clone()).ok());
    let workloads = settings.pointer("/match/workloads");
    let workloads =
        workloads.and_then(|own| serde_json::from_value::<crds::Workloads>(own.clone()).ok());
    Some(Admission {
        matches: Match {
            rules: rules.iter().map(resource_rule).collect(),
            // A field of theirs that is not known here may have made them smaller.
            excluded: Vec::new(),
            namespaces: selector("namespaceSelector").unwrap_or_default(),
            objects: selector("objectSelector").unwrap_or_default(),
            conditions: Vec::new(),
            // The policy has a fault already.
            workloads: self::workloads(workloads.as_ref(), &mut Vec::new()),
        },
        action: match text("action") {
            Some("Warn") => Action::Warn,
            Some("Audit") => Action::Audit,
            _ => Action::Deny,
        },
        failure_policy: match text("failurePolicy") {
            Some("Ignore") => FailurePolicy::Ignore,
            _ => FailurePolicy::Fail,
        },
        action_at: elsewhere.map(action_at).unwrap_or_default(),
        require_allow: settings.get("requireAllow") == Some(&Json::Bool(true)),
    })
}

pub(super) fn condition(condition: &crds::MatchCondition) -> Condition {
    Condition {
        name: condition.name.clone(),
        expression: condition.expression.clone(),
    }
}

/// Kinds with Pod templates; one whose path cannot be read is left out, and the policy is broken
/// then.
fn workloads(workloads: Option<&crds::Workloads>, faults: &mut Vec<Diagnostic>) -> Vec<Workload> {
    let Some(crds::Workloads { kinds, custom }) = workloads else {
        return Vec::new();
    };
    let is_named = |workload: &Workload| {
        let mut named = kinds.iter();
        named.any(|kind| *kind == crds::WorkloadKind::All || kind.as_str() == workload.kind)
    };
    let custom = custom.iter().filter_map(|custom| {
        let path = custom.path.parse().map_err(|error: TemplatePathError| {
            let text = format!("`admission.match.workloads.custom`: {error}");
            faults.push(Diagnostic::new("workload_invalid", text));
        });
        let (group, version) = group_and_version(&custom.api_version);
        Some(Workload {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: custom.kind.clone(),
            resource: custom.resource.clone(),
            path: path.ok()?,
            optional: custom.optional,
        })
    });
    Workload::of_kubernetes()
        .filter(is_named)
        .chain(custom)
        .collect()
}

pub(super) fn resource_rule(rule: &crds::ResourceRule) -> ResourceRule {
    let operations = rule
        .operations
        .iter()
        .flat_map(|operation| match operation {
            crds::Operation::Create => &[Operation::Create][..],
            crds::Operation::Update => &[Operation::Update],
            crds::Operation::Delete => &[Operation::Delete],
            crds::Operation::Connect => &[Operation::Connect],
            crds::Operation::All => &Operation::ALL,
        });
    ResourceRule {
        groups: rule.api_groups.clone(),
        versions: rule.api_versions.clone(),
        resources: rule.resources.clone(),
        operations: operations.copied().collect(),
        scope: match rule.scope {
            crds::ResourceScope::All => ResourceScope::All,
            crds::ResourceScope::Cluster => ResourceScope::Cluster,
            crds::ResourceScope::Namespaced => ResourceScope::Namespaced,
        },
        names: rule.resource_names.clone(),
        name_patterns: rule.resource_name_patterns.clone(),
    }
}

/// The hosts; those that cannot be read are left out, and the policy is broken then.
pub(super) fn hosts(network: Option<&crds::Network>, faults: &mut Vec<Diagnostic>) -> Hosts {
    let texts = network.map_or(&[][..], |network| &network.hosts);
    let mut read = |text: &String| {
        let host = text.parse::<HostPattern>();
        host.map_err(|error| {
            let message = format!("`network.hosts`: {error}");
            faults.push(Diagnostic::new("host_invalid", message));
        })
        .ok()
    };
    texts.iter().filter_map(&mut read).collect()
}

/// The limits; the default where one cannot be read, and the policy is broken then.
pub(super) fn limits(limits: &crds::Limits, faults: &mut Vec<Diagnostic>) -> Limits {
    let timeout = crds::limits::timeout(&limits.timeout).unwrap_or_else(|error| {
        faults.push(unreadable("limits.timeout", "timeout_invalid", &error));
        Limits::DEFAULT.timeout
    });
    let memory = crds::limits::memory(&limits.memory).unwrap_or_else(|error| {
        faults.push(unreadable("limits.memory", "memory_invalid", &error));
        Limits::DEFAULT.memory
    });
    Limits { timeout, memory }
}

/// The window; always open where an edge cannot be read, so that the broken policy answers.
pub(super) fn window(spec: &PolicySpec, faults: &mut Vec<Diagnostic>) -> Window {
    let window = Window {
        not_before: moment("notBefore", spec.not_before.as_deref(), faults),
        not_after: moment("notAfter", spec.not_after.as_deref(), faults),
    };
    if faults.is_empty() {
        window
    } else {
        Window::default()
    }
}

/// A time, if one is set and can be read.
pub(super) fn moment(
    field: &str,
    text: Option<&str>,
    faults: &mut Vec<Diagnostic>,
) -> Option<Timestamp> {
    match crds::time::moment(text?) {
        Ok(moment) => Some(moment),
        Err(error) => {
            faults.push(unreadable(field, "time_invalid", &error));
            None
        }
    }
}

/// The selector of a field. One that cannot be read is a fault, and selects everything.
pub(super) fn selector_at(
    field: &str,
    selector: &ApiSelector,
    faults: &mut Vec<Diagnostic>,
) -> LabelSelector {
    label_selector(selector).unwrap_or_else(|unreadable| {
        let at = |fault: &Diagnostic| {
            let text = format!("`{field}`: {}", fault.message);
            let remedy = fault.remedy.clone().unwrap_or_default();
            Diagnostic::new("selector_invalid", text).with_remedy(remedy)
        };
        faults.extend(unreadable.iter().map(at));
        LabelSelector::default()
    })
}

/// A selector with Kubernetes' operators.
pub fn label_selector(selector: &ApiSelector) -> Result<LabelSelector, Diagnostics> {
    let mut match_expressions = Vec::new();
    for requirement in selector.match_expressions.iter().flatten() {
        let key = requirement.key.clone();
        let values = requirement.values.clone().unwrap_or_default();
        match_expressions.push(match (requirement.operator.as_str(), values.is_empty()) {
            ("In", false) => Requirement::In(key, values),
            ("NotIn", false) => Requirement::NotIn(key, values),
            ("Exists", true) => Requirement::Exists(key),
            ("DoesNotExist", true) => Requirement::DoesNotExist(key),
            (operator, _) => {
                let message = format!("the selector's requirement `{key} {operator}` is invalid");
                let fault = Diagnostic::new("selector_invalid", message).with_remedy(
                    "use `In` and `NotIn` with values, `Exists` and `DoesNotExist` without",
                );
                return Err(fault.into());
            }
        });
    }
    let match_labels = selector.match_labels.clone().unwrap_or_default();
    Ok(LabelSelector {
        match_labels,
        match_expressions,
    })
}

/// The error's own sentence ends with what to write instead.
fn unreadable(field: &str, code: &str, error: &impl std::fmt::Display) -> Diagnostic {
    Diagnostic::new(code, format!("`{field}`: {error}"))
}

/// The two parts of an `apiVersion`; the core group, which has no name there, is the empty one.
pub(crate) fn group_and_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}
