//! Builtin functions.
//!
//! A function is here, or it is refused. A policy that calls a refused one is refused when it is
//! applied, with the reason and what to do instead; so is one that calls what needs a power which it
//! has not.
//!
//! Functions get values that are defined, and return a value, [`Value::Undefined`], or a
//! fault, which is undefined too unless the evaluation is strict.

mod aggregates;
mod bytes;
mod casts;
mod cidr;
mod collections;
mod crypto;
mod did;
mod encoding;
mod format;
mod glob;
mod globs;
mod jwt;
mod letters;
mod memory;
mod numbers;
mod objects;
mod operators;
mod outside;
mod parts;
mod patch;
mod paths;
mod pattern;
mod refused;
mod regex;
mod render;
mod request;
mod schema;
mod semver;
mod strings;
mod subset;
mod template;
mod time;
mod units;
mod uri;
mod urlquery;
mod uuid;
mod yaml;

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

pub(crate) use bytes::read_base64;
pub(crate) use crypto::read_certificate;
pub(crate) use glob::glob_match;
pub use outside::Network;
pub use refused::Refusal;
pub use request::Surroundings;
pub(crate) use yaml::read_yaml;

use super::{
    check::signatures,
    execute::{Error, ErrorKind, SET_SIZE, VALUE_SIZE},
    plan::ir::Operation,
    value::{self, Kind, Value, arithmetic, number, text},
};

/// A builtin function, by its place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BuiltinId(pub u16);

/// Why a builtin has no value.
#[derive(Debug)]
pub(crate) enum Fault {
    /// An operand has the wrong type.
    Type(String),
    /// An operand has a value that the function cannot work with.
    Value(String),
    /// The evaluation ends, strict or not: the budget is used up, or the function panicked.
    Ends(Box<Error>),
}

impl From<arithmetic::Fault> for Fault {
    fn from(fault: arithmetic::Fault) -> Self {
        match fault {
            arithmetic::Fault::Type { .. } => Self::Type(fault.to_string()),
            // OPA has a number there. Undefined would be another answer.
            arithmetic::Fault::TooLong => Self::Ends(ErrorKind::Digits.into()),
            fault => Self::Value(fault.to_string()),
        }
    }
}

impl From<Box<Error>> for Fault {
    fn from(error: Box<Error>) -> Self {
        Self::Ends(error)
    }
}

/// What a builtin returns.
pub(crate) type Result<T> = std::result::Result<T, Fault>;

/// What a builtin of ours looks like.
type Function = fn(&mut Context<'_, '_>, &[Value]) -> Result<Value>;

/// What a builtin may use.
#[derive(Debug)]
pub(crate) struct Context<'c, 'q> {
    pub(crate) surroundings: &'c mut Surroundings<'q>,
    pub(crate) budget: &'c mut super::execute::Budget,
}

impl Context<'_, '_> {
    /// Accounts for members that are about to be looked at or built.
    fn charge_members(&mut self, count: usize) -> Result<()> {
        let count = count as u64;
        self.budget.steps(count)?;
        Ok(self.budget.charge(VALUE_SIZE.saturating_mul(count))?)
    }

    /// Accounts for a document that is about to be built once more.
    fn charge_document(&mut self, document: &Value) -> Result<()> {
        match document {
            Value::Array(elements) => {
                self.charge_members(elements.len())?;
                elements
                    .iter()
                    .try_for_each(|one| self.charge_document(one))
            }
            Value::Set(set) => {
                self.charge_members(set.len())?;
                self.budget.charge(SET_SIZE)?;
                set.iter().try_for_each(|one| self.charge_document(one))
            }
            Value::Object(object) => {
                self.charge_members(2 * object.len())?;
                object
                    .values()
                    .try_for_each(|one| self.charge_document(one))
            }
            _ => Ok(()),
        }
    }

    /// Accounts for a text that grows as it is built: it is there twice for a moment, with room for
    /// as much again, and is copied in the end.
    fn charge_growing(&mut self, count: usize) -> Result<()> {
        self.charge_bytes(count.saturating_mul(2))
    }

    /// Accounts for bytes that are about to be built.
    fn charge_bytes(&mut self, count: usize) -> Result<()> {
        self.budget.bytes(count as u64)?;
        Ok(self.budget.charge(count as u64)?)
    }
}

impl Context<'_, '_> {
    /// Accounts for the text of a value before it is written. A part that is shared is written
    /// each time, so that a small value in memory can have a text without end; and what has to be
    /// escaped is longer than it is.
    fn charge_text(&mut self, value: &Value) -> Result<()> {
        let mut open = vec![value];
        while let Some(value) = open.pop() {
            match value {
                Value::String(text) => self.charge_bytes(text::longest(text))?,
                Value::Object(object) => {
                    self.charge_members(2 * object.len())?;
                    open.extend(object.iter().flat_map(|(key, value)| [key, value]));
                }
                Value::Set(set) => {
                    self.charge_members(set.len())?;
                    open.extend(set.iter());
                }
                Value::Array(_) | Value::Number(_) => match value::elements(value) {
                    Some(elements) => {
                        self.charge_members(elements.len())?;
                        open.extend(elements);
                    }
                    None => self.budget.charge(number::length(value))?,
                },
                _ => {}
            }
        }
        Ok(())
    }
}

/// What a function needs besides its operands, and not every policy has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Power {
    /// Hosts that may be asked.
    Network,
    /// A memory from one evaluation to the next.
    Memory,
}

/// Why a policy has not the powers that functions need; `None` where it has.
#[derive(Debug, Clone, Copy)]
pub struct Withheld {
    /// Why it asks no hosts.
    pub network: Option<Refusal>,
    /// Why it has no memory.
    pub memory: Option<Refusal>,
}

impl Default for Withheld {
    /// For what is evaluated without an administrator who allows anything.
    fn default() -> Self {
        Self {
            network: Some(Refusal {
                reason: "policies make no network calls",
                remedy: "give the policy what it needs as data",
            }),
            memory: Some(Refusal {
                reason: "there is no memory here",
                remedy: "evaluate the policy where it is served",
            }),
        }
    }
}

/// How a function is implemented.
#[derive(Debug, Clone, Copy)]
enum Implementation {
    Ours(Function),
    Powered(Power, Function),
    Refused(Refusal),
}

#[derive(Debug)]
struct Builtin {
    name: &'static str,
    arity: u8,
    implementation: Implementation,
    /// What it is given is accounted for before it is called.
    weighs: bool,
}

impl Builtin {
    fn new(name: &'static str, arity: u8, implementation: Implementation) -> Self {
        Self {
            name,
            arity,
            implementation,
            weighs: !SHALLOW.contains(&name),
        }
    }
}

/// All functions, by name.
static TABLE: LazyLock<Vec<Builtin>> = LazyLock::new(|| {
    let ours = [
        aggregates::FUNCTIONS,
        bytes::FUNCTIONS,
        casts::FUNCTIONS,
        cidr::FUNCTIONS,
        collections::FUNCTIONS,
        crypto::FUNCTIONS,
        did::FUNCTIONS,
        encoding::FUNCTIONS,
        format::FUNCTIONS,
        glob::FUNCTIONS,
        globs::FUNCTIONS,
        jwt::FUNCTIONS,
        numbers::FUNCTIONS,
        objects::FUNCTIONS,
        operators::FUNCTIONS,
        parts::FUNCTIONS,
        patch::FUNCTIONS,
        regex::FUNCTIONS,
        paths::FUNCTIONS,
        render::FUNCTIONS,
        request::FUNCTIONS,
        schema::FUNCTIONS,
        semver::FUNCTIONS,
        strings::FUNCTIONS,
        subset::FUNCTIONS,
        template::FUNCTIONS,
        time::FUNCTIONS,
        units::FUNCTIONS,
        uri::FUNCTIONS,
        urlquery::FUNCTIONS,
        uuid::FUNCTIONS,
        yaml::FUNCTIONS,
    ];
    let ours = ours
        .into_iter()
        .flatten()
        .map(|(name, arity, function)| Builtin::new(name, *arity, Implementation::Ours(*function)));
    let powered = [outside::FUNCTIONS, memory::FUNCTIONS];
    let powered = powered
        .into_iter()
        .flatten()
        .map(|(name, arity, power, function)| {
            Builtin::new(name, *arity, Implementation::Powered(*power, *function))
        });
    let others = signatures::all().map(|signature| {
        let arity = u8::try_from(signature.arguments.len()).unwrap_or(u8::MAX);
        let refusal = refused::of(signature.name);
        Builtin::new(signature.name, arity, Implementation::Refused(refusal))
    });
    // Where there are two, the first counts.
    let all = ours.chain(powered).chain(others);
    let mut table: Vec<Builtin> = all.collect();
    table.sort_by_key(|builtin| builtin.name);
    table.dedup_by_key(|builtin| builtin.name);
    table
});

impl BuiltinId {
    fn get(self) -> &'static Builtin {
        &TABLE[usize::from(self.0)]
    }
}

/// Functions that do not look into the members of collections, or account for all that they look
/// at. Of any other function, all that it is given is accounted for before it is called.
const SHALLOW: &[&str] = &[
    "array.concat",
    "array.reverse",
    "array.slice",
    "count",
    "is_array",
    "is_boolean",
    "is_null",
    "is_number",
    "is_object",
    "is_set",
    "is_string",
    "json.marshal",
    "json.marshal_with_options",
    "json.match_schema",
    "object.get",
    "object.keys",
    "sprintf",
    "type_name",
];

/// Finds a function, whether it is available or refused.
pub fn lookup(name: &str) -> Option<BuiltinId> {
    let at = TABLE
        .binary_search_by_key(&name, |builtin| builtin.name)
        .ok()?;
    u16::try_from(at).ok().map(BuiltinId)
}

/// The name of a function.
pub fn name(builtin: BuiltinId) -> &'static str {
    builtin.get().name
}

/// How many operands a function takes.
pub fn arity(builtin: BuiltinId) -> u8 {
    builtin.get().arity
}

/// Why a function cannot be called, if it cannot, where nothing outside is allowed.
pub fn refusal(builtin: BuiltinId) -> Option<Refusal> {
    refusal_of(builtin, Withheld::default())
}

/// Why a function cannot be called by a policy from which these powers are withheld, if it cannot.
pub(crate) fn refusal_of(builtin: BuiltinId, withheld: Withheld) -> Option<Refusal> {
    match builtin.get().implementation {
        Implementation::Refused(refusal) => Some(refusal),
        Implementation::Powered(Power::Network, _) => withheld.network,
        Implementation::Powered(Power::Memory, _) => withheld.memory,
        Implementation::Ours(_) => None,
    }
}

/// What a policy needs to call a function, if anything.
pub fn condition(builtin: BuiltinId) -> Option<&'static str> {
    match builtin.get().implementation {
        Implementation::Powered(Power::Network, _) => Some(
            "for hosts that the policy names and the administrator allows, never in a policy that \
             judges at admission",
        ),
        Implementation::Powered(Power::Memory, _) => {
            Some("outside of policies that judge at admission")
        }
        Implementation::Ours(_) | Implementation::Refused(_) => None,
    }
}

/// Whether the compiler has something else in the place of a function, so that there is nothing to
/// call.
pub fn is_compiled(name: &str) -> bool {
    refused::COMPILED.contains(&name)
}

/// Calls a function.
pub(crate) fn call(
    builtin: BuiltinId,
    context: &mut Context<'_, '_>,
    operands: &[Value],
) -> Result<Value> {
    let Builtin {
        name,
        implementation,
        weighs,
        ..
    } = builtin.get();
    for operand in operands {
        if *weighs || matches!(operand, Value::String(_)) {
            context.budget.weigh(operand)?;
        }
        context.budget.room_to_list(operand)?;
    }
    match implementation {
        Implementation::Ours(function) | Implementation::Powered(_, function) => {
            function(context, operands)
        }
        Implementation::Refused(refusal) => Err(self::refused(name, refusal.reason)),
    }
}

/// The error that a fault is when the evaluation is strict.
pub(crate) fn error(name: &'static str, fault: &Fault) -> ErrorKind {
    let (message, is_type) = match fault {
        Fault::Type(message) => (message.clone(), true),
        Fault::Value(message) => (message.clone(), false),
        Fault::Ends(error) => return error.kind.clone(),
    };
    ErrorKind::Builtin {
        name,
        message,
        is_type,
    }
}

/// The name of the function that an operator stands for.
pub(crate) fn operator(operation: Operation) -> &'static str {
    match operation {
        Operation::Add => "plus",
        Operation::Subtract => "minus",
        Operation::Multiply => "mul",
        Operation::Divide => "div",
        Operation::Remainder => "rem",
        Operation::Intersect => "and",
        Operation::Union => "or",
    }
}

/// What a value takes, without what its members take.
pub(crate) fn size(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.len() as u64,
        Value::Array(elements) => VALUE_SIZE * elements.len() as u64,
        Value::Set(members) if members.is_empty() => 0,
        Value::Set(members) => SET_SIZE + 2 * VALUE_SIZE * members.len() as u64,
        Value::Object(object) => 3 * VALUE_SIZE * object.len() as u64,
        Value::Number(_) => number::length(value),
        _ => 0,
    }
}

/// A call whose result would not be OPA's.
fn refused(name: &'static str, reason: &'static str) -> Fault {
    Fault::Ends(ErrorKind::Refused { name, reason }.into())
}

/// Bytes of a text that a message shows.
const SHOWN: usize = 256;

/// The beginning of a text, for a message: nobody reads a megabyte of it.
fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(SHOWN)]
}

/// An operand of the wrong type.
fn wrong_type(operand: usize, expected: &str, found: &Value) -> Fault {
    Fault::Type(format!(
        "operand {operand} must be {expected} but got {}",
        value::kind(found).name()
    ))
}

/// An operand that is a string; operands count from 0 here and from 1 in messages.
fn string(operands: &[Value], at: usize) -> Result<&str> {
    match &operands[at] {
        Value::String(text) => Ok(text),
        other => Err(wrong_type(at + 1, "string", other)),
    }
}

/// An operand that is an integer of 64 bits.
fn integer(operands: &[Value], at: usize) -> Result<i64> {
    let operand = &operands[at];
    match number::as_i64(operand) {
        Some(integer) => Ok(integer),
        None if value::kind(operand) == Kind::Number => Err(Fault::Type(format!(
            "operand {} must be integer number but got floating-point number",
            at + 1
        ))),
        None => Err(wrong_type(at + 1, "number", operand)),
    }
}

/// How many members a value has; a text has none.
fn member_count(value: &Value) -> usize {
    match value {
        Value::String(_) => 0,
        other => value::count(other).unwrap_or(0),
    }
}

/// The members of an operand that is an array or a set.
fn members(operands: &[Value], at: usize) -> Result<Vec<&Value>> {
    match &operands[at] {
        Value::Set(set) => Ok(value::order::members(set).collect()),
        other => match value::elements(other) {
            Some(elements) => Ok(elements.iter().collect()),
            None => Err(wrong_type(at + 1, "one of {array, set}", other)),
        },
    }
}
