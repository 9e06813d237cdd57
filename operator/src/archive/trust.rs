//! Whose archives are taken in: keys that the administrator configured, each for the addresses that it
//! may sign.

use std::{fmt, path::PathBuf, str::FromStr};

use super::key::PublicKey;

/// Addresses that a signer may sign: all, those of a group, or one name's.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    /// `*`
    All,
    /// `gaiax/*`
    Group(String),
    /// `gaiax/didresolve`
    Name(String, String),
}

/// A file of keys, and what they may sign: `FILE`, or `gaiax/*,web/cookies=FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustFile {
    /// The file.
    pub path: PathBuf,
    patterns: Vec<Pattern>,
}

/// A text that names no file of keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no group/name: write FILE, or what its keys may sign, as gaiax/*,web/cookies=FILE"
)]
pub struct TrustError(String);

/// The keys.
#[derive(Clone, Debug, Default)]
pub struct Trust(Vec<(PublicKey, Vec<Pattern>)>);

impl Trust {
    /// Adds the keys of a file.
    pub(super) fn add(&mut self, file: &TrustFile, keys: Vec<PublicKey>) {
        let patterns = |key| (key, file.patterns.clone());
        self.0.extend(keys.into_iter().map(patterns));
    }

    /// Whether nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The key whose signature of `message` this is.
    pub(super) fn signer(&self, message: &[u8], signature: &[u8]) -> Option<&PublicKey> {
        let mut keys = self.0.iter().map(|(key, _)| key);
        keys.find(|key| key.verifies(message, signature))
    }

    /// Whether a key may sign policies of this name, by any file that it is in.
    pub(super) fn allows(&self, signer: &PublicKey, group: &str, name: &str) -> bool {
        let own = self.0.iter().filter(|(key, _)| key == signer);
        let mut patterns = own.flat_map(|(_, patterns)| patterns);
        patterns.any(|pattern| pattern.matches(group, name))
    }
}

impl Pattern {
    fn matches(&self, group: &str, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Group(own) => own == group,
            Self::Name(own, only) => own == group && only == name,
        }
    }
}

impl FromStr for Pattern {
    type Err = TrustError;

    fn from_str(text: &str) -> Result<Self, TrustError> {
        let wrong = || TrustError(text.to_owned());
        if text == "*" {
            return Ok(Self::All);
        }
        let (group, name) = text.split_once('/').ok_or_else(wrong)?;
        let is_segment = |part: &str| {
            let mut bytes = part.bytes();
            bytes.next().is_some_and(|first| first.is_ascii_lowercase())
                && bytes
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        match (is_segment(group), name) {
            (true, "*") => Ok(Self::Group(group.to_owned())),
            (true, name) if is_segment(name) => Ok(Self::Name(group.to_owned(), name.to_owned())),
            _ => Err(wrong()),
        }
    }
}

impl FromStr for TrustFile {
    type Err = TrustError;

    fn from_str(text: &str) -> Result<Self, TrustError> {
        let (patterns, path) = match text.split_once('=') {
            Some((patterns, path)) => {
                let patterns = patterns.split(',').map(|text| text.trim().parse());
                (patterns.collect::<Result<Vec<_>, _>>()?, path)
            }
            None => (vec![Pattern::All], text),
        };
        if path.is_empty() {
            return Err(TrustError(text.to_owned()));
        }
        Ok(Self {
            path: path.into(),
            patterns,
        })
    }
}

impl fmt::Display for TrustFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::tests::{ed25519_key, p256_key};
    use rstest::rstest;

    #[rstest]
    #[case("keys.pem", "any/thing", true)]
    #[case("*=keys.pem", "any/thing", true)]
    #[case("gaiax/*=keys.pem", "gaiax/thing", true)]
    #[case("gaiax/*=keys.pem", "gaiaxx/thing", false)]
    #[case("gaiax/one, web/cookies=keys.pem", "web/cookies", true)]
    #[case("gaiax/one,web/cookies=keys.pem", "gaiax/two", false)]
    fn what_a_key_may_sign(#[case] file: &str, #[case] address: &str, #[case] expected: bool) {
        let file: TrustFile = file.parse().unwrap();
        assert_eq!(file.path, PathBuf::from("keys.pem"));
        let (own, other) = (ed25519_key(), p256_key());
        let mut trust = Trust::default();
        trust.add(&file, vec![own.public().clone()]);
        let (group, name) = address.split_once('/').unwrap();
        assert_eq!(trust.allows(own.public(), group, name), expected);
        assert!(!trust.allows(other.public(), group, name));
        let signature = own.sign(b"m").unwrap();
        assert_eq!(trust.signer(b"m", &signature), Some(own.public()));
        assert_eq!(trust.signer(b"n", &signature), None);
    }

    #[rstest]
    #[case("")]
    #[case("gaiax/*=")]
    #[case("=keys.pem")]
    #[case("gaiax=keys.pem")]
    #[case("*/one=keys.pem")]
    #[case("gaiax/**=keys.pem")]
    #[case("Gaiax/*=keys.pem")]
    #[case("gaiax/one,=keys.pem")]
    fn texts_that_name_no_file(#[case] text: &str) {
        assert!(text.parse::<TrustFile>().is_err());
    }
}
