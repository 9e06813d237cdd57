//! What a plan can look at of `input` and `data`.

use std::collections::BTreeMap;

use crate::rego::value::{self, Value};

/// What an evaluation can look at; more than it does look at is no fault, less is.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Reads {
    /// Of `input`.
    pub input: Access,
    /// Of base `data`.
    pub data: Access,
}

/// What is looked at of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// All of it.
    All,
    /// Parts; without any, only which type it has. (Where nothing at all is read, a reader may
    /// still need to know that there is something.)
    Parts {
        /// What is looked at below these keys, which are strings.
        keys: BTreeMap<Box<str>, Access>,
        /// What is looked at below every member: each element of an array, each key of an
        /// object. Holds for the keys above as well.
        each: Option<Box<Access>>,
    },
}

impl Default for Access {
    /// Nothing.
    fn default() -> Self {
        Self::Parts {
            keys: BTreeMap::new(),
            each: None,
        }
    }
}

impl Access {
    /// What is looked at of the member under a key.
    pub fn at(&self, key: &str) -> Option<&Self> {
        match self {
            Self::All => Some(self),
            Self::Parts { keys, each } => keys.get(key).or(each.as_deref()),
        }
    }

    /// Whether only the type is looked at.
    #[inline]
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Parts { keys, each: None } if keys.is_empty())
    }

    /// Of an admission review, where this is what is looked at of the `input` that is made of it:
    /// `{"request": …, "review": …, "parameters": …}`, both of the first being the review's
    /// `request`. Which type that has is always looked at.
    #[must_use]
    pub fn of_review(&self) -> Self {
        let mut review = Self::default();
        let request = review.key("request");
        for name in ["request", "review"] {
            if let Some(below) = self.at(name) {
                request.merge(below);
            }
        }
        review
    }

    /// The part under a key, to be extended.
    pub fn key(&mut self, key: &str) -> &mut Self {
        match self {
            Self::All => self,
            Self::Parts { keys, each } => {
                let below = || each.as_deref().cloned().unwrap_or_default();
                keys.entry(key.into()).or_insert_with(below)
            }
        }
    }

    /// Of a value that is there already, what a reader builds that reads only what is looked at: of
    /// the rest, nothing but the types.
    #[must_use]
    pub fn prune(&self, value: &Value) -> Value {
        let Self::Parts { each, .. } = self else {
            return value.clone();
        };
        match value {
            Value::Object(object) => {
                let member = |(key, value): (&Value, &Value)| {
                    let below = self.at(key.as_string().ok()?)?;
                    Some((key.clone(), below.prune(value)))
                };
                let members: BTreeMap<_, _> = object.iter().filter_map(member).collect();
                members.into()
            }
            Value::Bool(_) => Value::Bool(true),
            Value::Number(_) => Value::from(0_u64),
            Value::String(_) => Value::from(""),
            value => match (value::elements(value), each) {
                (Some(elements), Some(below)) => {
                    let kept: Vec<Value> = elements.iter().map(|one| below.prune(one)).collect();
                    kept.into()
                }
                (Some(_), None) => Value::new_array(),
                // A decimal, which is no array.
                (None, _) if value::kind(value) == value::Kind::Number => Value::from(0_u64),
                (None, _) => value.clone(),
            },
        }
    }

    /// All of it is looked at.
    pub fn whole(&mut self) {
        *self = Self::All;
    }

    /// What `other` looks at is looked at as well.
    pub fn merge(&mut self, other: &Self) {
        let Self::Parts { keys, each } = other else {
            return self.whole();
        };
        if let Some(below) = each {
            self.each(|part| part.merge(below));
        }
        for (key, below) in keys {
            self.key(key).merge(below);
        }
    }

    /// Extends the part that is looked at below every member.
    pub fn each(&mut self, mut extend: impl FnMut(&mut Self)) {
        if let Self::Parts { keys, each } = self {
            keys.values_mut().for_each(&mut extend);
            extend(each.get_or_insert_with(Box::default));
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::Access;

    /// Looks at all that is below these paths; `*` is every member.
    fn access(paths: &[&str]) -> Access {
        fn extend(access: &mut Access, path: &[&str]) {
            match path.split_first() {
                None => access.whole(),
                Some((&"*", rest)) => access.each(|below| extend(below, rest)),
                Some((key, rest)) => extend(access.key(key), rest),
            }
        }
        let mut access = Access::default();
        for path in paths {
            let path: Vec<&str> = path.split_terminator('.').collect();
            extend(&mut access, &path);
        }
        access
    }

    #[rstest]
    #[case(&[], &["a.b"], &["a.b"])]
    #[case(&["a.b"], &["a.c"], &["a.b", "a.c"])]
    #[case(&["a.b"], &["a"], &["a"])]
    #[case(&["a.b"], &["*.c"], &["*.c", "a.b"])]
    #[case(&["*.c"], &["a.b"], &["*.c", "a.b"])]
    #[case(&["*"], &["a.b"], &["*", "a"])]
    #[case(&["a"], &[""], &[""])]
    fn merges(#[case] one: &[&str], #[case] other: &[&str], #[case] both: &[&str]) {
        let mut merged = access(one);
        merged.merge(&access(other));
        assert_eq!(merged, access(both));
    }

    #[rstest]
    #[case(&["request.object.a", "review.object.b"], &["request.object.a", "request.object.b"])]
    #[case(&["parameters.labels", "review.kind"], &["request.kind"])]
    #[case(&["*.uid"], &["request.uid"])]
    #[case(&[""], &["request"])]
    fn is_placed_below_a_review(#[case] input: &[&str], #[case] review: &[&str]) {
        assert_eq!(access(input).of_review(), access(review));
    }

    #[test]
    fn of_a_review_the_type_of_the_request_is_looked_at() {
        let review = access(&["parameters"]).of_review();
        assert_eq!(review.at("request"), Some(&Access::default()));
        assert_eq!(review.at("kind"), None);
    }
}
