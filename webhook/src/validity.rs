//! The end of a certificate's validity, read from its DER.
//!
//! ```text
//! Certificate ::= SEQUENCE { tbsCertificate SEQUENCE {
//!   version [0] OPTIONAL, serialNumber INTEGER, signature SEQUENCE, issuer SEQUENCE,
//!   validity SEQUENCE { notBefore Time, notAfter Time }, … }, … }
//! ```
//! (RFC 5280, section 4.1; a `Time` is `UTCTime`, `YYMMDDHHMMSSZ`, or `GeneralizedTime`,
//! `YYYYMMDDHHMMSSZ`.)

use portcullis_policies::Timestamp;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// `notAfter` of a certificate; `None` where the bytes are none.
pub(crate) fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = expect(certificate, SEQUENCE)?;
    let (mut rest, _) = expect(certificate, SEQUENCE)?;
    if let Some((_, after)) = expect(rest, VERSION) {
        rest = after;
    }
    // The serial number, the signature's algorithm and the issuer.
    for _ in 0..3 {
        (_, _, rest) = element(rest)?;
    }
    let (validity, _) = expect(rest, SEQUENCE)?;
    let (_, _, rest) = element(validity)?;
    let (tag, time, _) = element(rest)?;
    let time = std::str::from_utf8(time).ok()?.strip_suffix('Z')?;
    let digits = match tag {
        // Two digits of the year stand for 1950 to 2049.
        UTC_TIME if time >= "5" => format!("19{time}"),
        UTC_TIME => format!("20{time}"),
        GENERALIZED_TIME => time.to_owned(),
        _ => return None,
    };
    if digits.len() != 14 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize| &digits[from..from + 2];
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        &digits[..4],
        part(4),
        part(6),
        part(8),
        part(10),
        part(12)
    );
    text.parse().ok()
}

/// The content of the first element, which has this tag, and what follows it.
fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(bytes)?;
    (found == tag).then_some((content, rest))
}

/// The first element: its tag, its content, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, bytes) = bytes.split_first()?;
    let (&first, bytes) = bytes.split_first()?;
    let (length, bytes) = if first < 0x80 {
        (usize::from(first), bytes)
    } else {
        // The long form: so many bytes of length follow.
        let count = usize::from(first & 0x7f);
        if count == 0 || count > size_of::<u32>() {
            return None;
        }
        let (digits, bytes) = bytes.split_at_checked(count)?;
        (
            digits
                .iter()
                .fold(0, |length, byte| length << 8 | usize::from(*byte)),
            bytes,
        )
    };
    let (content, rest) = bytes.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn certificate(year: i32) -> Vec<u8> {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 2, 3);
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[rstest]
    #[case(1999, "1999-02-03T00:00:00Z")]
    #[case(2031, "2031-02-03T00:00:00Z")]
    #[case(2049, "2049-02-03T00:00:00Z")]
    #[case(2050, "2050-02-03T00:00:00Z")]
    fn reads_both_notations(#[case] year: i32, #[case] expected: &str) {
        assert_eq!(
            not_after(&certificate(year)),
            Some(expected.parse().unwrap())
        );
    }

    #[test]
    fn what_is_cut_short_has_no_end() {
        let whole = certificate(2031);
        for length in 0..whole.len() {
            assert_eq!(not_after(&whole[..length]), None, "{length} bytes");
        }
    }
}
