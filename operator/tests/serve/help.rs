//! What `--help` says.

use crate::process::run;

#[test]
fn help() {
    for command in [
        "", "eval", "test", "check", "audit", "why", "list", "lock", "unlock", "export", "import",
        "serve", "sidecar", "probe",
    ] {
        let arguments: Vec<&str> = [command, "--help"]
            .into_iter()
            .filter(|a| !a.is_empty())
            .collect();
        let printed = run(&arguments);
        assert!(printed.status.success());
        let name = if command.is_empty() {
            "portcullis"
        } else {
            command
        };
        insta::assert_snapshot!(name, String::from_utf8(printed.stdout).unwrap());
    }
}
