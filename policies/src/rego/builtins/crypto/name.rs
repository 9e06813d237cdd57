//! Names of those who issue certificates and of those whom they are issued for.

use super::{
    beyond,
    der::{Element, Oid, Reader, tag},
    wrong,
};
use crate::rego::builtins::Result;

/// A distinguished name: its attributes, one after the other.
#[derive(Debug, Default)]
pub(super) struct Name {
    pub(super) attributes: Vec<(Oid, String)>,
}

impl Name {
    /// Reads all of a name.
    pub(super) fn read(name: &[u8]) -> Result<Self> {
        let invalid = || wrong("x509: invalid RDNSequence");
        let mut sets = Reader(name).enter(tag::SEQUENCE).ok_or_else(invalid)?;
        let mut attributes = Vec::new();
        while !sets.is_empty() {
            let mut set = sets.enter(tag::SET).ok_or_else(invalid)?;
            while !set.is_empty() {
                let invalid = |part| wrong(format!("x509: invalid RDNSequence: invalid {part}"));
                let mut attribute = set
                    .enter(tag::SEQUENCE)
                    .ok_or_else(|| invalid("attribute"))?;
                let kind = attribute.oid().ok_or_else(|| invalid("attribute type"))?;
                let value = attribute.any().ok_or_else(|| invalid("attribute value"))?;
                let value = text(value).ok_or_else(|| invalid("attribute value"))?;
                attributes.push((kind, value));
            }
        }
        Ok(Self { attributes })
    }

    /// A name in a request. OPA reads values of other types there, too, and some strings otherwise.
    pub(super) fn read_of_request(name: &[u8]) -> Result<Self> {
        if Reader(name).enter(tag::SEQUENCE).is_none() {
            return Err(wrong("asn1: structure error: the subject is malformed"));
        }
        let unusual = || beyond("the subject of a request is unusual");
        let read = Self::read(name).map_err(|_| unusual())?;
        let mut values = read.attributes.iter();
        if name.contains(&tag::T61_STRING) && !values.all(|(_, value)| value.is_ascii()) {
            return Err(unusual());
        }
        Ok(read)
    }

    /// All values of an attribute `2.5.4.n`.
    pub(super) fn all(&self, number: u32) -> impl Iterator<Item = &str> {
        let values = self.attributes.iter();
        let values = values.filter(move |(kind, _)| *kind == [2, 5, 4, number]);
        values.map(|(_, value)| value.as_str())
    }
}

/// A string, whatever its alphabet. Nothing if it has letters that are not in it.
fn text(value: Element<'_>) -> Option<String> {
    let bytes = value.content;
    let of_ascii = |is_valid: &dyn Fn(u8) -> bool| {
        let is_valid = bytes.iter().all(|byte| is_valid(*byte));
        is_valid.then(|| bytes.iter().copied().map(char::from).collect())
    };
    match value.tag {
        // Latin-1, as far as anybody uses it.
        tag::T61_STRING => of_ascii(&|_| true),
        tag::PRINTABLE_STRING => {
            of_ascii(&|byte| byte.is_ascii_alphanumeric() || b" '()+,-./:=?*&".contains(&byte))
        }
        tag::IA5_STRING => of_ascii(&|byte| byte.is_ascii()),
        tag::NUMERIC_STRING => of_ascii(&|byte| byte.is_ascii_digit() || byte == b' '),
        tag::UTF8_STRING => String::from_utf8(bytes.to_vec()).ok(),
        tag::BMP_STRING => {
            let bytes = bytes.strip_suffix(b"\0\0").unwrap_or(bytes);
            let (units, rest) = bytes.as_chunks();
            let character = |unit: &[u8; 2]| {
                let unit = u16::from_be_bytes(*unit);
                let is_character = unit < 0xfffe && !(0xfdd0..=0xfdef).contains(&unit);
                char::from_u32(unit.into()).filter(|_| is_character)
            };
            let text = units.iter().map(character).collect::<Option<String>>();
            text.filter(|_| rest.is_empty())
        }
        _ => None,
    }
}
