//! No function takes more than twice the memory that it pays for, in the moment when it takes most.
//!
//! What it is given is not counted: that was paid for before, or is the request's. Whatever is kept
//! from one call to the next (expressions, zones) is there already when it is measured.

use std::collections::{BTreeMap, BTreeSet};

use rstest::rstest;

use super::{Budget, Context, Limits, Surroundings, Value, call, elements, json, lookup};
use crate::rego::{
    builtins::{Builtin, Implementation, TABLE, bytes},
    stack,
    value::number,
};

/// What may be taken besides: arithmetic of thousands of digits, tables, messages.
const BESIDES: u64 = 40 << 10;

/// What a call may use up, so that the largest operands do not end it, and what makes much does.
const MOST: u64 = 8 << 20;

/// Members, or parts, of the operands: so many that what is not paid for is more than [`BESIDES`].
const MANY: usize = 2_000;

/// The most memory that a call takes within a limit.
fn taken(name: &str, operands: &[Value], limit: u64) -> u64 {
    let builtin = lookup(name).expect("a builtin");
    let limits = Limits {
        steps: 200_000,
        memory: limit,
        ..Limits::default()
    };
    let call = || {
        let mut context = Context {
            surroundings: &mut Surroundings::default(),
            budget: &mut Budget::new(limits),
        };
        drop(call(builtin, &mut context, operands));
    };
    allocation_counter::measure(call).bytes_max
}

/// What is wrong, if the operands make a function take too much: with half of what it takes for its
/// limit, it takes as much.
fn fault(name: &str, operands: &[(&str, Value)]) -> Option<String> {
    let values: Vec<Value> = operands.iter().map(|(_, value)| value.clone()).collect();
    let mut most = taken(name, &values, MOST);
    if most > BESIDES {
        // What was compiled for the first time is kept.
        most = taken(name, &values, MOST);
    }
    if most <= BESIDES {
        return None;
    }
    let limit = most.saturating_sub(BESIDES) / 2;
    let names: Vec<&str> = operands.iter().map(|(name, _)| *name).collect();
    let names = names.join("; ");
    if most > 2 * MOST + BESIDES {
        return Some(format!("{name}({names}) takes {most} of {MOST}"));
    }
    let less = limit.saturating_sub(1);
    let found = taken(name, &values, less);
    (found > 2 * less + BESIDES).then(|| format!("{name}({names}) takes {found} of {less}"))
}

fn text(part: &str) -> Value {
    Value::from(part.repeat(MANY))
}

fn listed(part: &str) -> Value {
    Value::from(format!("[{}1]", part.repeat(MANY)))
}

fn array(element: impl Fn(usize) -> Value) -> Value {
    Value::from((0..MANY).map(element).collect::<Vec<_>>())
}

fn set(member: impl Fn(usize) -> Value) -> Value {
    Value::from((0..MANY).map(member).collect::<BTreeSet<_>>())
}

fn object(value: impl Fn(usize) -> Value) -> Value {
    let members = (0..MANY).map(|at| (Value::from(format!("k{at}")), value(at)));
    Value::from(members.collect::<BTreeMap<_, _>>())
}

fn read(text: &str) -> Value {
    json::read(text).expect("JSON")
}

fn digits(count: usize) -> Value {
    number::parse(&"7".repeat(count)).expect("a number")
}

fn base64(text: &str) -> String {
    bytes::encode(text.as_bytes(), bytes::URL_UNPADDED)
}

fn token(header: &str, payload: &str) -> Value {
    Value::from(format!(
        "{}.{}.{}",
        base64(header),
        base64(payload),
        base64("x")
    ))
}

/// Operands of every kind, each large in its own way, and some that others need beside them.
fn operands() -> Vec<(&'static str, Value)> {
    let one = |value: Value| Value::from(BTreeSet::from([value]));
    vec![
        ("a…", text("a")),
        ("<…", text("<")),
        ("/é…", text("/é")),
        ("1,a…", text("1,a")),
        ("%41&…", text("%41&")),
        ("[[1],…]", listed("[1],")),
        ("[{\"a\":\"\"},…]", listed("{\"a\":\"\"},")),
        ("- a: b…", text("- a: b\n")),
        ("{{.}}…", text("{{.}}")),
        (
            "pem…",
            text("-----BEGIN CERTIFICATE-----\nQUFB\n-----END CERTIFICATE-----\n"),
        ),
        (
            "token",
            token("{\"alg\":\"HS256\"}", &format!("[{}1]", "[],".repeat(MANY))),
        ),
        ("a", Value::from("a")),
        ("nothing", Value::from("")),
        ("%v%v", Value::from("%v%v")),
        ("1", Value::from(1)),
        ("7…", digits(4_000)),
        ("[7…]", array(|_| digits(40))),
        ("[t…]", array(|at| Value::from(format!("t{at}")))),
        ("[a/b…]", array(|at| Value::from(format!("k{at}/b/c")))),
        ("[[]…]", array(|_| Value::new_array())),
        (
            "[net…]",
            array(|at| Value::from(format!("10.{}.{}.0/24", at / 256, at % 256))),
        ),
        ("{{}…}", set(|at| one(Value::from(at)))),
        ("{k: 1…}", object(|_| Value::from(1))),
        ("{k: t…}", object(|_| Value::from("t"))),
        ("{k: {}…}", object(|_| one(Value::from("t")))),
        ("{k: {}}…", object(|_| read("{\"b\": {\"c\": 1}}"))),
        ("{pretty}", read("{\"pretty\": true}")),
        ("null", Value::Null),
    ]
}

/// Runs on a stack for which the limits of depth are made.
fn on_a_large_stack(work: impl FnOnce() + Send) {
    stack::large("measure", work).expect("no panic");
}

/// All operands for functions of one or two; of more, the first two vary, and the others are small.
/// In parts, which run beside each other.
#[rstest]
fn no_function_takes_more_than_twice_what_it_pays(#[values(0, 1, 2, 3, 4, 5, 6, 7)] part: usize) {
    let mut faults = Vec::new();
    on_a_large_stack(|| {
        let operands = operands();
        let small = ["\"a\"", "1", "1"].map(|json| (json, read(json)));
        let is_ours =
            |builtin: &&Builtin| matches!(builtin.implementation, Implementation::Ours(_));
        for builtin in TABLE.iter().filter(is_ours).skip(part).step_by(8) {
            let arity = usize::from(builtin.arity);
            for first in &operands {
                let others: &[_] = if arity > 1 { &operands } else { &operands[..1] };
                for second in others {
                    let mut given = vec![first.clone(), second.clone()];
                    given.extend(small.iter().cloned());
                    faults.extend(fault(builtin.name, &given[..arity]));
                }
            }
        }
    });
    assert!(faults.is_empty(), "{faults:#?}");
}

fn keys(schema: &str) -> String {
    let members = (0..MANY).map(|at| format!("\"k{at}\": {schema}, "));
    format!("{{{}\"k\": {schema}}}", members.collect::<String>())
}

fn keys_of_yaml() -> Value {
    let keys: Vec<String> = (0..MANY).map(|at| format!("? {at}\n")).collect();
    Value::from(keys.concat())
}

fn long_path() -> Value {
    Value::from(vec![Value::from("/a".repeat(2_000))])
}

/// Operands that fit one function alone.
#[rstest]
#[case("concat", &[Value::from(","), array(|_| Value::from("a"))])]
#[case("glob.match", &[text("{a,"), Value::Null, Value::from("a")])]
#[case("glob.match", &[text("*"), Value::from(vec![Value::from(".")]), Value::from("a")])]
#[case("io.jwt.decode", &[token(&keys("1"), "{}")])]
#[case("io.jwt.decode_verify", &[token("{\"alg\":\"HS256\"}", "{}"), object(|_| Value::from("x"))])]
#[case("json.filter", &[read("{\"a\": 1}"), long_path()])]
#[case("json.marshal_with_options", &[listed("[],"), read("{\"indent\": \"          \"}")])]
#[case("json.match_schema", &[Value::from("[1]"), Value::from(format!("{{\"enum\": {}}}", json::write(&array(Value::from))))])]
#[case("json.match_schema", &[listed("1,"), Value::from("{\"items\": {\"type\": \"string\"}}")])]
#[case("json.patch", &[Value::new_object(), array(|at| read(&format!("{{\"op\": \"add\", \"path\": \"/k{at}\", \"value\": 1}}")))])]
#[case("json.remove", &[read("{\"a\": 1}"), long_path()])]
#[case("json.unmarshal", &[Value::from(keys("{}"))])]
#[case("json.verify_schema", &[Value::from(format!("{{\"properties\": {}}}", keys("{}")))])]
#[case("json.verify_schema", &[Value::from(format!("{{\"anyOf\": {}}}", json::write(&array(|_| read("{}")))))])]
#[case("net.cidr_expand", &[Value::from("10.0.0.0/16")])]
#[case("net.cidr_expand", &[Value::from("2001:db8::/112")])]
#[case("numbers.range", &[Value::from(1), Value::from(100_000)])]
#[case("numbers.range", &[digits(1_000), digits(1_000)])]
#[case("replace", &[text("a"), Value::from("a"), Value::from("b".repeat(1_000))])]
#[case("regex.find_all_string_submatch_n", &[Value::from("((((a))))"), text("a"), Value::from(-1)])]
#[case("regex.find_n", &[Value::from("."), text("a"), Value::from(-1)])]
#[case("regex.globs_match", &[text("[a-b]"), text("[a-b]")])]
#[case("regex.replace", &[text("a"), Value::from("(.*)"), Value::from("$0$0$0$0")])]
#[case("regex.split", &[Value::from(","), text(",a")])]
#[case("semver.compare", &[text("\u{1}"), Value::from("1.0.0")])]
#[case("split", &[text("é"), Value::from("")])]
#[case("sprintf", &[text("%%-5s"), Value::new_array()])]
#[case("sprintf", &[Value::from("%q"), Value::from(vec![text("\u{1}")])])]
#[case("sprintf", &[Value::from("%1000000d"), Value::from(vec![Value::from(1)])])]
#[case("strings.render_template", &[Value::from("{{js .k1}}"), read(&format!("{{\"k1\": {}}}", json::write(&text("<"))))])]
#[case("strings.render_template", &[Value::from("{{println . .}}"), object(|_| Value::from("x"))])]
#[case("strings.render_template", &[Value::from("{{range .}}{{printf \"%v %v\" . .}}{{end}}"), object(|_| Value::from("x"))])]
#[case("strings.replace_n", &[object(|_| Value::from("x")), Value::from("k1")])]
#[case("strings.split_n", &[text("a,"), Value::from(","), Value::from(-1)])]
#[case("trim", &[Value::from("a"), text("b")])]
#[case("urlquery.decode_object", &[text("a=1&")])]
#[case("yaml.unmarshal", &[text("- \n")])]
#[case("yaml.unmarshal", &[keys_of_yaml()])]
#[case("yaml.unmarshal", &[listed("a:,")])]
#[case("yaml.marshal", &[object(|_| read("[{}]"))])]
fn what_fits_one_function_is_paid_for(#[case] name: &str, #[case] operands: &[Value]) {
    let operands: Vec<_> = operands
        .iter()
        .map(|operand| ("…", operand.clone()))
        .collect();
    let mut found = None;
    on_a_large_stack(|| found = fault(name, &operands));
    assert_eq!(found, None);
}

/// Compiling is measured when it happens for the first time.
#[rstest]
#[case("\\pL".repeat(10_000))]
#[case(format!("(?i){}", "\\PL".repeat(10_000)))]
#[case("[^\\pL]".repeat(5_000))]
#[case("a?".repeat(10_000))]
#[case("[ab]".repeat(10_000))]
#[case("\\w".repeat(10_000))]
#[case("(a|".repeat(90))]
fn an_expression_is_not_compiled_without_room(#[case] expression: String) {
    let operands = [Value::from(expression), Value::from("a")];
    let call = || {
        let mut context = Context {
            surroundings: &mut Surroundings::default(),
            budget: &mut Budget::new(Limits {
                memory: MOST,
                ..Limits::default()
            }),
        };
        drop(call(
            lookup("regex.match").expect("a builtin"),
            &mut context,
            &operands,
        ));
    };
    let taken = allocation_counter::measure(call).bytes_max;
    assert!(taken <= 2 * MOST, "{taken}");
}

/// A test that cannot fail would be none: of what is not paid for, it says so.
#[test]
fn what_is_taken_is_counted() {
    let counted = allocation_counter::measure(|| drop(text("a")));
    assert!(counted.bytes_max >= MANY as u64);
    assert_eq!(
        elements(&array(Value::from)).map(<[Value]>::len),
        Some(MANY)
    );
}
