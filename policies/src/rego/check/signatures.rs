//! What builtin functions take and give: OPA's declarations, and ours of what the TSA policy service
//! has besides (`get_header`, `did_to_url`, `cache.get` and their like), one a line in
//! `signatures.txt`.
//!
//! ```text
//! concat(string, (array[string] | set[string])) -> string
//! ```
//!
//! A type is `any`, `null`, `boolean`, `number`, `string`, `array[T]`, `set[T]`, `[T, T]` (an array
//! of that length), `{"key": T, [T]: T}` (an object with known and other keys) or `(T | T)`. What
//! gives nothing gives `void`. After `#` stand `relation` (more than one result), `deprecated` and
//! `nondeterministic`.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use regorus::Value;

use super::types::Type;

/// What a builtin function takes and gives.
#[derive(Debug)]
pub struct Signature {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub arguments: Vec<Type>,
    /// It takes any number of arguments.
    pub variadic: bool,
    /// What it gives, if anything.
    pub result: Option<Type>,
    /// It can have several results for the same arguments.
    pub relation: bool,
    /// OPA 1 refuses it.
    pub deprecated: bool,
}

impl Signature {
    /// The type of the function.
    pub fn kind(&self) -> Type {
        let result = self.result.clone().unwrap_or(Type::Unknown);
        Type::Function(self.arguments.iter().cloned().collect(), Arc::new(result))
    }
}

/// The signature of the builtin function of that name.
pub fn find(name: &str) -> Option<&'static Signature> {
    TABLE.get(name)
}

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Signature> {
    TABLE.values()
}

static TABLE: LazyLock<HashMap<&'static str, Signature>> = LazyLock::new(|| {
    include_str!("signatures.txt")
        .lines()
        .map(|line| {
            let signature = Reader { rest: line }
                .signature()
                .expect("signatures.txt keeps its grammar");
            (signature.name, signature)
        })
        .collect()
});

struct Reader {
    rest: &'static str,
}

impl Reader {
    fn signature(mut self) -> Option<Signature> {
        let (name, rest) = self.rest.split_once('(')?;
        self.rest = rest;
        let mut arguments = Vec::new();
        let mut variadic = false;
        while !self.take(")") {
            variadic |= self.take("...");
            arguments.push(self.kind()?);
            self.take(", ");
        }
        if variadic {
            arguments.clear();
        }
        self.expect(" -> ")?;
        let result = if self.take("void") {
            None
        } else {
            Some(self.kind()?)
        };
        Some(Signature {
            name,
            arguments,
            variadic,
            result,
            relation: self.rest.contains("relation"),
            deprecated: self.rest.contains("deprecated"),
        })
    }

    fn kind(&mut self) -> Option<Type> {
        let scalar = [
            ("any", Type::ANY),
            ("null", Type::Null),
            ("boolean", Type::Boolean),
            ("number", Type::Number),
            ("string", Type::String),
        ];
        for (name, kind) in scalar {
            if self.take(name) {
                return Some(kind);
            }
        }
        if self.take("array[") {
            let of = self.kind()?;
            self.expect("]")?;
            Some(Type::array(of))
        } else if self.take("set[") {
            let of = self.kind()?;
            self.expect("]")?;
            Some(Type::set(of))
        } else if self.take("(") {
            let mut of = vec![self.kind()?];
            while self.take(" | ") {
                of.push(self.kind()?);
            }
            self.expect(")")?;
            Some(Type::Any(of.into()))
        } else if self.take("[") {
            let mut first = vec![self.kind()?];
            while self.take(", ") {
                first.push(self.kind()?);
            }
            self.expect("]")?;
            Some(Type::Array(first.into(), None))
        } else {
            self.expect("{")?;
            self.object()
        }
    }

    fn object(&mut self) -> Option<Type> {
        let mut known = Vec::new();
        let mut rest = None;
        while !self.take("}") {
            if self.take("\"") {
                let (key, after) = self.rest.split_once('"')?;
                self.rest = after;
                self.expect(": ")?;
                known.push((Value::from(key), self.kind()?));
            } else {
                self.expect("[")?;
                let key = self.kind()?;
                self.expect("]: ")?;
                rest = Some(Arc::new((key, self.kind()?)));
            }
            self.take(", ");
        }
        Some(Type::Object(known.into(), rest))
    }

    fn take(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, text: &str) -> Option<()> {
        self.take(text).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: &str) {
        let signature = find(name).expect("the builtin is in the table");
        let arguments: Vec<String> = signature.arguments.iter().map(Type::to_string).collect();
        let result = signature
            .result
            .as_ref()
            .map_or("void".to_owned(), Type::to_string);
        assert_eq!(format!("{} -> {result}", arguments.join(", ")), expected);
    }

    #[test]
    fn every_line_is_read() {
        assert_eq!(
            all().count(),
            include_str!("signatures.txt").lines().count()
        );
        check(
            "concat",
            "string, any<array[string], set[string]> -> string",
        );
        check("walk", "any -> array<array[any], any>");
        check("print", " -> void");
        check(
            "io.jwt.decode_verify",
            "string, object[string: any] -> array<boolean, object[any: any], object[any: any]>",
        );
    }
}
