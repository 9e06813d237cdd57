//! A case as it was told, read again.

use anyhow::{Result, bail};
use portcullis_policies::rego::ast::Version;

use crate::case::{self, Case, Comparison, Verdict};
use crate::oracle::Oracle;
use crate::ours;

/// Both verdicts on a case that was written before. Where they differ, says how.
pub(crate) fn replay(oracle: &mut Oracle, text: &str) -> Result<String> {
    let case = read(text)?;
    let cases = [case];
    oracle.ask(&cases)?;
    let ours = ours::verdict(&cases[0]);
    let theirs = oracle.answers(&cases)?;
    let shown = format!("ours: {}\nOPA:  {}", show(&ours), show(&theirs[0]));
    let mut comparisons = case::compare(&cases[0], &ours, &theirs[0]).into_iter();
    let is_different = comparisons.any(|one| matches!(one, Comparison::Different(_)));
    let result = if is_different { "different" } else { "equal" };
    Ok(format!("{shown}\n{result}"))
}

fn show(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Faults(_, text) | Verdict::Refused(text) | Verdict::Failed(text) => text.clone(),
        Verdict::Answers(rows) => {
            let answers = rows.iter().flatten().map(case::Answer::show);
            answers.collect::<Vec<_>>().join("\n      ")
        }
    }
}

fn read(text: &str) -> Result<Case> {
    let text = match text.strip_prefix("===") {
        Some(rest) => rest.split_once('\n').map_or("", |(_, rest)| rest),
        None => text,
    };
    let text = text.split("\n# ours:").next().unwrap_or_default();
    let mut parts = text.split("# --- ");
    let settings = parts.next().unwrap_or_default();
    let mut case = Case {
        version: if settings.contains("v0") {
            Version::V0
        } else {
            Version::V1
        },
        modules: Vec::new(),
        queries: Vec::new(),
        inputs: Vec::new(),
        data: "{}".to_owned(),
        strict: settings.contains("strict"),
        strict_errors: settings.contains("errors"),
    };
    for part in parts {
        let (name, rest) = part.split_at(part.find(['\n', ':']).unwrap_or(part.len()));
        let rest = rest.get(1..).unwrap_or_default();
        match name {
            "data" => rest.trim().clone_into(&mut case.data),
            "input" => case.inputs.push(rest.trim().to_owned()),
            "query" => case.queries.push(rest.trim().to_owned()),
            name if name.starts_with('m') => case.modules.push(rest.trim_end().to_owned()),
            other => bail!("a case has no part {other}"),
        }
    }
    if case.inputs.is_empty() {
        case.inputs.push("null".to_owned());
    }
    Ok(case)
}
