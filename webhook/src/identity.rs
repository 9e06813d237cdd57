//! The names of decisions.

use std::{
    fmt::Write as _,
    sync::{Arc, LazyLock},
};

use rustls::crypto::SecureRandom;

static RANDOM: LazyLock<&'static dyn SecureRandom> =
    LazyLock::new(|| rustls::crypto::aws_lc_rs::default_provider().secure_random);

/// A new name, which nobody can guess and no other replica gives: a random UUID.
pub(crate) fn decision_id() -> Arc<str> {
    let mut bytes = [0_u8; 16];
    RANDOM
        .fill(&mut bytes)
        .expect("the operating system must have random bytes");
    // Version 4 and the variant of RFC 9562.
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let mut text = String::with_capacity(36);
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_uuid_of_its_own() {
        let ids: std::collections::BTreeSet<_> = (0..100).map(|_| decision_id()).collect();
        assert_eq!(ids.len(), 100);
        for id in ids {
            let lengths: Vec<_> = id.split('-').map(str::len).collect();
            assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
            assert_eq!(id.as_bytes()[14], b'4', "{id}");
        }
    }
}
