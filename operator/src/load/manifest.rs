//! The `.manifest` of a bundle.

use std::collections::BTreeMap;

use portcullis_policies::{RegoVersion, workbench::glob};
use serde::Deserialize;
use serde_json::Value as Json;

use super::{Result, fault, mendable};

/// What a bundle says of itself, as far as it matters.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Manifest {
    roots: Option<Vec<String>>,
    rego_version: Option<i64>,
    file_rego_versions: BTreeMap<String, i64>,
    wasm: Vec<Json>,
}

impl Manifest {
    /// Reads a manifest, and checks it.
    pub(super) fn read(text: &str) -> Result<Self> {
        let mut manifest: Self = serde_json::from_str(text)
            .map_err(|error| fault(format!("bundle load failed on manifest decode: {error}")))?;
        if !manifest.wasm.is_empty() {
            let message = "the manifest names WebAssembly modules, which are not supported";
            return Err(mendable(message, "build the bundle with the target `rego`"));
        }
        for root in manifest.roots.iter_mut().flatten() {
            *root = root.trim_matches('/').to_owned();
        }
        let roots = manifest.roots();
        for (at, left) in roots.iter().enumerate() {
            let other = roots[at + 1..].iter().find(|right| overlap(left, right));
            if let Some(right) = other {
                let message = format!("manifest has overlapped roots: '{left}' and '{right}'");
                return Err(fault(message));
            }
        }
        let versions = manifest.rego_version.iter();
        for number in versions.chain(manifest.file_rego_versions.values()) {
            if version(*number).is_none() {
                return Err(fault(format!("manifest has unknown rego-version {number}")));
            }
        }
        Ok(manifest)
    }

    /// The paths below `data` that are the bundle's.
    pub(super) fn roots(&self) -> Vec<String> {
        self.roots.clone().unwrap_or_else(|| vec![String::new()])
    }

    /// Whether a path below `data` is the bundle's.
    pub(super) fn owns(&self, path: &[String]) -> bool {
        self.roots().iter().any(|root| contains(root, path))
    }

    /// The version that a module is written in.
    pub(super) fn version_of(&self, file: &str, default: RegoVersion) -> Result<RegoVersion> {
        for (pattern, number) in &self.file_rego_versions {
            let matches = glob(pattern, file)
                .map_err(|why| fault(format!("failed to compile glob pattern {pattern}: {why}")))?;
            if matches {
                return Ok(version(*number).unwrap_or(default));
            }
        }
        Ok(self.rego_version.and_then(version).unwrap_or(default))
    }
}

fn version(number: i64) -> Option<RegoVersion> {
    match number {
        0 => Some(RegoVersion::V0),
        1 => Some(RegoVersion::V1),
        _ => None,
    }
}

/// Whether a path is at a root or below it.
fn contains<T: AsRef<str>>(root: &str, path: &[T]) -> bool {
    let mut parts = path.iter().map(AsRef::as_ref);
    root.is_empty() || root.split('/').all(|part| parts.next() == Some(part))
}

/// Whether one of two roots is within the other.
pub(super) fn overlap(left: &str, right: &str) -> bool {
    let parts = |root: &str| -> Vec<String> { root.split('/').map(str::to_owned).collect() };
    contains(left, &parts(right)) || contains(right, &parts(left))
}
