package bench

deny contains msg if {
	some container in input.request.object.spec.containers
	some resource in ["cpu", "memory"]
	limit := amount(resource, container.resources.limits[resource])
	request := amount(resource, container.resources.requests[resource])
	ratio := limit / request
	ratio > allowed_ratio(resource)
	msg := sprintf("container %v may take %v times the %v that it asks for", [container.name, ratio, resource])
}

deny contains msg if {
	some container in input.request.object.spec.containers
	some resource in ["cpu", "memory"]
	amount(resource, container.resources.limits[resource]) > maximum(resource)
	msg := sprintf("container %v may take too much %v", [container.name, resource])
}

deny contains msg if {
	some container in input.request.object.spec.containers
	not is_known(registry(container.image))
	msg := sprintf("container %v comes from %v", [container.name, registry(container.image)])
}

allowed_ratio("cpu") := 4

allowed_ratio("memory") := 1.5

maximum("cpu") := amount("cpu", "2")

maximum("memory") := amount("memory", "1Gi")

amount("cpu", value) := to_number(trim_suffix(value, "m")) if endswith(value, "m")

amount("cpu", value) := to_number(value) * 1000 if not endswith(value, "m")

amount("memory", value) := to_number(trim_suffix(value, unit)) * factor(unit) if {
	unit := unit_of(value)
}

unit_of(value) := substring(value, count(value) - 2, -1) if {
	count(value) > 2
	factor(substring(value, count(value) - 2, -1))
} else := substring(value, count(value) - 1, -1) if {
	factor(substring(value, count(value) - 1, -1))
} else := ""

factor("") := 1

factor("k") := 1000

factor("M") := 1000000

factor("G") := 1000000000

factor("T") := 1000000000000

factor("Ki") := 1024

factor("Mi") := 1048576

factor("Gi") := 1073741824

factor("Ti") := 1099511627776

registry(image) := split(image, "/")[0] if contains(image, "/")

registry(image) := "docker.io" if not contains(image, "/")

is_known("registry.example.com") := true

is_known("ghcr.io") := true

is_known(registry) if endswith(registry, ".internal")
