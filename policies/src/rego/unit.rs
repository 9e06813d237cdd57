//! All that is compiled together: a policy's own modules, those that it imports, and the packages
//! of the shared library that these name.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde_json::{Map, Value as Json};

use super::{
    ast::{Module, Name, Rule, TermKind, Version},
    extent, parse, shared,
    source::{ErrorCode, Fault, FileId, Sources},
    stack,
};
use crate::{Address, Definition, Diagnostic, Diagnostics, Extent, Policy, RegoVersion};

/// Words that version 1 reserves. Version 0 reads `allow := true if { … }` as an `allow` that always
/// holds and a rule `if`, and so does OPA; the author meant something else.
const KEYWORDS: [&str; 4] = ["contains", "every", "if", "in"];

/// What is compiled together.
pub(super) struct Unit {
    /// The files.
    pub(super) sources: Sources,
    /// The modules: the policy's own first.
    pub(super) modules: Vec<Module>,
    /// How many of the modules are the policy's own.
    pub(super) own: usize,
    /// The version that the policy's own modules were read in.
    pub(super) version: RegoVersion,
    /// The root of `data`, without the packages.
    pub(super) data: Map<String, Json>,
    /// Whose each module is.
    owners: Vec<Owner>,
}

/// Whose a module or a key of `data` is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owner {
    Policy,
    Import(Address),
    Shared,
}

/// Reads the modules of a definition alone.
pub(crate) fn check_modules(definition: &Definition, most: Extent) -> Result<(), Diagnostics> {
    stack::apart("read the modules", || {
        Unit::read(definition, &[], most).map(drop)
    })
}

impl Unit {
    /// Reads everything, where it is not more than this.
    pub(super) fn read(
        definition: &Definition,
        imports: &[Arc<Policy>],
        most: Extent,
    ) -> Result<Self, Diagnostics> {
        let all = || {
            std::iter::once(&definition.modules)
                .chain(imports.iter().map(|policy| &policy.definition().modules))
        };
        let texts = all().flat_map(BTreeMap::values).map(String::as_str);
        if let Some(fault) = extent::of_source(texts, most) {
            return Err(fault.into());
        }
        let mut sources = Sources::default();
        let files = definition.modules.iter();
        let own: Vec<FileId> = files.map(|(file, text)| sources.add(file, text)).collect();
        let (modules, version) = read(&sources, &own, definition.rego_version)?;
        let mut unit = Self {
            own: modules.len(),
            owners: vec![Owner::Policy; modules.len()],
            modules,
            sources,
            version,
            data: definition.data.clone(),
        };
        let mut faults = Vec::new();
        for policy in imports {
            unit.add_import(policy, &mut faults)?;
        }
        for shared in shared::named_in_modules(all()) {
            let file = unit.sources.add_shared(shared);
            unit.add(file, Version::V1, Owner::Shared)?;
        }
        let data = || extent::of_data(&unit.data, most);
        if let Some(fault) = extent::of_rules(&unit.modules, most).or_else(data) {
            return Err(fault.into());
        }
        faults.extend(unit.reserved());
        Diagnostics::collect(faults).map_or(Ok(unit), Err)
    }

    fn add_import(
        &mut self,
        policy: &Policy,
        faults: &mut Vec<Diagnostic>,
    ) -> Result<(), Diagnostics> {
        let definition = policy.definition();
        let owner = Owner::Import(policy.address().clone());
        let version = policy.rego_version().map_or(Version::V1, version);
        for (file, text) in &definition.modules {
            let name = format!("{}/{file}", policy.address().path());
            let file = self.sources.add(name, text);
            self.add(file, version, owner.clone())?;
        }
        for (key, value) in policy.data() {
            if self.data.contains_key(key) {
                let text = format!("{owner} has a value at `data.{key}` too");
                faults.push(
                    Diagnostic::new("import_conflict", text)
                        .with_remedy("give one of the two another place"),
                );
                continue;
            }
            self.data.insert(key.clone(), value.clone());
        }
        Ok(())
    }

    fn add(&mut self, file: FileId, version: Version, owner: Owner) -> Result<(), Diagnostics> {
        let module = read_module(&self.sources, file, version)
            .map_err(|faults| report(&self.sources, &faults))?;
        self.modules.push(module);
        self.owners.push(owner);
        Ok(())
    }

    /// Packages and rules that are where somebody else's package is. Nobody adds to what another
    /// one defines, or takes its place.
    fn reserved(&self) -> Vec<Diagnostic> {
        let mut faults = Vec::new();
        let mut packages: HashMap<&[Name], &Owner> = HashMap::new();
        // The policy's own come first, and whoever it takes them from is their owner.
        for (module, owner) in self.modules.iter().zip(&self.owners).rev() {
            packages.entry(&module.package.path).or_insert(owner);
        }
        for (module, owner) in self.modules.iter().zip(&self.owners) {
            let taken = |path: &[Name]| {
                let mut above = (1..=path.len()).map(|length| &path[..length]);
                above.find_map(|package| {
                    let (package, whose) = packages.get_key_value(package)?;
                    (*whose != owner).then_some((*package, *whose))
                })
            };
            if let Some((package, whose)) = taken(&module.package.path) {
                faults.push(self.taken(module.package.span, package, whose));
                continue;
            }
            for rule in &module.rules {
                if let Some((package, whose)) = taken(&place(module, rule)) {
                    faults.push(self.taken(rule.span, package, whose));
                }
            }
        }
        faults
    }

    fn taken(&self, span: super::source::Span, package: &[Name], whose: &Owner) -> Diagnostic {
        let text = format!("the package `{}` is that of {whose}", package.join("."));
        let place = self.sources.location(span);
        Diagnostic::new("package_reserved", text)
            .at(place, self.sources.text(span.file))
            .with_remedy("give the package or the rule another name")
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Policy => formatter.write_str("the policy"),
            Self::Import(address) => write!(formatter, "{address}"),
            Self::Shared => formatter.write_str("the shared library"),
        }
    }
}

/// Where a rule is below `data`, as far as it is known.
fn place(module: &Module, rule: &Rule) -> Vec<Name> {
    let names = rule
        .head
        .reference
        .iter()
        .enumerate()
        .map_while(|(at, part)| match &part.kind {
            TermKind::Var(name) if at == 0 => Some(name.clone()),
            TermKind::String(name) => Some(name.clone()),
            _ => None,
        });
    module.package.path.iter().cloned().chain(names).collect()
}

/// Reads modules in the version that was asked for.
fn read(
    sources: &Sources,
    files: &[FileId],
    version: RegoVersion,
) -> Result<(Vec<Module>, RegoVersion), Diagnostics> {
    let read =
        |version| read_as(sources, files, version).map_err(|faults| report(sources, &faults));
    let v1 = || Ok((read(Version::V1)?, RegoVersion::V1));
    let v0 = || Ok((read(Version::V0)?, RegoVersion::V0));
    match version {
        RegoVersion::V1 => v1(),
        RegoVersion::V0 => v0(),
        // What is neither is most likely meant as the newer.
        RegoVersion::Auto => v1().or_else(|faults| v0().map_err(|_: Diagnostics| faults)),
    }
}

fn read_as(
    sources: &Sources,
    files: &[FileId],
    version: Version,
) -> Result<Vec<Module>, Vec<Fault>> {
    let mut modules = Vec::new();
    let mut faults = Vec::new();
    for &file in files {
        match read_module(sources, file, version) {
            Ok(module) => modules.push(module),
            Err(found) => faults.extend(found),
        }
    }
    if faults.is_empty() {
        Ok(modules)
    } else {
        Err(faults)
    }
}

/// Reads a module.
pub(crate) fn read_module(
    sources: &Sources,
    file: FileId,
    version: Version,
) -> Result<Module, Vec<Fault>> {
    let options = parse::Options {
        version,
        annotations: true,
    };
    let module = parse::parse_module(file, sources.text(file), options)?;
    let faults: Vec<Fault> = named_by_keywords(&module).collect();
    if faults.is_empty() {
        Ok(module)
    } else {
        Err(faults)
    }
}

/// Rules that are called like keywords.
fn named_by_keywords(module: &Module) -> impl Iterator<Item = Fault> {
    let heads = module.rules.iter().map(|rule| &rule.head);
    heads.filter_map(|head| {
        let first = head.reference.first()?;
        let TermKind::Var(name) = &first.kind else {
            return None;
        };
        KEYWORDS.contains(&&**name).then(|| {
            let message = format!("`{name}` is read as the name of a rule");
            Fault::new(ErrorCode::Parse, first.span, message)
                .with_remedy("write `import rego.v1`, or all rules of all modules in version 1")
        })
    })
}

/// Faults with their places.
pub(crate) fn report(sources: &Sources, faults: &[Fault]) -> Diagnostics {
    let faults = faults.iter().map(|fault| sources.diagnostic(fault));
    Diagnostics::collect(faults.collect()).unwrap_or_else(|| {
        let message = "the compiler did not say what is wrong";
        Diagnostic::new("internal_error", message).into()
    })
}

/// The version in which a text is read, where none is tried after the other.
pub(crate) fn version(version: RegoVersion) -> Version {
    match version {
        RegoVersion::V0 => Version::V0,
        RegoVersion::V1 | RegoVersion::Auto => Version::V1,
    }
}
