//! The names of client certificates, and which of them may ask.
//!
//! Whether an authority has signed a certificate is checked in the handshake. A pattern says of which
//! kind a name is, because an authority may check one kind and not another: `cn:web`,
//! `dns:*.shop.example`, `uri:spiffe://cluster.local/ns/shop/*`, `email:*@example.com`, `ip:192.0.2.1`.

use std::{net::IpAddr, str::FromStr};

use portcullis_policies::Timestamp;
use portcullis_webhook::{CertificateReader, Identity, Method};
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// Which names may ask; all of them, where there is no pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateNames(Vec<NamePattern>);

/// A kind of names, and a pattern in which `*` stands for any characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern {
    kind: Kind,
    pattern: String,
}

/// Where a name stands in a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    CommonName,
    Dns,
    Uri,
    Email,
    Ip,
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no pattern of names: write it like cn:web, dns:*.shop.example or uri:spiffe://…")]
pub struct PatternFault(String);

impl FromStr for NamePattern {
    type Err = PatternFault;

    fn from_str(text: &str) -> Result<Self, PatternFault> {
        let fault = || PatternFault(text.to_owned());
        let (kind, pattern) = text.split_once(':').ok_or_else(fault)?;
        let kind = match kind {
            "cn" => Kind::CommonName,
            "dns" => Kind::Dns,
            "uri" => Kind::Uri,
            "email" => Kind::Email,
            "ip" => Kind::Ip,
            _ => return Err(fault()),
        };
        if pattern.is_empty() {
            return Err(fault());
        }
        Ok(Self {
            kind,
            pattern: pattern.to_owned(),
        })
    }
}

impl NamePattern {
    fn fits(&self, kind: Kind, name: &str) -> bool {
        self.kind == kind
            && match kind {
                // Host names are the same in upper and lower case.
                Kind::Dns => {
                    let pattern = self.pattern.to_ascii_lowercase();
                    is_like(&pattern, &name.to_ascii_lowercase())
                }
                _ => is_like(&self.pattern, name),
            }
    }
}

/// Whether a name is like a pattern, in time linear in both for each star.
fn is_like(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    let inner = name
        .strip_prefix(first)
        .and_then(|name| name.strip_suffix(last));
    let skip = |name, part| Some(str::split_once(name, part)?.1);
    let parts = middle.split('*').filter(|part| !part.is_empty());
    inner.is_some_and(|inner| parts.into_iter().try_fold(inner, skip).is_some())
}

impl CertificateNames {
    /// Certificates with a name like one of these, or any.
    pub fn new(patterns: Vec<NamePattern>) -> Self {
        Self(patterns)
    }

    /// The name by which a certificate may ask.
    fn admitted<'n>(&self, names: &'n [(Kind, String)]) -> Option<&'n str> {
        if self.0.is_empty() {
            return names.first().map(|(_, name)| name.as_str());
        }
        let mut patterns = self.0.iter();
        patterns.find_map(|pattern| {
            let found = names.iter().find(|(kind, name)| pattern.fits(*kind, name));
            found.map(|(_, name)| name.as_str())
        })
    }
}

impl CertificateReader for CertificateNames {
    fn identify(&self, certificate: &CertificateDer<'_>) -> Result<Identity, String> {
        let (_, certificate) = X509Certificate::from_der(certificate)
            .map_err(|_| "the client certificate cannot be read".to_owned())?;
        let names = names(&certificate)?;
        let shown = || {
            let names = names.iter().map(|(_, name)| format!("`{name}`"));
            names.collect::<Vec<_>>().join(", ")
        };
        let name = self
            .admitted(&names)
            .ok_or_else(|| match names.as_slice() {
                [] => "the client certificate names nobody".to_owned(),
                _ => format!("a client certificate for {} may not ask here", shown()),
            })?;
        let groups = certificate.subject().iter_organization();
        let groups = groups.filter_map(|group| group.as_str().ok().map(str::to_owned));
        let end = certificate.validity().not_after.timestamp();
        let identity = Identity::new(Method::Certificate, name, groups)
            .map_err(|fault| format!("the client certificate cannot be used: {fault}"))?;
        // One without an end that we can hold has none.
        Ok(identity.until(Timestamp::from_second(end).ok()))
    }
}

/// The common name first, then the alternative names as they stand.
fn names(certificate: &X509Certificate<'_>) -> Result<Vec<(Kind, String)>, String> {
    let common = certificate.subject().iter_common_name();
    let common = common.filter_map(|name| name.as_str().ok());
    let mut names: Vec<_> = common
        .map(|name| (Kind::CommonName, name.to_owned()))
        .collect();
    let alternative = certificate
        .subject_alternative_name()
        .map_err(|_| "the client certificate's alternative names cannot be read".to_owned())?;
    for name in alternative.iter().flat_map(|it| &it.value.general_names) {
        names.push(match name {
            GeneralName::DNSName(name) => (Kind::Dns, (*name).to_owned()),
            GeneralName::URI(name) => (Kind::Uri, (*name).to_owned()),
            GeneralName::RFC822Name(name) => (Kind::Email, (*name).to_owned()),
            GeneralName::IPAddress(bytes) => match address(bytes) {
                Some(address) => (Kind::Ip, address.to_string()),
                None => continue,
            },
            _ => continue,
        });
    }
    Ok(names)
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four: Option<[u8; 4]> = bytes.try_into().ok();
    let six: Option<[u8; 16]> = bytes.try_into().ok();
    four.map(IpAddr::from).or(six.map(IpAddr::from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};
    use rstest::rstest;

    const NAMES: [(Kind, &str); 5] = [
        (Kind::Dns, "Web.shop.example"),
        (Kind::Uri, "spiffe://cluster.local/ns/shop/sa/web"),
        (Kind::Email, "web@example.com"),
        (Kind::Ip, "192.0.2.1"),
        (Kind::Ip, "2001:db8::1"),
    ];

    fn certificate(common: Option<&str>, names: &[(Kind, &str)]) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.distinguished_name.remove(DnType::CommonName);
        if let Some(common) = common {
            params.distinguished_name.push(DnType::CommonName, common);
            params
                .distinguished_name
                .push(DnType::OrganizationName, "builders");
        }
        params.subject_alt_names = names
            .iter()
            .map(|(kind, name)| match kind {
                Kind::Dns => SanType::DnsName((*name).try_into().unwrap()),
                Kind::Uri => SanType::URI((*name).try_into().unwrap()),
                Kind::Email => SanType::Rfc822Name((*name).try_into().unwrap()),
                Kind::Ip => SanType::IpAddress(name.parse().unwrap()),
                Kind::CommonName => panic!("it is in the subject"),
            })
            .collect();
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    fn who(patterns: &[&str], certificate: &CertificateDer<'_>) -> Result<String, String> {
        let patterns = patterns.iter().map(|pattern| pattern.parse().unwrap());
        let names = CertificateNames::new(patterns.collect());
        let identity = names.identify(certificate)?;
        assert_eq!(identity.method(), Method::Certificate);
        assert!(identity.expires_at().is_some());
        Ok(identity.name().to_owned())
    }

    #[rstest]
    #[case(&[], Ok("web"))]
    #[case(&["cn:web"], Ok("web"))]
    #[case(&["cn:w*"], Ok("web"))]
    #[case(&["dns:*.SHOP.example"], Ok("Web.shop.example"))]
    #[case(&["cn:other", "uri:spiffe://cluster.local/ns/shop/*"], Ok("spiffe://cluster.local/ns/shop/sa/web"))]
    #[case(&["email:*@example.com"], Ok("web@example.com"))]
    #[case(&["ip:192.0.2.1"], Ok("192.0.2.1"))]
    #[case(&["ip:2001:db8::1"], Ok("2001:db8::1"))]
    // A name of one kind is none of another.
    #[case(&["dns:web"], Err("may not ask here"))]
    #[case(&["cn:Web.shop.example"], Err("may not ask here"))]
    #[case(&["cn:WEB"], Err("may not ask here"))]
    #[case(&["uri:spiffe://cluster.local/ns/shop"], Err("may not ask here"))]
    fn who_may_ask(#[case] patterns: &[&str], #[case] expected: Result<&str, &str>) {
        let found = who(patterns, &certificate(Some("web"), &NAMES));
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(why), Err(says)) => assert!(why.contains(says), "{why}"),
            (found, expected) => panic!("{found:?} is not {expected:?}"),
        }
    }

    #[test]
    fn a_certificate_without_a_common_name_has_the_first_of_the_others() {
        assert_eq!(
            who(&[], &certificate(None, &NAMES)).unwrap(),
            "Web.shop.example"
        );
        let nobody = who(&[], &certificate(None, &[])).unwrap_err();
        assert!(nobody.contains("names nobody"), "{nobody}");
        let forged = who(&[], &certificate(Some("a\nb"), &[])).unwrap_err();
        assert!(forged.contains("cannot be shown"), "{forged}");
        let none = who(&[], &CertificateDer::from(vec![0x30])).unwrap_err();
        assert!(none.contains("cannot be read"), "{none}");
    }

    #[test]
    fn organisations_are_groups() {
        let names = CertificateNames::default();
        let identity = names.identify(&certificate(Some("web"), &[])).unwrap();
        assert_eq!(identity.groups(), ["builders"]);
    }

    #[rstest]
    #[case("*", "anything", true)]
    #[case("a*", "a", true)]
    #[case("a*a", "a", false)]
    #[case("a*b*c", "axxbxxc", true)]
    #[case("a*b*c", "axxc", false)]
    #[case("*b*b*", "b", false)]
    #[case("**", "", true)]
    #[case("ab", "abc", false)]
    fn patterns(#[case] pattern: &str, #[case] name: &str, #[case] expected: bool) {
        assert_eq!(is_like(pattern, name), expected);
    }

    #[rstest]
    #[case("web")]
    #[case("cn:")]
    #[case("sub:web")]
    #[case("")]
    fn texts_that_are_no_patterns(#[case] text: &str) {
        assert!(text.parse::<NamePattern>().is_err());
    }
}
