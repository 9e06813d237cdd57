//! Runs Rego tests as `portcullis test` does.

use std::{error::Error, fs, path::Path, time::Duration};

use portcullis_policies::{
    Document, RegoVersion, Timestamp,
    workbench::{Material, Outcome, Source, Test, Trial, Verdict},
};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// When the tests are run: 15 June 2026 at noon UTC.
const NOW: i64 = 1_781_524_800;

/// Longest time of one test: more than the slowest takes on a machine that does much else.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A module.
pub(crate) fn source(name: &str, text: &str) -> Source {
    Source {
        name: name.to_owned(),
        text: text.to_owned(),
        version: RegoVersion::V1,
    }
}

/// The modules in a folder, their tests among them.
pub(crate) fn modules(folder: &Path) -> Result<Vec<Source>> {
    let mut modules = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "rego")
        {
            let text = fs::read_to_string(&path)?;
            modules.push(source(&path.display().to_string(), &text));
        }
    }
    Ok(modules)
}

/// Runs all tests, compiled strictly. Fails if there are none, and with what is known of each that
/// does not pass.
pub(crate) fn all_pass(sources: Vec<Source>, data: &Document) -> Result<()> {
    let material = Material::read(sources, data, true)?;
    let suite = material.suite(None, false)?;
    let trial = Trial {
        timeout: TIMEOUT,
        now: Timestamp::from_second(NOW)?,
        seed: 1,
        coverage: false,
    };
    let mut failures = Vec::new();
    suite.run(1, &trial, |test, outcome| {
        if outcome.verdict != Verdict::Pass {
            failures.push(shown(test, &outcome));
        }
    });
    if suite.tests().is_empty() {
        failures.push("there are no tests".to_owned());
    }
    if failures.is_empty() {
        Ok(())
    } else {
        Err(format!("\n{}", failures.join("\n")).into())
    }
}

fn shown(test: &Test, outcome: &Outcome) -> String {
    let name = test.full_name();
    match (&outcome.verdict, &outcome.explanation) {
        (Verdict::Fail, Some(explanation)) => format!("{name}\n{explanation}"),
        (verdict, _) => format!("{name}: {verdict:?}"),
    }
}
