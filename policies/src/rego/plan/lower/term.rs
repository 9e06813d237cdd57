//! Terms and calls.

use super::Lowering;
use crate::rego::builtins;
use crate::rego::core::{self, Call, Callee, TermKind, Var};
use crate::rego::plan::ir::{
    self, Comparison, Comprehension, Head, Operation, Pattern, RuleKind, StepKind, Term, Walk,
};
use crate::rego::source::Span;

impl Lowering<'_> {
    /// The term of what is bound here; references that enumerate become steps before it.
    pub(super) fn operand(&mut self, term: &core::Term) -> Term {
        match &term.kind {
            TermKind::Constant(value) => Term::Constant(value.clone()),
            TermKind::Var(var) => self.local(*var, term.span),
            TermKind::Ref(reference) => self.reference(reference, term.span),
            TermKind::Array(terms) => Term::Array(self.operands(terms)),
            TermKind::Set(terms) => Term::Set(self.operands(terms)),
            TermKind::Object(pairs) => {
                let pair = |(key, value): &(core::Term, core::Term)| {
                    (self.operand(key), self.operand(value))
                };
                Term::Object(pairs.iter().map(pair).collect())
            }
            TermKind::Comprehension(comprehension) => self.comprehension(comprehension, term.span),
        }
    }

    fn operands(&mut self, terms: &[core::Term]) -> Box<[Term]> {
        terms.iter().map(|term| self.operand(term)).collect()
    }

    /// A variable that is bound: a slot, or the call that waits for this use.
    fn local(&mut self, var: Var, span: Span) -> Term {
        if let Some(at) = self.pending.iter().position(|(other, ..)| *other == var) {
            return self.pending.remove(at).1;
        }
        if !self.bound.contains(var) {
            let name = self.variables[var.index()].name.clone();
            self.span = span;
            self.beyond(&format!("the use of `{name}` here"));
        }
        Term::Local(self.slot(var))
    }

    fn comprehension(&mut self, comprehension: &core::Comprehension, span: Span) -> Term {
        let mut head = None;
        let body = self.block(|lowering| {
            lowering.body(&comprehension.body);
            head = Some(match &comprehension.head {
                core::Head::Array(term) => Head::Array(lowering.operand(term)),
                core::Head::Set(term) => Head::Set(lowering.operand(term)),
                core::Head::Object(key, value) => {
                    Head::Object(lowering.operand(key), lowering.operand(value))
                }
            });
        });
        Term::Comprehension(Box::new(Comprehension {
            body,
            head: head.expect("the block was filled"),
            span,
        }))
    }

    /// A call that is a condition.
    pub(super) fn call(&mut self, call: &Call) {
        // `a == b` as a condition is `a = b`.
        if let (Callee::Builtin("equal"), None, [left, right]) =
            (&call.callee, &call.output, &call.arguments[..])
        {
            return self.unify(left, right);
        }
        let arguments = self.arguments(&call.arguments);
        self.called(call, arguments, None);
    }

    /// The arguments of a call. Of `x != input.xs[x]`, the reference is first, which binds `x`.
    fn arguments(&mut self, terms: &[core::Term]) -> Vec<Term> {
        let mut arguments: Vec<Option<Term>> = terms
            .iter()
            .map(|term| self.is_known(term).then(|| self.operand(term)))
            .collect();
        for (argument, term) in arguments.iter_mut().zip(terms) {
            if argument.is_none() {
                *argument = Some(self.operand(term));
            }
        }
        arguments.into_iter().flatten().collect()
    }

    /// The variables of a term are bound, but for those that its references bind.
    fn is_known(&self, term: &core::Term) -> bool {
        match &term.kind {
            TermKind::Var(var) => self.bound.contains(*var),
            TermKind::Array(terms) | TermKind::Set(terms) => {
                terms.iter().all(|term| self.is_known(term))
            }
            TermKind::Object(pairs) => pairs
                .iter()
                .all(|(key, value)| self.is_known(key) && self.is_known(value)),
            TermKind::Constant(_) | TermKind::Ref(_) | TermKind::Comprehension(_) => true,
        }
    }

    /// A call with its arguments. Where an output is given, the result is compared with it.
    pub(super) fn called(&mut self, call: &Call, arguments: Vec<Term>, output: Option<Term>) {
        if call.callee == Callee::Builtin("walk") {
            return self.walk(call, arguments, output);
        }
        let Some(term) = self.call_term(&call.callee, arguments) else {
            return;
        };
        match (&call.output, output) {
            (None, _) => self.step(StepKind::Test(term)),
            (Some(_), Some(output)) => {
                let terms = Box::new((term, output));
                self.step(StepKind::Test(Term::Compare(Comparison::Equal, terms)));
            }
            (Some(output), None) => self.result(output, term),
        }
    }

    /// Unifies the result of a call.
    fn result(&mut self, output: &core::Term, term: Term) {
        let shape = self.shape(output);
        self.assign(shape, term);
    }

    fn walk(&mut self, call: &Call, mut arguments: Vec<Term>, output: Option<Term>) {
        let Some(root) = arguments.pop() else { return };
        let output = match (&call.output, output) {
            (_, Some(term)) => Pattern::Equal(term),
            (None, None) => Pattern::Any,
            (Some(output), None) => {
                let shape = self.shape(output);
                self.flush();
                self.pattern(shape)
            }
        };
        self.step(StepKind::Walk(Box::new(Walk { root, output })));
    }

    /// The term of a call with these arguments.
    fn call_term(&mut self, callee: &Callee, arguments: Vec<Term>) -> Option<Term> {
        let arguments = match callee {
            Callee::Builtin(name) if !self.replaced.mentioned.contains(name) => {
                match operator(name, arguments) {
                    Ok(term) => return Some(term),
                    Err(arguments) => arguments,
                }
            }
            _ => arguments,
        };
        let span = self.span;
        Some(Term::Call(Box::new(ir::Call {
            callee: self.callee(callee, span)?,
            arguments: arguments.into(),
            span,
        })))
    }

    /// What is called.
    pub(super) fn callee(&mut self, callee: &Callee, span: Span) -> Option<ir::Callee> {
        match callee {
            Callee::Builtin(name) => {
                let id = builtins::lookup(name)?;
                // Where something stands in for it, a call without that ends the evaluation.
                if let Some(reason) = builtins::refusal(id)
                    && !self.replaced.targets.contains(name)
                {
                    self.unsupported(span, &format!("the function `{name}`: {reason}"));
                    return None;
                }
                Some(ir::Callee::Builtin(id))
            }
            Callee::Function(node) => {
                let rule = self.groups.place(*node).rule?;
                let is_function = matches!(
                    self.groups.rules[rule.index()].kind,
                    RuleKind::Function { .. }
                );
                if !is_function {
                    self.unsupported(span, "a rule in the place of a function");
                    return None;
                }
                Some(ir::Callee::Function(rule))
            }
        }
    }
}

/// The node of an operator; of another function, its arguments.
fn operator(name: &str, mut arguments: Vec<Term>) -> Result<Term, Vec<Term>> {
    let comparison = match name {
        "equal" => Some(Comparison::Equal),
        "neq" => Some(Comparison::Unequal),
        "lt" => Some(Comparison::Less),
        "lte" => Some(Comparison::LessOrEqual),
        "gt" => Some(Comparison::Greater),
        "gte" => Some(Comparison::GreaterOrEqual),
        _ => None,
    };
    let operation = match name {
        "plus" => Some(Operation::Add),
        "minus" => Some(Operation::Subtract),
        "mul" => Some(Operation::Multiply),
        "div" => Some(Operation::Divide),
        "rem" => Some(Operation::Remainder),
        "and" => Some(Operation::Intersect),
        "or" => Some(Operation::Union),
        _ => None,
    };
    if name == "internal.member_3" && arguments.len() == 3 {
        let (Some(collection), Some(value), Some(key)) =
            (arguments.pop(), arguments.pop(), arguments.pop())
        else {
            return Err(arguments);
        };
        return Ok(Term::MemberWithKey(Box::new((key, value, collection))));
    }
    let known = comparison.is_some() || operation.is_some() || name == "internal.member_2";
    if !known || arguments.len() != 2 {
        return Err(arguments);
    }
    let (Some(right), Some(left)) = (arguments.pop(), arguments.pop()) else {
        return Err(arguments);
    };
    let both = Box::new((left, right));
    Ok(match (comparison, operation) {
        (Some(comparison), _) => Term::Compare(comparison, both),
        (None, Some(operation)) => Term::Arithmetic(operation, both),
        (None, None) => Term::Member(both),
    })
}
