//! Calls of builtin functions, with arguments of the types that they declare.

use std::sync::LazyLock;

use portcullis_policies::rego::ast::Version;
use portcullis_policies::rego::builtins;
use portcullis_policies::rego::check::signatures::{self, Signature};
use portcullis_policies::rego::check::types::Type;
use portcullis_policies::rego::value::text::literal;

use super::{Kind, Writer, operands};

/// Functions whose results cannot be compared, by what their names begin with.
const LEFT_OUT: [&str; 9] = [
    // OPA does not have them.
    "did_to_url",
    "external.",
    "get_header",
    "url_to_did",
    // They are in policies that are compiled already.
    "internal.",
    // They are other ones at each evaluation.
    "rand.intn",
    "uuid.rfc4122",
    // They give nothing.
    "assign",
    "print",
];

/// Calls in one policy.
const CALLS: usize = 10;

/// The functions that are called, in the order of their names.
static FUNCTIONS: LazyLock<Vec<&'static Signature>> = LazyLock::new(|| {
    let mut functions: Vec<_> = signatures::all()
        .filter(|signature| {
            let available = builtins::is_compiled(signature.name)
                || builtins::lookup(signature.name)
                    .is_some_and(|builtin| builtins::refusal(builtin).is_none());
            let left_out = LEFT_OUT.iter().any(|name| signature.name.starts_with(name));
            available && !left_out
        })
        .collect();
    functions.sort_by_key(|signature| signature.name);
    functions
});

/// A call. Of a token only what is signed can be compared, because some signatures are random.
fn call(name: &str, arguments: &[String]) -> String {
    let call = format!("{name}({})", arguments.join(", "));
    if name.starts_with("io.jwt.encode_sign") {
        return format!("io.jwt.decode({call})[1]");
    }
    call
}

impl Writer<'_> {
    /// A call whose result is of a kind.
    pub(super) fn builtin_call(&mut self, kind: Kind, depth: usize) -> String {
        let functions: Vec<&Signature> = FUNCTIONS
            .iter()
            .filter(|signature| self.version == Version::V0 || !signature.deprecated)
            // What has several results, or none for what it is given, belongs into a body.
            .filter(|signature| !signature.relation)
            .filter(|signature| {
                kind == Kind::Any
                    || signature
                        .result
                        .as_ref()
                        .is_some_and(|result| gives(result, kind))
            })
            .copied()
            .collect();
        if functions.is_empty() {
            return self.document(kind);
        }
        let signature = functions[self.random.below(functions.len())];
        let arguments = self.arguments(signature, depth);
        call(signature.name, &arguments)
    }

    /// A module with nothing but calls, each in a rule of its own, and a query for each: of the
    /// functions whose names begin so, or of all.
    pub(super) fn module_of_calls(&mut self, names: &[String]) -> (String, Vec<String>) {
        let is_wanted = |name: &str| {
            names.is_empty() || names.iter().any(|start| name.starts_with(start.as_str()))
        };
        let functions: Vec<&Signature> = FUNCTIONS
            .iter()
            .filter(|signature| self.version == Version::V0 || !signature.deprecated)
            .filter(|signature| is_wanted(signature.name))
            .copied()
            .collect();
        let mut module = "package t\n".to_owned();
        let mut queries = Vec::new();
        for number in 0..CALLS {
            let signature = functions[self.random.below(functions.len())];
            let mut arguments = self.arguments(signature, 1);
            for argument in &mut arguments {
                if self.percent(15) {
                    self.pick(operands::ANYTHING).clone_into(argument);
                }
            }
            let (name, called) = (signature.name, call(signature.name, &arguments));
            let arguments = arguments.join(", ");
            let rule = match (signature.relation, self.version) {
                (false, _) => format!("c{number} := {called}"),
                (true, Version::V0) => format!("c{number}[x] {{ {name}({arguments}, x) }}"),
                (true, _) => format!("c{number} contains x if {name}({arguments}, x)"),
            };
            module.push_str(&rule);
            module.push('\n');
            queries.push(format!("x = data.t.c{number}"));
        }
        (module, queries)
    }

    fn arguments(&mut self, signature: &Signature, depth: usize) -> Vec<String> {
        let arguments = signature.arguments.iter().enumerate();
        arguments
            .map(|(at, argument)| self.argument(signature.name, at, argument, depth))
            .collect()
    }

    fn argument(&mut self, name: &str, at: usize, argument: &Type, depth: usize) -> String {
        // What exists only at run time is not checked when the policy is compiled.
        if self.percent(12) {
            return self.document(Kind::Any);
        }
        if let Some(text) = self.of_keys(name, at) {
            return text;
        }
        // An object that holds one of `data` is another value to OPA than it looks like.
        let is_particular = name == "json.filter" && at == 0;
        if (is_particular || self.percent(75))
            && let Some(choices) = operands::of_function(name, at)
        {
            return self.pick(choices).to_owned();
        }
        self.of_type(argument, depth)
    }

    fn of_type(&mut self, wanted: &Type, depth: usize) -> String {
        let kind = match wanted {
            Type::Null => return "null".to_owned(),
            Type::Boolean => Kind::Flag,
            Type::Number => Kind::Number,
            Type::String => Kind::Text,
            Type::Any(of) if of.is_empty() => Kind::Any,
            Type::Any(of) => {
                let one = of[self.random.below(of.len())].clone();
                return self.of_type(&one, depth);
            }
            Type::Array(first, rest) => {
                if depth > 0 && self.percent(30) {
                    return self.term(Kind::Array, depth - 1);
                }
                let mut elements: Vec<String> = first
                    .iter()
                    .map(|one| self.of_type(one, depth.min(1)))
                    .collect();
                if let Some(rest) = rest {
                    for _ in 0..self.random.below(4) {
                        elements.push(self.of_type(rest, 0));
                    }
                }
                return format!("[{}]", elements.join(", "));
            }
            Type::Set(of) => {
                if depth > 0 && self.percent(30) {
                    return self.term(Kind::Set, depth - 1);
                }
                let members: Vec<String> = (0..self.random.below(4))
                    .map(|_| self.of_type(of, 0))
                    .collect();
                return if members.is_empty() {
                    "set()".to_owned()
                } else {
                    format!("{{{}}}", members.join(", "))
                };
            }
            Type::Object(known, rest) => {
                if depth > 0 && self.percent(30) {
                    return self.term(Kind::Object, depth - 1);
                }
                let mut members: Vec<String> = known
                    .iter()
                    .map(|(key, value)| format!("{}: {}", literal(key), self.of_type(value, 0)))
                    .collect();
                if let Some(rest) = rest {
                    for key in ["\"a\"", "\"b\"", "\"c\""]
                        .iter()
                        .take(self.random.below(4))
                    {
                        members.push(format!("{key}: {}", self.of_type(&rest.1, 0)));
                    }
                }
                return format!("{{{}}}", members.join(", "));
            }
            Type::Function(..) | Type::Unknown => Kind::Any,
        };
        self.term(kind, depth)
    }
}

/// Whether a function that gives this type is wanted for a kind.
fn gives(result: &Type, kind: Kind) -> bool {
    match result {
        Type::Boolean => kind == Kind::Flag,
        Type::Number => kind == Kind::Number,
        Type::String => kind == Kind::Text,
        Type::Array(..) => kind == Kind::Array,
        Type::Set(_) => kind == Kind::Set,
        Type::Object(..) => kind == Kind::Object,
        Type::Any(of) => of.iter().any(|one| gives(one, kind)),
        Type::Null | Type::Function(..) | Type::Unknown => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use portcullis_policies::rego::{builtins, check::signatures};

    use super::LEFT_OUT;
    use crate::{grammar, random::Random};

    #[test]
    fn every_function_that_can_be_compared_is_called() {
        let mut missing: BTreeSet<&str> = signatures::all()
            .map(|signature| signature.name)
            .filter(|name| !LEFT_OUT.iter().any(|left_out| name.starts_with(left_out)))
            .filter(|name| {
                let refusal = builtins::lookup(name).and_then(builtins::refusal);
                refusal.is_none() || builtins::is_compiled(name)
            })
            .collect();
        for number in 0..3000 {
            let case = grammar::case_of_calls(&mut Random::of_case(1, number), &[]);
            let called = |name: &&str| {
                let call = format!(" {name}(");
                !case.modules.iter().any(|module| module.contains(&call))
            };
            missing.retain(|name| called(&name));
        }
        assert!(missing.is_empty(), "{missing:?}");
    }
}
