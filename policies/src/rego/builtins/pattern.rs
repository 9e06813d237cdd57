//! Regular expressions in RE2's syntax, which OPA has, in that of Rust.
//!
//! The two agree but for what this translates: Perl's classes and word boundaries are ASCII in RE2;
//! brackets and doubled signs in a class are literal; `\<`, `\>` are too; `\Q…\E` quotes; Unicode's
//! classes are its categories and scripts. RE2 refuses a repetition of a repetition, and too many.

use std::fmt::Write as _;

use super::{Fault, Result, beginning};
use crate::rego::execute::ErrorKind;

/// The expression that a template stands for, and the expressions between its delimiters.
pub(super) fn template<'t>(
    template: &'t str,
    [open, close]: [&str; 2],
) -> Result<(String, Vec<&'t str>)> {
    let (&[open], &[close]) = (open.as_bytes(), close.as_bytes()) else {
        let message = "a delimiter has to be exactly one character long";
        return Err(Fault::Value(message.to_owned()));
    };
    let unbalanced = || {
        let template = beginning(template);
        Fault::Value(format!("unbalanced braces in {template:?}"))
    };
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

/// Categories with long names.
const CATEGORIES: [&str; 43] = [
    "any",
    "ascii",
    "assigned",
    "casedletter",
    "closepunctuation",
    "cntrl",
    "combiningmark",
    "connectorpunctuation",
    "control",
    "currencysymbol",
    "dashpunctuation",
    "decimalnumber",
    "digit",
    "enclosingmark",
    "finalpunctuation",
    "format",
    "initialpunctuation",
    "letter",
    "letternumber",
    "lineseparator",
    "lowercaseletter",
    "mark",
    "mathsymbol",
    "modifierletter",
    "modifiersymbol",
    "nonspacingmark",
    "number",
    "openpunctuation",
    "other",
    "otherletter",
    "othernumber",
    "otherpunctuation",
    "othersymbol",
    "paragraphseparator",
    "privateuse",
    "punct",
    "punctuation",
    "separator",
    "spaceseparator",
    "spacingmark",
    "symbol",
    "titlecaseletter",
    "uppercaseletter",
];

/// Scripts whose names have four letters.
const SCRIPTS_OF_FOUR: [&str; 9] = [
    "ahom", "cham", "kawi", "lisu", "miao", "modi", "newa", "thai", "toto",
];

/// The largest number of repetitions in RE2.
const MAX_REPETITIONS: u32 = 1000;

/// A regular expression in Rust's syntax.
pub(super) fn translate(pattern: &str) -> Result<String> {
    let mut translator = Translator {
        rest: pattern,
        result: String::with_capacity(pattern.len() + 16),
        copies: Copies::default(),
    };
    // Whether a repetition was last.
    let mut is_repeated = false;
    while let Some(character) = translator.next() {
        let was_repeated = std::mem::take(&mut is_repeated);
        match character {
            '\\' => translator.escape(false)?,
            '[' => translator.class()?,
            '{' => is_repeated = translator.repetition()?,
            '(' => translator.group()?,
            ')' => translator.copies.close(),
            '*' | '+' | '?' => is_repeated = true,
            _ => {}
        }
        match character {
            '\\' | '[' | '{' | '(' => {}
            other => translator.result.push(other),
        }
        if is_repeated {
            if was_repeated {
                return Err(invalid());
            }
            if let Some(rest) = translator.rest.strip_prefix('?') {
                translator.rest = rest;
                translator.result.push('?');
            }
        } else if !matches!(character, '(' | ')') {
            translator.copies.one();
        }
    }
    Ok(translator.result)
}

/// How often numbers of repetitions copy what they repeat.
#[derive(Debug, Default)]
struct Copies {
    /// What can be repeated next.
    last: u32,
    /// The most in this group.
    most: u32,
    /// The most so far in the groups around this.
    around: Vec<u32>,
}

impl Copies {
    fn one(&mut self) {
        self.last = 1;
        self.most = self.most.max(1);
    }

    fn open(&mut self) {
        self.around.push(std::mem::take(&mut self.most));
    }

    fn close(&mut self) {
        self.last = self.most.max(1);
        self.most = self.last.max(self.around.pop().unwrap_or(0));
    }

    /// `false` if it is too often.
    fn repeat(&mut self, times: u32) -> bool {
        self.last = self.last.max(1).saturating_mul(times.max(1));
        self.most = self.most.max(self.last);
        times < 2 || self.last <= MAX_REPETITIONS
    }
}

#[derive(Debug)]
struct Translator<'p> {
    rest: &'p str,
    result: String,
    copies: Copies,
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
            'x' if self.rest.starts_with('{') => {
                let end = self.rest.find('}').ok_or_else(invalid)?;
                self.result.push_str("\\x");
                self.result.push_str(&self.rest[..=end]);
                self.rest = &self.rest[end + 1..];
            }
            'p' | 'P' if self.rest.starts_with('{') => self.unicode(escaped == 'P')?,
            other if other.is_ascii_punctuation() => literal(&mut self.result, other),
            other => self.result.extend(['\\', other]),
        }
        Ok(())
    }

    /// What comes after `\p`: the name of a category or of a script.
    fn unicode(&mut self, negated: bool) -> Result<()> {
        let inside = self
            .rest
            .strip_prefix('{')
            .and_then(|rest| rest.split_once('}'));
        let (name, rest) = inside.ok_or_else(invalid)?;
        self.rest = rest;
        let (negated, name) = match name.strip_prefix('^') {
            Some(name) => (!negated, name),
            None => (negated, name),
        };
        let name: String = name
            .chars()
            .filter(|c| !matches!(c, '_' | '-' | ' '))
            .collect();
        let name = name.to_ascii_lowercase();
        if !name.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return Err(invalid());
        }
        let is_category = (name.len() <= 2 && name != "yi") || CATEGORIES.contains(&&*name);
        // Rust also knows the codes of scripts, which have four letters.
        if !is_category && name.len() == 4 && !SCRIPTS_OF_FOUR.contains(&&*name) {
            return Err(invalid());
        }
        let sign = if negated { 'P' } else { 'p' };
        let of = if is_category { "gc" } else { "sc" };
        // Writing to a string does not fail.
        let _ = write!(self.result, "\\{sign}{{{of}={name}}}");
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

    /// What comes after `{`: a number of repetitions, or itself. Whether it is the number.
    fn repetition(&mut self) -> Result<bool> {
        let Some((inside, rest)) = self.rest.split_once('}') else {
            self.result.push_str("\\{");
            return Ok(false);
        };
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let (least, most) = inside.split_once(',').unwrap_or((inside, inside));
        if !is_number(least) || !(most.is_empty() || is_number(most)) {
            self.result.push_str("\\{");
            return Ok(false);
        }
        let least: u32 = least.parse().map_err(|_| invalid())?;
        let most: Option<u32> = match most {
            "" => None,
            most => Some(most.parse().map_err(|_| invalid())?),
        };
        let times = most.unwrap_or(least);
        if least.max(times) > MAX_REPETITIONS || !self.copies.repeat(times) {
            return Err(invalid());
        }
        self.result.push('{');
        self.result.push_str(inside);
        self.result.push('}');
        self.rest = rest;
        Ok(true)
    }

    /// What comes after `(`.
    fn group(&mut self) -> Result<()> {
        self.result.push('(');
        self.copies.open();
        let Some(flags) = self.rest.strip_prefix('?') else {
            return Ok(());
        };
        let end = flags
            .find([':', ')', '<', 'P', '\''])
            .unwrap_or(flags.len());
        if !flags[..end].bytes().all(|flag| b"imsU-".contains(&flag)) {
            return Err(invalid());
        }
        // This sign repeats nothing.
        self.rest = flags;
        self.result.push('?');
        Ok(())
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
    #[case(r"\x{65e5}a{2}", r"\x{65e5}a{2}")]
    #[case(r"\p{Greek}\P{^Lu}", r"\p{sc=greek}\p{gc=lu}")]
    #[case(r"[\p{Upper_case Letter}]", r"[\p{gc=uppercaseletter}]")]
    #[case(r"a*?b+?(c{2}){3}", r"a*?b+?(c{2}){3}")]
    #[case(r"(a{30}b*){33}", r"(a{30}b*){33}")]
    fn translates(#[case] pattern: &str, #[case] expected: &str) {
        assert_eq!(translate(pattern).ok().as_deref(), Some(expected));
    }

    #[rstest]
    #[case(r"\1")]
    #[case(r"a{1001}")]
    #[case(r"(?x)a")]
    #[case(r"(?=a)")]
    #[case(r"a**")]
    #[case(r"a+?+")]
    #[case(r"a{2}{2}")]
    #[case(r"((a{10}b){10}|c){11}")]
    #[case(r"\p{Alphabetic=Yes}")]
    #[case(r"\p{Grek}")]
    #[case(r"\x{41")]
    fn refuses_what_re2_does_not_know(#[case] pattern: &str) {
        assert!(translate(pattern).is_err());
    }
}
