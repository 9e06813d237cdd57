//! What an evaluation prints.

use std::io::{self, Write};

use portcullis_policies::{
    Diagnostic, Document,
    workbench::{Answer, CoverageReport, Explanation, Profile, Solution},
};
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::Value as Json;

use super::{Costs, Format, pretty};
use crate::presentation::{self, Fault, compact};

/// All that there is to print, in the order of OPA's JSON.
#[derive(Debug, Default, Serialize)]
pub(super) struct Output {
    /// Whether there is an answer. There can be one beside errors that were taken for undefined.
    #[serde(skip)]
    pub(super) is_answered: bool,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_faults")]
    pub(super) errors: Vec<Diagnostic>,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_solutions")]
    pub(super) result: Vec<Solution>,
    /// What a server decided, beside the result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) decision: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) explanation: Option<Explanation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) profile: Option<Profile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) coverage: Option<CoverageReport>,
}

impl Output {
    /// What became of a query, with the costs that are shown.
    pub(super) fn of(answer: Answer, costs: &Costs) -> Self {
        let seen = answer.seen;
        let mut profile = seen.profile;
        if let Some(profile) = &mut profile {
            profile.sort(&costs.order);
            profile.costs.truncate(costs.limit);
        }
        let (result, error) = match answer.solutions {
            Ok(solutions) => (solutions, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        Self {
            is_answered: error.is_none(),
            errors: error.into_iter().chain(seen.swallowed).collect(),
            result,
            decision: None,
            explanation: seen.explanation,
            profile,
            coverage: seen.coverage,
        }
    }

    /// Why there is no answer.
    pub(super) fn wrong(errors: Vec<Diagnostic>) -> Self {
        Self {
            errors,
            ..Self::default()
        }
    }

    pub(super) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    pub(super) fn is_defined(&self) -> bool {
        !self.result.is_empty()
    }

    /// Prints it. Errors go where people look for them, but for JSON.
    pub(super) fn write(
        &self,
        format: Format,
        limit: usize,
        out: &mut impl Write,
        told: &mut impl Write,
    ) -> io::Result<()> {
        match format {
            Format::Json => write!(out, "{}", presentation::pretty(self)?),
            Format::Discard => self.discarded(out),
            Format::Pretty => {
                self.tell_errors(told)?;
                pretty::write(self, limit, out)
            }
            Format::Values | Format::Bindings | Format::Raw => {
                self.tell_errors(told)?;
                let mut solutions = self.result.iter();
                solutions.try_for_each(|solution| write_one(solution, format, out))
            }
        }
    }

    fn tell_errors(&self, told: &mut impl Write) -> io::Result<()> {
        if self.has_errors() {
            write!(told, "{}", presentation::faults(&self.errors))?;
        }
        Ok(())
    }

    /// JSON in which only is said whether there is a result.
    fn discarded(&self, out: &mut impl Write) -> io::Result<()> {
        let mut fields = serde_json::Map::new();
        if self.has_errors() {
            let errors: Vec<Fault<'_>> = self.errors.iter().map(Fault::from).collect();
            fields.insert("errors".to_owned(), serde_json::to_value(errors)?);
        }
        if self.is_defined() {
            fields.insert("result".to_owned(), "discarded".into());
        }
        if let Some(profile) = &self.profile {
            fields.insert("profile".to_owned(), serde_json::to_value(profile)?);
        }
        if let Some(coverage) = &self.coverage {
            fields.insert("coverage".to_owned(), serde_json::to_value(coverage)?);
        }
        write!(out, "{}", presentation::pretty(&fields)?)
    }
}

/// One solution, for programs.
fn write_one(solution: &Solution, format: Format, out: &mut impl Write) -> io::Result<()> {
    match format {
        Format::Raw => {
            let texts: Vec<String> = values(solution).map(raw).collect::<io::Result<_>>()?;
            writeln!(out, "{}", texts.join(" "))
        }
        Format::Bindings => write!(out, "{}", presentation::pretty(&solution.bindings)?),
        _ => {
            let values: Vec<&Document> = values(solution).collect();
            write!(out, "{}", presentation::pretty(&values)?)
        }
    }
}

fn values(solution: &Solution) -> impl Iterator<Item = &Document> {
    solution
        .expressions
        .iter()
        .map(|expression| &expression.value)
}

/// A string as it is, anything else as JSON.
fn raw(value: &Document) -> io::Result<String> {
    match value.as_text() {
        Some(text) => Ok(text.to_owned()),
        None => Ok(compact(value)?),
    }
}

fn as_faults<S: Serializer>(faults: &[Diagnostic], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(faults.iter().map(Fault::from))
}

fn as_solutions<S: Serializer>(solutions: &[Solution], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(solutions.iter().map(Written))
}

/// A solution in OPA's form.
struct Written<'s>(&'s Solution);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Location {
            row: u32,
            col: u32,
        }

        #[derive(Serialize)]
        struct Expression<'e> {
            value: &'e Document,
            text: &'e str,
            location: Location,
        }

        let expressions = self.0.expressions.iter().map(|expression| Expression {
            value: &expression.value,
            text: &expression.text,
            location: Location {
                row: expression.row,
                col: expression.column,
            },
        });
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("expressions", &expressions.collect::<Vec<_>>())?;
        if !self.0.bindings.is_empty() {
            map.serialize_entry("bindings", &self.0.bindings)?;
        }
        map.end()
    }
}
