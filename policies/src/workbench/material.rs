//! What queries and tests are about: modules and base data.

use crate::{
    Diagnostic, Diagnostics, Document, RegoVersion,
    rego::{
        apart,
        ast::{Module, Version},
        builtins::glob_match,
        compile::Options,
        execute::{self, Error, ErrorKind, Observer, Question as Evaluation},
        on_large_stack, parse,
        plan::ir::{Entry, Plan, Step},
        read_module, report,
        shared::{self, Shared},
        source::{Fault, FileId, Sources, Span},
        value::Value,
        version,
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
                faults.extend(material.add(file, version(source.version)));
            }
            for shared in named {
                if !material.defines(shared) {
                    let file = material.sources.add_shared(shared);
                    faults.extend(material.add(file, Version::V1));
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
    fn add(&mut self, file: FileId, version: Version) -> Vec<Fault> {
        match read_module(&self.sources, file, version) {
            Ok(module) => {
                self.modules.push(module);
                Vec::new()
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

/// An error with its place. One that does not know its place, such as that of an operator, happened
/// in the condition that was looked at last: it is evaluated once more to see which that is.
pub(super) fn located(
    plan: &Plan,
    entry: &Entry,
    evaluation: Evaluation<'_>,
    mut error: Error,
) -> Error {
    // What took too long is not done again.
    if error.span.is_none() && error.kind.code() != CANCELLED {
        let mut last = Last::default();
        let (_, _) = execute::record(plan, entry, evaluation, &mut last);
        error.span = last.0;
    }
    error
}

/// The code of errors that say that a limit was reached.
const CANCELLED: &str = "eval_cancel_error";

/// The place of the condition that was looked at last.
#[derive(Default)]
struct Last(Option<Span>);

impl Observer for Last {
    fn looks_at(&mut self, step: &Step) {
        self.0 = Some(step.span);
    }
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
