//! Who asks about what.

use portcullis_policies::Step;

/// Who asks about what, as far as the door knows. Printable and bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct About {
    /// The user whose request the API server asks about.
    pub(crate) user: String,
    /// `CREATE pods team-a/web`
    pub(crate) resource: String,
    /// The API server's name of the request.
    pub(crate) uid: String,
    /// The namespace whose people may read the decisions; without one, the cluster's.
    pub(crate) namespace: Option<String>,
    /// Whether the objects that are asked about are Secrets.
    pub(crate) is_secret: bool,
    /// What was asked, as OPA's decision log says it: the path of a document, or the API server's door,
    /// `admission/cluster/fail`.
    pub(crate) path: String,
    /// Whether that is the API server's door, at which several policies judge.
    pub(crate) is_review: bool,
    /// Where in the entrypoint's document it is, else.
    pub(crate) within: Vec<Step>,
}

impl About {
    /// Bytes of its texts.
    pub(crate) fn bytes(&self) -> usize {
        let namespace = self.namespace.as_ref().map_or(0, String::len);
        let within: usize = self.within.iter().map(Step::size).sum();
        let texts = [&self.user, &self.resource, &self.uid, &self.path];
        texts.iter().map(|text| text.len()).sum::<usize>() + namespace + within
    }
}
