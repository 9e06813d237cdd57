//! What tokens there are, by OPA's names where its messages have them.

/// One token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// White space or a comment stands before it.
    pub space: bool,
    /// A line break stands before it.
    pub newline: bool,
    /// The first byte.
    pub start: u32,
    /// The byte after the last one.
    pub end: u32,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The end of the source.
    End,
    /// No token; what is wrong is among the faults.
    Illegal,
    /// A name that is no keyword.
    Name,
    /// A keyword, or a name that can become one.
    Word(Word),
    /// `1`, `1.5e3`; never a sign.
    Number,
    /// `"…"` with its quotes and escapes.
    Text,
    /// `` `…` ``
    RawText,
    /// The text of a template up to `{`, or to its end.
    Template {
        /// The template is written in backquotes.
        raw: bool,
        /// It ends with a quote, not with a brace.
        last: bool,
    },
    /// `[`
    LeftBracket,
    /// `]`
    RightBracket,
    /// `{`
    LeftBrace,
    /// `}`
    RightBrace,
    /// `(`
    LeftParenthesis,
    /// `)`
    RightParenthesis,
    /// `,`
    Comma,
    /// `:`
    Colon,
    /// `;`
    Semicolon,
    /// `.`
    Dot,
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Times,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `&`
    Intersection,
    /// `|`
    Union,
    /// `=`
    Unify,
    /// `:=`
    Assign,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A keyword, of any version.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Word { $($(#[$doc])* $name,)* }

        impl Word {
            /// The keyword that is written so.
            pub fn of(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$name),)* _ => None }
            }

            /// How it is written.
            pub fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

words! {
    /// `package a`
    Package = "package",
    /// `import data.a`
    Import = "import",
    /// `import data.a as b`, `with input as x`
    As = "as",
    /// `default allow := false`
    Default = "default",
    /// `else := 1`
    Else = "else",
    /// `not x`
    Not = "not",
    /// `some x in xs`
    Some = "some",
    /// `x with input as y`
    With = "with",
    /// `null`
    Null = "null",
    /// `true`
    True = "true",
    /// `false`
    False = "false",
    /// `x in xs`
    In = "in",
    /// `every x in xs { … }`
    Every = "every",
    /// `deny contains x`
    Contains = "contains",
    /// `allow if x`
    If = "if",
    /// `x and y`
    And = "and",
    /// `x or y`
    Or = "or",
}

impl Kind {
    /// OPA's name of the token, as its messages have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::End => "eof",
            Self::Illegal => "illegal",
            Self::Name => "identifier",
            Self::Word(word) => word.text(),
            Self::Number => "number",
            Self::Text | Self::RawText => "string",
            Self::Template {
                raw: false,
                last: false,
            } => "template-string-part",
            Self::Template {
                raw: false,
                last: true,
            } => "template-string-end",
            Self::Template {
                raw: true,
                last: false,
            } => "raw-template-string-part",
            Self::Template {
                raw: true,
                last: true,
            } => "raw-template-string-end",
            Self::LeftBracket => "[",
            Self::RightBracket => "]",
            Self::LeftBrace => "{",
            Self::RightBrace => "}",
            Self::LeftParenthesis => "(",
            Self::RightParenthesis => ")",
            Self::Comma => ",",
            Self::Colon => ":",
            Self::Semicolon => ";",
            Self::Dot => ".",
            Self::Plus => "plus",
            Self::Minus => "minus",
            Self::Times => "mul",
            Self::Divide => "div",
            Self::Remainder => "rem",
            Self::Intersection => "and",
            Self::Union => "or",
            Self::Unify => "eq",
            Self::Assign => "assign",
            Self::Equal => "equal",
            Self::NotEqual => "neq",
            Self::Less => "lt",
            Self::LessOrEqual => "lte",
            Self::Greater => "gt",
            Self::GreaterOrEqual => "gte",
        }
    }
}
