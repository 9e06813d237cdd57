//! An issuer of tokens, with a key of its own.

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
        ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair,
        KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
        RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value as Json, json};

/// Signs tokens.
#[derive(Debug)]
pub(super) struct Issuer {
    id: &'static str,
    pub(super) algorithm: &'static str,
    pair: Pair,
}

#[derive(Debug)]
enum Pair {
    Ec(EcdsaKeyPair, &'static str),
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

pub(super) fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

impl Issuer {
    pub(super) fn es256(id: &'static str) -> Self {
        Self::ec(id, "ES256", &ECDSA_P256_SHA256_FIXED_SIGNING, "P-256")
    }

    pub(super) fn es384(id: &'static str) -> Self {
        Self::ec(id, "ES384", &ECDSA_P384_SHA384_FIXED_SIGNING, "P-384")
    }

    pub(super) fn es512(id: &'static str) -> Self {
        Self::ec(id, "ES512", &ECDSA_P521_SHA512_FIXED_SIGNING, "P-521")
    }

    fn ec(
        id: &'static str,
        algorithm: &'static str,
        signing: &'static EcdsaSigningAlgorithm,
        curve: &'static str,
    ) -> Self {
        let pair = EcdsaKeyPair::generate(signing).unwrap();
        let pair = Pair::Ec(pair, curve);
        Self {
            id,
            algorithm,
            pair,
        }
    }

    pub(super) fn rsa(id: &'static str, algorithm: &'static str) -> Self {
        let pair = Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
        Self {
            id,
            algorithm,
            pair,
        }
    }

    pub(super) fn ed25519(id: &'static str) -> Self {
        let pair = Pair::Ed25519(Ed25519KeyPair::generate().unwrap());
        let algorithm = "EdDSA";
        Self {
            id,
            algorithm,
            pair,
        }
    }

    /// The public key, as a JSON Web Key.
    pub(super) fn key(&self) -> Json {
        match &self.pair {
            Pair::Ec(pair, curve) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let (x, y) = (encoded(x), encoded(y));
                json!({"kty": "EC", "use": "sig", "kid": self.id, "crv": curve, "x": x, "y": y})
            }
            Pair::Rsa(pair) => {
                // `SEQUENCE { INTEGER n, INTEGER e }`, with n of 2048 bits and e of 17.
                let der = pair.public_key().as_ref();
                let (n, e) = (encoded(&der[9..265]), encoded(&der[267..]));
                json!({
                    "kty": "RSA", "use": "sig", "kid": self.id, "alg": self.algorithm, "n": n, "e": e,
                })
            }
            Pair::Ed25519(pair) => {
                let x = encoded(pair.public_key().as_ref());
                json!({"kty": "OKP", "use": "sig", "kid": self.id, "crv": "Ed25519", "x": x})
            }
        }
    }

    /// A token with these claims.
    pub(super) fn sign(&self, claims: &Json) -> String {
        let header = json!({"alg": self.algorithm, "typ": "JWT", "kid": self.id});
        self.sign_as(&header, claims)
    }

    /// The same with another header.
    pub(super) fn sign_as(&self, header: &Json, claims: &Json) -> String {
        self.sign_text(&header.to_string(), claims)
    }

    /// The same with any text as header.
    pub(super) fn sign_text(&self, header: &str, claims: &Json) -> String {
        let header = encoded(header.as_bytes());
        let signed = format!("{header}.{}", encoded(claims.to_string().as_bytes()));
        let signature = self.signature(signed.as_bytes());
        format!("{signed}.{}", encoded(&signature))
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ec(pair, _) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let encoding: &'static dyn RsaEncoding = match self.algorithm {
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature)
                    .unwrap();
                signature
            }
        }
    }
}
