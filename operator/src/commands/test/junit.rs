//! Results as JUnit's XML, which CI systems read.
//!
//! A package is a suite, and a case of a test is a test case of its own: `test_split[empty]`. The
//! attributes are those of the schema of Apache Ant's task and of Maven's Surefire, and `file` and
//! `line`, which GitHub's and GitLab's readers show.

use std::{collections::BTreeMap, fmt::Write as _};

use portcullis_policies::workbench::{Case, Failure, Verdict};

use super::Tested;
use crate::presentation::{printable_lines, xml_element, xml_text};

/// One test case.
struct Reported {
    name: String,
    file: String,
    line: u32,
    seconds: f64,
    state: State,
    printed: String,
}

/// What became of it, with a text.
enum State {
    Passed,
    Failed(String),
    Error(String),
    Skipped,
}

/// All results.
pub(super) fn report(results: &[Tested]) -> String {
    let mut suites: BTreeMap<&str, Vec<Reported>> = BTreeMap::new();
    for result in results {
        let suite = suites.entry(&result.test.package).or_default();
        suite.extend(reported(result));
    }
    let all = suites.values().flatten();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let sums = sums(all);
    // Writing to a string does not fail.
    let _ = writeln!(text, "<testsuites{sums}>");
    for (package, cases) in &suites {
        let sums = self::sums(cases.iter());
        let _ = writeln!(text, "  <testsuite name=\"{}\"{sums}>", xml_text(package));
        for case in cases {
            text += &case.xml(package);
        }
        text += "  </testsuite>\n";
    }
    text + "</testsuites>\n"
}

fn sums<'r>(cases: impl Iterator<Item = &'r Reported>) -> String {
    let (mut tests, mut failures, mut errors, mut skipped, mut seconds) = (0, 0, 0, 0, 0.0);
    for case in cases {
        tests += 1;
        seconds += case.seconds;
        match case.state {
            State::Passed => {}
            State::Failed(_) => failures += 1,
            State::Error(_) => errors += 1,
            State::Skipped => skipped += 1,
        }
    }
    format!(
        " tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" \
         time=\"{seconds:.6}\""
    )
}

/// The test cases of a result. The time and what was printed are those of all cases, and so the
/// first one's.
fn reported(result: &Tested) -> Vec<Reported> {
    let outcome = &result.outcome;
    let case = |name: String, state: State| Reported {
        name,
        file: result.test.location.file.clone(),
        line: result.test.location.line,
        seconds: 0.0,
        state,
        printed: String::new(),
    };
    let mut cases = Vec::new();
    match &outcome.verdict {
        Verdict::Error(error) => {
            cases.push(case(
                result.test.name.clone(),
                State::Error(error.to_string()),
            ));
        }
        Verdict::Skip => cases.push(case(result.test.name.clone(), State::Skipped)),
        Verdict::Pass if outcome.cases.is_empty() => {
            cases.push(case(result.test.name.clone(), State::Passed));
        }
        Verdict::Fail if outcome.cases.is_empty() => {
            let why = outcome.failure.as_ref().map_or_else(String::new, why);
            cases.push(case(result.test.name.clone(), State::Failed(why)));
        }
        Verdict::Pass | Verdict::Fail => {
            leaves(&outcome.cases, &result.test.name, &mut |name, leaf| {
                let why = leaf.failure.as_ref().map_or_else(String::new, why);
                let state = if leaf.fail {
                    State::Failed(why)
                } else {
                    State::Passed
                };
                cases.push(case(name, state));
            });
        }
    }
    if let Some(first) = cases.first_mut() {
        first.seconds = outcome.duration.as_secs_f64();
        first.printed = outcome.printed.join("\n");
    }
    cases
}

fn leaves(cases: &BTreeMap<String, Case>, name: &str, visit: &mut impl FnMut(String, &Case)) {
    for (key, case) in cases {
        let name = format!("{name}[{key}]");
        if case.cases.is_empty() {
            visit(name, case);
        } else {
            leaves(&case.cases, &name, visit);
        }
    }
}

fn why(failure: &Failure) -> String {
    match failure {
        Failure::Condition(failed) => failed.to_string(),
        Failure::Value(place, value) => format!("{place}: the value is {value}, and not true"),
    }
}

impl Reported {
    fn xml(&self, package: &str) -> String {
        let mut text = format!(
            "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{}\" time=\"{:.6}\"",
            xml_text(package),
            xml_text(&self.name),
            xml_text(&self.file),
            self.line,
            self.seconds
        );
        let inside = match &self.state {
            State::Passed => String::new(),
            State::Failed(why) => xml_element("failure", why),
            State::Error(why) => xml_element("error", why),
            State::Skipped => "      <skipped/>\n".to_owned(),
        };
        let printed = match &*self.printed {
            "" => String::new(),
            printed => format!(
                "      <system-out>{}</system-out>\n",
                xml_text(&printable_lines(printed))
            ),
        };
        if inside.is_empty() && printed.is_empty() {
            text += "/>\n";
        } else {
            let _ = writeln!(text, ">\n{inside}{printed}    </testcase>");
        }
        text
    }
}
