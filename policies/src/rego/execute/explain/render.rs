//! Explanations for people.

use std::fmt::{self, Display, Formatter};

use super::{Explanation, Failed, Named, Notes, Outcome, Reason, Tried};

impl Display for Explanation {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        notes(formatter, &self.notes, 0)?;
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
        notes: noted,
        asked,
        cases: _,
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
    notes(formatter, noted, indent + 4)?;
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
    excerpt(formatter, location.line, [line, caret], indent)?;
    values(formatter, named, indent)
}

fn excerpt(
    formatter: &mut Formatter<'_>,
    number: u32,
    [line, caret]: [&String; 2],
    indent: usize,
) -> fmt::Result {
    let number = number.to_string();
    let margin = " ".repeat(number.len());
    writeln!(formatter, "{:indent$}    {margin} |", "")?;
    writeln!(formatter, "{:indent$}    {number} | {line}", "")?;
    writeln!(formatter, "{:indent$}    {margin} | {caret}", "")
}

/// The place, the line with carets, and the values.
impl Display for Failed {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            reason,
            location,
            line,
            caret,
            values: named,
        } = self;
        write!(formatter, "{location}: ")?;
        writeln!(formatter, "{}", reason.sentence())?;
        excerpt(formatter, location.line, [line, caret], 0)?;
        values(formatter, named, 0)
    }
}

impl Reason {
    fn sentence(self) -> &'static str {
        match self {
            Self::Condition => "this condition does not hold",
            Self::Head => "the head is for something else",
            Self::Value => "the value is undefined",
            Self::Index => "this condition does not hold, and the rest was not tried",
            Self::Unfinished => "this was not finished",
        }
    }
}

fn notes(formatter: &mut Formatter<'_>, noted: &Notes, indent: usize) -> fmt::Result {
    for note in &noted.notes {
        writeln!(
            formatter,
            "{:indent$}{}: note: {}",
            "", note.location, note.text
        )?;
    }
    if noted.omitted > 0 {
        writeln!(formatter, "{:indent$}and {} notes more", "", noted.omitted)?;
    }
    Ok(())
}

fn values(formatter: &mut Formatter<'_>, values: &[Named], indent: usize) -> fmt::Result {
    values.iter().try_for_each(|Named { name, value }| {
        writeln!(formatter, "{:indent$}    {name} = {value}", "")
    })
}
