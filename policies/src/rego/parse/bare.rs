//! Rules without bodies, which are read as conditions first: `p := 1`, `p[x]`, `f(x) = y`, `p.q`.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::super::ast::{Call, Expr, ExprKind, Head, Rule, Term, TermKind, Version};
use super::super::source::{ErrorCode, Fault, Span};
use super::cursor::Parser;
use super::rule::always;
use super::term::kind_name;

/// The rule that a condition stands for.
pub(super) fn rule(exprs: &[Expr]) -> Result<Rule, Fault> {
    let span = exprs.first().map(|expr| expr.span).unwrap_or_default();
    let [expr] = exprs else {
        return Err(fault(
            span,
            "multiple expressions cannot be used for rule head",
        ));
    };
    let head = head(expr).map_err(|message| fault(span, &message))?;
    let body = always(head.value.as_ref().map_or(span, |value| value.span));
    Ok(Rule {
        default: false,
        head,
        body,
        generated_body: true,
        otherwise: Vec::new(),
        span,
        annotations: Vec::new(),
    })
}

/// The fault, with the import that would make the conditions a rule: without it, `p if { … }` reads
/// as the condition `p` and a rule of the name `if`.
pub(super) fn explained(fault: Fault, exprs: &[Expr], parser: &Parser<'_>) -> Fault {
    if parser.version > Version::V0 {
        return fault;
    }
    let end = exprs.last().map_or(fault.span.end, |expr| expr.span.end) as usize;
    let line = parser.source[end..]
        .lines()
        .next()
        .unwrap_or("")
        .trim_start();
    let itself = parser.slice(fault.span);
    let begins = |text: &str, word| text.split(|c: char| !c.is_alphanumeric()).next() == Some(word);
    for (word, example) in [("if", "p if { ... }"), ("contains", "p contains x")] {
        if begins(line, word) || itself == word {
            let remedy = format!("`import future.keywords.{word}` for `{example}` rules");
            return fault.with_remedy(remedy);
        }
    }
    fault
}

fn fault(span: Span, message: &str) -> Fault {
    Fault::new(ErrorCode::Parse, span, message)
}

fn head(expr: &Expr) -> Result<Head, String> {
    if !expr.modifiers.is_empty() {
        return Err("expressions using with keyword cannot be used for rule head".to_owned());
    }
    if expr.negated {
        return Err("negated expressions cannot be used for rule head".to_owned());
    }
    match &expr.kind {
        ExprKind::SomeDeclaration(_) | ExprKind::SomeIn { .. } => {
            Err("'some' declarations cannot be used for rule head".to_owned())
        }
        ExprKind::Term(term) => head_of_term(term, expr.span),
        ExprKind::Call(call) => match &call.arguments[..] {
            [target, value] if call.is("eq") => head_of_value(target, value, false, expr.span),
            [target, value] if call.is("assign") => head_of_value(target, value, true, expr.span),
            _ => head_of_call(call, expr.span),
        },
        ExprKind::Every { .. } | ExprKind::And(_) | ExprKind::Or(_) | ExprKind::Not { .. } => {
            Err("expression cannot be used for rule head".to_owned())
        }
    }
}

/// `p[x]` adds a member to a set, `p.q.r` is true.
fn head_of_term(term: &Term, span: Span) -> Result<Head, String> {
    let TermKind::Ref(path) = &term.kind else {
        return Err(not_a_name(term));
    };
    let reference = checked(path)?;
    Ok(match &reference[..] {
        [name, key] => Head {
            key: Some(key.clone()),
            ..empty(vec![name.clone()], span)
        },
        [_] => return Err("refs cannot be used for rule head".to_owned()),
        _ => true_head(reference, span),
    })
}

/// `p := value`, `p[x] = value`, `f(x) = value`
fn head_of_value(target: &Term, value: &Term, assign: bool, span: Span) -> Result<Head, String> {
    let (reference, arguments) = match &target.kind {
        TermKind::Var(_) => (vec![target.clone()], Vec::new()),
        TermKind::Ref(path) => (checked(path)?, Vec::new()),
        TermKind::Call(call) => (checked(&call.operator)?, call.arguments.clone()),
        _ => return Err(not_a_name(target)),
    };
    let key = match &target.kind {
        TermKind::Ref(_) if reference.len() == 2 => Some(reference[1].clone()),
        _ => None,
    };
    Ok(Head {
        arguments,
        key,
        value: Some(value.clone()),
        assign,
        ..empty(reference, span)
    })
}

/// `f(x)` is true.
fn head_of_call(call: &Call, span: Span) -> Result<Head, String> {
    if call.name().is_some_and(|name| is_builtin(&name)) {
        return Err("rule name conflicts with built-in function".to_owned());
    }
    if call.arguments.is_empty() {
        return Err("rule argument list must take at least one argument".to_owned());
    }
    let head = true_head(checked(&call.operator)?, span);
    Ok(Head {
        arguments: call.arguments.clone(),
        generated_value: false,
        ..head
    })
}

fn true_head(reference: Vec<Term>, span: Span) -> Head {
    let value = Term::new(TermKind::Bool(true), span);
    Head {
        value: Some(value),
        generated_value: true,
        ..empty(reference, span)
    }
}

fn empty(reference: Vec<Term>, span: Span) -> Head {
    Head {
        reference,
        arguments: Vec::new(),
        key: None,
        value: None,
        generated_value: false,
        assign: false,
        contains: false,
        conditional: false,
        span,
    }
}

/// A reference whose head is a variable.
fn checked(reference: &[Term]) -> Result<Vec<Term>, String> {
    match reference.first().map(|head| &head.kind) {
        Some(TermKind::Var(_)) => Ok(reference.to_vec()),
        _ => Err("invalid rule head".to_owned()),
    }
}

fn not_a_name(term: &Term) -> String {
    format!("{} cannot be used for rule name", kind_name(&term.kind))
}

/// OPA has a builtin function of this name.
fn is_builtin(name: &str) -> bool {
    static NAMES: LazyLock<HashSet<&str>> = LazyLock::new(|| {
        let signatures = include_str!("../check/signatures.txt");
        signatures
            .lines()
            .filter_map(|line| line.split_once('('))
            .map(|(name, _)| name)
            .collect()
    });
    // OPA knows `in` by its operator too.
    name == "in" || NAMES.contains(name)
}
