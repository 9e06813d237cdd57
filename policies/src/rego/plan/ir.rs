//! The plan of a policy: what the executor executes.
//!
//! A plan is a tree over slots. Every name is gone: a local is a [`Slot`] of a frame, a rule or a
//! function is a [`RuleId`], a builtin is a [`BuiltinId`], a constant is the value itself, built
//! once and shared by all evaluations.
//!
//! ```text
//! Plan ── rules ──▶ Rule ── definitions ──▶ Definition { parameters, body: Block, path, value: Term, otherwise }
//!      ── tree ───▶ Node (packages and rules by their place below `data`)
//!      ── entries ▶ Entry { body: Block, value: Term }
//!
//! Block = Step*      a conjunction; later steps see the slots that earlier ones have written
//! Step               the only place where there can be several solutions
//! Term               at most one value: defined, or undefined
//! ```
//!
//! # What has one value and what has several
//!
//! A [`Term`] has at most one value. Whatever enumerates is a [`Step`], and a block backtracks over
//! its steps from the left to the right. So the lowering hoists an enumerating reference out of
//! the term that it is written in:
//!
//! ```text
//! count(input.xs[i].ys) > 2   ⇒   Find  input.xs [ Any(Bind i) ] = Bind t      (t := input.xs[i])
//!                                 Test  Compare(Greater, Builtin(count, [t.ys]), 2)
//! ```
//!
//! # Unification
//!
//! By the time a plan is made, the order of the conditions is known, and with it, for every
//! variable at every place, whether it is bound. Unification is therefore resolved: a variable that
//! is bound is compared ([`Pattern::Equal`]), one that is not is written ([`Pattern::Bind`]), an
//! array or object of both is taken apart. Nothing looks at run time whether a slot is bound, and
//! nothing is undone on backtracking: the next solution overwrites.
//!
//! # Undefined, false, and errors
//!
//! - A term that is undefined makes the term around it undefined (an element of an array, an
//!   argument, a key), and a step with an undefined term has no solution.
//! - `false` is a value. Only [`StepKind::Test`] treats it as a failure.
//! - An error (a conflict, an exhausted budget, in strict mode a builtin's error) ends the
//!   evaluation; nothing catches it.
//!
//! A comprehension is never undefined. [`StepKind::Not`] holds when its block has no solution.
//! Since Rego evaluates the operands of a negation *outside* of it (`not f(input.x)` is undefined
//! where `input.x` is), the lowering binds every operand that can be undefined by a step before the
//! negation, and leaves inside only the outermost call, reference or comparison.
//!
//! # Frames
//!
//! A definition and an entry say how many slots they use. Comprehensions, negations and `every`
//! share the frame of the definition that they are written in, with slots of their own. A function
//! finds its arguments in the slots `0..arity`; its [`Definition::parameters`] are patterns which
//! these are matched against before the body runs. So `f(x)` needs [`Pattern::Any`], and `x` *is*
//! slot 0; `f(1)` needs [`Pattern::Equal`], and `f([x, y])` a [`Pattern::Array`] that binds others.

use std::fmt;

use regorus::Value;

mod condition;
mod term;

pub use condition::{
    Block, Callee, Every, Find, Override, Segment, Source, Step, StepKind, Walk, With,
};
pub use term::{
    Call, Comparison, Comprehension, Grouping, Head, Operation, Pattern, Reference, Term,
};

pub use super::access::{Access, Reads};
pub use super::part::{Known, Part};
pub use crate::rego::builtins::BuiltinId;
use crate::rego::source::Span;

/// A compiled policy: immutable, shared by all threads.
#[derive(Debug, Default)]
pub struct Plan {
    /// Rules and functions; a [`RuleId`] is an index here.
    pub rules: Vec<Rule>,
    /// Packages and rules by their place below `data`; a [`NodeId`] is an index here, the first
    /// is `data` itself. Empty when the policy has no module.
    pub tree: Vec<Node>,
    /// What can be asked; an [`EntryId`] is an index here.
    pub entries: Vec<Entry>,
    /// What references ask of partial rules; a [`PartId`] is an index here.
    pub parts: Vec<Part>,
    /// What an evaluation may look at.
    pub reads: Reads,
}

impl Plan {
    /// The part of a partial rule of which this is known.
    pub fn part(&self, rule: RuleId, keys: &[Known]) -> Option<PartId> {
        let fits = |part: &Part| part.of == rule && *part.keys == *keys;
        let found = self.parts.iter().position(fits)?;
        u32::try_from(found).ok().map(PartId)
    }
}

macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// As an index.
            #[inline]
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}{}", stringify!($name), self.0)
            }
        }
    };
}

index!(
    /// A local variable: its place in the frame.
    Slot
);
index!(
    /// A rule or a function.
    RuleId
);
index!(
    /// A package or a rule below `data`.
    NodeId
);
index!(
    /// A question that can be asked of the plan.
    EntryId
);
index!(
    /// What a reference asks of a partial rule.
    PartId
);
index!(
    /// A comprehension that is evaluated for all keys at once.
    GroupingId
);
impl NodeId {
    /// `data` itself.
    pub const ROOT: Self = Self(0);
}

/// A question that can be asked of the plan, such as `data.platform.limits`.
///
/// Every solution of the body gives one value. For an entrypoint the body is empty and the value
/// is the reference; for a query with variables the value may be an object of their bindings.
#[derive(Debug)]
pub struct Entry {
    /// As it was asked.
    pub name: Box<str>,
    /// How many slots the frame needs.
    pub slots: u32,
    /// What has to hold.
    pub body: Block,
    /// The value of a solution; where it is undefined there is none.
    pub value: Term,
    /// Where the conditions of a query stand, in the order in which they are evaluated, if their
    /// values are asked for.
    pub conditions: Box<[Span]>,
}

/// Every definition of one name: a rule, a partial rule, or a function.
///
/// Rules that share a ground prefix with a partial rule (`p.q[x] := …` and `p.q.r := …`) are one
/// [`RuleKind::Object`] at the shortest prefix (`p.q`), with what follows in [`Definition::path`].
#[derive(Debug)]
pub struct Rule {
    /// The place below `data`, the package's path first: `["platform", "limits", "deny"]`.
    pub path: Box<[Value]>,
    /// What its definitions make.
    pub kind: RuleKind,
    /// In the order of the modules and of the source.
    pub definitions: Box<[Definition]>,
    /// `default p := …`: the value when no definition holds, with the frame that it needs. For a
    /// function, the arguments are in the slots `0..arity`, which it does not use.
    pub default: Option<Fallback>,
    /// Which definitions to try; without one, all of them.
    pub index: Option<Index>,
    /// Of a partial rule, how many keys behind the path its definitions give at most; a member of
    /// a set is one.
    pub keys: u32,
    /// How many levels of the budget's depth evaluating it takes: one, and more where terms are
    /// nested deep.
    pub levels: u32,
}

/// What the definitions of a rule make together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleKind {
    /// One value. Two different ones are an error.
    Complete,
    /// `p contains x`: the set of all values.
    Set,
    /// An object of which every solution of a definition gives one key, or one member of a set
    /// below a key, at any depth; see [`Definition::path`]. One path with two different values is
    /// an error.
    Object,
    /// One value for the same arguments. Two different ones are an error.
    Function {
        /// The number of parameters.
        arity: u32,
    },
}

/// The value of a rule whose definitions do not hold.
#[derive(Debug)]
pub struct Fallback {
    /// How many slots the frame needs.
    pub slots: u32,
    /// A constant or a comprehension.
    pub value: Term,
    /// Where it stands.
    pub span: Span,
}

/// One body of a rule, with its head.
#[derive(Debug)]
pub struct Definition {
    /// How many slots the frame needs, the arguments among them.
    pub slots: u32,
    /// What the arguments of a function, in the slots `0..arity`, have to match.
    pub parameters: Box<[Pattern]>,
    /// What has to hold.
    pub body: Block,
    /// For [`RuleKind::Object`]: the keys from the rule's path to the place of the value, at least
    /// one. Empty otherwise.
    pub path: Box<[Term]>,
    /// For [`RuleKind::Object`]: whether the place holds a set, of which the value is a member
    /// (`p[k] contains v`), instead of the value (`p[k] := v`).
    pub member: bool,
    /// The value; `true` where none is written. Where it is undefined the definition does not
    /// hold.
    pub value: Term,
    /// The variables that people named, in the order of the source. For explanations.
    pub names: Box<[(Slot, Box<str>)]>,
    /// `else`: tried when this definition has no solution, with the same arguments.
    pub otherwise: Option<Box<Definition>>,
    /// Where the head stands.
    pub span: Span,
}

/// Finds the definitions that can hold by one look-up.
///
/// The guard must have no side effects and no errors: a reference to the input, to base data, or,
/// for a function, to the slots of its arguments (no other slot is written yet). The guarded
/// condition stays in the body: an index may name a definition that does not hold, but never leave
/// out one that does.
#[derive(Debug)]
pub struct Index {
    /// What is looked up.
    pub guard: Term,
    /// The candidates where the guard has one of these values, in OPA's order of values and
    /// without repetition. Each includes the definitions that the guard says nothing about.
    pub cases: Box<[(Value, Candidates)]>,
    /// The candidates where the guard has another value, or none.
    pub otherwise: Candidates,
}

/// Definitions that can hold.
#[derive(Debug)]
pub enum Candidates {
    /// Indexes into [`Rule::definitions`], ascending.
    List(Box<[u32]>),
    /// The next guard.
    Index(Box<Index>),
}

/// A package or a rule below `data`.
///
/// Functions have nodes too, so that `with` can name them, but are no part of a document.
#[derive(Debug)]
pub struct Node {
    /// The place below `data`; of the root, empty.
    pub path: Box<[Value]>,
    /// What is here. A rule's node has no children.
    pub rule: Option<RuleId>,
    /// In OPA's order of their keys, the last parts of their paths.
    pub children: Box<[NodeId]>,
}

impl Node {
    /// The last part of its path; of the root, null.
    pub fn key(&self) -> &Value {
        self.path.last().unwrap_or(&Value::Null)
    }
}
