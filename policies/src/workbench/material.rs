//! What queries and tests are about: modules and base data.

use crate::{
    Diagnostic, Diagnostics, Document, RegoVersion,
    rego::{
        ast::{Module, Version},
        builtins::glob_match,
        compile::Options,
        execute::{Error, ErrorKind},
        named_by_keywords, on_large_stack, parse,
        shared::{self, Shared},
        source::{Fault, FileId, Sources},
        value::Value,
    },
};

/// A module as it is written.
#[derive(Clone, Debug)]
pub struct Source {
    /// How it is called in messages: the path of its file.
    pub name: String,
    /// Its text.
    pub text: String,
    /// The version of the language; `Auto` is version 1.
    pub version: RegoVersion,
}

impl Source {
    /// Whether it can be read.
    pub fn is_rego(&self) -> bool {
        self.parse().is_some()
    }

    /// The path of its package below `data`, if it can be read.
    pub fn package(&self) -> Option<Vec<String>> {
        let module = self.parse()?;
        Some(
            module
                .package
                .path
                .iter()
                .map(ToString::to_string)
                .collect(),
        )
    }

    fn parse(&self) -> Option<Module> {
        let options = parse::Options {
            version: version(self.version),
            annotations: false,
        };
        let parse = || parse::parse_module(FileId::default(), &self.text, options);
        on_large_stack("read a module", parse).ok()?.ok()
    }
}

/// Whether a text matches a pattern as `glob.match` has it without separators. The error is a
/// sentence.
pub fn glob(pattern: &str, text: &str) -> Result<bool, String> {
    glob_match(pattern, text)
}

/// Modules and base data.
#[derive(Debug)]
pub struct Material {
    pub(super) sources: Sources,
    pub(super) modules: Vec<Module>,
    pub(super) data: Value,
    /// Whether imports and variables that nobody uses are faults.
    pub(super) strict: bool,
}

impl Material {
    /// Reads modules, in the order of their names, and of the shared library what they name and do
    /// not define themselves. Whether they fit together is told when something is asked of them.
    pub fn read(
        mut sources: Vec<Source>,
        data: &Document,
        strict: bool,
    ) -> Result<Self, Diagnostics> {
        sources.sort_by(|left, right| left.name.cmp(&right.name));
        let data = data.value().clone();
        apart("read the modules", move || {
            let mut material = Self {
                sources: Sources::default(),
                modules: Vec::new(),
                data,
                strict,
            };
            let mut faults = Vec::new();
            let named = shared::named_in(sources.iter().map(|source| &*source.text));
            for source in sources {
                let file = material.sources.add(source.name, source.text);
                faults.extend(material.parse(file, version(source.version)));
            }
            for shared in named {
                if !material.defines(shared) {
                    let file = material.sources.add_shared(shared);
                    faults.extend(material.parse(file, Version::V1));
                }
            }
            if faults.is_empty() {
                Ok(material)
            } else {
                Err(report(&material.sources, &faults))
            }
        })
    }

    /// Reads a file; gives what is wrong with it.
    fn parse(&mut self, file: FileId, version: Version) -> Vec<Fault> {
        let options = parse::Options {
            version,
            annotations: true,
        };
        match parse::parse_module(file, self.sources.text(file), options) {
            Ok(module) => {
                let faults = named_by_keywords(&module).collect();
                self.modules.push(module);
                faults
            }
            Err(faults) => faults,
        }
    }

    fn defines(&self, shared: &Shared) -> bool {
        let is_its = |module: &Module| matches!(&module.package.path[..], [root, name] if **root == *shared::ROOT && **name == *shared.name);
        self.modules.iter().any(is_its)
    }

    /// How modules are compiled.
    pub(super) fn options(&self, print: bool) -> Options<'_> {
        Options {
            strict: self.strict,
            print,
            data: Some(&self.data),
            ..Options::default()
        }
    }
}

/// The version in which a text is read.
pub(super) fn version(version: RegoVersion) -> Version {
    match version {
        RegoVersion::V0 => Version::V0,
        RegoVersion::V1 | RegoVersion::Auto => Version::V1,
    }
}

/// Does something that can fail on a thread with a large stack.
pub(super) fn apart<T: Send>(
    what: &str,
    work: impl FnOnce() -> Result<T, Diagnostics> + Send,
) -> Result<T, Diagnostics> {
    on_large_stack(what, work)
        .unwrap_or_else(|why| Err(Diagnostic::new("internal_error", why).into()))
}

/// Faults of the compiler as they are shown.
pub(super) fn report(sources: &Sources, faults: &[Fault]) -> Diagnostics {
    let faults = faults.iter().map(|fault| sources.diagnostic(fault));
    Diagnostics::collect(faults.collect()).unwrap_or_else(|| {
        let message = "the compiler did not say what is wrong";
        Diagnostic::new("internal_error", message).into()
    })
}

/// An error of an evaluation as it is shown.
pub(super) fn fault(sources: &Sources, error: &Error) -> Diagnostic {
    let code = error.kind.code();
    let mut diagnostic = Diagnostic::new(code, crate::text::clean(&error.to_string()));
    if let Some(span) = error.span {
        let location = sources.location(span);
        diagnostic = diagnostic.over(location, sources.text(span.file), sources.slice(span));
    }
    match error.kind {
        ErrorKind::Timeout(_) => diagnostic.with_remedy("give it more time with `--timeout`"),
        _ => diagnostic,
    }
}
