//! The webhook's replicas, asked by one of them for a result that another keeps.
//!
//! A Service without an address of its own names them all in DNS, so that finding them takes no right
//! and no API server. Each proves by the certificate of the installation that it is one, and is shown the
//! pass, which proves the same of who asks.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures::{
    StreamExt as _,
    future::{BoxFuture, FutureExt as _},
    stream,
};
use hyper::{
    HeaderMap, Method, StatusCode,
    body::Bytes,
    header::{AUTHORIZATION, HeaderValue},
};
use jiff::Timestamp;
use portcullis_webhook::{
    Certificate, Elsewhere, KEPT_AT, MAX_RESULT, OtherReplicas, ReplicasFault,
};
use rustls::ClientConfig;
use tokio::{net::lookup_host, sync::Semaphore, time::timeout};
use url::form_urlencoded::byte_serialize;

use super::chain;
use crate::{
    files::read_aside,
    https::{Call, authorities, bearer, client},
};

/// The port of the evaluation API in a Pod.
pub(crate) const EVALUATION_PORT: u16 = 8181;

/// Time for one replica, and for finding them all. One that is there answers in milliseconds; who
/// waits has ten seconds at most.
const PATIENCE: Duration = Duration::from_secs(2);

/// Replicas that are asked at a time.
const AT_ONCE: usize = 8;

/// Most replicas that are asked, so that all of it takes ten seconds at most; the others count as
/// silent.
const MOST: usize = 32;

/// Searches at a time, each of which may hold one result a replica.
const SEARCHES: usize = 16;

/// Largest file of authorities: some certificates of a kilobyte each.
const LARGEST: u64 = 1 << 20;

/// The Service of the webhook of an installation.
pub(crate) fn webhook_service(name: &str) -> String {
    format!("{name}-webhook")
}

/// All replicas of the webhook of an installation.
#[derive(Debug)]
pub struct ClusterReplicas {
    /// The name that their certificates have.
    host: String,
    /// The name of all their addresses.
    all: String,
    /// PEM of the authority of their certificates.
    authority: PathBuf,
    certificate: Arc<Certificate>,
    searches: Semaphore,
}

/// How each is asked.
struct Question {
    url: String,
    authorization: HeaderValue,
    tls: Arc<ClientConfig>,
}

impl ClusterReplicas {
    /// The replicas of the installation `name` in `namespace`, of which this is one: with its
    /// `certificate`, whose authority is in the same folder.
    pub fn new(name: &str, namespace: &str, folder: &Path, certificate: Arc<Certificate>) -> Self {
        let service = webhook_service(name);
        Self {
            host: format!("{service}.{namespace}.svc"),
            all: format!("{service}-replicas.{namespace}.svc"),
            authority: folder.join("ca.crt"),
            certificate,
            searches: Semaphore::new(SEARCHES),
        }
    }

    async fn search(&self, id: &str) -> Result<Elsewhere, ReplicasFault> {
        let Ok(_search) = self.searches.try_acquire() else {
            return Err(ReplicasFault::Busy);
        };
        let found = timeout(PATIENCE, lookup_host((self.all.as_str(), EVALUATION_PORT))).await;
        let addresses: Vec<_> = match found {
            Ok(Ok(addresses)) => addresses.collect(),
            Ok(Err(error)) => {
                return Err(unavailable(format!("`{}` is not found: {error}", self.all)));
            }
            Err(_) => return Err(unavailable(format!("`{}` is not found in time", self.all))),
        };
        self.ask_all(&addresses, id).await
    }

    /// Asks all of them, this one among them, which does not know its own address.
    async fn ask_all(
        &self,
        addresses: &[SocketAddr],
        id: &str,
    ) -> Result<Elsewhere, ReplicasFault> {
        let question = &self.question(id).await?;
        let mut answers = stream::iter(addresses.iter().copied().take(MOST))
            .map(|address| question.ask(address))
            .buffer_unordered(AT_ONCE);
        let mut all = Elsewhere {
            newest: None,
            silent: addresses.len().saturating_sub(MOST),
        };
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(one) => all.newest = all.newest.into_iter().chain(one).max_by_key(|(at, _)| *at),
                Err(why) => {
                    tracing::warn!(why, "a replica does not tell which results it keeps");
                    all.silent += 1;
                }
            }
        }
        Ok(all)
    }

    async fn question(&self, id: &str) -> Result<Question, ReplicasFault> {
        let pass = self.certificate.pass();
        let pass = pass.ok_or_else(|| unavailable("there is no certificate yet".to_owned()))?;
        let id: String = byte_serialize(id.as_bytes()).collect();
        Ok(Question {
            url: format!("https://{}:{EVALUATION_PORT}/v1/results/{id}", self.host),
            authorization: bearer(&pass).expect("a pass is made of hexadecimal digits"),
            tls: self.tls().await?,
        })
    }

    /// The authority as it is now: it is replaced while this runs.
    async fn tls(&self) -> Result<Arc<ClientConfig>, ReplicasFault> {
        let pem = read_aside(self.authority.clone(), LARGEST).await;
        let fault = |error: &dyn std::error::Error| {
            let path = self.authority.display();
            unavailable(format!("`{path}` cannot be read: {}", chain(&error)))
        };
        let pem = pem.map_err(|error| fault(&error))?;
        let roots = authorities(&pem).map_err(|error| fault(&error))?;
        client(roots, None).map_err(|error| fault(&error))
    }
}

impl OtherReplicas for ClusterReplicas {
    fn newest_result(&self, id: Arc<str>) -> BoxFuture<'_, Result<Elsewhere, ReplicasFault>> {
        async move { self.search(&id).await }.boxed()
    }
}

impl Question {
    /// What one keeps, with the time at which it was kept; or why it does not tell.
    async fn ask(&self, address: SocketAddr) -> Result<Option<(Timestamp, Bytes)>, String> {
        let call = Call {
            url: &self.url,
            method: Method::GET,
            headers: HeaderMap::from_iter([(AUTHORIZATION, self.authorization.clone())]),
            body: Bytes::new(),
            tls: Some(self.tls.clone()),
            patience: PATIENCE,
            limit: MAX_RESULT,
        };
        let answer = call.ask(Some(address.to_string())).await;
        let answer = answer.map_err(|fault| chain(&fault))?;
        match answer.status() {
            StatusCode::OK => {
                let at = answer.headers().get(KEPT_AT);
                let at = at.and_then(|at| at.to_str().ok()?.parse().ok());
                let at = at.ok_or_else(|| format!("{address} does not say when it was kept"))?;
                Ok(Some((at, answer.into_body())))
            }
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(format!("{address} answered with {status}")),
        }
    }
}

fn unavailable(why: String) -> ReplicasFault {
    ReplicasFault::Unavailable(why)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tempfile::TempDir;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
        task::JoinHandle,
    };
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::reconcile::sample_serving;

    const OLD: &str = "HTTP/1.1 200 OK\r\nx-kept-at: 2026-01-01T00:00:00.000000001Z\r\n\
                       content-length: 3\r\n\r\nold";
    const NEW: &str = "HTTP/1.1 200 OK\r\nx-kept-at: 2026-01-01T00:00:00.000000002Z\r\n\
                       content-length: 3\r\n\r\nnew";
    const NOTHING: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";

    /// An installation, with the certificate of its replicas.
    struct Installation {
        folder: TempDir,
        certificate: Arc<Certificate>,
    }

    impl Installation {
        fn new() -> Self {
            let (authority, chain, key) = sample_serving("portcullis", "system");
            let folder = TempDir::new().unwrap();
            std::fs::write(folder.path().join("ca.crt"), authority).unwrap();
            let certificate = Certificate::empty();
            let installed = certificate.install(chain.as_bytes(), key.as_bytes());
            installed.unwrap();
            Self {
                folder,
                certificate,
            }
        }

        fn replicas(&self) -> ClusterReplicas {
            let certificate = self.certificate.clone();
            ClusterReplicas::new("portcullis", "system", self.folder.path(), certificate)
        }

        /// A replica that answers one request so, and what it was asked.
        async fn replica(&self, answer: &'static str) -> (SocketAddr, JoinHandle<String>) {
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let config = rustls::ServerConfig::builder_with_provider(provider)
                .with_protocol_versions(&[&rustls::version::TLS13])
                .unwrap()
                .with_no_client_auth()
                .with_cert_resolver(self.certificate.clone());
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let address = listener.local_addr().unwrap();
            let asked = tokio::spawn(async move {
                let (stream, _) = listener.accept().await.unwrap();
                let acceptor = TlsAcceptor::from(Arc::new(config));
                let mut stream = acceptor.accept(stream).await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
                String::from_utf8(head).unwrap()
            });
            (address, asked)
        }
    }

    fn newest(found: &Elsewhere) -> Option<&[u8]> {
        found.newest.as_ref().map(|(_, body)| body.as_ref())
    }

    #[tokio::test]
    async fn the_newest_result_of_all_replicas_is_found() {
        let installation = Installation::new();
        let mut addresses = Vec::new();
        let mut asked = Vec::new();
        for answer in [OLD, NEW, NOTHING] {
            let (address, replica) = installation.replica(answer).await;
            addresses.push(address);
            asked.push(replica);
        }
        let found = installation
            .replicas()
            .ask_all(&addresses, "did:web:a/b")
            .await;
        let found = found.unwrap();
        assert_eq!((newest(&found), found.silent), (Some(&b"new"[..]), 0));
        let pass = installation.certificate.pass().unwrap();
        for replica in asked {
            let head = replica.await.unwrap();
            assert!(
                head.starts_with("GET /v1/results/did%3Aweb%3Aa%2Fb HTTP/1.1\r\n"),
                "{head}"
            );
            assert!(
                head.contains(&format!("authorization: Bearer {pass}\r\n")),
                "{head}"
            );
        }
    }

    #[tokio::test]
    async fn those_that_do_not_answer_as_a_replica_are_silent() {
        let (installation, other) = (Installation::new(), Installation::new());
        let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut addresses = vec![gone.local_addr().unwrap()];
        drop(gone);
        for answer in [
            NOTHING,
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n",
        ] {
            addresses.push(installation.replica(answer).await.0);
        }
        // Of an authority that is not this installation's.
        addresses.push(other.replica(OLD).await.0);
        let found = installation
            .replicas()
            .ask_all(&addresses, "id")
            .await
            .unwrap();
        assert_eq!((newest(&found), found.silent), (None, 4));
    }

    #[tokio::test]
    async fn who_cannot_ask_says_so() {
        let installation = Installation::new();
        let replicas = installation.replicas();
        let searches: Vec<_> =
            std::iter::from_fn(|| replicas.searches.try_acquire().ok()).collect();
        assert_eq!(searches.len(), SEARCHES);
        assert_eq!(replicas.search("id").await, Err(ReplicasFault::Busy));
        drop(searches);

        std::fs::write(installation.folder.path().join("ca.crt"), "no PEM").unwrap();
        let found = replicas.ask_all(&[], "id").await;
        assert!(
            found
                .unwrap_err()
                .to_string()
                .contains("ca.crt` cannot be read")
        );

        let folder = installation.folder.path();
        let replicas = ClusterReplicas::new("portcullis", "system", folder, Certificate::empty());
        let found = replicas.ask_all(&[], "id").await;
        assert!(
            found
                .unwrap_err()
                .to_string()
                .contains("no certificate yet")
        );
    }

    #[tokio::test]
    async fn more_replicas_than_are_asked_are_silent() {
        let installation = Installation::new();
        let (address, _) = installation.replica(NOTHING).await;
        let addresses = [address; MOST + 3];
        let found = installation
            .replicas()
            .ask_all(&addresses, "id")
            .await
            .unwrap();
        // One request is answered, and nobody listens any more.
        assert_eq!((newest(&found), found.silent), (None, MOST + 2));
    }
}
