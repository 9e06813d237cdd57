//! How the operator and the replicas show a replica who they are: all hold the key of the serving
//! certificate, and nobody else does.
//!
//! The pass is a digest of that key, shown over TLS to a server that has proved to hold it. So a
//! replica learns nothing of who asks that it could use elsewhere, as it would of a token for the API
//! server.

use sha2::{Digest as _, Sha256};

/// Tells this digest of a key from all others.
const PURPOSE: &[u8] = b"portcullis.dev/operator/v1\n";

/// The pass of who holds this key, as it is in the file: 64 hexadecimal digits.
pub fn pass_of(key_pem: &[u8]) -> String {
    use std::fmt::Write as _;
    let digest = Sha256::new().chain_update(PURPOSE).chain_update(key_pem);
    digest
        .finalize()
        .iter()
        .fold(String::new(), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Whether two passes are the same, in a time that does not tell where they differ.
pub(crate) fn is_same(left: &str, right: &str) -> bool {
    let differing = left.bytes().zip(right.bytes());
    let differing = differing.fold(0, |bits, (left, right)| bits | (left ^ right));
    left.len() == right.len() && differing == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("", "", true)]
    #[case("ab", "ab", true)]
    #[case("ab", "ac", false)]
    #[case("ab", "abc", false)]
    #[case("", "a", false)]
    fn the_same_pass(#[case] left: &str, #[case] right: &str, #[case] expected: bool) {
        assert_eq!(is_same(left, right), expected);
    }

    #[test]
    fn each_key_has_a_pass_of_its_own() {
        let pass = pass_of(b"key");
        assert!(pass.len() == 64 && pass != pass_of(b"key\n") && pass == pass_of(b"key"));
    }
}
