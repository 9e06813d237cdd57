//! The other end of a connection, as its requests know it.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, OnceLock},
};

use rustls::pki_types::CertificateDer;

use super::{CertificateReader, Identity};

/// Who is at the other end: an address, and the certificate that it has shown. In the extensions of
/// each request of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer(Arc<Connection>);

#[derive(Debug)]
struct Connection {
    address: IpAddr,
    /// The peer's own certificate first. The handshake has checked that an authority has signed it.
    certificates: Vec<CertificateDer<'static>>,
    /// Who has the certificate; read once for all requests of the connection.
    identity: OnceLock<Result<Arc<Identity>, String>>,
}

impl Peer {
    /// Somebody at an address who has shown nothing.
    pub(crate) fn new(address: IpAddr) -> Self {
        Self::showing(address, Vec::new())
    }

    /// The same, after the handshake.
    pub(crate) fn with_certificates(&self, shown: Option<&[CertificateDer<'_>]>) -> Self {
        let shown = shown.unwrap_or_default().iter();
        let shown = shown.map(|it| it.clone().into_owned());
        Self::showing(self.0.address, shown.collect())
    }

    fn showing(address: IpAddr, certificates: Vec<CertificateDer<'static>>) -> Self {
        Self(Arc::new(Connection {
            address,
            certificates,
            identity: OnceLock::new(),
        }))
    }

    /// The certificates that it has shown, its own first.
    pub(crate) fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.0.certificates
    }

    /// What stands for the address where requests are counted: of IPv6 the network of 64 bits, in
    /// which one machine has as many addresses as it likes.
    pub(crate) fn network(&self) -> IpAddr {
        match self.0.address.to_canonical() {
            IpAddr::V6(address) => {
                let network = u128::from(address) & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from(network))
            }
            four @ IpAddr::V4(_) => four,
        }
    }

    /// Who has the certificate, if one was shown.
    pub(super) fn identity(
        &self,
        reader: &dyn CertificateReader,
    ) -> Option<Result<Arc<Identity>, String>> {
        let own = self.0.certificates.first()?;
        let read = || reader.identify(own).map(Arc::new);
        Some(self.0.identity.get_or_init(read).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("192.0.2.1", "192.0.2.1")]
    #[case("::ffff:192.0.2.1", "192.0.2.1")]
    #[case("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::")]
    #[case("::1", "::")]
    fn what_stands_for_an_address(#[case] address: &str, #[case] expected: &str) {
        let peer = Peer::new(address.parse().unwrap());
        assert_eq!(peer.network().to_string(), expected);
    }
}
