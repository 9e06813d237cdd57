//! An evaluation takes no more than twice its limit, whatever it builds.

use rstest::rstest;

use super::{definition, json, request};
use crate::{
    Extent, Limits,
    rego::{Powers, Program, stack},
};

const LIMIT: u64 = 8 << 20;

/// What may be taken besides: frames, and what is compiled for the first time.
const BESIDES: u64 = 512 << 10;

/// The most memory that an evaluation takes beside its input and its data, and the code with which it
/// ends.
fn evaluate(source: &str) -> (u64, Option<String>) {
    let mut definition = definition(source);
    definition.modules.insert(
        "other.rego".to_owned(),
        "package other.rules\none := 1".to_owned(),
    );
    definition.entrypoint = Some("data.a.b.x".to_owned());
    let members = (0..2_000).map(|at| (format!("k{at}"), serde_json::Value::from(at)));
    definition.data.insert(
        "other".to_owned(),
        members.collect::<serde_json::Map<_, _>>().into(),
    );
    let program = Program::compile(&definition, &[], Extent::MAX).unwrap();
    let members: Vec<String> = (0..2_000).map(|at| format!("\"k{at}\": {at}, ")).collect();
    let members = members.concat();
    let input = json(&format!(
        "{{{members}\"list\": [{}1]}}",
        "1, ".repeat(2_000)
    ));
    let limits = Limits {
        timeout: std::time::Duration::from_mins(1),
        memory: LIMIT,
    };
    let request = request();
    let mut code = None;
    let taken = allocation_counter::measure(|| {
        let result = program.evaluate(input.clone(), &request, limits, Powers::default());
        code = result
            .err()
            .map(|failure| failure.message().code.to_string());
    });
    (taken.bytes_max, code)
}

/// Each goes on for much longer than its limit lets it.
#[rstest]
#[case::arrays("[[i] | some i in numbers.range(1, 80000)]")]
#[case::empty("[[y | some y in []; y > i] | some i in numbers.range(1, 100000); i > 0]")]
#[case::small_lists("[[y | some y in [i]] | some i in numbers.range(1, 100000)]")]
#[case::sets("[{i} | some i in numbers.range(1, 100000)]")]
#[case::small_sets("[{y | some y in [i]} | some i in numbers.range(1, 100000)]")]
#[case::objects("[{\"a\": i} | some i in numbers.range(1, 100000)]")]
#[case::small_objects("[{y: y | some y in [i]} | some i in numbers.range(1, 100000)]")]
#[case::large_set("{i | some i in numbers.range(1, 150000)}")]
#[case::reversed_set("{y | some i in numbers.range(1, 150000); y := 0 - i}")]
#[case::large_object("{i: i | some i in numbers.range(1, 100000)}")]
#[case::unions("[({i} | {i + 1}) | some i in numbers.range(1, 100000)]")]
#[case::differences("[({i, 1} - {1}) | some i in numbers.range(2, 100000)]")]
#[case::keys("[object.keys({\"a\": i}) | some i in numbers.range(1, 100000)]")]
#[case::texts("[sprintf(\"%d\", [i]) | some i in numbers.range(1, 100000)]")]
#[case::splits("[split(\"a,b\", \",\") | some i in numbers.range(1, 100000); i > 0]")]
#[case::paths("[p | some i in numbers.range(1, 20000); walk([[[[[[i]]]]]], p)]")]
#[case::replaced_input(
    "[y | some i in numbers.range(1, 10000); y := all with input.k1 as i]\nall := input"
)]
#[case::replaced_data(
    "[y | some i in numbers.range(1, 10000); y := stored with data.other.k1 as i]\nstored := data.other"
)]
#[case::data_with_rules("[y | some i in numbers.range(1, 10000); y := data.other; i > 0]")]
#[case::calls("count([i | some i in numbers.range(1, 100000); f(i)])\nf(i) if i > 0")]
#[case::calls_of_many(
    "count([i | some i in numbers.range(1, 100000); f(i, 1, 2, 3)])\nf(i, a, b, c) if i + a + b + c > 0"
)]
#[case::groups(
    "[y | some i in numbers.range(1, 60000); y := [v | some v in numbers.range(1, 60000); v == i]]"
)]
#[case::partial_set("p\np contains i if some i in numbers.range(1, 150000)")]
#[case::partial_object("p\np[i] := i if some i in numbers.range(1, 100000)")]
#[case::partial_sets("p\np[i] contains i if some i in numbers.range(1, 100000)")]
#[case::partial_branches("p\np[i].a := i if some i in numbers.range(1, 100000)")]
#[case::sorted("[sort(input.list) | some i in numbers.range(1, 10000); i > 0]")]
#[case::united("[object.union(input, {\"k1\": i}) | some i in numbers.range(1, 10000)]")]
fn an_evaluation_takes_no_more_than_twice_its_limit(#[case] rule: &str) {
    let source = format!("package a.b\nx := {rule}");
    let evaluated = stack::large("evaluate", || evaluate(&source));
    let (taken, code) = evaluated.expect("no panic");
    assert_eq!(code.as_deref(), Some("POLICY.MEMORY_EXCEEDED"));
    assert!(taken <= 2 * LIMIT + BESIDES, "{taken}");
    // Else it would not show anything.
    assert!(taken > LIMIT / 4, "{taken}");
}
