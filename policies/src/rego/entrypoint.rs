//! What is asked of a policy: the package of its address, or what its author names.

use std::collections::BTreeSet;

use super::{
    ast::{Module, Name},
    plan::ir::{Plan, RuleKind, Term},
    source::Sources,
    value::Value,
};
use crate::{
    Definition, Diagnostic,
    normalise::{DIALECT, Rules},
};

/// The path of a package or of a rule below `data`.
pub(super) struct Entrypoint {
    path: Vec<String>,
}

impl Entrypoint {
    /// The entrypoint of a definition; without one, the package of the address.
    pub(super) fn of(definition: &Definition) -> Result<Self, Box<Diagnostic>> {
        let package = || format!("data.{}", definition.address.package());
        let name = definition.entrypoint.clone().unwrap_or_else(package);
        let plain = |part: &&str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        let parts: Vec<&str> = name.split('.').collect();
        match parts.split_first() {
            Some((&"data", path)) if !path.is_empty() && path.iter().all(plain) => Ok(Self {
                path: path.iter().map(|&part| part.to_owned()).collect(),
            }),
            _ => Err(Box::new(Diagnostic::new(
                "entrypoint_invalid",
                format!(
                    "`{name}` is not an entrypoint: expected data.package or data.package.rule"
                ),
            ))),
        }
    }

    /// The path below `data`.
    pub(super) fn path(&self) -> &[String] {
        &self.path
    }

    fn name(&self) -> String {
        format!("data.{}", self.path.join("."))
    }

    /// Modules live in the package of their address, or below it; with an entrypoint of their own,
    /// anywhere. `data` has nothing where a package is.
    pub(super) fn check_packages(
        &self,
        definition: &Definition,
        modules: &[Module],
        sources: &Sources,
    ) -> Vec<Diagnostic> {
        let wanted = definition.address.package();
        let mut faults = Vec::new();
        for module in modules {
            let path = &module.package.path;
            let name = path.join(".");
            let mut report = |code: &str, text: String, remedy: String| {
                let place = sources.location(module.package.span);
                let source = sources.text(module.package.span.file);
                let fault = Diagnostic::new(code, text).at(place, source);
                faults.push(fault.with_remedy(remedy));
            };
            let is_within = name == wanted
                || name
                    .strip_prefix(&wanted)
                    .is_some_and(|rest| rest.starts_with('.'));
            if definition.entrypoint.is_none() && !is_within {
                report(
                    "package_mismatch",
                    format!("package `{name}` is not the policy's address, `{wanted}`"),
                    format!("write `package {wanted}`, or set `entrypoint`"),
                );
            }
            if self
                .below(path)
                .and_then(|rest| rest.first())
                .is_some_and(|first| DIALECT.contains(&&**first))
            {
                report(
                    "package_mismatch",
                    format!(
                        "package `{name}` would be read as a rule of `{}`",
                        self.name()
                    ),
                    "give the package another name".to_owned(),
                );
            }
            if overlaps(&definition.data, path) {
                report(
                    "rego_compile_error",
                    format!("`data` has a value at `{name}`, where the package is"),
                    "give the data another place".to_owned(),
                );
            }
        }
        faults
    }

    /// What a path has below the entrypoint's.
    fn below<'a, T: AsRef<str>>(&self, path: &'a [T]) -> Option<&'a [T]> {
        let (above, below) = path.split_at_checked(self.path.len())?;
        let same = above.iter().map(AsRef::as_ref).eq(&self.path);
        same.then_some(below)
    }

    /// What the entrypoint defines. It is a package, or a rule that is not a function.
    pub(super) fn find(&self, modules: &[Module], plan: &Plan) -> Result<Rules, Box<Diagnostic>> {
        let is_package = |module: &Module| {
            self.below(&module.package.path)
                .is_some_and(<[Name]>::is_empty)
        };
        if modules.iter().any(is_package) {
            let names = plan.rules.iter().filter_map(|rule| {
                let path: Vec<&str> = rule.path.iter().map_while(text).collect();
                self.below(&path)?.first().map(|&name| name.to_owned())
            });
            return Ok(Rules {
                only: None,
                defined: Some(names.collect::<BTreeSet<_>>()),
            });
        }
        if self.is_rule(plan) {
            let rule = self
                .path
                .last()
                .filter(|rule| DIALECT.contains(&rule.as_str()));
            return Ok(Rules {
                only: rule.cloned(),
                defined: None,
            });
        }
        Err(Box::new(
            Diagnostic::new(
                "entrypoint_missing",
                format!("no module defines the entrypoint `{}`", self.name()),
            )
            .with_remedy("name a package or a rule of the modules"),
        ))
    }

    fn is_rule(&self, plan: &Plan) -> bool {
        plan.rules.iter().any(|rule| {
            let mut rest = self.path.iter();
            let is_above = rule
                .path
                .iter()
                .all(|part| text(part) == rest.next().map(String::as_str));
            let rest = rest.as_slice();
            match rule.kind {
                RuleKind::Function { .. } => false,
                _ if !is_above => false,
                // Rules with a common beginning are parts of one object.
                RuleKind::Object if !rest.is_empty() => rule.definitions.iter().any(|definition| {
                    let keys = definition.path.iter().map(|key| match key {
                        Term::Constant(key) => text(key),
                        _ => None,
                    });
                    rest.len() <= definition.path.len()
                        && keys.zip(rest).all(|(key, part)| key == Some(part.as_str()))
                }),
                _ => rest.is_empty(),
            }
        })
    }
}

fn text(part: &Value) -> Option<&str> {
    match part {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// Whether `data` has a value at the package, or something that is no object above it.
fn overlaps(data: &serde_json::Map<String, serde_json::Value>, package: &[Name]) -> bool {
    let Some((first, rest)) = package.split_first() else {
        return !data.is_empty();
    };
    match data.get(&**first) {
        None => false,
        Some(serde_json::Value::Object(inner)) => rest.is_empty() || overlaps(inner, rest),
        Some(_) => true,
    }
}
