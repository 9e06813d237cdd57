//! Writes the evaluation API's OpenAPI document, or compares a file with it.
//!
//! ```text
//! openapigen docs/openapi.json
//! openapigen --check docs/openapi.json
//! ```

use std::{
    env, fs,
    io::{self, Write as _},
    process::ExitCode,
};

fn main() -> io::Result<ExitCode> {
    let document = portcullis_webhook::openapi();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let failure = match arguments.as_slice() {
        ["--check", file] if fs::read_to_string(file)? == document => None,
        ["--check", file] => Some(format!("{file} is out of date: write it with `make gen`")),
        [file] if !file.starts_with('-') => {
            fs::write(file, document)?;
            None
        }
        _ => Some("usage: openapigen [--check] FILE".to_owned()),
    };
    let Some(failure) = failure else {
        return Ok(ExitCode::SUCCESS);
    };
    writeln!(io::stderr(), "{failure}")?;
    Ok(ExitCode::FAILURE)
}
