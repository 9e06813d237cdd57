//! Numbers, strings and templates.

use super::super::ast::{ExprKind, Numeral, Template, TemplatePart, Term, TermKind};
use super::super::lex::Kind;
use super::cursor::{Parsed, Parser, Refusal, build};

/// Numbers at and beyond two to this power, and their inverses, are refused, as by OPA: printing
/// them takes more than linear time.
const MAX_BINARY_EXPONENT: f64 = 1e5;

impl Parser<'_> {
    /// `1`, `-1`, `.5`, `-.5e3`; spaces may stand between the parts.
    pub(super) fn number(&mut self) -> Parsed<Term> {
        let start = self.start();
        let mut text = String::new();
        if self.eat(Kind::Minus) {
            text.push('-');
            if !matches!(self.kind(), Kind::Number | Kind::Dot) {
                return Err(self.unexpected_or("expected number"));
            }
        }
        let fraction = self.eat(Kind::Dot);
        if fraction {
            text.push('.');
            if !self.is(Kind::Number) {
                return Err(self.unexpected_or("expected number"));
            }
        }
        let digits = self.text();
        if !fraction && has_leading_zero(digits) {
            return Err(self.unexpected_or("expected number without leading zero"));
        }
        if fraction && digits.contains('.') {
            return Err(self.unexpected_or("invalid float"));
        }
        text.push_str(digits);
        if !is_in_range(&text) {
            return Err(Refusal::new(self.here(), "number too big"));
        }
        self.advance();
        Ok(Term::new(
            TermKind::Number(self.numeral(&text)),
            self.since(start),
        ))
    }

    pub(super) fn numeral(&mut self, text: &str) -> Numeral {
        Numeral::new(self.name(text))
    }

    /// `"…"`, `` `…` ``
    pub(super) fn string(&mut self) -> Parsed<Term> {
        let span = self.here();
        let literal = self.text();
        let inner = literal.get(1..literal.len() - 1).unwrap_or("");
        let text = if self.is(Kind::RawText) {
            self.name(inner)
        } else {
            let Some(text) = unescaped(inner) else {
                let message = format!("illegal string literal: {literal}");
                return Err(Refusal::new(span, message));
            };
            self.name(&text)
        };
        self.advance();
        Ok(Term::new(TermKind::String(text), span))
    }

    /// `$"…{x}…"`
    pub(super) fn template(&mut self, raw: bool) -> Parsed<Term> {
        let start = self.start();
        if self.version == super::Version::V0 {
            let message = "template strings are not supported by Rego v0";
            return Err(Refusal::new(self.here(), message));
        }
        let mut parts = Vec::new();
        loop {
            let Kind::Template { last, .. } = self.kind() else {
                return Err(self.unexpected_or("expected template-string part"));
            };
            let first = self.start() == start;
            if let Some(text) = self.template_text(raw, first)? {
                parts.push(TemplatePart::Constant(text));
            }
            let text_end = self.here().end;
            self.advance();
            if last {
                break;
            }
            parts.push(self.deeper(|parser| parser.template_part(text_end))?);
        }
        build(
            TermKind::Template(Template { raw, parts }),
            self.since(start),
        )
    }

    /// The text of a template up to a brace or the end, unless it is empty.
    fn template_text(&mut self, raw: bool, first: bool) -> Parsed<Option<Term>> {
        let literal = self.text();
        // The first text begins with `$"`, the others follow a brace.
        let begin = if first { 2 } else { 0 };
        let inner = literal.get(begin..literal.len() - 1).unwrap_or("");
        let text = if raw {
            Some(inner.replace("\\{", "{"))
        } else {
            unescaped(&without_brace_escapes(inner))
        };
        match text {
            Some(text) if text.is_empty() => Ok(None),
            Some(text) => {
                let text = self.name(&text);
                Ok(Some(Term::new(TermKind::String(text), self.here())))
            }
            None => {
                let message = format!("illegal template-string part: {literal}");
                Err(Refusal::new(self.here(), message))
            }
        }
    }

    /// An expression in the braces of a template.
    fn template_part(&mut self, text_end: u32) -> Parsed<TemplatePart> {
        let start = self.start();
        let expr = self.literal()?;
        let wrong = match &expr.kind {
            _ if expr.negated => Some("negation ('not')"),
            ExprKind::Call(call) if call.is("eq") => Some("unification ('=')"),
            ExprKind::Call(call) if call.is("assign") => Some("assignment (':=')"),
            ExprKind::Every { .. } => Some("'every'"),
            ExprKind::SomeDeclaration(_) | ExprKind::SomeIn { .. } => Some("'some'"),
            _ => None,
        };
        if let Some(wrong) = wrong {
            let message = format!("unexpected {wrong} in template-string expression");
            return Err(Refusal::new(expr.span, message));
        }
        if !self.eat(Kind::RightBrace) {
            let message = "expected } to end template string expression";
            return Err(Refusal::new(self.here(), message));
        }
        Ok(match &expr.kind {
            ExprKind::Term(term) if is_scalar(term) && !self.has_comment(text_end, start) => {
                TemplatePart::Constant(term.clone())
            }
            _ => TemplatePart::Expr(expr),
        })
    }

    /// A comment stands between two places. OPA keeps an expression apart from the text then.
    fn has_comment(&self, start: u32, end: u32) -> bool {
        let first = self
            .comments
            .partition_point(|comment| comment.start < start);
        self.comments
            .get(first)
            .is_some_and(|comment| comment.start < end)
    }
}

fn is_scalar(term: &Term) -> bool {
    matches!(
        term.kind,
        TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::String(_)
    )
}

/// `01`; but neither `0.1` nor `0e1`.
fn has_leading_zero(digits: &str) -> bool {
    let mut characters = digits.chars();
    characters.next() == Some('0')
        && characters
            .next()
            .is_some_and(|second| !matches!(second, '.' | 'e' | 'E'))
}

/// The number is zero, or neither too large nor too small.
fn is_in_range(text: &str) -> bool {
    let text = text.trim_start_matches('-');
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let whole = whole.trim_start_matches('0');
    let Ok(exponent) = exponent.parse::<i32>() else {
        return whole.is_empty() && fraction.bytes().all(|digit| digit == b'0');
    };
    let significant = fraction.trim_start_matches('0');
    // The power of ten of the first digit, and the first digits as a fraction of ten.
    let (digits, power) = if whole.is_empty() {
        let zeros = fraction.len() - significant.len();
        (significant.to_owned(), -1.0 - length(zeros))
    } else {
        (format!("{whole}{fraction}"), length(whole.len()) - 1.0)
    };
    if digits.is_empty() {
        return true;
    }
    let leading = digits.get(..digits.len().min(17)).unwrap_or("0");
    let Ok(leading) = format!("{}.{}", &leading[..1], &leading[1..]).parse::<f64>() else {
        return false;
    };
    let binary = leading.log2() + (f64::from(exponent) + power) * std::f64::consts::LOG2_10;
    (-MAX_BINARY_EXPONENT - 1.0..MAX_BINARY_EXPONENT).contains(&binary)
}

/// A count of digits. A source has fewer than 2³² bytes.
fn length(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// `\{` as `{`; other escapes as they are.
fn without_brace_escapes(text: &str) -> String {
    let mut rest = text;
    let mut result = String::with_capacity(text.len());
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        result.push_str(before);
        let length = escape.chars().take(2).map(char::len_utf8).sum();
        let (escape, after) = escape.split_at(length);
        result.push_str(if escape == "\\{" { "{" } else { escape });
        rest = after;
    }
    result.push_str(rest);
    result
}

/// The text that a JSON string's inside stands for. As in OPA, control characters are allowed as
/// long as nothing is escaped.
fn unescaped(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return Some(text.to_owned());
    }
    if text.bytes().any(|byte| byte < 0x20) {
        return None;
    }
    let mut result = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            result.push(character);
            continue;
        }
        result.push(match characters.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let (unit, rest) = code_unit(characters.as_str())?;
                characters = rest.chars();
                let pair = || {
                    let (low, rest) = code_unit(rest.strip_prefix("\\u")?)?;
                    let pair = char::decode_utf16([unit, low]).next()?.ok()?;
                    Some((pair, rest))
                };
                // A surrogate that has no partner stands for nothing.
                match char::from_u32(u32::from(unit)) {
                    Some(character) => character,
                    None => match pair() {
                        Some((character, rest)) => {
                            characters = rest.chars();
                            character
                        }
                        None => char::REPLACEMENT_CHARACTER,
                    },
                }
            }
            character @ ('"' | '\\' | '/') => character,
            _ => return None,
        });
    }
    Some(result)
}

/// Four hexadecimal digits, and what follows them.
fn code_unit(text: &str) -> Option<(u16, &str)> {
    let digits = text.get(..4)?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Some((u16::from_str_radix(digits, 16).ok()?, &text[4..]))
}
