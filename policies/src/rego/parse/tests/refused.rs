//! What is refused, where and why. OPA refuses all of it too, on the same line.

use super::super::super::ast::Version;
use super::{query, rules};

fn check(before: &str, version: Version, cases: &[(&str, &str)]) {
    for (source, expected) in cases {
        let faults = rules(&format!("{before}{source}"), version).expect_err(source);
        assert_eq!(faults.join(" | "), *expected, "{source}");
    }
}

#[test]
fn terms() {
    for (source, expected) in [
        ("x +", "1:4 unexpected eof token"),
        ("x ==", "1:5 unexpected eof token"),
        ("(x", "1:3 non-terminated expression"),
        ("[1, 2", r#"1:6 unexpected eof token: expected "," or "]""#),
        ("{1: }", "1:5 unexpected } token"),
        ("{1: 2, 3}", r#"1:9 unexpected } token: expected ":""#),
        ("f(x", r#"1:4 unexpected eof token: expected "," or ")""#),
        ("x[1", "1:4 unexpected eof token: expected ]"),
        ("x.", "1:3 unexpected eof token: expected identifier"),
        (
            "x. y",
            "1:4 unexpected whitespace token: expected identifier",
        ),
        ("1.2.3", "1:1 illegal ref (head cannot be number)"),
        (
            "01",
            "1:1 unexpected number token: expected number without leading zero",
        ),
        ("1.", "1:1 expected fraction"),
        ("1e", "1:1 expected exponent"),
        ("0x", "1:1 illegal number format"),
        ("1a", "1:1 illegal number format"),
        (r#"-"a""#, "1:2 unexpected string token: expected number"),
        ("1e100001", "1:1 number too big"),
        (r#""a"#, "1:1 non-terminated string"),
        (
            "\"a\nb\"",
            "1:1 non-terminated string | 2:2 non-terminated string",
        ),
        ("`a", "1:1 non-terminated string"),
        (r#""\x""#, "1:1 illegal escape sequence"),
        (r#""\u12g4""#, r#"1:1 illegal string literal: "\u12g4""#),
        (r#"$"a"#, "1:1 non-terminated string"),
        (r#"$"{x""#, "1:5 non-terminated string"),
        (
            r#"$"{not x}""#,
            "1:4 unexpected negation ('not') in template-string expression",
        ),
        (
            r#"$"{x := 1}""#,
            "1:4 unexpected assignment (':=') in template-string expression",
        ),
        (
            r#"$"{x = 1}""#,
            "1:4 unexpected unification ('=') in template-string expression",
        ),
        (
            r#"$"{some x in y}""#,
            "1:4 unexpected 'some' in template-string expression",
        ),
        (
            r#"$"{every x in y { x }}""#,
            "1:4 unexpected 'every' in template-string expression",
        ),
        ("$x", "1:1 illegal $ character"),
        ("!x", "1:1 illegal ! character"),
        ("@", "1:1 illegal token"),
    ] {
        let faults = query(source, Version::V1).expect_err(source);
        assert_eq!(faults.join(" | "), expected, "{source}");
    }
}

#[test]
fn conditions() {
    for (source, expected) in [
        ("x; ", "1:4 unexpected eof token"),
        ("{ }; }", "1:6 unexpected } token"),
        (
            "not some x",
            "1:5 unexpected some keyword: illegal negation of 'some'",
        ),
        (
            "not every x in y { x }",
            "1:5 unexpected every keyword: illegal negation of 'every'",
        ),
        ("some 1", "1:6 unexpected number token: expected var"),
        (
            "some x.y",
            "1:8 unexpected identifier token: expected number",
        ),
        (
            "every x { y }",
            "1:9 unexpected { token: expected `x[, y] in xs { ... }` expression",
        ),
        (
            "every 1 in x { y }",
            "1:14 unexpected { token: expected value to be a variable",
        ),
        ("every x in y", "1:13 unexpected eof token: missing body"),
        ("every x in y {}", "1:15 found empty body"),
        (
            "x with 1 as 2",
            "1:8 unexpected number token: expected ident",
        ),
        (
            "x with input",
            "1:13 unexpected eof token: expected as keyword",
        ),
        (
            "x with f(x) as 1",
            "1:13 unexpected as keyword: expected with target path",
        ),
        (r#""a".b"#, "1:1 illegal ref (head cannot be string)"),
        ("1[0]", "1:1 illegal ref (head cannot be number)"),
        ("x == in", "1:6 unexpected in keyword"),
        ("x.é", "1:3 illegal token"),
        ("{x | }", "1:6 found empty body"),
        ("[x | y; ]", "1:9 unexpected ] token"),
        ("x if y", "1:3 unexpected if keyword"),
        ("p := 1 := 2", "1:8 unexpected assign token"),
        (
            "package x",
            "1:1 expected conditions, not a statement of a module",
        ),
        (
            "import data.x",
            "1:1 expected conditions, not a statement of a module",
        ),
        (
            "a\u{a0}b",
            "1:2 illegal non-breaking space character, use a regular space instead",
        ),
        ("a\u{0}b", "1:2 illegal null character"),
        ("# \u{0}", "1:3 illegal null character"),
        ("x\u{feff}", "1:2 illegal byte-order mark"),
    ] {
        let faults = query(source, Version::V1).expect_err(source);
        assert_eq!(faults.join(" | "), expected, "{source}");
    }
}

#[test]
fn rules_in_v1() {
    check(
        "package t\n",
        Version::V1,
        &[
            ("p { x }", "2:1 `if` keyword is required before rule body"),
            (
                "p[x] { x }",
                "2:1 `if` keyword is required before rule body | 2:1 `contains` keyword is required for partial set rules",
            ),
            (
                "p[x]",
                "2:1 `contains` keyword is required for partial set rules",
            ),
            ("p", "2:1 var cannot be used for rule name"),
            (
                "p.q.r",
                "2:1 rule must have value assignment and/or body declaration",
            ),
            (
                "p.q",
                "2:1 `contains` keyword is required for partial set rules",
            ),
            (
                "p := 1 { x }",
                "2:1 `if` keyword is required before rule body",
            ),
            (
                "f(x) := 1 { x }",
                "2:1 `if` keyword is required before function body",
            ),
            ("if := 1", "2:1 if keyword cannot be used for rule name"),
            (
                "every := 1",
                "2:1 every keyword cannot be used for rule name",
            ),
            ("in = 1", "2:1 in keyword cannot be used for rule name"),
            ("some := 1", "2:1 some keyword cannot be used for rule name"),
            (
                "contains := 1",
                "2:1 contains keyword cannot be used for rule name",
            ),
            ("not := 1", "2:1 not keyword cannot be used for rule name"),
            (
                "package := 1",
                "2:1 package keyword cannot be used for rule name",
            ),
            (
                "import (x)",
                "2:1 import keyword cannot be used for rule name",
            ),
            ("p if", "2:5 unexpected eof token"),
            ("p if {", "2:7 unexpected eof token"),
            ("p if { x; }", "2:11 unexpected } token"),
            ("p contains", "2:11 unexpected eof token"),
            (
                "p contains x { y }",
                "2:1 `if` keyword is required before rule body",
            ),
            (
                "f(x) contains y",
                "2:6 unexpected contains keyword: the contains keyword can only be used with multi-value rule definitions (e.g., p contains <VALUE> { ... })",
            ),
            ("p+1", "2:2 unexpected plus token"),
            ("p := ", "2:6 unexpected eof token"),
            ("p := }", "2:6 unexpected } token"),
            ("p(x) if x y", "2:11 var cannot be used for rule name"),
        ],
    );
}

#[test]
fn defaults_and_branches_in_v1() {
    check(
        "package t\n",
        Version::V1,
        &[
            (
                "default p := x",
                "2:1 illegal default rule (value cannot contain var)",
            ),
            (
                "default p := input.x",
                "2:1 illegal default rule (value cannot contain ref)",
            ),
            (
                "default p := [f(x)]",
                "2:1 illegal default rule (value cannot contain call)",
            ),
            (
                r#"default p := $"{x}""#,
                "2:1 illegal default rule (value cannot contain var)",
            ),
            (
                "default p[x]",
                "2:1 illegal default rule (must have a value)",
            ),
            (
                "default f(x, x) := 1",
                "2:1 illegal default rule (arguments cannot be repeated x)",
            ),
            (
                "default f([x]) := 1",
                "2:1 illegal default rule (arguments must be variables)",
            ),
            (
                "default if := 1",
                "2:9 if keyword cannot be used for rule name",
            ),
            (
                "p := 1 if x else y",
                "2:18 unexpected identifier token: expected else value term or rule body",
            ),
            (
                "p[x] if x else := 1",
                "2:11 else keyword cannot be used on rules with variables in head",
            ),
            (
                "p contains x if x else := 1",
                "2:19 else keyword cannot be used on multi-value rules",
            ),
            (
                "p if x else := 1 { y }",
                "2:8 `if` keyword is required before rule body",
            ),
        ],
    );
}

#[test]
fn statements_in_v1() {
    check(
        "package t\n",
        Version::V1,
        &[
            (
                "plus(1, 2)",
                "2:1 rule name conflicts with built-in function",
            ),
            (
                "f()",
                "2:1 rule argument list must take at least one argument",
            ),
            (
                "x; y",
                "2:1 multiple expressions cannot be used for rule head",
            ),
            (
                "not p",
                "2:1 negated expressions cannot be used for rule head",
            ),
            (
                "p with input as 1",
                "2:1 expressions using with keyword cannot be used for rule head",
            ),
            (
                "some p",
                "2:1 'some' declarations cannot be used for rule head",
            ),
            ("1", "2:1 number cannot be used for rule name"),
            (r#""a""#, "2:1 string cannot be used for rule name"),
            (
                "import foo",
                "2:8 unexpected import path, must begin with one of: {data, future, input, rego}, got: foo",
            ),
            (
                "import data.x as input",
                "2:18 unexpected import alias, must not be a reserved name",
            ),
            (
                "import data.x as 1",
                "2:18 unexpected number token: expected var",
            ),
            (
                "import data.if",
                "2:13 unexpected import path, must not end with a keyword, got: if",
            ),
            (
                "import data.x.every as y\nimport data.not",
                "3:13 unexpected import path, must not end with a keyword, got: not",
            ),
            (
                "import future",
                "2:8 invalid import, must be `future.keywords`",
            ),
            (
                "import future.keywords.foo",
                "2:8 unexpected keyword, must be one of [in every contains if not and or]",
            ),
            (
                "import future.keywords.if as x",
                "2:30 `future` imports cannot be aliased",
            ),
            (
                "import rego",
                "2:8 invalid import, must be one of: `rego.v1`, `rego.v2`",
            ),
            (
                "import rego.v3",
                "2:8 invalid import, must be one of: `rego.v1`, `rego.v2`",
            ),
            (
                "import rego.v1 as x",
                "2:19 `rego` imports cannot be aliased",
            ),
            (
                "import data.x[y]",
                "2:15 unexpected var token: expecting string",
            ),
            ("import data.x -1", "2:15 unexpected minus token"),
            ("package q", "2:1 unexpected package"),
            (r#"p := ""#, "2:6 non-terminated string"),
            ("p := `a\nb", "2:6 non-terminated string"),
        ],
    );
}

#[test]
fn in_v0() {
    check(
        "package t\n",
        Version::V0,
        &[
            (
                "p if x",
                "2:1 var cannot be used for rule name | 2:3 var cannot be used for rule name | 2:6 var cannot be used for rule name",
            ),
            ("p if { x }", "2:1 var cannot be used for rule name"),
            (
                "p contains x",
                "2:1 var cannot be used for rule name | 2:3 var cannot be used for rule name | 2:12 var cannot be used for rule name",
            ),
            (
                "p { x in y }",
                r"2:7 unexpected identifier token: expected \n or ; or }",
            ),
            (
                "p { every x in y { x } }",
                r"2:11 unexpected identifier token: expected \n or ; or }",
            ),
            (
                r#"p := $"a""#,
                "2:6 template strings are not supported by Rego v0",
            ),
            (
                "import rego.v1\np { x }",
                "3:1 `if` keyword is required before rule body",
            ),
            (
                "import rego.v1\np[x] { x }",
                "3:1 `if` keyword is required before rule body | 3:1 `contains` keyword is required for partial set rules",
            ),
            (
                "import future.keywords.every\nevery := 1",
                "3:1 every keyword cannot be used for rule name",
            ),
            (
                "import future.keywords.foo",
                "2:8 unexpected keyword, must be one of [in every contains if not and or]",
            ),
            ("p { x } else = 1 { y } { z }", "2:24 expected else keyword"),
            (
                "p[x] { x } else = 1",
                "2:12 else keyword cannot be used on multi-value rules",
            ),
            ("in(1, 2)", "2:1 rule name conflicts with built-in function"),
            (
                "p { x y }",
                r"2:7 unexpected identifier token: expected \n or ; or }",
            ),
            ("p { x\n", "3:1 unexpected eof token"),
        ],
    );
}

#[test]
fn with_logic() {
    check(
        "package t\nimport future.keywords\n",
        Version::V1,
        &[
            ("p if { x and }", "3:14 unexpected } token"),
            ("p if { and x }", "3:8 unexpected and keyword"),
            ("p if { {} and x }", "3:8 found empty body"),
            ("p if { x and {} }", "3:15 found empty body"),
            (
                "p if { {1, 2} and x }",
                "3:8 operand of `and` cannot begin with `{` unless the braces hold a body",
            ),
            (
                "p if { x and {1: 2} }",
                "3:14 operand of `and` cannot begin with `{` unless the braces hold a body",
            ),
            (
                "p if { x | y and {z | w} }",
                "3:18 ambiguous `{ ... | ... }` operand: read as a body holding a set-union expression, not as a comprehension",
            ),
            (
                "p if { {x | y} and z }",
                "3:8 ambiguous `{ ... | ... }` operand: read as a body holding a set-union expression, not as a comprehension",
            ),
            (
                "p if { x with input as 1 and y }",
                "3:10 `with` modifier is not allowed on operand of `and`",
            ),
            (
                "p if { (x with input as 1 and y) }",
                "3:11 `with` modifier is not allowed on operand of `and`",
            ),
            (
                "p if { print(x) and y }",
                "3:8 operand of `and` cannot consist only of calls to `print`",
            ),
            ("p if { not {} }", "3:13 found empty body"),
            (
                "p if { not {1, 2} }",
                "3:12 `{...}` in an operand position must contain expression(s)",
            ),
            ("p if { () and x }", "3:9 unexpected ) token"),
            ("p if { not () }", "3:12 empty parenthesized group"),
            (
                "p if { ({x; y}) }",
                "3:8 `(...)` in an operand position cannot contain a body",
            ),
            (
                "p if { (x and y }",
                "3:17 expected ) to close parenthesized group",
            ),
            ("p if { and := 1 }", "3:8 unexpected and keyword"),
            ("not := 1", "3:1 not keyword cannot be used for rule name"),
            ("or if x", "3:1 or keyword cannot be used for rule name"),
            (
                "p if { some x and y }",
                r"3:15 unexpected and keyword: expected \n or ; or }",
            ),
        ],
    );
}
