//! Regular expressions in RE2's syntax, which OPA has, for regorus, which has that of Rust.
//!
//! The two agree but for what this translates: Perl's classes and word boundaries are ASCII in RE2;
//! brackets and doubled signs in a class are literal; `\<`, `\>` are too; `\Q…\E` quotes.

use super::{Fault, Result, string};
use crate::rego::{execute::ErrorKind, value::Value};

/// The operand of a function that is a regular expression.
pub(super) fn operand(name: &str) -> Option<usize> {
    match name {
        "regex.find_all_string_submatch_n"
        | "regex.find_n"
        | "regex.is_valid"
        | "regex.match"
        | "regex.split" => Some(0),
        "regex.replace" => Some(1),
        _ => None,
    }
}

/// The operands with the expression translated.
pub(super) fn translated(at: usize, operands: &[Value]) -> Result<Vec<Value>> {
    let mut operands = operands.to_vec();
    if matches!(operands[at], Value::String(_)) {
        operands[at] = Value::from(translate(string(&operands, at)?)?);
    }
    Ok(operands)
}

/// The expression that a template stands for, and the expressions between its delimiters.
pub(super) fn template<'t>(
    template: &'t str,
    [open, close]: [&str; 2],
) -> Result<(String, Vec<&'t str>)> {
    let (&[open], &[close]) = (open.as_bytes(), close.as_bytes()) else {
        let message = "a delimiter has to be exactly one character long";
        return Err(Fault::Value(message.to_owned()));
    };
    let unbalanced = || Fault::Value(format!("unbalanced braces in {template:?}"));
    let quoted = |expression: &mut String, text: &str| {
        for character in text.chars() {
            if r"\.+*?()|[]{}^$".contains(character) {
                expression.push('\\');
            }
            expression.push(character);
        }
    };
    let mut expression = "^".to_owned();
    let mut parts = Vec::new();
    let (mut depth, mut start, mut end) = (0_usize, 0, 0);
    for (at, byte) in template.bytes().enumerate() {
        if byte == open {
            depth += 1;
            if depth == 1 {
                start = at;
            }
        } else if byte == close {
            depth = depth.checked_sub(1).ok_or_else(unbalanced)?;
            if depth == 0 {
                let part = &template[start + 1..at];
                quoted(&mut expression, &template[end..start]);
                expression.push('(');
                expression.push_str(part);
                expression.push(')');
                parts.push(part);
                end = at + 1;
            }
        }
    }
    if depth != 0 {
        return Err(unbalanced());
    }
    quoted(&mut expression, &template[end..]);
    expression.push('$');
    Ok((expression, parts))
}

/// The largest number of repetitions in RE2.
const MAX_REPETITIONS: u32 = 1000;

/// A regular expression in Rust's syntax.
pub(super) fn translate(pattern: &str) -> Result<String> {
    let mut translator = Translator {
        rest: pattern,
        result: String::with_capacity(pattern.len() + 16),
    };
    while let Some(character) = translator.next() {
        match character {
            '\\' => translator.escape(false)?,
            '[' => translator.class()?,
            '{' => translator.repetition()?,
            '(' => translator.group()?,
            other => translator.result.push(other),
        }
    }
    Ok(translator.result)
}

#[derive(Debug)]
struct Translator<'p> {
    rest: &'p str,
    result: String,
}

impl Translator<'_> {
    fn next(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.rest = &self.rest[character.len_utf8()..];
        Some(character)
    }

    fn escape(&mut self, in_class: bool) -> Result<()> {
        let Some(escaped) = self.next() else {
            self.result.push('\\');
            return Ok(());
        };
        match escaped {
            'd' => self.result.push_str("[0-9]"),
            'D' => self.result.push_str("[^0-9]"),
            'w' => self.result.push_str("[0-9A-Za-z_]"),
            'W' => self.result.push_str("[^0-9A-Za-z_]"),
            's' => self.result.push_str(r"[\t\n\f\r\x20]"),
            'S' => self.result.push_str(r"[^\t\n\f\r\x20]"),
            'b' if !in_class => self.result.push_str(r"(?-u:\b)"),
            'B' if !in_class => return Err(refused("`\\B` is not available")),
            'Q' if !in_class => {
                let (quoted, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
                self.rest = rest;
                quoted
                    .chars()
                    .for_each(|character| literal(&mut self.result, character));
            }
            // Of these, Rust has some that RE2 refuses.
            'R' | 'X' | 'N' | 'h' | 'H' | 'K' | 'G' | 'u' | 'U' => return Err(invalid()),
            '0'..='7' => {
                let digits: String = self
                    .rest
                    .chars()
                    .take(2)
                    .take_while(|c| ('0'..='7').contains(c))
                    .collect();
                if escaped != '0' && digits.is_empty() {
                    return Err(invalid());
                }
                self.rest = &self.rest[digits.len()..];
                let code = u32::from_str_radix(&format!("{escaped}{digits}"), 8);
                let character = code.ok().and_then(char::from_u32).ok_or_else(invalid)?;
                literal(&mut self.result, character);
            }
            other if other.is_ascii_punctuation() => literal(&mut self.result, other),
            other => self.result.extend(['\\', other]),
        }
        Ok(())
    }

    /// What comes after `[`.
    fn class(&mut self) -> Result<()> {
        self.result.push('[');
        if let Some(rest) = self.rest.strip_prefix('^') {
            self.rest = rest;
            self.result.push('^');
        }
        let mut first = true;
        loop {
            match self.next() {
                None => return Ok(()),
                Some(']') if !first => {
                    self.result.push(']');
                    return Ok(());
                }
                Some('\\') => self.escape(true)?,
                Some('[') if self.rest.starts_with(':') && self.rest.contains(":]") => {
                    let end = self.rest.find(":]").map_or(0, |at| at + 2);
                    self.result.push('[');
                    self.result.push_str(&self.rest[..end]);
                    self.rest = &self.rest[end..];
                }
                Some('-') => {
                    // A range's, or literal at either end; never Rust's difference.
                    let ends = first || self.rest.starts_with(']');
                    self.result.push_str(if ends { "\\-" } else { "-" });
                    if !ends && self.rest.starts_with('-') {
                        self.next();
                        self.result.push_str("\\-");
                    }
                }
                Some(sign @ ('[' | ']' | '&' | '~' | '#' | ' ')) => {
                    literal(&mut self.result, sign);
                }
                Some(other) => self.result.push(other),
            }
            first = false;
        }
    }

    /// What comes after `{`: a number of repetitions, or itself.
    fn repetition(&mut self) -> Result<()> {
        let Some((inside, _)) = self.rest.split_once('}') else {
            self.result.push_str("\\{");
            return Ok(());
        };
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let (least, most) = inside.split_once(',').unwrap_or((inside, inside));
        if !is_number(least) || !(most.is_empty() || is_number(most)) {
            self.result.push_str("\\{");
            return Ok(());
        }
        let too_many = |text: &str| {
            !text.is_empty()
                && text
                    .parse::<u32>()
                    .map_or(true, |number| number > MAX_REPETITIONS)
        };
        if too_many(least) || too_many(most) {
            return Err(invalid());
        }
        self.result.push('{');
        Ok(())
    }

    /// What comes after `(`.
    fn group(&mut self) -> Result<()> {
        self.result.push('(');
        let Some(flags) = self.rest.strip_prefix('?') else {
            return Ok(());
        };
        let end = flags
            .find([':', ')', '<', 'P', '\''])
            .unwrap_or(flags.len());
        if flags[..end].bytes().all(|flag| b"imsU-".contains(&flag)) {
            return Ok(());
        }
        Err(invalid())
    }
}

/// A character that stands for itself, in a class and outside.
fn literal(result: &mut String, character: char) {
    if character.is_ascii_punctuation() && !matches!(character, '<' | '>') {
        result.push('\\');
    }
    result.push(character);
}

fn invalid() -> Fault {
    Fault::Value("error parsing regexp".to_owned())
}

fn refused(reason: &'static str) -> Fault {
    let name = "regex";
    Fault::Ends(ErrorKind::Refused { name, reason }.into())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::translate;

    #[rstest]
    #[case(r"^\d+$", "^[0-9]+$")]
    #[case(r"[\w.-]+", r"[[0-9A-Za-z_].\-]+")]
    #[case(r"[^\s]", r"[^[\t\n\f\r\x20]]")]
    #[case(r"\bword\b", r"(?-u:\b)word(?-u:\b)")]
    #[case(r"[[]", r"[\[]")]
    #[case(r"[]a]", r"[\]a]")]
    #[case(r"[[:alpha:]_]", r"[[:alpha:]_]")]
    #[case(r"[a&&b]", r"[a\&\&b]")]
    #[case(r"[+--]", r"[+-\-]")]
    #[case(r"\<a\>", "<a>")]
    #[case(r"\Qa.b\E.", r"a\.b.")]
    #[case(r"a{2,3}{x}", r"a{2,3}\{x}")]
    #[case(r"(?i)a(?:b)(?P<n>c)", r"(?i)a(?:b)(?P<n>c)")]
    #[case(r"\.\/\x41\pL", r"\.\/\x41\pL")]
    fn translates(#[case] pattern: &str, #[case] expected: &str) {
        assert_eq!(translate(pattern).ok().as_deref(), Some(expected));
    }

    #[rstest]
    #[case(r"\1")]
    #[case(r"a{1001}")]
    #[case(r"(?x)a")]
    #[case(r"(?=a)")]
    fn refuses_what_re2_does_not_know(#[case] pattern: &str) {
        assert!(translate(pattern).is_err());
    }
}
