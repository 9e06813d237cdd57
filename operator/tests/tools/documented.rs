//! What docs/tools.md shows is what happens: its commands are run as they stand there.

use std::{path::Path, process::Command};

use crate::{
    document::{Example, document, examples, is_like},
    process::PORTCULLIS,
};

#[test]
fn evaluating_and_testing_are_what_is_shown() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples");
    let examples = examples(&document("tools.md"));
    assert!(examples.len() >= 10, "the document must have examples");
    for Example { command, expected } in examples {
        let printed = shell(&folder, &command);
        let (printed, expected) = (printed.trim_end(), expected.trim_end());
        assert!(
            is_like(printed, expected),
            "{command}\n{printed}\nis not\n{expected}"
        );
    }
}

fn shell(folder: &Path, command: &str) -> String {
    let bin = Path::new(PORTCULLIS)
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
