//! A tree as text: every operator a call, every reference spelled out, wildcards as `_`.

use std::fmt::Write as _;

use super::super::super::ast::{
    Call, Expr, ExprKind, Head, Logical, Rule, TemplatePart, Term, TermKind,
};

pub(super) fn rules(rules: &[Rule]) -> String {
    rules.iter().map(rule).collect::<Vec<_>>().join(" || ")
}

fn rule(rule: &Rule) -> String {
    let mut text = String::new();
    if rule.default {
        text.push_str("default ");
    }
    text.push_str(&head(&rule.head));
    if !rule.generated_body && !rule.default {
        let _ = write!(text, " {{{}}}", exprs(&rule.body));
    }
    for branch in &rule.otherwise {
        let value = branch.head.value.as_ref().map(term).unwrap_or_default();
        let _ = write!(text, " else {value}");
        if !branch.generated_body {
            let _ = write!(text, " {{{}}}", exprs(&branch.body));
        }
    }
    text
}

fn head(head: &Head) -> String {
    let mut text = path(&head.reference);
    if !head.arguments.is_empty() {
        let _ = write!(text, "({})", terms(&head.arguments));
    }
    if let Some(key) = &head.key {
        let _ = write!(text, " key {}", term(key));
    }
    if let Some(value) = &head.value {
        let _ = write!(text, " = {}", term(value));
    }
    text
}

pub(super) fn exprs(exprs: &[Expr]) -> String {
    exprs.iter().map(expr).collect::<Vec<_>>().join("; ")
}

fn expr(expr: &Expr) -> String {
    let mut text = String::new();
    if expr.negated {
        text.push_str("not ");
    }
    let kind = match &expr.kind {
        ExprKind::Term(of) => term(of),
        ExprKind::Call(of) => call(of),
        ExprKind::SomeDeclaration(variables) => format!("some {}", terms(variables)),
        ExprKind::SomeIn { key, value, domain } => {
            format!(
                "some {}{} in {}",
                optional(key.as_ref()),
                term(value),
                term(domain)
            )
        }
        ExprKind::Every {
            key,
            value,
            domain,
            body,
        } => {
            let key = optional(key.as_ref());
            format!(
                "every {key}{} in {} {{{}}}",
                term(value),
                term(domain),
                exprs(body)
            )
        }
        ExprKind::And(sides) => logical("and", sides),
        ExprKind::Or(sides) => logical("or", sides),
        ExprKind::Not { body, braces } => format!("not! {}", operand(*braces, body)),
    };
    text.push_str(&kind);
    for with in &expr.modifiers {
        let _ = write!(
            text,
            " with {} as {}",
            term(&with.target),
            term(&with.value)
        );
    }
    text
}

fn logical(word: &str, sides: &Logical) -> String {
    let left = operand(sides.left_braces, &sides.left);
    format!(
        "({left} {word} {})",
        operand(sides.right_braces, &sides.right)
    )
}

fn operand(braces: bool, body: &[Expr]) -> String {
    if braces {
        format!("{{{}}}", exprs(body))
    } else {
        exprs(body)
    }
}

fn optional(key: Option<&Term>) -> String {
    key.map(|key| term(key) + ", ").unwrap_or_default()
}

fn terms(members: &[Term]) -> String {
    members.iter().map(term).collect::<Vec<_>>().join(", ")
}

fn call(call: &Call) -> String {
    format!("{}({})", path(&call.operator), terms(&call.arguments))
}

fn path(parts: &[Term]) -> String {
    let mut text = String::new();
    for (at, part) in parts.iter().enumerate() {
        match &part.kind {
            _ if at == 0 => text.push_str(&term(part)),
            TermKind::String(name) => {
                let _ = write!(text, ".{name}");
            }
            _ => {
                let _ = write!(text, "[{}]", term(part));
            }
        }
    }
    text
}

fn term(term: &Term) -> String {
    match &term.kind {
        TermKind::Null => "null".to_owned(),
        TermKind::Bool(value) => value.to_string(),
        TermKind::Number(number) => number.to_string(),
        TermKind::String(text) => format!("{text:?}"),
        TermKind::Var(name) if name.starts_with('$') => "_".to_owned(),
        TermKind::Var(name) => name.to_string(),
        TermKind::Ref(parts) if parts.len() == 1 => format!("<{}>", path(parts)),
        TermKind::Ref(parts) => path(parts),
        TermKind::Array(members) => format!("[{}]", terms(members)),
        TermKind::Set(members) => format!("set{{{}}}", terms(members)),
        TermKind::Object(pairs) => {
            let pair =
                |(key, value): &(Term, Term)| format!("{}: {}", self::term(key), self::term(value));
            format!(
                "{{{}}}",
                pairs.iter().map(pair).collect::<Vec<_>>().join(", ")
            )
        }
        TermKind::ArrayComprehension { value, body } => {
            format!("[{} | {}]", self::term(value), exprs(body))
        }
        TermKind::SetComprehension { value, body } => {
            format!("set{{{} | {}}}", self::term(value), exprs(body))
        }
        TermKind::ObjectComprehension { key, value, body } => {
            format!(
                "{{{}: {} | {}}}",
                self::term(key),
                self::term(value),
                exprs(body)
            )
        }
        TermKind::Call(kind) => call(kind),
        TermKind::Template(template) => {
            let part = |part: &TemplatePart| match part {
                TemplatePart::Constant(constant) => self::term(constant),
                TemplatePart::Expr(kind) => format!("{{{}}}", expr(kind)),
            };
            let parts: Vec<String> = template.parts.iter().map(part).collect();
            format!("template({})", parts.join(" "))
        }
    }
}
