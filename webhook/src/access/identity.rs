//! Who asks, once it is known.

use std::{collections::BTreeMap, fmt};

use portcullis_policies::{Timestamp, text::is_hostile};

/// Longest name of a caller, in bytes. Those of service accounts have at most 340; SPIFFE allows
/// 2,048, and uses a tenth of it.
const MAX_NAME: usize = 512;

/// Most groups of a caller; a directory that has more for one person names them elsewhere.
const MAX_GROUPS: usize = 256;

/// A caller, as whoever identified it names it. The doors behind find it in a request's extensions,
/// as an `Arc<Identity>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    name: String,
    groups: Vec<String>,
    method: Method,
    uid: String,
    extra: BTreeMap<String, Vec<String>>,
    expires_at: Option<Timestamp>,
}

/// How a caller was identified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// Not at all: whoever can reach the door may ask.
    Anonymous,
    /// By a bearer token that somebody was asked about: the API server, or a file.
    Token,
    /// By a JSON Web Token.
    Jwt,
    /// By a client certificate.
    Certificate,
    /// By the pass of this installation: its operator, or another replica.
    Installation,
}

/// Why a name is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// There is none.
    #[error("it names nobody")]
    Empty,
    /// It is longer than any that is in use.
    #[error("its name or a group is longer than {MAX_NAME} bytes")]
    Long,
    /// It could forge what stands beside it in a log.
    #[error("its name or a group has characters that cannot be shown")]
    Hostile,
    /// There are too many groups.
    #[error("it has more than {MAX_GROUPS} groups")]
    Groups,
}

impl Identity {
    /// A caller with a name that can be shown.
    pub fn new(
        method: Method,
        name: impl Into<String>,
        groups: impl IntoIterator<Item = String>,
    ) -> Result<Self, NameFault> {
        let name = checked(name.into())?;
        let mut checked_groups = Vec::new();
        for group in groups {
            if checked_groups.len() == MAX_GROUPS {
                return Err(NameFault::Groups);
            }
            checked_groups.push(checked(group)?);
        }
        Ok(Self {
            name,
            groups: checked_groups,
            method,
            uid: String::new(),
            extra: BTreeMap::new(),
            expires_at: None,
        })
    }

    /// Whoever can reach the door.
    pub fn anonymous() -> Self {
        Self::fixed(Method::Anonymous, "anonymous")
    }

    /// This installation's own.
    pub(crate) fn installation() -> Self {
        Self::fixed(Method::Installation, "portcullis")
    }

    fn fixed(method: Method, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            groups: Vec::new(),
            method,
            uid: String::new(),
            extra: BTreeMap::new(),
            expires_at: None,
        }
    }

    /// The same, known until then.
    #[must_use]
    pub fn until(self, expires_at: Option<Timestamp>) -> Self {
        Self { expires_at, ..self }
    }

    /// The same with the name that nobody else ever has, and what else whoever identified it has to
    /// know when it is asked about its rights.
    #[must_use]
    pub fn with_details(self, uid: String, extra: BTreeMap<String, Vec<String>>) -> Self {
        Self { uid, extra, ..self }
    }

    /// The name: `system:serviceaccount:shop:web`, `alice`, `anonymous`. It can be shown.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The groups, as whoever identified the caller has them.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// How it was identified.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The name that nobody else ever has; empty where there is none.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// What else is known of it by who identified it, for who did.
    pub fn extra(&self) -> &BTreeMap<String, Vec<String>> {
        &self.extra
    }

    /// Whether somebody said who it is.
    pub fn is_known(&self) -> bool {
        self.method != Method::Anonymous
    }

    /// When what proves it ends, if it does.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }
}

impl Method {
    /// As it is logged and as policies read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anonymous => "none",
            Self::Token => "token",
            Self::Jwt => "jwt",
            Self::Certificate => "mtls",
            Self::Installation => "installation",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

fn checked(name: String) -> Result<String, NameFault> {
    match name {
        name if name.is_empty() => Err(NameFault::Empty),
        name if name.len() > MAX_NAME => Err(NameFault::Long),
        name if name.chars().any(is_hostile) => Err(NameFault::Hostile),
        name => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("system:serviceaccount:shop:web", Ok(()))]
    #[case("Zoë", Ok(()))]
    #[case("", Err(NameFault::Empty))]
    #[case("a\nb", Err(NameFault::Hostile))]
    #[case("a\u{202e}b", Err(NameFault::Hostile))]
    #[case(&"x".repeat(MAX_NAME), Ok(()))]
    #[case(&"x".repeat(MAX_NAME + 1), Err(NameFault::Long))]
    fn names_can_be_shown(#[case] name: &str, #[case] expected: Result<(), NameFault>) {
        let made = Identity::new(Method::Token, name, []);
        assert_eq!(made.map(|made| assert_eq!(made.name(), name)), expected);
        let grouped = Identity::new(Method::Token, "a", [name.to_owned()]);
        assert_eq!(grouped.map(drop), expected);
    }

    #[test]
    fn groups_have_a_bound() {
        let groups = |count| (0..count).map(|number| format!("group-{number}"));
        assert!(Identity::new(Method::Jwt, "a", groups(MAX_GROUPS)).is_ok());
        let more = Identity::new(Method::Jwt, "a", groups(MAX_GROUPS + 1));
        assert_eq!(more, Err(NameFault::Groups));
    }
}
