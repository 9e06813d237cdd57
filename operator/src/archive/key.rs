//! Keys that sign and verify archives: ECDSA on P-256 with SHA-256 (`ES256`), and Ed25519 (`EdDSA`).

use std::fmt;

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ED25519, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair as _, UnparsedPublicKey,
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use rustls::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer, pem::PemObject as _};
use serde_json::{Value as Json, json};

/// What stands before the point of a P-256 key in its `SubjectPublicKeyInfo` (RFC 5480): DER has one way
/// to write it.
const P256_INFO: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// What stands before an Ed25519 key in its `SubjectPublicKeyInfo` (RFC 8410).
const ED25519_INFO: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// Bytes of a coordinate and of an Ed25519 key.
const FIELD: usize = 32;

/// The mark of a point with both coordinates.
const UNCOMPRESSED: u8 = 4;

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Algorithm {
    Es256,
    EdDsa,
}

/// A key that verifies.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey {
    algorithm: Algorithm,
    /// A point without compression, or the 32 bytes of an Ed25519 key.
    bytes: Vec<u8>,
}

/// A key that signs. It is never shown.
pub struct SigningKey {
    pair: Pair,
    public: PublicKey,
}

enum Pair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

/// Why a text is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// There is no private key in it.
    #[error("it holds no private key in PEM")]
    NoPrivateKey,
    /// There is no public key in it.
    #[error("it holds neither a `PUBLIC KEY` in PEM nor a JSON Web Key")]
    NoPublicKey,
    /// There is a private key in it, which is nobody's business here.
    #[error("it holds a private key: give the public key alone")]
    Private,
    /// Another kind of key.
    #[error("the key is neither one of P-256 (ES256) nor one of Ed25519 (EdDSA)")]
    Unsupported,
}

impl SigningKey {
    /// Reads a private key in PEM, of PKCS #8 or SEC 1.
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyFault> {
        let der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| KeyFault::NoPrivateKey)?;
        let ecdsa = match &der {
            PrivateKeyDer::Pkcs8(key) => {
                let key = key.secret_pkcs8_der();
                if let Ok(pair) = Ed25519KeyPair::from_pkcs8(key) {
                    let public = PublicKey {
                        algorithm: Algorithm::EdDsa,
                        bytes: pair.public_key().as_ref().to_vec(),
                    };
                    let pair = Pair::EdDsa(pair);
                    return Ok(Self { pair, public });
                }
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key)
            }
            PrivateKeyDer::Sec1(key) => EcdsaKeyPair::from_private_key_der(
                &ECDSA_P256_SHA256_ASN1_SIGNING,
                key.secret_sec1_der(),
            ),
            _ => return Err(KeyFault::Unsupported),
        };
        let pair = ecdsa.map_err(|_| KeyFault::Unsupported)?;
        let public = PublicKey::point(pair.public_key().as_ref())?;
        let pair = Pair::Es256(pair);
        Ok(Self { pair, public })
    }

    /// The key that verifies what this one signs.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a message: an ASN.1 signature of ECDSA, or the 64 bytes of Ed25519. `None` where the
    /// system has no randomness.
    pub fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        match &self.pair {
            Pair::Es256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message).ok()?;
                Some(signature.as_ref().to_vec())
            }
            Pair::EdDsa(pair) => Some(pair.sign(message).as_ref().to_vec()),
        }
    }
}

impl PublicKey {
    /// Reads all keys of a file: PEM with any number of `PUBLIC KEY`s, a JSON Web Key, or a set of
    /// them.
    pub fn read_all(text: &[u8]) -> Result<Vec<Self>, KeyFault> {
        let keys = match serde_json::from_slice::<Json>(text) {
            Ok(document) => match document.get("keys").and_then(Json::as_array) {
                Some(keys) => keys.iter().map(Self::from_jwk).collect(),
                None => Self::from_jwk(&document).map(|key| vec![key]),
            },
            Err(_) => Self::from_pem(text),
        }?;
        if keys.is_empty() {
            return Err(KeyFault::NoPublicKey);
        }
        Ok(keys)
    }

    fn from_pem(pem: &[u8]) -> Result<Vec<Self>, KeyFault> {
        if PrivateKeyDer::from_pem_slice(pem).is_ok() {
            return Err(KeyFault::Private);
        }
        let infos = SubjectPublicKeyInfoDer::pem_slice_iter(pem);
        infos
            .map(|info| Self::from_info(&info.map_err(|_| KeyFault::NoPublicKey)?))
            .collect()
    }

    fn from_info(info: &[u8]) -> Result<Self, KeyFault> {
        if let Some(bytes) = info.strip_prefix(&ED25519_INFO) {
            return Self::edwards(bytes);
        }
        Self::point(info.strip_prefix(&P256_INFO).ok_or(KeyFault::Unsupported)?)
    }

    /// Reads a JSON Web Key (RFC 7517, RFC 8037).
    fn from_jwk(key: &Json) -> Result<Self, KeyFault> {
        let text = |field: &str| key.get(field).and_then(Json::as_str);
        if key.get("d").is_some() {
            return Err(KeyFault::Private);
        }
        let field = |name: &str| {
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(text(name)?).ok()?;
            (bytes.len() == FIELD).then_some(bytes)
        };
        match (text("kty"), text("crv")) {
            (Some("EC"), Some("P-256")) => {
                let (x, y) = field("x").zip(field("y")).ok_or(KeyFault::NoPublicKey)?;
                Self::point(&[&[UNCOMPRESSED][..], &x, &y].concat())
            }
            (Some("OKP"), Some("Ed25519")) => {
                Self::edwards(&field("x").ok_or(KeyFault::NoPublicKey)?)
            }
            (Some(_), _) => Err(KeyFault::Unsupported),
            (None, _) => Err(KeyFault::NoPublicKey),
        }
    }

    fn point(bytes: &[u8]) -> Result<Self, KeyFault> {
        if bytes.len() != 1 + 2 * FIELD || bytes[0] != UNCOMPRESSED {
            return Err(KeyFault::Unsupported);
        }
        Ok(Self {
            algorithm: Algorithm::Es256,
            bytes: bytes.to_vec(),
        })
    }

    fn edwards(bytes: &[u8]) -> Result<Self, KeyFault> {
        if bytes.len() != FIELD {
            return Err(KeyFault::Unsupported);
        }
        Ok(Self {
            algorithm: Algorithm::EdDsa,
            bytes: bytes.to_vec(),
        })
    }

    /// Whether `signature` is this key's of `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self.algorithm {
            Algorithm::Es256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.bytes)
                .verify(message, signature),
            Algorithm::EdDsa => {
                UnparsedPublicKey::new(&ED25519, &self.bytes).verify(message, signature)
            }
        };
        verified.is_ok()
    }

    /// The thumbprint of RFC 7638, by which keys are named.
    pub fn id(&self) -> String {
        // The members are in the order of their names, without blanks.
        let canonical = self.members().to_string();
        BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()))
    }

    /// Whether it is a key of Ed25519.
    pub(crate) fn is_edwards(&self) -> bool {
        self.algorithm == Algorithm::EdDsa
    }

    /// The key as a JSON Web Key.
    pub fn jwk(&self) -> Json {
        let mut key = self.members();
        key["kid"] = json!(self.id());
        key["use"] = json!("sig");
        key["alg"] = json!(match self.algorithm {
            Algorithm::Es256 => "ES256",
            Algorithm::EdDsa => "EdDSA",
        });
        key
    }

    /// The key in PEM.
    pub fn pem(&self) -> String {
        let info = match self.algorithm {
            Algorithm::Es256 => [&P256_INFO[..], &self.bytes].concat(),
            Algorithm::EdDsa => [&ED25519_INFO[..], &self.bytes].concat(),
        };
        let text = STANDARD.encode(info);
        let mut pem = "-----BEGIN PUBLIC KEY-----\n".to_owned();
        // Lines of 64 characters, of RFC 7468; Base64 is ASCII.
        for line in text.as_bytes().chunks(64) {
            pem.extend(line.iter().copied().map(char::from));
            pem.push('\n');
        }
        pem.push_str("-----END PUBLIC KEY-----\n");
        pem
    }

    /// The members that RFC 7638 asks for.
    fn members(&self) -> Json {
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        match self.algorithm {
            Algorithm::Es256 => {
                let (x, y) = self.bytes[1..].split_at(FIELD);
                json!({"crv": "P-256", "kty": "EC", "x": text(x), "y": text(y)})
            }
            Algorithm::EdDsa => json!({"crv": "Ed25519", "kty": "OKP", "x": text(&self.bytes)}),
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("PublicKey")
            .field(&self.id())
            .finish()
    }
}

/// Shows no secret.
impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SigningKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::tests::{ed25519_pem, p256_pem, sec1_pem};
    use rstest::rstest;

    #[rstest]
    #[case(p256_pem(), "ES256")]
    #[case(sec1_pem(), "ES256")]
    #[case(ed25519_pem(), "EdDSA")]
    fn what_a_key_signs_its_public_key_verifies(#[case] pem: String, #[case] algorithm: &str) {
        let key = SigningKey::from_pem(pem.as_bytes()).unwrap();
        let signature = key.sign(b"message").unwrap();
        assert_eq!(key.public().jwk()["alg"], algorithm);
        assert!(key.public().verifies(b"message", &signature));
        assert!(!key.public().verifies(b"massage", &signature));
        assert!(!key.public().verifies(b"message", &signature[1..]));
        assert!(!key.public().verifies(b"message", &[]));
        for text in [key.public().pem(), key.public().jwk().to_string()] {
            let read = PublicKey::read_all(text.as_bytes()).unwrap();
            assert_eq!(read, [key.public().clone()]);
        }
        let set = json!({"keys": [key.public().jwk(), key.public().jwk()]}).to_string();
        assert_eq!(PublicKey::read_all(set.as_bytes()).unwrap().len(), 2);
    }

    /// The key and the thumbprint of RFC 8037, appendix A.3.
    #[test]
    fn a_key_is_named_by_its_thumbprint() {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let key = &PublicKey::read_all(jwk.to_string().as_bytes()).unwrap()[0];
        assert_eq!(key.id(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[rstest]
    #[case("", KeyFault::NoPublicKey)]
    #[case("{}", KeyFault::NoPublicKey)]
    #[case(r#"{"keys": []}"#, KeyFault::NoPublicKey)]
    #[case(r#"{"kty": "RSA", "n": "", "e": ""}"#, KeyFault::Unsupported)]
    #[case(r#"{"kty": "EC", "crv": "P-384"}"#, KeyFault::Unsupported)]
    #[case(
        r#"{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}"#,
        KeyFault::NoPublicKey
    )]
    #[case(
        r#"{"kty": "OKP", "crv": "Ed25519", "x": "AA", "d": "AA"}"#,
        KeyFault::Private
    )]
    #[case(&ed25519_pem(), KeyFault::Private)]
    fn texts_that_are_no_public_key(#[case] text: &str, #[case] expected: KeyFault) {
        assert_eq!(PublicKey::read_all(text.as_bytes()), Err(expected));
    }

    #[test]
    fn shows_no_secret() {
        let key = SigningKey::from_pem(ed25519_pem().as_bytes()).unwrap();
        assert_eq!(
            format!("{key:?}"),
            format!(
                "SigningKey {{ public: PublicKey({:?}), .. }}",
                key.public().id()
            )
        );
        assert_eq!(
            SigningKey::from_pem(b"no key").err(),
            Some(KeyFault::NoPrivateKey)
        );
    }
}
