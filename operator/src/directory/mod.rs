//! The source of `portcullis serve` and of a sidecar with a mounted directory: files, their
//! changes, and locks on disk.
//!
//! ```text
//! Tree ─ list ─▶ units ─ layout, manifest ─▶ Reading ─ compile ─▶ Loader ─ publish ─▶ Cache
//!  ▲                                                                ▲                   ▲
//!  └────────────── every second, on a thread of its own ────────────┘     LockStore ────┘
//! ```
//!
//! Files are polled. A tree is bounded, so a look at it costs little and always the same; it works
//! on network mounts and on the symbolic links by which the kubelet swaps a mounted `ConfigMap`;
//! and no queue of events can overflow and lose a change. A change counts once the files have been
//! still for one round, so that a file that is being written is not read by half.
//!
//! What breaks keeps its last good state: an object that no longer compiles, a file that can no
//! longer be read, a directory that is suddenly empty. The faults are told, and nothing that was in
//! force is lost.

mod archives;
pub mod document;
mod fetched;
mod gate;
mod held;
mod kept;
mod layout;
mod loader;
mod locks;
mod manifest;
mod parameters;
mod reading;
mod report;
mod schedules;
mod schema;
mod source;
mod subscriptions;
mod tree;

pub use archives::DirectoryArchives;
pub use fetched::FetchedDocuments;
pub use gate::{Access, LockGate};
pub use kept::KeptListFault;
pub(crate) use layout::read_policy;
pub use loader::{Loader, Status};
pub use locks::{LockStore, LockStoreFault};
pub(crate) use manifest::namespace;
pub use manifest::read as read_manifests;
pub(crate) use parameters::select as select_parameters;
pub use reading::{Foreign, Item, Reading};
pub use report::{Meanwhile, Problem, Row, policy_table, printable, problem_table};
pub use schedules::DirectorySchedules;
pub use source::{Listener, SOURCE, Source, SourceFault};
pub use subscriptions::DirectorySubscriptions;
pub use tree::{Tree, TreeFault};

#[cfg(test)]
mod tests;
