//! The digest of a policy: SHA-256 over its canonical source, data and settings.
//!
//! Two replicas that report the same digest decide alike. Labels are not part of it, because they
//! only tell which locks hold the policy. Of an import its digest is part of it, and of the shared
//! library the packages that are used. Everything is written with its length or in a canonical
//! form, so that no two definitions give the same bytes.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json};
use sha2::{Digest as _, Sha256};

use crate::{
    Action, Admission, DataSource, DefaultDecision, Definition, LabelSelector, Match, Owner,
    Requirement, ResourceRule, Window, Workload, imports::Imports, rego::shared,
};

/// SHA-256 of a definition; shown as `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// A text that is no digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a digest: expected sha256: and 64 hexadecimal digits in lower case")]
pub struct DigestError(String);

impl Digest {
    /// The digest of a definition with what it imports.
    pub(crate) fn of(definition: &Definition, imports: &Imports) -> Self {
        let mut writer = Writer(Sha256::new());
        writer.text("portcullis.dev/v1alpha1");
        writer.text(definition.address.namespace().unwrap_or_default());
        writer.text(&definition.address.path());
        writer.text(definition.rego_version.as_str());
        writer.count(definition.modules.len());
        for (file, source) in &definition.modules {
            writer.text(file);
            writer.text(source);
        }
        writer.object(definition.data.iter());
        writer.object(definition.parameters.iter());
        writer.json(definition.parameters_schema.as_ref().unwrap_or(&Json::Null));
        writer.text(definition.entrypoint.as_deref().unwrap_or_default());
        writer.text(match definition.decision.default {
            DefaultDecision::Deny => "Deny",
            DefaultDecision::Allow => "Allow",
        });
        writer.text(definition.decision.fail_on.as_str());
        writer.admission(definition.admission.as_ref());
        writer.texts(definition.hosts.iter().map(ToString::to_string));
        writer.text(&format!("{:?}", definition.limits.timeout));
        writer.text(&definition.limits.memory.to_string());
        writer.window(definition.window);
        writer.text(match (definition.guardrail, definition.exemptible_by) {
            (false, Owner::Cluster) => "",
            (true, Owner::Cluster) => "guardrail",
            (false, Owner::Namespace) => "exemptible",
            (true, Owner::Namespace) => "guardrail, exemptible",
        });
        let mut settings = Vec::new();
        settings.extend(definition.importable.then(|| "importable".to_owned()));
        let supersedes = definition.supersedes.iter();
        settings.extend(supersedes.map(|version| format!("supersedes {version}")));
        settings.extend(definition.shadow.then(|| "shadow".to_owned()));
        let output = definition.output.as_ref();
        settings.extend(output.map(|output| {
            let locks = if output.locks { " that locks" } else { "" };
            format!("output schema{locks}")
        }));
        settings.extend(definition.data_from.iter().map(|source| {
            let DataSource {
                selection,
                key,
                path,
                http,
            } = source;
            // What is asked names the object.
            let http = http.as_ref().map_or_else(String::new, |http| {
                format!(" every {:?} within {:?}", http.period, http.timeout)
            });
            format!("data {selection:?} {key:?} {path:?}{http}")
        }));
        writer.text(&settings.join(", "));
        output
            .into_iter()
            .for_each(|output| writer.json(&output.schema));
        writer.imports(imports);
        writer.shared(definition);
        Self(writer.0.finalize().into())
    }

    /// The digest of a policy as a binding has it asked: with its match, its parameters, and why it
    /// cannot answer, if so.
    pub(crate) fn of_binding(
        policy: Self,
        admission: &Admission,
        parameters: &Map<String, Json>,
        fault: Option<&str>,
    ) -> Self {
        let mut writer = Writer(Sha256::new());
        writer.text(&policy.to_string());
        writer.admission(Some(admission));
        writer.object(parameters.iter());
        writer.text(fault.unwrap_or_default());
        Self(writer.0.finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("sha256:")?;
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// Reads `sha256:` and 64 hexadecimal digits.
impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || DigestError(text.to_owned());
        let digits = text.strip_prefix("sha256:").ok_or_else(error)?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digits.len() != 64 || !digits.bytes().all(is_digit) {
            return Err(error());
        }
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            let pair = &digits[2 * at..2 * at + 2];
            *byte = u8::from_str_radix(pair, 16).map_err(|_| error())?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Feeds the hash; each text behind its length, each list behind its count.
struct Writer(Sha256);

impl Writer {
    fn count(&mut self, count: usize) {
        self.0.update((count as u64).to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.update(text.as_bytes());
    }

    fn texts(&mut self, texts: impl ExactSizeIterator<Item = impl AsRef<str>>) {
        self.count(texts.len());
        texts.for_each(|text| self.text(text.as_ref()));
    }

    /// An object with its keys in order, whatever order the map keeps.
    fn object<'a>(&mut self, entries: impl Iterator<Item = (&'a String, &'a Json)>) {
        let mut entries: Vec<_> = entries.collect();
        entries.sort_by_key(|(key, _)| *key);
        self.0.update(b"{");
        self.count(entries.len());
        for (key, value) in entries {
            self.text(key);
            self.json(value);
        }
    }

    fn json(&mut self, value: &Json) {
        match value {
            Json::Null => self.0.update(b"n"),
            Json::Bool(bool) => self.0.update(if *bool { b"t" } else { b"f" }),
            Json::Number(number) => {
                self.0.update(b"#");
                self.text(&number.to_string());
            }
            Json::String(text) => {
                self.0.update(b"s");
                self.text(text);
            }
            Json::Array(items) => {
                self.0.update(b"[");
                self.count(items.len());
                items.iter().for_each(|item| self.json(item));
            }
            Json::Object(map) => self.object(map.iter()),
        }
    }

    fn admission(&mut self, admission: Option<&Admission>) {
        let Some(admission) = admission else {
            return self.text("no admission");
        };
        self.text(admission.action.as_str());
        self.text(admission.failure_policy.as_str());
        self.text(if admission.require_allow {
            "require allow"
        } else {
            ""
        });
        for other in [admission.action_at.check, admission.action_at.audit] {
            self.text(other.map(Action::as_str).unwrap_or_default());
        }
        let Match {
            rules,
            excluded,
            namespaces,
            objects,
            conditions,
            workloads,
        } = &admission.matches;
        self.rules(rules);
        self.rules(excluded);
        self.selector(namespaces);
        self.selector(objects);
        self.count(conditions.len());
        for condition in conditions {
            self.text(&condition.name);
            self.text(&condition.expression);
        }
        self.workloads(workloads);
    }

    fn workloads(&mut self, workloads: &[Workload]) {
        self.count(workloads.len());
        for workload in workloads {
            let Workload {
                group,
                version,
                kind,
                resource,
                path,
                optional,
            } = workload;
            for text in [group, version, kind, resource, &path.to_string()] {
                self.text(text);
            }
            self.text(if *optional { "optional" } else { "" });
        }
    }

    fn rules(&mut self, rules: &[ResourceRule]) {
        self.count(rules.len());
        for rule in rules {
            let ResourceRule {
                groups,
                versions,
                resources,
                operations,
                scope,
                names,
                name_patterns,
            } = rule;
            for texts in [groups, versions, resources, names, name_patterns] {
                self.texts(texts.iter().map(String::as_str));
            }
            self.texts(operations.iter().map(|operation| operation.as_str()));
            self.text(scope.as_str());
        }
    }

    fn selector(&mut self, selector: &LabelSelector) {
        self.count(selector.match_labels.len());
        for (key, value) in &selector.match_labels {
            self.text(key);
            self.text(value);
        }
        self.count(selector.match_expressions.len());
        for requirement in &selector.match_expressions {
            let (operator, values) = match requirement {
                Requirement::In(_, values) => ("In", values.as_slice()),
                Requirement::NotIn(_, values) => ("NotIn", values.as_slice()),
                Requirement::Exists(_) => ("Exists", &[][..]),
                Requirement::DoesNotExist(_) => ("DoesNotExist", &[][..]),
            };
            self.text(requirement.key());
            self.text(operator);
            self.texts(values.iter().map(String::as_str));
        }
    }

    fn imports(&mut self, imports: &Imports) {
        let digests = imports.digests();
        self.count(digests.len());
        for (address, digest) in digests {
            self.text(&address.to_string());
            self.text(&digest.map(|digest| digest.to_string()).unwrap_or_default());
        }
    }

    /// The packages of the shared library. What imports name of it is in their digests already;
    /// what both name is compiled once.
    fn shared(&mut self, definition: &Definition) {
        let shared = shared::named_in_modules([&definition.modules]);
        self.count(shared.len());
        for package in shared {
            self.text(package.name);
            self.text(package.source);
        }
    }

    fn window(&mut self, window: Window) {
        for edge in [window.not_before, window.not_after] {
            self.text(&edge.map(|time| time.to_string()).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Output;
    use crate::{
        ActionAt, Condition, FailurePolicy, HttpMethod, HttpSource, Operation, ParameterKind,
        RegoVersion, ResourceScope, Selection, Severity, Which,
    };
    use serde_json::json;
    use std::time::Duration;

    /// One change of a definition.
    type Change<'a> = Box<dyn Fn(&mut Definition) + 'a>;

    fn digest(definition: &Definition) -> Digest {
        Digest::of(definition, &Imports::default())
    }

    fn source(key: &str, path: &str) -> DataSource {
        DataSource {
            selection: Selection {
                kind: ParameterKind::config_map(),
                namespace: None,
                which: Which::Name("it".to_owned()),
            },
            key: key.to_owned(),
            path: vec![path.to_owned()],
            http: None,
        }
    }

    fn fetched(url: &str, seconds: u64) -> DataSource {
        let http = HttpSource {
            namespace: None,
            url: url.to_owned(),
            host: "example.com".to_owned(),
            port: 443,
            method: HttpMethod::Get,
            body: String::new(),
            headers: Vec::new(),
            authorities: None,
            period: Duration::from_secs(seconds),
            timeout: Duration::from_secs(10),
        };
        DataSource::fetched(http, Vec::new())
    }

    fn output(schema: Json, locks: bool) -> Output {
        Output { schema, locks }
    }

    fn definition() -> Definition {
        Definition::new("a/b@1".parse().unwrap(), "package a.b")
    }

    #[test]
    fn same_definition_same_digest() {
        assert_eq!(digest(&definition()), digest(&definition()));
        assert!(digest(&definition()).to_string().starts_with("sha256:"));
        assert_eq!(
            digest(&definition()).to_string().len(),
            "sha256:".len() + 64
        );
    }

    #[test]
    fn labels_are_not_part_of_it() {
        let mut labelled = definition();
        labelled.labels.insert("team".to_owned(), "web".to_owned());
        assert_eq!(digest(&labelled), digest(&definition()));
    }

    #[test]
    fn order_of_keys_does_not_matter() {
        let with = |text: &str| {
            let mut definition = definition();
            definition.data = serde_json::from_str(text).unwrap();
            digest(&definition)
        };
        assert_eq!(with(r#"{"a": 1, "b": 2}"#), with(r#"{"b": 2, "a": 1}"#));
        assert_ne!(with(r#"{"a": 1, "b": 2}"#), with(r#"{"a": 2, "b": 1}"#));
    }

    #[test]
    fn what_is_fetched_and_how_often_is_part_of_it() {
        let sources = [
            vec![],
            vec![fetched("https://example.com/a", 30)],
            vec![fetched("https://example.com/b", 30)],
            vec![fetched("https://example.com/a", 60)],
        ];
        let definition = Definition::new("a/b@1".parse().unwrap(), "package a.b");
        let digests = sources.clone().map(|data_from| {
            digest(&Definition {
                data_from,
                ..definition.clone()
            })
        });
        let digests: std::collections::BTreeSet<_> = digests.into_iter().collect();
        assert_eq!(digests.len(), sources.len());
    }

    #[test]
    fn everything_that_decides_is_part_of_it() {
        let rule = ResourceRule {
            groups: vec![String::new()],
            versions: vec!["v1".to_owned()],
            resources: vec!["pods".to_owned()],
            operations: vec![Operation::Create],
            ..ResourceRule::default()
        };
        let admission = |action, failure_policy| {
            Some(Admission {
                matches: Match::of([rule.clone()]),
                action,
                failure_policy,
                action_at: ActionAt::default(),
                require_allow: false,
            })
        };
        let matching = |change: &dyn Fn(&mut Match)| {
            let mut matches = Match::of([rule.clone()]);
            change(&mut matches);
            let mut admission = admission(Action::Deny, FailurePolicy::Fail);
            admission.as_mut().unwrap().matches = matches;
            admission
        };
        let web = || LabelSelector {
            match_labels: [("a".to_owned(), "b".to_owned())].into(),
            ..LabelSelector::default()
        };
        let not = |requirement| LabelSelector {
            match_expressions: vec![requirement],
            ..LabelSelector::default()
        };
        let changes: Vec<Change<'_>> = vec![
            Box::new(|_| {}),
            Box::new(|d| d.address = "a/b@1.0".parse().unwrap()),
            Box::new(|d| drop(d.modules.insert("policy.rego".to_owned(), String::new()))),
            Box::new(|d| drop(d.modules.insert("more.rego".to_owned(), String::new()))),
            Box::new(|d| d.rego_version = RegoVersion::V0),
            Box::new(|d| drop(d.data.insert("a".to_owned(), json!(null)))),
            Box::new(|d| d.data_from = vec![source("a", "")]),
            Box::new(|d| d.data_from = vec![source("b", "")]),
            Box::new(|d| d.data_from = vec![source("a", "x")]),
            Box::new(|d| drop(d.parameters.insert("a".to_owned(), json!(null)))),
            Box::new(|d| d.parameters_schema = Some(json!({}))),
            Box::new(|d| d.output = Some(output(json!({}), false))),
            Box::new(|d| d.output = Some(output(json!({}), true))),
            Box::new(|d| d.output = Some(output(json!({"type": "object"}), false))),
            Box::new(|d| d.entrypoint = Some("data.a.b.allow".to_owned())),
            Box::new(|d| d.decision.default = DefaultDecision::Allow),
            Box::new(|d| d.decision.fail_on = Severity::High),
            Box::new(|d| d.admission = admission(Action::Deny, FailurePolicy::Fail)),
            Box::new(|d| d.admission = admission(Action::Warn, FailurePolicy::Fail)),
            Box::new(|d| d.admission = admission(Action::Deny, FailurePolicy::Ignore)),
            Box::new(|d| d.admission = matching(&|m| m.excluded = m.rules.clone())),
            Box::new(|d| d.admission = matching(&|m| m.namespaces = web())),
            Box::new(|d| d.admission = matching(&|m| m.objects = web())),
            Box::new(|d| {
                let exists = Requirement::Exists("a".to_owned());
                d.admission = matching(&|m| m.objects = not(exists.clone()));
            }),
            Box::new(|d| {
                let missing = Requirement::DoesNotExist("a".to_owned());
                d.admission = matching(&|m| m.objects = not(missing.clone()));
            }),
            Box::new(|d| {
                let condition = Condition {
                    name: "a".to_owned(),
                    expression: "true".to_owned(),
                };
                d.admission = matching(&|m| m.conditions = vec![condition.clone()]);
            }),
            Box::new(|d| {
                d.admission = matching(&|m| m.rules[0].scope = ResourceScope::Cluster);
            }),
            Box::new(|d| d.admission = matching(&|m| m.rules[0].names = vec!["a".to_owned()])),
            Box::new(|d| {
                d.admission = matching(&|m| m.rules[0].name_patterns = vec!["a".to_owned()]);
            }),
            Box::new(|d| d.limits.timeout = std::time::Duration::from_millis(1)),
            Box::new(|d| d.limits.memory = 1),
            Box::new(|d| d.window.not_before = Some(jiff::Timestamp::UNIX_EPOCH)),
            Box::new(|d| d.window.not_after = Some(jiff::Timestamp::UNIX_EPOCH)),
            Box::new(|d| d.guardrail = true),
            Box::new(|d| d.exemptible_by = Owner::Namespace),
            Box::new(|d| d.importable = true),
            Box::new(|d| d.shadow = true),
            Box::new(|d| d.supersedes = Some("0.9".parse().unwrap())),
        ];
        let digests: std::collections::BTreeSet<_> = changes
            .iter()
            .map(|change| {
                let mut changed = definition();
                change(&mut changed);
                digest(&changed)
            })
            .collect();
        assert_eq!(
            digests.len(),
            changes.len(),
            "two definitions share a digest"
        );
    }

    #[test]
    fn templates_and_the_actions_of_tools_are_part_of_it() {
        let workloads = || Workload::of_kubernetes().collect::<Vec<_>>();
        let changes: [fn(&mut Workload); 6] = [
            |it| it.group = "other.io".to_owned(),
            |it| it.version = "v2".to_owned(),
            |it| it.kind = "Other".to_owned(),
            |it| it.resource = "others".to_owned(),
            |it| it.path = "spec.other".parse().unwrap(),
            |it| it.optional = true,
        ];
        let changed = changes.map(|change| {
            let mut changed = workloads();
            change(&mut changed[0]);
            changed
        });
        let all = [Vec::new(), workloads()].into_iter().chain(changed);
        let actions = [None, Some(Action::Warn)];
        let actions = actions.map(|check| actions.map(|audit| ActionAt { check, audit }));
        let actions: Vec<ActionAt> = actions.into_iter().flatten().collect();
        let mut digests = std::collections::BTreeSet::new();
        for workloads in all {
            for action_at in &actions {
                let mut definition = definition();
                definition.admission = Some(Admission {
                    matches: Match {
                        workloads: workloads.clone(),
                        ..Match::default()
                    },
                    action: Action::Deny,
                    failure_policy: FailurePolicy::Fail,
                    action_at: *action_at,
                    require_allow: false,
                });
                digests.insert(digest(&definition));
            }
        }
        assert_eq!(digests.len(), 8 * 4);
    }
}
