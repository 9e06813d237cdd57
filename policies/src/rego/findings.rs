//! What the passes find wrong, by the stage of OPA's compiler that would have found it.
//!
//! OPA stops after the first stage that finds something, because later ones would find follow-up
//! errors. Our passes find several things in one walk, so each says its stage.

use std::collections::BTreeMap;

use super::builtins::Refusal;
use super::source::{ErrorCode, Fault, Span};

/// Most faults that are reported at once, as OPA's. A person mends a few and applies again.
pub const MAX_FAULTS: usize = 10;

/// Most faults of one stage that are kept until it is known which are the first in the source. The
/// passes go through modules in their order, so the first are among them.
const MAX_KEPT: usize = 1_000;

/// A stage of OPA's compiler, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Names become references.
    References,
    /// Imports that nobody uses.
    UnusedImports,
    /// `input` and `data` as names.
    Overrides,
    /// Two imports of one name.
    Imports,
    /// `:=`, `some`, arguments.
    Locals,
    /// `$"{…}"`
    Templates,
    /// Functions without a result as values.
    VoidCalls,
    /// `with`
    Modifiers,
    /// Rules that exclude each other.
    Conflicts,
    /// Functions that are not there, or take other arguments.
    Calls,
    /// Variables of heads that the body does not bind.
    HeadSafety,
    /// Variables of bodies that nothing binds.
    BodySafety,
    /// Rules that need themselves.
    Recursion,
    /// Values of types that cannot be used there.
    Types,
    /// Functions that OPA 1 refuses.
    Deprecated,
    /// What is Rego, but beyond this compiler.
    Support,
}

impl Stage {
    /// The compiler goes on after it, and reports what later stages find as well.
    fn is_recoverable(self) -> bool {
        matches!(
            self,
            Self::UnusedImports | Self::Overrides | Self::Imports | Self::Types | Self::Deprecated
        )
    }

    /// What to do, where that is always the same.
    fn remedy(self) -> Option<&'static str> {
        match self {
            Self::HeadSafety | Self::BodySafety => {
                Some("give it a value in a condition that is not negated: `:=`, `some … in`")
            }
            Self::Recursion => Some("let one of the rules do without the others"),
            _ => None,
        }
    }
}

/// How much had been found.
#[derive(Debug)]
pub struct Mark {
    found: usize,
    counts: BTreeMap<Stage, usize>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Findings {
    found: Vec<(Stage, Fault)>,
    /// How many there are of each stage, those that are not kept too.
    counts: BTreeMap<Stage, usize>,
}

impl Findings {
    /// Something is wrong.
    pub fn add(&mut self, stage: Stage, code: ErrorCode, span: Span, message: impl Into<String>) {
        let fault = Fault::new(code, span, message);
        self.keep(
            stage,
            match stage.remedy() {
                Some(remedy) => fault.with_remedy(remedy),
                None => fault,
            },
        );
    }

    /// A function that is not there.
    pub fn undefined(&mut self, span: Span, name: &str) {
        let message = format!("undefined function {name}");
        let fault = Fault::new(ErrorCode::Type, span, message);
        self.keep(
            Stage::Calls,
            fault.with_remedy("define it, or import the package that does"),
        );
    }

    fn keep(&mut self, stage: Stage, fault: Fault) {
        let count = self.counts.entry(stage).or_default();
        *count += 1;
        if *count <= MAX_KEPT {
            self.found.push((stage, fault));
        }
    }

    /// A `rego_compile_error`.
    pub fn compile(&mut self, stage: Stage, span: Span, message: impl Into<String>) {
        self.add(stage, ErrorCode::Compile, span, message);
    }

    /// A `rego_type_error`.
    pub fn kind(&mut self, stage: Stage, span: Span, message: impl Into<String>) {
        self.add(stage, ErrorCode::Type, span, message);
    }

    /// What is Rego, but beyond this compiler.
    pub fn unsupported(&mut self, span: Span, what: &str) {
        self.compile(Stage::Support, span, format!("not supported: {what}"));
    }

    /// A function that is Rego, and is not here.
    pub fn refused(&mut self, span: Span, name: &str, refusal: Refusal) {
        let message = format!("not supported: the function `{name}`: {}", refusal.reason);
        let fault = Fault::new(ErrorCode::Compile, span, message);
        self.keep(Stage::Support, fault.with_remedy(refusal.remedy));
    }

    /// How much has been found until now.
    pub fn mark(&self) -> Mark {
        Mark {
            found: self.found.len(),
            counts: self.counts.clone(),
        }
    }

    /// Forgets what was found since then that only stages after this one would find.
    pub fn forget(&mut self, mark: Mark, last: Stage) {
        let since = self.found.split_off(mark.found);
        let kept = since.into_iter().filter(|(stage, _)| *stage <= last);
        self.found.extend(kept);
        self.counts.retain(|stage, _| *stage <= last);
        let before = mark.counts.into_iter().filter(|(stage, _)| *stage > last);
        self.counts.extend(before);
    }

    /// A later stage would find follow-up errors.
    pub fn stop(&self) -> bool {
        self.counts.keys().any(|stage| !stage.is_recoverable())
    }

    /// Nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// What OPA would report, in the order of the source; at most [`MAX_FAULTS`].
    pub fn into_faults(self) -> Vec<Fault> {
        let last = self
            .found
            .iter()
            .map(|(stage, _)| *stage)
            .filter(|stage| !stage.is_recoverable())
            .min();
        let mut faults: Vec<Fault> = self
            .found
            .into_iter()
            .filter(|(stage, _)| last.is_none_or(|last| *stage <= last))
            .map(|(_, fault)| fault)
            .collect();
        faults.sort_by(|a, b| {
            let key = |fault: &Fault| (fault.span.file, fault.span.start);
            key(a).cmp(&key(b)).then_with(|| a.message.cmp(&b.message))
        });
        faults.dedup();
        faults.truncate(MAX_FAULTS);
        faults
    }
}
