//! Calls of builtin functions, with arguments of the types that they declare.

use std::sync::LazyLock;

use portcullis_policies::rego::ast::Version;
use portcullis_policies::rego::builtins;
use portcullis_policies::rego::check::signatures::{self, Signature};
use portcullis_policies::rego::check::types::Type;
use portcullis_policies::rego::value::text::literal;

use super::{Kind, Writer};

/// What has another result at each evaluation, and what needs more than a small document.
const LEFT_OUT: [&str; 8] = [
    "external.http.header",
    "get_header",
    "rand.intn",
    "uuid.rfc4122",
    "internal.",
    "trace",
    "print",
    "walk",
];

/// The functions that are called, in the order of their names.
static FUNCTIONS: LazyLock<Vec<&'static Signature>> = LazyLock::new(|| {
    let mut functions: Vec<_> = signatures::all()
        .filter(|signature| {
            let available = builtins::lookup(signature.name)
                .is_some_and(|builtin| builtins::refusal(builtin).is_none());
            let left_out = LEFT_OUT.iter().any(|name| signature.name.starts_with(name));
            available && !left_out && signature.result.is_some()
        })
        .collect();
    functions.sort_by_key(|signature| signature.name);
    functions
});

impl Writer<'_> {
    /// A call whose result is of a kind.
    pub(super) fn builtin_call(&mut self, kind: Kind, depth: usize) -> String {
        let functions: Vec<&Signature> = FUNCTIONS
            .iter()
            .filter(|signature| self.version == Version::V0 || !signature.deprecated)
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
        self.call(signature, depth)
    }

    /// A call of one of the functions whose names begin so.
    pub(super) fn call_of(&mut self, names: &[String]) -> String {
        let is_wanted = |signature: &&&Signature| {
            names
                .iter()
                .any(|name| signature.name.starts_with(name.as_str()))
        };
        let functions: Vec<&Signature> = FUNCTIONS.iter().filter(is_wanted).copied().collect();
        if functions.is_empty() {
            return "null".to_owned();
        }
        let signature = functions[self.random.below(functions.len())];
        self.call(signature, 0)
    }

    fn call(&mut self, signature: &Signature, depth: usize) -> String {
        let arguments: Vec<String> = signature
            .arguments
            .iter()
            .enumerate()
            .map(|(at, argument)| self.argument(signature.name, at, argument, depth))
            .collect();
        let call = format!("{}({})", signature.name, arguments.join(", "));
        // Some signatures are random, and can only be verified.
        let key = match signature.name {
            "io.jwt.encode_sign" => format!("json.marshal({})", arguments[2]),
            "io.jwt.encode_sign_raw" => arguments[2].clone(),
            _ => return call,
        };
        if self.percent(40) {
            return format!("io.jwt.decode({call})[1]");
        }
        let audience = self.pick(&["", ", \"aud\": \"you\""]);
        format!("io.jwt.decode_verify({call}, {{\"cert\": {key}, \"time\": 1500000000{audience}}})")
    }

    fn argument(&mut self, name: &str, at: usize, argument: &Type, depth: usize) -> String {
        // What exists only at run time is not checked when the policy is compiled.
        if self.percent(12) {
            return self.document(Kind::Any);
        }
        if let Some(text) = self.of_keys(name, at) {
            return text;
        }
        if self.percent(75)
            && let Some(text) = self.of_function(name, at)
        {
            return text;
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

    /// Arguments that a function can do something with.
    #[expect(clippy::too_many_lines, reason = "it is a table")]
    fn of_function(&mut self, name: &str, at: usize) -> Option<String> {
        let (family, _) = name.split_once('.').unwrap_or((name, ""));
        let choices: &[&str] = match (family, name, at) {
            ("regex", name, at) | (name @ "re_match", _, at)
                if name != "regex.template_match" && at == usize::from(name == "regex.replace") =>
            {
                &[
                    "\"a\"",
                    "\"^a\"",
                    "\"[a-c]+\"",
                    "\"(a)(b)?\"",
                    "`\\d+`",
                    "`\\w`",
                    "\".\"",
                    "\"\"",
                    "\"a|b\"",
                    "`^\\s*$`",
                    "\"(?i)B\"",
                    "\"(\"",
                    "\"a{2,3}\"",
                    "`\\bx`",
                    "\"[^a]\"",
                    "`\\pL`",
                ]
            }
            (_, "regex.replace", 2) => &[
                "\"x\"",
                "\"$1\"",
                "\"${1}y\"",
                "\"\"",
                "\"$0$0\"",
                "\"$name\"",
            ],
            ("regex", _, _) => &[
                "\"ab\"", "\"aab1\"", "\"\"", "\"a b\"", "input.s", "-1", "2",
            ],
            ("glob", _, 0) => &[
                "\"*.b\"",
                "\"a*\"",
                "\"{a,b}\"",
                "\"[a-c]\"",
                "\"?\"",
                "\"**\"",
                "\"a.*\"",
                "\"[!a]\"",
            ],
            ("glob", _, 1) => &["[\".\"]", "[]", "null", "[\"/\"]", "[\":\", \".\"]"],
            ("net", _, _) => &[
                "\"10.0.0.0/30\"",
                "\"10.0.0.1\"",
                "\"10.0.0.1/32\"",
                "\"192.168.0.0/29\"",
                "\"::1\"",
                "\"2001:db8::/126\"",
                "[\"10.0.0.0/30\", \"10.0.0.1\"]",
                "{\"10.0.0.0/31\", \"10.0.0.2/31\"}",
                "\"x\"",
                "\"010.0.0.1\"",
            ],
            ("semver", _, _) => &[
                "\"1.2.3\"",
                "\"1.2.3-rc.1\"",
                "\"1.2.4+b\"",
                "\"v1.2.3\"",
                "\"1.2\"",
                "\"1.2.3-rc.2\"",
                "\"01.2.3\"",
            ],
            ("time", "time.parse_ns", 0) => &[
                "\"2006-01-02\"",
                "\"2006-01-02T15:04:05Z07:00\"",
                "\"RFC3339\"",
                "\"Jan _2 15:04\"",
                "\"Mon, 02 Jan 2006\"",
            ],
            ("time", "time.parse_ns" | "time.parse_rfc3339_ns", _) => &[
                "\"2024-02-29\"",
                "\"2024-02-29T12:00:00Z\"",
                "\"2024-02-29T12:00:00.123456789+02:00\"",
                "\"2023-02-29\"",
                "\"Feb 29 12:00\"",
                "\"Thu, 29 Feb 2024\"",
                "\"1600-01-01T00:00:00Z\"",
                "\"2024-02-29t12:00:00z\"",
            ],
            ("time", "time.parse_duration_ns", _) => &[
                "\"1h30m\"",
                "\"1.5s\"",
                "\"-2ms\"",
                "\"1d\"",
                "\"\"",
                "\"1us\"",
            ],
            ("time", "time.add_date", 1..) => &["1", "-1", "0", "13", "2"],
            ("time", _, _) => &[
                "1700000000000000000",
                "0",
                "-1",
                "[1709164800000000000, \"Europe/Berlin\"]",
                "[0, \"America/New_York\"]",
                "[1700000000000000000, \"UTC\", \"RFC1123\"]",
                "[1700000000000000000, \"\", \"2006-01-02\"]",
                "1.5",
                "[0, \"Nowhere\"]",
                "time.now_ns()",
            ],
            ("units", _, _) => &[
                "\"10Ki\"",
                "\"1.5G\"",
                "\"100m\"",
                "\"1e3\"",
                "\"10 Mi\"",
                "\"5k\"",
                "\"1MB\"",
                "\"\"",
                "\"-1K\"",
                "\"0.5gib\"",
            ],
            ("base64" | "base64url" | "hex", _, _) => &[
                "\"aGk=\"", "\"aGk\"", "\"6869\"", "\"zz\"", "\"\"", "\"__-_\"", "\"é\"", "input.s",
            ],
            ("json", "json.unmarshal" | "json.is_valid", _) => &[
                "`{\"a\": [1, 2.50]}`",
                "\"[1\"",
                "\"1e400\"",
                "`\"\\u00e9\"`",
                "\"null\"",
                "\" 1 \"",
                "\"{} x\"",
                "`{\"a\":1,\"a\":2}`",
            ],
            ("json", "json.patch", 1) => &[
                "[{\"op\": \"add\", \"path\": \"/a\", \"value\": 1}]",
                "[{\"op\": \"remove\", \"path\": \"a/b\"}]",
                "[{\"op\": \"replace\", \"path\": [\"a\"], \"value\": {}}]",
                "[{\"op\": \"add\", \"path\": \"/c/-\", \"value\": 3}]",
                "[{\"op\": \"move\", \"from\": \"/a\", \"path\": \"/z\"}]",
                "[{\"op\": \"copy\", \"from\": \"/a\", \"path\": \"/b\"}]",
                "[{\"op\": \"test\", \"path\": \"/a\", \"value\": 1}]",
                "[{\"op\": \"x\", \"path\": \"\"}]",
                "[{\"op\": \"add\", \"path\": \"\", \"value\": 1}]",
                "[]",
            ],
            ("json", "json.filter" | "json.remove", 1) => &[
                "[\"a\"]",
                "{\"a/b\", \"c/0\"}",
                "[[\"a\"], \"b\"]",
                "[\"\"]",
                "[\"/a\"]",
                "[\"o/a\", \"o/b\"]",
                "[\"c/1\"]",
                "[]",
            ],
            ("json", "json.patch" | "json.filter" | "json.remove", 0) => &[
                "input",
                "input.o",
                "{\"a\": {\"b\": 1}, \"c\": [1, 2]}",
                "{\"a\": [{\"b\": 1}, {1}]}",
            ],
            ("urlquery", _, _) => &[
                "\"a=1&b=2&a=3\"",
                "\"a%20b+c\"",
                "\"%zz\"",
                "\"a b&=\"",
                "{\"a\": [\"1\", \"2\"], \"b c\": \"d\"}",
                "{\"a\": {\"x\", \"y\"}}",
            ],
            ("uri", _, _) => &[
                "\"http://u:p@h:80/p?q=1#f\"",
                "\"x\"",
                "\"://\"",
                "\"mailto:a@b\"",
                "\"/a%20b\"",
                "\"http://[::1]/\"",
            ],
            ("uuid", _, _) => &[
                "\"00000000-0000-1000-8000-000000000000\"",
                "\"f47ac10b-58cc-4372-a567-0e02b2c3d479\"",
                "\"x\"",
                "\"{f47ac10b-58cc-4372-a567-0e02b2c3d479}\"",
            ],
            ("graph", _, 0) => &[
                "{\"a\": [\"b\"], \"b\": {\"c\"}, \"c\": []}",
                "{\"a\": {\"a\"}}",
                "{}",
                "{1: [2], 2: [1, 3], 3: []}",
                "{\"a\": [\"b\", \"c\"], \"b\": [\"a\"]}",
            ],
            ("graph", _, _) => &["[\"a\"]", "{\"a\", \"b\"}", "[1]", "[]", "[\"z\"]"],
            (_, "sprintf", 0) => &[
                "\"%v\"",
                "\"%d\"",
                "\"%s-%v\"",
                "\"%5.2f|\"",
                "\"%x\"",
                "\"%q\"",
                "\"%t\"",
                "\"%\"",
                "\"%-4d|\"",
                "\"%05d\"",
                "\"%e\"",
                "\"%g\"",
                "\"%+v\"",
                "\"%T\"",
                "\"%[2]v\"",
                "\"%6s|\"",
                "\"%.1s\"",
                "\"%c\"",
                "\"%b\"",
                "\"%o\"",
                "\"%#v\"",
                "\"%U\"",
                "\"%X\"",
            ],
            (_, "format_int", 1) => &["2", "8", "10", "16", "3"],
            (_, "to_number", _) => &[
                "\"1\"",
                "\"1.50\"",
                "\"1e3\"",
                "\"0x10\"",
                "\"abc\"",
                "true",
                "null",
                "\" 1\"",
                "\"-0\"",
                "\"+1\"",
                "\"1_000\"",
                "\"Inf\"",
                "\".5\"",
            ],
            (_, "numbers.range" | "numbers.range_step", _) => {
                &["1", "3", "-2", "10", "0", "2", "1.5", "1.0"]
            }
            (_, "bits.lsh" | "bits.rsh", 1) => &["0", "1", "3", "64", "-1"],
            (_, "round" | "ceil" | "floor" | "abs", _) => &[
                "0.5",
                "-0.5",
                "1.5",
                "2.5",
                "-1.5",
                "100000000000000000000",
                "0.49999999999999999999",
                "-7.3",
                "0.00001",
                "input.n",
            ],
            (_, "substring", 1..) => &["0", "1", "-1", "2", "100", "1.5"],
            (_, "strings.render_template", 0) => &[
                "\"{{.a}}\"",
                "\"x\"",
                "\"{{range .a}}{{.}},{{end}}\"",
                "\"{{if .b}}y{{else}}n{{end}}\"",
            ],
            (_, "trim" | "trim_left" | "trim_right", 1) => {
                &["\"a\"", "\" \"", "\"ab\"", "\"\"", "\"é\""]
            }
            (
                _,
                "cast_array" | "cast_set" | "cast_object" | "cast_string" | "cast_boolean"
                | "cast_null",
                _,
            ) => &[
                "[1, 1]",
                "{1}",
                "\"a\"",
                "true",
                "null",
                "{\"a\": 1}",
                "input.xs",
            ],
            _ => return None,
        };
        Some(self.pick(choices).to_owned())
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
