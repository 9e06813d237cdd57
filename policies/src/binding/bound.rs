//! A policy as one binding has it asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::{Map, Value as Json};

use super::{Binding, NotFound, Parameter, ParameterKey, ParameterSource, Selected, Selection};
use crate::{
    Code, Diagnostic, Digest, Entry, Message, Point, Policy, Scope,
    policy::parameters,
    rego::{plan::access::Access, value::Value},
};

/// Most objects that one binding takes parameters of for one request: each is a judgement of its own.
const MOST: usize = 64;

/// Most objects that one binding takes parameters of for all requests, each namespace having some of its
/// own: more than one for each namespace of a large cluster, and some megabytes.
const MOST_IN_ALL: usize = 10_000;

/// A policy as one binding has it asked: with its parameters, at its place.
#[derive(Debug)]
pub struct Bound {
    /// The binding.
    pub binding: Arc<Binding>,
    name: Arc<str>,
    place: Place,
    parameters: Value,
    digest: Digest,
    access: Access,
    /// Why it cannot answer, if so.
    fault: Option<Message>,
    /// What it was made of, by which it is known again.
    policy: Arc<Policy>,
    parameter: Option<Arc<Parameter>>,
    given: Option<Message>,
}

/// Where it judges, of what its binding's match selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Everywhere.
    Anywhere,
    /// Requests in this namespace, whose objects its parameters are of.
    Within(String),
    /// Requests elsewhere than in these namespaces, which have objects of their own.
    Outside(BTreeSet<String>),
}

impl Bound {
    /// The binding as decisions call it: `ClusterPolicyBinding prod-limits`.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    pub(crate) fn parameters(&self) -> &Value {
        &self.parameters
    }

    /// What is looked at of an `AdmissionRequest`.
    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// The object that it takes parameters of.
    pub fn parameter(&self) -> Option<&ParameterKey> {
        self.parameter.as_ref().map(|parameter| &parameter.key)
    }

    /// What it asks with: two replicas with the same digest decide alike.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Why it cannot answer, if so: the policy or its parameters are missing, or do not fit.
    pub fn fault(&self) -> Option<&Message> {
        self.fault.as_ref()
    }

    /// Whether it has this policy asked, and no other in its stead.
    pub(crate) fn is_of_policy(&self, policy: &Arc<Policy>) -> bool {
        Arc::ptr_eq(&self.policy, policy)
    }

    fn is_of(
        &self,
        binding: &Arc<Binding>,
        policy: &Arc<Policy>,
        parameter: Option<&Arc<Parameter>>,
        place: &Place,
        fault: Option<&Message>,
    ) -> bool {
        let is_same_parameter = match (&self.parameter, parameter) {
            (None, None) => true,
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            _ => false,
        };
        Arc::ptr_eq(&self.binding, binding)
            && Arc::ptr_eq(&self.policy, policy)
            && is_same_parameter
            && self.place == *place
            && self.given.as_ref() == fault
    }
}

impl Place {
    /// Whether a request in this namespace, or in none, is there.
    pub(crate) fn includes(&self, namespace: Option<&str>) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Within(own) => namespace == Some(own),
            Self::Outside(others) => namespace.is_none_or(|own| !others.contains(own)),
        }
    }
}

/// What a binding is resolved with.
pub(crate) struct Surroundings<'a> {
    /// The policy that holds the address, if one does.
    pub(crate) policy: Option<&'a Arc<Policy>>,
    /// What is known of the objects that bindings take parameters of.
    pub(crate) parameters: &'a BTreeMap<Selection, Selected>,
    /// What the binding was resolved to before. What has not changed is taken over.
    pub(crate) before: &'a [Arc<Entry>],
}

/// How a binding has its policy asked: once, or once for each object that its source selects.
pub(crate) fn resolve(binding: &Arc<Binding>, surroundings: &Surroundings<'_>) -> Vec<Arc<Bound>> {
    let (policy, missing) = policy_of(binding, surroundings.policy);
    let before = surroundings.before.iter();
    let before = before.filter_map(|entry| entry.binding.as_ref());
    let before: BTreeMap<_, _> = before.map(|bound| (bound.parameter(), bound)).collect();
    let make = |parameter: Option<&Arc<Parameter>>, place: Place, fault: Option<Message>| {
        let known = before.get(&parameter.map(|parameter| &parameter.key));
        let known =
            known.filter(|bound| bound.is_of(binding, policy, parameter, &place, fault.as_ref()));
        match known {
            Some(known) => Arc::clone(known),
            None => Arc::new(bind(binding, policy, parameter, place, fault)),
        }
    };
    let fault = own_fault(binding).or(missing);
    let Some(source) = binding.source.as_ref().filter(|_| fault.is_none()) else {
        return vec![make(None, Place::Anywhere, fault)];
    };
    let found = known(&source.selection, surroundings.parameters);
    let places = found.and_then(|found| by_place(&source.selection, found));
    let places = match places {
        Ok(places) => places,
        Err(fault) => return vec![make(None, Place::Anywhere, Some(*fault))],
    };
    let mut bounds = Vec::new();
    for (namespace, parameters) in &places {
        let place = namespace.map_or(Place::Anywhere, |own| Place::Within(own.to_owned()));
        let bind = |parameter| make(Some(parameter), place.clone(), None);
        bounds.extend(parameters.iter().copied().map(bind));
    }
    let is_everywhere = places.contains_key(&None);
    let namespaces: BTreeSet<String> = places.into_keys().flatten().map(str::to_owned).collect();
    if !is_everywhere && source.not_found == NotFound::Deny {
        let place = if namespaces.is_empty() {
            Place::Anywhere
        } else {
            Place::Outside(namespaces)
        };
        bounds.push(make(None, place, Some(not_found(source))));
    }
    bounds
}

fn bind(
    binding: &Arc<Binding>,
    policy: &Arc<Policy>,
    parameter: Option<&Arc<Parameter>>,
    place: Place,
    fault: Option<Message>,
) -> Bound {
    let given = fault.clone();
    let (merged, unread) = merge(binding, policy, parameter);
    let fault = fault.or(unread).or_else(|| {
        let wrong = policy.check_parameters(&merged)?;
        Some(unsound(&wrong))
    });
    let text = fault.as_ref().map(|fault| fault.message.as_str());
    let digest = Digest::of_binding(policy.digest(), &binding.admission, &merged, text);
    let mut access = binding.gate().access().clone();
    if let Some(program) = policy.program_access(Point::Admission) {
        access.merge(program);
    }
    Bound {
        name: binding.key.to_string().into(),
        binding: binding.clone(),
        place,
        parameters: parameters(&merged),
        digest,
        access,
        fault,
        policy: policy.clone(),
        parameter: parameter.cloned(),
        given,
    }
}

/// The policy's parameters, in their place those of the binding, and in their place those of an
/// object.
fn merge(
    binding: &Binding,
    policy: &Policy,
    parameter: Option<&Arc<Parameter>>,
) -> (Map<String, Json>, Option<Message>) {
    let mut merged = policy.definition().parameters.clone();
    merged.extend(binding.parameters.clone());
    let Some((source, parameter)) = binding.source.as_ref().zip(parameter) else {
        return (merged, None);
    };
    match source.read(parameter) {
        Ok(own) => {
            merged.extend(own);
            (merged, None)
        }
        Err(why) => {
            let name = parameter.key.to_string();
            (merged, Some(unsound(&format!("{name}: {why}"))))
        }
    }
}

/// The policy that a binding binds. One that is not there, or is not for it to bind, is answered for
/// by one that cannot answer.
fn policy_of<'a>(
    binding: &'a Binding,
    found: Option<&'a Arc<Policy>>,
) -> (&'a Arc<Policy>, Option<Message>) {
    let address = &binding.policy;
    let Some(policy) = found else {
        let text = format!("there is no policy {address}");
        let message = Message::new(Code::NotFound, &text);
        let remedy = "apply the policy, or remove the binding";
        return (binding.absent(), Some(message.with_remedy(remedy)));
    };
    let is_foreign = *address.scope() == Scope::Cluster && binding.reach != Scope::Cluster;
    if is_foreign && !policy.definition().importable {
        let text = format!("the policy {address} is not for namespaces to bind");
        let message = Message::new(Code::NotFound, &text);
        let remedy = "have `importable: true` set in the ClusterPolicy, or bind a Policy";
        return (binding.absent(), Some(message.with_remedy(remedy)));
    }
    (policy, None)
}

/// What of its policy is missing for a binding: the policy itself, or one that works.
pub(crate) fn missing(binding: &Binding, found: Option<&Arc<Policy>>) -> Option<Message> {
    let (policy, missing) = policy_of(binding, found);
    missing.or_else(|| policy.broken())
}

/// Why the parameters of a binding that takes none of an object do not fit its policy.
pub(crate) fn unfit_parameters(binding: &Binding, policy: &Policy) -> Option<Diagnostic> {
    if binding.source.is_some() || policy.faults().is_some() {
        return None;
    }
    let (merged, _) = merge(binding, policy, None);
    let wrong = policy.check_parameters(&merged)?;
    let fault = Diagnostic::new("parameters_invalid", wrong);
    Some(fault.with_remedy("see `parametersSchema` of the policy"))
}

fn own_fault(binding: &Binding) -> Option<Message> {
    let first = binding.faults()?.iter().next()?;
    let text = format!("the binding is broken: {}", first.in_one_line());
    let message = Message::new(Code::CompileFailed, &text);
    Some(message.with_remedy("mend the binding; `kubectl describe` shows all of its faults"))
}

/// The objects of a selection, or why they are not to be had. As long as nobody has read them it is
/// not known that there are none.
fn known<'a>(
    selection: &Selection,
    parameters: &'a BTreeMap<Selection, Selected>,
) -> Result<&'a [Arc<Parameter>], Box<Message>> {
    let unread = |why: &str| {
        let text = format!("the parameters of {selection} have not been read: {why}");
        let message = Message::new(Code::NotFound, &text).with_remedy(
            "see the binding's `status`; let Portcullis read the kind, as the chart's value \
             `parameterKinds` does",
        );
        Box::new(message)
    };
    match parameters.get(selection) {
        None => Err(unread("nobody has looked yet")),
        Some(Selected::Unread(why)) => Err(unread(why)),
        Some(Selected::Known(found)) => Ok(found),
    }
}

/// The objects of each namespace that are for its requests alone, and under `None` those that are for
/// all.
type ByPlace<'a> = BTreeMap<Option<&'a str>, Vec<&'a Arc<Parameter>>>;

/// Objects by where they are for. More than can be judged with are a fault.
fn by_place<'a>(
    selection: &Selection,
    found: &'a [Arc<Parameter>],
) -> Result<ByPlace<'a>, Box<Message>> {
    let mut places = ByPlace::new();
    for parameter in found {
        let namespace = parameter.key.namespace.as_deref();
        let place = namespace.filter(|_| selection.namespace.is_none());
        places.entry(place).or_default().push(parameter);
    }
    let most = places.values().map(Vec::len).max().unwrap_or(0);
    if most <= MOST && found.len() <= MOST_IN_ALL {
        return Ok(places);
    }
    let text = format!(
        "{selection} are {} objects, {most} for one request, and parameters are taken of {MOST} for one \
         request and of {MOST_IN_ALL} in all",
        found.len()
    );
    let message = Message::new(Code::CompileFailed, &text);
    Err(message.with_remedy("select fewer by their labels").into())
}

fn not_found(source: &ParameterSource) -> Message {
    let text = format!("there is no {} to take parameters of", source.selection);
    Message::new(Code::NotFound, &text)
        .with_remedy("create it, or set `parametersFrom.notFound: Allow`")
}

fn unsound(why: &str) -> Message {
    let text = format!("the parameters do not fit the policy: {why}");
    Message::new(Code::CompileFailed, &text)
        .with_remedy("mend them; see `parametersSchema` of the policy")
}
