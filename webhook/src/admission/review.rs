//! Reads an `AdmissionReview`: first only what tells which policies to ask, then, on an
//! evaluator's thread, the request as a whole.

use std::{ops::Range, sync::Arc};

use axum::body::Bytes;
use portcullis_policies::{
    Input, Interest, Labels, Objects as Labelled, Operation, Snapshot, Subject, text::clean,
};
use serde::Deserialize;
use serde_json::{Value as Json, value::RawValue};

use crate::{
    body::{Held, read_object},
    decision_log::About,
    problem::Problem,
};

/// The version and the kind that this door reads; the API server sends the version that a webhook
/// configuration names.
pub(crate) const API_VERSION: &str = "admission.k8s.io/v1";
pub(crate) const KIND: &str = "AdmissionReview";

/// A review of which the head is read.
#[derive(Debug)]
pub(crate) struct Review {
    body: Held,
    /// Where the request stands in the body.
    request: Range<usize>,
    head: Head,
    operation: Operation,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    #[serde(borrow)]
    request: Option<&'a RawValue>,
}

/// What is read of a request to tell what it is about. The rest is skipped.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    uid: String,
    kind: Kind,
    resource: Resource,
    #[serde(default)]
    request_resource: Option<Resource>,
    #[serde(default)]
    sub_resource: Option<String>,
    operation: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    user_info: UserInfo,
}

#[derive(Clone, Debug, Deserialize)]
struct Kind {
    kind: String,
}

#[derive(Clone, Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the API server's names")]
struct Resource {
    group: String,
    #[serde(default)]
    version: String,
    resource: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct UserInfo {
    #[serde(default)]
    username: String,
}

/// The objects of a request, where they are read as such.
#[derive(Debug)]
pub(crate) struct Objects {
    pub(crate) object: Option<Json>,
    /// Absent as well where it cannot be read, because a change may be what mends it.
    pub(crate) old_object: Option<Json>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawObjects<'a> {
    #[serde(borrow)]
    object: Option<&'a RawValue>,
    #[serde(borrow)]
    old_object: Option<&'a RawValue>,
}

impl Review {
    /// Reads the head of a review.
    pub(crate) fn read(body: Held) -> Result<Self, Problem> {
        let envelope: Envelope<'_> = read_object(&body.bytes)
            .map_err(|error| invalid(&format!("the body is no AdmissionReview: {error}")))?;
        for (field, found, expected) in [
            ("apiVersion", &envelope.api_version, API_VERSION),
            ("kind", &envelope.kind, KIND),
        ] {
            if found != expected {
                let found = clean(found);
                return Err(invalid(&format!(
                    "`{field}` is `{found}`, not `{expected}`"
                )));
            }
        }
        let raw = envelope
            .request
            .ok_or_else(|| invalid("`request` is missing"))?
            .get();
        let head: Head = read_object(raw.as_bytes())
            .map_err(|error| invalid(&format!("`request` cannot be read: {error}")))?;
        let operation = Operation::parse(&head.operation).ok_or_else(|| {
            let found = clean(&head.operation);
            invalid(&format!(
                "`request.operation` is `{found}`, which is no operation"
            ))
        })?;
        // The request is a slice of the body, and so is found again without a copy.
        let start = raw.as_ptr().addr() - body.bytes.as_ptr().addr();
        let request = start..start + raw.len();
        Ok(Self {
            body,
            request,
            head,
            operation,
        })
    }

    /// The same in memory of its own, for who looks at it when its caller has gone: it takes no room
    /// of the door.
    pub(crate) fn copied(&self) -> Self {
        Self {
            body: Held::alone(self.body.bytes.to_vec()),
            request: self.request.clone(),
            head: self.head.clone(),
            operation: self.operation,
        }
    }

    /// How long it is.
    pub(crate) fn bytes(&self) -> usize {
        self.body.bytes.len()
    }

    /// The request's name, which the answer repeats.
    pub(crate) fn uid(&self) -> &str {
        &self.head.uid
    }

    pub(crate) fn operation(&self) -> Operation {
        self.operation
    }

    /// The kind of the object: `ClusterPolicy`.
    pub(crate) fn kind(&self) -> &str {
        &self.head.kind.kind
    }

    pub(crate) fn name(&self) -> &str {
        self.head.name.as_deref().unwrap_or_default()
    }

    pub(crate) fn namespace(&self) -> Option<&str> {
        self.head
            .namespace
            .as_deref()
            .filter(|namespace| !namespace.is_empty())
    }

    /// What decides which policies are asked.
    pub(crate) fn subject(&self) -> Subject {
        let Resource { group, version, .. } = &self.head.resource;
        let requested = self.head.request_resource.as_ref();
        Subject {
            group: group.clone(),
            version: version.clone(),
            requested: requested.map(|own| (own.group.clone(), own.version.clone())),
            resource: self.resource(),
            operation: self.operation,
            namespace: self.namespace().map(str::to_owned),
            name: self.name().to_owned(),
        }
    }

    /// The labels of the request's namespace, where they are known.
    pub(crate) fn namespace_labels(&self, snapshot: &Snapshot) -> Option<Arc<Labels>> {
        snapshot.namespace(self.namespace()?)
    }

    /// What selectors look at of the request's objects; a look through all of it.
    pub(crate) fn labels(&self) -> Labelled {
        Labelled::read(self.text())
    }

    /// What the decision log says of the request.
    pub(crate) fn about(&self) -> About {
        let operation = self.operation.as_str();
        let resource = self.resource();
        let name = self.name();
        let object = match self.namespace() {
            Some(namespace) => format!("{operation} {resource} {namespace}/{name}"),
            None => format!("{operation} {resource} {name}"),
        };
        About {
            user: clean(&self.head.user_info.username),
            resource: clean(&object),
            uid: clean(&self.head.uid),
            namespace: self.namespace().map(clean),
            is_secret: self.is_secret(),
            ..About::default()
        }
    }

    /// Whether the objects are Secrets.
    pub(crate) fn is_secret(&self) -> bool {
        self.head.resource.resource == "secrets"
    }

    /// The text of the request.
    pub(crate) fn request(&self) -> Bytes {
        self.body.bytes.slice(self.request.clone())
    }

    /// The request, as policies read it; work of the processor.
    pub(crate) fn input(&self, interest: &Interest<'_>) -> Result<Input, Problem> {
        interest
            .read(&self.body.bytes[self.request.clone()])
            .map(Input::Admission)
            .map_err(|error| invalid(&format!("`request` cannot be read: {error}")))
    }

    /// The request's objects; work of the processor.
    pub(crate) fn objects(&self) -> Result<Objects, Problem> {
        let read = |raw: &RawValue| serde_json::from_str(raw.get());
        let objects = serde_json::from_str(self.text()).and_then(|raw: RawObjects<'_>| {
            Ok(Objects {
                object: raw.object.map(read).transpose()?,
                old_object: raw.old_object.and_then(|raw| read(raw).ok()),
            })
        });
        objects.map_err(|error| invalid(&format!("the object cannot be read: {error}")))
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body.bytes[self.request.clone()])
            .expect("the request was read as text before")
    }

    fn resource(&self) -> String {
        let resource = &self.head.resource.resource;
        match self.head.sub_resource.as_deref() {
            None | Some("") => resource.clone(),
            Some(sub_resource) => format!("{resource}/{sub_resource}"),
        }
    }
}

fn invalid(detail: &str) -> Problem {
    Problem::input_invalid(clean(detail)).with_remedy(format!(
        "send an `{KIND}` of `{API_VERSION}` with a `request`, as the API server does"
    ))
}
