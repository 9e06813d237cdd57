//! Results as JUnit's XML: a file is a suite, or a namespace of a cluster, and an object that a
//! policy judged is a test case.

use std::{collections::BTreeMap, fmt::Write as _};

use portcullis_policies::Decision;

use super::{
    findings::{self, Level},
    judge::Judged,
};
use crate::presentation::{xml_element, xml_text};

/// All results.
pub(super) fn report(judged: &[Judged<'_>]) -> String {
    let mut suites: BTreeMap<String, Vec<&Judged<'_>>> = BTreeMap::new();
    for judged in judged {
        let file = judged.locate(None).map(|place| place.file);
        let suite = file.or_else(|| judged.namespace.clone());
        let suite = suite.unwrap_or_else(|| "cluster".to_owned());
        suites.entry(suite).or_default().push(judged);
    }
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string does not fail.
    let _ = writeln!(text, "<testsuites{}>", sums(judged.iter()));
    for (file, objects) in &suites {
        let sums = sums(objects.iter().copied());
        let _ = writeln!(text, "  <testsuite name=\"{}\"{sums}>", xml_text(file));
        for judged in objects {
            for decision in &judged.decisions {
                text += &case(judged, decision);
            }
        }
        text += "  </testsuite>\n";
    }
    text + "</testsuites>\n"
}

fn sums<'j>(judged: impl Iterator<Item = &'j Judged<'j>>) -> String {
    let (mut tests, mut failures, mut nanoseconds) = (0, 0, 0);
    for decision in judged.flat_map(|judged| &judged.decisions) {
        tests += 1;
        failures += usize::from(!decision.allowed);
        nanoseconds += decision.duration_ns;
    }
    format!(
        " tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\" time=\"{}\"",
        seconds(nanoseconds)
    )
}

fn case(judged: &Judged<'_>, decision: &Decision) -> String {
    let place = judged.locate(None).map(|place| {
        let file = xml_text(&place.file);
        format!(" file=\"{file}\" line=\"{}\"", place.line)
    });
    let head = format!(
        "    <testcase classname=\"{}\" name=\"{}\"{} time=\"{}\"",
        xml_text(&judged.title()),
        xml_text(&decision.speaker()),
        place.unwrap_or_default(),
        seconds(decision.duration_ns)
    );
    let said = |level: Level| {
        let findings = findings::of(judged);
        let own = findings.filter(|finding| std::ptr::eq(finding.decision, decision));
        let lines = own.filter(|finding| finding.level == level).map(|finding| {
            let text = finding.message.text(decision.speaker());
            format!("{}: {text}", finding.place())
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    let mut inside = String::new();
    if !decision.allowed {
        inside += &xml_element("failure", &said(Level::Deny));
    }
    let warnings = said(Level::Warn);
    if !warnings.is_empty() {
        let _ = writeln!(
            inside,
            "      <system-out>{}</system-out>",
            xml_text(&warnings)
        );
    }
    if inside.is_empty() {
        head + "/>\n"
    } else {
        format!("{head}>\n{inside}    </testcase>\n")
    }
}

fn seconds(nanoseconds: u64) -> String {
    let seconds = std::time::Duration::from_nanos(nanoseconds).as_secs_f64();
    format!("{seconds:.6}")
}
