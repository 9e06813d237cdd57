//! Conditions: what has several solutions, or none.

use regorus::Value;

use super::{BuiltinId, NodeId, PartId, Pattern, RuleId, Slot, Term};
use crate::rego::source::Span;

/// A conjunction of steps.
#[derive(Debug, Default)]
pub struct Block {
    /// From the first to the last.
    pub steps: Box<[Step]>,
}

/// One condition of a block.
#[derive(Debug)]
pub struct Step {
    /// What it does.
    pub kind: StepKind,
    /// Where the expression that it comes from stands.
    pub span: Span,
}

/// What a step does.
#[derive(Debug)]
pub enum StepKind {
    /// Holds if the term is defined and not `false`.
    Test(Term),
    /// Writes a slot that nothing has written before: `x := term`. Fails where it is undefined.
    Bind(Slot, Term),
    /// `pattern = term`.
    Match(Pattern, Term),
    /// Enumerates what lies below a document; one solution for every match.
    Find(Box<Find>),
    /// The builtin `walk`: every path below a value, itself included, with what is there.
    Walk(Box<Walk>),
    /// Holds if the block has no solution.
    Not(Box<Block>),
    /// Holds if the block has a solution; its slots are not seen outside. (Also a conjunction of
    /// `and`: one step for each operand.)
    Exists(Box<Block>),
    /// `or`: holds if one of the blocks has a solution; later ones are not looked at.
    Either(Box<[Block]>),
    /// `every`.
    Every(Box<Every>),
    /// `with`.
    With(Box<With>),
}

/// Enumerates: `source.a[i].b[j] = value`.
///
/// One solution for each way to follow the path. `some k, v in xs` is the path `[Any(k)]` with
/// the value `v`.
#[derive(Debug)]
pub struct Find {
    /// Where the path begins.
    pub source: Source,
    /// What follows; at least one segment is [`Segment::Any`].
    pub path: Box<[Segment]>,
    /// What the value at the end has to match.
    pub value: Pattern,
}

/// One part of an enumerating path.
#[derive(Debug)]
pub enum Segment {
    /// A key that is known.
    Key(Term),
    /// Every key that matches: indexes of an array, keys of an object, members of a set, rules
    /// and packages of a package.
    Any(Pattern),
}

/// Where a path begins.
#[derive(Debug)]
pub enum Source {
    /// At a value.
    Term(Term),
    /// At a partial rule, of which only what the path knows the keys of is evaluated.
    Part(PartId),
    /// At a package, or above packages. The path leads through rules, through base data, or
    /// through both where they overlay each other; only what it leads to is evaluated.
    Node(NodeId),
}

/// `walk(root, output)`.
#[derive(Debug)]
pub struct Walk {
    /// The value to walk through.
    pub root: Term,
    /// What `[path, value]` has to match. With [`Pattern::Array`] of two, of which the first is
    /// [`Pattern::Any`], no path is built.
    pub output: Pattern,
}

/// `every key, value in domain { body }`.
#[derive(Debug)]
pub struct Every {
    /// Where it is undefined or no collection, the step fails.
    pub domain: Term,
    /// Binds the key.
    pub key: Pattern,
    /// Binds the value.
    pub value: Pattern,
    /// Has to have a solution for every member.
    pub body: Block,
}

/// `expression with target as value …`
///
/// The replacements are evaluated once, before any of them holds. They hold in the block and in
/// every rule, function and comprehension that it evaluates, and no longer in the steps that
/// follow. What was memoised outside is not seen inside, and the reverse.
#[derive(Debug)]
pub struct With {
    /// From the first to the last.
    pub overrides: Box<[Override]>,
    /// The expression. Later steps of the surrounding block see the slots that it writes.
    pub block: Block,
}

/// One replacement.
#[derive(Debug)]
pub enum Override {
    /// `with input.a.b as term`; without a path, the whole input.
    Input(Box<[Value]>, Term),
    /// `with data.a.b as term`: base data, and every rule at the path or below it.
    Data(Box<[Value]>, Term),
    /// `with f as term`: a function or builtin has this value, whatever its arguments.
    Value(Callee, Term),
    /// `with f as g`: `g` is called instead. While it is, no function is replaced.
    Callee(Callee, Callee),
}

/// What can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Callee {
    /// A function of the policy.
    Function(RuleId),
    /// A builtin function.
    Builtin(BuiltinId),
}
