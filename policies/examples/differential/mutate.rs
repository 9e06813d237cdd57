//! Policies that are OPA's own suites with something changed.

use std::path::Path;

use anyhow::{Context as _, Result};
use portcullis_policies::rego::ast::Version;
use serde::Deserialize;

use crate::case::Case;
use crate::grammar::documents;
use crate::random::Random;
use crate::tokens;

/// OPA's suites.
#[derive(Debug)]
pub(crate) struct Corpus {
    cases: Vec<Case>,
    /// Sources of modules, for what is spliced in.
    lines: Vec<String>,
}

#[derive(Deserialize)]
struct Suite {
    #[serde(default)]
    cases: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    query: String,
    #[serde(default)]
    modules: Option<Vec<String>>,
    #[serde(default)]
    data: Option<serde_json::Value>,
    #[serde(default)]
    input: Option<serde_json::Value>,
    #[serde(default)]
    strict_error: bool,
}

/// Larger sources make cases slow and differences hard to read.
const MAX_BYTES: usize = 4_000;

/// What gives another answer on each run, asks the network, or takes long.
const UNSTEADY: [&str; 10] = [
    // Names that OPA gives itself are nobody else's.
    "__local",
    "http.send",
    "net.lookup_ip_addr",
    "rand.intn",
    "uuid.rfc4122",
    "opa.runtime",
    "io.jwt.encode_sign",
    "test.sleep",
    "numbers.range",
    "rego.parse_module",
];

impl Corpus {
    /// Reads all suites below a directory.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let mut corpus = Self {
            cases: Vec::new(),
            lines: Vec::new(),
        };
        corpus.add(path)?;
        anyhow::ensure!(!corpus.cases.is_empty(), "no suites in {}", path.display());
        Ok(corpus)
    }

    fn add(&mut self, path: &Path) -> Result<()> {
        if path.is_dir() {
            let entries = std::fs::read_dir(path).with_context(|| path.display().to_string())?;
            let mut entries = entries
                .map(|entry| Ok(entry?.path()))
                .collect::<Result<Vec<_>>>()?;
            entries.sort();
            return entries.iter().try_for_each(|entry| self.add(entry));
        }
        if path.extension().is_none_or(|extension| extension != "yaml") {
            return Ok(());
        }
        let text = std::fs::read_to_string(path)?;
        let suite: Suite =
            serde_saphyr::from_str(&text).with_context(|| path.display().to_string())?;
        let is_v0 = path.components().any(|part| part.as_os_str() == "v0");
        for entry in suite.cases {
            let modules = entry.modules.unwrap_or_default();
            let texts = || modules.iter().chain([&entry.query]);
            if texts().map(String::len).sum::<usize>() > MAX_BYTES
                || texts().any(|text| UNSTEADY.iter().any(|name| text.contains(name)))
            {
                continue;
            }
            let lines = modules.iter().flat_map(|module| module.lines());
            let lines = lines.filter(|line| !tokens::is_blank(line));
            self.lines.extend(lines.map(str::to_owned));
            let text = |json: Option<serde_json::Value>, absent: &str| {
                json.map_or_else(|| absent.to_owned(), |json| json.to_string())
            };
            let data = match entry.data {
                Some(data) if data.is_object() => data.to_string(),
                _ => "{}".to_owned(),
            };
            self.cases.push(Case {
                version: if is_v0 { Version::V0 } else { Version::V1 },
                modules,
                queries: vec![entry.query],
                inputs: vec![text(entry.input, "null")],
                data,
                strict: false,
                strict_errors: entry.strict_error,
            });
        }
        Ok(())
    }

    /// A case of the suites with a few changes.
    pub(crate) fn mutated(&self, random: &mut Random) -> Case {
        let mut case = self.cases[random.below(self.cases.len())].clone();
        let changes = [1, 1, 1, 2, 2, 3, 5][random.below(7)];
        for _ in 0..changes {
            if case.modules.is_empty() {
                let query = &case.queries[0];
                case.queries[0] = self.changed(query, random);
            } else {
                let index = random.below(case.modules.len());
                case.modules[index] = self.changed(&case.modules[index], random);
            }
        }
        if random.percent(25) {
            case.inputs
                .push(documents::changed(&case.inputs[0], random));
        }
        if random.percent(10) {
            case.inputs.push(documents::input(random));
        }
        case.strict = random.percent(5);
        if random.percent(5) {
            case.strict_errors = !case.strict_errors;
        }
        if random.percent(3) {
            case.version = match case.version {
                Version::V0 => Version::V1,
                _ => Version::V0,
            };
        }
        case
    }

    fn changed(&self, source: &str, random: &mut Random) -> String {
        if random.percent(12) {
            let mut lines: Vec<&str> = source.lines().collect();
            let other = &self.lines[random.below(self.lines.len())];
            let at = random.below(lines.len() + 1);
            lines.insert(at, other);
            return lines.join("\n");
        }
        let mut tokens = tokens::split(source);
        let solid: Vec<usize> = (0..tokens.len())
            .filter(|&at| !tokens::is_blank(tokens[at]) || tokens[at] == "\n")
            .collect();
        if solid.is_empty() {
            return source.to_owned();
        }
        let at = solid[random.below(solid.len())];
        let other = solid[random.below(solid.len())];
        let near = solid[(random.below(9) + solid.partition_point(|&one| one < at)) % solid.len()];
        match random.below(100) {
            0..12 => {
                tokens.remove(at);
            }
            12..20 => tokens.insert(at, tokens[at]),
            20..30 => tokens.swap(at, near),
            30..34 => tokens.swap(at, other),
            34..60 => tokens[at] = replacement(tokens[at], random),
            // A name or a literal in the place of another.
            60..80 => {
                let kind = kind(tokens[at]);
                let same = solid.iter().filter(|&&one| kind == self::kind(tokens[one]));
                let same: Vec<usize> = same.copied().collect();
                tokens[at] = tokens[same[random.below(same.len())]];
            }
            80..90 => tokens.insert(at, random.pick(POOL)),
            90..95 => {
                if let Some(close) = tokens::closing(&tokens, at) {
                    let with = random.pick(&["1", "x", "[]", "{}", "_", "input", "\"a\""]);
                    tokens.splice(at..=close, [with]);
                }
            }
            _ => {
                let end = (at + 1 + random.below(8)).min(tokens.len());
                let copy = tokens[at..end].to_vec();
                tokens.splice(at..at, copy);
            }
        }
        tokens.concat()
    }
}

#[derive(PartialEq)]
enum Kind {
    Name,
    Number,
    Text,
    Sign,
}

fn kind(token: &str) -> Kind {
    match token.bytes().next().unwrap_or_default() {
        b'a'..=b'z' | b'A'..=b'Z' | b'_' => Kind::Name,
        b'0'..=b'9' => Kind::Number,
        b'"' | b'`' | b'$' => Kind::Text,
        _ => Kind::Sign,
    }
}

fn replacement<'a>(token: &'a str, random: &mut Random) -> &'a str {
    match kind(token) {
        Kind::Name => random.pick(&[
            "x", "y", "_", "p", "q", "input", "data", "true", "false", "null", "not", "some",
            "every", "in", "if", "contains", "count", "f",
        ]),
        Kind::Number => random.pick(&["0", "1", "2", "-1", "1.5", "10000000000000000000"]),
        Kind::Text => random.pick(&["\"\"", "\"a\"", "\"b\"", "1", "x", "`r`", "$\"{x}\""]),
        Kind::Sign => random.pick(&[
            "{", "}", "(", ")", "[", "]", ",", ":", ";", ".", "|", "&", "+", "-", "*", "/", "%",
            "=", ":=", "==", "!=", "<", ">=", "\n",
        ]),
    }
}

const POOL: &[&str] = &[
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ",",
    ":",
    ";",
    ".",
    "|",
    "&",
    "+",
    "-",
    "=",
    ":=",
    "==",
    "\n",
    " not ",
    " some ",
    " every x in xs { true } ",
    " in ",
    " if ",
    " contains ",
    " else := 1 ",
    " else ",
    " with input as 1 ",
    " with data.a as x ",
    " default ",
    "x",
    "_",
    "input",
    "data",
    "1",
    "\"s\"",
    "set()",
    "[x]",
    "{x}",
    "{x: y}",
    "[x | x = 1]",
    "f(x)",
    "\nimport rego.v1\n",
    "\nimport future.keywords\n",
    "\nimport data.x\n",
    "x.if",
    "not.x",
    "; ",
];
