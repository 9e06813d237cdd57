//! Tokens, keys and certificates for the functions that read them: good ones, made by OPA and by Go,
//! and what becomes of them when a letter or a byte is another one. The keys are for this alone.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use portcullis_policies::rego::value::Value;
use portcullis_policies::rego::value::text::literal;

use super::Writer;

/// By what they are.
static MATERIAL: LazyLock<BTreeMap<String, Vec<String>>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../material.json")).expect("the material is JSON")
});

const HEADERS: [&str; 14] = [
    r#"{"alg": "HS256"}"#,
    r#"{"alg": "HS512", "typ": "JWT"}"#,
    r#"{"alg": "RS256", "kid": "rsa2"}"#,
    r#"{"alg": "RS384", "typ": "x"}"#,
    r#"{"alg": "PS256"}"#,
    r#"{"alg": "PS512", "typ": "JWT"}"#,
    r#"{"alg": "ES256"}"#,
    r#"{"alg": "ES384"}"#,
    r#"{"alg": "ES512"}"#,
    r#"{"alg": "EdDSA"}"#,
    r#"{"alg": "none"}"#,
    r#"{"alg": 5, "typ": 5}"#,
    r#"{"typ": "JWT"}"#,
    r#"{"alg": "HS256", "typ": null}"#,
];

const PAYLOADS: [&str; 5] = [
    r#"{"iss": "me", "aud": ["you"]}"#,
    "{}",
    r#"{"a": {"b": [1, "<&>", 1.5]}}"#,
    r#"{"exp": 1, "nbf": 2}"#,
    "[1]",
];

impl Writer<'_> {
    /// An argument of `io.jwt.*` and `crypto.*`.
    pub(super) fn of_keys(&mut self, name: &str, at: usize) -> Option<String> {
        let kinds: &[&str] = match (name, at) {
            ("io.jwt.encode_sign", 0) => return Some(self.pick(&HEADERS).to_owned()),
            ("io.jwt.encode_sign", 1) => return Some(self.pick(&PAYLOADS).to_owned()),
            ("io.jwt.encode_sign", _) => return Some(self.key_object()),
            ("io.jwt.encode_sign_raw", 0) => {
                let header = self.pick(&HEADERS).to_owned();
                return Some(self.written(&header));
            }
            ("io.jwt.encode_sign_raw", 1) => {
                let payload = self.pick(&PAYLOADS).to_owned();
                return Some(self.written(&payload));
            }
            ("io.jwt.encode_sign_raw", _) => &["jwk"],
            ("io.jwt.decode_verify", 1) => return Some(self.constraints()),
            (name, 0) if name.starts_with("io.jwt.") => &["token"],
            (name, 1) if name.starts_with("io.jwt.verify_hs") => &["secret", "secret", "jwk"],
            (name, 1) if name.starts_with("io.jwt.") => {
                &["jwk", "jwk", "jwk", "public", "certificate", "private"]
            }
            ("crypto.x509.parse_and_verify_certificates_with_options", 1) => {
                return Some(self.options());
            }
            ("crypto.x509.parse_certificates", _) => &["certificate", "certificate", "chain"],
            ("crypto.x509.parse_certificate_request", _) => &["request"],
            ("crypto.x509.parse_keypair", _) => &["pair", "pair", "certificate", "private"],
            ("crypto.x509.parse_rsa_private_key" | "crypto.parse_private_keys", _) => &["private"],
            (name, 0) if name.starts_with("crypto.x509.parse_and_verify") => &["chain"],
            _ => return None,
        };
        let kind = self.pick(kinds);
        let text = self.one_of(kind);
        Some(self.written(&text))
    }

    fn one_of(&mut self, kind: &str) -> String {
        let all = &MATERIAL[kind];
        all[self.random.below(all.len())].clone()
    }

    /// A text, mostly as it is.
    fn written(&mut self, text: &str) -> String {
        let text = match self.random.below(100) {
            0..25 => self.with_other_byte(text),
            25..35 => self.with_other_letter(text),
            _ => text.to_owned(),
        };
        literal(&Value::from(text))
    }

    fn with_other_letter(&mut self, text: &str) -> String {
        let mut letters: Vec<char> = text.chars().collect();
        let at = self.random.below(letters.len());
        let other = [
            '=', '.', '\n', ' ', 'A', '-', '_', '+', '"', '{', ':', '0', 'é',
        ];
        let other = other[self.random.below(other.len())];
        match self.random.below(5) {
            0 => letters.insert(at, other),
            1 if at < letters.len() => drop(letters.remove(at)),
            2 => letters.truncate(at),
            _ if at < letters.len() => letters[at] = other,
            _ => letters.push(other),
        }
        letters.into_iter().collect()
    }

    /// Changes a byte of what is in base64 there, if it is PEM or base64.
    fn with_other_byte(&mut self, text: &str) -> String {
        let parts: Vec<&str> = text.split("-----").collect();
        let (before, body, after) = if parts.len() > 4 {
            let blocks = parts.len() / 4;
            let at = 2 + 4 * self.random.below(blocks);
            (
                parts[..at].join("-----") + "-----",
                parts[at],
                parts[at + 1..].join("-----"),
            )
        } else {
            (String::new(), text, String::new())
        };
        let Some(mut bytes) = decoded(body) else {
            return self.with_other_letter(text);
        };
        for _ in 0..=self.random.below(2) {
            let at = self.random.below(bytes.len().max(1));
            let other = [
                0, 1, 2, 3, 5, 6, 0x0c, 0x13, 0x17, 0x30, 0x7f, 0x80, 0xa0, 0xff,
            ];
            let other = other[self.random.below(other.len())];
            match self.random.below(8) {
                0 => bytes.insert(at, other),
                1 if at < bytes.len() => drop(bytes.remove(at)),
                2 if at < bytes.len() => bytes[at] = bytes[at].wrapping_add(1),
                3 if at < bytes.len() => bytes[at] = bytes[at].wrapping_sub(1),
                4 if at < bytes.len() => bytes[at] ^= 1 << self.random.below(8),
                _ if at < bytes.len() => bytes[at] = other,
                _ => bytes.push(other),
            }
        }
        let body = encoded(&bytes);
        if before.is_empty() {
            return body;
        }
        format!("{before}\n{body}\n-----{after}")
    }

    /// A key that is an object.
    fn key_object(&mut self) -> String {
        loop {
            let text = self.one_of("jwk");
            let parsed: Option<serde_json::Value> = serde_json::from_str(&text).ok();
            if parsed.is_some_and(|value| value.is_object()) {
                return text;
            }
        }
    }

    fn constraints(&mut self) -> String {
        let mut members = Vec::new();
        if self.percent(60) {
            let kind = self.pick(&["jwk", "jwk", "jwk", "public", "certificate"]);
            let key = self.one_of(kind);
            members.push(format!("\"cert\": {}", self.written(&key)));
        } else if self.percent(97) {
            members.push(format!(
                "\"secret\": {}",
                literal(&self.one_of("secret").into())
            ));
        }
        let others = [
            "\"alg\": \"HS256\"",
            "\"alg\": \"RS256\"",
            "\"alg\": 1",
            "\"iss\": \"me\"",
            "\"iss\": \"other\"",
            "\"iss\": \"\"",
            "\"time\": 0",
            "\"time\": 1800000000000000000",
            "\"time\": 1700000000500000000.5",
            "\"time\": -1",
            "\"time\": \"x\"",
            "\"typ\": \"JWT\"",
            "\"secret\": \"portcullis\"",
        ];
        members.push(format!(
            "\"aud\": {}",
            self.pick(&["\"you\"", "\"x\"", "\"\"", "null"])
        ));
        if self.percent(20) {
            members.pop();
        }
        if self.percent(40) {
            members.push(self.pick(&others).to_owned());
        }
        format!("{{{}}}", members.join(", "))
    }

    fn options(&mut self) -> String {
        let all = [
            "\"DNSName\": \"www.example\"",
            "\"DNSName\": \"a.w.example\"",
            "\"DNSName\": \"a.b.w.example\"",
            "\"DNSName\": \"WWW.example.\"",
            "\"DNSName\": \"10.1.2.3\"",
            "\"DNSName\": \"[2001:db8::5]\"",
            "\"DNSName\": \"\"",
            "\"DNSName\": 1",
            "\"CurrentTime\": 1600000000000000000",
            "\"CurrentTime\": 1800000000000000000",
            "\"CurrentTime\": 0",
            "\"CurrentTime\": 1.5",
            "\"CurrentTime\": \"x\"",
            "\"MaxConstraintComparisons\": 1",
            "\"MaxConstraintComparisons\": \"x\"",
            "\"KeyUsages\": [\"KeyUsageAny\"]",
            "\"KeyUsages\": {\"KeyUsageCodeSigning\", 1}",
            "\"KeyUsages\": [\"KeyUsageClientAuth\", \"KeyUsageEmailProtection\"]",
            "\"KeyUsages\": [\"x\"]",
            "\"KeyUsages\": []",
            "\"KeyUsages\": 1",
            "\"Other\": 1",
            "1: 2",
        ];
        let mut options = Vec::new();
        for _ in 0..self.random.below(3) {
            options.push(self.pick(&all).to_owned());
        }
        format!("{{{}}}", options.join(", "))
    }
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.bytes().filter(|letter| !b"\r\n=".contains(letter)) {
        let value = LETTERS.iter().position(|known| *known == letter)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(bytes)
}

fn encoded(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let value = usize::try_from(bits >> (18 - 6 * at) & 0x3f).unwrap_or(0);
            let letter = if at <= group.len() {
                char::from(LETTERS[value])
            } else {
                '='
            };
            text.push(letter);
        }
    }
    text
}
