//! Prints the evaluation API's OpenAPI document, or compares a file with it.
//!
//! ```text
//! openapigen > docs/openapi.json
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
    match arguments.as_slice() {
        [] => {
            io::stdout().write_all(document.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        ["--check", file] if fs::read_to_string(file)? == document => Ok(ExitCode::SUCCESS),
        ["--check", file] => {
            writeln!(
                io::stderr(),
                "{file} is out of date: write it with `make gen`"
            )?;
            Ok(ExitCode::FAILURE)
        }
        _ => {
            writeln!(io::stderr(), "usage: openapigen [--check FILE]")?;
            Ok(ExitCode::FAILURE)
        }
    }
}
