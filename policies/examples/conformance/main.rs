//! Runs OPA's conformance suites and says for each folder how many results are equal, how many
//! policies were refused, and how many results differ.
//!
//! ```text
//! conformance [--check] [--brief] [--refused] [--extra FILE] OPA DOCUMENT
//!
//! OPA            the directory of OPA's Go module, which carries the suites
//! DOCUMENT       the documentation of the run; it is written
//! --check        nothing is written; it must be as the run says
//! --brief        the sums, and not each folder
//! --refused      the cases that are refused, with the reasons
//! --extra FILE   more cases, one a line in JSON; they are not in the documentation
//! ```
//!
//! It fails if a result differs, if more than 40 cases are refused that need no function which is
//! not here, or if the documentation is not as the run says.

mod document;
mod outcome;
mod report;
mod results;
mod run;
mod suite;
mod superseded;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use report::Report;

/// Evaluator threads have stacks of this size.
const STACK: usize = 64 << 20;

/// How many cases may be refused although every function that they need is here.
const OF_OUR_OWN: usize = 40;

/// What was asked for.
#[derive(Debug, Default)]
struct Arguments {
    check: bool,
    brief: bool,
    refused: bool,
    extra: Option<PathBuf>,
    opa: PathBuf,
    document: PathBuf,
}

fn main() -> Result<ExitCode> {
    let arguments = arguments()?;
    let worker = std::thread::Builder::new().stack_size(STACK);
    let worker = worker.spawn(move || conformance(&arguments))?;
    let faults = worker
        .join()
        .map_err(|_| anyhow::anyhow!("the runner panicked"))??;
    let mut output = std::io::stdout();
    for fault in &faults {
        writeln!(output, "conformance: {fault}")?;
    }
    Ok(if faults.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn arguments() -> Result<Arguments> {
    let mut found = Arguments::default();
    let mut paths = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--check" => found.check = true,
            "--brief" => found.brief = true,
            "--refused" => found.refused = true,
            "--extra" => found.extra = Some(arguments.next().context("--extra FILE")?.into()),
            path => paths.push(PathBuf::from(path)),
        }
    }
    let [opa, document] = <[PathBuf; 2]>::try_from(paths)
        .map_err(|_| anyhow::anyhow!("two paths are needed: OPA's module, the documentation"))?;
    Ok(Arguments {
        opa,
        document,
        ..found
    })
}

/// Runs everything, and returns what must not be.
fn conformance(arguments: &Arguments) -> Result<Vec<String>> {
    let opa = version(&arguments.opa)?;
    let cases = suite::of_module(&arguments.opa)?;
    let report = Report::of(&cases);
    let mut output = std::io::stdout();
    let text = report.text(&format!("OPA {opa}"), !arguments.brief, arguments.refused);
    output.write_all(text.as_bytes())?;
    let mut faults = judge(&report);
    faults.extend(documented(arguments, &document::document(&report, &opa))?);

    if let Some(path) = &arguments.extra {
        let mut extra = suite::of_lines(path)?;
        let superseded = superseded::renew(&mut extra, &cases);
        let extra = Report::of(&extra);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let text = extra.text(&name, !arguments.brief, arguments.refused);
        output.write_all(text.as_bytes())?;
        for note in superseded {
            writeln!(
                output,
                "superseded by OPA {opa}, and taken from there: {note}"
            )?;
        }
        faults.extend(judge(&extra));
        let known = report.functions();
        for function in extra.functions().difference(&known) {
            faults.push(format!(
                "`{function}` is refused in {name}, and not in the documentation"
            ));
        }
    }
    Ok(faults)
}

/// The version in the name of a module's directory.
fn version(module: &Path) -> Result<String> {
    let name = module.file_name().unwrap_or_default().to_string_lossy();
    let Some((_, version)) = name.split_once("@v") else {
        bail!("{} is no module's directory", module.display());
    };
    Ok(version.to_owned())
}

fn judge(report: &Report) -> Vec<String> {
    let mut faults = Vec::new();
    let different = report.different.len();
    if different > 0 {
        faults.push(format!("{different} cases differ from OPA"));
    }
    let refused = report.of_our_own().count();
    if refused > OF_OUR_OWN {
        faults.push(format!(
            "{refused} cases are refused that need no missing function; at most {OF_OUR_OWN} may be"
        ));
    }
    faults
}

/// Writes the documentation, or says that it is not as it should be.
fn documented(arguments: &Arguments, text: &str) -> Result<Option<String>> {
    let path = &arguments.document;
    if !arguments.check {
        std::fs::write(path, text).with_context(|| path.display().to_string())?;
        return Ok(None);
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    if found == text {
        return Ok(None);
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (expected, found) = (lines(text), lines(&found));
    let at = (0..expected.len().max(found.len()))
        .find(|&at| expected.get(at) != found.get(at))
        .unwrap_or_default();
    Ok(Some(format!(
        "{} is out of date from line {}; `make gen` writes it",
        path.display(),
        at + 1
    )))
}
