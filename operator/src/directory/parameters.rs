//! Objects of other APIs in a directory, of which bindings take parameters. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use portcullis_policies::{Parameter, ParameterKey, ParameterKind, Selected, Selection};

use super::reading::Foreign;

/// What each selection has. An object that stands in several files is that of the first.
pub(crate) fn select<'a>(
    selections: impl Iterator<Item = &'a Selection>,
    foreign: impl Iterator<Item = &'a Foreign>,
) -> BTreeMap<Selection, Selected> {
    let mut objects: BTreeMap<&ParameterKey, &Arc<Parameter>> = BTreeMap::new();
    for Foreign { parameter, .. } in foreign {
        objects.entry(&parameter.key).or_insert(parameter);
    }
    let select = |selection: &Selection| {
        let selected = objects.values().filter(|it| selection.includes(it));
        let selected = selected.map(|it| Arc::clone(it)).collect();
        (selection.clone(), Selected::Known(selected))
    };
    selections.map(select).collect()
}

/// What is said of objects of which no binding takes anything.
pub(super) fn passed_over<'a>(
    selections: impl Iterator<Item = &'a Selection>,
    foreign: impl Iterator<Item = &'a Foreign>,
) -> impl Iterator<Item = &'a String> {
    let kinds: BTreeSet<&ParameterKind> = selections.map(|selection| &selection.kind).collect();
    foreign
        .filter(move |foreign| !kinds.contains(&foreign.parameter.key.kind))
        .map(|foreign| &foreign.note)
}
