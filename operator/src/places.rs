//! Places that the cluster and its namespaces share, so that none takes those of the others. Pure.

use std::collections::BTreeMap;

/// Places, and who has taken some.
#[derive(Debug)]
pub(crate) struct Places {
    /// Those that are left.
    left: usize,
    /// Most of one namespace.
    most_of_a_namespace: usize,
    of_namespaces: BTreeMap<String, usize>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// All are taken.
    All,
    /// The namespace has as many as it may.
    OfNamespace,
}

impl Places {
    pub(crate) fn new(most: usize, most_of_a_namespace: usize) -> Self {
        Self {
            left: most,
            most_of_a_namespace,
            of_namespaces: BTreeMap::new(),
        }
    }

    /// Takes one, for a namespace or the cluster.
    pub(crate) fn take(&mut self, namespace: Option<&str>) -> Result<(), Taken> {
        if self.left == 0 {
            return Err(Taken::All);
        }
        if let Some(namespace) = namespace {
            let own = self.of_namespaces.entry(namespace.to_owned()).or_default();
            if *own >= self.most_of_a_namespace {
                return Err(Taken::OfNamespace);
            }
            *own += 1;
        }
        self.left -= 1;
        Ok(())
    }
}
