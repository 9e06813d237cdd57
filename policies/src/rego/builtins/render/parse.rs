//! Tokens to a tree, as Go's `text/template/parse` does it.

use std::collections::HashMap;

use super::{
    Context, Result,
    constant::{self, Constant},
    functions, invalid,
    lex::{Keyword, Token},
    tree::{Branch, Command, Node, Pipeline, Term},
};

/// The templates of a text by their names.
pub(super) type Templates = HashMap<String, Vec<Node>>;

pub(super) fn parse(
    context: &mut Context<'_, '_>,
    tokens: &[Token],
    name: &str,
) -> Result<Templates> {
    let mut parser = Parser {
        context,
        tokens,
        at: 0,
        scope: Scope::default(),
        templates: Templates::new(),
    };
    let nodes = parser.top()?;
    parser.add(name.to_owned(), nodes)?;
    Ok(parser.templates)
}

/// What is known where a template's text is read.
#[derive(Debug)]
struct Scope {
    variables: Vec<String>,
    /// How many `range` are around.
    ranges: usize,
}

impl Default for Scope {
    fn default() -> Self {
        Self {
            variables: vec!["$".to_owned()],
            ranges: 0,
        }
    }
}

#[derive(Debug)]
struct Parser<'c, 'x, 'q, 't> {
    context: &'c mut Context<'x, 'q>,
    tokens: &'t [Token],
    at: usize,
    scope: Scope,
    templates: Templates,
}

/// What ends nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    End,
    Else,
}

/// What an action is.
#[derive(Debug)]
enum Action {
    Node(Node),
    Ends(Ending),
}

impl Parser<'_, '_, '_, '_> {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn skip_space(&mut self) {
        while *self.peek() == Token::Space {
            self.at += 1;
        }
    }

    fn next_word(&mut self) -> Token {
        self.skip_space();
        self.next()
    }

    fn expect(&mut self, expected: &Token) -> Result<()> {
        if self.next_word() == *expected {
            return Ok(());
        }
        Err(invalid("unexpected token"))
    }

    fn is_keyword(&self, keyword: Keyword) -> bool {
        *self.peek() == Token::Keyword(keyword)
    }

    fn top(&mut self) -> Result<Vec<Node>> {
        let mut nodes = Vec::new();
        while *self.peek() != Token::End {
            let start = self.at;
            if *self.peek() == Token::Open {
                self.at += 1;
                if self.next_word() == Token::Keyword(Keyword::Define) {
                    self.definition()?;
                    continue;
                }
                self.at = start;
            }
            match self.text_or_action()? {
                Action::Node(node) => nodes.push(node),
                Action::Ends(_) => return Err(invalid("unexpected {{end}} or {{else}}")),
            }
        }
        Ok(nodes)
    }

    fn definition(&mut self) -> Result<()> {
        let name = self.template_name()?;
        self.expect(&Token::Close)?;
        let nodes = self.template_nodes()?;
        self.add(name, nodes)
    }

    /// The nodes of a template of its own, up to its end.
    fn template_nodes(&mut self) -> Result<Vec<Node>> {
        let outer = std::mem::take(&mut self.scope);
        let (nodes, ending) = self.nodes()?;
        self.scope = outer;
        match ending {
            Ending::End => Ok(nodes),
            Ending::Else => Err(invalid("unexpected {{else}} in define clause")),
        }
    }

    fn template_name(&mut self) -> Result<String> {
        match self.next_word() {
            Token::Quoted(text) => constant::unquote(&text),
            _ => Err(invalid("unexpected token instead of a template's name")),
        }
    }

    /// Of two templates with one name, one is empty.
    fn add(&mut self, name: String, nodes: Vec<Node>) -> Result<()> {
        let is_empty = |nodes: &Vec<Node>| {
            nodes
                .iter()
                .all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
        };
        if self.templates.get(&name).is_none_or(is_empty) {
            self.templates.insert(name, nodes);
        } else if !is_empty(&nodes) {
            return Err(invalid(&format!(
                "multiple definition of template {name:?}"
            )));
        }
        Ok(())
    }

    fn nodes(&mut self) -> Result<(Vec<Node>, Ending)> {
        self.context.budget.descend()?;
        let mut nodes = Vec::new();
        loop {
            self.skip_space();
            if *self.peek() == Token::End {
                return Err(invalid("unexpected EOF"));
            }
            match self.text_or_action()? {
                Action::Node(node) => nodes.push(node),
                Action::Ends(ending) => {
                    self.context.budget.ascend();
                    return Ok((nodes, ending));
                }
            }
        }
    }

    fn text_or_action(&mut self) -> Result<Action> {
        match self.next_word() {
            Token::Text(text) => Ok(Action::Node(Node::Text(text))),
            Token::Open => self.action(),
            _ => Err(invalid("unexpected token in input")),
        }
    }

    fn action(&mut self) -> Result<Action> {
        self.skip_space();
        let Token::Keyword(keyword) = *self.peek() else {
            let pipeline = self.pipeline("command", &Token::Close)?;
            return Ok(Action::Node(Node::Action(pipeline)));
        };
        self.at += 1;
        Ok(Action::Node(match keyword {
            Keyword::Block => {
                let name = self.template_name()?;
                let pipeline = self.pipeline("block clause", &Token::Close)?;
                let nodes = self.template_nodes()?;
                self.add(name.clone(), nodes)?;
                Node::Template(name, Some(pipeline))
            }
            Keyword::Break | Keyword::Continue => {
                self.expect(&Token::Close)?;
                if self.scope.ranges == 0 {
                    return Err(invalid("{{break}} or {{continue}} outside {{range}}"));
                }
                match keyword {
                    Keyword::Break => Node::Break,
                    _ => Node::Continue,
                }
            }
            Keyword::Else => {
                self.skip_space();
                // Its condition is read by who reads the branch.
                if !self.is_keyword(Keyword::If) && !self.is_keyword(Keyword::With) {
                    self.expect(&Token::Close)?;
                }
                return Ok(Action::Ends(Ending::Else));
            }
            Keyword::End => {
                self.expect(&Token::Close)?;
                return Ok(Action::Ends(Ending::End));
            }
            Keyword::If => Node::If(self.branch(Keyword::If)?),
            Keyword::With => Node::With(self.branch(Keyword::With)?),
            Keyword::Range => Node::Range(self.branch(Keyword::Range)?),
            Keyword::Template => {
                let name = self.template_name()?;
                self.skip_space();
                let pipeline = if *self.peek() == Token::Close {
                    self.at += 1;
                    None
                } else {
                    Some(self.pipeline("template clause", &Token::Close)?)
                };
                Node::Template(name, pipeline)
            }
            Keyword::Define => return Err(invalid("unexpected <define> in command")),
            Keyword::Nil => {
                self.at -= 1;
                let pipeline = self.pipeline("command", &Token::Close)?;
                Node::Action(pipeline)
            }
        }))
    }

    fn branch(&mut self, keyword: Keyword) -> Result<Branch> {
        let variables = self.scope.variables.len();
        let is_range = keyword == Keyword::Range;
        let name = if is_range { "range" } else { "if or with" };
        let pipeline = self.pipeline(name, &Token::Close)?;
        self.scope.ranges += usize::from(is_range);
        let (nodes, ending) = self.nodes()?;
        self.scope.ranges -= usize::from(is_range);
        let otherwise = match ending {
            Ending::End => Vec::new(),
            Ending::Else if !is_range && self.is_keyword(keyword) => {
                self.at += 1;
                self.context.budget.descend()?;
                let branch = self.branch(keyword)?;
                self.context.budget.ascend();
                vec![match keyword {
                    Keyword::If => Node::If(branch),
                    _ => Node::With(branch),
                }]
            }
            Ending::Else => match self.nodes()? {
                (otherwise, Ending::End) => otherwise,
                _ => return Err(invalid("expected end; found {{else}}")),
            },
        };
        self.scope.variables.truncate(variables);
        Ok(Branch {
            pipeline,
            nodes,
            otherwise,
        })
    }

    fn pipeline(&mut self, place: &str, end: &Token) -> Result<Pipeline> {
        let mut pipeline = Pipeline {
            variables: Vec::new(),
            is_assignment: false,
            commands: Vec::new(),
        };
        self.variables(place, &mut pipeline)?;
        loop {
            self.skip_space();
            match self.peek() {
                token if token == end => {
                    self.at += 1;
                    break;
                }
                token if begins_term(token) => {
                    let command = self.command()?;
                    pipeline.commands.push(command);
                }
                _ => return Err(invalid(&format!("unexpected token in {place}"))),
            }
        }
        if pipeline.commands.is_empty() {
            return Err(invalid(&format!("missing value for {place}")));
        }
        let is_value = |command: &Command| {
            matches!(
                command.first,
                Term::Boolean(_)
                    | Term::Dot
                    | Term::Nil
                    | Term::Integer(_)
                    | Term::Float(_)
                    | Term::Text(_)
            )
        };
        if pipeline.commands[1..].iter().any(is_value) {
            return Err(invalid("non executable command in pipeline"));
        }
        Ok(pipeline)
    }

    /// The variables that a pipeline sets, if it begins with any.
    fn variables(&mut self, place: &str, pipeline: &mut Pipeline) -> Result<()> {
        loop {
            self.skip_space();
            let start = self.at;
            let Token::Variable(name) = self.peek().clone() else {
                return Ok(());
            };
            self.at += 1;
            match self.next_word() {
                sign @ (Token::Assign | Token::Declare) => {
                    pipeline.is_assignment = sign == Token::Assign;
                    pipeline.variables.push(name.clone());
                    self.scope.variables.push(name);
                    return Ok(());
                }
                Token::Other(',') => {
                    pipeline.variables.push(name.clone());
                    self.scope.variables.push(name);
                    if place != "range" || pipeline.variables.len() > 1 {
                        return Err(invalid(&format!("too many declarations in {place}")));
                    }
                    self.skip_space();
                    let goes_on = matches!(
                        self.peek(),
                        Token::Variable(_) | Token::Close | Token::RightParenthesis
                    );
                    if !goes_on {
                        return Err(invalid("range can only initialize variables"));
                    }
                }
                _ => {
                    self.at = start;
                    return Ok(());
                }
            }
        }
    }

    fn command(&mut self) -> Result<Command> {
        let mut terms = Vec::new();
        loop {
            self.skip_space();
            terms.extend(self.operand()?);
            match self.next() {
                Token::Space => {}
                Token::Close | Token::RightParenthesis => {
                    self.at -= 1;
                    break;
                }
                Token::Pipe => break,
                _ => return Err(invalid("unexpected token in operand")),
            }
        }
        let mut terms = terms.into_iter();
        let first = terms.next().ok_or_else(|| invalid("empty command"))?;
        Ok(Command {
            first,
            arguments: terms.collect(),
        })
    }

    /// A term with the fields that follow it.
    fn operand(&mut self) -> Result<Option<Term>> {
        let Some(term) = self.term()? else {
            return Ok(None);
        };
        let mut fields = Vec::new();
        while let Token::Field(name) = self.peek() {
            fields.push(name.clone());
            self.at += 1;
        }
        if fields.is_empty() {
            return Ok(Some(term));
        }
        Ok(Some(match term {
            Term::Field(first) => Term::Field([first, fields].concat()),
            Term::Variable(name, _) => Term::Variable(name, fields),
            Term::Pipeline(_) | Term::Function(_) => Term::Chain(Box::new(term), fields),
            _ => return Err(invalid("unexpected . after term")),
        }))
    }

    fn term(&mut self) -> Result<Option<Term>> {
        self.skip_space();
        let term = match self.peek().clone() {
            Token::Identifier(name) => {
                let function = functions::named(&name);
                let undefined = || invalid(&format!("function {name:?} not defined"));
                Term::Function(function.ok_or_else(undefined)?)
            }
            Token::Dot => Term::Dot,
            Token::Keyword(Keyword::Nil) => Term::Nil,
            Token::Variable(name) => {
                if !self.scope.variables.contains(&name) {
                    return Err(invalid(&format!("undefined variable {name:?}")));
                }
                Term::Variable(name, Vec::new())
            }
            Token::Field(name) => Term::Field(vec![name]),
            Token::Boolean(truth) => Term::Boolean(truth),
            Token::Number(text) => number(constant::number(&text)?),
            Token::Character(text) => number(constant::character(&text)?),
            Token::Quoted(text) => Term::Text(constant::unquote(&text)?),
            Token::LeftParenthesis => {
                self.at += 1;
                self.context.budget.descend()?;
                let pipeline = self.pipeline("parenthesized pipeline", &Token::RightParenthesis)?;
                self.context.budget.ascend();
                return Ok(Some(Term::Pipeline(pipeline)));
            }
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(term))
    }
}

fn number(constant: Constant) -> Term {
    match constant {
        Constant::Integer(integer) => Term::Integer(integer),
        Constant::Float(float) => Term::Float(float),
    }
}

fn begins_term(token: &Token) -> bool {
    matches!(
        token,
        Token::Identifier(_)
            | Token::Dot
            | Token::Keyword(Keyword::Nil)
            | Token::Variable(_)
            | Token::Field(_)
            | Token::Boolean(_)
            | Token::Number(_)
            | Token::Character(_)
            | Token::Quoted(_)
            | Token::LeftParenthesis
    )
}
