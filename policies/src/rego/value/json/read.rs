//! Reading JSON: the values that somebody looks at, with their numbers as they are written.
//!
//! What nobody looks at is skipped, but it has to be JSON all the same: whether a request can be
//! read does not depend on the policies that are in force.

use std::collections::BTreeMap;

use super::scan::{Fault, Quoted, Scanner};
use crate::rego::{
    plan::access::Access,
    value::{Value, number},
};

/// Reads all of a document. The error is a sentence.
pub fn read(text: &str) -> Result<Value, String> {
    read_parts(text.as_bytes(), &Access::All).map_err(|fault| fault.to_string())
}

/// Reads of a document what is looked at.
///
/// Of an object, members under keys that are not looked at are left out; of an array whose elements
/// are not looked at, all elements. Of a value of which only the type is looked at, there is some
/// value of the type. Of members with the same key the last one counts.
pub fn read_parts(text: &[u8], access: &Access) -> Result<Value, Fault> {
    let mut reader = Reader::new(text);
    let value = reader.value(access)?;
    reader.scanner.end()?;
    Ok(value)
}

/// Reads the value that a text begins with, whatever follows it.
pub fn read_first(text: &[u8]) -> Result<Value, Fault> {
    Reader::new(text).value(&Access::All)
}

/// Keys that are remembered, by a hash that is cheap: the keys of the containers of a Pod are the
/// same for each container, and are few.
const NAMES: usize = 64;

/// Longer keys are not remembered: names of labels and annotations seldom come twice.
const LONGEST_NAME: usize = 24;

#[derive(Debug)]
struct Reader<'t> {
    scanner: Scanner<'t>,
    /// The elements of the arrays that are being read, those of the innermost at the end.
    elements: Vec<Value>,
    /// The members of the objects that are being read, likewise.
    members: Vec<(Value, Value)>,
    /// Keys that came before, or null.
    names: [Value; NAMES],
    /// An object without members: of those that say who manages what, there are many.
    empty: Value,
}

impl<'t> Reader<'t> {
    fn new(text: &'t [u8]) -> Self {
        Self {
            scanner: Scanner::new(text),
            elements: Vec::new(),
            members: Vec::with_capacity(NAMES),
            names: [const { Value::Null }; NAMES],
            empty: Value::new_object(),
        }
    }
}

impl Reader<'_> {
    fn value(&mut self, access: &Access) -> Result<Value, Fault> {
        let is_read = *access == Access::All;
        match self.scanner.peek() {
            Some(b'{') => self.object(access),
            Some(b'[') => self.array(access),
            Some(b'"') => {
                let string = self.scanner.string()?;
                Ok(Value::from(&*if is_read {
                    string.text()
                } else {
                    "".into()
                }))
            }
            Some(b'-' | b'0'..=b'9') => self.number(is_read),
            Some(b't') => self.scanner.word(b"true").map(|()| Value::Bool(true)),
            Some(b'f') => {
                self.scanner.word(b"false")?;
                Ok(Value::Bool(!is_read))
            }
            Some(b'n') => self.scanner.word(b"null").map(|()| Value::Null),
            _ => Err(self.scanner.unexpected()),
        }
    }

    fn number(&mut self, is_read: bool) -> Result<Value, Fault> {
        let digits = self.scanner.number()?;
        if !is_read {
            return Ok(Value::from(0_u64));
        }
        number::parse(digits.text).ok_or(Fault::Digits { at: digits.at })
    }

    fn array(&mut self, access: &Access) -> Result<Value, Fault> {
        let element = match access {
            Access::All => access,
            Access::Parts {
                each: Some(each), ..
            } => each,
            Access::Parts { each: None, .. } => {
                self.scanner.skip()?;
                return Ok(Value::new_array());
            }
        };
        self.scanner.open()?;
        let start = self.elements.len();
        let mut more = !self.scanner.take(b']');
        while more {
            let value = self.value(element)?;
            self.elements.push(value);
            more = self.scanner.more(b']')?;
        }
        self.scanner.close();
        Ok(Value::from(self.elements.split_off(start)))
    }

    fn object(&mut self, access: &Access) -> Result<Value, Fault> {
        if access.is_nothing() {
            self.scanner.skip()?;
            return Ok(self.empty.clone());
        }
        self.scanner.open()?;
        let start = self.members.len();
        let mut more = !self.scanner.take(b'}');
        while more {
            let key = self.scanner.key()?;
            self.member(key, access)?;
            more = self.scanner.more(b'}')?;
        }
        self.scanner.close();
        if self.members.len() == start {
            return Ok(self.empty.clone());
        }
        // One by one, which of few members is faster than to sort them first.
        let mut members = BTreeMap::new();
        for (name, value) in self.members.drain(start..) {
            members.insert(name, value);
        }
        Ok(Value::from(members))
    }

    fn member(&mut self, key: Quoted<'_>, access: &Access) -> Result<(), Fault> {
        let key = key.text();
        let Some(below) = access.at(&key) else {
            return self.scanner.skip();
        };
        let name = self.name(&key);
        let value = self.value(below)?;
        self.members.push((name, value));
        Ok(())
    }

    /// A key, shared with others that are equal.
    fn name(&mut self, key: &str) -> Value {
        let (Some(first), Some(last)) = (key.as_bytes().first(), key.as_bytes().last()) else {
            return Value::from(key);
        };
        if key.len() > LONGEST_NAME {
            return Value::from(key);
        }
        let hash = usize::from(*first) * 7 + usize::from(*last) * 3 + key.len();
        let known = &mut self.names[hash % NAMES];
        if !matches!(known, Value::String(known) if **known == *key) {
            *known = Value::from(key);
        }
        known.clone()
    }
}
