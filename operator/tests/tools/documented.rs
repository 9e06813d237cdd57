//! What docs/tools.md and docs/check.md show is what happens: their commands are run as they stand
//! there.

use std::path::Path;

use rstest::rstest;

use crate::document::{Example, document, examples, is_like, shell};

#[rstest]
#[case::evaluating_and_testing("tools.md", 10)]
#[case::checking("check.md", 4)]
fn what_is_shown_is_what_happens(#[case] name: &str, #[case] least: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples");
    let examples = examples(&document(name));
    assert!(examples.len() >= least, "the document must have examples");
    for Example { command, expected } in examples {
        let printed = shell(&folder, &command);
        let (printed, expected) = (printed.trim_end(), expected.trim_end());
        assert!(
            is_like(printed, expected),
            "{command}\n{printed}\nis not\n{expected}"
        );
    }
}
