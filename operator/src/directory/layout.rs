//! The repository layout: one folder a policy, `<group>/<name>/<version>/`.
//!
//! | file | what it is |
//! |---|---|
//! | `policy.rego`, other `*.rego` | the modules; `*_test.rego` are tests and left out |
//! | `data.json` | the root of `data` |
//! | `output-schema.json` | `outputSchema` |
//! | `policy.yaml` | the rest of the spec |
//!
//! A folder three deep that holds a module is a policy. Everything else is a file of manifests.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use portcullis_crds::{API_VERSION, Manifest};
use portcullis_policies::{Diagnostic, Diagnostics, Document, ObjectKey, Scope};
use serde_json::{Map, Value as Json, json};

use super::{
    document,
    manifest::{self, Source},
    reading::{Item, Reading},
    schema,
    tree::{Entry, Listing, Tree},
};
use crate::convert::{Draft, kind};

/// A thing that is read as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    /// What it is.
    pub kind: UnitKind,
    /// Its files, as they are now.
    pub files: BTreeMap<String, Entry>,
}

/// What a unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UnitKind {
    /// The folder of a policy.
    Policy,
    /// A file of manifests.
    Manifests,
}

/// The units of a listing, by path.
pub(super) fn units(listing: &mut Listing) -> BTreeMap<String, Unit> {
    let mut units: BTreeMap<String, Unit> = BTreeMap::new();
    let folders: BTreeSet<&str> = listing
        .files
        .keys()
        .filter(|path| is_module(path))
        .filter_map(|path| policy_folder(path))
        .collect();
    let mut notes = Vec::new();
    for (path, entry) in &listing.files {
        let folder = policy_folder(path).filter(|folder| folders.contains(folder));
        let (name, kind) = match folder {
            Some(folder) => (folder, UnitKind::Policy),
            None if is_rego(path) => {
                notes.push(format!(
                    "{path}: passed over: not in <group>/<name>/<version>/"
                ));
                continue;
            }
            None => (path.as_str(), UnitKind::Manifests),
        };
        let unit = units.entry(name.to_owned());
        let unit = unit.or_insert_with(|| Unit {
            kind,
            files: BTreeMap::new(),
        });
        unit.files.insert(path.clone(), entry.clone());
    }
    listing.notes.extend(notes);
    units
}

/// Reads a unit.
pub(super) fn read(tree: &Tree, name: &str, unit: &Unit) -> Reading {
    let mut texts = BTreeMap::new();
    for (path, entry) in &unit.files {
        let text = match entry {
            Entry::File(stamp) => tree.read(path, *stamp),
            Entry::Refused(fault) => Err(fault.clone()),
        };
        match text {
            Ok(text) => texts.insert(path.as_str(), text),
            Err(fault) => return Reading::lost(*fault),
        };
    }
    let mut reading = match unit.kind {
        UnitKind::Manifests => match texts.pop_first() {
            Some((path, text)) => manifest::read(path, &text),
            None => Reading::default(),
        },
        UnitKind::Policy => read_policy(name, &texts),
    };
    let entries = unit.files.values();
    let changed = entries.filter_map(|entry| match entry {
        Entry::File(stamp) => Some(stamp.modified()),
        Entry::Refused(_) => None,
    });
    reading.set_updated(changed.max().unwrap_or_default());
    reading
}

/// `a/b/1.0` of `a/b/1.0/…`
fn policy_folder(path: &str) -> Option<&str> {
    let (end, _) = path.match_indices('/').nth(2)?;
    Some(&path[..end])
}

fn is_rego(path: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|extension| extension == "rego")
}

/// Whether a file is a module: Rego, and no test.
fn is_module(path: &str) -> bool {
    is_rego(path) && !path.ends_with("_test.rego")
}

/// Reads the policy of a folder from its files, by their paths.
pub(crate) fn read_policy(folder: &str, texts: &BTreeMap<&str, String>) -> Reading {
    let mut reading = Reading::default();
    let mut faults = Vec::new();
    let mut modules = Map::new();
    let mut data = Json::Object(Map::new());
    let mut schema = None;
    let mut settings = None;
    for (path, text) in texts {
        match path
            .strip_prefix(folder)
            .unwrap_or(path)
            .trim_start_matches('/')
        {
            module if is_module(module) => {
                modules.insert(module.to_owned(), Json::String(text.clone()));
            }
            "output-schema.json" => match SCHEMA.read(path, text) {
                Ok(document) => schema = Some(document),
                Err(fault) => faults.push(*fault),
            },
            "data.json" => match DATA.read(path, text) {
                Ok(document) => data = document,
                Err(fault) => faults.push(*fault),
            },
            "policy.yaml" => settings = Some((*path, text.as_str())),
            name if name.ends_with("_test.rego") => {}
            // Settings that nobody reads would be a policy that judges nothing.
            name @ ("policy.yml" | "policy.json") => return Reading::lost(misnamed(path, name)),
            _ => reading
                .notes
                .push(format!("{path}: passed over: not a part of a policy")),
        }
    }
    let mut parts = folder.split('/');
    let mut part = || parts.next().unwrap_or_default();
    let mut spec = Map::from_iter([
        ("group".to_owned(), json!(part())),
        ("name".to_owned(), json!(part())),
        ("version".to_owned(), json!(part())),
        ("modules".to_owned(), Json::Object(modules)),
        ("data".to_owned(), data),
    ]);
    spec.extend(schema.map(|schema| ("outputSchema".to_owned(), schema)));
    let source = match settings.map(|(path, text)| add_settings(path, text, &mut spec)) {
        Some(Ok((source, found))) => {
            faults.extend(found);
            Some(source)
        }
        // What the policy was to judge is in there, so nothing can answer in its place.
        Some(Err(fault)) => return Reading::lost(*fault),
        None => None,
    };
    match draft(folder, &spec, source.as_ref(), faults) {
        Ok(draft) => reading.items.push(Item::Policy(Box::new(draft))),
        Err(lost) => reading.lost.extend(lost),
    }
    reading
}

/// Builds the policy of a folder: sound, or broken by `faults` and what its spec breaks.
fn draft(
    folder: &str,
    spec: &Map<String, Json>,
    source: Option<&Source<'_>>,
    mut faults: Vec<Diagnostic>,
) -> Result<Draft, Vec<Diagnostic>> {
    let key = ObjectKey::new("directory", None, folder);
    let mut object = json!({
        "apiVersion": API_VERSION,
        "kind": kind::CLUSTER_POLICY,
        // The key of the folder is put in its place: a path is no name of an object.
        "metadata": {"name": "policy"},
        "spec": spec,
    });
    schema::drop_nulls(&mut object);
    let mut read = None;
    match schema::read(&object) {
        Ok(Manifest::ClusterPolicy(policy)) => {
            let draft = Draft::read(
                key.clone(),
                &Scope::Cluster,
                &policy.metadata,
                &policy.spec.0,
            );
            read = Some(draft.map_err(|lost| misplaced(folder, &lost))?);
        }
        Ok(_) => {}
        Err(found) => faults.extend(found.into_iter().map(|fault| match source {
            Some(source) => manifest::placed(fault, source, "spec"),
            None => Diagnostic::new(fault.code, format!("{folder}: {}", fault.message)),
        })),
    }
    let own = read.as_ref().and_then(|draft| draft.faults.as_ref());
    faults.extend(
        own.into_iter()
            .flat_map(|own| own.iter().cloned())
            .map(|fault| match source {
                Some(source) => manifest::located(fault, "", source),
                None => fault,
            }),
    );
    let Some(broken) = Diagnostics::collect(faults.clone()) else {
        return read.ok_or(faults);
    };
    if let Some(draft) = read {
        let faults = Some(broken);
        return Ok(Draft { faults, ..draft });
    }
    let stand_in = Draft::stand_in(&object, broken).ok_or(faults)?;
    Ok(Draft { key, ..stand_in })
}

/// A folder that holds modules and whose path is not an address.
fn misplaced(folder: &str, faults: &Diagnostics) -> Vec<Diagnostic> {
    let fault = |fault: &Diagnostic| {
        Diagnostic::new(&fault.code, format!("{folder}: {}", fault.message)).with_remedy(
            "name the folders <group>/<name>/<version>, or take the modules out of them",
        )
    };
    faults.iter().map(fault).collect()
}

fn misnamed(path: &str, name: &str) -> Diagnostic {
    let message = format!("{path}: the settings of a policy are not read from `{name}`");
    Diagnostic::new("settings_misnamed", message).with_remedy("rename the file to `policy.yaml`")
}

/// A file of a policy that holds one JSON object.
struct ObjectFile {
    /// The code of what is wrong with it.
    code: &'static str,
    /// What to do about one that holds something else.
    remedy: &'static str,
}

const DATA: ObjectFile = ObjectFile {
    code: "data_invalid",
    remedy: "write an object: its keys are what policies read as `data.<key>`",
};

const SCHEMA: ObjectFile = ObjectFile {
    code: "output_schema_invalid",
    remedy: "write an object: a JSON Schema",
};

impl ObjectFile {
    /// Reads it.
    fn read(&self, path: &str, text: &str) -> Result<Json, Box<Diagnostic>> {
        let fault = match serde_json::from_str::<Json>(text) {
            Ok(document @ Json::Object(_)) => match Document::read(text) {
                Ok(exact) if exact == Document::from(&document) => return Ok(document),
                Ok(_) => Diagnostic::new(
                    self.code,
                    format!("{path}: a number needs more than 64 bits"),
                )
                .with_remedy("write the number as text: another one would be read"),
                Err(reason) => Diagnostic::new(self.code, format!("{path}: {reason}")),
            },
            Ok(_) => Diagnostic::new(self.code, format!("{path}: not a JSON object"))
                .with_remedy(self.remedy),
            Err(error) => {
                let count = |number: usize| u32::try_from(number.max(1)).unwrap_or(u32::MAX);
                let place = document::Place {
                    line: count(error.line()),
                    column: count(error.column()),
                };
                let message = error.to_string();
                let message = message
                    .rfind(" at line ")
                    .map_or(message.as_str(), |end| &message[..end]);
                Diagnostic::new(self.code, format!("not JSON: {message}")).at(place.of(path), text)
            }
        };
        Err(fault.into())
    }
}

/// Adds the fields of `policy.yaml` to the spec that the layout gives.
fn add_settings<'a>(
    path: &'a str,
    text: &'a str,
    spec: &mut Map<String, Json>,
) -> Result<(Source<'a>, Vec<Diagnostic>), Box<Diagnostic>> {
    let nodes = document::read(text).map_err(|fault| manifest::unreadable(path, text, fault))?;
    let Ok([node]) = <[document::Node; 1]>::try_from(nodes) else {
        let message = format!("{path}: the file is not one document");
        let remedy = "write the fields of a policy's `spec`, or remove the file for the defaults";
        return Err(Diagnostic::new("settings_invalid", message)
            .with_remedy(remedy)
            .into());
    };
    let source = Source {
        file: path,
        text,
        node,
    };
    let Json::Object(fields) = source.node.to_json() else {
        let fault = source.fault(
            "settings_invalid",
            "not a mapping of fields",
            source.node.place(),
        );
        let remedy = "write the fields of a policy's `spec`";
        return Err(fault.with_remedy(remedy).into());
    };
    let mut faults = Vec::new();
    for (field, value) in fields {
        if spec.contains_key(&field) {
            let place = source.node.key(&field).unwrap_or(source.node.place());
            let message = format!("`{field}` is given by the layout");
            faults.push(
                source
                    .fault("field_unexpected", &message, place)
                    .with_remedy("remove the field: the folder and its files say it"),
            );
        } else {
            spec.insert(field, value);
        }
    }
    Ok((source, faults))
}
