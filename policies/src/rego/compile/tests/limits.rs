//! What is bounded, so that no source costs more than its size is worth.

use rstest::rstest;

use super::*;
use crate::rego::findings::MAX_FAULTS;
use crate::rego::plan::ir::Access;

fn each(count: usize, statement: impl Fn(usize) -> String) -> String {
    let statements: String = (0..count).map(statement).collect();
    format!("package a\n{statements}")
}

fn check(module: &str) -> Vec<String> {
    faults(Version::V1, module, Options::default())
}

#[rstest]
#[case(each(3_000, |i| format!("p{i} if x{i} > 1\n")))]
#[case(each(3_000, |i| format!("p{i} := f(1)\n")))]
#[case(each(3_000, |i| format!("p{i} if {i} == \"a\"\n")))]
#[case(each(3_000, |i| format!("p{i} := p{}\n", (i + 1) % 3_000)))]
fn the_first_faults_are_reported(#[case] module: String) {
    let found = check(&module);
    assert_eq!(found.len(), MAX_FAULTS);
    assert!(
        found[0].starts_with("2:1 ") || found[0].starts_with("2:"),
        "{found:?}"
    );
    let lines = found.iter().map(|fault| fault.split(':').next());
    let expected: Vec<String> = (2..2 + MAX_FAULTS).map(|line| line.to_string()).collect();
    assert!(
        lines.eq(expected.iter().map(|line| Some(&**line))),
        "{found:?}"
    );
}

fn in_a_body() -> String {
    let conditions: Vec<String> = (0..60)
        .map(|i| format!("x{} := [x{i}, x{i}]", i + 1))
        .collect();
    format!("package a\np if {{ x0 := 1; {} }}\n", conditions.join("; "))
}

/// Each type is twice as large as the one before.
#[rstest]
#[case(each(60, |i| format!("p{} := [p{i}, p{i}]\n", i + 1)) + "p0 := 1\n")]
#[case(each(60, |i| format!("p{} := {{\"a\": p{i}, \"b\": p{i}}}\n", i + 1)) + "p0 := 1\n")]
#[case(in_a_body())]
fn types_that_grow_without_bound_are_refused(#[case] module: String) {
    let found = check(&module);
    assert!(
        found[0].ends_with("not supported: types of this size"),
        "{found:?}"
    );
}

#[test]
fn large_types_are_not_refused() {
    let table: Vec<String> = (0..5_000).map(|i| format!("\"k{i}\": {i}")).collect();
    let module = each(500, |i| format!("p{i} := table\nq{i} := table.k{i}\n"));
    let module = format!("{module}table := {{{}}}\n", table.join(", "));
    assert_eq!(check(&module), [""; 0]);
    let module = format!("{module}r := table.none\n");
    assert_eq!(
        check(&module),
        ["1003:6 rego_type_error: undefined ref: data.a.table.none"]
    );
}

#[test]
fn a_type_in_a_message_has_an_end() {
    let table: Vec<String> = (0..5_000).map(|i| format!("\"k{i}\": {i}")).collect();
    let module = format!("package a\nt := {{{}}}\np if t == 1\n", table.join(", "));
    let result = plan(Version::V1, &[&module], "true", Options::default());
    let (_, faults) = result.expect_err("an object is no number");
    assert!(faults[0].message.contains('…'));
    assert!(
        faults[0].message.len() < 2_000,
        "{}",
        faults[0].message.len()
    );
}

/// Keys and members multiply: what is looked at is then no longer told apart.
#[test]
fn reads_of_many_keys_and_members_are_all_of_the_input() {
    let module = |count| {
        each(count, |i| {
            format!("p{i} if {{ input.x{i} == 1; input[_].y{i} == 1 }}\n")
        })
    };
    let reads = |count| {
        let plan = plan(Version::V1, &[&module(count)], "data.a", Options::default());
        plan.map_err(|(_, faults)| faults)
            .expect("the module compiles")
            .reads
    };
    assert!(matches!(reads(20).input, Access::Parts { .. }));
    assert_eq!(reads(2_000).input, Access::All);
}

/// A query stands in no rule, even where there is no module at all.
#[test]
fn a_query_has_no_metadata_of_its_own() {
    for query in ["x := rego.metadata.rule()", "rego.metadata.chain() = x"] {
        let result = plan(Version::V1, &[], query, Options::default());
        assert!(result.is_err(), "{query}");
    }
}

/// Who asks for what annotations say shares it with the others.
fn annotated(count: usize) -> String {
    let lines = |line: fn(usize) -> String| (0..count).map(line).collect::<Vec<_>>().concat();
    let keys = lines(|i| format!("#   a{i}: {i}\n"));
    let asks = lines(|i| format!("x{i} := rego.metadata.chain()\n"));
    format!("# METADATA\n# custom:\n{keys}p if {{ {asks}true }}\n")
}

/// So many bytes of memory for a byte of source bound what compiling takes, as `extent` says.
#[rstest]
#[case("package a\n".to_owned() + &annotated(1_000))]
#[case(each(1_000, |i| format!("p{i} := p{} + 1\n", i + 1)) + "p1000 := 1\n")]
#[case(each(1_000, |i| format!("p{i} := $\"{{input.a}} {{input.b}} {i}\"\n")))]
#[case(each(1_000, |i| format!("f({i}) := 1\nq{i} if f({i})\n")))]
#[case(each(1_000, |i| format!("p[{i}] := {i}\nq{i} if input.x[_].y{i} == p[{i}]\n")))]
fn memory_is_in_proportion_to_the_source(#[case] module: String) {
    let mut found = Vec::new();
    let counted = allocation_counter::measure(|| found = check(&module));
    assert_eq!(found, [""; 0]);
    let times = counted.bytes_max / module.len() as u64;
    assert!(times < 300, "{times}");
}
