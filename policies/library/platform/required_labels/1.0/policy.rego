# METADATA
# title: Required labels
# description: |
#   An object carries every label of `parameters.labels`, with a value, and where the label has an `allowedRegex`,
#   with a value that matches it (anywhere in the value, unless the expression is anchored with `^` and `$`).
#   A workload's Pod template has to carry them too, so that it is the Deployment that is refused and not, later and
#   unseen, its Pods. An update is refused only for what it makes worse: objects that are older than the policy can
#   still be edited, and lose their finalizers.
package platform.required_labels

import data.lib.pod
import data.lib.review
import data.lib.selector

deny contains finding if {
	request := input.request
	known := known_messages(request)
	some finding in findings(request.object)
	not finding.msg in known
}

# Without labels to require, the policy would silently admit everything.
deny contains {
	"msg": "the policy requires no labels: parameters.labels is missing or empty",
	"code": "LABELS.NOT_CONFIGURED",
	"severity": "high",
	"remedy": "set parameters.labels to a list of {key, allowedRegex}",
} if {
	count([labels | labels := input.parameters.labels; is_array(labels); labels != []]) == 0
}

# A deletion has no object, and nothing to refuse; anything else without one is not a review.
deny contains {
	"msg": "the request has no object to judge",
	"code": "LABELS.NO_OBJECT",
	"severity": "high",
	"remedy": "send an AdmissionReview whose request.object is the object as it would be stored",
} if review.lacks_object

known_messages(request) := {finding.msg | some finding in findings(request.oldObject)} if {
	request.operation == "UPDATE"
} else := set()

findings(target) := {finding |
	some holder in holders(target)
	some required in required_labels(input.parameters.labels)
	finding := judge(required, holder)
}

# Undefined if the label is there as it should be.
judge(required, holder) := {
	"msg": sprintf("%v has no label \"%v\"", [holder.title, required.key]),
	"code": "LABELS.MISSING",
	"severity": "medium",
	"path": label_path(holder, required),
	"found": null,
	"wanted": wanted(required),
	"remedy": remedy(holder, required),
} if {
	not required.key in object.keys(holder.labels)
} else := {
	"msg": sprintf("%v has an empty label \"%v\"", [holder.title, required.key]),
	"code": "LABELS.EMPTY",
	"severity": "medium",
	"path": label_path(holder, required),
	"found": holder.labels[required.key],
	"wanted": wanted(required),
	"remedy": remedy(holder, required),
} if {
	not required.allowedRegex
	holder.labels[required.key] in {"", null}
} else := {
	"msg": sprintf("%v has the label \"%v\" with the value \"%v\", which does not match %v", [
		holder.title,
		required.key,
		holder.labels[required.key],
		required.allowedRegex,
	]),
	"code": "LABELS.VALUE_NOT_ALLOWED",
	"severity": "medium",
	"path": label_path(holder, required),
	"found": holder.labels[required.key],
	"wanted": wanted(required),
	"remedy": remedy(holder, required),
} if {
	value := holder.labels[required.key]
	pattern := required.allowedRegex
	not regex.match(pattern, value)
}

remedy(holder, required) := sprintf("set %v to %v", [label_path(holder, required), wanted(required)]) if {
	required.allowedRegex
} else := sprintf("set %v", [label_path(holder, required)])

wanted(required) := sprintf("a value that matches %v", [required.allowedRegex]) if {
	required.allowedRegex
} else := "a value"

label_path(holder, required) := sprintf("%v[\"%v\"]", [holder.path, required.key])

required_labels(labels) := labels if is_array(labels)

# What has to carry the labels: the object, and the templates of what it will create.
holders(target) := {holder |
	some location in ["object", "object.spec.template", "object.spec.jobTemplate", "object.spec.jobTemplate.spec.template"]
	owner := object.get({"object": target}, split(location, "."), null)
	is_object(owner)
	holder := {
		"title": title(target, location),
		"path": trim_prefix(sprintf("%v.metadata.labels", [location]), "object."),
		"labels": selector.labels(owner),
	}
}

title(target, "object") := pod.title(target)

title(target, location) := sprintf("%v of %v", [noun, pod.title(target)]) if {
	noun := {
		"object.spec.template": "the Pod template",
		"object.spec.jobTemplate": "the Job template",
		"object.spec.jobTemplate.spec.template": "the Pod template",
	}[location]
}
