//! Evaluating an expression.
//!
//! CEL's logic takes no notice of an order: `a && b` is false where either is, whatever the other
//! is, an error included. So a part that fails is a value until somebody needs it. What ends the
//! evaluation, such as its clock, is none: it goes all the way up.

use super::{
    function, operator,
    term::{Comprehension, Operator, Term},
    variables::Variables,
};
use crate::{
    Code, Request,
    rego::{
        execute::{Budget, Error, ErrorKind},
        value::{self, Value},
    },
};

/// What a term is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Found {
    /// A value.
    Plain(Value),
    /// What `.?` found, or nothing.
    Optional(Option<Value>),
}

/// Why a term is nothing.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fault {
    /// It makes no sense, such as a field that is missing.
    Failed(String),
    /// It depends on a namespace of which nothing is known yet.
    Unknown,
    /// The evaluation is over.
    Ended(Box<Ended>),
}

/// Why an evaluation is over.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ended {
    pub(super) code: Code,
    pub(super) text: String,
}

pub(super) type Result<T> = std::result::Result<T, Fault>;

impl From<Box<Error>> for Fault {
    fn from(error: Box<Error>) -> Self {
        let code = match error.kind {
            ErrorKind::Timeout(_) => Code::Timeout,
            _ => Code::MemoryExceeded,
        };
        let text = error.to_string();
        Self::Ended(Box::new(Ended { code, text }))
    }
}

/// A fault with a sentence.
pub(super) fn failed<T>(text: impl Into<String>) -> Result<T> {
    Err(Fault::Failed(text.into()))
}

/// Whether an expression is true.
pub(super) fn holds(
    term: &Term,
    variables: &Variables,
    budget: &mut Budget,
    request: &Request,
) -> Result<bool> {
    let mut evaluation = Evaluation {
        variables,
        budget,
        request,
        bound: Vec::new(),
    };
    match evaluation.find(term)? {
        Found::Plain(Value::Bool(holds)) => Ok(holds),
        other => failed(format!(
            "it is {}, and neither true nor false",
            other.kind()
        )),
    }
}

/// One evaluation.
pub(super) struct Evaluation<'e> {
    variables: &'e Variables,
    pub(super) budget: &'e mut Budget,
    pub(super) request: &'e Request,
    /// The variables of the comprehensions around.
    bound: Vec<Result<Found>>,
}

impl Found {
    /// What it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Plain(value) => operator::kind(value),
            Self::Optional(_) => "an optional",
        }
    }
}

impl Evaluation<'_> {
    /// What a term is.
    pub(super) fn find(&mut self, term: &Term) -> Result<Found> {
        self.budget.step()?;
        let found = match term {
            Term::Constant(value) => value.clone(),
            Term::Variable(variable) => self.variables.get(*variable)?,
            Term::Bound(place) => return self.bound[*place].clone(),
            Term::Select(below, key) => {
                return match self.find(below)? {
                    Found::Plain(value) => operator::member(&value, key).map(Found::Plain),
                    // What comes behind `.?` is as optional.
                    Found::Optional(value) => optional_member(value.as_ref(), key),
                };
            }
            Term::Has(below, key) => Value::Bool(match self.find(below)? {
                Found::Plain(value) | Found::Optional(Some(value)) => operator::has(&value, key)?,
                Found::Optional(None) => false,
            }),
            Term::OptionalSelect(below, key) => {
                return match self.find(below)? {
                    Found::Plain(value) => optional_member(Some(&value), key),
                    Found::Optional(value) => optional_member(value.as_ref(), key),
                };
            }
            Term::Index(pair) => return self.index(pair),
            Term::OptionalIndex(pair) => return self.optional_index(pair),
            Term::List(terms) => {
                self.budget.charge(32 * terms.len() as u64)?;
                let elements = terms.iter().map(|one| self.plain(one));
                Value::from(elements.collect::<Result<Vec<_>>>()?)
            }
            Term::Map(entries) => self.map(entries)?,
            Term::And(pair) => Value::Bool(self.logic(pair, false)?),
            Term::Or(pair) => Value::Bool(self.logic(pair, true)?),
            Term::Not(below) => match self.plain(below)? {
                Value::Bool(holds) => Value::Bool(!holds),
                other => return failed(format!("`!` of {}", operator::kind(&other))),
            },
            Term::Conditional(parts) => {
                let [test, yes, no] = parts.as_ref();
                return match self.plain(test)? {
                    Value::Bool(true) => self.find(yes),
                    Value::Bool(false) => self.find(no),
                    other => failed(format!("`?` after {}", operator::kind(&other))),
                };
            }
            Term::Operation(operator, pair) => self.operation(*operator, pair)?,
            Term::Gather(place, more) => self.gather_more(*place, more)?,
            Term::Negate(below) => operator::negate(&self.plain(below)?)?,
            Term::NotFalse(below) => match self.find(below) {
                Ok(found) => Value::Bool(found != Found::Plain(Value::Bool(false))),
                Err(ended @ Fault::Ended(_)) => return Err(ended),
                Err(_) => Value::Bool(true),
            },
            Term::Call(function, terms) => {
                let arguments = terms.iter().map(|one| self.find(one));
                let arguments = arguments.collect::<Result<Vec<_>>>()?;
                return function::call(*function, &arguments, self);
            }
            Term::Comprehension(own) => return self.comprehension(own),
        };
        Ok(Found::Plain(found))
    }

    /// What a term is that has to be a value.
    fn plain(&mut self, term: &Term) -> Result<Value> {
        match self.find(term)? {
            Found::Plain(value) => Ok(value),
            Found::Optional(_) => failed("an optional stands where a value is needed"),
        }
    }

    /// `&&` and `||`: the value that decides does so whatever the other side is.
    fn logic(&mut self, pair: &[Term; 2], decides: bool) -> Result<bool> {
        let mut fault = None;
        for term in pair {
            match self.find(term) {
                Ok(Found::Plain(Value::Bool(holds))) if holds == decides => return Ok(decides),
                Ok(Found::Plain(Value::Bool(_))) => {}
                Ok(other) => {
                    let text = format!("{} stands beside && or ||", other.kind());
                    fault = fault.or(Some(Fault::Failed(text)));
                }
                Err(ended @ Fault::Ended(_)) => return Err(ended),
                Err(other) => fault = fault.or(Some(other)),
            }
        }
        fault.map_or(Ok(!decides), Err)
    }

    fn index(&mut self, pair: &[Term; 2]) -> Result<Found> {
        let operand = self.find(&pair[0])?;
        let index = self.plain(&pair[1])?;
        match operand {
            Found::Plain(value) => operator::index(&value, &index).map(Found::Plain),
            Found::Optional(value) => optional_index(value.as_ref(), &index),
        }
    }

    fn optional_index(&mut self, pair: &[Term; 2]) -> Result<Found> {
        let operand = self.find(&pair[0])?;
        let index = self.plain(&pair[1])?;
        match operand {
            Found::Plain(value) => optional_index(Some(&value), &index),
            Found::Optional(value) => optional_index(value.as_ref(), &index),
        }
    }

    fn map(&mut self, entries: &[[Term; 2]]) -> Result<Value> {
        self.budget.charge(64 * entries.len() as u64)?;
        let mut members = std::collections::BTreeMap::new();
        for [key, value] in entries {
            let key = self.plain(key)?;
            if !matches!(key, Value::String(_)) {
                return failed(format!("{} is the key of a map", operator::kind(&key)));
            }
            let value = self.plain(value)?;
            if members.insert(key, value).is_some() {
                return failed("a key stands twice in a map");
            }
        }
        Ok(Value::from(members))
    }

    fn operation(&mut self, operator: Operator, pair: &[Term; 2]) -> Result<Value> {
        let left = self.plain(&pair[0])?;
        let right = self.plain(&pair[1])?;
        operator::apply(operator, left, &right, self.budget)
    }

    /// Extends what is gathered in its place: it is not copied for each element.
    fn gather_more(&mut self, place: usize, more: &Term) -> Result<Value> {
        let more = self.plain(more)?;
        let gathered = std::mem::replace(&mut self.bound[place], Ok(Found::Optional(None)));
        match gathered? {
            Found::Plain(gathered) => operator::add(gathered, &more, self.budget),
            Found::Optional(_) => failed("an optional is added to"),
        }
    }

    fn comprehension(&mut self, own: &Comprehension) -> Result<Found> {
        let range = self.plain(&own.range)?;
        let elements: Vec<Value> = match (&range, value::elements(&range)) {
            (Value::Object(members), _) => members.iter().map(|(key, _)| key.clone()).collect(),
            (_, Some(elements)) => elements.to_vec(),
            _ => return failed(format!("{} has no elements", operator::kind(&range))),
        };
        self.budget.charge(32 * elements.len() as u64)?;
        let depth = self.bound.len();
        let first = self.find(&own.first);
        self.bound.push(first);
        let done = self.gather(own, elements);
        let result = done.and_then(|()| self.find(&own.result));
        self.bound.truncate(depth);
        result
    }

    fn gather(&mut self, own: &Comprehension, elements: Vec<Value>) -> Result<()> {
        let place = self.bound.len() - 1;
        for element in elements {
            self.bound.push(Ok(Found::Plain(element)));
            let goes_on = self.plain(&own.goes_on)?;
            if goes_on != Value::Bool(true) {
                self.bound.pop();
                break;
            }
            let next = self.find(&own.step);
            self.bound.pop();
            if let Err(ended @ Fault::Ended(_)) = next {
                return Err(ended);
            }
            self.bound[place] = next;
        }
        Ok(())
    }
}

fn optional_member(value: Option<&Value>, key: &Value) -> Result<Found> {
    let Some(value) = value else {
        return Ok(Found::Optional(None));
    };
    let found = operator::has(value, key)?.then(|| operator::member(value, key));
    found.transpose().map(Found::Optional)
}

fn optional_index(value: Option<&Value>, index: &Value) -> Result<Found> {
    let Some(value) = value else {
        return Ok(Found::Optional(None));
    };
    let is_there = operator::is_indexed(value, index)?;
    let found = is_there.then(|| operator::index(value, index));
    found.transpose().map(Found::Optional)
}
