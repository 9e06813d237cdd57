package bench

violation[{"msg": msg}] {
	container := input_containers[_]
	not container.resources
	msg := sprintf("container <%v> has no resources", [container.name])
}

violation[{"msg": msg}] {
	container := input_containers[_]
	given := container.resources.limits.cpu
	not cpu(given)
	msg := sprintf("container <%v> cpu limit <%v> could not be read", [container.name, given])
}

violation[{"msg": msg}] {
	container := input_containers[_]
	given := container.resources.limits.memory
	not memory(given)
	msg := sprintf("container <%v> memory limit <%v> could not be read", [container.name, given])
}

violation[{"msg": msg}] {
	container := input_containers[_]
	missing(container.resources.limits, "memory")
	msg := sprintf("container <%v> has no memory limit", [container.name])
}

violation[{"msg": msg}] {
	container := input_containers[_]
	given := container.resources.limits.cpu
	cpu(given) > cpu(input.parameters.cpu)
	msg := sprintf("container <%v> cpu limit <%v> is higher than the maximum allowed of <%v>", [container.name, given, input.parameters.cpu])
}

violation[{"msg": msg}] {
	container := input_containers[_]
	given := container.resources.limits.memory
	memory(given) > memory(input.parameters.memory)
	msg := sprintf("container <%v> memory limit <%v> is higher than the maximum allowed of <%v>", [container.name, given, input.parameters.memory])
}

input_containers[container] {
	container := input.review.object.spec.containers[_]
}

input_containers[container] {
	container := input.review.object.spec.initContainers[_]
}

missing(object, field) {
	not object[field]
}

missing(object, field) {
	object[field] == ""
}

cpu(given) = amount {
	is_number(given)
	amount := given * 1000
}

cpu(given) = amount {
	not is_number(given)
	endswith(given, "m")
	amount := to_number(replace(given, "m", ""))
}

cpu(given) = amount {
	not is_number(given)
	not endswith(given, "m")
	regex.match("^[0-9]+(\\.[0-9]+)?$", given)
	amount := to_number(given) * 1000
}

multiple("E") = 1000000000000000000000

multiple("P") = 1000000000000000000

multiple("T") = 1000000000000000

multiple("G") = 1000000000000

multiple("M") = 1000000000

multiple("k") = 1000000

multiple("") = 1000

multiple("m") = 1

multiple("Ki") = 1024000

multiple("Mi") = 1048576000

multiple("Gi") = 1073741824000

multiple("Ti") = 1099511627776000

multiple("Pi") = 1125899906842624000

multiple("Ei") = 1152921504606846976000

suffix(given) = found {
	not is_string(given)
	found := ""
}

suffix(given) = found {
	is_string(given)
	count(given) > 0
	found := substring(given, count(given) - 1, -1)
	multiple(found)
}

suffix(given) = found {
	is_string(given)
	count(given) > 1
	found := substring(given, count(given) - 2, -1)
	multiple(found)
}

suffix(given) = found {
	is_string(given)
	count(given) > 1
	not multiple(substring(given, count(given) - 1, -1))
	not multiple(substring(given, count(given) - 2, -1))
	found := ""
}

suffix(given) = found {
	is_string(given)
	count(given) == 1
	not multiple(substring(given, count(given) - 1, -1))
	found := ""
}

memory(given) = amount {
	is_number(given)
	amount := given * 1000
}

memory(given) = amount {
	not is_number(given)
	unit := suffix(given)
	raw := replace(given, unit, "")
	regex.match("^[0-9]+(\\.[0-9]+)?$", raw)
	amount := to_number(raw) * multiple(unit)
}
