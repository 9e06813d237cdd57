package bench

deny contains msg if {
	some container in input.request.object.spec.containers
	container.securityContext.allowPrivilegeEscalation != false
	msg := sprintf("container %v allows privilege escalation", [container.name])
}

deny contains "the Pod shares the network of its node" if input.request.object.spec.hostNetwork
