//! A policy that was compiled, or is broken.

mod explain;

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::{
    Address, Allowance, Code, DataSource, Definition, Diagnostic, Diagnostics, Digest, Document,
    Extent, Hosts, Input, Limits, Message, Point, RegoVersion, Request, Step,
    breaker::{Breakers, Used},
    decision::Judgement,
    gate::Gate,
    imports::{Find, Imports},
    matching,
    memory::{Memory, Recall},
    normalise,
    output::{self, Breach, OutputSchema},
    outside::{Nothing, Outside},
    rego::{self, Failure, Powers, builtins::Network, plan::access::Access, value::Value},
    sources::Sources,
};

pub use explain::Explained;

/// A policy, ready to judge. One that does not compile is kept as broken: it answers every request
/// as one that cannot be answered.
#[derive(Debug)]
pub struct Policy {
    definition: Definition,
    digest: Digest,
    parameters: Value,
    imports: Imports,
    sources: Sources,
    outside: Arc<dyn Outside>,
    /// The definition's, as far as the administrator allows.
    limits: Limits,
    memory: Memory,
    breakers: Breakers,
    /// The conditions of its own match. A policy whose conditions cannot be compiled is broken, and
    /// has none: it answers whatever its rules select.
    gate: Gate,
    /// What is looked at of an `AdmissionRequest`.
    access: Access,
    /// Why it cannot be asked but by a binding, if so.
    unfit: Option<Message>,
    output: Option<OutputSchema>,
    program: Result<rego::Program, Arc<Diagnostics>>,
}

impl Policy {
    /// Compiles a definition that imports nothing, with nothing outside.
    pub fn compile(definition: Definition) -> Self {
        Self::compile_within(definition, &(), Allowance::default())
    }

    /// Compiles a definition, with the policies that it imports and with what an administrator
    /// allows it. Takes time in proportion to the sources; call it away from threads that
    /// answer requests.
    pub fn compile_within(definition: Definition, find: Find<'_>, allowance: Allowance) -> Self {
        let imports = Imports::find(&definition, find);
        let sources = Sources::find(&definition, find);
        let digest = Digest::of(&definition, &imports);
        let (output, settings) = check_settings(&definition, &allowance);
        let Allowance {
            outside,
            limits,
            extent,
            ..
        } = allowance;
        let program = settings
            .and_then(|()| check_imports(&definition, &imports, extent))
            .and_then(|()| check_pin(&definition, digest))
            .and_then(|()| check_sources(&sources))
            .and_then(|()| {
                rego::Program::compile(&sources.fill(&definition), &imports.all(), extent)
            });
        let (gate, program) = with_conditions(&definition, program);
        let mut access = gate.access().clone();
        if let Ok(program) = &program {
            access.merge(program.access(Point::Admission));
        }
        Self {
            digest,
            unfit: unfit(&definition),
            output,
            parameters: parameters(&definition.parameters),
            imports,
            sources,
            outside,
            limits: definition.limits.within(limits),
            memory: Memory::default(),
            breakers: Breakers::default(),
            gate,
            access,
            program: program.map_err(Arc::new),
            definition,
        }
    }

    /// A policy whose object cannot even be read, with what is wrong. Its conditions are asked all
    /// the same.
    pub fn broken_by(definition: Definition, faults: Diagnostics) -> Self {
        let imports = Imports::default();
        let (gate, program) = with_conditions(&definition, Err(faults));
        Self {
            digest: Digest::of(&definition, &imports),
            parameters: parameters(&definition.parameters),
            imports,
            sources: Sources::default(),
            outside: Arc::new(Nothing),
            limits: definition.limits,
            memory: Memory::default(),
            breakers: Breakers::default(),
            access: gate.access().clone(),
            gate,
            unfit: None,
            output: None,
            program: program.map_err(Arc::new),
            definition,
        }
    }

    /// Where the policy is found.
    pub fn address(&self) -> &Address {
        &self.definition.address
    }

    /// What the policy was compiled of.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// The digest of the definition.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What is wrong with the policy, if it is broken.
    pub fn faults(&self) -> Option<&Diagnostics> {
        self.program.as_ref().err().map(Arc::as_ref)
    }

    /// What a broken policy answers to every request.
    pub(crate) fn broken(&self) -> Option<Message> {
        self.faults().map(broken_message)
    }

    /// The version of the language that the modules were read in; `None` for a broken policy.
    pub fn rego_version(&self) -> Option<RegoVersion> {
        self.program.as_ref().ok().map(rego::Program::version)
    }

    /// What evaluations of the policy use up again and again, so that it is not run for a while:
    /// [`Code::Timeout`] or [`Code::MemoryExceeded`].
    pub fn exhausts(&self) -> Option<Code> {
        self.breakers.exhausted().or_else(|| self.gate.exhausts())
    }

    /// Whether the policy's document has a rule at a path, or below it: so what is undefined there
    /// could be defined for another input.
    pub fn defines(&self, path: &[Step]) -> bool {
        let Ok(program) = &self.program else {
            return false;
        };
        match (path.first(), &program.rules().defined) {
            (Some(Step::Name(name)), Some(names)) => names.contains(name),
            (_, Some(_)) => false,
            // The entrypoint is one rule.
            (_, None) => true,
        }
    }

    /// Whether the policy would be the same if it was compiled again now.
    pub fn is_current(&self, find: Find<'_>) -> bool {
        self.sources.are_current(&self.definition, find)
            && self.imports.are_current(&self.definition, find)
    }

    /// What the policy imports.
    pub(crate) fn imports(&self) -> &Imports {
        &self.imports
    }

    /// What the policy takes from elsewhere.
    pub(crate) fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Whether what it reads is secret, or what it imports reads.
    pub fn reads_secrets(&self) -> bool {
        let imports = self.imports.all();
        let imports = imports.iter().map(|import| &import.definition);
        let mut all = std::iter::once(&self.definition).chain(imports);
        all.any(|definition| definition.data_from.iter().any(DataSource::is_secret))
    }

    /// All data of the policy, without that of its imports.
    pub(crate) fn data(&self) -> &Map<String, Json> {
        self.sources.data(&self.definition)
    }

    /// What the policy looks at of a document that is asked about at a door. A broken one looks at
    /// none, but for its conditions.
    pub(crate) fn access(&self, point: Point) -> Option<&Access> {
        match point {
            Point::Admission => Some(&self.access),
            Point::Evaluation => self.program_access(point),
        }
    }

    /// The same without what its own conditions look at.
    pub(crate) fn program_access(&self, point: Point) -> Option<&Access> {
        Some(self.program.as_ref().ok()?.access(point))
    }

    /// Why parameters do not satisfy the policy's schema, if so.
    pub(crate) fn check_parameters(&self, parameters: &Map<String, Json>) -> Option<String> {
        let schema = self.definition.parameters_schema.as_ref()?;
        // A schema that is none has broken the policy.
        let validator = jsonschema::validator_for(schema).ok()?;
        let mut faults = Vec::new();
        check_parameters(&validator, parameters, &mut faults);
        faults.first().map(|fault| fault.message.clone())
    }

    /// Where a result breaks the schema of the policy's results, which it has; work of the processor.
    pub fn breaches(&self, result: &Document) -> Vec<Breach> {
        let schema = self.output.as_ref();
        schema.map_or_else(Vec::new, |schema| schema.breaches(result))
    }

    /// A result as who asks for it alone reads it: where the entrypoint is a package that defines nothing
    /// but `_ := …`, the value of that, as in the TSA policy service.
    pub fn bare(&self, result: Document) -> Document {
        let program = self.program.as_ref();
        let of_package = program.is_ok_and(|program| program.rules().defined.is_some());
        let nameless = of_package.then(|| result.nameless()).flatten();
        nameless.unwrap_or(result)
    }

    /// The conditions of its own match.
    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Why it cannot be asked but by a binding: it has no parameters of its own, and needs some.
    pub(crate) fn unfit(&self) -> Option<&Message> {
        self.unfit.as_ref()
    }

    /// Its own parameters.
    pub(crate) fn parameters(&self) -> &Value {
        &self.parameters
    }

    /// What an evaluation may use up, as far as the administrator allows.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Evaluates the entrypoint with these parameters, and reads its document.
    pub(crate) fn judge(&self, input: &Input, parameters: &Value, request: &Request) -> Judgement {
        let program = match &self.program {
            Ok(program) => program,
            Err(faults) => return Judgement::error(broken_message(faults)),
        };
        let breaker = self.breakers.of(input.point());
        if let Err(rest) = breaker.may_run(request.now) {
            return Judgement::error(rest.message());
        }
        let document = input.document(parameters);
        let limits = Limits {
            timeout: self.limits.timeout.min(request.budget),
            ..self.limits
        };
        // At admission nothing is reached and nothing is remembered, whoever asks as if it were.
        let is_evaluation = input.point() == Point::Evaluation;
        let hosts = &self.definition.hosts;
        let recall = Recall::of(&self.memory);
        let powers = Powers {
            network: (is_evaluation && !hosts.is_empty())
                .then(|| Network::new(&*self.outside, hosts)),
            recall: is_evaluation.then_some(&recall),
        };
        match program.evaluate(document, request, limits, powers) {
            Ok(document) => {
                breaker.ended();
                recall.commit();
                let reading = normalise::Reading {
                    point: input.point(),
                    rules: program.rules(),
                    settings: self.definition.decision,
                };
                normalise::normalise(document, &reading)
            }
            Err(failure) => {
                match failure {
                    // It was not the policy's own limit.
                    Failure::Timeout(_) if limits.timeout < self.limits.timeout => {}
                    Failure::Timeout(_) => breaker.exhausted(request.now, limits, Used::Time),
                    Failure::Memory(_) => breaker.exhausted(request.now, limits, Used::Memory),
                    _ => breaker.ended(),
                }
                Judgement::error(failure.message())
            }
        }
    }
}

/// Parameters as policies read them.
pub(crate) fn parameters(parameters: &Map<String, Json>) -> Value {
    let parameters = Json::Object(parameters.clone());
    Document::from(&parameters).value().clone()
}

/// The conditions of a definition, and its program, which is broken where they are.
fn with_conditions(
    definition: &Definition,
    program: Result<rego::Program, Diagnostics>,
) -> (Gate, Result<rego::Program, Diagnostics>) {
    let admission = definition.admission.as_ref();
    let conditions = admission.map_or(&[][..], |admission| &admission.matches.conditions);
    match (Gate::compile(conditions), program) {
        (Ok(gate), program) => (gate, program),
        (Err(faults), Ok(_)) => (Gate::default(), Err(faults)),
        (Err(faults), Err(others)) => {
            let all = others.iter().chain(faults.iter()).cloned().collect();
            let all = Diagnostics::collect(all).unwrap_or(faults);
            (Gate::default(), Err(all))
        }
    }
}

/// The first fault, in one line: where, and what.
fn broken_message(faults: &Diagnostics) -> Message {
    let first = faults.iter().next();
    let text = first.map_or_else(String::new, |fault| {
        format!("the policy is broken: {}", fault.in_one_line())
    });
    Message::new(Code::CompileFailed, &text)
        .with_remedy("mend the policy; `kubectl describe` shows all of its faults")
}

/// Checks what is not Rego, and reads the schema of results.
fn check_settings(
    definition: &Definition,
    allowance: &Allowance,
) -> (Option<OutputSchema>, Result<(), Diagnostics>) {
    let mut faults = Vec::new();
    if definition.modules.is_empty() {
        faults.push(
            Diagnostic::new("modules_missing", "the policy has no module")
                .with_remedy("give `modules` at least one Rego source"),
        );
    }
    if let (Some(start), Some(end)) = (definition.window.not_before, definition.window.not_after)
        && start >= end
    {
        faults.push(
            Diagnostic::new("window_empty", "`notAfter` is not after `notBefore`")
                .with_remedy("set `notAfter` to a later time, or leave one of them out"),
        );
    }
    check_supersedes(definition, &mut faults);
    if definition.shadow && definition.admission.is_none() {
        let text = "a shadow is compared at admission, and the policy has no `admission`";
        let fault = Diagnostic::new("shadow_invalid", text);
        faults.push(fault.with_remedy("add `admission`, or remove `shadow`"));
    }
    check_hosts(definition, allowance.outside.hosts(), &mut faults);
    let fetched = definition.data_from.iter();
    let fetched = fetched.filter_map(|source| source.http.as_ref());
    faults.extend(fetched.filter_map(|http| http.refusal(allowance)));
    if let Some(admission) = &definition.admission {
        let scope = definition.address.scope();
        faults.extend(matching::faults(&admission.matches, scope));
        faults.extend(admission.perimeter_fault(scope));
    }
    if let Some(schema) = &definition.parameters_schema {
        match jsonschema::validator_for(schema) {
            Err(error) => faults.push(not_a_schema(&error)),
            Ok(_) if is_for_bindings(definition) => {}
            Ok(validator) => {
                check_parameters(&validator, &definition.parameters, &mut faults);
            }
        }
    }
    let output = output::schema_of(definition, &mut faults);
    (output, Diagnostics::collect(faults).map_or(Ok(()), Err))
}

/// Checks the imports. Without them the modules cannot be compiled, and are read all the same, so
/// that an author hears of both.
fn check_imports(
    definition: &Definition,
    imports: &Imports,
    most: Extent,
) -> Result<(), Diagnostics> {
    let mut faults = imports.faults(definition);
    if faults.is_empty() {
        return Ok(());
    }
    if let Err(unread) = rego::check_modules(definition, most) {
        faults.extend(unread.iter().cloned());
    }
    Diagnostics::collect(faults).map_or(Ok(()), Err)
}

/// Checks that all data is there.
fn check_sources(sources: &Sources) -> Result<(), Diagnostics> {
    let faults = sources.faults().to_vec();
    Diagnostics::collect(faults).map_or(Ok(()), Err)
}

fn check_pin(definition: &Definition, digest: Digest) -> Result<(), Diagnostics> {
    let Some(pin) = definition.pin.filter(|&pin| pin != digest) else {
        return Ok(());
    };
    let text = format!("`sha256` is {pin}, and the digest of the policy is {digest}");
    let fault = Diagnostic::new("digest_mismatch", text);
    Err(fault
        .with_remedy("look at what has changed in the policy and its imports, then set `sha256`")
        .into())
}

fn check_supersedes(definition: &Definition, faults: &mut Vec<Diagnostic>) {
    let Some(older) = &definition.supersedes else {
        return;
    };
    let own = definition.address.version();
    if older >= own {
        let text = format!("`supersedes` is {older}, which is not older than {own}");
        faults.push(
            Diagnostic::new("supersedes_invalid", text)
                .with_remedy("name an older version of this policy, or remove `supersedes`"),
        );
    }
    // When it is over, neither of the two would judge.
    if definition.window.not_after.is_some() {
        let text = "a policy that supersedes another has no `notAfter`";
        faults.push(
            Diagnostic::new("supersedes_invalid", text)
                .with_remedy("remove `notAfter`, and delete the policy when its time is over"),
        );
    }
}

/// What the settings allow, the administrator has to allow too.
fn check_hosts(definition: &Definition, allowed: &Hosts, faults: &mut Vec<Diagnostic>) {
    if definition.admission.is_some() && !definition.hosts.is_empty() {
        let message = "a policy that judges at admission reaches no network";
        let remedy = "remove `network` or `admission`";
        faults.push(Diagnostic::new("network_invalid", message).with_remedy(remedy));
    }
    let strange = definition.hosts.iter().filter(|host| !allowed.cover(host));
    faults.extend(strange.map(|host| {
        let message = format!("`network.hosts`: the administrator does not allow `{host}`");
        let remedy = "have the host added to `--allow-hosts`, or remove it";
        Diagnostic::new("host_not_allowed", message).with_remedy(remedy)
    }));
}

/// Whether the parameters are left to bindings: it has none, and judges nothing by itself.
fn is_for_bindings(definition: &Definition) -> bool {
    definition.admission.is_none() && definition.parameters.is_empty()
}

/// Why a policy whose parameters are left to bindings cannot be asked without one.
fn unfit(definition: &Definition) -> Option<Message> {
    let schema = definition.parameters_schema.as_ref()?;
    let validator = jsonschema::validator_for(schema).ok()?;
    let mut faults = Vec::new();
    check_parameters(&validator, &definition.parameters, &mut faults);
    let first = faults.first().filter(|_| is_for_bindings(definition))?;
    let text = format!("the policy has no parameters: {}", first.message);
    let message = Message::new(Code::CompileFailed, &text);
    Some(message.with_remedy("set `parameters` in the policy"))
}

fn not_a_schema(error: &jsonschema::ValidationError<'_>) -> Diagnostic {
    let text = format!("`parametersSchema` is not a JSON Schema: {error}");
    Diagnostic::new("parameters_schema_invalid", text)
        .with_remedy("write it as JSON Schema, draft 2020-12 or draft-07")
}

fn check_parameters(
    validator: &jsonschema::Validator,
    parameters: &Map<String, Json>,
    faults: &mut Vec<Diagnostic>,
) {
    let parameters = Json::Object(parameters.clone());
    faults.extend(validator.iter_errors(&parameters).map(|error| {
        let text = format!("`parameters{}`: {error}", error.instance_path());
        Diagnostic::new("parameters_invalid", text)
            .with_remedy("see `parametersSchema` of the policy")
    }));
}
