//! A template as it is executed.

/// Something between the texts.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Text(String),
    /// The value of a pipeline, or a variable that is set to it.
    Action(Pipeline),
    Break,
    Continue,
    If(Branch),
    With(Branch),
    Range(Branch),
    /// Another template, and what its dot is.
    Template(String, Option<Pipeline>),
}

#[derive(Debug, Clone)]
pub(super) struct Branch {
    pub(super) pipeline: Pipeline,
    pub(super) nodes: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

/// Commands of which each gets the value of the one before as its last argument.
#[derive(Debug, Clone)]
pub(super) struct Pipeline {
    /// Variables that get the value: new ones, unless they are assigned to.
    pub(super) variables: Vec<String>,
    pub(super) is_assignment: bool,
    pub(super) commands: Vec<Command>,
}

/// What is called, and its arguments.
#[derive(Debug, Clone)]
pub(super) struct Command {
    pub(super) first: Term,
    pub(super) arguments: Vec<Term>,
}

#[derive(Debug, Clone)]
pub(super) enum Term {
    Dot,
    Nil,
    /// `.a.b`
    Field(Vec<String>),
    /// `$a.b`
    Variable(String, Vec<String>),
    /// `(…).a.b`
    Chain(Box<Term>, Vec<String>),
    Function(&'static str),
    Pipeline(Pipeline),
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
}
