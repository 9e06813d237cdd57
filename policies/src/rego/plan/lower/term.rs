//! Terms and calls.

use super::Lowering;
use super::sequence::Beside;
use super::unify::{Shape, into_term};
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
            TermKind::Array(terms) => Term::Array(self.operands(terms).into()),
            TermKind::Set(terms) => Term::Set(self.members(terms, Beside::Nothing).into()),
            TermKind::Object(pairs) => {
                let value =
                    |lowering: &mut Self, value: &core::Term| Shape::Term(lowering.operand(value));
                let pairs = self.pairs(pairs, Beside::Nothing, value).into_iter();
                let pair = |(key, value)| Some((key, into_term(value)?));
                Term::Object(pairs.filter_map(pair).collect())
            }
            TermKind::Comprehension(comprehension) => self.comprehension(comprehension, term.span),
        }
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
            grouping: self.grouping(comprehension),
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
        let (arguments, output) = self.call_parts(call);
        self.called(&call.callee, arguments, output);
    }

    /// The arguments of a call, and what its result has to look like. Of `x != input.xs[x]`, the
    /// reference is first, which binds `x`.
    fn call_parts(&mut self, call: &Call) -> (Vec<Term>, Option<Shape>) {
        let is_known = |at: &usize| self.is_known(&call.arguments[*at]);
        let (mut order, later): (Vec<usize>, Vec<usize>) =
            (0..call.arguments.len()).partition(is_known);
        order.extend(later);
        let arguments = order.iter().map(|&at| &call.arguments[at]);
        let terms: Vec<&core::Term> = arguments.chain(&call.output).collect();
        let output = call.output.as_ref();
        let beside = match output {
            Some(output) if self.comes_before(output) => Beside::Side,
            _ => Beside::Nothing,
        };
        let mut left = order.len();
        let mut shapes = self.sequence(&terms, beside, |lowering, term| {
            if left == 0 {
                return lowering.shape(term);
            }
            left -= 1;
            Shape::Term(lowering.operand(term))
        });
        let output = output.and_then(|_| shapes.pop());
        let mut arguments: Vec<(usize, Shape)> = order.into_iter().zip(shapes).collect();
        arguments.sort_by_key(|(at, _)| *at);
        let arguments = arguments.into_iter();
        (
            arguments
                .filter_map(|(_, shape)| into_term(shape))
                .collect(),
            output,
        )
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

    /// A call with its arguments, and what its result has to look like.
    pub(super) fn called(&mut self, callee: &Callee, arguments: Vec<Term>, output: Option<Shape>) {
        if *callee == Callee::Builtin("walk") {
            return self.walk(arguments, output);
        }
        let Some(term) = self.call_term(callee, arguments) else {
            return;
        };
        match output {
            None => self.step(StepKind::Test(term)),
            Some(output) => self.assign(output, term),
        }
    }

    fn walk(&mut self, mut arguments: Vec<Term>, output: Option<Shape>) {
        let Some(root) = arguments.pop() else { return };
        self.flush();
        let output = output.map_or(Pattern::Any, |shape| self.pattern(shape));
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
                if let Some(refusal) = builtins::refusal_of(id, self.withheld)
                    && !self.replaced.targets.contains(name)
                {
                    self.findings.refused(span, name, refusal);
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
