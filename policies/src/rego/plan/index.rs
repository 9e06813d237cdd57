//! Indexes: which definitions of a rule can hold, found by one look-up.
//!
//! ```text
//! deny contains m if { input.kind == "Pod"; … }        guard input.kind
//! deny contains m if { input.kind in {"Job", "Pod"}; … }   "Job" ▶ [1]   "Pod" ▶ [0, 1]
//! f("ext4") := …   f(x) := …                            guard: the first argument
//! ```
//!
//! A condition guards its definition if it holds for known values of the input, of base data or of
//! an argument only. The conditions of a body are a conjunction, so it does not matter where it
//! stands.

use std::collections::BTreeMap;

use regorus::Value;

use super::ir::{
    Callee, Candidates, Comparison, Definition, Index, Pattern, Reference, Rule, RuleKind, Slot,
    Source, StepKind, Term,
};
use crate::rego::ast::MAX_PATH;
use crate::rego::value;

/// From this many definitions on, one look-up is cheaper than trying each.
const WORTHWHILE: usize = 3;

/// Guards that are asked one after the other.
const MAX_DEPTH: usize = 3;

/// An index lists at most this many times as many definitions as there are.
const MAX_GROWTH: usize = 8;

/// What a guard looks at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Argument(u32),
    Input(Vec<Value>),
    Data(Vec<Value>),
}

impl Place {
    /// A path that grows from variable to variable is not followed further than people write them.
    fn is_short(&self) -> bool {
        match self {
            Self::Argument(_) => true,
            Self::Input(path) | Self::Data(path) => path.len() <= MAX_PATH,
        }
    }
}

/// For each definition, the values that its guards can have.
type Guards = Vec<BTreeMap<Place, Vec<Value>>>;

/// Gives the rule an index if that is worthwhile.
pub fn build(rule: &mut Rule) {
    let arity = match rule.kind {
        RuleKind::Function { arity } => arity,
        _ => 0,
    };
    build_for(rule, arity);
}

/// Gives a rule an index, of which the first slots are arguments.
pub fn build_for(rule: &mut Rule, arity: u32) {
    if rule.definitions.len() < WORTHWHILE {
        return;
    }
    let guards: Guards = rule
        .definitions
        .iter()
        .map(|one| guards(one, arity))
        .collect();
    let all: Vec<usize> = (0..rule.definitions.len()).collect();
    rule.index = index(&guards, &all, 0, &[]);
}

fn index(guards: &Guards, among: &[usize], depth: usize, asked: &[Place]) -> Option<Index> {
    if depth == MAX_DEPTH || among.len() < WORTHWHILE {
        return None;
    }
    let place = most_common(guards, among, asked)?;
    let mut cases: Vec<(Value, Vec<usize>)> = Vec::new();
    let mut values: Vec<(&Value, usize)> = Vec::new();
    let mut otherwise = Vec::new();
    for &definition in among {
        match guards[definition].get(&place) {
            Some(known) => values.extend(known.iter().map(|value| (value, definition))),
            None => otherwise.push(definition),
        }
    }
    values.sort_by(|(a, first), (b, second)| value::compare(a, b).then(first.cmp(second)));
    for (value, definition) in values {
        match cases.last_mut() {
            Some((last, list)) if value::compare(last, value).is_eq() => {
                if list.last() != Some(&definition) {
                    list.push(definition);
                }
            }
            _ => cases.push((value.clone(), vec![definition])),
        }
    }
    let listed = cases
        .iter()
        .map(|(_, list)| list.len() + otherwise.len())
        .sum::<usize>();
    if listed > MAX_GROWTH * among.len() {
        return None;
    }
    let asked = [asked, std::slice::from_ref(&place)].concat();
    let next = |list: Vec<usize>| match index(guards, &list, depth + 1, &asked) {
        Some(index) => Candidates::Index(Box::new(index)),
        None => Candidates::List(list.into_iter().map(number).collect()),
    };
    let case = |(value, mut list): (Value, Vec<usize>)| {
        list.extend(&otherwise);
        list.sort_unstable();
        (value, next(list))
    };
    Some(Index {
        cases: cases.into_iter().map(case).collect(),
        otherwise: next(otherwise.clone()),
        guard: guard(place),
    })
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("fewer definitions than bytes")
}

/// The place that guards the most definitions, if that is worth a look-up.
fn most_common(guards: &Guards, among: &[usize], asked: &[Place]) -> Option<Place> {
    let mut counts: BTreeMap<&Place, usize> = BTreeMap::new();
    for &definition in among {
        for place in guards[definition].keys() {
            *counts.entry(place).or_default() += 1;
        }
    }
    let free = counts
        .into_iter()
        .filter(|(place, _)| !asked.contains(place));
    let (place, count) = free.max_by_key(|(_, count)| *count)?;
    (count >= 2).then(|| place.clone())
}

fn guard(place: Place) -> Term {
    let reference = |root: Term, path: Vec<Value>| {
        if path.is_empty() {
            return root;
        }
        Term::Reference(Box::new(Reference {
            source: Source::Term(root),
            path: path.into_iter().map(Term::Constant).collect(),
        }))
    };
    match place {
        Place::Argument(slot) => Term::Local(Slot(slot)),
        Place::Input(path) => reference(Term::Input, path),
        Place::Data(path) => reference(Term::Data, path),
    }
}

/// The guards of a definition.
fn guards(definition: &Definition, arity: u32) -> BTreeMap<Place, Vec<Value>> {
    let mut found = BTreeMap::new();
    for (slot, parameter) in (0..).zip(&definition.parameters) {
        if let Pattern::Equal(Term::Constant(value)) = parameter {
            found.insert(Place::Argument(slot), vec![value.clone()]);
        }
    }
    // An `else` has the same parameters, but other conditions.
    if definition.otherwise.is_some() {
        return found;
    }
    let mut known: BTreeMap<Slot, Place> = (0..arity)
        .map(|slot| (Slot(slot), Place::Argument(slot)))
        .collect();
    for step in &definition.body.steps {
        match &step.kind {
            StepKind::Bind(slot, term) => {
                if let Some(place) = place(term, &known).filter(Place::is_short) {
                    known.insert(*slot, place);
                }
            }
            StepKind::Test(Term::Compare(Comparison::Equal, sides)) => {
                let (place, value) = match &**sides {
                    (term, Term::Constant(value)) | (Term::Constant(value), term) => {
                        (place(term, &known), value)
                    }
                    _ => continue,
                };
                if let Some(place) = place {
                    found.entry(place).or_insert_with(|| vec![value.clone()]);
                }
            }
            StepKind::Test(Term::Member(sides)) => {
                if let (term, Term::Constant(collection)) = &**sides
                    && let (Some(place), Some(values)) = (place(term, &known), members(collection))
                {
                    found.entry(place).or_insert(values);
                }
            }
            _ => {}
        }
    }
    found
}

fn members(collection: &Value) -> Option<Vec<Value>> {
    match collection {
        Value::Set(set) => Some(set.iter().cloned().collect()),
        Value::Object(object) => Some(object.values().cloned().collect()),
        other => value::elements(other).map(<[Value]>::to_vec),
    }
}

/// What a term looks at, if that is a place whose value an index can ask for.
fn place(term: &Term, known: &BTreeMap<Slot, Place>) -> Option<Place> {
    match term {
        Term::Local(slot) => known.get(slot).cloned(),
        Term::Input => Some(Place::Input(Vec::new())),
        Term::Reference(reference) => {
            let keys: Option<Vec<Value>> = reference.path.iter().map(constant).collect();
            let mut keys = keys?;
            match &reference.source {
                Source::Term(Term::Input) => Some(Place::Input(keys)),
                Source::Term(Term::Data) => Some(Place::Data(keys)),
                Source::Term(Term::Local(slot)) => match known.get(slot)?.clone() {
                    Place::Input(mut path) => {
                        path.append(&mut keys);
                        Some(Place::Input(path))
                    }
                    Place::Data(mut path) => {
                        path.append(&mut keys);
                        Some(Place::Data(path))
                    }
                    Place::Argument(_) => None,
                },
                _ => None,
            }
        }
        _ => None,
    }
}

fn constant(term: &Term) -> Option<Value> {
    match term {
        Term::Constant(value) => Some(value.clone()),
        _ => None,
    }
}

/// Whether a builtin has this name.
pub(super) fn is_builtin(callee: Callee, name: &str) -> bool {
    match callee {
        Callee::Builtin(id) => crate::rego::builtins::name(id) == name,
        Callee::Function(_) => false,
    }
}
