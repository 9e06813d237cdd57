//! Sources that grow in one respect.

use std::fmt::Write as _;

use portcullis_policies::rego::ast::Version;
use portcullis_policies::rego::value::Value;
use portcullis_policies::rego::value::json;

/// What is compiled.
pub(crate) struct Source {
    pub(crate) version: Version,
    pub(crate) modules: Vec<String>,
    pub(crate) query: String,
    pub(crate) data: Option<Value>,
    pub(crate) strict: bool,
}

/// A name, and the source of a size.
pub(crate) type Shape = (&'static str, fn(usize) -> Source);

/// What there is, most of them one a line.
#[rustfmt::skip]
pub(crate) const SHAPES: &[Shape] = &[
    ("rules", |n| {
        each(n, |i| format!("p{i} if input.x == {i}\n"))
    }),
    ("rules of one name", |n| {
        each(n, |i| format!("p contains {i} if input.x == {i}\n"))
    }),
    ("rules with several guards", |n| {
        each(n, |i| {
            format!(
                "p contains {i} if {{ input.x == {i}; input.y == {}; input.z in {{1, {}}} }}\n",
                i % 7,
                i % 5
            )
        })
    }),
    ("rules and references to all", |n| {
        each(n, |i| {
            format!("p contains {i} if input.x == {i}\nq{i} if p[{i}]\n")
        })
    }),
    ("complete rules, referred to", |n| {
        each(n, |i| {
            format!("p := 1 if input.x == {i}\nq{i} if p.a == {i}\n")
        })
    }),
    ("chain of rules", |n| {
        each(n, |i| format!("p{i} := p{} + 1\n", i + 1)).and(&format!("p{n} := 1\n"))
    }),
    ("chain of types", |n| {
        // The type of each is twice as large as that of the one before.
        let n = n / 10;
        each(n, |i| format!("p{i} := [p{}, p{}]\n", i + 1, i + 1))
            .and(&format!("p{n} := 1\nq if p0 == p1\n"))
    }),
    ("chain of types in a body", |n| {
        let n = n / 10;
        body(
            n,
            |i| format!("x{} := [x{i}, x{i}]; ", i + 1),
            "x0 := 1; ",
            "true",
        )
    }),
    ("unlike types", |n| {
        let n = n / 10;
        body(
            n,
            |i| {
                format!(
                    "x{} := [x{i}, y{i}]; y{} := [x{i}, \"a\"]; x{i} == y{i}; ",
                    i + 1,
                    i + 1
                )
            },
            "x0 := 1; y0 := 2; ",
            "true",
        )
    }),
    ("modules", |n| {
        let mut source = each(0, |_| String::new());
        source.modules = (0..n)
            .map(|i| {
                format!(
                    "package test.m{i}\np if input.x\nq if data.test.m{}.p\n",
                    i / 2
                )
            })
            .collect();
        source
    }),
    ("modules of one package", |n| {
        let mut source = each(0, |_| String::new());
        source.modules = (0..n)
            .map(|i| format!("package test\np{i} if input.x\nq{i} if p{}\n", i / 2))
            .collect();
        source
    }),
    ("references to a package", |n| {
        each(n, |i| format!("p{i} := data.other\n"))
            .module(&lines("package other\n", n, |i| format!("r{i} := {i}\n")))
    }),
    ("references into a package", |n| {
        each(n, |i| format!("p{i} := data.other[input.x]\n")).module(&lines(
            "package other\n",
            n,
            |i| format!("r{i} := {i}\n"),
        ))
    }),
    ("references beyond a package", |n| {
        each(n, |i| format!("p{i} := data.other[x].y\n")).module(&lines(
            "package other\n",
            n,
            |i| format!("r{i}.y := {i}\n"),
        ))
    }),
    ("references to each package", |n| {
        each(n, |i| format!("p{i} := data.other[x].y\n"))
            .modules((0..n).map(|i| format!("package other.m{i}\ny := {i}\n")))
    }),
    ("conditions", |n| {
        body(n, |i| format!("input.x{i} == {i}\n"), "", "true")
    }),
    ("locals", |n| {
        body(n, |i| format!("x{i} := input.x{i}\n"), "", "true")
    }),
    ("locals in a chain", |n| {
        body(
            n,
            |i| format!("x{} := x{i} + 1\n", i + 1),
            "x0 := 1\n",
            "true",
        )
    }),
    ("locals in reverse", |n| {
        body(n, |i| format!("x{i} = x{} + 1\n", i + 1), "", "").and(&format!(
            "q if {{ x{n} = 1\n{} }}\n",
            repeat(n, |i| format!("x{i} = x{} + 1\n", i + 1))
        ))
    }),
    ("unused locals, strict", |n| {
        body(n, |i| format!("x{i} := input.x{i}\n"), "", "true").strict()
    }),
    ("declared names", |n| {
        body(
            n,
            |i| format!("some x{i}\ninput.a[x{i}] == 1\n"),
            "",
            "true",
        )
    }),
    ("some of many", |n| {
        body(n, |i| format!("x{i}, "), "some [", "_] in input.x")
    }),
    ("some of many in many", |n| {
        each(0, |_| String::new()).and(&format!(
            "p if {{ some [{}] in [{}] }}\n",
            list(n, |i| format!("x{i}")),
            list(n, |i| format!("input.y{i}"))
        ))
    }),
    ("negations", |n| {
        body(n, |i| format!("not input.x{i}\n"), "", "true")
    }),
    ("every", |n| {
        body(
            n,
            |i| format!("every x in input.x{i} {{ x > {i} }}\n"),
            "",
            "true",
        )
    }),
    ("comprehensions", |n| {
        body(
            n,
            |i| format!("x{i} := [y | y := input.x[_]; y > {i}]\n"),
            "",
            "true",
        )
    }),
    ("comprehension of many conditions", |n| {
        each(0, |_| String::new()).and(&format!(
            "p := [x | {}x := 1]\n",
            repeat(n, |i| format!("input.x{i} > {i}; "))
        ))
    }),
    ("nested comprehensions", |n| {
        nested(n, "[x | x := ", "1", "]")
    }),
    ("nested every", |n| {
        nested_body(n, "every x in input.x { ", "true", " }")
    }),
    ("nested not", |n| {
        nested_body(n, "not { ", "input.x", " }").logic()
    }),
    ("ands", |n| {
        each(n, |i| {
            format!("p{i} if input.a and input.b and (input.c or input.d)\n")
        })
        .logic()
    }),
    ("or of many", |n| {
        each(0, |_| String::new())
            .and(&format!(
                "p if {{ {}input.x }}\n",
                repeat(n.min(180), |i| format!("input.x{i} or "))
            ))
            .logic()
    }),
    ("nested arrays", |n| nested(n, "[", "input.x", "]")),
    ("nested calls", |n| nested(n, "count(", "input.x", ")")),
    ("array", |n| {
        each(0, |_| String::new()).and(&format!("p := [{}]\n", list(n, |i| i.to_string())))
    }),
    ("array of unlike types", |n| {
        each(0, |_| String::new()).and(&format!(
            "p := [{}]\nq := p[input.x]\n",
            list(n, |i| format!("[{}]", list(i % 50, |_| "1".to_owned())))
        ))
    }),
    ("objects of unlike types", |n| {
        each(0, |_| String::new()).and(&format!(
            "p := [{}]\nq := p[input.x]\nr if q == 1\n",
            list(n, |i| format!("{{\"k{i}\": 1}}"))
        ))
    }),
    ("set", |n| {
        each(0, |_| String::new()).and(&format!("p := {{{}}}\n", list(n, |i| i.to_string())))
    }),
    ("set of unlike types", |n| {
        each(0, |_| String::new()).and(&format!(
            "p := {{{}}}\nq if 1 in p\n",
            list(n, |i| format!("{{\"k{i}\": 1}}"))
        ))
    }),
    ("partial set of unlike types", |n| {
        each(n, |i| format!("p contains {{\"k{i}\": 1}}\n"))
    }),
    ("rule of unlike types", |n| {
        each(n, |i| format!("p := {{\"k{i}\": 1}} if input.x == {i}\n"))
    }),
    ("object", |n| {
        each(0, |_| String::new()).and(&format!(
            "p := {{{}}}\n",
            list(n, |i| format!("\"k{i}\": {i}"))
        ))
    }),
    ("object, referred to", |n| {
        each(n, |i| format!("p{i} := table.k{i}\n")).and(&format!(
            "table := {{{}}}\n",
            list(n, |i| format!("\"k{i}\": {i}"))
        ))
    }),
    ("object, looked up", |n| {
        each(n, |i| format!("p{i} := table[input.x{i}]\n")).and(&format!(
            "table := {{{}}}\n",
            list(n, |i| format!("\"k{i}\": {i}"))
        ))
    }),
    ("object, enumerated", |n| {
        body(
            n,
            |i| format!("table[x{i}] == {i}\n"),
            &format!("table := {{{}}}\n", list(n, |i| format!("\"k{i}\": {i}"))),
            "true",
        )
    }),
    ("array, enumerated", |n| {
        body(
            n,
            |i| format!("table[x{i}] == {i}\n"),
            &format!("table := [{}]\n", list(n, |i| i.to_string())),
            "true",
        )
    }),
    ("array of terms", |n| {
        each(0, |_| String::new()).and(&format!("p := [{}]\n", list(n, |i| format!("input.x{i}"))))
    }),
    ("object of terms", |n| {
        each(0, |_| String::new()).and(&format!(
            "p := {{{}}}\n",
            list(n, |i| format!("\"k{i}\": input.x{i}"))
        ))
    }),
    ("set of terms", |n| {
        each(0, |_| String::new()).and(&format!(
            "p := {{{}}}\n",
            list(n, |i| format!("input.x{i}"))
        ))
    }),
    ("array pattern", |n| {
        each(0, |_| String::new()).and(&format!(
            "p if {{ [{}] := input.x }}\n",
            list(n, |i| format!("x{i}"))
        ))
    }),
    ("object pattern", |n| {
        each(0, |_| String::new()).and(&format!(
            "p if {{ {{{}}} := input.x }}\n",
            list(n, |i| format!("\"k{i}\": x{i}"))
        ))
    }),
    ("arrays unified", |n| {
        each(0, |_| String::new()).and(&format!(
            "p if {{ [{}] = [{}] }}\n",
            list(n, |i| format!("x{i}")),
            list(n, |i| i.to_string())
        ))
    }),
    ("arrays unified both ways", |n| {
        let left = list(n, |i| format!("x{i}, z{i}"));
        let right = list(n, |i| format!("z{i}, {i}"));
        each(0, |_| String::new()).and(&format!("p if {{ [{left}] = [{right}] }}\n"))
    }),
    ("arrays unified in a chain", |n| {
        let left = list(n, |i| format!("x{i}"));
        let right = list(n, |i| format!("x{}", i + 1));
        each(0, |_| String::new()).and(&format!("p if {{ [{left}, x{n}] = [{right}, 1] }}\n"))
    }),
    ("objects unified", |n| {
        let left = list(n, |i| format!("\"k{i}\": x{i}"));
        let right = list(n, |i| format!("\"k{i}\": input.x{i}"));
        each(0, |_| String::new()).and(&format!("p if {{ {{{left}}} = {{{right}}} }}\n"))
    }),
    ("objects unified in reverse", |n| {
        let left = list(n, |i| format!("\"k{i}\": x{i}"));
        let right = list(n, |i| format!("\"k{}\": input.x{i}", n - 1 - i));
        each(0, |_| String::new()).and(&format!("p if {{ {{{left}}} = {{{right}}} }}\n"))
    }),
    ("long reference", |n| {
        each(0, |_| String::new()).and(&format!("p := input{}\n", repeat(n, |i| format!(".x{i}"))))
    }),
    ("long reference of indexes", |n| {
        each(0, |_| String::new()).and(&format!("p := input{}\n", repeat(n, |i| format!("[x{i}]"))))
    }),
    ("long references to data", |n| {
        each(0, |_| String::new()).and(&format!("p := data{}\n", repeat(n, |i| format!(".x{i}"))))
    }),
    ("long package", |n| {
        let mut source = each(0, |_| String::new());
        source.modules = vec![
            lines(
                &format!("package test{}\n", repeat(n, |i| format!(".x{i}"))),
                n,
                |i| format!("p{i} if p\n"),
            ) + "p := 1\n",
        ];
        source
    }),
    ("long head", |n| {
        each(0, |_| String::new()).and(&format!("p{} := 1\n", repeat(n, |i| format!(".x{i}"))))
    }),
    ("long heads", |n| {
        each(n, |i| {
            format!("p{i}{} := 1\n", repeat(50, |k| format!(".x{k}")))
        })
    }),
    ("rules in a deep package", |n| {
        let mut source = each(n, |i| format!("p{i} := 1\n"));
        let deep = format!("package test{}", repeat(30, |k| format!(".x{k}")));
        source.modules = vec![source.modules[0].replacen("package test", &deep, 1)];
        source
    }),
    ("long import", |n| {
        each(n, |i| format!("p{i} := x\n")).before(&format!(
            "import input{} as x\n",
            repeat(n, |i| format!(".x{i}"))
        ))
    }),
    ("long with", |n| {
        each(0, |_| String::new()).and(&format!(
            "p if input.x with input{} as 1\n",
            repeat(n, |i| format!(".x{i}"))
        ))
    }),
    ("imports", |n| {
        each(n, |i| format!("p{i} := a{i}\n"))
            .before(&repeat(n, |i| format!("import data.x.a{i}\n")))
    }),
    ("imports of one name", |n| {
        each(0, |_| String::new()).before(&repeat(n, |i| format!("import data.x{i}.a\n")))
    }),
    ("unused imports, strict", |n| {
        each(0, |_| String::new())
            .before(&repeat(n, |i| format!("import data.x.a{i}\n")))
            .strict()
    }),
    ("functions", |n| {
        each(n, |i| {
            format!("f{i}(x) := x + {i}\np{i} := f{i}(input.x)\n")
        })
    }),
    ("overloads", |n| each(n, |i| format!("f({i}) := {i}\n"))),
    ("overloads, called", |n| {
        each(n, |i| format!("f({i}) := {i}\np{i} := f({i})\n"))
    }),
    ("functions of unlike types", |n| {
        each(n, |i| {
            format!("f({i}) := {{\"k{i}\": 1}}\np{i} := f({i})\n")
        })
    }),
    ("functions with overloads", |n| {
        each(n, |i| format!("f{}(x, {i}) := x\n", i / 50))
    }),
    ("arguments", |n| {
        each(0, |_| String::new()).and(&format!("f({}) := 1\n", list(n, |i| format!("x{i}"))))
    }),
    ("arguments, called", |n| {
        each(n, |i| {
            format!("p{i} := f({})\n", list(90, |i| i.to_string()))
        })
        .and(&format!("f({}) := 1\n", list(90, |i| format!("x{i}"))))
    }),
    ("pattern argument with many else", |n| {
        each(0, |_| String::new()).and(&format!(
            "f([{}]) := 0 if {{ input.x }}{}\n",
            list(n, |i| format!("x{i}")),
            repeat(n, |i| format!(" else := {i} if {{ input.x{i} }}"))
        ))
    }),
    ("pattern argument with many bodies", |n| {
        let mut source = each(0, |_| String::new()).and(&format!(
            "f([{}]) {}\n",
            list(n, |i| format!("x{i}")),
            repeat(n, |i| format!("{{ input.x{i} }} "))
        ));
        source.version = Version::V0;
        source
    }),
    ("object head with many bodies", |n| {
        let mut source = each(0, |_| String::new()).and(&format!(
            "p[[{}]] {}\n",
            list(n, |i| i.to_string()),
            repeat(n, |i| format!("{{ input.x{i} }} "))
        ));
        source.version = Version::V0;
        source
    }),
    ("else", |n| {
        each(0, |_| String::new()).and(&format!(
            "p := 0 if {{ input.x }}{}\n",
            repeat(n, |i| format!(" else := {i} if {{ input.x{i} }}"))
        ))
    }),
    ("with", |n| {
        body(n, |i| format!("input.x with input.x as {i}\n"), "", "true")
    }),
    ("withs of one condition", |n| {
        each(0, |_| String::new()).and(&format!(
            "p if input.x{}\n",
            repeat(n, |i| format!(" with input.x{i} as {i}"))
        ))
    }),
    ("with functions", |n| {
        each(n, |i| {
            format!("f{i}(_) := 1\np{i} if count([]) == 1 with count as f{i}\n")
        })
    }),
    ("with data", |n| {
        each(n, |i| format!("p{i} if q with data.x{i} as 1\n")).and("q if data.x\n")
    }),
    ("long string", |n| {
        each(0, |_| String::new()).and(&format!("p := \"{}\"\n", "x".repeat(50 * n)))
    }),
    ("escapes", |n| {
        each(0, |_| String::new()).and(&format!("p := \"{}\"\n", "\\n\\u00e9".repeat(n)))
    }),
    ("raw string", |n| {
        each(0, |_| String::new()).and(&format!("p := `{}`\n", "x\n".repeat(10 * n)))
    }),
    ("template of many parts", |n| {
        each(0, |_| String::new()).and(&format!(
            "p := $\"{}\"\n",
            repeat(n, |i| format!("a{{input.x{i}}}"))
        ))
    }),
    ("templates", |n| {
        each(n, |i| format!("p{i} := $\"a{{input.x}}b{{{i} + 1}}\"\n"))
    }),
    ("nested templates", |n| nested(n, "$\"{", "1", "}\"")),
    ("long line", |n| {
        each(0, |_| String::new()).and(&format!("p := {}1\n", " ".repeat(50 * n)))
    }),
    ("line breaks", |n| {
        each(0, |_| String::new()).and(&format!("p := [{}1]\n", "\n".repeat(50 * n)))
    }),
    ("comments", |n| {
        each(n, |i| format!("# comment {i}\np{i} := 1 # and more\n"))
    }),
    ("metadata", |n| {
        each(n, |i| {
            format!("# METADATA\n# title: rule {i}\n# custom:\n#   a: {i}\np{i} := 1\n")
        })
    }),
    ("metadata of one rule", |n| {
        each(0, |_| String::new()).and(&format!(
            "# METADATA\n# custom:\n{}p := 1\n",
            repeat(n, |i| format!("#   a{i}: {i}\n"))
        ))
    }),
    ("metadata, asked for", |n| {
        each(0, |_| String::new()).and(&format!(
            "# METADATA\n# custom:\n{}p if {{ {}true }}\n",
            repeat(n, |i| format!("#   a{i}: {i}\n")),
            repeat(n, |i| format!("x{i} := rego.metadata.chain()\n"))
        ))
    }),
    ("parse errors", |n| each(n, |_| "p := }\n".to_owned())),
    ("illegal characters", |n| each(n, |_| "p := @\n".to_owned())),
    ("unsafe variables", |n| {
        each(n, |i| format!("p{i} if x{i} > 1\n"))
    }),
    ("unsafe variables in a body", |n| {
        body(n, |i| format!("x{i} > 1\n"), "", "true")
    }),
    ("unsafe variables in a condition", |n| {
        each(0, |_| String::new()).and(&format!(
            "p if count([{}]) > 1\n",
            list(n, |i| format!("x{i}"))
        ))
    }),
    ("unsafe variables of a head", |n| {
        each(0, |_| String::new()).and(&format!("p := [{}]\n", list(n, |i| format!("x{i}"))))
    }),
    ("recursive rules", |n| {
        each(n, |i| format!("p{i} := p{}\n", (i + 1) % n))
    }),
    ("conflicting rules", |n| {
        each(n, |i| format!("p{i} := 1\np{i} contains 1\n"))
    }),
    ("conflict with many rules", |n| {
        each(n, |i| format!("p.x{i} := 1\n")).and("p := 1\n")
    }),
    ("undefined functions", |n| {
        each(n, |i| format!("p{i} := f{i}(1)\n"))
    }),
    ("type errors", |n| {
        each(n, |i| format!("p{i} if {i} == \"a\"\n"))
    }),
    ("type errors of a large type", |n| {
        each(n, |_| "q if p == 1\n".to_owned()).and(&format!(
            "p := {{{}}}\n",
            list(n, |i| format!("\"k{i}\": {i}"))
        ))
    }),
    ("undefined references of a large type", |n| {
        each(n, |i| format!("q{i} := p.x{i}\n")).and(&format!(
            "p := {{{}}}\n",
            list(n, |i| format!("\"k{i}\": {i}"))
        ))
    }),
    ("partial objects", |n| {
        each(n, |i| format!("p[x].k{i} := 1 if x := input.x\n"))
    }),
    ("partial objects with constants", |n| {
        each(n, |i| {
            format!("p.k{i} := {i}\np[x] := 1 if x := input.x{i}\n")
        })
    }),
    ("rules of an object", |n| {
        each(n, |i| format!("p.k{i} := {i}\n"))
    }),
    ("rules of an object, referred to", |n| {
        each(n, |i| format!("p.k{i} := {i}\nq{i} := p[input.x]\n"))
    }),
    ("partial sets, enumerated", |n| {
        each(n, |i| {
            format!("p contains {i}\nq{i} if p[x]; x > 1\n")
                .replace("if p[x]; x > 1", "if { p[x]; x > 1 }")
        })
    }),
    ("keys and members of input", |n| {
        body(
            n,
            |i| format!("input.x{i} == 1\ninput[_].y{i} == 1\n"),
            "",
            "true",
        )
    }),
    ("members of members of input", |n| {
        body(
            n,
            |i| format!("input[_].y{i}[_].z == 1\ninput.x{i}[_].z{i} == 1\n"),
            "",
            "true",
        )
    }),
    ("aliases of input", |n| {
        each(n, |i| format!("p{i} := input.x{i}\nq{i} if p{i}.y == 1\n"))
    }),
    ("places in a chain", |n| {
        body(
            n,
            |i| format!("x{} := x{i}.a\n", i + 1),
            "x0 := input\n",
            "true",
        )
    }),
    ("guards in a chain", |n| {
        each(4, |k| {
            format!(
                "p contains {k} if {{ x0 := input\n{} }}\n",
                repeat(n, |i| format!("x{} := x{i}.a\nx{i}.b == 1\n", i + 1))
            )
        })
    }),
    ("data document", |n| {
        let mut source = each(n, |i| format!("p{i} := data.table.k{i}\n"));
        source.data = json::read(&format!(
            "{{\"table\": {{{}}}}}",
            list(n, |i| format!("\"k{i}\": {{\"a\": [1, 2, 3]}}"))
        ))
        .ok();
        source
    }),
    ("deep arithmetic", |n| {
        each(n, |i| {
            format!("p{i} := ((input.x + 1) * (input.y - 2)) / {}\n", i + 1)
        })
    }),
    ("variables of the query", |n| {
        let mut source = each(0, |_| String::new());
        source.query = repeat(n, |i| format!("x{i} := {i}; ")) + "true";
        source
    }),
    ("membership of a large set", |n| {
        each(n, |i| {
            format!(
                "p contains {i} if input.x in {{{i}, {}, {}}}\n",
                i + 1,
                i + 2
            )
        })
    }),
    ("default functions", |n| {
        each(n, |i| {
            format!("default f{i}(_) := 1\nf{i}(x) := x if x > {i}\n")
        })
    }),
];

fn repeat(n: usize, part: impl Fn(usize) -> String) -> String {
    (0..n).map(part).collect()
}

fn list(n: usize, part: impl Fn(usize) -> String) -> String {
    (0..n).map(part).collect::<Vec<_>>().join(", ")
}

fn lines(first: &str, n: usize, part: impl Fn(usize) -> String) -> String {
    format!("{first}{}", repeat(n, part))
}

/// A module of `n` statements.
fn each(n: usize, statement: impl Fn(usize) -> String) -> Source {
    Source {
        version: Version::V1,
        modules: vec![lines("package test\n", n, statement)],
        query: "data.test = x".to_owned(),
        data: None,
        strict: false,
    }
}

/// A rule with a body of `n` parts.
fn body(n: usize, part: impl Fn(usize) -> String, first: &str, last: &str) -> Source {
    let parts = repeat(n, part);
    each(0, |_| String::new()).and(&format!("p if {{\n{first}{parts}{last}\n}}\n"))
}

/// Rules whose values are nested as deep as terms may be.
fn nested(n: usize, open: &str, inner: &str, close: &str) -> Source {
    let depth = 60;
    let term = format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
    each(n / depth, |i| format!("p{i} := {term}\n"))
}

/// Rules whose conditions are nested as deep as they may be.
fn nested_body(n: usize, open: &str, inner: &str, close: &str) -> Source {
    let depth = 60;
    let condition = format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
    each(n / depth, |i| format!("p{i} if {{ {condition} }}\n"))
}

impl Source {
    /// With more at the end of the last module.
    fn and(mut self, more: &str) -> Self {
        if let Some(module) = self.modules.last_mut() {
            module.push_str(more);
        }
        self
    }

    /// With imports.
    fn before(mut self, imports: &str) -> Self {
        for module in &mut self.modules {
            let at = module.find('\n').map_or(module.len(), |at| at + 1);
            module.insert_str(at, imports);
        }
        self
    }

    fn module(mut self, module: &str) -> Self {
        self.modules.insert(0, module.to_owned());
        self
    }

    fn modules(mut self, modules: impl Iterator<Item = String>) -> Self {
        self.modules.extend(modules);
        self
    }

    fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// With `and`, `or` and `not` as keywords.
    fn logic(mut self) -> Self {
        for module in &mut self.modules {
            let mut text = String::new();
            for word in ["and", "or", "not"] {
                let _ = writeln!(text, "import future.keywords.{word}");
            }
            let at = module.find('\n').map_or(module.len(), |at| at + 1);
            module.insert_str(at, &text);
        }
        self
    }
}
