//! The resolved program: what remains of a policy when names, declarations and nested calls are
//! gone.
//!
//! ```text
//! Program ── modules, definitions ──▶ Definition { reference, arguments, body, key, value }
//!         ── tree                 ──▶ where the definitions are below `data`
//! ```
//!
//! A name is a [`Var`] of its definition, or a [`Ref`] from `input` or `data`. A call stands only as
//! a condition of its own, with its result in a variable: `count(xs) > f(y)` is
//!
//! ```text
//! $a = count(xs)      $b = f(y)      $a > $b
//! ```
//!
//! so that what a condition needs and what it gives can be read off it, and conditions can be put
//! in order. Terms therefore contain no calls; comprehensions contain bodies.

mod by_key;
mod tree;
mod walk;

use std::sync::Arc;

use regorus::Value;

use super::ast::{Name, Version, WILDCARD};
use super::source::Span;

pub use by_key::ByKey;
pub use tree::{Node, NodeId, Tree};
pub use walk::{walk_body, walk_term};

/// A variable of a definition, by its place in [`Definition::variables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Var(pub u32);

impl Var {
    /// As an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What is known of a variable.
#[derive(Clone, Debug)]
pub struct Variable {
    /// As it is written; of a variable that the compiler made, empty.
    pub name: Name,
    /// For the type checker it is the builtin function of its name: nothing declares it, and no
    /// condition of the definition's own body mentions it.
    pub builtin: bool,
}

impl Variable {
    /// Nobody wrote it: it stands for a part of a condition.
    pub fn is_generated(&self) -> bool {
        self.name.is_empty()
    }

    /// It has a name.
    pub fn is_named(&self) -> bool {
        !self.is_generated() && !self.name.starts_with(WILDCARD)
    }

    /// As it is shown to users.
    pub fn shown(&self) -> &str {
        // What the value of a condition is asked by is no name of a variable.
        let is_written = self.is_named() && !self.name.starts_with('=');
        if is_written { &self.name } else { "_" }
    }
}

/// A term without calls.
#[derive(Clone, Debug)]
pub struct Term {
    /// The term.
    pub kind: TermKind,
    /// Where it is written.
    pub span: Span,
}

/// The kinds of terms.
#[derive(Clone, Debug)]
pub enum TermKind {
    /// A scalar, or a collection of constants.
    Constant(Value),
    /// A variable.
    Var(Var),
    /// `root.a[b]`
    Ref(Box<Ref>),
    /// `[a, b]`
    Array(Vec<Term>),
    /// `{a, b}`
    Set(Vec<Term>),
    /// `{a: b}`
    Object(Vec<(Term, Term)>),
    /// `[v | …]`, `{v | …}`, `{k: v | …}`
    Comprehension(Box<Comprehension>),
}

/// A path into a document.
#[derive(Clone, Debug)]
pub struct Ref {
    /// Where it begins.
    pub root: Root,
    /// What follows.
    pub path: Vec<Term>,
}

/// Where a path begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// `input`
    Input,
    /// `data`
    Data,
    /// A variable.
    Var(Var),
}

/// A comprehension.
#[derive(Clone, Debug)]
pub struct Comprehension {
    /// What each solution gives.
    pub head: Head,
    /// What has to hold.
    pub body: Body,
    /// It is an expression of a template string, of which at most one solution is wanted.
    pub template: bool,
}

/// What a solution of a comprehension gives.
#[derive(Clone, Debug)]
pub enum Head {
    /// An element.
    Array(Term),
    /// A member.
    Set(Term),
    /// A key with its value.
    Object(Term, Term),
}

impl Head {
    /// Its terms.
    pub fn terms(&self) -> impl Iterator<Item = &Term> {
        let (first, second) = match self {
            Self::Array(term) | Self::Set(term) => (term, None),
            Self::Object(key, value) => (key, Some(value)),
        };
        std::iter::once(first).chain(second)
    }
}

/// A conjunction.
pub type Body = Vec<Expr>;

/// One condition.
#[derive(Clone, Debug)]
pub struct Expr {
    /// The condition.
    pub kind: ExprKind,
    /// `not` stands before it.
    pub negated: bool,
    /// The `with` modifiers. Conditions that were parts of one share them.
    pub with: Option<Arc<[With]>>,
    /// Where it is written.
    pub span: Span,
}

/// The kinds of conditions.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// Defined and not `false`.
    Term(Term),
    /// `left = right`
    Unify {
        /// The left side.
        left: Term,
        /// The right side.
        right: Term,
        /// It was `left := right`: the left side gets its value from the right one, never the
        /// reverse.
        assignment: bool,
    },
    /// A call.
    Call(Call),
    /// `every key, value in domain { body }`
    Every(Box<Every>),
    /// `not { … }`
    Not(Operand),
    /// `left and right`
    And(Operand, Operand),
    /// `left or right`
    Or(Operand, Operand),
}

/// An operand of `and`, `or`, and of `not` with a body.
#[derive(Clone, Debug)]
pub struct Operand {
    /// What has to hold.
    pub body: Body,
    /// It is written in braces, and so has variables of its own.
    pub braces: bool,
}

/// `every`
#[derive(Clone, Debug)]
pub struct Every {
    /// The key, if it is named.
    pub key: Option<Var>,
    /// The value.
    pub value: Var,
    /// The collection.
    pub domain: Term,
    /// What has to hold for each member.
    pub body: Body,
}

/// `callee(arguments) = output`
#[derive(Clone, Debug)]
pub struct Call {
    /// What is called.
    pub callee: Callee,
    /// The arguments.
    pub arguments: Vec<Term>,
    /// What its result is unified with. Without it, the result must be defined and not `false`.
    pub output: Option<Term>,
}

/// What can be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Callee {
    /// A builtin function, by its name.
    Builtin(&'static str),
    /// A function of the policy, by its node.
    Function(NodeId),
}

/// One `with` modifier.
#[derive(Clone, Debug)]
pub struct With {
    /// What is replaced.
    pub target: Target,
    /// By what.
    pub value: Replacement,
    /// Where it is written.
    pub span: Span,
}

impl With {
    /// The value that it puts there, unless that is a function.
    pub fn term(&self) -> Option<&Term> {
        match &self.value {
            Replacement::Term(term) => Some(term),
            Replacement::Callee(_) => None,
        }
    }
}

/// What a `with` modifier replaces.
#[derive(Clone, Debug)]
pub enum Target {
    /// `input`, or a place in it.
    Input(Vec<Value>),
    /// A place in `data`.
    Data(Vec<Value>),
    /// A function.
    Callee(Callee),
}

/// What a `with` modifier puts there.
#[derive(Clone, Debug)]
pub enum Replacement {
    /// A value.
    Term(Term),
    /// Another function, for a function.
    Callee(Callee),
}

/// A rule or one of its `else` branches.
#[derive(Clone, Debug)]
pub struct Definition {
    /// `default` stands before it.
    pub default: bool,
    /// Its place below `data`, the package first. What is not a constant is a variable.
    pub reference: Vec<Term>,
    /// How many parts of the reference are the package.
    pub package: usize,
    /// How many parts of the reference, from the first, are constants.
    pub ground: usize,
    /// The patterns of a function's arguments.
    pub arguments: Vec<Term>,
    /// What has to hold.
    pub body: Body,
    /// For a partial set, the member.
    pub key: Option<Term>,
    /// The value; `None` for partial sets only.
    pub value: Option<Term>,
    /// The `else` branches.
    pub otherwise: Vec<Definition>,
    /// Its variables.
    pub variables: Vec<Variable>,
    /// The module, as an index.
    pub module: usize,
    /// The head.
    pub span: Span,
}

impl Definition {
    /// It adds members to a set.
    pub fn is_set(&self) -> bool {
        self.value.is_none()
    }

    /// All of its reference is known.
    pub fn is_ground(&self) -> bool {
        self.ground == self.reference.len()
    }

    /// A variable that nobody wrote.
    pub fn fresh(&mut self) -> Var {
        fresh(&mut self.variables)
    }
}

/// A variable that nobody wrote.
pub fn fresh(variables: &mut Vec<Variable>) -> Var {
    let var = Var(u32::try_from(variables.len()).expect("a source is shorter than 4 GiB"));
    variables.push(Variable {
        name: "".into(),
        builtin: false,
    });
    var
}

/// What is known of a module.
#[derive(Clone, Debug)]
pub struct Module {
    /// Its package.
    pub package: Vec<Value>,
    /// Where that is written.
    pub span: Span,
    /// The rules that it keeps.
    pub version: Version,
}

/// A query: a body of which the named variables are asked for.
#[derive(Clone, Debug)]
pub struct Query {
    /// As it was asked.
    pub name: String,
    /// What has to hold.
    pub body: Body,
    /// The conditions as they are written, if their values are asked for.
    pub conditions: Vec<Asked>,
    /// Its variables.
    pub variables: Vec<Variable>,
    /// What each solution gives; `None` for the value of the variables that are named.
    pub value: Option<Term>,
}

/// A condition of a query whose value is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Where it is written.
    pub span: Span,
    /// The variable of its value; without one, its value is `true`.
    pub capture: Option<Var>,
}

/// The resolved policy.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// In the order of the files.
    pub modules: Vec<Module>,
    /// In the order of the source.
    pub definitions: Vec<Definition>,
    /// Where they are.
    pub tree: Tree,
    /// What can be asked.
    pub queries: Vec<Query>,
    /// Rules that some `with` puts in the place of a function, and where.
    pub stand_ins: Vec<(NodeId, Span)>,
}
