# METADATA
# title: No privileged Pods
# description: |
#   Pods, and the Pod templates of workloads, take no privileges on their node: no privileged containers, no privilege
#   escalation, no added capabilities, no unmasked /proc, no switched-off seccomp or AppArmor, no host namespaces, host
#   paths, host ports or Windows HostProcess containers. Parameters allow exceptions by value and exempt containers by
#   image. An update is refused only for the privileges that it adds.
package platform.no_privileged

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
	"code": "PRIVILEGE.NO_OBJECT",
	"severity": "high",
	"remedy": "send an AdmissionReview whose request.object is the object as it would be stored",
} if {
	count([target | target := input.request.object; is_object(target)]) == 0
	count([operation | operation := input.request.operation; operation in {"DELETE", "CONNECT"}]) == 0
}

known_messages(request, parameters) := {finding.msg | some finding in findings(request.oldObject, parameters)} if {
	request.operation == "UPDATE"
} else := set()

findings(target, parameters) := pod_findings(target, parameters) | container_findings(target, parameters)

pod_findings(target, parameters) := {finding |
	some pod in pods(target)
	some finding in union({
		host_namespaces(pod, parameters),
		host_paths(pod, parameters),
		host_process(pod),
		unconfined_profiles(pod),
	})
}

container_findings(target, parameters) := {finding |
	some pod in pods(target)
	some container in containers(pod)
	not is_exempt(container.image, list(parameters, "exemptImages"))
	some finding in union({
		privileged(container),
		privilege_escalation(container, parameters),
		capabilities(container, parameters),
		proc_mount(container),
		host_ports(container, parameters),
		host_process(container),
		unconfined_profiles(container),
		unconfined_annotation(container),
	})
}

report(subject, field, facts) := {
	"msg": sprintf("%v %v", [subject.title, facts.complaint]),
	"code": facts.code,
	"severity": facts.severity,
	"path": sprintf("%v.%v", [subject.path, field]),
	"remedy": facts.remedy,
}

# A boolean field is on unless it says false: what is neither is not given the benefit of the doubt.
is_on(value) if not value in {false, null}

host_namespaces(pod, parameters) := {found |
	some field, noun in {"hostNetwork": "network", "hostPID": "process", "hostIPC": "IPC"}
	is_on(pod.spec[field])
	not field in list(parameters, "allowedHostNamespaces")
	found := report(pod, field, {
		"complaint": sprintf("shares the node's %v namespace", [noun]),
		"code": "PRIVILEGE.HOST_NAMESPACE",
		"severity": "high",
		"remedy": sprintf("remove %v", [field]),
	})
}

host_paths(pod, parameters) := {found |
	some index, volume in list(pod.spec, "volumes")
	source := volume.hostPath
	source != null
	path := object.get({"source": source}, ["source", "path"], "")
	not is_allowed_path(path, is_read_only(pod, volume), list(parameters, "allowedHostPaths"))
	found := report(pod, sprintf("volumes[%v].hostPath", [index]), {
		"complaint": sprintf("mounts the node's path \"%v\" as volume \"%v\"", [path, object.get(volume, "name", "")]),
		"code": "PRIVILEGE.HOST_PATH",
		"severity": "high",
		"remedy": host_path_remedy(path, list(parameters, "allowedHostPaths")),
	})
}

host_path_remedy(path, allowed) := "mount it with readOnly: true in every container" if {
	is_allowed_path(path, true, allowed)
} else := "use another kind of volume (persistentVolumeClaim, emptyDir, configMap, projected)"

is_allowed_path(path, read_only, allowed) if {
	some entry in allowed
	startswith(directory(path), directory(entry.pathPrefix))
	permits(entry, read_only)
}

permits(_, read_only) if read_only

permits(entry, _) if object.get(entry, "readOnly", false) == false

# `/var//log/.` is `/var/log/`. Undefined for what is not absolute and for what leads back up.
directory(path) := concat("", [sprintf("%v/", [segment]) | some segment in array.concat([""], segments)]) if {
	startswith(path, "/")
	segments := [segment | some segment in split(path, "/"); not segment in {"", "."}]
	not ".." in segments
}

is_read_only(pod, volume) := false if {
	some container in containers(pod)
	some mount in list(container.spec, "volumeMounts")
	mount.name == volume.name
	object.get(mount, "readOnly", false) != true
} else := true

host_process(subject) := {report(subject, "securityContext.windowsOptions.hostProcess", {
	"complaint": "runs as a Windows HostProcess container",
	"code": "PRIVILEGE.HOST_PROCESS",
	"severity": "critical",
	"remedy": "remove securityContext.windowsOptions.hostProcess",
}) |
	is_on(subject.security.windowsOptions.hostProcess)
}

unconfined_profiles(subject) := {found |
	some field, noun in {"seccompProfile": "seccomp", "appArmorProfile": "AppArmor"}
	subject.security[field].type == "Unconfined"
	found := report(subject, sprintf("securityContext.%v.type", [field]), {
		"complaint": sprintf("switches %v off", [noun]),
		"code": "PRIVILEGE.UNCONFINED",
		"severity": "medium",
		"remedy": sprintf("set securityContext.%v.type to RuntimeDefault", [field]),
	})
}

# How AppArmor was set before Kubernetes 1.30.
unconfined_annotation(container) := {object.union(found, {"path": path}) |
	key := sprintf("container.apparmor.security.beta.kubernetes.io/%v", [container.name])
	container.pod.annotations[key] == "unconfined"
	path := sprintf("%v[\"%v\"]", [container.pod.annotations_path, key])
	found := report(container, "", {
		"complaint": "switches AppArmor off with an annotation",
		"code": "PRIVILEGE.UNCONFINED",
		"severity": "medium",
		"remedy": "remove the annotation",
	})
}

privileged(container) := {report(container, "securityContext.privileged", {
	"complaint": "is privileged",
	"code": "PRIVILEGE.PRIVILEGED_CONTAINER",
	"severity": "critical",
	"remedy": "remove securityContext.privileged",
}) |
	is_on(container.security.privileged)
}

# Without the field, escalation is allowed. Windows has no such thing, and its Pods may not set it.
privilege_escalation(container, parameters) := {report(container, "securityContext.allowPrivilegeEscalation", {
	"complaint": "allows privilege escalation",
	"code": "PRIVILEGE.ESCALATION",
	"severity": "medium",
	"remedy": "set securityContext.allowPrivilegeEscalation to false",
}) |
	object.get(container.security, "allowPrivilegeEscalation", true) != false
	object.get(parameters, "allowPrivilegeEscalation", false) != true
	object.get(container.pod.spec, ["os", "name"], "linux") != "windows"
}

capabilities(container, parameters) := {found |
	requested := as_object(object.get(container.security, "capabilities", {}))
	allowed := {capability(name) | some name in list(parameters, "allowedCapabilities")}
	some index, added in list(requested, "add")
	not is_allowed_capability(added, allowed)
	found := report(container, sprintf("securityContext.capabilities.add[%v]", [index]), {
		"complaint": sprintf("adds the capability %v", [added]),
		"code": "PRIVILEGE.CAPABILITY",
		"severity": "high",
		"remedy": sprintf("remove %v from securityContext.capabilities.add", [added]),
	})
}

is_allowed_capability(name, allowed) if capability(name) in allowed

# Runtimes take `net_admin` and `CAP_NET_ADMIN` for NET_ADMIN, too.
capability(name) := trim_prefix(upper(name), "CAP_")

proc_mount(container) := {report(container, "securityContext.procMount", {
	"complaint": sprintf("mounts /proc as %v", [kind]),
	"code": "PRIVILEGE.PROC_MOUNT",
	"severity": "high",
	"remedy": "remove securityContext.procMount",
}) |
	kind := container.security.procMount
	not kind in {"", "Default", null}
}

# In the node's network every port is the node's.
host_ports(container, parameters) := {found |
	not is_on(object.get(container.pod.spec, "hostNetwork", false))
	some index, port in list(container.spec, "ports")
	number := port.hostPort
	not number in {0, null}
	not number in list(parameters, "allowedHostPorts")
	found := report(container, sprintf("ports[%v].hostPort", [index]), {
		"complaint": sprintf("opens the port %v of the node", [number]),
		"code": "PRIVILEGE.HOST_PORT",
		"severity": "medium",
		"remedy": "remove hostPort and use a Service",
	})
}

# An exemption is an image, or the beginning of one with `*` behind it.
is_exempt(image, exemptions) if image in exemptions

is_exempt(image, exemptions) if {
	some exemption in exemptions
	endswith(exemption, "*")
	startswith(image, trim_suffix(exemption, "*"))
}

# The Pods in an object: the object itself, or what is made from the template that a workload has.
pods(target) := {pod |
	some location in ["object", "object.spec.template", "object.spec.jobTemplate.spec.template"]
	owner := object.get({"object": target}, split(location, "."), null)
	spec := object.get(as_object(owner), "spec", null)
	is_object(spec)
	pod := {
		"title": title(target, location),
		"path": trim_prefix(sprintf("%v.spec", [location]), "object."),
		"spec": spec,
		"security": as_object(object.get(spec, "securityContext", {})),
		"annotations": as_object(object.get(owner, ["metadata", "annotations"], {})),
		"annotations_path": trim_prefix(sprintf("%v.metadata.annotations", [location]), "object."),
	}
}

title(target, "object") := described(target)

title(target, location) := sprintf("the Pod template of %v", [described(target)]) if location != "object"

described(target) := sprintf("%v \"%v\"", [object.get(target, "kind", "object"), name]) if {
	generated := object.get(target, ["metadata", "generateName"], "")
	name := object.get(target, ["metadata", "name"], generated)
}

containers(pod) := {container |
	some field in ["containers", "initContainers", "ephemeralContainers"]
	some index, value in list(pod.spec, field)
	spec := as_object(value)
	name := object.get(spec, "name", "")
	container := {
		"title": sprintf("%v \"%v\"", [container_noun(field, spec), name]),
		"path": sprintf("%v.%v[%v]", [pod.path, field, index]),
		"name": name,
		"image": object.get(spec, "image", ""),
		"spec": spec,
		"security": as_object(object.get(spec, "securityContext", {})),
		"pod": pod,
	}
}

container_noun("containers", _) := "container"

container_noun("ephemeralContainers", _) := "ephemeral container"

container_noun("initContainers", spec) := "sidecar container" if {
	spec.restartPolicy == "Always"
} else := "init container"

list(owner, field) := values if {
	values := object.get(owner, field, [])
	is_array(values)
} else := []

as_object(value) := value if {
	is_object(value)
} else := {}
