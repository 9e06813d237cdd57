# METADATA
# title: Allowed registries
# description: |
#   Every image comes from a registry, an organisation or a repository of `parameters.registries`: those of containers,
#   init containers, sidecars and ephemeral containers, and those that are mounted as volumes, in Pods and in the Pod
#   templates of workloads. An image is compared in its full form (`nginx` is `docker.io/library/nginx`), and an entry
#   ends where a path segment ends: `ghcr.io/acme` covers `ghcr.io/acme/web` and not `ghcr.io/acme-evil/web`. An update
#   is refused only for the images that it brings in.
package platform.allowed_registries

deny contains finding if {
	request := input.request
	registries := entries(object.get(input, ["parameters", "registries"], []))
	known := known_messages(request, registries)
	some finding in findings(request.object, registries)
	not finding.msg in known
}

# A deletion has no object, and nothing to refuse; anything else without one is not a review.
deny contains {
	"msg": "the request has no object to judge",
	"code": "IMAGES.NO_OBJECT",
	"severity": "high",
	"remedy": "send an AdmissionReview whose request.object is the object as it would be stored",
} if {
	count([target | target := input.request.object; is_object(target)]) == 0
	count([operation | operation := input.request.operation; operation in {"DELETE", "CONNECT"}]) == 0
}

known_messages(request, registries) := {finding.msg | some finding in findings(request.oldObject, registries)} if {
	request.operation == "UPDATE"
} else := set()

# Entries as repositories are compared with them: `Docker.io/library/` is `docker.io/library`.
entries(parameter) := [trim_right(lower(entry), "/") | some entry in parameter] if {
	is_array(parameter)
} else := []

findings(target, registries) := {finding |
	some use in image_uses(target)
	finding := judge(use, registries)
}

# Undefined if the image is allowed.
judge(use, _) := {
	"msg": sprintf("%v has no image", [use.title]),
	"code": "IMAGES.MISSING",
	"severity": "high",
	"path": use.path,
	"remedy": sprintf("set %v to an image from an allowed registry", [use.path]),
} if {
	use.image in {"", null}
} else := {
	"msg": sprintf("%v has the image \"%v\", which is not an image reference", [use.title, use.image]),
	"code": "IMAGES.MALFORMED",
	"severity": "high",
	"path": use.path,
	"remedy": sprintf("write %v as [registry/]repository[:tag][@digest]", [use.path]),
} if {
	image := use.image
	not is_reference(image)
}

judge(use, registries) := {
	"msg": sprintf("%v has the image \"%v\", which is not from an allowed registry", [use.title, use.image]),
	"code": "IMAGES.REGISTRY_NOT_ALLOWED",
	"severity": "high",
	"path": use.path,
	"remedy": remedy(registries),
	"details": {"image": use.image, "repository": full, "registries": registries},
} if {
	is_reference(use.image)
	full := repository(use.image)
	not is_allowed(full, registries)
}

remedy([]) := "set parameters.registries: no registry is allowed"

remedy(registries) := sprintf("use an image from %v", [concat(", ", registries)]) if registries != []

is_allowed(full, registries) if full in registries

is_allowed(full, registries) if {
	some entry in registries
	startswith(full, sprintf("%v/", [entry]))
}

# The grammar of references, as container runtimes have it: [host[:port]/]path[:tag][@algorithm:digest].
is_reference(image) if {
	is_string(image)
	host := `(([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]+)?/)?`
	segment := `[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*`
	tag := `(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?`
	digest := `(@[A-Za-z][A-Za-z0-9.+_-]*:[0-9A-Fa-f]{32,})?`
	regex.match(sprintf(`^%v%v(/%v)*%v%v$`, [host, segment, segment, tag, digest]), image)
}

# The repository of a reference with everything that it leaves out:
# `nginx:1.29` is `docker.io/library/nginx`, `acme/web@sha256:…` is `docker.io/acme/web`.
repository(image) := sprintf("%v/%v", [host, path]) if {
	name := regex.replace(split(image, "@")[0], `:[^/:]*$`, "")
	segments := split(name, "/")
	host := host_of(segments)
	path := path_of(host, segments)
}

host_of(segments) := "docker.io" if {
	lower(segments[0]) in {"docker.io", "index.docker.io"}
} else := lower(segments[0]) if {
	begins_with_host(segments)
} else := "docker.io"

path_of(host, segments) := concat("/", path) if {
	begins_with_host(segments)
	path := official(host, array.slice(segments, 1, count(segments)))
} else := concat("/", official(host, segments))

# What is not a host is the first segment of a path on Docker Hub.
begins_with_host(segments) if {
	count(segments) > 1
	regex.match(`[.:A-Z]|^localhost$`, segments[0])
}

# On Docker Hub, a single segment names an official image.
official(host, path) := ["library", path[0]] if {
	host == "docker.io"
	count(path) == 1
} else := path

image_uses(target) := container_images(target) | volume_images(target)

container_images(target) := {use |
	some entry in containers(target)
	use := {
		"title": entry.title,
		"path": sprintf("%v.image", [entry.path]),
		"image": object.get(entry.container, "image", ""),
	}
}

# An image can be mounted as a volume, too, and is pulled like any other.
volume_images(target) := {use |
	some pod_path, spec in pod_specs(target)
	some index, volume in list(spec, "volumes")
	source := volume.image
	source != null
	use := {
		"title": sprintf("volume \"%v\"", [object.get(volume, "name", "")]),
		"path": sprintf("%v.volumes[%v].image.reference", [pod_path, index]),
		"image": object.get({"source": source}, ["source", "reference"], ""),
	}
}

# Every container of every Pod specification, with its path and with what to call it.
containers(target) := {entry |
	some pod_path, spec in pod_specs(target)
	some field in ["containers", "initContainers", "ephemeralContainers"]
	some index, value in list(spec, field)
	container := as_object(value)
	entry := {
		"title": sprintf("%v \"%v\"", [container_noun(field, container), object.get(container, "name", "")]),
		"path": sprintf("%v.%v[%v]", [pod_path, field, index]),
		"container": container,
	}
}

container_noun("containers", _) := "container"

container_noun("ephemeralContainers", _) := "ephemeral container"

container_noun("initContainers", container) := "sidecar container" if {
	container.restartPolicy == "Always"
} else := "init container"

# The Pod specifications in an object, by their path: a Pod's own, or that of the template which a workload has.
pod_specs(target) := {path: spec |
	some path in ["spec", "spec.template.spec", "spec.jobTemplate.spec.template.spec"]
	spec := object.get(target, split(path, "."), null)
	is_object(spec)
}

list(owner, field) := values if {
	values := object.get(owner, field, [])
	is_array(values)
} else := []

as_object(value) := value if {
	is_object(value)
} else := {}
