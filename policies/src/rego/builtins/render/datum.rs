//! Values in a template, as Go's types are told apart there.

use std::{borrow::Cow, fmt::Write as _};

use crate::rego::{
    builtins::format,
    value::{Value, elements, number, order},
};

/// A value. A number of the document is a text, whose type has a name of its own: Go's
/// `json.Number`.
#[derive(Debug, Clone)]
pub(super) enum Datum<'d> {
    /// What is not there.
    Missing,
    /// What is there and null.
    Nil,
    Boolean(bool),
    Integer(i64),
    /// A byte of a text.
    Byte(u8),
    Float(f64),
    Text(Cow<'d, str>),
    Number(Cow<'d, str>),
    List(&'d [Value]),
    Map(&'d regorus::value::Object),
}

/// Values that can be compared with each other are of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Integer,
    Byte,
    Float,
    Text,
    None,
}

impl<'d> Datum<'d> {
    pub(super) fn of(value: &'d Value) -> Self {
        match value {
            Value::Bool(truth) => Self::Boolean(*truth),
            Value::String(text) => Self::Text(Cow::Borrowed(text)),
            Value::Object(object) => Self::Map(object),
            Value::Array(_) | Value::Number(_) => match elements(value) {
                Some(elements) => Self::List(elements),
                None => Self::Number(Cow::Owned(number::text(value).unwrap_or_default())),
            },
            // There are no sets in JSON.
            Value::Null | Value::Undefined | Value::Set(_) => Self::Nil,
        }
    }

    /// The value of a pipeline: null is as good as nothing.
    pub(super) fn settled(self) -> Self {
        match self {
            Self::Nil => Self::Missing,
            other => other,
        }
    }

    pub(super) fn is_none(&self) -> bool {
        matches!(self, Self::Missing | Self::Nil)
    }

    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Missing | Self::Nil => false,
            Self::Boolean(truth) => *truth,
            Self::Integer(integer) => *integer != 0,
            Self::Byte(byte) => *byte != 0,
            Self::Float(float) => *float != 0.0,
            Self::Text(text) | Self::Number(text) => !text.is_empty(),
            Self::List(elements) => !elements.is_empty(),
            Self::Map(members) => !members.is_empty(),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Boolean(_) => Kind::Boolean,
            Self::Integer(_) => Kind::Integer,
            Self::Byte(_) => Kind::Byte,
            Self::Float(_) => Kind::Float,
            Self::Text(_) | Self::Number(_) => Kind::Text,
            Self::Missing | Self::Nil | Self::List(_) | Self::Map(_) => Kind::None,
        }
    }

    /// Its text, if it is of that kind.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text),
            _ => None,
        }
    }

    /// As Go's `fmt` prints it.
    pub(super) fn print(&self, none: &str) -> String {
        match self {
            Self::Missing | Self::Nil => none.to_owned(),
            Self::Boolean(truth) => truth.to_string(),
            Self::Integer(integer) => integer.to_string(),
            Self::Byte(byte) => byte.to_string(),
            Self::Float(float) => {
                let sign = if float.is_sign_negative() { "-" } else { "" };
                format!("{sign}{}", format::magnitude(*float, 'g', None))
            }
            Self::Text(text) | Self::Number(text) => text.clone().into_owned(),
            Self::List(elements) => {
                let mut text = String::new();
                print_list(&mut text, elements);
                text
            }
            Self::Map(members) => {
                let mut text = String::new();
                print_map(&mut text, members);
                text
            }
        }
    }

    /// The value as an operand of `printf`.
    pub(super) fn into_operand(self) -> format::Operand<'d> {
        use format::Operand;
        let named = |operand, name| Operand::Named(Box::new(operand), name);
        match self {
            Self::Missing | Self::Nil => Operand::Nothing,
            Self::Boolean(truth) => Operand::Boolean(truth),
            Self::Integer(integer) => named(Operand::Integer(integer), "int"),
            Self::Byte(byte) => named(Operand::Integer(byte.into()), "uint8"),
            Self::Float(float) => Operand::Float(float),
            Self::Text(text) => Operand::Text(text),
            Self::Number(text) => named(Operand::Text(text), "json.Number"),
            Self::List(_) => Operand::Collection(self.print(""), "[]interface {}"),
            Self::Map(_) => Operand::Collection(self.print(""), "map[string]interface {}"),
        }
    }
}

fn print_value(text: &mut String, value: &Value) {
    match Datum::of(value) {
        Datum::List(elements) => print_list(text, elements),
        Datum::Map(members) => print_map(text, members),
        other => text.push_str(&other.print("<nil>")),
    }
}

fn print_list(text: &mut String, elements: &[Value]) {
    text.push('[');
    for (at, element) in elements.iter().enumerate() {
        if at > 0 {
            text.push(' ');
        }
        print_value(text, element);
    }
    text.push(']');
}

fn print_map(text: &mut String, members: &regorus::value::Object) {
    text.push_str("map[");
    for (at, (key, value)) in order::entries(members).enumerate() {
        if at > 0 {
            text.push(' ');
        }
        // Writing to a string does not fail.
        let _ = write!(text, "{}:", Datum::of(key).print("<nil>"));
        print_value(text, value);
    }
    text.push(']');
}
