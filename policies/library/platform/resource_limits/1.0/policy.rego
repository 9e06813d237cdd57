# METADATA
# title: Resource requests and limits
# description: |
#   Containers, init containers and sidecars say what they need and how much they may take: every resource of
#   `parameters.required` is set, and none of `parameters.max` is above its maximum, in Pods and in the Pod templates of
#   workloads. Without parameters, a memory limit and requests for CPU and memory are required. A zero is no amount: to
#   the kernel, a limit of 0 is none. What is set for the whole Pod counts for containers that set nothing themselves,
#   and a request that is missing is its limit, as in Kubernetes. An update is refused only for what it makes worse.
package platform.resource_limits

import data.lib.field
import data.lib.pattern
import data.lib.pod
import data.lib.quantity
import data.lib.review

deny contains finding if {
	request := input.request
	parameters := field.object_of(input, "parameters")
	known := known_messages(request, parameters)
	some finding in findings(request.object, parameters)
	not finding.msg in known
}

# A deletion has no object, and nothing to refuse; anything else without one is not a review.
deny contains {
	"msg": "the request has no object to judge",
	"code": "RESOURCES.NO_OBJECT",
	"severity": "high",
	"remedy": "send an AdmissionReview whose request.object is the object as it would be stored",
} if review.lacks_object

known_messages(request, parameters) := {finding.msg | some finding in findings(request.oldObject, parameters)} if {
	request.operation == "UPDATE"
} else := set()

findings(target, parameters) := {finding |
	some container in pod.containers(target)
	can_have_resources(container)
	not pattern.is_listed(object.get(container.spec, "image", ""), field.list_of(parameters, "exemptImages"))
	some kind in ["limits", "requests"]
	maxima := field.object_of(field.object_of(parameters, "max"), kind)
	some resource in (required(parameters, kind) | object.keys(maxima))
	some finding in judge(container, kind, resource, object.get(maxima, resource, null))
}

# Ephemeral containers cannot: they live on what the Pod has.
can_have_resources(container) if container.kind != "ephemeral container"

required(parameters, kind) := {resource | some resource in listed} if {
	listed := object.get(parameters, ["required", kind], null)
	is_array(listed)
} else := {"limits": {"memory"}, "requests": {"cpu", "memory"}}[kind]

judge(container, kind, resource, maximum) := malformed if {
	malformed := {finding |
		some amount in amounts(container, [kind], resource)
		not is_quantity(amount)
		finding := report(container, kind, resource, {
			"complaint": sprintf("has \"%v\" as %v %v, which is not a quantity", [amount, resource, noun(kind)]),
			"code": "RESOURCES.MALFORMED",
			"found": amount,
			"wanted": "a quantity",
			"remedy": sprintf("write resources.%v.%v as in 250m, 0.5, 64Mi or 1e9", [kind, resource]),
		})
	}
	count(malformed) > 0
} else := {report(container, kind, resource, {
	"complaint": sprintf("has no %v %v", [resource, noun(kind)]),
	"code": sprintf("RESOURCES.NO_%v", [upper(noun(kind))]),
	"found": object.get(field.object_of(container.spec, "resources"), [kind, resource], null),
	"wanted": wanted(maximum),
	"remedy": missing_remedy(kind, resource, maximum),
})} if {
	count(positive_amounts(container, kind, resource)) == 0
} else := {report(container, kind, resource, {
	"complaint": sprintf("has a %v %v of %v, which is above %v", [resource, noun(kind), amount, maximum]),
	"code": "RESOURCES.ABOVE_MAXIMUM",
	"found": amount,
	"wanted": wanted(maximum),
	"remedy": sprintf("set resources.%v.%v to at most %v", [kind, resource, maximum]),
})} if {
	maximum != null
	amount := positive_amounts(container, kind, resource)[0]
	not is_at_most(amount, maximum)
} else := set()

report(container, kind, resource, facts) := {
	"msg": sprintf("%v %v", [container.title, facts.complaint]),
	"code": facts.code,
	"severity": severity(kind),
	"path": sprintf("%v.resources.%v.%v", [container.path, kind, resource]),
	"found": facts.found,
	"wanted": facts.wanted,
	"remedy": facts.remedy,
}

# Without a limit a container takes what its neighbours need; without a request it is only placed badly.
severity(kind) := {"limits": "high", "requests": "medium"}[kind]

noun(kind) := trim_suffix(kind, "s")

missing_remedy(kind, resource, maximum) := sprintf("set resources.%v.%v to at most %v", [kind, resource, maximum]) if {
	maximum != null
} else := sprintf("set resources.%v.%v", [kind, resource])

wanted(null) := "a quantity"

wanted(maximum) := sprintf("at most %v", [maximum]) if maximum != null

is_at_most(amount, maximum) if thousandths(amount) <= thousandths(maximum)

# What counts, first. A request that is missing is its limit.
positive_amounts(container, kind, resource) := [amount |
	sources := {"limits": ["limits"], "requests": ["requests", "limits"]}[kind]
	some amount in amounts(container, sources, resource)
	thousandths(amount) > 0
]

# What is said about a resource, the most specific first: by the container, then by its Pod.
amounts(container, sources, resource) := [amount |
	some owner in [container.spec, container.pod.spec]
	resources := field.object_of(owner, "resources")
	some source in sources
	amount := object.get(resources, [source, resource], null)
	amount != null
]

is_quantity(amount) if is_number(thousandths(amount))

# Texts that are finer than a thousandth are rounded. Undefined for what is not a quantity.
thousandths(amount) := amount * 1000 if is_number(amount)

thousandths(amount) := round(quantity.parse(amount) * 1000) if is_string(amount)
