//! DER, as Go's `cryptobyte` reads it: what it takes and what it does not, whether something is a
//! certificate depends on that.

use num_bigint::BigInt;

/// The tags of what is read, with the bits of their class.
pub(super) mod tag {
    pub(in super::super) const BOOLEAN: u8 = 0x01;
    pub(in super::super) const INTEGER: u8 = 0x02;
    pub(in super::super) const BIT_STRING: u8 = 0x03;
    pub(in super::super) const OCTET_STRING: u8 = 0x04;
    pub(in super::super) const NULL: u8 = 0x05;
    pub(in super::super) const OBJECT_IDENTIFIER: u8 = 0x06;
    pub(in super::super) const UTF8_STRING: u8 = 0x0c;
    pub(in super::super) const NUMERIC_STRING: u8 = 0x12;
    pub(in super::super) const PRINTABLE_STRING: u8 = 0x13;
    pub(in super::super) const T61_STRING: u8 = 0x14;
    pub(in super::super) const IA5_STRING: u8 = 0x16;
    pub(in super::super) const UTC_TIME: u8 = 0x17;
    pub(in super::super) const GENERALIZED_TIME: u8 = 0x18;
    pub(in super::super) const BMP_STRING: u8 = 0x1e;
    pub(in super::super) const SEQUENCE: u8 = 0x30;
    pub(in super::super) const SET: u8 = 0x31;

    /// A value whose tag the context gives a meaning.
    pub(in super::super) const fn context(number: u8) -> u8 {
        0x80 | number
    }

    /// The same around other values.
    pub(in super::super) const fn constructed(number: u8) -> u8 {
        0xa0 | number
    }
}

/// The parts of an object identifier.
pub(super) type Oid = Vec<u32>;

/// What comes before the content of a value, and all of the value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'d> {
    pub(super) tag: u8,
    pub(super) all: &'d [u8],
    pub(super) content: &'d [u8],
}

/// Bits, of which the last byte may have some that do not count.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bits<'d> {
    bytes: &'d [u8],
    unused: u8,
}

impl Bits<'_> {
    /// A bit, counted from the first. Nothing is not set.
    pub(super) fn is_set(&self, at: usize) -> bool {
        at < self.bytes.len() * 8 - usize::from(self.unused)
            && self.bytes[at / 8] >> (7 - at % 8) & 1 == 1
    }

    /// The bits, moved to the right so that the last one is that of the last byte.
    pub(super) fn right_aligned(&self) -> Vec<u8> {
        if self.unused == 0 {
            return self.bytes.to_vec();
        }
        let mut before = 0;
        let shifted = self.bytes.iter().map(|byte| {
            let shifted = before << (8 - self.unused) | byte >> self.unused;
            before = *byte;
            shifted
        });
        shifted.collect()
    }
}

/// What has not been read yet. What is wrong is nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'d>(pub(super) &'d [u8]);

impl<'d> Reader<'d> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn is_next(&self, tag: u8) -> bool {
        self.0.first() == Some(&tag)
    }

    /// The next value, whatever it is.
    pub(super) fn any(&mut self) -> Option<Element<'d>> {
        let (&tag, &length) = (self.0.first()?, self.0.get(1)?);
        // Tags of more than a byte are in no certificate.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (header, length) = match length {
            0..0x80 => (2, usize::from(length)),
            _ => {
                let count = usize::from(length & 0x7f);
                let bytes = self.0.get(2..2 + count)?;
                if !(1..=4).contains(&count) || bytes[0] == 0 {
                    return None;
                }
                let length = bytes
                    .iter()
                    .fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
                // It would have fitted into the first byte.
                if length < 0x80 {
                    return None;
                }
                (2 + count, length)
            }
        };
        let end = header.checked_add(length)?;
        let all = self.0.get(..end)?;
        self.0 = &self.0[end..];
        Some(Element {
            tag,
            all,
            content: &all[header..],
        })
    }

    pub(super) fn element(&mut self, tag: u8) -> Option<Element<'d>> {
        self.any().filter(|element| element.tag == tag)
    }

    /// The content of the next value.
    pub(super) fn content(&mut self, tag: u8) -> Option<&'d [u8]> {
        Some(self.element(tag)?.content)
    }

    /// The content of the next value, to be read.
    pub(super) fn enter(&mut self, tag: u8) -> Option<Self> {
        self.content(tag).map(Self)
    }

    /// The content of the next value, if it has the tag.
    pub(super) fn optional(&mut self, tag: u8) -> Option<Option<Self>> {
        if self.is_next(tag) {
            self.enter(tag).map(Some)
        } else {
            Some(None)
        }
    }

    pub(super) fn integer(&mut self) -> Option<BigInt> {
        let bytes = integer(self.content(tag::INTEGER)?)?;
        Some(BigInt::from_signed_bytes_be(bytes))
    }

    pub(super) fn small_integer(&mut self) -> Option<i64> {
        self.small_integer_of(tag::INTEGER)
    }

    /// A small integer that has a tag of its own.
    pub(super) fn small_integer_of(&mut self, tag: u8) -> Option<i64> {
        let bytes = integer(self.content(tag)?)?;
        i64::try_from(BigInt::from_signed_bytes_be(bytes)).ok()
    }

    pub(super) fn boolean(&mut self) -> Option<bool> {
        match self.content(tag::BOOLEAN)? {
            [0] => Some(false),
            [0xff] => Some(true),
            _ => None,
        }
    }

    pub(super) fn bits(&mut self) -> Option<Bits<'d>> {
        let (&unused, bytes) = self.content(tag::BIT_STRING)?.split_first()?;
        let is_valid = match bytes.last() {
            Some(last) => unused < 8 && last & ((1 << unused) - 1) == 0,
            None => unused == 0,
        };
        is_valid.then_some(Bits { bytes, unused })
    }

    pub(super) fn oid(&mut self) -> Option<Oid> {
        oid(self.content(tag::OBJECT_IDENTIFIER)?)
    }
}

/// An integer's bytes, which are as few as possible.
fn integer(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [] | [0, 0..0x80, ..] | [0xff, 0x80..=0xff, ..] => None,
        bytes => Some(bytes),
    }
}

/// The parts of an object identifier, of which none has more than 31 bits.
pub(super) fn oid(bytes: &[u8]) -> Option<Oid> {
    if bytes.last()? & 0x80 != 0 {
        return None;
    }
    let mut parts = Vec::new();
    for group in bytes.split_inclusive(|byte| byte & 0x80 == 0) {
        if group[0] == 0x80 || group.len() > 5 {
            return None;
        }
        let part = group
            .iter()
            .fold(0_u64, |sum, byte| sum << 7 | u64::from(byte & 0x7f));
        let part = u32::try_from(part).ok().filter(|part| *part < 1 << 31)?;
        match part {
            _ if !parts.is_empty() => parts.push(part),
            0..80 => parts.extend([part / 40, part % 40]),
            _ => parts.extend([2, part - 80]),
        }
    }
    Some(parts)
}
