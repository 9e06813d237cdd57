//! What docs/tools.md shows is what happens: its commands are run as they stand there.

use std::path::Path;

use crate::document::{Example, document, examples, is_like, shell};

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
