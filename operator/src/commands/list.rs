//! `portcullis list`: the policies of a server or of a cluster, and what locks them.
//!
//! ```text
//! --url URL ── GET /v1/policies, page by page ──▶ Row ──▶ table, json
//! cluster ──── policies and locks, page by page ─▶ Row ─┘
//! ```

mod arguments;
mod cluster;
mod row;
mod server;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::anyhow;

pub use arguments::Arguments;

use super::door::Door;
use crate::{
    client::{Failure, end},
    directory::printable,
};
use arguments::Format;
use row::Row;

/// What is there, and of what it cannot be told.
struct Found {
    rows: Vec<Row>,
    /// What may not be told.
    notes: Vec<String>,
    /// What cannot be told.
    faults: Vec<String>,
}

/// Lists, and prints: 0, 1 when that is refused, or 2 where something cannot be told.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    end(list(arguments))
}

fn list(arguments: &Arguments) -> Result<(), Failure> {
    let wanted = &arguments.wanted;
    let found = arguments.door.run(async |door| match door {
        Door::Server(server) => server::read(&server, wanted).await,
        Door::Cluster(client) => cluster::read(&client, wanted).await,
    })?;
    let text = match arguments.output {
        Format::Table => row::table(&found.rows),
        Format::Json => row::json(&found.rows).map_err(anyhow::Error::from)?,
    };
    let mut out = io::stdout().lock();
    write!(out, "{text}")?;
    out.flush()?;
    for note in &found.notes {
        write!(io::stderr(), "{}", printable(note))?;
    }
    if found.faults.is_empty() {
        if found.rows.is_empty() && arguments.output == Format::Table {
            write!(io::stderr(), "{}", printable("no policy fits"))?;
        }
        return Ok(());
    }
    let faults = found.faults.join("\n  · ");
    Err(anyhow!("not all of it can be told\n  · {faults}").into())
}
