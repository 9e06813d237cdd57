//! `with target as value`.

use std::sync::Arc;

use regorus::Value;

use super::term::root;
use super::{Resolver, signatures_of};
use crate::rego::ast::{self, TermKind as Written};
use crate::rego::core::{Body, Callee, NodeId, Replacement, Root, Target, Term, TermKind, With};
use crate::rego::findings::Stage;
use crate::rego::source::Span;

impl Resolver<'_, '_> {
    /// The modifiers of a condition. Conditions that their values need are added to the body.
    pub(super) fn modifiers(
        &mut self,
        modifiers: &[ast::With],
        body: &mut Body,
    ) -> Option<Arc<[With]>> {
        if modifiers.is_empty() {
            return None;
        }
        let resolved = modifiers
            .iter()
            .filter_map(|with| {
                let target = self.target(&with.target)?;
                let value = self.replacement(&target, &with.value, body)?;
                Some(With {
                    target,
                    value,
                    span: with.span,
                })
            })
            .collect();
        Some(resolved)
    }

    fn target(&mut self, target: &ast::Term) -> Option<Target> {
        let span = target.span;
        let (head, rest) = match &target.kind {
            Written::Var(_) => (target, &[][..]),
            Written::Ref(terms) => terms.split_first()?,
            _ => {
                self.not_a_target(span);
                return None;
            }
        };
        let Written::Var(name) = &head.kind else {
            self.not_a_target(span);
            return None;
        };
        let global = self.global(name);
        let (root, mut path) = match &global {
            Some(global) => (global.root, global.path.clone()),
            None => {
                if let Some(root) = root(name) {
                    (root, Vec::new())
                } else {
                    let path: Option<Vec<&str>> = rest.iter().map(text).collect();
                    return self.builtin_target(name, path, span);
                }
            }
        };
        for part in rest {
            if let Some(value) = super::term::scalar(&part.kind) {
                path.push(value);
            } else {
                let what = "a `with` target whose path is not constant";
                self.context.findings.unsupported(part.span, what);
                return None;
            }
        }
        match root {
            Root::Input => Some(Target::Input(path)),
            Root::Data => self.data_target(path, span),
            Root::Var(_) => None,
        }
    }

    fn not_a_target(&mut self, span: Span) {
        let message = "with keyword target must reference existing input, data, or a function";
        self.context.findings.kind(Stage::Modifiers, span, message);
    }

    fn data_target(&mut self, path: Vec<Value>, span: Span) -> Option<Target> {
        let tree = self.context.tree;
        let mut at = Some(NodeId::ROOT);
        for (depth, key) in path.iter().enumerate() {
            at = at.and_then(|node| tree.node(node).children.get(key).copied());
            let defined = at.is_some_and(|node| tree.is_definition(node));
            if defined && depth + 1 < path.len() {
                let message = "with keyword cannot partially replace virtual document(s)";
                self.compile(Stage::Modifiers, span, message);
                return None;
            }
        }
        match at.filter(|&node| tree.node(node).arity > 0) {
            Some(function) => Some(Target::Callee(Callee::Function(function))),
            None => Some(Target::Data(path)),
        }
    }

    fn builtin_target(
        &mut self,
        head: &str,
        path: Option<Vec<&str>>,
        span: Span,
    ) -> Option<Target> {
        let path = path.filter(|_| self.scopes.declared(head).is_none());
        let Some(signature) = path.and_then(|path| signatures_of(head, &path)) else {
            self.not_a_target(span);
            return None;
        };
        let name = signature.name;
        let what = "with keyword replacing built-in function:";
        let message = match name {
            "eq" | "rego.metadata.chain" | "rego.metadata.rule" => {
                format!("{what} replacement of {name:?} invalid")
            }
            _ if name.starts_with("internal.") => {
                format!("{what} replacement of internal function {name:?} invalid")
            }
            _ if signature.relation => format!("{what} target must not be a relation"),
            _ if signature.result.is_none() => {
                format!("{what} target must not be a void function")
            }
            _ => return Some(Target::Callee(Callee::Builtin(name))),
        };
        self.compile(Stage::Modifiers, span, message);
        None
    }

    fn replacement(
        &mut self,
        target: &Target,
        value: &ast::Term,
        body: &mut Body,
    ) -> Option<Replacement> {
        let callee = self.callee(value);
        match (target, callee) {
            (Target::Callee(_), Some(callee)) => Some(Replacement::Callee(callee)),
            (_, Some(_)) => {
                let what = "a function as the value of `input` or `data`";
                self.context.findings.unsupported(value.span, what);
                None
            }
            (_, None) => {
                let mut term = self.term(value, body);
                if let (Target::Callee(_), Some(node)) = (target, self.rule_named(&term)) {
                    self.context.stand_ins.push((node, value.span));
                }
                self.settle(&mut term, body);
                Some(Replacement::Term(term))
            }
        }
    }

    /// The rule that a term refers to.
    fn rule_named(&self, term: &Term) -> Option<NodeId> {
        let TermKind::Ref(reference) = &term.kind else {
            return None;
        };
        let key = |part: &Term| match &part.kind {
            TermKind::Constant(value) => Some(value.clone()),
            _ => None,
        };
        let path: Vec<Value> = reference.path.iter().map(key).collect::<Option<_>>()?;
        let node = self.context.tree.find(&path)?;
        (reference.root == Root::Data && self.context.tree.is_definition(node)).then_some(node)
    }

    /// The function that a term names without calling it.
    fn callee(&mut self, value: &ast::Term) -> Option<Callee> {
        let (head, rest) = match &value.kind {
            Written::Var(_) => (value, &[][..]),
            Written::Ref(terms) => terms.split_first()?,
            _ => return None,
        };
        let Written::Var(name) = &head.kind else {
            return None;
        };
        let mut path = match self.global(name) {
            Some(global) if global.root == Root::Data => global.path.clone(),
            Some(_) => return None,
            None if &**name == "data" => Vec::new(),
            None => {
                if self.scopes.declared(name).is_some() {
                    return None;
                }
                let path: Option<Vec<&str>> = rest.iter().map(text).collect();
                let signature = signatures_of(name, &path?)?;
                return Some(Callee::Builtin(signature.name));
            }
        };
        for part in rest {
            path.push(super::term::scalar(&part.kind)?);
        }
        let node = self.context.tree.find(&path)?;
        (self.context.tree.node(node).arity > 0).then_some(Callee::Function(node))
    }
}

fn text(term: &ast::Term) -> Option<&str> {
    match &term.kind {
        Written::String(text) => Some(text),
        _ => None,
    }
}
