//! A Pod of the tests, and HTTP out of it: what a workload in the cluster sees.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::Api;
use serde_json::{Value, json};

use crate::{Stage, accounts, installation, programs, samples, until, waiting::MINUTE};

/// Where the certificate of our authority lies in a toolbox.
const CA: &str = "/trust/ca.crt";

/// The header with a token.
const AUTHORIZATION: &str = "Authorization";

/// Seconds for one HTTP request: an evaluation is given at most ten.
const SECONDS: &str = "15";

/// What stands between the body and the status in `curl`'s output; no body has it.
const MARK: &str = "\n\u{1e}status ";

/// A Pod with a container that can be asked to run things.
#[derive(Debug)]
pub struct Toolbox<'a> {
    stage: &'a Stage,
    pod: String,
    container: String,
    /// With it one may ask policies.
    token: Option<String>,
}

/// The answer to an HTTP request.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// An HTTP request.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    method: String,
    url: String,
    headers: BTreeMap<String, String>,
    body: Option<String>,
    /// A file of the container that is the body.
    file: Option<String>,
    /// A file of the container that the answer's body goes to.
    output: Option<String>,
    ca: Option<String>,
    /// Where the connection goes to, in the place of the URL's own address, as curl is told it.
    at: Option<String>,
    is_anonymous: bool,
}

impl<'a> Toolbox<'a> {
    /// Starts a Pod that does nothing by itself, with our authority's certificate in it. Its service
    /// account may ask policies.
    pub async fn start(stage: &'a Stage, name: &str) -> Result<Self> {
        let certificate = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name},
            "data": {"ca.crt": authority(stage).await?},
        });
        let mut pod = samples::good(name);
        pod["spec"]["volumes"] = json!([{"name": "trust", "configMap": {"name": name}}]);
        pod["spec"]["containers"][0]["volumeMounts"] =
            json!([{"name": "trust", "mountPath": "/trust"}]);
        stage.apply(&[certificate, pod]).await?;
        let toolbox = Self::of(stage, name, "web").await?;
        let account = accounts::user(stage, "default");
        stage.may(&account, &["portcullis-evaluator"]).await?;
        let token = Some(accounts::token_of(stage, "default", &[]).await?);
        Ok(Self { token, ..toolbox })
    }

    /// A container of a Pod, when all of its containers are ready.
    pub async fn of(stage: &'a Stage, pod: &str, container: &str) -> Result<Self> {
        let pods: Api<Pod> = Api::namespaced(stage.client(), stage.namespace());
        until(&format!("the Pod {pod} is ready"), MINUTE, async || {
            let found = pods.get(pod).await?;
            let status = found.status.context("no status")?;
            let conditions = status.conditions.as_deref().unwrap_or_default();
            let ready = conditions
                .iter()
                .any(|c| c.type_ == "Ready" && c.status == "True");
            ensure!(ready, "{status:?}");
            Ok(())
        })
        .await?;
        Ok(Self {
            stage,
            pod: pod.to_owned(),
            container: container.to_owned(),
            token: None,
        })
    }

    /// The same with the toolbox's own token, if it asks policies over the Service and says nothing of
    /// who asks.
    fn signed(&self, ask: &Ask) -> Ask {
        let says_who = ask.is_anonymous || ask.headers.contains_key(AUTHORIZATION);
        match &self.token {
            Some(token) if !says_who && ask.ca.is_some() => ask.clone().with_token(token),
            _ => ask.clone(),
        }
    }

    /// Asks, from inside this container.
    pub async fn ask(&self, ask: &Ask) -> Result<Answer> {
        let arguments = self.signed(ask).arguments();
        let mut command = vec![
            "exec",
            "--namespace",
            self.stage.namespace(),
            &self.pod,
            "--container",
            &self.container,
            "--",
            "curl",
        ];
        command.extend(arguments.iter().map(String::as_str));
        Answer::read(
            &self
                .stage
                .cluster()
                .kubectl(&command)
                .await?
                .succeeded()?
                .stdout,
        )
    }
}

/// The certificate of our authority, which callers of the evaluation API trust.
pub async fn authority(stage: &Stage) -> Result<String> {
    let secrets: Api<Secret> = Api::namespaced(stage.client(), installation::NAMESPACE);
    let secret = secrets.get("portcullis-webhook-tls").await?;
    let certificate = secret.data.and_then(|mut data| data.remove("ca.crt"));
    let certificate = certificate.context("the TLS secret has no ca.crt")?;
    Ok(String::from_utf8(certificate.0)?)
}

impl Ask {
    /// `GET url`.
    pub fn get(url: &str) -> Self {
        Self {
            method: "GET".to_owned(),
            url: url.to_owned(),
            ..Self::default()
        }
    }

    /// `POST url` with a body.
    pub fn post(url: &str, body: &Value) -> Self {
        Self {
            method: "POST".to_owned(),
            body: Some(body.to_string()),
            ..Self::get(url)
        }
    }

    /// `POST url` with a file of the container as the body.
    pub fn post_file(url: &str, file: &str) -> Self {
        Self {
            method: "POST".to_owned(),
            file: Some(file.to_owned()),
            ..Self::get(url)
        }
    }

    /// `DELETE url`.
    pub fn delete(url: &str) -> Self {
        Self {
            method: "DELETE".to_owned(),
            ..Self::get(url)
        }
    }

    /// The same; the answer's body goes to a file of the container.
    #[must_use]
    pub fn into_file(mut self, path: &str) -> Self {
        self.output = Some(path.to_owned());
        self
    }

    /// The same with a bearer token.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        self.with(AUTHORIZATION, &format!("Bearer {token}"))
    }

    /// The same with a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same without any token.
    #[must_use]
    pub fn anonymously(mut self) -> Self {
        self.is_anonymous = true;
        self
    }

    /// The same, trusting the certificate that [`Toolbox::start`] put there and no other.
    #[must_use]
    pub fn over_tls(mut self) -> Self {
        self.ca = Some(CA.to_owned());
        self
    }

    /// The same, of the one replica with this address, whatever the URL's name stands for.
    #[must_use]
    pub fn at(mut self, address: &str) -> Self {
        self.at = Some(format!("::{address}:"));
        self
    }

    /// Asks, from this machine.
    pub async fn ask(&self) -> Result<Answer> {
        let curl = programs::program("curl");
        let ran = programs::run(&curl, self.arguments(), None).await?;
        Answer::read(&ran.succeeded()?.stdout)
    }

    fn arguments(&self) -> Vec<String> {
        let mut words: Vec<String> = [
            "--silent",
            "--show-error",
            "--max-time",
            SECONDS,
            "--noproxy",
            "*",
            "--request",
            &self.method,
            "--write-out",
            &format!("{MARK}%{{http_code}}"),
        ]
        .map(str::to_owned)
        .to_vec();
        if let Some(ca) = &self.ca {
            words.extend(["--cacert".to_owned(), ca.clone()]);
        }
        if let Some(at) = &self.at {
            words.extend(["--connect-to".to_owned(), at.clone()]);
        }
        for (name, value) in &self.headers {
            words.extend(["--header".to_owned(), format!("{name}: {value}")]);
        }
        if let Some(body) = &self.body {
            // Not by way of standard input, of which `kubectl exec` may lose the beginning.
            let header = "Content-Type: application/json";
            words.extend(["--header", header, "--data-binary", body].map(str::to_owned));
        }
        if let Some(file) = &self.file {
            words.extend(["--data-binary".to_owned(), format!("@{file}")]);
        }
        if let Some(file) = &self.output {
            words.extend(["--output".to_owned(), file.clone()]);
        }
        words.push(self.url.clone());
        words
    }
}

impl Answer {
    fn read(output: &str) -> Result<Self> {
        let (body, status) = output.rsplit_once(MARK).context("curl told no status")?;
        Ok(Self {
            status: status.trim().parse()?,
            body: body.to_owned(),
        })
    }

    /// The body as JSON, of an answer that has to have this status.
    pub fn json(&self, status: u16) -> Result<Value> {
        ensure!(self.status == status, "not {status}: {self:?}");
        serde_json::from_str(&self.body).with_context(|| format!("not JSON: {}", self.body))
    }
}
