//! Runs the Rego tests of the shipped library (`policies/library`) on the engine that evaluates
//! policies, so that a policy which only works on OPA cannot be shipped.
//!
//! Each policy is tested as it is served: in an engine of its own, with nothing in it but its
//! modules, its tests and its `data.json` at the root of `data`.

use std::{
    collections::BTreeSet,
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use portcullis_policies::{Address, Definition, Policy, Scope};
use regorus::{Engine, Value};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// One `<group>/<name>/<version>` directory of the library.
struct PolicyDirectory {
    path: PathBuf,
    address: Address,
}

impl PolicyDirectory {
    fn display(&self) -> String {
        let library = library();
        self.path
            .strip_prefix(&library)
            .unwrap_or(&self.path)
            .display()
            .to_string()
    }

    /// What is compiled, with default settings: `policy.yaml` is for those who read manifests.
    fn definition(&self) -> Result<Definition> {
        let mut definition = Definition::new(self.address.clone(), "");
        definition.modules.clear();
        for file in self.rego_files(false)? {
            definition
                .modules
                .insert(name_of(&file), fs::read_to_string(file)?);
        }
        if let Some(data) = self.data()? {
            definition.data = serde_json::from_str(&data)?;
        }
        Ok(definition)
    }

    fn data(&self) -> Result<Option<String>> {
        let file = self.path.join("data.json");
        Ok(file
            .exists()
            .then(|| fs::read_to_string(file))
            .transpose()?)
    }

    /// The Rego files, in the order of their names; the tests if `tests`, the modules of the policy otherwise.
    fn rego_files(&self, tests: bool) -> Result<Vec<PathBuf>> {
        let mut files: Vec<_> = entries(&self.path)?
            .into_iter()
            .filter(|file| {
                let name = file.to_string_lossy();
                name.ends_with(".rego") && name.ends_with("_test.rego") == tests
            })
            .collect();
        files.sort();
        Ok(files)
    }

    /// An engine that holds this policy and its tests, and nothing else.
    fn engine(&self) -> Result<Engine> {
        let mut engine = Engine::new();
        // As OPA does: a builtin that fails is undefined.
        engine.set_strict_builtin_errors(false);
        for tests in [false, true] {
            for file in self.rego_files(tests)? {
                engine.add_policy(file.display().to_string(), fs::read_to_string(&file)?)?;
            }
        }
        if let Some(data) = self.data()? {
            engine.add_data_json(&data)?;
        }
        Ok(engine)
    }
}

fn library() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("library")
}

/// The last segment of a path.
fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
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
    for group in entries(&library())? {
        for name in entries(&group)? {
            for version in entries(&name)? {
                let (group, name) = (name_of(&group), name_of(&name));
                let address = Address::new(Scope::Cluster, &group, &name, &name_of(&version))?;
                found.push(PolicyDirectory {
                    path: version,
                    address,
                });
            }
        }
    }
    Ok(found)
}

/// The package of a formatted module: what follows `package` on the first line that starts with it.
fn package_of(module: &str) -> Option<&str> {
    module
        .lines()
        .find_map(|line| line.strip_prefix("package "))
        .map(str::trim)
}

/// The names of the rules `test_…`. In a formatted module every rule starts in the first column.
fn test_rules(module: &str) -> BTreeSet<&str> {
    module
        .lines()
        .filter(|line| line.starts_with("test_"))
        .map(|line| {
            let end = line
                .find(|character: char| !character.is_ascii_alphanumeric() && character != '_')
                .unwrap_or(line.len());
            &line[..end]
        })
        .collect()
}

#[test]
fn every_rego_test_of_the_library_holds() -> Result<()> {
    let mut failures = Vec::new();
    for policy in policy_directories()? {
        let engine = policy
            .engine()
            .map_err(|error| format!("{}: {error}", policy.display()))?;
        for file in policy.rego_files(true)? {
            let module = fs::read_to_string(&file)?;
            let package = package_of(&module).unwrap_or_default();
            for rule in test_rules(&module) {
                let value = engine.clone().eval_rule(format!("data.{package}.{rule}"));
                let failure = match value {
                    Ok(Value::Bool(true)) => continue,
                    Ok(value) => format!("is {value}"),
                    Err(error) => format!("{error}"),
                };
                failures.push(format!("{}: {rule}: {failure}", file.display()));
            }
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    Ok(())
}

#[test]
fn every_policy_of_the_library_compiles() -> Result<()> {
    let mut failures = Vec::new();
    for policy in policy_directories()? {
        if let Some(faults) = Policy::compile(policy.definition()?).faults() {
            failures.push(format!("{}: {faults}", policy.display()));
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
    Ok(())
}

#[test]
fn every_policy_of_the_library_is_complete() -> Result<()> {
    let policies = policy_directories()?;
    let mut faults = Vec::new();
    for policy in &policies {
        let mut fault = |what: &str| faults.push(format!("{}: {what}", policy.display()));

        if !policy.path.join("policy.yaml").is_file() {
            fault("has no policy.yaml");
        }
        for file in policy.rego_files(false)? {
            if package_of(&fs::read_to_string(&file)?) != Some(policy.address.package().as_str()) {
                fault("has a module whose package is not the directory's group and name");
            }
        }
        if !policy.path.join("policy.rego").is_file() {
            fault("has no policy.rego");
        }

        let mut tests = 0;
        for file in policy.rego_files(true)? {
            let module = fs::read_to_string(&file)?;
            tests += test_rules(&module).len();
            if package_of(&module) != Some(format!("{}_test", policy.address.package()).as_str()) {
                fault("has tests whose package is not the policy's with `_test` behind it");
            }
        }
        if tests == 0 {
            fault("has no tests");
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    assert!(!policies.is_empty(), "the library ships no policy");
    Ok(())
}
