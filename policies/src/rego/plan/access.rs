//! What a plan can look at of `input` and `data`.

use std::collections::BTreeMap;

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
