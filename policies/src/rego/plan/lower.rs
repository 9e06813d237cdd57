//! From the resolved and ordered program to the [`Plan`].
//!
//! ```text
//! grouping comprehensions that are evaluated for one key after the other
//! groups   which definitions make one rule of the plan, and the tree of packages
//! rule     definitions: frames, parameters, keys
//! body     conditions to steps: what enumerates is hoisted, operands of negations too
//! unify    `=` to comparisons, bindings and patterns
//! term     terms and calls
//! path     references: rules, packages, base data, locals
//! sequence what stands beside each other, in OPA's order
//! part     partial rules of which only a part is asked
//! ```
//!
//! The conditions are in their final order, so a walk from the first to the last knows at each place
//! which variables are bound. A variable that the compiler made for the result of a call, and that
//! only the next step uses, gets no slot: the call is put where the variable stands.

mod body;
mod grouping;
mod groups;
mod part;
mod path;
mod rule;
mod sequence;
mod term;
mod unify;

use std::collections::HashSet;

use regorus::Value;

use super::ir::{self, Block, Plan, Slot, Step, StepKind};
use super::{height, index, reads};
use crate::rego::builtins::Withheld;
use crate::rego::core::{self, Callee, Definition, Program, Replacement, TermKind, Var, Variable};
use crate::rego::findings::Findings;
use crate::rego::order::vars::{self, VarSet};
use crate::rego::source::Span;
use groups::Groups;
use part::{Requests, Watched};

/// The plan of a program whose bodies are in order, for a policy from which powers are withheld.
pub fn lower(program: &Program, withheld: Withheld, findings: &mut Findings) -> Plan {
    let groups = Groups::new(program, findings);
    let replaced = replaced(program);
    refuse_stand_ins(program, findings);
    let mut plan = Plan {
        tree: groups.nodes(),
        ..Plan::default()
    };
    let mut context = Context {
        program,
        groups: &groups,
        replaced: &replaced,
        withheld,
        requests: Requests::default(),
        findings,
    };
    for group in &groups.rules {
        plan.rules.push(rule::rule(&mut context, group));
    }
    for query in &program.queries {
        plan.entries.push(rule::entry(&mut context, query));
    }
    // The definitions of a part can ask for further parts.
    while context.findings.is_empty()
        && let Some((of, keys)) = context.requests.list.get(plan.parts.len()).cloned()
    {
        plan.parts.push(rule::part(&mut context, of, keys));
    }
    plan.rules.iter_mut().for_each(index::build);
    let parts = plan.parts.iter_mut().map(|part| &mut part.rule);
    for rule in plan.rules.iter_mut().chain(parts) {
        rule.levels = height::levels(rule);
    }
    plan.reads = reads::reads(&plan, &replaced.mentioned);
    plan
}

/// OPA evaluates a rule that stands in for a function where the function is called, the plan where
/// `with` stands: that is the same for a constant only.
fn refuse_stand_ins(program: &Program, findings: &mut Findings) {
    for &(node, span) in &program.stand_ins {
        let definitions = &program.tree.node(node).definitions;
        let is_constant = match &definitions[..] {
            &[only] => {
                let definition = &program.definitions[only];
                let value = definition.value.as_ref().and_then(value_of);
                definition.body.is_empty()
                    && value.is_some_and(|value| *value != Value::Bool(false))
            }
            _ => false,
        };
        if !is_constant {
            findings.unsupported(
                span,
                "a rule that is not a constant in the place of a function",
            );
        }
    }
}

/// The builtin functions that some `with` mentions: they are called by their names.
#[derive(Debug, Default)]
struct Replaced {
    /// All of them.
    mentioned: HashSet<&'static str>,
    /// Those that something stands in for.
    targets: HashSet<&'static str>,
}

fn replaced(program: &Program) -> Replaced {
    let mut found = Replaced::default();
    let mut with = |expr: &core::Expr| {
        for with in expr.with.iter().flat_map(|with| with.iter()) {
            if let core::Target::Callee(Callee::Builtin(name)) = &with.target {
                found.mentioned.insert(*name);
                found.targets.insert(*name);
            }
            if let Replacement::Callee(Callee::Builtin(name)) = &with.value {
                found.mentioned.insert(*name);
            }
        }
    };
    for definition in &program.definitions {
        let branches = std::iter::once(definition).chain(&definition.otherwise);
        for branch in branches {
            core::walk_body(&branch.body, &mut with);
        }
    }
    for query in &program.queries {
        core::walk_body(&query.body, &mut with);
    }
    found
}

/// What all definitions and queries are lowered with.
struct Context<'a> {
    program: &'a Program,
    groups: &'a Groups,
    replaced: &'a Replaced,
    withheld: Withheld,
    requests: Requests,
    findings: &'a mut Findings,
}

/// Lowers one definition or query.
struct Lowering<'a> {
    program: &'a Program,
    groups: &'a Groups,
    replaced: &'a Replaced,
    withheld: Withheld,
    requests: &'a mut Requests,
    findings: &'a mut Findings,
    variables: &'a [Variable],
    /// How often each variable is mentioned; mentions within closures count twice.
    mentions: Vec<u32>,
    bound: VarSet,
    slots: Vec<Option<Slot>>,
    next: u32,
    steps: Vec<Step>,
    /// Calls whose results are used by the next step only.
    pending: Vec<(Var, ir::Term, Span)>,
    /// Variables that are compared as soon as they are bound.
    watched: Vec<Watched>,
    span: Span,
}

impl<'a> Lowering<'a> {
    fn new(context: &'a mut Context<'_>, variables: &'a [Variable]) -> Self {
        Self {
            program: context.program,
            groups: context.groups,
            replaced: context.replaced,
            withheld: context.withheld,
            requests: &mut context.requests,
            findings: &mut *context.findings,
            variables,
            mentions: vec![0; variables.len()],
            bound: VarSet::default(),
            slots: vec![None; variables.len()],
            next: 0,
            steps: Vec::new(),
            pending: Vec::new(),
            watched: Vec::new(),
            span: Span::default(),
        }
    }

    /// Counts the mentions in a definition's body and head.
    fn count(&mut self, definition: &Definition) {
        self.count_body(&definition.body);
        let head = definition.arguments.iter().chain(&definition.reference);
        for term in head.chain(&definition.key).chain(&definition.value) {
            self.count_term(term);
        }
    }

    fn count_body(&mut self, body: &core::Body) {
        for expr in body {
            let mentions = &mut self.mentions;
            // Once here and once more in the closure's own walk below.
            vars::all_in_expr(expr, &mut |var| mentions[var.index()] += 2);
            vars::outside_closures(expr, &mut |var| mentions[var.index()] -= 1);
        }
    }

    fn count_term(&mut self, term: &core::Term) {
        let mentions = &mut self.mentions;
        vars::all(term, &mut |var| mentions[var.index()] += 2);
        vars::term(term, &mut |var| mentions[var.index()] -= 1);
    }

    /// A slot that nothing else uses.
    fn fresh(&mut self) -> Slot {
        let slot = Slot(self.next);
        self.next += 1;
        slot
    }

    /// The slot of a variable.
    fn slot(&mut self, var: Var) -> Slot {
        if let Some(slot) = self.slots[var.index()] {
            return slot;
        }
        let slot = self.fresh();
        self.slots[var.index()] = Some(slot);
        slot
    }

    /// Adds a step, after the calls that it does not contain.
    fn step(&mut self, kind: StepKind) {
        self.flush();
        let span = self.span;
        self.steps.push(Step { kind, span });
    }

    /// Gives slots to the calls that wait to be put where they are used.
    fn flush(&mut self) {
        for (var, term, span) in std::mem::take(&mut self.pending) {
            let slot = self.slot(var);
            let kind = StepKind::Bind(slot, term);
            self.steps.push(Step { kind, span });
        }
    }

    /// The steps that `fill` adds, as a block of their own. What it binds is not bound afterwards.
    fn block(&mut self, fill: impl FnOnce(&mut Self)) -> Block {
        let bound = self.bound.clone();
        let block = self.open_block(fill);
        self.bound = bound;
        block
    }

    /// The steps that `fill` adds, as a block. What it binds is bound afterwards too.
    fn open_block(&mut self, fill: impl FnOnce(&mut Self)) -> Block {
        self.flush();
        let outside = std::mem::take(&mut self.steps);
        let span = self.span;
        fill(self);
        self.flush();
        self.span = span;
        let steps = std::mem::replace(&mut self.steps, outside);
        Block {
            steps: steps.into(),
        }
    }

    /// The compiler made this variable for one use, and nothing has bound it yet.
    fn is_passing(&self, var: Var) -> bool {
        !self.bound.contains(var)
            && self.variables[var.index()].name.is_empty()
            && self.mentions[var.index()] == 2
    }

    /// What cannot be expressed in the plan, unless that is because of something that was refused
    /// before.
    fn beyond(&mut self, what: &str) {
        if self.findings.is_empty() {
            self.unsupported(self.span, what);
        }
    }

    fn unsupported(&mut self, span: Span, what: &str) {
        self.findings.unsupported(span, what);
    }
}

fn constant(value: impl Into<Value>) -> ir::Term {
    ir::Term::Constant(value.into())
}

/// The value of a constant term.
fn value_of(term: &core::Term) -> Option<&Value> {
    match &term.kind {
        TermKind::Constant(value) => Some(value),
        _ => None,
    }
}
