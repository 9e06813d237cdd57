//! Reading takes steps in proportion to the source, whatever is nested or chained, and the depth of
//! what is read is bounded.

use rstest::rstest;

use super::super::super::ast::{MAX_HEIGHT, MAX_PATH, Version};
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

/// What a path leads to is a tree of its depth, which passes walk by recursion.
#[rstest]
#[case("package a{}")]
#[case("package a\nimport input{}")]
#[case("package a\np := input{}")]
#[case("package a\np if true with input{} as 1")]
fn paths_are_bounded(#[case] source: &str) {
    let source = |parts: usize| source.replace("{}", &".a".repeat(parts));
    assert!(module(&source(MAX_PATH - 1), Version::V1).is_ok());
    for parts in [MAX_PATH, 100_000] {
        let faults = module(&source(parts), Version::V1).expect_err("it is too long");
        assert!(
            faults[0].ends_with("a reference has at most 200 parts"),
            "{faults:?}"
        );
    }
}

/// Each branch has the head again.
#[test]
fn repeated_heads_are_bounded() {
    let names: Vec<String> = (0..500).map(|i| format!("x{i}")).collect();
    let head = format!("package a\nf([{}])", names.join(", "));
    for branch in [" { input.x }", " else := 1 { input.x }"] {
        let source = |count: usize| format!("{head} {{ true }}{}", branch.repeat(count));
        assert!(module(&source(50), Version::V0).is_ok());
        let faults = module(&source(150), Version::V0).expect_err("it is too much");
        assert!(faults[0].contains("repeat rule heads"), "{faults:?}");
    }
}

/// Line ends of Windows, and of old, are white space; only in raw strings they are kept.
#[test]
fn carriage_returns_are_white_space() {
    let source = "package a\n# METADATA\n# title: x\np := 1 if {\n\tinput.x\n\tnot input.y\n}\n";
    let expected = super::rules(source, Version::V1).expect("it is Rego");
    let windows = super::rules(&source.replace('\n', "\r\n"), Version::V1);
    assert_eq!(windows.expect("it is Rego"), expected);
    assert!(module("package a\rp := 1\r", Version::V1).is_ok());
    let raw = super::rules("package a\np := `a\r\nb`", Version::V1).expect("it is Rego");
    assert!(raw.contains("\\r\\n") || raw.contains("a\r\nb"), "{raw}");
}

/// As OPA has it: a byte-order mark may begin a source only, and the comment that follows it does not
/// begin its line, so it is no annotation; a null character may stand nowhere.
#[test]
fn marks_and_null_characters() {
    let told = |source: &str| module(source, Version::V1).err().unwrap_or_default();
    assert_eq!(told("\u{feff}package a\np := 1"), [""; 0]);
    assert_eq!(told("\u{feff}# METADATA\n# title: [\npackage a"), [""; 0]);
    assert_ne!(told("# METADATA\n# title: [\npackage a"), [""; 0]);
    for source in [
        "\u{feff}\u{feff}package a",
        "package a\n# \u{feff}",
        "package a\np := \"\u{feff}\"",
    ] {
        assert!(
            told(source)[0].ends_with("illegal byte-order mark"),
            "{source:?}"
        );
    }
    for source in [
        "package a\np := 1 \0",
        "package a\np := \"\0\"",
        "package a\n# \0\np := 1",
    ] {
        assert!(
            told(source)[0].ends_with("illegal null character"),
            "{source:?}"
        );
    }
    assert!(told("package a\u{a0}\np := 1")[0].contains("non-breaking space"));
    assert!(told("package a\u{c}p := 1")[0].ends_with("illegal token"));
}

/// A line of any length has its fault told with its column.
#[test]
fn very_long_lines() {
    let source = format!("package a\np := {}}}", " ".repeat(500_000));
    let faults = module(&source, Version::V1).expect_err("there is no value");
    assert_eq!(faults, ["2:500006 unexpected } token"]);
}
