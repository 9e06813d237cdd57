//! Issuing certificates, and judging those that are there. Pure: time is an argument, and the
//! Secrets are somebody else's.
//!
//! ```text
//! Held (what the Secrets hold), names, now ── plan ──▶ Keep | Trust | Authority | Serving
//! ```
//!
//! A certificate is renewed when less than a third of its life is left. A new authority is trusted
//! before anything is signed with it, and the authority before it stays trusted until the next
//! serving certificate, so that replicas and API servers that learn of the change at different
//! times go on understanding each other.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use portcullis_webhook::Certificate;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};
use x509_parser::{extensions::GeneralName, prelude::X509Certificate};

/// Life of an authority: long, because whoever trusts it by hand has to be told of the next one.
const AUTHORITY_LIFE: Duration = Duration::from_hours(5 * 365 * 24);

/// Life of a serving certificate. Renewed after sixty days, with thirty left to put right what
/// keeps it from being renewed.
const SERVING_LIFE: Duration = Duration::from_hours(90 * 24);

/// How far a new certificate reaches back, for machines whose clocks are slow.
const SKEW: Duration = Duration::from_mins(5);

/// Authorities that are trusted at once: the one that signs and the one before it.
const TRUSTED: usize = 2;

/// A certificate with its key, both PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: Secret,
}

/// PEM of a private key, which is never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) String);

/// What the Secrets hold, readable or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// The authority that signs.
    pub(crate) authority: Pair,
    /// What the webhook shows.
    pub(crate) serving: Pair,
    /// PEM of the authorities that callers of the webhook trust.
    pub(crate) trusted: String,
}

/// What there is to do, one step at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Nothing, until the serving certificate ends at this time.
    Keep(Timestamp),
    /// A new authority is needed, for this reason.
    Authority(&'static str),
    /// The authority has to be trusted before it signs.
    Trust,
    /// A new serving certificate is needed, for this reason.
    Serving(&'static str),
}

/// Why a certificate was not issued.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PkiFault {
    #[error("failed to make a private key")]
    Key(#[source] rcgen::Error),
    #[error("failed to read the authority's private key")]
    AuthorityKey(#[source] rcgen::Error),
    #[error("failed to read the authority's certificate")]
    Authority(#[source] rcgen::Error),
    #[error("failed to issue a certificate for {0}")]
    Issue(&'static str, #[source] rcgen::Error),
}

/// The names by which the webhook's Service is called; the first is the API server's.
pub(crate) fn service_names(service: &str, namespace: &str) -> Vec<String> {
    vec![
        format!("{service}.{namespace}.svc"),
        format!("{service}.{namespace}.svc.cluster.local"),
        format!("{service}.{namespace}"),
        service.to_owned(),
    ]
}

/// What to do next.
pub(crate) fn plan(held: &Held, names: &[String], now: Timestamp) -> Plan {
    let authority = match Read::of(&held.authority) {
        None => return Plan::Authority("there is no usable authority"),
        Some(authority) if !authority.is_authority => {
            return Plan::Authority("the authority's certificate is none of an authority");
        }
        Some(authority) if authority.is_old(now) => {
            return Plan::Authority("less than a third of the authority's life is left");
        }
        Some(authority) => authority,
    };
    let trusted = certificates(&held.trusted);
    let serving = Read::of(&held.serving);
    if !trusted.contains(&authority.certificate) {
        // Whoever is called while the old certificate is good has time to learn of the authority.
        let good = serving.is_some_and(|serving| serving.is_accepted(&trusted, names, now));
        return if good {
            Plan::Trust
        } else {
            Plan::Serving("its authority is new")
        };
    }
    match serving {
        None => Plan::Serving("there is no usable serving certificate"),
        Some(serving) if serving.names != sorted(names) => Plan::Serving("the names have changed"),
        Some(serving) if serving.is_old(now) => {
            Plan::Serving("less than a third of its life is left")
        }
        Some(serving) if !serving.is_accepted(&[authority.certificate], names, now) => {
            Plan::Serving("it is not the authority's")
        }
        Some(serving) => Plan::Keep(serving.not_after),
    }
}

/// A new authority.
pub(crate) fn authority(now: Timestamp) -> Result<Pair, PkiFault> {
    let mut params = lasting(now, AUTHORITY_LIFE);
    params
        .distinguished_name
        .push(DnType::CommonName, "Portcullis webhook authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().map_err(PkiFault::Key)?;
    let certificate = params
        .self_signed(&key)
        .map_err(|e| PkiFault::Issue("the authority", e))?;
    Ok(Pair {
        certificate: certificate.pem(),
        key: Secret(key.serialize_pem()),
    })
}

/// A new serving certificate of `authority`.
pub(crate) fn serving(
    authority: &Pair,
    names: &[String],
    now: Timestamp,
) -> Result<Pair, PkiFault> {
    let signer = KeyPair::from_pem(&authority.key.0).map_err(PkiFault::AuthorityKey)?;
    let issuer =
        Issuer::from_ca_cert_pem(&authority.certificate, signer).map_err(PkiFault::Authority)?;
    let mut params = lasting(now, SERVING_LIFE);
    let alternative = CertificateParams::new(names.to_vec());
    params.subject_alt_names = alternative
        .map_err(|e| PkiFault::Issue("these names", e))?
        .subject_alt_names;
    params
        .distinguished_name
        .push(DnType::CommonName, "Portcullis webhook");
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().map_err(PkiFault::Key)?;
    let certificate = params
        .signed_by(&key, &issuer)
        .map_err(|e| PkiFault::Issue("the webhook", e))?;
    Ok(Pair {
        certificate: certificate.pem(),
        key: Secret(key.serialize_pem()),
    })
}

/// The authorities to trust from now on: the one that signs, then the newest of those before it.
pub(crate) fn trust(authority: &Pair, before: &str) -> String {
    let mut trusted: Vec<(&str, CertificateDer<'static>)> = Vec::new();
    for (text, certificate) in blocks(&authority.certificate).chain(blocks(before)) {
        if !trusted.iter().any(|(_, known)| *known == certificate) {
            trusted.push((text, certificate));
        }
    }
    let texts: Vec<&str> = trusted
        .into_iter()
        .take(TRUSTED)
        .map(|(text, _)| text)
        .collect();
    texts.join("\n") + "\n"
}

/// A certificate that was read, and whose key is its own.
struct Read {
    certificate: CertificateDer<'static>,
    not_before: Timestamp,
    not_after: Timestamp,
    is_authority: bool,
    names: Vec<String>,
}

impl Read {
    fn of(pair: &Pair) -> Option<Self> {
        // The same check that the server makes before it shows a certificate.
        let key = pair.key.0.as_bytes();
        Certificate::empty()
            .install(pair.certificate.as_bytes(), key)
            .ok()?;
        let certificate = certificates(&pair.certificate).into_iter().next()?;
        let (_, parsed) = x509_parser::parse_x509_certificate(&certificate).ok()?;
        let read = Self {
            not_before: Timestamp::from_second(parsed.validity().not_before.timestamp()).ok()?,
            not_after: Timestamp::from_second(parsed.validity().not_after.timestamp()).ok()?,
            is_authority: parsed.is_ca(),
            names: names(&parsed),
            certificate: certificate.clone(),
        };
        Some(read)
    }

    /// Whether less than a third of its life is left, or it has not begun.
    fn is_old(&self, now: Timestamp) -> bool {
        let life = self.not_after.as_second() - self.not_before.as_second();
        let left = self.not_after.as_second() - now.as_second();
        now < self.not_before || left < life / 3
    }

    /// Whether a caller that trusts `authorities` accepts it under all names.
    fn is_accepted(
        &self,
        authorities: &[CertificateDer<'static>],
        names: &[String],
        now: Timestamp,
    ) -> bool {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(authorities.iter().cloned());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let Ok(verifier) =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()
        else {
            return false;
        };
        let Ok(now) = u64::try_from(now.as_second()) else {
            return false;
        };
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        names.iter().all(|name| {
            ServerName::try_from(name.as_str()).is_ok_and(|name| {
                verifier
                    .verify_server_cert(&self.certificate, &[], &name, &[], now)
                    .is_ok()
            })
        })
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(if self.0.is_empty() { "none" } else { "…" })
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let extension = certificate.subject_alternative_name().ok().flatten();
    let names = extension
        .iter()
        .flat_map(|extension| &extension.value.general_names);
    let names: Vec<String> = names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        })
        .collect();
    sorted(&names)
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names
}

/// The certificates of a PEM text; what cannot be read is left out.
fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    blocks(pem).map(|(_, certificate)| certificate).collect()
}

/// Each certificate of a PEM text as it is written there, and what it says.
fn blocks(pem: &str) -> impl Iterator<Item = (&str, CertificateDer<'static>)> {
    pem.split_inclusive("-----END CERTIFICATE-----")
        .filter_map(|text| {
            let text = text.trim();
            Some((text, CertificateDer::from_pem_slice(text.as_bytes()).ok()?))
        })
}

fn lasting(now: Timestamp, life: Duration) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let since_epoch = Duration::from_secs(u64::try_from(now.as_second()).unwrap_or(0));
    params.not_before = epoch + since_epoch.saturating_sub(SKEW);
    params.not_after = epoch + since_epoch + life;
    params
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const DAY: i64 = 24 * 60 * 60;

    fn day(day: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + day * DAY).unwrap()
    }

    fn service() -> Vec<String> {
        service_names("portcullis-webhook", "portcullis-system")
    }

    /// What a sound installation holds that was made on day 0.
    fn held() -> Held {
        let authority = authority(day(0)).unwrap();
        let serving = serving(&authority, &service(), day(0)).unwrap();
        let trusted = trust(&authority, "");
        Held {
            authority,
            serving,
            trusted,
        }
    }

    /// The same with a change.
    fn but(change: impl FnOnce(&mut Held)) -> Held {
        let mut held = held();
        change(&mut held);
        held
    }

    fn word(plan: &Plan) -> &'static str {
        match plan {
            Plan::Keep(_) => "keep",
            Plan::Authority(_) => "authority",
            Plan::Trust => "trust",
            Plan::Serving(_) => "serving",
        }
    }

    #[rstest]
    #[case::sound(held(), 1, "keep")]
    #[case::two_thirds_used(held(), 59, "keep")]
    #[case::more_than_two_thirds_used(held(), 61, "serving")]
    #[case::expired(held(), 91, "serving")]
    #[case::authority_is_old(held(), 1300, "authority")]
    #[case::empty(Held::default(), 1, "authority")]
    #[case::authority_is_damaged(but(|held| held.authority.certificate.truncate(100)), 1, "authority")]
    #[case::authority_has_anothers_key(
        but(|held| held.authority.key = authority(day(0)).unwrap().key), 1, "authority")]
    #[case::serving_certificate_as_authority(
        but(|held| held.authority = held.serving.clone()), 1, "authority")]
    #[case::serving_is_damaged(but(|held| held.serving.certificate.truncate(100)), 1, "serving")]
    #[case::serving_has_anothers_key(
        but(|held| held.serving.key = authority(day(0)).unwrap().key), 1, "serving")]
    #[case::serving_lacks_a_key(but(|held| held.serving.key = Secret::default()), 1, "serving")]
    #[case::other_names(
        but(|held| held.serving =
            serving(&held.authority, &service_names("other", "portcullis-system"), day(0)).unwrap()),
        1, "serving")]
    #[case::anothers_signature(
        but(|held| held.serving =
            serving(&authority(day(0)).unwrap(), &service(), day(0)).unwrap()),
        1, "serving")]
    #[case::nothing_is_trusted(but(|held| held.trusted.clear()), 1, "serving")]
    #[case::a_new_authority_while_the_old_certificate_is_good(
        but(|held| held.authority = authority(day(0)).unwrap()), 1, "trust")]
    #[case::a_new_authority_after_the_old_certificate(
        but(|held| held.authority = authority(day(0)).unwrap()), 91, "serving")]
    fn plans(#[case] held: Held, #[case] on: i64, #[case] expected: &str) {
        assert_eq!(word(&plan(&held, &service(), day(on))), expected);
    }

    #[test]
    fn a_new_authority_is_trusted_before_it_signs_and_the_old_one_afterwards() {
        let mut held = held();
        let old = certificates(&held.authority.certificate);
        held.authority = authority(day(1)).unwrap();
        let mut steps = Vec::new();
        for _ in 0..5 {
            let plan = plan(&held, &service(), day(1));
            steps.push(word(&plan));
            match plan {
                Plan::Trust => held.trusted = trust(&held.authority, &held.trusted),
                Plan::Serving(_) => {
                    held.serving = serving(&held.authority, &service(), day(1)).unwrap();
                }
                _ => break,
            }
        }
        assert_eq!(steps, ["trust", "serving", "keep"]);
        let new = certificates(&held.authority.certificate);
        assert_eq!(certificates(&held.trusted), [new, old].concat());
    }

    #[test]
    fn shows_no_key() {
        assert!(!format!("{:?}", held()).contains("PRIVATE"));
    }
}
