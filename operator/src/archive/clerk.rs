//! Makes archives and verifies them, as the administrator configured: what all keepers of archives
//! share, whatever they keep policies in.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use portcullis_policies::{
    Address, Allowance, Cache, Digest, Labels, Lookup, ObjectKey, ParameterKey, ParameterKind,
    Policy, Scope, Selected, Selection, Snapshot,
};
use portcullis_webhook::{ArchiveFault, Exported, ImportAction, Imported, VerifyingKey};
use serde_json::json;
use tokio::sync::Semaphore;

use super::{
    contents::{self, Opened},
    data_config,
    files::Files,
    keyring::{KeyFiles, Keyring},
    metadata::{Metadata, OwnNote, PolicyNote},
    order::{Mark, Moment},
    periodic::Fetcher,
    trust::TrustFile,
};
use crate::{
    convert::{self, Draft, kind},
    deep::on_a_deep_stack,
    directory::{Item, read_policy},
    network::{HostRule, Network},
    subscriptions::Courier,
};

/// Archives that are made, or read and compiled, at once: each takes some tens of megabytes.
const AT_ONCE: usize = 2;

/// Arguments of whoever exports and imports.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ArchiveArguments {
    /// PEM file of the private key that signs exported policies, of P-256 or Ed25519, followed as it
    /// changes. Without it nothing is exported.
    #[arg(
        long,
        value_name = "FILE",
        env = "PORTCULLIS_EXPORT_KEY",
        hide_env_values = true
    )]
    pub export_key: Option<PathBuf>,

    /// File of public keys, in PEM or as JSON Web Keys, whose archives are imported, followed as it
    /// changes; several may be given. With addresses in front, the keys may sign those only:
    /// `gaiax/*,web/cookies=FILE`. Without it nothing is imported.
    #[arg(
        long,
        value_name = "[ADDRESSES=]FILE",
        env = "PORTCULLIS_IMPORT_KEYS",
        value_delimiter = ';',
        hide_env_values = true
    )]
    pub import_keys: Vec<TrustFile>,

    /// URL at which others reach this server, which exported archives name.
    #[arg(
        long,
        value_name = "URL",
        default_value = "",
        hide_default_value = true,
        env = "PORTCULLIS_EXTERNAL_URL",
        hide_env_values = true
    )]
    pub external_url: String,

    /// Hosts from which archives are fetched periodically, written as those of `--notify-hosts`. None by
    /// default; it needs `--import-keys`.
    #[arg(
        long,
        value_name = "HOST",
        value_delimiter = ',',
        env = "PORTCULLIS_IMPORT_HOSTS",
        hide_env_values = true
    )]
    pub import_hosts: Vec<HostRule>,

    /// Hosts at which subscribers are told of policies' changes: `api.example.com`, `*.example.com`,
    /// with a port or with all, and `*` for whatever is on public addresses. Hosts on private addresses
    /// have to be named themselves. None by default; it needs `--export-key`, which signs the events.
    #[arg(
        long,
        value_name = "HOST",
        value_delimiter = ',',
        env = "PORTCULLIS_NOTIFY_HOSTS",
        hide_env_values = true
    )]
    pub notify_hosts: Vec<HostRule>,

    /// PEM file of authorities that certificates of hosts of `--import-hosts` and `--notify-hosts` may be
    /// of, beside this machine's, read whenever one is asked.
    #[arg(
        long,
        value_name = "FILE",
        env = "PORTCULLIS_EXCHANGE_CA",
        hide_env_values = true
    )]
    pub exchange_ca: Option<PathBuf>,
}

/// Makes and verifies archives.
#[derive(Debug)]
pub struct Clerk {
    keyring: Arc<Keyring>,
    external_url: String,
    repository: String,
    room: Semaphore,
}

/// A policy that a trusted signer signed for its address.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// Where it is to be found.
    pub(crate) address: Address,
    /// What is kept with it.
    pub(crate) mark: Mark,
    /// The files that mean something.
    pub(crate) files: Files,
    /// Those that do not.
    pub(crate) ignored: Vec<String>,
    /// What was read of them.
    pub(crate) draft: Draft,
}

impl Candidate {
    /// What is told of it when it was taken in.
    pub(crate) fn imported(self, digest: Digest, action: ImportAction, in_force: bool) -> Imported {
        Imported {
            address: self.address,
            digest,
            action,
            last_update: self.mark.moment.last_update,
            signer: self.mark.signer,
            ignored: self.ignored,
            in_force,
        }
    }
}

impl ArchiveArguments {
    /// Who tells subscribers, with the keys of a clerk, on the reactor that this is called on.
    pub(crate) fn courier(&self, clerk: &Clerk) -> Courier {
        let network = self.network(&self.notify_hosts);
        let keyring = clerk.keyring.clone();
        Courier::new(network, keyring, &clerk.external_url, &clerk.repository)
    }

    /// Who fetches archives, for a clerk, on the reactor that this is called on.
    pub(crate) fn fetcher(&self, clerk: &Clerk) -> Fetcher {
        Fetcher::new(self.network(&self.import_hosts), clerk.keyring.clone())
    }

    fn network(&self, hosts: &[HostRule]) -> Network {
        Network::reaching(hosts.iter().cloned()).trusting(self.exchange_ca.clone())
    }

    /// A clerk for a server that gives policies this repository's name. Its keys are read by
    /// [`Keyring::look`].
    pub fn clerk(&self, repository: &str) -> Clerk {
        let keyring = Keyring::new(KeyFiles {
            export: self.export_key.clone(),
            import: self.import_keys.clone(),
        });
        Clerk {
            keyring: Arc::new(keyring),
            external_url: self.external_url.trim_end_matches('/').to_owned(),
            repository: repository.to_owned(),
            room: Semaphore::new(AT_ONCE),
        }
    }
}

impl Clerk {
    /// The keys.
    pub fn keyring(&self) -> &Arc<Keyring> {
        &self.keyring
    }

    /// The key that verifies what is exported.
    pub(crate) fn key(&self) -> Result<VerifyingKey, ArchiveFault> {
        let key = self.keyring.signing().ok_or_else(no_key)?;
        Ok(VerifyingKey {
            jwk: key.public().jwk(),
            pem: key.public().pem(),
        })
    }

    /// Signs a policy.
    pub(crate) async fn export(
        &self,
        policy: Arc<Policy>,
        is_locked: bool,
        moment: Moment,
    ) -> Result<Exported, ArchiveFault> {
        let key = self.keyring.signing().ok_or_else(no_key)?;
        let metadata = self.metadata(&policy, is_locked, moment);
        let _room = self.enter()?;
        let work = move || {
            let files = Files::of(policy.definition());
            let sealed = contents::seal(&metadata, &files, &key)?;
            Ok(Exported {
                archive: sealed.archive,
                tag: sealed.tag,
            })
        };
        let made = tokio::task::spawn_blocking(work).await;
        made.unwrap_or_else(|_| Err(given_up()))
    }

    fn metadata(&self, policy: &Policy, is_locked: bool, moment: Moment) -> Metadata {
        let address = policy.address();
        let prefix = match address.namespace() {
            Some(namespace) => format!("/namespaces/{namespace}/policy"),
            None => format!("/policy/{}", self.repository),
        };
        Metadata {
            policy: PolicyNote {
                name: address.name().to_owned(),
                group: address.group().to_owned(),
                version: address.version().to_string(),
                repository: self.repository.clone(),
                locked: is_locked,
                last_update: moment.last_update,
            },
            public_key_url: format!(
                "{}{prefix}/{}/{}/{}/key",
                self.external_url,
                address.group(),
                address.name(),
                address.version()
            ),
            portcullis: Some(OwnNote {
                digest: policy.digest().to_string(),
                generation: moment.generation,
                namespace: address.namespace().map(str::to_owned),
            }),
        }
    }

    /// Verifies an archive, reads its policy for a scope, and compiles it with what `cache` has: what
    /// would be broken is refused.
    pub(crate) async fn open(
        &self,
        archive: impl AsRef<[u8]> + Send + 'static,
        scope: Scope,
        cache: Arc<Cache>,
    ) -> Result<(Candidate, Arc<Policy>), ArchiveFault> {
        if !self.keyring.may_import() {
            let text = "nobody's archives are imported here: no keys are configured";
            return Err(ArchiveFault::NoKey(text.to_owned()));
        }
        let trust = self.keyring.trust();
        let _room = self.enter()?;
        let work = move || {
            let opened = contents::open(archive.as_ref(), &trust)?;
            let PolicyNote { group, name, .. } = &opened.metadata.policy;
            if !trust.allows(&opened.signer, group, name) {
                let signer = opened.signer.id();
                let text = format!("the key {signer} may not sign policies of {group}/{name}");
                return Err(ArchiveFault::Untrusted(text));
            }
            let allowance = cache.allowance();
            let candidate = candidate(opened, &scope, &allowance)?;
            let arrival = Arrival(cache.snapshot());
            let compiled = candidate.draft.clone().compile(&arrival, allowance);
            let broken = compiled.policy.faults();
            match broken {
                Some(faults) => Err(ArchiveFault::Broken(faults.to_string())),
                None => Ok((candidate, compiled.policy)),
            }
        };
        deeply(work).await
    }

    fn enter(&self) -> Result<tokio::sync::SemaphorePermit<'_>, ArchiveFault> {
        let full = "too many archives are being worked on at once";
        self.room
            .try_acquire()
            .map_err(|_| ArchiveFault::Unavailable(full.to_owned()))
    }
}

/// What is around a policy that is not here yet. What is fetched for it will be there: it is fetched for
/// policies that are here.
struct Arrival(Arc<Snapshot>);

impl Lookup for Arrival {
    fn policy(&self, address: &Address) -> Option<Arc<Policy>> {
        self.0.policy(address)
    }

    fn selected(&self, selection: &Selection) -> Option<Selected> {
        if selection.kind != ParameterKind::fetched_document() {
            return self.0.selected(selection);
        }
        let key = ParameterKey {
            kind: selection.kind.clone(),
            namespace: None,
            name: String::new(),
        };
        let content = json!({"spec": {"document": "{}"}});
        let content = content.as_object().cloned().unwrap_or_default();
        let document = convert::parameter(key, Labels::new(), content);
        Some(Selected::Known(vec![Arc::new(document)]))
    }
}

/// The compiler follows a policy's nesting.
async fn deeply<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ArchiveFault> + Send + 'static,
) -> Result<T, ArchiveFault> {
    let done = on_a_deep_stack("archive", work).await;
    done.unwrap_or_else(|why| Err(ArchiveFault::Unavailable(why)))
}

fn no_key() -> ArchiveFault {
    ArchiveFault::NoKey("nothing is exported here: there is no key to sign with".to_owned())
}

fn given_up() -> ArchiveFault {
    ArchiveFault::Unavailable("the work on the archive ended unexpectedly".to_owned())
}

/// Reads the policy of an archive as the layout's folder that it is.
fn candidate(
    opened: Opened,
    scope: &Scope,
    allowance: &Allowance,
) -> Result<Candidate, ArchiveFault> {
    let invalid = |why: String| ArchiveFault::Invalid(why);
    let Opened {
        signer,
        sum,
        metadata,
        mut files,
    } = opened;
    let PolicyNote {
        name,
        group,
        version,
        locked,
        last_update,
        ..
    } = metadata.policy;
    let address = Address::new(scope.clone(), &group, &name, &version)
        .map_err(|error| invalid(error.to_string()))?;
    if locked {
        return Err(ArchiveFault::Conflict {
            reason: format!("{address} is locked where the archive comes from"),
            remedy: "unlock it there, and export it again".to_owned(),
        });
    }
    data_config::take(&mut files.0, scope, allowance);
    let folder = format!("{group}/{name}/{version}");
    let texts = files.0.iter();
    let paths: BTreeMap<String, String> = texts
        .map(|(path, text)| (format!("{folder}/{path}"), text.clone()))
        .collect();
    let texts = paths
        .iter()
        .map(|(path, text)| (path.as_str(), text.clone()));
    let reading = read_policy(&folder, &texts.collect());
    let ignored: Vec<String> = reading
        .notes
        .iter()
        .filter_map(|note| {
            let (path, _) = note.split_once(": passed over")?;
            Some(
                path.strip_prefix(&folder)?
                    .trim_start_matches('/')
                    .to_owned(),
            )
        })
        .collect();
    if let Some(fault) = reading.lost.first() {
        return Err(invalid(fault.to_string()));
    }
    let mut items = reading.items.into_iter();
    let Some(Item::Policy(draft)) = items.next() else {
        return Err(invalid("it holds no policy".to_owned()));
    };
    files.0.retain(|path, _| !ignored.contains(path));
    let draft = match scope {
        Scope::Cluster => *draft,
        Scope::Namespace(_) => in_scope(&draft, scope)?,
    };
    Ok(Candidate {
        address,
        mark: Mark {
            signer: signer.id(),
            moment: Moment {
                last_update,
                generation: metadata.portcullis.map_or(0, |own| own.generation),
            },
            archive: sum,
        },
        files,
        ignored,
        draft,
    })
}

/// The same policy, owned by a namespace.
fn in_scope(draft: &Draft, scope: &Scope) -> Result<Draft, ArchiveFault> {
    let key = ObjectKey::new(kind::POLICY, scope.namespace(), "imported");
    let spec = convert::spec(&draft.definition);
    let read = Draft::read(key, scope, &ObjectMeta::default(), &spec);
    let mut own = read.map_err(|faults| ArchiveFault::Invalid(faults.to_string()))?;
    own.faults = own.faults.or_else(|| draft.faults.clone());
    Ok(own)
}
