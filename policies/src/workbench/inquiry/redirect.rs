//! Tells apart what a query asks of the policies with one `input` and with another.
//!
//! ```text
//! data.a.b.allow; data.a.b.allow with input as {"user": "ann"}
//! data["0"].a.b.allow; data["1"].a.b.allow with input as {"user": "ann"}
//! ```

use crate::{
    Document,
    rego::{
        ast::{
            Body, Call, Expr, ExprKind, Logical, Name, Template, TemplatePart, Term, TermKind, With,
        },
        source::Sources,
    },
};

/// A query's conditions, and the inputs that it names.
pub(super) struct Redirected {
    pub(super) body: Vec<Expr>,
    /// The documents that stand behind `with input as`.
    pub(super) inputs: Vec<Document>,
    /// Something else is replaced: other data, a part of the input, or the input by what is known only
    /// when the query is asked.
    pub(super) modifies: bool,
    /// How many conditions there are, those within others too.
    pub(super) conditions: usize,
}

/// Gives `data` of each condition a place by the input that it is asked with: the request's own has
/// the number 0, the others theirs among [`Redirected::inputs`], from 1.
pub(super) fn redirect(body: &[Expr], sources: &Sources) -> Redirected {
    let mut redirect = Redirect {
        sources,
        inputs: Vec::new(),
        modifies: false,
        conditions: 0,
    };
    let body = body.iter().map(|expr| redirect.expr(expr, 0)).collect();
    Redirected {
        body,
        inputs: redirect.inputs,
        modifies: redirect.modifies,
        conditions: redirect.conditions,
    }
}

struct Redirect<'s> {
    sources: &'s Sources,
    inputs: Vec<Document>,
    modifies: bool,
    conditions: usize,
}

impl Redirect<'_> {
    fn expr(&mut self, expr: &Expr, outer: usize) -> Expr {
        self.conditions += 1;
        let input = self.modified(&expr.modifiers, outer);
        let kind = self.kind(&expr.kind, input);
        let modifiers = expr.modifiers.iter().map(|with| With {
            value: self.term(&with.value, outer),
            ..with.clone()
        });
        let modifiers = modifiers.collect();
        Expr::with(kind, expr.negated, modifiers, expr.span)
    }

    /// With which input a condition is asked that has these modifiers.
    fn modified(&mut self, modifiers: &[With], outer: usize) -> usize {
        let mut input = outer;
        for with in modifiers {
            let (root, is_part) = match &with.target.kind {
                TermKind::Var(root) => (&**root, false),
                TermKind::Ref(parts) => match parts.first().map(|root| &root.kind) {
                    Some(TermKind::Var(root)) => (&**root, parts.len() > 1),
                    _ => continue,
                },
                _ => continue,
            };
            match (root, is_part) {
                ("input", false) if input == outer => {
                    let text = self.sources.slice(with.value.span);
                    match Document::read(text) {
                        Ok(document) => {
                            self.inputs.push(document);
                            input = self.inputs.len();
                        }
                        Err(_) => self.modifies = true,
                    }
                }
                ("input" | "data", _) => self.modifies = true,
                _ => {}
            }
        }
        input
    }

    fn body(&mut self, body: &Body, input: usize) -> Body {
        Body::new(body.iter().map(|expr| self.expr(expr, input)).collect())
    }

    fn kind(&mut self, kind: &ExprKind, input: usize) -> ExprKind {
        let logical = |redirect: &mut Self, sides: &Logical| Logical {
            left: redirect.body(&sides.left, input),
            right: redirect.body(&sides.right, input),
            ..sides.clone()
        };
        match kind {
            ExprKind::Term(term) => ExprKind::Term(self.term(term, input)),
            ExprKind::Call(call) => ExprKind::Call(self.call(call, input)),
            ExprKind::SomeDeclaration(terms) => ExprKind::SomeDeclaration(terms.clone()),
            ExprKind::SomeIn { key, value, domain } => ExprKind::SomeIn {
                key: key.as_ref().map(|key| self.term(key, input)),
                value: self.term(value, input),
                domain: self.term(domain, input),
            },
            ExprKind::Every {
                key,
                value,
                domain,
                body,
            } => ExprKind::Every {
                key: key.clone(),
                value: value.clone(),
                domain: self.term(domain, input),
                body: self.body(body, input),
            },
            ExprKind::And(sides) => ExprKind::And(logical(self, sides)),
            ExprKind::Or(sides) => ExprKind::Or(logical(self, sides)),
            ExprKind::Not { body, braces } => ExprKind::Not {
                body: self.body(body, input),
                braces: *braces,
            },
        }
    }

    /// The function is called by its own name: no policy's is there.
    fn call(&mut self, call: &Call, input: usize) -> Call {
        Call {
            arguments: self.terms(&call.arguments, input),
            ..call.clone()
        }
    }

    fn terms(&mut self, terms: &[Term], input: usize) -> Vec<Term> {
        terms.iter().map(|term| self.term(term, input)).collect()
    }

    fn term(&mut self, term: &Term, input: usize) -> Term {
        let kind = match &term.kind {
            TermKind::Var(_) if is_data(term) => TermKind::Ref(placed(term, input)),
            TermKind::Null
            | TermKind::Bool(_)
            | TermKind::Number(_)
            | TermKind::String(_)
            | TermKind::Var(_) => return term.clone(),
            TermKind::Ref(parts) => {
                let mut parts = self.terms(parts, input);
                // Its root has become a reference of its own.
                if let Some(TermKind::Ref(root)) = parts.first().map(|root| &root.kind)
                    && matches!(&root[..], [root, _] if is_data(root))
                {
                    let root = root.clone();
                    parts.splice(..1, root);
                }
                TermKind::Ref(parts)
            }
            TermKind::Array(terms) => TermKind::Array(self.terms(terms, input)),
            TermKind::Set(terms) => TermKind::Set(self.terms(terms, input)),
            TermKind::Object(pairs) => {
                let pairs = pairs.iter();
                TermKind::Object(
                    pairs
                        .map(|(key, value)| (self.term(key, input), self.term(value, input)))
                        .collect(),
                )
            }
            TermKind::ArrayComprehension { value, body } => TermKind::ArrayComprehension {
                value: self.term(value, input),
                body: self.body(body, input),
            },
            TermKind::SetComprehension { value, body } => TermKind::SetComprehension {
                value: self.term(value, input),
                body: self.body(body, input),
            },
            TermKind::ObjectComprehension { key, value, body } => TermKind::ObjectComprehension {
                key: self.term(key, input),
                value: self.term(value, input),
                body: self.body(body, input),
            },
            TermKind::Call(call) => TermKind::Call(self.call(call, input)),
            TermKind::Template(template) => {
                let parts = template.parts.iter().map(|part| match part {
                    TemplatePart::Constant(term) => TemplatePart::Constant(term.clone()),
                    TemplatePart::Expr(expr) => TemplatePart::Expr(self.expr(expr, input)),
                });
                TermKind::Template(Template {
                    parts: parts.collect(),
                    ..template.clone()
                })
            }
        };
        Term::new(kind, term.span)
    }
}

/// The name under which the documents for an input are.
pub(super) fn place(input: usize) -> String {
    input.to_string()
}

/// `data` for an input.
fn placed(data: &Term, input: usize) -> Vec<Term> {
    let place = TermKind::String(Name::from(place(input)));
    vec![data.clone(), Term::new(place, data.span)]
}

fn is_data(term: &Term) -> bool {
    matches!(&term.kind, TermKind::Var(name) if **name == *"data")
}
