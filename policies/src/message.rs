//! Messages: what a decision says to people, and how severe it is.

use std::fmt;

use serde::Serialize;

use crate::{
    Code, Diagnostic, Document,
    rego::{
        execute::{MAX_SHOWN, shown},
        value::Value,
    },
    text,
};

/// How bad a violation is. The order is by severity: `Info` is the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Should be mended some day.
    Low,
    /// Should be mended soon.
    Medium,
    /// Must be mended.
    High,
    /// Must be mended now. What says nothing of its severity is critical.
    Critical,
}

/// One thing that a decision says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// A stable name for programs.
    pub code: Code,
    /// One sentence for people; printable, at most 1,000 characters.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// How bad it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// The rule of the policy that said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Where in the judged document it is: `spec.containers[0].image`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What is there; `null` is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Document>,
    /// What has to be there: a value, or a text that describes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Document>,
    /// What the policy adds for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Document>,
    /// The error of the evaluation, where it ended with one: its code is OPA's, its text cleaned.
    #[serde(skip)]
    pub error: Option<Box<Diagnostic>>,
}

impl Severity {
    /// All of them, the most severe first.
    pub const ALL: [Self; 5] = [
        Self::Critical,
        Self::High,
        Self::Medium,
        Self::Low,
        Self::Info,
    ];

    /// The name as policies and manifests write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::Info => "info",
        }
    }

    /// Reads a name, whatever its case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|severity| severity.as_str().eq_ignore_ascii_case(text))
    }
}

impl Message {
    /// A message without remedy, severity, rule and path.
    pub fn new(code: Code, message: &str) -> Self {
        Self {
            code,
            message: text::clean(message),
            remedy: None,
            severity: None,
            rule: None,
            path: None,
            found: None,
            wanted: None,
            details: None,
            error: None,
        }
    }

    /// The same message with a remedy.
    #[must_use]
    pub fn with_remedy(mut self, remedy: &str) -> Self {
        self.remedy = Some(text::clean(remedy));
        self
    }

    /// The same message of an evaluation that ended with an error.
    #[must_use]
    pub(crate) fn of_error(mut self, error: &Diagnostic) -> Self {
        self.error = Some(Box::new(Diagnostic {
            message: text::clean(&error.message),
            ..error.clone()
        }));
        self
    }

    /// The message as people read it, on one line, with where it is, what is there, and who said it,
    /// a policy or a decision's [`speaker`](crate::Decision::speaker):
    ///
    /// ```text
    /// LIMITS.NONE: container "web" has no limit at spec.containers[0] (found nothing, want a quantity) [platform/limits@1.2, rule deny, high] → set resources.limits.memory
    /// ```
    pub fn text(&self, speaker: impl fmt::Display) -> String {
        use fmt::Write as _;
        let mut text = format!("{}: {}", self.code, self.message);
        // Writing to a String cannot fail.
        if let Some(path) = &self.path {
            let _ = write!(text, " at {path}");
        }
        if let Some(comparison) = self.comparison() {
            let _ = write!(text, " ({comparison})");
        }
        let _ = write!(text, " [{speaker}");
        if let Some(rule) = &self.rule {
            let _ = write!(text, ", rule {rule}");
        }
        if let Some(severity) = self.severity {
            let _ = write!(text, ", {severity}");
        }
        text.push(']');
        if let Some(remedy) = &self.remedy {
            let _ = write!(text, " → {remedy}");
        }
        text
    }

    /// Lets it speak of a part of a document as of the whole one, in which the part is at `prefix`.
    pub(crate) fn move_below(&mut self, prefix: &str) {
        if let Some(path) = &mut self.path {
            let dot = if path.starts_with('[') { "" } else { "." };
            *path = crate::text::clean(&format!("{prefix}{dot}{path}"));
        }
    }

    /// What was found and what is wanted, if the policy says either, each cut to 120 characters:
    /// `found "1Gi", want at most 512Mi`. What is wanted is often described, and so a text stands
    /// there as it is; what was found is a value.
    pub fn comparison(&self) -> Option<String> {
        let found = self.found.as_ref().map(|found| match found.value() {
            Value::Null => "found nothing".to_owned(),
            value => format!("found {}", shown(value)),
        });
        let wanted = self.wanted.as_ref().map(|wanted| match wanted.value() {
            Value::Null => "want nothing".to_owned(),
            Value::String(text) => format!("want {}", text::cut(text, MAX_SHOWN)),
            value => format!("want {}", shown(value)),
        });
        let both: Vec<String> = [found, wanted].into_iter().flatten().collect();
        (!both.is_empty()).then(|| both.join(", "))
    }

    /// The order in which messages are shown: the most severe first, then by what they say.
    pub(crate) fn rank(&self) -> impl Ord + '_ {
        (
            std::cmp::Reverse(self.severity),
            self.rule.as_deref(),
            self.path.as_deref(),
            self.message.as_str(),
            self.code.as_str(),
            self.remedy.as_deref(),
            self.found.as_ref(),
            self.wanted.as_ref(),
            self.details.as_ref(),
        )
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Some("spec.containers[0]"), Some("spec.template.spec.containers[0]"))]
    #[case(Some("[0]"), Some("spec.template[0]"))]
    #[case(None, None)]
    fn paths_are_those_of_the_whole(#[case] path: Option<&str>, #[case] expected: Option<&str>) {
        let mut message = Message {
            path: path.map(str::to_owned),
            ..Message::new(Code::DeniedAdmission, "no")
        };
        message.move_below("spec.template");
        assert_eq!(message.path.as_deref(), expected);
    }

    fn comparison(found: Option<&str>, wanted: Option<&str>) -> Option<String> {
        let read = |text: &str| Document::read(text).unwrap();
        let message = Message {
            found: found.map(read),
            wanted: wanted.map(read),
            ..Message::new(Code::DeniedAdmission, "a")
        };
        message.comparison()
    }

    #[rstest]
    #[case(None, None, None)]
    #[case(Some("null"), None, Some("found nothing"))]
    #[case(None, Some("\"a quantity\""), Some("want a quantity"))]
    #[case(
        Some("\"1Gi\""),
        Some("\"at most 512Mi\""),
        Some("found \"1Gi\", want at most 512Mi")
    )]
    #[case(Some("true"), Some("false"), Some("found true, want false"))]
    #[case(
        Some("[8080, \"a\"]"),
        Some("null"),
        Some("found [8080, \"a\"], want nothing")
    )]
    #[case(
        Some("{\"a\": {}}"),
        Some("[1.5]"),
        Some("found {\"a\": {}}, want [1.5]")
    )]
    #[case(
        Some("\"a\\n\\u001b[31mb\""),
        Some("\"a\\n\\u001bb\""),
        Some("found \"a\\n\\x1b[31mb\", want a  b")
    )]
    fn values_are_compared_in_words(
        #[case] found: Option<&str>,
        #[case] wanted: Option<&str>,
        #[case] expected: Option<&str>,
    ) {
        assert_eq!(comparison(found, wanted).as_deref(), expected);
    }

    #[test]
    fn long_values_are_cut() {
        let long = format!("\"{}\"", "é".repeat(5_000));
        let text = comparison(Some(&long), Some(&long)).unwrap();
        assert_eq!(
            text.chars().count(),
            2 * MAX_SHOWN + "found , want ".chars().count()
        );
    }

    #[test]
    fn one_line_says_it_all() {
        let read = |text: &str| Document::read(text).unwrap();
        let message = Message {
            severity: Some(Severity::High),
            rule: Some("deny".to_owned()),
            path: Some("spec.containers[0].resources.limits.memory".to_owned()),
            found: Some(read("null")),
            wanted: Some(read("\"a quantity\"")),
            ..Message::new(
                Code::Custom("LIMITS.NONE".to_owned()),
                "container \"web\" has no memory limit",
            )
            .with_remedy("set resources.limits.memory")
        };
        assert_eq!(
            message.text("platform/limits@1.2"),
            "LIMITS.NONE: container \"web\" has no memory limit \
             at spec.containers[0].resources.limits.memory (found nothing, want a quantity) \
             [platform/limits@1.2, rule deny, high] → set resources.limits.memory"
        );
    }
}
