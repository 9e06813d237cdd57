//! Where the keys of an issuer are: in a file, or at a URL that is asked again and again.
//!
//! The last keys that could be read stay in use while new ones cannot be had, but not for ever: whoever
//! keeps us from the issuer must not keep a key in use that was taken away. Nobody who asks a policy
//! waits for it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use futures::future::{BoxFuture, FutureExt as _};
use portcullis_policies::{
    HostPattern,
    outside::{HttpRequest, MAX_BODY, OutsideFault},
};
use portcullis_webhook::AccessFault;
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};
use url::Url;

use super::{KeySet, KeysFault};
use crate::{access, cluster::chain, network::Network};

/// Time between two questions, beside [`SOONEST`]. Issuers publish a key a day or more before they sign with it.
const PERIOD: Duration = Duration::from_mins(5);

/// Shortest time between two, where it did not answer, or tokens name a key that is not known: however
/// many of these somebody sends.
const SOONEST: Duration = Duration::from_secs(30);

/// Time for one question, redirects and all.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long keys stay in use while newer ones cannot be had: a night in which nobody mends it.
const OLDEST: Duration = Duration::from_hours(24);

/// Where keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// In a file, which is followed as it changes.
    File(PathBuf),
    /// At a URL with `https`, or with `http` on loopback; with the authorities that sign the
    /// server's certificate, where they are not those of this machine.
    Url(String, Option<String>),
}

/// Why keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyPlaceFault {
    /// The file cannot be read.
    #[error("failed to read the keys in `{path}`", path = .0.display())]
    File(PathBuf, #[source] std::io::Error),
    /// They are none.
    #[error("failed to use the keys of `{0}`")]
    Keys(String, #[source] KeysFault),
    /// It is no URL that may be asked.
    #[error("`{0}` is no URL of keys: use https, or http on a loopback address")]
    Url(String),
    /// The server cannot be asked.
    #[error("failed to ask `{0}` for keys")]
    Ask(String, #[source] OutsideFault),
    /// It answers something else.
    #[error("`{0}` answers {1}, and no keys")]
    Answer(String, String),
}

/// The keys that are in use.
pub(super) struct Held {
    kept: ArcSwapOption<Kept>,
    /// A key is missed.
    missed: Notify,
    /// Keys in a file do not age: what is there is what the administrator wants.
    ages: bool,
}

/// Keys, and when they were read.
struct Kept {
    keys: Arc<KeySet>,
    read: Instant,
}

impl Held {
    fn new(ages: bool) -> Arc<Self> {
        Arc::new(Self {
            kept: ArcSwapOption::empty(),
            missed: Notify::new(),
            ages,
        })
    }

    /// The keys, unless there are none or they are too old.
    pub(super) fn current(&self) -> Result<Arc<KeySet>, AccessFault> {
        let kept = self.kept.load();
        let fault = |why: &str| AccessFault(why.to_owned());
        let kept = kept
            .as_ref()
            .ok_or_else(|| fault("the issuer's keys are not known yet"))?;
        if self.ages && kept.read.elapsed() > OLDEST {
            return Err(fault("the issuer's keys are too old"));
        }
        Ok(kept.keys.clone())
    }

    /// Asks for new keys, soon.
    pub(super) fn refresh(&self) {
        self.missed.notify_one();
    }

    fn install(&self, text: &[u8]) -> Result<(), KeysFault> {
        let keys = Arc::new(KeySet::read(text)?);
        let read = Instant::now();
        self.kept.store(Some(Arc::new(Kept { keys, read })));
        Ok(())
    }
}

impl KeyPlace {
    /// The keys, and the future that follows them. Those of a file are there at once.
    pub(super) fn open(self) -> Result<(Arc<Held>, BoxFuture<'static, ()>), KeyPlaceFault> {
        match self {
            Self::File(path) => {
                let held = Held::new(false);
                let text = access::read(&path)
                    .map_err(|error| KeyPlaceFault::File(path.clone(), error))?;
                let shown = path.display().to_string();
                held.install(&text)
                    .map_err(|fault| KeyPlaceFault::Keys(shown, fault))?;
                let follower = held.clone();
                let install = move |text: &[u8]| follower.install(text);
                Ok((held, access::follow(path, text, install).boxed()))
            }
            Self::Url(url, authorities) => {
                let held = Held::new(true);
                let source = Source::new(url, authorities)?;
                let follow = source.follow(held.clone()).boxed();
                Ok((held, follow))
            }
        }
    }
}

/// Asks again and again, and says in the log what changes about it.
async fn keep<A>(held: &Held, url: &str, fetch: impl Fn() -> A)
where
    A: Future<Output = Result<(), KeyPlaceFault>>,
{
    let (mut is_first, mut said) = (true, None);
    loop {
        match fetch().await {
            Ok(()) if is_first || said.is_some() => {
                tracing::info!(url, "the issuer's keys are read");
                (is_first, said) = (false, None);
            }
            Ok(()) => {}
            Err(fault) => {
                let fault = chain(&fault);
                if said.as_ref() != Some(&fault) {
                    tracing::warn!(fault, "the issuer's keys cannot be read");
                }
                said = Some(fault);
            }
        }
        sleep(SOONEST).await;
        if said.is_none() {
            tokio::select! {
                () = sleep(PERIOD) => {}
                () = held.missed.notified() => {}
            }
        }
    }
}

/// A server that has keys.
struct Source {
    url: String,
    authorities: Option<String>,
    host: HostPattern,
    network: Network,
}

impl Source {
    fn new(url: String, authorities: Option<String>) -> Result<Self, KeyPlaceFault> {
        let host = host_of(&url).ok_or_else(|| KeyPlaceFault::Url(url.clone()))?;
        Ok(Self {
            network: Network::new([host.clone()].into_iter().collect()),
            url,
            authorities,
            host,
        })
    }

    async fn follow(self, held: Arc<Held>) {
        let url = self.url.clone();
        let (source, into) = (Arc::new(self), held.clone());
        let fetch = move || {
            let (source, into) = (source.clone(), into.clone());
            async move { source.fetch(&into).await }
        };
        keep(&held, &url, fetch).await;
    }

    async fn fetch(&self, held: &Held) -> Result<(), KeyPlaceFault> {
        let request = HttpRequest {
            method: "GET".to_owned(),
            url: self.url.clone(),
            headers: vec![("accept".to_owned(), "application/json".to_owned())],
            body: Vec::new(),
            follows_redirects: false,
            authorities: self.authorities.clone(),
            trusts_system: self.authorities.is_none(),
            time: PATIENCE,
        };
        let hosts = [self.host.clone()].into_iter().collect();
        let asked = tokio::time::timeout(
            PATIENCE,
            self.network.fetch(&request, Some(&hosts), MAX_BODY),
        );
        let late = || OutsideFault::Network("it does not answer in time".to_owned());
        let answer = asked.await.unwrap_or_else(|_| Err(late()));
        let answer = answer.map_err(|fault| KeyPlaceFault::Ask(self.url.clone(), fault))?;
        if answer.status_code != 200 {
            return Err(KeyPlaceFault::Answer(self.url.clone(), answer.status));
        }
        held.install(&answer.body)
            .map_err(|fault| KeyPlaceFault::Keys(self.url.clone(), fault))
    }
}

/// The server of a URL that may be asked: nobody between us and it can change its keys.
fn host_of(url: &str) -> Option<HostPattern> {
    let url = Url::parse(url).ok()?;
    let is_loopback = match url.host()? {
        url::Host::Domain(name) => name == "localhost",
        url::Host::Ipv4(address) => address.is_loopback(),
        url::Host::Ipv6(address) => address.is_loopback(),
    };
    let may_be_asked = url.scheme() == "https" || (url.scheme() == "http" && is_loopback);
    let (host, port) = (url.host_str()?, url.port_or_known_default()?);
    let host = format!("{host}:{port}").parse().ok();
    host.filter(|_| may_be_asked)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use rstest::rstest;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    /// Asks a server that answers `answer`, of a set that was read before.
    async fn fetch(answer: String) -> (Arc<Held>, Result<(), KeyPlaceFault>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            // One who has heard enough leaves.
            let _ = stream.write_all(answer.as_bytes()).await;
            String::from_utf8(head).unwrap()
        });
        let held = Held::new(true);
        held.install(KEYS.as_bytes()).unwrap();
        let source = Source::new(url, None).unwrap();
        let fetched = source.fetch(&held).await;
        assert!(server.await.unwrap().starts_with("GET /keys HTTP/1.1\r\n"));
        (held, fetched)
    }

    fn answer(status: &str, body: &str) -> String {
        format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    #[tokio::test]
    async fn keys_of_a_server_are_taken_over() {
        let before = KeySet::read(KEYS.as_bytes()).unwrap().0.len();
        let two = KEYS.replace("[{", "[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},{");
        let (held, fetched) = fetch(answer("200 OK", &two)).await;
        fetched.unwrap();
        assert_eq!(held.current().unwrap().0.len(), before + 1);
    }

    #[rstest]
    #[case(answer("500 Internal Server Error", KEYS))]
    #[case(answer("404 Not Found", KEYS))]
    #[case("HTTP/1.1 302 Found\r\nlocation: https://evil.example/\r\ncontent-length: 0\r\n\r\n".to_owned())]
    #[case(answer("200 OK", ""))]
    #[case(answer("200 OK", "{\"keys\":[]}"))]
    #[case(answer("200 OK", &format!("{KEYS}{}", " ".repeat(2 << 20))))]
    #[case("220 mail.example ESMTP\r\n\r\n".to_owned())]
    #[tokio::test]
    async fn what_is_no_set_of_keys_changes_nothing(#[case] answer: String) {
        let (held, fetched) = fetch(answer).await;
        assert!(fetched.is_err());
        assert_eq!(held.current().unwrap().0.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_good_keys_are_kept_for_a_day() {
        let held = Held::new(true);
        assert!(held.current().is_err(), "there were none yet");
        held.install(KEYS.as_bytes()).unwrap();
        tokio::time::advance(OLDEST).await;
        assert!(held.install(b"{}").is_err());
        assert!(held.current().is_ok());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(held.current().is_err());
        let file = Held::new(false);
        file.install(KEYS.as_bytes()).unwrap();
        tokio::time::advance(2 * OLDEST).await;
        assert!(file.current().is_ok(), "a file does not age");
    }

    /// How often an issuer is asked in an hour.
    async fn asked_in_an_hour(fails: bool, misses: bool) -> u64 {
        let (held, asked) = (Held::new(true), Cell::new(0));
        let fetch = || {
            asked.set(asked.get() + 1);
            let answer = if fails {
                Err(KeyPlaceFault::Url("x".to_owned()))
            } else {
                Ok(())
            };
            std::future::ready(answer)
        };
        let missing = async {
            loop {
                sleep(Duration::from_secs(1)).await;
                if misses {
                    held.refresh();
                }
            }
        };
        // The end of the hour comes first: a question that is due just then is of the next one.
        tokio::select! {
            biased;
            () = sleep(Duration::from_hours(1)) => {}
            () = keep(&held, "x", fetch) => {}
            () = missing => {}
        }
        asked.get()
    }

    #[tokio::test(start_paused = true)]
    async fn an_issuer_is_asked_again_and_not_too_often() {
        assert_eq!(asked_in_an_hour(false, false).await, 11);
        assert_eq!(asked_in_an_hour(true, false).await, 120);
        let often = asked_in_an_hour(false, true).await;
        assert!((100..=120).contains(&often), "{often}");
    }
}
