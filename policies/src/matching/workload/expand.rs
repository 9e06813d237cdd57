//! From a request about a workload to those about the Pods that will be made of it.

use std::collections::BTreeMap;

use super::{
    Workload, is_text,
    path::{MOST_TEMPLATES, too_many},
};
use crate::{
    Match, Operation,
    matching::{ObjectLabels, Objects},
    rego::{
        plan::access::Access,
        value::{self, Value, order},
    },
};

/// A Pod that a workload's template describes.
#[derive(Debug)]
pub(crate) struct Pod {
    /// Where the template is in the workload: `spec.template`.
    pub(crate) path: String,
    /// The `AdmissionRequest` as it would be about the Pod.
    pub(crate) request: Value,
}

/// The Pods of the workload that an `AdmissionRequest` is about, as far as a match has them judged.
/// The error is a sentence: what should be a template cannot be read as one.
///
/// - An update that leaves a template as it is makes no Pod that was not judged.
/// - What is being deleted makes none at all, and must be able to go.
/// - What another workload of the same match controls is judged there; its Pods are judged as Pods.
pub(crate) fn expand(matches: &Match, request: &Value) -> Result<Vec<Pod>, String> {
    let operation = request["operation"].as_string().ok();
    let operation = operation.and_then(|name| Operation::parse(name));
    let Some(operation) = operation.and_then(|own| matches.operation_on_pods(own)) else {
        return Ok(Vec::new());
    };
    let object = &request["object"];
    if !matches!(object, Value::Object(_)) {
        return Err("there is no object whose Pod template could be judged".to_owned());
    }
    let metadata = &object["metadata"];
    let is_being_deleted = value::is_defined(&metadata["deletionTimestamp"])
        && metadata["deletionTimestamp"] != Value::Null;
    if is_being_deleted || is_controlled(metadata, &matches.workloads) {
        return Ok(Vec::new());
    }
    let mut pods = Vec::new();
    let own = matches.workloads.iter().filter(|workload| {
        workload.is_of(&request["resource"]) || workload.is_of(&request["requestResource"])
    });
    for workload in own {
        if workload.path.is_untouched(object, &request["oldObject"]) {
            continue;
        }
        let found = workload.path.find(object)?;
        // What is no object was none that could be told from the new one.
        let before = workload
            .path
            .find(&request["oldObject"])
            .unwrap_or_default();
        let is_absent =
            |absent: &String| !workload.optional && before.absent.as_ref() != Some(absent);
        if let Some(absent) = found.absent.filter(is_absent) {
            return Err(format!("there is no Pod template at `{absent}`"));
        }
        for (path, template) in found.templates {
            let mut templates_before = before.templates.iter();
            if templates_before.any(|(_, old)| order::compare(old, template).is_eq()) {
                continue;
            }
            let maker = Maker {
                workload,
                path: &path,
                request,
                operation,
            };
            let pod = maker.pod(template)?;
            let old = before.templates.iter().find(|(own, _)| *own == path);
            // One that cannot be read was let in before, and is gone now.
            let old_pod = old.and_then(|(_, old)| maker.pod(old).ok());
            let labels = Objects {
                object: labels(&pod),
                old_object: old_pod.as_ref().map_or(ObjectLabels::Absent, labels),
            };
            if matches.objects.is_empty() || labels.are_selected_by(&matches.objects) {
                let request = maker.request(pod, old_pod);
                pods.push(Pod { path, request });
            }
        }
    }
    if pods.len() > MOST_TEMPLATES {
        return Err(too_many());
    }
    Ok(pods)
}

/// Notes what is looked at of a request beside what the policy looks at of it. All of a template is,
/// because it matters whether it has changed.
pub(crate) fn note(workloads: &[Workload], access: &mut Access) {
    for key in [
        "kind",
        "resource",
        "requestResource",
        "operation",
        "namespace",
    ] {
        access.key(key).whole();
    }
    let object = access.key("object");
    object.key("metadata").whole();
    workloads
        .iter()
        .for_each(|workload| workload.path.note(object));
    let old_object = access.key("oldObject");
    workloads
        .iter()
        .for_each(|workload| workload.path.note(old_object));
}

/// Whether another workload controls the object, which is one of these.
fn is_controlled(metadata: &Value, workloads: &[Workload]) -> bool {
    let owners = value::elements(&metadata["ownerReferences"]);
    owners.into_iter().flatten().any(|owner| {
        owner["controller"] == Value::Bool(true)
            && workloads.iter().any(|workload| workload.is_kind_of(owner))
    })
}

fn labels(pod: &Value) -> ObjectLabels {
    let labels = &pod["metadata"]["labels"];
    match labels {
        Value::Undefined | Value::Null => ObjectLabels::Known([].into()),
        Value::Object(labels) => {
            let text = |value: &Value| value.as_string().ok().map(ToString::to_string);
            let pair = |(key, value)| Some((text(key)?, text(value)?));
            let labels: Option<_> = labels.iter().map(pair).collect();
            labels.map_or(ObjectLabels::Unreadable, ObjectLabels::Known)
        }
        _ => ObjectLabels::Unreadable,
    }
}

/// What makes a Pod of a template.
struct Maker<'r> {
    workload: &'r Workload,
    path: &'r str,
    /// About the workload.
    request: &'r Value,
    /// As what the Pod is judged.
    operation: Operation,
}

impl Maker<'_> {
    /// The Pod as the API server would show it, as far as it is known: its name is made up, for a
    /// policy that names the Pod in its message would be undefined without one, and permit.
    fn pod(&self, template: &Value) -> Result<Value, String> {
        let mut metadata = match &template["metadata"] {
            Value::Undefined | Value::Null => Value::new_object(),
            metadata @ Value::Object(_) => metadata.clone(),
            _ => return Err(format!("`{}.metadata` is no object", self.path)),
        };
        let Value::Object(_) = template["spec"] else {
            return Err(format!(
                "there is no Pod template at `{}`, for it has no `spec`",
                self.path
            ));
        };
        let stem = self.stem();
        set(&mut metadata, "name", Value::from(format!("{stem}pod")));
        set(&mut metadata, "generateName", Value::from(stem));
        copy(&mut metadata, "namespace", &self.request["namespace"]);
        set(
            &mut metadata,
            "ownerReferences",
            Value::from(vec![self.owner()]),
        );
        Ok(object([
            ("apiVersion", Value::from("v1")),
            ("kind", Value::from("Pod")),
            ("metadata", metadata),
            ("spec", template["spec"].clone()),
        ]))
    }

    /// What the names of its Pods begin with.
    fn stem(&self) -> String {
        let metadata = &self.request["object"]["metadata"];
        let text = |key: &str| {
            let text = metadata[key].as_string().ok();
            text.filter(|text| !text.is_empty())
        };
        match (text("name"), text("generateName")) {
            (Some(name), _) => format!("{name}-"),
            (None, Some(stem)) => stem.to_string(),
            (None, None) => String::new(),
        }
    }

    /// The workload as an owner.
    fn owner(&self) -> Value {
        let own = &self.request["object"]["metadata"];
        let mut owner = self.reference();
        copy(&mut owner, "uid", &own["uid"]);
        set(&mut owner, "controller", Value::Bool(true));
        set(&mut owner, "blockOwnerDeletion", Value::Bool(true));
        owner
    }

    /// Kind and name of the workload.
    fn reference(&self) -> Value {
        let own = &self.request["object"]["metadata"];
        let Workload {
            group,
            version,
            kind,
            ..
        } = self.workload;
        let api_version = match group.as_str() {
            "" => version.clone(),
            group => format!("{group}/{version}"),
        };
        let mut reference = object([
            ("apiVersion", Value::from(api_version)),
            ("kind", Value::from(kind.as_str())),
        ]);
        copy(&mut reference, "name", &own["name"]);
        reference
    }

    /// The request about the workload as one about its Pod.
    fn request(&self, pod: Value, old_pod: Option<Value>) -> Value {
        let group_version = |key: &str, name: &str| {
            object([
                ("group", Value::from("")),
                ("version", Value::from("v1")),
                (key, Value::from(name)),
            ])
        };
        let kind = group_version("kind", "Pod");
        let resource = group_version("resource", "pods");
        let name = pod["metadata"]["name"].clone();
        let mut workload = self.reference();
        set(&mut workload, "path", Value::from(self.path));
        let mut request = self.request.clone();
        set(&mut request, "kind", kind.clone());
        set(&mut request, "resource", resource.clone());
        set(&mut request, "requestKind", kind);
        set(&mut request, "requestResource", resource);
        set(&mut request, "name", name);
        set(&mut request, "object", pod);
        set(&mut request, "workload", workload);
        set(
            &mut request,
            "operation",
            Value::from(self.operation.as_str()),
        );
        let old = old_pod.filter(|_| self.operation == Operation::Update);
        set(&mut request, "oldObject", old.unwrap_or(Value::Null));
        if !is_text(&self.request["operation"], self.operation.as_str()) {
            let options = object([
                ("apiVersion", Value::from("meta.k8s.io/v1")),
                ("kind", Value::from("CreateOptions")),
            ]);
            set(&mut request, "options", options);
        }
        request
    }
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let members = members.map(|(key, value)| (Value::from(key), value));
    BTreeMap::from(members).into()
}

/// Sets a member of an object.
fn set(value: &mut Value, key: &str, member: Value) {
    if let Ok(object) = value.as_object_mut() {
        object.insert(Value::from(key), member);
    }
}

/// Sets a member, if there is something to set.
fn copy(value: &mut Value, key: &str, member: &Value) {
    if value::is_defined(member) {
        set(value, key, member.clone());
    }
}
