//! The images of Pods, and of what Pods are made of.

use crate::{
    Subject,
    matching::glob,
    rego::{
        plan::access::Access,
        value::{self, Value},
    },
};

/// Most images of an object. A Pod has a few; comparing each of them with each pattern has to stay
/// far below a policy's own time.
const MOST: usize = 128;

/// Where the Pod is specified in an object of each resource, with its group.
const SPECS: [(&str, &str, &[&str]); 9] = [
    ("", "pods", &["spec"]),
    ("", "replicationcontrollers", &["spec", "template", "spec"]),
    ("", "podtemplates", &["template", "spec"]),
    ("apps", "deployments", &["spec", "template", "spec"]),
    ("apps", "statefulsets", &["spec", "template", "spec"]),
    ("apps", "daemonsets", &["spec", "template", "spec"]),
    ("apps", "replicasets", &["spec", "template", "spec"]),
    ("batch", "jobs", &["spec", "template", "spec"]),
    (
        "batch",
        "cronjobs",
        &["spec", "jobTemplate", "spec", "template", "spec"],
    ),
];

/// The lists of containers of a Pod.
const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// All images of an object, of which there is at least one. `None` where that cannot be told: of
/// another resource, of a container without an image, of more than [`MOST`].
pub(super) fn of<'v>(subject: &Subject, object: &'v Value) -> Option<Vec<&'v str>> {
    let (_, _, path) = SPECS
        .iter()
        .find(|(group, resource, _)| subject.is_of(group, resource))?;
    let spec = path
        .iter()
        .try_fold(object, |value, key| member(value, key))?;
    let mut images = Vec::new();
    for list in CONTAINERS {
        for container in elements(spec, list)? {
            images.push(text(member(container, "image")?)?);
        }
    }
    for volume in elements(spec, "volumes")? {
        if let Some(image) = present(volume, "image") {
            images.push(text(member(image, "reference")?)?);
        }
    }
    (!images.is_empty() && images.len() <= MOST).then_some(images)
}

/// Notes what [`of`] looks at of an object.
pub(super) fn note(object: &mut Access) {
    for (_, _, path) in SPECS {
        let spec = path.iter().fold(&mut *object, |part, key| part.key(key));
        for list in CONTAINERS {
            spec.key(list)
                .each(|container| container.key("image").whole());
        }
        spec.key("volumes")
            .each(|volume| volume.key("image").key("reference").whole());
    }
}

/// Whether an image is one that a pattern stands for: `*` is any number of characters but `/`, `?`
/// is one, and `/**` at the end is everything below. So a pattern never crosses from a registry
/// into another one's name.
pub(super) fn matches(pattern: &str, image: &str) -> bool {
    let (above, has_below) = match pattern.strip_suffix("/**") {
        Some(above) => (above, true),
        None => (pattern, false),
    };
    let mut parts = image.split('/');
    let is_above = above
        .split('/')
        .all(|own| parts.next().is_some_and(|part| glob::matches(own, part)));
    let below = parts.next();
    is_above && below.is_some() == has_below
}

fn member<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    value.as_object().ok()?.get(&Value::from(key))
}

/// What is there and is not null.
fn present<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    member(value, key).filter(|found| value::kind(found) != value::Kind::Null)
}

/// A list, which may be missing. `None` where something else is in its place.
fn elements<'v>(spec: &'v Value, key: &str) -> Option<&'v [Value]> {
    present(spec, key).map_or(Some(&[]), value::elements)
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::{Document, Operation};

    #[rstest]
    #[case("nginx", "nginx", true)]
    #[case("nginx", "nginx:1.25", false)]
    #[case("nginx:*", "nginx:1.25", true)]
    #[case("nginx:1.?", "nginx:1.25", false)]
    #[case::a_port_is_no_tag("nginx:*", "nginx:5000/evil", false)]
    #[case("docker.io/library/redis:7.*", "docker.io/library/redis:7.2", true)]
    #[case("docker.io/*", "docker.io/library/redis", false)]
    #[case("docker.io/**", "docker.io/library/redis", true)]
    #[case("docker.io/**", "docker.io/redis@sha256:00", true)]
    #[case("docker.io/**", "docker.io", false)]
    #[case::another_registry("docker.io/**", "docker.io.evil.example/redis", false)]
    #[case::another_registry("docker.io*/**", "docker.io.evil.example/redis", true)]
    #[case("*/redis", "docker.io/library/redis", false)]
    #[case("*/*/redis", "docker.io/library/redis", true)]
    #[case("", "", true)]
    #[case("", "redis", false)]
    fn patterns(#[case] pattern: &str, #[case] image: &str, #[case] expected: bool) {
        assert_eq!(matches(pattern, image), expected);
    }

    #[rstest]
    #[case::pod("", "pods", r#"{"spec": {"containers": [{"image": "a"}], "initContainers": [{"image": "b"}],
        "ephemeralContainers": [{"image": "c"}], "volumes": [{"image": {"reference": "d"}}, {"emptyDir": {}}]}}"#,
        Some("a b c d"))]
    #[case::with_a_subresource(
        "",
        "pods/ephemeralcontainers",
        r#"{"spec": {"containers": [{"image": "a"}]}}"#,
        Some("a")
    )]
    #[case::null_is_absent(
        "",
        "pods",
        r#"{"spec": {"containers": [{"image": "a"}], "initContainers": null}}"#,
        Some("a")
    )]
    #[case::template(
        "apps",
        "deployments",
        r#"{"spec": {"template": {"spec": {"containers": [{"image": "a"}]}}}}"#,
        Some("a")
    )]
    #[case::deeper("batch", "cronjobs",
        r#"{"spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [{"image": "a"}]}}}}}}"#, Some("a"))]
    #[case::none("", "pods", r#"{"spec": {"containers": []}}"#, None)]
    #[case::without_an_image(
        "",
        "pods",
        r#"{"spec": {"containers": [{"image": "a"}, {"name": "b"}]}}"#,
        None
    )]
    #[case::no_text("", "pods", r#"{"spec": {"containers": [{"image": 7}]}}"#, None)]
    #[case::no_list("", "pods", r#"{"spec": {"containers": {"image": "a"}}}"#, None)]
    #[case::no_reference(
        "",
        "pods",
        r#"{"spec": {"containers": [{"image": "a"}], "volumes": [{"image": {}}]}}"#,
        None
    )]
    #[case::options("", "pods/exec", r#"{"container": "a", "command": ["sh"]}"#, None)]
    #[case::another_group(
        "example.com",
        "pods",
        r#"{"spec": {"containers": [{"image": "a"}]}}"#,
        None
    )]
    #[case::another_resource("", "services", r#"{"spec": {"containers": [{"image": "a"}]}}"#, None)]
    fn of_objects(
        #[case] group: &str,
        #[case] resource: &str,
        #[case] object: &str,
        #[case] expected: Option<&str>,
    ) {
        let subject = Subject::new(group, resource, Operation::Create);
        let document = Document::read(object).unwrap();
        let found = of(&subject, document.value()).map(|images| images.join(" "));
        assert_eq!(found.as_deref(), expected);

        // What is noted is enough.
        let mut access = Access::default();
        note(&mut access);
        let read = access.prune(document.value());
        let pruned = of(&subject, &read).map(|images| images.join(" "));
        assert_eq!(pruned.as_deref(), expected);
    }

    #[rstest]
    #[case(MOST, true)]
    #[case(MOST + 1, false)]
    fn there_may_be_too_many(#[case] count: usize, #[case] expected: bool) {
        let containers = vec![serde_json::json!({"image": "a"}); count];
        let object = serde_json::json!({"spec": {"containers": containers}});
        let subject = Subject::new("", "pods", Operation::Create);
        assert_eq!(
            of(&subject, Document::from(&object).value()).is_some(),
            expected
        );
    }
}
