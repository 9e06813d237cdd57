//! The algorithms that a token can be signed with (RFC 7518, section 3; RFC 8037, section 3.1).

use std::{fmt, str::FromStr};

/// An algorithm with a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSA, PKCS #1, SHA-256
    Rs256,
    /// RSA, PKCS #1, SHA-384
    Rs384,
    /// RSA, PKCS #1, SHA-512
    Rs512,
    /// RSA, PSS, SHA-256
    Ps256,
    /// RSA, PSS, SHA-384
    Ps384,
    /// RSA, PSS, SHA-512
    Ps512,
    /// ECDSA, P-256, SHA-256
    Es256,
    /// ECDSA, P-384, SHA-384
    Es384,
    /// ECDSA, P-521, SHA-512
    Es512,
    /// Ed25519
    EdDsa,
}

/// What a text that is no algorithm is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no algorithm with a public key: use some of RS256, RS384, RS512, PS256, PS384, PS512, \
     ES256, ES384, ES512, EdDSA"
)]
pub struct AlgorithmFault(String);

impl Algorithm {
    const ALL: [(Self, &'static str); 10] = [
        (Self::Rs256, "RS256"),
        (Self::Rs384, "RS384"),
        (Self::Rs512, "RS512"),
        (Self::Ps256, "PS256"),
        (Self::Ps384, "PS384"),
        (Self::Ps512, "PS512"),
        (Self::Es256, "ES256"),
        (Self::Es384, "ES384"),
        (Self::Es512, "ES512"),
        (Self::EdDsa, "EdDSA"),
    ];
}

impl FromStr for Algorithm {
    type Err = AlgorithmFault;

    fn from_str(text: &str) -> Result<Self, AlgorithmFault> {
        let found = Self::ALL.iter().find(|(_, name)| *name == text);
        let fault = || AlgorithmFault(text.to_owned());
        found.map(|(algorithm, _)| *algorithm).ok_or_else(fault)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = Self::ALL.iter();
        let name = all.find_map(|(algorithm, name)| (algorithm == self).then_some(*name));
        formatter.write_str(name.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("none")]
    #[case("None")]
    #[case("HS256")]
    #[case("HS512")]
    #[case("rs256")]
    #[case("")]
    fn what_is_no_algorithm_for_us(#[case] text: &str) {
        assert!(text.parse::<Algorithm>().is_err());
    }

    #[test]
    fn names() {
        for (algorithm, name) in Algorithm::ALL {
            assert_eq!(name.parse(), Ok(algorithm));
            assert_eq!(algorithm.to_string(), name);
        }
    }
}
