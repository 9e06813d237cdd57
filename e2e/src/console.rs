//! Commands in a document, with what they print: the blocks of ```` ```console ````. A line that
//! begins with `$ ` is a command; the lines up to the next one are what it prints, where `…` stands
//! for anything.

use anyhow::{Result, ensure};

use crate::Ran;

/// A command with what it prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The command, as one types it.
    pub command: String,
    /// What it prints; empty where the document does not show it.
    pub printed: String,
}

/// The examples of a document, from the first to the last.
pub fn examples(document: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut inside = false;
    for line in document.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| inside) {
            let command = command.to_owned();
            examples.push(Example {
                command,
                printed: String::new(),
            });
        } else if let Some(example) = examples.last_mut().filter(|_| inside) {
            example.printed.push_str(line);
            example.printed.push('\n');
        }
    }
    examples
}

impl Example {
    /// What the command did has to be what the document shows.
    pub fn matches(&self, ran: &Ran) -> Result<()> {
        let printed = format!("{}{}", ran.stdout, ran.stderr);
        ensure!(
            self.printed.is_empty() || is_like(printed.trim_end(), self.printed.trim_end()),
            "the document shows\n{}\nbut {}",
            self.printed,
            ran.account()
        );
        Ok(())
    }
}

/// Whether a text is like a pattern in which `…` stands for anything.
fn is_like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some((_, behind)) = rest.split_once(part) else {
            return false;
        };
        rest = behind;
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_commands_and_what_they_print() {
        let document = "text\n```console\n$ one\nprints\nmore\n$ two\n```\n$ not this\n```sh\n$ nor this\n```\n";
        let example = |command: &str, printed: &str| Example {
            command: command.to_owned(),
            printed: printed.to_owned(),
        };
        assert_eq!(
            examples(document),
            [example("one", "prints\nmore\n"), example("two", "")]
        );
    }

    #[test]
    fn dots_stand_for_anything() {
        for (text, pattern, expected) in [
            ("abc", "abc", true),
            ("abc", "ab", false),
            ("abc", "a…c", true),
            ("abc", "a…", true),
            ("abc", "…c", true),
            ("abc", "…b", false),
            ("a\nb\nc", "a\n…\nc", true),
            ("abcd", "a…c…d", true),
            ("abdc", "a…c…d", false),
            ("ab", "ab…ab", false),
        ] {
            assert_eq!(is_like(text, pattern), expected, "{text:?} {pattern:?}");
        }
    }
}
