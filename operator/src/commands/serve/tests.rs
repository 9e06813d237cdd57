//! What the arguments of `portcullis serve` come to.

use clap::Parser as _;
use rstest::rstest;

use super::*;
use crate::cli::{Cli, Command};

fn plan(arguments: &[&str]) -> anyhow::Result<Plan> {
    let arguments = ["portcullis", "serve"].iter().chain(arguments);
    match Cli::try_parse_from(arguments)?.command {
        Command::Serve(arguments) => Plan::of(arguments),
        other => panic!("{other:?}"),
    }
}

/// Nobody on another machine may lock or unlock without a token.
#[rstest]
#[case(&["d"], &Access::Open)]
#[case(&["d", "--listen", "[::1]:1"], &Access::Open)]
#[case(&["d", "--listen", "127.0.0.1:1", "--listen", "0.0.0.0:1", "--insecure", "--allow-anonymous"], &Access::Closed)]
#[case(&["d", "--listen", "[::]:1", "--insecure", "--allow-anonymous"], &Access::Closed)]
fn who_may_lock(#[case] arguments: &[&str], #[case] expected: &Access) {
    assert_eq!(plan(arguments).unwrap().access, *expected);
}

#[test]
fn a_token_is_read_from_its_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    std::fs::write(path, "0123456789abcdef\n").unwrap();
    let exposed = ["--listen", "0.0.0.0:1", "--insecure", "--allow-anonymous"];
    for more in [&[][..], &exposed] {
        let plan = plan(&[&["d", "--lock-token-file", path], more].concat()).unwrap();
        assert_eq!(plan.access, Access::Token("0123456789abcdef".to_owned()));
    }
    std::fs::write(path, "short\n").unwrap();
    assert!(plan(&["d", "--lock-token-file", path]).is_err());
}

#[test]
fn an_address_that_others_reach_needs_tls() {
    assert!(plan(&["d", "--listen", "0.0.0.0:1"]).is_err());
    assert!(plan(&["d", "--listen", "127.0.0.1:1", "--listen", "192.0.2.1:1"]).is_err());
    let fault = plan(&["d", "--listen", "0.0.0.0:1", "--insecure"])
        .err()
        .unwrap();
    assert!(
        fault.to_string().contains("`--auth none` asks nobody"),
        "{fault}"
    );
}

#[test]
fn locks_are_kept_with_the_directory() {
    assert_eq!(plan(&["d"]).unwrap().locks, PathBuf::from("d/locks"));
    assert_eq!(
        plan(&["d", "--locks", "l"]).unwrap().locks,
        PathBuf::from("l")
    );
}
