//! Bindings: the same policy at other places, with other parameters or another action.
//!
//! ```text
//! Binding ─┬─ policy ──────────────▶ the one at its address, or a stand-in that cannot answer
//!          └─ parameters ─ the policy's, its own, and of each object that its source selects
//!                                    │
//!                                    ▼
//!                        Bound, one for each of these objects ──▶ Entry
//! ```
//!
//! A policy's own `admission` is its first binding, and needs no object. What is missing cannot
//! answer: the failure policy of the binding decides, at the binding's match.

mod bound;
mod parameter;

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::{
    Address, Admission, Definition, Diagnostic, Diagnostics, ObjectKey, Policy, Scope, gate::Gate,
    matching,
};

pub use bound::Bound;
pub(crate) use bound::{Place, Surroundings, missing, resolve, unfit_parameters};
pub use parameter::{
    NotFound, Parameter, ParameterKey, ParameterKind, ParameterSource, Selected, Selection, Which,
};

/// A binding as its author wrote it, with its conditions ready to be asked.
#[derive(Debug)]
pub struct Binding {
    /// The object, by which people find it.
    pub key: ObjectKey,
    /// Where it judges: everywhere, or in one namespace.
    pub reach: Scope,
    /// The policy that it binds.
    pub policy: Address,
    /// Which requests are judged, and what a denial does.
    pub admission: Admission,
    /// Parameters that take the place of the policy's, key by key.
    pub parameters: Map<String, Json>,
    /// Where further parameters come from, which take the place of both.
    pub source: Option<ParameterSource>,
    /// Its conditions; none where they cannot be compiled.
    gate: Gate,
    /// What is wrong with it by itself. Such a binding cannot answer.
    faults: Option<Diagnostics>,
    /// Stands in where there is no policy.
    absent: Arc<Policy>,
}

/// What a binding is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct BindingDefinition {
    /// The object.
    pub key: ObjectKey,
    /// Where it judges.
    pub reach: Scope,
    /// The policy that it binds.
    pub policy: Address,
    /// Which requests are judged, and what a denial does.
    pub admission: Admission,
    /// Its own parameters.
    pub parameters: Map<String, Json>,
    /// Where further parameters come from.
    pub source: Option<ParameterSource>,
}

impl Binding {
    /// Compiles the conditions of a binding; `faults` are what could not be read of it. Takes time
    /// in proportion to the conditions; call it away from threads that answer requests.
    pub fn compile(definition: BindingDefinition, mut faults: Vec<Diagnostic>) -> Self {
        let BindingDefinition {
            key,
            reach,
            policy,
            admission,
            parameters,
            source,
        } = definition;
        faults.extend(matching::faults(&admission.matches, &reach));
        faults.extend(admission.perimeter_fault(&reach));
        let gate = Gate::compile(&admission.matches.conditions).unwrap_or_else(|unsound| {
            faults.extend(unsound.iter().cloned());
            Gate::default()
        });
        let fault = Diagnostic::new("policy_missing", "there is no policy at this address");
        let absent = Definition::new(policy.clone(), "");
        Self {
            key,
            reach,
            policy,
            admission,
            parameters,
            source,
            gate,
            faults: Diagnostics::collect(faults),
            absent: Arc::new(Policy::broken_by(absent, fault.into())),
        }
    }

    /// A binding of which not all can be read: it cannot answer, and has no conditions.
    pub fn broken_by(mut definition: BindingDefinition, faults: &Diagnostics) -> Self {
        definition.admission.matches.conditions.clear();
        Self::compile(definition, faults.iter().cloned().collect())
    }

    /// What is wrong with it by itself.
    pub fn faults(&self) -> Option<&Diagnostics> {
        self.faults.as_ref()
    }

    /// Its conditions.
    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// A policy that cannot answer, where there is none to bind.
    pub(crate) fn absent(&self) -> &Arc<Policy> {
        &self.absent
    }
}
