//! Terms of a kind.

use super::{KINDS, Kind, Shape, Writer, documents};
use crate::tokens;

impl Writer<'_> {
    /// A term that is expected to have values of a kind.
    pub(super) fn term(&mut self, kind: Kind, depth: usize) -> String {
        if self.fault() {
            return self
                .pick(&[
                    "unbound",
                    "f(1, 2, 3, 4)",
                    "1 + \"a\"",
                    "data.t.missing(1)",
                    "q",
                    "count(1)",
                ])
                .to_owned();
        }
        let kind = if self.percent(3) { self.kind() } else { kind };
        if depth == 0 {
            return match self.random.below(10) {
                0..3 => self.literal(kind),
                3..6 => self.bound(kind).unwrap_or_else(|| self.document(kind)),
                6 => self
                    .reference_of_rule(&[kind])
                    .unwrap_or_else(|| self.document(kind)),
                _ => self.document(kind),
            };
        }
        match self.random.below(100) {
            0..12 => self.literal(kind),
            12..32 => self.bound(kind).unwrap_or_else(|| self.document(kind)),
            32..42 => self.document(kind),
            42..54 => self
                .reference_of_rule(&[kind])
                .unwrap_or_else(|| self.document(kind)),
            54..62 => self.own_call(kind, depth - 1),
            62..78 => self.builtin_call(kind, depth - 1),
            78..88 => self.composed(kind, depth - 1),
            88..93 => {
                let inner = self.composed(kind, depth - 1);
                if self.percent(50) {
                    format!("({inner})")
                } else {
                    inner
                }
            }
            93..97 => {
                let base = self.collection(depth - 1);
                let key = self.term(Kind::Any, 0);
                format!("{base}[{key}]")
            }
            _ => {
                let base = self
                    .bound(Kind::Any)
                    .unwrap_or_else(|| "input.o".to_owned());
                let member =
                    self.pick(&[".a", ".b", "[0]", "[_]", ".n", ".if", "[\"a\"].b", "[1]"]);
                let member = if self.wild {
                    member
                } else {
                    member.trim_end_matches("[_]")
                };
                format!("{base}{member}")
            }
        }
    }

    /// A term over which one can go.
    pub(super) fn collection(&mut self, depth: usize) -> String {
        let kind = [Kind::Array, Kind::Array, Kind::Set, Kind::Object][self.random.below(4)];
        let term = self.term(kind, depth);
        if is_reference_head(&term) || self.fault() {
            return term;
        }
        self.document(kind)
    }

    /// A term that can stand beside an operator.
    pub(super) fn operand(&mut self, depth: usize) -> String {
        let term = self.term(Kind::Any, depth);
        if is_reference_head(&term) || !term.contains(' ') {
            term
        } else {
            format!("({term})")
        }
    }

    /// A constant.
    pub(super) fn literal(&mut self, kind: Kind) -> String {
        match kind {
            Kind::Any => {
                let kind = KINDS[1 + self.random.below(KINDS.len() - 1)];
                if self.percent(8) {
                    "null".to_owned()
                } else {
                    self.literal(kind)
                }
            }
            Kind::Number => self.random.pick(documents::NUMBERS).to_owned(),
            Kind::Text => match self.random.below(12) {
                0 => "`a`".to_owned(),
                1 if self.dialect.templates => {
                    let inner = self
                        .bound(Kind::Any)
                        .unwrap_or_else(|| "input.n".to_owned());
                    self.pick(&[
                        "$\"a{X}b\"",
                        "$\"{X}\"",
                        "$`{X}\\n`",
                        "$\"\\{{X}{X}\"",
                        "$\"n {X + 1}\"",
                    ])
                    .replace('X', &inner)
                }
                _ => self.random.pick(documents::TEXTS).to_owned(),
            },
            Kind::Flag => self.pick(&["true", "true", "false"]).to_owned(),
            Kind::Array | Kind::Set | Kind::Object => {
                let count = self.random.below(4);
                let member = KINDS[1 + self.random.below(3)];
                let members: Vec<String> = (0..count)
                    .map(|_| {
                        if self.percent(12) {
                            self.literal(Kind::Any)
                        } else {
                            self.literal(member)
                        }
                    })
                    .collect();
                match kind {
                    Kind::Array => format!("[{}]", members.join(", ")),
                    Kind::Set if members.is_empty() => "set()".to_owned(),
                    Kind::Set => format!("{{{}}}", members.join(", ")),
                    _ => {
                        let keys = ["\"a\"", "\"b\"", "1", "\"c\""];
                        let pairs = keys.iter().zip(&members);
                        let pairs: Vec<String> = pairs
                            .map(|(key, value)| format!("{key}: {value}"))
                            .collect();
                        format!("{{{}}}", pairs.join(", "))
                    }
                }
            }
        }
    }

    /// What `input` or the base data have.
    pub(super) fn document(&mut self, kind: Kind) -> String {
        let fits = |(_, of): &&(&str, Kind)| kind == Kind::Any || *of == kind;
        let names: Vec<&str> = documents::MEMBERS
            .iter()
            .filter(fits)
            .map(|(name, _)| *name)
            .collect();
        if names.is_empty() {
            return match self.random.below(4) {
                0 => "{1, 2, \"a\"}".to_owned(),
                1 if self.dialect.keywords => "{x8 | some x8 in input.xs}".to_owned(),
                _ => self.literal(kind),
            };
        }
        let name = names[self.random.below(names.len())];
        let mut root = self.pick(&["input", "input", "data.base", "input.o", "input.os[_]"]);
        if !self.wild {
            root = root.trim_end_matches("[_]");
        }
        match (self.random.below(8), kind) {
            (0, _) => format!("{root}[\"{name}\"]"),
            (1, _) => format!("{root}.missing.{name}"),
            (2, Kind::Number) => "input.xs[0]".to_owned(),
            (3, Kind::Number) if self.wild => "input.xs[_]".to_owned(),
            (4, Kind::Text) if self.wild => "input.ss[_]".to_owned(),
            (5, Kind::Any) => self
                .pick(&["input", "data.base", "input.os[0].s", "input.deep.a.b"])
                .to_owned(),
            _ => {
                let root = if root.contains('o') && self.percent(70) {
                    "input"
                } else {
                    root
                };
                format!("{root}.{name}")
            }
        }
    }

    /// A rule that was declared before, as it is named here, of one of the kinds if any are given.
    pub(super) fn reference_of_rule(&mut self, kinds: &[Kind]) -> Option<String> {
        let last = if self.fault() {
            self.rules.len()
        } else {
            self.current
        };
        let own = (
            self.rules.get(self.current)?.module,
            self.rules[self.current].name,
        );
        let package = self.packages[own.0];
        let candidates: Vec<(usize, String)> = (0..last)
            .filter(|&at| {
                let rule = &self.rules[at];
                let is_own = self.packages[rule.module] == package && rule.name == own.1;
                let kind = match rule.shape {
                    Shape::Complete => rule.kind,
                    Shape::Set => Kind::Set,
                    Shape::Object | Shape::Deep => Kind::Object,
                    Shape::Function(_) => return false,
                };
                let fits = kinds.is_empty()
                    || kinds
                        .iter()
                        .any(|of| *of == Kind::Any || *of == kind || kind == Kind::Any);
                !is_own && fits
            })
            .map(|at| {
                let rule = &self.rules[at];
                let name = if self.packages[rule.module] == package {
                    rule.name.to_owned()
                } else {
                    format!("data.{}.{}", self.packages[rule.module], rule.name)
                };
                (at, name)
            })
            .collect();
        if candidates.is_empty() {
            return None;
        }
        let (at, name) = candidates[self.random.below(candidates.len())].clone();
        let member = match self.rules[at].shape {
            Shape::Complete => self.pick(&["", "", "", "", ".a"]),
            Shape::Deep => self.pick(&["", ".a", ".b", ".a.m", "[_].m", "[\"a\"].b", "[_][_]"]),
            _ => self.pick(&["", "", "", "[_]", "[\"a\"]", "[1]"]),
        };
        let member = if self.wild || !member.contains('_') {
            member
        } else {
            ""
        };
        Some(if kinds.is_empty() {
            name
        } else {
            format!("{name}{member}")
        })
    }

    /// A call of a function of the policy.
    fn own_call(&mut self, kind: Kind, depth: usize) -> String {
        let own = self
            .rules
            .get(self.current)
            .map(|rule| (self.packages[rule.module], rule.name));
        let candidates: Vec<usize> = (0..self.current)
            .filter(|&at| {
                let rule = &self.rules[at];
                matches!(rule.shape, Shape::Function(_))
                    && Some((self.packages[rule.module], rule.name)) != own
            })
            .collect();
        if candidates.is_empty() {
            return self.document(kind);
        }
        let rule = self.rules[candidates[self.random.below(candidates.len())]].clone();
        let Shape::Function(kinds) = &rule.shape else {
            return self.document(kind);
        };
        let arguments: Vec<String> = kinds.iter().map(|kind| self.term(*kind, depth)).collect();
        let package = self.packages[rule.module];
        let path = if own.is_some_and(|(own, _)| own == package) {
            rule.name.to_owned()
        } else {
            format!("data.{package}.{}", rule.name)
        };
        format!("{path}({})", arguments.join(", "))
    }

    /// A term with others inside.
    fn composed(&mut self, kind: Kind, depth: usize) -> String {
        match kind {
            Kind::Any => {
                let kind = KINDS[1 + self.random.below(KINDS.len() - 1)];
                self.composed(kind, depth)
            }
            Kind::Number => {
                let sign = self.pick(&["+", "-", "*", "/", "%", "+", "-"]);
                let (left, right) = (
                    self.term(Kind::Number, depth),
                    self.term(Kind::Number, depth),
                );
                match self.random.below(8) {
                    0 => format!("({left} {sign} {right}) {sign} 2"),
                    1 => format!("{left}{sign}{right}"),
                    _ => format!("{left} {sign} {right}"),
                }
            }
            Kind::Text => {
                let term = self.term(Kind::Any, depth);
                if self.dialect.templates && !term.contains(['"', '\n']) && self.percent(60) {
                    format!("$\"<{{{term}}}>\"")
                } else {
                    format!("sprintf(\"%v\", [{term}])")
                }
            }
            Kind::Flag => {
                let (left, right) = (self.term(Kind::Any, depth), self.term(Kind::Any, depth));
                let last = if self.dialect.keywords { "in" } else { "<=" };
                let sign = self.pick(&["==", "!=", "<", ">=", last]);
                format!("({left} {sign} {right})")
            }
            Kind::Array => {
                if self.percent(33) {
                    self.comprehension(["[", "]"], depth, false)
                } else {
                    let (first, second) =
                        (self.term(Kind::Any, depth), self.term(Kind::Any, depth));
                    format!("[{first}, {second}]")
                }
            }
            Kind::Set => match self.random.below(4) {
                0 => {
                    let (left, right) = (self.term(Kind::Set, depth), self.term(Kind::Set, depth));
                    let sign = self.pick(&["&", "|", "-"]);
                    format!("{left} {sign} {right}")
                }
                1 => {
                    let (first, second) =
                        (self.term(Kind::Any, depth), self.term(Kind::Any, depth));
                    format!("{{{first}, {second}}}")
                }
                _ => self.comprehension(["{", "}"], depth, false),
            },
            Kind::Object => {
                if self.percent(33) {
                    self.comprehension(["{", "}"], depth, true)
                } else {
                    let (first, second) =
                        (self.term(Kind::Any, depth), self.term(Kind::Any, depth));
                    let key = self.term(Kind::Text, 0);
                    format!("{{\"a\": {first}, {key}: {second}}}")
                }
            }
        }
    }

    fn comprehension(&mut self, [open, close]: [&str; 2], depth: usize, with_key: bool) -> String {
        let outer = self.scope.clone();
        let wild = std::mem::replace(&mut self.wild, true);
        let body = self.nested(depth);
        self.wild = wild;
        let inner = self.scope.len() > outer.len() && self.percent(80);
        let one = |writer: &mut Self| {
            if inner {
                let at = outer.len() + writer.random.below(writer.scope.len() - outer.len());
                writer.scope[at].0.clone()
            } else {
                writer.term(Kind::Any, 0)
            }
        };
        let value = one(self);
        let head = if with_key {
            format!("{}: {value}", one(self))
        } else {
            value
        };
        self.scope = outer;
        format!("{open}{head} | {body}{close}")
    }
}

/// Whether brackets may follow a term: it is no scalar and has no operator outside of brackets.
fn is_reference_head(term: &str) -> bool {
    let tokens = tokens::split(term);
    let first = tokens.first().copied().unwrap_or_default();
    let begins = match first.bytes().next().unwrap_or_default() {
        b'[' | b'{' => true,
        b'_' | b'a'..=b'z' => !["true", "false", "null", "not"].contains(&first),
        _ => false,
    };
    let mut depth = 0_usize;
    begins
        && tokens.iter().all(|token| {
            match *token {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth > 0 || !tokens::is_blank(token)
        })
}
