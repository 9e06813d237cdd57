//! Patterns and terms: what is matched, and what has at most one value.

use regorus::Value;

use super::{Block, Callee, GroupingId, NodeId, RuleId, Slot, Source};
use crate::rego::source::Span;

/// What a term has to look like.
#[derive(Debug)]
pub enum Pattern {
    /// Anything: `_`.
    Any,
    /// Anything, which is written to a slot.
    Bind(Slot),
    /// The value of a term whose variables are bound. Undefined matches nothing.
    Equal(Term),
    /// An array of exactly this length.
    Array(Box<[Pattern]>),
    /// An object with exactly these keys.
    Object(Box<[(Term, Pattern)]>),
}

/// What has at most one value.
#[derive(Debug)]
pub enum Term {
    /// A constant, of any size: a literal collection of constants is one.
    Constant(Value),
    /// A local variable that is bound.
    Local(Slot),
    /// `input`.
    Input,
    /// A package, or what is above packages: the document of all rules below it and of base data.
    /// A rule is [`Term::Rule`].
    Document(NodeId),
    /// All of base data, without any rule. A place in base data, at and below which there is no
    /// rule, is a [`Term::Reference`] to it.
    Data,
    /// The value of a rule; of a partial rule, all of it.
    Rule(RuleId),
    /// `source.a[b].c`, all parts known.
    Reference(Box<Reference>),
    /// A call of a function or builtin. `walk` is [`StepKind::Walk`](super::StepKind::Walk).
    ///
    /// A builtin that the policy replaces anywhere must be called like this, even if there is a
    /// node for it below.
    Call(Box<Call>),
    /// `a == b`, `a < b` …: a builtin that needs no table.
    Compare(Comparison, Box<(Term, Term)>),
    /// `a + b`, `a - b` …: likewise. `-`, `&` and `|` take sets too.
    Arithmetic(Operation, Box<(Term, Term)>),
    /// `a in b`: whether a member of the collection equals the first.
    Member(Box<(Term, Term)>),
    /// `k, v in b`.
    MemberWithKey(Box<(Term, Term, Term)>),
    /// `[a, b]`.
    Array(Box<[Term]>),
    /// `{a, b}`.
    Set(Box<[Term]>),
    /// `{k: v}`. Where keys turn out to be equal, the last one wins. (OPA takes them in its order
    /// of terms, not of the source: constants before locals.)
    Object(Box<[(Term, Term)]>),
    /// `[v | …]`, `{v | …}`, `{k: v | …}`.
    Comprehension(Box<Comprehension>),
}

/// A path of known keys.
#[derive(Debug)]
pub struct Reference {
    /// Where it begins. [`Source::Node`] is for keys that are only known at run time
    /// (`data.teams[input.team].limits`), and for overlays of rules and base data.
    pub source: Source,
    /// At least one key.
    pub path: Box<[Term]>,
}

/// A call.
#[derive(Debug)]
pub struct Call {
    /// What is called.
    pub callee: Callee,
    /// As many as it takes.
    pub arguments: Box<[Term]>,
    /// Where the call stands, for errors.
    pub span: Span,
}

/// A comprehension. The slots that it binds are its own.
#[derive(Debug)]
pub struct Comprehension {
    /// What has to hold.
    pub body: Block,
    /// What each solution gives.
    pub head: Head,
    /// How it is evaluated for all keys at once, if it can be.
    pub grouping: Option<Box<Grouping>>,
    /// Where it stands.
    pub span: Span,
}

/// A comprehension once more, without the conditions that compare something of it with something
/// outside of it: its value is one group of the solutions, those with the keys that are asked for.
/// Nothing else of the outside is in it. An evaluation that asks for many keys walks once through
/// what it would walk through for each.
#[derive(Debug)]
pub struct Grouping {
    /// Its number, by which the groups are kept.
    pub id: GroupingId,
    /// The keys that are asked for; where one is undefined, nothing is.
    pub asked: Box<[Term]>,
    /// What has to hold. It binds the keys.
    pub body: Block,
    /// The keys of a solution.
    pub found: Box<[Slot]>,
    /// What each solution gives: an element or a member.
    pub head: Head,
}

/// What each solution of a comprehension gives; where a term is undefined, nothing.
#[derive(Debug)]
pub enum Head {
    /// An element.
    Array(Term),
    /// A member.
    Set(Term),
    /// A key and its value. Two different values for one key are an error.
    Object(Term, Term),
}

/// A comparison, in OPA's order of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// An operation on numbers or sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `+`
    Add,
    /// `-`, of sets too
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `&`, of sets
    Intersect,
    /// `|`, of sets
    Union,
}
