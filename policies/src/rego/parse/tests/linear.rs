//! Reading takes steps in proportion to the source, whatever is nested or chained, and the depth of
//! what is read is bounded.

use rstest::rstest;

use super::super::super::ast::{MAX_HEIGHT, Version};
use super::super::super::source::FileId;
use super::super::cursor::Parser;
use super::super::{MAX_BYTES, MAX_FAULTS};
use super::module;

/// Openings, with what they open: what ends the innermost, and how they are closed.
const NESTED: [(&str, &str, &str); 44] = [
    ("[", "1", "]"),
    ("{", "1", "}"),
    ("(", "1", ")"),
    ("[1, ", "1", "]"),
    ("{1, ", "1", "}"),
    ("{1: ", "1", "}"),
    ("{[1]: ", "1", "}"),
    ("{1: 2, 3: ", "1", "}"),
    ("f(", "1", ")"),
    ("set(", "1", ")"),
    ("x[", "1", "]"),
    ("x[y, ", "1", "]"),
    ("[x | ", "y", "]"),
    ("{x | ", "y", "}"),
    ("{x: y | ", "y", "}"),
    ("[x | y, ", "y", "]"),
    ("{x | y, ", "y", "}"),
    ("{x: y | z, 1: ", "y", "}"),
    ("{x | y; ", "y", "}"),
    ("{x | y\n", "y", "}"),
    ("{x | {y | z; ", "y", "}}"),
    ("{(x | ", "y", ")}"),
    ("({", "x", "})"),
    ("({x; ", "x", "})"),
    ("({x | ", "x", "})"),
    ("({x | y; ", "x", "})"),
    ("({x} and ", "x", ")"),
    ("(x and ", "x", ")"),
    ("({x} or {", "x", "})"),
    ("{x and ", "x", "}"),
    ("{x} and {", "x", "}"),
    ("x and ({h | z; ", "x", "})"),
    ("not {", "x", "}"),
    ("not ({", "x", "})"),
    ("not (", "x", ")"),
    ("not {x | ", "x", "}"),
    ("every x in xs { ", "x", "}"),
    ("every x in {", "x", "} {y}"),
    ("some x in [", "x", "]"),
    ("some x in {y | ", "x", "}"),
    ("$\"{", "x", "}\""),
    ("$`{[x | ", "x", "]}`"),
    ("{$\"{", "x", "}\"}"),
    ("x with input as {y | ", "x", "}"),
];

/// What can be repeated without brackets.
const CHAINED: [&str; 42] = [
    "1 + ",
    "1 - ",
    "-",
    "1 * ",
    "1 / ",
    "1 % ",
    "x | ",
    "x & ",
    "x == ",
    "x < ",
    "x in ",
    "x, ",
    "x, y in ",
    "x := ",
    "x = ",
    "x.y",
    "x[0]",
    ".y",
    "[0]",
    "(x)",
    "x; ",
    "x\n",
    "not ",
    "some ",
    "some x in ",
    "every ",
    "x and ",
    "x or ",
    "not x and ",
    "with input as x ",
    "else ",
    "if ",
    "contains ",
    "default ",
    "import data.x\n",
    "package x\n",
    "p := 1\n",
    "p[x] { x }\n",
    "{x}",
    ", ",
    ": ",
    "\"",
];

/// Tokens that are read for each token of a source, at most. A term is read a second time after a
/// guess; what guesses nest in is remembered.
const STEPS_PER_TOKEN: usize = 4;

fn check(source: &str, version: Version, rules: bool) {
    let mut parser = Parser::new(FileId::default(), source, version);
    parser.statements(rules);
    let (steps, tokens) = (parser.steps, parser.count());
    let shown: String = source.chars().take(60).collect();
    assert!(
        steps <= STEPS_PER_TOKEN * tokens + 100,
        "{shown}: {steps} for {tokens} tokens"
    );
}

/// The beginnings of sources in which brackets and braces are ambiguous in different ways.
const BEFORE: [&str; 5] = [
    "x := ",
    "import future.keywords\n",
    "import future.keywords\nx := ",
    "import future.keywords\np if ",
    "import future.keywords\np if {",
];

#[test]
fn nested_is_read_in_linear_steps() {
    for (open, inner, close) in NESTED {
        for before in BEFORE {
            let opened = |depth| format!("{before}{}{inner}", open.repeat(depth));
            for source in [
                format!("{}{}", opened(40), close.repeat(40)),
                // What follows makes the first guess wrong.
                format!("{}{} !", opened(80), close.repeat(80)),
                format!("{}{}", opened(80), ",]".repeat(80)),
            ] {
                check(&source, Version::V0, true);
                check(&source, Version::V1, true);
                check(&source, Version::V1, false);
            }
        }
    }
}

#[test]
fn openings_that_nothing_closes_are_read_in_linear_steps() {
    for (open, _, _) in NESTED {
        check(
            &format!("import future.keywords\n{}", open.repeat(10_000)),
            Version::V1,
            true,
        );
    }
}

#[test]
fn chains_are_read_in_linear_steps() {
    for link in CHAINED {
        check(
            &format!("import future.keywords\n{}", link.repeat(10_000)),
            Version::V1,
            true,
        );
        check(
            &format!("import future.keywords\np if {{ {}", link.repeat(10_000)),
            Version::V0,
            true,
        );
    }
}

#[rstest]
#[case("[")]
#[case("{")]
#[case("(")]
#[case("1 + ")]
#[case("p[x] { x }\n")]
#[case("p := {1: [x | f(x)]}\n")]
fn a_megabyte_is_read_in_linear_steps(#[case] part: &str) {
    check(&part.repeat(MAX_BYTES / part.len()), Version::V0, true);
}

#[rstest]
#[case("[", "1", "]")]
#[case("(", "1", ")")]
#[case("{1: ", "1", "}")]
#[case("f(", "1", ")")]
#[case("[x | ", "y", "]")]
#[case("every x in xs { ", "x", "}")]
#[case("1 + ", "1", "")]
fn depth_is_bounded(#[case] open: &str, #[case] inner: &str, #[case] close: &str) {
    let source = |depth: usize| {
        let (open, close) = (open.repeat(depth), close.repeat(depth));
        format!("package p\nx if {{\n{open}{inner}{close}\n}}")
    };
    assert!(module(&source(60), Version::V1).is_ok());
    let faults =
        module(&source(usize::from(MAX_HEIGHT) + 1), Version::V1).expect_err("it is too deep");
    assert!(faults[0].contains("nested deeper than"), "{faults:?}");
    assert!(module(&source(50_000), Version::V1).is_err());
}

#[test]
fn size_is_bounded() {
    let source = format!("package p\n{}", " ".repeat(MAX_BYTES));
    let faults = module(&source, Version::V1).expect_err("it is too large");
    assert_eq!(
        faults,
        [format!(
            "1:1 the source has {} bytes; at most {MAX_BYTES} are read",
            source.len()
        )]
    );
}

#[test]
fn the_number_of_faults_is_bounded() {
    let source = format!("package p\n{}", "p := }\n".repeat(1_000));
    assert_eq!(
        module(&source, Version::V1)
            .expect_err("nothing is right")
            .len(),
        MAX_FAULTS
    );
}
