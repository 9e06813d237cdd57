//! The functions of templates.

use std::borrow::Cow;

use super::{
    Context, Result,
    datum::{Datum, Kind},
    invalid, refused,
};
use crate::rego::{
    builtins::{format, urlquery},
    value::{Value, printable::is_printable},
};

const NAMES: [&str; 19] = [
    "and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or",
    "print", "printf", "println", "slice", "urlquery",
];

/// The name of a function, if it is one.
pub(super) fn named(name: &str) -> Option<&'static str> {
    NAMES.into_iter().find(|known| *known == name)
}

/// What a function wants of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// Whatever it is.
    Any,
    /// A string, which a number is not.
    Text,
}

/// How many arguments a function has at least and at most, and what it wants of the first.
pub(super) fn signature(name: &str) -> (usize, usize, Want) {
    match name {
        "len" | "not" => (1, 1, Want::Any),
        "ge" | "gt" | "le" | "lt" | "ne" => (2, 2, Want::Any),
        "html" | "js" | "print" | "println" | "urlquery" => (0, usize::MAX, Want::Any),
        "printf" => (1, usize::MAX, Want::Text),
        _ => (1, usize::MAX, Want::Any),
    }
}

/// Calls a function whose arguments are all evaluated.
pub(super) fn call<'d>(
    context: &mut Context<'_, '_>,
    name: &str,
    arguments: Vec<Datum<'d>>,
) -> Result<Datum<'d>> {
    let text = |text: String| Ok(Datum::Text(Cow::Owned(text)));
    let truth = |truth| Ok(Datum::Boolean(truth));
    match (name, arguments.as_slice()) {
        ("eq", [first, others @ ..]) => truth(is_equal(first, others)?),
        ("ne", [one, other]) => truth(!is_equal(one, std::slice::from_ref(other))?),
        ("lt", [one, other]) => truth(is_less(one, other)?),
        ("le", [one, other]) => truth(is_at_most(one, other)?),
        ("gt", [one, other]) => truth(!is_at_most(one, other)?),
        ("ge", [one, other]) => truth(!is_less(one, other)?),
        ("not", [argument]) => truth(!argument.is_true()),
        ("len", [argument]) => length(argument),
        ("index", [item, indexes @ ..]) => index(item.clone(), indexes),
        ("slice", [item, indexes @ ..]) => slice(item, indexes),
        ("print", arguments) => text(print(context, arguments, "<nil>")?),
        ("println", arguments) => {
            let words: Vec<String> = arguments.iter().map(|one| one.print("<nil>")).collect();
            text(words.join(" ") + "\n")
        }
        ("printf", [Datum::Text(_), ..]) => {
            let mut arguments = arguments.into_iter();
            let format = arguments.next().map_or(String::new(), |one| one.print(""));
            let operands: Vec<_> = arguments.map(Datum::into_operand).collect();
            text(format::formatted(context, &format, &operands)?)
        }
        ("html", arguments) => {
            let printed = print(context, arguments, "<no value>")?;
            context.charge_bytes(5 * printed.len())?;
            text(printed.chars().map(of_html).collect())
        }
        ("js", arguments) => {
            let printed = print(context, arguments, "<no value>")?;
            context.charge_bytes(6 * printed.len())?;
            text(printed.chars().map(of_javascript).collect())
        }
        ("urlquery", arguments) => {
            let printed = print(context, arguments, "<no value>")?;
            context.charge_bytes(3 * printed.len())?;
            text(urlquery::escape(printed.as_bytes()))
        }
        // `call`: no value is a function.
        _ => Err(invalid(&format!("error calling {name}"))),
    }
}

/// As `fmt.Sprint`: with spaces between what are no texts.
fn print(context: &mut Context<'_, '_>, arguments: &[Datum<'_>], none: &str) -> Result<String> {
    let mut printed = String::new();
    let mut was_text = true;
    for argument in arguments {
        let is_text = argument.text().is_some() || argument.is_none() && none != "<nil>";
        let argument = argument.print(none);
        context.charge_bytes(argument.len() + 1)?;
        if !is_text && !was_text {
            printed.push(' ');
        }
        printed.push_str(&argument);
        was_text = is_text;
    }
    Ok(printed)
}

fn is_equal(first: &Datum<'_>, others: &[Datum<'_>]) -> Result<bool> {
    if others.is_empty() {
        return Err(invalid("missing argument for comparison"));
    }
    for other in others {
        if is_equal_to(first, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_equal_to(one: &Datum<'_>, other: &Datum<'_>) -> Result<bool> {
    Ok(match (one, other) {
        (Datum::Boolean(one), Datum::Boolean(other)) => one == other,
        (Datum::Integer(one), Datum::Integer(other)) => one == other,
        (Datum::Byte(one), Datum::Byte(other)) => one == other,
        (Datum::Integer(integer), Datum::Byte(byte))
        | (Datum::Byte(byte), Datum::Integer(integer)) => *integer == i64::from(*byte),
        #[expect(clippy::float_cmp, reason = "it is what is asked for")]
        (Datum::Float(one), Datum::Float(other)) => one == other,
        _ if one.kind() == Kind::Text && other.kind() == Kind::Text => one.text() == other.text(),
        _ if one.is_none() || other.is_none() => one.is_none() && other.is_none(),
        (Datum::List(_), Datum::List(_)) | (Datum::Map(_), Datum::Map(_)) => {
            return Err(invalid("non-comparable types"));
        }
        _ => return Err(invalid("incompatible types for comparison")),
    })
}

fn is_less(one: &Datum<'_>, other: &Datum<'_>) -> Result<bool> {
    Ok(match (one, other) {
        (Datum::Integer(one), Datum::Integer(other)) => one < other,
        (Datum::Byte(one), Datum::Byte(other)) => one < other,
        (Datum::Integer(one), Datum::Byte(other)) => *one < i64::from(*other),
        (Datum::Byte(one), Datum::Integer(other)) => i64::from(*one) < *other,
        (Datum::Float(one), Datum::Float(other)) => one < other,
        _ => match (one.text(), other.text()) {
            (Some(one), Some(other)) => one < other,
            _ => return Err(invalid("invalid or incompatible types for comparison")),
        },
    })
}

fn is_at_most(one: &Datum<'_>, other: &Datum<'_>) -> Result<bool> {
    Ok(is_less(one, other)? || is_equal_to(one, other)?)
}

fn length(argument: &Datum<'_>) -> Result<Datum<'static>> {
    let length = match argument {
        Datum::Text(text) | Datum::Number(text) => text.len(),
        Datum::List(elements) => elements.len(),
        Datum::Map(members) => members.len(),
        _ => return Err(invalid("error calling len")),
    };
    Ok(Datum::Integer(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn place(index: &Datum<'_>) -> Result<usize> {
    let index = match index {
        Datum::Integer(index) => usize::try_from(*index).ok(),
        Datum::Byte(index) => Some(usize::from(*index)),
        _ => None,
    };
    index.ok_or_else(|| invalid("cannot index slice/array"))
}

fn index<'d>(mut item: Datum<'d>, indexes: &[Datum<'_>]) -> Result<Datum<'d>> {
    if item.is_none() {
        return Err(invalid("index of untyped nil"));
    }
    for index in indexes {
        let out_of_range = || invalid("index out of range");
        item = match item {
            Datum::Text(text) | Datum::Number(text) => {
                let byte = text.as_bytes().get(place(index)?).copied();
                Datum::Byte(byte.ok_or_else(out_of_range)?)
            }
            Datum::List(elements) => {
                let element = elements.get(place(index)?);
                Datum::of(element.ok_or_else(out_of_range)?)
            }
            Datum::Map(members) => match index {
                Datum::Text(key) => {
                    let member = members.get(&Value::from(&**key));
                    member.map_or(Datum::Nil, Datum::of)
                }
                _ => return Err(invalid("value has the wrong type of a key")),
            },
            _ => return Err(invalid("can't index item")),
        };
    }
    Ok(item)
}

fn slice<'d>(item: &Datum<'d>, indexes: &[Datum<'_>]) -> Result<Datum<'d>> {
    let invalid_index = || invalid("invalid slice index");
    let places = indexes.iter().map(place).collect::<Result<Vec<_>>>();
    let (length, most) = match item {
        Datum::Text(text) | Datum::Number(text) => (text.len(), 2),
        Datum::List(elements) => (elements.len(), 3),
        _ => return Err(invalid("can't slice item")),
    };
    if indexes.len() > most {
        return Err(invalid("too many slice indexes"));
    }
    let places = places?;
    if places.iter().any(|place| *place > length) {
        return match item {
            // Behind its elements a slice of Go has room for more, and nobody knows how much.
            Datum::List(_) => Err(refused("it takes more of a list than there is")),
            _ => Err(invalid_index()),
        };
    }
    let start = places.first().copied().unwrap_or(0);
    let end = places.get(1).copied().unwrap_or(length);
    if start > end || places.get(2).is_some_and(|most| end > *most) {
        return Err(invalid_index());
    }
    let part = |text: &Cow<'d, str>| {
        let part = text.get(start..end).map(|part| Cow::Owned(part.to_owned()));
        part.ok_or_else(|| refused("it cuts a character in parts"))
    };
    Ok(match item {
        Datum::Number(text) => Datum::Number(part(text)?),
        Datum::List(elements) => Datum::List(&elements[start..end]),
        item => Datum::Text(part(&Cow::Owned(item.print("")))?),
    })
}

fn of_html(character: char) -> Cow<'static, str> {
    match character {
        '\0' => "\u{fffd}".into(),
        '"' => "&#34;".into(),
        '\'' => "&#39;".into(),
        '&' => "&amp;".into(),
        '<' => "&lt;".into(),
        '>' => "&gt;".into(),
        other => other.to_string().into(),
    }
}

fn of_javascript(character: char) -> Cow<'static, str> {
    match character {
        '\\' => r"\\".into(),
        '\'' => r"\'".into(),
        '"' => "\\\"".into(),
        '<' | '>' | '&' | '=' | '\0'..' ' => format!("\\u{:04X}", u32::from(character)).into(),
        other if other.is_ascii() || is_printable(other) => other.to_string().into(),
        other => format!("\\u{:04X}", u32::from(other)).into(),
    }
}
