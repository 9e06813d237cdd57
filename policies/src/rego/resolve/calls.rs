//! Calls: which function is meant, and whether it takes these arguments.

use std::fmt::Write as _;

use regorus::Value;

use super::{Operator, Resolver, term, unify, variable};
use crate::rego::ast::{self, TermKind as Written};
use crate::rego::check::signatures;
use crate::rego::core::{Call, Callee, Expr, ExprKind, Root, Term, TermKind, Var};
use crate::rego::findings::Stage;
use crate::rego::source::Span;

/// A call whose result only the compiler uses.
pub(super) fn generated(callee: Callee, arguments: Vec<Term>, output: Var, span: Span) -> Expr {
    condition(
        ExprKind::Call(Call {
            callee,
            arguments,
            output: Some(variable(output, span)),
        }),
        span,
    )
}

/// A condition as it is.
pub(super) fn condition(kind: ExprKind, span: Span) -> Expr {
    Expr {
        kind,
        negated: false,
        with: None,
        span,
    }
}

impl Resolver<'_, '_> {
    /// A call within a term: its result goes to `output`.
    pub(super) fn nested_call(
        &mut self,
        call: &ast::Call,
        span: Span,
        output: Var,
        support: &mut Vec<Expr>,
    ) {
        let operator = self.operator(call, span, true);
        let arguments = self.terms(&call.arguments, support);
        let Some(operator) = operator else { return };
        let count = arguments.len();
        let expr = match operator {
            Operator::Builtin(signature) => {
                if signature.result.is_none() {
                    let message = format!("{}(…) used as value", signature.name);
                    self.context.findings.kind(Stage::VoidCalls, span, message);
                }
                if matches!(signature.name, "eq" | "assign") {
                    let what = format!("`{}` within a term", signature.name);
                    return self.context.findings.unsupported(span, &what);
                }
                self.arity(&Operator::Builtin(signature), call, count, span);
                if let Some(metadata) = self.metadata(signature.name, span) {
                    support.push(unify(variable(output, span), metadata));
                    return;
                }
                generated(Callee::Builtin(signature.name), arguments, output, span)
            }
            Operator::Function(node) => {
                self.arity(&operator, call, count, span);
                generated(Callee::Function(node), arguments, output, span)
            }
        };
        support.push(expr);
    }

    /// A call that is a condition. With one argument more than the function takes, the last is
    /// its result.
    pub(super) fn call(
        &mut self,
        call: &ast::Call,
        span: Span,
        support: &mut Vec<Expr>,
    ) -> Option<ExprKind> {
        let operator = self.operator(call, span, false);
        let mut arguments = self.terms(&call.arguments, support);
        let operator = operator?;
        let count = arguments.len();
        let (callee, arity) = match operator {
            Operator::Builtin(signature) => {
                if signature.name == "eq" && count == 2 {
                    let right = arguments.pop()?;
                    let left = arguments.pop()?;
                    return Some(ExprKind::Unify {
                        left,
                        right,
                        assignment: false,
                    });
                }
                (Callee::Builtin(signature.name), signature.arguments.len())
            }
            Operator::Function(node) => {
                let arity = self.context.tree.node(node).arity;
                (Callee::Function(node), arity)
            }
        };
        let has_output = count == arity + 1;
        let is_rule = arity == 0 && matches!(callee, Callee::Function(_));
        if !has_output || is_rule {
            self.arity(&operator, call, count - usize::from(has_output), span);
        }
        let output = if has_output { arguments.pop() } else { None };
        let term = match &callee {
            Callee::Function(_) => None,
            Callee::Builtin(name) => self.metadata(name, span),
        };
        if let Some(term) = term {
            return Some(match output {
                Some(output) => ExprKind::Unify {
                    left: output,
                    right: term,
                    assignment: false,
                },
                None => ExprKind::Term(term),
            });
        }
        Some(ExprKind::Call(Call {
            callee,
            arguments,
            output,
        }))
    }

    /// What is called. `nested` calls of a local variable are OPA's error of another stage.
    fn operator(&mut self, call: &ast::Call, span: Span, nested: bool) -> Option<Operator> {
        let (head, rest) = call.operator.split_first()?;
        let Written::Var(name) = &head.kind else {
            self.undefined(call, span);
            return None;
        };
        let below = match self.global(name) {
            Some(global) if global.root == Root::Data => Some(global.path.clone()),
            Some(_) => {
                self.undefined(call, span);
                return None;
            }
            None if &**name == "data" && self.scopes.declared(name).is_none() => Some(Vec::new()),
            None => None,
        };
        if let Some(mut path) = below {
            let keys: Option<Vec<Value>> =
                rest.iter().map(|part| term::scalar(&part.kind)).collect();
            path.extend(keys.unwrap_or_default());
            let node = self
                .context
                .tree
                .find(&path)
                .filter(|_| rest.iter().all(|part| term::scalar(&part.kind).is_some()));
            return if let Some(node) = node.filter(|node| self.context.tree.is_definition(*node)) {
                Some(Operator::Function(node))
            } else {
                self.undefined(call, span);
                None
            };
        }
        let is_alone = rest.is_empty() && self.shadowed.contains(name);
        if is_alone || self.scopes.declared(name).is_some() {
            self.scopes.find(name);
            if nested {
                let message = format!("called function {} shadowed", text(call));
                self.compile(Stage::Locals, span, message);
            } else {
                self.undefined(call, span);
            }
            return None;
        }
        // A name that is called cannot be declared further down.
        self.scopes.find(name);
        if let Some(signature) = call.name().and_then(|name| signatures::find(&name)) {
            Some(Operator::Builtin(signature))
        } else {
            self.undefined(call, span);
            None
        }
    }

    fn undefined(&mut self, call: &ast::Call, span: Span) {
        self.context.findings.undefined(span, &text(call));
    }

    fn arity(&mut self, operator: &Operator, call: &ast::Call, count: usize, span: Span) {
        let (arity, message) = match operator {
            Operator::Builtin(signature) if signature.variadic => return,
            Operator::Builtin(signature) => {
                let want: Vec<String> = signature
                    .arguments
                    .iter()
                    .map(ToString::to_string)
                    .collect();
                let message = format!(
                    "{}: arity mismatch\n\thave: {count} arguments\n\twant: ({})",
                    signature.name,
                    want.join(", ")
                );
                (signature.arguments.len(), message)
            }
            Operator::Function(node) if count == 0 && self.context.tree.node(*node).arity == 0 => {
                // A rule is no function. What OPA says depends on the rule's type.
                return;
            }
            Operator::Function(node) => {
                let arity = self.context.tree.node(*node).arity;
                let s = if count == 1 { "" } else { "s" };
                let message = format!(
                    "function {} has arity {arity}, got {count} argument{s}",
                    text(call)
                );
                (arity, message)
            }
        };
        if count != arity {
            self.context.findings.kind(Stage::Calls, span, message);
        }
    }

    /// What the annotations say here, if that is asked for.
    fn metadata(&self, name: &str, span: Span) -> Option<Term> {
        let value = match name {
            "rego.metadata.chain" => self.context.metadata(true),
            "rego.metadata.rule" => self.context.metadata(false),
            _ => None,
        };
        let kind = TermKind::Constant(value?);
        Some(Term { kind, span })
    }
}

/// The name of the builtin that is called, if it can have several results.
pub(super) fn relation(call: &ast::Call) -> Option<&'static str> {
    let signature = signatures::find(&call.name()?)?;
    signature.relation.then_some(signature.name)
}

/// The operator as it is written.
fn text(call: &ast::Call) -> String {
    let mut text = String::new();
    for (at, part) in call.operator.iter().enumerate() {
        match &part.kind {
            Written::Var(name) => text.push_str(name),
            Written::String(name) if at > 0 => {
                let _ = write!(text, ".{name}");
            }
            _ => text.push_str("[…]"),
        }
    }
    text
}
