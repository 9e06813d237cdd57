//! Rules, their definitions, and queries.

use regorus::Value;

use super::groups::Group;
use super::{Context, Lowering, constant};
use crate::rego::core::{self, Definition, ExprKind, Query, TermKind};
use crate::rego::plan::index;
use crate::rego::plan::ir::{
    self, Entry, Fallback, Known, Part, Pattern, Rule, RuleId, RuleKind, Slot,
};
use crate::rego::source::Span;

pub(super) fn rule(context: &mut Context<'_>, group: &Group) -> Rule {
    let mut definitions = Vec::new();
    let mut default = None;
    for &index in &group.definitions {
        let definition = &context.program.definitions[index];
        let mut lower = |definition: &Definition| {
            let mut lowering = Lowering::new(context, &definition.variables);
            lowering.count(definition);
            let arguments: Vec<_> = definition.arguments.iter().cloned().map(Some).collect();
            let parameters = lowering.parameters(&arguments);
            lowering.definition(definition, group, parameters)
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
                context.findings.unsupported(definition.span, what);
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
        keys: u32::try_from(group.keys).expect("fewer keys than bytes"),
        levels: 0,
    }
}

/// A part of a partial rule.
pub(super) fn part(context: &mut Context<'_>, of: RuleId, keys: Vec<Known>) -> Part {
    let groups = context.groups;
    let group = &groups.rules[of.index()];
    let values = keys.iter().map(Known::values).sum::<usize>();
    let mut definitions = Vec::new();
    for &index in &group.definitions {
        let definition = &context.program.definitions[index];
        let mut lowering = Lowering::new(context, &definition.variables);
        lowering.count(definition);
        if let Some(patterns) = lowering.keys(definition, group.path.len(), &keys) {
            definitions.push(lowering.definition(definition, group, patterns));
        }
    }
    let mut rule = Rule {
        path: group.path.clone().into(),
        kind: group.kind,
        definitions: definitions.into(),
        default: None,
        index: None,
        keys: u32::try_from(group.keys).expect("fewer keys than bytes"),
        levels: 0,
    };
    let arity = u32::try_from(values).expect("fewer keys than bytes");
    index::build_for(&mut rule, arity);
    Part {
        of,
        keys: keys.into(),
        rule,
    }
}

/// A query: its value is the object of its named variables.
pub(super) fn entry(context: &mut Context<'_>, query: &Query) -> Entry {
    let mut lowering = Lowering::new(context, &query.variables);
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
        conditions: conditions(query),
    }
}

/// Where the conditions that were written stand, in the order of the body.
fn conditions(query: &Query) -> Box<[Span]> {
    let is = |expr: &core::Expr, asked: &core::Asked| match (asked.capture, &expr.kind) {
        (None, _) => expr.span == asked.span,
        (Some(var), ExprKind::Unify { right: term, .. }) => {
            matches!(term.kind, TermKind::Var(other) if other == var)
        }
        (Some(var), ExprKind::Call(call)) => {
            let output = call.output.as_ref();
            output.is_some_and(|term| matches!(term.kind, TermKind::Var(other) if other == var))
        }
        _ => false,
    };
    let place = |asked: &core::Asked| query.body.iter().rposition(|expr| is(expr, asked));
    let mut found: Vec<(usize, Span)> = query
        .conditions
        .iter()
        .filter_map(|asked| Some((place(asked)?, asked.span)))
        .collect();
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, span)| span).collect()
}

impl Lowering<'_> {
    /// A definition whose mentions are counted, with the patterns of its arguments.
    fn definition(
        mut self,
        definition: &Definition,
        group: &Group,
        parameters: Box<[Pattern]>,
    ) -> ir::Definition {
        self.span = definition.span;
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
            names: self.names(),
            otherwise: None,
            span: definition.span,
        }
    }

    /// The variables that people named, with their slots.
    fn names(&self) -> Box<[(Slot, Box<str>)]> {
        let named = self.variables.iter().zip(&self.slots);
        let bound = (0..).map(|index| self.bound.contains(core::Var(index)));
        // What only a comprehension or another block binds is not bound at the end of the body.
        let named = named
            .zip(bound)
            .filter(|((variable, _), bound)| *bound && variable.is_named());
        named
            .map(|(named, _)| named)
            .filter_map(|(variable, slot)| Some(((*slot)?, (*variable.name).into())))
            .collect()
    }

    /// The patterns of the arguments, which lie in the first slots; of some, nothing is asked.
    pub(super) fn parameters(&mut self, arguments: &[Option<core::Term>]) -> Box<[Pattern]> {
        self.next = u32::try_from(arguments.len()).expect("fewer arguments than bytes");
        let mut plain = vec![false; arguments.len()];
        for ((plain, argument), slot) in plain.iter_mut().zip(arguments).zip(0..) {
            if let Some(argument) = argument
                && let TermKind::Var(var) = argument.kind
                && !self.bound.contains(var)
            {
                self.slots[var.index()] = Some(Slot(slot));
                self.bound.insert(var);
                *plain = true;
            }
        }
        let pattern = |(argument, plain): (&Option<core::Term>, bool)| match argument {
            Some(argument) if !plain => {
                let shape = self.shape(argument);
                self.pattern(shape)
            }
            _ => Pattern::Any,
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
