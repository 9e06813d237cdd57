//! What policies reach: HTTP servers and names of hosts, for `http.send` and `net.lookup_ip_addr`.
//!
//! ```text
//! request ─ target ─ allowed? ─ addresses ─ allowed? ─ connect ─ TLS ─ exchange ─┬─▶ answer
//!              ▲                                                                 │
//!              └──────────────────────────── redirect ◀──────────────────────────┘
//! ```
//!
//! A host has to be allowed by the administrator and by the policy, at every redirect anew, and a host
//! whose address is not one of the public internet by its own name: a name below `*.example.com` that
//! leads to the metadata of a cloud is not what the administrator meant. What was looked at is what is
//! connected to. There is no proxy, and every wait and every byte is bounded.

mod address;
mod exchange;
#[cfg(test)]
mod origin;
mod poll;
mod reach;
mod redirect;
mod target;
#[cfg(test)]
mod tests;
mod tls;

use std::{
    collections::BTreeSet,
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use hyper::header::{HeaderName, HeaderValue};
use portcullis_policies::{
    Hosts, Outside,
    outside::{HttpRequest, HttpResponse, MAX_BODY, OutsideFault},
};
use rustls::ClientConfig;
use tokio::{runtime::Handle, time::timeout};

use redirect::Redirects;
pub(crate) use target::Target;
pub(crate) use tls::{system, system_roots};

type Result<T> = std::result::Result<T, OutsideFault>;

#[cfg(test)]
pub(crate) use origin::Origin;
pub(crate) use poll::Polled;
pub use reach::HostRule;
#[cfg(test)]
pub(crate) use reach::reaching;

/// Why a text is no list of authorities in PEM; nothing where it is one.
pub(crate) fn check_authorities(pem: &str) -> std::result::Result<(), String> {
    let checked = tls::trusting("it", pem.as_bytes(), false);
    checked
        .map(drop)
        .map_err(|_| "it is no certificate in PEM".to_owned())
}

/// Whether a name and a value make a header.
pub(crate) fn is_header(name: &str, value: &str) -> bool {
    HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_str(value).is_ok()
}

/// Sends a request to the host that it names, wherever that is, within its time: of the administrator's
/// own settings, not of policies. Redirects are not followed.
pub(crate) async fn ask_anybody(
    request: &HttpRequest,
    system: &Arc<ClientConfig>,
) -> Result<HttpResponse> {
    let tls = tls::of(request, None, system).await?;
    let hop = exchange::Hop::of(request, MAX_BODY)?;
    let late = || OutsideFault::Network("there was no answer in time".to_owned());
    let asked = async {
        let addresses = resolve(hop.target.bare_host(), hop.target.port).await?;
        exchange::ask(&hop, &addresses, &tls).await
    };
    let answered = timeout(request.time, asked).await;
    answered.unwrap_or_else(|_| Err(late()))
}

/// The network, as far as an administrator allows.
pub struct Network {
    hosts: Hosts,
    /// Hosts that are not on the list are reached as well, where they are on public addresses.
    any_public: bool,
    /// Moves the bytes, while the evaluation's own thread waits.
    reactor: Handle,
    /// Trusts the system's authorities.
    system: Arc<ClientConfig>,
    /// PEM file of those that are trusted beside them where a request names none.
    authorities: Option<PathBuf>,
}

impl Network {
    /// A network of these hosts, on the reactor that this is called on.
    pub fn new(hosts: Hosts) -> Self {
        Self {
            system: tls::system(hosts.is_empty()),
            any_public: false,
            hosts,
            reactor: Handle::current(),
            authorities: None,
        }
    }

    /// The same, which trusts the authorities of a PEM file as well, as they are when it asks.
    #[must_use]
    pub(crate) fn trusting(self, authorities: Option<PathBuf>) -> Self {
        Self {
            authorities,
            ..self
        }
    }

    /// Runs a call until its time is over.
    fn run<T>(
        &self,
        name: &str,
        time: Duration,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let late = || OutsideFault::Network(format!("{name}: request timed out"));
        let run = async { timeout(time, call).await.unwrap_or_else(|_| Err(late())) };
        self.reactor.block_on(run)
    }

    /// Asks a server that is on both lists, until whoever waits gives up.
    pub(crate) async fn fetch(
        &self,
        request: &HttpRequest,
        hosts: Option<&Hosts>,
        limit: usize,
    ) -> Result<HttpResponse> {
        let tls = tls::of(request, self.authorities.as_deref(), &self.system).await?;
        let mut hop = exchange::Hop::of(request, limit)?;
        let mut redirects = Redirects::default();
        loop {
            let addresses = self.addresses(&hop.target, hosts).await?;
            let answer = exchange::ask(&hop, &addresses, &tls).await?;
            if !request.follows_redirects {
                return Ok(answer);
            }
            match redirects.next(&hop, request, &answer)? {
                Some(next) => hop = next,
                None => return Ok(answer),
            }
        }
    }

    /// The addresses of a server that may be asked.
    async fn addresses(&self, target: &Target, hosts: Option<&Hosts>) -> Result<Vec<SocketAddr>> {
        self.check(&target.host, Some(target.port), hosts)?;
        let found = resolve(target.bare_host(), target.port).await?;
        self.check_addresses(&target.host, Some(target.port), &found)?;
        Ok(found)
    }

    /// Both lists name the host; without a policy, the administrator's does.
    fn check(&self, host: &str, port: Option<u16>, hosts: Option<&Hosts>) -> Result<()> {
        let shown = || port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let refuse =
            |who: &str| OutsideFault::Refused(format!("{who} does not allow `{}`", shown()));
        if !self.any_public && !self.hosts.allow(host, port) {
            return Err(refuse("the administrator"));
        }
        if hosts.is_some_and(|hosts| !hosts.allow(host, port)) {
            return Err(refuse("the policy's `network.hosts`"));
        }
        Ok(())
    }

    /// The administrator names the host itself, or all its addresses are public.
    fn check_addresses(&self, host: &str, port: Option<u16>, found: &[SocketAddr]) -> Result<()> {
        let private = found.iter().find(|found| !address::is_public(found.ip()));
        match private {
            Some(private) if !self.hosts.name(host, port) => Err(OutsideFault::Refused(format!(
                "`{host}` is at {}, which is not public, and the administrator does not name it \
                     itself",
                private.ip()
            ))),
            _ => Ok(()),
        }
    }
}

impl Outside for Network {
    fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    fn send(&self, request: &HttpRequest, hosts: &Hosts) -> Result<HttpResponse> {
        let fetch = self.fetch(request, Some(hosts), MAX_BODY);
        self.run(&request.url, request.time, fetch)
    }

    fn lookup(&self, name: &str, hosts: &Hosts, time: Duration) -> Result<BTreeSet<String>> {
        let lookup = async {
            self.check(name, None, Some(hosts))?;
            let found = resolve(name, 0).await?;
            self.check_addresses(name, None, &found)?;
            // An IPv4 address within IPv6 is the IPv4 address, as Go writes it.
            let addresses = found.iter().map(|found| found.ip().to_canonical());
            Ok(addresses
                .map(|address: IpAddr| address.to_string())
                .collect())
        };
        self.run(name, time, lookup)
    }
}

async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>> {
    let found = tokio::net::lookup_host((host, port)).await;
    let failed = |why: &str| OutsideFault::Network(format!("failed to look up `{host}`: {why}"));
    let found: Vec<SocketAddr> = found.map_err(|error| failed(&error.to_string()))?.collect();
    if found.is_empty() {
        return Err(failed("it has no address"));
    }
    Ok(found)
}

impl fmt::Debug for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Network")
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}
