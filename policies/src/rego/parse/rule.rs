//! Rules with bodies: heads, bodies, `else`, chained bodies, defaults.
//!
//! A statement that turns out to be no rule is read again as conditions: `p := 1` has no body, and
//! `bare` makes a rule of it.

use std::collections::HashSet;

use super::super::ast::{Body, Expr, ExprKind, Head, Rule, TemplatePart, Term, TermKind};
use super::super::lex::{Kind, Word};
use super::super::source::Span;
use super::cursor::{Parsed, Parser, Refusal};

/// Most arguments of a function, and parts of a head's reference. Each branch and each chained body
/// has them again, so that without a bound reading a source would take quadratic time.
const MAX_HEAD: usize = 100;

/// Tokens of heads that chained bodies and `else` repeat in one source, all together: each repetition
/// is compiled again. A thousand branches of a head of a hundred tokens are more than people write.
const MAX_REPEATED: usize = 100_000;

impl Parser<'_> {
    /// The rules of a statement: several if bodies are chained. `None` if it is no rule.
    pub(super) fn rules(&mut self) -> Parsed<Option<Vec<Rule>>> {
        let start = self.start();
        self.take_keyword_reference();
        let default = self.is_word(Word::Default);
        if default {
            self.advance();
            self.take_keyword_reference();
        }
        if !self.is(Kind::Name) {
            if default {
                self.refuse_keyword_name(true)?;
            }
            return Ok(None);
        }
        let before = self.position();
        let Some(mut head) = self.head()? else {
            return Ok(None);
        };
        let tokens = self.position() - before;
        if default {
            return self.default_rule(head, start).map(|rule| Some(vec![rule]));
        }
        head.conditional = self.is_word(Word::If);
        settle_key(&mut head);
        let body = self.rule_body(&head)?;
        if body.is_none() && !head.contains {
            return Ok(None);
        }
        let generated_body = body.is_none();
        let mut rule = Rule {
            default: false,
            body: body.unwrap_or_else(|| always(head.span)),
            generated_body,
            otherwise: Vec::new(),
            span: self.since(start),
            annotations: Vec::new(),
            head,
        };
        if generated_body {
            return Ok(Some(vec![rule]));
        }
        if self.is_word(Word::Else) && !self.take_keyword_reference() {
            self.refuse_else(&rule.head)?;
            loop {
                self.repeat(tokens)?;
                let branch = self.otherwise(&rule.head)?;
                // Nothing follows a branch that holds anyhow.
                let last = branch.generated_body || !self.is_word(Word::Else);
                rule.otherwise.push(branch);
                if last {
                    break;
                }
            }
            rule.span = self.since(start);
        }
        self.chained(rule, tokens).map(Some)
    }

    /// Counts that a head of so many tokens is repeated.
    fn repeat(&mut self, tokens: usize) -> Parsed<()> {
        self.repeated = self.repeated.saturating_add(tokens);
        if self.repeated <= MAX_REPEATED {
            return Ok(());
        }
        let message = format!(
            "chained bodies and `else` repeat rule heads of more than {MAX_REPEATED} tokens"
        );
        let remedy = "give what the head consists of a name of its own";
        Err(Refusal::new_with_remedy(self.here(), message, remedy))
    }

    /// The body that follows a head, if one does.
    fn rule_body(&mut self, head: &Head) -> Parsed<Option<Body>> {
        if head.conditional {
            self.advance();
            return self.condition_or_body().map(Some);
        }
        if self.is(Kind::LeftBrace) {
            return self.braced_body().map(Some);
        }
        Ok(None)
    }

    /// What follows `if`. Braces that hold a set are a body.
    fn condition_or_body(&mut self) -> Parsed<Body> {
        let place = self.place();
        let brace = self.is(Kind::LeftBrace);
        match self.literal() {
            Ok(expr) if !(brace && is_set(&expr)) => Ok(Body::new(vec![expr])),
            Err(refusal) if !brace => Err(refusal),
            _ => {
                self.return_to(place);
                self.braced_body()
            }
        }
    }

    /// The bodies that follow a rule's without a head: `p[x] { … } { … }`.
    fn chained(&mut self, rule: Rule, tokens: usize) -> Parsed<Vec<Rule>> {
        let mut rules = vec![rule];
        while self.is(Kind::LeftBrace) {
            let first = &rules[0];
            if !first.otherwise.is_empty() {
                return Err(Refusal::new(self.here(), "expected else keyword"));
            }
            let head = self.same_head(&first.head);
            self.repeat(tokens)?;
            let start = self.start();
            let body = self.braced_body()?;
            rules.push(Rule {
                default: false,
                head,
                body,
                generated_body: false,
                otherwise: Vec::new(),
                span: self.since(start),
                annotations: Vec::new(),
            });
        }
        Ok(rules)
    }

    /// A head again, with wildcards of its own.
    fn same_head(&mut self, head: &Head) -> Head {
        let mut head = head.clone();
        for argument in &mut head.arguments {
            if matches!(&argument.kind, TermKind::Var(name) if name.starts_with('$')) {
                *argument = Term::new(TermKind::Var(self.wildcard()), argument.span);
            }
        }
        head
    }

    /// `name`, `name(arguments)`, `name.path[key]`, with a value or `contains`. `None` if it is no
    /// head.
    fn head(&mut self) -> Parsed<Option<Head>> {
        let start = self.start();
        let Some((reference, arguments)) = self.head_reference()? else {
            return Ok(None);
        };
        let is_call = arguments.is_some();
        let mut head = Head {
            reference,
            arguments: arguments.unwrap_or_default(),
            key: None,
            value: None,
            generated_value: false,
            assign: false,
            contains: false,
            conditional: false,
            span: self.since(start),
        };
        match self.kind() {
            Kind::Word(Word::Contains) if is_call => {
                let expected = "the contains keyword can only be used with multi-value rule definitions (e.g., p contains <VALUE> { ... })";
                return Err(self.unexpected_or(expected));
            }
            Kind::Word(Word::Contains) => {
                self.advance();
                head.contains = true;
                head.key = Some(self.operation()?);
                head.span = self.since(start);
                return Ok(Some(head));
            }
            Kind::Unify | Kind::Assign => {
                head.assign = self.is(Kind::Assign);
                self.advance();
                head.value = Some(self.operation()?);
            }
            _ => {}
        }
        head.span = self.since(start);
        if head.value.is_none() && (head.reference.len() != 2 || !head.arguments.is_empty()) {
            head.generated_value = true;
            head.value = Some(Term::new(TermKind::Bool(true), head.span));
        }
        Ok(Some(head))
    }

    /// The reference of a head, with the arguments if it is a call's.
    #[expect(clippy::type_complexity, reason = "a reference and its arguments")]
    fn head_reference(&mut self) -> Parsed<Option<(Vec<Term>, Option<Vec<Term>>)>> {
        let name = self.variable();
        // `p+1` is none of a head, and would be read as conditions; OPA refuses it.
        if !self.token().space && is_operator(self.kind()) {
            return Err(self.unexpected());
        }
        if !matches!(
            self.kind(),
            Kind::LeftParenthesis | Kind::Dot | Kind::LeftBracket
        ) {
            return Ok(Some((vec![name], None)));
        }
        // Here, unlike in bodies, spaces may stand before the path.
        let term = self.reference(name)?;
        let (reference, arguments) = match &term.kind {
            TermKind::Ref(path) => (path.clone(), None),
            TermKind::Call(call) => (call.operator.clone(), Some(call.arguments.clone())),
            _ => return Ok(None),
        };
        if !matches!(reference[0].kind, TermKind::Var(_)) {
            return Err(Refusal::new(term.span, "rule head ref invalid"));
        }
        if reference.len().max(arguments.as_ref().map_or(0, Vec::len)) > MAX_HEAD {
            let message = format!("a rule head has at most {MAX_HEAD} arguments or parts");
            return Err(Refusal::new(term.span, message));
        }
        Ok(Some((reference, arguments)))
    }

    /// `else := value { body }`, `else { body }`, `else if condition`
    fn otherwise(&mut self, head: &Head) -> Parsed<Rule> {
        let start = self.start();
        let mut head = self.same_head(head);
        head.generated_value = false;
        head.span = self.here();
        self.advance();
        match self.kind() {
            Kind::LeftBrace | Kind::Word(Word::If) => {
                head.generated_value = true;
                head.value = Some(Term::new(TermKind::Bool(true), head.span));
            }
            Kind::Assign | Kind::Unify => {
                head.assign = self.is(Kind::Assign);
                self.advance();
                head.value = Some(self.operation()?);
                head.span = self.since(start);
            }
            _ => return Err(self.unexpected_or("expected else value term or rule body")),
        }
        head.conditional = self.is_word(Word::If);
        if head.conditional {
            self.advance();
        }
        let body = if self.is(Kind::LeftBrace) {
            Some(self.braced_body()?)
        } else if !head.conditional {
            None
        } else if self.is(Kind::End) {
            return Err(self.unexpected_or("rule body expected"));
        } else {
            Some(Body::new(vec![self.literal()?]))
        };
        Ok(Rule {
            default: false,
            generated_body: body.is_none(),
            body: body.unwrap_or_else(|| always(head.span)),
            otherwise: Vec::new(),
            span: self.since(start),
            annotations: Vec::new(),
            head,
        })
    }

    fn refuse_else(&self, head: &Head) -> Parsed<()> {
        let here = self.here();
        if !head.reference.iter().skip(1).all(Term::is_ground) {
            let message = "else keyword cannot be used on rules with variables in head";
            return Err(Refusal::new(here, message));
        }
        if head.key.is_some() {
            return Err(Refusal::new(
                here,
                "else keyword cannot be used on multi-value rules",
            ));
        }
        Ok(())
    }

    fn default_rule(&mut self, head: Head, start: u32) -> Parsed<Rule> {
        let span = self.since(start);
        let Some(value) = &head.value else {
            return Err(Refusal::new(
                span,
                "illegal default rule (must have a value)",
            ));
        };
        if let Some(kind) = unfit_default(value) {
            let message = format!("illegal default rule (value cannot contain {kind})");
            return Err(Refusal::new(span, message));
        }
        let mut names = HashSet::new();
        for argument in &head.arguments {
            let message = match &argument.kind {
                TermKind::Var(name) if names.insert(name) => continue,
                TermKind::Var(name) => {
                    format!("illegal default rule (arguments cannot be repeated {name})")
                }
                _ => "illegal default rule (arguments must be variables)".to_owned(),
            };
            return Err(Refusal::new(span, message));
        }
        Ok(Rule {
            default: true,
            body: always(span),
            generated_body: false,
            otherwise: Vec::new(),
            span,
            annotations: Vec::new(),
            head,
        })
    }

    /// Refuses `every := 1`: a keyword as the name of a rule.
    pub(super) fn refuse_keyword_name(&self, default: bool) -> Parsed<()> {
        use Word::{And, As, Contains, Every, If, Import, In, Not, Or, Package, Some};
        let Kind::Word(word) = self.kind() else {
            return Ok(());
        };
        let next = self.next_kind();
        let by_operator = matches!(next, Kind::Assign | Kind::Unify);
        let by_word = matches!(next, Kind::Word(If | Contains));
        let by_call = next == Kind::LeftParenthesis;
        let names = match word {
            Every | If | In | Some | As => Option::Some(by_operator || by_word || by_call),
            // A path may be named after a keyword: `package contains`.
            Package | Import => Option::Some(by_operator || by_call),
            // `not (x)` is a negation, `or(x, y)` a call.
            Not | And | Or => Option::Some(by_operator || by_word),
            // Outside of heads it is a variable.
            Contains => Option::Some(by_word),
            _ => None,
        };
        if names.is_some_and(|names| names || default) {
            let message = format!("{} keyword cannot be used for rule name", word.text());
            return Err(Refusal::new(self.here(), message));
        }
        Ok(())
    }
}

/// Says what kind of rule `p[x]` is, as OPA does.
fn settle_key(head: &mut Head) {
    if head.contains || head.reference.len() != 2 {
        return;
    }
    let last = head.reference[1].clone();
    if head.conditional {
        // `p[x] if …` defines one value for each x.
        let varies = !last.is_ground() || matches!(last.kind, TermKind::Ref(_));
        if varies && head.arguments.is_empty() {
            head.key = Some(last);
        }
        if head.value.is_none() {
            head.generated_value = true;
            head.value = Some(Term::new(TermKind::Bool(true), head.span));
        }
    } else if head.arguments.is_empty() {
        // `p[x] { … }` adds members to a set, `p[x] = y { … }` to an object.
        head.key = Some(last);
        if head.value.is_none() {
            head.reference.pop();
        }
    }
}

/// The body of a rule that is written without one.
pub(super) fn always(span: Span) -> Body {
    let term = Term::new(TermKind::Bool(true), span);
    Body::new(vec![Expr::new(ExprKind::Term(term), span)])
}

fn is_set(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Term(term) if matches!(term.kind, TermKind::Set(_)))
}

fn is_operator(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Plus
            | Kind::Minus
            | Kind::Times
            | Kind::Divide
            | Kind::Remainder
            | Kind::Intersection
            | Kind::Union
            | Kind::Equal
            | Kind::NotEqual
            | Kind::Greater
            | Kind::GreaterOrEqual
            | Kind::Less
            | Kind::LessOrEqual
    )
}

/// What a default value may not contain, outside of comprehensions.
fn unfit_default(value: &Term) -> Option<&'static str> {
    let any = |terms: &[Term]| terms.iter().find_map(unfit_default);
    match &value.kind {
        TermKind::Ref(_) => Some("ref"),
        TermKind::Var(_) => Some("var"),
        TermKind::Call(_) => Some("call"),
        TermKind::Array(members) | TermKind::Set(members) => any(members),
        TermKind::Object(pairs) => pairs
            .iter()
            .find_map(|(key, value)| unfit_default(key).or_else(|| unfit_default(value))),
        TermKind::Template(template) => template.parts.iter().find_map(|part| match part {
            TemplatePart::Constant(_) => None,
            TemplatePart::Expr(expr) => unfit_default_expr(expr),
        }),
        _ => None,
    }
}

/// The same of an expression in a template.
fn unfit_default_expr(expr: &Expr) -> Option<&'static str> {
    let any = |body: &Body| body.iter().find_map(unfit_default_expr);
    match &expr.kind {
        _ if !expr.modifiers.is_empty() => Some("ref"),
        ExprKind::Term(term) => unfit_default(term),
        ExprKind::And(sides) | ExprKind::Or(sides) => {
            any(&sides.left).or_else(|| any(&sides.right))
        }
        ExprKind::Not { body, .. } => any(body),
        ExprKind::Call(_) => Some("call"),
        ExprKind::SomeDeclaration(_) | ExprKind::SomeIn { .. } | ExprKind::Every { .. } => {
            Some("var")
        }
    }
}
