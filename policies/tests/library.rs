//! Runs the Rego tests of the shipped library (`policies/library`) as `portcullis test` does, so
//! that a policy which only works on OPA cannot be shipped.
//!
//! Each policy is tested as it is served: with nothing beside it but the shared modules that it
//! names, its tests, and its `data.json` at the root of `data`.

mod suite;

use std::{
    fs,
    path::{Path, PathBuf},
};

use portcullis_policies::{
    Address, Definition, Document, Policy, Scope,
    workbench::{Material, Source},
};
use suite::{Result, all_pass, modules};

/// One `<group>/<name>/<version>` directory of the library.
struct PolicyDirectory {
    path: PathBuf,
    address: Address,
}

impl PolicyDirectory {
    /// What is compiled, with default settings: `policy.yaml` is for those who read manifests.
    fn definition(&self) -> Result<Definition> {
        let mut definition = Definition::new(self.address.clone(), "");
        let modules = self.modules()?.into_iter();
        definition.modules = modules
            .filter(|module| !is_test(module))
            .map(|module| (module.name, module.text))
            .collect();
        definition.data = serde_json::from_str(&self.data()?)?;
        Ok(definition)
    }

    fn data(&self) -> Result<String> {
        let file = self.path.join("data.json");
        if !file.exists() {
            return Ok("{}".to_owned());
        }
        Ok(fs::read_to_string(file)?)
    }

    /// Its modules, its tests among them.
    fn modules(&self) -> Result<Vec<Source>> {
        modules(&self.path)
    }

    /// What is not as it is for each policy of the library.
    fn faults(&self) -> Result<Vec<&'static str>> {
        let mut faults = Vec::new();
        if !self.path.join("policy.yaml").is_file() {
            faults.push("has no policy.yaml");
        }
        if !self.path.join("policy.rego").is_file() {
            faults.push("has no policy.rego");
        }
        let package = self.address.package();
        let modules = self.modules()?;
        for module in &modules {
            let found = module.package().unwrap_or_default().join(".");
            if is_test(module) && found != format!("{package}_test") {
                faults.push("has tests whose package is not the policy's with `_test` behind it");
            }
            if !is_test(module) && found != package.as_str() {
                faults.push("has a module whose package is not the directory's group and name");
            }
        }
        let material = Material::read(modules, &Document::read(&self.data()?)?, true)?;
        if material.suite(None, false)?.tests().is_empty() {
            faults.push("has no tests");
        }
        Ok(faults)
    }
}

fn is_test(module: &Source) -> bool {
    module.name.ends_with("_test.rego")
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(directory)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::result::Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}

fn policy_directories() -> Result<Vec<PolicyDirectory>> {
    let mut found = Vec::new();
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("library");
    for group in entries(&library)? {
        for name in entries(&group)? {
            for version in entries(&name)? {
                let part = |path: &Path| path.file_name().unwrap_or_default().display().to_string();
                let (group, name) = (part(&group), part(&name));
                let address = Address::new(Scope::Cluster, &group, &name, &part(&version))?;
                found.push(PolicyDirectory {
                    path: version,
                    address,
                });
            }
        }
    }
    Ok(found)
}

/// Checks every policy, and fails with what is wrong with each.
fn check(faults_of: impl Fn(&PolicyDirectory) -> Vec<String>) {
    let policies = policy_directories().unwrap_or_default();
    assert!(!policies.is_empty(), "the library ships no policy");
    let faults: Vec<String> = policies
        .iter()
        .flat_map(|policy| {
            let faults = faults_of(policy).into_iter();
            faults.map(|fault| format!("{}: {fault}", policy.address))
        })
        .collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_rego_test_of_the_library_holds() {
    let test = |policy: &PolicyDirectory| -> Result<()> {
        all_pass(policy.modules()?, &Document::read(&policy.data()?)?)
    };
    check(|policy| {
        test(policy)
            .err()
            .map(|error| error.to_string())
            .into_iter()
            .collect()
    });
}

#[test]
fn every_policy_of_the_library_compiles() {
    check(|policy| match policy.definition() {
        Ok(definition) => {
            let policy = Policy::compile(definition);
            policy
                .faults()
                .map(ToString::to_string)
                .into_iter()
                .collect()
        }
        Err(error) => vec![error.to_string()],
    });
}

#[test]
fn every_policy_of_the_library_is_complete() {
    check(|policy| match policy.faults() {
        Ok(faults) => faults.into_iter().map(str::to_owned).collect(),
        Err(error) => vec![error.to_string()],
    });
}
