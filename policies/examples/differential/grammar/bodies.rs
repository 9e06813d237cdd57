//! Bodies: conditions, and what binds locals.

use std::fmt::Write as _;

use super::{Kind, Rule, Writer};

const LOCALS: [&str; 7] = ["x", "y", "z", "w", "i", "k", "e"];

impl Writer<'_> {
    /// A new local. It is in scope from now on.
    pub(super) fn bind(&mut self, kind: Kind) -> String {
        let name = match LOCALS.get(self.fresh) {
            Some(name) => (*name).to_owned(),
            None => format!("x{}", self.fresh),
        };
        self.fresh += 1;
        self.scope.push((name.clone(), kind));
        name
    }

    /// A local of a kind, if there is one.
    pub(super) fn bound(&mut self, kind: Kind) -> Option<String> {
        let fits = |(_, of): &&(String, Kind)| kind == Kind::Any || *of == kind || *of == Kind::Any;
        let names: Vec<String> = self
            .scope
            .iter()
            .filter(fits)
            .map(|(name, _)| name.clone())
            .collect();
        (!names.is_empty()).then(|| names[self.random.below(names.len())].clone())
    }

    /// A body in braces. What it binds stays in scope.
    pub(super) fn body(&mut self, depth: usize) -> String {
        let conditions = self.conditions(depth);
        if self.percent(50) {
            format!("{{\n\t{}\n}}", conditions.join("\n\t"))
        } else {
            format!("{{ {} }}", conditions.join("; "))
        }
    }

    fn conditions(&mut self, depth: usize) -> Vec<String> {
        let count = 1 + self.random.below(if depth > 1 { 4 } else { 2 });
        let mut conditions: Vec<String> = (0..count).map(|_| self.condition(depth)).collect();
        // Conditions are put in order by who needs what.
        if conditions.len() > 1 && self.percent(12) {
            let at = self.random.below(conditions.len() - 1);
            let declares = |text: &String| {
                [":=", "some ", "every "]
                    .iter()
                    .any(|word| text.contains(word))
            };
            if !conditions[at..=at + 1].iter().any(declares) || self.fault() {
                conditions.swap(at, at + 1);
            }
        }
        conditions
    }

    /// Something between braces that has a scope of its own.
    pub(super) fn nested(&mut self, depth: usize) -> String {
        let conditions = self.conditions(depth);
        conditions.join("; ")
    }

    fn condition(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.simple(0);
        }
        let below = depth - 1;
        match self.random.below(100) {
            0..12 => self.assignment(below),
            12..26 => self.iteration(below),
            26..32 => {
                let collection = self.collection(below);
                let (first, name) = (self.pick(&["_", "k9"]), self.bind(Kind::Any));
                match self.random.below(4) {
                    0 => format!("{name} = {collection}[_]"),
                    1 => format!("{collection}[{first}] = {name}"),
                    2 => format!("some {name}; {collection}[{name}]"),
                    _ => format!("{collection}[{name}]"),
                }
            }
            32..38 => self.unification(below),
            38..46 => self.negation(depth),
            46..50 if self.has_every() => self.every(depth),
            50..56 => self.replaced(depth),
            56..59 => {
                let document = self.term(Kind::Any, below);
                let (path, value) = (self.bind(Kind::Array), self.bind(Kind::Any));
                match self.random.below(3) {
                    0 => format!("walk({document}, [{path}, {value}])"),
                    1 => format!("[{path}, {value}] := walk({document})"),
                    _ => format!("walk({document}, [{path}, {value}]); is_string({value})"),
                }
            }
            59..61 => {
                let term = self.term(Kind::Any, below);
                format!("print({term})")
            }
            61..64 if self.dialect.logic => {
                let left = self.simple(below);
                let right = self.simple(below);
                let sign = self.pick(&["and", "or"]);
                match self.random.below(3) {
                    0 => format!("{{ {left} }} {sign} {{ {right} }}"),
                    1 => format!("({left}) {sign} {{ {right} }}"),
                    _ => format!("({left}) {sign} ({right})"),
                }
            }
            _ => self.simple(below),
        }
    }

    fn has_every(&self) -> bool {
        self.dialect.keywords
    }

    /// A condition that binds nothing.
    fn simple(&mut self, depth: usize) -> String {
        match self.random.below(10) {
            0..4 => {
                let sign = self.pick(&["==", "!=", "<", "<=", ">", ">=", "=="]);
                let kind = if self.percent(80) {
                    Kind::Number
                } else {
                    self.kind()
                };
                let left = self.term(kind, depth);
                let right = self.term(kind, depth);
                format!("{left} {sign} {right}")
            }
            // In v0 without imports there is no `in`.
            4 if self.dialect.keywords => {
                let member = self.operand(depth);
                let collection = self.collection(depth);
                if self.percent(20) {
                    let key = self.term(Kind::Any, depth);
                    format!("{key}, {member} in {collection}")
                } else {
                    format!("{member} in {collection}")
                }
            }
            5 => self.term(Kind::Any, depth),
            6 => {
                let collection = self.collection(depth);
                let key = self.term(Kind::Any, 0);
                format!("{collection}[{key}]")
            }
            _ => self.term(Kind::Flag, depth),
        }
    }

    fn assignment(&mut self, depth: usize) -> String {
        let kind = self.kind();
        let term = self.term(kind, depth);
        match self.random.below(12) {
            0 => {
                let (first, second) = (self.bind(Kind::Any), self.bind(Kind::Any));
                let other = self.term(Kind::Any, 0);
                format!("[{first}, {second}] := [{term}, {other}]")
            }
            1 => {
                let name = self.bind(kind);
                format!("{{\"a\": {name}}} := {{\"a\": {term}}}")
            }
            2 => format!("_ := {term}"),
            3 => {
                let name = self.bind(kind);
                format!("{name} = {term}")
            }
            4 => {
                let name = self.bind(kind);
                format!("{term} = {name}")
            }
            _ => {
                let name = self.bind(kind);
                format!("{name} := {term}")
            }
        }
    }

    fn iteration(&mut self, depth: usize) -> String {
        let collection = self.collection(depth);
        if !self.dialect.keywords {
            let name = self.bind(Kind::Any);
            return match self.random.below(3) {
                0 => format!("{name} := {collection}[_]"),
                1 => format!("some {name}; {collection}[{name}] != 7"),
                _ => format!("{collection}[{name}]"),
            };
        }
        match self.random.below(10) {
            0 | 1 => {
                let (key, value) = (self.bind(Kind::Any), self.bind(Kind::Any));
                format!("some {key}, {value} in {collection}")
            }
            2 => {
                let (first, second) = (self.bind(Kind::Any), self.bind(Kind::Any));
                let pattern = match self.random.below(3) {
                    0 => format!("{{\"n\": {first}, \"s\": {second}}}"),
                    1 => format!("[{first}, {second}]"),
                    _ => format!("{first}, {{\"s\": {second}}}"),
                };
                format!("some {pattern} in {collection}")
            }
            3 => {
                let (key, value) = (self.bind(Kind::Any), self.bind(Kind::Any));
                format!("some {key}; {value} := {collection}[{key}]")
            }
            4 => {
                let (key, other) = (self.bind(Kind::Any), self.bind(Kind::Any));
                format!("{collection}[{key}][{other}]")
            }
            5 => {
                let name = self.bind(Kind::Any);
                let key = self.term(Kind::Any, 0);
                format!("some {key}, {name} in {collection}")
            }
            _ => {
                let name = self.bind(Kind::Any);
                format!("some {name} in {collection}")
            }
        }
    }

    fn unification(&mut self, depth: usize) -> String {
        let right = match self.random.below(8) {
            0..4 => self.collection(depth),
            4 => self.pattern(2),
            _ => self.term(Kind::Any, depth),
        };
        let left = self.pattern(2);
        format!("{left} = {right}")
    }

    /// An array or object of locals, new or known, and terms.
    fn pattern(&mut self, depth: usize) -> String {
        if depth == 0 || self.percent(30) {
            return match self.random.below(5) {
                0 => self.term(Kind::Any, 0),
                1 => "_".to_owned(),
                2 => self.bound(Kind::Any).unwrap_or_else(|| "1".to_owned()),
                _ => self.bind(Kind::Any),
            };
        }
        let (first, second) = (self.pattern(depth - 1), self.pattern(depth - 1));
        match self.random.below(5) {
            0 => format!("[{first}]"),
            1 | 2 => format!("[{first}, {second}]"),
            3 => format!("{{\"a\": {first}, \"b\": {second}}}"),
            _ => format!("{{\"n\": {first}}}"),
        }
    }

    fn negation(&mut self, depth: usize) -> String {
        let outer = self.scope.clone();
        let wild = self.wild;
        self.wild = self.fault();
        let inner = match self.random.below(8) {
            0 if self.dialect.logic => format!("{{ {} }}", self.nested(depth - 1)),
            1 if self.wild => {
                let collection = self.collection(depth - 1);
                format!("{collection}[_]")
            }
            2 if self.wild => {
                let collection = self.collection(depth - 1);
                let term = self.term(Kind::Any, 0);
                format!("{collection}[_] = {term}")
            }
            3 if self.fault() => self.assignment(0),
            4 => {
                let left = self.pattern(1);
                let right = self.term(Kind::Any, depth - 1);
                self.scope.clone_from(&outer);
                if left.contains(|c: char| c.is_lowercase()) && !self.fault() {
                    self.simple(depth - 1)
                } else {
                    format!("{left} = {right}")
                }
            }
            _ => self.simple(depth - 1),
        };
        self.scope = outer;
        self.wild = wild;
        format!("not {inner}")
    }

    fn every(&mut self, depth: usize) -> String {
        let collection = self.collection(depth - 1);
        let outer = self.scope.clone();
        let names = if self.percent(40) {
            let (key, value) = (self.bind(Kind::Any), self.bind(Kind::Any));
            format!("{key}, {value}")
        } else {
            self.bind(Kind::Any)
        };
        let body = self.nested(depth - 1);
        // Each of them has to be used.
        let mut uses = String::new();
        for (name, _) in &self.scope[outer.len()..outer.len() + names.split(',').count()] {
            if !body.contains(name.as_str()) {
                let _ = write!(uses, "; {name} != 7");
            }
        }
        self.scope = outer;
        format!("every {names} in {collection} {{ {body}{uses} }}")
    }

    /// A condition with replacements.
    fn replaced(&mut self, depth: usize) -> String {
        let mut bound = None;
        let mut text = match self.random.below(4) {
            0 => self.negation(depth),
            1 => {
                let term = self.term(Kind::Any, depth - 1);
                let name = self.bind(Kind::Any);
                let text = format!("{name} := {term}");
                // The replacements cannot use it.
                bound = self.scope.pop().filter(|_| !self.fault());
                text
            }
            _ => self.simple(depth - 1),
        };
        for _ in 0..=self.random.below(2) {
            let target = match self.random.below(9) {
                0 => "input".to_owned(),
                1..4 => format!(
                    "input.{}",
                    self.pick(&["n", "s", "xs", "o.a", "o", "new.deep"])
                ),
                4 => format!("data.base.{}", self.pick(&["n", "s", "xs", "o", "zz"])),
                5 | 6 => match self.reference_of_rule(&[]) {
                    Some(path) => path,
                    None => "data.base".to_owned(),
                },
                7 => {
                    let is_f = |rule: &Rule| {
                        rule.name == "f"
                            && self.packages[rule.module] == "t"
                            && rule.shape.is_function()
                    };
                    let has_f = self.rules[..self.current].iter().any(is_f);
                    let own = if has_f { "data.t.f" } else { "lower" };
                    self.pick(&["count", own, "is_string", "time.now_ns"])
                        .to_owned()
                }
                _ => self
                    .pick(&["data.t", "data.base", "data.lib", "data"])
                    .to_owned(),
            };
            let value = match target.as_str() {
                "count" | "data.t.f" | "is_string" | "lower" => {
                    let function = self.pick(&["count", "is_number", "1", "type_name", "true"]);
                    function.to_owned()
                }
                "data" | "input" => self.term(Kind::Object, 0),
                _ => self.term(Kind::Any, 0),
            };
            let _ = write!(text, " with {target} as {value}");
        }
        self.scope.extend(bound);
        text
    }
}
