//! Documents whose commands are run as they stand there.

use std::{fs, path::Path, process::Command};

/// A command, and what it prints.
pub(crate) struct Example {
    pub(crate) command: String,
    pub(crate) expected: String,
}

/// Whether a text is like a pattern in which `…` stands for anything.
pub(crate) fn is_like(text: &str, pattern: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('…') else {
        return text == pattern;
    };
    let (middle, last) = rest.rsplit_once('…').unwrap_or(("", rest));
    let inner = text
        .strip_prefix(first)
        .and_then(|text| text.strip_suffix(last));
    let skip = |text, part| Some(str::split_once(text, part)?.1);
    inner.is_some_and(|inner| middle.split('…').try_fold(inner, skip).is_some())
}

pub(crate) fn document(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let path = folder.join(name);
    fs::read_to_string(path).expect("the document must be there")
}

/// The lines of all blocks of the document's console: commands behind `$ `, and what they print.
pub(crate) fn examples(document: &str) -> Vec<Example> {
    let blocks = document.split("```console\n").skip(1);
    let blocks = blocks.filter_map(|block| Some(block.split_once("```")?.0));
    let mut examples: Vec<Example> = Vec::new();
    for line in blocks.flat_map(str::lines) {
        if let Some(command) = line.strip_prefix("$ ") {
            let command = command.to_owned();
            examples.push(Example {
                command,
                expected: String::new(),
            });
        } else if let Some(example) = examples.last_mut() {
            example.expected += line;
            example.expected.push('\n');
        }
    }
    examples
}

/// Runs a command, which has to succeed, in a folder, with `portcullis` on the path. Gives what it
/// prints.
pub(crate) fn shell(folder: &Path, command: &str) -> String {
    let bin = Path::new(env!("CARGO_BIN_EXE_portcullis"))
        .parent()
        .expect("a binary is in a folder");
    let script = format!("export PATH={}:$PATH\nexec 2>&1\n{command}", bin.display());
    let ran = Command::new("sh")
        .args(["-eu", "-c", &script])
        .current_dir(folder)
        .output();
    let ran = ran.expect("a shell must start");
    let printed = String::from_utf8(ran.stdout).expect("it prints text");
    assert!(ran.status.success(), "{command}: {printed}");
    printed
}
