//! Queries that somebody asks of a server: about documents that policies made, and without the
//! policies' modules.
//!
//! ```text
//! text ─ read ─▶ Inquiry ─ looks_at ─▶ which policies are asked first ─▶ their documents ─ ask ─▶ Bindings
//! ```
//!
//! So each policy answers with its own data, parameters, limits and locks, and a query sees what
//! it answers and nothing else: no data of policies, no functions, nothing that they import.

use std::collections::BTreeMap;

use super::{
    material::fault,
    query::{QUERY, bindings},
};
use crate::{
    Diagnostic, Diagnostics, Document, Limits, Request,
    rego::{
        ast::Version,
        builtins::{Refusal, Surroundings, Withheld},
        compile::{Options, compile},
        execute::{self, Question as Evaluation},
        is_bounded,
        lex::{self, Kind, Word},
        parse,
        plan::ir::Plan,
        report,
        resolve::Question,
        seed,
        source::Sources,
        value::Value,
    },
};

/// A query, ready to be asked.
#[derive(Debug)]
pub struct Inquiry {
    sources: Sources,
    plan: Plan,
    modifies: bool,
}

/// Why a query cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InquiryFault {
    /// There is nothing in it.
    Empty,
    /// It is no Rego.
    Unread(Diagnostics),
    /// Its names or types are wrong.
    Uncompiled(Diagnostics),
}

/// The variables of one solution.
pub type Bindings = BTreeMap<String, Document>;

impl Inquiry {
    /// Reads a query of version 1. Work of the processor, with a large stack.
    pub fn read(text: &str) -> Result<Self, InquiryFault> {
        let mut sources = Sources::default();
        // OPA's places in a query name no file.
        let file = sources.add("", text);
        let body = parse::parse_query(file, text, Version::V1)
            .map_err(|faults| InquiryFault::Unread(report(&sources, &faults)))?;
        if body.is_empty() {
            return Err(InquiryFault::Empty);
        }
        let question = Question::conditions(QUERY, body, None);
        let options = Options {
            withheld: withheld(),
            ..Options::default()
        };
        let plan = compile(&[], &[question], options)
            .map_err(|faults| InquiryFault::Uncompiled(report(&sources, &faults)))?;
        let modifies = lex::lex(file, text)
            .tokens
            .iter()
            .any(|token| token.kind == Kind::Word(Word::With));
        Ok(Self {
            sources,
            plan,
            modifies,
        })
    }

    /// Whether it can look at what is at a place below `data`, or at a part of it.
    pub fn looks_at(&self, path: &[&str]) -> bool {
        path.iter()
            .try_fold(&self.plan.reads.data, |access, part| access.at(part))
            .is_some()
    }

    /// Whether it replaces something by `with`, which what is asked before it would not know.
    pub fn modifies(&self) -> bool {
        self.modifies
    }

    /// Asks it. Work of the processor, with a large stack.
    pub fn ask(
        &self,
        data: &Document,
        input: Option<&Document>,
        request: &Request,
        limits: Limits,
    ) -> Result<Vec<Bindings>, Box<Diagnostic>> {
        let evaluation = Evaluation {
            input: input.map_or(Value::Undefined, |input| input.value().clone()),
            data: data.value().clone(),
            surroundings: Surroundings::new(request.now.as_nanosecond(), None, seed(request)),
            limits: execute::Limits {
                time: Some(limits.timeout.min(request.budget)),
                // The clock ends it before.
                steps: u64::MAX,
                memory: limits.memory,
                ..execute::Limits::default()
            },
            strict: request.strict,
        };
        let found = execute::evaluate(&self.plan, &self.plan.entries[0], evaluation)
            .map_err(|error| Box::new(fault(&self.sources, &error)))?;
        // What it gives is written, so it counts as what a policy gives.
        let all = Value::from(found);
        if !is_bounded(&all) {
            let message = "the result is too large";
            return Err(Box::new(Diagnostic::new("eval_cancel_error", message)));
        }
        let solutions = all.as_array().map(|all| all.iter().map(bindings).collect());
        Ok(solutions.unwrap_or_default())
    }
}

fn withheld() -> Withheld {
    let refusal = |reason| {
        Some(Refusal {
            reason,
            remedy: "have a policy do it, and ask that one",
        })
    };
    Withheld {
        network: refusal("a query makes no network calls"),
        memory: refusal("a query has no memory"),
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use rstest::rstest;

    use super::*;
    use crate::{Headers, Timestamp};

    fn request() -> Request {
        Request {
            id: "7d1c6a2e-0000-4000-8000-000000000001".into(),
            now: Timestamp::UNIX_EPOCH,
            headers: Arc::new(Headers::default()),
            budget: Duration::from_mins(1),
            namespace: None,
            tool: None,
            strict: false,
        }
    }

    const DATA: &str = r#"{"a": {"b": {"allow": true, "n": [1, 2]}}}"#;

    fn ask(text: &str, limits: Limits) -> Result<String, String> {
        let data = Document::read(DATA).unwrap();
        let input = Document::read(r#"{"user": "ann"}"#).unwrap();
        let inquiry = Inquiry::read(text).map_err(|fault| format!("{fault:?}"))?;
        let solutions = inquiry.ask(&data, Some(&input), &request(), limits);
        solutions
            .map(|solutions| serde_json::to_string(&solutions).unwrap())
            .map_err(|fault| format!("{}: {}", fault.code, fault.message))
    }

    #[rstest]
    #[case("x := data.a.b.n[i]", r#"[{"i":0,"x":1},{"i":1,"x":2}]"#)]
    #[case("data.a.b.allow; input.user = y", r#"[{"y":"ann"}]"#)]
    #[case("false", "[{}]")]
    #[case("data.a.c", "[]")]
    #[case("data.a.b.n[_] = 2", "[{}]")]
    #[case("x := 1 / 0", "[]")]
    #[case("x := input.user with input as {\"user\": 1}", r#"[{"x":1}]"#)]
    fn gives_the_variables_of_each_solution(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(ask(text, Limits::DEFAULT).as_deref(), Ok(expected));
    }

    #[rstest]
    #[case::empty("", "Empty")]
    #[case::comment("# nothing", "Empty")]
    #[case::no_rego("x := ", "Unread")]
    #[case::unsafe_variable("x = y", "rego_unsafe_var_error")]
    #[case::function_of_a_policy("data.a.b.f(1, x)", "undefined function data.a.b.f")]
    #[case::network(
        "http.send({\"url\": \"http://127.0.0.1\"}, x)",
        "a query makes no network calls"
    )]
    #[case::memory("cache.get(\"a\", \"b\", \"c\", x)", "a query has no memory")]
    fn refuses(#[case] text: &str, #[case] expected: &str) {
        let fault = ask(text, Limits::DEFAULT).unwrap_err();
        assert!(fault.contains(expected), "{fault}");
    }

    #[test]
    fn keeps_to_its_limits() {
        let endless = "count([1 | numbers.range(1, 3000)[_]; numbers.range(1, 3000)[_]]) = x";
        let hasty = Limits {
            timeout: Duration::from_millis(1),
            ..Limits::DEFAULT
        };
        let fault = ask(endless, hasty).unwrap_err();
        assert!(fault.starts_with("eval_cancel_error"), "{fault}");
        let small = Limits {
            memory: 1 << 20,
            timeout: Duration::from_mins(1),
        };
        let fault = ask("x := numbers.range(1, 1000000)", small).unwrap_err();
        assert!(fault.starts_with("eval_cancel_error"), "{fault}");
        // Each text is there once, and would be written a thousand times.
        let wide = "t := sprintf(\"%09999d\", [1]); x := [t | numbers.range(1, 1000)[_]]";
        let patient = Limits {
            timeout: Duration::from_mins(1),
            ..Limits::DEFAULT
        };
        let fault = ask(wide, patient).unwrap_err();
        assert_eq!(fault, "eval_cancel_error: the result is too large");
    }

    #[rstest]
    #[case("data.a.b.allow", &[("a", "b")])]
    #[case("data.a[x].allow", &[("a", "b"), ("a", "c")])]
    #[case("x := data", &[("a", "b"), ("a", "c"), ("b", "b")])]
    #[case("x := data.a", &[("a", "b"), ("a", "c")])]
    #[case("not data.a.c", &[("a", "c")])]
    #[case("walk(data, x)", &[("a", "b"), ("a", "c"), ("b", "b")])]
    #[case("x := {y | y := data[\"a\"][\"b\"]}", &[("a", "b")])]
    #[case("x := 1", &[])]
    fn tells_what_it_looks_at(#[case] text: &str, #[case] expected: &[(&str, &str)]) {
        let inquiry = Inquiry::read(text).unwrap();
        let places = [("a", "b"), ("a", "c"), ("b", "b")];
        let seen = places
            .into_iter()
            .filter(|(group, name)| inquiry.looks_at(&[group, name]));
        assert_eq!(seen.collect::<Vec<_>>(), expected);
    }

    #[rstest]
    #[case("x := data.a with input as 1", true)]
    #[case("x := {y | y := data.a with data.b as 1}", true)]
    #[case("x := \"with\" # with", false)]
    fn tells_whether_it_replaces(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(Inquiry::read(text).unwrap().modifies(), expected);
    }
}
