//! The parameters that OPA's routes have in common.

use crate::parameters::Parameters;

/// How an answer is wanted.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a parameter of its own"
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// `pretty`: over several lines.
    pub(super) pretty: bool,
    /// `metrics` or `instrument`: with times.
    pub(super) metrics: bool,
    /// `provenance`: with what answered.
    pub(super) provenance: bool,
    /// `explain=notes`: with what policies note by `trace`. OPA's other explanations show data of
    /// policies, and are to be had at `/decisions/{id}`, by who may.
    pub(super) notes: bool,
    /// `strict-builtin-errors`: a builtin function's error ends the evaluation.
    pub(super) strict: bool,
}

impl Options {
    pub(super) fn of(parameters: &Parameters) -> Self {
        Self {
            pretty: flag(parameters, "pretty"),
            metrics: flag(parameters, "metrics") || flag(parameters, "instrument"),
            provenance: flag(parameters, "provenance"),
            notes: explanation(parameters) == Some("notes"),
            strict: flag(parameters, "strict-builtin-errors"),
        }
    }
}

/// Whether a parameter is set: alone, or to `true`, whatever its case.
pub(super) fn flag(parameters: &Parameters, name: &str) -> bool {
    let values: Vec<&str> = parameters.all(name).collect();
    values == [""]
        || values
            .iter()
            .any(|value| value.eq_ignore_ascii_case("true"))
}

/// The first explanation that OPA knows.
fn explanation(parameters: &Parameters) -> Option<&str> {
    let known = ["notes", "fails", "full", "debug"];
    parameters
        .all("explain")
        .find(|value| known.contains(value))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("", "")]
    #[case("pretty", "pretty")]
    #[case("pretty=", "pretty")]
    #[case("pretty=TRUE&metrics=true", "pretty metrics")]
    #[case("pretty=1&pretty=True", "pretty")]
    #[case("pretty=1&metrics=false&provenance=yes", "")]
    #[case("pretty&pretty", "")]
    #[case("instrument", "metrics")]
    #[case("provenance", "provenance")]
    #[case("explain=notes", "notes")]
    #[case("explain=what&explain=notes", "notes")]
    #[case("explain=full&explain=notes", "")]
    #[case("explain", "")]
    #[case("strict-builtin-errors=true", "strict")]
    fn are_read_as_opa_reads_them(#[case] query: &str, #[case] expected: &str) {
        let found = Options::of(&Parameters::of(&format!("/?{query}").parse().unwrap()).unwrap());
        let set = [
            (found.pretty, "pretty"),
            (found.metrics, "metrics"),
            (found.provenance, "provenance"),
            (found.notes, "notes"),
            (found.strict, "strict"),
        ];
        let names: Vec<&str> = set
            .iter()
            .filter(|(set, _)| *set)
            .map(|(_, it)| *it)
            .collect();
        assert_eq!(names.join(" "), expected);
    }
}
