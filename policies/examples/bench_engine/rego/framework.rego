package bench

deny contains finding.message if {
	some finding in findings
	finding.severity in {"high", "critical"}
}

warn contains finding.message if {
	some finding in findings
	not finding.severity in {"high", "critical"}
}

is_production if startswith(input.request.namespace, "shop")

is_production if input.request.object.metadata.labels.stage == "production"

containers contains container if some container in input.request.object.spec.containers

containers contains container if some container in input.request.object.spec.initContainers

containers contains container if some container in input.request.object.spec.template.spec.containers

selected(check, kinds) if {
	input.request.kind.kind in kinds
	not check in disabled
	check in checks
}

disabled contains check if {
	listed := input.request.object.metadata.annotations["checks.example.com/disabled"]
	some check in split(listed, ",")
}

report(check, container, value) := {
	"check": check,
	"severity": severity(check),
	"message": sprintf("%v: container %v has %v", [title(check), container.name, value]),
}
