# METADATA
# title: Resource requests and limits
# description: |
#   Containers, init containers and sidecars say what they need and how much they may take: every resource of
#   `parameters.required` is set, and none of `parameters.max` is above its maximum, in Pods and in the Pod templates of
#   workloads. Without parameters, a memory limit and requests for CPU and memory are required. A zero is no amount: to
#   the kernel, a limit of 0 is none. What is set for the whole Pod counts for containers that set nothing themselves,
#   and a request that is missing is its limit, as in Kubernetes. An update is refused only for what it makes worse.
package platform.resource_limits

deny contains finding if {
	request := input.request
	parameters := as_object(object.get(input, "parameters", {}))
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
} if {
	count([target | target := input.request.object; is_object(target)]) == 0
	count([operation | operation := input.request.operation; operation in {"DELETE", "CONNECT"}]) == 0
}

known_messages(request, parameters) := {finding.msg | some finding in findings(request.oldObject, parameters)} if {
	request.operation == "UPDATE"
} else := set()

findings(target, parameters) := {finding |
	some container in containers(target)
	not is_exempt(container.image, list(parameters, "exemptImages"))
	some kind in ["limits", "requests"]
	maxima := as_object(object.get(as_object(object.get(parameters, "max", {})), kind, {}))
	some resource in (required(parameters, kind) | object.keys(maxima))
	some finding in judge(container, kind, resource, object.get(maxima, resource, null))
}

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
			"remedy": sprintf("write resources.%v.%v as in 250m, 0.5, 64Mi or 1e9", [kind, resource]),
		})
	}
	count(malformed) > 0
} else := {report(container, kind, resource, {
	"complaint": sprintf("has no %v %v", [resource, noun(kind)]),
	"code": sprintf("RESOURCES.NO_%v", [upper(noun(kind))]),
	"remedy": missing_remedy(kind, resource, maximum),
})} if {
	count(positive_amounts(container, kind, resource)) == 0
} else := {report(container, kind, resource, {
	"complaint": sprintf("has a %v %v of %v, which is above %v", [resource, noun(kind), amount, maximum]),
	"code": "RESOURCES.ABOVE_MAXIMUM",
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
	"remedy": facts.remedy,
}

# Without a limit a container takes what its neighbours need; without a request it is only placed badly.
severity(kind) := {"limits": "high", "requests": "medium"}[kind]

noun(kind) := trim_suffix(kind, "s")

missing_remedy(kind, resource, maximum) := sprintf("set resources.%v.%v to at most %v", [kind, resource, maximum]) if {
	maximum != null
} else := sprintf("set resources.%v.%v", [kind, resource])

is_at_most(amount, maximum) if thousandths(amount) <= thousandths(maximum)

# What counts, first. A request that is missing is its limit.
positive_amounts(container, kind, resource) := [amount |
	sources := {"limits": ["limits"], "requests": ["requests", "limits"]}[kind]
	some amount in amounts(container, sources, resource)
	thousandths(amount) > 0
]

# What is said about a resource, the most specific first: by the container, then by its Pod.
amounts(container, sources, resource) := [amount |
	some resources in [container.resources, container.pod_resources]
	some source in sources
	amount := object.get(resources, [source, resource], null)
	amount != null
]

is_quantity(value) if is_number(thousandths(value))

# A Kubernetes quantity in thousandths, which are whole numbers for all that is used, so that 100m is 0.1 exactly.
# Undefined for what is not a quantity.
thousandths(value) := value * 1000 if is_number(value)

thousandths(value) := round((number * 1000) * factor(suffix)) if {
	is_string(value)
	count(value) <= 64
	[_, sign, whole, fraction, exponent, suffix] := regex.find_all_string_submatch_n(
		`^([+-]?)([0-9]*)\.?([0-9]*)((?:[eE][+-]?[0-9]{1,2})?)((?:[numkMGTPE]|[KMGTPE]i)?)$`,
		value,
		1,
	)[0]
	concat("", [whole, fraction]) != ""
	count([part | some part in [exponent, suffix]; part != ""]) < 2
	number := to_number(sprintf("%v%v.%v0%v", [trim_left(sign, "+"), significant(whole), fraction, exponent]))
}

# JSON's numbers, which are what `to_number` reads, do not begin with a superfluous zero.
significant(digits) := trimmed if {
	trimmed := trim_left(digits, "0")
	trimmed != ""
} else := "0"

factor(suffix) := {
	"n": 0.000000001,
	"u": 0.000001,
	"m": 0.001,
	"": 1,
	"k": 1000,
	"M": 1000000,
	"G": 1000000000,
	"T": 1000000000000,
	"P": 1000000000000000,
	"E": 1000000000000000000,
	"Ki": 1024,
	"Mi": 1048576,
	"Gi": 1073741824,
	"Ti": 1099511627776,
	"Pi": 1125899906842624,
	"Ei": 1152921504606846976,
}[suffix]

# An exemption is an image, or the beginning of one with `*` behind it.
is_exempt(image, exemptions) if image in exemptions

is_exempt(image, exemptions) if {
	some exemption in exemptions
	endswith(exemption, "*")
	startswith(image, trim_suffix(exemption, "*"))
}

# Every container that can have resources, with its path and with what to call it. Ephemeral containers cannot: they
# live on what the Pod has.
containers(target) := {container |
	some pod_path, pod_spec in pod_specs(target)
	some field in ["containers", "initContainers"]
	some index, value in list(pod_spec, field)
	spec := as_object(value)
	container := {
		"title": sprintf("%v \"%v\"", [container_noun(field, spec), object.get(spec, "name", "")]),
		"path": sprintf("%v.%v[%v]", [pod_path, field, index]),
		"image": object.get(spec, "image", ""),
		"resources": as_object(object.get(spec, "resources", {})),
		"pod_resources": as_object(object.get(pod_spec, "resources", {})),
	}
}

container_noun("containers", _) := "container"

container_noun("initContainers", spec) := "sidecar container" if {
	spec.restartPolicy == "Always"
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
