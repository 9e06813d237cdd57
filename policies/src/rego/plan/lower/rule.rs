//! Rules, their definitions, and queries.

use regorus::Value;

use super::groups::{Group, Groups};
use super::{Lowering, Replaced, constant};
use crate::rego::core::{self, Definition, Program, Query, TermKind};
use crate::rego::findings::Findings;
use crate::rego::plan::ir::{self, Entry, Fallback, Pattern, Rule, RuleKind, Slot};

pub(super) fn rule(
    program: &Program,
    groups: &Groups,
    replaced: &Replaced,
    group: &Group,
    findings: &mut Findings,
) -> Rule {
    let mut definitions = Vec::new();
    let mut default = None;
    for &index in &group.definitions {
        let definition = &program.definitions[index];
        let mut lower = |definition: &Definition| {
            let lowering = Lowering::new(
                program,
                groups,
                replaced,
                &mut *findings,
                &definition.variables,
            );
            lowering.definition(definition, group)
        };
        if definition.default {
            let lowered = lower(definition);
            default = Some(Fallback {
                slots: lowered.slots,
                value: lowered.value,
                span: lowered.span,
            });
            if !lowered.body.steps.is_empty() {
                let what = "a default value that needs more than itself";
                findings.unsupported(definition.span, what);
            }
            continue;
        }
        let mut lowered = lower(definition);
        let branches = definition.otherwise.iter().rev().map(&mut lower);
        let chain = branches.fold(None, |otherwise, mut branch| {
            branch.otherwise = otherwise;
            Some(Box::new(branch))
        });
        lowered.otherwise = chain;
        definitions.push(lowered);
    }
    Rule {
        path: group.path.clone().into(),
        kind: group.kind,
        definitions: definitions.into(),
        default,
        index: None,
    }
}

/// A query: its value is the object of its named variables.
pub(super) fn entry(
    program: &Program,
    groups: &Groups,
    replaced: &Replaced,
    query: &Query,
    findings: &mut Findings,
) -> Entry {
    let mut lowering = Lowering::new(program, groups, replaced, findings, &query.variables);
    lowering.count_body(&query.body);
    // What is asked for is used once more.
    lowering.mentions.iter_mut().for_each(|count| *count += 1);
    let mut value = constant(Value::new_object());
    let body = lowering.open_block(|lowering| {
        lowering.body(&query.body);
        lowering.flush();
        value = match &query.value {
            Some(term) => lowering.operand(term),
            None => lowering.bindings(),
        };
    });
    Entry {
        name: query.name.as_str().into(),
        slots: lowering.next,
        body,
        value,
    }
}

impl Lowering<'_> {
    fn definition(mut self, definition: &Definition, group: &Group) -> ir::Definition {
        self.count(definition);
        self.span = definition.span;
        let parameters = self.parameters(&definition.arguments);
        let is_object = group.kind == RuleKind::Object;
        let mut value = constant(true);
        let mut path = Vec::new();
        let body = self.open_block(|lowering| {
            lowering.body(&definition.body);
            lowering.span = definition.span;
            if is_object {
                let keys = &definition.reference[group.path.len()..];
                path = keys.iter().map(|key| lowering.operand(key)).collect();
            }
            if let Some(term) = definition.key.as_ref().or(definition.value.as_ref()) {
                value = lowering.operand(term);
            }
        });
        ir::Definition {
            slots: self.next,
            parameters,
            body,
            path: path.into(),
            member: is_object && definition.is_set(),
            value,
            otherwise: None,
            span: definition.span,
        }
    }

    /// The patterns of the arguments, which lie in the first slots.
    fn parameters(&mut self, arguments: &[core::Term]) -> Box<[Pattern]> {
        self.next = u32::try_from(arguments.len()).expect("fewer arguments than bytes");
        let mut plain = vec![false; arguments.len()];
        for ((plain, argument), slot) in plain.iter_mut().zip(arguments).zip(0..) {
            if let TermKind::Var(var) = argument.kind
                && !self.bound.contains(var)
            {
                self.slots[var.index()] = Some(Slot(slot));
                self.bound.insert(var);
                *plain = true;
            }
        }
        let pattern = |(argument, plain): (&core::Term, bool)| {
            if plain {
                return Pattern::Any;
            }
            let shape = self.shape(argument);
            self.pattern(shape)
        };
        arguments.iter().zip(plain).map(pattern).collect()
    }

    /// The object of the variables that people wrote and that are bound.
    fn bindings(&mut self) -> ir::Term {
        let mut pairs = Vec::new();
        for (index, variable) in (0..).zip(self.variables) {
            let var = core::Var(index);
            if variable.is_named() && self.bound.contains(var) {
                let local = ir::Term::Local(self.slot(var));
                pairs.push((constant(&*variable.name), local));
            }
        }
        if pairs.is_empty() {
            return constant(Value::new_object());
        }
        ir::Term::Object(pairs.into())
    }
}
