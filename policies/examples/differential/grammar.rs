//! Policies from a grammar.
//!
//! First it is decided which packages, rules and functions there are; then their bodies are
//! written, each term of the type that is wanted there and nearly always over names that are known
//! at that place. So most policies compile, and a share of faults is put in on purpose.

use std::fmt::Write as _;

mod bodies;
mod calls;
pub(crate) mod documents;
mod keys;
mod operands;
mod rules;
mod terms;

use portcullis_policies::rego::ast::Version;

use crate::case::Case;
use crate::random::Random;

/// What values a term is expected to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Any,
    Number,
    Text,
    Flag,
    Array,
    Set,
    Object,
}

const KINDS: [Kind; 7] = [
    Kind::Any,
    Kind::Number,
    Kind::Text,
    Kind::Flag,
    Kind::Array,
    Kind::Set,
    Kind::Object,
];

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    Complete,
    Set,
    Object,
    /// An object of sets, of objects or of values at a fixed place.
    Deep,
    Function(Vec<Kind>),
}

impl Shape {
    fn is_function(&self) -> bool {
        matches!(self, Self::Function(_))
    }
}

/// A rule or a function.
#[derive(Clone, Debug)]
struct Rule {
    module: usize,
    name: &'static str,
    shape: Shape,
    /// Of its value; of its members, if it has several.
    kind: Kind,
}

/// What of the language a module has imported, or has anyway.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is imported by itself")]
struct Dialect {
    /// `if` before bodies has to be written.
    needs_if: bool,
    /// `if`, `contains`, `in` and `every` are keywords.
    keywords: bool,
    /// `and`, `or` and `not {…}`
    logic: bool,
    /// `$"…"`
    templates: bool,
}

/// Writes one policy.
struct Writer<'r> {
    random: &'r mut Random,
    version: Version,
    packages: Vec<&'static str>,
    rules: Vec<Rule>,
    /// The rule that is being written. It may refer to those before it.
    current: usize,
    /// Names that are bound at this place, with what they are expected to be.
    scope: Vec<(String, Kind)>,
    /// Names for locals that the current rule has used up.
    fresh: usize,
    /// What the module that is being written may use.
    dialect: Dialect,
    /// Wildcards may stand in references here.
    wild: bool,
    /// In how many of a thousand places there is a fault.
    faults: usize,
}

/// A policy with queries and inputs.
pub(crate) fn case(random: &mut Random) -> Case {
    if random.percent(25) {
        return case_of_calls(random, &[]);
    }
    let faults = if random.percent(25) { 12 } else { 0 };
    let mut writer = Writer::new(random, faults);
    let modules = writer.modules();
    let queries = writer.queries();
    let version = writer.version;
    finish(random, version, modules, queries)
}

/// A policy with nothing but calls of builtin functions: of those whose names begin so, or of all.
pub(crate) fn case_of_calls(random: &mut Random, names: &[String]) -> Case {
    let mut writer = Writer::new(random, 0);
    let (module, queries) = writer.module_of_calls(names);
    let version = writer.version;
    let case = finish(random, version, vec![module], queries);
    let base = case.data.strip_prefix('{').unwrap_or("}");
    let comma = if base == "}" { "" } else { ", " };
    Case {
        data: format!("{{\"anything\": {}{comma}{base}", operands::DOCUMENTS),
        ..case
    }
}

fn finish(
    random: &mut Random,
    version: Version,
    modules: Vec<String>,
    queries: Vec<String>,
) -> Case {
    let strict = random.percent(4);
    let strict_errors = random.percent(5);
    let count = 1 + random.below(3);
    let inputs = (0..count).map(|_| documents::input(random)).collect();
    Case {
        version,
        modules,
        queries,
        inputs,
        data: documents::data(random),
        strict,
        strict_errors,
    }
}

impl<'r> Writer<'r> {
    fn new(random: &'r mut Random, faults: usize) -> Self {
        let version = if random.percent(20) {
            Version::V0
        } else {
            Version::V1
        };
        Self {
            random,
            version,
            packages: Vec::new(),
            rules: Vec::new(),
            current: 0,
            scope: Vec::new(),
            fresh: 0,
            dialect: Dialect::default(),
            wild: false,
            faults,
        }
    }
}

impl Writer<'_> {
    fn percent(&mut self, share: usize) -> bool {
        self.random.percent(share)
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        self.random.pick(choices)
    }

    fn fault(&mut self) -> bool {
        self.random.below(1000) < self.faults
    }

    fn kind(&mut self) -> Kind {
        KINDS[self.random.below(KINDS.len())]
    }

    fn modules(&mut self) -> Vec<String> {
        let packages = ["t", "t", "t.sub", "lib", "t.sub.a", "t[\"x-y\"]", "lib.if"];
        for _ in 0..[1, 1, 1, 2, 2, 3][self.random.below(6)] {
            let package = if self.packages.is_empty() {
                "t"
            } else {
                self.pick(&packages)
            };
            self.packages.push(package);
        }
        self.declare();
        (0..self.packages.len())
            .map(|index| self.module(index))
            .collect()
    }

    fn module(&mut self, index: usize) -> String {
        let mut text = String::new();
        if self.percent(4) {
            text.push_str(self.random.pick(&[
                "# METADATA\n# scope: package\n# title: t\n# custom:\n#  k: [1, 2]\n",
                "# METADATA\n# scope: subpackages\n# description: d\n",
            ]));
        }
        if self.fault() {
            text.push_str("# METADATA\n# title: [\n");
        }
        let _ = write!(text, "package {}\n\n", self.packages[index]);
        let is_v1 = self.version == Version::V1;
        self.dialect = Dialect {
            needs_if: is_v1,
            keywords: is_v1,
            logic: false,
            templates: is_v1,
        };
        if self.version == Version::V0 {
            match self.random.below(4) {
                0 => {
                    text.push_str("import rego.v1\n");
                    self.dialect.keywords = true;
                    self.dialect.needs_if = true;
                }
                1 | 2 => {
                    text.push_str("import future.keywords\n");
                    self.dialect.keywords = true;
                }
                _ => {}
            }
        } else if self.percent(6) {
            text.push_str("import future.keywords.and\nimport future.keywords.or\n");
            text.push_str("import future.keywords.not\n");
            self.dialect.logic = true;
        } else if self.percent(7) {
            text.push_str(
                self.random
                    .pick(&["import rego.v1\n", "import future.keywords.in\n"]),
            );
        }
        if self.percent(if self.faults > 0 { 20 } else { 5 }) {
            text.push_str(self.random.pick(&[
                "import data.lib\n",
                "import data.base as base\n",
                "import data.t.u\n",
                "import input.o as obj\n",
                "import data.lib as other\nimport data.lib\n",
            ]));
        }
        let members = self.rules.len();
        for rule in 0..members {
            if self.rules[rule].module == index {
                self.current = rule;
                text.push('\n');
                text.push_str(&self.definition(rule));
                text.push('\n');
            }
        }
        text
    }

    fn queries(&mut self) -> Vec<String> {
        let mut queries = vec!["x = data.t".to_owned()];
        for index in 0..self.rules.len() {
            if queries.len() > 6 {
                break;
            }
            let rule = self.rules[index].clone();
            let path = format!("data.{}.{}", self.packages[rule.module], rule.name);
            match &rule.shape {
                Shape::Function(kinds) => {
                    self.scope.clear();
                    let arguments: Vec<String> =
                        kinds.iter().map(|kind| self.literal(*kind)).collect();
                    queries.push(format!("x = {path}({})", arguments.join(", ")));
                }
                Shape::Complete => queries.push(format!("x = {path}")),
                _ => {
                    queries.push(format!("x = {path}"));
                    if self.percent(30) {
                        let key = self.pick(&["y", "\"a\"", "1", "[y, 1]", "input.s", "\"a\"][y"]);
                        queries.push(format!("x = {path}[{key}]"));
                    }
                }
            }
        }
        queries
    }
}
