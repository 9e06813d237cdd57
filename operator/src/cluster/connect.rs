//! The connection to the API server.

use std::{path::Path, time::Duration};

use kube::{
    Client, Config,
    config::{AuthInfo, KubeConfigOptions, Kubeconfig},
};
use rustls::crypto::aws_lc_rs;

use crate::https;

/// Time to connect: what is not there within it is tried again.
const CONNECT: Duration = Duration::from_secs(5);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectFault {
    /// Neither a kubeconfig nor a pod's service account.
    #[error(
        "failed to find out which cluster to use: run in a pod with a service account, or set \
         `KUBECONFIG`"
    )]
    Infer(#[source] kube::config::InferConfigError),
    /// The kubeconfig cannot be read, or has no such context.
    #[error("the kubeconfig cannot be used")]
    Kubeconfig(#[source] kube::config::KubeconfigError),
    /// The settings cannot be used.
    #[error("failed to prepare the connection to the API server")]
    Client(#[source] kube::Error),
    /// The token is none that a header can carry.
    #[error("the bearer token holds characters that no token has")]
    Token,
}

/// How the API server is reached, and a client with the process' own rights.
pub async fn connect() -> Result<(Config, Client), ConnectFault> {
    connect_to(None, None).await
}

/// The same, by a kubeconfig and one of its contexts where these are named.
pub(crate) async fn connect_to(
    kubeconfig: Option<&Path>,
    context: Option<&str>,
) -> Result<(Config, Client), ConnectFault> {
    // Chosen here once; kube's connector and ours use the same. An error means that it was chosen
    // before.
    let _ = aws_lc_rs::default_provider().install_default();
    let mut config = configure(kubeconfig, context).await?;
    config.connect_timeout = Some(CONNECT);
    let client = Client::try_from(config.clone()).map_err(ConnectFault::Client)?;
    Ok((config, client))
}

async fn configure(
    kubeconfig: Option<&Path>,
    context: Option<&str>,
) -> Result<Config, ConnectFault> {
    if kubeconfig.is_none() && context.is_none() {
        return Config::infer().await.map_err(ConnectFault::Infer);
    }
    let options = KubeConfigOptions {
        context: context.map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    let read = match kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    let read = read.map_err(ConnectFault::Kubeconfig)?;
    let config = Config::from_custom_kubeconfig(read, &options).await;
    config.map_err(ConnectFault::Kubeconfig)
}

/// A client with the rights of whoever has this token, and none of the process' own.
pub(crate) fn connect_as(config: &Config, bearer: &str) -> Result<Client, ConnectFault> {
    let mut config = config.clone();
    config.auth_info = AuthInfo::default();
    // A call that has failed is told to the caller at once.
    config.default_retry = false;
    let header = https::bearer(bearer).map_err(|_| ConnectFault::Token)?;
    config.headers.push((hyper::header::AUTHORIZATION, header));
    Client::try_from(config).map_err(ConnectFault::Client)
}
