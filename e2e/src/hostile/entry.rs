//! One entry of the corpus.
//!
//! ```text
//! # What it tries, and what must come of it.
//! expect: POLICY.TIMEOUT | POLICY.MEMORY_EXCEEDED
//! --- policy.rego
//! package family.name
//! …
//! --- input.json
//! @repeat 1000000 " "
//! ```
//!
//! An entry lies in the folder of its family; both names make the address of its policy,
//! `family/name@1.0`. Of its files, `input.json` is the body of the request; the others are what the
//! policy's folder holds. With `run:` all of them lie in a folder of their own, where the command is
//! run.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use super::text;

/// The time limit of a policy whose entry names none. Long enough for what is honest on a busy
/// machine, and short enough for the corpus to be through within minutes.
const USUAL_BUDGET: Duration = Duration::from_secs(1);

/// The time that a command has: `portcullis serve` is asked nothing for so long when a directory
/// has changed, and nobody waits longer for `portcullis eval`.
const COMMAND_BUDGET: Duration = Duration::from_secs(5);

/// The version of all policies of the corpus.
const VERSION: &str = "1.0";

/// What an entry asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// A decision of the policy that is served.
    Decision {
        /// The body.
        input: Vec<u8>,
    },
    /// A command of the binary, with these arguments.
    Command(Vec<String>),
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The folder that it lies in.
    pub family: String,
    /// The name of its file, without the ending.
    pub name: String,
    /// What it tries.
    pub about: String,
    /// The outcomes that are right.
    pub expected: Vec<String>,
    /// What the output of a command must have in it.
    pub says: Option<String>,
    /// The time that it may take.
    pub budget: Duration,
    /// What is asked.
    pub question: Question,
    /// Files, by their paths.
    pub files: Vec<(String, Vec<u8>)>,
}

/// All entries of a corpus, in the order of their names.
pub fn read_all(corpus: &Path) -> Result<Vec<Entry>> {
    let mut paths = Vec::new();
    for family in sorted(corpus)? {
        if family.is_dir() {
            paths.extend(sorted(&family)?);
        }
    }
    paths.iter().map(|path| Entry::read(path)).collect()
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let paths = entries.map(|entry| Ok(entry?.path()));
    let mut paths = paths.collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

impl Entry {
    fn read(path: &Path) -> Result<Self> {
        let family = path.parent().and_then(Path::file_name);
        let family = family.and_then(OsStr::to_str).context("no family")?;
        let name = path.file_stem().and_then(OsStr::to_str);
        let name = name.context("no name")?;
        let written = fs::read_to_string(path)?;
        Self::parse(family, name, &written).with_context(|| path.display().to_string())
    }

    fn parse(family: &str, name: &str, written: &str) -> Result<Self> {
        let (head, rest) = match written.split_once("\n--- ") {
            Some((head, rest)) => (head, Some(rest)),
            None => (written, None),
        };
        let mut about = Vec::new();
        let (mut expected, mut says, mut budget, mut run) = (Vec::new(), None, None, None);
        for line in head.lines() {
            match line.split_once(' ') {
                Some(("#", prose)) => about.push(prose),
                Some(("expect:", outcomes)) => {
                    expected = outcomes.split(" | ").map(str::to_owned).collect();
                }
                Some(("says:", text)) => says = Some(text.to_owned()),
                Some(("budget:", milliseconds)) => {
                    budget = Some(Duration::from_millis(milliseconds.parse()?));
                }
                Some(("run:", arguments)) => {
                    run = Some(arguments.split_whitespace().map(str::to_owned).collect());
                }
                _ => bail!("`{line}` is neither prose nor a setting"),
            }
        }
        ensure!(!about.is_empty(), "it does not say what it tries");
        ensure!(!expected.is_empty(), "it does not say what is right");
        let mut files = Vec::new();
        for section in rest.iter().flat_map(|rest| rest.split("\n--- ")) {
            let (path, section) = section.split_once('\n').unwrap_or((section, ""));
            files.push((path.to_owned(), text::expand(section)?));
        }
        let usual = if run.is_some() {
            COMMAND_BUDGET
        } else {
            USUAL_BUDGET
        };
        let budget = budget.unwrap_or(usual);
        let question = match run {
            Some(arguments) => Question::Command(arguments),
            None => Question::Decision {
                input: take_input(&mut files),
            },
        };
        Ok(Self {
            family: family.to_owned(),
            name: name.to_owned(),
            about: about.join(" "),
            expected,
            says,
            budget,
            question,
            files,
        })
    }

    /// `family/name`
    pub fn title(&self) -> String {
        format!("{}/{}", self.family, self.name)
    }

    /// Where its decision is asked for.
    pub fn path(&self) -> String {
        format!("/policy/{}/{}/{VERSION}/decision", self.family, self.name)
    }

    /// Whether it is to be refused when it is applied.
    pub fn is_refused(&self) -> bool {
        self.expected
            .iter()
            .any(|outcome| outcome.starts_with("refused at apply"))
    }

    /// Writes its policy into a directory in the repository layout.
    pub fn write_policy(&self, directory: &Path) -> Result<()> {
        let folder = directory.join(&self.family).join(&self.name).join(VERSION);
        self.write(&folder)?;
        let path = folder.join("policy.yaml");
        // What it says of its settings itself, and its limits: of memory, the most that one may ask for.
        let own = self.files.iter().find(|(path, _)| path == "policy.yaml");
        let mut settings = own.map_or_else(Vec::new, |(_, bytes)| bytes.clone());
        let limits = format!(
            "limits:\n  timeout: {}ms\n  memory: 256Mi\n",
            self.budget.as_millis()
        );
        settings.extend(limits.into_bytes());
        Ok(fs::write(path, settings)?)
    }

    /// Writes its files into a folder.
    pub fn write(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        for (path, bytes) in &self.files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
            fs::write(path, bytes)?;
        }
        Ok(())
    }
}

/// The body is no file of the policy.
fn take_input(files: &mut Vec<(String, Vec<u8>)>) -> Vec<u8> {
    let at = files.iter().position(|(path, _)| path == "input.json");
    at.map_or_else(Vec::new, |at| files.remove(at).1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::programs::checkout;

    #[test]
    fn an_entry_is_prose_settings_and_files() {
        let written = "# Tries a,\n# and b.\nexpect: denied | POLICY.TIMEOUT\nbudget: 500\n\
                       --- policy.rego\npackage a.b\n--- input.json\n@nest 1 \"[\" \"]\" \"\"\n";
        let entry = Entry::parse("a", "b", written).unwrap();
        let expected = Entry {
            family: "a".to_owned(),
            name: "b".to_owned(),
            about: "Tries a, and b.".to_owned(),
            expected: vec!["denied".to_owned(), "POLICY.TIMEOUT".to_owned()],
            says: None,
            budget: Duration::from_millis(500),
            question: Question::Decision {
                input: b"[]".to_vec(),
            },
            files: vec![("policy.rego".to_owned(), b"package a.b\n".to_vec())],
        };
        assert_eq!(entry, expected);
    }

    #[test]
    fn an_entry_says_what_it_tries_and_what_is_right() {
        for written in ["expect: denied\n", "# Tries a.\n", "# a\nexpect: b\nc\n"] {
            assert!(Entry::parse("a", "b", written).is_err(), "{written}");
        }
    }

    #[test]
    fn the_corpus_is_large_and_its_outcomes_are_outcomes() {
        let entries = read_all(&checkout().join("e2e/hostile")).unwrap();
        assert!(entries.len() >= 150, "{}", entries.len());
        let titles: BTreeSet<String> = entries.iter().map(Entry::title).collect();
        assert_eq!(titles.len(), entries.len());
        for entry in &entries {
            for outcome in &entry.expected {
                let known = [
                    "allowed",
                    "denied",
                    "POLICY.",
                    "refused at apply: ",
                    "exit ",
                ];
                let title = entry.title();
                assert!(
                    known.iter().any(|known| outcome.starts_with(known)),
                    "{title}: {outcome}"
                );
            }
        }
    }
}
