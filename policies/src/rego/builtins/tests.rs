//! Builtins of ours, in tables. The expected results are OPA's.

mod bounds;
mod did;
mod edges;
mod limits;
mod long_texts;
mod memory;
pub(super) mod opa;
mod vectors;

use rstest::rstest;

use super::{Context, Surroundings, Withheld, call, lookup, refusal, refusal_of};
use crate::rego::{
    check::signatures,
    execute::{Budget, Limits},
    value::{Value, elements, json, text::literal},
};

/// The result of a function for operands in JSON, as Rego; a fault in words.
fn apply(name: &str, operands: &str) -> String {
    let mut context = Context {
        surroundings: &mut Surroundings::default(),
        budget: &mut Budget::new(Limits::default()),
    };
    let operands = json::read(operands).expect("JSON");
    let operands = elements(&operands).expect("an array");
    match call(lookup(name).expect("a builtin"), &mut context, operands) {
        Ok(Value::Undefined) => "undefined".to_owned(),
        Ok(value) => literal(&value),
        Err(fault) => format!("{fault:?}"),
    }
}

/// The same, with the kind alone of a fault.
pub(super) fn applied(name: &str, operands: &str) -> String {
    let shown = apply(name, operands);
    let kind = ["Type(", "Value(", "Ends("]
        .iter()
        .find(|kind| shown.starts_with(*kind));
    kind.map_or(shown.clone(), |kind| kind.trim_end_matches('(').to_owned())
}

#[rstest]
#[case(
    "%v|%v|%v",
    "[1234567.5, 0.00001234, 123456.5]",
    "1.2345675e+06|1.234e-05|123456.5"
)]
#[case("%g|%.3g|%5.2f", "[1.5, 123456.5, 3.14159]", "1.5|1.23e+05| 3.14")]
#[case(
    "%-5s|%05d|%x|%q",
    "[\"ab\", -42, \"hi\", \"q\\\"\"]",
    "ab   |-0042|6869|\"q\\\"\""
)]
#[case("%s", "[{\"a\": [1, []]}]", "{\"a\": [1, []]}")]
#[case(
    "%d|%d|%s",
    "[\"x\", 1.5, 3]",
    "%!d(string=x)|%!d(float64=1.5)|%!s(int64=3)"
)]
#[case("%d %d", "[1]", "1 %!d(MISSING)")]
#[case("%d", "[1, \"b\", 2]", "1%!(EXTRA string=b, int64=2)")]
#[case(
    "a",
    "[100000000000000000000]",
    "a%!(EXTRA *big.Int=100000000000000000000)"
)]
#[case("%[2]d %[1]d %v", "[1, 2]", "2 1 2")]
#[case("%6.2v|%+d|% d|%#x", "[3.14159, 5, 5, 255]", "   3.1|+5| 5|0xff")]
#[case(
    "%o|%b|%c|%U|%t",
    "[8, 5, 65, 65, true]",
    "10|101|A|U+0041|%!t(string=true)"
)]
#[case(
    "%T|%T|%e|%%|%",
    "[1, 1.5, 1234.5]",
    "int64|float64|1.234500e+03|%|%!(NOVERB)"
)]
#[case("%*d|%-*d|", "[5, 1, 4, 2]", "    1|2   |")]
#[case(
    "%s",
    "[123456789012345678901234567890]",
    "123456789012345678901234567890"
)]
#[case("%v %.1f", "[100000.5, 2.25]", "100000.5 2.2")]
#[case("%08.3f|%+.2e", "[-3.14159, 12345.678]", "-003.142|+1.23e+04")]
fn formats_as_go_does(#[case] format: &str, #[case] arguments: &str, #[case] expected: &str) {
    let operands = format!("[{}, {arguments}]", json::write(&Value::from(format)));
    assert_eq!(apply("sprintf", &operands), literal(&Value::from(expected)));
}

#[rstest]
#[case("array.concat", "[[1], [[2], 1]]", "[1, [2], 1]")]
#[case("array.concat", "[[], [1.50]]", "[1.5]")]
#[case("array.slice", "[[1, 2, 3], 1, 2]", "[2]")]
#[case("array.slice", "[[1, 2, 3], -1, 9]", "[1, 2, 3]")]
#[case("array.slice", "[[1, 2, 3], 2, 1]", "[]")]
#[case("array.slice", "[[1, 2, 3], 0, -1]", "[]")]
#[case("lower", "[\"ÀBΣ İ\"]", "\"àbσ i\"")]
#[case("upper", "[\"àß ᾀ ῳ ŉ ǆ\"]", "\"Àß ᾈ ῼ ŉ Ǆ\"")]
#[case("object.keys", "[{\"a\": 1, \"b\": {\"c\": 2}}]", "{\"a\", \"b\"}")]
#[case("substring", "[\"aéb\", 1, 1]", "\"é\"")]
#[case("substring", "[\"aéb\", 1, -1]", "\"éb\"")]
#[case("substring", "[\"aéb\", 1, 9223372036854775807]", "\"éb\"")]
#[case("substring", "[\"aéb\", 5, 1]", "\"\"")]
#[case("substring", "[\"aéb\", -1, 1]", "Value(\"negative offset\")")]
#[case("trim_prefix", "[\"aab\", \"a\"]", "\"ab\"")]
#[case("trim_suffix", "[\"aab\", \"a\"]", "\"aab\"")]
#[case("union", "[[]]", "Type(\"operand 1 must be set but got array\")")]
#[case("regex.match", "[\"^\\\\d+$\", \"٣\"]", "false")]
#[case("regex.match", "[\"(\", \"a\"]", "Value(\"error parsing regexp\")")]
#[case(
    "regex.match",
    "[\"a\", 1]",
    "Type(\"operand 2 must be string but got number\")"
)]
#[case("regex.replace", "[\"foo\", \"(o)\", \"<$1>\"]", "\"f<o><o>\"")]
#[case("regex.replace", "[\"abc\", \"\", \"-\"]", "\"-a-b-c-\"")]
#[case("regex.replace", "[\"abc\", \"abc\", \"\"]", "\"\"")]
#[case("regex.replace", "[\"abc\", \"x\", \"y\"]", "\"abc\"")]
#[case("regex.replace", "[\"\", \"^$\", \"y\"]", "\"y\"")]
#[case(
    "regex.find_all_string_submatch_n",
    "[\"a(b)?\", \"abaab\", -1]",
    "[[\"ab\", \"b\"], [\"a\", \"\"], [\"ab\", \"b\"]]"
)]
#[case(
    "regex.find_all_string_submatch_n",
    "[\"a\", \"aaa\", 2]",
    "[[\"a\"], [\"a\"]]"
)]
#[case("array.flatten", "[[1, [2, [3]], []]]", "[1, 2, [3]]")]
#[case("object.get", "[{\"a\": {\"b\": 1}}, [\"a\", \"b\"], 2]", "1")]
#[case("object.get", "[{\"a\": 1}, [\"a\", \"b\"], 2]", "2")]
#[case("object.get", "[{\"a\": 1}, [], 2]", "{\"a\": 1}")]
#[case(
    "graph.reachable_paths",
    "[{\"a\": [\"b\", \"c\"], \"b\": [\"a\"], \"c\": [\"d\"]}, [\"a\"]]",
    "{[\"a\", \"b\"], [\"a\", \"c\"]}"
)]
#[case("glob.match", "[\"{**/,}x\", null, \"x\"]", "true")]
#[case("glob.match", "[\"a*\", [], \"a.b\"]", "false")]
#[case("glob.match", "[\"a*\", [\":\"], \"a.b\"]", "true")]
#[case(
    "glob.match",
    "[\"a\", [\"ab\"], \"a\"]",
    "Type(\"operand 2 must be array of runes\")"
)]
#[case("glob.quote_meta", "[\"{a,*}[\"]", r#""\\{a,\\*\\}\\[""#)]
#[case("concat", "[\"-\", [\"a\", \"b\"]]", "\"a-b\"")]
#[case("count", "[\"é\"]", "1")]
#[case("format_int", "[15.9, 16]", "\"f\"")]
#[case("format_int", "[-5, 2]", "\"-101\"")]
#[case(
    "json.marshal",
    "[{\"<\": \"&\"}]",
    "\"{\\\"\\\\u003c\\\":\\\"\\\\u0026\\\"}\""
)]
#[case("json.unmarshal", "[\"[1.50, 1e400]\"]", &format!("[1.5, 1{}]", "0".repeat(400)))]
#[case("max", "[[1, \"a\", [0]]]", "[0]")]
#[case("min", "[[]]", "undefined")]
#[case("numbers.range", "[3, 1]", "[3, 2, 1]")]
#[case("numbers.range_step", "[0, 5, 2]", "[0, 2, 4]")]
#[case("product", "[[2, 3.5]]", "7")]
#[case("replace", "[\"aXa\", \"a\", \"bb\"]", "\"bbXbb\"")]
#[case("round", "[2.5]", "3")]
#[case("round", "[-2.5]", "-3")]
#[case(
    "round",
    "[123456789012345678901234567890]",
    "123456789012345678899921813504"
)]
#[case("ceil", "[-2.5]", "-2")]
#[case("ceil", "[-0.5]", "1")]
#[case("ceil", "[0.5]", "1")]
#[case("ceil", "[1e30]", "1000000000000000000024696061952")]
#[case("floor", "[-0.5]", "0")]
#[case(
    "abs",
    "[-123456789012345678901234567890]",
    "123456789012345678900000000000"
)]
#[case("abs", "[0.12345678901234567890123]", "0.1234567890123456789")]
#[case("floor", "[-2.5]", "-3")]
#[case("split", "[\"ab\", \"\"]", "[\"a\", \"b\"]")]
#[case("strings.count", "[\"cheese\", \"e\"]", "3")]
#[case("strings.count", "[\"five\", \"\"]", "5")]
#[case("strings.split_n", "[\"a.b.c\", \".\", -2]", "[\"b\", \"c\"]")]
#[case("sum", "[[0.1, 0.2]]", "0.3")]
#[case("to_number", "[\"1.5\"]", "1.5")]
#[case("to_number", "[\"x\"]", "Value(\"invalid number: \\\"x\\\"\")")]
#[case("bits.lsh", "[1, 70]", "1180591620717411303424")]
#[case("numbers.range_step", "[0, 5, 100000000000000000000]", "[0]")]
#[case(
    "strings.replace_n",
    "[{\"a\": \"b\", \"b\": \"a\"}, \"abba\"]",
    "\"baab\""
)]
#[case("strings.replace_n", "[{\"\": \"-\"}, \"ab\"]", "\"-a-b-\"")]
#[case("net.cidr_expand", "[\"10.0.0.0/31\"]", "{\"10.0.0.0\", \"10.0.0.1\"}")]
#[case("semver.is_valid", "[1]", "false")]
#[case("time.parse_duration_ns", "[\"1h30m\"]", "5400000000000")]
#[case("time.parse_duration_ns", "[\"-1.5d\"]", "-129600000000000")]
#[case("time.parse_duration_ns", "[\"1y1w\"]", "32140800000000000")]
#[case("units.parse", "[\"100m\"]", "0.1")]
#[case("units.parse", "[\"1.5Gi\"]", "1610612736")]
#[case("units.parse", "[\"1e3M\"]", "1000000000")]
#[case("units.parse_bytes", "[\"10.5kib\"]", "10752")]
#[case(
    "units.parse_bytes",
    "[\"1e9999999\"]",
    "Value(\"exponent too large\")"
)]
#[case("base64.encode", "[\"hi\"]", "\"aGk=\"")]
#[case("object.get", "[{\"a\": 1}, \"b\", 2]", "2")]
#[case("regex.match", "[\"^a+$\", \"aaa\"]", "true")]
#[case("regex.match", "[\"^\\\\d+$\", \"٣\"]", "false")]
#[case("regex.match", "[\"[[]\", \"[\"]", "true")]
#[case("regex.is_valid", "[\"a{1001}\"]", "false")]
#[case("regex.is_valid", "[\"[\"]", "false")]
#[case("regex.replace", "[\"a1b2\", \"\\\\d\", \"-\"]", "\"a-b-\"")]
#[case("regex.split", "[\"\\\\s+\", \"a  b\"]", "[\"a\", \"b\"]")]
#[case("upper", "[\"a\"]", "\"A\"")]
fn functions(#[case] name: &str, #[case] operands: &str, #[case] expected: &str) {
    assert_eq!(apply(name, operands), expected);
}

#[rstest]
#[case("numbers.range", "[1, 1000000000]")]
#[case("bits.lsh", "[1, 100000000]")]
#[case("net.cidr_expand", "[\"10.0.0.0/4\"]")]
#[case("net.cidr_expand", "[\"::/0\"]")]
fn what_would_fill_the_memory_is_refused(#[case] name: &str, #[case] operands: &str) {
    let fault = apply(name, operands);
    assert!(
        fault.contains("Memory") || fault.contains("Steps") || fault.contains("Digits"),
        "{fault}"
    );
}

#[rstest]
#[case("http.send", "[{}]")]
#[case("net.lookup_ip_addr", r#"["example.com"]"#)]
#[case("opa.runtime", "[]")]
#[case("cache.get", r#"["a", "b", "c"]"#)]
#[case("cache.set", r#"["a", "b", "c", 1]"#)]
fn what_needs_a_power_is_refused_without_it(#[case] name: &str, #[case] operands: &str) {
    let builtin = lookup(name).expect("a builtin");
    assert!(refusal(builtin).is_some());
    let granted = Withheld {
        network: None,
        memory: None,
    };
    assert_eq!(refusal_of(builtin, granted), None);
    assert!(apply(name, operands).contains("Refused"));
}

#[test]
fn what_is_refused_has_a_reason_of_its_own() {
    let refused = signatures::all().filter_map(|signature| {
        let refusal = lookup(signature.name).and_then(refusal)?;
        (refusal.reason == "it is not there yet").then_some(signature.name)
    });
    assert_eq!(refused.collect::<Vec<_>>(), Vec::<&str>::new());
}

/// OPA has an answer, which undefined is not.
#[rstest]
#[case("regex.match", r#"["^\\pL{1000}$", "a"]"#)]
#[case("regex.is_valid", r#"["^\\pL{1000}$"]"#)]
#[case("regex.replace", r#"["a", "^\\pL{1000}$", "b"]"#)]
fn what_is_too_large_is_refused(#[case] name: &str, #[case] operands: &str) {
    let fault = apply(name, operands);
    assert!(fault.contains("too large"), "{fault}");
}

#[rstest]
#[case("regex.split", r#"["", "ab"]"#, r#"["a", "b"]"#)]
#[case("regex.split", r#"["b*", "abc"]"#, r#"["a", "c"]"#)]
#[case("regex.split", r#"[",", ",a,"]"#, r#"["", "a", ""]"#)]
#[case("regex.split", r#"["a", ""]"#, r#"[""]"#)]
#[case("regex.split", r#"["", ""]"#, "[]")]
#[case("regex.template_match", r#"["u:<.*>", "u:x", "<", "u:x"]"#, "fault")]
#[case("regex.template_match", r#"["u.<\\d+>", "u.12", "<", ">"]"#, "true")]
#[case("regex.template_match", r#"["u.<\\d+>", "ux12", "<", ">"]"#, "false")]
#[case("regex.template_match", r#"["u<", "u", "<", ">"]"#, "fault")]
#[case("base64.is_valid", "[1]", "false")]
#[case("net.cidr_is_valid", "[1]", "false")]
#[case("semver.is_valid", "[1]", "false")]
#[case("urlquery.decode", r#"["a=1&b+c%26"]"#, r#""a=1&b c&""#)]
#[case("urlquery.decode", r#"["%zz"]"#, "fault")]
#[case("urlquery.encode", r#"["a b&é~*()"]"#, r#""a+b%26%C3%A9~%2A%28%29""#)]
#[case(
    "urlquery.decode_object",
    r#"["a=1&&b&=x&a=%20"]"#,
    r#"{"": ["x"], "a": ["1", " "], "b": [""]}"#
)]
#[case("urlquery.decode_object", r#"["a=1;b=2"]"#, "fault")]
#[case(
    "urlquery.encode_object",
    r#"[{"a b": ["1", "&"], "c": "x"}]"#,
    r#""a+b=1&a+b=%26&c=x""#
)]
#[case("json.remove", r#"[{"a": 1}, [[]]]"#, r#"{"a": 1}"#)]
#[case(
    "json.remove",
    r#"[{"a": [1, 2, 3]}, ["a/2", "/a/0", "a/x"]]"#,
    r#"{"a": [2]}"#
)]
#[case("json.remove", r#"[{"a": 1, "": 2}, ["", "x"]]"#, r#"{"": 2, "a": 1}"#)]
#[case(
    "json.filter",
    r#"[{"a": {"b": 1, "c": 2}}, ["a/b", "a"]]"#,
    r#"{"a": {"b": 1, "c": 2}}"#
)]
#[case("json.filter", r#"[{"a": 1, "": 2}, ["/"]]"#, r#"{"": 2}"#)]
#[case("json.filter", r#"[{"a": [1, 2]}, [1]]"#, "fault")]
#[case(
    "glob.quote_meta",
    r#"["[!a]{b,*}-?\\"]"#,
    r#""\\[!a\\]\\{b,\\*\\}-\\?\\\\""#
)]
#[case("time.parse_rfc3339_ns", r#"["2024-02-29t12:00:00z"]"#, "fault")]
#[case("time.parse_rfc3339_ns", r#"["1970-01-01T00:00:01,5Z"]"#, "1500000000")]
#[case("object.subset", "[[], {}]", "fault")]
#[case("object.subset", "[[1, 2], [2]]", "true")]
#[case("substring", r#"["abc", 1.5, 1]"#, "fault")]
#[case("array.slice", "[[1, 2], 0.5, 1]", "fault")]
#[case("substring", r#"["abc", 1.0, 1]"#, "\"b\"")]
#[case("semver.is_valid", r#"["v1.2.3"]"#, "true")]
#[case("semver.compare", r#"["v1.2.3", "1.2.4"]"#, "-1")]
#[case("indexof", r#"["a", ""]"#, "fault")]
#[case("glob.match", r#"["*", [""], "a"]"#, "fault")]
#[case(
    "json.marshal_with_options",
    r#"[{"n": 12345678901234567890123}, {}]"#,
    r#""{\"n\":12345678901234567890123}""#
)]
#[case(
    "json.marshal_with_options",
    r#"[{"a": [1, {}]}, {"pretty": true}]"#,
    r#""{\n\t\"a\": [\n\t\t1,\n\t\t{}\n\t]\n}""#
)]
#[case(
    "json.marshal_with_options",
    r#"[["}"], {"indent": " ", "prefix": ">"}]"#,
    r#"">[\n> \"}\"\n>]""#
)]
#[case("json.marshal_with_options", r#"[1, {"x": 1}]"#, "fault")]
#[case("to_number", r#"["1_000"]"#, "refused")]
#[case("sprintf", r#"["%.1f x", [1.5]]"#, "\"1.5 x\"")]
#[case("time.format", r#"[[1, "Local"]]"#, "refused")]
#[case("sprintf", r#"["%p", [100000000000000000000]]"#, "refused")]
#[case(
    "time.format",
    r#"[[1, "UTC", "RFC1123Z"]]"#,
    r#""Thu, 01 Jan 1970 00:00:00 +0000""#
)]
#[case("base64.decode", r#"["/w=="]"#, "refused")]
#[case("base64url.decode", r#"["_w"]"#, "refused")]
#[case("hex.decode", r#"["ff"]"#, "refused")]
#[case("hex.decode", r#"["zz"]"#, "fault")]
fn functions_that_regorus_has_otherwise(
    #[case] name: &str,
    #[case] operands: &str,
    #[case] expected: &str,
) {
    let found = apply(name, operands);
    let is_fault = found.starts_with("Value(") || found.starts_with("Type(");
    let found = match &*found {
        _ if is_fault => "fault",
        found if found.starts_with("Ends(") => "refused",
        found => found,
    };
    assert_eq!(found, expected);
}
