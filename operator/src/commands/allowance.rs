//! What the administrator allows policies.

use std::{sync::Arc, time::Duration};

use clap::builder::RangedU64ValueParser;
use portcullis_crds as crds;
use portcullis_policies::{Allowance, Cache, Extent, HostPattern, Limits, TenantLimits};

use super::size::size;
use crate::network::Network;

/// Arguments of every process that compiles policies. The operator, the webhook and sidecars need
/// the same.
#[derive(Debug, clap::Args)]
pub struct AllowanceArguments {
    /// Hosts that policies may ask, where their own `network.hosts` names them too: `api.example.com`,
    /// `*.example.com`, with a port or with all. None by default. Hosts on private addresses have to be
    /// named themselves. The operator, the webhook and sidecars need the same.
    #[arg(
        long,
        value_name = "HOST",
        value_delimiter = ',',
        env = "PORTCULLIS_ALLOW_HOSTS",
        hide_env_values = true
    )]
    pub allow_hosts: Vec<HostPattern>,

    /// Most time that one evaluation may take, whatever the policy's `limits.timeout` says: from `1ms`
    /// to `5s`.
    #[arg(
        long,
        value_name = "TIME",
        default_value = "5s",
        value_parser = crds::limits::timeout,
        env = "PORTCULLIS_MAX_TIMEOUT",
        hide_env_values = true
    )]
    pub max_timeout: Duration,

    /// Most memory that one evaluation may use up, whatever the policy's `limits.memory` says: from
    /// `1Mi` to `256Mi`.
    #[arg(
        long,
        value_name = "MEMORY",
        default_value = "256Mi",
        value_parser = crds::limits::memory,
        env = "PORTCULLIS_MAX_MEMORY",
        hide_env_values = true
    )]
    pub max_memory: u64,

    /// Most Rego of one policy, with that of its imports: from `16Ki` to `2Mi`. Time and memory of
    /// compiling are in proportion to it. A policy that has more is broken.
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "2Mi",
        value_parser = size::<{ 16 << 10 }, { Extent::MAX.source }>,
        env = "PORTCULLIS_MAX_SOURCE",
        hide_env_values = true
    )]
    pub max_source: usize,

    /// Most rules and functions of one policy, with those of its imports and of `data.lib`: from 500 to
    /// 20000. A policy that has more is broken.
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = Extent::MAX.rules,
        value_parser = RangedU64ValueParser::<usize>::new().range(500..=20_000),
        env = "PORTCULLIS_MAX_RULES",
        hide_env_values = true
    )]
    pub max_rules: usize,

    /// Most texts and keys in the `data` of one policy, with that of its imports, and a value for each 32
    /// bytes of them: from `16Ki` to `32Mi`. A policy that has more is broken.
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "32Mi",
        value_parser = size::<{ 16 << 10 }, { Extent::MAX.data }>,
        env = "PORTCULLIS_MAX_DATA",
        hide_env_values = true
    )]
    pub max_data: usize,

    /// How far away the end of an exemption may be, in whole days or hours: from `1h` to `3650d`. One
    /// that ends later exempts nothing.
    #[arg(
        long,
        value_name = "TIME",
        default_value = "90d",
        value_parser = crds::limits::exemption,
        env = "PORTCULLIS_MAX_EXEMPTION",
        hide_env_values = true
    )]
    pub max_exemption: Duration,

    /// Most policies and bindings that a namespace may have. One more is refused when it is applied.
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = TenantLimits::DEFAULT.judges,
        env = "PORTCULLIS_MAX_NAMESPACE_POLICIES",
        hide_env_values = true
    )]
    pub max_namespace_policies: usize,

    /// Fetches documents for policies of a namespace, too, where their `dataFrom.http` names a host that
    /// is allowed. For those of the cluster they are fetched anyhow.
    #[arg(long, env = "PORTCULLIS_NAMESPACED_HTTP_DATA", hide_env_values = true)]
    pub namespaced_http_data: bool,
}

impl AllowanceArguments {
    /// An empty cache for policies that are allowed this, on the reactor that this is called on.
    pub(super) fn cache(self) -> Arc<Cache> {
        self.open().0
    }

    /// The same, and the network that they reach.
    pub(super) fn open(self) -> (Arc<Cache>, Arc<Network>) {
        let hosts = self.allow_hosts.into_iter().collect();
        let network = Arc::new(Network::new(hosts));
        let cache = Cache::allowing(Allowance {
            outside: network.clone(),
            limits: Limits {
                timeout: self.max_timeout,
                memory: self.max_memory,
            },
            extent: Extent {
                source: self.max_source,
                rules: self.max_rules,
                data: self.max_data,
            },
            longest_exemption: self.max_exemption,
            tenant: TenantLimits {
                judges: self.max_namespace_policies,
                ..TenantLimits::DEFAULT
            },
            namespaced_http_data: self.namespaced_http_data,
        });
        (Arc::new(cache), network)
    }
}
