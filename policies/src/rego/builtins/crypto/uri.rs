//! URIs in certificates, as Go's `net/url` reads and writes them.
//!
//! Only those without escapes and brackets are read, of which Go changes nothing but the case of
//! the scheme.

use super::{beyond, wrong};
use crate::rego::builtins::Result;

/// The parts of a URI.
#[derive(Debug, Default)]
pub(super) struct Uri {
    pub(super) scheme: String,
    /// All that follows the scheme, where that does not begin with a slash.
    pub(super) opaque: String,
    pub(super) has_user: bool,
    pub(super) host: String,
    pub(super) path: String,
    /// Whether the path follows the scheme.
    pub(super) omits_host: bool,
    /// It ends with its question mark.
    pub(super) forces_query: bool,
    pub(super) query: String,
    pub(super) fragment: String,
    pub(super) text: String,
}

/// Letters that Go escapes if it writes a path, and reads all the same.
pub(super) const ESCAPED_IN_PATHS: &str = "!'()*";

impl Uri {
    pub(super) fn read(text: &str) -> Result<Self> {
        let unusual = || beyond("a URI of a certificate is unusual");
        let invalid = |what| wrong(format!("x509: cannot parse URI {text:?}: {what}"));
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#@!$&'()*+,;=".contains(&byte);
        if text.starts_with(':') {
            return Err(invalid("missing protocol scheme"));
        }
        if !text.bytes().all(is_plain) || text.matches('#').count() > 1 {
            return Err(unusual());
        }
        let (before, fragment) = text.split_once('#').unwrap_or((text, ""));
        let (scheme, rest) = before.split_once(':').ok_or_else(unusual)?;
        let of_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        if !scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            || !scheme.bytes().all(of_scheme)
        {
            return Err(unusual());
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Self {
            scheme: scheme.to_ascii_lowercase(),
            forces_query: before.ends_with('?') && before.matches('?').count() == 1,
            query: query.to_owned(),
            fragment: fragment.to_owned(),
            ..Self::default()
        };
        if let Some(authority) = rest.strip_prefix("//") {
            let at = authority.find('/').unwrap_or(authority.len());
            let (authority, path) = authority.split_at(at);
            if authority.is_empty() && path.is_empty() {
                return Err(unusual());
            }
            path.clone_into(&mut uri.path);
            let host = match authority.rsplit_once('@') {
                None => authority,
                Some((user, host)) => {
                    uri.has_user = true;
                    let is_written_so =
                        |letter: char| !"@!'()*".contains(letter) && letter.is_ascii();
                    if !user.chars().all(is_written_so) || user.matches(':').count() > 1 {
                        return Err(unusual());
                    }
                    host
                }
            };
            if let Some((_, port)) = host.split_once(':') {
                if port.contains(':') {
                    return Err(unusual());
                }
                if !port.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(invalid("invalid port after host"));
                }
            }
            host.clone_into(&mut uri.host);
        } else if rest.starts_with('/') {
            uri.omits_host = true;
            rest.clone_into(&mut uri.path);
        } else {
            rest.clone_into(&mut uri.opaque);
        }
        let written = text.strip_suffix('#').unwrap_or(text);
        uri.text = [uri.scheme.as_str(), &written[scheme.len()..]].concat();
        Ok(uri)
    }
}
