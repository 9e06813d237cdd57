//! Partial rules of which only a part is asked. The expected results are OPA's (`opa eval`).

use super::*;
use crate::rego::execute;

const KEYS: &str = "eval_conflict_error: object keys must be unique";
const FUNCTION: &str =
    "eval_conflict_error: function data.a.f produced conflicting values for the same inputs";

/// What `data.a.q` is for each of the definitions that follow the common ones.
#[track_caller]
fn table(common: &str, cases: &[(&str, &str)]) {
    for (own, expected) in cases {
        let module = format!("package a\n{common}\n{own}");
        assert_eq!(ask(&module, "x = data.a.q"), *expected, "{module}");
    }
}

/// The value of a query as JSON, or the error.
#[track_caller]
fn ask(module: &str, query: &str) -> String {
    let plan = plan(Version::V1, &[module], query, Options::default());
    let plan = plan.map_err(|(_, faults)| format!("{module}: {faults:?}"));
    let plan = plan.expect("the module compiles");
    let evaluation = evaluation(r#"{"one": 1, "n": "p", "ks": ["a", "b"]}"#);
    match execute::evaluate(&plan, &plan.entries[0], evaluation) {
        Ok(values) if values.is_empty() => "undefined".to_owned(),
        Ok(values) => {
            let value =
                |value: &Value| value::get(value, &Value::from("x")).map(value::json::write);
            let values: Vec<String> = values.iter().filter_map(value).collect();
            values.join("; ")
        }
        Err(error) => format!("{}: {error}", error.kind.code()),
    }
}

#[test]
fn conflicts_under_other_keys_do_not_matter() {
    table(
        r#"p[k] := v if { some k, v in {"a": 1, "b": 1} }
p[k] := 2 if k := input.ks[1]"#,
        &[
            ("q := p.a", "1"),
            ("q := p.b", KEYS),
            ("q := p", KEYS),
            ("q := p.z", "undefined"),
            (r#"q contains p[k] if some k in ["a"]"#, "[1]"),
            ("q contains k if p[k]", KEYS),
            (r#"q contains k if { k := "a"; p[k] }"#, r#"["a"]"#),
            ("q := [p.a, p]", KEYS),
            ("q := [p.a, p.b]", KEYS),
            (r#"q := "a" in object.keys(p)"#, KEYS),
            ("q if not p.z", "true"),
            ("q if not p.b", KEYS),
            (r#"q := {k: v | some k in ["a"]; v := p[k]}"#, r#"{"a":1}"#),
            ("q := p[input.missing]", "undefined"),
            ("q if not p[input.missing]", "undefined"),
            (r#"q if every k in ["a"] { p[k] == 1 }"#, "true"),
            (r#"q if every k in ["b"] { p[k] == 1 }"#, KEYS),
            ("q := v if { v := p.a with input.one as 2 }", "1"),
            (r#"q := v if { v := p.b with input.ks as ["b", "a"] }"#, "1"),
            (r#"q := v if { v := p.a with data.a.p as {"a": 5} }"#, "5"),
            (r#"q := object.get(p, "a", 0)"#, KEYS),
            ("q := walk(p)", KEYS),
            (
                r#"h(k) := p[k]
q := h("a")"#,
                "1",
            ),
            (
                r#"h(k) := p[k]
q := h("b")"#,
                KEYS,
            ),
            (r#"q := x if { some x; x = p[k]; k = "a" }"#, KEYS),
            (r#"q := [x, y] if { p[x] = 1; x = "a"; y = p[x] }"#, KEYS),
        ],
    );
}

#[test]
fn deeper_keys() {
    table(
        r#"p[x][y] := z if { some x in ["a", "b"]; some y in ["c", "d"]; some z in [1, 2]; [x, y, z] != ["a", "c", 2] }"#,
        &[
            ("q := p.a.c", "1"),
            ("q := p.a.d", KEYS),
            ("q := p.a", KEYS),
            ("q := p", KEYS),
            ("q contains z if z := p[_].c", KEYS),
            ("q contains z if z := p.a[_]", KEYS),
            (r#"q contains y if { y := "c"; p.a[y] }"#, r#"["c"]"#),
            ("q contains y if p.a[y]", KEYS),
            ("q := p[input.ks[0]].c", "1"),
            ("q := p.a[input.missing]", "undefined"),
            ("q := p.z.d", "undefined"),
            (
                r#"q contains x if { some x in ["a"]; p[x].c = 1 }"#,
                r#"["a"]"#,
            ),
        ],
    );
}

#[test]
fn keys_behind_unknown_ones() {
    table(
        r#"p[x][y][w] := z if { some x in ["a"]; some y in ["c", "d"]; some w in ["e", "f"]; some z in [1, 2]; not [w, z] == ["e", 2] }"#,
        &[
            ("q contains z if z := p.a[_].e", "[1]"),
            ("q contains z if z := p.a[_].f", KEYS),
            ("q contains z if z := p.a[_]", KEYS),
            ("q contains [y, z] if z := p.a[y].e", r#"[["c",1],["d",1]]"#),
            ("q contains w if p.a.c[w]", KEYS),
            ("q contains z if z := p[_].c.e", KEYS),
            ("q contains [y, w] if p.a[y][w] = 1", KEYS),
            ("q contains y if p.a[y][y]", "[]"),
        ],
    );
}

#[test]
fn members_of_sets() {
    table(
        "f(x) := 1 if x\nf(x) := 2 if x",
        &[
            (
                r#"s contains x if { some x in ["a", "b"]; x == "b"; f(true) }
s contains "a"
q := s.a"#,
                r#""a""#,
            ),
            (
                r#"s contains x if { some x in ["a", "b"]; x == "b"; f(true) }
s contains "a"
q := s.b"#,
                FUNCTION,
            ),
            (
                r#"s contains x if { some x in ["a", "b"]; x == "b"; f(true) }
s contains "a"
q if "a" in s"#,
                FUNCTION,
            ),
            (
                r#"s contains x if { some x in ["a", "b"]; x == "b"; f(true) }
s contains "a"
q if s[_] == "a""#,
                FUNCTION,
            ),
            (
                "s contains input.ks[i] if g(i)\ng(0) := 1\ng(i) := f(true) if i == 1\nq := s.a",
                r#""a""#,
            ),
            (
                r#"s contains upper(k) if { some k in input.ks; g(k) }
g("a") := 1
g(k) := f(true) if k == "b"
q := s.A"#,
                FUNCTION,
            ),
            (
                "s contains upper(k) if some k in input.ks\nq := s.A",
                r#""A""#,
            ),
            (
                r#"s contains [1, {"k": "v"}]
q := s[[1, {"k": "v"}]]"#,
                r#"[1,{"k":"v"}]"#,
            ),
            (
                r#"p[x] contains y if { some x in ["a", "b"]; some y in ["c", "d"]; g(y) }
g("c") := 1
g(y) := f(true) if y == "d"
q := p.a.c"#,
                r#""c""#,
            ),
            (
                r#"p[x] contains y if { some x in ["a", "b"]; some y in ["c", "d"]; g(y) }
g("c") := 1
g(y) := f(true) if y == "d"
q := p.a"#,
                FUNCTION,
            ),
            (
                r#"p[x] contains y if { some x in ["a", "b"]; some y in ["c", "d"]; g(x) }
g("a") := 1
g(y) := f(true) if y == "b"
q := p.a"#,
                r#"["c","d"]"#,
            ),
        ],
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn keys_of_which_a_part_is_known() {
    table(
        r#"f(x) := 1 if x
f(x) := 2 if x
g("a") := 1
g(x) := f(true) if x == "b""#,
        &[
            (
                r#"s contains [x, y] if { some x in ["a", "b"]; y := g(x) }
q := y if s[["a", y]]"#,
                "1",
            ),
            (
                r#"s contains [x, y] if { some x in ["a", "b"]; y := g(x) }
q := y if s[["b", y]]"#,
                FUNCTION,
            ),
            (
                r#"s contains [x, y] if { some x in ["a", "b"]; y := g(x) }
q if s[["a", 1]]"#,
                "true",
            ),
            (
                r#"s contains [x, y] if { some x in ["a", "b"]; y := g(x) }
q if s[["a", 2]]"#,
                "undefined",
            ),
            (
                r#"s contains [x, y] if { some x in ["a", "b"]; y := g(x) }
q if s[[_, 1]]"#,
                FUNCTION,
            ),
            (
                r#"s contains [x, y] if { some x in ["a", "b"]; y := g(x) }
q if s[["c", _]]"#,
                "undefined",
            ),
            (
                r#"s contains z if { some x in ["a", "b"]; y := g(x); z := [x, y] }
q := y if s[["a", y]]"#,
                FUNCTION,
            ),
            (
                r#"s contains z if { some z in [["a", 1], ["b", 2]]; g(z[0]) }
q := y if s[["a", y]]"#,
                "1",
            ),
            (
                r#"s contains z if { some z in [["a", 1], ["b", 2]]; g(z[0]) }
q := y if s[["b", y]]"#,
                FUNCTION,
            ),
            (
                r#"s contains z if { some z in [["a", 1], ["b", 2], {"k": "a"}]; g(z[0]) }
q := y if s[{"k": y}]"#,
                "undefined",
            ),
            (
                r#"s contains {"k": k, "v": v} if { some k in ["a", "b"]; v := g(k) }
q := v if s[{"k": "a", "v": v}]"#,
                "1",
            ),
            (
                r#"s contains {"k": k, "v": v} if { some k in ["a", "b"]; v := g(k) }
q := k if s[{"k": k, "v": 1}]"#,
                FUNCTION,
            ),
            (
                r#"s contains {"k": k, "v": v} if { some k in ["a", "b"]; v := g(k) }
q if s[{"k": "a", "v": 1}]"#,
                "true",
            ),
            (
                r#"s contains ["a", 1]
s contains ["b", 2]
q := y if s[["a", y]]"#,
                "1",
            ),
            (
                r#"s contains {"k": "a", "v": 1}
s contains ["b", 2]
q := y if s[{"k": "a", "v": y}]"#,
                "1",
            ),
            (
                r#"p[k] := v if { some k in [["a", 1], ["b", 2]]; v := g(k[0]) }
q := i if p[["a", i]]"#,
                "1",
            ),
            (
                r#"p[k] := v if { some k in [["a", 1], ["b", 2]]; v := g(k[0]) }
q := [i, v] if v := p[["a", i]]"#,
                "[1,1]",
            ),
            (
                r#"p[k] := v if { some k in [["a", 1], ["b", 2]]; v := g(k[0]) }
q := i if p[["b", i]]"#,
                FUNCTION,
            ),
            (
                r#"s contains [x, y] if { some x in ["a", "b"]; some y in ["a", "c"]; x != y; f(true) }
s contains ["a", "a"]
q contains x if s[[x, x]]"#,
                r#"["a"]"#,
            ),
            (
                r#"s contains [x, y] if { some x in ["a", "b"]; some y in ["a", "c"]; x != y; f(true) }
q contains x if s[["a", x]]"#,
                FUNCTION,
            ),
            (
                r#"s contains [x, "a"] if { some x in ["a", "b"]; x != "a"; f(true) }
q contains x if s[[x, x]]"#,
                "[]",
            ),
        ],
    );
}

#[test]
fn keys_that_are_computed() {
    table(
        "f(x) := 1 if x\nf(x) := 2 if x",
        &[
            (
                "p[input.ks[i]] := g(i)\ng(0) := 1\ng(i) := f(true) if i == 1\nq := p.a",
                "1",
            ),
            (
                "p[input.ks[i]] := g(i)\ng(0) := 1\ng(i) := f(true) if i == 1\nq := p.b",
                FUNCTION,
            ),
            (
                "p[x][x] := 1 if some x in input.ks\nq := [p.a.a, p.b.b]",
                "[1,1]",
            ),
            (
                "p[x][x] := 1 if some x in input.ks\nq := p.a.b",
                "undefined",
            ),
            ("p[k] := 5 if k := 1\nq := p[1.0]", "5"),
            ("p[k] := 5 if k := 1\nq := p[1]", "5"),
            ("s contains 1.0\nq := s[1]", "1"),
            ("s contains 1\nq := s[1.0]", "1.0"),
            (
                r#"p[k] := v if { some k in ["a"]; v := [1] }
q := p.a[0]"#,
                "1",
            ),
            (
                r#"p[k] := v if { some k in ["a"]; v := [1] }
q := p.a[_]"#,
                "1",
            ),
            (
                r#"p[k] := v if { some k in ["a"]; v := {"x": {"y": 1}} }
q := p.a.x.y"#,
                "1",
            ),
            ("p[k] := i if input.ks[i] = k\nq := p.b", "1"),
            ("p[k] := i if { some i, k in input.ks }\nq := p.b", "1"),
            (
                "p[i] := k if { some i, k in input.ks }\nq := p[1]",
                r#""b""#,
            ),
            (
                "p[i] := k if { some i, k in input.ks }\nq := p[2]",
                "undefined",
            ),
            (
                "p[k] := n if { some k in input.ks; n := count([x | some x in input.ks; x != k]) }\nq := p.b",
                "1",
            ),
            (
                r#"p[k] := true if { some k in input.ks; not r[k] }
r contains "a"
q := [p.b, {x | x := p.a}]"#,
                "[true,[]]",
            ),
            (
                r#"p[k] := v if { some k, v in r }
r[k] := v if { some k in ["a", "b"]; some v in [1, 2]; [k, v] != ["a", 2] }
q := p.a"#,
                "1",
            ),
            (
                r#"p[k] := v if { v := r[k]; k in ["a"] }
r[k] := v if { some k in ["a", "b"]; some v in [1, 2]; [k, v] != ["a", 2] }
q := p.a"#,
                "1",
            ),
            (
                r#"p[k] := v if v := r[k]
r[k] := v if { some k in ["a", "b"]; some v in [1, 2]; [k, v] != ["a", 2] }
q := p.a"#,
                "1",
            ),
            (
                r#"p[k] := v if v := r[k]
r[k] := v if { some k in ["a", "b"]; some v in [1, 2]; [k, v] != ["a", 2] }
q := p.b"#,
                KEYS,
            ),
            (
                r#"p[k] := v if v := r[k]
r[k] := v if { some k in ["a", "b"]; some v in [1, 2]; [k, v] != ["a", 2] }
q := p"#,
                KEYS,
            ),
        ],
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn rules_of_different_lengths() {
    table(
        "",
        &[
            (
                r#"p[x] := {"k": 1} if x := "a"
p[x].z := 2 if x := "a"
q := p.a.z"#,
                KEYS,
            ),
            (
                r#"p[x] := {"k": 1} if x := "a"
p[x].z := 2 if x := "a"
q := p.a.k"#,
                "1",
            ),
            (
                r#"p[x] := {"k": 1} if x := "a"
p[x].z := 2 if x := "a"
q := p.a"#,
                KEYS,
            ),
            (
                r#"p[x] := {"k": 1} if x := "a"
p[x].z := 2 if x := "b"
q := p.a.k"#,
                "1",
            ),
            (
                r#"p[x] := {"k": 1} if x := "a"
p[x].z := 2 if x := "b"
q := p.b.z"#,
                "2",
            ),
            (
                r#"p[x].z := 2 if x := "a"
p[x] := {"k": 1} if x := "a"
q := p.a.k"#,
                "1",
            ),
            (
                r#"p[x].z := 2 if x := "a"
p[x] := {"k": 1} if x := "a"
q := p.a.z"#,
                KEYS,
            ),
            (
                r#"p[x].z := 2 if x := "a"
p[x] := {"z": 2} if x := "a"
q := p.a"#,
                r#"{"z":2}"#,
            ),
            (
                r#"p[x].z := 2 if x := "a"
p[x] := {"z": 2} if x := "a"
p[x].y := 3 if x := "a"
q := p.a"#,
                KEYS,
            ),
            (
                r#"p[x].z := 2 if x := "a"
p[x] := {"z": 2} if x := "a"
p[x].z := 2 if x := "a"
q := p.a"#,
                KEYS,
            ),
            (
                r#"p[x].z := 2 if x := "a"
p[x] := {"z": 2} if x := "a"
p[x].y := 3 if x := "a"
q := p.a.z"#,
                "2",
            ),
            (
                r#"p[x].z := 2 if x := "a"
p[x] := {"z": 2} if x := "a"
p[x].y := 3 if x := "a"
q := p.a.y"#,
                KEYS,
            ),
            (
                r#"p[x] := 1 if x := "a"
p.b.c := 2
q := p.b.c"#,
                "2",
            ),
            (
                r#"p[x] := 1 if x := "b"
p.b.c := 2
q := p.b.c"#,
                KEYS,
            ),
            (
                r#"p[x] := 1 if x := "b"
p.b.c := 2
q := p.b"#,
                KEYS,
            ),
            (
                r#"p[x] := 1 if x := "b"
p.b.c := 2
q := p.b.d"#,
                "undefined",
            ),
            (
                r#"p[x] := 1 if x := "b"
p.b.c := 2
q := p"#,
                KEYS,
            ),
            (
                r#"p[x] := 1 if x := "a"
p.b.c := 2
q := p.a"#,
                "1",
            ),
            (
                r#"p[x] := 1 if x := "a"
p.b.c := 2
q := p"#,
                r#"{"a":1,"b":{"c":2}}"#,
            ),
        ],
    );
}

#[test]
fn queries() {
    const CONFLICT: &str = r#"package a
p[k] := v if { some k, v in {"a": 1, "b": 1} }
p[k] := 2 if k := input.ks[1]"#;
    const NESTED: &str = r#"package a
p[x][y] := z if { some x in ["a", "b"]; some y in ["c", "d"]; some z in [1, 2]; [x, y, z] != ["a", "c", 2] }"#;
    for (module, query, expected) in [
        (CONFLICT, "x = data.a[input.n].a", "1"),
        (CONFLICT, "x = data.a[input.n].b", KEYS),
        (CONFLICT, "x = data.a[input.n]", KEYS),
        (CONFLICT, "x = data.a[input.missing].b", "undefined"),
        (CONFLICT, "x = data.a[_].a", "1"),
        (CONFLICT, "x = data.a[_].b", KEYS),
        (CONFLICT, "x = data.a[input.n].a.c", "undefined"),
        (CONFLICT, "x = data.a[input.n].a.d", "undefined"),
        (CONFLICT, "x = data.a[_].a.c", "undefined"),
        (CONFLICT, "x = data.a[_].a.d", "undefined"),
        (CONFLICT, "x = data.a[_].a[_]", "undefined"),
        (CONFLICT, "x = data.a[input.n][_].c", KEYS),
        (CONFLICT, "x = data[input.pkg].p.a", "undefined"),
        (CONFLICT, "x = data[_].p.a", "1"),
        (CONFLICT, r#"k = "a"; x = data.a.p[k]"#, "1"),
        (CONFLICT, "x = data.a.p.b", KEYS),
        (CONFLICT, "x = data.a", KEYS),
        (CONFLICT, "x = data.a.p", KEYS),
        (CONFLICT, "x = data.a.p.a", "1"),
        (CONFLICT, "x = data.a.p[input.ks[0]]", "1"),
        (NESTED, "x = data.a[input.n].a", KEYS),
        (NESTED, "x = data.a[input.n].b", KEYS),
        (NESTED, "x = data.a[input.n]", KEYS),
        (NESTED, "x = data.a[input.missing].b", "undefined"),
        (NESTED, "x = data.a[_].a", KEYS),
        (NESTED, "x = data.a[_].b", KEYS),
        (NESTED, "x = data.a[input.n].a.c", "1"),
        (NESTED, "x = data.a[input.n].a.d", KEYS),
        (NESTED, "x = data.a[_].a.c", "1"),
        (NESTED, "x = data.a[_].a.d", KEYS),
        (NESTED, "x = data.a[_].a[_]", KEYS),
        (NESTED, "x = data.a[input.n][_].c", KEYS),
        (NESTED, "x = data[input.pkg].p.a", "undefined"),
        (NESTED, "x = data[_].p.a", KEYS),
        (NESTED, r#"k = "a"; x = data.a.p[k]"#, KEYS),
        (NESTED, "x = data.a.p.b", KEYS),
        (NESTED, "x = data.a", KEYS),
        (NESTED, "x = data.a.p", KEYS),
        (NESTED, "x = data.a.p.a", KEYS),
        (NESTED, "x = data.a.p[input.ks[0]]", KEYS),
    ] {
        assert_eq!(ask(module, query), expected, "{module} {query}");
    }
}
