//! A compiled policy, and its evaluation.

use std::{
    hash::{BuildHasher as _, RandomState},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, LazyLock},
    thread,
};

use jiff::SignedDuration;
use serde_json::Value as Json;

use super::{
    bounds,
    builtins::{Network, Refusal, Surroundings, Withheld},
    compile::{Options, compile},
    entrypoint::Entrypoint,
    execute::{self, Error, ErrorKind, Explainer, Explanation, Kept, Question},
    plan::{access::Access, ir::Plan},
    resolve,
    source::Sources,
    stack,
    unit::{Unit, report},
    value::Value,
};
use crate::{
    Code, Definition, Diagnostic, Diagnostics, Document, Extent, Limits, Message, Point, Policy,
    RegoVersion, Request, allowance::Bytes, memory::Recall, normalise::Rules,
};

/// From a request's name to the seed of its random numbers: the same within a request, and when it is
/// evaluated again to explain it; others, that nobody can foretell, in the next.
static SEEDS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// A compiled policy.
#[derive(Debug)]
pub(crate) struct Program {
    plan: Plan,
    /// What is looked at of an `AdmissionRequest`.
    request: Access,
    /// The root of `data`, without the packages.
    data: Value,
    /// For the places in errors.
    sources: Sources,
    rules: Rules,
    version: RegoVersion,
}

/// What an evaluation may use besides its input and its data.
#[derive(Clone, Debug, Default)]
pub(crate) struct Powers<'p> {
    pub(crate) network: Option<Network<'p>>,
    pub(crate) recall: Option<&'p Recall<'p>>,
}

/// Why an evaluation gave no document.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The time limit was reached.
    #[error("the evaluation took longer than {0:#}")]
    Timeout(SignedDuration),
    /// It built more than it may.
    #[error("the evaluation built more than {}", Bytes(*.0))]
    Memory(u64),
    /// It did more than can be done.
    #[error("{0}")]
    Exhausted(String),
    /// What it gives back is too large or too deep to be handed on.
    #[error("the result is too large")]
    Large,
    /// The policy contradicted itself, or a builtin failed.
    #[error("{}", .0.in_one_line())]
    Failed(Box<Diagnostic>),
    /// The executor panicked.
    #[error("the evaluation failed unexpectedly")]
    Panicked,
}

impl Program {
    /// Compiles the modules of a definition with those of all that it imports, where they are not more
    /// than this.
    pub(crate) fn compile(
        definition: &Definition,
        imports: &[Arc<Policy>],
        most: Extent,
    ) -> Result<Self, Diagnostics> {
        stack::apart("compile", || compile_here(definition, imports, most))
    }

    /// The version of the language that the modules were read in.
    pub(crate) fn version(&self) -> RegoVersion {
        self.version
    }

    /// What the entrypoint defines.
    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What is looked at of a document that is asked about at a door.
    pub(crate) fn access(&self, point: Point) -> &Access {
        match point {
            Point::Admission => &self.request,
            Point::Evaluation => &self.plan.reads.input,
        }
    }

    /// Evaluates the entrypoint. `Value::Undefined` as the input is an undefined `input`.
    pub(crate) fn evaluate(
        &self,
        input: Value,
        request: &Request,
        limits: Limits,
        powers: Powers<'_>,
    ) -> Result<Value, Failure> {
        let question = self.question(input, request, limits, powers);
        let evaluate = || execute::evaluate(&self.plan, &self.plan.entries[0], question);
        self.document(catch_unwind(AssertUnwindSafe(evaluate)))
    }

    /// The same while somebody looks on, who has seen something even where the evaluation fails.
    pub(crate) fn explain(
        &self,
        input: Value,
        request: &Request,
        limits: Limits,
        powers: Powers<'_>,
        kept: Kept,
    ) -> (Result<Value, Failure>, Explanation) {
        let question = self.question(input, request, limits, powers);
        let mut explainer = Explainer::new(kept);
        let evaluate = || {
            let entry = &self.plan.entries[0];
            execute::observe(&self.plan, entry, question, &mut explainer)
        };
        let found = self.document(catch_unwind(AssertUnwindSafe(evaluate)));
        (found, explainer.explain(&self.sources))
    }

    fn question<'q>(
        &self,
        input: Value,
        request: &'q Request,
        limits: Limits,
        powers: Powers<'q>,
    ) -> Question<'q> {
        let now = request.now.as_nanosecond();
        let mut surroundings = Surroundings::new(now, Some(&request.headers), seed(request));
        surroundings.network = powers.network;
        surroundings.recall = powers.recall;
        Question {
            input,
            data: self.data.clone(),
            surroundings,
            limits: execute::Limits {
                time: Some(limits.timeout),
                // The clock ends it before.
                steps: u64::MAX,
                memory: limits.memory,
                ..execute::Limits::default()
            },
            strict: request.strict,
        }
    }

    /// What an evaluation gives back, if it may.
    fn document(
        &self,
        ended: thread::Result<Result<Vec<Value>, Box<Error>>>,
    ) -> Result<Value, Failure> {
        let values = ended
            .map_err(|_| Failure::Panicked)?
            .map_err(|error| self.failure(&error))?;
        let document = values.into_iter().next().unwrap_or(Value::Undefined);
        if bounds::is_bounded(&document) {
            Ok(document)
        } else {
            Err(Failure::Large)
        }
    }

    fn failure(&self, error: &Error) -> Failure {
        match error.kind {
            ErrorKind::Timeout(limit) => {
                Failure::Timeout(SignedDuration::try_from(limit).unwrap_or(SignedDuration::MAX))
            }
            ErrorKind::Memory(limit) => Failure::Memory(limit),
            ErrorKind::Digits | ErrorKind::Steps(_) | ErrorKind::Depth(_) => {
                Failure::Exhausted(error.to_string())
            }
            _ => {
                let mut fault = Diagnostic::new(error.kind.code(), error.to_string());
                fault.location = error.span.map(|span| self.sources.location(span));
                Failure::Failed(Box::new(fault))
            }
        }
    }
}

impl Failure {
    /// What a decision says of it.
    pub(crate) fn message(&self) -> Message {
        let (code, remedy) = match self {
            Self::Timeout(_) => (
                Code::Timeout,
                "make the policy cheaper, or raise `limits.timeout`",
            ),
            Self::Memory(_) => (
                Code::MemoryExceeded,
                "make the policy build less, or raise `limits.memory`",
            ),
            Self::Exhausted(_) | Self::Large => {
                (Code::MemoryExceeded, "make the policy build and try less")
            }
            Self::Failed(_) | Self::Panicked => (
                Code::EvaluationFailed,
                "evaluate the policy with this input, and mend the rule that fails",
            ),
        };
        let message = Message::new(code, &self.to_string()).with_remedy(remedy);
        match self {
            Self::Failed(fault) => message.of_error(fault),
            _ => message,
        }
    }
}

/// The seed of a request's random numbers.
pub(crate) fn seed(request: &Request) -> u64 {
    // A caller may give two requests one id; nobody gives them one time.
    SEEDS.hash_one((&request.id, request.now))
}

fn compile_here(
    definition: &Definition,
    imports: &[Arc<Policy>],
    most: Extent,
) -> Result<Program, Diagnostics> {
    let Unit {
        sources,
        modules,
        own,
        version,
        data,
        ..
    } = Unit::read(definition, imports, most)?;
    let entrypoint = Entrypoint::of(definition).map_err(|fault| Diagnostics::from(*fault))?;
    let faults = entrypoint.check_packages(definition, &modules[..own], &sources);
    if let Some(faults) = Diagnostics::collect(faults) {
        return Err(faults);
    }
    let data = Document::from(&Json::Object(data));
    let question = resolve::Question::path(entrypoint.path());
    let options = Options {
        data: Some(data.value()),
        withheld: withheld(definition),
        ..Options::default()
    };
    let plan =
        compile(&modules, &[question], options).map_err(|faults| report(&sources, &faults))?;
    let rules = entrypoint
        .find(&modules, &plan)
        .map_err(|fault| Diagnostics::from(*fault))?;
    let review = plan.reads.input.of_review();
    Ok(Program {
        request: review.at("request").cloned().unwrap_or_default(),
        plan,
        data: data.value().clone(),
        sources,
        rules,
        version,
    })
}

/// What the policy may not do, and why.
fn withheld(definition: &Definition) -> Withheld {
    let at_admission = definition.admission.is_some();
    let refusal = |reason, remedy| Some(Refusal { reason, remedy });
    Withheld {
        network: if at_admission {
            refusal(
                "a policy that judges at admission reaches no network",
                "give the policy what it needs as data, or remove `admission`",
            )
        } else if definition.hosts.is_empty() {
            refusal(
                "the policy's `network.hosts` names no host",
                "name the hosts there, and have the administrator allow them",
            )
        } else {
            None
        },
        memory: if at_admission {
            refusal(
                "a policy that judges at admission has no memory",
                "give the policy what it needs as data, or remove `admission`",
            )
        } else {
            None
        },
    }
}
