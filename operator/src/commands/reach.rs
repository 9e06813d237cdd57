//! What the administrator lets policies reach.

use std::sync::Arc;

use portcullis_policies::{Cache, HostPattern};

use crate::network::Network;

/// Arguments of every process that compiles policies.
#[derive(Debug, clap::Args)]
pub struct ReachArguments {
    /// Hosts that policies may ask, where their own `network.hosts` names them too: `api.example.com`,
    /// `*.example.com`, with a port or with all. None by default. Hosts on private addresses have to be
    /// named themselves. The operator, the webhook and sidecars need the same.
    #[arg(
        long,
        value_name = "HOST",
        value_delimiter = ',',
        env = "PORTCULLIS_ALLOW_HOSTS"
    )]
    pub allow_hosts: Vec<HostPattern>,
}

impl ReachArguments {
    /// An empty cache for policies that reach these hosts, on the reactor that this is called on.
    pub(super) fn cache(self) -> Arc<Cache> {
        let hosts = self.allow_hosts.into_iter().collect();
        Arc::new(Cache::reaching(Arc::new(Network::new(hosts))))
    }
}
