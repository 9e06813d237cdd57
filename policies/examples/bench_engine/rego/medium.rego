package bench

default is_exempt := false

is_exempt if input.request.namespace in {"kube-system", "monitoring"}

is_exempt if {
	some prefix in ["system:node:", "system:serviceaccount:kube-system:daemon-set-controller"]
	startswith(input.request.userInfo.username, prefix)
}

containers contains container if some container in input.request.object.spec.containers

containers contains container if some container in input.request.object.spec.initContainers

deny contains msg if {
	not is_exempt
	some container in containers
	not startswith(container.image, "registry.example.com/")
	msg := sprintf("container %v has the image %v", [container.name, container.image])
}

deny contains msg if {
	not is_exempt
	some container in containers
	endswith(container.image, ":latest")
	msg := sprintf("container %v has the tag latest", [container.name])
}

deny contains msg if {
	not is_exempt
	some container in containers
	missing := {"cpu", "memory"} - object.keys(container.resources.limits)
	count(missing) > 0
	msg := sprintf("container %v has no limits for %v", [container.name, missing])
}

deny contains msg if {
	not is_exempt
	some container in containers
	some capability in container.securityContext.capabilities.add
	not capability in {"CHOWN", "SETUID"}
	msg := sprintf("container %v adds %v", [container.name, capability])
}

deny contains msg if {
	not is_exempt
	some container in containers
	container.securityContext.allowPrivilegeEscalation == true
	msg := sprintf("container %v allows privilege escalation", [container.name])
}

deny contains msg if {
	not is_exempt
	required := {"app", "team"}
	provided := {label | some label, _ in input.request.object.metadata.labels}
	missing := required - provided
	count(missing) > 0
	msg := sprintf("the labels %v are missing", [missing])
}

deny contains "volumes of the host are not allowed" if {
	not is_exempt
	some volume in input.request.object.spec.volumes
	volume.hostPath
}

deny contains "every container needs a probe" if {
	not is_exempt
	not probed
}

probed if {
	every container in input.request.object.spec.containers {
		container.livenessProbe.periodSeconds > 0
	}
}
