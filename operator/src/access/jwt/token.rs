//! The parts of a token (RFC 7515, section 7.1): what is read of them before anything is verified.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use portcullis_policies::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::{Algorithm, claims::Claims};

/// Longest token, in bytes. Those with hundreds of groups have some ten thousand.
const LONGEST: usize = 32 << 10;

/// A token in its parts.
#[derive(Debug)]
pub(super) struct Token<'t> {
    header: Header,
    pub(super) claims: Claims,
    /// What is signed: the first two parts as they are written.
    pub(super) signed: &'t str,
    pub(super) signature: Vec<u8>,
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    cty: Option<String>,
    crit: Option<Json>,
}

impl<'t> Token<'t> {
    /// The parts of a text; `None` where it is no signed token with claims, but maybe another one.
    pub(super) fn read(text: &'t str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        if claims.contains('.') {
            return None;
        }
        Some(Self {
            header: serde_json::from_slice(&decoded(header)?).ok()?,
            claims: Claims(serde_json::from_slice(&decoded(claims)?).ok()?),
            signed,
            signature: decoded(signature)?,
        })
    }

    /// The algorithm that it says it is signed with, or why that cannot be.
    pub(super) fn algorithm(&self) -> Result<Algorithm, &'static str> {
        if self.header.crit.is_some() {
            return Err("it has to be understood in ways that are not known here (`crit`)");
        }
        if self.header.cty.is_some() {
            return Err("it holds another token (`cty`)");
        }
        self.header
            .alg
            .parse()
            .map_err(|_| "it is not signed with a public key's algorithm")
    }

    /// The key that it says it is signed by.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }
}

/// When somebody else's token says that it ends, if it is one that says so. Nothing is verified.
pub(in crate::access) fn claimed_end(text: &str) -> Option<Timestamp> {
    let claims = text.split('.').nth(1)?;
    let claims: Map<String, Json> = serde_json::from_slice(&decoded(claims)?).ok()?;
    Claims(claims).time("exp").ok().flatten()
}

fn decoded(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}
