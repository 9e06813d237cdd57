//! Masks of the decision log, as OPA has them: what `data.system.log.mask` says is taken out of an
//! entry or replaced in it.
//!
//! A mask is a path, which is removed, or an object with `op` (`remove` or `upsert`), `path` and
//! `value`. A path begins with `/input`, `/result` or `/nd_builtin_cache`, its parts stand between
//! slashes, and a part is a key or an index. What a path does not lead to is left as it is. Source:
//! `v1/plugins/logs/mask.go` of OPA 1.22, which reads a mask that it does not understand as a fault of
//! all of them, and writes the parts of a path as Go's `url.PathEscape` does.
//!
//! One thing is wider than in OPA, which looks for a key as it has escaped it, and so does not find
//! one with a space, a slash or a letter beyond ASCII: here a part also means the key as it is
//! written, or as it is unescaped. So a mask hides what OPA hides, and what its author meant.

use crate::{
    Document,
    rego::value::{self, Value, order},
};

/// The documents of an entry that masks reach, and what they have done to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maskable {
    /// The input.
    pub input: Option<Document>,
    /// The result.
    pub result: Option<Document>,
    /// Paths of what was removed, in the order of the masks.
    pub erased: Vec<String>,
    /// Paths of what was replaced, in the order of the masks.
    pub masked: Vec<String>,
}

/// Masks in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Masks(Vec<Mask>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Mask {
    root: Root,
    /// Parts behind the root; without any, all of it is meant.
    parts: Vec<Part>,
    /// The path as it is told.
    path: String,
    change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Root {
    Input,
    Result,
    /// Answers of other hosts, which no entry of ours has.
    BuiltinCache,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    Remove,
    Upsert(Value),
}

/// A key, in the ways in which a path can mean it; OPA's comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    escaped: String,
    written: String,
    unescaped: String,
}

impl Masks {
    /// Reads what `data.system.log.mask` is: an array or a set. The error is a sentence.
    pub fn read(document: &Document) -> Result<Self, String> {
        let masks: Vec<&Value> = match document.value() {
            Value::Set(set) => order::members(set).collect(),
            other => value::elements(other)
                .ok_or("it is neither a set nor an array")?
                .iter()
                .collect(),
        };
        masks
            .into_iter()
            .map(Mask::read)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Does what the masks say, one after the other.
    pub fn apply(&self, entry: &mut Maskable) {
        for mask in &self.0 {
            mask.apply(entry);
        }
    }
}

impl Mask {
    fn read(mask: &Value) -> Result<Self, String> {
        let Value::Object(members) = mask else {
            let Value::String(path) = mask else {
                return Err("a mask is neither a path nor an object".to_owned());
            };
            return Self::of(path, Change::Remove);
        };
        let text = |name: &str| match members.get(&Value::from(name)) {
            Some(Value::String(text)) => text.to_string(),
            _ => String::new(),
        };
        let change = match text("op").as_str() {
            "remove" => Change::Remove,
            "upsert" => {
                let value = members.get(&Value::from("value"));
                Change::Upsert(value.cloned().unwrap_or(Value::Null))
            }
            _ => return Err("the `op` of a mask is neither `remove` nor `upsert`".to_owned()),
        };
        Self::of(&text("path"), change)
    }

    fn of(path: &str, change: Change) -> Result<Self, String> {
        let path = path
            .strip_prefix('/')
            .ok_or("the path of a mask does not begin with a slash")?;
        let mut parts = path.split('/');
        let root = match parts.next().unwrap_or_default() {
            "input" => Root::Input,
            "result" => Root::Result,
            "nd_builtin_cache" => Root::BuiltinCache,
            _ => {
                return Err(
                    "the path of a mask begins with none of `/input`, `/result` and \
                            `/nd_builtin_cache`"
                        .to_owned(),
                );
            }
        };
        let parts = parts.map(Part::read).collect::<Result<Vec<_>, _>>()?;
        let mut told = format!("/{}", root.name());
        for part in &parts {
            told.push('/');
            told.push_str(&part.escaped);
        }
        Ok(Self {
            root,
            parts,
            path: told,
            change,
        })
    }

    fn apply(&self, entry: &mut Maskable) {
        let place = match self.root {
            Root::Input => &mut entry.input,
            Root::Result => &mut entry.result,
            Root::BuiltinCache => return,
        };
        let Some(document) = place else { return };
        let changed = match (&self.change, self.parts.as_slice()) {
            (Change::Remove, []) => None,
            (Change::Upsert(value), []) => Some(value.clone()),
            (change, [first, rest @ ..]) => {
                let Some(value) = changed(document.value(), first, rest, change) else {
                    return;
                };
                Some(value)
            }
        };
        *place = changed.map(Document::new);
        let told = match self.change {
            Change::Remove => &mut entry.erased,
            Change::Upsert(_) => &mut entry.masked,
        };
        told.push(self.path.clone());
    }
}

impl Root {
    fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Result => "result",
            Self::BuiltinCache => "nd_builtin_cache",
        }
    }
}

impl Part {
    fn read(written: &str) -> Result<Self, String> {
        let unescaped = unescaped(written).ok_or("the path of a mask has a bad escape")?;
        Ok(Self {
            escaped: escaped(written),
            written: written.to_owned(),
            unescaped,
        })
    }

    /// The key of an object that is meant, if the object has one.
    fn key_in(&self, object: &Value) -> Option<Value> {
        let Value::Object(members) = object else {
            return None;
        };
        [&self.escaped, &self.written, &self.unescaped]
            .into_iter()
            .map(|name| Value::from(name.as_str()))
            .find(|key| members.contains_key(key))
    }

    /// The key that an object gets where it has none that is meant.
    fn new_key(&self) -> Value {
        Value::from(self.unescaped.as_str())
    }

    /// The index of an array that is meant, if there is such an element.
    fn index_in(&self, elements: &[Value]) -> Option<usize> {
        // As Go's `Atoi` reads it, with a sign too.
        let index: i64 = self.escaped.parse().ok()?;
        usize::try_from(index)
            .ok()
            .filter(|index| *index < elements.len())
    }
}

/// The value with the change at a path; `None` where the path leads nowhere.
fn changed(value: &Value, part: &Part, rest: &[Part], change: &Change) -> Option<Value> {
    let below = |child: &Value| match rest {
        [next, rest @ ..] => changed(child, next, rest, change).map(Some),
        [] => Some(match change {
            Change::Remove => None,
            Change::Upsert(value) => Some(value.clone()),
        }),
    };
    if let Some(elements) = value::elements(value) {
        let index = part.index_in(elements)?;
        let mut elements = elements.to_vec();
        match below(&elements[index])? {
            Some(child) => elements[index] = child,
            None => drop(elements.remove(index)),
        }
        return Some(Value::from(elements));
    }
    let Value::Object(members) = value else {
        return None;
    };
    let (key, child) = match part.key_in(value) {
        Some(key) => {
            let child = below(members.get(&key)?)?;
            (key, child)
        }
        // What is not there is made, on the way to what is put there.
        None if matches!(change, Change::Upsert(_)) => {
            (part.new_key(), below(&Value::new_object())?)
        }
        None => return None,
    };
    let mut copy = value.clone();
    let members = copy.as_object_mut().ok()?;
    match child {
        Some(child) => drop(members.insert(key, child)),
        None => drop(members.remove(&key)),
    }
    Some(copy)
}

/// As Go's `url.PathEscape` writes it.
pub(crate) fn escaped(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+=:@".contains(&byte) {
            text.push(char::from(byte));
        } else {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            text.push('%');
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 0xf)]));
        }
    }
    text
}

/// As Go's `url.PathUnescape` reads it; `None` where it is a fault.
fn unescaped(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, tail) = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let byte = digit(*high)? * 16 + digit(*low)?;
                (u8::try_from(byte).ok()?, tail)
            }
            (b'%', _) => return None,
            (byte, tail) => (*byte, tail),
        };
        bytes.push(byte);
        rest = tail;
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests;
