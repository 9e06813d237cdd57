//! `portcullis test --watch`.

use std::{
    fs,
    io::{BufRead as _, BufReader, Lines},
    process::{Child, ChildStdout, Command, Stdio},
};

use tempfile::TempDir;

use crate::process::{PORTCULLIS, write};

/// A run that is ended when this is dropped.
struct Watch {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watch {
    fn of(root: &TempDir) -> Self {
        let mut child = Command::new(PORTCULLIS)
            .args(["test", "--watch", "."])
            .current_dir(root.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary must start");
        let stdout = child.stdout.take().expect("it was piped");
        let lines = BufReader::new(stdout).lines();
        Self { child, lines }
    }

    /// Waits for a line. The runner of the tests ends a wait that has no end.
    fn await_line(&mut self, wanted: &str) {
        for line in &mut self.lines {
            if line.expect("it prints text") == wanted {
                return;
            }
        }
        panic!("it must print {wanted:?}");
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_change_runs_the_tests_again() {
    let root = TempDir::new().unwrap();
    write(
        root.path(),
        &[("a_test.rego", "package a\ntest_a if true\n")],
    );
    let mut watch = Watch::of(&root);
    watch.await_line("PASS: 1/1");
    watch.await_line("Watching for changes ...");
    write(
        root.path(),
        &[("b_test.rego", "package b\ntest_b if false\n")],
    );
    watch.await_line("FAIL: 1/2");
    watch.await_line("Watching for changes ...");
    fs::remove_file(root.path().join("b_test.rego")).unwrap();
    watch.await_line("PASS: 1/1");
}
