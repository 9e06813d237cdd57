# METADATA
# title: Allowed registries
# description: |
#   Every image comes from a registry, an organisation or a repository of `parameters.registries`: those of containers,
#   init containers, sidecars and ephemeral containers, and those that are mounted as volumes, in Pods and in the Pod
#   templates of workloads. An image is compared in its full form (`nginx` is `docker.io/library/nginx`), and an entry
#   ends where a path segment ends: `ghcr.io/acme` covers `ghcr.io/acme/web` and not `ghcr.io/acme-evil/web`. An update
#   is refused only for the images that it brings in.
package platform.allowed_registries

import data.lib.image
import data.lib.pod
import data.lib.review

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
} if review.lacks_object

known_messages(request, registries) := {finding.msg | some finding in findings(request.oldObject, registries)} if {
	request.operation == "UPDATE"
} else := set()

# Entries as repositories are compared with them: `Docker.io/library/` is `docker.io/library`.
entries(parameter) := [trim_right(lower(entry), "/") | some entry in parameter] if {
	is_array(parameter)
} else := []

findings(target, registries) := {finding |
	some use in pod.images(target)
	finding := judge(use, registries)
}

# Undefined if the image is allowed.
judge(use, _) := {
	"msg": sprintf("%v has no image", [use.title]),
	"code": "IMAGES.MISSING",
	"severity": "high",
	"path": use.path,
	"found": null,
	"wanted": "an image from an allowed registry",
	"remedy": sprintf("set %v to an image from an allowed registry", [use.path]),
} if {
	use.image == ""
} else := {
	"msg": sprintf("%v has the image \"%v\", which is not an image reference", [use.title, use.image]),
	"code": "IMAGES.MALFORMED",
	"severity": "high",
	"path": use.path,
	"found": use.image,
	"wanted": "[registry/]repository[:tag][@digest]",
	"remedy": sprintf("write %v as [registry/]repository[:tag][@digest]", [use.path]),
} if {
	not image.is_valid(use.image)
}

judge(use, registries) := {
	"msg": sprintf("%v has the image \"%v\", which is not from an allowed registry", [use.title, use.image]),
	"code": "IMAGES.REGISTRY_NOT_ALLOWED",
	"severity": "high",
	"path": use.path,
	"found": use.image,
	"wanted": wanted(registries),
	"remedy": remedy(registries),
	"details": {"image": use.image, "repository": full, "registries": registries},
} if {
	full := repository(use.image)
	not image.is_from(use.image, registries)
}

remedy([]) := "set parameters.registries: no registry is allowed"

remedy(registries) := sprintf("use %v", [wanted(registries)]) if registries != []

wanted([]) := "no image"

wanted(registries) := sprintf("an image from %v", [concat(", ", registries)]) if registries != []

# What entries are compared with: `docker.io/library/nginx` for `nginx:1.29`.
repository(reference) := image.name(reference)
