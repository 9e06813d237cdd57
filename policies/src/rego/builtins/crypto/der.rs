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

impl<'d> Bits<'d> {
    /// The content of a bit string.
    pub(super) fn read(content: &'d [u8]) -> Option<Self> {
        let (&unused, bytes) = content.split_first()?;
        let is_valid = match bytes.last() {
            Some(last) => unused < 8 && last & ((1 << unused) - 1) == 0,
            None => unused == 0,
        };
        is_valid.then_some(Self { bytes, unused })
    }

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

/// What should have been a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// A part that need not be there.
pub(super) type Optional<T> = std::result::Result<Option<T>, Malformed>;

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
        let (header, length) = if length < 0x80 {
            (2, usize::from(length))
        } else {
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
    pub(super) fn optional(&mut self, tag: u8) -> Optional<Self> {
        if self.is_next(tag) {
            self.enter(tag).map(Some).ok_or(Malformed)
        } else {
            Ok(None)
        }
    }

    pub(super) fn integer(&mut self) -> Option<BigInt> {
        integer_of(self.content(tag::INTEGER)?)
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
        Bits::read(self.content(tag::BIT_STRING)?)
    }

    pub(super) fn oid(&mut self) -> Option<Oid> {
        oid(self.content(tag::OBJECT_IDENTIFIER)?)
    }
}

/// Optional parts, as Go's `encoding/asn1` reads them, which knows neither of tags nor of lengths
/// that do not fit: a part with another tag is none, and what lies around a part has no end.
impl<'d> Reader<'d> {
    /// The content of the next value, if it has the tag.
    pub(super) fn loose(&mut self, tag: u8) -> Optional<&'d [u8]> {
        if self.is_empty() {
            return Ok(None);
        }
        let header = Header::read(self.0).ok_or(Malformed)?;
        if header.tag != Some(tag) {
            return Ok(None);
        }
        self.behind(header).map(Some).ok_or(Malformed)
    }

    /// The content of a value in a value with a tag of its own.
    pub(super) fn loose_within(&mut self, outer: u8, tag: u8) -> Optional<&'d [u8]> {
        if self.is_empty() {
            return Ok(None);
        }
        let around = Header::read(self.0).ok_or(Malformed)?;
        let mut inner = Self(&self.0[around.size..]);
        let is_ours = around.tag.map(|tag| tag | 0x20) == Some(outer);
        if inner.is_empty() || is_ours && around.length == 0 {
            return Err(Malformed);
        }
        if around.tag != Some(outer) {
            return Ok(None);
        }
        let content = inner.loose(tag)?;
        if content.is_some() {
            *self = inner;
        }
        Ok(content)
    }

    fn behind(&mut self, header: Header) -> Option<&'d [u8]> {
        let end = header.size.checked_add(header.length)?;
        let content = self.0.get(header.size..end)?;
        self.0 = &self.0[end..];
        Some(content)
    }
}

/// What a value begins with.
#[derive(Debug, Clone, Copy)]
struct Header {
    /// One of more than a byte is none of ours.
    tag: Option<u8>,
    size: usize,
    length: usize,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (&first, mut rest) = bytes.split_first()?;
        let mut tag = Some(first);
        if first & 0x1f == 0x1f {
            let end = rest.iter().position(|byte| byte & 0x80 == 0)?;
            let number = base_128(&rest[..=end])?;
            if number < 0x1f {
                return None;
            }
            (tag, rest) = (None, &rest[end + 1..]);
        }
        let (&length, mut rest) = rest.split_first()?;
        let mut length = usize::from(length);
        if length >= 0x80 {
            let count = length & 0x7f;
            let digits = rest.get(..count).filter(|digits| !digits.is_empty())?;
            length = 0;
            for digit in digits {
                if length >= 1 << 23 {
                    return None;
                }
                length = length << 8 | usize::from(*digit);
                if length == 0 {
                    return None;
                }
            }
            if length < 0x80 {
                return None;
            }
            rest = &rest[count..];
        }
        Some(Self {
            tag,
            size: bytes.len() - rest.len(),
            length,
        })
    }
}

/// The integer of a content.
pub(super) fn integer_of(content: &[u8]) -> Option<BigInt> {
    integer(content).map(BigInt::from_signed_bytes_be)
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
        let part = base_128(group)?;
        match part {
            _ if !parts.is_empty() => parts.push(part),
            0..80 => parts.extend([part / 40, part % 40]),
            _ => parts.extend([2, part - 80]),
        }
    }
    Some(parts)
}

/// A number of at most 31 bits, seven in each byte.
fn base_128(bytes: &[u8]) -> Option<u32> {
    if bytes.first() == Some(&0x80) || bytes.len() > 5 {
        return None;
    }
    let number = bytes
        .iter()
        .fold(0_u64, |sum, byte| sum << 7 | u64::from(byte & 0x7f));
    u32::try_from(number)
        .ok()
        .filter(|number| *number < 1 << 31)
}
