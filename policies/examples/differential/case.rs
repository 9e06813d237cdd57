//! A case: a policy, what is asked of it, and what was answered.

use portcullis_policies::rego::ast::Version;
use portcullis_policies::rego::value::Value;
use portcullis_policies::rego::value::{self, text::literal};
use serde::Serialize;

use crate::tokens;

/// Modules and what is asked of them.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) version: Version,
    /// The sources, in the order in which they are read.
    pub(crate) modules: Vec<String>,
    pub(crate) queries: Vec<String>,
    /// Documents in JSON; `null` stands for none.
    pub(crate) inputs: Vec<String>,
    /// An object in JSON.
    pub(crate) data: String,
    pub(crate) strict: bool,
    pub(crate) strict_errors: bool,
}

/// The file of a module. With two digits, files are read in the order of the modules.
pub(crate) fn file_name(index: usize) -> String {
    format!("m{index:02}.rego")
}

/// What was made of a case.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// The codes with which it was refused, sorted, with the messages.
    Faults(Vec<String>, String),
    /// The answers: for each query, one an input.
    Answers(Vec<Vec<Answer>>),
    /// Beyond what is supported, on purpose.
    Refused(String),
    /// No verdict: out of time, or ended.
    Failed(String),
}

/// What a query evaluates to.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// The bindings of all solutions, sorted.
    Solutions(Vec<Value>),
    /// The code of an error, with its message.
    Error(String, String),
    /// Solutions, and the code of the error that OPA has where it evaluates all rules: its index
    /// spares some.
    Spared(Vec<Value>, String),
    /// Beyond what is supported, on purpose, or out of a budget.
    Refused(String),
}

impl Answer {
    /// Solutions in an order of their own, each once.
    pub(crate) fn of(mut solutions: Vec<Value>) -> Self {
        solutions.sort_by(value::compare);
        solutions.dedup_by(|a, b| value::compare(a, b).is_eq());
        Self::Solutions(solutions)
    }

    /// What kind of answer it is.
    fn kind(&self) -> String {
        match self {
            Self::Solutions(solutions) | Self::Spared(solutions, _) if solutions.is_empty() => {
                "undefined".to_owned()
            }
            Self::Solutions(_) | Self::Spared(..) => "solutions".to_owned(),
            Self::Error(code, _) => code.clone(),
            Self::Refused(_) => "refused".to_owned(),
        }
    }

    pub(crate) fn show(&self) -> String {
        match self {
            Self::Solutions(solutions) | Self::Spared(solutions, _) => {
                let solutions: Vec<String> = solutions.iter().map(literal).collect();
                format!("{} solutions {}", solutions.len(), solutions.join(" ; "))
            }
            Self::Error(code, message) => format!("{code}: {message}"),
            Self::Refused(reason) => format!("refused: {reason}"),
        }
    }
}

/// How two answers, or two verdicts, compare.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    EqualResult,
    EqualError,
    /// An error of a rule that OPA's index spares.
    Spared,
    /// Both refuse the policy, with other codes: of several errors, OPA finds those of its first
    /// stage that finds any.
    OtherCodes(Difference),
    /// Only one side has an error of a builtin function, in an evaluation where those count.
    Strict,
    /// One side finds a fault of types where replacements are in force: types are widened there,
    /// by OPA for what depends on what is replaced, by us for documents.
    Wider,
    /// A result may show how a number was written, which is not kept.
    Written,
    /// Refused by us on purpose.
    Refused,
    /// There is nothing to compare with.
    Unanswered,
    Different(Difference),
}

/// What is different, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// The kinds of both answers. Reducing a case must not change them.
    pub(crate) kinds: [String; 2],
    /// Both answers.
    pub(crate) shown: [String; 2],
    /// The query and the input, if it is the evaluation that differs.
    pub(crate) place: Option<[usize; 2]>,
}

/// All comparisons of a case: one if it is about compiling, else one an answer.
pub(crate) fn compare(case: &Case, ours: &Verdict, theirs: &Verdict) -> Vec<Comparison> {
    let different = |kinds: [String; 2], shown: [String; 2]| {
        vec![Comparison::Different(Difference {
            kinds,
            shown,
            place: None,
        })]
    };
    let accepted = || "accepted".to_owned();
    match (ours, theirs) {
        (Verdict::Failed(reason), _) => different(
            ["failed".to_owned(), String::new()],
            [reason.clone(), String::new()],
        ),
        (_, Verdict::Failed(_) | Verdict::Refused(_)) => vec![Comparison::Unanswered],
        (Verdict::Refused(_), _) => vec![Comparison::Refused],
        (Verdict::Faults(ours, ours_text), Verdict::Faults(theirs, theirs_text)) => {
            // OPA stops after ten.
            let is_cut = theirs_text.contains("error limit reached");
            let first = |text: &str| text.split(": ").nth(1).map(str::to_owned);
            if ours == theirs
                || first(ours_text) == first(theirs_text)
                || is_cut && theirs.iter().all(|code| ours.contains(code))
            {
                return vec![Comparison::EqualError];
            }
            vec![Comparison::OtherCodes(Difference {
                kinds: [ours.join(" "), theirs.join(" ")],
                shown: [ours_text.clone(), theirs_text.clone()],
                place: None,
            })]
        }
        (Verdict::Faults(codes, _), Verdict::Answers(_))
            if *codes == ["rego_type_error"] && case.has_replacements() =>
        {
            vec![Comparison::Wider]
        }
        (Verdict::Faults(codes, text), Verdict::Answers(_)) => {
            different([codes.join(" "), accepted()], [text.clone(), accepted()])
        }
        (Verdict::Answers(_), Verdict::Faults(codes, _))
            if *codes == ["rego_type_error"] && case.has_replacements() =>
        {
            vec![Comparison::Wider]
        }
        (Verdict::Answers(_), Verdict::Faults(codes, text)) => {
            different([accepted(), codes.join(" ")], [accepted(), text.clone()])
        }
        (Verdict::Answers(ours), Verdict::Answers(theirs)) => {
            let mut comparisons = Vec::new();
            for (query, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                for (input, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                    comparisons.push(match compare_answers(ours, theirs, [query, input]) {
                        Comparison::Different(found)
                            if found.kinds == ["solutions", "solutions"]
                                && case.writes_numbers_otherwise() =>
                        {
                            Comparison::Written
                        }
                        comparison => comparison,
                    });
                }
            }
            comparisons
        }
    }
}

fn compare_answers(ours: &Answer, theirs: &Answer, place: [usize; 2]) -> Comparison {
    let same = match (ours, theirs) {
        (_, Answer::Refused(_)) => return Comparison::Unanswered,
        (Answer::Refused(_), _) => return Comparison::Refused,
        // Without its index, OPA had no answer in time.
        (Answer::Error(..), Answer::Spared(_, theirs)) if theirs == "eval_cancel_error" => {
            return Comparison::Unanswered;
        }
        (Answer::Error(ours, _), Answer::Spared(_, theirs)) if is_same_error(ours, theirs) => {
            return Comparison::Spared;
        }
        (Answer::Error(code, _), Answer::Solutions(_) | Answer::Spared(..))
        | (Answer::Solutions(_), Answer::Error(code, _))
            if is_of_builtin(code) =>
        {
            return Comparison::Strict;
        }
        (
            Answer::Solutions(ours) | Answer::Spared(ours, _),
            Answer::Solutions(theirs) | Answer::Spared(theirs, _),
        ) => {
            let mut pairs = ours.iter().zip(theirs);
            if ours.len() == theirs.len() && pairs.all(|(a, b)| value::compare(a, b).is_eq()) {
                return Comparison::EqualResult;
            }
            false
        }
        (Answer::Error(ours, _), Answer::Error(theirs, _)) => is_same_error(ours, theirs),
        _ => false,
    };
    if same {
        return Comparison::EqualError;
    }
    Comparison::Different(Difference {
        kinds: [ours.kind(), theirs.kind()],
        shown: [ours.show(), theirs.show()],
        place: Some(place),
    })
}

/// `1e6`, `1.50`
fn is_written_otherwise(token: &str) -> bool {
    token.starts_with(|first: char| first.is_ascii_digit())
        && (token.contains(['e', 'E']) || token.contains('.') && token.ends_with('0'))
}

/// Which of several errors comes first is not told where one is of a builtin.
fn is_same_error(ours: &str, theirs: &str) -> bool {
    let both = [ours, theirs];
    ours == theirs
        || both.iter().any(|code| is_of_builtin(code))
            && both.iter().all(|code| code.starts_with("eval_"))
}

fn is_of_builtin(code: &str) -> bool {
    ["eval_builtin_error", "eval_type_error"].contains(&code)
}

/// A case as the oracle reads it.
#[derive(Serialize)]
struct Request<'c> {
    id: u64,
    version: &'static str,
    modules: std::collections::BTreeMap<String, &'c str>,
    queries: &'c [String],
    inputs: Vec<&'c serde_json::value::RawValue>,
    data: &'c serde_json::value::RawValue,
    strict: bool,
    strict_errors: bool,
    timeout: u32,
}

/// Milliseconds for one evaluation by OPA. What takes longer is not compared.
const TIMEOUT: u32 = 500;

impl Case {
    /// The request, in one line.
    pub(crate) fn request(&self, id: u64) -> anyhow::Result<String> {
        let files = self.modules.iter().enumerate();
        let inputs = self.inputs.iter();
        let request = Request {
            id,
            version: self.version_name(),
            modules: files
                .map(|(at, text)| (file_name(at), text.as_str()))
                .collect(),
            queries: &self.queries,
            inputs: inputs
                .map(|text| serde_json::from_str(text))
                .collect::<Result<_, _>>()?,
            data: serde_json::from_str(&self.data)?,
            strict: self.strict,
            strict_errors: self.strict_errors,
            timeout: TIMEOUT,
        };
        Ok(serde_json::to_string(&request)?)
    }

    fn has_replacements(&self) -> bool {
        let mut texts = self.modules.iter().chain(&self.queries);
        texts.any(|text| text.split_whitespace().any(|word| word == "with"))
    }

    /// Whether it has a number that we would write otherwise.
    fn writes_numbers_otherwise(&self) -> bool {
        let texts = self.modules.iter().chain(&self.queries).chain(&self.inputs);
        let mut texts = texts.chain([&self.data]);
        texts.any(|text| tokens::split(text).into_iter().any(is_written_otherwise))
    }

    fn version_name(&self) -> &'static str {
        match self.version {
            Version::V0 => "v0",
            _ => "v1",
        }
    }

    /// The case as a person reads it.
    pub(crate) fn show(&self) -> String {
        use std::fmt::Write as _;
        let mut text = format!(
            "# {}{}{}\n",
            self.version_name(),
            if self.strict { ", strict" } else { "" },
            if self.strict_errors {
                ", builtin errors are errors"
            } else {
                ""
            },
        );
        for (index, module) in self.modules.iter().enumerate() {
            let _ = writeln!(text, "# --- {}\n{}", file_name(index), module.trim_end());
        }
        let _ = writeln!(text, "# --- data: {}", self.data);
        for input in &self.inputs {
            let _ = writeln!(text, "# --- input: {input}");
        }
        for query in &self.queries {
            let _ = writeln!(text, "# --- query: {query}");
        }
        text
    }
}
