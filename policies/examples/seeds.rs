//! Writes seeds of the fuzz targets of `e2e/fuzz` that read Rego.
//!
//! ```text
//! seeds CORPUS PATH…
//! ```
//!
//! Below each path, every YAML suite of OPA's and every Rego file gives seeds for the targets `lex`,
//! `parse`, `compile`, `execute` and `json`, each in a folder of that name below `CORPUS`, in the
//! format that the target reads. The targets mutate small inputs faster, so large ones are left out.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// Largest seed in bytes.
const LARGEST: usize = 4096;

#[derive(Deserialize)]
struct Suite {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(default)]
    query: String,
    #[serde(default)]
    modules: Option<Vec<String>>,
    #[serde(default)]
    data: Option<serde_json::Value>,
    #[serde(default)]
    input: Option<serde_json::Value>,
}

struct Seeds {
    corpus: PathBuf,
    written: usize,
}

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let corpus = arguments.next().context("seeds CORPUS PATH…")?;
    let mut seeds = Seeds {
        corpus: corpus.into(),
        written: 0,
    };
    for path in arguments {
        seeds.below(Path::new(&path), false)?;
    }
    writeln!(std::io::stdout(), "{} seeds", seeds.written)?;
    Ok(())
}

impl Seeds {
    fn below(&mut self, path: &Path, is_v0: bool) -> Result<()> {
        if path.is_dir() {
            let is_v0 = is_v0 || path.ends_with("v0");
            let entries = std::fs::read_dir(path).with_context(|| path.display().to_string())?;
            for entry in entries {
                self.below(&entry?.path(), is_v0)?;
            }
            return Ok(());
        }
        let text = || std::fs::read_to_string(path).with_context(|| path.display().to_string());
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("yaml") => {
                // A suite that is no YAML of this shape is no seed.
                if let Ok(suite) = serde_saphyr::from_str::<Suite>(&text()?) {
                    for case in &suite.cases {
                        self.case(case, is_v0)?;
                    }
                }
                Ok(())
            }
            Some("rego") => {
                let case = Case {
                    query: "data = x".to_owned(),
                    modules: Some(vec![text()?]),
                    data: None,
                    input: None,
                };
                self.case(&case, is_v0)
            }
            _ => Ok(()),
        }
    }

    fn case(&mut self, case: &Case, is_v0: bool) -> Result<()> {
        let version = u8::from(is_v0);
        let modules = case.modules.as_deref().unwrap_or_default();
        for module in modules {
            self.write("lex", None, module)?;
            self.write("parse", Some(version), module)?;
        }
        let text = |value: &Option<serde_json::Value>| {
            value.as_ref().map(ToString::to_string).unwrap_or_default()
        };
        let (data, input) = (text(&case.data), text(&case.input));
        for document in [&data, &input] {
            if !document.is_empty() {
                self.write("json", None, document)?;
            }
        }
        self.write("parse", Some(version + 4), &case.query)?;
        let mut parts = vec![&*data, &*input, &*case.query];
        parts.extend(modules.iter().map(String::as_str));
        let whole = parts.join("\0");
        self.write("compile", Some(version), &whole)?;
        self.write("execute", Some(version), &whole)
    }

    fn write(&mut self, target: &str, flags: Option<u8>, text: &str) -> Result<()> {
        if text.len() > LARGEST {
            return Ok(());
        }
        let folder = self.corpus.join(target);
        std::fs::create_dir_all(&folder)?;
        let mut bytes: Vec<u8> = flags.into_iter().collect();
        bytes.extend(text.as_bytes());
        std::fs::write(folder.join(format!("seed-{}", self.written)), bytes)?;
        self.written += 1;
        Ok(())
    }
}
