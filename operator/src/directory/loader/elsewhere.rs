//! What policies and bindings take of elsewhere: objects of other APIs, and what is fetched.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_policies::{DataSource, HttpSource, Selected, Selection};

use super::{
    super::{fetched, held::Held, parameters, reading::Foreign},
    Loader,
};

impl Loader {
    /// What bindings take parameters of, and policies data.
    pub(super) fn parameters(&self) -> BTreeMap<Selection, Selected> {
        let mut selected = parameters::select(self.selections(), self.foreign());
        for source in self.http_sources() {
            let selection = source.selection();
            let document = self.fetched.select(&selection);
            selected.insert(selection, document);
        }
        selected
    }

    /// Has fetched what policies want, also those that wait for it before they are in force.
    pub(super) fn want(&self) {
        let wanted = self.http_sources();
        let wanted = wanted.filter(|source| source.refusal(&self.allowance).is_none());
        let wanted: BTreeSet<HttpSource> = wanted.cloned().collect();
        let secrets = self.secrets();
        let secrets = parameters::select(secrets.iter(), self.foreign());
        self.fetched.want(wanted, secrets);
    }

    /// The Secrets of which headers are made.
    pub(super) fn secrets(&self) -> BTreeSet<Selection> {
        self.http_sources().flat_map(fetched::secrets).collect()
    }

    fn http_sources(&self) -> impl Iterator<Item = &HttpSource> {
        self.data_sources()
            .filter_map(|source| source.http.as_ref())
    }

    pub(super) fn selections(&self) -> impl Iterator<Item = &Selection> {
        let held = self.loaded.values().flat_map(|unit| unit.held.values());
        let bindings = held.filter_map(|held| match held {
            Held::Binding(binding) => Some([binding.in_force(), binding.newest()]),
            _ => None,
        });
        let of_bindings = bindings.flatten().filter_map(|it| it.source.as_ref());
        of_bindings
            .map(|source| &source.selection)
            .chain(self.data_sources().map(|source| &source.selection))
    }

    /// Where policies take data of, those in force and the newest.
    fn data_sources(&self) -> impl Iterator<Item = &DataSource> {
        let held = self.loaded.values().flat_map(|unit| unit.held.values());
        let policies = held.filter_map(|held| match held {
            Held::Policy(policy) => Some([policy.in_force(), &policy.newest]),
            _ => None,
        });
        let policies = policies.flatten().map(|object| object.policy.definition());
        policies.flat_map(|definition| &definition.data_from)
    }

    /// Objects of other APIs.
    pub fn foreign(&self) -> impl Iterator<Item = &Foreign> {
        self.loaded.values().flat_map(|unit| &unit.foreign)
    }
}
