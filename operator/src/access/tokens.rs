//! Bearer tokens in a file, where there is no cluster.
//!
//! One line a caller, `NAME TOKEN [GROUP[,GROUP…]]`, with blanks between them. Empty lines and those
//! that begin with `#` are passed over. In memory are digests under a key of this process, and no
//! token.

use std::{collections::HashMap, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use aws_lc_rs::{hmac, rand::SystemRandom};
use futures::future::{BoxFuture, FutureExt as _, ready};
use portcullis_webhook::{AccessFault, Authenticator, Identified, Identity, Method, NameFault};

/// Fewest characters of a token: shorter ones can be guessed over a network.
pub(crate) const SHORTEST: usize = 16;

/// Most callers of a file; where there are more, something issues their tokens.
const MOST: usize = 10_000;

/// The callers that a file names.
pub struct TokenFile {
    callers: ArcSwap<HashMap<Vec<u8>, Identity>>,
    key: hmac::Key,
}

/// Why a file cannot be used. What was in force stays.
#[derive(Debug, thiserror::Error)]
pub enum TokenFault {
    /// It is no text.
    #[error("the file of tokens is not UTF-8")]
    Text,
    /// A line that is none.
    #[error("line {0} of the file of tokens is not `NAME TOKEN [GROUP,…]`")]
    Line(usize),
    /// A token that can be guessed.
    #[error("line {0} of the file of tokens has a token of fewer than {SHORTEST} characters")]
    Short(usize),
    /// A token that no header can carry (RFC 6750, section 2.1).
    #[error(
        "line {0} of the file of tokens has a token with other characters than A-Z a-z 0-9 - . _ ~ + / ="
    )]
    Characters(usize),
    /// A name that is none.
    #[error("line {0} of the file of tokens names nobody")]
    Name(usize, #[source] NameFault),
    /// Two callers with one token.
    #[error("line {0} of the file of tokens has the token of another line")]
    Twice(usize),
    /// Too many of them.
    #[error("the file of tokens has more than {MOST} callers")]
    Many,
    /// There is nobody.
    #[error("the file of tokens names nobody")]
    Empty,
}

impl TokenFile {
    /// The callers of a file's text.
    pub fn new(text: &[u8]) -> Result<Arc<Self>, TokenFault> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .expect("the operating system must have random bytes");
        let callers = read(text, &key)?;
        Ok(Arc::new(Self {
            callers: ArcSwap::from_pointee(callers),
            key,
        }))
    }

    /// Takes over what the file says now.
    pub fn install(&self, text: &[u8]) -> Result<(), TokenFault> {
        let callers = read(text, &self.key)?;
        self.callers.store(Arc::new(callers));
        Ok(())
    }
}

fn read(text: &[u8], key: &hmac::Key) -> Result<HashMap<Vec<u8>, Identity>, TokenFault> {
    let text = std::str::from_utf8(text).map_err(|_| TokenFault::Text)?;
    let mut callers = HashMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (name, token, groups) = match words.as_slice() {
            [] => continue,
            [first, ..] if first.starts_with('#') => continue,
            [name, token] => (*name, *token, None),
            [name, token, groups] => (*name, *token, Some(*groups)),
            _ => return Err(TokenFault::Line(number)),
        };
        if token.len() < SHORTEST {
            return Err(TokenFault::Short(number));
        }
        if !token
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte))
        {
            return Err(TokenFault::Characters(number));
        }
        if callers.len() == MOST {
            return Err(TokenFault::Many);
        }
        let groups = groups.into_iter().flat_map(|groups| groups.split(','));
        let identity = Identity::new(Method::Token, name, groups.map(str::to_owned))
            .map_err(|fault| TokenFault::Name(number, fault))?;
        if callers.insert(digest(key, token), identity).is_some() {
            return Err(TokenFault::Twice(number));
        }
    }
    if callers.is_empty() {
        return Err(TokenFault::Empty);
    }
    Ok(callers)
}

/// What stands for a token. The time of a look-up tells nothing of the token.
fn digest(key: &hmac::Key, token: &str) -> Vec<u8> {
    hmac::sign(key, token.as_bytes()).as_ref().to_vec()
}

impl Authenticator for TokenFile {
    fn identify(&self, token: Arc<str>) -> BoxFuture<'static, Result<Identified, AccessFault>> {
        let found = self.callers.load().get(&digest(&self.key, &token)).cloned();
        let found = found.map_or(Identified::Unknown, Identified::As);
        ready(Ok(found)).boxed()
    }

    /// The file is at hand.
    fn memory(&self) -> Duration {
        Duration::ZERO
    }
}

/// Shows no secret.
impl std::fmt::Debug for TokenFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("TokenFile")
            .field("callers", &self.callers.load().len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const FILE: &str =
        "# who may ask\n\nweb 0123456789abcdef\n  ci\tAbc.def-ghi_jkl~m+/= builders,nightly\n";

    async fn who(file: &TokenFile, token: &str) -> Identified {
        file.identify(token.into()).await.unwrap()
    }

    #[tokio::test]
    async fn tokens_of_a_file_name_their_callers() {
        let file = TokenFile::new(FILE.as_bytes()).unwrap();
        let Identified::As(web) = who(&file, "0123456789abcdef").await else {
            panic!("it must be known");
        };
        assert_eq!(
            (web.name(), web.groups(), web.method()),
            ("web", &[][..], Method::Token)
        );
        let Identified::As(ci) = who(&file, "Abc.def-ghi_jkl~m+/=").await else {
            panic!("it must be known");
        };
        assert_eq!(
            (ci.name(), ci.groups()),
            ("ci", &["builders".to_owned(), "nightly".to_owned()][..])
        );
        for other in ["", "0123456789abcde", "0123456789abcdef0", "web"] {
            assert_eq!(who(&file, other).await, Identified::Unknown, "{other}");
        }
        assert!(!format!("{file:?}").contains("0123456789abcdef"));
    }

    #[tokio::test]
    async fn a_file_that_changes_is_taken_over_and_one_that_is_none_is_not() {
        let file = TokenFile::new(FILE.as_bytes()).unwrap();
        file.install(b"other fedcba9876543210").unwrap();
        assert_eq!(who(&file, "0123456789abcdef").await, Identified::Unknown);
        file.install(b"short 1").unwrap_err();
        assert!(matches!(
            who(&file, "fedcba9876543210").await,
            Identified::As(_)
        ));
    }

    #[rstest]
    #[case("", "names nobody")]
    #[case("# nobody", "names nobody")]
    #[case("web", "line 1 of the file of tokens is not")]
    #[case("\nweb 0123456789abcdef a b", "line 2 of the file of tokens is not")]
    #[case("web 0123456789abcde", "fewer than 16")]
    #[case("web 0123456789abcdeö", "other characters")]
    #[case("web 0123456789abcdef a,,b", "names nobody")]
    #[case(
        "a 0123456789abcdef\nb 0123456789abcdef",
        "line 2 of the file of tokens has the token"
    )]
    fn files_that_are_none(#[case] text: &str, #[case] says: &str) {
        let fault = TokenFile::new(text.as_bytes()).unwrap_err().to_string();
        assert!(fault.contains(says), "{fault}");
        assert!(!fault.contains("0123456789"), "{fault}");
    }
}
