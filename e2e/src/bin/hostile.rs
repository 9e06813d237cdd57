//! Asks the whole corpus of hostile policies and inputs of one `portcullis serve`, and says what
//! becomes of each entry: `hostile [-o json|markdown] [ENTRY...]`.
//!
//! Ends with 1 where an outcome is not the expected one, where an entry takes more than twice its
//! budget, or where the process does not survive.

use std::{io::Write as _, process::ExitCode};

use anyhow::{Context, Result, bail, ensure};
use portcullis_e2e::{
    hostile::{
        Entry, Row, entry,
        neighbour::Latencies,
        row::milliseconds,
        served::{Quiet, Served},
        table,
    },
    programs::checkout,
};
use serde_json::json;

/// How the table is written.
#[derive(Clone, Copy, Debug, Default)]
enum Format {
    /// For a terminal.
    #[default]
    Table,
    /// For programs.
    Json,
    /// As a page.
    Markdown,
}

/// What is asked for.
#[derive(Debug, Default)]
struct Arguments {
    format: Format,
    /// Parts of titles; without any, all entries.
    entries: Vec<String>,
}

/// What a page begins with.
const HEAD: &str = "\
# Hostile policies and inputs

What became of each entry of `e2e/hostile`, asked once of one process while a neighbour asked an \
ordinary policy two hundred times a second. `make hostile` writes this table: \
[testing.md](testing.md#hostile-policies-and-inputs) explains it. Memory is what the process took \
beside what it had before; the neighbour's wait is its longest but for one in a hundred.
";

/// What the neighbour waited: before, meanwhile, and afterwards.
struct Neighbour {
    before: Quiet,
    meanwhile: Latencies,
    after: Quiet,
    /// What is wrong with the process in the end.
    ill: Option<String>,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = arguments()?;
    let mut entries = entry::read_all(&checkout().join("e2e/hostile"))?;
    if !arguments.entries.is_empty() {
        entries.retain(|entry| {
            let title = entry.title();
            arguments.entries.iter().any(|part| title.contains(part))
        });
    }
    ensure!(!entries.is_empty(), "there is no such entry");
    let (rows, neighbour) = ask_all(&entries).await?;
    let failed = rows.iter().filter(|row| row.fault.is_some()).count();
    let mut out = std::io::stdout().lock();
    match arguments.format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, &as_json(&rows, &neighbour))?;
            writeln!(out)?;
        }
        Format::Markdown => {
            let summary = summary(&rows, &neighbour, failed);
            write!(
                out,
                "{HEAD}\n```text\n{summary}\n```\n{}",
                table::markdown(&rows)
            )?;
        }
        Format::Table => {
            write!(out, "{}", table::table(&rows))?;
            writeln!(out, "\n{}", summary(&rows, &neighbour, failed))?;
        }
    }
    let fine = failed == 0 && neighbour.ill.is_none();
    Ok(ExitCode::from(u8::from(!fine)))
}

fn arguments() -> Result<Arguments> {
    let mut arguments = Arguments::default();
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "-o" => match given.next().as_deref() {
                Some("json") => arguments.format = Format::Json,
                Some("markdown") => arguments.format = Format::Markdown,
                other => bail!("-o json or markdown, and not {other:?}"),
            },
            option if option.starts_with('-') => bail!("there is no option `{option}`"),
            _ => arguments.entries.push(argument),
        }
    }
    Ok(arguments)
}

async fn ask_all(entries: &[Entry]) -> Result<(Vec<Row>, Neighbour)> {
    let served = Served::start(entries).await?;
    let before = served.quiet().await?;
    let mut rows = Vec::with_capacity(entries.len());
    let mut meanwhile = Latencies::default();
    for entry in entries {
        let asked = served.ask(entry).await;
        let (row, latencies) =
            asked.with_context(|| format!("{} was the last entry", entry.title()))?;
        if let Some(fault) = &row.fault {
            let (title, outcome) = (&row.entry, &row.outcome);
            writeln!(std::io::stderr(), "{title}: {outcome}, {fault}")?;
        }
        rows.push(row);
        meanwhile = meanwhile.with(&latencies);
    }
    let after = served.quiet().await?;
    let ill = served.is_well().await.err();
    let neighbour = Neighbour {
        before,
        meanwhile,
        after,
        ill: ill.map(|error| format!("{error:#}")),
    };
    Ok((rows, neighbour))
}

fn as_json(rows: &[Row], neighbour: &Neighbour) -> serde_json::Value {
    let latencies = |latencies: &Latencies| {
        json!({
            "p50Ms": milliseconds(latencies.percentile(50)),
            "p99Ms": milliseconds(latencies.percentile(99)),
            "maxMs": milliseconds(latencies.percentile(100)),
        })
    };
    json!({
        "entries": rows,
        "neighbour": {
            "before": latencies(&neighbour.before.latencies),
            "meanwhile": latencies(&neighbour.meanwhile),
            "after": latencies(&neighbour.after.latencies),
        },
        "residentMib": {
            "before": neighbour.before.resident >> 20,
            "after": neighbour.after.resident >> 20,
        },
        "fault": neighbour.ill,
    })
}

fn summary(rows: &[Row], neighbour: &Neighbour, failed: usize) -> String {
    let of = |latencies: &Latencies| {
        let at = |percent| milliseconds(latencies.percentile(percent));
        format!(
            "p50 {} ms, p99 {} ms, longest {} ms",
            at(50),
            at(99),
            at(100)
        )
    };
    format!(
        "{} entries, {failed} not as they should be\n\
         neighbour before:    {}\n\
         neighbour meanwhile: {}\n\
         neighbour after:     {}\n\
         resident before {} MiB, after {} MiB\n\
         in the end {}",
        rows.len(),
        of(&neighbour.before.latencies),
        of(&neighbour.meanwhile),
        of(&neighbour.after.latencies),
        neighbour.before.resident >> 20,
        neighbour.after.resident >> 20,
        neighbour
            .ill
            .as_deref()
            .unwrap_or("ready, no thread is stuck")
    )
}
