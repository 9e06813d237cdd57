//! Of a document, what is looked at is read as it is by who reads all of it, and whether it can be
//! read at all does not depend on what is looked at.
//!
//! ```text
//! path NEWLINE path… NUL document
//! ```
//!
//! The parts of a path are separated by dots; `*` is every member.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_policies::rego::plan::access::Access;
use portcullis_policies::rego::value::json;

fn extend<'p>(access: &mut Access, mut path: impl Iterator<Item = &'p str> + Clone) {
    match path.next() {
        None => access.whole(),
        Some("*") => access.each(|below| extend(below, path.clone())),
        Some(key) => extend(access.key(key), path),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some(end) = bytes.iter().position(|byte| *byte == 0) else {
        return;
    };
    let (paths, document) = (&bytes[..end], &bytes[end + 1..]);
    let Ok(paths) = std::str::from_utf8(paths) else {
        return;
    };
    let mut access = Access::default();
    // More paths are another test of the same, and of `merge` quadratic time.
    for path in paths.lines().take(16) {
        let mut one = Access::default();
        extend(&mut one, path.split('.').take(8));
        access.merge(&one);
    }
    let whole = json::read_parts(document, &Access::All);
    let parts = json::read_parts(document, &access);
    let nothing = json::read_parts(document, &Access::default());
    match (whole, parts, nothing) {
        (Ok(whole), Ok(parts), Ok(nothing)) => {
            assert_eq!(
                parts,
                access.prune(&whole),
                "what is looked at is read as another value"
            );
            assert_eq!(
                nothing,
                Access::default().prune(&whole),
                "it is of another type"
            );
        }
        (Err(whole), Err(parts), Err(nothing)) => {
            assert_eq!(whole, parts, "other parts, another fault");
            assert_eq!(whole, nothing, "no part, another fault");
        }
        other => panic!("whether it can be read depends on what is looked at: {other:?}"),
    }
});
