//! Rules and functions: which there are, their heads and their definitions.

use std::fmt::Write as _;

use portcullis_policies::rego::ast::Version;

use super::{Kind, Rule, Shape, Writer};

const NAMES: [&str; 8] = ["p", "q", "r", "s", "allow", "deny", "u", "v"];
const FUNCTIONS: [&str; 4] = ["f", "g", "h", "is_ok"];

impl Writer<'_> {
    /// Decides which rules and functions there are.
    pub(super) fn declare(&mut self) {
        for module in 0..self.packages.len() {
            for _ in 0..2 + self.random.below(5) {
                let shape = self.shape();
                let name = match shape {
                    Shape::Function(_) => self.random.pick(&FUNCTIONS),
                    _ => self.random.pick(&NAMES),
                };
                let package = self.packages[module];
                let taken = self
                    .rules
                    .iter()
                    .find(|rule| self.packages[rule.module] == package && rule.name == name);
                let taken = taken.cloned().filter(|_| !self.fault());
                let kind = self.kind();
                self.rules.push(match taken {
                    // Another definition of the same name, or a conflict.
                    Some(other) => Rule { module, ..other },
                    _ => Rule {
                        module,
                        name,
                        shape,
                        kind,
                    },
                });
            }
        }
    }

    fn shape(&mut self) -> Shape {
        match self.random.below(20) {
            0..7 => Shape::Complete,
            7..11 => Shape::Set,
            11..13 => Shape::Object,
            13..15 => Shape::Deep,
            _ => {
                let arity = if self.percent(2) {
                    0
                } else {
                    [1, 1, 1, 2, 2, 3][self.random.below(6)]
                };
                Shape::Function((0..arity).map(|_| self.kind()).collect())
            }
        }
    }

    /// Definitions of a rule.
    pub(super) fn definition(&mut self, index: usize) -> String {
        let rule = self.rules[index].clone();
        let mut text = String::new();
        if self.percent(3) {
            text.push_str("# METADATA\n# title: a rule\n# custom: {k: 1}\n");
        }
        let is_first = self.rules[..index].iter().all(|other| {
            self.packages[other.module] != self.packages[rule.module] || other.name != rule.name
        });
        if (is_first || self.fault())
            && self.percent(15)
            && matches!(rule.shape, Shape::Complete | Shape::Function(_))
        {
            self.scope.clear();
            self.dialect.templates = false;
            let value = self.literal(rule.kind);
            self.dialect.templates = self.version == Version::V1;
            let arguments = match &rule.shape {
                Shape::Function(kinds) => {
                    let names = kinds.iter().enumerate().map(|(at, _)| format!("a{at}"));
                    format!("({})", names.collect::<Vec<_>>().join(", "))
                }
                _ => String::new(),
            };
            let sign = self.pick(&[":=", "="]);
            let _ = write!(text, "default {}{arguments} {sign} {value}\n\n", rule.name);
        }
        for at in 0..[1, 1, 1, 2, 2, 3][self.random.below(6)] {
            if at > 0 {
                text.push_str("\n\n");
            }
            text.push_str(&self.one_definition(&rule));
        }
        text
    }

    fn one_definition(&mut self, rule: &Rule) -> String {
        self.scope.clear();
        self.fresh = 0;
        let head = match &rule.shape {
            Shape::Function(kinds) => {
                let parameters: Vec<String> =
                    kinds.iter().map(|kind| self.parameter(*kind)).collect();
                format!("{}({})", rule.name, parameters.join(", "))
            }
            _ => rule.name.to_owned(),
        };
        let bodyless = self.percent(12);
        let outer = self.scope.clone();
        self.wild = true;
        let body = if bodyless {
            String::new()
        } else {
            self.body(2)
        };
        self.wild = self.fault();
        let is_v0 = !self.dialect.needs_if && (!self.dialect.keywords || self.percent(60));
        let condition = match (bodyless, is_v0) {
            (true, _) => String::new(),
            (_, true) => format!(" {body}"),
            _ if self.percent(10) && !body.contains(['\n', ';', '|']) => {
                format!(
                    " if {}",
                    body.trim_start_matches("{ ").trim_end_matches(" }")
                )
            }
            _ => format!(" if {body}"),
        };
        let mut text = match &rule.shape {
            Shape::Complete | Shape::Function(_) => {
                let sign = self.pick(&[":=", ":=", "="]);
                if rule.kind == Kind::Flag && !bodyless && self.percent(60) {
                    format!("{head}{condition}")
                } else {
                    let value = self.value(rule.kind);
                    format!("{head} {sign} {value}{condition}")
                }
            }
            Shape::Set if is_v0 => {
                let member = self.value(rule.kind);
                format!("{head}[{member}]{condition}")
            }
            Shape::Set => {
                let member = self.value(rule.kind);
                format!("{head} contains {member}{condition}")
            }
            Shape::Object => {
                let key = self.value(Kind::Text);
                let value = self.value(rule.kind);
                format!("{head}[{key}] := {value}{condition}")
            }
            Shape::Deep => {
                let path = self.path();
                let value = self.value(rule.kind);
                match self.random.below(4) {
                    0 if self.dialect.keywords => {
                        format!("{head}{path}.m contains {value}{condition}")
                    }
                    1 if !bodyless => format!("{head}{path}.flag{condition}"),
                    _ => format!("{head}{path} := {value}{condition}"),
                }
            }
        };
        if matches!(rule.shape, Shape::Complete | Shape::Function(_)) && !bodyless {
            while self.percent(14) {
                self.scope.clone_from(&outer);
                let condition = if self.percent(25) {
                    String::new()
                } else {
                    self.wild = true;
                    let body = self.body(1);
                    self.wild = false;
                    let keyword = if is_v0 { "" } else { " if" };
                    format!("{keyword} {body}")
                };
                let value = self.value(rule.kind);
                let _ = write!(text, " else := {value}{condition}");
                if condition.is_empty() && !self.fault() {
                    break;
                }
            }
        }
        let is_free = self.scope.len() == outer.len() || self.fault();
        if is_v0 && is_free && !bodyless && !text.contains(" else ") && self.percent(30) {
            self.scope = outer;
            self.wild = true;
            let _ = write!(text, " {}", self.body(1));
        }
        text
    }

    /// What follows the name in the head of a deep rule.
    fn path(&mut self) -> String {
        let mut path = String::new();
        for _ in 0..=self.random.below(2) {
            match self.random.below(5) {
                0 | 1 => path.push_str(self.random.pick(&[".a", ".b", "[\"c\"]", ".if"])),
                2 => path.push_str(self.random.pick(&["[1]", "[\"a b\"]", "[true]"])),
                _ => {
                    let key = self.value(Kind::Text);
                    let _ = write!(path, "[{key}]");
                }
            }
        }
        path
    }

    fn parameter(&mut self, kind: Kind) -> String {
        match self.random.below(12) {
            0 => "_".to_owned(),
            1 | 2 => self.literal(kind),
            3 if matches!(kind, Kind::Array | Kind::Any) => {
                let (first, second) = (self.bind(Kind::Any), self.bind(Kind::Any));
                format!("[{first}, {second}]")
            }
            4 if matches!(kind, Kind::Object | Kind::Any) => {
                let name = self.bind(Kind::Any);
                format!("{{\"a\": {name}}}")
            }
            5 if self.fault() => self.value(kind),
            _ => self.bind(kind),
        }
    }

    /// A term for a head: over what the body bound, if possible.
    fn value(&mut self, kind: Kind) -> String {
        if self.percent(45)
            && let Some(name) = self.bound(kind)
        {
            return name;
        }
        self.term(kind, 2)
    }
}
