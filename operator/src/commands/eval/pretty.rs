//! What an evaluation prints for people.

use std::io::{self, Write};

use portcullis_policies::{
    Document,
    workbench::{Profile, Solution},
};

use super::output::Output;
use crate::{
    directory::printable,
    presentation::{self, Table, compact},
};

/// Prints the explanation, the result and what was measured, one after the other.
pub(super) fn write(output: &Output, limit: usize, out: &mut impl Write) -> io::Result<()> {
    if let Some(explanation) = &output.explanation {
        write!(out, "{}", printable(&explanation.to_string()))?;
    }
    if output.is_defined() {
        result(&output.result, limit, out)?;
    } else if output.is_answered {
        writeln!(out, "undefined")?;
    }
    if let Some(profile) = output
        .profile
        .as_ref()
        .filter(|profile| !profile.costs.is_empty())
    {
        write!(out, "{}", costs(profile))?;
    }
    if let Some(coverage) = &output.coverage {
        let share = format!("{:.2}", coverage.coverage);
        let table = Table {
            head: Vec::new(),
            rows: vec![vec!["Overall Coverage".to_owned(), share]],
        };
        write!(out, "{table}")?;
    }
    Ok(())
}

/// One value as JSON; several, or variables, as a table.
fn result(solutions: &[Solution], limit: usize, out: &mut impl Write) -> io::Result<()> {
    if let [
        Solution {
            bindings,
            expressions,
        },
    ] = solutions
        && bindings.is_empty()
        && let [first, rest @ ..] = &expressions[..]
        && (rest.is_empty() || expressions.iter().all(|one| one.value.as_bool().is_some()))
    {
        return write!(out, "{}", presentation::pretty(&first.value)?);
    }
    let columns = columns(&solutions[0]);
    let row = |solution: &Solution| -> io::Result<Vec<String>> {
        let cell = |column: &Column| {
            let text = match column.value(solution) {
                Some(value) => compact(value)?,
                None => "null".to_owned(),
            };
            Ok(cut(text, limit))
        };
        columns.iter().map(cell).collect()
    };
    let table = Table {
        head: columns.iter().map(Column::name).collect(),
        rows: solutions.iter().map(row).collect::<io::Result<_>>()?,
    };
    write!(out, "{table}")
}

/// A column of a table.
enum Column {
    Variable(String),
    /// A condition: its place, and how it is written.
    Condition(usize, String),
}

impl Column {
    fn name(&self) -> String {
        match self {
            Self::Variable(name) => name.clone(),
            // OPA writes a text of several lines as it is; a row has one line.
            Self::Condition(_, text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        }
    }

    fn value<'s>(&self, solution: &'s Solution) -> Option<&'s Document> {
        match self {
            Self::Variable(name) => solution.bindings.get(name),
            Self::Condition(at, _) => solution.expressions.get(*at).map(|one| &one.value),
        }
    }
}

/// The conditions that have a value to show, then the variables by name.
fn columns(first: &Solution) -> Vec<Column> {
    let conditions = first.expressions.iter().enumerate();
    let conditions =
        conditions.filter(|(_, one)| one.value.as_bool().is_none() || first.bindings.is_empty());
    conditions
        .map(|(at, one)| Column::Condition(at, one.text.clone()))
        .chain(first.bindings.keys().cloned().map(Column::Variable))
        .collect()
}

/// At most so many characters, if there is a limit.
fn cut(text: String, limit: usize) -> String {
    if limit == 0 || text.chars().nth(limit).is_none() {
        return text;
    }
    let mut short: String = text.chars().take(limit).collect();
    short.push_str("...");
    short
}

fn costs(profile: &Profile) -> Table {
    let head = ["Time", "Num Eval", "Num Redo", "Num Gen Expr", "Location"];
    let row = |cost: &portcullis_policies::workbench::Cost| {
        let place = &cost.location;
        vec![
            presentation::time(std::time::Duration::from_nanos(cost.time)),
            cost.evaluations.to_string(),
            cost.further.to_string(),
            cost.steps.to_string(),
            format!("{}:{}", place.file, place.line),
        ]
    };
    Table {
        head: head.map(str::to_owned).to_vec(),
        rows: profile.costs.iter().map(row).collect(),
    }
}
