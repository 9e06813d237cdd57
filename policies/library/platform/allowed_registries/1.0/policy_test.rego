package platform.allowed_registries_test

import data.platform.allowed_registries

sha := "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

parameters := {"registries": [
	"registry.example.com",
	"ghcr.io/acme",
	"docker.io/library",
	"localhost:5000/team/",
	"Quay.io/Acme/web",
	"[::1]:5000",
]}

review(subject) := {"request": {"operation": "CREATE", "object": subject}, "parameters": parameters}

update(old, subject) := {
	"request": {"operation": "UPDATE", "oldObject": old, "object": subject},
	"parameters": parameters,
}

pod(spec) := {"kind": "Pod", "metadata": {"name": "web"}, "spec": spec}

with_image(image) := pod({"containers": [{"name": "web", "image": image}]})

denials(request) := found if found := allowed_registries.deny with input as request

codes(request) := {finding.code | some finding in denials(request)}

paths(request) := {finding.path | some finding in denials(request)}

messages(request) := {finding.msg | some finding in denials(request)}

test_images_that_are_allowed if {
	images := [
		"registry.example.com/web",
		"registry.example.com/web:1.0",
		"registry.example.com/a/b/c:1.0",
		"REGISTRY.example.com/web",
		sprintf("registry.example.com/web@%s", [sha]),
		sprintf("registry.example.com/web:1.0@%s", [sha]),
		"ghcr.io/acme/web",
		"ghcr.io/acme/team/web:v1",
		"localhost:5000/team/web",
		"localhost:5000/team/web:1.0",
		"quay.io/acme/web:1.0",
		"[::1]:5000/web:1.0",
		"nginx",
		"nginx:1.29",
		sprintf("nginx@%s", [sha]),
		"library/nginx",
		"docker.io/nginx",
		"docker.io/library/nginx:1.29",
		"index.docker.io/nginx",
		"index.docker.io/library/nginx",
		"docker.io",
		# Without a slash, this is the official image `localhost` with the tag 5000.
		"localhost:5000",
		# An official image, whose name resembles a host.
		"registry.example.com",
	]
	{image | some image in images; messages(review(with_image(image))) != set()} == set()
}

test_images_that_are_not if {
	images := [
		"registry.example.com.evil.io/web",
		"registry.example.com:5000/web",
		"evil.io/registry.example.com/web",
		"registry.example.comm/web",
		"registry-example.com/web",
		"sub.registry.example.com/web",
		"ghcr.io/acme-evil/web",
		"ghcr.io/acme.evil/web",
		"ghcr.io/web",
		"ghcr.io/evil/acme/web",
		"acme/web",
		"docker.io/acme/web",
		"index.docker.io/acme/web",
		"localhost:5000/web",
		"localhost:5000/team-evil/web",
		"localhost:5001/team/web",
		"localhost/team/web",
		"quay.io/acme/web-evil",
		"quay.io/acme",
		"[::1]/web",
		"[::2]:5000/web",
		sprintf("evil.io/web@%s", [sha]),
		"LIBRARY/nginx",
	]
	{image |
		some image in images
		codes(review(with_image(image))) != {"IMAGES.REGISTRY_NOT_ALLOWED"}
	} == set()
}

test_texts_that_are_no_references if {
	images := [
		" ",
		" nginx",
		"nginx ",
		"nginx\n",
		"ghcr.io/acme/../evil/web",
		"ghcr.io//acme/web",
		"/nginx",
		"nginx/",
		"ghcr.io/acme/",
		"nginx:",
		"nginx:1:2",
		"nginx@",
		"nginx@sha256:12",
		"ghcr.io/acme/web@evil.io/web",
		sprintf("ghcr.io/acme/web@%s@%s", [sha, sha]),
		"https://ghcr.io/acme/web",
		"user@ghcr.io/acme/web",
		"ghcr.io/Acme/web",
		"ghcr.io/acme/web?x",
		"ghcr.io/acme/web#x",
		"ghcr.io/acme/wéb",
		"gһcr.io/acme/web",
		"*",
		7,
		true,
		["nginx"],
		{"name": "nginx"},
	]
	{image | some image in images; codes(review(with_image(image))) != {"IMAGES.MALFORMED"}} == set()
}

test_an_image_that_is_missing if {
	codes(review(with_image(""))) == {"IMAGES.MISSING"}
	codes(review(with_image(null))) == {"IMAGES.MISSING"}
	codes(review(pod({"containers": [{"name": "web"}]}))) == {"IMAGES.MISSING"}
	codes(review(pod({"containers": [null, "web", 7, []]}))) == {"IMAGES.MISSING"}
}

test_repositories_in_full if {
	cases := {
		"nginx": "docker.io/library/nginx",
		"nginx:1.29": "docker.io/library/nginx",
		"docker.io/nginx": "docker.io/library/nginx",
		"index.docker.io/acme/web:1": "docker.io/acme/web",
		"acme/web": "docker.io/acme/web",
		"ghcr.io/web": "ghcr.io/web",
		"GHCR.io/acme/web:1": "ghcr.io/acme/web",
		"localhost/web": "localhost/web",
		"localhost:5000/a/b:c": "localhost:5000/a/b",
		"[::1]:5000/web": "[::1]:5000/web",
		sprintf("host/web@%s", [sha]): "docker.io/host/web",
		sprintf("h.io:5000/a/web:1@%s", [sha]): "h.io:5000/a/web",
	}
	{image: got |
		some image, expected in cases
		got := allowed_registries.repository(image)
		got != expected
	} == {}
	count([image | some image, _ in cases; is_string(allowed_registries.repository(image))]) == count(cases)
}

test_every_message_is_whole if {
	findings := denials(review(pod({"containers": [{"image": "evil.io/a"}, {"image": " "}, {}]})))
	count(findings) == 3
	every finding in findings {
		is_whole(finding)
	}
}

is_whole(finding) if {
	finding.msg != ""
	regex.match(`^IMAGES\.[A-Z_]+$`, finding.code)
	finding.severity in {"critical", "high", "medium"}
	finding.remedy != ""
	finding.path != ""
}

test_every_container_is_judged if {
	spec := {
		"containers": [{"name": "good", "image": "nginx"}, {"name": "web", "image": "evil.io/a"}],
		"initContainers": [
			{"name": "setup", "image": "evil.io/b"},
			{"name": "proxy", "image": "evil.io/c", "restartPolicy": "Always"},
		],
		"ephemeralContainers": [{"name": "debug", "image": "evil.io/d"}],
		"volumes": [
			{"name": "scratch", "emptyDir": {}},
			{"name": "model", "image": {"reference": "evil.io/e"}},
			{"name": "empty", "image": {}},
			{"name": "none", "image": null},
			{"name": "good", "image": {"reference": "ghcr.io/acme/model:1"}},
		],
	}
	messages(review(pod(spec))) == {
		"container \"web\" has the image \"evil.io/a\", which is not from an allowed registry",
		"init container \"setup\" has the image \"evil.io/b\", which is not from an allowed registry",
		"sidecar container \"proxy\" has the image \"evil.io/c\", which is not from an allowed registry",
		"ephemeral container \"debug\" has the image \"evil.io/d\", which is not from an allowed registry",
		"volume \"model\" has the image \"evil.io/e\", which is not from an allowed registry",
		"volume \"empty\" has no image",
	}
	paths(review(pod(spec))) == {
		"spec.containers[1].image",
		"spec.initContainers[0].image",
		"spec.initContainers[1].image",
		"spec.ephemeralContainers[0].image",
		"spec.volumes[1].image.reference",
		"spec.volumes[2].image.reference",
	}
}

test_every_template_is_judged if {
	spec := {"containers": [{"name": "web", "image": "evil.io/a"}]}
	deployment := {"kind": "Deployment", "spec": {"template": {"spec": spec}}}
	cron_job := {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}}}
	paths(review(deployment)) == {"spec.template.spec.containers[0].image"}
	paths(review(cron_job)) == {"spec.jobTemplate.spec.template.spec.containers[0].image"}
}

test_the_whole_message if {
	denials({
		"request": {"operation": "CREATE", "object": with_image("acme/web:1.0")},
		"parameters": {"registries": ["ghcr.io/acme", "registry.k8s.io/"]},
	}) == {{
		"msg": "container \"web\" has the image \"acme/web:1.0\", which is not from an allowed registry",
		"code": "IMAGES.REGISTRY_NOT_ALLOWED",
		"severity": "high",
		"path": "spec.containers[0].image",
		"found": "acme/web:1.0",
		"wanted": "an image from ghcr.io/acme, registry.k8s.io",
		"remedy": "use an image from ghcr.io/acme, registry.k8s.io",
		"details": {
			"image": "acme/web:1.0",
			"repository": "docker.io/acme/web",
			"registries": ["ghcr.io/acme", "registry.k8s.io"],
		},
	}}
}

test_an_update_is_refused_only_for_the_images_that_it_brings_in if {
	old := with_image("evil.io/web:1")
	codes(update(old, old)) == set()
	codes(update(old, object.union(old, {"metadata": {"finalizers": []}}))) == set()
	codes(update(old, with_image("nginx"))) == set()
	codes(update(old, with_image("evil.io/web:2"))) == {"IMAGES.REGISTRY_NOT_ALLOWED"}
	codes(update(with_image("nginx"), old)) == {"IMAGES.REGISTRY_NOT_ALLOWED"}
	codes(update(null, old)) == {"IMAGES.REGISTRY_NOT_ALLOWED"}
	debugged := pod({
		"containers": [{"name": "web", "image": "evil.io/web:1"}],
		"ephemeralContainers": [{"name": "debug", "image": "evil.io/debug"}],
	})
	paths(update(old, debugged)) == {"spec.ephemeralContainers[0].image"}
}

test_an_old_object_does_not_excuse_a_new_one if {
	subject := with_image("evil.io/web")
	codes({"request": {"operation": "CREATE", "oldObject": subject, "object": subject}, "parameters": parameters}) == {
		"IMAGES.REGISTRY_NOT_ALLOWED",
	}
}

test_without_registries_nothing_is_allowed if {
	request := {"operation": "CREATE", "object": with_image("nginx")}
	every parameter in [null, [], "docker.io", {}, [""], ["/"], [7]] {
		codes({"request": request, "parameters": {"registries": parameter}}) == {"IMAGES.REGISTRY_NOT_ALLOWED"}
	}
	codes({"request": request}) == {"IMAGES.REGISTRY_NOT_ALLOWED"}
	codes({"request": request, "parameters": null}) == {"IMAGES.REGISTRY_NOT_ALLOWED"}
	{finding.remedy | some finding in denials({"request": request})} == {
		"set parameters.registries: no registry is allowed",
	}
}

test_an_object_without_containers_has_no_images if {
	objects := [
		{},
		{"spec": null},
		{"spec": "x"},
		{"spec": []},
		pod({}),
		pod({"containers": null, "initContainers": null, "ephemeralContainers": null, "volumes": null}),
		pod({"containers": "nginx", "volumes": 7}),
		pod({"volumes": [null, 7, "x", {}]}),
		{"spec": {"template": null}},
		{"spec": {"template": {"spec": null}}},
		{"spec": {"jobTemplate": {"spec": "x"}}},
	]
	{subject | some subject in objects; codes(review(subject)) != set()} == set()
}

test_the_whole_message_without_an_object if {
	denials({"request": {}}) == {{
		"msg": "the request has no object to judge",
		"code": "IMAGES.NO_OBJECT",
		"severity": "high",
		"remedy": "send an AdmissionReview whose request.object is the object as it would be stored",
	}}
}

test_a_request_without_an_object_is_refused if {
	every request in [{"operation": "CREATE"}, {"operation": "CREATE", "object": null}, {"object": "pod"}, {}] {
		codes({"request": request, "parameters": parameters}) == {"IMAGES.NO_OBJECT"}
	}
	codes({}) == {"IMAGES.NO_OBJECT"}
}

test_an_input_that_is_no_review_is_refused if {
	{finding.code | some finding in allowed_registries.deny} == {"IMAGES.NO_OBJECT"}
	every asked in [null, [], "x", 7, {"request": null}, {"request": []}] {
		{finding.code | some finding in denials(asked)} == {"IMAGES.NO_OBJECT"}
	}
}

test_a_deletion_has_nothing_to_refuse if {
	codes({
		"request": {"operation": "DELETE", "object": null, "oldObject": with_image("evil.io/web")},
		"parameters": parameters,
	}) == set()
}
