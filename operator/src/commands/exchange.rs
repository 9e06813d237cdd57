//! `portcullis export` and `portcullis import`: a policy as a signed archive, out of a server and into
//! one.

mod arguments;

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, anyhow};
use hyper::{
    Method,
    header::{CONTENT_TYPE, HeaderValue},
};
use serde_json::Value as Json;
use url::form_urlencoded::Serializer;

pub use arguments::{ExportArguments, ImportArguments};

use crate::{
    client::{Ask, Failure, Server, ServerArguments, Timeout, end, path, wait, within},
    files::{read_bounded, replace},
    presentation::say,
};

/// Longest archive: what is imported has 8 MiB at most.
const MAX_ARCHIVE: usize = 16 << 20;

/// Longest answer: what was imported, or a problem.
const MAX_ANSWER: usize = 1 << 20;

/// Writes an archive: 0 when it is there, 1 when that is refused, 2 when it cannot be had.
pub fn export(arguments: &ExportArguments) -> anyhow::Result<ExitCode> {
    end(fetch(arguments))
}

/// Takes an archive in: with the same status.
pub fn import(arguments: &ImportArguments) -> anyhow::Result<ExitCode> {
    end(send(arguments))
}

fn fetch(arguments: &ExportArguments) -> Result<(), Failure> {
    let policy = &arguments.policy;
    let address = within(&policy.address, policy.namespace.as_deref());
    let path = format!("{}/export", path(&address));
    let server = open(&arguments.server, arguments.timeout)?;
    let archive = wait(server.ask(Ask::of(Method::GET, &path, MAX_ARCHIVE)))??;
    let file = arguments.file.display();
    replace(&in_a_folder(&arguments.file), &archive)
        .with_context(|| format!("failed to write `{file}`"))?;
    Ok(say(&format!(
        "{address} is in {file}, {} bytes",
        archive.len()
    ))?)
}

fn send(arguments: &ImportArguments) -> Result<(), Failure> {
    let file = arguments.file.display();
    let archive = read_bounded(&arguments.file);
    let archive = archive.with_context(|| format!("failed to read `{file}`"))?;
    let path = import_path(arguments);
    let mut ask = Ask::of(Method::POST, &path, MAX_ANSWER);
    let zip = HeaderValue::from_static("application/zip");
    ask.headers.insert(CONTENT_TYPE, zip);
    ask.body = archive.into();
    let server = open(&arguments.server, arguments.timeout)?;
    let imported = wait(server.ask_json(ask))??;
    Ok(say(&account(&imported)?)?)
}

fn import_path(arguments: &ImportArguments) -> String {
    let mut query = Serializer::new(String::new());
    if let Some(namespace) = &arguments.namespace {
        query.append_pair("namespace", namespace);
    }
    if let Some(digest) = &arguments.replaces {
        query.append_pair("replaces", digest);
    }
    format!("/v1/policy/import?{}", query.finish())
}

/// What became of an archive.
fn account(imported: &Json) -> anyhow::Result<String> {
    let said = |name: &str| imported[name].as_str();
    let (Some(policy), Some(action), Some(digest)) =
        (said("policy"), said("action"), said("digest"))
    else {
        anyhow::bail!("the server does not say what it imported");
    };
    let owner = said("namespace").map_or_else(String::new, |name| format!(" in {name}"));
    let signer = said("signer").unwrap_or("somebody");
    let mut text = format!("{policy}{owner} is {action}: {digest}, signed by {signer}");
    if imported["inForce"] == false {
        text += "\nthe server has it in force within seconds";
    }
    for file in imported["ignored"].as_array().into_iter().flatten() {
        let file = file.as_str().unwrap_or_default();
        // Writing to a string does not fail.
        let _ = write!(text, "\n`{file}` means nothing here");
    }
    Ok(text)
}

fn open(server: &ServerArguments, timeout: Timeout) -> Result<Server, Failure> {
    let server = server.open(timeout.timeout)?;
    server.ok_or_else(|| anyhow!("add `--url URL`: archives are exchanged with a server").into())
}

/// The same file, as one of a folder that has a name.
fn in_a_folder(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new(".").join(file),
        _ => file.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(
        json!({"policy": "a/b@1.0", "action": "created", "digest": "sha256:00", "signer": "k", "ignored": [], "inForce": true}),
        Some("a/b@1.0 is created: sha256:00, signed by k")
    )]
    #[case(
        json!({"policy": "a/b@1.0", "namespace": "team-a", "action": "replaced", "digest": "sha256:00", "signer": "k", "ignored": ["x.json"], "inForce": false}),
        Some("a/b@1.0 in team-a is replaced: sha256:00, signed by k\nthe server has it in force within \
              seconds\n`x.json` means nothing here")
    )]
    #[case(json!({}), None)]
    #[case(json!([]), None)]
    fn what_was_imported_is_told(#[case] answer: Json, #[case] expected: Option<&str>) {
        assert_eq!(account(&answer).ok().as_deref(), expected);
    }

    #[rstest]
    #[case("x.zip", "./x.zip")]
    #[case("a/x.zip", "a/x.zip")]
    #[case("/x.zip", "/x.zip")]
    fn a_file_is_in_a_folder(#[case] file: &str, #[case] expected: &str) {
        assert_eq!(in_a_folder(Path::new(file)), Path::new(expected));
    }
}
