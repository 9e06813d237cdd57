package platform.no_privileged_test

import data.platform.no_privileged

review(subject, parameters) := {"request": {"operation": "CREATE", "object": subject}, "parameters": parameters}

update(old, subject) := {"request": {"operation": "UPDATE", "oldObject": old, "object": subject}, "parameters": {}}

pod(spec) := {"kind": "Pod", "metadata": {"name": "web"}, "spec": spec}

safe := {"name": "web", "image": "nginx", "securityContext": {"allowPrivilegeEscalation": false}}

# A Pod whose one container has this security context and is else as it should be.
secured(context) := pod({"containers": [object.union(safe, {"securityContext": context})]})

# A Pod with a safe container and this beside it.
beside(spec) := pod(object.union({"containers": [safe]}, spec))

denials(request) := found if found := no_privileged.deny with input as request

codes(subject, parameters) := {finding.code | some finding in denials(review(subject, parameters))}

paths(subject, parameters) := {finding.path | some finding in denials(review(subject, parameters))}

messages(subject, parameters) := {finding.msg | some finding in denials(review(subject, parameters))}

# The names of the cases in which the policy says something else than expected.
failing(cases, expected) := {name |
	some name, case in cases
	codes(case.object, object.get(case, "parameters", {})) != expected
}

test_a_pod_that_takes_nothing_is_allowed if {
	ports := [
		{"containerPort": 80},
		{"containerPort": 80, "hostPort": 0},
		{"containerPort": 80, "hostPort": null},
		null,
	]
	cases := {
		"plain": {"object": beside({})},
		"everything off": {"object": beside({
			"hostNetwork": false,
			"hostPID": false,
			"hostIPC": null,
			"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}, "windowsOptions": {"hostProcess": false}},
			"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "hostPath": null}],
		})},
		"a hardened container": {"object": secured({
			"privileged": false,
			"procMount": "Default",
			"capabilities": {"drop": ["ALL"], "add": []},
			"seccompProfile": {"type": "Localhost", "localhostProfile": "x"},
			"appArmorProfile": {"type": "RuntimeDefault"},
		})},
		"nulls": {"object": secured({
			"privileged": null,
			"procMount": null,
			"capabilities": null,
			"seccompProfile": null,
			"windowsOptions": null,
		})},
		"ports that are not the node's": {"object": pod({"containers": [object.union(safe, {"ports": ports})]})},
		"other annotations": {"object": object.union(beside({}), {"metadata": {"annotations": {
			"container.apparmor.security.beta.kubernetes.io/web": "runtime/default",
			"container.apparmor.security.beta.kubernetes.io/other": "unconfined",
		}}})},
	}
	failing(cases, set()) == set()
}

test_privileged_containers if {
	cases := {
		"privileged": {"object": secured({"privileged": true})},
		"neither true nor false": {"object": secured({"privileged": "true"})},
		"no parameter allows it": {
			"object": secured({"privileged": true}),
			"parameters": {"allowPrivilegeEscalation": true, "allowedCapabilities": ["SYS_ADMIN"]},
		},
	}
	failing(cases, {"PRIVILEGE.PRIVILEGED_CONTAINER"}) == set()
}

test_privilege_escalation if {
	refused := {
		"true": {"object": secured({"allowPrivilegeEscalation": true})},
		"null": {"object": secured({"allowPrivilegeEscalation": null})},
		"text": {"object": secured({"allowPrivilegeEscalation": "false"})},
		"unset": {"object": pod({"containers": [{"name": "web", "securityContext": {}}]})},
		"no context": {"object": pod({"containers": [{"name": "web"}]})},
		"a null context": {"object": pod({"containers": [{"name": "web", "securityContext": null}]})},
		"no container": {"object": pod({"containers": [null]})},
		"linux": {"object": pod({"os": {"name": "linux"}, "containers": [{"name": "web"}]})},
	}
	failing(refused, {"PRIVILEGE.ESCALATION"}) == set()

	allowed := {
		"by parameter": {
			"object": pod({"containers": [{"name": "web"}]}),
			"parameters": {"allowPrivilegeEscalation": true},
		},
		"on windows": {"object": pod({"os": {"name": "windows"}, "containers": [{"name": "web"}]})},
	}
	failing(allowed, set()) == set()
}

test_host_namespaces if {
	every field in ["hostNetwork", "hostPID", "hostIPC"] {
		codes(beside({field: true}), {}) == {"PRIVILEGE.HOST_NAMESPACE"}
		paths(beside({field: true}), {}) == {sprintf("spec.%s", [field])}
		codes(beside({field: "yes"}), {}) == {"PRIVILEGE.HOST_NAMESPACE"}
		codes(beside({field: true}), {"allowedHostNamespaces": [field]}) == set()
	}
	codes(beside({"hostPID": true}), {"allowedHostNamespaces": ["hostNetwork"]}) == {"PRIVILEGE.HOST_NAMESPACE"}
}

mounting(path, mounts) := pod({
	"containers": [object.union(safe, {"volumeMounts": mounts})],
	"volumes": [{"name": "scratch", "emptyDir": {}}, {"name": "node", "hostPath": {"path": path}}],
})

test_host_paths if {
	parameters := {"allowedHostPaths": [
		{"pathPrefix": "/var/log"},
		{"pathPrefix": "/etc/ssl/", "readOnly": true},
		{"pathPrefix": "/srv", "readOnly": false},
	]}
	writing := [{"name": "node", "mountPath": "/a"}]
	reading := [{"name": "node", "mountPath": "/a", "readOnly": true}, {"name": "scratch", "mountPath": "/b"}]

	allowed := {
		"the directory": {"object": mounting("/var/log", writing)},
		"in the directory": {"object": mounting("/var/log/pods", writing)},
		"with superfluous slashes": {"object": mounting("//var/./log//pods/", writing)},
		"read-only where it may be written": {"object": mounting("/var/log", reading)},
		"read-only where it must be": {"object": mounting("/etc/ssl/certs", reading)},
		"not mounted at all": {"object": mounting("/etc/ssl", [])},
		"written where that is said": {"object": mounting("/srv/x", writing)},
	}
	failing({name: object.union(case, {"parameters": parameters}) | some name, case in allowed}, set()) == set()

	refused := {
		"elsewhere": {"object": mounting("/", writing)},
		"a longer name": {"object": mounting("/var/logs", writing)},
		"the directory above": {"object": mounting("/var", writing)},
		"back up": {"object": mounting("/var/log/../../etc", writing)},
		"not absolute": {"object": mounting("var/log", writing)},
		"written where it must not be": {"object": mounting("/etc/ssl", writing)},
		"written by one of two mounts": {"object": mounting("/etc/ssl", array.concat(reading, writing))},
		"no path": {"object": beside({"volumes": [{"name": "node", "hostPath": {}}]})},
		"a null path": {"object": mounting(null, writing)},
		"a host path that is a string": {"object": beside({"volumes": [{"name": "node", "hostPath": "/var/log"}]})},
	}
	failing(
		{name: object.union(case, {"parameters": parameters}) | some name, case in refused},
		{"PRIVILEGE.HOST_PATH"},
	) == set()

	codes(mounting("/var/log", writing), {}) == {"PRIVILEGE.HOST_PATH"}
	codes(mounting("/var/log", writing), {"allowedHostPaths": [{"pathPrefix": ""}, {}]}) == {"PRIVILEGE.HOST_PATH"}
	codes(mounting("/anything", writing), {"allowedHostPaths": [{"pathPrefix": "/"}]}) == set()
}

test_the_remedy_of_a_host_path if {
	parameters := {"allowedHostPaths": [{"pathPrefix": "/etc", "readOnly": true}]}
	{finding.remedy | some finding in denials(review(mounting("/srv", []), parameters))} == {
		"use another kind of volume (persistentVolumeClaim, emptyDir, configMap, projected)",
	}
}

test_an_init_container_can_write_a_host_path if {
	parameters := {"allowedHostPaths": [{"pathPrefix": "/etc", "readOnly": true}]}
	subject := pod({
		"containers": [safe],
		"initContainers": [object.union(safe, {"volumeMounts": [{"name": "node", "mountPath": "/a"}]})],
		"volumes": [{"name": "node", "hostPath": {"path": "/etc"}}],
	})
	{finding.remedy | some finding in denials(review(subject, parameters))} == {
		"mount it with readOnly: true in every container",
	}
}

test_capabilities if {
	parameters := {"allowedCapabilities": ["CHOWN", "NET_BIND_SERVICE"]}
	refused := ["SYS_ADMIN", "ALL", "NET_ADMIN", "CAP_SYS_ADMIN", "sys_admin", "", "CHOWN ", 7, null]
	{name |
		some name in refused
		codes(secured({"capabilities": {"add": ["CHOWN", name]}}), parameters) != {"PRIVILEGE.CAPABILITY"}
	} == set()
	every name in ["CHOWN", "NET_BIND_SERVICE", "CAP_CHOWN", "chown"] {
		codes(secured({"capabilities": {"add": [name]}}), parameters) == set()
	}
	codes(secured({"capabilities": {"add": ["CHOWN"]}}), {}) == {"PRIVILEGE.CAPABILITY"}
	codes(secured({"capabilities": {"add": [7]}}), {"allowedCapabilities": [7]}) == {"PRIVILEGE.CAPABILITY"}
	paths(secured({"capabilities": {"add": ["CHOWN", "SYS_TIME"]}}), parameters) == {
		"spec.containers[0].securityContext.capabilities.add[1]",
	}
}

test_proc_mount if {
	codes(secured({"procMount": "Unmasked"}), {}) == {"PRIVILEGE.PROC_MOUNT"}
	codes(secured({"procMount": "Other"}), {}) == {"PRIVILEGE.PROC_MOUNT"}
}

test_profiles_that_are_switched_off if {
	cases := {
		"seccomp of a container": {"object": secured({"seccompProfile": {"type": "Unconfined"}})},
		"AppArmor of a container": {"object": secured({"appArmorProfile": {"type": "Unconfined"}})},
		"seccomp of the Pod": {"object": beside({"securityContext": {"seccompProfile": {"type": "Unconfined"}}})},
		"AppArmor of the Pod": {"object": beside({"securityContext": {"appArmorProfile": {"type": "Unconfined"}}})},
		"AppArmor by annotation": {"object": object.union(
			beside({}),
			{"metadata": {"annotations": {"container.apparmor.security.beta.kubernetes.io/web": "unconfined"}}},
		)},
	}
	failing(cases, {"PRIVILEGE.UNCONFINED"}) == set()
	paths(cases["AppArmor by annotation"].object, {}) == {
		"metadata.annotations[\"container.apparmor.security.beta.kubernetes.io/web\"]",
	}
	paths(cases["seccomp of the Pod"].object, {}) == {"spec.securityContext.seccompProfile.type"}
}

test_host_process if {
	context := {"windowsOptions": {"hostProcess": true}}
	codes(secured(context), {}) == {"PRIVILEGE.HOST_PROCESS"}
	codes(beside({"securityContext": context}), {}) == {"PRIVILEGE.HOST_PROCESS"}
	paths(beside({"securityContext": context}), {}) == {"spec.securityContext.windowsOptions.hostProcess"}
}

test_host_ports if {
	container := object.union(safe, {"ports": [{"containerPort": 80}, {"containerPort": 80, "hostPort": 8080}]})
	subject := pod({"containers": [container]})
	codes(subject, {}) == {"PRIVILEGE.HOST_PORT"}
	paths(subject, {}) == {"spec.containers[0].ports[1].hostPort"}
	codes(subject, {"allowedHostPorts": [80]}) == {"PRIVILEGE.HOST_PORT"}
	codes(subject, {"allowedHostPorts": [8080]}) == set()

	# The API server sets hostPort itself where the network is the node's.
	shared := pod({"hostNetwork": true, "containers": [container]})
	codes(shared, {}) == {"PRIVILEGE.HOST_NAMESPACE"}
	codes(shared, {"allowedHostNamespaces": ["hostNetwork"]}) == set()
}

test_every_container_is_judged if {
	bad := {"allowPrivilegeEscalation": false, "privileged": true}
	spec := {
		"containers": [safe, {"name": "a", "securityContext": bad}],
		"initContainers": [
			{"name": "b", "securityContext": bad},
			{"name": "c", "securityContext": bad, "restartPolicy": "Always"},
		],
		"ephemeralContainers": [{"name": "d", "securityContext": bad}],
	}
	messages(pod(spec), {}) == {
		"container \"a\" is privileged",
		"init container \"b\" is privileged",
		"sidecar container \"c\" is privileged",
		"ephemeral container \"d\" is privileged",
	}
	paths(pod(spec), {}) == {
		"spec.containers[1].securityContext.privileged",
		"spec.initContainers[0].securityContext.privileged",
		"spec.initContainers[1].securityContext.privileged",
		"spec.ephemeralContainers[0].securityContext.privileged",
	}
}

test_every_template_is_judged if {
	template := {
		"metadata": {"annotations": {"container.apparmor.security.beta.kubernetes.io/web": "unconfined"}},
		"spec": {"hostPID": true, "containers": [object.union(safe, {"securityContext": {"privileged": true}})]},
	}
	cases := {
		"spec.template": {"kind": "Deployment", "spec": {"template": template}},
		"spec.jobTemplate.spec.template": {
			"kind": "CronJob",
			"spec": {"jobTemplate": {"spec": {"template": template}}},
		},
	}
	every location, subject in cases {
		paths(subject, {}) == {
			sprintf("%s.spec.hostPID", [location]),
			sprintf("%s.spec.containers[0].securityContext.privileged", [location]),
			sprintf("%s.metadata.annotations[\"container.apparmor.security.beta.kubernetes.io/web\"]", [location]),
		}
	}
}

test_the_whole_message if {
	denials(review(secured({"privileged": true}), {})) == {{
		"msg": "container \"web\" is privileged",
		"code": "PRIVILEGE.PRIVILEGED_CONTAINER",
		"severity": "critical",
		"path": "spec.containers[0].securityContext.privileged",
		"found": true,
		"wanted": false,
		"remedy": "remove securityContext.privileged",
	}}
	messages(beside({"hostNetwork": true}), {}) == {"Pod \"web\" shares the node's network namespace"}
	messages({"kind": "Job", "metadata": {"generateName": "x-"}, "spec": {"template": {"spec": {"hostIPC": true}}}}, {}) == {
		"the Pod template of Job \"x-\" shares the node's IPC namespace",
	}
	messages(mounting("/etc", []), {}) == {"Pod \"web\" mounts the node's path \"/etc\" as volume \"node\""}
}

running(image) := pod({"containers": [{"name": "a", "image": image, "securityContext": {"privileged": true}}]})

test_every_message_is_whole if {
	context := {
		"privileged": true,
		"procMount": "Unmasked",
		"capabilities": {"add": ["ALL"]},
		"seccompProfile": {"type": "Unconfined"},
		"windowsOptions": {"hostProcess": true},
	}
	container := {"name": "web", "securityContext": context, "ports": [{"hostPort": 80}]}
	spec := {"hostPID": true, "containers": [container]}
	findings := denials(review(object.union(mounting("/etc", []), {"spec": spec}), {}))
	count(findings) == 9
	every finding in findings {
		is_whole(finding)
	}
}

is_whole(finding) if {
	finding.msg != ""
	regex.match(`^PRIVILEGE\.[A-Z_]+$`, finding.code)
	finding.severity in {"critical", "high", "medium"}
	finding.remedy != ""
	finding.path != ""
}

test_exempt_images if {
	parameters := {"exemptImages": ["registry.k8s.io/kube-proxy:*", "ghcr.io/acme/cni:1.0"]}
	every image in ["registry.k8s.io/kube-proxy:v1.36.0", "ghcr.io/acme/cni:1.0"] {
		codes(running(image), parameters) == set()
	}
	every image in ["registry.k8s.io/kube-proxy-evil:v1", "ghcr.io/acme/cni:1.0.1", "evil.io/registry.k8s.io/kube-proxy:1", "", null, 7] {
		codes(running(image), parameters) == {"PRIVILEGE.PRIVILEGED_CONTAINER", "PRIVILEGE.ESCALATION"}
	}
}

test_an_exempt_image_does_not_excuse_its_pod if {
	subject := pod({"hostNetwork": true, "containers": [{"name": "web", "image": "a"}, {"name": "b", "image": "b"}]})
	codes(subject, {"exemptImages": ["a"]}) == {"PRIVILEGE.HOST_NAMESPACE", "PRIVILEGE.ESCALATION"}
	messages(subject, {"exemptImages": ["a", "b"]}) == {"Pod \"web\" shares the node's network namespace"}
}

test_an_update_is_refused_only_for_the_privileges_that_it_adds if {
	old := secured({"privileged": true})
	denials(update(old, old)) == set()
	denials(update(old, object.union(old, {"metadata": {"finalizers": []}}))) == set()
	denials(update(old, beside({}))) == set()
	added := object.union(old, {"spec": {"ephemeralContainers": [{"name": "debug", "securityContext": {
		"allowPrivilegeEscalation": false,
		"privileged": true,
	}}]}})
	{finding.msg | some finding in denials(update(old, added))} == {"ephemeral container \"debug\" is privileged"}
	{finding.code | some finding in denials(update(null, old))} == {"PRIVILEGE.PRIVILEGED_CONTAINER"}
	{finding.code | some finding in denials(update(beside({}), old))} == {"PRIVILEGE.PRIVILEGED_CONTAINER"}
}

test_an_old_object_does_not_excuse_a_new_one if {
	subject := secured({"privileged": true})
	{finding.code |
		some finding in denials({"request": {"operation": "CREATE", "oldObject": subject, "object": subject}})
	} == {"PRIVILEGE.PRIVILEGED_CONTAINER"}
}

test_parameters_may_be_missing_or_of_another_type if {
	subject := secured({"privileged": true, "capabilities": {"add": ["SYS_ADMIN"]}})
	expected := {"PRIVILEGE.PRIVILEGED_CONTAINER", "PRIVILEGE.CAPABILITY"}
	every parameters in [
		null,
		[],
		"x",
		{"allowedCapabilities": null, "exemptImages": null, "allowedHostPaths": 7},
		{"allowedCapabilities": "SYS_ADMIN", "exemptImages": "nginx", "allowPrivilegeEscalation": "true"},
		{"exemptImages": [null, 7, {}]},
	] {
		codes(subject, parameters) == expected
	}
	{finding.code | some finding in denials({"request": {"object": subject}})} == expected
}

test_shapes_that_no_pod_has if {
	objects := [
		{},
		{"spec": null},
		{"spec": "x"},
		{"spec": []},
		pod({}),
		pod({"containers": null, "initContainers": null, "ephemeralContainers": null, "volumes": null}),
		pod({"containers": "x", "volumes": "x", "securityContext": "x"}),
		pod({"volumes": [null, "x", 7, {}]}),
		pod({"containers": [object.union(safe, {"ports": "x", "volumeMounts": {"name": "x"}})]}),
		{"spec": {"template": null}},
		{"spec": {"template": {"spec": "x", "metadata": "x"}}},
		{"metadata": {"annotations": null}, "spec": {"containers": [safe]}},
		secured({"capabilities": "x"}),
		secured({"capabilities": {"add": "x"}}),
		secured({"seccompProfile": "x", "windowsOptions": "x"}),
	]
	{subject | some subject in objects; codes(subject, {}) != set()} == set()
}

test_the_whole_message_without_an_object if {
	denials({"request": {}}) == {{
		"msg": "the request has no object to judge",
		"code": "PRIVILEGE.NO_OBJECT",
		"severity": "high",
		"remedy": "send an AdmissionReview whose request.object is the object as it would be stored",
	}}
}

test_a_request_without_an_object_is_refused if {
	every request in [{"operation": "CREATE"}, {"operation": "CREATE", "object": null}, {"object": "pod"}, {}] {
		{finding.code | some finding in denials({"request": request})} == {"PRIVILEGE.NO_OBJECT"}
	}
	{finding.code | some finding in denials({})} == {"PRIVILEGE.NO_OBJECT"}
}

test_an_input_that_is_no_review_is_refused if {
	{finding.code | some finding in no_privileged.deny} == {"PRIVILEGE.NO_OBJECT"}
	every asked in [null, [], "x", 7, {"request": null}, {"request": []}] {
		{finding.code | some finding in denials(asked)} == {"PRIVILEGE.NO_OBJECT"}
	}
}

test_a_deletion_has_nothing_to_refuse if {
	denials({"request": {"operation": "DELETE", "object": null, "oldObject": secured({"privileged": true})}}) == set()
}
