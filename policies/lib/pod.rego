# METADATA
# title: Pods and their containers
# description: |
#   Every container of a Pod, and of the Pod template of a workload: Deployments, StatefulSets, DaemonSets, ReplicaSets,
#   Jobs, CronJobs, PodTemplates, and custom resources that keep a template in one of the same places. It is the places
#   that count and not the kind, so that no kind is forgotten.
#
#   What is no list where there should be one has no containers: `pod.containers(object)` is silent about it. A container
#   that is no object is one that says nothing. The API server takes no such Pods. A policy that is asked by others also
#   refuses what `not pod.is_valid(object)`.
package lib.pod

import data.lib.field

# METADATA
# scope: document
# title: The Pods in an object
# description: |
#   A set of the object itself, if it has a `spec`, and of the templates in it:
#   `{"title": "the Pod template of Deployment \"web\"", "path": "spec.template", "metadata": {…}, "spec": {…}}`. The
#   path of the object itself is empty.
pods(object) := {pod |
	some path in places
	owner := at(object, path)
	is_object(owner.spec)
	pod := {
		"title": pod_title(object, path),
		"path": concat(".", path),
		"metadata": field.object_of(owner, "metadata"),
		"spec": owner.spec,
	}
}

# METADATA
# scope: document
# title: The containers in an object
# description: |
#   A set of all containers of all Pods in it, each with what a message needs:
#   `{"title": "container \"web\"", "kind": "container", "name": "web", "path": "spec.containers[0]", "spec": {…},
#   "pod": {…}}`. Kinds are `container`, `init container`, `sidecar container` (an init container that restarts always)
#   and `ephemeral container`.
containers(object) := {container |
	some pod in pods(object)
	some container in containers_of(pod)
}

# METADATA
# scope: document
# title: The containers of one Pod
# description: Those of one of `pod.pods(object)`.
containers_of(pod) := {container |
	some list in lists
	some index, member in field.list_of(pod.spec, list)
	spec := object_or_empty(member)
	kind := kind_of(list, spec)
	name := field.text_of(spec, "name")
	container := {
		"title": sprintf("%s %q", [kind, name]),
		"kind": kind,
		"name": name,
		"path": path(pod, sprintf("spec.%s[%d]", [list, index])),
		"spec": spec,
		"pod": pod,
	}
}

# METADATA
# scope: document
# title: The images in an object
# description: |
#   A set of what is run or mounted: the images of containers, and those of volumes. Each is
#   `{"title": "container \"web\"", "path": "spec.containers[0].image", "image": "nginx:1.29"}`. Without an image, it is
#   the empty text, which is no reference; one that is no text is given as it is, and is none either.
images(object) := container_images(object) | volume_images(object)

# METADATA
# scope: document
# title: Whether the Pods in an object can be read
# description: |
#   True if there is at least one, and every list of containers and volumes is a list of objects.
default is_valid(_) := false

is_valid(object) if {
	found := pods(object)
	found != set()
	every pod in found {
		every list in lists | {"volumes"} {
			is_list_of_objects(pod.spec, list)
		}
	}
}

# METADATA
# scope: document
# title: The path of what is in a Pod
# description: "`spec.template.spec.hostNetwork` for `spec.hostNetwork` of the Pod in a Deployment."
path(pod, field_path) := field_path if {
	pod.path == ""
} else := sprintf("%s.%s", [pod.path, field_path])

# METADATA
# scope: document
# title: What to call an object
# description: "`Deployment \"web\"`, by its kind and its name, or what its name will begin with."
title(object) := sprintf("%s %q", [kind, name]) if {
	kind := defaulted(field.text_of(object, "kind"), "object")
	metadata := field.object_of(object, "metadata")
	name := defaulted(field.text_of(metadata, "name"), field.text_of(metadata, "generateName"))
}

places := [[], ["template"], ["spec", "template"], ["spec", "jobTemplate", "spec", "template"]]

lists := {"containers", "initContainers", "ephemeralContainers"}

at(object, []) := object

at(owner, path) := object.get(owner, path, null) if path != []

pod_title(object, []) := title(object)

pod_title(object, path) := sprintf("the Pod template of %s", [title(object)]) if path != []

kind_of("containers", _) := "container"

kind_of("ephemeralContainers", _) := "ephemeral container"

kind_of("initContainers", spec) := "sidecar container" if {
	spec.restartPolicy == "Always"
} else := "init container"

container_images(object) := {use |
	some container in containers(object)
	use := {
		"title": container.title,
		"path": sprintf("%s.image", [container.path]),
		"image": given(container.spec, "image"),
	}
}

# An image that is mounted as a volume is pulled like any other.
volume_images(object) := {use |
	some pod in pods(object)
	some index, volume in field.list_of(pod.spec, "volumes")
	source := volume.image
	source != null
	use := {
		"title": sprintf("volume %q", [field.text_of(volume, "name")]),
		"path": path(pod, sprintf("spec.volumes[%d].image.reference", [index])),
		"image": given(source, "reference"),
	}
}

given(owner, name) := owner[name] if {
	owner[name] != null
} else := ""

object_or_empty(member) := member if {
	is_object(member)
} else := {}

is_list_of_objects(owner, name) if object.get(owner, name, null) == null

is_list_of_objects(owner, name) if {
	is_array(owner[name])
	every member in owner[name] {
		is_object(member)
	}
}

defaulted("", default_text) := default_text

defaulted(given, _) := given if given != ""
