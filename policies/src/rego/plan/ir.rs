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
    /// Those of them that only a block within the body binds, such as that of `every`.
    pub inner_names: Box<[(Slot, Box<str>)]>,
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
    /// A call of a function or builtin. `walk` is [`StepKind::Walk`].
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
