//! Queries asked by hand.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use super::{
    look::{self, Look, Seen},
    material::{Material, fault, located},
};
use crate::{
    Diagnostic, Diagnostics, Document, RegoVersion,
    rego::{
        self, apart, ast,
        builtins::Surroundings,
        compile::compile,
        execute::{self, Nobody, Question as Evaluation, Record},
        parse,
        plan::ir::Plan,
        report,
        resolve::{Question, value_name},
        source::{ErrorCode, FileId, Sources, Span},
        value::{self, Value},
    },
};

/// How a query is called in messages, where a module has the name of its file.
pub const QUERY: &str = "<query>";

/// A query, and what its names mean.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Its text: conditions.
    pub text: String,
    /// The package whose rules it can name, as it is written: `a.b`.
    pub package: Option<String>,
    /// Its imports, as they are written: `data.a.b as c`.
    pub imports: Vec<String>,
    /// The version of the language that it is written in; `Auto` is version 1.
    pub version: RegoVersion,
}

/// How something is evaluated.
#[derive(Clone, Debug)]
pub struct Setting {
    /// `input`; without one it is undefined.
    pub input: Option<Document>,
    /// What `time.now_ns` says.
    pub now: Timestamp,
    /// The seed of random numbers.
    pub seed: u64,
    /// Longest time of the evaluation; any, if there is none. Memory and depth are bounded as they are
    /// for a policy.
    pub timeout: Option<Duration>,
    /// Whether a builtin's error is one, instead of undefined.
    pub strict_errors: bool,
    /// What is looked at.
    pub look: Look,
}

/// What a query gives.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its solutions, or why it ended.
    pub solutions: Result<Vec<Solution>, Diagnostic>,
    /// What was printed, line by line.
    pub printed: Vec<String>,
    /// What was seen.
    pub seen: Seen,
}

/// One solution of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Solution {
    /// Its variables.
    pub bindings: BTreeMap<String, Document>,
    /// Its conditions, in the order in which they were evaluated.
    pub expressions: Vec<Expression>,
}

/// The value of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// The value.
    pub value: Document,
    /// The condition as it is written.
    pub text: String,
    /// The line in the query, from 1.
    pub row: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl Material {
    /// Asks a query. The error is what is wrong with the query or the modules.
    pub fn ask(&self, query: &Query, setting: &Setting) -> Result<Answer, Diagnostics> {
        apart("evaluate the query", || {
            let mut sources = self.sources.clone();
            let asked = Asked::read(query, &mut sources)?;
            let question = Question::conditions(QUERY, asked.body.clone(), asked.module.clone());
            let options = self.options(true);
            let plan = compile(&self.modules, &[question], options)
                .map_err(|faults| report(&sources, &faults))?;
            Ok(self.evaluate(&plan, &asked, &sources, setting))
        })
    }

    fn evaluate(&self, plan: &Plan, asked: &Asked, sources: &Sources, setting: &Setting) -> Answer {
        let entry = &plan.entries[0];
        let evaluation = self.evaluation(setting);
        let (result, Record { printed, .. }, seen) = if setting.look.is_blind() {
            let (result, record) = execute::record(plan, entry, evaluation, &mut Nobody);
            (result, record, Seen::default())
        } else {
            let mut onlookers = look::onlookers(setting.look);
            let (result, record) = execute::record(plan, entry, evaluation, &mut onlookers);
            (result, record, look::seen(onlookers, plan, sources))
        };
        let solution = |found: Value| asked.solution(&found, &entry.conditions, sources);
        let solutions = match result {
            Ok(found) => Ok(found.into_iter().map(solution).collect()),
            Err(error) => {
                let error = located(plan, entry, self.evaluation(setting), *error);
                Err(fault(sources, &error))
            }
        };
        Answer {
            solutions,
            printed,
            seen,
        }
    }

    /// One evaluation of these.
    pub(super) fn evaluation(&self, setting: &Setting) -> Evaluation<'static> {
        let input = setting.input.as_ref();
        Evaluation {
            input: input.map_or(Value::Undefined, |input| input.value().clone()),
            data: self.data.clone(),
            surroundings: Surroundings::new(setting.now.as_nanosecond(), None, setting.seed),
            limits: execute::Limits {
                time: setting.timeout,
                // Who asks by hand can wait, and end it.
                steps: u64::MAX,
                ..execute::Limits::default()
            },
            strict: setting.strict_errors,
        }
    }
}

/// A query that was read.
struct Asked {
    body: Vec<ast::Expr>,
    /// What its names mean.
    module: Option<ast::Module>,
}

impl Asked {
    fn read(query: &Query, sources: &mut Sources) -> Result<Self, Diagnostics> {
        let version = rego::version(query.version);
        let module = match (&query.package, &query.imports[..]) {
            (None, []) => None,
            (package, imports) => Some(module(package.as_deref(), imports, version, sources)?),
        };
        let version = module.as_ref().map_or(version, |module| module.version);
        let file = sources.add(QUERY, query.text.as_str());
        let body = parse::parse_query(file, &query.text, version)
            .map_err(|faults| report(sources, &faults))?;
        if body.is_empty() {
            let message = "cannot evaluate empty query";
            let fault = Diagnostic::new(ErrorCode::Parse.name(), message);
            return Err(fault
                .with_remedy("ask for something, such as `data`")
                .into());
        }
        Ok(Self { body, module })
    }

    fn solution(&self, found: &Value, order: &[Span], sources: &Sources) -> Solution {
        let expression = |span: &Span| {
            let place = self.body.iter().position(|expr| expr.span == *span)?;
            let key = Value::from(value_name(place));
            let value = value::get(found, &key).cloned();
            let (row, column) = sources.line_column(*span);
            Some(Expression {
                value: Document::new(value.unwrap_or(Value::Bool(true))),
                text: sources.slice(*span).to_owned(),
                row,
                column,
            })
        };
        Solution {
            bindings: bindings(found),
            expressions: order.iter().filter_map(expression).collect(),
        }
    }
}

/// The variables of what a query found.
pub(super) fn bindings(found: &Value) -> BTreeMap<String, Document> {
    let mut bindings = BTreeMap::new();
    if let Value::Object(object) = found {
        for (name, value) in object.iter() {
            if let Value::String(name) = name
                && !name.starts_with('=')
            {
                bindings.insert(name.to_string(), Document::new(value.clone()));
            }
        }
    }
    bindings
}

/// A module of nothing but a package and imports, in which a query stands.
fn module(
    package: Option<&str>,
    imports: &[String],
    version: ast::Version,
    sources: &mut Sources,
) -> Result<ast::Module, Diagnostics> {
    let mut text = format!("package {}\n", package.unwrap_or("query"));
    for import in imports {
        text.push_str("import ");
        text.push_str(import);
        text.push('\n');
    }
    let file: FileId = sources.add("<imports>", text.as_str());
    let options = parse::Options {
        version,
        annotations: false,
    };
    let mut module =
        parse::parse_module(file, &text, options).map_err(|faults| report(sources, &faults))?;
    if package.is_none() {
        // It has no rules.
        module.package.path.clear();
    }
    Ok(module)
}
