//! The address of a policy: who owns it, and `group/name@version`.

use std::{cmp::Ordering, fmt, str::FromStr};

use serde::{Serialize, Serializer};

/// Longest group and name, in bytes. Both are Rego package segments and appear in object names,
/// where Kubernetes' limit for a label is 63.
const MAX_SEGMENT: usize = 63;

/// Longest version, in bytes; as for the other parts.
const MAX_VERSION: usize = 63;

/// Who owns a policy: the cluster, or one namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// A `ClusterPolicy`, or a policy of a directory that names no namespace.
    Cluster,
    /// A `Policy` of this namespace. It judges objects of this namespace only.
    Namespace(String),
}

/// A dotted number such as `1.0`. Versions order by number, dot by dot, so `1.10` is after `1.9`;
/// `1` and `1.0` are two versions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version(String);

/// Where a policy is found: `platform/required_labels@1.0`, in a scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    scope: Scope,
    group: String,
    name: String,
    version: Version,
}

/// Why a text is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// `platform` or `platform/labels`
    #[error("`{0}` is not an address: expected group/name@version, such as platform/labels@1.0")]
    Shape(String),
    /// `Platform`, `required-labels`, and the empty string
    #[error(
        "`{0}` is not a valid {1}: use a lower-case letter, then lower-case letters, digits and \
         underscores, at most {MAX_SEGMENT}"
    )]
    Segment(String, &'static str),
    /// `v1`, `1.`, `1..0`
    #[error(
        "`{0}` is not a valid version: use numbers separated by dots, such as 1.0, at most \
         {MAX_VERSION} characters"
    )]
    Version(String),
}

impl Address {
    /// An address of checked parts.
    pub fn new(scope: Scope, group: &str, name: &str, version: &str) -> Result<Self, AddressError> {
        Ok(Self {
            scope,
            group: segment(group, "group")?,
            name: segment(name, "name")?,
            version: version.parse()?,
        })
    }

    /// The owner.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The first part: `platform`.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// The second part: `required_labels`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The third part: `1.0`.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The namespace that owns the policy, if one does.
    pub fn namespace(&self) -> Option<&str> {
        self.scope.namespace()
    }

    /// The Rego package that the policy's modules live in: `platform.required_labels`.
    pub fn package(&self) -> String {
        format!("{}.{}", self.group, self.name)
    }

    /// Where another version of the same policy is found.
    #[must_use]
    pub fn at_version(&self, version: &Version) -> Self {
        Self {
            version: version.clone(),
            ..self.clone()
        }
    }

    /// Whether both are versions of one policy.
    pub fn is_version_of(&self, other: &Self) -> bool {
        (&self.scope, &self.group, &self.name) == (&other.scope, &other.group, &other.name)
    }

    /// `group/name@version`, without the scope.
    pub fn path(&self) -> String {
        format!("{}/{}@{}", self.group, self.name, self.version)
    }
}

impl Scope {
    /// The namespace, if it is one.
    pub fn namespace(&self) -> Option<&str> {
        match self {
            Self::Cluster => None,
            Self::Namespace(namespace) => Some(namespace),
        }
    }
}

impl Version {
    /// No version is before it.
    pub(crate) fn least() -> Self {
        Self("0".to_owned())
    }

    /// The version as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `group/name@version`, and the namespace where one owns it.
impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}@{}", self.group, self.name, self.version)?;
        match &self.scope {
            Scope::Cluster => Ok(()),
            Scope::Namespace(namespace) => write!(formatter, " in {namespace}"),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Reads `group/name@version` as an address of the cluster's scope.
impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shape = || AddressError::Shape(text.to_owned());
        let (group, rest) = text.split_once('/').ok_or_else(shape)?;
        let (name, version) = rest.split_once('@').ok_or_else(shape)?;
        Self::new(Scope::Cluster, group, name, version)
    }
}

impl FromStr for Version {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numeric = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if text.len() <= MAX_VERSION && text.split('.').all(numeric) {
            Ok(Self(text.to_owned()))
        } else {
            Err(AddressError::Version(text.to_owned()))
        }
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        // Digits compare as numbers of any length: without leading zeros, the longer is larger.
        fn key(part: &str) -> (usize, &str) {
            let digits = part.trim_start_matches('0');
            (digits.len(), digits)
        }
        let left = self.0.split('.').map(key);
        let right = other.0.split('.').map(key);
        // `1.0` and `1.00` are the same number and two versions: the text breaks the tie.
        left.cmp(right).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// As `group/name@version`; the namespace is told apart.
impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.path())
    }
}

fn segment(text: &str, what: &'static str) -> Result<String, AddressError> {
    let mut bytes = text.bytes();
    let starts = bytes.next().is_some_and(|b| b.is_ascii_lowercase());
    let continues = bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if starts && continues && text.len() <= MAX_SEGMENT {
        Ok(text.to_owned())
    } else {
        Err(AddressError::Segment(text.to_owned(), what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("platform/required_labels@1.0")]
    #[case("a/b@0")]
    #[case("gaiax/didresolve@2026.11.22")]
    fn reads_and_prints(#[case] text: &str) {
        assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
    }

    #[rstest]
    #[case("")]
    #[case("platform")]
    #[case("platform/labels")]
    #[case("platform/labels@")]
    #[case("platform/labels@v1")]
    #[case("platform/labels@1.")]
    #[case("Platform/labels@1")]
    #[case("platform/required-labels@1")]
    #[case("platform/1labels@1")]
    #[case("platform/a/b@1")]
    #[case("../etc@1")]
    #[case("platform/l\u{e9}@1")]
    #[case("platform/labels@1.0@2.0")]
    fn refuses(#[case] text: &str) {
        assert!(text.parse::<Address>().is_err(), "{text} was accepted");
    }

    #[test]
    fn segments_are_bounded() {
        let longest = "a".repeat(MAX_SEGMENT);
        assert!(Address::new(Scope::Cluster, &longest, "b", "1").is_ok());
        assert!(Address::new(Scope::Cluster, &format!("{longest}a"), "b", "1").is_err());
        assert!(Address::new(Scope::Cluster, "a", "b", &"1".repeat(MAX_VERSION + 1)).is_err());
    }

    #[rstest]
    #[case("1.9", "1.10")]
    #[case("1", "1.0")]
    #[case("1.0", "1.0.1")]
    #[case("9", "10")]
    #[case("1.0", "1.00")]
    #[case("99999999999999999999998", "99999999999999999999999")]
    fn versions_order_by_number(#[case] older: &str, #[case] newer: &str) {
        let (older, newer): (Version, Version) = (older.parse().unwrap(), newer.parse().unwrap());
        assert!(older < newer, "{older} is not before {newer}");
    }

    #[test]
    fn shows_the_namespace_that_owns_it() {
        let scope = Scope::Namespace("team-a".to_owned());
        let address = Address::new(scope, "web", "hosts", "1.0").unwrap();
        assert_eq!(address.to_string(), "web/hosts@1.0 in team-a");
        assert_eq!(address.path(), "web/hosts@1.0");
        assert_eq!(address.package(), "web.hosts");
    }
}
