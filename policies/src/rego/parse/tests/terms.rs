//! Terms and conditions, as OPA reads them in queries.

use super::super::super::ast::Version;
use super::query;

fn check(version: Version, cases: &[(&str, &str)]) {
    for (source, expected) in cases {
        assert_eq!(query(source, version).as_deref(), Ok(*expected), "{source}");
    }
}

#[test]
fn scalars() {
    check(
        Version::V1,
        &[
            ("null", "null"),
            ("true", "true"),
            ("1", "1"),
            ("-1", "-1"),
            ("- 1", "-1"),
            (".5", ".5"),
            ("-.5", "-.5"),
            ("1.5e3", "1.5e3"),
            ("0", "0"),
            ("0.1", "0.1"),
            ("0e1", "0e1"),
            ("1E-2", "1E-2"),
            (r#""a""#, r#""a""#),
            (r#""a\n\"\\\/\u00e9""#, "\"a\\n\\\"\\\\/é\""),
            (r#""\ud83d\ude00""#, "\"😀\""),
            (r#""\ud83d""#, "\"�\""),
            ("\"a\tb\"", r#""a\tb""#),
            (r#"`a\n"b`"#, r#""a\\n\"b""#),
            ("``", r#""""#),
            ("-x", "minus(0, x)"),
            ("-input.x", "minus(0, input.x)"),
            ("-f(x)", "minus(0, f(x))"),
            ("_", "_"),
        ],
    );
}

#[test]
fn references() {
    check(
        Version::V1,
        &[
            ("x", "x"),
            ("input", "<input>"),
            ("data", "<data>"),
            ("input.x", "input.x"),
            ("x.y[0].z", "x.y[0].z"),
            (r#"x["a b"]"#, "x.a b"),
            ("x[y][_]", "x[y][_]"),
            ("x[input.y]", "x[input.y]"),
            ("x[[1, 2]]", "x[[1, 2]]"),
            ("x[y, z in w]", "x[internal.member_3(y, z, w)]"),
            ("x.if.not.in", "x.if.not.in"),
            ("if.x", "if.x"),
            ("not[1]", "not[1]"),
            ("every.x", "every.x"),
            ("x.contains", "x.contains"),
            ("contains", "contains"),
            ("[1, 2][0]", "[1, 2][0]"),
            ("{1: 2}[1]", "{1: 2}[1]"),
            ("{x | y}[1]", "set{x | y}[1]"),
            ("f(x).y.z(1)", "f(x).y.z(1)"),
            ("f(x)[0]", "f(x)[0]"),
            ("(x).y", "x.y"),
            ("(f(x)).y", "f(x).y"),
        ],
    );
}

#[test]
fn calls() {
    check(
        Version::V1,
        &[
            ("f()", "f()"),
            ("f(x)", "f(x)"),
            ("f(x, 1,)", "f(x, 1)"),
            ("io.jwt.decode(x)", "io.jwt.decode(x)"),
            ("set()", "set{}"),
            ("set(1)", "set(1)"),
            ("f(x in xs)", "f(internal.member_2(x, xs))"),
            ("f(x,\n  y\n)", "f(x, y)"),
            ("(x)", "x"),
            ("((x))", "x"),
        ],
    );
}

#[test]
fn operators() {
    check(
        Version::V1,
        &[
            ("1 + 2 * 3", "plus(1, mul(2, 3))"),
            ("1 - 2 - 3", "minus(minus(1, 2), 3)"),
            ("(1 - 2) - 3", "minus(minus(1, 2), 3)"),
            ("1 * 2 / 3 % 4", "rem(div(mul(1, 2), 3), 4)"),
            ("x | y & z", "or(x, and(y, z))"),
            ("x & y | z", "or(and(x, y), z)"),
            ("x == 1 + 2", "equal(x, plus(1, 2))"),
            ("x | y == z", "equal(or(x, y), z)"),
            ("x < y == z", "equal(lt(x, y), z)"),
            ("x in y", "internal.member_2(x, y)"),
            (
                "x in y in z",
                "internal.member_2(internal.member_2(x, y), z)",
            ),
            ("x, y in z", "internal.member_3(x, y, z)"),
            ("x in y == z", "internal.member_2(x, equal(y, z))"),
            ("x - -1", "minus(x, -1)"),
            ("x -1", "minus(x, 1)"),
            ("1-x", "minus(1, x)"),
            ("x := y", "assign(x, y)"),
            ("x = y", "eq(x, y)"),
            ("[x, _] := y", "assign([x, _], y)"),
            ("x == y, z in w", "internal.member_3(equal(x, y), z, w)"),
            ("x\n+ y", "plus(x, y)"),
            ("x +\ny", "plus(x, y)"),
            ("eq(x, y)", "eq(x, y)"),
        ],
    );
}

#[test]
fn collections() {
    check(
        Version::V1,
        &[
            ("[]", "[]"),
            ("{}", "{}"),
            ("set()", "set{}"),
            ("[1, 2,]", "[1, 2]"),
            ("[, 1]", "[1]"),
            ("{1, 2}", "set{1, 2}"),
            ("{1, 1.0, 10e-1}", "set{1}"),
            ("{, 1}", "set{1}"),
            (r#"{"a": 1, "b": 2}"#, r#"{"a": 1, "b": 2}"#),
            (r#"{"a": 1, "a": 2}"#, r#"{"a": 1, "a": 2}"#),
            ("{x: y}", "{x: y}"),
            ("{x + 1: y + 1}", "{plus(x, 1): plus(y, 1)}"),
            ("{x | y}", "set{x | y}"),
            ("{x | y, z}", "set{or(x, y), z}"),
            ("[x | y]", "[x | y]"),
            ("[x | y, z]", "[or(x, y), z]"),
            ("{x: y | z}", "{x: y | z}"),
            ("{x: y | z, 1: 2}", "{x: or(y, z), 1: 2}"),
            ("{x + 1: y | z}", "{plus(x, 1): y | z}"),
            ("{(x | y)}", "set{or(x, y)}"),
            ("[(x | y)]", "[or(x, y)]"),
            ("{x | some y in z; y > x}", "set{x | some y in z; gt(y, x)}"),
            ("{x |\n  y\n  z\n}", "set{x | y; z}"),
            ("[{x | y} | z]", "[set{x | y} | z]"),
            ("{x in y}", "set{internal.member_2(x, y)}"),
            ("[x in y]", "[internal.member_2(x, y)]"),
        ],
    );
}

#[test]
fn templates() {
    check(
        Version::V1,
        &[
            (r#"$"""#, "template()"),
            (r#"$"a""#, r#"template("a")"#),
            (r#"$"a{x}b""#, r#"template("a" {x} "b")"#),
            (r#"$"{x}{y}""#, "template({x} {y})"),
            (r#"$"{1}{"a"}{true}{null}""#, r#"template(1 "a" true null)"#),
            (r#"$"\{x}""#, r#"template("{x}")"#),
            (r#"$"a\n{x}""#, r#"template("a\n" {x})"#),
            (r"$`a\n\{{x}`", r#"template("a\\n{" {x})"#),
            ("$`a\n{x}\nb`", r#"template("a\n" {x} "\nb")"#),
            (r#"$"{$"{x}"}""#, "template({template({x})})"),
            (r#"$"{ {"a": 1} }""#, r#"template({{"a": 1}})"#),
            (r#"$"{ [x | y] }""#, "template({[x | y]})"),
            (r#"$"{f(x)}""#, "template({f(x)})"),
            (r#"$"{x + 1}""#, "template({plus(x, 1)})"),
            (r#"$"{x in y}""#, "template({internal.member_2(x, y)})"),
            (
                r#"$"{x with input as 1}""#,
                "template({x with <input> as 1})",
            ),
            ("$\"{ #c\n 1}\"", "template({1})"),
        ],
    );
}

#[test]
fn modifiers() {
    check(
        Version::V1,
        &[
            ("x with input as 1", "x with <input> as 1"),
            (
                "f(x) with input.a as 1 with data.b as {}",
                "f(x) with input.a as 1 with data.b as {}",
            ),
            ("not x with f as g", "not x with f as g"),
            (
                "x in y with input as z",
                "internal.member_2(x, y) with <input> as z",
            ),
            (
                "some x in y with input as z",
                "some x in y with <input> as z",
            ),
            (
                "every x in y { x } with input as z",
                "every x in y {x} with <input> as z",
            ),
        ],
    );
}

#[test]
fn some_and_every() {
    check(
        Version::V1,
        &[
            ("some x", "some x"),
            ("some x, y", "some x, y"),
            ("some _", "some _"),
            ("some x in xs", "some x in xs"),
            ("some k, v in xs", "some k, v in xs"),
            ("some [x, 1] in xs", "some [x, 1] in xs"),
            (r#"some {"a": x} in xs"#, r#"some {"a": x} in xs"#),
            (r#"some "a", x in xs"#, r#"some "a", x in xs"#),
            ("every x in xs { x > 1 }", "every x in xs {gt(x, 1)}"),
            ("every k, v in xs { v; k }", "every k, v in xs {v; k}"),
            (
                "every x in [1, 2] { some y in x }",
                "every x in [1, 2] {some y in x}",
            ),
            ("not x", "not x"),
            ("not x == 1", "not equal(x, 1)"),
            ("not x; not.x", "not x; not.x"),
        ],
    );
}

#[test]
fn conditions() {
    check(
        Version::V1,
        &[
            ("", ""),
            ("x; y", "x; y"),
            ("x\ny", "x; y"),
            ("x y", "x; y"),
            ("x\n(y)", "x; y"),
            ("x\n[y]", "x; [y]"),
            ("x\n{y}", "x; set{y}"),
            ("x # c\ny", "x; y"),
            ("{x | y}; [z]", "set{x | y}; [z]"),
            ("f(x)\n(y)", "f(x); y"),
            ("x;\ny", "x; y"),
            ("\u{feff}x", "x"),
        ],
    );
}

#[test]
fn v0_names() {
    check(
        Version::V0,
        &[
            ("if", "if"),
            ("contains", "contains"),
            ("in", "in"),
            ("every", "every"),
            ("x.in", "x.in"),
            ("every.x", "every.x"),
            ("some in", "some in"),
            ("f(if)", "f(if)"),
        ],
    );
}
