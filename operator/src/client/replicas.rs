//! The replicas of an installation, asked through the API server: one of them, or each.

use std::{io, time::Duration};

use futures::FutureExt as _;
use hyper::{Response, body::Bytes};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::Portforwarder};
use tokio::{io::DuplexStream, time::timeout};

use super::{Ask, Failure, Installation, Server, installation::said};
use crate::{cluster::EVALUATION_PORT, https::HttpsFault};

/// Replicas that are tried where one is to be asked: as many as the chart starts.
const TRIES: usize = 3;

/// Time for the API server to lead to one: a third of what somebody waits, so that the others can be
/// tried where a node is gone.
const LEADING: Duration = Duration::from_secs(10);

/// The replicas that run.
pub(crate) struct Replicas {
    pub(super) installation: Installation,
    pub(super) pods: Api<Pod>,
    /// In the order in which they are tried.
    pub(super) names: Vec<String>,
    /// What each of them is to who asks: they share a name, and certificates for it.
    pub(super) server: Server,
}

impl Replicas {
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Asks one that can be reached, and reads the body of an answer that is 200.
    pub(crate) async fn ask_one(&self, ask: Ask<'_>) -> Result<Bytes, Failure> {
        let limit = ask.limit;
        let asked = first_reached(&self.names, async |name| {
            self.exchange(name, ask.clone()).await
        });
        let answer = asked.await.ok_or_else(|| self.nobody_runs())?;
        self.read(answer, limit)
    }

    /// As a server's answer is read. No client certificate is shown to a replica.
    fn read(
        &self,
        answer: Result<Response<Bytes>, HttpsFault>,
        limit: usize,
    ) -> Result<Bytes, Failure> {
        let read = self.server.read(answer, limit);
        read.map_err(|failure| match failure {
            Failure::Refused(fault) if fault.code == "REQUEST.UNAUTHENTICATED" => {
                let remedy = "`--token-file FILE` sends another token than the kubeconfig's";
                Failure::Refused(Box::new(fault.with_remedy(remedy)))
            }
            failure => failure,
        })
    }

    /// Asks this one, and gives its answer, whatever it says.
    pub(crate) async fn exchange(
        &self,
        name: &str,
        ask: Ask<'_>,
    ) -> Result<Response<Bytes>, HttpsFault> {
        let not_there = |why: String| HttpsFault::Connect {
            address: format!("the Pod `{name}`"),
            source: io::Error::other(why),
        };
        let (mut forwarder, stream) = self.lead(name).await.map_err(not_there)?;
        let answer = self.server.exchange_over(stream, ask).await;
        // Where nobody listens the stream just ends, and the API server says why beside it.
        let said = forwarder
            .take_error(EVALUATION_PORT)
            .and_then(|said| said.now_or_never().flatten());
        forwarder.abort();
        match (answer, said) {
            (Err(HttpsFault::Tls { .. }), Some(why)) => Err(not_there(why)),
            (answer, _) => answer,
        }
    }

    /// A stream to the port of one.
    async fn lead(&self, name: &str) -> Result<(Portforwarder, DuplexStream), String> {
        let led = timeout(LEADING, self.pods.portforward(name, &[EVALUATION_PORT])).await;
        let led = led.map_err(|_| "the API server did not lead there in time".to_owned())?;
        let mut forwarder = led.map_err(|error| self.why_not(&error))?;
        let stream = forwarder.take_stream(EVALUATION_PORT);
        let stream = stream.ok_or("the API server leads to no port")?;
        Ok((forwarder, stream))
    }

    /// Why the API server does not lead there. Where the right is missing, a role gives it.
    fn why_not(&self, error: &kube::Error) -> String {
        let why = said(error);
        match error {
            kube::Error::Api(status) if status.code == 403 => {
                format!("{why} (the Role `{}` allows it)", self.installation.role())
            }
            _ => why,
        }
    }

    /// What is to be said where there is none.
    pub(crate) fn nobody_runs(&self) -> Failure {
        let Installation {
            namespace,
            name,
            options,
        } = &self.installation;
        let told = format!("no Pod of the webhook of `{name}` runs in `{namespace}`");
        let remedy = format!("name another installation with {options}");
        Failure::unreachable(told, Some(&remedy))
    }
}

/// What the first one says that can be reached, or why the last one that was tried cannot be; nothing
/// where there is none.
async fn first_reached<T>(
    names: &[String],
    ask: impl AsyncFn(&str) -> Result<T, HttpsFault>,
) -> Option<Result<T, HttpsFault>> {
    let mut asked = None;
    for name in names.iter().take(TRIES) {
        let answer = ask(name).await;
        // Whom the question has reached is waited for, and is the only one that is asked.
        let is_reached = !matches!(
            answer,
            Err(HttpsFault::Connect { .. } | HttpsFault::Tls { .. })
        );
        asked = Some(answer);
        if is_reached {
            break;
        }
    }
    asked
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use hyper::{Method, StatusCode};
    use rstest::rstest;

    use super::*;
    use crate::{client::parse_installation, cluster::api_server::ApiServer};

    fn answer(what: &str) -> Result<(), HttpsFault> {
        let address = "a".to_owned();
        let source = io::Error::other(what.to_owned());
        Err(match what {
            "answered" => return Ok(()),
            "refused" => HttpsFault::Connect { address, source },
            "no TLS" => HttpsFault::Tls { address, source },
            "late" => HttpsFault::Late {
                address,
                patience: LEADING,
            },
            _ => HttpsFault::Answer {
                address,
                source: what.into(),
            },
        })
    }

    #[rstest]
    #[case::none(&[], None, 0)]
    #[case::the_first(&["answered", "refused"], Some(true), 1)]
    #[case::the_second(&["refused", "answered"], Some(true), 2)]
    #[case::the_third(&["no TLS", "refused", "answered"], Some(true), 3)]
    #[case::no_more(&["refused", "refused", "no TLS", "answered"], Some(false), 3)]
    #[case::nobody(&["refused"], Some(false), 1)]
    #[case::late_ones_were_reached(&["late", "answered"], Some(false), 1)]
    #[case::so_were_those_that_broke_off(&["cut off", "answered"], Some(false), 1)]
    #[tokio::test]
    async fn the_next_one_is_tried_where_one_cannot_be_reached(
        #[case] answers: &[&str],
        #[case] is_answered: Option<bool>,
        #[case] tries: usize,
    ) {
        let names: Vec<String> = answers.iter().map(|&it| it.to_owned()).collect();
        let asked = RefCell::new(Vec::new());
        let found = first_reached(&names, async |name| {
            asked.borrow_mut().push(name.to_owned());
            answer(name)
        });
        assert_eq!(found.await.map(|found| found.is_ok()), is_answered);
        assert_eq!(asked.into_inner(), names[..tries]);
    }

    fn replicas(server: &ApiServer, names: &[&str]) -> Replicas {
        let installation = parse_installation("portcullis-system/portcullis").unwrap();
        Replicas {
            pods: Api::namespaced(server.client(), &installation.namespace),
            installation,
            names: names.iter().map(|&name| name.to_owned()).collect(),
            server: Server {
                url: "https://portcullis-webhook.portcullis-system.svc:8181".to_owned(),
                tls: None,
                authorization: None,
                patience: LEADING,
            },
        }
    }

    #[rstest]
    #[case::nobody(
        &[],
        200,
        "SERVER.UNREACHABLE: no Pod of the webhook of `portcullis` runs in `portcullis-system`\n  → name \
         another installation with `--cluster=NAMESPACE/NAME`"
    )]
    #[case::not_allowed(
        &["a"],
        403,
        "SERVER.UNREACHABLE: failed to ask https://portcullis-webhook.portcullis-system.svc:8181: failed \
         to connect to the Pod `a`: the API server says 403 Forbidden (the Role \
         `portcullis-decisions-client` allows it)"
    )]
    #[case::gone(
        &["a", "b", "c", "d"],
        404,
        "SERVER.UNREACHABLE: failed to ask https://portcullis-webhook.portcullis-system.svc:8181: failed \
         to connect to the Pod `c`: the API server says 404 Not Found"
    )]
    #[tokio::test]
    async fn nobody_who_can_be_reached_is_told(
        #[case] names: &[&str],
        #[case] status: u16,
        #[case] expected: &str,
    ) {
        let server = ApiServer::default();
        for name in names {
            let path = format!("/api/v1/namespaces/portcullis-system/pods/{name}/portforward");
            server.refuse(&format!("GET {path}"), status);
        }
        let replicas = replicas(&server, names);
        let asked = replicas.ask_one(Ask::of(Method::POST, "/policy/a/b/1.0/decision", 1));
        assert_eq!(asked.await.unwrap_err().text(), expected);
    }

    #[tokio::test]
    async fn a_token_that_is_not_known_is_another_ones_to_send() {
        let unknown =
            br#"{"code": "REQUEST.UNAUTHENTICATED", "detail": "the bearer token is not known"}"#;
        let mut answer = Response::new(Bytes::from_static(unknown));
        *answer.status_mut() = StatusCode::UNAUTHORIZED;
        let failure = replicas(&ApiServer::default(), &[]).read(Ok(answer), 1);
        assert_eq!(
            failure.unwrap_err().text(),
            "REQUEST.UNAUTHENTICATED: the bearer token is not known\n  → `--token-file FILE` sends \
             another token than the kubeconfig's"
        );
    }
}
