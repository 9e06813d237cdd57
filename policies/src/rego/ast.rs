//! The syntax tree of a module: close to OPA's after its parser, before its compiler.
//!
//! ```text
//! Module ─┬─ Package, Import…
//!         └─ Rule… ─┬─ Head ── reference, arguments, key, value: Term
//!                   ├─ Body ── Expr… ── Term, Call, some, every, and, or, not, `with`
//!                   └─ otherwise: Rule…
//! ```
//!
//! Terms, expressions and bodies are shared and immutable: cloning one costs a counter. Each knows
//! its height, which [`MAX_HEIGHT`] bounds, so that a pass may walk a tree by recursion.
//!
//! Infix operators are calls of their builtins: `plus minus mul div rem and or eq assign equal neq
//! lt lte gt gte internal.member_2 internal.member_3`. Each `_` is a variable of its own, named
//! `$0`, `$1`, …; no other variable's name begins with `$`. `input` and `data` that stand alone are
//! references of one term.

mod equality;
mod shape;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use super::source::Span;

/// Greatest height of a term or body: nested brackets, bodies and chained operators. A pass may
/// spend 8 KiB of stack on a level and stays within a thread's 2 MiB; OPA's own tests stay below 40.
pub const MAX_HEIGHT: u16 = 200;

/// Most parts of a reference, a package or an import. What they lead to is a tree of that depth,
/// and each use of a rule's name stands for all of its path; people's have some ten parts.
pub const MAX_PATH: usize = 200;

/// A name or a text. Names are shared within a module.
pub type Name = Arc<str>;

/// What variables that were `_` begin with.
pub const WILDCARD: char = '$';

/// The version of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// Keywords are imported, `if` and `contains` are optional.
    V0,
    /// OPA 1: `if`, `contains`, `in` and `every` are part of the language.
    V1,
    /// What `import rego.v2` gives: `and`, `or` and `not` with bodies too.
    V2,
}

/// One source file.
#[derive(Clone, Debug)]
pub struct Module {
    /// The version that the source was read as.
    pub baseline: Version,
    /// The version whose rules it keeps: the baseline, raised by `import rego.v1`.
    pub version: Version,
    /// Where the module's documents are.
    pub package: Package,
    /// The imports, keywords' too.
    pub imports: Vec<Import>,
    /// The rules in the order of the source.
    pub rules: Vec<Rule>,
    /// The `# METADATA` blocks in the order of the source.
    pub annotations: Vec<Annotation>,
}

/// `package a.b`
#[derive(Clone, Debug)]
pub struct Package {
    /// The path below `data`, not empty.
    pub path: Vec<Name>,
    /// The path in the source.
    pub span: Span,
}

/// `import data.a.b as c`
#[derive(Clone, Debug)]
pub struct Import {
    /// The path with its head: `data`, `input`, `future` or `rego`.
    pub path: Vec<Name>,
    /// The path in the source.
    pub path_span: Span,
    /// The name that it is given.
    pub alias: Option<(Name, Span)>,
    /// The statement.
    pub span: Span,
}

impl Import {
    /// The name that the import gives to its path: the alias, or the path's last part.
    pub fn name(&self) -> &Name {
        let last = self.path.last().expect("an import has a path");
        self.alias.as_ref().map_or(last, |(alias, _)| alias)
    }
}

/// One definition. Chained bodies are rules of their own with the same head.
#[derive(Clone, Debug)]
pub struct Rule {
    /// `default` stands before it.
    pub default: bool,
    /// What it defines.
    pub head: Head,
    /// When it holds. `true` where nothing is written.
    pub body: Body,
    /// No body is written.
    pub generated_body: bool,
    /// The `else` branches. Each has the head's reference and arguments, its own value and body,
    /// and no branches.
    pub otherwise: Vec<Rule>,
    /// The whole rule with its branches; of a chained body, the body.
    pub span: Span,
    /// The annotations that apply to it, as indices into the module's.
    pub annotations: Vec<usize>,
}

/// What a rule defines.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "how a head is written: each can be with each"
)]
pub struct Head {
    /// `p.q[x]`: a variable, then any terms. The key of a partial set is not part of it.
    pub reference: Vec<Term>,
    /// The patterns of a function's arguments; empty for a rule.
    pub arguments: Vec<Term>,
    /// The member of a partial set, or OPA's key of `p[x] = y`, which is in the reference too.
    pub key: Option<Term>,
    /// The value; `None` for partial sets only.
    pub value: Option<Term>,
    /// No value is written, and `true` was put in its place.
    pub generated_value: bool,
    /// The value is given with `:=`.
    pub assign: bool,
    /// The head is written with `contains`.
    pub contains: bool,
    /// The head is followed by `if`.
    pub conditional: bool,
    /// The head.
    pub span: Span,
}

impl Head {
    /// The rule adds members to a set.
    pub fn is_set(&self) -> bool {
        self.value.is_none()
    }
}

/// A conjunction, not empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Body(Arc<[Expr]>);

impl Body {
    /// The conjunction of these conditions.
    pub fn new(exprs: Vec<Expr>) -> Self {
        Self(exprs.into())
    }

    /// Levels of terms and bodies inside.
    pub fn height(&self) -> u16 {
        self.iter().map(Expr::height).max().unwrap_or(0)
    }

    /// Nothing in it is a variable.
    pub fn is_ground(&self) -> bool {
        self.iter().all(Expr::is_ground)
    }
}

impl Deref for Body {
    type Target = [Expr];

    fn deref(&self) -> &[Expr] {
        &self.0
    }
}

/// One condition of a body.
#[derive(Clone, Debug)]
pub struct Expr(Arc<ExprNode>);

/// What an [`Expr`] holds.
#[derive(Debug)]
pub struct ExprNode {
    /// The condition.
    pub kind: ExprKind,
    /// `not` stands before it, without `import future.keywords.not`.
    pub negated: bool,
    /// The `with` modifiers.
    pub modifiers: Vec<With>,
    /// The whole condition.
    pub span: Span,
    height: u16,
}

/// The kinds of conditions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ExprKind {
    /// A term that must be defined and not `false`.
    Term(Term),
    /// A call, an operator's too.
    Call(Call),
    /// `some x, y`
    SomeDeclaration(Vec<Term>),
    /// `some x in xs`, `some k, v in xs`; key and value are patterns.
    SomeIn {
        /// The key's pattern.
        key: Option<Term>,
        /// The value's pattern.
        value: Term,
        /// The collection.
        domain: Term,
    },
    /// `every x in xs { … }`, `every k, v in xs { … }`; key and value are variables.
    Every {
        /// The key.
        key: Option<Term>,
        /// The value.
        value: Term,
        /// The collection.
        domain: Term,
        /// What must hold for each.
        body: Body,
    },
    /// `left and right`
    And(Logical),
    /// `left or right`
    Or(Logical),
    /// `not x` with `import future.keywords.not`, `not { … }`.
    Not {
        /// What must not hold.
        body: Body,
        /// It is written in braces.
        braces: bool,
    },
}

/// The two sides of `and` and `or`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Logical {
    /// The left side.
    pub left: Body,
    /// The right side.
    pub right: Body,
    /// The left side is written in braces.
    pub left_braces: bool,
    /// The right side is written in braces.
    pub right_braces: bool,
}

/// `with target as value`
#[derive(Clone, Debug)]
pub struct With {
    /// What is replaced: a reference or a variable.
    pub target: Term,
    /// The replacement.
    pub value: Term,
    /// The modifier.
    pub span: Span,
}

/// `operator(arguments)`
#[derive(Clone, Debug)]
pub struct Call {
    /// The function's reference; its head may be any term.
    pub operator: Vec<Term>,
    /// The operator in the source.
    pub operator_span: Span,
    /// The arguments.
    pub arguments: Vec<Term>,
}

impl Call {
    /// The name of the function where it is a variable or a path of names: `plus`, `io.jwt.decode`.
    pub fn name(&self) -> Option<String> {
        let (head, path) = self.operator.split_first()?;
        let TermKind::Var(head) = &head.kind else {
            return None;
        };
        let mut name = head.to_string();
        for part in path {
            let TermKind::String(part) = &part.kind else {
                return None;
            };
            name.push('.');
            name.push_str(part);
        }
        Some(name)
    }

    /// It is a call of the global function `name`, which has no dots.
    pub fn is(&self, name: &str) -> bool {
        matches!(&self.operator[..], [head] if matches!(&head.kind, TermKind::Var(head) if **head == *name))
    }
}

/// A term.
#[derive(Clone, Debug)]
pub struct Term(Arc<TermNode>);

/// What a [`Term`] holds.
#[derive(Debug)]
pub struct TermNode {
    /// The term.
    pub kind: TermKind,
    /// Where it is, without parentheses around it.
    pub span: Span,
    height: u16,
    hash: u64,
}

/// The kinds of terms.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TermKind {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number as it is written, with its sign.
    Number(Numeral),
    /// A text without its quotes and escapes.
    String(Name),
    /// `$"…{x}…"`
    Template(Template),
    /// A variable.
    Var(Name),
    /// `head.a[b]`: a variable or another term, then the path. At least one term.
    Ref(Vec<Term>),
    /// `[a, b]`
    Array(Vec<Term>),
    /// `{a: b}` as it is written: the same key may occur again.
    Object(Vec<(Term, Term)>),
    /// `{a, b}`, `set()`; terms that are the same occur once.
    Set(Vec<Term>),
    /// `[value | body]`
    ArrayComprehension {
        /// The member.
        value: Term,
        /// When it is one.
        body: Body,
    },
    /// `{value | body}`
    SetComprehension {
        /// The member.
        value: Term,
        /// When it is one.
        body: Body,
    },
    /// `{key: value | body}`
    ObjectComprehension {
        /// The key.
        key: Term,
        /// The value.
        value: Term,
        /// When they are part of it.
        body: Body,
    },
    /// A call within another term, an operator's too.
    Call(Call),
}

/// A number as it is written. `1`, `1.0` and `10e-1` are the same number.
#[derive(Clone, Debug)]
pub struct Numeral(Name);

impl Numeral {
    /// The number of a text like `-1.5e3`.
    pub fn new(text: Name) -> Self {
        Self(text)
    }
}

impl Deref for Numeral {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// A text with expressions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Template {
    /// It is written in backquotes.
    pub raw: bool,
    /// Texts and expressions in order. No text is empty.
    pub parts: Vec<TemplatePart>,
}

/// A part of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TemplatePart {
    /// A text, or a scalar in braces.
    Constant(Term),
    /// An expression in braces, which may be undefined.
    Expr(Expr),
}

/// A `# METADATA` block.
#[derive(Clone, Debug)]
pub struct Annotation {
    /// What it is about.
    pub scope: AnnotationScope,
    /// What is written: title, description, authors, custom, …, in the shape that OPA gives to
    /// policies.
    pub document: serde_json::Value,
    /// The block.
    pub span: Span,
    /// The end of the block's last line.
    pub end: Span,
}

/// What an [`Annotation`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnnotationScope {
    /// The next rule.
    Rule,
    /// All rules of that name.
    Document,
    /// The package in this file.
    Package,
    /// The package and those below it.
    Subpackages,
}

impl Term {
    /// A term at a place.
    pub fn new(kind: TermKind, span: Span) -> Self {
        let height = kind.height();
        let mut hasher = DefaultHasher::new();
        kind.hash(&mut hasher);
        Self(Arc::new(TermNode {
            kind,
            span,
            height,
            hash: hasher.finish(),
        }))
    }

    /// Levels of terms and bodies, this one included.
    pub fn height(&self) -> u16 {
        self.height
    }
}

impl Deref for Term {
    type Target = TermNode;

    fn deref(&self) -> &TermNode {
        &self.0
    }
}

impl Expr {
    /// A condition at a place.
    pub fn new(kind: ExprKind, span: Span) -> Self {
        Self::with(kind, false, Vec::new(), span)
    }

    /// A condition with its negation and modifiers.
    pub fn with(kind: ExprKind, negated: bool, modifiers: Vec<With>, span: Span) -> Self {
        let tallest = modifiers
            .iter()
            .map(|with| with.target.height().max(with.value.height()))
            .max();
        let height = kind.height().max(tallest.unwrap_or(0)).saturating_add(1);
        Self(Arc::new(ExprNode {
            kind,
            negated,
            modifiers,
            span,
            height,
        }))
    }

    /// Levels of terms and bodies, this one included.
    pub fn height(&self) -> u16 {
        self.height
    }
}

impl Deref for Expr {
    type Target = ExprNode;

    fn deref(&self) -> &ExprNode {
        &self.0
    }
}
