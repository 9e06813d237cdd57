# METADATA
# title: No privileged Pods
# description: |
#   Pods, and the Pod templates of workloads, take no privileges on their node: no privileged containers, no privilege
#   escalation, no added capabilities, no unmasked /proc, no switched-off seccomp or AppArmor, no host namespaces, host
#   paths, host ports or Windows HostProcess containers. Parameters allow exceptions by value and exempt containers by
#   image. An update is refused only for the privileges that it adds.
package platform.no_privileged

import data.lib.field
import data.lib.pattern
import data.lib.pod
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
	"code": "PRIVILEGE.NO_OBJECT",
	"severity": "high",
	"remedy": "send an AdmissionReview whose request.object is the object as it would be stored",
} if review.lacks_object

known_messages(request, parameters) := {finding.msg | some finding in findings(request.oldObject, parameters)} if {
	request.operation == "UPDATE"
} else := set()

findings(target, parameters) := {finding |
	some found in pod.pods(target)
	some finding in (pod_findings(found, parameters) | container_findings(found, parameters))
}

pod_findings(found, parameters) := union({
	host_namespaces(subject, parameters),
	host_paths(subject, parameters),
	host_process(subject),
	unconfined_profiles(subject),
}) if {
	subject := {"title": found.title, "path": pod.path(found, "spec"), "spec": found.spec, "pod": found}
}

container_findings(found, parameters) := {finding |
	some container in pod.containers_of(found)
	not pattern.is_listed(object.get(container.spec, "image", ""), field.list_of(parameters, "exemptImages"))
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

report(subject, place, facts) := {
	"msg": sprintf("%v %v", [subject.title, facts.complaint]),
	"code": facts.code,
	"severity": facts.severity,
	"path": sprintf("%v.%v", [subject.path, place]),
	"found": facts.found,
	"wanted": facts.wanted,
	"remedy": facts.remedy,
}

security(subject) := field.object_of(subject.spec, "securityContext")

# A boolean field is on unless it says false: what is neither is not given the benefit of the doubt.
is_on(value) if not value in {false, null}

host_namespaces(subject, parameters) := {found |
	some name, noun in {"hostNetwork": "network", "hostPID": "process", "hostIPC": "IPC"}
	is_on(subject.spec[name])
	not name in field.list_of(parameters, "allowedHostNamespaces")
	found := report(subject, name, {
		"complaint": sprintf("shares the node's %v namespace", [noun]),
		"code": "PRIVILEGE.HOST_NAMESPACE",
		"severity": "high",
		"found": subject.spec[name],
		"wanted": false,
		"remedy": sprintf("remove %v", [name]),
	})
}

host_paths(subject, parameters) := {found |
	allowed := field.list_of(parameters, "allowedHostPaths")
	some index, volume in field.list_of(subject.spec, "volumes")
	source := volume.hostPath
	source != null
	path := object.get({"source": source}, ["source", "path"], "")
	not is_allowed_path(path, is_read_only(subject.pod, volume), allowed)
	found := report(subject, sprintf("volumes[%v].hostPath", [index]), {
		"complaint": sprintf("mounts the node's path \"%v\" as volume \"%v\"", [path, object.get(volume, "name", "")]),
		"code": "PRIVILEGE.HOST_PATH",
		"severity": "high",
		"found": path,
		"wanted": wanted_instead(path, allowed),
		"remedy": host_path_remedy(path, allowed),
	})
}

host_path_remedy(path, allowed) := "mount it with readOnly: true in every container" if {
	is_allowed_path(path, true, allowed)
} else := "use another kind of volume (persistentVolumeClaim, emptyDir, configMap, projected)"

wanted_instead(path, allowed) := "a mount that is read-only" if {
	is_allowed_path(path, true, allowed)
} else := "no path of the node"

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

is_read_only(found, volume) := false if {
	some container in pod.containers_of(found)
	some mount in field.list_of(container.spec, "volumeMounts")
	mount.name == volume.name
	object.get(mount, "readOnly", false) != true
} else := true

host_process(subject) := {report(subject, "securityContext.windowsOptions.hostProcess", {
	"complaint": "runs as a Windows HostProcess container",
	"code": "PRIVILEGE.HOST_PROCESS",
	"severity": "critical",
	"found": security(subject).windowsOptions.hostProcess,
	"wanted": false,
	"remedy": "remove securityContext.windowsOptions.hostProcess",
}) |
	is_on(security(subject).windowsOptions.hostProcess)
}

unconfined_profiles(subject) := {found |
	some profile, noun in {"seccompProfile": "seccomp", "appArmorProfile": "AppArmor"}
	security(subject)[profile].type == "Unconfined"
	found := report(subject, sprintf("securityContext.%v.type", [profile]), {
		"complaint": sprintf("switches %v off", [noun]),
		"code": "PRIVILEGE.UNCONFINED",
		"severity": "medium",
		"found": "Unconfined",
		"wanted": "RuntimeDefault",
		"remedy": sprintf("set securityContext.%v.type to RuntimeDefault", [profile]),
	})
}

# How AppArmor was set before Kubernetes 1.30.
unconfined_annotation(container) := {object.union(found, {"path": path}) |
	key := sprintf("container.apparmor.security.beta.kubernetes.io/%v", [container.name])
	container.pod.metadata.annotations[key] == "unconfined"
	path := pod.path(container.pod, sprintf("metadata.annotations[\"%v\"]", [key]))
	found := report(container, "", {
		"complaint": "switches AppArmor off with an annotation",
		"code": "PRIVILEGE.UNCONFINED",
		"severity": "medium",
		"found": "unconfined",
		"wanted": "runtime/default",
		"remedy": "remove the annotation",
	})
}

privileged(container) := {report(container, "securityContext.privileged", {
	"complaint": "is privileged",
	"code": "PRIVILEGE.PRIVILEGED_CONTAINER",
	"severity": "critical",
	"found": security(container).privileged,
	"wanted": false,
	"remedy": "remove securityContext.privileged",
}) |
	is_on(security(container).privileged)
}

# Without the field, escalation is allowed. Windows has no such thing, and its Pods may not set it.
privilege_escalation(container, parameters) := {report(container, "securityContext.allowPrivilegeEscalation", {
	"complaint": "allows privilege escalation",
	"code": "PRIVILEGE.ESCALATION",
	"severity": "medium",
	"found": object.get(security(container), "allowPrivilegeEscalation", null),
	"wanted": false,
	"remedy": "set securityContext.allowPrivilegeEscalation to false",
}) |
	object.get(security(container), "allowPrivilegeEscalation", true) != false
	object.get(parameters, "allowPrivilegeEscalation", false) != true
	object.get(container.pod.spec, ["os", "name"], "linux") != "windows"
}

capabilities(container, parameters) := {found |
	requested := field.object_of(security(container), "capabilities")
	allowed := {capability(name) | some name in field.list_of(parameters, "allowedCapabilities")}
	some index, added in field.list_of(requested, "add")
	not is_allowed_capability(added, allowed)
	found := report(container, sprintf("securityContext.capabilities.add[%v]", [index]), {
		"complaint": sprintf("adds the capability %v", [added]),
		"code": "PRIVILEGE.CAPABILITY",
		"severity": "high",
		"found": added,
		"wanted": "no capability that is not allowed",
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
	"found": kind,
	"wanted": "Default",
	"remedy": "remove securityContext.procMount",
}) |
	kind := security(container).procMount
	not kind in {"", "Default", null}
}

# In the node's network every port is the node's.
host_ports(container, parameters) := {found |
	not is_on(object.get(container.pod.spec, "hostNetwork", false))
	some index, port in field.list_of(container.spec, "ports")
	number := port.hostPort
	not number in {0, null}
	not number in field.list_of(parameters, "allowedHostPorts")
	found := report(container, sprintf("ports[%v].hostPort", [index]), {
		"complaint": sprintf("opens the port %v of the node", [number]),
		"code": "PRIVILEGE.HOST_PORT",
		"severity": "medium",
		"found": number,
		"wanted": "no port of the node",
		"remedy": "remove hostPort and use a Service",
	})
}
