//! Queries that somebody asks of a server: about documents that policies made, and without the
//! policies' modules.
//!
//! ```text
//! text ─ read ─▶ Inquiry ─ looks_at ─▶ which policies are asked first ─▶ their documents ─ ask ─▶ Bindings
//! ```
//!
//! So each policy answers with its own data, parameters, limits and locks, and a query sees what
//! it answers and nothing else: no data of policies, no functions, nothing that they import. What a query
//! asks `with input as` a document, the policies are asked with that one.

mod redirect;

use std::collections::BTreeMap;

use redirect::{Redirected, place, redirect};

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
        is_bounded, parse,
        plan::ir::Plan,
        report,
        resolve::Question,
        seed,
        source::Sources,
        value::Value,
    },
};

/// Most conditions of a query, those within others too. One that people write has some ten, and one that
/// asks a rule about many inputs has one for each. The time of compiling grows faster than their number.
const MAX_CONDITIONS: usize = 1024;

/// A query, ready to be asked.
#[derive(Debug)]
pub struct Inquiry {
    sources: Sources,
    plan: Plan,
    inputs: Vec<Document>,
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
        let Redirected {
            body,
            inputs,
            modifies,
            conditions,
        } = redirect(&body, &sources);
        if conditions > MAX_CONDITIONS {
            let message = format!("the query has more than {MAX_CONDITIONS} conditions");
            let fault = Diagnostic::new("rego_compile_error", message);
            return Err(InquiryFault::Uncompiled(
                fault.with_remedy("ask it in parts").into(),
            ));
        }
        let question = Question::conditions(QUERY, body, None);
        let options = Options {
            withheld: withheld(),
            ..Options::default()
        };
        let plan = compile(&[], &[question], options)
            .map_err(|faults| InquiryFault::Uncompiled(report(&sources, &faults)))?;
        Ok(Self {
            sources,
            plan,
            inputs,
            modifies,
        })
    }

    /// The inputs that it names by `with input as`.
    pub fn inputs(&self) -> &[Document] {
        &self.inputs
    }

    /// Whether it can look at what is at a place below `data`, or at a part of it, as it is for the
    /// request's own input, which is `None`, or for one of [`Self::inputs`].
    pub fn looks_at(&self, input: Option<usize>, path: &[&str]) -> bool {
        let data = self.plan.reads.data.at(&place_of(input));
        let found = path
            .iter()
            .try_fold(data, |access, part| Some(access?.at(part)));
        found.flatten().is_some()
    }

    /// Whether it replaces something else by `with`, which what is asked before it would not know.
    pub fn modifies(&self) -> bool {
        self.modifies
    }

    /// Asks it, about documents for the request's own input and for each of [`Self::inputs`]. Work of the
    /// processor, with a large stack.
    pub fn ask(
        &self,
        documents: Vec<Document>,
        input: Option<&Document>,
        request: &Request,
        limits: Limits,
    ) -> Result<Vec<Bindings>, Box<Diagnostic>> {
        let documents = documents.into_iter().enumerate();
        let data = Document::object(documents.map(|(input, data)| (place(input), data)));
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

fn place_of(input: Option<usize>) -> String {
    place(input.map_or(0, |input| input + 1))
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
        let inputs = inquiry.inputs().iter().map(|input| {
            // What a policy would say.
            let of_policy = [("n".to_owned(), input.clone())];
            Document::object([(
                "a".to_owned(),
                Document::object([("b".to_owned(), Document::object(of_policy))]),
            )])
        });
        let documents = std::iter::once(data).chain(inputs).collect();
        let solutions = inquiry.ask(documents, Some(&input), &request(), limits);
        solutions
            .map(|solutions| serde_json::to_string(&solutions).unwrap())
            .map_err(|fault| format!("{}: {}", fault.code, fault.message))
    }

    #[rstest]
    #[case("x := data.a.b.n[i]", r#"[{"i":0,"x":1},{"i":1,"x":2}]"#)]
    #[case("data.a.b.allow; input.user = y", r#"[{"y":"ann"}]"#)]
    #[case("false", "[{}]")]
    #[case(&vec!["x = 1"; 1024].join("; "), r#"[{"x":1}]"#)]
    #[case("data.a.c", "[]")]
    #[case("data.a.b.n[_] = 2", "[{}]")]
    #[case("x := 1 / 0", "[]")]
    #[case("x := input.user with input as {\"user\": 1}", r#"[{"x":1}]"#)]
    #[case("x := data.a.b.n with input as {\"user\": 1}", r#"[{"x":{"user":1}}]"#)]
    #[case(
        "x := data.a.b.n with input as 1; y := data.a.b.n with input as (2)",
        r#"[{"x":1,"y":2}]"#
    )]
    #[case(
        "x := [n | n := data.a.b.n with input as \"a\"]; y := data.a.b.n[0]",
        r#"[{"x":["a"],"y":1}]"#
    )]
    #[case(
        "x := [data.a.b.n, input] with input as null",
        r#"[{"x":[null,null]}]"#
    )]
    #[case(
        "x := {k | data[k]}; y := {k | data[k][_]} with input as 1",
        r#"[{"x":["a"],"y":["a"]}]"#
    )]
    #[case("x := $\"{data.a.b.n}\" with input as 7", r#"[{"x":"7"}]"#)]
    #[case("every n in data.a.b.n { n == 3 } with input as [3]", "[{}]")]
    #[case("x := object.get(data, [\"a\", \"b\"], 0).n[1]", r#"[{"x":2}]"#)]
    fn gives_the_variables_of_each_solution(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(ask(text, Limits::DEFAULT).as_deref(), Ok(expected));
    }

    #[rstest]
    #[case::empty("", "Empty")]
    #[case::comment("# nothing", "Empty")]
    #[case::no_rego("x := ", "Unread")]
    #[case::many(&vec!["x = 1"; 1025].join("; "), "more than 1024 conditions")]
    #[case::many_within(&format!("[1 | {}]", vec!["x = 1"; 1024].join("; ")), "more than 1024 conditions")]
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
            .filter(|(group, name)| inquiry.looks_at(None, &[group, name]));
        assert_eq!(seen.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn tells_apart_what_is_looked_at_with_each_input() {
        let text = "data.a.b; data.a.c with input as 1; x := 2 with input as 3";
        let inquiry = Inquiry::read(text).unwrap();
        assert_eq!(inquiry.inputs().len(), 2);
        let seen =
            |input: Option<usize>| ["b", "c"].map(|name| inquiry.looks_at(input, &["a", name]));
        assert_eq!(seen(None), [true, false]);
        assert_eq!(seen(Some(0)), [false, true]);
        assert_eq!(seen(Some(1)), [false, false]);
    }

    #[rstest]
    #[case("x := data.a with input as 1", false)]
    #[case("x := data.a with input as {\"user\": input.user}", true)]
    #[case("y := 1; x := data.a with input as y", true)]
    #[case("x := data.a with input as 1 with input as 2", true)]
    #[case("x := data.a with input.user as 1", true)]
    #[case("x := {y | y := data.a with data.b as 1}", true)]
    #[case("x := count(data.a) with count as 3", false)]
    #[case("x := \"with\" # with", false)]
    fn tells_whether_it_replaces_what_policies_look_at(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(Inquiry::read(text).unwrap().modifies(), expected);
    }
}
