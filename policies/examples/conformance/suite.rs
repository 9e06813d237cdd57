//! Cases, as OPA writes them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use portcullis_policies::rego::ast::Version;
use serde::Deserialize;

/// One case. What it does not say is as in OPA's runner: nothing, or no.
#[derive(Clone, Debug, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "OPA's fields")]
pub(crate) struct Case {
    /// Its name.
    pub(crate) note: String,
    /// What is asked; nothing in a case about the compiler's errors.
    #[serde(default)]
    pub(crate) query: String,
    #[serde(default)]
    pub(crate) modules: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) data: Option<serde_json::Value>,
    #[serde(default)]
    pub(crate) input: Option<serde_json::Value>,
    /// The input as a Rego term; it counts before `input`.
    #[serde(default)]
    pub(crate) input_term: Option<String>,
    /// The bindings of each solution.
    #[serde(default)]
    pub(crate) want_result: Option<Vec<serde_json::Value>>,
    #[serde(default)]
    pub(crate) want_error_code: Option<String>,
    /// Part of the error's text.
    #[serde(default)]
    pub(crate) want_error: Option<String>,
    /// Bindings are arrays whose order does not count.
    #[serde(default)]
    pub(crate) sort_bindings: bool,
    /// Bindings of variables that OPA's compiler made up do not count.
    #[serde(default)]
    pub(crate) ignore_generated_vars: bool,
    /// Errors of builtins end the evaluation; they do not if this is not said.
    #[serde(default)]
    pub(crate) strict_error: bool,
    /// The errors of the compiler.
    #[serde(default)]
    pub(crate) want_errors: Vec<CompileError>,
    /// `want_errors` are all of them.
    #[serde(default)]
    pub(crate) exhaustive: bool,
    /// The compiler is strict.
    #[serde(default)]
    pub(crate) strict: bool,
    /// The compiler keeps calls of `print`, which ours never does.
    #[serde(default)]
    print_statements: bool,
    /// The version of the modules, where it is not the folder's.
    #[serde(default)]
    rego_version: Option<String>,
    /// The folder, in a file of one case a line.
    #[serde(default)]
    folder: Option<String>,
}

/// An error of the compiler. Rows and columns count from one; no column is 0.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct CompileError {
    #[serde(default)]
    pub(crate) module: Option<String>,
    pub(crate) code: String,
    pub(crate) row: u32,
    #[serde(default)]
    pub(crate) col: u32,
    pub(crate) message: String,
}

/// A case with where it is from.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    /// `v1/withkeyword`
    pub(crate) folder: String,
    pub(crate) version: Version,
    pub(crate) case: Case,
}

#[derive(Debug, Deserialize)]
struct Suite {
    cases: Vec<Case>,
}

/// The suites of OPA's Go module: of results, and of the compiler's errors. Cases about calls of
/// `print` that the compiler is told to keep are left out: they are erased, as OPA does otherwise.
pub(crate) fn of_module(module: &Path) -> Result<Vec<Located>> {
    let mut cases = Vec::new();
    for (suite, prefix) in [("cases", ""), ("compilecases", "compiler/")] {
        for (folder, version) in [("v0", Version::V0), ("v1", Version::V1)] {
            let top = module.join("v1/test").join(suite).join("testdata");
            for path in files(&top.join(folder))? {
                let parent = path.parent().and_then(Path::file_name);
                let parent = parent.unwrap_or_default().to_string_lossy();
                let text = read(&path)?;
                let suite: Suite =
                    serde_saphyr::from_str(&text).with_context(|| path.display().to_string())?;
                let cases_of_file = suite.cases.into_iter();
                let cases_of_file = cases_of_file.filter(|case| !case.print_statements);
                cases.extend(cases_of_file.map(|case| Located {
                    folder: format!("{folder}/{prefix}{parent}"),
                    version: match case.rego_version.as_deref() {
                        Some("v0") => Version::V0,
                        Some(_) => Version::V1,
                        None => version,
                    },
                    case,
                }));
            }
        }
    }
    Ok(cases)
}

/// A file of one case a line in JSON, all of Rego v1.
pub(crate) fn of_lines(path: &Path) -> Result<Vec<Located>> {
    let text = read(path)?;
    let cases = text.lines().map(|line| {
        let case: Case = serde_json::from_str(line)?;
        Ok(Located {
            folder: case.folder.clone().unwrap_or_default(),
            version: Version::V1,
            case,
        })
    });
    cases.collect()
}

/// The YAML files below a directory, in the order of their names.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|name| name == "yaml") {
            found.push(path);
        }
    }
    Ok(found)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}
