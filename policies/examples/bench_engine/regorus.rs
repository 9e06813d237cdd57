//! regorus's interpreter.

use std::time::Duration;

use anyhow::{Context as _, Result};
use regorus::{Engine, Value};

use crate::{
    contestant::{Contestant, Mode, measure},
    rows::Row,
};

/// regorus's engine: prepared once, and cloned for every evaluation.
#[derive(Debug, Default)]
pub(crate) struct Regorus {
    /// None for a row that it has no answer to.
    rows: Vec<Option<Prepared>>,
}

#[derive(Debug)]
struct Prepared {
    row: Row,
    engine: Engine,
    input: Value,
    /// Whether the query is a rule, which is the faster way to ask.
    is_rule: bool,
}

impl Contestant for Regorus {
    fn load(&mut self, row: &Row) -> Result<serde_json::Value> {
        self.rows.push(None);
        let prepared = Prepared::new(row)?;
        let answer = prepared.decide(prepared.input.clone())?;
        self.rows.pop();
        self.rows.push(Some(prepared));
        Ok(match answer {
            Value::Undefined => serde_json::Value::Null,
            document => serde_json::from_str(&document.to_json_str()?)?,
        })
    }

    fn measure(&mut self, row: usize, mode: Mode, slice: Duration, threads: usize) -> Result<f64> {
        let prepared = self.rows[row].as_ref().context("no answer")?;
        match mode {
            Mode::Raw => measure(slice, threads, &|| {
                let input = Value::from_json_str(&prepared.row.input)?;
                prepared.decide(input).map(drop)
            }),
            Mode::Parsed => measure(slice, threads, &|| {
                prepared.decide(prepared.input.clone()).map(drop)
            }),
            Mode::Compile => measure(slice, threads, &|| prepare(&prepared.row).map(drop)),
        }
    }
}

impl Prepared {
    fn new(row: &Row) -> Result<Self> {
        let input = Value::from_json_str(&row.input)?;
        let mut engine = prepare(row)?;
        engine.add_data(Value::from_json_str(&row.data.to_string())?)?;
        let mut trial = engine.clone();
        trial.set_input(input.clone());
        Ok(Self {
            row: row.clone(),
            is_rule: trial.eval_rule(row.query.clone()).is_ok(),
            engine,
            input,
        })
    }

    fn decide(&self, input: Value) -> Result<Value> {
        let mut engine = self.engine.clone();
        engine.set_input(input);
        if self.is_rule {
            return engine.eval_rule(self.row.query.clone());
        }
        let results = engine.eval_query(self.row.query.clone(), false)?;
        let first = results.result.into_iter().next();
        let value = first.and_then(|solution| solution.expressions.into_iter().next());
        Ok(value.map_or(Value::Undefined, |expression| expression.value))
    }
}

fn prepare(row: &Row) -> Result<Engine> {
    let mut engine = Engine::new();
    engine.set_rego_v0(row.version == 0);
    engine.set_strict_builtin_errors(false);
    for (name, text) in &row.modules {
        engine.add_policy(name.clone(), text.clone())?;
    }
    // Forces the analysis of the modules.
    engine.eval_query("true".to_owned(), false)?;
    Ok(engine)
}
