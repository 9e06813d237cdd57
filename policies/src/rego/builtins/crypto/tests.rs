//! Hashes, certificates and keys: what is published, and what OPA answers.

use rstest::rstest;

use crate::rego::{
    builtins::tests::opa::{called, check, length},
    value::{Value, elements, text::literal},
};

/// What OPA 1.22.2 says of certificates that Go and OpenSSL made.
#[test]
fn answers_as_opa_does() {
    check(include_str!("tests/opa.json"), length);
}

/// FIPS 180-4's examples (`csrc.nist.gov`, "SHA1.pdf" and "SHA256.pdf") and RFC 1321, A.5.
#[rstest]
#[case("crypto.sha1", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d")]
#[case(
    "crypto.sha1",
    "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
    "84983e441c3bd26ebaae4aa1f95129e5e54670f1"
)]
#[case(
    "crypto.sha256",
    "abc",
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
)]
#[case(
    "crypto.sha256",
    "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
)]
#[case("crypto.md5", "", "d41d8cd98f00b204e9800998ecf8427e")]
#[case("crypto.md5", "message digest", "f96b697d7cb7938d525a2f31aaf161d0")]
fn hashes(#[case] function: &str, #[case] text: &str, #[case] expected: &str) {
    let hash = called(function, &[Value::from(text)], 0);
    assert_eq!(hash.expect("a hash"), Value::from(expected));
}

/// RFC 4231 (SHA-2) and RFC 2202 (MD5 and SHA-1), test case 2, and RFC 4231, case 1, whose key is
/// text.
#[rstest]
#[case(
    "md5",
    "Jefe",
    "what do ya want for nothing?",
    "750c783e6ab0b503eaa86e310a5db738"
)]
#[case(
    "sha1",
    "Jefe",
    "what do ya want for nothing?",
    "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
)]
#[case(
    "sha256",
    "Jefe",
    "what do ya want for nothing?",
    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
)]
#[case(
    "sha512",
    "Jefe",
    "what do ya want for nothing?",
    "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
)]
#[case(
    "sha256",
    "\u{b}\u{b}\u{b}\u{b}\u{b}\u{b}\u{b}\u{b}\u{b}\u{b}\u{b}\u{b}\u{b}\u{b}\u{b}\u{b}\u{b}\u{b}\u{b}\u{b}",
    "Hi There",
    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
)]
fn authenticates(
    #[case] hash: &str,
    #[case] key: &str,
    #[case] message: &str,
    #[case] expected: &str,
) {
    let operands = [Value::from(message), Value::from(key)];
    let code = called(&format!("crypto.hmac.{hash}"), &operands, 0);
    assert_eq!(code.expect("a code"), Value::from(expected));
}

/// The time is the request's. The chain's certificates are in force from 2020 to 2119, its leaf for
/// servers and clients.
#[rstest]
#[case(1_577_836_799_999_999_999, "false")]
#[case(1_577_836_800_000_000_000, "true")]
#[case(4_733_510_400_000_000_000, "true")]
#[case(4_733_510_400_000_000_001, "false")]
fn looks_at_the_clock_of_the_request(#[case] now: i128, #[case] expected: &str) {
    let function = "crypto.x509.parse_and_verify_certificates";
    let chain = called(
        function,
        &[Value::from(include_str!("tests/chain.pem"))],
        now,
    );
    let chain = chain.expect("an answer");
    let valid = elements(&chain).and_then(<[Value]>::first);
    assert_eq!(valid.map(literal).as_deref(), Some(expected));
}
