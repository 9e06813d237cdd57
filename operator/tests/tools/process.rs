//! Runs the binary, and OPA beside it.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value as Json;

/// The binary under test.
pub(crate) const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

/// What a program printed, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("it prints text");
        Self {
            out: text(output.stdout),
            err: text(output.stderr),
            code: output.status.code().expect("it ends by itself"),
        }
    }

    /// What it printed, as JSON.
    pub(crate) fn json(&self) -> Json {
        match serde_json::from_str(&self.out) {
            Ok(json) => json,
            Err(error) => panic!("{error}: {self:?}"),
        }
    }
}

/// Runs our binary in a folder.
pub(crate) fn portcullis(folder: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(PORTCULLIS);
    let ran = command.args(arguments).current_dir(folder).output();
    Ran::of(ran.expect("the binary must start"))
}

/// Runs OPA in a folder.
pub(crate) fn opa(folder: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new("opa");
    let ran = command.args(arguments).current_dir(folder).output();
    Ran::of(
        ran.expect("`opa` must be on the PATH: `make opa` builds it into ~/.cache/portcullis/bin"),
    )
}

/// Runs a program in a folder, with a text as its standard input.
/// What `opa` and `portcullis` do with the same arguments, which is to end with this status.
pub(crate) fn both(folder: &Path, arguments: &[&str], code: i32) -> (Ran, Ran) {
    let (theirs, ours) = (opa(folder, arguments), portcullis(folder, arguments));
    assert_eq!(
        (ours.code, theirs.code),
        (code, code),
        "{ours:?} {theirs:?}"
    );
    (theirs, ours)
}

pub(crate) fn tell(program: &str, folder: &Path, arguments: &[&str], text: &str) -> Ran {
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program must start");
    let mut stdin = child.stdin.take().expect("it was piped");
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    Ran::of(child.wait_with_output().unwrap())
}

/// Writes files below `root`.
pub(crate) fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("it is below the root")).unwrap();
        fs::write(path, text).unwrap();
    }
}
