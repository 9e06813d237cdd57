//! Executing a tree.

use super::{
    Context, Result,
    datum::Datum,
    functions::{self, Want},
    invalid,
    parse::Templates,
    tree::{Branch, Command, Node, Pipeline, Term},
};
use crate::rego::value::{Value, order};
use std::borrow::Cow;

/// Where it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

pub(super) fn execute<'d>(
    context: &mut Context<'_, '_>,
    templates: &'d Templates,
    name: &str,
    data: &'d Value,
) -> Result<String> {
    let mut executor = Executor {
        context,
        templates,
        variables: vec![("$", Datum::of(data))],
        text: String::new(),
    };
    let nodes = templates.get(name).map_or(&[][..], Vec::as_slice);
    executor.nodes(&Datum::of(data), nodes)?;
    Ok(executor.text)
}

#[derive(Debug)]
struct Executor<'c, 'x, 'q, 'd> {
    context: &'c mut Context<'x, 'q>,
    templates: &'d Templates,
    variables: Vec<(&'d str, Datum<'d>)>,
    text: String,
}

impl<'d> Executor<'_, '_, '_, 'd> {
    fn nodes(&mut self, dot: &Datum<'d>, nodes: &'d [Node]) -> Result<Flow> {
        self.context.budget.descend()?;
        let mut flow = Flow::Next;
        for node in nodes {
            self.context.budget.steps(1)?;
            flow = self.node(dot, node)?;
            if flow != Flow::Next {
                break;
            }
        }
        self.context.budget.ascend();
        Ok(flow)
    }

    fn node(&mut self, dot: &Datum<'d>, node: &'d Node) -> Result<Flow> {
        match node {
            Node::Text(text) => self.write(text)?,
            Node::Action(pipeline) => {
                let value = self.pipeline(dot, pipeline)?;
                if pipeline.variables.is_empty() {
                    self.charge(&value)?;
                    let printed = value.print("<no value>");
                    self.write(&printed)?;
                }
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
            Node::If(branch) | Node::With(branch) => {
                let mark = self.variables.len();
                let value = self.pipeline(dot, &branch.pipeline)?;
                let flow = match (value.is_true(), node) {
                    (false, _) => self.nodes(dot, &branch.otherwise)?,
                    (true, Node::With(_)) => self.nodes(&value, &branch.nodes)?,
                    (true, _) => self.nodes(dot, &branch.nodes)?,
                };
                self.variables.truncate(mark);
                return Ok(flow);
            }
            Node::Range(branch) => return self.range(dot, branch),
            Node::Template(name, pipeline) => {
                let templates = self.templates;
                let nodes = templates
                    .get(name)
                    .ok_or_else(|| invalid(&format!("template {name:?} not defined")))?;
                let dot = match pipeline {
                    Some(pipeline) => self.pipeline(dot, pipeline)?,
                    None => Datum::Missing,
                };
                let variables = vec![("$", dot.clone())];
                let outer = std::mem::replace(&mut self.variables, variables);
                self.nodes(&dot, nodes)?;
                self.variables = outer;
            }
        }
        Ok(Flow::Next)
    }

    /// Accounts for what a collection is when it is printed.
    fn charge(&mut self, value: &Datum<'_>) -> Result<()> {
        match value {
            Datum::List(elements) => elements
                .iter()
                .try_for_each(|element| self.context.charge_text(element)),
            Datum::Map(members) => members.iter().try_for_each(|(key, value)| {
                self.context.charge_text(key)?;
                self.context.charge_text(value)
            }),
            _ => Ok(()),
        }
    }

    fn write(&mut self, text: &str) -> Result<()> {
        self.context.charge_bytes(text.len())?;
        self.text.push_str(text);
        Ok(())
    }

    fn range(&mut self, dot: &Datum<'d>, branch: &'d Branch) -> Result<Flow> {
        let outer = self.variables.len();
        let value = self.pipeline(dot, &branch.pipeline)?;
        let items: Box<dyn Iterator<Item = (Datum<'d>, Datum<'d>)> + 'd> = match value {
            Datum::Missing | Datum::Nil => Box::new(std::iter::empty()),
            Datum::Integer(_) | Datum::Byte(_) if branch.pipeline.variables.len() > 1 => {
                let problem = "can't use a number to iterate over more than one variable";
                return Err(invalid(problem));
            }
            Datum::Integer(count) => {
                Box::new((0..count).map(|item| (Datum::Missing, Datum::Integer(item))))
            }
            Datum::Byte(count) => {
                Box::new((0..count).map(|item| (Datum::Missing, Datum::Byte(item))))
            }
            Datum::List(elements) => Box::new(
                (0_i64..)
                    .zip(elements)
                    .map(|(at, element)| (Datum::Integer(at), Datum::of(element))),
            ),
            Datum::Map(members) => Box::new(
                order::entries(members).map(|(key, value)| (Datum::of(key), Datum::of(value))),
            ),
            _ => return Err(invalid("range can't iterate over the value")),
        };
        let mark = self.variables.len();
        let mut is_empty = true;
        for (index, item) in items {
            self.context.budget.steps(1)?;
            is_empty = false;
            self.set_items(&branch.pipeline, index, item.clone())?;
            let flow = self.nodes(&item, &branch.nodes)?;
            self.variables.truncate(mark);
            if flow == Flow::Break {
                break;
            }
        }
        let flow = if is_empty {
            self.nodes(dot, &branch.otherwise)?
        } else {
            Flow::Next
        };
        self.variables.truncate(outer);
        Ok(flow)
    }

    /// Sets the variables of a `range` for one item.
    fn set_items(
        &mut self,
        pipeline: &'d Pipeline,
        index: Datum<'d>,
        item: Datum<'d>,
    ) -> Result<()> {
        let values = match pipeline.variables.as_slice() {
            [] => return Ok(()),
            [_] => vec![item],
            _ => vec![index, item],
        };
        if pipeline.is_assignment {
            for (name, value) in pipeline.variables.iter().zip(values) {
                self.assign(name, value)?;
            }
            return Ok(());
        }
        let start = self.variables.len() - values.len();
        for ((_, variable), value) in self.variables[start..].iter_mut().zip(values) {
            *variable = value;
        }
        Ok(())
    }

    fn assign(&mut self, name: &str, value: Datum<'d>) -> Result<()> {
        let mut variables = self.variables.iter_mut().rev();
        let found = variables.find(|(known, _)| *known == name);
        let (_, variable) = found.ok_or_else(|| undefined(name))?;
        *variable = value;
        Ok(())
    }

    fn pipeline(&mut self, dot: &Datum<'d>, pipeline: &'d Pipeline) -> Result<Datum<'d>> {
        self.context.budget.descend()?;
        let mut value = None;
        for command in &pipeline.commands {
            value = Some(self.command(dot, command, value)?.settled());
        }
        let value = value.unwrap_or(Datum::Missing);
        for name in &pipeline.variables {
            if pipeline.is_assignment {
                self.assign(name, value.clone())?;
            } else {
                self.context.charge_members(2)?;
                self.variables.push((name, value.clone()));
            }
        }
        self.context.budget.ascend();
        Ok(value)
    }

    fn command(
        &mut self,
        dot: &Datum<'d>,
        command: &'d Command,
        last: Option<Datum<'d>>,
    ) -> Result<Datum<'d>> {
        let has_arguments = !command.arguments.is_empty() || last.is_some();
        match &command.first {
            Term::Function(name) => self.call(dot, name, &command.arguments, last),
            Term::Field(path) => fields(dot.clone(), path, has_arguments),
            Term::Chain(term, path) => {
                let value = self.term(dot, term)?;
                fields(value, path, has_arguments)
            }
            Term::Variable(name, path) if !path.is_empty() => {
                fields(self.variable(name)?, path, has_arguments)
            }
            // Whether a variable is there is asked first.
            Term::Variable(name, _) => {
                let value = self.variable(name)?;
                without_arguments(has_arguments).map(|()| value)
            }
            Term::Nil => Err(invalid("nil is not a command")),
            term => {
                without_arguments(has_arguments)?;
                self.term(dot, term)
            }
        }
    }

    fn variable(&self, name: &str) -> Result<Datum<'d>> {
        let mut variables = self.variables.iter().rev();
        let found = variables.find(|(known, _)| *known == name);
        found
            .map(|(_, value)| value.clone())
            .ok_or_else(|| undefined(name))
    }

    /// The value of a term that stands alone.
    fn term(&mut self, dot: &Datum<'d>, term: &'d Term) -> Result<Datum<'d>> {
        match term {
            Term::Dot => Ok(dot.clone()),
            Term::Nil => Ok(Datum::Missing),
            Term::Field(path) => fields(dot.clone(), path, false),
            Term::Variable(name, path) => fields(self.variable(name)?, path, false),
            Term::Chain(term, path) => {
                let value = self.term(dot, term)?;
                fields(value, path, false)
            }
            Term::Function(name) => self.call(dot, name, &[], None),
            Term::Pipeline(pipeline) => self.pipeline(dot, pipeline),
            Term::Boolean(truth) => Ok(Datum::Boolean(*truth)),
            Term::Integer(integer) => Ok(Datum::Integer(*integer)),
            Term::Float(float) => Ok(Datum::Float(*float)),
            Term::Text(text) => Ok(Datum::Text(Cow::Borrowed(text))),
        }
    }

    fn call(
        &mut self,
        dot: &Datum<'d>,
        name: &str,
        terms: &'d [Term],
        last: Option<Datum<'d>>,
    ) -> Result<Datum<'d>> {
        let (least, most, first) = functions::signature(name);
        let count = terms.len() + usize::from(last.is_some());
        if !(least..=most).contains(&count) {
            return Err(invalid(&format!("wrong number of args for {name}")));
        }
        let decides = match name {
            "and" => Some(false),
            "or" => Some(true),
            _ => None,
        };
        let mut arguments = Vec::with_capacity(count);
        for term in terms {
            let value = self.term(dot, term)?;
            if decides == Some(value.is_true()) {
                return Ok(value);
            }
            arguments.push(value);
        }
        arguments.extend(last);
        let is_wrong = |value: &Datum<'_>| first == Want::Text && !matches!(value, Datum::Text(_));
        if arguments.first().is_some_and(is_wrong) {
            return Err(invalid("wrong type for value; expected string"));
        }
        if decides.is_some() {
            return Ok(arguments.pop().unwrap_or(Datum::Missing));
        }
        for argument in &arguments {
            // It may be printed.
            self.charge(argument)?;
        }
        functions::call(self.context, name, arguments)
    }
}

fn without_arguments(has_arguments: bool) -> Result<()> {
    if has_arguments {
        return Err(invalid("can't give argument to non-function"));
    }
    Ok(())
}

/// What a path of fields leads to.
fn fields<'d>(mut value: Datum<'d>, path: &[String], has_arguments: bool) -> Result<Datum<'d>> {
    for (at, name) in path.iter().enumerate() {
        value = match value {
            Datum::Missing => Datum::Missing,
            Datum::Nil => return Err(invalid(&format!("nil pointer evaluating .{name}"))),
            Datum::Map(_) if has_arguments && at + 1 == path.len() => {
                return Err(invalid(&format!(
                    "{name} is not a method but has arguments"
                )));
            }
            Datum::Map(members) => {
                let member = members.get(&Value::from(name.as_str()));
                member.map_or(Datum::Missing, Datum::of)
            }
            _ => return Err(invalid(&format!("can't evaluate field {name}"))),
        };
    }
    Ok(value)
}

fn undefined(name: &str) -> super::Fault {
    invalid(&format!("undefined variable: {name}"))
}
