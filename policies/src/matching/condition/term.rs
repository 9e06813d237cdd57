//! The tree of an expression.

use crate::rego::value::Value;

/// An expression. Names are gone: a variable of a comprehension is its place among those around it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Term {
    Constant(Value),
    Variable(Variable),
    Bound(usize),
    /// `a.b`, or `a["b"]` where that is the same.
    Select(Box<Term>, Value),
    /// `has(a.b)`
    Has(Box<Term>, Value),
    /// `a.?b`
    OptionalSelect(Box<Term>, Value),
    /// `a[b]`
    Index(Box<[Term; 2]>),
    /// `a[?b]`
    OptionalIndex(Box<[Term; 2]>),
    List(Vec<Term>),
    Map(Vec<[Term; 2]>),
    And(Box<[Term; 2]>),
    Or(Box<[Term; 2]>),
    Not(Box<Term>),
    /// `a ? b : c`
    Conditional(Box<[Term; 3]>),
    Operation(Operator, Box<[Term; 2]>),
    /// What a macro has gathered at a place, and something more; nothing else looks at it then.
    Gather(usize, Box<Term>),
    Negate(Box<Term>),
    /// Whether it is anything but `false`, an error included: when a comprehension goes on.
    NotFalse(Box<Term>),
    Call(Function, Vec<Term>),
    Comprehension(Box<Comprehension>),
}

/// What a request brings along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variable {
    Object,
    OldObject,
    Request,
    NamespaceObject,
    Params,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

/// A macro such as `all`, unfolded: the result's place is followed by the element's.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Comprehension {
    pub(super) range: Term,
    pub(super) first: Term,
    pub(super) goes_on: Term,
    pub(super) step: Term,
    pub(super) result: Term,
}

/// A function. Where it is written behind a dot, what stands before that is its first argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    Matches,
    LowerAscii,
    UpperAscii,
    Trim,
    Replace,
    Split,
    Join,
    Substring,
    IndexOf,
    LastIndexOf,
    CharAt,
    ToString,
    ToInt,
    ToDouble,
    SetsContains,
    SetsIntersects,
    SetsEquivalent,
    OrValue,
    Or,
    HasValue,
    Value,
}

/// How a function is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `a.f(b)`
    Method,
    /// `f(a, b)`
    Global,
    /// `sets.f(a, b)`
    Sets,
}

impl Function {
    /// The function of a name that is written so and takes this many arguments, with the one before
    /// the dot.
    pub(super) fn find(name: &str, style: Style, arguments: usize) -> Option<Self> {
        use Style::{Global, Method, Sets};
        let found = match (style, name, arguments) {
            (Method | Global, "size", 1) => Self::Size,
            (Method, "contains", 2) => Self::Contains,
            (Method, "startsWith", 2) => Self::StartsWith,
            (Method, "endsWith", 2) => Self::EndsWith,
            (Method | Global, "matches", 2) => Self::Matches,
            (Method, "lowerAscii", 1) => Self::LowerAscii,
            (Method, "upperAscii", 1) => Self::UpperAscii,
            (Method, "trim", 1) => Self::Trim,
            (Method, "replace", 3 | 4) => Self::Replace,
            (Method, "split", 2 | 3) => Self::Split,
            (Method, "join", 1 | 2) => Self::Join,
            (Method, "substring", 2 | 3) => Self::Substring,
            (Method, "indexOf", 2) => Self::IndexOf,
            (Method, "lastIndexOf", 2) => Self::LastIndexOf,
            (Method, "charAt", 2) => Self::CharAt,
            (Global, "string", 1) => Self::ToString,
            (Global, "int", 1) => Self::ToInt,
            (Global, "double", 1) => Self::ToDouble,
            (Sets, "contains", 2) => Self::SetsContains,
            (Sets, "intersects", 2) => Self::SetsIntersects,
            (Sets, "equivalent", 2) => Self::SetsEquivalent,
            (Method, "orValue", 2) => Self::OrValue,
            (Method, "or", 2) => Self::Or,
            (Method, "hasValue", 1) => Self::HasValue,
            (Method, "value", 1) => Self::Value,
            _ => return None,
        };
        Some(found)
    }
}
