//! Explanations for people.

use std::fmt::{self, Display, Formatter};

use super::{Explanation, Failed, Named, Outcome, Reason, Tried};

impl Display for Explanation {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        for tried in &self.rules {
            entry(formatter, tried, 0)?;
        }
        match self.omitted {
            0 => Ok(()),
            1 => writeln!(formatter, "one more definition was tried"),
            more => writeln!(formatter, "{more} more definitions were tried"),
        }
    }
}

fn entry(formatter: &mut Formatter<'_>, tried: &Tried, indent: usize) -> fmt::Result {
    let Tried {
        rule,
        location,
        outcome,
        asked,
    } = tried;
    write!(formatter, "{:indent$}{location}: {rule} ", "")?;
    match outcome {
        Outcome::Default(value) => writeln!(formatter, "is {value} by default")?,
        Outcome::Holds { solutions, omitted } => {
            writeln!(formatter, "holds")?;
            for (at, solution) in solutions.iter().enumerate() {
                if at > 0 {
                    writeln!(formatter, "{:indent$}    and", "")?;
                }
                writeln!(formatter, "{:indent$}    value = {}", "", solution.value)?;
                values(formatter, &solution.values, indent)?;
            }
            if *omitted > 0 {
                writeln!(formatter, "{:indent$}    and {omitted} times more", "")?;
            }
        }
        Outcome::Fails(failed) => fails(formatter, failed, indent)?,
    }
    asked
        .iter()
        .try_for_each(|tried| entry(formatter, tried, indent + 2))
}

fn fails(formatter: &mut Formatter<'_>, failed: &Failed, indent: usize) -> fmt::Result {
    let Failed {
        reason,
        location,
        line,
        caret,
        values: named,
    } = failed;
    let why = match reason {
        Reason::Condition => "does not hold",
        Reason::Head => "does not hold: its head is for something else",
        Reason::Value => "does not hold: its value is undefined",
        Reason::Index => "does not hold, and was not tried",
        Reason::Unfinished => "was not finished",
    };
    writeln!(formatter, "{why}")?;
    let number = location.line.to_string();
    let margin = " ".repeat(number.len());
    writeln!(formatter, "{:indent$}    {margin} |", "")?;
    writeln!(formatter, "{:indent$}    {number} | {line}", "")?;
    writeln!(formatter, "{:indent$}    {margin} | {caret}", "")?;
    values(formatter, named, indent)
}

fn values(formatter: &mut Formatter<'_>, values: &[Named], indent: usize) -> fmt::Result {
    values.iter().try_for_each(|Named { name, value }| {
        writeln!(formatter, "{:indent$}    {name} = {value}", "")
    })
}
