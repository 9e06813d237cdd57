//! Documents to text, in blocks with two spaces for each level, as go-yaml's emitter writes them.

use std::fmt::Write as _;

use super::{
    Context, Result,
    decode::Document,
    order,
    resolve::{self, TEXT},
};
use crate::rego::builtins::format;

/// Spaces of a level.
const INDENT: usize = 2;

/// Bytes that a key can have on one line with its value.
const LONGEST_KEY: usize = 128;

pub(super) fn text(context: &mut Context<'_, '_>, document: &Document) -> Result<String> {
    let mut emitter = Emitter {
        context,
        text: String::new(),
        column: 0,
        is_after_space: true,
        is_indentation: true,
    };
    emitter.node(document, None, 0)?;
    emitter.indent(0)?;
    Ok(emitter.text)
}

#[derive(Debug)]
struct Emitter<'c, 'x, 'q> {
    context: &'c mut Context<'x, 'q>,
    text: String,
    column: usize,
    /// Whether nothing has to be put between what was written last and a word.
    is_after_space: bool,
    /// Whether there is nothing on the line but spaces and signs of entries.
    is_indentation: bool,
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

impl Emitter<'_, '_, '_> {
    /// A node in a collection with an indentation, if it is in one; lines of its text have another.
    fn node(&mut self, document: &Document, outer: Option<usize>, lines: usize) -> Result<()> {
        let inner = outer.map_or(0, |outer| outer + INDENT);
        match document {
            Document::Sequence(elements) if elements.is_empty() => self.word("[]"),
            Document::Mapping(members) if members.is_empty() => self.word("{}"),
            Document::Sequence(elements) => {
                self.context.budget.descend()?;
                for element in elements {
                    self.indent(inner)?;
                    self.sign("-")?;
                    self.node(element, Some(inner), inner + INDENT)?;
                }
                self.context.budget.ascend();
                Ok(())
            }
            Document::Mapping(members) => {
                self.context.budget.descend()?;
                for (key, value) in order::sorted(self.context, members)? {
                    self.indent(inner)?;
                    let is_simple = !key.contains(is_break) && key.len() <= LONGEST_KEY;
                    if is_simple {
                        self.string(key, true, inner + INDENT)?;
                        self.put(":")?;
                        self.is_after_space = false;
                        self.is_indentation = false;
                    } else {
                        self.sign("?")?;
                        self.string(key, false, inner + INDENT)?;
                        self.indent(inner)?;
                        self.sign(":")?;
                    }
                    self.node(value, Some(inner), inner + INDENT)?;
                }
                self.context.budget.ascend();
                Ok(())
            }
            Document::Null => self.word("null"),
            Document::Boolean(true) => self.word("true"),
            Document::Boolean(false) => self.word("false"),
            Document::Integer(integer) => self.word(&integer.to_string()),
            Document::Float(float) => self.word(&float_text(*float)),
            Document::Text(text) => self.string(text, false, lines.max(INDENT)),
        }
    }

    fn put(&mut self, text: &str) -> Result<()> {
        self.context.charge_bytes(text.len())?;
        self.text.push_str(text);
        self.column += text.chars().count();
        Ok(())
    }

    fn put_break(&mut self) {
        self.text.push('\n');
        self.column = 0;
        self.is_indentation = true;
    }

    /// Begins a line of a level, where the present one will not do.
    fn indent(&mut self, indent: usize) -> Result<()> {
        if !self.is_indentation
            || self.column > indent
            || self.column == indent && !self.is_after_space
        {
            self.put_break();
        }
        if self.column < indent {
            self.put(&" ".repeat(indent - self.column))?;
        }
        self.is_after_space = true;
        Ok(())
    }

    /// The sign of an entry, behind which another entry can begin.
    fn sign(&mut self, sign: &str) -> Result<()> {
        self.space()?;
        self.put(sign)?;
        self.is_after_space = false;
        Ok(())
    }

    fn space(&mut self) -> Result<()> {
        if self.is_after_space {
            return Ok(());
        }
        self.put(" ")
    }

    fn word(&mut self, word: &str) -> Result<()> {
        self.space()?;
        self.put(word)?;
        self.is_after_space = false;
        self.is_indentation = false;
        Ok(())
    }

    fn string(&mut self, text: &str, is_simple_key: bool, lines: usize) -> Result<()> {
        match style(text, is_simple_key) {
            Style::Plain => self.word(text),
            Style::Single => self.single_quoted(text, lines),
            Style::Double => self.word(&double_quoted(text)),
            Style::Literal => self.literal(text, lines),
        }
    }

    fn single_quoted(&mut self, text: &str, lines: usize) -> Result<()> {
        self.space()?;
        self.put("'")?;
        self.is_indentation = false;
        self.is_after_space = false;
        let mut is_after_break = false;
        for character in text.chars() {
            if is_break(character) {
                if !is_after_break && character == '\n' {
                    self.put_break();
                }
                self.line_break(character)?;
                is_after_break = true;
                continue;
            }
            if character != ' ' {
                if is_after_break {
                    self.indent(lines)?;
                }
                is_after_break = false;
                self.is_indentation = false;
            }
            if character == '\'' {
                self.put("'")?;
            }
            self.put(character.encode_utf8(&mut [0; 4]))?;
        }
        self.put("'")?;
        self.is_after_space = false;
        self.is_indentation = false;
        Ok(())
    }

    fn literal(&mut self, text: &str, lines: usize) -> Result<()> {
        self.space()?;
        self.put("|")?;
        if text.starts_with([' ', '\n', '\u{2028}', '\u{2029}']) {
            self.put("2")?;
        }
        let mut last = text.chars().rev();
        match (last.next(), last.next()) {
            (Some(end), _) if !is_break(end) => self.put("-")?,
            (_, None) => self.put("+")?,
            (_, Some(before)) if is_break(before) => self.put("+")?,
            _ => {}
        }
        self.put_break();
        self.is_after_space = true;
        let mut is_after_break = true;
        for character in text.chars() {
            if is_break(character) {
                self.line_break(character)?;
                is_after_break = true;
                continue;
            }
            if is_after_break {
                self.indent(lines)?;
            }
            self.put(character.encode_utf8(&mut [0; 4]))?;
            self.is_indentation = false;
            is_after_break = false;
        }
        Ok(())
    }

    /// The end of a line within a text.
    fn line_break(&mut self, character: char) -> Result<()> {
        if character == '\n' {
            self.put_break();
            return Ok(());
        }
        self.put(character.encode_utf8(&mut [0; 4]))?;
        self.column = 0;
        self.is_indentation = true;
        Ok(())
    }
}

fn is_break(character: char) -> bool {
    matches!(character, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_printable(character: char) -> bool {
    match character {
        '\n' | ' '..='~' => true,
        '\u{feff}' | '\u{fffe}' | '\u{ffff}' => false,
        character => ('\u{a0}'..'\u{10000}').contains(&character),
    }
}

/// What a text allows of the ways to write it.
fn style(text: &str, is_simple_key: bool) -> Style {
    let is_text = resolve::bare(text).0 == TEXT && !is_remnant(text);
    let mut wanted = if text.contains('\n') {
        Style::Literal
    } else if is_text {
        Style::Plain
    } else {
        Style::Double
    };
    let shape = Shape::of(text);
    if wanted == Style::Plain && !shape.can_be_plain {
        wanted = Style::Single;
    }
    let is_impossible = match wanted {
        Style::Single => !shape.can_be_single,
        Style::Literal => !shape.can_be_literal || is_simple_key,
        _ => false,
    };
    if is_impossible { Style::Double } else { wanted }
}

/// What older YAML takes for a boolean or a number.
fn is_remnant(text: &str) -> bool {
    let is_boolean = matches!(
        text,
        "y" | "Y"
            | "yes"
            | "Yes"
            | "YES"
            | "on"
            | "On"
            | "ON"
            | "n"
            | "N"
            | "no"
            | "No"
            | "NO"
            | "off"
            | "Off"
            | "OFF"
    );
    is_boolean || is_base_sixty(text)
}

/// `1:30`, `-20:15.5`
fn is_base_sixty(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_digits = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'_')
    };
    let mut parts = text.split(':');
    let first = parts.next().unwrap_or_default();
    if !first.starts_with(|digit: char| digit.is_ascii_digit()) || !is_digits(first) {
        return false;
    }
    let rest: Vec<&str> = parts.collect();
    let Some((last, between)) = rest.split_last() else {
        return false;
    };
    let (last, fraction) = last.split_once('.').unwrap_or((last, ""));
    let is_sixtieth = |part: &str| match part.as_bytes() {
        [digit] | [b'0'..=b'5', digit] => digit.is_ascii_digit(),
        _ => false,
    };
    is_sixtieth(last) && between.iter().all(|part| is_sixtieth(part)) && is_digits(fraction)
}

#[derive(Debug)]
struct Shape {
    can_be_plain: bool,
    can_be_single: bool,
    can_be_literal: bool,
}

impl Shape {
    fn of(text: &str) -> Self {
        let mut shape = Self {
            can_be_plain: true,
            can_be_single: true,
            can_be_literal: !text.is_empty() && !text.ends_with(' '),
        };
        let is_margin = |character: char| character == ' ' || is_break(character);
        if text.starts_with("---")
            || text.starts_with("...")
            || text.starts_with(is_margin)
            || text.ends_with(is_margin)
            || text.contains(is_break)
        {
            shape.can_be_plain = false;
        }
        let mut before = None;
        let mut characters = text.chars().peekable();
        while let Some(character) = characters.next() {
            let next = characters.peek().copied();
            let is_followed = next.is_none_or(|next| matches!(next, ' ' | '\t'));
            let is_preceded =
                before.is_none_or(|before| matches!(before, ' ' | '\t') || is_break(before));
            let is_indicator = match character {
                ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
                | '@' | '`' => before.is_none(),
                '#' => is_preceded,
                '?' | '-' => before.is_none() && is_followed,
                ':' => is_followed,
                _ => false,
            };
            if is_indicator {
                shape.can_be_plain = false;
            }
            let is_special = character != '\t' && !is_printable(character);
            let is_space_before_break = before == Some(' ') && is_break(character);
            if is_special || is_space_before_break {
                shape.can_be_literal = false;
            }
            if is_special
                || is_space_before_break
                || character == '\t'
                || character == ' ' && before.is_some_and(is_break)
            {
                shape.can_be_plain = false;
                shape.can_be_single = false;
            }
            before = Some(character);
        }
        shape
    }
}

fn double_quoted(text: &str) -> String {
    // With a byte order mark at the beginning, go-yaml escapes everything.
    let is_marked = text.starts_with('\u{feff}');
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        let is_plain = is_printable(character)
            && !is_break(character)
            && !is_marked
            && !matches!(character, '"' | '\\');
        if is_plain {
            quoted.push(character);
            continue;
        }
        let short = match character {
            '\0' => "0",
            '\x07' => "a",
            '\x08' => "b",
            '\t' => "t",
            '\n' => "n",
            '\x0b' => "v",
            '\x0c' => "f",
            '\r' => "r",
            '\x1b' => "e",
            '"' => "\"",
            '\\' => "\\",
            '\u{85}' => "N",
            '\u{a0}' => "_",
            '\u{2028}' => "L",
            '\u{2029}' => "P",
            _ => "",
        };
        quoted.push('\\');
        quoted.push_str(short);
        if short.is_empty() {
            // Writing to a string does not fail.
            let _ = match u32::from(character) {
                code @ 0..=0xff => write!(quoted, "x{code:02X}"),
                code @ 0x100..=0xffff => write!(quoted, "u{code:04X}"),
                code => write!(quoted, "U{code:08X}"),
            };
        }
    }
    quoted.push('"');
    quoted
}

fn float_text(float: f64) -> String {
    if float.is_nan() {
        return ".nan".to_owned();
    }
    let sign = if float.is_sign_negative() { "-" } else { "" };
    if float.is_infinite() {
        return format!("{sign}.inf");
    }
    format!("{sign}{}", format::magnitude(float, 'g', None))
}

/// A float in as many digits as name the nearest of 32 bits.
pub(super) fn float_of_half(float: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the nearest float of 32 bits is what is wanted"
    )]
    let half = float as f32;
    if !half.is_finite() {
        return float_text(f64::from(half));
    }
    // Its shortest digits are no more than those of the float of 64 bits that they name.
    float_text(half.to_string().parse().unwrap_or(float))
}
