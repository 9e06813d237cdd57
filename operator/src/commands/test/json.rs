//! Results for programs, as `opa test --format json` writes them.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use portcullis_policies::workbench::{Case, Failure, Named, Verdict};
use serde::Serialize;

use super::Result;
use crate::presentation::{self, Fault, Place};

/// A result. What OPA does not have is `failure`: the condition that did not hold.
#[derive(Serialize)]
struct Written<'r> {
    location: Place,
    package: &'r str,
    name: &'r str,
    #[serde(skip_serializing_if = "is_false")]
    fail: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Fault<'r>>,
    #[serde(skip_serializing_if = "is_false")]
    skip: bool,
    duration: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Why<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    benchmark_result: Option<Benchmark>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    sub_results: BTreeMap<&'r str, SubResult<'r>>,
}

#[derive(Serialize)]
struct SubResult<'r> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'r str,
    #[serde(skip_serializing_if = "is_false")]
    fail: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Why<'r>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    sub_results: BTreeMap<&'r str, Self>,
}

/// The condition that did not hold.
#[derive(Serialize)]
struct Why<'r> {
    location: Place,
    #[serde(skip_serializing_if = "str::is_empty")]
    line: &'r str,
    #[serde(skip_serializing_if = "<[Named]>::is_empty")]
    values: &'r [Named],
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'r str>,
}

/// What Go says of a benchmark, as far as it is measured.
#[derive(Serialize)]
struct Benchmark {
    #[serde(rename = "N")]
    count: u64,
    #[serde(rename = "T")]
    nanoseconds: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "this is what serde calls"
)]
fn is_false(holds: &bool) -> bool {
    !holds
}

/// All results in one array.
pub(super) fn report(results: &[Result]) -> serde_json::Result<String> {
    presentation::pretty(&results.iter().map(written).collect::<Vec<_>>())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a measurement of a second has fewer nanoseconds than 2^52"
)]
fn written(result: &Result) -> Written<'_> {
    let outcome = &result.outcome;
    let printed = &outcome.printed;
    Written {
        location: Place::from(&result.test.location),
        package: &result.test.package,
        name: &result.test.name,
        fail: outcome.verdict == Verdict::Fail,
        error: match &outcome.verdict {
            Verdict::Error(error) => Some(Fault::from(error)),
            _ => None,
        },
        skip: outcome.verdict == Verdict::Skip,
        duration: u64::try_from(outcome.duration.as_nanos()).unwrap_or(u64::MAX),
        output: (!printed.is_empty()).then(|| STANDARD.encode(printed.join("\n") + "\n")),
        failure: outcome.failure.as_ref().map(why),
        benchmark_result: result.bench.as_ref().map(|bench| Benchmark {
            count: bench.count,
            nanoseconds: (bench.nanoseconds * bench.count as f64) as u64,
        }),
        sub_results: sub_results(&outcome.cases),
    }
}

fn sub_results(cases: &BTreeMap<String, Case>) -> BTreeMap<&str, SubResult<'_>> {
    let written = |(name, case)| {
        let (name, case): (&String, &Case) = (name, case);
        let result = SubResult {
            name,
            fail: case.fail,
            failure: case.failure.as_ref().map(why),
            sub_results: sub_results(&case.cases),
        };
        (name.as_str(), result)
    };
    cases.iter().map(written).collect()
}

fn why(failure: &Failure) -> Why<'_> {
    match failure {
        Failure::Condition(failed) => Why {
            location: Place::from(&failed.location),
            line: &failed.line,
            values: &failed.values,
            value: None,
        },
        Failure::Value(location, value) => Why {
            location: Place::from(location),
            line: "",
            values: &[],
            value: Some(value),
        },
    }
}
